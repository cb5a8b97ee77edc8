#!/usr/bin/env bats
# update: by effect on what runs, and on what is started afterwards.
load helper
setup_file() { tare_setup_file; }
teardown_file() { tare_teardown_file; }
teardown() { tare ps -aq | xargs -r tare rm -f >/dev/null; }

stopped() { [ "$(tare inspect -f '{{.State.Running}}' "$1")" = false ]; }
group_file() { # NAME CONTROLLER V1-FILE V2-FILE
  local id
  id=$(tare inspect -f '{{.Id}}' "$1")
  cat "/sys/fs/cgroup/$2/tare/$id/$3" 2>/dev/null || cat "/sys/fs/cgroup/tare/$id/$4"
}
serve() { # NAME PORT WORD [options]
  tare run -d --name "$1" "${@:4}" busybox sh -c "while :; do echo $3 | nc -l -p $2; done"
}
answers() { [ "$(nc -w 1 127.0.0.1 "$1" </dev/null)" = "$2" ]; }
silent() { ! nc -z -w 1 127.0.0.1 "$1"; }

@test "limits of a running container change at once, and are kept" {
  tare run -d --name up-one busybox sleep 1000
  [ "$(tare update --memory 64m --cpus 0.5 --cpu-shares 512 --pids-limit 20 up-one)" = up-one ]
  [ "$(group_file up-one memory memory.limit_in_bytes memory.max)" = 67108864 ]
  [ "$(group_file up-one pids pids.max pids.max)" = 20 ]
  [[ $(group_file up-one cpu cpu.cfs_quota_us cpu.max) == 50000* ]]
  [ "$(tare inspect -f '{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.HostConfig.CpuShares}} {{.HostConfig.PidsLimit}}' up-one)" = "67108864 500000000 512 20" ]
  tare restart -t 0 up-one
  [ "$(group_file up-one memory memory.limit_in_bytes memory.max)" = 67108864 ]
  [ "$(group_file up-one pids pids.max pids.max)" = 20 ]
  # lower and higher, with swap following
  tare update -m 32m up-one
  tare update -m 128m up-one
  [ "$(group_file up-one memory memory.limit_in_bytes memory.max)" = 134217728 ]
  tare update -m -1 --pids-limit -1 up-one
  [[ $(group_file up-one memory memory.limit_in_bytes memory.max) =~ ^(max|922337203685477.*)$ ]]
  [ "$(group_file up-one pids pids.max pids.max)" = max ]
}

@test "a new memory limit binds what runs" {
  tare run -d --name up-eater -m 256m busybox sh -c 'while [ ! -e /go ]; do sleep 0.05; done; dd if=/dev/zero of=/dev/null bs=100M count=1; echo $? >/done; sleep 1000'
  tare update -m 20m --memory-swap 20m up-eater
  tare exec up-eater touch /go
  until_true tare exec up-eater test -s /done
  [ "$(tare exec up-eater cat /done)" = 137 ]
}

@test "several containers, stopped ones too; one that is not there does not keep the others from it" {
  tare create --name up-a busybox true
  tare run -d --name up-b busybox sleep 1000
  run tare update --cpu-shares 300 up-a up-nobody up-b
  [ "$status" -eq 1 ]
  [[ $output == *"No such container: up-nobody"* ]]
  [ "$(tare inspect -f '{{.HostConfig.CpuShares}}' up-a up-b | tr '\n' ' ')" = "300 300 " ]
  [ -z "$(ls "$TARE_RUN/containers" | grep "$(tare inspect -f '{{.Id}}' up-a)")" ]
}

@test "what run refuses is refused, and nothing is changed" {
  tare run -d --name up-no -m 64m --memory-swap 64m --cpu-quota 20000 busybox sleep 1000
  before=$(tare inspect up-no)
  while read -r message options; do
    # shellcheck disable=SC2086
    run tare update $options up-no
    [ "$status" -ne 0 ] || { echo "accepted: $options"; return 1; }
    [[ $output == *"${message//_/ }"* ]] || { echo "$options: $output"; return 1; }
  done <<'ROWS'
Minimum_memory_limit_allowed --memory 1m
update_the_memoryswap_at_the_same_time --memory 128m
cannot_be_updated_as_CPU_Quota --cpus 1
cpuset_cpus --cpuset-cpus nonsense
not_available --cpuset-cpus 9999
invalid_restart_policy --restart sometimes
no_label_nothing --label-rm nothing
no_environment_variable_NOTHING --env-rm NOTHING
is_not_published --publish-rm 1:1
nothing_of_the_definition --mount-rm /etc
does_not_exist --mount-add type=bind,src=/no/such/folder,dst=/x
ROWS
  run tare update up-no
  [ "$status" -ne 0 ]
  [ "$(tare inspect up-no)" = "$before" ]
}

