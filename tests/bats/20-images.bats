#!/usr/bin/env bats
# images as files and as names: import, tag, images, history, rmi, save, load, commit, diff, cp, export; skopeo, podman and umoci read what we write
load helper
setup_file() { tare_setup_file; }
teardown_file() { tare_teardown_file; }

id_of() { tare inspect --type image -f '{{.Id}}' "$1"; }
podman_own() { env -u DOCKER_CONFIG podman --root "$STATE/podman" --runroot "$STATE/podman-run" --storage-driver vfs --cgroup-manager cgroupfs "$@" 3>&-; }

@test "import: plain, gzip, zstd and from stdin give the same layer" {
  gzip -1 -c "$CACHE/busybox.tar" >"$STATE/b.tar.gz"
  zstd -q -c "$CACHE/busybox.tar" >"$STATE/b.tar.zst"
  tare import "$CACHE/busybox.tar" one >"$STATE/id"
  [[ "$(cat "$STATE/id")" =~ ^sha256:[0-9a-f]{64}$ ]]
  tare import "$STATE/b.tar.gz" two:gz
  tare import "$STATE/b.tar.zst" two:zst
  tare import - two:stdin <"$STATE/b.tar.gz"
  for name in two:gz two:zst two:stdin; do
    [ "$(tare inspect -f '{{json .RootFS}}' "$name")" = "$(tare inspect -f '{{json .RootFS}}' one)" ]
    [ "$(tare run --rm --network none "$name" echo "$name")" = "$name" ]
  done
  tare rmi one two:gz two:zst two:stdin
}

@test "import --change, --message and --platform are seen" {
  tare import -c 'ENV K=v' -c 'CMD ["echo", "changed"]' -c 'WORKDIR /srv' -m 'by hand' "$CACHE/busybox.tar" changed
  [ "$(tare run --rm --network none changed)" = changed ]
  [ "$(tare run --rm --network none changed sh -c 'echo $K; pwd' | tr '\n' ' ')" = "v /srv " ]
  [[ "$(tare history changed)" == *'by hand'* ]]
  tare rmi changed
  tare import --platform linux/arm64 "$CACHE/busybox.tar" foreign
  [ "$(tare inspect -f '{{.Os}}/{{.Architecture}}' foreign)" = linux/arm64 ]
  tare rmi foreign
}

@test "tag, images: columns, filters, formats" {
  tare tag busybox reg.example:5000/team/app:v1
  tare tag busybox app:v2
  run tare images
  [[ "${lines[0]}" =~ ^REPOSITORY\ +TAG\ +IMAGE\ ID\ +CREATED\ +SIZE$ ]]
  [[ "$output" == *"reg.example:5000/team/app"*"v1"* ]]
  [ "$(tare images --format '{{.Repository}}:{{.Tag}}' app)" = app:v2 ]
  [ "$(tare images -q --no-trunc app)" = "$(id_of busybox)" ]
  [ "$(tare images -q app)" = "$(id_of busybox | cut -c8-19)" ]
  [ "$(tare images --filter reference='app*' --format '{{.Tag}}')" = v2 ]
  run tare tag nothere x
  [ "$status" -eq 1 ] && [ "${#lines[@]}" -eq 1 ]
  run tare tag busybox 'UPPER'
  [ "$status" -eq 1 ] && [ "${#lines[@]}" -eq 1 ]
  tare rmi app:v2 reg.example:5000/team/app:v1
}

@test "rmi: a name untags, the last one deletes, ids and use are respected" {
  tare import -c 'LABEL only=here' "$CACHE/busybox.tar" del:a
  tare tag del:a del:b
  id=$(id_of del:a)
  run tare rmi del:a
  [ "$output" = "Untagged: del:a" ]
  tare tag del:b del:c
  run tare rmi "${id:7:12}"
  [ "$status" -eq 1 ] && [[ "$output" == *"must be forced"*"multiple repositories"* || "$output" == *"must be forced"*"multiple tags"* || "$output" == *"must be forced"* ]]
  tare rmi del:c
  run tare rmi "${id:7:12}"
  [ "$status" -eq 0 ] && [[ "$output" == *"Untagged: del:b"*"Deleted: $id"* ]]
  tare import -c 'LABEL used=here' "$CACHE/busybox.tar" used
  tare create --name user --network none used true
  run tare rmi "$(id_of used)"
  [ "$status" -eq 1 ] && [[ "$output" == *"is being used by"* || "$output" == *"is using"* ]]
  [ -n "$(tare images -q used)" ]
  tare rm user
  tare rmi used
  run tare rmi used
  [ "$status" -eq 1 ] && [ "${#lines[@]}" -eq 1 ] && [[ "$output" == *"No such image: used"* ]]
}

