#!/usr/bin/env bats
# tare-oci beside the kernel, service managers and odd bundles: notifications, terminals, nodes and mapped mounts in user namespaces.
load helper

setup_file() {
  STATE=$(mktemp -d /tmp/tare-bats.XXXXXX)
  export STATE ROOT=$STATE/state
  mkdir -p "$STATE/rootfs" "$STATE/mapped"
  tar -xf "$CACHE/busybox.tar" -C "$STATE/rootfs"
  tar -xf "$CACHE/busybox.tar" -C "$STATE/mapped"
  chown -R 100000:200000 "$STATE/mapped"
  chmod 755 "$STATE"
  cat >"$STATE/manager" <<'PY'
# A service manager that writes down what it is told, and answers barriers: FOLDER NAME...
import array, os, socket, sys
path, log = sys.argv[1], open(sys.argv[2], "w", buffering=1)
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("\0" + path[1:] if path[0] == "@" else path)
s.settimeout(20)
print("listening", file=log)
while True:
    text, passed, _, _ = s.recvmsg(4096, 256)
    for _, _, data in passed:
        for fd in array.array("i", data):
            os.close(fd)
    log.write(text.decode().rstrip("\n") + "\n")
PY
  cat >"$STATE/send" <<'PY'
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect(sys.argv[1])
for text in sys.argv[2:]:
    s.send(text.encode())
PY
}

teardown_file() {
  local id
  for id in $(oci list -q); do oci delete --force "$id"; done
  [ -z "$(find /sys/fs/cgroup -type d -name "oci81-*" -print -quit)" ]
  if grep -F "$STATE" /proc/mounts; then return 1; fi
  rm -rf "$STATE"
}

setup() {
  ID=oci81-$BATS_TEST_NUMBER
  BUNDLE=$STATE/$ID
  manager=
  mkdir -p "$BUNDLE"
  (cd "$BUNDLE" && oci spec)
  config '.process.terminal = false | .root.path = "'"$STATE"'/rootfs"'
}

teardown() {
  [ -z "$manager" ] || kill "$manager"
  oci delete --force "$ID"
}

oci() { tare-oci --root "$ROOT" "$@"; }
config() { jq "$1" "$BUNDLE/config.json" >"$BUNDLE/new" && mv "$BUNDLE/new" "$BUNDLE/config.json"; }
args() { config ".process.args = $(jq -cn '$ARGS.positional' --args -- "$@")"; }
in_user_namespace() {
  config '.linux.namespaces += [{"type": "user"}] | .root.path = "'"$STATE"'/mapped"
    | .linux.uidMappings = [{"containerID": 0, "hostID": 100000, "size": 65534}] | .linux.gidMappings = [{"containerID": 0, "hostID": 200000, "size": 65534}]'
}
manager_start() { # ADDRESS
  python3 "$STATE/manager" "$1" "$BUNDLE/told" 3>&- &
  manager=$!
  until_true grep -q listening "$BUNDLE/told"
  export NOTIFY_SOCKET=$1
}
inside() { python3 "$STATE/send" "$ROOT/$ID/notify/notify.sock" "$@"; }
told() { tail -n +2 "$BUNDLE/told"; }

@test "NOTIFY_SOCKET: start returns when the process is ready, and tells whom to watch" {
  args sh -c 'echo "$NOTIFY_SOCKET"; touch /run/notify/x || echo read-only; sleep 100'
  manager_start "$BUNDLE/manager.sock"
  oci create -b "$BUNDLE" "$ID" </dev/null >"$BUNDLE/out" 2>&1 3>&-
  oci start "$ID" 3>&- &
  until_true test -S "$ROOT/$ID/notify/notify.sock"
  until_true grep -q read-only "$BUNDLE/out"
  grep -qx /run/notify/notify.sock "$BUNDLE/out"
  inside STATUS=early
  oci exec "$ID" true # nobody is kept out meanwhile
  kill -0 $! # still waits
  [ -z "$(told)" ]
  inside $'STATUS=up\nREADY=1'
  wait $!
  [ "$(told)" = "$(printf 'READY=1\nMAINPID=%s\nBARRIER=1' "$(oci state "$ID" | jq .pid)")" ]
  oci delete --force "$ID"
  [ ! -e "$ROOT/$ID" ]
}

@test "NOTIFY_SOCKET: run in the foreground is itself to be watched; an abstract address" {
  args sleep 100
  manager_start "@$BUNDLE/manager"
  tare-oci --root "$ROOT" run -b "$BUNDLE" "$ID" </dev/null 3>&- &
  running=$!
  until_true test -S "$ROOT/$ID/notify/notify.sock"
  inside READY=1
  until_true grep -q BARRIER "$BUNDLE/told"
  [ "$(told)" = "$(printf 'READY=1\nMAINPID=%s\nBARRIER=1' "$running")" ]
  oci kill "$ID" KILL
  wait $running || [ $? = 137 ]
}

@test "NOTIFY_SOCKET: who ends without being ready ends the wait; whose creator had none needs none" {
  args sleep 1
  manager_start "$BUNDLE/manager.sock"
  oci run -d -b "$BUNDLE" "$ID" </dev/null >/dev/null 2>&1 3>&-
  [ -z "$(told)" ]
  oci delete "$ID"
  (unset NOTIFY_SOCKET; oci create -b "$BUNDLE" "$ID" </dev/null >/dev/null 2>&1 3>&-)
  oci start "$ID"
  [ ! -e "$ROOT/$ID/notify" ]
}

