#!/usr/bin/env bats
# The erofs driver end to end: the same trees as overlay's, the archive as it came, one mount for all containers, nothing left. The other files
# run with it too: TARE_DRIVER=erofs.
load helper

setup_file() {
  local probe
  probe=$(mktemp -d)
  unset TARE_DRIVER
  if tare --root "$probe" --run "$probe" --storage-driver erofs info >/dev/null 2>&1; then export TARE_DRIVER=erofs; fi
  rm -rf "$probe"
  tare_setup_file
}
setup() { [ "$(cat "$TARE_ROOT/driver")" = erofs ] || skip "this kernel does not mount erofs from files"; }
teardown_file() { tare_teardown_file; }

layers() { find "$TARE_ROOT/erofs/layers" -mindepth 1 -maxdepth 1; }
# The file systems that monitors hold layers of.
held() {
  local pid fd
  for pid in $(pgrep -f "tare-monitor.*$TARE_RUN"); do
    for fd in /proc/"$pid"/fd/*; do
      [ "$(readlink "$fd")" != / ] || stat -L -c %d "$fd"
    done
  done
}

@test "a store keeps its driver" {
  [ "$(cat "$TARE_ROOT/driver")" = erofs ]
  [ "$(tare info -f '{{.Driver}}')" = erofs ]
  [ "$(tare run --rm busybox echo here)" = here ]
}

@test "the archive is there byte for byte, and nothing but an index beside it" {
  cmp "$(layers)/tar" "$CACHE/busybox.tar"
  run ls "$(layers)"
  [[ $output != *diff* && $output == *index* ]]
}

@test "a distribution looks as it does with overlay" {
  tare import "$CACHE/debian.tar" debian >/dev/null
  tare create --name seen debian true >/dev/null
  tare export seen | tar -tv --full-time --numeric-owner | sort >"$STATE/erofs.txt"
  TARE_ROOT=$STATE/other tare --storage-driver overlay import "$CACHE/debian.tar" debian >/dev/null
  TARE_ROOT=$STATE/other tare create --name seen debian true >/dev/null
  TARE_ROOT=$STATE/other tare export seen | tar -tv --full-time --numeric-owner | sort >"$STATE/overlay.txt"
  [ "$(wc -l <"$STATE/erofs.txt")" -gt 5000 ]
  diff "$STATE/erofs.txt" "$STATE/overlay.txt"
  tare rm seen
  TARE_ROOT=$STATE/other tare rm seen
}

@test "what a container writes, deletes and makes a layer of" {
  tare run --name change busybox sh -c 'rm /bin/vi; mkdir /new; echo one >/new/file; ln /bin/busybox /new/link; mkfifo /new/fifo'
  tare diff change | grep -qx 'D /bin/vi'
  tare commit change changed >/dev/null
  [ "$(tare run --rm changed sh -c 'cat /new/file; test -e /bin/vi || echo gone; test -p /new/fifo && echo fifo; cmp /bin/busybox /new/link && echo same')" = "$(printf 'one\ngone\nfifo\nsame')" ]
  tare rm change
}

@test "files have the st_dev of the directory they are in" {
  [ "$(tare run --rm busybox stat -c %d / /bin /bin/busybox | sort -u | wc -l)" = 1 ]
}

@test "in a user namespace the image's files belong to its root" {
  run tare run --rm --userns private busybox stat -c %u:%g /bin/busybox
  [ "$output" = 0:0 ]
}

@test "containers of an image share its mount, and the last takes it away" {
  tare run -d --name one busybox sleep 1000 >/dev/null
  tare run -d --name two busybox sleep 1000 >/dev/null
  [ "$(held | wc -l)" = 2 ]
  [ "$(held | sort -u | wc -l)" = 1 ]
  tare rm -f one >/dev/null # who mounted it
  tare run -d --name three busybox sleep 1000 >/dev/null
  [ "$(held | sort -u | wc -l)" = 1 ]
  tare rm -f two three >/dev/null
  ! grep erofs /proc/mounts
}

@test "removing an image removes its files" {
  tare rmi changed debian >/dev/null
  [ "$(layers | wc -l)" = 1 ]
  [ -z "$(ls -A "$TARE_ROOT/erofs/trash")" ]
}
