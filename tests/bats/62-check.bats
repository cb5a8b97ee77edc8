#!/usr/bin/env bats
# system check against mismatches made by hand, of the kernel and of processes; those of rows and files alone: tests/unit/engine/test_system.c
load helper
setup_file() { tare_setup_file; }
teardown_file() { tare_teardown_file; }
teardown() { # what a failed test left must not fail the next
  # shellcheck disable=SC2046
  [ -z "$(tare ps -aq)" ] || tare rm -f $(tare ps -aq) >/dev/null
}

# Told twice by a dry run, which changes nothing; repaired; then there is nothing to do: repairs WORDS
repairs() {
  for _ in 1 2; do
    run tare system check --dry-run
    [ "$status" -eq 1 ] && [[ $output == *"$1"* ]] && [ "${lines[-1]}" = "1 to repair" ] || { echo "dry run: $output"; return 1; }
  done
  run tare system check
  [ "$status" -eq 0 ] && [[ $output == *"$1"* ]] && [ "${lines[-1]}" = "1 repaired" ] || { echo "$output"; return 1; }
  run tare system check
  [ "$output" = "Everything is in order" ] || { echo "again: $output"; return 1; }
}

removed_id() { # the id of a container that was here
  local id
  id=$(tare create busybox true)
  tare rm "$id" >/dev/null
  echo "$id"
}

@test "nothing to repair while containers run, stand still, and are paused" {
  tare 3>&- run -d --name well -p "$PORT_BASE:80" -v well:/data busybox sleep 1000
  tare 3>&- run -d --name still busybox sleep 1000
  tare pause still
  tare create --name made busybox true
  [ "$(tare system check -n)" = "Everything is in order" ]
  [ "$(tare system check)" = "Everything is in order" ]
  tare exec well true
  [ "$(tare ps --filter name=still --format '{{.State}}')" = paused ]
  tare rm -fv well still made
  tare volume rm well
  [ "$(tare system check)" = "Everything is in order" ]
}

@test "a control group of a container that was here; another engine's is left alone" {
  id=$(removed_id)
  other=$(printf '%064d' 62)
  for top in /sys/fs/cgroup /sys/fs/cgroup/freezer /sys/fs/cgroup/memory; do
    [ ! -e "$top/cgroup.procs" ] || mkdir -p "$top/tare/$id" "$top/tare/$other"
  done
  repairs "control group of ${id:0:30}: left behind"
  [ -z "$(find /sys/fs/cgroup -mindepth 2 -maxdepth 3 -name "$id")" ]
  [ -n "$(find /sys/fs/cgroup -mindepth 2 -maxdepth 3 -name "$other")" ]
  find /sys/fs/cgroup -mindepth 2 -maxdepth 3 -name "$other" -exec rmdir {} +
}

@test "an interface on a bridge of ours without a lease, and a published port" {
  tare 3>&- run -d --name holder -p "$((PORT_BASE + 1)):80" busybox sleep 1000
  ip link del tvffff62 2>/dev/null || true # of a run cut short
  ip link add tvffff62 type veth peer name tvffff62p
  ip link set tvffff62 master "$TARE_BRIDGE"
  repairs "interface tvffff62: no container has it"
  ! ip link show tvffff62 2>/dev/null
  # its rows are gone, and the element is there
  sqlite3 "$TARE_ROOT/tare.db" "DELETE FROM ports"
  repairs "published port tcp $((PORT_BASE + 1)): no container has it"
  ! nft list table ip tare | grep -w "$((PORT_BASE + 1))"
  tare exec holder true
  tare rm -f holder
}

@test "leases of an address and of a port that nobody has" {
  tare 3>&- run -d --name holder busybox sleep 1000
  network=$(sqlite3 "$TARE_ROOT/tare.db" "SELECT network FROM leases")
  id=$(removed_id)
  sqlite3 "$TARE_ROOT/tare.db" "INSERT INTO ports VALUES (0, 4062, 0, '$id', $network, 80)"
  repairs "port tcp 4062 of ${id:0:30}: it has no address"
  tare rm -f holder
}

