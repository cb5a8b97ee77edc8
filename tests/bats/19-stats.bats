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
