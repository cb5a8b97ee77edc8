#!/usr/bin/env bats
# Limits of size by project quotas, which need a kernel that has them: in a guest that is booted once, where tests/guest/quota.sh does the checks.
load helper

setup_file() {
  STATE=$(mktemp -d /tmp/tare-bats.XXXXXX)
  export STATE
  chmod 755 "$STATE"
  "$TOP/tests/guest/guest" setup >"$STATE/setup" 2>&1 || return 0
  GUEST_MEM=2048 GUEST_TIMEOUT=${GUEST_TIMEOUT:-400} "$TOP/tests/guest/guest" run "$TOP/tests/guest/quota.sh" "$(dirname "$(command -v tare)")" \
    "$CACHE/busybox.tar" "$CACHE/guest" >"$STATE/console" 2>&1 3>&- || true
}

teardown_file() { rm -rf "$STATE"; }

passed_there() {
  [ -e "$STATE/console" ] || skip "no guest can be booted here: $(tail -n 1 "$STATE/setup")"
  for kind in ext4 xfs; do
    grep -qx "ok $1_$kind" "$STATE/console" || { tail -n 60 "$STATE/console"; return 1; }
  done
}

@test "a container writes no more than --storage-opt size= says" { passed_there container_size; }
@test "a container makes no more files than --storage-opt inodes= says" { passed_there container_inodes; }
@test "a volume holds no more than volume create --opt size= says, whoever writes" { passed_there volume_size; }
@test "the owner of a file cannot take it out of what is counted" { passed_there escape; }
@test "projects go with their containers and volumes" { passed_there projects_freed; }
@test "where no projects are counted it is refused, and nothing is left" {
  [ -e "$STATE/console" ] || skip "no guest can be booted here: $(tail -n 1 "$STATE/setup")"
  grep -qx "ok refused" "$STATE/console"
}
