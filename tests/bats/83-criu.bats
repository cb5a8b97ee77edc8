#!/usr/bin/env bats
# tare-oci checkpoint and restore, by what the restored container goes on doing. Needs a criu that knows this kernel: an installed one, or the
# one of tests/bats/prepare.
load helper

setup_file() {
  STATE=$(mktemp -d /tmp/tare-bats.XXXXXX)
  export STATE ROOT=$STATE/state CRIU='' WHY_NOT='no criu here'
  mkdir -p "$STATE/rootfs"
  tar -xf "$CACHE/busybox.tar" -C "$STATE/rootfs"
  local one
  for one in "$(command -v criu)" "$CACHE/criu/criu"; do
    [ -n "$one" ] && [ -x "$one" ] || continue
    if criu_works "$one" 2>/dev/null; then CRIU=$one; break; fi
    WHY_NOT="$one cannot do with this kernel"
  done
}

# A process of the host, out and in again, without us.
criu_works() {
  local dir pid ok=1
  dir=$(mktemp -d)
  setsid sleep 1000 </dev/null >/dev/null 2>&1 3>&- &
  pid=$!
  if "$1" dump -t "$pid" -D "$dir" -o log --shell-job >/dev/null 2>&1 3>&-; then
    wait "$pid" || true
    "$1" restore -d -D "$dir" -o log --shell-job >/dev/null 2>&1 3>&- && ok=0
  fi
  kill -9 "$pid" 2>/dev/null || true
  rm -rf "$dir"
  return $ok
}

teardown_file() {
  local id
  for id in $(oci list -q); do oci delete --force "$id"; done
  [ -z "$(find /sys/fs/cgroup -type d -name "oci83-*" -print -quit 2>/dev/null)" ]
  if grep -F "$STATE" /proc/mounts; then return 1; fi
  rm -rf "$STATE"
}

setup() {
  [ -n "$CRIU" ] || skip "$WHY_NOT"
  ID=oci83-$BATS_TEST_NUMBER
  BUNDLE=$STATE/$ID
  IMAGES=$STATE/images-$BATS_TEST_NUMBER
  bundle "$BUNDLE" "/oci83-groups/$ID"
}

teardown() {
  [ -z "$CRIU" ] || for id in "$ID" "$ID-b"; do oci delete --force "$id"; done
  ip netns del "$ID" 2>/dev/null || true
  for group in $(find /sys/fs/cgroup -depth -type d -name oci83-groups 2>/dev/null); do rmdir "$group"; done
}

bundle() { # DIR CGROUP: with a root of its own
  mkdir -p "$1"
  cp -a "$STATE/rootfs" "$1/rootfs"
  (cd "$1" && oci spec)
  (BUNDLE=$1; config '.process.terminal = false | .root.readonly = false | .linux.cgroupsPath = "'"$2"'"')
}

oci() { tare-oci --criu "$CRIU" --root "$ROOT" "$@"; }
config() { jq "$1" "$BUNDLE/config.json" >"$BUNDLE/new" && mv "$BUNDLE/new" "$BUNDLE/config.json"; }
args() { config ".process.args = $(jq -cn '$ARGS.positional' --args -- "$@")"; }
start() { oci run -d -b "$BUNDLE" "$@" "$ID" </dev/null >/dev/null 2>&1 3>&-; }
checkpoint() { oci checkpoint --image-path "$IMAGES" "$@" "$ID" 3>&-; }
restore() { oci restore -d -b "$BUNDLE" --image-path "$IMAGES" "$@" </dev/null >/dev/null 2>"$BUNDLE/err" 3>&- || { cat "$BUNDLE/err"; return 1; }; }
status() { oci state "${1:-$ID}" | jq -r .status; }
is() { [ "$(status "${2:-$ID}")" = "$1" ]; }
count() { wc -l <"$1" 2>/dev/null || echo 0; }
more_than() { [ "$(count "$1")" -gt "$2" ]; }
# Lines 1, 2, 3... without a gap: neither memory nor the position in the file was lost.
counted() { local lines; lines=$(cat "$1"); [ "$lines" = "$(seq "$(wc -l <<<"$lines")")" ]; }
counter() { args sh -c 'exec 9>/tmp/n; i=0; while :; do i=$((i + 1)); echo $i >&9; sleep 0.05; done'; }

