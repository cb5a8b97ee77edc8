#!/usr/bin/env bats
# tare-oci --systemd-cgroup without systemd: what its place on a private bus is asked at each step of a container's life
# (84-oci-systemd.bats is the same with the real one).
load helper

setup_file() {
  STATE=$(mktemp -d /tmp/tare-bats.XXXXXX)
  export STATE ROOT=$STATE/state GROUPS_OF=/tare-84bus
  mkdir -p "$STATE/rootfs"
  tar -xf "$CACHE/busybox.tar" -C "$STATE/rootfs"
  FAKE=$(dirname "$(command -v tare-oci)")/tests/unit/runtime/fake_systemd
  export FAKE
}

teardown_file() {
  find /sys/fs/cgroup -depth -type d -path "*$GROUPS_OF" -exec rmdir {} +
  if grep -F "$STATE" /proc/mounts; then return 1; fi
  rm -rf "$STATE"
}

setup() {
  fake=
  [ -x "$FAKE" ] && [ -x /usr/bin/dbus-daemon ] || skip "no bus"
  ID=oci84b-$BATS_TEST_NUMBER
  BUNDLE=$STATE/$ID
  mkdir -p "$BUNDLE/bus"
  (cd "$BUNDLE" && oci spec)
  config '.process.terminal = false | .root.path = "'"$STATE"'/rootfs" | .process.args = ["sleep", "1000"]'
  "$FAKE" "$BUNDLE/bus" "$GROUPS_OF" >"$BUNDLE/ready" 3>&- &
  fake=$!
  until_true grep -q ready "$BUNDLE/ready"
  export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$BUNDLE/bus/bus DBUS_SESSION_BUS_ADDRESS=unix:path=$BUNDLE/bus/bus
}

teardown() {
  [ -z "${ID:-}" ] || tare-oci --root "$ROOT" delete --force "$ID"
  [ -z "$fake" ] || kill -KILL "$fake" 2>/dev/null || true
  wait 2>/dev/null || true
}

oci() { tare-oci --root "$ROOT" --systemd-cgroup "$@"; }
config() { jq "$1" "$BUNDLE/config.json" >"$BUNDLE/new" && mv "$BUNDLE/new" "$BUNDLE/config.json"; }
create() { oci create -b "$BUNDLE" "$ID" </dev/null >"$BUNDLE/out" 2>"$BUNDLE/err" 3>&- || { cat "$BUNDLE/err"; return 1; }; }
is() { [ "$(oci state "$ID" | jq -r .status)" = "$1" ]; }
group() { jq -r '.cgroup_paths | .pids // .[""]' "$ROOT/$ID/state.json"; }
# The calls since the last look: "Member unit" a line; all of their text is in $BUNDLE/told.
calls() { mv "$BUNDLE/bus/calls" "$BUNDLE/told"; awk '$1 != "Get" {print $1 ($2 == "-" ? "" : " " $3)}' "$BUNDLE/told"; }
no_calls() { [ ! -e "$BUNDLE/bus/calls" ]; }
told() { # CALL WORD...
  local word
  for word in "${@:2}"; do grep "^$1 " "$BUNDLE/told" | grep -q -- "$word" || { echo "$1 without $word"; cat "$BUNDLE/told"; return 1; }; done
}

@test "create starts a scope with limits and properties, update changes it, delete stops it" {
  config '.linux.cgroupsPath = "oci84.slice:pre:'"$ID"'" | .annotations = {"org.systemd.property.TimeoutStopUSec": "uint64 5000000"}
    | .linux.resources += {"memory": {"limit": 67108864}, "pids": {"limit": 50}, "cpu": {"quota": 20000, "period": 50000}}'
  create
  unit=pre-$ID.scope
  [ "$(calls | uniq)" = "$(printf 'Subscribe\nStartTransientUnit %s\nGetUnit %s' "$unit" "$unit")" ]
  told StartTransientUnit 'ssa(sv)a(sa(sv))' replace Slice oci84.slice PIDs Delegate TimeoutStopUSec TasksMax 'Memory\(Max\|Limit\)' CPUQuotaPerSecUSec
  [[ $(group) == */"${GROUPS_OF#/}"/$unit ]]
  grep -qx "$(oci state "$ID" | jq .pid)" "$(group)/cgroup.procs"
  [ "$(cat "$(group)/pids.max")" = 50 ]
  oci start "$ID"
  oci exec -d --pid-file "$BUNDLE/pid" "$ID" sleep 500 </dev/null >/dev/null 2>&1 3>&-
  grep -qx "$(cat "$BUNDLE/pid")" "$(group)/cgroup.procs"
  oci ps -f json "$ID" | jq -e 'length == 2'
  oci pause "$ID"
  is paused
  oci resume "$ID"
  rm -f "$BUNDLE/bus/calls"
  tare-oci --root "$ROOT" update --pids-limit 33 "$ID" # the state says who made the group
  [ "$(calls | grep -v GetUnit)" = "SetUnitProperties $unit" ]
  told SetUnitProperties 'sba(sv)' TasksMax
  [ "$(cat "$(group)/pids.max")" = 33 ]
  oci kill "$ID" KILL
  until_true is stopped
  rm -f "$BUNDLE/bus/calls"
  group=$(group)
  oci delete "$ID"
  [ "$(calls | grep -v GetUnit)" = "$(printf 'StopUnit %s\nResetFailedUnit %s' "$unit" "$unit")" ]
  [ ! -e "$group" ]
}

@test "a scope that does not start, or is another's, leaves nothing" {
  config '.linux.cgroupsPath = ":tare:bad"'
  run create
  [ "$status" = 1 ]
  grep -q 'tare-bad.scope ended as failed' "$BUNDLE/err"
  config '.linux.cgroupsPath = ":tare:there"'
  run create
  [ "$status" = 1 ]
  calls | grep -qx 'ResetFailedUnit tare-there.scope'
  [ ! -e "$ROOT/$ID" ]
  [ -z "$(find /sys/fs/cgroup -path "*$GROUPS_OF/tare-*")" ]
  config '.linux.cgroupsPath = "/a/b"'
  run create
  [ "$status" = 1 ]
  grep -q 'slice:prefix:name' "$BUNDLE/err"
  no_calls
}

@test "a command that is missing takes the scope back" {
  config '.process.args = ["nosuch"]'
  run create
  [ "$status" = 1 ]
  calls | grep -qx "StopUnit tare-$ID.scope"
  [ ! -e "$ROOT/$ID" ]
}

@test "without the bus nothing is created, and what runs is not forgotten" {
  create
  oci start "$ID"
  kill -KILL "$fake"
  until_true sh -c '! tare-oci --root "$1" update --pids-limit 5 "$2"' _ "$ROOT" "$ID"
  is running
  run oci create -b "$BUNDLE" "$ID-b" </dev/null
  [ "$status" = 1 ]
  [ ! -e "$ROOT/$ID-b" ]
  "$FAKE" "$BUNDLE/bus" "$GROUPS_OF" >"$BUNDLE/ready2" 3>&- &
  fake=$!
  until_true grep -q ready "$BUNDLE/ready2"
  oci delete --force "$ID"
  [ ! -e "$ROOT/$ID" ]
}
