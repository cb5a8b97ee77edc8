#!/usr/bin/env bats
# stats: what runs uses now, and what containers have used in all their runs.
load helper
setup_file() { tare_setup_file; }
teardown_file() { tare_teardown_file; }
teardown() { tare ps -aq | xargs -r tare rm -f >/dev/null; }

number() { # NAME KEY
  tare stats --metering --format json "$1" | jq ".$2"
}
stopped() { [ "$(tare inspect -f '{{.State.Running}}' "$1")" = false ]; }
more_than() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a > b) }'; }

@test "the columns and placeholders of docker" {
  tare run -d --name st-idle -m 64m busybox sleep 1000
  run tare stats --no-stream
  [[ ${lines[0]} =~ ^"CONTAINER ID   NAME      CPU %     MEM USAGE / LIMIT   MEM %     NET I/O"\ +"BLOCK I/O"\ +PIDS$ ]]
  [[ ${lines[1]} =~ ^[0-9a-f]{12}\ +st-idle\ +[0-9.]+%\ +[0-9.]+KiB\ /\ 64MiB ]]
  run tare stats --no-stream --no-trunc --format '{{.Container}} {{.ID}} {{.Name}} {{.CPUPerc}} {{.MemUsage}} {{.MemPerc}} {{.NetIO}} {{.BlockIO}} {{.PIDs}}' st-idle
  [[ $output =~ ^[0-9a-f]{64}\ [0-9a-f]{64}\ st-idle\ 0\.[0-9]{2}%\ .*\ 1$ ]]
  run tare stats --no-stream --format json st-idle
  [ "$(jq -r '.Name + " " + .PIDs' <<<"$output")" = "st-idle 1" ]
}

@test "busy, full and talking containers show it" {
  tare run -d --name st-busy busybox sh -c 'while :; do :; done'
  tare run -d --name st-full busybox sh -c 'dd if=/dev/zero of=/dev/shm/x bs=1M count=30; sleep 1000'
  until_true tare exec st-full test -s /dev/shm/x
  address=$(tare inspect -f '{{.NetworkSettings.IPAddress}}' st-busy)
  tare exec st-full ping -c 5 -i 0.1 -s 1000 "$address"
  tare stats --no-stream --format '{{.Name}} {{.CPUPerc}} {{.MemUsage}} {{.NetIO}}' >"$STATE/stats"
  cpu=$(sed -n 's/^st-busy \([0-9]*\)\..*/\1/p' "$STATE/stats")
  [ "$cpu" -ge 5 ]
  grep -Eq '^st-full [0-9.]+% 3[0-9.]*MiB / .* (5|6|7)[0-9.]*kB / [567][0-9.]*kB$' "$STATE/stats"
}

@test "containers come, go and stay away from the live table" {
  tare run -d --name st-one busybox sleep 1000
  timeout 20 tare stats --format '{{.Name}}' >"$STATE/live" 3>&- &
  pid=$!
  until_true grep -q st-one "$STATE/live"
  tare run -d --name st-two busybox sleep 1000
  until_true grep -q st-two "$STATE/live"
  tare rm -f st-one
  : >"$STATE/live"
  until_true grep -q st-two "$STATE/live"
  sleep 1.2
  [ "$(tail -n 1 "$STATE/live" | tr -d '\0')" = st-two ]
  kill $pid
}

@test "named containers that stop stay as zeros, and the table ends when they are gone" {
  tare run -d --name st-stops busybox sleep 1000
  timeout 20 tare stats --format '{{.Name}} {{.PIDs}}' st-stops >"$STATE/live" 3>&- &
  pid=$!
  until_true grep -q "st-stops 1" "$STATE/live"
  tare stop -t 0 st-stops
  until_true grep -q "st-stops 0" "$STATE/live"
  [[ $(tare stats --no-stream --all --format '{{.Name}} {{.MemUsage}}') == *"st-stops 0B / 0B"* ]]
  [ -z "$(tare stats --no-stream --format '{{.Name}}')" ]
  tare rm st-stops
  wait $pid
}

@test "a name there is not is refused" {
  run tare stats --no-stream st-nobody
  [ "$status" -eq 1 ]
  [[ $output == *"No such container: st-nobody"* ]]
  tare run -d --name st-any busybox sleep 1000
  run tare stats --no-stream --format '{{.Nonsense}}'
  [ "$status" -ne 0 ]
}