@test "a counter counts on, under another name, in another place and group" {
  counter
  start
  until_true more_than "$BUNDLE/rootfs/tmp/n" 5
  mounts() { cut -d ' ' -f 1-6 /proc/self/mountinfo; } # criu itself changes options of the v2 hierarchy
  mounts >"$STATE/mounts"
  checkpoint
  run oci state "$ID"
  [ "$status" = 1 ]
  [[ $output == *"container does not exist"* ]]
  [ -z "$(find /sys/fs/cgroup -type d -name "$ID" -print -quit 2>/dev/null)" ]
  old=$BUNDLE
  BUNDLE=$STATE/$ID-elsewhere
  bundle "$BUNDLE" "/oci83-groups/$ID-b"
  counter
  cp -a "$old/rootfs/tmp/n" "$BUNDLE/rootfs/tmp/n"
  n=$(count "$old/rootfs/tmp/n")
  restore --pid-file "$BUNDLE/pid" "$ID-b"
  is running "$ID-b"
  until_true more_than "$BUNDLE/rootfs/tmp/n" $((n + 5))
  counted "$BUNDLE/rootfs/tmp/n"
  [ "$(count "$old/rootfs/tmp/n")" = "$n" ]
  diff "$STATE/mounts" <(mounts)
  pid=$(oci state "$ID-b" | jq .pid)
  [ "$pid" = "$(cat "$BUNDLE/pid")" ]
  grep -q "/oci83-groups/$ID-b\$" "/proc/$pid/cgroup"
  run grep "/oci83-groups/$ID\$" "/proc/$pid/cgroup"
  [ "$status" = 1 ]
}

@test "a restored container obeys all verbs" {
  counter
  start
  until_true more_than "$BUNDLE/rootfs/tmp/n" 2
  checkpoint
  restore "$ID"
  [ "$(oci exec "$ID" sh -c 'echo $((6 * 7))' 3>&-)" = 42 ]
  [ "$(oci exec "$ID" hostname 3>&-)" = tare ]
  oci events --stats "$ID" | jq -e '.data.pids.current >= 1'
  oci ps "$ID" | grep -q sh
  oci pause "$ID"
  is paused
  n=$(count "$BUNDLE/rootfs/tmp/n")
  oci resume "$ID"
  until_true more_than "$BUNDLE/rootfs/tmp/n" "$n"
  oci update --pids-limit 55 "$ID"
  # once more: what was restored can be saved
  checkpoint
  restore "$ID"
  until_true more_than "$BUNDLE/rootfs/tmp/n" $((n + 3))
  counted "$BUNDLE/rootfs/tmp/n"
  oci kill "$ID" KILL
  until_true is stopped
  oci delete "$ID"
  [ ! -e "$ROOT/$ID" ]
}

@test "--leave-running leaves it running, and the images bring back what it was then, with its memory file systems" {
  args sh -c 'exec 9>/dev/shm/n; i=0; while :; do i=$((i + 1)); echo $i >&9; echo $i >/tmp/last; sleep 0.05; done'
  start
  last() { cat "$BUNDLE/rootfs/tmp/last"; }
  until_true test -s "$BUNDLE/rootfs/tmp/last"
  pid=$(oci state "$ID" | jq .pid)
  checkpoint --leave-running
  is running
  [ "$(oci state "$ID" | jq .pid)" = "$pid" ]
  n=$(last)
  goes_on() { [ "$(last)" -gt $((n + 20)) ]; }
  until_true goes_on
  late=$(last)
  oci delete --force "$ID"
  restore "$ID"
  oci exec "$ID" cat /dev/shm/n 3>&- >"$BUNDLE/lines"
  counted "$BUNDLE/lines"
  [ "$(count "$BUNDLE/lines")" -lt "$late" ]
}

@test "restore in the foreground: pipes are taken up, the exit code is the process's" {
  args sh -c 'read x; echo "got $x"; echo no >&2; exit 7'
  sleep 1000 3>&- | oci run -d -b "$BUNDLE" "$ID" 2> >(cat >/dev/null 3>&-) 3>&- | cat >"$BUNDLE/first" 3>&- &
  until_true is running
  checkpoint
  run bash -c "echo more | tare-oci --criu '$CRIU' --root '$ROOT' restore -b '$BUNDLE' --image-path '$IMAGES' '$ID' 2> >(cat >'$BUNDLE/err') 3>&- | cat; exit \${PIPESTATUS[1]}"
  pkill -P $$ -x sleep || true
  [ "$status" = 7 ]
  [ "$output" = "got more" ]
  grep -qx no "$BUNDLE/err"
  [ ! -e "$ROOT/$ID" ]
}

