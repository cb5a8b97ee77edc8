#!/usr/bin/env bats
# flags of run, create and exec by what they do inside the container
load helper
setup_file() { tare_setup_file; }
teardown_file() { tare_teardown_file; }

# in_container FLAGS... -- SHELL COMMAND: one container without network
in_container() {
  local flags=()
  while [ "$1" != -- ]; do flags+=("$1"); shift; done
  tare run --rm --network none "${flags[@]}" busybox sh -c "$2"
}

# refused "WORDS" FLAGS...: 125, one line that holds the words, and no container
refused() {
  local words=$1
  shift
  run tare run --rm --network none "$@" busybox true
  [ "$status" -eq 125 ] && [[ "$output" == *"$words"* ]] || { echo "$*: $status $output"; return 1; }
}

# What a control group says, by the name of its file on v1 and on v2 (as the container sees it)
limit() {
  if [ -f /sys/fs/cgroup/cgroup.controllers ]; then echo "cat /sys/fs/cgroup/$2"; else echo "cat /sys/fs/cgroup/$1"; fi
}

v2() { [ -f /sys/fs/cgroup/cgroup.controllers ]; }

@test "memory and swap limits stand in the group" {
  [ "$(in_container -m 32m -- "$(limit memory/memory.limit_in_bytes memory.max)")" = 33554432 ]
  if v2; then
    [ "$(in_container -m 32m --memory-swap 48m -- "cat /sys/fs/cgroup/memory.swap.max")" = 16777216 ]
    [ "$(in_container -m 32m --memory-swap -1 -- "cat /sys/fs/cgroup/memory.swap.max")" = max ]
  else
    [ "$(in_container -m 32m -- "cat /sys/fs/cgroup/memory/memory.memsw.limit_in_bytes")" = 67108864 ]
    [ "$(in_container -m 32m --memory-swap 48m -- "cat /sys/fs/cgroup/memory/memory.memsw.limit_in_bytes")" = 50331648 ]
    [ "$(in_container -m 32m --memory-swap -1 -- "cat /sys/fs/cgroup/memory/memory.memsw.limit_in_bytes")" -gt 1000000000000 ]
    [ "$(in_container -m 32m --memory-reservation 20m -- "cat /sys/fs/cgroup/memory/memory.soft_limit_in_bytes")" = 20971520 ]
  fi
  refused "Minimum memory limit allowed is 6MB" -m 1m
  refused "You should always set the Memory limit" --memory-swap 32m
  refused "Minimum memoryswap limit should be larger" -m 32m --memory-swap 20m
}

@test "processor limits stand in the group" {
  if v2; then
    [ "$(in_container --cpus 0.5 -- "cat /sys/fs/cgroup/cpu.max")" = "50000 100000" ]
  else
    [ "$(in_container --cpus 0.5 -- "cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us")" = 50000 ]
    [ "$(in_container --cpu-shares 300 -- "cat /sys/fs/cgroup/cpu/cpu.shares")" = 300 ]
    [ "$(in_container --cpu-period 50000 --cpu-quota 20000 -- "cat /sys/fs/cgroup/cpu/cpu.cfs_period_us")" = 50000 ]
  fi
  [[ "$(in_container --cpuset-cpus 0 -- "grep Cpus_allowed_list /proc/self/status")" == *$'\t'0 ]]
  [ "$(in_container --pids-limit 77 -- "$(limit pids/pids.max pids.max)")" = 77 ]
  [ "$(in_container --pids-limit -1 -- "$(limit pids/pids.max pids.max)")" = max ]
  refused "Range of CPUs is from 0.01 to" --cpus 9999
  refused "Requested CPUs are not available - requested 4000" --cpuset-cpus 4000
  refused "Invalid value x for cpuset cpus" --cpuset-cpus x
  refused "Conflicting options" --cpus 1 --cpu-quota 2000
}

@test "a limit this kernel lacks is a warning" {
  run in_container --blkio-weight 300 -- 'echo ran'
  [ "$status" -eq 0 ] && [[ "$output" == *ran* ]]
  v2 || [ -e /sys/fs/cgroup/blkio/blkio.weight ] || [[ "$output" == *"WARNING: Your kernel does not support Block I/O weight"* ]]
  refused "Range of blkio weight is from 10 to 1000" --blkio-weight 5
}

