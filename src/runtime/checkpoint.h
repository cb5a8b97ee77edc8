/* Containers written to files and made again from them, by CRIU (criu.org), a program that is asked for each time.
 *
 * runtime_checkpoint() writes a running container into a folder of images; unless told otherwise its processes are gone then
 * and the caller removes the rest of it (its control group among it). runtime_restore() makes a container of the same bundle
 * from such a folder: init becomes a child of the calling process, its control group is made. What came from outside must be
 * there again: binds, devices, namespaces that are joined, pipes of its stdio. The names of these in the images are runc's, so
 * that images are good for either.
 *
 * No mount of a restore is seen on the host: criu works in a mount namespace of its own.
 *
 * Errors: ERR_NOT_FOUND without criu; ERR_SYSTEM when criu refuses, with the last error in its log and the log's path. */
#ifndef TARE_RUNTIME_CHECKPOINT_H
#define TARE_RUNTIME_CHECKPOINT_H

#include <stdbool.h>
#include "base/err.h"
#include "runtime/container.h"

enum checkpoint_cgroups { CHECKPOINT_CGROUPS_DEFAULT, CHECKPOINT_CGROUPS_IGNORE, CHECKPOINT_CGROUPS_SOFT, CHECKPOINT_CGROUPS_FULL,
                          CHECKPOINT_CGROUPS_STRICT };

struct checkpoint_options {            /* of both; paths absolute */
        const char *criu;                     /* NULL: "criu" in PATH */
        const char *images;                   /* an existing folder */
        const char *work;                     /* of criu's logs, made when missing; NULL: that of the images */
        bool tcp_established, unix_sockets, shell_job, file_locks, auto_dedup, lazy_pages;
        enum checkpoint_cgroups cgroups;
        const char *config_file;              /* of criu itself; NULL: none */
};

struct runtime_checkpoint {
        struct checkpoint_options options;
        const struct oci_spec *spec;
        const char *rootfs;                   /* its path here */
        pid_t pid;
        struct cgroup *cgroup;                /* or NULL */
        char *const *descriptors;             /* what its stdio was: "pipe:[1]" is expected again at the restore */
        const char *parent;                   /* images of a pre-dump, relative to `images`; NULL: none */
        const char *page_server;              /* its address, NULL: none */
        uint16_t page_server_port;
        int status_fd;                        /* is written a NUL once lazy pages are served; -1: none */
        bool leave_running, pre_dump;
};
int runtime_checkpoint(const struct runtime_checkpoint *request, struct err *err);

struct runtime_restore {
        struct checkpoint_options options;
        const char *id;
        const struct oci_spec *spec;
        const char *bundle, *rootfs;          /* absolute */
        const char *mountpoint;               /* an empty folder for criu to find the root on */
        bool systemd_cgroup;
        const char *lsm_profile, *lsm_mount_context;
        int stdio[3];                         /* take the place of the pipes that its stdio was */
        /* Called when init is there and waits, so that it is known before it runs; or NULL. */
        int (*on_restored)(void *data, pid_t pid, struct err *err);
        void *data;
};
/* *ret as of a container that has started; console_fd is the master of its terminal, if it has one. Failing leaves nothing. */
int runtime_restore(const struct runtime_restore *request, struct runtime_container *ret, struct err *err);

#endif
