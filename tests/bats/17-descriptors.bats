#!/usr/bin/env bats
# What runs in a container, beside it (hooks) or for it has descriptors 0, 1 and 2 and no other: one that leaks is a way out of the container.
load helper
setup_file() {
  tare_setup_file
  exec 77</dev/null # of the caller, who has them open without close-on-exec
  export BUNDLE=$STATE/bundle OCI=$STATE/oci
  mkdir -p "$BUNDLE/rootfs"
  tar -xf "$CACHE/busybox.tar" -C "$BUNDLE/rootfs"
}
teardown_file() {
  tare-oci --root "$OCI" delete --force fds77 2>/dev/null || true
  tare_teardown_file
}

# Without opening anything, as a listing or a redirection would.
LOOK='n=0; while [ $n -lt 300 ]; do [ ! -e /proc/$$/fd/$n ] || s="$s$n "; n=$((n + 1)); done; echo "$s"'
# What a shell in there has, called by one that has more.
only_three() {
  local seen
  seen=$("$@" sh -c 'ls /proc/$$/fd; :' 77</dev/null 55</etc/passwd | tr '\n' ' ')
  [ "$seen" = "0 1 2 " ] || { echo "$*: $seen"; return 1; }
}

@test "run, with and without a terminal, an init, a network, volumes and ports" {
  only_three tare run --rm --network none busybox
  only_three tare run --rm busybox
  only_three tare run --rm --init --network none busybox
  only_three tare run --rm --network none --privileged --security-opt seccomp=unconfined busybox
  only_three tare run --rm --network none -u 1000 -v fds:/v -v "$STATE:/host:ro" --tmpfs /t --read-only busybox
  only_three tare run --rm -p "$PORT_BASE:80" -p "$((PORT_BASE + 1)):81/udp" busybox
  only_three tare run --rm -i --network none busybox
  only_three tare run --rm --network none --runtime "$(command -v tare-oci)" busybox
  [ "$(script -qec 'tare run --rm -t --network none busybox sh -c "ls /proc/\$\$/fd; :"' /dev/null 77</dev/null | tr -d '\r' | tr '\n ' '  ' | tr -s ' ')" = "0 1 2 " ]
  tare volume rm fds
}

@test "exec, and a detached container, which is started again" {
  tare run -d --name box busybox sh -c 'ls /proc/$$/fd; sleep 100; :' 77</dev/null
  only_three tare exec box
  only_three tare exec --privileged -u 0 box
  only_three tare exec -i -w /tmp box
  [ "$(script -qec 'tare exec -t box sh -c "ls /proc/\$\$/fd; :"' /dev/null 77</dev/null | tr -d '\r' | tr '\n ' '  ' | tr -s ' ')" = "0 1 2 " ]
  tare restart -t 0 box 77</dev/null
  until_true sh -c '[ "$(tare logs box | wc -l)" = 6 ]'
  [ "$(tare logs box | tr '\n' ' ')" = "0 1 2 0 1 2 " ]
  tare rm -f box
}

@test "RUN of a build" {
  { echo FROM busybox; echo "RUN $LOOK >/fds"; echo "RUN --mount=type=cache,target=/c --mount=type=tmpfs,target=/t $LOOK >>/fds"; } >"$STATE/Dockerfile"
  tare build -q -t fds -f "$STATE/Dockerfile" "$BUNDLE/rootfs/tmp" 77</dev/null
  [ "$(tare run --rm --network none fds cat /fds)" = $'0 1 2 \n0 1 2 ' ]
  tare rmi fds
}

@test "tare-oci create and exec, and hooks" {
  oci() { tare-oci --root "$OCI" "$@"; }
  (cd "$BUNDLE" && tare-oci spec)
  cat >"$STATE/hook" <<'SH'
#!/bin/sh
# 10 is this script
n=0; while [ $n -lt 300 ]; do [ $n = 10 ] || [ ! -e /proc/self/fd/$n ] || s="$s$n "; n=$((n + 1)); done; echo "$s" >"$1"
SH
  chmod +x "$STATE/hook"
  cp "$STATE/hook" "$BUNDLE/rootfs/bin/hook"
  sed -i 's,>"$1",>>/out,' "$BUNDLE/rootfs/bin/hook"
  jq --arg look "$LOOK" --arg hook "$STATE/hook" --arg out "$STATE/out" '.process.terminal = false | .root.readonly = false
    | .process.args = ["sh", "-c", ($look + " >/inside; sleep 100; :")]
    | .hooks = {startContainer: [{path: "/bin/hook", args: ["hook"]}]}
    | reduce ("prestart", "createRuntime", "createContainer", "poststart", "poststop") as $k (.; .hooks[$k] = [{path: $hook, args: ["hook", ($out + $k)]}])' \
    "$BUNDLE/config.json" >"$STATE/new" && mv "$STATE/new" "$BUNDLE/config.json"
  oci create -b "$BUNDLE" fds77 </dev/null >/dev/null 2>&1 77</dev/null 3>&-
  oci start fds77 77</dev/null
  until_true [ -s "$BUNDLE/rootfs/inside" ]
  [ "$(cat "$BUNDLE/rootfs/inside")" = "0 1 2 " ]
  only_three oci exec fds77
  oci exec -d --pid-file "$STATE/pid" fds77 sleep 100 </dev/null >/dev/null 2>&1 77</dev/null
  [ "$(ls "/proc/$(cat "$STATE/pid")/fd" | tr '\n' ' ')" = "0 1 2 " ]
  oci delete --force fds77 77</dev/null
  for kind in prestart createRuntime createContainer poststart poststop; do
    [ "$(cat "$STATE/out$kind")" = "0 1 2 " ] || { echo "$kind: $(cat "$STATE/out$kind")"; return 1; }
  done
  [ "$(cat "$BUNDLE/rootfs/out")" = "0 1 2 " ]
}

@test "what keeps a container holds its own descriptors, and none of who started it" {
  tare run -d --name held --network none busybox sleep 100 77</etc/passwd
  local monitor
  monitor=$(pgrep -f "tare-monitor.*$TARE_RUN" | head -n 1)
  [ -n "$monitor" ]
  ! ls -l "/proc/$monitor/fd" | grep -e /etc/passwd -e 'tare\.db'
  tare rm -f held
}
