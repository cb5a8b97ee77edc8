# Figures (row, tool, seconds or kB; tab-separated) to a table of medians and minima, with how many times tare's each of the others needs, and
# what the targets say.
BEGIN {
  FS = "\t"
  split("tare docker podman crun floor", tools, " ")
  split("run none exec start memory log build pull push import", rows, " ")
  title["run"] = "run --rm true, bridge"; title["none"] = "run --rm true, --network none"; title["exec"] = "exec true"
  title["start"] = count " started, " parallel " at a time: each"; title["memory"] = "memory for a container's keeper"
  title["log"] = "200 MB printed and logged"; title["build"] = "build, all cached"; title["pull"] = "pull"; title["push"] = "push"; title["import"] = "import"
}
{ key = $1 SUBSEP $2; value[key, ++n[key]] = $3 + 0 }
END {
  for (key in n) statistics(key)
  printf "%-32s", "median (minimum)"
  for (t = 1; t <= 5; t++) printf "%-28s", tools[t]
  print ""
  for (r = 1; r <= 10; r++) line(rows[r])
  print "\nNx: how many times tare's. crun makes no bridge, writes no log and keeps no record. floor: clone, mounts, pivot_root, exec, wait."
  if (("pull", "tare") in n || ("push", "tare") in n || ("import", "tare") in n)
    print "pull, push, import: until the command returns and its image can be used. Before each, for every tool, its image is removed and the disk synced (sync),\n" \
          "which is not timed. What a tool leaves for the kernel or itself to write later is its own affair: tare has blob, manifest and database on disk by\n" \
          "then, and makes a layer again that a power cut came before."
  if (("log", "json") in n) printf "200 MB printed and logged by tare in docker's format: %s (%s)\n", figure("log", median["log", "json"]), figure("log", least["log", "json"])
  if (smoke) exit
  print ""
  target("run", "docker", "tare", 20, 1); target("run", "tare", "floor", 5, 0); target("none", "tare", "floor", 3, 0)
  target("log", "docker", "tare", 3, 1); target("log", "docker", "json", 3, 1)
  target("pull", "docker", "tare", 2.5, 1)
}
function statistics(key,   i, j, v, c) {
  c = n[key]
  for (i = 2; i <= c; i++) for (j = i; j > 1 && value[key, j] < value[key, j - 1]; j--) { v = value[key, j]; value[key, j] = value[key, j - 1]; value[key, j - 1] = v }
  least[key] = value[key, 1]
  median[key] = c % 2 ? value[key, (c + 1) / 2] : (value[key, c / 2] + value[key, c / 2 + 1]) / 2
}
function figure(row, v) {
  if (row == "memory") return sprintf("%.0f kB", v)
  return v < 1 ? sprintf("%.1f ms", v * 1000) : sprintf("%.2f s", v)
}
function line(row,   t, key, own, cell, any) {
  for (t = 1; t <= 5; t++) any += ((row, tools[t]) in n)
  if (!any) return
  printf "%-32s", title[row]
  own = (row, "tare") in n ? median[row, "tare"] : 0
  for (t = 1; t <= 5; t++) {
    key = row SUBSEP tools[t]
    cell = "-"
    if (key in n) cell = figure(row, median[key]) (n[key] > 1 ? " (" figure(row, least[key]) ")" : "") (t > 1 && own ? sprintf(" %.1fx", median[key] / own) : "")
    printf "%-28s", cell
  }
  print ""
}
function target(row, over, under, bound, at_least,   a, b, m, l, met) {
  a = row SUBSEP over; b = row SUBSEP under
  if (!(a in n) || !(b in n)) return
  m = median[a] / median[b]; l = least[a] / least[b]
  met = at_least ? m >= bound : m <= bound
  printf "%-32s %s / %s = %.1f (minima %.1f), wanted %s %s: %s\n", title[row], over, under, m, l, at_least ? "at least" : "at most", bound, met ? "met" : "MISSED"
}
