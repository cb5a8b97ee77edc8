#!/usr/bin/env bats
# Logs: drivers and their options, reading back, what outlives a container, and what the whole of it costs.
load helper
setup_file() { tare_setup_file; }
teardown_file() { tare_teardown_file; }

none() { tare run --network none "$@"; }
refused() {
  local words=$1
  shift
  run -125 --separate-stderr none --name never "$@" busybox true
  [[ "$stderr" == *"$words"* ]] || { echo "$stderr"; return 1; }
  ! tare inspect never >/dev/null 2>&1
}
folder() { echo "$TARE_ROOT/containers/$(tare inspect -f '{{.Id}}' "$1")"; }
# What a log of the numbers 1 to N has: all of them up to N, without a gap.
numbers_to() { awk -v last="$1" 'NR > 1 && $1 != before + 1 { exit 1 } { before = $1 } END { exit before != last }'; }

bats_require_minimum_version 1.5.0

@test "the default is local, bounded; docker's words for what does not exist" {
  none --name plain busybox echo hello
  [ "$(tare logs plain)" = hello ]
  [ "$(tare inspect -f '{{.HostConfig.LogConfig.Type}}{{.LogPath}}' plain)" = local ]
  [ "$(tare info -f '{{.LoggingDriver}}')" = local ]
  [ -s "$(folder plain)/local-logs/container.log" ]
  refused "logger: no log driver named 'fluentd' is registered" --log-driver fluentd
  refused "unknown log opt 'foo' for local log driver" --log-opt foo=1
  refused "unknown log opt 'compress' for syslog log driver" --log-driver syslog --log-opt compress=true
  refused "logging mode not supported: slow" --log-opt mode=slow
  refused "only supported with 'mode=non-blocking'" --log-opt max-buffer-size=1m
  refused "compress cannot be true when max-file is less than 2" --log-driver json-file --log-opt compress=true
  refused "max-file cannot be less than 1" --log-opt max-file=0
  refused "invalid syslog facility" --log-driver syslog --log-opt syslog-facility=loud
  refused "should be in form proto://address" --log-driver syslog --log-opt syslog-address=loghost
  refused "syslog over TLS is not supported" --log-driver syslog --log-opt syslog-address=tcp+tls://127.0.0.1:6514
  refused "template" --log-opt 'tag={{.Nope'
}

@test "every readable driver: streams, order, lines without an end, bytes" {
  for driver in local json-file k8s-file; do
    none --name "r-$driver" --log-driver "$driver" busybox sh -c 'echo one; sleep 0.05; echo two >&2; sleep 0.05; printf thr; sleep 0.05; echo ee; printf end' 2>/dev/null
    [ "$(tare logs "r-$driver" 2>&1 | od -c)" = "$(printf 'one\ntwo\nthree\nend' | od -c)" ]
    [ "$(tare logs "r-$driver" 2>/dev/null)" = $'one\nthree\nend' ]
    [ "$(tare logs --tail 2 "r-$driver")" = $'three\nend' ]
    [ "$(tare logs -t "r-$driver" 2>&1 | grep -c '^20..-..-..T..:..:..\.[0-9]*Z ')" = 4 ]
    tare rm "r-$driver"
  done
  none --name bytes busybox sh -c 'head -c 300000 /bin/busybox' >"$STATE/bytes"
  tare logs bytes | cmp - "$STATE/bytes"
  none --name long busybox sh -c 'head -c 50000 /dev/zero | tr "\0" x; echo' >"$STATE/long"
  tare logs long | cmp - "$STATE/long"
}

@test "rotated and compressed files are read as one; follow goes through all" {
  for driver in local json-file; do
    none -d --name "rot-$driver" --log-driver "$driver" --log-opt max-size=200k --log-opt max-file=30 --log-opt compress=true busybox \
      sh -c 'i=0; while [ $i -lt 60 ]; do seq $((i * 1000 + 1)) $((i * 1000 + 1000)); i=$((i + 1)); sleep 0.01; done'
    tare logs -f "rot-$driver" | numbers_to 60000
    until_true sh -c "ls '$(folder "rot-$driver")'/* '$(folder "rot-$driver")' | grep -qE 'log\.2\.(zst|gz)'"
    tare logs "rot-$driver" | numbers_to 60000
    [ "$(tare logs "rot-$driver" | wc -l)" = 60000 ]
    for lines in 1 1000 25000 59999; do [ "$(tare logs --tail "$lines" "rot-$driver" | head -1)" = $((60001 - lines)) ]; done
    [ -z "$(tare logs --tail 0 "rot-$driver")" ]
    tare rm "rot-$driver"
  done
  none --name bounded --log-opt max-size=100k --log-opt max-file=3 busybox seq 100000 >"$STATE/out"
  tare logs bounded | numbers_to 100000
  [ "$(tare logs bounded | wc -l)" -lt 90000 ]
  [ "$(ls "$(folder bounded)/local-logs" | wc -l)" -le 3 ]
}

