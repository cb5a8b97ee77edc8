#!/usr/bin/env bats
# push, pull, login and the registry, with Debian's docker-registry on the other side, and skopeo, podman, docker and curl as others' clients
load helper

setup_file() {
  tare_setup_file
  export OURS=127.0.0.1:$((PORT_BASE + 1)) PEER=127.0.0.1:$((PORT_BASE + 2)) SAFE=198.18.40.1:$((PORT_BASE + 3)) DOWN=127.0.0.1:$((PORT_BASE + 4))
  registry_start "${OURS#*:}"
  printf '%s' "$REGISTRY_PID" >"$STATE/ours.pid"
  peer_start "$PEER" ""
  ip addr add 198.18.40.1/32 dev lo  # of the benchmarking range: an address that is not taken for loopback, where TLS is not asked for
  certificate
  htpasswd -Bbn alice 'pass word' >"$STATE/htpasswd"
  peer_start "$SAFE" "
  tls: {certificate: $STATE/server.crt, key: $STATE/server.key}
auth:
  htpasswd: {realm: test, path: $STATE/htpasswd}"
}

teardown_file() {
  local pid
  for pid in "$STATE"/*.pid; do stop_pid "$(cat "$pid")"; done
  rm -rf "/etc/docker/certs.d/$SAFE"
  ip addr del 198.18.40.1/32 dev lo
  podman_own rmi -af >/dev/null 2>&1 || true
  tare_teardown_file
}

stop_pid() {
  kill "$1" 2>/dev/null || return 0
  until_true sh -c "! kill -0 $1 || grep -q '^State:.Z' /proc/$1/status" || kill -9 "$1"
}

# Debian's registry in the background: peer_start ADDRESS:PORT "more yaml below http:"
peer_start() {
  cat >"$STATE/peer-${1#*:}.yml" <<Y
version: 0.1
log: {level: error}
storage:
  filesystem: {rootdirectory: $STATE/peer-${1#*:}}
  delete: {enabled: true}
http:
  addr: $1$2
Y
  docker-registry serve "$STATE/peer-${1#*:}.yml" >"$STATE/peer-${1#*:}.log" 2>&1 3>&- &
  echo $! >"$STATE/peer-${1#*:}.pid"
  until_true nc -z "${1%:*}" "${1#*:}"
}

# An authority of our own and a certificate by it
certificate() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=authority -keyout "$STATE/ca.key" -out "$STATE/ca.crt" 2>/dev/null
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=registry -keyout "$STATE/server.key" -out "$STATE/server.csr" 2>/dev/null
  openssl x509 -req -in "$STATE/server.csr" -CA "$STATE/ca.crt" -CAkey "$STATE/ca.key" -CAcreateserial -days 2 -out "$STATE/server.crt" \
    -extfile <(printf 'subjectAltName=IP:198.18.40.1') 2>/dev/null
}

digest() { skopeo inspect --tls-verify=false --format '{{.Digest}}' "docker://$1"; }
copy() { skopeo copy -q --insecure-policy --src-tls-verify=false --dest-tls-verify=false "$@"; }
podman_own() { env -u DOCKER_CONFIG podman --root "$STATE/podman" --runroot "$STATE/podman-run" --storage-driver overlay --cgroup-manager cgroupfs --events-backend none --runtime runc "$@" 3>&-; }
id_of() { tare inspect --type image -f '{{.Id}}' "$1"; }
stored() { tare images -a --no-trunc --digests --format '{{.Repository}} {{.Tag}} {{.Digest}} {{.ID}}' | sort; }
# A command that must fail with code 1 and one line holding these words, and leave the store as it was
refused() {
  local words=$1 before
  shift
  before=$(stored)
  run "$@"
  [ "$status" -eq 1 ] || { echo "status $status: $output"; return 1; }
  [ "$(grep -vc '^\(Using default tag\|The push refers\|[^ ]*: Pulling from\|[0-9a-f]\{12\}: \|[^ ]*: digest\)' <<<"$output")" -eq 1 ] || { echo "$output"; return 1; }
  [[ "${lines[-1]}" == *$words* ]] || { echo "no '$words' in: $output"; return 1; }
  [ "$(stored)" = "$before" ]
}

@test "push to docker-registry and to ours: the same digest, which skopeo sees too" {
  for registry in "$PEER" "$OURS"; do
    tare tag busybox "$registry/team/busy:1"
    run tare push "$registry/team/busy:1"
    [ "$status" -eq 0 ]
    told=$(sed -n 's/.*digest: \(sha256:[0-9a-f]*\).*/\1/p' <<<"$output")
    [ "$(digest "$registry/team/busy:1")" = "$told" ]
    id=$(id_of busybox)
    tare rmi "$registry/team/busy:1"
    tare pull "$registry/team/busy:1"
    [ "$(id_of "$registry/team/busy:1")" = "$id" ]
    [[ "$(tare inspect -f '{{json .RepoDigests}}' "$registry/team/busy:1")" == *"$registry/team/busy@$told"* ]]
    tare pull -q "$registry/team/busy@$told"
    tare rmi "$registry/team/busy:1" "$registry/team/busy@$told" || tare images
  done
}

