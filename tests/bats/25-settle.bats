#!/usr/bin/env bats
# layers that are used before they are on disk: what a power cut and a killed settler leave, for every command that needs a layer
load helper

setup_file() {
  tare_setup_file
  export IMAGE=127.0.0.1:$((PORT_BASE + 1))/busy:1
  registry_start $((PORT_BASE + 1))
  printf '%s' "$REGISTRY_PID" >"$STATE/registry.pid"
  printf 'FROM busybox\nRUN echo second >/second\nRUN echo third >/third\n' >"$STATE/Dockerfile"
  tare build -q -t "$IMAGE" - <"$STATE/Dockerfile" >/dev/null
  tare push -q "$IMAGE"
  tare system settle
}

teardown_file() {
  kill "$(cat "$STATE/registry.pid")"
  tare_teardown_file
}

teardown() {
  settlers_on
  tare system settle
}

driver() { cat "$TARE_ROOT/driver"; }
unsettled() { ls "$TARE_ROOT/$(driver)/unsettled" 2>/dev/null || true; }
layers() { ls "$TARE_ROOT/$(driver)/layers"; }
# From here on every settler that a command starts leaves at once, as if it had been killed.
settlers_off() { exec 8<"$TARE_ROOT/$(driver)/trash" && flock 8; }
settlers_on() { exec 8<&-; }
# The image as a pull leaves it, nothing else, and nothing synced
pulled() {
  settlers_on
  tare rmi -f "$IMAGE" busybox >/dev/null 2>&1 || true
  tare builder prune -af >/dev/null
  tare image prune -af >/dev/null
  tare system settle
  settlers_off
  tare pull -q "$IMAGE"
  [ "$(unsettled | wc -l)" -eq 3 ]
}
# The machine goes down: what the layers held is lost, and the boot is another.
power_cut() {
  local entry
  for entry in $(unsettled); do
    find "$TARE_ROOT/$(driver)/layers/${entry%%.*}" -type f ! -name meta -exec truncate -s 0 {} +
    echo 00000000-0000-0000-0000-000000000000 >"$TARE_ROOT/$(driver)/unsettled/$entry"
  done
}
whole() { [ "$(tare run --rm --network none "$IMAGE" sh -c 'cat /second /third; echo $((6 * 7))' | tr '\n' ' ')" = "second third 42 " ]; }

@test "a pull is settled in the background, and system settle waits for it" {
  tare rmi "$IMAGE"
  tare builder prune -af >/dev/null
  tare pull -q "$IMAGE"
  whole
  tare system settle
  [ -z "$(unsettled)" ] && [ ! -e "$TARE_ROOT/$(driver)/unsettled" ]
  pulled
  whole
  settlers_on
  tare system check | grep -qx 'Everything is in order'
  [ -z "$(unsettled)" ]
}

@test "after a power cut run makes the layers again" {
  pulled
  power_cut
  [ "$(tare system check -n)" = 'Everything is in order' ]
  [ -z "$(layers)" ]
  whole
  [ "$(layers | wc -l)" -eq 3 ]
  settlers_on
  tare system check | grep -qx 'Everything is in order'
}

@test "only what was not on disk is made again" {
  pulled
  settlers_on
  tare system settle
  first=$(tare inspect -f '{{index .RootFS.Layers 0}}' "$IMAGE")
  mkdir "$TARE_ROOT/$(driver)/unsettled"
  : >"$TARE_ROOT/$(driver)/unsettled/${first#*:}"
  others=$(cd "$TARE_ROOT/$(driver)/layers" && stat -c '%i' $(layers | grep -v "${first#*:}"))
  power_cut
  whole
  [ "$(cd "$TARE_ROOT/$(driver)/layers" && stat -c '%i' $(layers | grep -v "${first#*:}"))" = "$others" ]
}

@test "a container of before the power cut: start, diff, cp, export, commit" {
  pulled
  tare create --name kept --network none "$IMAGE" sh -c 'cat /second; echo new >/new' >/dev/null
  [ "$(tare start -a kept)" = second ]
  for again in "tare start -a kept" "tare diff kept" "tare cp kept:/third -" "tare export -o $STATE/out.tar kept" "tare commit kept committed"; do
    power_cut
    tare ps -aq >/dev/null && tare inspect -s kept >/dev/null && tare history "$IMAGE" >/dev/null
    sh -c "$again" >"$STATE/out" || { cat "$STATE/out"; false; }
    # whoever came first made them again
    [ "$(layers | wc -l)" -ge 3 ]
    case $again in
      *start*) [ "$(cat "$STATE/out")" = second ] ;;
      *diff*) grep -qx 'A /new' "$STATE/out" ;;
      *cp*) [ "$(tar -xOf "$STATE/out" third)" = third ] ;;
      *export*) [ "$(tar -xOf "$STATE/out.tar" new third | tr '\n' ' ')" = 'new third ' ] ;;
    esac
  done
  power_cut
  [ "$(tare run --rm --network none committed cat /new /third | tr '\n' ' ')" = 'new third ' ]
  tare rm kept && tare rmi committed
}

@test "a build upon layers that are gone, with and without its cache" {
  pulled
  printf 'FROM %s\nRUN cat /second >/fourth\n' "$IMAGE" >"$STATE/Dockerfile.more"
  for _ in 1 2; do
    power_cut
    tare build -q -t more -f "$STATE/Dockerfile.more" "$STATE" >/dev/null
    [ "$(tare run --rm --network none more cat /fourth)" = second ]
  done
  power_cut
  printf 'FROM busybox\nCOPY --from=more /fourth /third /\n' >"$STATE/Dockerfile.copy"
  tare import "$CACHE/busybox.tar" busybox >/dev/null
  tare build -q -t copied -f "$STATE/Dockerfile.copy" "$STATE" >/dev/null
  [ "$(tare run --rm --network none copied cat /fourth /third | tr '\n' ' ')" = 'second third ' ]
  tare rmi more copied
}

@test "save and push need no layers" {
  pulled
  power_cut
  tare save -o "$STATE/saved.tar" "$IMAGE"
  tare push -q "$IMAGE"
  [ -z "$(layers)" ]
  whole
}

@test "a layer that cannot be made again is told, by run and by system check" {
  pulled
  power_cut
  blob=$(tare save "$IMAGE" | tar -xO manifest.json | jq -r '.[0].Layers[1]')
  mv "$TARE_ROOT/blobs/sha256/$(basename "$blob")" "$STATE/blob"
  run tare run --rm --network none "$IMAGE" true
  [ "$status" -eq 125 ] && [[ "$output" == *"make layer "*" again: "* ]] || { echo "$status $output"; false; }
  run tare system check -n
  [ "$status" -eq 1 ] && [[ "$output" == *"a layer is missing; pull or build it again"* ]]
  settlers_on
  tare pull -q "$IMAGE"
  whole
}

@test "rmi of what is not settled, and the same pulled again meanwhile" {
  for _ in 1 2 3; do
    pulled
    settlers_on
    tare rmi "$IMAGE" &
    tare system settle
    wait $!
    tare pull -q "$IMAGE" & tare pull -q "$IMAGE"
    wait $!
    whole
  done
  tare system check | grep -qx 'Everything is in order'
}
