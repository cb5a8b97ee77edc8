#!/usr/bin/env bats
# --runtime: containers that another OCI runtime makes, each test with runc, crun and our own tare-oci
bats_require_minimum_version 1.5.0
load helper

teardown() { tare ps -aq | xargs -r "$(command -v tare)" rm -f >/dev/null; }
setup_file() {
  tare_setup_file
  chmod 711 "$STATE" # another runtime walks to the root as the root of the user namespace
  # crun refuses the hybrid groups of some hosts: it is shown those of v1 alone there, by a program that is a path and not a name
  CRUN=$STATE/crun
  cat >"$CRUN" <<'SH'
#!/bin/sh
[ -d /sys/fs/cgroup/unified ] || exec crun "$@"
exec unshare -m sh -c 'umount /sys/fs/cgroup/unified; exec crun "$@"' crun "$@"
SH
  chmod +x "$CRUN"
  export CRUN
}
teardown_file() {
  tare_teardown_file
  [ -z "$(find /sys/fs/cgroup -maxdepth 3 -type d -path '*/tare/????????????????????????????????????????????????????????????????' -newer "$CRUN")" ]
}

# Runs the words once for each runtime, which is $RUNTIME.
each() { # FUNCTION
  for RUNTIME in runc "$CRUN" tare-oci; do
    echo "--- $RUNTIME"
    "$1" || return 1
  done
}
box() { tare run -d --name box --network none --runtime "$RUNTIME" "$@" >/dev/null; }

words() {
  [ "$(tare run --rm --network none --runtime "$RUNTIME" -e WHO=me -w /tmp -u 5:6 busybox sh -c 'echo $WHO; pwd; id -u; id -g; cat' </dev/null | tr '\n' ' ')" = "me /tmp 5 6 " ] || return 1
  [ "$(echo through | tare run --rm -i --network none --runtime "$RUNTIME" busybox cat)" = through ] || return 1
  [ "$(tare run --rm --network none --runtime "$RUNTIME" busybox sh -c 'echo out; echo bad >&2' 2>/dev/null)" = out ] || return 1
  [ "$(tare run --rm --network none --runtime "$RUNTIME" --init busybox sh -c 'cat /proc/1/comm; echo $$' | head -1)" = docker-init ]
}
@test "environment, user, folder, standard input and output, --init" { each words; }

codes() {
  run tare run --rm --network none --runtime "$RUNTIME" busybox sh -c 'exit 7'
  [ "$status" -eq 7 ] || return 1
  run -127 tare run --rm --network none --runtime "$RUNTIME" busybox no-such
  [ "$status" -eq 127 ] && [[ "$output" == *"OCI runtime "*" failed: "*no-such*"not found in \$PATH"* ]] || return 1
  run tare run --name denied --network none --runtime "$RUNTIME" busybox /etc
  [ "$status" -eq 126 ] && [[ "$output" == *"OCI runtime "*" failed: "* ]] || return 1
  [ "$(tare inspect -f '{{.State.Status}} {{.State.ExitCode}}' denied)" = "created 126" ] || return 1
  tare rm denied
}
@test "exit codes, and what the runtime says of a command that cannot be run" { each codes; }

terminal() {
  run script -qec "tare run --rm -it --network none --runtime $RUNTIME busybox sh -c 'tty; stty size; exit 3'" /dev/null </dev/null
  [[ "$output" == */dev/pts/0* ]] && [ "$status" -eq 3 ] || return 1
  box busybox sleep 100
  [[ "$(tare exec -t box sh -c 'tty; test -t 0 && echo in; test -t 2 && echo err' | tr -d '\r' | tr '\n' ' ')" == "/dev/pts/"*" in err " ]] || return 1
  tare rm -f box
}
@test "terminals of run and exec" { each terminal; }

