#!/usr/bin/env bats
# tare-oci: each verb of runc's command line by what it does, on busybox bundles.
load helper

setup_file() {
  STATE=$(mktemp -d /tmp/tare-bats.XXXXXX)
  export STATE ROOT=$STATE/state
  mkdir -p "$STATE/rootfs"
  tar -xf "$CACHE/busybox.tar" -C "$STATE/rootfs"
}

teardown_file() {
  local id
  for id in $(oci list -q); do oci delete --force "$id"; done
  [ -z "$(find /sys/fs/cgroup -type d -name "oci80-*" -print -quit)" ]
  if grep -F "$STATE" /proc/mounts; then return 1; fi
  rm -rf "$STATE"
}

setup() {
  ID=oci80-$BATS_TEST_NUMBER
  BUNDLE=$STATE/$ID
  mkdir -p "$BUNDLE"
  (cd "$BUNDLE" && oci spec)
  config '.process.terminal = false | .root.path = "'"$STATE"'/rootfs"'
}

teardown() {
  oci delete --force "$ID"
}

oci() { tare-oci --root "$ROOT" "$@"; }
config() { jq "$1" "$BUNDLE/config.json" >"$BUNDLE/new" && mv "$BUNDLE/new" "$BUNDLE/config.json"; }
args() { config ".process.args = $(jq -cn '$ARGS.positional' --args -- "$@")"; }
create() { oci create -b "$BUNDLE" "$@" "$ID" </dev/null >"$BUNDLE/out" 2>"$BUNDLE/err" 3>&-; }
status() { oci state "$ID" | jq -r .status; }
is() { [ "$(status)" = "$1" ]; }

@test "create leaves an init that waits, start lets it run, delete takes all away" {
  args sh -c 'echo ran; sleep 100'
  create
  is created
  pid=$(oci state "$ID" | jq .pid)
  [ -d "/proc/$pid" ]
  [ ! -s "$BUNDLE/out" ]
  oci start "$ID"
  is running
  until_true grep -qx ran "$BUNDLE/out"
  oci kill "$ID" KILL
  until_true is stopped
  oci delete "$ID"
  [ ! -e "$ROOT/$ID" ]
  run oci state "$ID"
  [ "$status" = 1 ]
  [[ $output == *"container does not exist"* ]]
}

@test "state.json has what tools read" {
  args sleep 100
  config '.annotations = {"a.b": "c"}'
  create
  pid=$(oci state "$ID" | jq .pid)
  jq -e --arg id "$ID" --argjson pid "$pid" '.id == $id and .init_process_pid == $pid and .init_process_start > 0
    and .namespace_paths.NEWNS == "/proc/\($pid)/ns/mnt" and .config.rootfs == "'"$STATE"'/rootfs"' "$ROOT/$ID/state.json"
  [ "$(oci state "$ID" | jq -r '.annotations["a.b"]')" = c ]
  jq -r '.cgroup_paths[]' "$ROOT/$ID/state.json" | while read -r path; do grep -qx "$pid" "$path/cgroup.procs"; done
}

@test "what is not allowed is refused with the words and codes of runc" {
  args sleep 100
  create
  run oci create -b "$BUNDLE" "$ID"
  [ "$status" = 1 ]
  [[ $output == *"container with id exists"* ]]
  oci start "$ID"
  run oci start "$ID"
  [ "$status" = 1 ]
  [[ $output == *"cannot start an already running container"* ]]
  run oci delete "$ID"
  [ "$status" = 1 ]
  [[ $output == *"that is not stopped: running"* ]]
  run oci resume "$ID"
  [[ $status = 1 && $output == *"container not paused"* ]]
  run oci kill "$ID" NOSUCH
  [[ $status = 1 && $output == *'unknown signal'* ]]
  oci kill "$ID" 9
  until_true is stopped
  run oci kill "$ID"
  [[ $status = 1 && $output == *"container not running"* ]]
  oci kill --all "$ID"
  run oci exec "$ID" true
  [[ $status = 255 && $output == *"cannot exec in a stopped container"* ]]
  run oci start "$ID"
  [[ $status = 1 && $output == *"cannot start a container that has stopped"* ]]
}