@test "a blob that another repository has is mounted, not sent" {
  tare tag busybox "$PEER/team/first" && tare push -q "$PEER/team/first"
  tare tag busybox "$PEER/other/second"
  run tare push "$PEER/other/second"
  [ "$status" -eq 0 ] && [[ "$output" == *ounted* ]]
  tare tag busybox "$OURS/team/first" && tare push -q "$OURS/team/first"
  tare tag busybox "$OURS/other/second"
  run tare push "$OURS/other/second"
  [ "$status" -eq 0 ] && [[ "$output" == *ounted* || "$output" == *"already exists"* ]]
  tare rmi "$PEER/team/first" "$PEER/other/second" "$OURS/team/first" "$OURS/other/second"
}

@test "what skopeo pushed to ours is pulled by all; what podman pushes too" {
  tare save -o "$STATE/b.tar" busybox
  copy "docker-archive:$STATE/b.tar" "docker://$OURS/sk/busy:docker"
  copy --format oci "docker-archive:$STATE/b.tar" "docker://$OURS/sk/busy:oci"
  copy --format oci --dest-compress-format zstd "docker-archive:$STATE/b.tar" "docker://$OURS/sk/busy:zstd"
  for tag in docker oci zstd; do
    tare pull -q "$OURS/sk/busy:$tag"
    [ "$(tare run --rm --network none "$OURS/sk/busy:$tag" echo $tag)" = $tag ]
    [[ "$(tare inspect -f '{{json .RepoDigests}}' "$OURS/sk/busy:$tag")" == *"$OURS/sk/busy@$(digest "$OURS/sk/busy:$tag")"* ]]
  done
  podman_own pull -q --tls-verify=false "$OURS/sk/busy:oci"
  podman_own tag "$OURS/sk/busy:oci" "$OURS/pod/busy:1"
  podman_own push -q --tls-verify=false "$OURS/pod/busy:1"
  tare pull -q "$OURS/pod/busy:1"
  [ "$(tare run --rm --network none "$OURS/pod/busy:1" echo podman)" = podman ]
  podman_own rmi -af >/dev/null
  tare rmi "$OURS/sk/busy:docker" "$OURS/sk/busy:oci" "$OURS/sk/busy:zstd" "$OURS/pod/busy:1"
}

