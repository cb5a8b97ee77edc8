#!/usr/bin/env bats
# run: what a container is and says
load helper
setup_file() { tare_setup_file; }
teardown_file() { tare_teardown_file; }

@test "the exit code is the command's" {
  run tare run --rm --network none busybox sh -c 'exit 7'
  [ "$status" -eq 7 ]
}

@test "125 for our own errors, 126 and 127 for the command" {
  run tare run --rm --network none --no-such-flag busybox true
  [ "$status" -eq 125 ] && [ "${#lines[@]}" -le 2 ]
  run tare run --rm --network none busybox /etc/passwd
  [ "$status" -eq 126 ]
  run tare run --rm --network none busybox /no/such/command
  [ "$status" -eq 127 ]
}

@test "a process killed by a signal gives 128 and its number" {
  run tare run --rm --network none busybox sh -c 'kill -TERM $$; sleep 5' 
  [ "$status" -eq 143 ] || [ "$status" -eq 0 ]
  tare run -d --name sig --network none busybox sleep 100
  tare kill sig
  [ "$(tare wait sig)" = 137 ]
  tare rm sig
}

@test "standard streams are apart and binary" {
  tare run --rm --network none busybox sh -c 'echo out; echo err >&2' >"$STATE/out" 2>"$STATE/err"
  [ "$(cat "$STATE/out")" = out ] && [ "$(cat "$STATE/err")" = err ]
  head -c 300000 /dev/urandom >"$STATE/random"
  tare run --rm -i --network none busybox cat <"$STATE/random" | cmp - "$STATE/random"
}

@test "pid 1, host name, namespaces of its own" {
  run tare run --rm --network none -h weigh busybox sh -c 'echo $$ $(hostname); ls /sys/class/net; for n in pid mnt ipc uts net cgroup; do readlink /proc/self/ns/$n; done'
  [ "${lines[0]}" = "1 weigh" ] && [ "${lines[1]}" = lo ]
  for n in pid mnt ipc uts net cgroup; do ! [[ "$output" == *"$(readlink /proc/self/ns/$n)"* ]]; done
}

@test "default capabilities, seccomp and masked paths as docker's" {
  run tare run --rm --network none busybox sh -c 'grep -E "^(CapEff|Seccomp):" /proc/self/status; cat /proc/kcore | wc -c; ls /proc/acpi | wc -l; echo 1 > /proc/sys/kernel/hostname'
  [[ "$output" == *"CapEff:	00000000a80425fb"* ]]
  [[ "$output" == *"Seccomp:	2"* ]]
  [[ "$output" == *"Read-only file system"* ]]
  run tare run --rm --network none busybox unshare -m true
  [ "$status" -ne 0 ]
  run tare run --rm --network none busybox mount -t tmpfs x /mnt
  [ "$status" -ne 0 ]
}

@test "--privileged has every capability and no filter" {
  run tare run --rm --network none --privileged busybox sh -c 'grep Seccomp: /proc/self/status; mkdir /m; mount -t tmpfs x /m && echo mounted; ls /dev/kmsg'
  [[ "$output" == *"Seccomp:	0"* ]] && [[ "$output" == *mounted* ]] && [[ "$output" == *"/dev/kmsg"* ]]
}

@test "--cap-drop, --cap-add, no-new-privileges" {
  run tare run --rm --network none --cap-drop ALL busybox grep CapEff /proc/self/status
  [[ "$output" == *0000000000000000* ]]
  run tare run --rm --network none --cap-add SYS_TIME --cap-drop chown busybox grep CapEff /proc/self/status
  [[ "$output" == *00000000aa0425fa* ]]
  run tare run --rm --network none --security-opt no-new-privileges busybox grep NoNewPrivs /proc/self/status
  [[ "$output" == *1 ]]
}

@test "-e, --env-file, -w, -u, --entrypoint" {
  printf 'A=1\n# no\nB=two words\n' >"$STATE/env"
  run tare run --rm --network none -e C=3 --env-file "$STATE/env" -w /made/here -u 1000:1001 busybox sh -c 'echo $A $B $C; pwd; id -u; id -g; echo $HOME'
  [ "${lines[0]}" = "1 two words 3" ] && [ "${lines[1]}" = /made/here ] && [ "${lines[2]}" = 1000 ] && [ "${lines[3]}" = 1001 ]
  run tare run --rm --network none -u nobody busybox id -un
  [ "$output" = nobody ]
  run tare run --rm --network none --entrypoint echo busybox hello
  [ "$output" = hello ]
}

@test "-v, --mount, --tmpfs, --read-only" {
  mkdir -p "$STATE/data" && echo given >"$STATE/data/file"
  run tare run --rm --network none -v "$STATE/data:/data" -v "$STATE/data:/ro:ro" --tmpfs /scratch:size=1m --read-only busybox sh -c \
    'cat /data/file; echo new > /data/new; touch /ro/x; touch /scratch/y && echo scratch; touch /x'
  [[ "$output" == *given* ]] && [[ "$output" == *scratch* ]]
  [ "$(grep -c 'Read-only file system' <<<"$output")" -eq 2 ]
  [ "$(cat "$STATE/data/new")" = new ]
  run tare run --rm --network none --mount "type=bind,source=$STATE/nothere,target=/x" busybox true
  [ "$status" -eq 125 ]
}

@test "named volumes begin with what the image has and outlive the container" {
  tare run --rm --network none -v vol:/etc busybox sh -c 'echo kept > /etc/mine'
  run tare run --rm --network none -v vol:/v busybox sh -c 'cat /v/mine /v/passwd'
  [[ "$output" == kept*root:x:0* ]]
  tare volume rm vol
}

@test "limits are enforced: pids, memory, cpus, ulimit" {
  run tare run --rm --network none --pids-limit 5 busybox sh -c 'for i in 1 2 3 4 5 6 7 8; do sleep 1 & done; wait'
  [[ "$output" == *"can't fork"* ]]
  run tare run --rm --network none -m 16m busybox sh -c 'tail /dev/zero'
  [ "$status" -eq 137 ]
  run tare run --rm --network none --ulimit nofile=77:88 busybox sh -c 'ulimit -n; ulimit -Hn'
  [ "${lines[0]}" = 77 ] && [ "${lines[1]}" = 88 ]
}

@test "--user namespace: root inside is nobody outside" {
  run tare run --rm --network none --userns=private busybox sh -c 'id -u; cat /proc/self/uid_map; touch /made && ls -ln /made'
  [ "$status" -eq 0 ] && [ "${lines[0]}" = 0 ]
  [[ "${lines[1]}" =~ ^\ *0\ +[1-9] ]]
}

@test "--init reaps and forwards" {
  run tare run --rm --network none --init busybox sh -c 'ps -o pid,comm | grep " 1 "'
  [[ "$output" == *init* ]]
}

@test "an oddity in a flag is one line and leaves nothing" {
  for flags in "--memory 1k" "--cpus x" "-p 99999:1" "--restart sometimes" "-v a:b" "--network nope" "--user nosuchuser" "--name -x" "--ulimit x=1" "--security-opt x" "--log-driver x" "--cap-add nope"; do
    # shellcheck disable=SC2086
    run tare run --rm $flags busybox true
    [ "$status" -eq 125 ] || { echo "$flags: $status $output"; false; }
    [ "${#lines[@]}" -le 2 ] || { echo "$flags: $output"; false; }
  done
  [ -z "$(tare ps -aq)" ]
}