@test "a bundle that cannot run leaves nothing" {
  args nosuch
  run create
  [ "$status" = 1 ]
  grep -q 'executable file not found in \$PATH' "$BUNDLE/err"
  args /etc
  run create
  [ "$status" = 1 ]
  grep -qi 'permission denied' "$BUNDLE/err"
  config '.linux.namespaces += [{"type": "network", "path": "/nosuch"}] | .process.args = ["true"]'
  run create
  [ "$status" = 1 ]
  echo '{' >"$BUNDLE/config.json"
  run create
  [ "$status" = 1 ]
  grep -q config.json "$BUNDLE/err"
  run oci create -b /nonexistent "$ID"
  [ "$status" = 1 ]
  [ ! -e "$ROOT/$ID" ]
  [ -z "$(find /sys/fs/cgroup -type d -name "$ID" -print -quit)" ]
}

@test "a cgroup that others are in is not taken" {
  args sleep 100
  create
  config '.linux.cgroupsPath = "/tare/'"$ID"'"'
  run oci create -b "$BUNDLE" "$ID-b"
  [ "$status" = 1 ]
  [[ $output == *"cgroup is not empty"* ]]
  is created
  [ ! -e "$ROOT/$ID-b" ]
}

@test "run passes output and exit code on and deletes" {
  args sh -c 'echo out; echo err >&2; exit 7'
  run oci run -b "$BUNDLE" "$ID"
  [ "$status" = 7 ]
  [[ $output == *out*err* ]]
  [ ! -e "$ROOT/$ID" ]
  args sh -c 'kill -9 $$'
  config '.linux.namespaces |= map(select(.type != "pid"))'
  run oci run -b "$BUNDLE" "$ID"
  [ "$status" = 137 ]
}

@test "run --keep and run --detach leave the container" {
  args true
  oci run --keep -b "$BUNDLE" "$ID"
  is stopped
  oci delete "$ID"
  args sleep 100
  oci run -d --pid-file "$BUNDLE/pid" -b "$BUNDLE" "$ID" </dev/null >/dev/null 2>&1 3>&-
  is running
  [ "$(cat "$BUNDLE/pid")" = "$(oci state "$ID" | jq .pid)" ]
}

@test "run passes signals on" {
  args sh -c 'trap "exit 9" TERM; echo ready; while :; do sleep 0.1; done'
  tare-oci --root "$ROOT" run -b "$BUNDLE" "$ID" >"$BUNDLE/out" 2>&1 3>&- &
  until_true grep -q ready "$BUNDLE/out"
  kill -TERM $!
  code=0
  wait $! || code=$?
  [ "$code" = 9 ]
}

@test "exec: its options by what the process sees" {
  args sleep 100
  create
  oci start "$ID"
  run oci exec "$ID" sh -c 'exit 7'
  [ "$status" = 7 ]
  [ "$(oci exec -e A=b --cwd /bin -u 5:6 -g 7 "$ID" sh -c 'echo $A $PWD $(id -u) $(id -g) $(id -G)')" = "b /bin 5 6 6 7" ]
  [ "$(oci exec --cap CAP_SYS_ADMIN "$ID" grep CapEff /proc/self/status | cut -f2)" = 0000000020200420 ]
  run oci exec "$ID" nosuch
  [ "$status" = 255 ]
  [[ $output == *"executable file not found"* ]]
  printf '{"args": ["sh", "-c", "echo $X"], "env": ["X=y", "PATH=/bin"], "cwd": "/"}' >"$BUNDLE/process.json"
  [ "$(oci exec -p "$BUNDLE/process.json" "$ID")" = y ]
  oci exec -d --pid-file "$BUNDLE/pid" "$ID" sleep 50 </dev/null >/dev/null 2>&1 3>&-
  grep -q sleep "/proc/$(cat "$BUNDLE/pid")/cmdline"
  oci ps -f json "$ID" | jq -e --argjson pid "$(cat "$BUNDLE/pid")" 'index($pid) != null and length == 2'
  [ "$(oci ps "$ID" | grep -c sleep)" = 2 ]
}

