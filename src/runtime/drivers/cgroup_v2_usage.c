/* The numbers cgroup v2 keeps of a group. */
#include <inttypes.h>
#include <stdio.h>
#include "base/file.h"
#include "base/str.h"
#include "runtime/cgroup-internal.h"

static const char *top(void)
{
        return cgroup_layout()->unified;
}

/* ---- io.stat: "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6" ---- */

typedef void (*io_fn)(void *data, unsigned major, unsigned minor, const char *key, uint64_t value);
static void read_io(const char *path, io_fn fn, void *data)
{
        _cleanup_free_ char *full = cgroup_file(top(), path, "io.stat");
        _cleanup_fclose_ FILE *f = fopen(full, "re");
        char line[512];
        while (f && fgets(line, sizeof(line), f)) {
                unsigned major, minor;
                char *rest = NULL, *word = strtok_r(line, " \n", &rest);
                if (!word || sscanf(word, "%u:%u", &major, &minor) != 2)
                        continue;
                while ((word = strtok_r(NULL, " \n", &rest))) {
                        char *equals = strchr(word, '=');
                        if (!equals)
                                continue;
                        *equals = 0;
                        fn(data, major, minor, word, strtoull(equals + 1, NULL, 10));
                }
        }
}

/* ---- all of them ---- */

static json_t *scaled(uint64_t value, uint64_t factor)
{
        return json_integer((json_int_t)(value * factor & INT64_MAX));
}

/* "some avg10=0.00 avg60=0.00 avg300=0.00 total=0"; nothing where the kernel does not measure pressure. */
static void pressure(json_t *o, const char *path, const char *file)
{
        _cleanup_free_ char *full = cgroup_file(top(), path, file);
        _cleanup_fclose_ FILE *f = fopen(full, "re");
        char line[256], kind[8], average[3][16];
        uint64_t total;
        json_t *psi = NULL;
        while (f && fgets(line, sizeof(line), f)) {
                if (sscanf(line, "%7s avg10=%15s avg60=%15s avg300=%15s total=%" SCNu64, kind, average[0], average[1], average[2],
                           &total) != 5)
                        continue;
                psi = psi ? psi : usage_object(o, "psi");
                json_t *one = usage_object(psi, kind);
                json_object_set_new(one, "avg10", json_real(strtod(average[0], NULL)));
                json_object_set_new(one, "avg60", json_real(strtod(average[1], NULL)));
                json_object_set_new(one, "avg300", json_real(strtod(average[2], NULL)));
                json_object_set_new(one, "total", scaled(total, 1));
        }
}

static void cpu_usage(const char *path, json_t *usage)
{
        static const char *const rows[][3] = { { "usage", "total", "usage_usec" },         { "usage", "user", "user_usec" },
                                               { "usage", "kernel", "system_usec" },       { "throttling", "periods", "nr_periods" },
                                               { "throttling", "throttledPeriods", "nr_throttled" },
                                               { "throttling", "throttledTime", "throttled_usec" } };
        _cleanup_json_ json_t *stat = usage_keys(top(), path, "cpu.stat");
        json_t *o = usage_object(usage, "cpu");
        usage_object(o, "usage");
        usage_object(o, "throttling");
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                json_t *value = json_object_get(stat, rows[i][2]);
                if (value)
                        json_object_set_new(json_object_get(o, rows[i][0]), rows[i][1],
                                            scaled((uint64_t)json_integer_value(value), str_ends(rows[i][2], "_usec") ? 1000 : 1));
        }
        pressure(o, path, "cpu.pressure");
}