@test "a limit the kernel refuses leaves the definition as it was" {
  tare run -d --name up-full busybox sh -c 'dd if=/dev/zero of=/dev/shm/x bs=1M count=40; sleep 1000'
  until_true tare exec up-full sh -c '[ "$(wc -c </dev/shm/x)" -ge 41943040 ]'
  [ ! -e /sys/fs/cgroup/cgroup.controllers ] || skip "v2 takes any limit and reclaims"
  run tare update --memory 10m --memory-swap 10m --pids-limit 77 up-full
  [ "$status" -ne 0 ]
  [ "$(tare inspect -f '{{.HostConfig.Memory}} {{.HostConfig.PidsLimit}}' up-full)" != "10485760 77" ]
  [ "$(group_file up-full pids pids.max pids.max)" = max ]
}

@test "the restart policy of a running container" {
  tare run -d --name up-again busybox sh -c 'sleep 0.5; exit 3'
  tare update --restart on-failure:1 up-again
  until_true sh -c '[ "$(tare inspect -f "{{.RestartCount}} {{.State.Running}}" up-again)" = "1 false" ]'
  tare run -d --rm --name up-rm busybox sleep 1000
  run tare update --restart always up-rm
  [[ $output == *"AutoRemove is enabled"* ]]
}

@test "labels at once, environment from the next start on" {
  tare run -d --name up-words -l old=1 -e KEEP=1 -e DROP=1 busybox sh -c 'env; sleep 1000'
  run tare update --label-add new=2 --label-rm old --env-add MORE=3 --env-rm DROP up-words
  [[ $output == *"up-words: from the next start on: environment"* ]]
  [ "$(tare inspect -f '{{json .Config.Labels}}' up-words)" = '{"new":"2"}' ]
  [ "$(tare ps -q --filter label=new=2 | wc -l)" = 1 ]
  tare restart -t 0 up-words
  run tare exec up-words env
  [[ $output == *MORE=3* && $output == *KEEP=1* && $output != *DROP* ]]
}

@test "hosts at once and at the next start" {
  tare run -d --name up-hosts busybox sleep 1000
  [ "$(tare update --add-host db.example:10.9.8.7 up-hosts 2>&1)" = up-hosts ]
  tare exec up-hosts grep -q "^10.9.8.7	db.example$" /etc/hosts
  tare restart -t 0 up-hosts
  tare exec up-hosts grep -q "^10.9.8.7	db.example$" /etc/hosts
}

@test "ports come and go while it runs" {
  serve up-web 80 web -p $((PORT_BASE + 1)):80
  until_true answers $((PORT_BASE + 1)) web
  tare update --publish-add $((PORT_BASE + 2)):80 up-web
  until_true answers $((PORT_BASE + 2)) web
  [ "$(tare port up-web | wc -l)" = 2 ]
  tare update --publish-rm $((PORT_BASE + 1)):80 up-web
  silent $((PORT_BASE + 1))
  until_true answers $((PORT_BASE + 2)) web
  [[ $(tare port up-web) == *":$((PORT_BASE + 2))" ]]
  # the definition follows
  tare restart -t 0 up-web
  until_true answers $((PORT_BASE + 2)) web
  silent $((PORT_BASE + 1))
  # one chosen by us, and one taken away by its port alone
  tare update --publish-rm 80 up-web
  silent $((PORT_BASE + 2))
  tare update --publish-add 80 up-web
  until_true answers "$(tare port up-web 80 | sed 's/.*://')" web
}

