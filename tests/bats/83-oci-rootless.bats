#!/usr/bin/env bats
# tare-oci without privilege: as a user beside runc, as root of a user's namespace, and under that user's podman.
load helper

setup_file() {
  STATE=$(mktemp -d /tmp/tare-bats.XXXXXX)
  USERNAME=tare83-$$
  useradd --no-create-home --home-dir "$STATE/home" --shell /bin/sh "$USERNAME"
  grep -q "^$USERNAME:" /etc/subuid || usermod --add-subuids 500000-565535 --add-subgids 500000-565535 "$USERNAME"
  USER_ID=$(id -u "$USERNAME") FIRST=$(sed -n "s/^$USERNAME:\([0-9]*\):.*/\1/p" /etc/subuid)
  export STATE USERNAME USER_ID FIRST
  chmod 755 "$STATE"
  install -m 755 "$(command -v tare-oci)" "$STATE/tare-oci" # the build may be where no user gets to
  install -d -o "$USERNAME" -m 700 "$STATE/run"
  install -d -o "$USERNAME" "$STATE/home" "$STATE/rootfs"
  as tar -xf - -C "$STATE/rootfs" --no-same-owner <"$CACHE/busybox.tar"
}

teardown_file() {
  local pids
  if [ -e "$STATE/podman" ]; then
    user_podman rm -fa -t 0 >/dev/null
    user_podman unshare rm -rf "$STATE/home/.local" "$STATE/podman"
  fi
  for id in $(oci list -q); do oci delete --force "$id"; done
  sleep 0.2
  pids=$(pgrep -u "$USERNAME") || true
  # shellcheck disable=SC2086
  [ -z "$pids" ] || kill -9 $pids # podman's own keeper of its namespaces
  until_true sh -c "! ps -o stat= -u $USERNAME | grep -v Z"
  userdel "$USERNAME"
  grep -F "$STATE" /proc/mounts | cut -d' ' -f2 | sort -r | xargs -r umount
  rm -rf "$STATE"
}

setup() {
  ID=oci83-$BATS_TEST_NUMBER
  BUNDLE=$STATE/$ID
  install -d -o "$USERNAME" "$BUNDLE"
  (cd "$BUNDLE" && oci spec --rootless)
  config '.process.terminal = false | .root.path = "'"$STATE"'/rootfs"'
}

teardown() {
  oci delete --force "$ID"
}

as() { setpriv --reuid "$USERNAME" --regid "$USERNAME" --init-groups env -u USER HOME="$STATE/home" XDG_RUNTIME_DIR="$STATE/run" "$@"; }
oci() { as "$STATE/tare-oci" "$@"; }
config() { jq "$1" "$BUNDLE/config.json" >"$BUNDLE/new" && mv "$BUNDLE/new" "$BUNDLE/config.json"; }
args() { config ".process.args = $(jq -cn '$ARGS.positional' --args -- "$@")"; }
sees() { args sh -c "$1"; oci run -b "$BUNDLE" "$ID"; }
refused() {
  run oci run -b "$BUNDLE" "$ID"
  echo "$output"
  [[ $status = 1 && $output == *"$1"* ]]
  [ ! -e "$STATE/run/tare-oci/$ID" ]
}
ranges() { # further ids, from the one given
  config '.linux.uidMappings = [{containerID: 0, hostID: '"$USER_ID"', size: 1}, {containerID: 1, hostID: '"$1"', size: 1000}]
    | .linux.gidMappings = [{containerID: 0, hostID: '"$(id -g "$USERNAME")"', size: 1}, {containerID: 1, hostID: '"$1"', size: 1000}]'
}

@test "spec --rootless is what runc makes, but for version and names" {
  mkdir "$BUNDLE/theirs" && chown "$USERNAME" "$BUNDLE/theirs"
  as runc spec --rootless -b "$BUNDLE/theirs"
  (cd "$BUNDLE" && rm config.json && oci spec --rootless)
  same='del(.ociVersion, .hostname, .process.capabilities.ambient) | .linux.namespaces |= (map(select(.type != "cgroup")) | sort)'
  diff <(jq -S "$same" "$BUNDLE/theirs/config.json") <(jq -S "$same" "$BUNDLE/config.json")
}