@test "exec --cgroup: a group below the container's, of all controllers or of some" {
  [ -d /sys/fs/cgroup/pids ] || skip "cgroup v1"
  args sleep 100
  create
  oci start "$ID"
  while read -r path; do mkdir -p "$path/sub/deep"; done < <(jq -r '.cgroup_paths[]' "$ROOT/$ID/state.json")
  groups() { oci exec "$@" cat /proc/self/cgroup; }
  where() { grep -E "^[0-9]+:([^:]*,)?$1[,:]" | cut -d: -f3; }
  config '.linux.namespaces |= map(select(.type != "cgroup"))'
  run groups --cgroup sub/deep "$ID"
  [ "$status" = 0 ]
  [[ $(where pids <<<"$output") == */sub/deep && $(where memory <<<"$output") == */sub/deep ]]
  run groups --cgroup pids,memory:sub --cgroup devices:/sub/deep/ "$ID"
  [ "$status" = 0 ]
  [[ $(where pids <<<"$output") == */sub && $(where memory <<<"$output") == */sub && $(where devices <<<"$output") == */sub/deep ]]
  [[ $(where cpu <<<"$output") != */sub ]]
  for bad in "a:b:c" ":sub" "pids,:sub" "nosuch:sub" "../.." "pids:../.." "nosuch" "pids:nosuch"; do
    run groups --cgroup "$bad" "$ID"
    [ "$status" = 255 ]
  done
  run groups --cgroup sub --cgroup pids:sub "$ID"
  [[ $status = 255 && $output == *"missing <controller>: prefix"* ]]
  run groups --cgroup pids:sub --cgroup pids:sub/deep "$ID"
  [[ $status = 255 && $output == *"controller pids specified multiple times"* ]]
}

@test "exec --cgroup on v2: one group, there already, and never beside it" {
  [ -e /sys/fs/cgroup/cgroup.controllers ] || skip "cgroup v2"
  args sleep 100
  create
  oci start "$ID"
  mkdir -p "$(jq -r '.cgroup_paths[""]' "$ROOT/$ID/state.json")/sub/deep"
  [ "$(oci exec --cgroup sub/deep "$ID" cat /proc/self/cgroup)" = 0::/sub/deep ]
  [ "$(oci exec --cgroup / "$ID" cat /proc/self/cgroup)" = 0::/ ]
  for bad in nosuch ../.. sub/../.. pids:sub; do
    run oci exec --cgroup "$bad" "$ID" true
    [ "$status" = 255 ]
  done
  [[ $output == *"unknown controller pids"* ]]
}

@test "a pidfd goes to --pidfd-socket" {
  receive() {
    python3 - "$1" >"$2" 3>&- <<'PY' &
import array, re, socket, sys
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(1)
c = s.accept()[0]
_, anc, _, _ = c.recvmsg(100, socket.CMSG_SPACE(4))
print(re.search(r"^Pid:\s+(\d+)", open("/proc/self/fdinfo/%d" % array.array('i', anc[0][2])[0]).read(), re.M)[1])
PY
    until_true test -S "$1"
  }
  args sleep 100
  receive "$BUNDLE/socket" "$BUNDLE/init"
  create --pidfd-socket "$BUNDLE/socket"
  wait $!
  [ "$(cat "$BUNDLE/init")" = "$(oci state "$ID" | jq .pid)" ]
  oci start "$ID"
  receive "$BUNDLE/socket2" "$BUNDLE/second"
  oci exec -d --pid-file "$BUNDLE/pid" --pidfd-socket "$BUNDLE/socket2" "$ID" sleep 50 </dev/null >/dev/null 2>&1 3>&-
  wait $!
  [ "$(cat "$BUNDLE/second")" = "$(cat "$BUNDLE/pid")" ]
}

@test "who listens to seccomp is told of the process that exec starts, and of its container" {
  args sleep 100
  config '.linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "'"$BUNDLE"'/agent", "listenerMetadata": "m",
    "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}]}'
  python3 - "$BUNDLE/agent" >"$BUNDLE/told" 3>&- <<'PY' &
import array, os, socket, sys
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(2)
for i in range(2):
    c = s.accept()[0]
    text, anc, _, _ = c.recvmsg(65536, socket.CMSG_SPACE(4))
    print(text.decode(), flush=True)
    for fd in array.array('i', anc[0][2]): os.close(fd)
PY
  agent=$!
  until_true test -S "$BUNDLE/agent"
  create
  oci start "$ID"
  oci exec -d --pid-file "$BUNDLE/pid" "$ID" sleep 50 </dev/null >/dev/null 2>&1 3>&-
  wait $agent
  init=$(oci state "$ID" | jq .pid)
  sed -n 1p "$BUNDLE/told" | jq -e --argjson pid "$init" '.pid == $pid and .metadata == "m" and .state.status == "creating"'
  sed -n 2p "$BUNDLE/told" | jq -e --argjson pid "$(cat "$BUNDLE/pid")" --argjson init "$init" --arg id "$ID" --arg bundle "$BUNDLE" \
    '.pid == $pid and .fds == ["seccompFd"] and .state.status == "running" and .state.pid == $init and .state.id == $id and .state.bundle == $bundle'
}