executes() {
  box -e WHO=box busybox sleep 100
  [ "$(tare exec -e X=y -w /tmp -u 5 box sh -c 'echo $WHO $X; pwd; id -u' | tr '\n' ' ')" = "box y /tmp 5 " ] || return 1
  [ "$(echo through | tare exec -i box cat)" = through ] || return 1
  run tare exec box sh -c 'exit 9'
  [ "$status" -eq 9 ] || return 1
  run -127 tare exec box no-such
  [ "$status" -eq 127 ] && [[ "$output" == *"OCI runtime exec failed: "* ]] || return 1
  tare exec -d box sh -c 'echo left >/left'
  until_true tare exec box test -s /left || return 1
  [[ "$(tare top box)" == *"sleep 100"* ]] || return 1
  [ "$(tare inspect -f '{{.HostConfig.Runtime}}' box)" = "$RUNTIME" ] || return 1
  tare rm -f box
}
@test "exec, top, inspect" { each executes; }

life() {
  tare create --name box --network none --runtime "$RUNTIME" busybox sh -c 'trap "echo told; exit 4" TERM; echo begun; while :; do sleep 0.1; done' >/dev/null
  tare start box
  until_true sh -c 'tare logs box | grep -q begun' || return 1
  tare pause box
  [[ "$(tare ps --format '{{.Status}}')" == *"(Paused)" ]] || return 1
  tare unpause box
  tare stop box
  [[ "$(tare ps -a --format '{{.Status}}')" == "Exited (4)"* ]] || return 1
  tare restart box
  until_true sh -c '[ "$(tare logs box | grep -c begun)" = 2 ]' || return 1
  tare kill -s TERM box
  [ "$(tare wait box)" = 4 ] || return 1
  [ "$(tare logs box | grep -c told)" = 2 ] || return 1
  tare start box
  tare pause box
  tare kill box
  [ "$(tare wait box)" = 137 ] || return 1
  tare rm box
}
@test "create, start, pause, stop, restart, kill, wait, logs" { each life; }