@test "a user's container has the same ids, devices, mounts and capabilities as runc's" {
  args sh -c 'exec 2>&1; id -u; cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups; stat -c "%n %t:%T %u" /dev/null /dev/zero /dev/full /dev/tty /dev/random /dev/urandom
    grep -E "^(Cap|NoNew|Seccomp:)" /proc/self/status; cut -d" " -f2,3 /proc/mounts | sort; echo x >/dev/null; touch /x; cat /proc/self/uid_map >/dev/full; echo x >/proc/sys/kernel/hostname; true'
  config '.linux.namespaces |= map(select(.type != "cgroup"))'
  oci run -b "$BUNDLE" "$ID" >"$BUNDLE/ours" 2>&1
  as runc run -b "$BUNDLE" "$ID" >"$BUNDLE/theirs" 2>&1
  diff "$BUNDLE/theirs" "$BUNDLE/ours"
  grep -q ' deny$\|^deny' "$BUNDLE/ours"
  [ "$(sees 'ls /proc/self/fd | tr "\n" " "')" = "0 1 2 3 " ] # 3 is what ls reads
}

@test "create, exec, ps, kill and delete; the state below XDG_RUNTIME_DIR stays" {
  args sleep 100
  oci create -b "$BUNDLE" "$ID" </dev/null >"$BUNDLE/out" 2>&1 3>&-
  [ "$(stat -c %a "$STATE/run/tare-oci")" = 1700 ]
  oci start "$ID"
  [ "$(oci exec "$ID" id -u)" = 0 ]
  [ "$(oci exec "$ID" cat /proc/1/comm)" = sleep ]
  [ "$(oci exec --cap CAP_SYS_ADMIN "$ID" grep CapEff /proc/self/status | cut -f2)" = 0000000020200420 ]
  oci ps -f json "$ID" | jq -e 'length == 1'
  [ "$(oci list -f json | jq -r --arg id "$ID" '.[] | select(.id == $id) | .owner')" = "$USERNAME" ]
  run oci pause "$ID"
  [ "$status" = 1 ]
  run oci update --pids-limit 5 "$ID"
  [ "$status" = 1 ]
  oci kill "$ID" KILL
  until_true sh -c "setpriv --reuid $USERNAME --regid $USERNAME --clear-groups env XDG_RUNTIME_DIR=$STATE/run $STATE/tare-oci state $ID | grep stopped"
  oci delete "$ID"
  [ ! -e "$STATE/run/tare-oci/$ID" ]
}

@test "the ids of /etc/subuid, by newuidmap" {
  ranges "$FIRST"
  config '.process.user = {uid: 5, gid: 6, additionalGids: [7]}'
  [ "$(sees 'id -u; id -g; id -G; cat /proc/self/setgroups; cat /proc/1/uid_map | tr -s " "')" = \
    "$(printf '5\n6\n6 7\nallow\n 0 %d 1\n 1 %d 1000' "$USER_ID" "$FIRST")" ]
  ranges 1
  refused newuidmap
}

@test "what a user may not do is refused in runc's words" {
  config '.process.user.uid = 5'
  refused "cannot set uid to unmapped user in user namespace"
  config '.process.user = {uid: 0, gid: 5}'
  refused "unmapped"
  config '.process.user = {uid: 0, gid: 0, additionalGids: [5]}'
  refused "not mapped"
  config 'del(.process.user.additionalGids) | .linux.namespaces |= map(select(.type != "user"))'
  refused "user namespaces"
}

@test "groups that cannot be made are left out, unless the bundle names one or limits" {
  config '.linux.cgroupsPath = "/tare83/'"$ID"'"'
  refused cgroup
  config 'del(.linux.cgroupsPath) | .linux.resources = {pids: {limit: 5}}'
  refused cgroup
  config 'del(.linux.resources)'
  args true
  oci run -b "$BUNDLE" "$ID"
}