@test "an AppArmor profile confines the process, and what exec starts" {
  [ "$(cat /sys/module/apparmor/parameters/enabled 2>/dev/null)" = Y ] || skip "AppArmor"
  printf 'profile tare-bats flags=(attach_disconnected, mediate_deleted) {\n file,\n capability,\n signal,\n deny /forbidden w,\n}\n' | apparmor_parser -r
  args sh -c 'cat /proc/self/attr/current; while :; do sleep 1; done'
  config '.process.apparmorProfile = "tare-bats" | .root.readonly = false'
  create
  oci start "$ID"
  until_true grep -qx 'tare-bats (enforce)' "$BUNDLE/out"
  [ "$(oci exec -u 5:5 "$ID" cat /proc/self/attr/current)" = "tare-bats (enforce)" ]
  run oci exec "$ID" sh -c ': >/forbidden'
  [[ $status != 0 && $output == *"ermission denied"* ]]
}

@test "pause, resume and exec in between" {
  args sh -c 'while :; do echo x; sleep 0.02; done'
  create
  oci start "$ID"
  until_true test -s "$BUNDLE/out"
  oci pause "$ID"
  is paused
  size=$(stat -c %s "$BUNDLE/out")
  run oci exec "$ID" true
  [[ $status = 255 && $output == *"paused"* ]]
  [ "$(stat -c %s "$BUNDLE/out")" = "$size" ]
  oci exec --ignore-paused "$ID" sh -c 'echo awake >/dev/stderr' >"$BUNDLE/exec" 2>&1 3>&- &
  oci resume "$ID"
  wait $!
  grep -q awake "$BUNDLE/exec"
  oci pause "$ID"
  oci delete --force "$ID"
}

@test "update and events" {
  args sleep 100
  create
  limit() { cat "$(jq -r '.cgroup_paths | .pids // .[""]' "$ROOT/$ID/state.json")/pids.max"; }
  oci update --pids-limit 77 "$ID"
  [ "$(limit)" = 77 ]
  echo '{"pids": {"limit": 55}}' | oci update -r - "$ID"
  [ "$(limit)" = 55 ]
  oci events --stats "$ID" | jq -e '.type == "stats" and .data.pids == {"current": 1, "limit": 55} and .data.memory.usage.usage > 0'
  oci events --interval 100ms "$ID" >"$BUNDLE/events" 3>&- &
  until_true grep -q stats "$BUNDLE/events"
  oci kill "$ID" KILL
  wait $!
}

@test "list as table, JSON and ids" {
  args sleep 100
  create
  oci list | grep -Eq "^$ID +[0-9]+ +created +$BUNDLE +"
  oci list -f json | jq -e --arg id "$ID" 'map(select(.id == $id and .status == "created")) | length == 1'
  oci list -q | grep -qx "$ID"
}

@test "descriptors: --preserve-fds and LISTEN_FDS" {
  args sh -c 'cat <&3; cat <&4; echo $LISTEN_FDS $LISTEN_PID'
  run sh -c 'LISTEN_FDS=1 LISTEN_PID=$$ exec tare-oci --root "$1" run --preserve-fds 1 -b "$2" "$3" 3<"$2/a" 4<"$2/b"' _ "$ROOT" "$BUNDLE" "$ID"
  [ "$status" != 0 ]
  echo one >"$BUNDLE/a"; echo two >"$BUNDLE/b"
  run sh -c 'LISTEN_FDS=1 LISTEN_PID=$$ exec tare-oci --root "$1" run --preserve-fds 1 -b "$2" "$3" 3<"$2/a" 4<"$2/b"' _ "$ROOT" "$BUNDLE" "$ID"
  [ "$output" = "$(printf 'one\ntwo\n1 1')" ]
  args true
  run oci run --preserve-fds 500 -b "$BUNDLE" "$ID"
  [ "$status" = 1 ]
}

