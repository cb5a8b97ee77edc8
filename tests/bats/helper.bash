# For every .bats file: an engine of its own (data root, run root, bridge), and the check that nothing is left behind.
#   setup_file() { tare_setup_file; }   teardown_file() { tare_teardown_file; }
export LC_ALL=C
TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
CACHE=${TARE_TEST_CACHE:-/var/tmp/tare-test}
PATH=${TARE_TEST_BUILD:-$TOP/build}:$PATH # of another build: the folder it is in
export TOP CACHE PATH

tare_setup_file() {
  local number
  number=$(basename "$BATS_TEST_FILENAME" | sed 's/[^0-9].*//')
  STATE=$(mktemp -d "/tmp/tare-bats.XXXXXX")
  export STATE TARE_ROOT=$STATE/root TARE_RUN=$STATE/run TARE_BRIDGE=tt$number DOCKER_CONFIG=$STATE/docker
  export PORT_BASE=$((20000 + 10#$number * 20))
  # shellcheck disable=SC2086
  tare ${TARE_DRIVER:+--storage-driver $TARE_DRIVER} import "$CACHE/busybox.tar" busybox >/dev/null
}

tare_teardown_file() {
  local ids
  ids=$(tare ps -aq 2>/dev/null) || true
  # shellcheck disable=SC2086
  [ -z "$ids" ] || tare rm -f $ids >/dev/null
  sleep 0.2
  tare system settle # what syncs in the background is done with the folder
  left_behind
  ip link del "$TARE_BRIDGE" 2>/dev/null || true
  rm -rf "$STATE"
}

# Fails when a mount, cgroup, process or file of this file's containers is left.
left_behind() {
  local bad=0
  if grep -F "$STATE" /proc/mounts; then bad=1; fi
  if [ -d "$TARE_RUN/containers" ] && [ -n "$(ls -A "$TARE_RUN/containers")" ]; then ls -lR "$TARE_RUN/containers"; bad=1; fi
  for root in "$TARE_ROOT"/*/roots; do
    if [ -d "$root" ] && [ -n "$(ls -A "$root")" ]; then ls -la "$root"; bad=1; fi
  done
  if pgrep -f "tare-monitor.*$TARE_RUN" | while read -r pid; do grep -q '^State:.Z' "/proc/$pid/status" 2>/dev/null || echo "$pid"; done | grep .; then bad=1; fi
  return $bad
}

# Waits for a condition, 10 s at most: until_true COMMAND...
until_true() {
  local i
  for i in $(seq 200); do
    "$@" >/dev/null 2>&1 && return 0
    sleep 0.05
  done
  echo "never true: $*"
  return 1
}

port_free() { ! nc -z 127.0.0.1 "$1"; }

# Starts tare's own registry in the background on a port: registry_start PORT [options]; sets REGISTRY_PID.
registry_start() {
  local port=$1
  shift
  until_true port_free "$port" # another one's registry would answer in its place
  tare registry serve --address 127.0.0.1 --port "$port" --root "$STATE/registry-$port" "$@" >"$STATE/registry-$port.log" 2>&1 3>&- &
  REGISTRY_PID=$!
  until_true nc -z 127.0.0.1 "$port"
}