@test "history names what made each layer" {
  run tare history busybox
  [[ "${lines[0]}" =~ ^IMAGE\ +CREATED\ +CREATED\ BY\ +SIZE\ +COMMENT$ ]] && [ "${#lines[@]}" -eq 2 ]
  [ "$(tare history -q --no-trunc busybox)" = "$(id_of busybox)" ]
  [[ "$(tare history --format '{{.Size}}' -H=false busybox)" =~ ^[0-9]{6,}$ ]]
}

@test "save and load give the same image again" {
  tare tag busybox again:1
  id=$(id_of again:1)
  tare save -o "$STATE/again.tar" again:1 busybox
  tare save again:1 busybox | cmp - "$STATE/again.tar"
  tare rmi again:1
  run tare load -i "$STATE/again.tar"
  [[ "$output" == *"Loaded image: again:1"* ]]
  [ "$(id_of again:1)" = "$id" ]
  tare rmi again:1
  gzip -c "$STATE/again.tar" | tare load -q
  [ "$(id_of again:1)" = "$id" ]
  [ "$(tare run --rm --network none again:1 echo lives)" = lives ]
  # a data root that has nothing of it
  TARE_ROOT=$STATE/other tare load -i "$STATE/again.tar"
  [ "$(TARE_ROOT=$STATE/other tare inspect -f '{{.Id}}' again:1)" = "$id" ]
  TARE_ROOT=$STATE/other tare system settle
  rm -rf "$STATE/other"
  tare rmi again:1
  run tare save nothere
  [ "$status" -eq 1 ] && [ "${#lines[@]}" -eq 1 ]
}

@test "skopeo, podman and umoci read what save writes" {
  tare save -o "$STATE/d.tar" busybox
  tare save --format oci-archive -o "$STATE/o.tar" busybox
  skopeo copy -q --insecure-policy "docker-archive:$STATE/d.tar:docker.io/library/busybox:latest" "dir:$STATE/dir-d"
  skopeo copy -q --insecure-policy "oci-archive:$STATE/o.tar" "oci:$STATE/layout:latest"
  config=$(jq -r .config.digest "$STATE/dir-d/manifest.json")
  [ "$config" = "$(id_of busybox)" ]
  podman_own load -q -i "$STATE/d.tar"
  podman_own load -q -i "$STATE/o.tar"
  [ "$(podman_own images -q --no-trunc | sort -u)" = "$(id_of busybox)" ]
  podman_own rmi -af >/dev/null
  umoci unpack --image "$STATE/layout:latest" "$STATE/bundle"
  cmp "$STATE/bundle/rootfs/bin/busybox" <(tar -xOf "$CACHE/busybox.tar" ./bin/busybox)
}

@test "load takes what skopeo and podman save: docker-archive and oci-archive" {
  tare save -o "$STATE/src.tar" busybox
  skopeo copy -q --insecure-policy "docker-archive:$STATE/src.tar" "docker-archive:$STATE/sd.tar:skopeo/docker:1"
  skopeo copy -q --insecure-policy "docker-archive:$STATE/src.tar" "oci-archive:$STATE/so.tar:skopeo/oci:1"
  podman_own load -q -i "$STATE/src.tar"
  podman_own save -q --format docker-archive -o "$STATE/pd.tar" docker.io/library/busybox
  tare load -i "$STATE/sd.tar"
  tare load -i "$STATE/so.tar"
  [ "$(tare run --rm --network none skopeo/docker:1 echo d)" = d ]
  [ "$(tare run --rm --network none skopeo/oci:1 echo o)" = o ]
  tare rmi busybox
  tare load -i "$STATE/pd.tar"
  [ "$(tare run --rm --network none busybox echo p)" = p ]
  podman_own rmi -af >/dev/null
  tare rmi skopeo/docker:1 skopeo/oci:1
}

@test "diff tells what was added, changed and deleted" {
  tare create --name work --network none busybox sh -c 'echo x > /etc/new; mkdir -p /made/deep; echo more >> /etc/passwd; rm /etc/group'
  [ -z "$(tare diff work)" ]
  tare start -a work
  run tare diff work
  [ "$(sort <<<"$output")" = "$(printf 'A /etc/new\nA /made\nA /made/deep\nC /etc\nC /etc/passwd\nD /etc/group')" ]
}

@test "commit makes an image of it, with --change" {
  tare commit -m 'all done' -a 'A <a@b>' -c 'ENV IN=image' -c 'CMD cat /etc/new' work work:done
  [ "$(tare run --rm --network none work:done)" = x ]
  run tare run --rm --network none work:done sh -c 'echo $IN; tail -n 1 /etc/passwd; ls /etc/group; ls /made'
  [ "${lines[0]}" = image ] && [ "${lines[1]}" = more ] && [[ "$output" == *"No such file"* ]] && [[ "$output" == *deep* ]]
  [ "$(tare inspect -f '{{.Author}} {{len .RootFS.Layers}}' work:done)" = 'A <a@b> 2' ]
  [[ "$(tare history work:done)" == *'all done'* ]]
  tare rmi work:done
  # of a running container
  tare run -d --name live --network none busybox sh -c 'echo here > /here; exec sleep 100'
  until_true tare exec live test -e /here
  tare commit live live:1
  [ "$(tare run --rm --network none live:1 cat /here)" = here ]
  [ "$(tare inspect -f '{{.State.Paused}}' live)" = false ]
  tare rm -f live
  tare rmi live:1
}