again() {
  box --restart on-failure:2 busybox sh -c 'echo once; exit 3'
  until_true sh -c '[ "$(tare inspect -f "{{.RestartCount}} {{.State.Status}}" box)" = "2 exited" ]' || return 1
  [ "$(tare logs box)" = "once
once
once" ] || { tare logs box; return 1; }
  tare rm box
}
@test "restart policies" { each again; }

network() {
  tare run -d --name box --runtime "$RUNTIME" -p "127.0.0.1:$PORT_BASE:80" -v data:/data -v "$STATE:/host:ro" -h named --add-host other:10.1.2.3 busybox \
    sh -c 'hostname >/data/index.html; grep other /etc/hosts >>/data/index.html; ls /host/crun >>/data/index.html; touch /host/x 2>/dev/null || echo refused >>/data/index.html; exec httpd -f -p 80 -h /data' >/dev/null
  until_true nc -z 127.0.0.1 "$PORT_BASE" || return 1
  [ "$(curl -s "http://127.0.0.1:$PORT_BASE/" | tr '\n\t' '  ')" = "named 10.1.2.3 other /host/crun refused " ] || return 1
  [ "$(tare run --rm --network container:box busybox hostname)" = named ] || return 1
  tare rm -f box
  until_true port_free "$PORT_BASE" || return 1
  tare volume rm data
}
@test "network, published ports, names, volumes" { each network; }

limits() {
  box -m 32m --pids-limit 20 --read-only --tmpfs /t:size=1m busybox sleep 100
  local id
  id=$(tare ps -q --no-trunc)
  grep -qx 33554432 /sys/fs/cgroup/memory/tare/"$id"/memory.limit_in_bytes /sys/fs/cgroup/tare/"$id"/memory.max 2>/dev/null || return 1
  run tare exec box touch /x
  [ "$status" -ne 0 ] || return 1
  run tare exec box dd if=/dev/zero of=/t/x bs=1M count=3
  [ "$status" -ne 0 ] || return 1
  tare rm -f box
  run tare run --name box --network none --runtime "$RUNTIME" -m 16m --memory-swap 16m busybox tail /dev/zero
  [ "$status" -eq 137 ] || return 1
  [ "$(tare inspect -f '{{.State.OOMKilled}}' box)" = true ] || return 1
  tare rm box
  [ "$(tare run --rm --network none --runtime "$RUNTIME" --cap-drop ALL busybox grep CapEff /proc/self/status | tr -d '\t')" = CapEff:0000000000000000 ]
}
@test "limits of memory and processes, a root that is read only, capabilities" { each limits; }

mapped() {
  [ "$(tare run --rm --network none --runtime "$RUNTIME" --userns private -v kept:/v busybox sh -c 'id -u; stat -c %u /bin /v; touch /v/x /x && stat -c %u /x; cat /proc/self/uid_map' | tr -s ' \n' ' ')" = "0 0 0 0 0 100000 65536 " ] || return 1
  [ "$(stat -c %u "$TARE_ROOT/volumes/kept/_data/x")" = 0 ] || return 1
  tare volume rm kept
}
@test "a user namespace" { each mapped; }

crash() {
  local id pid
  box --restart no busybox sleep 100
  id=$(tare ps -q --no-trunc)
  pid=$(tare inspect -f '{{.State.Pid}}' box)
  until_true test -s "$TARE_RUN/containers/$id/monitor.pid" || return 1
  kill -9 "$(cut -d' ' -f1 "$TARE_RUN/containers/$id/monitor.pid")"
  until_true sh -c 'tare ps -a --format "{{.Status}}" | grep -q "^Exited (137)"' || return 1
  ! grep -qs '^State:.[^Z]' "/proc/$pid/status" || return 1
  [ ! -e "$TARE_RUN/containers/$id" ] || return 1
  [ -z "$(find /sys/fs/cgroup -maxdepth 3 -type d -name "$id")" ] || return 1
  tare start box
  tare rm -f box
  [ "$(tare system check)" = "Everything is in order" ]
}
@test "its monitor is killed: nothing is left" { each crash; }

# The runtime is killed half way, and with it the process that waits for it.
@test "a start that is killed leaves nothing" {
  cat >"$STATE/slow" <<'SH'
#!/bin/sh
case " $* " in *" create "*) runc "$@"; echo made >"$STATE/made"; sleep 100 ;; *) exec runc "$@" ;; esac
SH
  chmod +x "$STATE/slow"
  tare run -d --name box --network none --runtime "$STATE/slow" busybox sleep 100 3>&- &
  until_true test -e "$STATE/made"
  pid=$(pgrep -f "[t]are run -d --name box .*$STATE/slow" | tail -1)
  for p in $(pgrep -f "[t]are run -d --name box .*$STATE/slow"); do kill -9 "$p"; done
  wait "$!" || true
  until_true sh -c '! grep -qs "^State:.[^Z]" /proc/'"$pid"'/status'
  [[ "$(tare ps -a --format '{{.Names}} {{.Status}}')" == "box Created" ]]
  tare rm box
  until_true sh -c '! pgrep -f "runc init.*$STATE"'
  [ "$(tare system check)" = "Everything is in order" ]
}

@test "a runtime that is not there, or is none" {
  run tare run --rm --network none --runtime no-such busybox true
  [ "$status" -eq 125 ] && [[ "$output" == *"unknown or invalid runtime name: no-such"* ]]
  run tare run --rm --network none --runtime "$STATE" busybox true
  [ "$status" -eq 125 ] && [[ "$output" == *"unknown or invalid runtime name"* ]]
  run tare run --rm --network none --runtime true busybox true
  [ "$status" -eq 125 ] && [[ "$output" == *"did not tell the process"* ]]
  run tare run --rm --network none --runtime false busybox true
  [ "$status" -eq 125 ] && [[ "$output" == *"OCI runtime create failed: exit status 1"* ]]
  [ "$(tare run --rm --network none --runtime tare busybox echo ours)" = ours ]
  [ -z "$(tare ps -aq)" ]
  [ "$(tare info -f '{{.DefaultRuntime}} {{.Runtimes.runc.path}}')" = "tare $(command -v runc)" ]
}