@test "a terminal goes to the console socket" {
  args sh -c 'tty; stty size'
  config '.process.terminal = true | .process.consoleSize = {"height": 33, "width": 99}'
  run create
  [ "$status" = 1 ]
  python3 - "$BUNDLE/socket" >"$BUNDLE/console" 3>&- <<'PY' &
import array, os, socket, sys
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(1)
c = s.accept()[0]
_, anc, _, _ = c.recvmsg(100, socket.CMSG_SPACE(4))
fd = array.array('i', anc[0][2])[0]
try:
    while True:
        d = os.read(fd, 1000)
        if not d: break
        sys.stdout.write(d.decode()); sys.stdout.flush()
except OSError:
    pass
PY
  reader=$!
  until_true test -S "$BUNDLE/socket"
  create --console-socket "$BUNDLE/socket"
  oci start "$ID"
  wait $reader
  grep -q '^/dev/' "$BUNDLE/console"
  grep -q '33 99' "$BUNDLE/console"
}

@test "the log file has JSON lines" {
  run tare-oci --root "$ROOT" --log "$BUNDLE/log" --log-format json state nosuch
  [ "$status" = 1 ]
  jq -e '.level == "error" and .msg == "container does not exist" and (.time | test("^[0-9]{4}-"))' "$BUNDLE/log"
}

@test "hooks after start and after stop run with the state" {
  args sleep 100
  config '.hooks = {"poststart": [{"path": "/bin/sh", "args": ["sh", "-c", "cat >'"$BUNDLE"'/poststart"]}],
                    "poststop": [{"path": "/bin/sh", "args": ["sh", "-c", "cat >'"$BUNDLE"'/poststop"]}]}'
  create
  oci start "$ID"
  jq -e '.status == "running"' "$BUNDLE/poststart"
  oci delete --force "$ID"
  jq -e --arg id "$ID" '.status == "stopped" and .id == $id' "$BUNDLE/poststop"
}

@test "startContainer hooks do not keep the lock of the creator" {
  args sleep 100
  config '.hooks = {"startContainer": [{"path": "/bin/sh", "args": ["sh", "-c", "exit 0"]}]}'
  create
  timeout 5 tare-oci --root "$ROOT" start "$ID"
  is running
}

@test "a create that is killed leaves what delete --force removes" {
  args sleep 100
  config '.hooks = {"createRuntime": [{"path": "/bin/sleep", "args": ["sleep", "2"]}]}'
  for delay in 0.002 0.005 0.01 0.3; do
    tare-oci --root "$ROOT" create -b "$BUNDLE" "$ID" </dev/null >/dev/null 2>&1 3>&- &
    sleep "$delay"
    kill -9 $!
    wait $! || true
    oci delete --force "$ID"
    [ ! -e "$ROOT/$ID" ]
    [ -z "$(find /sys/fs/cgroup -type d -name "$ID" -print -quit)" ]
  done
}

@test "delete --force beside a create leaves it whole or takes it whole" {
  args sleep 100
  for delay in 0.001 0.003 0.005 0.01; do
    create &
    sleep "$delay"
    oci delete --force "$ID"
    wait $! || true
    oci delete --force "$ID"
    [ ! -e "$ROOT/$ID" ]
  done
}

@test "without a pid namespace the others go too" {
  args sh -c 'sleep 99 & sleep 98 & wait'
  config '.linux.namespaces |= map(select(.type != "pid"))'
  create
  oci start "$ID"
  until_true sh -c "[ \$(tare-oci --root $ROOT ps -f json $ID | jq length) = 3 ]"
  pids=$(oci ps -f json "$ID" | jq '.[]')
  oci kill "$ID" KILL
  until_true is stopped
  oci delete "$ID"
  for pid in $pids; do ! grep -q sleep "/proc/$pid/cmdline" 2>/dev/null; done
}

