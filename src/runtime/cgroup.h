/* Control groups behind one contract: v1 (controllers mounted one by one), hybrid, and v2. Sources: kernel
 * Documentation/admin-guide/cgroup-v1/, cgroup-v2.rst; runtime-spec config-linux.md "Control groups".
 *
 * `path` is absolute below each hierarchy's mount ("/tare/<id>"); a relative one is put below "/tare". Groups are made
 * below the hierarchy's root that this process sees; groups we did not make are never written to, except that v2
 * cgroup.subtree_control of ancestors we made is set (and the root's, where no process forbids it). */
#ifndef TARE_RUNTIME_CGROUP_H
#define TARE_RUNTIME_CGROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/err.h"
#include "base/json.h"
#include "base/mem.h"
#include "oci/runtime_spec.h"

struct cgroup;

/* Makes the group in every mounted controller and applies the resources; parents are made as needed. */
int cgroup_create(const char *path, const struct oci_resources *resources, struct cgroup **ret, struct err *err);
/* A group that exists; ERR_NOT_FOUND. Costs nothing until used. */
int cgroup_open(const char *path, struct cgroup **ret, struct err *err);
/* The same through systemd (systemd.h): `path` is "slice:prefix:name" and becomes a transient scope that starts with `pid`
 * in it. Its update sets systemd's properties too, its remove stops the unit. annotations: the spec's "k=v" entries, NULL: none. */
int cgroup_create_scope(const char *path, pid_t pid, const struct oci_resources *resources, char *const *annotations,
                        struct cgroup **ret, struct err *err);
int cgroup_open_scope(const char *path, struct cgroup **ret, struct err *err);
/* A scope whose group is gone: systemd may remember it as failed. Failing to is only logged. */
void cgroup_forget_scope(const char *path);
/* Where the group is below each hierarchy: "/system.slice/tare-abc.scope". */
const char *cgroup_path(const struct cgroup *cg);
void cgroup_free(struct cgroup *cg);
DEFINE_CLEANUP(struct cgroup *, cgroup_free)

/* A directory descriptor for CLONE_INTO_CGROUP (v2 only), or -1 where cgroup_join must be used. */
int cgroup_clone_fd(struct cgroup *cg);
int cgroup_join(struct cgroup *cg, pid_t pid, struct err *err);
int cgroup_update(struct cgroup *cg, const struct oci_resources *resources, struct err *err);
/* Waits until all are frozen/thawed. */
int cgroup_freeze(struct cgroup *cg, bool frozen, struct err *err);
bool cgroup_frozen(struct cgroup *cg);
/* Every process below gets the signal, without a gap for forks; SIGKILL works on a frozen group too. */
int cgroup_signal(struct cgroup *cg, int signo, struct err *err);
/* Pids of the group and its children; *ret is heap. */
int cgroup_pids(struct cgroup *cg, pid_t **ret, size_t *ret_count, struct err *err);
/* "memory=/sys/fs/cgroup/memory/tare/x" for every hierarchy ("" names v2, "name=systemd" systemd's on v1), as runtimes list them. */
void cgroup_paths(struct cgroup *cg, char ***ret);
/* Removes the group and its children from every hierarchy; kills what is left first; missing is success. */
int cgroup_remove(struct cgroup *cg, struct err *err);
/* Names of the groups right below `path` in any hierarchy, each once, sorted; none when it does not exist. */
int cgroup_children(const char *path, char ***ret, struct err *err);
/* Number of OOM kills so far in this group. */
uint64_t cgroup_oom_kills(struct cgroup *cg);

/* From now on a group is made in a v2 mount beside v1 too, though no controller is there: tools that follow a process by its v2
 * group find its container's. Others do not pay for it. */
void cgroup_join_unified(void);
/* v2 and nothing else. */
bool cgroup_only_unified(void);
/* Whether this kernel has a limit: the file of a v1 controller at its top, or on v2 (v2_file not NULL) the controller's. */
bool cgroup_supports(const char *controller, const char *v1_file, const char *v2_file);

struct cgroup_stats {
        uint64_t cpu_usage_ns, cpu_user_ns, cpu_system_ns, periods, throttled_periods, throttled_ns;
        uint64_t memory_usage, memory_limit, memory_max_usage, memory_inactive_file, memory_swap;   /* bytes; limit UINT64_MAX: none */
        uint64_t pids_current, pids_limit;
        uint64_t io_read_bytes, io_write_bytes, io_read_ops, io_write_ops;
        uint64_t oom_kills;
        /* pressure (v2): time in which some, or all, tasks stood still for want of it; 0 where it is not measured */
        uint64_t cpu_waiting_us, memory_waiting_us, memory_stalled_us, io_waiting_us, io_stalled_us;
};
int cgroup_stats(struct cgroup *cg, struct cgroup_stats *ret, struct err *err);
/* For who reads many groups right below `parent` again and again: a descriptor of the parent in every hierarchy is kept, and a group costs
 * a look and a read of each file. ERR_NOT_FOUND when there is no such parent; of stats, when the group is gone. */
enum cgroup_numbers {
        CGROUP_LIVE = 1,               /* cpu_usage_ns, memory_usage, _inactive_file and _limit, pids_current, io bytes; others may be 0 */
        CGROUP_ENDED = 2,              /* what counts up, and the peak of memory */
        CGROUP_ALL = 4,
};
struct cgroup_reader;
int cgroup_reader_open(const char *parent, struct cgroup_reader **ret, struct err *err);
void cgroup_reader_free(struct cgroup_reader *r);
DEFINE_CLEANUP(struct cgroup_reader *, cgroup_reader_free)
int cgroup_reader_stats(struct cgroup_reader *r, const char *name, enum cgroup_numbers wanted, struct cgroup_stats *ret, struct err *err);
/* All numbers the kernel keeps of the group, as the "data" object of runc's `events --stats`: cpu with its share per
 * processor and throttling, cpuset, memory with the raw lines of memory.stat, pids, blkio entries, hugetlb; on v2 pressure
 * ("psi") of cpu, memory and io. What the kernel does not have is absent or 0. *ret is jansson's, owned by the caller. */
int cgroup_usage(struct cgroup *cg, json_t **ret, struct err *err);

/* Whether we are in a user namespace other than the first, where the host's devices, groups and system bus are not ours. */
bool cgroup_in_user_namespace(void);

#endif