static void memory_entry(json_t *memory, const char *key, const char *path, const char *prefix)
{
        static const char *const files[][2] = { { "limit", "max" }, { "usage", "current" }, { "max", "peak" } };
        char file[64];
        snprintf(file, sizeof(file), "%s.current", prefix);
        if (!cgroup_has(top(), path, file))
                return;
        json_t *o = usage_object(memory, key);
        for (size_t i = 0; i < ELEMENTS(files); i++) {
                snprintf(file, sizeof(file), "%s.%s", prefix, files[i][1]);
                usage_u64(o, files[i][0], top(), path, file);
        }
        /* A limit of "max" is no number, and the largest is how v1's readers know none. */
        if (!json_object_get(o, "limit"))
                json_object_set_new(o, "limit", json_integer(INT64_MAX));
        snprintf(file, sizeof(file), "%s.events", prefix);
        json_object_set_new(o, "failcnt", scaled(cgroup_read_key(top(), path, file, "max", 0), 1));
}

/* v1 counts memory with swap, and that is what readers of "swap" take it for. */
static void swap_with_memory(json_t *swap, const json_t *memory)
{
        static const char *const keys[] = { "usage", "limit" };
        for (size_t i = 0; swap && i < ELEMENTS(keys); i++) {
                json_int_t sum, without = json_integer_value(json_object_get(swap, keys[i]));
                if (__builtin_add_overflow(without, json_integer_value(json_object_get(memory, keys[i])), &sum))
                        sum = INT64_MAX;
                json_object_set_new(swap, keys[i], json_integer(sum));
        }
}

static void memory_usage(const char *path, json_t *usage)
{
        if (!cgroup_has(top(), path, "memory.stat"))
                return;
        json_t *o = usage_object(usage, "memory"), *raw = usage_keys(top(), path, "memory.stat");
        json_object_set(o, "cache", json_object_get(raw, "file"));
        memory_entry(o, "usage", path, "memory");
        memory_entry(o, "swap", path, "memory.swap");
        swap_with_memory(json_object_get(o, "swap"), json_object_get(o, "usage"));
        json_object_set_new(o, "raw", raw);
        pressure(o, path, "memory.pressure");
}

/* v1's words for io.stat, as its readers know them. */
static void block_entry(void *data, unsigned major, unsigned minor, const char *key, uint64_t value)
{
        static const char *const rows[][3] = {
                { "rbytes", "ioServiceBytesRecursive", "Read" }, { "wbytes", "ioServiceBytesRecursive", "Write" },
                { "dbytes", "ioServiceBytesRecursive", "Discard" }, { "rios", "ioServicedRecursive", "Read" },
                { "wios", "ioServicedRecursive", "Write" },       { "dios", "ioServicedRecursive", "Discard" },
        };
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                if (!str_eq(rows[i][0], key))
                        continue;
                json_t *list = json_object_get(data, rows[i][1]), *o = json_object();
                if (!list) {
                        list = json_array();
                        json_object_set_new(data, rows[i][1], list);
                }
                json_object_set_new(o, "major", json_integer(major));
                json_object_set_new(o, "minor", json_integer(minor));
                json_object_set_new(o, "op", json_string(rows[i][2]));
                json_object_set_new(o, "value", scaled(value, 1));
                json_array_append_new(list, o);
        }
}

static void cpuset_usage(const char *path, json_t *usage)
{
        if (!cgroup_has(top(), path, "cpuset.cpus"))
                return;
        json_t *o = usage_object(usage, "cpuset");
        json_object_set_new(o, "cpus", usage_set(top(), path, "cpuset.cpus.effective"));
        json_object_set_new(o, "mems", usage_set(top(), path, "cpuset.mems.effective"));
}

void cgroup_v2_usage(const char *path, json_t *usage)
{
        cpu_usage(path, usage);
        cpuset_usage(path, usage);
        memory_usage(path, usage);
        if (cgroup_has(top(), path, "pids.current")) {
                json_t *o = usage_object(usage, "pids");
                usage_u64(o, "current", top(), path, "pids.current");
                usage_u64(o, "limit", top(), path, "pids.max");
        }
        json_t *block = usage_object(usage, "blkio");
        read_io(path, block_entry, block);
        pressure(block, path, "io.pressure");
        usage_hugetlb(usage, top(), path, "current", "max", "events");
}