@test "metering adds up over restarts and survives the end of a run" {
  tare run -d --name st-meter busybox sh -c 'dd if=/dev/zero of=/dev/shm/x bs=1M count=20; i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; sleep 1000'
  sleep 1.5
  tare stop -t 0 st-meter
  first=$(tare stats --metering --format json st-meter)
  [ "$(jq .Runs <<<"$first")" = 1 ]
  [ "$(jq -r .State <<<"$first")" = exited ]
  more_than "$(jq .CPUSeconds <<<"$first")" 0.05
  # 20 MiB for most of a second and more
  more_than "$(jq .MemoryByteSeconds <<<"$first")" 10000000
  more_than "$(jq .MemoryPeakBytes <<<"$first")" 20971519
  tare start st-meter
  sleep 0.7
  tare kill st-meter
  until_true stopped st-meter
  second=$(tare stats --metering --format json st-meter)
  [ "$(jq .Runs <<<"$second")" = 2 ]
  more_than "$(jq .CPUSeconds <<<"$second")" "$(jq .CPUSeconds <<<"$first")"
  more_than "$(jq .MemoryByteSeconds <<<"$second")" "$(jq .MemoryByteSeconds <<<"$first")"
  [ "$(jq .MemoryPeakBytes <<<"$second")" -ge "$(jq .MemoryPeakBytes <<<"$first")" ]
  for i in 1 2 3; do tare start st-meter; tare kill st-meter; until_true stopped st-meter; done
  [ "$(number st-meter Runs)" = 5 ]
  more_than "$(number st-meter CPUSeconds)" "$(jq .CPUSeconds <<<"$second")"
}

@test "a restart policy's runs are all counted" {
  tare run -d --name st-again --restart on-failure:2 busybox sh -c 'exit 3'
  until_true sh -c '[ "$(tare stats --metering --format "{{.Runs}}" st-again)" = 3 ]'
}

@test "network bytes of a run count to the last, also when it dies of SIGKILL" {
  tare run -d --name st-peer busybox sleep 1000
  address=$(tare inspect -f '{{.NetworkSettings.IPAddress}}' st-peer)
  tare run --name st-talk busybox ping -c 3 -i 0.1 -s 1400 "$address"
  [ "$(number st-talk NetworkSentBytes)" -ge 4326 ]
  [ "$(number st-talk NetworkReceivedBytes)" -ge 4326 ]
  [ "$(number st-talk NetworkSentBytes)" -lt 6000 ]
  # who shares a network counts none of it
  tare run --name st-guest --network container:st-peer busybox ping -c 1 127.0.0.1
  [ "$(number st-guest NetworkSentBytes)" = 0 ]
}

@test "the event of an end has what the run used, that of --rm too" {
  tare run --rm --name st-once busybox sh -c 'i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done'
  run tare events --since 1m --until 0s --filter event=die --filter container=st-once --format '{{index .Actor.Attributes "cpuSeconds"}} {{index .Actor.Attributes "memoryByteSeconds"}}'
  more_than "${output% *}" 0.01
  more_than "${output#* }" 1000
}

@test "a monitor that was killed takes no more than what came after its last sample" {
  id=$(tare run -d --name st-orphan busybox sh -c 'dd if=/dev/zero of=/dev/shm/x bs=1M count=20; sleep 1000')
  until_true test -s "$TARE_RUN/containers/$id/meter"
  sleep 1.2
  kill -9 "$(cut -d' ' -f1 "$TARE_RUN/containers/$id/monitor.pid")"
  until_true stopped st-orphan
  [ "$(number st-orphan Runs)" = 1 ]
  more_than "$(number st-orphan MemoryByteSeconds)" 5000000
}

metric() { sed -n "s/^$1{[^}]*name=\"$2\"[^}]*} //p"; }

@test "system metrics prints what Prometheus reads" {
  tare run -d --name st-metrics -m 64m busybox sh -c 'while :; do :; done'
  tare create --name st-never busybox true
  sleep 0.5
  tare system metrics >"$STATE/metrics"
  [ "$(grep -c '^# TYPE container_cpu_usage_seconds_total counter$' "$STATE/metrics")" = 1 ]
  more_than "$(metric container_cpu_usage_seconds_total st-metrics <"$STATE/metrics")" 0.01
  [ "$(metric container_spec_memory_limit_bytes st-metrics <"$STATE/metrics")" = 67108864 ]
  [ "$(metric tare_container_runs_total st-never <"$STATE/metrics")" = 0 ]
  [ -z "$(metric container_threads st-never <"$STATE/metrics")" ]
  grep -q "^container_threads{id=\"/tare/$(tare inspect -f '{{.Id}}' st-metrics)\",image=\"busybox\",name=\"st-metrics\"} 1$" "$STATE/metrics"
  grep -q '^tare_containers{state="running"} 1$' "$STATE/metrics"
  # every line is a comment or a sample, every family is told of once, and before its samples
  ! grep -Ev '^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{[a-z]+="([^"\\]|\\.)*"(,[a-z]+="([^"\\]|\\.)*")*\})? [0-9.]+)$' "$STATE/metrics"
  [ -z "$(sed -n 's/^# TYPE \([^ ]*\) .*/\1/p' "$STATE/metrics" | sort | uniq -d)" ]
}

