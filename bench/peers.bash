# The peers of bench/inside: each is started on data of its own below $STATE, and dies with the pid namespace we are in.
# Where a peer may choose its cgroups they are below $GROUP, which bench/run removes.
GROUP=tare-bench-${STATE##*.}
DOCKER=(/usr/bin/docker -H "unix://$STATE/docker/sock")
# journald may not be here; of its own default limits the kernel may refuse some; crun refuses hybrid cgroups
PODMAN=(podman --root "$STATE/podman/root" --runroot "$STATE/podman/run" --tmpdir "$STATE/podman/tmp" --storage-driver overlay
  --cgroup-manager cgroupfs --runtime runc --events-backend file)
PODMAN_RUN=(--ulimit nofile=1024:1024 --ulimit nproc=4096:4096 --log-driver k8s-file --cgroup-parent "/$GROUP")
CRUN=(crun --root "$STATE/crun" --cgroup-manager cgroupfs)

wait_for() { # COMMAND...: 30 s at most
  local i
  for i in $(seq 300); do
    "$@" >/dev/null 2>&1 && return 0
    sleep 0.1
  done
  echo "never answered: $*" >&2
  return 1
}

docker_start() {
  mkdir -p "$STATE/docker"
  echo '{}' >"$STATE/docker/daemon.json"
  /usr/sbin/dockerd --config-file "$STATE/docker/daemon.json" --data-root "$STATE/docker/root" --exec-root "$STATE/docker/exec" \
    --pidfile "$STATE/docker/pid" -H "unix://$STATE/docker/sock" --storage-driver overlay2 --cgroup-parent "/$GROUP" \
    >"$STATE/docker/log" 2>&1 &
  DOCKERD=$!
  wait_for "${DOCKER[@]}" version || { tail -n 5 "$STATE/docker/log" >&2; return 1; }
  "${DOCKER[@]}" import "$CACHE/busybox.tar" localhost/busybox >/dev/null
}

podman_start() {
  "${PODMAN[@]}" import -q "$CACHE/busybox.tar" localhost/busybox >/dev/null
}

# A bundle with what `run --network none` makes: every namespace, a seccomp-less default spec, busybox as root. NAME COMMAND...
crun_bundle() {
  local bundle=$STATE/bundle-$1
  shift
  mkdir -p "$bundle"
  [ -e "$bundle/config.json" ] || (cd "$bundle" && crun spec)
  jq --arg root "$STATE/busybox" --args '.process.terminal = false | .process.args = $ARGS.positional | .root.path = $root |
    .process.rlimits = []' "$@" <"$bundle/config.json" >"$bundle/new" && mv "$bundle/new" "$bundle/config.json"
}

# Runs a command where crun finds no second cgroup hierarchy.
without_v2() {
  unshare --mount --propagation private sh -c 'mount -t cgroup2 | while read -r _ _ at _; do umount "$at"; done; exec "$@"' _ "$@"
}

registry_start() { # PORT FOLDER
  cat >"$STATE/registry-$1.yml" <<Y
version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: $2}, delete: {enabled: true}}
http: {addr: "127.0.0.1:$1"}
Y
  mkdir -p "$2"
  docker-registry serve "$STATE/registry-$1.yml" >"$STATE/registry-$1.log" 2>&1 &
  wait_for nc -z 127.0.0.1 "$1"
}

# An image of one gzip layer as an OCI layout, pushed by skopeo so that no tool measured has made it: TAR.GZ TAR REFERENCE
image_publish() {
  local layout=$STATE/layout diff layer size config manifest
  mkdir -p "$layout/blobs/sha256"
  blob() { # FILE: takes it in, prints its digest
    local sum
    sum=$(sha256sum <"$1" | cut -d ' ' -f 1)
    cp "$1" "$layout/blobs/sha256/$sum"
    echo "$sum"
  }
  diff=$(sha256sum <"$2" | cut -d ' ' -f 1) layer=$(blob "$1") size=$(stat -c %s "$1")
  jq -n --arg diff "sha256:$diff" '{architecture: "amd64", os: "linux", config: {Cmd: ["/bin/sh"]},
    rootfs: {type: "layers", diff_ids: [$diff]}, history: [{created_by: "bench"}]}' >"$STATE/document"
  config=$(blob "$STATE/document")
  jq -n --arg config "sha256:$config" --argjson csize "$(stat -c %s "$STATE/document")" --arg layer "sha256:$layer" --argjson size "$size" \
    '{schemaVersion: 2, mediaType: "application/vnd.oci.image.manifest.v1+json",
      config: {mediaType: "application/vnd.oci.image.config.v1+json", digest: $config, size: $csize},
      layers: [{mediaType: "application/vnd.oci.image.layer.v1.tar+gzip", digest: $layer, size: $size}]}' >"$STATE/document"
  manifest=$(blob "$STATE/document")
  jq -n --arg manifest "sha256:$manifest" --argjson size "$(stat -c %s "$STATE/document")" '{schemaVersion: 2, manifests: [
    {mediaType: "application/vnd.oci.image.manifest.v1+json", digest: $manifest, size: $size}]}' >"$layout/index.json"
  echo '{"imageLayoutVersion": "1.0.0"}' >"$layout/oci-layout"
  skopeo --insecure-policy copy -q --dest-tls-verify=false "oci:$layout" "docker://$3"
  rm -rf "$layout"
}

# Sum of the proportional memory of all processes of a name, in kB, over the containers there are: NAME COUNT
memory_of() {
  local pid sum=0 one
  for pid in $(pgrep "$1"); do
    one=$(awk '/^Pss:/ {print $2}' "/proc/$pid/smaps_rollup" 2>/dev/null || true)
    sum=$((sum + ${one:-0}))
  done
  [ "$sum" = 0 ] || awk -v sum="$sum" -v count="$2" 'BEGIN {print sum / count}'
}
