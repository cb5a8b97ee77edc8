#!/usr/bin/env bats
# create, start, stop, restart, kill, rm, rename, wait, logs, attach, exec, top, port, restart policies
bats_require_minimum_version 1.5.0
load helper
setup_file() { tare_setup_file; }
teardown_file() { tare_teardown_file; }

@test "create, start, stop, start again, rm" {
  id=$(tare create --name life --network none busybox sh -c 'echo begun; exec sleep 100')
  [ ${#id} -eq 64 ]
  [[ "$(tare ps -a --filter name=life --format '{{.Status}}')" == Created ]]
  tare start life
  [[ "$(tare ps --format '{{.Names}} {{.Status}}')" == "life Up "* ]]
  tare stop -t 1 life
  [[ "$(tare ps -a --format '{{.Status}}' --filter name=life)" == "Exited (137)"* ]]
  tare start life
  until_true sh -c '[ "$(tare logs life | grep -c begun)" = 2 ]'
  run tare rm life
  [ "$status" -eq 1 ] && [[ "$output" == *"You cannot remove a running container"* ]]
  tare rm -f life
  run tare inspect life
  [ "$status" -eq 1 ]
}

@test "a name is taken once" {
  tare create --name twin --network none busybox true
  run tare create --name twin --network none busybox true
  [ "$status" -eq 125 ] || [ "$status" -eq 1 ]
  [[ "$output" == *'is already in use by container'* ]]
  tare rename twin other
  tare rm other
}

@test "logs: streams, tail, timestamps, follow to the end" {
  tare run -d --name log --network none busybox sh -c 'for i in 1 2 3 4 5; do echo line $i; done; echo bad >&2; sleep 0.5; echo last'
  run tare logs -f log
  [ "${#lines[@]}" -eq 7 ] && [ "${lines[6]}" = last ]
  [ "$(tare logs --tail 1 log)" = last ]
  [ "$(tare logs log 2>&1 >/dev/null)" = bad ]
  [[ "$(tare logs -t --tail 1 log)" =~ ^20[0-9-]+T ]]
  tare rm log
}

@test "exec: output, exit code, user, environment, stdin" {
  tare run -d --name box -e WHO=container --network none busybox sleep 100
  [ "$(tare exec box sh -c 'echo $WHO')" = container ]
  run tare exec box sh -c 'exit 9'
  [ "$status" -eq 9 ]
  [ "$(tare exec -u 5:6 -w /tmp -e X=y box sh -c 'id -u; pwd; echo $X' | tr '\n' ' ')" = "5 /tmp y " ]
  [ "$(echo through | tare exec -i box cat)" = through ]
  run tare exec box /no/such
  [ "$status" -eq 127 ]
  tare exec -d box sh -c 'echo left > /left'
  until_true tare exec box test -e /left
  tare pause box
  run tare exec box true
  [ "$status" -ne 0 ] && [[ "$output" == *"is paused"* ]]
  tare unpause box
  [[ "$(tare top box)" == *"sleep 100"* ]]
  tare rm -f box
}

@test "attach sees output and the exit code" {
  tare run -d -i --name att --network none busybox sh -c 'read x; echo got $x; exit 3'
  run sh -c 'echo word | tare attach att'
  [ "$status" -eq 3 ] && [[ "$output" == *"got word"* ]]
  tare rm att
}

@test "several attach at once, come and go" {
  tare run -d -i --name hall --network none busybox sh -c 'while read x; do echo "heard $x"; [ "$x" != end ] || exit 4; done'
  mkfifo "$STATE/words"
  tare attach --no-stdin hall >"$STATE/one" 2>&1 3>&- &
  one=$!
  tare attach hall <"$STATE/words" >"$STATE/two" 2>&1 3>&- &
  two=$!
  exec 7>"$STATE/words"
  until_true sh -c "tare events --since 20s --until 0s --filter container=hall --filter event=attach | sed -n 2p | grep -q ."
  echo first >&7
  until_true grep -qx "heard first" "$STATE/one"
  until_true grep -qx "heard first" "$STATE/two"
  kill -9 $one
  wait $one || true
  tare attach --no-stdin hall >"$STATE/three" 2>&1 3>&- &
  three=$!
  until_true sh -c "tare events --since 20s --until 0s --filter container=hall --filter event=attach | sed -n 3p | grep -q ."
  sleep 0.2
  echo end >&7
  exec 7>&-
  code=0; wait $two || code=$?
  [ "$code" -eq 4 ]
  code=0; wait $three || code=$?
  [ "$code" -eq 4 ]
  [ "$(cat "$STATE/three")" = "heard end" ]
  tare rm hall
}

@test "stop and rm -f of many: side by side, names in the order given" {
  names=$(seq -f many%g 12)
  for name in $names; do tare run -d --name "$name" --network none busybox sh -c 'trap "" TERM; sleep 100' >/dev/null; done
  begun=$(date +%s)
  # shellcheck disable=SC2086
  [ "$(tare stop -t 1 $names)" = "$names" ]
  [ $(($(date +%s) - begun)) -lt 10 ]
  tare start many1 many7 >/dev/null
  run --separate-stderr tare rm many1 many2
  [ "$status" -eq 1 ] && [ "$output" = many2 ] && [[ "$stderr" == *"cannot remove a running container"* ]]
  tare create --name many2 busybox true >/dev/null
  # shellcheck disable=SC2086
  run --separate-stderr tare rm -f $names missing
  [ "$status" -eq 0 ] && [ "$output" = "$names" ] && [[ "$stderr" == *"missing"* ]]
  [ -z "$(tare ps -aq --filter name=many)" ]
  run --separate-stderr tare stop missing1 missing2
  [ "$status" -eq 1 ] && [ -z "$output" ]
  tare create --name left busybox true >/dev/null
  run sh -c 'tare rm -f left missing >/dev/full'
  [ "$status" -eq 1 ]
}

@test "restart policies" {
  tare run -d --name again --restart on-failure:2 --network none busybox sh -c 'echo run; exit 1'
  until_true sh -c '[ "$(tare inspect -f "{{.State.Status}} {{.RestartCount}}" again)" = "exited 2" ]'
  [ "$(tare logs again | grep -c run)" -eq 3 ]
  tare rm again
  tare run -d --name forever --restart always --network none busybox sh -c 'echo run; sleep 0.1'
  until_true sh -c '[ "$(tare logs forever | grep -c run)" -ge 2 ]'
  tare stop -t 0 forever
  [ "$(tare inspect -f '{{.State.Running}}' forever)" = false ]
  tare rm forever
}

@test "a terminal: size, job control, detach keys" {
  cat >"$STATE/session.py" <<'P'
import os, pty, sys, time, select
pid, fd = pty.fork()
if pid == 0:
    os.execvp("tare", ["tare", "run", "-it", "--name", "term", "--network", "none", "busybox", "sh"])
import fcntl, termios, struct
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 31, 97, 0, 0))
seen = b""
def until(word, limit=10):
    global seen
    end = time.time() + limit
    while word not in seen and time.time() < end:
        if select.select([fd], [], [], 0.1)[0]:
            try: seen += os.read(fd, 4096)
            except OSError: return
    assert word in seen, seen
until(b"# ")
os.write(fd, b"stty size; tty; echo d$((20+22))\n"); until(b"d42"); assert b"31 97" in seen, seen; assert b"/dev/" in seen
os.write(fd, b"sleep 100\n"); time.sleep(0.3); os.write(fd, b"\x03"); os.write(fd, b"echo after$((1+1))\n"); until(b"after2")
os.write(fd, b"\x10\x11"); until(b"read escape sequence")
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
P
  run python3 "$STATE/session.py"
  [ "$status" -eq 0 ] || { echo "$output"; false; }
  [ "$(tare inspect -f '{{.State.Running}}' term)" = true ]
  tare rm -f term
}