@test "spec is what runc makes, but for version and names" {
  mkdir -p "$BUNDLE/theirs" "$BUNDLE/ours"
  runc spec -b "$BUNDLE/theirs"
  oci spec -b "$BUNDLE/ours"
  same='del(.ociVersion, .hostname, .linux.namespaces, .linux.resources, .process.capabilities.ambient)'
  diff <(jq -S "$same" "$BUNDLE/theirs/config.json") <(jq -S "$same" "$BUNDLE/ours/config.json")
  run oci spec -b "$BUNDLE/ours"
  [ "$status" = 1 ]
  oci features | jq -e '.linux.namespaces | index("time") != null'
}

@test "features has all that runc has, but for its own names" {
  missing() { jq -n --argjson ours "$(oci features)" --argjson theirs "$(runc features)" "\$theirs$1 - \$ours$1"; }
  [ "$(missing .hooks)" = "[]" ]
  [ "$(missing '.mountOptions')" = "$(printf '[\n  "acl",\n  "noacl"\n]')" ] # of the file systems that have them
  for list in namespaces seccomp.actions seccomp.operators seccomp.archs; do [ "$(missing ".linux.$list")" = "[]" ]; done
  oci features | jq -e '.linux.cgroup.systemd and .linux.cgroup.systemdUser and (.linux.capabilities | index("CAP_BPF") != null)'
}

@test "events --stats and state have every key that runc's have" {
  args sleep 100
  create
  (cd "$BUNDLE" && runc --root "$STATE/runc" create "$ID-runc" </dev/null >/dev/null 2>&1 3>&-)
  keys='[paths(type != "object" and type != "array") | map(if type == "number" then "#" else . end)] | unique'
  runc --root "$STATE/runc" events --stats "$ID-runc" | jq "$keys" >"$BUNDLE/theirs"
  oci events --stats "$ID" | jq "$keys" >"$BUNDLE/ours"
  runc --root "$STATE/runc" state "$ID-runc" | jq "$keys" >"$BUNDLE/their-state"
  oci state "$ID" | jq "$keys" >"$BUNDLE/our-state"
  runc --root "$STATE/runc" delete --force "$ID-runc"
  jq -e -s '.[0] - .[1] == []' "$BUNDLE/theirs" "$BUNDLE/ours"
  jq -e -s '.[0] == .[1]' "$BUNDLE/their-state" "$BUNDLE/our-state"
}

# ---- what the suites of other runtimes found ----

@test "HOME is the user's where none is given" {
  args sh -c 'echo $HOME'
  config '.process.env = ["PATH=/bin"]'
  [ "$(oci run -b "$BUNDLE" "$ID")" = /root ]
  config '.process.user = {"uid": 65534, "gid": 65534}'
  [ "$(oci run -b "$BUNDLE" "$ID")" = / ]
  args sleep 100
  create
  oci start "$ID"
  [ "$(oci exec -u 0 "$ID" sh -c 'echo $HOME')" = /root ]
  [ "$(oci exec -u 0 -e HOME=/here "$ID" sh -c 'echo $HOME')" = /here ]
}

@test "crun's words: --cgroup-manager, --config, delete --regex" {
  args sleep 100
  mkdir "$BUNDLE/other"
  mv "$BUNDLE/config.json" "$BUNDLE/other/c.json"
  (cd "$BUNDLE" && oci --cgroup-manager cgroupfs create --config other/c.json "$ID-a1" </dev/null >/dev/null 2>&1 3>&-)
  oci create -b "$BUNDLE" -f "$BUNDLE/other/c.json" "$ID-a2" </dev/null >/dev/null 2>&1 3>&-
  oci create -b "$BUNDLE" -f "$BUNDLE/other/c.json" "$ID-b1" </dev/null >/dev/null 2>&1 3>&-
  run oci --cgroup-manager nosuch list
  [ "$status" = 1 ]
  run oci delete --regex "("
  [ "$status" = 1 ]
  oci start "$ID-a2"
  run oci delete --regex "^$ID-a" # one of them runs
  [ "$status" = 1 ]
  [ "$(oci list -q | grep "^$ID-")" = "$(printf '%s\n' "$ID-a2" "$ID-b1")" ]
  oci delete --force --regex "^$ID-"
  [ -z "$(oci list -q | grep "^$ID-")" ]
}

