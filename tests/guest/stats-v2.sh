#!/bin/sh
# In the guest: stats, metering and update of tare where there is cgroup v2 alone.   stats-v2.sh PROGRAMS BUSYBOX.TAR
# Prints a line "ok NAME" or "not ok NAME" for each check.
programs=$1 image=$2
export PATH="$programs:$PATH" TARE_ROOT=/mnt/root TARE_RUN=/mnt/run TARE_BRIDGE=none
top=/sys/fs/cgroup

until_true() {
  tries=0
  until "$@"; do
    tries=$((tries + 1))
    [ "$tries" -lt 100 ] || return 1
    sleep 0.1
  done
}
more_than() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a > b) }'; }
number() { tare stats --metering --format "{{.$2}}" "$1"; }

live() {
  tare run -d --name full --network none -m 64m busybox sh -c 'dd if=/dev/zero of=/dev/shm/x bs=1M count=30; while :; do :; done'
  until_true tare exec full test -s /dev/shm/x
  tare stats --no-stream --format '{{.Name}} {{.CPUPerc}} {{.MemUsage}} {{.PIDs}}' | tee /mnt/stats
  grep -Eq '^full [1-9][0-9.]*% 3[0-9.]*MiB / 64MiB 1$' /mnt/stats
}

metered() {
  sleep 1
  tare stop -t 0 full
  tare stats --metering --format json full
  more_than "$(number full CPUSeconds)" 0.1
  more_than "$(number full MemoryByteSeconds)" 20000000
  tare start full
  tare kill full
  until_true sh -c '[ "$(tare inspect -f "{{.State.Running}}" full)" = false ]'
  [ "$(number full Runs)" = 2 ]
}

pressure() {
  [ -e $top/cpu.pressure ] || [ -e /proc/pressure/cpu ] || return 0
  tare run -d --name pressed --network none --cpuset-cpus 0 busybox sh -c 'while :; do :; done & while :; do :; done'
  until_true sh -c 'awk "/some/ { exit !(substr(\$5, 7) > 100000) }" $top/tare/*/cpu.pressure' || return 0
  more_than "$(number pressed CPUWaitingSeconds)" 0.05
  tare system metrics | grep '^container_pressure_cpu_waiting_seconds_total{.*name="pressed"}'
  tare rm -f pressed
}

updated() {
  tare run -d --name box --network none -m 64m busybox sleep 1000
  id=$(tare inspect -f '{{.Id}}' box)
  tare update -m 32m --memory-swap 48m --cpus 0.5 --cpu-shares 512 --pids-limit 9 box
  [ "$(cat "$top/tare/$id/memory.max")" = 33554432 ]
  [ "$(cat "$top/tare/$id/pids.max")" = 9 ]
  [ "$(cat "$top/tare/$id/cpu.max")" = "50000 100000" ]
  [ "$(cat "$top/tare/$id/cpu.weight")" = 20 ]
  [ ! -e "$top/tare/$id/memory.swap.max" ] || [ "$(cat "$top/tare/$id/memory.swap.max")" = 16777216 ]
  [ "$(tare exec box cat /sys/fs/cgroup/memory.max)" = 33554432 ]
  tare update -m -1 --pids-limit -1 box
  [ "$(cat "$top/tare/$id/memory.max") $(cat "$top/tare/$id/pids.max")" = "max max" ]
  tare update --cpuset-cpus 0 --memory-reservation 16m box
  [ "$(cat "$top/tare/$id/cpuset.cpus")" = 0 ]
  [ "$(cat "$top/tare/$id/memory.low")" = 16777216 ]
}

mounted() {
  mkdir -p /mnt/shown
  echo shown >/mnt/shown/file
  tare update --mount-add type=bind,src=/mnt/shown,dst=/new/place box
  [ "$(tare exec box cat /new/place/file)" = shown ]
  tare update --mount-rm /new/place box
  ! tare exec box cat /new/place/file
}

tare import "$image" busybox >/dev/null
for check in live metered pressure updated mounted; do
  (set -ex; $check) >/mnt/log 2>&1
  status=$?
  [ $status = 0 ] || tail -n 12 /mnt/log | sed 's/^/# /'
  if [ $status = 0 ]; then echo "ok $check"; else echo "not ok $check"; fi
done