@test "no look at a container that ends loses its restart" {
  tare create --name watched --restart on-failure:4 --network none busybox sh -c 'echo run; exit 1'
  # every look must succeed
  (while [ ! -e "$STATE/looked" ]; do tare ps -aq && tare inspect watched || exit 1; done >/dev/null 2>"$STATE/looks" 3>&-) &
  looks=$!
  tare start watched
  until_true sh -c '[ "$(tare inspect -f "{{.State.Status}} {{.RestartCount}}" watched)" = "exited 4" ]'
  touch "$STATE/looked"
  wait "$looks" || { cat "$STATE/looks"; return 1; }
  [ "$(tare logs watched | grep -c run)" -eq 5 ]
  tare rm watched
}

@test "a stop is not lost, however it meets a restart" {
  for i in 1 2 3 4 5 6 7 8; do
    id=$(tare run -d --name "met$i" --restart always --network none busybox sh -c 'exit 3')
    # from the first end on the back-off is 0.1 s: each round comes a little later in it
    until_true sh -c "tare inspect -f '{{.State.Status}}' met$i | grep -v running"
    sleep "0.0$i"
    tare stop "met$i"
    until_true sh -c "! pgrep -f 'container [e]xited.*$id'"
    [ "$(tare inspect -f '{{.State.Status}} {{.State.ExitCode}}' "met$i")" = "exited 3" ]
    tare rm "met$i"
  done
}