@test "a terminal goes to whoever listens, at the start and at the restore" {
  args sh
  config '.process.terminal = true'
  cat >"$BUNDLE/listen.py" <<'PY'
import os, socket, sys, time
path, out = sys.argv[1:]
s = socket.socket(socket.AF_UNIX)
s.bind(path)
s.listen(2)
def master():
    c, _ = s.accept()
    return socket.recv_fds(c, 4096, 1)[1][0]
def until(fd, what):
    seen = b''
    while what not in seen:
        seen += os.read(fd, 4096)
fd = master()
os.write(fd, b'x=17; echo "<$x>"\n')
until(fd, b'<17>')
open(out + '.first', 'w').close()
fd = master()
os.write(fd, b'echo "[$((x + 1))]"; tty\n')
until(fd, b'[18]\r\n/dev/pts/0\r\n')
open(out + '.second', 'w').close()
time.sleep(60)
PY
  python3 "$BUNDLE/listen.py" "$BUNDLE/socket" "$BUNDLE/said" >/dev/null 2>&1 3>&- &
  listener=$!
  until_true test -S "$BUNDLE/socket"
  start --console-socket "$BUNDLE/socket"
  until_true test -e "$BUNDLE/said.first"
  checkpoint
  restore --console-socket "$BUNDLE/socket" "$ID"
  until_true test -e "$BUNDLE/said.second"
  kill "$listener"
}

@test "a TCP connection stays open, if that was asked for" {
  args sh -c 'sleep 1000 | nc -l -p 5000 >/tmp/got & sleep 0.3; { while :; do echo tick; sleep 0.1; done; } | nc 127.0.0.1 5000'
  start
  until_true more_than "$BUNDLE/rootfs/tmp/got" 2
  run checkpoint
  [ "$status" = 1 ]
  [[ $output == *"criu failed: dump: "*"log file: $IMAGES/dump.log"* ]]
  is running
  run checkpoint --tcp-established
  [[ $output != *"Can't get 1:34 opt"* ]] || skip "this criu does not know the sockets of this kernel"
  [ "$status" = 0 ]
  n=$(count "$BUNDLE/rootfs/tmp/got")
  restore --tcp-established "$ID"
  until_true more_than "$BUNDLE/rootfs/tmp/got" $((n + 3))
}

@test "binds are found again where they are now: through links, with what lies on them, below each other" {
  mkdir -p "$BUNDLE/data" "$BUNDLE/tree/sub" "$BUNDLE/below" "$BUNDLE/rootfs/real"
  ln -s /real "$BUNDLE/rootfs/link"
  mount -t tmpfs one "$BUNDLE/tree/sub"
  echo old >"$BUNDLE/data/file"
  echo in >"$BUNDLE/tree/sub/file"
  args sleep 1000
  config '.mounts += [{"destination": "/link", "source": "data", "options": ["bind"]},
                      {"destination": "/tree", "source": "tree", "options": ["rbind"]},
                      {"destination": "/real/deep/er", "source": "below", "options": ["bind"]},
                      {"destination": "/one", "source": "data/file", "options": ["bind", "ro"]}]'
  start
  checkpoint
  rm -r "$BUNDLE/data/deep" "$BUNDLE/data/file"
  echo new >"$BUNDLE/data/file"
  restore "$ID"
  [ "$(oci exec "$ID" cat /real/file /tree/sub/file /one 3>&- | xargs)" = "new in new" ]
  oci exec "$ID" touch /real/deep/er/made 3>&-
  [ -e "$BUNDLE/below/made" ]
  run oci exec "$ID" touch /one 3>&-
  [ "$status" != 0 ]
  oci delete --force "$ID"
  umount "$BUNDLE/tree/sub"
}

@test "hooks run at the restore as at a create, and after the checkpoint" {
  args sleep 1000
  config '.hooks = {"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", "cat >>'"$BUNDLE"'/create"]}],
                    "poststop": [{"path": "/bin/sh", "args": ["sh", "-c", "cat >'"$BUNDLE"'/poststop"]}]}'
  start
  rm "$BUNDLE/create"
  checkpoint
  jq -e '.status == "stopped"' "$BUNDLE/poststop"
  restore "$ID"
  [ "$(jq .pid "$BUNDLE/create")" = "$(oci state "$ID" | jq .pid)" ]
}