@test "--device: nodes, folders, access" {
  mkdir -p "$STATE/nodes/below"
  mknod "$STATE/nodes/zero" c 1 5
  mknod "$STATE/nodes/below/full" c 1 7
  echo plain >"$STATE/nodes/plain"
  [ "$(in_container --device /dev/null:/dev/other -- 'echo x >/dev/other; stat -c "%t %T" /dev/other')" = "1 3" ]
  run in_container --device "$STATE/nodes:/dev/set" -- 'find /dev/set -type c | sort; head -c 3 /dev/set/zero | wc -c'
  [ "$output" = $'/dev/set/below/full\n/dev/set/zero\n3' ]
  refused "bad mode specified: q" --device /dev/null:/dev/x:q
  refused "is not an absolute path" --device /dev/null:rel
  refused "not a device node" --device /etc/passwd
  run in_container --device-cgroup-rule 'c 1:11 r' -- 'mknod /k c 1 11; mknod /m c 1 1; head -c 1 /m'
  [[ "$output" == *"Operation not permitted"* ]]
}

@test "--sysctl reaches the container's namespaces and nothing else" {
  run in_container --sysctl net.ipv4.ip_forward=0 --sysctl kernel.shmmax=12345 --sysctl fs.mqueue.msg_max=9 -- \
    'cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shmmax /proc/sys/fs/mqueue/msg_max'
  [ "$output" = $'0\n12345\n9' ]
  [ "$(in_container --sysctl net.ipv4.conf.lo.rp_filter=2 -- 'cat /proc/sys/net/ipv4/conf/lo/rp_filter')" = 2 ]
  [ "$(in_container -- 'cat /proc/sys/net/ipv4/ip_unprivileged_port_start')" = 0 ]
  before=$(cat /proc/sys/vm/swappiness)
  for s in vm.swappiness=1 kernel.pid_max=9999 kernel.hostname=x ../../x=1 net.../../x=1 net noequals; do
    refused "is not allowed" --sysctl "$s"
  done
  [ "$(cat /proc/sys/vm/swappiness)" = "$before" ]
  run tare run --rm --network host --sysctl net.ipv4.ip_forward=1 busybox true
  [ "$status" -eq 125 ] && [[ "$output" == *"not allowed in the host network namespace"* ]]
  refused "not allowed in the host ipc namespace" --ipc host --sysctl kernel.msgmax=1
}

@test "users: names, numbers, groups, HOME" {
  [ "$(in_container -u nobody -- 'echo $(id -u) $(id -g) $HOME')" = "65534 65534 /" ]
  [ "$(in_container -u 77 --group-add 5 --group-add nogroup -- 'grep Groups: /proc/self/status' | tr -s '\t ' ' ')" = "Groups: 0 5 65534 " ]
  [ "$(in_container -e HOME=/x -- 'echo $HOME')" = /x ]
  refused "unable to find user nosuch" -u nosuch
  refused "Unable to find group nosuch" --group-add nosuch
  run in_container -t -e A=1 -- 'cat /proc/1/environ | tr "\0" "\n"'
  [ "$(sed 's/\r//; s/=.*//' <<<"$output" | tr '\n' ' ')" = "PATH HOSTNAME TERM A HOME " ]
}

@test "-v and --mount: missing sources, order, name files, links" {
  mkdir -p "$STATE/a/sub" "$STATE/b"
  echo one >"$STATE/a/f"
  echo two >"$STATE/b/f"
  ln -s a "$STATE/link"
  [ "$(in_container -v "$STATE/made/deep:/x" -- 'stat -c %a /x')" = 755 ]
  [ -d "$STATE/made/deep" ]
  [ "$(in_container -v "$STATE/b:/x/sub" -v "$STATE/a:/x" -- 'cat /x/f /x/sub/f' | tr '\n' ' ')" = "one two " ]
  [ "$(in_container -v "$STATE/link:/x" -- 'cat /x/f')" = one ]
  [ "$(in_container -v "$STATE/a/f:/etc/hosts" -- 'cat /etc/hosts')" = one ]
  run in_container -v "$STATE/a:/etc" -- 'cat /etc/f; cat /etc/hostname'
  [ "${lines[0]}" = one ] && [[ "${lines[1]}" =~ ^[0-9a-f]{12}$ ]]
  refused "vice-versa" -v "$STATE/a:/etc/passwd"
  refused "inside /proc" -v "$STATE/a:/proc/x"
  refused "not of type proc" -v "$STATE/a:/proc"
  refused "Duplicate mount point" -v "$STATE/a:/x" -v "$STATE/b:/x/"
  run in_container --read-only -- 'touch /etc/hosts; touch /dev/shm/x && echo shm'
  [[ "$output" == *"Read-only file system"* ]] && [[ "$output" == *shm* ]]
  [[ "$(in_container --mount type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=1770 -- 'stat -c %a /t; grep " /t " /proc/self/mounts')" == 1770*size=1024k* ]]
  [ "$(in_container --shm-size 2m -- 'df -k /dev/shm | tail -1 | tr -s " " | cut -d" " -f2')" = 2048 ]
}

