# The figures of row "oci" to a table of medians and minima, with how many times tare-oci's each of the others needs, and what the targets say.
BEGIN {
  FS = "\t"
  split("tare-oci runc crun", tools, " ")
  split("warm cold parallel first last peak", rows, " ")
  title["warm"] = "create, start, delete"; title["cold"] = "from a cold page cache"; title["parallel"] = parallel " at a time: each"
  title["first"] = "with none running"; title["last"] = "with " crowd " running"; title["peak"] = "peak memory of a call"
}
sub(/^oci-/, "", $1) { key = $1 SUBSEP $2; value[key, ++n[key]] = $3 + 0 }
END {
  for (key in n) statistics(key)
  printf "\n%-32s", "OCI runtimes, median (minimum)"
  for (t = 1; t <= 3; t++) printf "%-28s", tools[t]
  print ""
  for (r = 1; r <= 6; r++) line(rows[r])
  print ""
  if (smoke) exit
  for (r = 1; r <= 3; r++) {
    told(title[rows[r]], "crun / tare-oci", ratio(rows[r], "crun", rows[r], "tare-oci"), 2, 1)
    told(title[rows[r]], "runc / tare-oci", ratio(rows[r], "runc", rows[r], "tare-oci"), 5, 1)
  }
  told("tare-oci", crowd " running / none", ratio("last", "tare-oci", "first", "tare-oci"), 1.3, 0)
  told("tare-oci", "peak in MB", median["peak", "tare-oci"] / 1024, 2, 0)
}
function statistics(key,   i, j, v, c) {
  c = n[key]
  for (i = 2; i <= c; i++) for (j = i; j > 1 && value[key, j] < value[key, j - 1]; j--) { v = value[key, j]; value[key, j] = value[key, j - 1]; value[key, j - 1] = v }
  least[key] = value[key, 1]
  median[key] = c % 2 ? value[key, (c + 1) / 2] : (value[key, c / 2] + value[key, c / 2 + 1]) / 2
}
function figure(row, v) { return row == "peak" ? sprintf("%.0f kB", v) : sprintf("%.1f ms", v * 1000) }
function line(row,   t, key, own) {
  printf "%-32s", title[row]
  own = median[row, "tare-oci"]
  for (t = 1; t <= 3; t++) {
    key = row SUBSEP tools[t]
    printf "%-28s", key in n ? figure(row, median[key]) " (" figure(row, least[key]) ")" (t > 1 && own ? sprintf(" %.1fx", median[key] / own) : "") : "-"
  }
  print ""
}
function ratio(row, tool, other, base) { return median[other, base] ? median[row, tool] / median[other, base] : 0 }
function told(what, over, value, bound, at_least,   met) {
  met = at_least ? value >= bound : value <= bound
  printf "%-32s %s = %.1f, wanted %s %s: %s\n", what, over, value, at_least ? "at least" : "at most", bound, met ? "met" : "MISSED"
}
