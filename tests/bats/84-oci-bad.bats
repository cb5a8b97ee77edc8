#!/usr/bin/env bats
# tare-oci and configurations that are malformed, contradict themselves or ask for what cannot be had. Each must be told in one line
# that names the field by its path in the document, with exit code 1, and must leave nothing: no process, group, mount or folder.
load helper

setup_file() {
  STATE=$(mktemp -d /tmp/tare-bats.XXXXXX)
  export STATE ROOT=$STATE/state ID=oci84-$$
  mkdir -p "$STATE/rootfs" "$STATE/bundle" "$ROOT"
  tar -xf "$CACHE/busybox.tar" -C "$STATE/rootfs"
  (cd "$STATE/bundle" && tare-oci spec)
  jq '.process.terminal = false | .process.args = ["sh", "-c", "exec sleep 100084"] | .root.path = "'"$STATE"'/rootfs"
    | .linux.namespaces = (["pid", "network", "ipc", "uts", "mount"] | map({type: .}))
    | .linux.cgroupsPath = "/tare-84/'"$ID"'"' "$STATE/bundle/config.json" >"$STATE/good.json"
}

teardown_file() {
  find /sys/fs/cgroup -type d -name tare-84 -exec rmdir {} + 2>/dev/null || true
  rm -rf "$STATE"
}

oci() { tare-oci --root "$ROOT" "$@"; }

# Whatever could be there of the container.
remains() {
  find /sys/fs/cgroup -type d -name "$ID*"
  grep -F "$STATE" /proc/mounts
  ls -d "$ROOT/$ID" 2>/dev/null
  pgrep -f "$ID|sleep 100084"
}

# refused VERB WORDS: and not a word more than one line
refused() {
  local code=0
  timeout 20 tare-oci --root "$ROOT" "$1" -b "$STATE/bundle" "$ID" </dev/null >"$STATE/out" 2>&1 3>&- || code=$?
  if [ "$code" != 1 ] || [ "$(wc -l <"$STATE/out")" != 1 ] || ! grep -qF -- "$2" "$STATE/out" || [ -n "$(remains)" ]; then
    echo "$row => $code, expected \"$2\":" "$(cat "$STATE/out")" "left:" "$(remains)"
    oci delete --force "$ID"
    failed=1
  fi
}

# Rows "jq filter => words", each applied to a good configuration.
table() {
  failed=
  while IFS= read -r row; do
    [ -n "$row" ] || continue
    jq "${row% => *}" "$STATE/good.json" >"$STATE/bundle/config.json"
    refused create "${row##* => }"
  done
  [ -z "$failed" ]
}

@test "the configuration that the others are made from is a good one" {
  cp "$STATE/good.json" "$STATE/bundle/config.json"
  oci create -b "$STATE/bundle" "$ID" </dev/null >/dev/null 2>&1 3>&-
  [ -n "$(remains)" ]
  oci delete --force "$ID"
  until_true test -z "$(remains)"
}

@test "no document" {
  failed=
  while IFS= read -r row; do
    printf "${row% => *}" >"$STATE/bundle/config.json"
    refused create "${row##* => }"
  done <<'ROWS'
 => config.json
{ => config.json
[] => config.json: expected an object
null => config.json: line 1
"text" => config.json: line 1
{"ociVersion":"1.0.2"}} => config.json
{"ociVersion":"1.0.2",} => config.json
{"ociVersion":"1.0.2","ociVersion":"1.0.2"} => config.json
{"ociVersion":"1.0\\000"} => config.json
{"ociVersion":"\\377\\376"} => config.json
{} => config.json: ociVersion: is missing
ROWS
  row="deep"
  { printf '%100000s' '' | tr ' ' '['; } >"$STATE/bundle/config.json"
  refused create config.json
  row="large"
  { printf '{"a":"%5000000s"}' x; } >"$STATE/bundle/config.json"
  refused create config.json
  row="not there"
  rm "$STATE/bundle/config.json"
  refused create config.json
  mkdir "$STATE/bundle/config.json"
  row="a directory"
  refused create config.json
  rmdir "$STATE/bundle/config.json"
  mkfifo "$STATE/bundle/config.json"
  row="a pipe"
  refused create config.json
  rm "$STATE/bundle/config.json"
  [ -z "$failed" ]
}

