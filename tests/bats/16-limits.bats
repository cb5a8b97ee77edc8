#!/usr/bin/env bats
# Limits beyond memory and processors: rates of the network, and what of docker's limits is written into control groups or refused.
load helper
setup_file() { tare_setup_file; }
teardown_file() { tare_teardown_file; }

# Seconds that 2 MB take from the host to a container or back: transfer to|from OPTIONS...
transfer() {
  local way=$1 begin end
  shift
  tare run -d --name sink "$@" busybox sh -c 'while :; do if [ '"$way"' = to ]; then nc -lp 9 >/dev/null; else dd if=/dev/zero bs=1000 count=2000 2>/dev/null | nc -lp 9; fi; done' >/dev/null
  local address
  address=$(tare inspect -f '{{.NetworkSettings.IPAddress}}' sink)
  until_true tare exec sink sh -c 'netstat -ltn | grep -q :9'
  begin=$(date +%s%N)
  if [ "$way" = to ]; then
    head -c 2000000 /dev/zero | nc -N -w 30 "$address" 9 >/dev/null
  else
    [ "$(nc -d -w 30 "$address" 9 </dev/null | wc -c)" = 2000000 ]
  fi
  end=$(date +%s%N)
  tare rm -f sink >/dev/null
  echo $(((end - begin) / 1000000))
}

@test "--net-rate-in limits what a container receives" {
  [ "$(transfer to --net-rate-in 8mbit)" -ge 1000 ]
}

@test "--net-rate-out limits what a container sends" {
  [ "$(transfer from --net-rate-out 1mbps)" -ge 1000 ]
}

@test "rates are those of the direction, kept over a restart, and refused where they would not hold" {
  tare run -d --name rates --net-rate-in 10mbit --net-rate-out 20gbit busybox sleep 100
  local host
  host=$(ip -o link show type veth | grep -o "tv$(tare inspect -f '{{.Id}}' rates | cut -c1-11)")
  tc qdisc show dev "$host" | tee /dev/stderr | grep -q 'tbf .*rate 10Mbit'
  nsenter -t "$(tare inspect -f '{{.State.Pid}}' rates)" -n tc qdisc show dev eth0 | grep -q 'tbf .*rate 20Gbit'
  tare restart -t 0 rates
  tc qdisc show dev "$host" | grep -q 'tbf .*rate 10Mbit'
  tare rm -f rates
  for bad in 10 fast 0mbit 10mbit/s 99999tbit -1mbit; do
    run tare run --rm --net-rate-in "$bad" busybox true
    [ "$status" -eq 125 ]
  done
  run tare run --rm --network none --net-rate-out 1mbit busybox true
  [ "$status" -eq 125 ]
  [[ "$output" == *"--net-rate-out and the network mode none"* ]]
  [ -z "$(tare ps -aq)" ]
}

# A file of the container's control group on the host: group_file CONTROLLER CONTAINER FILE
group_file() {
  local pid path
  pid=$(tare inspect -f '{{.State.Pid}}' "$2")
  path=$(sed -n "s/^[0-9]*:\(.*,\)\{0,1\}$1\(,.*\)\{0,1\}://p" "/proc/$pid/cgroup")
  cat "/sys/fs/cgroup/$1$path/$3"
}

@test "--net-cls-classid, --hugetlb-limit" {
  local size
  size=$(ls -d /sys/fs/cgroup/hugetlb/hugetlb.*.limit_in_bytes 2>/dev/null | head -n 1 | sed 's/.*hugetlb\.\([^.]*\)\..*/\1/')
  [ -n "$size" ] && [ -e /sys/fs/cgroup/net_cls/net_cls.classid ] || skip "cgroup v1 net_cls and hugetlb are not mounted"
  tare run -d --name classes --network none --net-cls-classid 0x100001 --hugetlb-limit "$size=64m" busybox sleep 100
  [ "$(group_file net_cls classes net_cls.classid)" = 1048577 ]
  [ "$(group_file hugetlb classes "hugetlb.$size.limit_in_bytes")" = 67108864 ]
  tare rm -f classes
}

@test "--mac-address is the container's, and reachable" {
  tare run -d --name mac --mac-address 92:d0:c6:0a:29:33 -p "$PORT_BASE:80" busybox sh -c 'echo hello >/tmp/index.html; httpd -f -p 80 -h /tmp'
  [ "$(tare exec mac cat /sys/class/net/eth0/address)" = 92:d0:c6:0a:29:33 ]
  [ "$(tare inspect -f '{{.NetworkSettings.MacAddress}}' mac)" = 92:d0:c6:0a:29:33 ]
  until_true curl -sf "http://127.0.0.1:$PORT_BASE/"
  tare restart -t 0 mac
  [ "$(tare exec mac cat /sys/class/net/eth0/address)" = 92:d0:c6:0a:29:33 ]
  tare rm -f mac
}

@test "what cannot be limited here is refused, and nothing is left" {
  refused() {
    run tare run --rm "${@:2}" busybox true
    [ "$status" -eq 125 ] && [[ "$output" == *"$1"* ]] || { echo "${*:2}: $status $output"; return 1; }
  }
  [ -e /sys/fs/cgroup/cpu/cpu.rt_runtime_us ] || refused "real-time" --cpu-rt-runtime 1000
  refused "--net-cls-classid" --net-cls-classid x
  refused "size of a page" --hugetlb-limit 64m
  refused "invalid MAC" --mac-address 01:00:00:00:00:00
  refused "invalid MAC" --mac-address 2:2
  refused "range is 10 to 1000" --blkio-weight-device "$(findmnt -no SOURCE / | grep '^/dev/' || ls /dev/loop0):5"
  refused "--gpus" --gpus all
  refused "--ip6" --ip6 2001:db8::33
  refused "--link" --link a:b
  refused "--network-alias" --network-alias a
  refused "--isolation" --isolation hyperv
  refused "only \"local\"" --volume-driver nfs
  tare run --rm --network none --isolation default --volume-driver local busybox true
  [ -z "$(tare ps -aq)" ]
}