@test "as root of a user namespace, without one of its own" {
  config 'del(.linux.uidMappings, .linux.gidMappings) | .linux.namespaces |= map(select(.type != "user"))'
  args sleep 100
  # the first: a container; the second: in the namespaces of the first, by path
  cat >"$BUNDLE/inside" <<'SH'
set -ex
oci=$1 bundle=$2 id=$3
cd "$bundle"
test "$(id -u)" = 0
$oci create -b . --pid-file pid "$id" </dev/null >/dev/null 2>&1
$oci start "$id"
$oci exec "$id" sh -c 'test $(id -u) = 0 && grep -q sleep /proc/1/cmdline'
mkdir joined
jq --arg p "/proc/$(cat pid)/ns" '.process.args = ["grep", "-q", "sleep", "/proc/1/cmdline"]
  | .linux.namespaces = [{type: "mount"}, {type: "pid", path: "\($p)/pid"}, {type: "ipc", path: "\($p)/ipc"}, {type: "uts", path: "\($p)/uts"}]
  | del(.hostname)' config.json >joined/config.json
$oci run -b joined "$id-joined"
$oci kill "$id" KILL
$oci delete --force "$id"
test -d "$XDG_RUNTIME_DIR/tare-oci"
SH
  as unshare --user --map-root-user sh "$BUNDLE/inside" "$STATE/tare-oci" "$BUNDLE" "$ID"
}

user_podman() {
  (cd "$STATE/home" && as podman --root "$STATE/podman" --runroot "$STATE/run/podman" --storage-driver vfs --cgroup-manager cgroupfs --events-backend none \
    --runtime "${RUNTIME:-$STATE/tare-oci}" "$@" 3>&-)
}
podman_run() { user_podman run --rm --network none --ulimit nofile=1000:1000 --ulimit nproc=1000:1000 "$@"; }

@test "podman of a user runs on it as it does on runc" {
  install -d -o "$USERNAME" "$STATE/podman"
  user_podman import -q - bb <"$CACHE/busybox.tar" >/dev/null 2>&1
  RUNTIME=$(command -v runc) podman_run bb true 2>"$BUNDLE/err" || skip "podman of a user does not run on runc here: $(tail -n 1 "$BUNDLE/err")"
  show='id; cat /proc/self/uid_map; ls /dev | grep -v core; cut -d" " -f2,3 /proc/mounts | sort; grep -E "^(Cap|Seccomp:)" /proc/self/status; exit 7'
  for options in "" "--user 5:6" "--userns keep-id" "--read-only --tmpfs /t" "--security-opt seccomp=unconfined" "--device /dev/full:/dev/myfull" \
    "--sysctl kernel.msgmax=4096" "-v $STATE/home:/v:ro"; do
    # shellcheck disable=SC2086
    theirs=$(RUNTIME=$(command -v runc) podman_run $options bb sh -c "$show" 2>/dev/null; echo "code $?")
    # shellcheck disable=SC2086
    ours=$(podman_run $options bb sh -c "$show" 2>/dev/null; echo "code $?")
    echo "$options"
    diff <(echo "$theirs") <(echo "$ours")
    [[ $ours == *"code 7" ]]
  done
}

@test "podman of a user: exec, and namespaces shared with another container" {
  [ -e "$STATE/podman" ] || skip "podman of a user does not run here"
  options="--network none --ulimit nofile=1000:1000 --ulimit nproc=1000:1000"
  # shellcheck disable=SC2086
  user_podman run -d --name plain $options bb sleep 100
  # shellcheck disable=SC2086
  user_podman run -d --name kept --userns keep-id $options bb sleep 100
  [ "$(user_podman exec plain id -u)" = 0 ]
  [ "$(user_podman exec -u 33 plain id -u)" = 33 ]
  [ "$(user_podman exec kept id -u)" = "$USER_ID" ]
  [ "$(user_podman exec -u 0 kept sh -c 'id -u; cat /proc/1/comm')" = "$(printf '0\nsleep')" ]
  user_podman run --rm --ulimit nofile=1000:1000 --ulimit nproc=1000:1000 --network container:plain --pid container:plain --ipc container:plain bb sh -c 'grep -q sleep /proc/1/cmdline && ls /sys/class/net' | grep -qx lo
  podman_run --userns container:kept --pid container:kept bb sh -c 'grep -q sleep /proc/1/cmdline; cat /proc/self/uid_map' | grep -q "^ *$USER_ID "
  user_podman kill plain kept
  user_podman rm plain kept
}
