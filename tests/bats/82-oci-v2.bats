#!/usr/bin/env bats
# tare-oci and tare on cgroup v2 alone and with AppArmor: in a guest that is booted once, where tests/guest/oci-v2.sh does the checks.
load helper

setup_file() {
  STATE=$(mktemp -d /tmp/tare-bats.XXXXXX)
  export STATE
  chmod 755 "$STATE"
  "$TOP/tests/guest/guest" setup >"$STATE/setup" 2>&1 || return 0
  mkdir "$STATE/bundles"
  local caps='.process.capabilities |= map_values(. + ["CAP_MKNOD"])' nodes='mknod /tmp/k c 1 11; echo tare-82 >/tmp/k && echo written || echo refused'
  bundle limits '.linux.cgroupsPath = "/tare82/limits" | .linux.resources += {pids: {limit: 20}, memory: {limit: 67108864}, cpu: {quota: 50000, period: 100000, shares: 512},
    unified: {"memory.high": "50331648"}}' sleep 1000
  bundle oom '.linux.resources.memory = {limit: 16777216, swap: 16777216}' sh -c 'tail /dev/zero'
  bundle denied "$caps" sh -c "$nodes"
  bundle allowed "$caps"' | .linux.resources.devices += [{allow: true, type: "c", major: 1, minor: 11, access: "rwm"}]' sh -c "$nodes"
  bundle nopid '.linux.namespaces |= map(select(.type != "pid"))' sh -c 'sleep 99 & sleep 98 & wait'
  bundle busy '.linux.cgroupsPath = "/"' true
  bundle plain . sleep 1000
  bundle apparmor '.process.apparmorProfile = "tare-82"' sh -c 'cat /proc/self/attr/current; echo x >/tmp/secret && cat /tmp/secret || echo refused'
  bundle delegated '.linux.namespaces += [{type: "user"}] | .linux.namespaces |= map(select(.type != "network"))
    | .linux.uidMappings = [{containerID: 0, hostID: 1000, size: 1}] | .linux.gidMappings = .linux.uidMappings
    | .mounts |= map(if .destination == "/dev/pts" then .options -= ["gid=5"] else . end)
    | .linux.cgroupsPath = "/user82/box" | .linux.resources = {pids: {limit: 20}}' sleep 1000
  cat >"$STATE/bundles/profile" <<'PROFILE'
profile tare-82 flags=(attach_disconnected,mediate_deleted) {
  capability,
  network,
  signal,
  ptrace,
  mount,
  umount,
  unix,
  file,
  deny /tmp/secret rw,
}
PROFILE
  GUEST_TIMEOUT=${GUEST_TIMEOUT:-400} "$TOP/tests/guest/guest" run "$TOP/tests/guest/oci-v2.sh" "$(dirname "$(command -v tare-oci)")" "$STATE/bundles" "$CACHE/busybox.tar" \
    >"$STATE/console" 2>&1 3>&- || true
}

bundle() { # NAME CHANGE ARGS...
  mkdir "$STATE/bundles/$1"
  (cd "$STATE/bundles/$1" && tare-oci spec)
  jq '.process.terminal = false | .root = {path: "/mnt/rootfs"} | .mounts += [{destination: "/tmp", type: "tmpfs", source: "tmpfs"}] | .process.args = $ARGS.positional
    | .linux.namespaces |= (map(select(.type != "cgroup")) + [{type: "cgroup"}]) | '"$2" \
    "$STATE/bundles/$1/config.json" --args -- "${@:3}" >"$STATE/new" && mv "$STATE/new" "$STATE/bundles/$1/config.json"
}

teardown_file() { rm -rf "$STATE"; }

passed_there() {
  [ -e "$STATE/console" ] || skip "no guest can be booted here: $(tail -n 1 "$STATE/setup")"
  grep -qx "ok $1" "$STATE/console" || { tail -n 60 "$STATE/console"; return 1; }
}

@test "limits, statistics, update, pause and exec on cgroup v2" { passed_there limits; }
@test "out of memory on cgroup v2" { passed_there out_of_memory; }
@test "device rules on cgroup v2" { passed_there device_rules; }
@test "the whole group ends, and a group in use is not taken, on cgroup v2" { passed_there groups_end_whole; }
@test "a user with a group delegated to him" { passed_there delegated; }
@test "an AppArmor profile binds the container and exec" { passed_there apparmor; }
@test "tare run --security-opt apparmor= by effect" { passed_there tare_apparmor; }
@test "tare on cgroup v2" { passed_there tare_life; }
@test "out of memory of a process, and health checks, on cgroup v2" { passed_there tare_watch; }