@test "lines of a terminal end as they were written, the first as well" {
  config '.process.terminal = true'
  args sh -c 'echo first; echo last'
  for _ in 1 2 3 4 5; do
    [ "$(oci run -b "$BUNDLE" "$ID" </dev/null)" = "$(printf 'first\nlast')" ]
  done
  config '.process.terminal = false'
  args sleep 100
  oci run -d -b "$BUNDLE" "$ID" </dev/null >/dev/null 2>&1 3>&-
  for _ in 1 2 3 4 5; do
    [ "$(oci exec -t "$ID" echo first </dev/null)" = first ]
  done
}

@test "nodes that the host lacks, with owner and mode, in a user namespace and without" {
  config '.linux.devices = [{"path": "/dev/foo", "type": "b", "major": 10, "minor": 229, "uid": 10, "gid": 11},
    {"path": "/dev/nothing", "type": "c", "major": 1, "minor": 3, "fileMode": 384, "uid": 0, "gid": 0}]'
  args sh -c 'stat -c "%F %u:%g %a %t:%T" /dev/foo /dev/nothing; echo x >/dev/nothing && echo written'
  wanted=$(printf 'block special file 10:11 666 a:e5\ncharacter special file 0:0 600 1:3\nwritten')
  [ "$(oci run -b "$BUNDLE" "$ID" </dev/null)" = "$wanted" ]
  in_user_namespace
  run oci run -b "$BUNDLE" "$ID" </dev/null
  echo "$output"
  [ "$output" = "$wanted" ]
}

@test "a bind whose source lies in a mount before it, mapped or not" {
  local root
  for root in rootfs mapped; do
    [ "$root" = rootfs ] || in_user_namespace
    config '.mounts += [{"destination": "/tmp/a", "type": "tmpfs", "source": "tmpfs"},
      {"destination": "/tmp/b", "type": "bind", "source": "'"$STATE/$root"'/tmp/a", "options": ["bind", "idmap"],
       "uidMappings": [{"containerID": 0, "hostID": 105000, "size": 1000}], "gidMappings": [{"containerID": 100000, "hostID": 200000, "size": 1000},
       {"containerID": 0, "hostID": 205000, "size": 1000}]}, {"destination": "/tmp/c", "type": "bind", "source": "'"$STATE/$root"'/tmp/a", "options": ["rbind"]}]'
    args sh -c 'touch /tmp/a/f; stat -c %n /tmp/b/f /tmp/c/f; grep -c idmapped /proc/self/mountinfo'
    run oci run -b "$BUNDLE" "$ID" </dev/null
    echo "$output"
    [ "$output" = "$(printf '/tmp/b/f\n/tmp/c/f\n1')" ]
    config 'del(.mounts[-3:])'
  done
  config '.mounts += [{"destination": "/tmp/a", "type": "tmpfs", "source": "tmpfs"},
    {"destination": "/tmp/b", "type": "bind", "source": "'"$STATE"'/mapped/tmp/a/none", "options": ["bind"]}]'
  run oci run -b "$BUNDLE" "$ID" </dev/null
  [[ $status = 1 && $output == *"mount /tmp/b"*"no such file"* ]]
}

@test "a time namespace has the offsets asked for, in a user namespace and for exec too" {
  wanted='monotonic 7881 2718281 boottime 1337 3141519'
  args cat /proc/self/timens_offsets
  config '.linux.timeOffsets = {"monotonic": {"secs": 7881, "nanosecs": 2718281}, "boottime": {"secs": 1337, "nanosecs": 3141519}}'
  run oci run -b "$BUNDLE" "$ID" </dev/null
  [ "$status" = 1 ]
  config '.linux.namespaces += [{"type": "time"}]'
  [ "$(oci run -b "$BUNDLE" "$ID" </dev/null | xargs)" = "$wanted" ]
  in_user_namespace
  [ "$(oci run -b "$BUNDLE" "$ID" </dev/null | xargs)" = "$wanted" ]
  args sleep 100
  oci run -d -b "$BUNDLE" "$ID" </dev/null >/dev/null 2>&1 3>&-
  [ "$(oci exec "$ID" cat /proc/self/timens_offsets | xargs)" = "$wanted" ]
}

@test "what no kernel has any more is taken, and what this machine lacks refused" {
  args sleep 100
  oci run -d -b "$BUNDLE" "$ID" </dev/null >/dev/null 2>&1 3>&-
  oci update --kernel-memory 64m --kernel-memory-tcp 1m "$ID"
  [ -d /sys/fs/resctrl/info ] && skip "has resctrl"
  run oci update --l3-cache-schema 'L3:0=f' "$ID"
  [[ $status = 1 && $output == *"Intel RDT/CAT: l3 cache schema is not enabled"* ]]
  run oci update --mem-bw-schema 'MB:0=50' "$ID"
  [[ $status = 1 && $output == *"Intel RDT/MBA: memory bandwidth schema is not enabled"* ]]
}