@test "hooks before the start find the root at its path, and have the caller's environment" {
  mkdir "$BUNDLE/rootfs" "$BUNDLE/given"
  cp -a "$STATE/rootfs/bin" "$BUNDLE/rootfs"
  echo given >"$BUNDLE/given/file"
  args cat /mnt/file /early /cwd
  config '.root = {"path": "rootfs", "readonly": false} | .hooks = {
    "createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", "pid=$(jq .pid) && echo $MARK >rootfs/early && mkdir rootfs/mnt && nsenter -m -t $pid mount --bind '"$BUNDLE"'/given '"$BUNDLE"'/rootfs/mnt"]}],
    "createContainer": [{"path": "/bin/sh", "args": ["sh", "-c", "pwd >cwd; echo $MARK >>cwd"], "env": ["MARK=own"]}]}'
  [ "$(MARK=ours oci run -b "$BUNDLE" "$ID")" = "$(printf 'given\nours\n%s\nown' "$BUNDLE/rootfs")" ]
  if grep -F "$BUNDLE" /proc/mounts; then return 1; fi
  config '.hooks = {"createRuntime": [{"path": "/bin/true"}, {"path": "/bin/false"}]}'
  run oci run -b "$BUNDLE" "$ID"
  [ "$status" = 1 ]
  [[ $output == *"error running createRuntime hook #1: error running hook /bin/false: exited with 1"* ]]
}

@test "startContainer hooks run under the seccomp filter" {
  args true
  config '.linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_KILL_PROCESS"}]}
    | .hooks = {"startContainer": [{"path": "/bin/mkdir", "args": ["mkdir", "/dev/shm/x"]}]}'
  run oci run -b "$BUNDLE" "$ID"
  [ "$status" = 1 ]
  [[ $output == *"error running startContainer hook #0"*"bad system call"* ]]
  config 'del(.linux.seccomp)'
  oci run -b "$BUNDLE" "$ID"
  config '.linux.seccomp = {"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/nosuch", "syscalls": [{"names": ["write"], "action": "SCMP_ACT_NOTIFY"}]}'
  run oci run -b "$BUNDLE" "$ID"
  [[ $status = 1 && $output == *"SCMP_ACT_NOTIFY cannot be used for the write syscall"* ]]
}

@test "a tmpfs is sealed after others were laid into it, and looks like what it covers" {
  mkdir -p "$BUNDLE/rootfs/like" "$BUNDLE/rootfs/group"
  cp -a "$STATE/rootfs/bin" "$BUNDLE/rootfs"
  chmod 3751 "$BUNDLE/rootfs/like"
  chmod 2755 "$BUNDLE/rootfs/group"
  config '.root = {"path": "rootfs", "readonly": false} | .mounts |= map(if .destination == "/dev" then .options += ["ro"] else . end)
    + [{"destination": "/like", "type": "tmpfs", "source": "tmpfs"}, {"destination": "/group/a/b", "type": "tmpfs", "source": "tmpfs", "options": ["ro"]}]'
  args sh -c 'stat -c %a /like; touch /dev/x || touch /group/a/b/x || echo x >/dev/null && echo sealed; grep -c " /dev/" /proc/mounts'
  run oci run -b "$BUNDLE" "$ID"
  [ "${lines[0]}" = 3751 ]
  [[ $output == *"Read-only"*"Read-only"*sealed* ]]
  [ "$(stat -c %a "$BUNDLE/rootfs/group/a/b")" = 2755 ]
}

@test "sources of binds and destinations may be told through the root's own path" {
  mkdir -p "$BUNDLE/rootfs/mnt" "$BUNDLE/src/inner"
  cp -a "$STATE/rootfs/bin" "$BUNDLE/rootfs"
  echo deep >"$BUNDLE/src/inner/file"
  config '.root = {"path": "rootfs", "readonly": false} | .mounts += [
    {"destination": "/mnt", "type": "bind", "source": "'"$BUNDLE"'/src", "options": ["bind"]},
    {"destination": "'"$BUNDLE"'/rootfs/final", "type": "bind", "source": "'"$BUNDLE"'/rootfs/mnt/inner", "options": ["bind"]}]'
  args cat /final/file
  [ "$(oci run -b "$BUNDLE" "$ID")" = deep ]
}

