/* What is kept of a container between two runs of the program: the folder $root/<id>.
 *
 *     state.json     who init is, where the bundle is, cgroups and namespaces (names as runc's, for tools that read it)
 *     config.json    the spec as it was when the container was created: exec, hooks and annotations come from it
 *     start          the socket init waits on until it is started; gone once it was
 *     lock           held by a verb that changes the container
 *
 * A container exists when its state.json does. It is written before anything else of the container is made, and removed
 * after all of it has gone, so that whatever a kill leaves behind can be found and removed by `delete --force`.
 * Errors are in runc's words, which its callers look for. */
#ifndef TARE_OCIRUNTIME_STATE_H
#define TARE_OCIRUNTIME_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/err.h"
#include "oci/runtime_spec.h"

struct cgroup;
enum container_status { CONTAINER_CREATING, CONTAINER_CREATED, CONTAINER_RUNNING, CONTAINER_PAUSED, CONTAINER_STOPPED };

struct state {
        char *id, *bundle, *rootfs, *created, *oci_version, *cgroups_path;
        char **annotations;
        char **descriptors;            /* what 0, 1 and 2 were: "pipe:[1]", "/dev/null" */
        pid_t pid;                     /* 0: not there yet */
        uint64_t start_time;           /* proc_start_time() */
        bool systemd;                  /* cgroups_path is "slice:prefix:name": a scope of systemd's */
        bool rootless;
        bool shared_pid;               /* no pid namespace of its own: the end of init is not the end of all */
        bool poststart, poststop;      /* config.json has such hooks */
};

struct container {
        int dir_fd, lock_fd;
        char *root, *name;
        struct state state;
};
#define CONTAINER_INIT { .dir_fd = -1, .lock_fd = -1 }
void container_done(struct container *c);
#define _cleanup_container_ _cleanup_(container_done)

bool container_id_ok(const char *id);
/* A new one, locked, with nothing in it. ERR_CONFLICT when there is one of this name. */
int container_make(const char *root, const char *id, struct container *ret, struct err *err);
/* An existing one. lock: until container_done(), waiting for others. ERR_NOT_FOUND. */
int container_open(const char *root, const char *id, bool lock, struct container *ret, struct err *err);
/* Lets others change it; ours until now by container_make() or container_open(). */
void container_unlock(struct container *c);
/* Writes state.json (spec: further fields from it); container_load_spec() reads what container_save_spec() kept. */
int container_save(struct container *c, const struct oci_spec *spec, struct err *err);
int container_save_spec(struct container *c, const char *text, size_t len, struct err *err);
int container_load_spec(struct container *c, struct oci_spec *ret, struct err *err);
/* Takes the folder away; state.json goes last. */
int container_forget(struct container *c, struct err *err);

enum container_status container_status(struct container *c);
const char *container_status_name(enum container_status status);
/* Its control group, through systemd if systemd made it; *ret NULL where it has none. */
int container_cgroup(const struct container *c, struct cgroup **ret, struct err *err);
int state_cgroup(const struct state *s, struct cgroup **ret, struct err *err);
/* The socket of the start: listening, for init; or connected, for who starts it (and its name is gone then). */
int container_listen(struct container *c, struct err *err);
int container_connect(struct container *c, struct err *err);

int state_parse(const char *text, size_t len, struct state *ret, struct err *err);
char *state_format(const struct state *s, const struct oci_spec *spec);
void state_done(struct state *s);
/* Names of the containers below root, sorted; a missing root has none. */
int containers_list(const char *root, char ***ret, struct err *err);

#endif