@test "curl speaks to ours: tags, catalog, ranges, errors, delete" {
  tare tag busybox "$OURS/curl/it:a" && tare push -q "$OURS/curl/it:a"
  tare tag busybox "$OURS/curl/it:b" && tare push -q "$OURS/curl/it:b"
  [ "$(curl -s "http://$OURS/v2/curl/it/tags/list" | jq -r '.tags | join(" ")')" = "a b" ]
  curl -s "http://$OURS/v2/_catalog" | jq -e '.repositories | index("curl/it")'
  layer=$(curl -s -H 'Accept: application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json' "http://$OURS/v2/curl/it/manifests/a" | jq -r '.layers[0].digest')
  [ "sha256:$(curl -s "http://$OURS/v2/curl/it/blobs/$layer" | sha256sum | cut -d' ' -f1)" = "$layer" ]
  [ "$(curl -s -r 10-19 "http://$OURS/v2/curl/it/blobs/$layer" | wc -c)" -eq 10 ]
  [ "$(curl -s -o /dev/null -w '%{http_code}' "http://$OURS/v2/curl/it/manifests/nope")" = 404 ]
  [ "$(curl -s "http://$OURS/v2/curl/it/manifests/nope" | jq -r '.errors[0].code')" = MANIFEST_UNKNOWN ]
  [ "$(curl -s -o /dev/null -w '%{http_code}' --path-as-is "http://$OURS/v2/../../etc/passwd")" -ge 400 ]
  tare rmi "$OURS/curl/it:a" "$OURS/curl/it:b"
}

@test "docker pushes to ours and pulls from it" {
  dockerd -H "unix://$STATE/docker.sock" --data-root "$STATE/dockerd" --exec-root "$STATE/dockerd-run" -p "$STATE/dockerd.lock" --bridge none --iptables=false \
    --ip6tables=false >"$STATE/dockerd.log" 2>&1 3>&- &
  echo $! >"$STATE/dockerd.pid"
  export DOCKER_HOST=unix://$STATE/docker.sock
  until_true docker version
  docker load -q -i "$STATE/b.tar"
  docker tag busybox "$OURS/dock/busy:1"
  docker push -q "$OURS/dock/busy:1"
  tare pull -q "$OURS/dock/busy:1"
  [ "$(id_of "$OURS/dock/busy:1")" = "$(docker inspect -f '{{.Id}}' busybox)" ]
  tare tag busybox "$OURS/dock/ours:1"
  run tare push "$OURS/dock/ours:1"
  docker pull -q "$OURS/dock/ours:1"
  [[ "$output" == *"$(docker inspect -f '{{index .RepoDigests 0}}' "$OURS/dock/ours:1" | sed 's/.*@//')"* ]] || docker inspect -f '{{.RepoDigests}}' "$OURS/dock/ours:1" | grep -q "$(sed -n 's/.*digest: \(sha256:[0-9a-f]*\).*/\1/p' <<<"$output")"
  # docker builds upon it, tare runs that
  printf 'FROM %s/dock/ours:1\nLABEL by=docker\nCOPY Dockerfile /from-docker\n' "$OURS" >"$STATE/Dockerfile"
  DOCKER_BUILDKIT=0 docker build -q -t "$OURS/dock/built" -f "$STATE/Dockerfile" - <"$STATE/Dockerfile" || DOCKER_BUILDKIT=0 docker build -q -t "$OURS/dock/built" - <<D
FROM $OURS/dock/ours:1
LABEL by=docker
D
  docker push -q "$OURS/dock/built"
  tare pull -q "$OURS/dock/built"
  [ "$(tare inspect -f '{{.Config.Labels.by}}' "$OURS/dock/built")" = docker ]
  stop_pid "$(cat "$STATE/dockerd.pid")"
  rm -f "$STATE/dockerd.pid"
  tare rmi "$OURS/dock/busy:1" "$OURS/dock/ours:1" "$OURS/dock/built"
}

@test "a multi-platform index: the right platform is chosen" {
  tare import -c 'CMD ["echo", "amd64"]' --platform linux/amd64 "$CACHE/busybox.tar" plat:amd64
  tare import -c 'CMD ["echo", "arm64"]' --platform linux/arm64 "$CACHE/busybox.tar" plat:arm64
  list='{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}'
  for arch in arm64 amd64; do
    tare tag "plat:$arch" "$PEER/plat/one:$arch" && tare push -q "$PEER/plat/one:$arch"
    raw=$(skopeo inspect --raw --tls-verify=false "docker://$PEER/plat/one:$arch" | wc -c)
    type=$(skopeo inspect --raw --tls-verify=false "docker://$PEER/plat/one:$arch" | jq -r .mediaType)
    list=$(jq -c --arg d "$(digest "$PEER/plat/one:$arch")" --arg a "$arch" --arg t "$type" --argjson n "$raw" \
      '.manifests += [{mediaType: $t, digest: $d, size: $n, platform: {os: "linux", architecture: $a}}]' <<<"$list")
    tare rmi "$PEER/plat/one:$arch" "plat:$arch"
  done
  printf '%s' "$list" | curl -sf -X PUT -H 'Content-Type: application/vnd.oci.image.index.v1+json' --data-binary @- "http://$PEER/v2/plat/one/manifests/all"
  tare pull -q "$PEER/plat/one:all"
  [ "$(tare inspect -f '{{.Architecture}}' "$PEER/plat/one:all")" = amd64 ] && [ "$(tare run --rm --network none "$PEER/plat/one:all")" = amd64 ]
  tare pull -q --platform linux/arm64 "$PEER/plat/one:all"
  [ "$(tare run --rm --network none --platform linux/arm64 "$PEER/plat/one:all")" = arm64 ]
  [ "$(tare run --rm --network none "$PEER/plat/one:all")" = amd64 ]  # the name goes on serving this machine
  refused s390x tare pull --platform linux/s390x "$PEER/plat/one:all"
  # the whole index by skopeo into ours
  copy --all "docker://$PEER/plat/one:all" "docker://$OURS/plat/one:all"
  tare pull -q "$OURS/plat/one:all"
  [ "$(tare run --rm --network none "$OURS/plat/one:all")" = amd64 ]
  tare rmi "$PEER/plat/one:all" "$OURS/plat/one:all"
}

@test "TLS by an authority in certs.d, login, logout, --password-stdin" {
  tare tag busybox "$SAFE/secret/busy"
  refused certificate tare push "$SAFE/secret/busy"
  mkdir -p "/etc/docker/certs.d/$SAFE" && cp "$STATE/ca.crt" "/etc/docker/certs.d/$SAFE/"
  run tare push "$SAFE/secret/busy"
  [ "$status" -eq 1 ] && [[ "${lines[-1]}" == *"no basic auth credentials"* || "${lines[-1]}" == *nauthorized* || "${lines[-1]}" == *"authentication required"* ]]
  run sh -c "printf wrong | tare login -u alice --password-stdin $SAFE"
  [ "$status" -eq 1 ]
  run sh -c "printf 'pass word' | tare login -u alice --password-stdin $SAFE"
  [ "$status" -eq 0 ] && [[ "$output" == *"Login Succeeded"* ]]
  [ "$(stat -c %a "$DOCKER_CONFIG/config.json")" = 600 ]
  [ "$(jq -r ".auths[\"$SAFE\"].auth" "$DOCKER_CONFIG/config.json" | base64 -d)" = 'alice:pass word' ]
  tare push -q "$SAFE/secret/busy"
  tare rmi "$SAFE/secret/busy"
  tare pull -q "$SAFE/secret/busy"
  seen=$(skopeo inspect --no-tags --creds 'alice:pass word' --format '{{.Digest}}' "docker://$SAFE/secret/busy")
  [[ "$(tare inspect -f '{{json .RepoDigests}}' "$SAFE/secret/busy")" == *"$SAFE/secret/busy@$seen"* ]]
  tare logout "$SAFE"
  [ "$(jq -r '.auths | length' "$DOCKER_CONFIG/config.json")" = 0 ]
  run tare pull "$SAFE/secret/busy"
  [ "$status" -eq 1 ]
  tare rmi "$SAFE/secret/busy"
}

@test "errors of pull and push: one line, code 1, the store as it was" {
  tare tag busybox "$PEER/err/busy" && tare push -q "$PEER/err/busy"
  refused 'manifest unknown' tare pull "$PEER/err/busy:nosuch"
  refused '' tare pull "$PEER/no/such/repository"
  refused '' tare pull "$PEER/err/busy@sha256:$(printf 0%.0s {1..64})"
  refused onnect tare pull "$DOWN/x"
  refused nolocal tare push "$PEER/nolocal"
  refused '' tare pull "$PEER/UPPER"
  refused '' tare pull "$PEER/x@sha256:short"
  # a blob that is not what its digest says
  file=$(find "$STATE/peer-${PEER#*:}/docker/registry/v2/blobs" -name data -size +100k | head -n 1)
  tare rmi "$PEER/err/busy"
  cp "$file" "$STATE/kept" && head -c 1000 /dev/urandom | dd of="$file" bs=1000 seek=50 conv=notrunc 2>/dev/null
  for image in $(tare images -q | sort -u); do tare rmi -f "$image" >/dev/null; done
  refused '' tare pull "$PEER/err/busy"
  [[ "${lines[-1]}" == *digest* || "${lines[-1]}" == *[Dd]amaged* ]] || { echo "$output"; false; }
  truncate -s 1000 "$file"
  refused '' tare pull "$PEER/err/busy"
  cp "$STATE/kept" "$file"
  tare pull -q "$PEER/err/busy"
  [ "$(tare run --rm --network none "$PEER/err/busy" echo good)" = good ]
  tare rmi "$PEER/err/busy"
  run tare system check
  [ "$status" -eq 0 ]
}

@test "Debian: imported, built upon, pushed, pulled unchanged by skopeo and podman, run by podman, pulled back" {
  tare import "$CACHE/debian.tar" debian:12 >/dev/null
  mkdir -p "$STATE/deb" && cat >"$STATE/deb/Dockerfile" <<'D'
FROM debian:12
RUN printf '#include <stdio.h>\nint main(void) { puts("compiled within"); return 0; }\n' > /m.c && gcc -O1 -o /usr/local/bin/made /m.c
CMD ["made"]
D
  tare build -q -t "$PEER/deb/made:1" "$STATE/deb"
  [ "$(tare run --rm --network none "$PEER/deb/made:1")" = 'compiled within' ]
  tare run --rm --network none "$PEER/deb/made:1" python3 -c 'import ssl; print(ssl.OPENSSL_VERSION)'
  [ "$(tare run --rm --network none "$PEER/deb/made:1" stat -c %a /usr/bin/passwd)" = 4755 ]
  run tare push "$PEER/deb/made:1"
  told=$(sed -n 's/.*digest: \(sha256:[0-9a-f]*\).*/\1/p' <<<"$output")
  [ -n "$told" ] && [ "$(digest "$PEER/deb/made:1")" = "$told" ]
  copy --preserve-digests "docker://$PEER/deb/made:1" "docker://$OURS/deb/made:skopeo"
  [ "$(digest "$OURS/deb/made:skopeo")" = "$told" ]
  podman_own pull -q --tls-verify=false "$PEER/deb/made:1"
  [[ "$(podman_own inspect -f '{{.Digest}}' "$PEER/deb/made:1")" = "$told" ]]
  [ "$(podman_own run --rm --network none --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 "$PEER/deb/made:1")" = 'compiled within' ]
  id=$(id_of "$PEER/deb/made:1")
  tare rmi "$PEER/deb/made:1" debian:12 >/dev/null
  tare builder prune -f >/dev/null
  tare pull -q "$OURS/deb/made:skopeo"
  [ "$(id_of "$OURS/deb/made:skopeo")" = "$id" ]
  [ "$(tare run --rm --network none "$OURS/deb/made:skopeo")" = 'compiled within' ]
  tare rmi "$OURS/deb/made:skopeo" >/dev/null
}

@test "registry collect frees what nothing refers to" {
  stop_pid "$(cat "$STATE/ours.pid")"
  rm -f "$STATE/ours.pid"
  before=$(du -s "$STATE/registry-${OURS#*:}" | cut -f1)
  tare registry collect --root "$STATE/registry-${OURS#*:}"
  [ "$(du -s "$STATE/registry-${OURS#*:}" | cut -f1)" -le "$before" ]
}