@test "a monitor whose container and run directory are gone" {
  tare 3>&- run -d --name orphan busybox sleep 1000
  id=$(tare inspect -f '{{.Id}}' orphan)
  monitor=$(pgrep -f "tare-monitor.*$id")
  init=$(tare inspect -f '{{.State.Pid}}' orphan)
  mv "$TARE_RUN/containers/$id" "$STATE/away"
  sqlite3 "$TARE_ROOT/tare.db" "DELETE FROM containers WHERE id = '$id'; DELETE FROM leases"
  rm -rf "$TARE_ROOT"/*/roots/"$id" "$TARE_ROOT/containers/$id"
  run tare system check -n
  [[ $output == *"monitor $monitor of container ${id:0:12}: it has nothing to care for"* ]] || { echo "$output"; false; }
  tare system check
  ended() { ! grep -q '^State:.[^Z]' "/proc/$1/status" 2>/dev/null; }
  until_true ended "$monitor"
  until_true ended "$init"
  [ "$(tare system check)" = "Everything is in order" ]
  rm -rf "$STATE/away"
}

@test "a run directory and a root, half made or whole, without a row" {
  id=$(removed_id)
  mkdir -p "$TARE_RUN/containers/$id"
  : >"$TARE_RUN/containers/$id/monitor.pid"
  repairs "run directory of ${id:0:12}: left behind"
  mkdir "$TARE_ROOT/$(cat "$TARE_ROOT/driver")/roots/$id"
  repairs "files of ${id:0:30}: no container or build has them"
}

@test "a volume without a row, and what a removal left" {
  mkdir -p "$TARE_ROOT/volumes/lost/_data" "$TARE_ROOT/volumes/.removed-0123456789abcdef/_data"
  echo kept >"$TARE_ROOT/volumes/lost/_data/file"
  run tare system check
  [[ $output == *"volume lost: it is not in the database"*"volume files .removed-0123456789abcdef: their volume was removed"* ]] ||
    [[ $output == *"volume files .removed-0123456789abcdef: their volume was removed"*"volume lost: it is not in the database"* ]] || { echo "$output"; false; }
  [ "$(tare system check)" = "Everything is in order" ]
  [ "$(tare run --rm -v lost:/data busybox cat /data/file)" = kept ]
  [ "$(ls -A "$TARE_ROOT/volumes")" = lost ]
  tare volume rm lost
}

@test "frozen and not said to be; said to be paused and not frozen" {
  tare 3>&- run -d --name cold busybox sleep 1000
  id=$(tare inspect -f '{{.Id}}' cold)
  tare pause cold
  rm "$TARE_RUN/containers/$id/paused"
  repairs "container ${id:0:12} (cold): frozen, and said to run"
  tare exec cold true
  : >"$TARE_RUN/containers/$id/paused"
  repairs "container ${id:0:12} (cold): said to be paused, and runs"
  tare exec cold true
  tare rm -f cold
}

@test "a container whose monitor was killed, and one whose files are missing" {
  tare 3>&- run -d --name left busybox sleep 1000
  id=$(tare inspect -f '{{.Id}}' left)
  kill -9 "$(pgrep -f "tare-monitor.*$id")"
  repairs "container ${id:0:12} (left): it has ended and nobody cleaned up"
  [ "$(tare inspect -f '{{.State.Status}} {{.State.ExitCode}}' left)" = "exited 137" ]
  sqlite3 "$TARE_ROOT/tare.db" "UPDATE containers SET created = 1 WHERE id = '$id'"
  rm -rf "$TARE_ROOT"/*/roots/"$id"
  repairs "container ${id:0:12} (left): its files are missing"
  tare start left
  tare rm -f left
}