@test "without pivot_root no procfs of the host is left to be seen" {
  args unshare -mrpf sh -c 'mount -t proc none /proc && echo mounted'
  config '.process.capabilities.bounding += ["CAP_SETFCAP"] | .process.capabilities.permitted += ["CAP_SETFCAP"]'
  run oci run --no-pivot -b "$BUNDLE" "$ID"
  echo "$output"
  [[ $status = 1 && $output != *mounted* && $output == *"ermission denied"* ]]
  args cat /proc/self/stat
  oci run --no-pivot -b "$BUNDLE" "$ID" | grep -q '^1 (cat)'
  [ -e /proc/self/stat ] && [ -d /sys/class ]
}

@test "exec has the container's user namespace and personality" {
  args sleep 100
  config '.linux.namespaces += [{"type": "user"}] | .linux.uidMappings = [{"containerID": 0, "hostID": 100000, "size": 1000}]
    | .linux.gidMappings = .linux.uidMappings | .linux.personality = {"domain": "LINUX32"}'
  create
  oci start "$ID"
  [ "$(oci exec "$ID" sh -c 'id -u; awk "{print \$2}" /proc/self/uid_map')" = "$(printf '0\n100000')" ]
  [ "$(oci exec "$ID" uname -m)" = "$(setarch linux32 uname -m)" ]
  oci exec "$ID" grep CapBnd /proc/self/status >"$BUNDLE/bnd"
  grep -q "$(grep CapBnd "/proc/$(oci state "$ID" | jq .pid)/status" | cut -f2)" "$BUNDLE/bnd"
}

@test "kill: signal 0 asks, and those that init left behind are reached" {
  args sh -c 'sleep 100 & wait'
  config '.linux.namespaces |= map(select(.type != "pid"))'
  create
  oci start "$ID"
  oci kill "$ID" 0
  group=$(jq -r '.cgroup_paths | .pids // .[""]' "$ROOT/$ID/state.json")
  until_true sh -c "[ \$(wc -l <$group/cgroup.procs) = 2 ]"
  kill -KILL "$(oci state "$ID" | jq .pid)"
  until_true is stopped
  run oci kill "$ID" TERM
  [ "$status" = 1 ]
  oci kill "$ID" KILL
  until_true sh -c "! grep -q . $group/cgroup.procs"
  run oci kill "$ID" KILL
  [ "$status" = 1 ]
  oci kill --all "$ID" 0
}

@test "delete --force ends what lies frozen in a group of somebody else" {
  top=/sys/fs/cgroup/freezer
  [ -e $top/cgroup.procs ] || skip "no v1 freezer"
  args sleep 100
  create
  oci start "$ID"
  pid=$(oci state "$ID" | jq .pid)
  mkdir "$top/$ID-held"
  echo "$pid" >"$top/$ID-held/cgroup.procs"
  echo FROZEN >"$top/$ID-held/freezer.state"
  oci delete --force "$ID" || { echo THAWED >"$top/$ID-held/freezer.state"; return 1; }
  until_true rmdir "$top/$ID-held"
  [ ! -e "$ROOT/$ID" ]
}

@test "a script whose interpreter is missing is told so" {
  mkdir "$BUNDLE/rootfs"
  cp -a "$STATE/rootfs/bin" "$BUNDLE/rootfs"
  printf '#!/nosuch\n' >"$BUNDLE/rootfs/run.sh"
  chmod +x "$BUNDLE/rootfs/run.sh"
  args /run.sh
  config '.root.path = "rootfs"'
  run oci run -b "$BUNDLE" "$ID"
  [[ $status = 1 && $output == *"exec /run.sh: no such file or directory"* ]]
}

@test "who starts a container may let it keep his groups" {
  args sh -c 'grep Groups: /proc/self/status'
  config '.annotations = {"run.oci.keep_original_groups": "1"}'
  run setpriv --groups 7,9 tare-oci --root "$ROOT" run -b "$BUNDLE" "$ID"
  [[ $output == *"7 9"* ]]
  config 'del(.annotations)'
  run setpriv --groups 7,9 tare-oci --root "$ROOT" run -b "$BUNDLE" "$ID"
  [[ $status = 0 && $output != *7* ]]
}

@test "a domainname and a sysctl that says another are refused" {
  args true
  config '.domainname = "a" | .linux.sysctl = {"kernel.domainname": "b"}'
  run oci run -b "$BUNDLE" "$ID"
  [[ $status = 1 && $output == *domainname* ]]
  config '.linux.sysctl["kernel.domainname"] = "a"'
  oci run -b "$BUNDLE" "$ID"
}
