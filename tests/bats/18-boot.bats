#!/usr/bin/env bats
# what must be up after a reboot, shutdown, restart policies and their back-off, wait for states, ends of detached execs
bats_require_minimum_version 1.5.0
load helper
setup_file() { tare_setup_file; }
teardown_file() { tare_teardown_file; }

state() { tare inspect -f '{{.State.Status}}' "$1"; }
is() { [ "$(state "$1")" = "$2" ]; }

# What a power cut leaves: every process is gone at once, and the run root, bridge and rules with them.
power_cut() {
  local id pids=
  for id in "$TARE_RUN"/containers/*; do
    [ -s "$id/status.json" ] || continue
    pids="$pids $(jq -r '.monitor, .pid' "$id/status.json" | grep -v '^0$' | tr '\n' ' ')"
  done
  # shellcheck disable=SC2086
  [ -z "${pids// /}" ] || kill -9 $pids 2>/dev/null || true
  for pid in $pids; do until_true sh -c "! grep -qs '^State:.[^Z]' /proc/$pid/status"; done
  rm -rf "$TARE_RUN"
  ip link del "$TARE_BRIDGE" 2>/dev/null || true
  for id in "$TARE_ROOT"/overlay/roots/*; do rmdir /sys/fs/cgroup/*/tare/"${id##*/}" /sys/fs/cgroup/tare/"${id##*/}" 2>/dev/null || true; done
}

@test "after a power cut: always, unless-stopped, and what the user said" {
  for policy in no always unless-stopped on-failure; do
    tare run -d --name "up-$policy" --network none --restart "$policy" busybox sleep 1000
    tare run -d --name "down-$policy" --network none --restart "$policy" busybox sleep 1000
  done
  tare stop -t 0 down-no down-always down-unless-stopped down-on-failure
  tare create --name never --network none --restart always busybox sleep 1000
  tare run -d --rm --name gone --network none busybox sleep 1000
  # always stays stopped for as long as the machine is up
  sleep 0.3
  is down-always exited
  power_cut
  run tare system boot
  [ "$status" -eq 0 ]
  [ "$(echo "$output" | sort | tr '\n' ' ')" = "down-always up-always up-unless-stopped " ]
  for name in down-always up-always up-unless-stopped; do is $name running; done
  for name in up-no up-on-failure down-no down-unless-stopped down-on-failure; do is $name exited; done
  [ "$(tare inspect -f '{{.State.ExitCode}} {{.State.Error}}' up-no)" = "255 the machine was restarted" ]
  is never created
  run tare inspect gone
  [ "$status" -eq 1 ]
  # a second time there is nothing to do
  [ -z "$(tare system boot)" ]
  tare rm -f up-no up-always up-unless-stopped up-on-failure down-no down-always down-unless-stopped down-on-failure never
}

@test "networks and ports are made anew, and who joins another comes after it" {
  port=$((PORT_BASE + 1))
  tare run -d --name joining3 --restart always busybox sleep 1000 # made first and renamed, so that age says nothing
  tare run -d --name server --restart always -p "127.0.0.1:$port:80" busybox sh -c 'echo up >/index.html; exec httpd -f -p 80 -h /'
  tare rm -f joining3
  tare run -d --name joining --restart always --network container:server --pid container:server busybox sleep 1000
  tare run -d --name joining2 --restart always --network container:joining busybox sleep 1000
  until_true sh -c "[ \"\$(wget -qO- http://127.0.0.1:$port/ || curl -s http://127.0.0.1:$port/)\" = up ]"
  power_cut
  [ "$(tare system boot | tr '\n' ' ')" = "server joining joining2 " ]
  until_true sh -c "[ \"\$(wget -qO- http://127.0.0.1:$port/ || curl -s http://127.0.0.1:$port/)\" = up ]"
  [ "$(tare exec joining2 ip -4 -o addr show eth0)" = "$(tare exec server ip -4 -o addr show eth0)" ]
  tare system check -n
  # and goes before it
  [ "$(tare system shutdown | tr '\n' ' ')" = "joining2 joining server " ]
  tare rm joining2 joining server
}

