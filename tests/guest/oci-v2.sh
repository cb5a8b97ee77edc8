#!/bin/sh
# In the guest: what tare-oci and tare do where there is cgroup v2 alone, and AppArmor.   oci-v2.sh PROGRAMS BUNDLES BUSYBOX.TAR
# Prints a line "ok NAME" or "not ok NAME" for each check.
programs=$1 bundles=$2 image=$3
export PATH="$programs:$PATH" TARE_ROOT=/mnt/root TARE_RUN=/mnt/run TARE_BRIDGE=none
top=/sys/fs/cgroup
mkdir /mnt/rootfs
tar -xf "$image" -C /mnt/rootfs

oci() { tare-oci --root /mnt/state "$@"; }
# A container of that bundle's name that sleeps, or does what its bundle says, in the background.
up() { oci create -b "$bundles/$1" "$1" </dev/null >"/mnt/$1.out" 2>&1 && oci start "$1"; }
is() { oci state "$1" | grep -q "\"status\": \"$2\""; }
until_true() {
  tries=0
  until "$@"; do
    tries=$((tries + 1))
    [ "$tries" -lt 100 ] || return 1
    sleep 0.1
  done
}
has() { echo "$1: $(cat "$1")"; [ "$(cat "$1")" = "$2" ]; }
refuses() { ! "$@" || { echo "not refused: $*"; return 1; }; }

limits() {
  group=$top/tare82/limits
  up limits
  has "$group/pids.max" 20
  has "$group/memory.max" 67108864
  has "$group/memory.high" 50331648
  has "$group/cpu.max" "50000 100000"
  has "$group/cpu.weight" 20
  [ "$(oci exec limits cat /proc/self/cgroup)" = "0::/" ]
  [ "$(oci exec limits cat /sys/fs/cgroup/pids.max)" = 20 ]
  refuses oci exec limits mkdir /sys/fs/cgroup/x
  oci update --pids-limit 30 --memory 33554432 limits
  has "$group/pids.max" 30
  has "$group/memory.max" 33554432
  oci events --stats limits | tee /dev/stderr | grep -q '"limit":30'
  oci exec -d --pid-file /mnt/limits.pid limits sleep 1000 </dev/null >/dev/null 2>&1
  grep -qx "$(cat /mnt/limits.pid)" "$group/cgroup.procs"
  oci pause limits
  has "$group/cgroup.freeze" 1
  is limits paused
  oci resume limits
  has "$group/cgroup.freeze" 0
  oci kill limits KILL
  until_true is limits stopped
  oci delete limits
  [ ! -e "$group" ]
}

out_of_memory() {
  code=0
  oci run -b "$bundles/oom" oom || code=$?
  [ "$code" = 137 ]
  [ ! -e "$top/tare/oom" ]
}

device_rules() {
  [ "$(oci run -b "$bundles/denied" denied 2>&1 | tail -n 1)" = refused ]
  [ "$(oci run -b "$bundles/allowed" allowed 2>&1 | tail -n 1)" = written ]
}

groups_end_whole() {
  up nopid
  until_true sh -c "[ \$(wc -l <$top/tare/nopid/cgroup.procs) = 3 ]"
  pids=$(cat $top/tare/nopid/cgroup.procs)
  oci kill --all nopid KILL
  for pid in $pids; do until_true sh -c "! grep -q sleep /proc/$pid/cmdline 2>/dev/null"; done
  oci delete --force nopid
  [ ! -e "$top/tare/nopid" ]
  refuses oci run -b "$bundles/busy" busy # the group of this shell is not taken
}

delegated() {
  user="setpriv --reuid 1000 --regid 1000 --clear-groups env XDG_RUNTIME_DIR=/mnt/user HOME=/mnt/user tare-oci"
  install -d -o 1000 -g 1000 -m 700 /mnt/user
  echo "+pids +memory" >$top/cgroup.subtree_control
  mkdir -p $top/user82/shell
  chown 1000:1000 $top/user82 $top/user82/cgroup.procs $top/user82/cgroup.subtree_control $top/user82/shell $top/user82/shell/cgroup.procs
  sh -c "echo \$\$ >$top/user82/shell/cgroup.procs; exec $user run -d -b $bundles/delegated delegated" </dev/null >/mnt/user.out 2>&1 || { cat /mnt/user.out; return 1; }
  has $top/user82/box/pids.max 20
  [ "$($user exec delegated id -u)" = 0 ] # from a group that its process may not be moved out of
  [ "$(sh -c "echo \$\$ >$top/user82/shell/cgroup.procs; exec $user exec delegated cat /proc/self/cgroup")" = "0::/" ]
  $user pause delegated
  has $top/user82/box/cgroup.freeze 1
  $user resume delegated
  $user update --pids-limit 25 delegated
  has $top/user82/box/pids.max 25
  $user delete --force delegated
  [ ! -e $top/user82/box ]
  [ "$(stat -c %a /mnt/user/tare-oci)" = 1700 ]
}

