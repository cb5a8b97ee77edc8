#!/usr/bin/env bats
# events: what happened is told once, in order, in docker's words
bats_require_minimum_version 1.5.0
load helper
setup_file() { tare_setup_file; }
teardown_file() { tare_teardown_file; }

# what was told since $1, one action a line
told() { tare events --since "$1" --until 0s --format '{{.Type}} {{.Action}}' "${@:2}"; }
now() { date +%s.%N; }

@test "a container's life" {
  t=$(now)
  tare run --name one --network none --label tier=front busybox sh -c 'exit 3' || [ $? -eq 3 ]
  tare rm one
  run told "$t"
  [ "${lines[*]}" = "container create container attach container start container die container destroy" ]
  [ "$(tare events --since "$t" --until 0s --filter event=die --format '{{.Actor.Attributes.exitCode}} {{.Actor.Attributes.name}} {{.From}} {{.Actor.Attributes.tier}}')" = "3 one busybox front" ]
}

@test "run --rm on the bridge names its network" {
  t=$(now)
  tare run --rm busybox true
  run told "$t"
  [ "${lines[*]}" = "container create container attach network connect container start container die network disconnect container destroy" ]
}

@test "kill, stop, pause, rename, exec, restart" {
  tare run -d --name two --network none busybox sh -c 'trap "exit 0" TERM; while :; do sleep 0.1; done'
  t=$(now)
  tare pause two; tare unpause two
  tare rename two deux
  tare exec deux sh -c 'exit 4' || [ $? -eq 4 ]
  tare restart deux
  tare stop deux
  run told "$t"
  [ "${lines[*]}" = "container pause container unpause container rename container exec_create: sh -c exit 4 container exec_start: sh -c exit 4 container exec_die container kill container die container stop container start container restart container kill container die container stop" ]
  [ "$(tare events --since "$t" --until 0s -f event=exec_die --format '{{.Actor.Attributes.exitCode}}')" = 4 ]
  [ "$(tare events --since "$t" --until 0s -f event=rename --format '{{.Actor.Attributes.oldName}}')" = two ]
  tare rm -f deux
}

@test "a container that ends by itself, is restarted, is killed with its monitor" {
  t=$(now)
  tare run -d --name three --network none --restart on-failure:2 busybox sh -c 'exit 1'
  until_true sh -c "[ \$(tare events --since $t --until 0s -f event=die | wc -l) = 3 ]"
  run told "$t" -f event=start -f event=die
  [ "${lines[*]}" = "container start container die container start container die container start container die" ]
  tare run -d --name four --network none busybox sleep 100
  t=$(now)
  kill -9 "$(cut -d' ' -f1 "$TARE_RUN/containers/$(tare ps -q --no-trunc --filter name=four)/monitor.pid")"
  until_true sh -c "[ \"\$(tare ps -a --filter name=four --format '{{.State}}')\" = exited ]"
  tare ps -a
  [ "$(told "$t")" = "container die" ]
  tare rm three four
}

@test "images, volumes, networks" {
  t=$(now)
  tare tag busybox other:1
  tare rmi other:1
  tare volume create vol; tare volume rm vol
  tare network create net15; tare network rm net15
  run told "$t"
  [ "${lines[*]}" = "image tag image untag volume create volume destroy network create network destroy" ]
  run tare events --since "$t" --until 0s --filter type=image --filter event=tag --format json
  [ "$(jq -r '.Actor.Attributes.name + " " + .Type + " " + .scope' <<<"$output")" = "other:1 image local" ]
}

@test "what happens is seen as it happens" {
  tare events --format '{{.Action}}' --filter type=volume >"$BATS_TEST_TMPDIR/out" &
  follower=$!
  until_true sh -c "tare volume create live >/dev/null; tare volume rm live >/dev/null; grep -q destroy '$BATS_TEST_TMPDIR/out'"
  kill "$follower"
}

@test "lines, bounds and bad input" {
  t=$(now)
  tare volume create lines
  [[ "$(tare events --since "$t" --until 0s)" =~ ^20[0-9-]+T[0-9:.]+Z\ volume\ create\ lines\ \(driver=local\)$ ]]
  [ -z "$(tare events --since 0 --until "$((${t%.*} - 1000000))")" ]
  tare volume rm lines
  run tare events --filter colour=red --until 0s
  [ "$status" -eq 1 ] && [ "$output" = "tare: invalid filter 'colour'" ]
  run tare events --since yesterday --until 0s
  [ "$status" -eq 1 ] && [[ "$output" == *'invalid value for "since"'* ]]
}
