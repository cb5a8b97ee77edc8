#!/usr/bin/env bats
# stats, metering and update on cgroup v2 alone: in a guest that is booted once, where tests/guest/stats-v2.sh does the checks.
load helper

setup_file() {
  STATE=$(mktemp -d /tmp/tare-bats.XXXXXX)
  export STATE
  "$TOP/tests/guest/guest" setup >"$STATE/setup" 2>&1 || return 0
  GUEST_TIMEOUT=${GUEST_TIMEOUT:-400} "$TOP/tests/guest/guest" run "$TOP/tests/guest/stats-v2.sh" "$(dirname "$(command -v tare)")" "$CACHE/busybox.tar" \
    >"$STATE/console" 2>&1 3>&- || true
}
teardown_file() { rm -rf "$STATE"; }

passed_there() {
  [ -e "$STATE/console" ] || skip "no guest can be booted here: $(tail -n 1 "$STATE/setup")"
  grep -qx "ok $1" "$STATE/console" || { tail -n 60 "$STATE/console"; return 1; }
}

@test "the live numbers of a container on cgroup v2" { passed_there live; }
@test "metering over two runs on cgroup v2" { passed_there metered; }
@test "pressure is metered and told" { passed_there pressure; }
@test "limits of a running container change on cgroup v2" { passed_there updated; }
@test "a mount lands in a running container on a stock kernel" { passed_there mounted; }