metrics_start() { # ADDRESS
  tare system metrics --listen "$1" >"$STATE/listening" 2>&1 3>&- &
  METRICS_PID=$!
  until_true grep -q listening "$STATE/listening"
}

@test "metrics are served on loopback, from one collection a second" {
  tare run -d --name st-served busybox sleep 1000
  metrics_start 127.0.0.1:0
  address=$(sed 's/.* //' "$STATE/listening")
  curl -sSi "http://$address/metrics" >"$STATE/answer"
  grep -q '^HTTP/1.1 200 OK' "$STATE/answer"
  grep -qi '^content-type: text/plain; version=0.0.4' "$STATE/answer"
  grep -q '^container_threads{.*name="st-served"} 1$' "$STATE/answer"
  # the same text for all that ask within a second: it says how long its collection took
  for i in 1 2 3 4 5 6 7 8; do curl -sS "http://$address/metrics" | grep '^tare_metrics_collect_seconds'; done | sort | uniq -c >"$STATE/counts"
  [ "$(wc -l <"$STATE/counts")" -le 4 ]
  [ "$(curl -sS -o /dev/null -w '%{http_code}' "http://$address/other")" = 404 ]
  [ "$(curl -sS -o /dev/null -w '%{http_code}' -X POST -d x "http://$address/metrics")" = 405 ]
  [ "$(curl -sSI -o /dev/null -w '%{http_code}' "http://$address/metrics")" = 200 ]
  kill "$METRICS_PID"
  wait "$METRICS_PID"
}

@test "metrics on a unix socket: for owner and group, taken over from a killed server, not from one that lives" {
  metrics_start "$STATE/metrics.sock"
  [ "$(stat -c '%a %F' "$STATE/metrics.sock")" = "660 socket" ]
  curl -sS --unix-socket "$STATE/metrics.sock" http://x/metrics | grep -q '^tare_containers{state="running"} 0$'
  run tare system metrics --listen "$STATE/metrics.sock"
  [[ $status -ne 0 && $output == *"another server listens"* ]]
  kill -9 "$METRICS_PID"
  wait "$METRICS_PID" || true
  metrics_start "unix:$STATE/metrics.sock"
  kill "$METRICS_PID"
  wait "$METRICS_PID"
  [ ! -e "$STATE/metrics.sock" ]
  echo precious >"$STATE/file"
  run tare system metrics --listen "$STATE/file"
  [[ $status -ne 0 && $output == *"is not a socket"* && $(cat "$STATE/file") == precious ]]
}

@test "metrics are not served where others can reach them" {
  for address in 0.0.0.0:9000 10.1.2.3:9000 :::9000 nonsense 127.0.0.1 127.0.0.1:99999 example:80; do
    run tare system metrics --listen "$address"
    [ "$status" -ne 0 ] || { echo "served at $address"; return 1; }
  done
}

@test "a server of metrics has the figures of a run written down when it ends" {
  tare run -d --name st-kept busybox sh -c 'dd if=/dev/zero of=/dev/shm/x bs=1M count=20; i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; sleep 1000'
  sleep 1.5
  metrics_start "$STATE/metrics.sock"
  kill "$METRICS_PID"
  wait "$METRICS_PID"
  # as after a crash of the machine: nothing of the run is left but its row
  id=$(tare inspect -f '{{.Id}}' st-kept)
  kill -9 "$(cut -d' ' -f1 "$TARE_RUN/containers/$id/monitor.pid")"
  cp -a "$TARE_ROOT/tare.db" "$STATE/copy.db"
  cp -a "$TARE_ROOT/tare.db-wal" "$STATE/copy.db-wal"
  [ "$(python3 -c 'import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute("SELECT count(*) FROM meters WHERE cpu_ns > 50000000 AND memory_byte_ms > 5000000000").fetchone()[0])' "$STATE/copy.db")" = 1 ]
  # and the end of the run counts it once
  until_true stopped st-kept
  [ "$(number st-kept Runs)" = 1 ]
}
