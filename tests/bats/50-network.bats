#!/usr/bin/env bats
# the default bridge: addresses, NAT, published ports, names; alone and beside a dockerd that drops what is forwarded.
# All of it runs in a network namespace of its own, with another one as the world outside, so the machine's rules are not touched.
load helper

setup_file() {
  export INSIDE=tare-in$$ OUTSIDE=tare-out$$ HOST_IP=198.18.50.1 OUT_IP=198.18.50.2
  ip netns add "$INSIDE" && ip netns add "$OUTSIDE"
  ip -n "$INSIDE" link add up0 type veth peer name eth0 netns "$OUTSIDE"
  ip -n "$INSIDE" addr add $HOST_IP/30 dev up0 && ip -n "$OUTSIDE" addr add $OUT_IP/30 dev eth0
  for ns in "$INSIDE up0" "$OUTSIDE eth0"; do ip -n ${ns% *} link set lo up && ip -n ${ns% *} link set ${ns#* } up; done
  ip -n "$INSIDE" route add default via $OUT_IP
  inside sysctl -qw net.ipv4.ip_forward=0
  tare_setup_file
  export WEB=$PORT_BASE
  background outside "$OUTSIDE" busybox httpd -f -p 8000 -h "$TOP/examples/web"
}

teardown_file() {
  local file
  for file in "$STATE"/*.pid; do stop "$(basename "$file" .pid)"; done
  inside ip link del "$TARE_BRIDGE" || true
  ip netns del "$INSIDE"
  ip netns del "$OUTSIDE"
  tare() { "$TOP/build/tare" "$@"; }
  tare_teardown_file
}

# A program of the test in a network namespace: background NAME NETNS COMMAND..., and its end: stop NAME
background() {
  local name=$1 file
  case $2 in /*) file=$2 ;; *) file=/run/netns/$2 ;; esac
  shift 2
  nsenter "--net=$file" "$@" >"$STATE/$name.log" 2>&1 </dev/null 3>&- &
  echo $! >"$STATE/$name.pid"
}
stop() {
  local pid
  [ -e "$STATE/$1.pid" ] || return 0
  pid=$(cat "$STATE/$1.pid")
  kill "$pid" 2>/dev/null || true
  until_true gone "$pid" || kill -9 "$pid"
  rm -f "$STATE/$1.pid"
}
gone() { [ ! -e "/proc/$1" ] || grep -q '^State:.Z' "/proc/$1/status"; }

inside() { nsenter "--net=/run/netns/$INSIDE" "$@"; }
outside() { nsenter "--net=/run/netns/$OUTSIDE" "$@"; }
tare() { inside "$TOP/build/tare" "$@"; }
address() { tare inspect -f '{{.NetworkSettings.IPAddress}}' "$1"; }
fetch() { timeout 5 busybox wget -q -O - "http://$1/"; }
fetch_inside() { inside bash -c "fetch $1"; }
fetch_outside() { outside bash -c "fetch $1"; }
export -f inside outside tare fetch
# asks a UDP echo: echoed ADDRESS PORT
echoed() { python3 -c 'import socket,sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(3); s.connect((sys.argv[1], int(sys.argv[2]))); s.send(b"ping"); print(s.recv(9).decode())' "$1" "$2"; }
export -f echoed
serve() { local name=$1; shift; tare run -d --name "$name" "$@" busybox sh -c "mkdir /www; echo page of $name > /www/index.html; exec httpd -f -p 80 -h /www" >/dev/null; }
# a UDP echo at port 53 of a container
serve_udp() {
  background "udp-$1" "/proc/$(tare inspect -f '{{.State.Pid}}' "$1")/ns/net" python3 -c 'import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("0.0.0.0", 53))
while True: s.sendto(*s.recvfrom(99))'
  until_true inside bash -c "echoed $(address "$1") 53"
}
# page NAME COMMAND...: the command prints the page of that container
page() { local name=$1; shift; run "$@"; [ "$output" = "page of $name" ] || { echo "$*: $output"; return 1; }; }
refuses() { run "$@"; [ "$status" -ne 0 ] || { echo "$*: $output"; return 1; }; }
from() { local name=$1; shift; tare exec "$name" timeout 5 wget -q -O - "http://$1/"; }

# What must work whoever else has rules here
everything_reaches() {
  local one two
  serve one -p "$WEB:80" -p "$((WEB + 1)):53/udp" -p "127.0.0.1:$((WEB + 2)):80"
  serve two
  one=$(address one) two=$(address two)
  until_true fetch_inside "$one" && until_true fetch_inside "$two"
  page one fetch_inside "$one"                                  # host to container
  page one from two "$one"                                      # container to container
  page two from one "$two"
  [[ "$(from two "$OUT_IP:8000")" == *"weighs next"* ]]         # out, masqueraded: the way back is not known there
  page one fetch_outside "$HOST_IP:$WEB"                        # in, by the published port
  page one fetch_inside "$HOST_IP:$WEB"
  page one fetch_inside "127.0.0.1:$WEB"
  page one fetch_inside "127.0.0.1:$((WEB + 2))"
  refuses fetch_outside "$HOST_IP:$((WEB + 2))"                 # bound to loopback alone
  page one from two "$HOST_IP:$WEB"                             # container, by the host's address
  page one from one "$HOST_IP:$WEB"                             # itself, by the host's address
  serve_udp one
  [ "$(outside bash -c "echoed $HOST_IP $((WEB + 1))")" = ping ]
  [ "$(inside bash -c "echoed 127.0.0.1 $((WEB + 1))")" = ping ]
  [ "$(inside bash -c "echoed $HOST_IP $((WEB + 1))")" = ping ]
  ip -n "$OUTSIDE" route add "$two" via "$HOST_IP"              # not published: not reached, though the way is known
  refuses outside nc -z -w 1 "$two" 80
  ip -n "$OUTSIDE" route del "$two"
  stop udp-one
  tare rm -f one two >/dev/null
  refuses fetch_inside "127.0.0.1:$WEB"
  refuses fetch_outside "$HOST_IP:$WEB"
}

@test "an address on the bridge, a gateway, a default route" {
  run tare run --rm busybox sh -c 'ip -4 -o addr show eth0; ip route; cat /sys/class/net/eth0/operstate; ip link show lo'
  [[ "$output" =~ inet\ ([0-9.]+)/[0-9]+ ]]
  [[ "$output" == *"default via $(inside ip -4 -o addr show "$TARE_BRIDGE" | sed 's/.*inet \([0-9.]*\).*/\1/') dev eth0"* ]]
  [[ "$output" == *"LOOPBACK,UP"* ]]
}

@test "every way in and out, alone" { everything_reaches; }

@test "tare port, ps and inspect tell what is published; -P takes what is exposed" {
  printf 'FROM busybox\nEXPOSE 80 53/udp\nCMD ["sleep", "1000"]\n' | tare build -q -t exposes - >/dev/null
  tare run -d --name every -P exposes >/dev/null
  [ "$(tare port every | wc -l)" -ge 2 ]
  port=$(tare port every 80 | head -n 1 | sed 's/.*://')
  [ "$port" -gt 1024 ]
  [[ "$(tare ps --format '{{.Ports}}')" == *"0.0.0.0:$port->80/tcp"* ]]
  [ "$(tare inspect -f '{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}}' every)" = "$port" ]
  run tare port every 81
  [ "$status" -eq 1 ] && [ "${#lines[@]}" -eq 1 ]
  tare rm -f every >/dev/null
  serve range -p "$((WEB + 3))-$((WEB + 5)):80-82"
  [ "$(tare port range | grep -c 0.0.0.0)" -eq 3 ]
  tare rm -f range >/dev/null
}

@test "a port that is taken: by a container, by a process" {
  serve first -p "$WEB:80"
  run tare run -d --name second -p "$WEB:80" busybox true
  [ "$status" -eq 125 ] && [[ "$output" == *"port is already allocated"* || "$output" == *"already in use"* ]]
  tare rm -f first second >/dev/null 2>&1 || true
  background taker "$INSIDE" busybox httpd -f -p "$WEB" -h "$TOP/examples/web"
  until_true inside nc -z 127.0.0.1 "$WEB"
  run tare run -d --name third -p "$WEB:80" busybox true
  [ "$status" -eq 125 ] && [[ "$output" == *"address already in use"* ]]
  stop taker
  tare rm -f third >/dev/null 2>&1 || true
  serve fourth -p "$WEB:80"   # free again
  until_true fetch_inside "127.0.0.1:$WEB"
  tare stop -t 0 fourth >/dev/null && tare start fourth >/dev/null
  until_true fetch_inside "127.0.0.1:$WEB"
  tare rm -f fourth >/dev/null
}

@test "/etc/hosts, /etc/resolv.conf, /etc/hostname, --add-host, --dns" {
  run tare run --rm -h named --add-host "db:198.18.99.7" --add-host gw:host-gateway busybox cat /etc/hosts /etc/hostname
  [[ "$output" == *"127.0.0.1"*localhost* ]] && [[ "$output" =~ [0-9.]+[[:space:]]named ]] && [[ "$output" =~ 198.18.99.7[[:space:]]db ]] && [ "${lines[-1]}" = named ]
  [[ "$output" =~ $(inside ip -4 -o addr show "$TARE_BRIDGE" | sed 's/.*inet \([0-9.]*\).*/\1/')[[:space:]]gw ]]
  run tare run --rm --dns 198.18.99.53 --dns-search some.where --dns-option ndots:3 busybox cat /etc/resolv.conf
  [[ "$output" == *"nameserver 198.18.99.53"* ]] && [[ "$output" == *"search some.where"* ]] && [[ "$output" == *ndots:3* ]]
  run tare run --rm busybox cat /etc/resolv.conf
  [[ "$output" == *nameserver* ]]
  run tare run --rm --dns nonsense busybox true
  [ "$status" -eq 125 ] && [ "${#lines[@]}" -le 2 ]
}

@test "--network none, host, container:X" {
  [ "$(tare run --rm --network none busybox ls /sys/class/net)" = lo ]
  [ "$(tare run --rm --network host busybox readlink /proc/self/ns/net)" = "$(inside readlink /proc/self/ns/net)" ]
  [[ "$(tare run --rm --network host busybox ip -4 addr)" == *$HOST_IP* ]]
  serve base
  until_true tare run --rm --network container:base busybox wget -q -O - http://127.0.0.1/
  [ "$(tare run --rm --network container:base busybox hostname)" = "$(tare exec base hostname)" ]
  tare rm -f base >/dev/null
  run tare run --rm --network container:nobody busybox true
  [ "$status" -eq 125 ]
}

@test "addresses come back, and are not given twice" {
  for _ in 1 2 3 4 5; do tare run --rm busybox true; done
  ids=$(for i in 1 2 3 4 5 6; do tare run -d --name "many$i" busybox sleep 1000; done)
  # shellcheck disable=SC2086
  [ "$(tare inspect -f '{{.NetworkSettings.IPAddress}}' $ids | sort -u | wc -l)" -eq 6 ]
  # shellcheck disable=SC2086
  tare rm -f $ids >/dev/null
  until_true no_ports
}
no_ports() { [ -z "$(inside ip -o link show master "$TARE_BRIDGE")" ]; }

docker_() { docker -H "unix://$STATE/docker.sock" "$@"; }

@test "every way in and out beside a dockerd that drops what is forwarded, and after it went" {
  # dockerd sets the policy to DROP if it is the one who turns forwarding on
  inside sysctl -qw net.ipv4.ip_forward=0
  background dockerd "$INSIDE" dockerd -H "unix://$STATE/docker.sock" --data-root "$STATE/dockerd" --exec-root "$STATE/dockerd-run" \
    -p "$STATE/dockerd.lock" --bip 198.19.50.1/24
  until_true docker_ version || { tail -n 5 "$STATE/dockerd.log"; false; }
  inside iptables -S FORWARD >"$STATE/forward"
  grep -q -- '-P FORWARD DROP' "$STATE/forward" || { cat "$STATE/forward"; false; }
  everything_reaches
  stop dockerd
  everything_reaches
}

@test "a container whose rules another flushes is reached again from the next start on" {
  serve stays -p "$WEB:80"
  inside iptables -F FORWARD
  inside iptables -P FORWARD DROP
  tare run --rm busybox true
  until_true fetch_outside "$HOST_IP:$WEB"
  tare rm -f stays >/dev/null
}