@test "one that cannot be started is told of and keeps nobody else from it" {
  mkdir "$STATE/here"
  tare run -d --name broken --network none --restart always --mount "type=bind,src=$STATE/here,dst=/x" busybox sleep 1000
  tare run -d --name sound --network none --restart always busybox sleep 1000
  power_cut
  rmdir "$STATE/here"
  run --separate-stderr tare system boot
  [ "$status" -eq 0 ] && [ "$output" = sound ] && [[ "$stderr" == *"container broken"* ]]
  # it is tried again
  mkdir "$STATE/here"
  [ "$(tare system boot)" = broken ]
  tare rm -f broken sound
}

@test "many start side by side" {
  for i in $(seq 24); do tare run -d --name "boot$i" --network none --restart always busybox sleep 1000 >/dev/null; done
  power_cut
  [ "$(tare system boot | wc -l)" -eq 24 ]
  [ "$(tare ps -q | wc -l)" -eq 24 ]
  tare system shutdown >/dev/null # with their timeouts: busybox's sleep as pid 1 does not heed TERM
  [ "$(tare ps -q | wc -l)" -eq 0 ]
  tare ps -aq | xargs tare rm >/dev/null
}

@test "shutdown: signal and timeout of each, no restart, and up again at boot" {
  tare run -d --name polite --network none --restart unless-stopped --stop-signal USR1 busybox \
    sh -c 'trap "echo heard; exit 3" USR1; while :; do sleep 0.05; done'
  tare run -d --name deaf --network none --restart always --stop-timeout 1 busybox sh -c 'trap "" TERM; while :; do sleep 0.05; done'
  tare run -d --name once --network none busybox sh -c 'trap "exit 0" TERM; while :; do sleep 0.05; done'
  tare run -d --name waiting --network none --restart always busybox sh -c 'exit 9'
  until_true is waiting restarting
  sleep 0.2
  tare system shutdown
  [ -z "$(tare ps -q)" ]
  [ "$(tare inspect -f '{{.State.ExitCode}}' polite)" = 3 ] && [ "$(tare logs polite)" = heard ]
  [ "$(tare inspect -f '{{.State.ExitCode}}' deaf)" = 137 ]
  sleep 0.5
  [ -z "$(tare ps -q)" ]
  [ "$(tare system boot | sort | tr '\n' ' ')" = "deaf polite waiting " ]
  tare rm -f polite deaf once waiting
}

@test "the back-off doubles, and begins anew after ten seconds of running" {
  tare run -d --name off --network none --restart always busybox sh -c 'exit 9'
  until_true sh -c '[ "$(tare inspect -f "{{.RestartCount}}" off)" -ge 4 ]'
  id=$(tare inspect -f '{{.Id}}' off)
  until_true sh -c "[ \"\$(cat $TARE_RUN/containers/$id/backoff)\" -ge 1600 ]"
  tare stop off
  [ "$(tare inspect -f '{{.State.Status}} {{.State.ExitCode}}' off)" = "exited 9" ]
  tare start off # by hand all is as at first
  until_true sh -c '[ "$(tare inspect -f "{{.RestartCount}}" off)" -ge 1 ]'
  [ "$(cat "$TARE_RUN/containers/$id/backoff")" -le 800 ]
  tare rm -f off
  tare run -d --name ten --network none --restart always busybox sh -c 'if [ -e /twice ]; then sleep 10.1; rm /twice; elif [ -e /once ]; then touch /twice; else touch /once; fi; exit 1'
  id=$(tare inspect -f '{{.Id}}' ten)
  until_true sh -c "[ \"\$(cat $TARE_RUN/containers/$id/backoff)\" = 200 ]"
  sleep 9
  until_true sh -c "[ \"\$(cat $TARE_RUN/containers/$id/backoff)\" = 100 ]"
  tare rm -f ten
}

@test "wait for a state, for the next end, for the removal" {
  tare create --name waited --network none --health-interval 100ms --health-cmd 'test -e /ok' busybox sh -c 'sleep 0.3; touch /ok; exec sleep 1000'
  tare wait --condition running waited >"$STATE/running" &
  running=$!
  tare wait --condition healthy waited >"$STATE/healthy" &
  healthy=$!
  tare wait --condition next-exit waited >"$STATE/next" &
  next=$!
  tare wait --condition removed waited >"$STATE/removed" &
  removed=$!
  sleep 0.3
  tare start waited
  wait $running && [ "$(cat "$STATE/running")" = -1 ]
  wait $healthy && [ "$(cat "$STATE/healthy")" = -1 ]
  kill -0 $next
  tare kill waited
  wait $next && [ "$(cat "$STATE/next")" = 137 ]
  [ "$(tare wait waited waited | tr '\n' ' ')" = "137 137 " ]
  run tare wait --condition healthy waited
  [ "$status" -eq 1 ] && [[ "$output" == *"has exited (137) and is not healthy"* ]]
  kill -0 $removed
  tare rm waited
  wait $removed
  run tare wait --condition sometime waited
  [ "$status" -eq 1 ]
}