@test "export is the whole tree" {
  tare export work | tar -t >"$STATE/list"
  grep -qx 'etc/new' "$STATE/list" && grep -qx 'bin/busybox' "$STATE/list"
  ! grep -qx 'etc/group' "$STATE/list"
  tare export -o "$STATE/export.tar" work
  tare import "$STATE/export.tar" flat
  [ "$(tare run --rm --network none flat cat /etc/new)" = x ]
  tare rmi flat
}

@test "cp: files and folders both ways, and tar on -" {
  mkdir -p "$STATE/src/sub" && echo one >"$STATE/src/1" && echo two >"$STATE/src/sub/2" && chmod 750 "$STATE/src/sub" && ln -s 1 "$STATE/src/link"
  tare cp "$STATE/src" work:/                # a new folder of that name
  tare cp "$STATE/src/." work:/made          # its content
  tare cp "$STATE/src/1" work:/made/renamed
  tare start work && tare wait work
  rm -rf "$STATE/back"
  tare cp work:/src "$STATE/back"
  diff -r "$STATE/src" "$STATE/back"
  [ "$(stat -c %a "$STATE/back/sub")" = 750 ] && [ "$(readlink "$STATE/back/link")" = 1 ]
  tare cp work:/made/sub/2 "$STATE/file2" && [ "$(cat "$STATE/file2")" = two ]
  tare cp work:/made/renamed - | tar -xO | grep -qx one
  tar -C "$STATE/src" -c 1 | tare cp - work:/made/deep
  [ "$(tare cp work:/made/deep/1 - | tar -xO)" = one ]
  run tare cp work:/nothere "$STATE/x"
  [ "$status" -eq 1 ] && [ "${#lines[@]}" -eq 1 ]
  run tare cp "$STATE/nothere" work:/x
  [ "$status" -eq 1 ] && [ "${#lines[@]}" -eq 1 ]
  run tare cp "$STATE/src/1" work:/no/such/folder/
  [ "$status" -eq 1 ] && [ "${#lines[@]}" -eq 1 ]
}

@test "cp with a running container, into its volume too" {
  mkdir -p "$STATE/vol"
  tare run -d --name runs --network none -v "$STATE/vol:/vol" busybox sleep 100
  echo given >"$STATE/given"
  tare cp "$STATE/given" runs:/vol/got
  [ "$(cat "$STATE/vol/got")" = given ]
  tare cp "$STATE/given" runs:/got
  [ "$(tare exec runs cat /got)" = given ]
  tare exec runs sh -c 'echo inside > /vol/in'
  [ "$(tare cp runs:/vol/in - | tar -xO)" = inside ]
  tare rm -f runs
}

@test "cp does not leave the container by a link" {
  echo secret >"$STATE/secret"
  echo safe >"$STATE/safe"
  tare create --name trap --network none busybox sh -c "ln -s $STATE /out; ln -s ../../../../../..$STATE /up; ln -s $STATE/safe /file; mkdir -p /d"
  tare start -a trap
  run tare cp trap:/out/secret "$STATE/stolen"
  [ "$status" -eq 1 ] && [ ! -e "$STATE/stolen" ]
  run tare cp trap:/up/secret "$STATE/stolen"
  [ "$status" -eq 1 ] && [ ! -e "$STATE/stolen" ]
  echo evil >"$STATE/evil"
  run tare cp "$STATE/evil" trap:/out/planted
  [ ! -e "$STATE/planted" ]
  run tare cp "$STATE/evil" trap:/up/planted
  [ ! -e "$STATE/planted" ]
  run tare cp "$STATE/evil" trap:/file
  [ "$(cat "$STATE/safe")" = safe ]
  # a tar that climbs out of its folder
  python3 - "$STATE/climb.tar" <<'P'
import io, sys, tarfile
with tarfile.open(sys.argv[1], "w") as t:
    link = tarfile.TarInfo("link"); link.type = tarfile.SYMTYPE; link.linkname = "/etc"; t.addfile(link)
    for name in ("link/through", "../climbed", "/absolute"):
        m = tarfile.TarInfo(name); m.size = 4; t.addfile(m, io.BytesIO(b"evil"))
P
  run tare cp - trap:/d <"$STATE/climb.tar"
  for path in /climbed /etc/through /absolute "$STATE/climbed"; do [ ! -e "$path" ]; done
  tare rm trap work
}