@test "--since and --tail read a few blocks of a large log" {
  for driver in local json-file; do
    none --name "large-$driver" --log-driver "$driver" --log-opt max-size=1g --log-opt max-file=1 busybox \
      sh -c 'yes "a line as a program may write it" | head -c 30000000; echo; sleep 1.5; echo last' >"$STATE/out"
    since=$(tare logs -t --tail 1 "large-$driver" | cut -d' ' -f1)
    for words in "--since $since" "--tail 3"; do
      # shellcheck disable=SC2086
      strace -f -qq -e trace=read,pread64 -o "$STATE/trace" tare logs $words "large-$driver" >"$STATE/out"
      [ "$(tail -1 "$STATE/out")" = last ]
      bytes=$(awk -F' = ' '{ n += $NF } END { print n }' "$STATE/trace")
      [ "$bytes" -lt 4000000 ] || { echo "$driver $words: $bytes bytes read"; return 1; }
    done
    tare rm "large-$driver"
  done
}

@test "labels, env and tag go into every record and are shown by --details" {
  for driver in local json-file; do
    none --name "att-$driver" --log-driver "$driver" --label 'who=me & you' --label other=1 --env COLOR=red --env SHAPE=round --log-opt labels=who \
      --log-opt env-regex='^CO' --log-opt 'tag={{.Name}}/{{.ImageName}}' busybox echo text
    [ "$(tare logs --details "att-$driver")" = "COLOR=red,tag=att-$driver%2Fbusybox,who=me+%26+you text" ]
    [ "$(tare logs "att-$driver")" = text ]
  done
  grep -q '"attrs":{"COLOR":"red","tag":"att-json-file/busybox","who":"me ' "$(folder att-json-file)"/*-json.log
  [ "$(tare logs --details plain)" = " hello" ]
}

@test "k8s-file: the CRI's format, and a new file when it was moved away" {
  none -d -i --name cri --log-driver k8s-file busybox cat
  log=$(folder cri)/ctr.log
  echo one | tare attach --no-stdin cri >/dev/null 2>&1 & attached=$!
  none --name short --log-driver k8s-file busybox sh -c 'echo whole; printf part'
  grep -qE '^20[0-9T:.-]+Z stdout F whole$' "$(folder short)/ctr.log"
  grep -qE '^20[0-9T:.-]+Z stdout P part$' "$(folder short)/ctr.log"
  [ "$(tare inspect -f '{{.LogPath}}' cri)" = "$log" ]
  tare rm -f cri
  wait $attached || true
}

@test "non-blocking: nothing is lost where there is room" {
  none --name easy --log-opt mode=non-blocking --log-opt max-buffer-size=64m busybox seq 100000 >"$STATE/out"
  tare logs easy | numbers_to 100000
  [ "$(tare logs easy | wc -l)" = 100000 ]
}

@test "a full disk loses records and harms nothing else" {
  mkdir -p "$TARE_ROOT/containers"
  run unshare -m bash -c "mount -t tmpfs -o size=4m tmpfs '$TARE_ROOT/containers'
    tare run --name full --network none --log-opt max-size=1g busybox sh -c 'yes | head -c 40000000; exit 7' >/dev/null
    echo code \$?; tare logs full | sort -u; tare events --since 10m --until \$(date +%s.%N) --filter event=die | grep -o 'logRecordsLost=[0-9]*'; tare rm full"
  echo "$output"
  [[ "$output" == *"code 7"* ]] && [[ "$output" == *$'\ny\n'* ]] && [[ "$output" == *logRecordsLost=* ]]
}

@test "keep=true: the log of a removed container is found, until it is pruned" {
  none --rm --name gone --log-opt keep=true busybox echo kept
  ! tare inspect gone 2>/dev/null
  [ "$(tare logs gone)" = kept ]
  id=$(ls "$TARE_ROOT/logs" | sed 's/^gone-//')
  [ "$(tare logs "$id")" = kept ] && [ "$(tare logs "${id:0:12}")" = kept ]
  none --rm --name gone --log-opt keep=true busybox echo again
  [ "$(tare logs gone)" = again ]
  tare system check
  tare container prune -f >/dev/null
  run -1 tare logs gone
  [[ "$output" == *"No such container: gone"* ]]
}

@test "syslog: datagrams on a local socket, in docker's layout" {
  python3 - "$STATE/syslog" >"$STATE/received" <<'PY' 3>&- &
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
for i in range(2):
    print(s.recv(65536).decode().rstrip("\n"), flush=True)
PY
  server=$!
  until_true test -S "$STATE/syslog"
  none --name sys --log-driver syslog --log-opt "syslog-address=unixgram://$STATE/syslog" --log-opt syslog-facility=local3 --log-opt syslog-format=rfc5424 \
    --log-opt 'tag=box/{{.Name}}' busybox sh -c 'echo hello; sleep 0.05; echo bad >&2' 2>/dev/null
  wait $server
  # local3 is 19: 19 * 8 + 6 and + 3
  grep -qE '^<158>1 20[0-9T:-]+Z [^ ]+ box/sys [0-9]+ box/sys - hello$' "$STATE/received" || { cat "$STATE/received"; return 1; }
  grep -qE '^<155>1 .* bad$' "$STATE/received"
  run -1 tare logs sys
  [[ "$output" == *"does not support reading"* ]]
}

# The journal's own daemon, on folders that only this process sees.
@test "journald: written as fields, read back, followed" {
  [ -x /lib/systemd/systemd-journald ] || skip "systemd-journald"
  cat >"$STATE/journal.sh" <<'SH'
set -e
mount --make-rprivate /
mkdir -p /run/systemd/journal /run/log
mount -t tmpfs tmpfs /run/systemd/journal
mount -t tmpfs tmpfs /run/log
mkdir /run/log/journal
[ ! -d /var/log/journal ] || mount -t tmpfs tmpfs /var/log/journal
/lib/systemd/systemd-journald >/dev/null 2>&1 3>&- &
journal=$!
trap 'kill $journal' EXIT
for i in $(seq 100); do [ -S /run/systemd/journal/socket ] && break; sleep 0.05; done
tare run --name jour --log-driver journald --label k=v --log-opt labels=k --network none busybox \
  sh -c 'echo one; sleep 0.05; echo two >&2; sleep 0.05; printf "a\377b\n"; head -c 40000 /dev/zero | tr "\0" x; echo; echo last' >"$STATE/wrote"
for i in $(seq 100); do [ "$(tare logs --tail 1 jour)" = last ] && break; sleep 0.05; done
tare logs jour 2>/dev/null | cmp - "$STATE/wrote"
[ "$(tare logs jour 2>&1 >/dev/null)" = two ]
[ "$(tare logs --details --tail 1 jour)" = "K=v last" ]
[ "$(journalctl -o cat --output-fields=IMAGE_NAME CONTAINER_NAME=jour | sort -u)" = busybox ]
tare run -d --name jfol --log-driver journald --network none busybox sh -c 'for i in 1 2 3; do echo $i; sleep 0.2; done' >/dev/null
[ "$(tare logs -f jfol)" = $'1\n2\n3' ]
tare rm jour jfol
SH
  unshare -m bash "$STATE/journal.sh"
}

@test "the monitor stays small while it writes much" {
  none -d --name much busybox sh -c 'yes "a line as a program may write it" | head -c 30000000; sleep 1000'
  until_true sh -c '[ "$(tare logs --tail 1 much)" ]'
  pid=$(pgrep -f "tare-monitor.*$(tare inspect -f '{{.Id}}' much)")
  until_true sh -c "[ \"\$(stat -c %s $(folder much)/local-logs/container.log*  | awk '{ n += \$1 } END { print n }')\" -gt 10000000 ]"
  [ "$(awk '/VmHWM/ { print $2 }' "/proc/$pid/status")" -lt 2048 ]
  tare rm -f much
}