@test "a port of another container or of the host is refused, and the lease is not lost" {
  serve up-first 80 first -p $((PORT_BASE + 3)):80
  serve up-second 80 second
  run tare update --publish-add $((PORT_BASE + 3)):80 up-second
  [[ $output == *"port is already allocated"* ]]
  nc -l -p $((PORT_BASE + 4)) -s 127.0.0.1 3>&- &
  pid=$!
  until_true sh -c "ss -ltn | grep -q :$((PORT_BASE + 4))"
  run tare update --memory 64m --publish-add 127.0.0.1:$((PORT_BASE + 4)):80 up-second
  kill $pid
  [[ $output == *"address already in use"* ]]
  [ "$(tare inspect -f '{{.HostConfig.Memory}}' up-second)" = 0 ]
  [ -z "$(tare port up-second)" ]
  until_true answers $((PORT_BASE + 3)) first
  # given up there it can be had here
  tare update --publish-add $((PORT_BASE + 5)):80 up-first
  tare update --publish-rm $((PORT_BASE + 5)):80 up-first
  tare update --publish-add $((PORT_BASE + 5)):80 up-second
  until_true answers $((PORT_BASE + 5)) second
  # that of its start too: a container takes over from another
  tare update --publish-rm $((PORT_BASE + 3)):80 up-first
  tare update --publish-add $((PORT_BASE + 3)):80 up-second
  until_true answers $((PORT_BASE + 3)) second
  # and no program of the host gets it
  run timeout 1 nc -l -p $((PORT_BASE + 3))
  [[ $status -ne 124 && $output == *"in use"* ]]
}

@test "folders, files and volumes are mounted while it runs, and taken away" {
  mkdir "$STATE/shared"
  echo hello >"$STATE/shared/file"
  tare run -d --name up-mounts busybox sleep 1000
  [ "$(tare update --mount-add "type=bind,src=$STATE/shared,dst=/made/here" --mount-add "type=bind,src=$STATE/shared/file,dst=/one,ro" \
    --volume-add up-volume:/volume --mount-add type=tmpfs,dst=/small,tmpfs-size=1m up-mounts 2>&1)" = up-mounts ]
  [ "$(tare exec up-mounts cat /made/here/file /one | tr '\n' ' ')" = "hello hello " ]
  tare exec up-mounts sh -c 'echo back >/made/here/answer; echo kept >/volume/x'
  [ "$(cat "$STATE/shared/answer")" = back ]
  run tare exec up-mounts sh -c 'echo x >/one'
  [ "$status" -ne 0 ]
  run tare exec up-mounts dd if=/dev/zero of=/small/x bs=1M count=2
  [ "$status" -ne 0 ]
  ! grep -F "$STATE/shared" /proc/mounts
  [ "$(tare run --rm -v up-volume:/v busybox cat /v/x)" = kept ]
  run tare volume rm up-volume
  [ "$status" -ne 0 ]
  tare restart -t 0 up-mounts
  [ "$(tare exec up-mounts cat /made/here/file /volume/x | tr '\n' ' ')" = "hello kept " ]
  [ "$(tare update --mount-rm /made/here --mount-rm /one --mount-rm /volume up-mounts 2>&1)" = up-mounts ]
  run tare exec up-mounts sh -c 'ls /made/here; cat /proc/mounts'
  [[ $output != *answer* && $output != *" /one "* && $output != *" /volume "* ]]
  tare volume rm up-volume
  tare restart -t 0 up-mounts
  run tare exec up-mounts cat /made/here/file
  [ "$status" -ne 0 ]
}

@test "a mount lands inside, whatever links the container has laid" {
  mkdir "$STATE/secret"
  tare run -d --name up-links busybox sh -c 'ln -s ../../../../tmp /trap; ln -s /proc/1/root/tmp /trap2; sleep 1000'
  until_true tare exec up-links test -L /trap2
  tare update --mount-add "type=bind,src=$STATE/secret,dst=/trap/up-links" up-links
  [ ! -e /tmp/up-links ]
  tare exec up-links test -d /tmp/up-links
}

@test "a mount of a container in its own user namespace belongs to its root" {
  mkdir "$STATE/userns"
  tare run -d --name up-user --userns private busybox sleep 1000
  tare update --volume-add up-mapped:/data up-user
  tare exec up-user sh -c 'echo x >/data/y'
  [ "$(tare exec up-user stat -c %u /data/y)" = 0 ]
}

@test "the event, and a container that was killed meanwhile has the new definition" {
  tare run -d --name up-told busybox sleep 1000
  tare update --cpu-shares 200 up-told
  [ "$(tare events --since 1m --until 0s --filter event=update --filter container=up-told --format '{{.Action}}')" = update ]
  tare kill up-told
  until_true stopped up-told
  tare update --memory 64m up-told
  tare start up-told
  [ "$(group_file up-told memory memory.limit_in_bytes memory.max)" = 67108864 ]
  tare system check
}
