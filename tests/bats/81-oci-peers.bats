#!/usr/bin/env bats
# tare-oci in the place of runc: under podman, containerd and dockerd, and beside runc on the same bundle.
load helper
bats_require_minimum_version 1.5.0

setup_file() {
  STATE=$(mktemp -d /tmp/tare-bats.XXXXXX)
  export STATE
  OCI=$(command -v tare-oci)
  export OCI
  mkdir -p "$STATE/rootfs" "$STATE/ctd"
  tar -xf "$CACHE/busybox.tar" -C "$STATE/rootfs"
  cat >"$STATE/containerd.toml" <<TOML
version = 2
root = "$STATE/ctd/root"
state = "$STATE/ctd/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper"]
[grpc]
  address = "$STATE/ctd/sock"
TOML
  containerd -c "$STATE/containerd.toml" >"$STATE/containerd.log" 2>&1 3>&- &
  echo $! >"$STATE/containerd.pid"
  until_true ctr version
  dockerd --containerd "$STATE/ctd/sock" --data-root "$STATE/docker" --exec-root "$STATE/docker-run" --pidfile "$STATE/docker.pid" \
    -H "unix://$STATE/docker.sock" --add-runtime "tare=$OCI" --bridge none --iptables=false --ip-masq=false >"$STATE/docker.log" 2>&1 3>&- &
  until_true docker version
  docker import "$CACHE/busybox.tar" bb >/dev/null
  skopeo copy -q "docker-daemon:bb:latest" "oci-archive:$STATE/bb.tar:bb" --src-daemon-host "unix://$STATE/docker.sock"
  ctr image import --index-name bb "$STATE/bb.tar" >/dev/null
  podman import "$CACHE/busybox.tar" bb >/dev/null 2>&1
}

teardown_file() {
  docker ps -aq | xargs -r docker -H "unix://$STATE/docker.sock" rm -f >/dev/null
  podman rm -fa >/dev/null
  kill "$(cat "$STATE/docker.pid")"
  until_true test ! -e "$STATE/docker.pid"
  kill "$(cat "$STATE/containerd.pid")"
  until_true sh -c "! kill -0 $(cat "$STATE/containerd.pid") 2>/dev/null"
  grep -F "$STATE" /proc/mounts | cut -d' ' -f2 | sort -r | xargs -r umount
  rm -rf "$STATE"
}

podman() { command podman --root "$STATE/podman" --runroot "$STATE/podman-run" --cgroup-manager cgroupfs --events-backend none --runtime "${RUNTIME:-$OCI}" "$@"; }
docker() { command docker -H "unix://$STATE/docker.sock" "$@"; }
ctr() { command ctr -a "$STATE/ctd/sock" "$@"; }

# Prints exit code and standard output of what tare-oci and runc make of the same words; fails when they differ.
same() { # FUNCTION WORDS...
  local ours theirs
  ours=$("$1" tare "${@:2}" 2>/dev/null; echo "code $?")
  theirs=$("$1" runc "${@:2}" 2>/dev/null; echo "code $?")
  echo "$ours"
  [ "$ours" = "$theirs" ] || { echo "runc: $theirs"; return 1; }
}
docker_run() { docker run --rm --runtime "$@"; }
podman_run() {
  local RUNTIME=$1
  [ "$1" != tare ] || RUNTIME=$OCI
  shift
  # podman's own limits are more than runc may set where CAP_SYS_RESOURCE is missing
  (cd "$STATE" && podman run --rm --net none --ulimit nproc=999:999 --ulimit nofile=99:99 "$@")
}

everything() { # FUNCTION
  same "$1" bb sh -c 'echo hello; exit 5'
  same "$1" bb nosuch
  same "$1" bb /etc
  same "$1" -u 5:6 -e A=b -w /tmp bb sh -c 'id; echo $A; pwd'
  same "$1" --cap-drop ALL --security-opt no-new-privileges bb grep -E '^Cap|^NoNew|^Seccomp:' /proc/self/status
  same "$1" --ulimit core=77:77 --hostname h bb sh -c 'ulimit -c; hostname'
  same "$1" --read-only --tmpfs /t:size=1m bb sh -c 'touch /x; touch /t/x && echo ok; grep " /t " /proc/mounts'
  same "$1" -v "$STATE/rootfs:/v:ro" bb sh -c 'ls /v; touch /v/x'
  same "$1" --memory 6m --memory-swap 6m bb sh -c 'a=xxxxxxxx; while :; do a=$a$a; done'
  "$1" tare --privileged bb grep CapEff /proc/self/status # where a capability is missing runc gives up
  same "$1" bb sh -c 'ls -l /dev | grep -v core | cut -c1-10,57- | sort; cut -d" " -f2 /proc/mounts | sort'
  same "$1" --init bb sh -c 'kill -9 $$'
}

@test "dockerd runs what it runs with runc" { everything docker_run; }
@test "podman runs what it runs with runc" { everything podman_run; }

