# Row "many" of bench/inside: thousands of containers of tare's at once, what each later one costs, and that nothing is left of them.
# Figures, of which "of" is the kind of network: many-first, many-last (s to start one at the beginning and at the end), many-exec (s), many-ps (s),
# many-memory (kB PSS for a container's keeper), many-idle (% of a core, all monitors together), many-rm (s each), many-left (things).
#   MANY=count   instead of 6000 (a third of it on a bridge)

many_seconds() { # COMMAND...: how long it took
  local from to
  from=$(date +%s%N)
  "$@" >"$STATE/said" 2>&1 || fail "many: $1 ${*:2:4}: $(tail -n 2 "$STATE/said")"
  to=$(date +%s%N)
  awk -v ns="$((to - from))" 'BEGIN {printf "%.6f\n", ns / 1e9}'
}
many_start_some() { # FIGURE NETWORK FROM TO: one after the other
  local i
  for i in $(seq "$3" "$4"); do
    record "many-$1" "$2" "$(many_seconds "${TARE[@]}" run -d --name "many-$i" --network "$2" localhost/busybox sleep 100000)"
  done
}
many_start_rest() { # NETWORK FROM TO
  seq -f 'many-%.0f' "$2" "$3" | xargs -P 4 -I{} "${TARE[@]}" run -d --name {} --network "$1" localhost/busybox sleep 100000 >/dev/null 2>"$STATE/said" ||
    fail "many, $1: $(tail -n 3 "$STATE/said")"
}
many_ticks() { cat $(pgrep tare-monitor | sed 's|.*|/proc/&/stat|') 2>/dev/null | awk '{sum += $14 + $15} END {print sum}'; } # names have no blanks
many_idle() { # NETWORK SECONDS
  local from to
  from=$(many_ticks); sleep "$2"; to=$(many_ticks)
  record many-idle "$1" "$(awk -v ticks="$((to - from))" -v s="$2" -v hz="$(getconf CLK_TCK)" 'BEGIN {print 100 * ticks / hz / s}')"
}
many_left() { # mounts, processes, groups, interfaces, files, rows
  {
    grep -F "$STATE/tare" /proc/mounts
    pgrep tare-monitor
    pgrep -x sleep -P 1
    find /sys/fs/cgroup -mindepth 3 -maxdepth 3 -type d -path '*/tare/*' | grep -F -f "$STATE/many-ids"
    ip -o link | grep -o ': tv[^@:]*'
    ls "$TARE_RUN/containers" "$TARE_ROOT/containers" "$TARE_ROOT"/*/roots "$TARE_ROOT"/*/trash 2>/dev/null | grep -E '^[0-9a-f]{64}'
    sqlite3 "$TARE_ROOT/tare.db" 'SELECT id FROM containers UNION SELECT container FROM leases'
  } 2>/dev/null
}

many_of() { # NETWORK COUNT SAMPLE
  local network=$1 n=$2 sample=$3 i left
  many_start_some first "$network" 1 "$sample"
  many_start_rest "$network" "$((sample + 1))" "$((n - sample))"
  many_start_some last "$network" "$((n - sample + 1))" "$n"
  "${TARE[@]}" ps -q --no-trunc >"$STATE/many-ids"
  [ "$(wc -l <"$STATE/many-ids")" = "$n" ] || fail "many, $network: $(wc -l <"$STATE/many-ids") of $n run"
  for i in $(seq "$sample"); do record many-exec "$network" "$(many_seconds "${TARE[@]}" exec "many-$((1 + (i * 7919) % n))" true)"; done
  for i in 1 2 3 4 5; do record many-ps "$network" "$(many_seconds "${TARE[@]}" ps)"; done
  record many-memory "$network" "$(memory_of tare-monitor "$n")"
  many_idle "$network" "$((SMOKE ? 2 : 20))"
  # shellcheck disable=SC2046
  record many-rm "$network" "$(many_seconds "${TARE[@]}" rm -f $(seq -f 'many-%.0f' "$n") | awk -v n="$n" '{print $1 / n}')"
  for i in $(seq 50); do left=$(many_left); [ -n "$left" ] || break; sleep 0.2; done
  [ -z "$left" ] || fail "many, $network, left: $(head -n 5 <<<"$left")"
  record many-left "$network" "$(grep -c . <<<"$left")"
}

row_many() {
  local n=${MANY:-6000} sample=40
  [ "$SMOKE" = 0 ] || n=40 sample=10
  echo "$n" >"$STATE/many-count"
  many_of none "$n" "$sample"
  many_of bridge "$((SMOKE ? n : n / 3))" "$sample"
}