@test "kill -9 of who waits to start a container again: the last word stays, and start works" {
  id=$(tare run -d --name backoff --restart always --network none busybox sh -c 'exit 9')
  until_true sh -c '[ "$(tare inspect -f "{{.State.Status}} {{.RestartCount}}" backoff)" = "restarting 4" ]'
  successor=$(pgrep -f "container exited --lock [0-9]* $id")
  kill -9 "$successor"
  until_true sh -c '[ "$(tare inspect -f "{{.State.Status}} {{.State.ExitCode}}" backoff)" = "exited 9" ]'
  tare start backoff
  until_true sh -c '[ "$(tare inspect -f "{{.State.Status}}" backoff)" = restarting ]'
  tare start backoff
  tare stop backoff
  [ "$(tare inspect -f '{{.State.Status}} {{.State.ExitCode}}' backoff)" = "exited 9" ]
  tare rm backoff
}

@test "kill -9 of the monitor is seen and cleared by the next command" {
  id=$(tare run -d --name orphan --network none busybox sleep 100)
  pid=$(tare inspect -f '{{.State.Pid}}' orphan)
  kill -9 "$(sed 's/.*"monitor":\([0-9]*\).*/\1/' "$TARE_RUN/containers/$id/status.json")"
  sleep 0.2
  [[ "$(tare ps -a --filter name=orphan --format '{{.Status}}')" == Exited* ]]
  [ ! -e "/proc/$pid" ] || grep -q 'State:.Z' "/proc/$pid/status"
  tare rm orphan
}

@test "who was killed in create leaves a container without files: commit, cp, diff and start make them" {
  tare create --name rootless busybox sh -c 'echo made >/file; sleep 1000' >/dev/null
  id=$(tare inspect -f '{{.Id}}' rootless)
  lost() { rm -rf "$TARE_ROOT"/*/roots/"$id"; }
  lost
  tare commit rootless rootless-image
  lost
  tare cp rootless:/etc/passwd "$STATE/passwd"
  lost
  [ "$(tare ps -as --filter name=rootless --format '{{.Names}}')" = rootless ]
  tare start rootless
  until_true tare exec rootless test -e /file
  tare rm -f rootless
  tare rmi rootless-image
}

@test "who was killed in volume rm leaves a row without a folder: it starts again, empty" {
  tare volume create halfway >/dev/null
  rm -rf "$TARE_ROOT/volumes/halfway"
  tare run --rm -v halfway:/data busybox touch /data/file
  [ -e "$TARE_ROOT/volumes/halfway/_data/file" ]
  tare volume rm halfway
  [ "$(ls -A "$TARE_ROOT/volumes")" = "" ]
}

@test "exec in what has just ended says so" {
  tare run -d --name ending busybox sleep 1000 >/dev/null
  kill -9 "$(tare inspect -f '{{.State.Pid}}' ending)"
  run tare exec ending true
  [ "$status" -eq 1 ]
  [[ $output == *"is not running"* ]] || { echo "$output"; false; }
  tare rm -f ending
}