@test "a network namespace that is joined is joined again" {
  ip netns add "$ID"
  args sleep 1000
  config '(.linux.namespaces[] | select(.type == "network")).path = "/var/run/netns/'"$ID"'"'
  start
  checkpoint
  restore "$ID"
  [ "$(stat -Lc %i "/proc/$(oci state "$ID" | jq .pid)/ns/net")" = "$(stat -Lc %i "/var/run/netns/$ID")" ]
  oci delete --force "$ID"
  ip netns del "$ID"
}

@test "memory first, the rest later" {
  "$CRIU" check --feature mem_dirty_track >/dev/null 2>&1 || skip "this kernel does not track memory"
  counter
  start
  until_true more_than "$BUNDLE/rootfs/tmp/n" 2
  oci checkpoint --pre-dump --image-path "$STATE/images-before" "$ID" 3>&-
  is running
  checkpoint --parent-path ../images-before
  [ -e "$IMAGES/parent" ]
  n=$(count "$BUNDLE/rootfs/tmp/n")
  restore "$ID"
  until_true more_than "$BUNDLE/rootfs/tmp/n" $((n + 2))
  counted "$BUNDLE/rootfs/tmp/n"
}

@test "who is killed while restoring leaves nothing that runs, and delete takes the rest" {
  counter
  start
  checkpoint
  config '.hooks.createRuntime = [{"path": "/bin/sh", "args": ["sh", "-c", "cat >'"$BUNDLE"'/state; exec sleep 1000"]}]'
  tare-oci --criu "$CRIU" --root "$ROOT" restore -d -b "$BUNDLE" --image-path "$IMAGES" "$ID" </dev/null >/dev/null 2>&1 3>&- &
  restorer=$!
  until_true test -s "$BUNDLE/state"
  init=$(jq .pid "$BUNDLE/state")
  [ -d "/proc/$init" ]
  kill -9 "$restorer"
  gone() { ! grep -q '^State:.[^Z]' "/proc/$init/status"; }
  until_true gone
  oci delete --force "$ID"
  [ ! -e "$ROOT/$ID" ]
  [ -z "$(find /sys/fs/cgroup -type d -name "$ID" -print -quit 2>/dev/null)" ]
  kill -9 $(pgrep -fx 'sleep 1000' -g 0 2>/dev/null) 2>/dev/null || true
}

@test "what cannot be is said in one line, and changes nothing" {
  says() { # WORDS COMMAND...
    local words=$1
    shift
    run "$@" 3>&-
    [ "$status" = 1 ] && [[ $output == *"$words"* ]] && [ "${#lines[@]}" = 1 ] || { echo "$status: $output"; return 1; }
  }
  counter
  oci create -b "$BUNDLE" "$ID" </dev/null >/dev/null 2>&1 3>&-
  says 'Container cannot be checkpointed in created state' checkpoint
  oci start "$ID"
  says 'install criu' tare-oci --criu /nowhere/criu --root "$ROOT" checkpoint --image-path "$IMAGES" "$ID"
  says 'criu is not installed' tare-oci --criu nosuchcriu --root "$ROOT" checkpoint --image-path "$IMAGES" "$ID"
  says 'criu ended without an answer' tare-oci --criu /bin/true --root "$ROOT" checkpoint --image-path "$IMAGES" "$ID"
  says '--parent-path must be relative' checkpoint --parent-path /tmp
  says 'invalid --parent-path' checkpoint --parent-path ./nosuch
  says 'Use --page-server ADDRESS:PORT' checkpoint --page-server nowhere
  says 'Invalid port number' checkpoint --page-server 127.0.0.1:99999
  says 'Invalid manage cgroups mode' checkpoint --manage-cgroups-mode hard
  says 'invalid --status-fd' checkpoint --lazy-pages --status-fd 77
  says 'is not supported' checkpoint --empty-ns pid
  is running
  mkdir "$STATE/empty"
  config '.linux.cgroupsPath = "/oci83-groups/'"$ID"'-b"'
  says 'descriptors.json' oci restore -d -b "$BUNDLE" --image-path "$STATE/empty" "$ID-b"
  echo '["/dev/null", "/dev/null", "/dev/null"]' >"$STATE/empty/descriptors.json"
  says "log file: $STATE/empty/restore.log" oci restore -d -b "$STATE/$ID" --image-path "$STATE/empty" --manage-cgroups-mode soft "$ID-b"
  says 'already exists' oci restore -d -b "$BUNDLE" --image-path "$STATE/empty" "$ID"
  [ ! -e "$ROOT/$ID-b" ]
  is running
}