apparmor() {
  apparmor_parser --replace --skip-cache "$bundles/profile"
  oci run -b "$bundles/apparmor" apparmor >/mnt/apparmor.out 2>&1
  cat /mnt/apparmor.out
  grep -qx "tare-82 (enforce)" /mnt/apparmor.out
  grep -qx refused /mnt/apparmor.out
  up plain
  [ "$(oci exec plain cat /proc/self/attr/current)" = unconfined ]
  [ "$(oci exec --apparmor tare-82 plain cat /proc/self/attr/current)" = "tare-82 (enforce)" ]
  oci exec plain sh -c 'echo x >/tmp/secret'
  refuses oci exec --apparmor tare-82 plain cat /tmp/secret
  refuses oci exec --apparmor tare-82-nosuch plain true
  oci delete --force plain
}

tare_apparmor() {
  [ -e /mnt/root/tare.db ] || tare import "$image" busybox
  grep -q ^tare-82 /sys/kernel/security/apparmor/profiles
  [ "$(tare run --rm --network none --security-opt apparmor=tare-82 busybox cat /proc/self/attr/current)" = "tare-82 (enforce)" ]
  [ "$(tare run --rm --network none --security-opt apparmor=tare-82 busybox sh -c 'echo x >/tmp/secret && cat /tmp/secret || echo refused')" = refused ]
  [ "$(tare run --rm --network none --security-opt apparmor=unconfined busybox cat /proc/self/attr/current)" = unconfined ]
  refuses tare run --rm --network none --security-opt apparmor=tare-82-nosuch busybox true
  [ -z "$(tare ps -aq)" ]
}

tare_life() {
  [ -e /mnt/root/tare.db ] || tare import "$image" busybox
  [ "$(tare run --rm --network none -m 32m --pids-limit 9 --cpus 0.5 busybox sh -c 'cd /sys/fs/cgroup; cat memory.max pids.max cpu.max /proc/self/cgroup' | tr '\n' ' ')" = \
    "33554432 9 50000 100000 0::/ " ]
  [ "$(tare run --rm --network none --hugetlb-limit 2MB=4m --cgroup-conf memory.high=33554432 busybox cat /sys/fs/cgroup/hugetlb.2MB.max /sys/fs/cgroup/memory.high | tr "\n" " ")" = "4194304 33554432 " ]
  tare run -d --name box --network none busybox sleep 1000
  tare exec box sh -c 'grep -q sleep /proc/1/cmdline'
  tare pause box
  grep -qx 1 $top/tare/*/cgroup.freeze
  tare unpause box
  grep -qx 0 $top/tare/*/cgroup.freeze
  tare rm -f box
  [ -z "$(find $top/tare -mindepth 1 -type d)" ]
}

# A process that dies for want of memory is told while init lives on; checks find their group, and wait where it is frozen.
tare_watch() {
  [ -e /mnt/root/tare.db ] || tare import "$image" busybox
  tare run -d --name parent --network none -m 16m --memory-swap 16m busybox \
    sh -c 'sh -c "x=\$(head -c 300000000 /dev/zero | tr \"\\0\" x)"; echo survived; exec sleep 1000'
  until_true sh -c '[ "$(tare logs parent)" = survived ]'
  until_true sh -c '[ "$(tare inspect -f "{{.State.OOMKilled}} {{.State.Status}}" parent)" = "true running" ]'
  until_true sh -c 'tare events --since 1h --until 0s --filter container=parent --filter event=oom | grep -q oom'
  tare rm -f parent
  tare run -d --name well --network none --health-interval 300ms --health-cmd 'echo fine' busybox sleep 1000
  [ "$(timeout 30 tare wait --condition healthy well)" = -1 ]
  tare pause well
  sleep 1
  before=$(tare inspect -f '{{.State.Health.Log}}' well)
  sleep 2
  [ "$(tare inspect -f '{{.State.Health.Log}}' well)" = "$before" ]
  tare unpause well
  tare rm -f well
}

for check in limits out_of_memory device_rules groups_end_whole delegated apparmor tare_apparmor tare_life tare_watch; do
  (set -ex; $check) >/mnt/log 2>&1
  status=$?
  [ $status = 0 ] || tail -n 12 /mnt/log | sed 's/^/# /'
  if [ $status = 0 ]; then echo "ok $check"; else echo "not ok $check"; fi
done
