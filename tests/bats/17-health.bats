#!/usr/bin/env bats
# HEALTHCHECK and --health-*: state, log, events, time limits, what is done with the unhealthy, and what kills leave
bats_require_minimum_version 1.5.0
load helper
setup_file() { tare_setup_file; }
teardown_file() { tare_teardown_file; }

health() { tare inspect -f '{{.State.Health.Status}}' "$1"; }
health_is() { [ "$(health "$1")" = "$2" ]; }
streak() { tare inspect -f '{{.State.Health.FailingStreak}}' "$1"; }
quick=(--health-interval 100ms --health-timeout 5s --health-retries 2)

@test "starting, healthy, unhealthy, healthy: inspect, ps, filters, events" {
  since=$(date +%s.%N)
  tare run -d --name well --network none "${quick[@]}" --health-cmd 'echo looked; test -e /good' busybox sh -c 'sleep 0.5; touch /good; exec sleep 100'
  health_is well starting
  [[ "$(tare ps --format '{{.Status}}' --filter name=well)" == "Up "*" (health: starting)" ]] || health_is well unhealthy
  until_true health_is well healthy
  [[ "$(tare ps --format '{{.Status}}' --filter name=well)" == "Up "*" (healthy)" ]]
  [ "$(tare ps -q --filter health=healthy | wc -l)" -eq 1 ]
  [ -z "$(tare ps -q --filter health=unhealthy)" ]
  tare exec well rm /good
  until_true health_is well unhealthy
  [ "$(streak well)" -ge 2 ]
  [ "$(tare ps --format '{{.Names}}' --filter health=unhealthy)" = well ]
  tare exec well touch /good
  until_true health_is well healthy
  [ "$(streak well)" -eq 0 ]
  [ "$(tare inspect well | jq '.[0].State.Health.Log | length')" -le 5 ]
  [ "$(tare inspect well | jq -r '.[0].State.Health.Log[-1] | .Output, .ExitCode' | tr '\n' ' ')" = "looked  0 " ]
  run tare events --since "$since" --until "$(date +%s.%N)" --filter event=health_status --filter container=well --format '{{.Action}}'
  [ "${lines[-1]}" = "health_status: healthy" ] && [ "${lines[-2]}" = "health_status: unhealthy" ]
  # of each check nothing is told but what changed
  [ "$(tare events --since "$since" --until "$(date +%s.%N)" --filter container=well --filter event=exec_start | wc -l)" -eq 2 ]
  tare stop -t 0 well
  health_is well unhealthy
  [ "$(tare inspect well | jq '.[0].State.Health.Log | length')" -ge 1 ]
  tare rm well
}

@test "CMD without a shell, with the container's environment, user and folder; NONE" {
  printf 'FROM busybox\nENV WHO=image\nUSER 7:8\nWORKDIR /tmp\nHEALTHCHECK --interval=100ms CMD ["sh", "-c", "echo $WHO $(id -u) $(pwd)"]\n' >"$STATE/Dockerfile"
  tare build -q -t checked -f "$STATE/Dockerfile" "$STATE" >/dev/null
  tare run -d --name image --network none checked sleep 100
  until_true health_is image healthy
  [ "$(tare inspect image | jq -r '.[0].State.Health.Log[0].Output')" = "image 7 /tmp" ]
  tare run -d --name over --network none -e WHO=user -u 9 -w / checked sleep 100
  until_true health_is over healthy
  [ "$(tare inspect over | jq -r '.[0].State.Health.Log[0].Output')" = "user 9 /" ]
  tare run -d --name none --no-healthcheck --network none checked sleep 100
  [ "$(tare inspect none | jq '.[0].State.Health')" = null ]
  [[ "$(tare ps --format '{{.Status}}' --filter name=none)" != *health* ]]
  [ "$(tare ps --format '{{.Names}}' --filter health=none)" = none ]
  tare rm -f image over none
}

@test "a start period forgives failures, its interval is its own" {
  tare run -d --name slow --network none --health-interval 200ms --health-start-interval 100ms --health-start-period 2s --health-retries 1 \
    --health-cmd 'false' busybox sleep 100
  until_true sh -c '[ "$(tare inspect slow | jq ".[0].State.Health.Log | length")" -ge 3 ]'
  health_is slow starting && [ "$(streak slow)" -eq 0 ]
  until_true health_is slow unhealthy
  tare rm -f slow
  # with a success it is over
  tare run -d --name early --network none --health-interval 100ms --health-start-interval 100ms --health-start-period 1h --health-retries 1 \
    --health-cmd 'test ! -e /bad' busybox sleep 100
  until_true health_is early healthy
  tare exec early touch /bad
  until_true health_is early unhealthy
  tare rm -f early
}

@test "a test that takes too long is ended with all of its group; output is cut" {
  tare run -d --name late --network none --health-interval 100ms --health-timeout 300ms --health-retries 1 \
    --health-cmd 'echo begun; sleep 71 & sleep 72; echo never' busybox sleep 100
  until_true health_is late unhealthy
  [ "$(tare inspect late | jq '.[0].State.Health.Log[0].ExitCode')" = -1 ]
  [ "$(tare inspect late | jq -r '.[0].State.Health.Log[0].Output' | head -1)" = "Health check exceeded timeout (0.3s): begun" ]
  tare pause late # no check begins now
  sleep 0.5
  tare unpause late
  [ "$(tare top late | grep -c 'sleep 7[12]')" -le 2 ]
  tare rm -f late
  tare run -d --name wordy --network none "${quick[@]}" --health-cmd 'yes | head -c 100000; printf "\377"' busybox sleep 100
  until_true health_is wordy healthy
  [ "$(tare inspect wordy | jq -r '.[0].State.Health.Log[0].Output' | wc -c)" -eq 4100 ]
  tare rm -f wordy
}