@test "dockerd: exec, pause, top, stats, update, stop" {
  docker run -d --runtime tare --name c1 bb sleep 1000
  [ "$(docker exec -u 7 -e A=b c1 sh -c 'id -u; echo $A')" = "$(printf '7\nb')" ]
  run docker exec c1 sh -c 'exit 3'
  [ "$status" = 3 ]
  run docker exec c1 nosuch
  [ "$status" = 126 ]
  [[ $output == *"executable file not found"* ]]
  docker pause c1
  docker ps | grep -q Paused
  docker unpause c1
  docker top c1 | grep -q 'sleep 1000'
  docker stats --no-stream --format '{{.PIDs}}' c1 | grep -qx 1
  docker update --memory 100m --memory-swap 200m c1
  [ "$(docker exec c1 cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || docker exec c1 cat /sys/fs/cgroup/memory.max)" = 104857600 ]
  script -qec "docker -H unix://$STATE/docker.sock exec -it c1 tty" /dev/null </dev/null | grep -q /dev/
  docker stop -t 1 c1
  [ "$(docker inspect -f '{{.State.ExitCode}}' c1)" = 137 ]
  docker rm c1
}

@test "podman: exec, pause, top, kill, start again" {
  podman run -d --net none --name c1 bb sleep 1000
  [ "$(podman exec -u 7 c1 id -u)" = 7 ]
  run podman exec c1 sh -c 'exit 3'
  [ "$status" = 3 ]
  run -127 podman exec c1 nosuch
  podman pause c1
  podman unpause c1
  podman top c1 args | grep -q 'sleep 1000'
  podman kill c1
  podman wait c1
  podman start c1
  podman inspect -f '{{.State.Status}}' c1 | grep -qx running
  podman rm -f -t 0 c1
}

@test "containerd: run, exec, pause, metrics, kill" {
  image=$(ctr image ls -q | head -n 1)
  run ctr run --rm --runc-binary "$OCI" "$image" r1 sh -c 'echo hello; exit 5'
  [[ $status = 5 && $output == hello* ]]
  run ctr run --rm --runc-binary "$OCI" "$image" r2 nosuch
  [[ $status != 0 && $output == *"executable file not found"* ]]
  ctr container rm r2 || true
  ctr run -d --runc-binary "$OCI" "$image" r3 sleep 1000 3>&-
  run ctr task exec --exec-id a r3 sh -c 'echo in; exit 3'
  [[ $status = 3 && $output == in* ]]
  ctr task pause r3
  ctr task ls | grep -q 'r3.*PAUSED'
  ctr task resume r3
  ctr task metrics r3 | grep -q memory
  ctr task kill -s KILL r3
  until_true sh -c "ctr -a $STATE/ctd/sock task ls | grep -q 'r3.*STOPPED'"
  ctr task rm r3 || true
  ctr container rm r3
}

# ---- the same bundle ----

direct() { # RUNTIME VERB WORDS...
  local runtime=runc
  [ "$1" != tare ] || runtime=tare-oci
  (cd "$STATE/bundle" && "$runtime" --root "$STATE/$1-state" "${@:2}" </dev/null 3>&-)
}

@test "runc and tare-oci say the same of one bundle, step by step" {
  mkdir "$STATE/bundle"
  (cd "$STATE/bundle" && runc spec && jq '.process.terminal = false | .root.path = "'"$STATE"'/rootfs" | .process.args = ["sleep", "100"]
    | .linux.cgroupsPath = "/tare-peer"' config.json >new && mv new config.json)
  facts() { direct "$@" | jq -c 'del(.pid, .created)'; }
  both() { # each step with one, then with the other: the group is the same
    for runtime in tare runc; do
      for step in "state x" "create x" "state x" "create x" "exec x echo early" "start x" "state x" "start x" "delete x" "exec x sh -c id" \
        "exec x nosuch" "exec x /etc" "exec -u 5:6 x id" "ps x extra" "pause x" "state x" "exec x true" "pause x" "resume x" "resume x" "kill x NOSUCH" \
        "update --pids-limit 9 x" "update --memory lots x" "kill x KILL" "wait" "kill x" "kill --all x 9" "exec x true" "start x" "state x" "delete x" \
        "delete x" "delete --force x" "state x" "nosuch" "state" "state --nosuch x" "create a/b" "create -b /nonexistent y" "list -q"; do
        case $step in
          wait) until_true sh -c "$( [ $runtime = tare ] && echo tare-oci || echo runc) --root $STATE/$runtime-state state x | grep -q stopped" ;;
          "create x") out=$(direct $runtime create x >/dev/null 2>&1; echo "code $?") ;;
          "state x") out=$(facts $runtime state x 2>/dev/null; echo "code ${PIPESTATUS[0]}") ;;
          # shellcheck disable=SC2086
          *) out=$(direct $runtime $step 2>/dev/null; echo "code $?") ;;
        esac
        case $step in "state" | "state --nosuch x") out=${out##*$'\n'} ;; esac # help is worded otherwise
        echo "$step: $out"
      done >"$STATE/$runtime.steps"
    done
  }
  both
  diff "$STATE/tare.steps" "$STATE/runc.steps"
}