@test "wrong types and values" {
  table <<'ROWS'
.ociVersion = "2.0.0" => config.json: ociVersion
.ociVersion = 1 => config.json: ociVersion
del(.ociVersion) => config.json: ociVersion
.process = [] => config.json: process
.process.cwd = "tmp" => config.json: process.cwd
del(.process.cwd) => config.json: process.cwd
.process.args = "sh" => config.json: process.args
.process.args = [1] => config.json: process.args[0]
.process.args = [] => process.args
del(.process.args) => process.args
.process.env = {"A":"b"} => config.json: process.env
.process.env = ["A=b", null] => config.json: process.env[1]
.process.terminal = "yes" => config.json: process.terminal
.process.user.uid = -1 => config.json: process.user.uid
.process.user.uid = 4294967296 => config.json: process.user.uid
.process.user.uid = 4294967295 => process.user.uid
.process.user.gid = 4294967295 => process.user.gid
.process.user.umask = 512 => process.user.umask
.process.user.additionalGids = [1, -2] => config.json: process.user.additionalGids[1]
.process.user.additionalGids = [4294967295] => process.user.additionalGids[0]
.process.rlimits = [{"type":"RLIMIT_NONE","soft":1,"hard":1}] => process.rlimits[0]
.process.rlimits = [{"type":"RLIMIT_CORE","soft":2,"hard":1}] => process.rlimits[0]
.process.rlimits = [{"type":"RLIMIT_CORE","soft":1,"hard":1},{"type":"RLIMIT_CORE","soft":1,"hard":1}] => process.rlimits[1]
.process.rlimits = [{"type":"RLIMIT_CORE"}] => config.json: process.rlimits[0].hard
.process.oomScoreAdj = 3000000000 => config.json: process.oomScoreAdj
.process.oomScoreAdj = 1001 => process.oomScoreAdj
.process.capabilities = ["CAP_CHOWN"] => config.json: process.capabilities
.process.apparmorProfile = "no-such-profile" => process.apparmorProfile
.process.selinuxLabel = "a:b:c:s0" => process.selinuxLabel
.process.scheduler = {"policy":"SCHED_X"} => process.scheduler.policy
.process.scheduler = {"policy":"SCHED_OTHER","nice":40} => process.scheduler.nice
.process.ioPriority = {"class":"IOPRIO_CLASS_BE","priority":9} => process.ioPriority.priority
.process.execCPUAffinity = {"initial":"a-b"} => process.execCPUAffinity.initial
.process.consoleSize = {"height":70000,"width":1} => config.json: process.consoleSize.height
.root = null => config.json: root
.root = {} => config.json: root.path
.root.path = "" => config.json: root.path
.root.path = "/no/such/root" => root.path
.root.path = "config.json" => root.path
.root.readonly = 1 => config.json: root.readonly
.hostname = 5 => config.json: hostname
.hostname = ("a" * 65) => hostname
.domainname = ("a" * 65) => domainname
.annotations = {"a":1} => config.json: annotations
.annotations = {"":"a"} => annotations: a key is empty
.annotations = ["a"] => config.json: annotations
.mounts = {} => config.json: mounts
.mounts[0] = 1 => config.json: mounts[0]
.mounts[0] |= del(.destination) => config.json: mounts[0].destination
.mounts[0].options = "ro" => config.json: mounts[0].options
.mounts += [{"destination":"/","type":"tmpfs","source":"x"}] => mounts[7].destination
.mounts += [{"destination":"/x","type":"nosuchfs","source":"x"}] => mounts[7]
.mounts += [{"destination":"/x","type":"bind","source":"/no/such","options":["bind"]}] => mounts[7]
.mounts += [{"destination":"/x","type":"tmpfs","source":"x","options":["nonsense=1"]}] => mounts[7]
.mounts += [{"destination":"/bin/busybox","type":"tmpfs","source":"x"}] => mounts[7]
.mounts += [{"destination":"/bin/busybox/x","type":"tmpfs","source":"x"}] => mounts[7]
.mounts += [{"destination":"/x"}] => mounts[7]
.mounts += [{"destination":"/x","type":"tmpfs","source":"x","uidMappings":[{"containerID":0,"hostID":0,"size":1}]}] => mounts[7]
.mounts += [{"destination":"/x","type":"tmpfs","source":"x","options":["idmap"]}] => mounts[7]
.mounts += [{"destination":"/x","type":"bind","source":"/tmp","options":["bind","idmap"]}] => mounts[7]
.mounts += [{"destination":"/proc/self","type":"tmpfs","source":"x"}] => mounts[7]
ROWS
}

