/* Control groups inside the room: what is mounted here, and the contract of the two drivers. */
#ifndef TARE_RUNTIME_CGROUP_INTERNAL_H
#define TARE_RUNTIME_CGROUP_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include "runtime/cgroup.h"

#define CGROUP_TOP "/sys/fs/cgroup"

struct cgroup_hierarchy {
        char *name;                    /* "memory", "cpu,cpuacct", "systemd" */
        char *path;                    /* "/sys/fs/cgroup/memory" */
};
/* Found once per process by looking at /sys/fs/cgroup itself: the table of mounts is never read. */
struct cgroup_layout {
        struct cgroup_hierarchy *list; /* v1 */
        size_t count;
        char *unified;                 /* where v2 is mounted, or NULL */
        bool unified_controls;         /* beside v1: it has controllers that are not mounted as v1 */
        bool unified_joined;           /* cgroup_join_unified() */
};
const struct cgroup_layout *cgroup_layout(void);
/* For tests: another layout from now on; its strings must live. */
void cgroup_layout_set(const struct cgroup_layout *layout);
/* Where a v1 controller is mounted, NULL: it is not. */
const char *cgroup_top_of(const char *controller);
/* The path of a group as this room uses it: absolute, clean; "a/b" is below /tare, "slice:prefix:name" as systemd would put it.
 * NULL: ERR_INVALID. Heap. */
char *cgroup_path_clean(const char *path, struct err *err);

/* A group in one driver: `path` below each of its hierarchies. What a driver does not have it leaves alone, so that a
 * hybrid host asks both and adds up. */
struct cgroup_driver {
        int (*create)(const char *path, const struct oci_resources *r, struct err *err);
        bool (*exists)(const char *path);
        int (*join)(const char *path, pid_t pid, struct err *err);
        int (*join_self)(const char *path, struct err *err);
        int (*apply)(const char *path, const struct oci_resources *r, bool update, struct err *err);
        int (*freeze)(const char *path, bool frozen, struct err *err);
        bool (*frozen)(const char *path);
        int (*remove)(const char *path, struct err *err);
        uint64_t (*oom_kills)(const char *path);
        void (*usage)(const char *path, json_t *usage);      /* sets the keys it knows */
        const char *(*procs)(void);    /* the hierarchy whose cgroup.procs names every process of a group */
};
extern const struct cgroup_driver cgroup_v1, cgroup_v2, cgroup_hybrid;
/* The files of limits. Those of v1 live in several hierarchies; `path` exists in all. */
int cgroup_v1_limit(const char *path, const struct oci_resources *r, bool update, struct err *err);
int cgroup_v1_devices(const char *path, const struct oci_resources *r, struct err *err);
int cgroup_v2_limit(const char *path, const struct oci_resources *r, struct err *err);
void cgroup_v1_usage(const char *path, json_t *usage);
void cgroup_v2_usage(const char *path, json_t *usage);

/* ---- writing limits ---- */
/* Nothing is written once one has failed; the error names the field of config.json. A missing file is a limit that this
 * kernel does not have: ERR_UNSUPPORTED. */
struct cgroup_limits {
        const char *path;
        struct err *err;
        bool failed;
};
/* field: below linux.resources. top NULL: its controller is not mounted. */
void limit_text(struct cgroup_limits *l, const char *field, const char *top, const char *file, const char *text);
void limit_textf(struct cgroup_limits *l, const char *field, const char *top, const char *file, const char *fmt, ...)
        __attribute__((format(printf, 5, 6)));
void limit_i64(struct cgroup_limits *l, const char *field, const char *top, const char *file, bool wanted, int64_t value);
void limit_u64(struct cgroup_limits *l, const char *field, const char *top, const char *file, bool wanted, uint64_t value);
void limit_refuse(struct cgroup_limits *l, enum err_kind kind, const char *field, const char *why);
/* "mlx5_0 hca_handle=2 hca_object=max": both versions word it so. */
void limit_rdma(struct cgroup_limits *l, const char *top, const struct oci_resources *r);
/* limit_word: how the files of this version end, "limit_in_bytes" or "max". */
void limit_hugepages(struct cgroup_limits *l, const char *top, const char *limit_word, const struct oci_resources *r);

/* ---- reading numbers ---- */
/* The CPU quota (-1: none) and period of a group; untouched where it has none. */
void cgroup_quota_now(const char *path, int64_t *quota, uint64_t *period);
/* Adds what is there: numbers of a file with one, of one with many on a line, of one with "key number" lines. */
void usage_u64(json_t *o, const char *key, const char *top, const char *path, const char *file);
json_t *usage_numbers(const char *top, const char *path, const char *file);
json_t *usage_keys(const char *top, const char *path, const char *file);
json_t *usage_set(const char *top, const char *path, const char *file);       /* "0-2,4" */
json_t *usage_object(json_t *parent, const char *key);                        /* a new one, borrowed */
void usage_hugetlb(json_t *usage, const char *top, const char *path, const char *current, const char *max, const char *failures);

/* ---- files of a group ---- */
/* "top/path/file" on the heap. */
char *cgroup_file(const char *top, const char *path, const char *file);
int cgroup_write(const char *top, const char *path, const char *file, const char *text, struct err *err);
int cgroup_writef(const char *top, const char *path, const char *file, struct err *err, const char *fmt, ...)
        __attribute__((format(printf, 5, 6)));
/* A number, `otherwise` where the file is missing or says "max". */
uint64_t cgroup_read_u64(const char *top, const char *path, const char *file, uint64_t otherwise);
/* The number after `key` in a file of "key number" lines. */
uint64_t cgroup_read_key(const char *top, const char *path, const char *file, const char *key, uint64_t otherwise);
bool cgroup_has(const char *top, const char *path, const char *file);
/* Makes the group with its parents. */
int cgroup_make(const char *top, const char *path, struct err *err);
/* Removes the group and all below it; missing is success. ERR_CONFLICT when processes stay in it. */
int cgroup_rmdir(const char *top, const char *path, struct err *err);
/* Calls fn for every group below (and the group itself first). */
typedef int (*cgroup_walk_fn)(const char *top, const char *path, void *data, struct err *err);
int cgroup_walk(const char *top, const char *path, cgroup_walk_fn fn, void *data, struct err *err);

/* Moves the calling process, which must have one thread. On v1 this is 30 times as fast as being moved by another: a
 * thread that moves itself needs none of the kernel's waiting for everybody else to stand still. */
int cgroup_join_self(const char *path, struct err *err);

/* ---- device rules on v2 ---- */
int device_filter_attach(int cgroup_fd, const struct oci_device_rule *rules, size_t count, struct err *err);

#endif