@test "a detached exec's end is told, with its code; its holder is small and goes with it" {
  since=$(date +%s.%N)
  tare run -d --name held --network none busybox sleep 1000
  tare exec -d held sh -c 'exit 7'
  until_true sh -c "tare events --since $since --until \$(date +%s.%N) --filter event=exec_die --format '{{.Actor.Attributes.exitCode}}' | grep -qx 7"
  tare exec -d held sleep 91
  id=$(tare inspect -f '{{.Id}}' held)
  holder=$(pgrep -f "tare-monitor.*--exec-id.*" | while read -r pid; do grep -qa "$id" "/proc/$pid/cmdline" && echo "$pid"; done)
  [ -n "$holder" ]
  grep -q asan "/proc/$holder/maps" || [ "$(awk '/^Private_Dirty/ { print $2 }' "/proc/$holder/smaps_rollup")" -le 64 ]
  kill "$(pgrep -P "$holder")"
  until_true sh -c "tare events --since $since --until \$(date +%s.%N) --filter event=exec_die --format '{{.Actor.Attributes.exitCode}}' | grep -qx 143"
  tare exec -d held sleep 92
  tare rm -f held
  until_true sh -c "! pgrep -f '[-]-exec-id.*$id|[-]-id=$id'"
}

@test "--init reaps orphans and hands signals on" {
  tare run -d --init --name reaper --network none busybox sh -c 'trap "exit 4" TERM; for i in 1 2 3; do (sh -c "sleep 0.1 &"); done; while :; do sleep 0.05; done'
  sleep 0.5
  [ "$(tare exec reaper sh -c 'grep -l "^State:.Z" /proc/[0-9]*/status 2>/dev/null | wc -l')" -eq 0 ]
  tare stop reaper
  [ "$(tare inspect -f '{{.State.ExitCode}}' reaper)" = 4 ]
  tare rm reaper
}

@test "out of memory: state and event" {
  since=$(date +%s.%N)
  run tare run --name hungry --network none -m 16m --memory-swap 16m busybox sh -c 'x=$(head -c 300000000 /dev/zero | tr "\0" x)'
  [ "$status" -eq 137 ]
  [ "$(tare inspect -f '{{.State.OOMKilled}}' hungry)" = true ]
  [ "$(tare events --since "$since" --until "$(date +%s.%N)" --filter container=hungry --filter event=oom | wc -l)" -eq 1 ]
  tare rm hungry
}

@test "out of memory of a process while the container runs on" {
  since=$(date +%s.%N)
  tare run -d --name parent --network none -m 16m --memory-swap 16m busybox \
    sh -c 'sleep 0.3; sh -c "x=\$(head -c 300000000 /dev/zero | tr \"\\0\" x)"; echo survived; exec sleep 1000'
  until_true sh -c '[ "$(tare logs parent)" = survived ]'
  until_true sh -c '[ "$(tare inspect -f "{{.State.OOMKilled}} {{.State.Status}}" parent)" = "true running" ]'
  ooms() { tare events --since "$since" --until "$(date +%s.%N)" --filter container=parent --filter event=oom | wc -l; }
  until_true sh -c "tare events --since $since --until \$(date +%s.%N) --filter container=parent --filter event=oom | grep -q oom"
  sleep 0.3
  before=$(ooms)
  tare stop -t 0 parent
  [ "$(ooms)" -eq "$before" ] # its end has nothing new to tell
  [ "$(tare inspect -f '{{.State.OOMKilled}}' parent)" = true ]
  tare rm parent
  tare run -d --name parent --network none -m 16m busybox sh -c 'head -c 8000000 /dev/zero >/dev/null; exec sleep 1000'
  sleep 0.3
  [ "$(tare inspect -f '{{.State.OOMKilled}}' parent)" = false ]
  tare rm -f parent
}
