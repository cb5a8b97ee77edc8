# Row "oci" of bench/inside: OCI runtimes side by side, by bench/cycle.c: create, start, the end of `true`, delete.
# Figures: warm, cold (page cache dropped before each), parallel, first and last (with none and with $crowd containers running), peak (kB).
runtimes="tare-oci runc crun"

runtime_path() { [ "$1" = tare-oci ] && echo "$STATE/bin/tare-oci" || command -v "$1"; }
# crun takes no host with a second cgroup hierarchy, so none of them gets one: TOOL BUNDLE OPTIONS...
cycle() {
  local tool=$1 bundle=$2
  shift 2
  without_v2 "$BUILD/bench/cycle" "$@" "/run/oci-$tool" "$STATE/bundle-$bundle" "$GROUP-$tool-$bundle" "$(runtime_path "$tool")" 2>"$STATE/said" ||
    fail "oci, $tool $*: $(tail -n 3 "$STATE/said")"
}
cycles() { # FIGURE TOOL BUNDLE OPTIONS...
  local figure=$1 tool=$2
  cycle "${@:2}" | while read -r seconds peak; do
    if [ "$seconds" = peak ]; then record oci-peak "$tool" "$peak"; else record "oci-$figure" "$tool" "$seconds"; fi
  done
}

row_oci() {
  local tool round file cold crowd=2000
  [ "$SMOKE" = 0 ] || crowd=20
  crun_bundle true true
  crun_bundle sleep sleep 10000
  for round in $(seq "$rounds"); do
    for tool in $runtimes; do
      [ "$warm" = 0 ] || cycle "$tool" true >/dev/null
      cycles warm "$tool" true -n "$runs"
      cold=()
      for file in "$(runtime_path "$tool")" $(ldd "$(runtime_path "$tool")" 2>/dev/null | grep -o '/[^ ]*'); do cold+=(-c "$file"); done
      cycles cold "$tool" true -n "$((runs > 2 ? 2 : runs))" "${cold[@]}"
      cycles parallel "$tool" true -n "$((count / 2))" -p "$parallel"
    done
  done
  for tool in $runtimes; do
    cycles first "$tool" true -n "$((runs * 2))"
    cycle "$tool" sleep -k -n "$crowd" -p "$parallel" >/dev/null
    cycles last "$tool" true -n "$((runs * 2))"
    cycle "$tool" sleep -d -n "$crowd" -p "$parallel" >/dev/null
  done
  awk -v smoke="$SMOKE" -v crowd="$crowd" -v parallel="$parallel" -f bench/runtimes.awk "$STATE/figures"
}