@test "a test that does not exist, and one that cannot run, are failures with their reason" {
  printf 'FROM busybox\nHEALTHCHECK --interval=100ms --retries=1 CMD ["/no/such"]\n' >"$STATE/Dockerfile"
  tare build -q -t nosuch -f "$STATE/Dockerfile" "$STATE" >/dev/null
  tare run -d --name nosuch --network none nosuch sleep 100
  until_true health_is nosuch unhealthy
  [[ "$(tare inspect nosuch | jq -r '.[0].State.Health.Log[0].Output')" == *"/no/such"* ]]
  tare rm -f nosuch
  tare run -d --name homeless --network none -w /tmp/here "${quick[@]}" --health-cmd true busybox sh -c 'cd /; exec sleep 100'
  until_true health_is homeless healthy
  tare exec -w / homeless rmdir /tmp/here
  until_true health_is homeless unhealthy
  tare inspect homeless | jq -e ".[0].State.Health.Log[-1] | .ExitCode == -1 and (.Output | length) > 10"
  tare rm -f homeless
}

@test "a paused container is not checked" {
  tare run -d --name ice --network none "${quick[@]}" --health-cmd 'echo x >>/looks' busybox sleep 100
  until_true health_is ice healthy
  tare pause ice
  sleep 0.3
  before=$(tare inspect ice | jq -c '.[0].State.Health.Log')
  [[ "$(tare ps --format '{{.Status}}' --filter name=ice)" == "Up "*" (Paused)" ]]
  sleep 0.5
  [ "$(tare inspect ice | jq -c '.[0].State.Health.Log')" = "$before" ]
  tare unpause ice
  until_true sh -c '[ "$(tare inspect ice | jq -c ".[0].State.Health.Log")" != '"'$before'"' ]'
  health_is ice healthy
  tare rm -f ice
}

@test "kill -9 of a check leaves nothing of it, and the next one runs" {
  tare run -d --name shot --network none --health-interval 200ms --health-timeout 60s --health-retries 1 \
    --health-cmd 'if mkdir /first 2>/dev/null; then sleep 81 & sleep 82; fi' busybox sleep 100
  id=$(tare inspect -f '{{.Id}}' shot)
  until_true test -s "$TARE_RUN/containers/$id/probe"
  until_true sh -c 'tare top shot | grep -q "sleep 81"'
  kill -9 "$(pgrep -f "container probe $id")"
  until_true sh -c '! tare top shot | grep -q "sleep 8[12]"'
  until_true health_is shot healthy
  tare rm -f shot
}

@test "kill -9 of the monitor ends the check with the container" {
  tare run -d --name orphan --network none --health-interval 200ms --health-timeout 60s --health-cmd 'sleep 83' busybox sleep 100
  id=$(tare inspect -f '{{.Id}}' orphan)
  until_true test -s "$TARE_RUN/containers/$id/probe"
  kill -9 "$(cut -d' ' -f1 "$TARE_RUN/containers/$id/monitor.pid")"
  [ "$(tare inspect -f '{{.State.Status}} {{.State.ExitCode}}' orphan)" = "exited 137" ]
  until_true sh -c "! pgrep -f '[c]ontainer probe $id'"
  run pgrep -f '^sleep 83'
  [ "$status" -ne 0 ]
  tare rm orphan
}

@test "--health-on-failure: kill, stop, restart" {
  tare run -d --name killed --network none --health-on-failure kill "${quick[@]}" --health-cmd false busybox sleep 100
  until_true sh -c '[ "$(tare inspect -f "{{.State.Status}} {{.State.ExitCode}}" killed)" = "exited 137" ]'
  tare run -d --name stopped --network none --restart always --health-on-failure stop "${quick[@]}" --health-cmd false busybox \
    sh -c 'trap "exit 5" TERM; while :; do sleep 0.05; done'
  until_true sh -c '[ "$(tare inspect -f "{{.State.Status}} {{.State.ExitCode}}" stopped)" = "exited 5" ]'
  tare run -d --name again --network none --health-on-failure restart "${quick[@]}" --health-cmd 'test ! -e /bad' busybox \
    sh -c 'rm -f /bad; trap "exit 6" TERM; while :; do sleep 0.05; done'
  until_true health_is again healthy
  tare exec again touch /bad
  until_true sh -c '[ "$(tare inspect -f "{{.RestartCount}} {{.State.Status}}" again)" = "1 running" ]'
  until_true health_is again healthy
  # an end of its own is none: no policy was given
  tare kill again
  until_true sh -c '[ "$(tare inspect -f "{{.State.Status}}" again)" = exited ]'
  tare rm killed stopped again
}

@test "kill on failure leaves the rest to the policy, with its count" {
  tare run -d --name policy --network none --restart on-failure:2 --health-on-failure kill "${quick[@]}" --health-cmd false busybox sleep 100
  until_true sh -c '[ "$(tare inspect -f "{{.State.Status}} {{.RestartCount}}" policy)" = "exited 2" ]'
  tare rm policy
}

@test "flags that contradict or say nothing are refused" {
  for flags in "--no-healthcheck --health-cmd true" "--no-healthcheck --health-retries 1" "--health-interval 1us" "--health-retries -1" \
    "--health-on-failure perhaps" "--rm --health-on-failure restart"; do
    # shellcheck disable=SC2086
    run tare create $flags --network none busybox true
    [ "$status" -ne 0 ] || { echo "taken: $flags"; false; }
  done
}
