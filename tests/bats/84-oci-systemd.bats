#!/usr/bin/env bats
# tare-oci --systemd-cgroup where systemd runs the machine: what its units and the groups say at each step of a container's life.
load helper

setup_file() {
  STATE=$(mktemp -d /tmp/tare-bats.XXXXXX)
  export STATE ROOT=$STATE/state
  mkdir -p "$STATE/rootfs"
  tar -xf "$CACHE/busybox.tar" -C "$STATE/rootfs"
}

teardown_file() {
  [ ! -d /run/systemd/system ] || [ -z "$(systemctl list-units --all --plain --no-legend 'tare-oci84-*' 'pre-oci84-*')" ]
  rm -rf "$STATE"
}

setup() {
  [ -d /run/systemd/system ] || skip "systemd"
  ID=oci84-$BATS_TEST_NUMBER
  BUNDLE=$STATE/$ID
  mkdir -p "$BUNDLE"
  (cd "$BUNDLE" && oci spec)
  config '.process.terminal = false | .root.path = "'"$STATE"'/rootfs" | .process.args = ["sleep", "1000"]'
}

teardown() { [ -z "${ID:-}" ] || tare-oci --root "$ROOT" delete --force "$ID"; }

oci() { tare-oci --root "$ROOT" --systemd-cgroup "$@"; }
config() { jq "$1" "$BUNDLE/config.json" >"$BUNDLE/new" && mv "$BUNDLE/new" "$BUNDLE/config.json"; }
create() { oci create -b "$BUNDLE" "$ID" </dev/null >"$BUNDLE/out" 2>"$BUNDLE/err" 3>&-; }
status() { oci state "$ID" | jq -r .status; }
is() { [ "$(status)" = "$1" ]; }
unit() { systemctl show -p "$2" --value "$1"; }
unit_is() { [ "$(unit "$@")" = "$3" ] || { echo "$2 is $(unit "$@")"; return 1; }; }
group() { jq -r '.cgroup_paths | .pids // .[""]' "$ROOT/$ID/state.json"; }

@test "a scope with the limits and properties asked for, from create to delete" {
  config '.linux.cgroupsPath = "oci84.slice:pre:'"$ID"'" | .annotations = {"org.systemd.property.TimeoutStopUSec": "uint64 5000000"}
    | .linux.resources += {"memory": {"limit": 67108864}, "pids": {"limit": 50}, "cpu": {"quota": 20000, "period": 50000}}'
  create
  scope=pre-$ID.scope
  unit_is "$scope" ActiveState active
  unit_is "$scope" Slice oci84.slice
  unit_is "$scope" TasksMax 50
  unit_is "$scope" CPUQuotaPerSecUSec 400ms
  unit_is "$scope" TimeoutStopUSec 5s
  [ "$(unit "$scope" MemoryMax)" = 67108864 ] || [ "$(unit "$scope" MemoryLimit)" = 67108864 ]
  [[ $(group) == */oci84.slice/$scope ]]
  grep -qx "$(oci state "$ID" | jq .pid)" "$(group)/cgroup.procs"
  oci start "$ID"
  oci exec -d --pid-file "$BUNDLE/pid" "$ID" sleep 500 </dev/null >/dev/null 2>&1 3>&-
  grep -qx "$(cat "$BUNDLE/pid")" "$(group)/cgroup.procs"
  oci ps -f json "$ID" | jq -e 'length == 2'
  oci events --stats "$ID" | jq -e '.data.pids.current == 2'
  oci pause "$ID"
  is paused
  oci resume "$ID"
  is running
  oci kill "$ID" KILL
  until_true is stopped
  group=$(group)
  oci delete "$ID"
  [ ! -e "$group" ]
  unit_is "$scope" LoadState not-found
}

@test "update changes unit and group, and a reload takes nothing back" {
  config '.linux.resources += {"cpu": {"quota": 20000, "period": 50000}}'
  create
  scope=tare-$ID.scope
  unit_is "$scope" Slice system.slice
  tare-oci --root "$ROOT" update --pids-limit 33 --cpu-quota 10000 "$ID" # the state says who made the group
  unit_is "$scope" TasksMax 33
  unit_is "$scope" CPUQuotaPerSecUSec 200ms
  echo '{"pids": {"limit": 44}, "devices": [{"allow": true, "access": "rwm"}]}' | oci update -r - "$ID"
  oci start "$ID"
  systemctl daemon-reload
  [ "$(cat "$(group)/pids.max")" = 44 ]
  run oci exec --cap CAP_MKNOD "$ID" sh -c 'mknod /dev/kmsg2 c 1 11 && cat </dev/kmsg2'
  [ "$status" != 0 ]
}

@test "what fails leaves no unit, and what is no scope is refused" {
  config '.process.args = ["nosuch"]'
  run create
  [ "$status" = 1 ]
  unit_is "tare-$ID.scope" LoadState not-found
  config '.linux.cgroupsPath = "/a/b"'
  run create
  [ "$status" = 1 ]
  grep -q 'slice:prefix:name' "$BUNDLE/err"
  [ ! -e "$ROOT/$ID" ]
}

@test "a scope that was killed from outside is deleted, and its name is free again" {
  create
  oci start "$ID"
  systemctl kill -s KILL "tare-$ID.scope"
  until_true is stopped
  oci delete "$ID"
  unit_is "tare-$ID.scope" LoadState not-found
  create
  systemctl stop "tare-$ID.scope"
  until_true is stopped
  oci delete "$ID"
}
