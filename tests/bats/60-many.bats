#!/usr/bin/env bats
# many at once, and kill -9 of anything at any moment: nothing fails, nothing is left
load helper
setup_file() { tare_setup_file; }
teardown_file() { tare_teardown_file; }

# Everything a container may leave in the kernel, the database and on disk, of this engine only
nothing_left() {
  local bad=0 out
  left_behind || bad=1
  out=$(ip -o link show master "$TARE_BRIDGE" 2>/dev/null) && [ -z "$out" ] || { [ -z "$out" ] || { echo "veth: $out"; bad=1; }; }
  for id in $(cat "$STATE/ids" 2>/dev/null); do
    out=$(find /sys/fs/cgroup -maxdepth 4 -type d -name "*$id*" 2>/dev/null)
    [ -z "$out" ] || { echo "cgroup: $out"; bad=1; }
  done
  for table in leases ports; do
    out=$(sqlite3 "$TARE_ROOT/tare.db" "SELECT count(*) FROM $table")
    [ "$out" = 0 ] || { echo "$table: $out rows"; sqlite3 "$TARE_ROOT/tare.db" "SELECT * FROM $table LIMIT 5"; bad=1; }
  done
  [ "$(sqlite3 "$TARE_ROOT/tare.db" 'SELECT count(*) FROM containers')" = 0 ] || { echo "containers are in the database"; bad=1; }
  out=$(ls -A "$TARE_ROOT/containers" 2>/dev/null || true)
  [ -z "$out" ] || { echo "files: $out"; bad=1; }
  return $bad
}

@test "200 containers, 16 at a time: all run, then nothing is left" {
  seq 200 | xargs -P 16 -I{} sh -c 'tare run -d --name many{} busybox sleep 1000 >>"$STATE/many.out" 2>>"$STATE/many.err" || echo {} >>"$STATE/many.failed"' 3>&-
  [ ! -e "$STATE/many.failed" ] || { cat "$STATE/many.err"; false; }
  [ ! -s "$STATE/many.err" ] || { cat "$STATE/many.err"; false; }
  [ "$(tare ps -q | wc -l)" -eq 200 ]
  [ "$(tare ps --format '{{.Status}}' | grep -c ^Up)" -eq 200 ]
  # every one has an address of its own
  [ "$(tare inspect -f '{{.NetworkSettings.IPAddress}}' $(tare ps -q) | sort -u | wc -l)" -eq 200 ]
  tare ps -q --no-trunc >"$STATE/ids"
  tare exec many77 true
  # shellcheck disable=SC2046
  tare rm -f $(tare ps -q) >"$STATE/removed"
  [ "$(wc -l <"$STATE/removed")" -eq 200 ]
  until_true nothing_left || nothing_left
}

@test "200 run --rm, 16 at a time" {
  seq 200 | xargs -P 16 -I{} sh -c 'test "$(tare run --rm busybox echo {} 2>>"$STATE/rm.err")" = {} || echo {} >>"$STATE/rm.failed"' 3>&-
  [ ! -e "$STATE/rm.failed" ] || { cat "$STATE/rm.failed" "$STATE/rm.err"; false; }
  until_true nothing_left || nothing_left
}

@test "the same containers started, stopped and removed by several at once" {
  for i in 1 2 3 4; do tare create --name shared$i busybox sleep 1000; done
  for _ in 1 2 3 4; do
    for i in 1 2 3 4; do printf 'start shared%s\nstop -t 0 shared%s\nrestart -t 0 shared%s\nkill shared%s\n' $i $i $i $i; done
  done | xargs -P 8 -L 1 tare >/dev/null 2>"$STATE/shared.err" 3>&- || true
  run grep -iE "locked|corrupt|assert|signal 11|sanitizer" "$STATE/shared.err"
  [ "$status" -eq 1 ] || { echo "$output"; false; }
  tare rm -f shared1 shared2 shared3 shared4
  until_true nothing_left || nothing_left
}

# Starts a command, kills its whole group or a random process of this engine after up to MS milliseconds
strike() {
  local ms=$1 pid victim
  shift
  setsid "$@" >/dev/null 2>&1 3>&- &
  pid=$!
  sleep "$(printf '0.%03d' $((RANDOM % ms)))"
  case $((RANDOM % 3)) in
    0) victim=$pid ;;
    1) victim=$(pgrep -f "run-dir=$TARE_RUN" | shuf -n 1) ;;
    2) victim=$(pgrep -s "$pid" | shuf -n 1) ;;
  esac
  [ -z "$victim" ] || kill -9 "$victim" 2>/dev/null || true
  [ "$victim" = "$pid" ] || timeout 20 tail --pid="$pid" -f /dev/null || { echo "hangs: $*"; ps -ef | grep "$STATE"; return 1; }
}

@test "kill -9 at any moment in 60 rounds: the next commands clear it away" {
  registry_start "$PORT_BASE"
  mkdir -p "$STATE/ctx" && head -c 3000000 /dev/urandom >"$STATE/ctx/file"
  printf 'FROM busybox\nCOPY file /file\nRUN sha256sum /file > /sum\nRUN ls -lR / > /list; true\n' >"$STATE/ctx/Dockerfile"
  far=127.0.0.1:$PORT_BASE/kill/far
  printf 'FROM busybox\nCOPY file /far\n' | tare build -q -f - -t "$far" "$STATE/ctx" && tare push -q "$far" && tare rmi "$far" && tare builder prune -af
  for round in $(seq 60); do
    case $((round % 6)) in
      0) strike 40 tare run --name "k$round" busybox sh -c 'echo x > /x; sleep 0.05' ;;
      1) strike 15 tare run -d --name "k$round" -p "$((PORT_BASE + 1)):80" busybox sleep 1000 ;;
      2) strike 30 tare run --rm busybox sh -c 'sleep 0.02' ;;
      3) strike 300 tare build --no-cache -t killed "$STATE/ctx" ;;
      4) tare rmi "$far" >/dev/null 2>&1 || true; strike 40 tare pull -q "$far" ;;
      5) tare run -d --name "k$round" busybox sleep 1000 >/dev/null; strike 15 tare rm -f "k$round" ;;
    esac
    ids=$(tare ps -aq --no-trunc)
    echo "$ids" >>"$STATE/ids"
    # shellcheck disable=SC2086
    [ -z "$ids" ] || tare rm -f $ids >/dev/null || { echo "round $round"; false; }
    [ "$(tare run --rm busybox echo well)" = well ] || { echo "round $round"; false; }
  done
  kill "$REGISTRY_PID" || { wait "$REGISTRY_PID"; echo "the registry ended: $?"; tail -n 5 "$STATE/registry-$PORT_BASE.log"; false; }
  run tare system check
  echo "$output"
  until_true nothing_left || nothing_left
  tare build -q -t killed "$STATE/ctx"
  [ "$(tare run --rm killed cat /sum)" = "$(sha256sum <"$STATE/ctx/file" | sed 's/-$/\/file/')" ]
  tare image prune -af >/dev/null
  tare builder prune -af >/dev/null 2>&1 || tare builder prune -f >/dev/null
  run tare system check
  [ "$status" -eq 0 ]
  # no layer, blob or temporary file of what was killed
  run find "$TARE_ROOT" -mindepth 2 \( -name '*.tmp*' -o -path '*/staging/*' -o -path '*/ingest/*' -o -path '*/blobs/sha256/*' -o -path '*/layers/*/*' -o -path '*/roots/*' \)
  [ -z "$output" ] || { echo "$output" | head -n 30; false; }
}