@test "namespaces of the host and of other containers" {
  [ "$(in_container --ipc host -- 'readlink /proc/self/ns/ipc')" = "$(readlink /proc/self/ns/ipc)" ]
  [ "$(in_container --uts host -- 'hostname')" = "$(hostname)" ]
  [ "$(in_container --pid host -- 'readlink /proc/self/ns/pid')" = "$(readlink /proc/self/ns/pid)" ]
  [ "$(tare run --rm --network host busybox readlink /proc/self/ns/net)" = "$(readlink /proc/self/ns/net)" ]
  [[ "$(in_container --cgroupns host -- 'cat /proc/self/cgroup')" == */tare/* ]]
  [ -z "$(in_container --ipc none -- 'grep /dev/shm /proc/self/mounts || true')" ]
  tare run -d --name donor -h giver --network none --ipc shareable busybox sh -c 'echo shared >/dev/shm/f; exec sleep 1000'
  tare run -d --name closed --network none busybox sleep 1000
  tare create --name asleep --network none busybox true
  until_true tare exec donor test -s /dev/shm/f
  [ "$(in_container --ipc container:donor -- 'cat /dev/shm/f')" = shared ]
  [[ "$(in_container --pid container:donor -- 'ps -o args')" == *"sleep 1000"* ]]
  run tare run --rm --network container:donor busybox sh -c 'hostname; cat /etc/hostname; readlink /proc/self/ns/net'
  [ "${lines[0]}" = giver ] && [ "${lines[1]}" = giver ]
  [ "${lines[2]}" = "$(readlink "/proc/$(tare inspect -f '{{.State.Pid}}' donor)/ns/net")" ]
  refused "non-shareable IPC" --ipc container:closed
  refused "cannot join IPC of a non running container" --ipc container:asleep
  refused "cannot join PID of a non running container" --pid container:asleep
  run tare run --rm --network container:asleep busybox true
  [ "$status" -eq 125 ] && [[ "$output" == *"cannot join network of a non running container: $(tare inspect -f '{{.Id}}' asleep)"* ]]
  run tare run --rm --network container:donor -p 80 busybox true
  [ "$status" -eq 125 ] && [[ "$output" == *"conflicting options"* ]]
  refused "conflicting options: hostname and the UTS mode" --uts host -h x
  for mode in "--pid bogus" "--ipc bogus" "--uts bogus" "--userns bogus" "--cgroupns bogus"; do
    # shellcheck disable=SC2086
    refused "nvalid" $mode
  done
  tare rm -f donor closed asleep
}

@test "--time-offset shifts the clocks" {
  here=$(cut -d. -f1 /proc/uptime)
  there=$(in_container --time-offset 100000 -- 'cut -d. -f1 /proc/uptime')
  [ $((there - here)) -ge 99990 ] && [ $((there - here)) -le 100010 ]
}

@test "--security-opt: filter, profile, masks" {
  [[ "$(in_container --security-opt seccomp=unconfined -- 'grep Seccomp: /proc/self/status')" == *$'\t0' ]]
  echo '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO"}]}' >"$STATE/profile.json"
  run in_container --security-opt "seccomp=$STATE/profile.json" -- 'mkdir /x || echo denied'
  [[ "$output" == *denied* ]]
  in_container --security-opt systempaths=unconfined -- '! grep -q "/proc/kcore" /proc/self/mountinfo && [ -w /proc/sys/kernel/domainname ]'
  in_container --security-opt label=disable --security-opt apparmor=unconfined -- true
  refused "opening seccomp profile" --security-opt seccomp=/nope
  refused "invalid --security-opt" --security-opt x=y
}

@test "--userns: volumes and name files belong to its root" {
  tare run --rm --network none -v ours:/v busybox touch /v/before
  run in_container --userns private -v ours:/v -v "$STATE:/host:ro" -- 'touch /v/x /etc/hosts && stat -c %u /v/x /v/before /etc/hosts; stat -c %u /host'
  [ "$status" -eq 0 ] && [ "$output" = $'0\n0\n0\n65534' ]
  run in_container --userns private --privileged -- true
  [ "$status" -eq 125 ] && [[ "$output" == *"incompatible with user namespaces"* ]]
  tare volume rm ours
}

@test "--ulimit, --oom-score-adj, --init" {
  run in_container --ulimit nproc=500:600 --ulimit core=0 --oom-score-adj 500 -- 'grep -E "processes|core" /proc/self/limits; cat /proc/self/oom_score_adj'
  [[ "$output" =~ core\ file\ size\ +0\ +0 ]] && [[ "$output" =~ processes\ +500\ +600 ]] && [ "${lines[2]}" = 500 ]
  refused "invalid ulimit type: bogus" --ulimit bogus=2:1
  refused "soft limit must be less than or equal to hard limit" --ulimit nofile=2:1
  refused "range for oom score adj" --oom-score-adj 5000
  run in_container --init -- 'exit 5'
  [ "$status" -eq 5 ]
}

@test "--cgroup-parent" {
  [[ "$(in_container --cgroup-parent "/tt14-$$/a" --cgroupns host -- 'cat /proc/self/cgroup')" == */tt14-$$/a/* ]]
  # of every hierarchy of v1, or the one of v2; only these, since others come and go
  for group in /sys/fs/cgroup/tt14-$$ /sys/fs/cgroup/*/tt14-$$; do
    [ ! -d "$group" ] || rmdir "$group/a" "$group"
  done
}

@test "name files: --add-host, --dns, -h, --domainname" {
  run in_container --add-host a:1.2.3.4 --add-host b:::1 --dns 9.9.9.9 --dns-search x.org --dns-option ndots:3 -- 'cat /etc/hosts /etc/resolv.conf'
  [[ "$output" == *$'1.2.3.4\ta'* ]] && [[ "$output" == *$'::1\tb'* ]] && [[ "$output" == *"nameserver 9.9.9.9"* ]]
  [[ "$output" == *"search x.org"* ]] && [[ "$output" == *"options ndots:3"* ]]
  [ "$(in_container -h abc --domainname dom.x -- 'hostname; cat /proc/sys/kernel/domainname' | tr '\n' ' ')" = "abc dom.x " ]
  refused "bad format for add-host" --add-host nope
  refused "invalid IP address in add-host" --add-host a:xx
  refused "IP address is not correctly formatted" --dns bad
}

@test "--platform, --pull, --cidfile, --label, --name" {
  run in_container --platform linux/s390x --pull never -- true
  [ "$status" -eq 125 ] && [[ "$output" == *"does not match the specified platform: wanted linux/s390x"* ]]
  tare import --platform linux/s390x "$CACHE/busybox.tar" foreign >/dev/null
  run tare run --rm --network none foreign echo runs
  [ "$status" -eq 0 ] && [[ "$output" == *"WARNING: The requested image's platform (linux/s390x) does not match"*runs ]]
  tare rmi foreign
  run in_container --pull bogus -- true
  [ "$status" -eq 125 ] && [[ "$output" == *"invalid pull option"* ]]
  run tare run --rm --pull never nosuch:1 true
  [ "$status" -eq 125 ] && [[ "$output" == *"No such image: nosuch:1"* ]]
  tare run --name labelled --label a=b --label c --cidfile "$STATE/cid" --network none busybox true
  [ "$(cat "$STATE/cid")" = "$(tare inspect -f '{{.Id}}' labelled)" ]
  [ "$(tare inspect -f '{{json .Config.Labels}}' labelled)" = '{"a":"b","c":""}' ]
  run in_container --cidfile "$STATE/cid" -- true
  [ "$status" -eq 125 ] && [[ "$output" == *"container ID file found"* ]]
  tare rm labelled
}

@test "exec: exit codes, user, environment, terminal, privileges" {
  tare run -d --name target -u nobody -w /tmp -e WHO=me --network none busybox sleep 1000
  [ "$(tare exec target sh -c 'echo $(id -un) $(pwd) $WHO')" = "nobody /tmp me" ]
  [ "$(tare exec target grep Groups: /proc/self/status | tr -s '\t ' ' ')" = "Groups: 65534 " ]
  [[ "$(tare exec -t target sh -c 'tty; echo $TERM')" == /dev/*xterm* ]]
  [ -z "$(tare exec target sh -c 'echo $TERM')" ]
  run tare exec -u nosuch target true
  [ "$status" -eq 126 ]
  run tare exec target /etc
  [ "$status" -eq 126 ]
  run tare exec -w /no/such target true
  [ "$status" -eq 126 ]
  run tare exec target sh -c 'kill -9 $$'
  [ "$status" -eq 137 ]
  [[ "$(tare exec --privileged -u 0 target grep Seccomp: /proc/self/status)" == *0 ]]
  tare stop -t 0 target
  run tare exec target true
  [ "$status" -eq 1 ] && [[ "$output" == *"is not running"* ]]
  tare rm target
}

@test "stop and kill: signals and timeouts" {
  tare run -d --name usr --stop-signal USR1 --network none busybox sh -c 'trap "echo one; exit 6" USR1; trap "echo hup" HUP; echo up; while :; do sleep 0.05; done'
  until_true sh -c 'tare logs usr | grep up'
  tare kill -s SIGHUP usr
  until_true sh -c 'tare logs usr | grep hup'
  run tare kill -s nope usr
  [ "$status" -eq 1 ] && [[ "$output" == *"Invalid signal: nope"* ]]
  tare stop usr
  [ "$(tare wait usr)" = 6 ] && [ "$(tare logs usr | tail -1)" = one ]
  run tare kill usr
  [ "$status" -eq 1 ] && [[ "$output" == *"is not running"* ]]
  tare rm usr
  tare run -d --name deaf --stop-timeout 1 --network none busybox sleep 1000
  begun=$(date +%s%N)
  tare stop deaf
  took=$((($(date +%s%N) - begun) / 1000000))
  [ "$took" -ge 1000 ] && [ "$took" -lt 6000 ]
  [ "$(tare inspect -f '{{.State.ExitCode}}' deaf)" = 137 ]
  tare rm deaf
}

@test "^C reaches the container; three end the command" {
  tare run --name intr --network none busybox sh -c 'trap "echo caught; exit 7" INT; echo up; while :; do sleep 0.05; done' >"$STATE/intr" 3>&- &
  client=$!
  until_true grep up "$STATE/intr"
  kill -INT $client
  code=0
  wait $client || code=$?
  [ "$code" -eq 7 ] && grep caught "$STATE/intr"
  tare rm intr
  tare run --name three --network none busybox sh -c 'trap "" TERM; echo up; exec sleep 1000' >"$STATE/three" 2>&1 3>&- &
  client=$!
  until_true grep up "$STATE/three"
  for i in 1 2 3; do kill -TERM $client; sleep 0.2; done
  code=0
  wait $client || code=$?
  [ "$code" -eq 125 ] && grep "got 3 SIGTERM/SIGINTs" "$STATE/three"
  [ "$(tare inspect -f '{{.State.Running}}' three)" = true ]
  tare rm -f three
}

@test "logs: --since, --until, --tail" {
  tare run -d --name log --network none busybox sh -c 'echo a; sleep 0.6; echo b; printf c'
  sleep 0.3
  mid=$(date -u +%Y-%m-%dT%H:%M:%S.%NZ)
  tare wait log
  [ "$(tare logs --until "$mid" log)" = a ]
  [ "$(tare logs --since "$mid" log)" = $'b\nc' ]
  [ "$(tare logs --since 10m --tail 2 log)" = $'b\nc' ]
  [ -z "$(tare logs --tail 0 log)" ]
  tare rm log
  refused "unknown log opt 'foo'" --log-opt foo=1
  tare run --name silent --log-driver none --network none busybox echo shown
  run tare logs silent
  [ "$status" -eq 1 ]
  tare rm silent
}

@test "what contradicts itself is refused and leaves nothing" {
  refused "cannot specify both --restart and --rm" --restart always
  refused "the input device is not a TTY" -it
  run tare run -d -a stdout --network none busybox true
  [ "$status" -eq 125 ]
  run tare run -d --restart on-failure:x --network none busybox true
  [ "$status" -eq 125 ] && [[ "$output" == *"maximum retry count must be an integer"* ]]
  for flags in "--ulimit nope=1" "--cap-add nope" "--security-opt x" "--device /dev/null:x" "--sysctl x=1" "--cpus 9999"; do
    # shellcheck disable=SC2086
    run tare create $flags busybox true
    [ "$status" -ne 0 ] || { echo "$flags: $output"; false; }
  done
  [ -z "$(tare ps -aq)" ]
}
