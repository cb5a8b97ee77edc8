#!/usr/bin/env bats
# bad input: one clear line, the right code, the store as it was
load helper
setup_file() { tare_setup_file; }
teardown_file() { tare_teardown_file; }

stored() { tare images -a --no-trunc --digests --format '{{.Repository}} {{.Tag}} {{.Digest}} {{.ID}}' | sort; find "$TARE_ROOT/blobs" "$TARE_ROOT/overlay/layers" "$TARE_ROOT/overlay/staging" "$TARE_ROOT/ingest" -maxdepth 2 2>/dev/null | sort; }
# refused CODE WORDS COMMAND...: exactly one line on stderr, nothing changed
refused() {
  local code=$1 words=$2 before
  shift 2
  before=$(stored)
  run "$@"
  [ "$status" -eq "$code" ] || { echo "$*: status $status: $output"; return 1; }
  [ "$(grep -vc "^See '" <<<"$output")" -eq 1 ] || { echo "$*: more than a line: $output"; return 1; }
  [[ "$output" == *$words* ]] || { echo "$*: no '$words' in: $output"; return 1; }
  [ "$(stored)" = "$before" ] || { echo "$*: the store changed:"; diff <(echo "$before") <(stored); return 1; }
}

archives() {
  python3 - "$STATE" <<'P'
import gzip, io, json, hashlib, os, sys, tarfile
top = sys.argv[1]
def make(name, *members):
    with tarfile.open(f"{top}/{name}.tar", "w") as t:
        for m, data in members:
            t.addfile(m, io.BytesIO(data) if data is not None else None)
def file(name, data=b"evil"):
    m = tarfile.TarInfo(name); m.size = len(data); return m, data
def link(name, to, kind=tarfile.SYMTYPE):
    m = tarfile.TarInfo(name); m.type = kind; m.linkname = to; return m, None
def node(name):
    m = tarfile.TarInfo(name); m.type = tarfile.CHRTYPE; m.devmajor, m.devminor = 1, 3; m.mode = 0o666; return m, None
def directory(name):
    m = tarfile.TarInfo(name); m.type = tarfile.DIRTYPE; m.mode = 0o755; return m, None
make("dotdot", file("ok"), file("../../../../../../../../tmp/tare-evil"))
make("absolute", file("/tmp/tare-evil"))
make("through", link("out", "/tmp"), file("out/tare-evil"))
make("through-relative", link("out", "../../../../../../../../../tmp"), file("out/tare-evil"))
make("hard", link("shadow", "/etc/shadow", tarfile.LNKTYPE))
make("hard-dotdot", link("shadow", "../../../../../../../etc/shadow", tarfile.LNKTYPE))
make("hard-through", link("etc", "/etc"), link("shadow", "etc/shadow", tarfile.LNKTYPE))
make("device", directory("dev"), node("dev/null"))
make("whiteout", file(".wh...", b""), file("a/.wh..", b""))
make("swap", directory("d"), file("d/x"), link("d", "/tmp"), file("d/tare-evil"))
P
}

@test "archives that climb, link and lie do not leave the root" {
  archives
  echo keep >"$STATE/victim"
  for name in dotdot absolute through through-relative hard hard-dotdot hard-through whiteout swap; do
    rm -f /tmp/tare-evil
    run tare import "$STATE/$name.tar" "bad:$name"
    [ ! -e /tmp/tare-evil ] || { rm -f /tmp/tare-evil; echo "$name escaped"; false; }
    [ "$status" -eq 0 ] || { [ "$status" -eq 1 ] && [ "${#lines[@]}" -eq 1 ]; } || { echo "$name: $status $output"; false; }
    if [ "$status" -eq 0 ]; then
      tare create --name bad "bad:$name" x >/dev/null
      ! tare export bad | tar -xO 2>/dev/null | grep -aq "$(head -c 20 /etc/shadow)" || { echo "$name took /etc/shadow"; false; }
      tare rm bad >/dev/null
      tare rmi "bad:$name" >/dev/null
    fi
    # and by ADD and cp, which unpack too
    mkdir -p "$STATE/ctx" && cp "$STATE/$name.tar" "$STATE/ctx/a.tar" && printf 'FROM busybox\nADD a.tar /x/\n' >"$STATE/ctx/Dockerfile"
    run tare build -q -t bad:added "$STATE/ctx"
    [ ! -e /tmp/tare-evil ] || { rm -f /tmp/tare-evil; echo "$name escaped by ADD"; false; }
    tare rmi bad:added >/dev/null 2>&1 || true
    run tare load -i "$STATE/$name.tar"
    [ "$status" -eq 1 ] && [ ! -e /tmp/tare-evil ]
  done
  tare builder prune -f >/dev/null
}

@test "device nodes of an image are made, and give no access" {
  tare import "$STATE/device.tar" dev:1
  tare rmi dev:1
  python3 - "$STATE/disk.tar" "$CACHE/busybox.tar" <<'P'
import shutil, sys, tarfile
shutil.copy(sys.argv[2], sys.argv[1])
with tarfile.open(sys.argv[1], "a") as t:
    m = tarfile.TarInfo("disk"); m.type = tarfile.CHRTYPE; m.devmajor, m.devminor = 1, 1; m.mode = 0o666; t.addfile(m)
P
  tare import "$STATE/disk.tar" dev:2
  run tare run --rm --network none dev:2 head -c 1 /disk
  [ "$status" -ne 0 ]
  tare rmi dev:2
}

@test "truncated and damaged archives" {
  gzip -c "$CACHE/busybox.tar" >"$STATE/b.tar.gz"
  zstd -q -c "$CACHE/busybox.tar" >"$STATE/b.tar.zst"
  for kind in gz zst; do
    head -c 300000 "$STATE/b.tar.$kind" >"$STATE/cut.$kind"
    refused 1 '' tare import "$STATE/cut.$kind" cut
    cp "$STATE/b.tar.$kind" "$STATE/flip.$kind"
    head -c 2000 /dev/urandom | dd of="$STATE/flip.$kind" bs=1000 seek=100 conv=notrunc 2>/dev/null
    refused 1 '' tare import "$STATE/flip.$kind" flip
  done
  head -c 100000 "$CACHE/busybox.tar" >"$STATE/cut.tar"
  refused 1 '' tare import "$STATE/cut.tar" cut
  refused 1 '' tare import "$STATE/nothere" x
  refused 1 '' tare import "$STATE" x
  head -c 100000 /dev/urandom >"$STATE/noise"
  refused 1 '' tare import "$STATE/noise" noise
  tare save -o "$STATE/saved.tar" busybox
  head -c 700000 "$STATE/saved.tar" >"$STATE/saved.cut"
  refused 1 '' tare load -i "$STATE/saved.cut"
  refused 1 '' tare load -i "$STATE/noise"
  # a layer that is not what the configuration says
  mkdir -p "$STATE/un" && tar -C "$STATE/un" -xf "$STATE/saved.tar"
  layer=$(jq -r '.[0].Layers[0]' "$STATE/un/manifest.json")
  printf x | dd of="$STATE/un/$layer" bs=1 seek=5000 conv=notrunc 2>/dev/null
  tar -C "$STATE/un" -cf "$STATE/lie.tar" .
  run env TARE_ROOT="$STATE/fresh" tare load -i "$STATE/lie.tar"
  [ "$status" -eq 1 ] && [ "${#lines[@]}" -eq 1 ] || { echo "$status $output"; false; }
  [ -z "$(TARE_ROOT=$STATE/fresh tare images -aq)" ]
  printf '[{"Config":"../../etc/passwd","RepoTags":["a:b"],"Layers":[]}]' >"$STATE/un/manifest.json"
  rm -f "$STATE/un/index.json" "$STATE/un/oci-layout" && tar -C "$STATE/un" -cf "$STATE/lie.tar" .
  refused 1 '' tare load -i "$STATE/lie.tar"
  printf '{not json' >"$STATE/un/manifest.json" && tar -C "$STATE/un" -cf "$STATE/lie.tar" .
  refused 1 '' tare load -i "$STATE/lie.tar"
  rm -rf "$STATE/fresh"
}

@test "a bomb stops where the disk does, and takes back what it wrote" {
  # 10 GB of zeros in 10 MB, onto a file system of 64 MB
  mkdir -p "$STATE/small" && mount -t tmpfs -o size=64m small "$STATE/small"
  python3 - "$STATE/bomb.tar.gz" <<'P'
import sys, tarfile, gzip
m = tarfile.TarInfo("zeros"); m.size = 10 << 30
with gzip.open(sys.argv[1], "wb", 1) as g:
    g.write(m.tobuf(tarfile.GNU_FORMAT))
    block = bytes(16 << 20)
    for _ in range(32):
        g.write(block)
P
  run env TARE_ROOT="$STATE/small/root" tare import "$STATE/bomb.tar.gz" bomb
  code=$status lines_=${#lines[@]}
  used=$(df --output=used -k "$STATE/small" | tail -n 1)
  left=$(TARE_ROOT=$STATE/small/root tare images -aq)
  umount "$STATE/small"
  [ "$code" -eq 1 ] && [ "$lines_" -eq 1 ] || { echo "$code $output"; false; }
  [ -z "$left" ] && [ "$used" -lt 4096 ] || { echo "used $used k: $left"; false; }
}

@test "wrong references, names, commands and flags" {
  for reference in UPPER a//b :tag a:b:c 'a b' a@sha256:12 "$(printf a%.0s {1..300})" ../x 'a:'; do
    refused 1 '' tare tag busybox "$reference"
  done
  refused 1 '' tare pull 'UPPER'
  refused 1 '' tare rmi nothere
  refused 1 nothere sh -c 'tare inspect nothere >/dev/null'
  refused 1 '' tare logs nothere
  refused 1 '' tare history nothere
  refused 1 nothere tare start nothere
  refused 125 '' tare run --name 'no space' busybox true
  refused 125 '' tare run --name ../up busybox true
  refused 125 '' tare run --nosuch busybox
  refused 1 'requires at least 1 argument' tare run
  run tare nosuchcommand
  [ "$status" -ne 0 ] && [ "${#lines[@]}" -le 3 ]
  run tare images --nosuch
  [ "$status" -ne 0 ] && [ "${#lines[@]}" -le 3 ]
  refused 1 '' tare images --format '{{.Nope'
  refused 1 '' tare images --filter nope=x
  refused 1 '' tare save busybox -o /no/such/folder/x
  [ -z "$(tare ps -aq)" ]
}

# wrong_line NUMBER WORDS DOCKERFILE: one line that names the line, and no image
wrong_line() {
  mkdir -p "$STATE/wrong" && printf "$3" >"$STATE/wrong/Dockerfile"
  refused 1 "Dockerfile:$1: " sh -c 'tare build -t wrong "$STATE/wrong" >/dev/null'
  [[ "$output" == *$2* ]] || { echo "no '$2' in: $output"; return 1; }
}

@test "wrong Dockerfiles: the number of the line and what is wrong" {
  wrong_line 2 'unknown instruction: RUNN' 'FROM busybox\nRUNN x\n'
  wrong_line 4 'unknown instruction: NOPE' '# one\n\nFROM busybox\nNOPE \\\n # inside\n more\nRUN true\n'
  wrong_line 3 COPY 'FROM busybox\n\nCOPY\n'
  wrong_line 1 'no build stage' 'COPY a b\n'
  wrong_line 2 'unknown flag: --nosuch' 'FROM busybox\nRUN --nosuch x\n'
  wrong_line 1 'invalid reference' 'FROM BAD:::x\n'
  wrong_line 3 ENV 'FROM busybox\nENTRYPOINT ["a\nENV\n'
  wrong_line 1 'no instructions' ''
  wrong_line 2 99999 'FROM busybox\nEXPOSE 99999\n'
  echo secret >"$STATE/outside"
  wrong_line 2 outside 'FROM busybox\nCOPY ../outside /x\n'
  ln -sfn "$STATE/outside" "$STATE/wrong/link" && ln -sfn / "$STATE/wrong/top"
  wrong_line 2 '' 'FROM busybox\nCOPY top/etc/shadow /x\n'
  printf 'FROM busybox\nCOPY link /x\n' >"$STATE/wrong/Dockerfile"
  run tare build -q -t wrong "$STATE/wrong"
  [ "$status" -ne 0 ] || [ -z "$(tare run --rm wrong cat /x 2>/dev/null)" ]
  tare rmi wrong >/dev/null 2>&1 || true
  # an image that is to be pulled: what the registry says, then the line
  printf 'FROM busybox\nCOPY --from=127.0.0.1:1/nope /a /b\n' >"$STATE/wrong/Dockerfile"
  run sh -c 'tare build "$STATE/wrong" >/dev/null'
  [ "$status" -eq 1 ] && [[ "${lines[0]}" == *"127.0.0.1:1"*onnect* ]] && [[ "${lines[1]}" == *"Dockerfile:2: "*"127.0.0.1:1/nope"* ]] || { echo "$output"; false; }
  refused 1 '' tare build -q "$STATE/nowhere"
  refused 1 '' tare build -q -f /etc/passwd "$STATE/wrong"
  head -c 300000 /dev/urandom >"$STATE/wrong/Dockerfile"
  refused 1 '' tare build -q "$STATE/wrong"
}
