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