@test "wrong values below linux" {
  table <<'ROWS'
.linux = 1 => config.json: linux
.linux.namespaces += [{"type":"pid"}] => config.json: linux.namespaces[5].type
.linux.namespaces += [{"type":"nonsense"}] => config.json: linux.namespaces[5].type
.linux.namespaces[1].path = "relative" => linux.namespaces: 
.linux.namespaces |= map(if .type == "network" then .path = "/proc/self/ns/uts" else . end) => linux.namespaces: 
.linux.namespaces |= map(if .type == "network" then .path = "/no/such" else . end) => linux.namespaces: 
.linux.namespaces |= map(select(.type != "uts")) | .hostname = "x" => hostname
.linux.namespaces |= map(select(.type != "uts")) | del(.hostname) | .domainname = "x" => domainname
.linux.namespaces |= map(select(.type != "mount")) | .linux.namespaces += [{"type":"user"}] => linux.namespaces
.linux.namespaces += [{"type":"user"}] => linux.uidMappings
.linux.uidMappings = [{"containerID":0,"hostID":0,"size":1}] => linux.uidMappings
.linux.gidMappings = [{"containerID":0,"hostID":0,"size":1}] => linux.gidMappings
.linux.uidMappings = [{"containerID":0,"hostID":0}] => config.json: linux.uidMappings[0].size
.linux.namespaces += [{"type":"user"}] | .linux.uidMappings = [{"containerID":0,"hostID":0,"size":5}] => linux.gidMappings
.linux.namespaces += [{"type":"user"}] | .linux.uidMappings = [{"containerID":0,"hostID":0,"size":5},{"containerID":3,"hostID":9,"size":5}] | .linux.gidMappings = .linux.uidMappings => linux.uidMappings
.linux.namespaces += [{"type":"user"}] | .linux.uidMappings = [{"containerID":0,"hostID":0,"size":0}] | .linux.gidMappings = .linux.uidMappings => linux.uidMappings
.linux.timeOffsets = {"monotonic":{"secs":1}} => linux.timeOffsets
.linux.namespaces += [{"type":"time"}] | .linux.timeOffsets = {"monotonic":{"secs":1,"nanosecs":1000000000}} => linux.timeOffsets.monotonic.nanosecs
.linux.namespaces += [{"type":"time"}] | .linux.timeOffsets = {"boottime":{"secs":-9000000000}} => linux.timeOffsets
.linux.namespaces += [{"type":"time"}] | .linux.timeOffsets = {"monotonic":1} => config.json: linux.timeOffsets.monotonic
.linux.devices = [{"path":"dev/x","type":"c","major":1,"minor":3}] => config.json: linux.devices[0].path
.linux.devices = [{"path":"/dev/x","type":"z","major":1,"minor":3}] => config.json: linux.devices[0].type
.linux.devices = [{"path":"/dev/x","type":"c","major":-1,"minor":3}] => linux.devices[0]
.linux.devices = [{"path":"/dev/x","type":"c","major":1,"minor":3},{"path":"/dev/x","type":"c","major":1,"minor":5}] => linux.devices[1]
.linux.cgroupsPath = 1 => config.json: linux.cgroupsPath
.linux.rootfsPropagation = "everywhere" => config.json: linux.rootfsPropagation
.linux.sysctl = {"kernel.panic":"1"} => linux.sysctl
.linux.sysctl = {"net.ipv4.no_such":"1"} => linux.sysctl
.linux.sysctl = {"net.ipv4.ip_forward":"x"} => linux.sysctl
.linux.sysctl = {"net.ipv4.ip_forward":1} => config.json: linux.sysctl
.linux.maskedPaths = ["relative"] => linux.maskedPaths[0]
.linux.readonlyPaths = ["relative"] => linux.readonlyPaths[0]
.linux.mountLabel = "a:b:c:s0" => linux.mountLabel
.linux.intelRdt = {"closID":"x"} => linux.intelRdt
.linux.personality = {"domain":"WINDOWS"} => config.json: linux.personality.domain
.linux.personality = {"domain":"LINUX","flags":["ADDR_NO_RANDOMIZE"]} => linux.personality.flags
.linux.personality = {} => config.json: linux.personality.domain
.linux.seccomp = {} => config.json: linux.seccomp.defaultAction
.linux.seccomp = {"defaultAction":"NO"} => config.json: linux.seccomp.defaultAction
.linux.seccomp = {"defaultAction":"SCMP_ACT_ALLOW","architectures":["PDP11"]} => linux.seccomp: 
.linux.seccomp = {"defaultAction":"SCMP_ACT_ALLOW","flags":["NO"]} => linux.seccomp: 
.linux.seccomp = {"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"action":"SCMP_ACT_ERRNO"}]} => config.json: linux.seccomp.syscalls[0].names
.linux.seccomp = {"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":[],"action":"SCMP_ACT_ERRNO"}]} => linux.seccomp.syscalls[0].names
.linux.seccomp = {"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["read"],"action":"SCMP_ACT_ERRNO","args":[{"index":7,"value":1,"op":"SCMP_CMP_EQ"}]}]} => linux.seccomp: 
.linux.seccomp = {"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["read"],"action":"SCMP_ACT_NOTIFY"}]} => linux.seccomp.listenerPath
.linux.seccomp = {"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["getpid"],"action":"SCMP_ACT_NOTIFY"}],"listenerPath":"/no/such"} => linux.seccomp.listenerPath
.linux.seccomp = {"defaultAction":"SCMP_ACT_ALLOW","defaultErrnoRet":1} => linux.seccomp: 
.linux.seccomp = {"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["read"],"action":"SCMP_ACT_KILL","errnoRet":1}]} => linux.seccomp: 
.linux.seccomp = {"defaultAction":"SCMP_ACT_ALLOW","listenerMetadata":"x"} => linux.seccomp.listenerMetadata
ROWS
}

@test "wrong limits" {
  table <<'ROWS'
.linux.resources = [] => config.json: linux.resources
.linux.resources.memory.limit = "1g" => config.json: linux.resources.memory.limit
.linux.resources.memory.limit = -2 => linux.resources.memory.limit
.linux.resources.memory = {"limit":104857600,"swap":52428800} => linux.resources.memory.swap
.linux.resources.memory.swappiness = 201 => linux.resources.memory.swappiness
.linux.resources.cpu.shares = -1 => config.json: linux.resources.cpu.shares
.linux.resources.cpu.cpus = "nonsense" => linux.resources.cpu.cpus
.linux.resources.cpu.cpus = "4000" => linux.resources.cpu.cpus
.linux.resources.cpu.mems = "63" => linux.resources.cpu.mems
.linux.resources.cpu = {"quota":1,"period":100000} => linux.resources.cpu.quota
.linux.resources.cpu = {"period":1} => linux.resources.cpu.period
.linux.resources.pids.limit = "many" => config.json: linux.resources.pids.limit
.linux.resources.blockIO.weight = 70000 => config.json: linux.resources.blockIO.weight
.linux.resources.blockIO.throttleReadBpsDevice = [{"major":8,"minor":0}] => config.json: linux.resources.blockIO.throttleReadBpsDevice[0].rate
.linux.resources.blockIO.throttleReadBpsDevice = [{"major":4000,"minor":0,"rate":1}] => linux.resources.blockIO.throttleReadBpsDevice
.linux.resources.hugepageLimits = [{"pageSize":"3KB","limit":1}] => linux.resources.hugepageLimits
.linux.resources.network.classID = -1 => config.json: linux.resources.network.classID
.linux.resources.network.priorities = [{"name":"nosuch0","priority":1}] => linux.resources.network.priorities
.linux.resources.rdma = {"nosuch":{"hcaHandles":1}} => linux.resources.rdma
.linux.resources.rdma = [] => config.json: linux.resources.rdma
.linux.resources.unified = {"no.such":"1"} => linux.resources.unified
.linux.resources.unified = {"../x":"1"} => linux.resources.unified
.linux.resources.devices = [{"allow":true,"type":"x"}] => config.json: linux.resources.devices[0].type
.linux.resources.devices = [{"allow":true,"type":"c","access":"rx"}] => config.json: linux.resources.devices[0].access
ROWS
}

@test "commands that cannot be, and hooks that fail" {
  table <<'ROWS'
.process.args = ["no-such-program"] => no-such-program
.process.args = ["/no/such"] => /no/such
.process.args = [""] => exec: 
.process.args = ["/etc"] => /etc
.hooks.prestart = [{"path":"false"}] => config.json: hooks.prestart[0].path
.hooks.prestart = [{"path":"/bin/true","timeout":-1}] => config.json: hooks.prestart[0].timeout
.hooks.prestart = [{"path":"/bin/true","timeout":0}] => config.json: hooks.prestart[0].timeout
.hooks.prestart = [{"path":"/bin/true"},{"path":"/bin/false"}] => hooks.prestart[1]
.hooks.createRuntime = [{"path":"/bin/false"}] => hooks.createRuntime[0]
.hooks.createContainer = [{"path":"/bin/false"}] => hooks.createContainer[0]
.hooks.createRuntime = [{"path":"/no/such/hook"}] => hooks.createRuntime[0]
.hooks.createContainer = [{"path":"/no/such/hook"}] => hooks.createContainer[0]
.hooks.createRuntime = [{"path":"/bin/sleep","args":["sleep","9"],"timeout":1}] => hooks.createRuntime[0]
.hooks = [] => config.json: hooks
ROWS
}

@test "a startContainer hook that fails ends run with nothing left" {
  failed= row=startContainer
  jq '.hooks.startContainer = [{"path":"/bin/false"}]' "$STATE/good.json" >"$STATE/bundle/config.json"
  refused run "hooks.startContainer[0]"
  jq '.hooks.startContainer = [{"path":"/no/such"}]' "$STATE/good.json" >"$STATE/bundle/config.json"
  refused run "hooks.startContainer[0]"
  [ -z "$failed" ]
}

@test "a group whose parent takes no more processes" {
  local pids
  pids=$(findmnt -no TARGET -t cgroup -O pids) || pids=
  [ -n "$pids" ] || pids=$(findmnt -no TARGET -t cgroup2 | head -1)
  mkdir -p "$pids/tare-84"
  [ -e "$pids/tare-84/pids.max" ] || skip "no pids controller"
  echo 0 >"$pids/tare-84/pids.max"
  jq '.process.args = ["sh", "-c", "ls / & wait"]' "$STATE/good.json" >"$STATE/bundle/config.json"
  run timeout 20 tare-oci --root "$ROOT" run -b "$STATE/bundle" "$ID" 3>&-
  echo max >"$pids/tare-84/pids.max"
  # v2 refuses init its place in the group, v1 only what init would clone
  [ "$status" != 0 ] || [[ $output == *fork* ]]
  [[ $output != *etc* ]]
  [ -z "$(remains)" ]
}
