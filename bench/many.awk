# Figures of row "many" (row, network, value; tab-separated) to a table with its targets. total: how many containers
BEGIN { FS = "\t" }
$1 ~ /^many-/ { key = $1 SUBSEP $2; value[key, ++n[key]] = $3 + 0; seen[$2] = 1 }
END {
  split("none bridge", networks, " ")
  for (i = 1; i <= 2; i++) if (networks[i] in seen) network(networks[i], smoke ? total : networks[i] == "none" ? total : int(total / 3))
}
function median(figure, of,   key, c, i, j, v) {
  key = "many-" figure SUBSEP of; c = n[key]
  for (i = 2; i <= c; i++) for (j = i; j > 1 && value[key, j] < value[key, j - 1]; j--) { v = value[key, j]; value[key, j] = value[key, j - 1]; value[key, j - 1] = v }
  return c % 2 ? value[key, (c + 1) / 2] : (value[key, c / 2] + value[key, c / 2 + 1]) / 2
}
function row(what, shown, met, wanted) { printf "  %-42s %-26s wanted %s%s\n", what, shown, wanted, smoke ? "" : met ? ": met" : ": MISSED" }
function network(of, count,   first, last, ps, memory, idle, left) {
  first = median("first", of); last = median("last", of); ps = median("ps", of); memory = median("memory", of); idle = median("idle", of); left = median("left", of)
  printf "%d containers at once, --network %s\n", count, of
  row("run -d, the last beside the first", sprintf("%.1f / %.1f ms = %.2f", last * 1000, first * 1000, last / first), last <= 1.5 * first, "at most 1.5")
  printf "  %-42s %.1f ms\n", "exec true, of a sample", median("exec", of) * 1000
  row("ps of all", sprintf("%.1f ms", ps * 1000), ps <= 0.1, "at most 100 ms")
  row("memory for a container's keeper", sprintf("%.0f kB", memory), memory <= 200, "at most 200 kB")
  row("processor of all monitors, idle", sprintf("%.2f %% of a core", idle), idle <= 2, "at most 2 %")
  printf "  %-42s %.1f ms\n", "rm -f of all, each", median("rm", of) * 1000
  row("left afterwards", left, left == 0, "0")
}
