/* systemd as the maker of control groups (--systemd-cgroup): a container's group is a transient scope that systemd tells its
 * tools of and does not take back at its next daemon-reload. Sources: org.freedesktop.systemd1(5), systemd.resource-control(5),
 * systemd's CONTROL_GROUP_INTERFACE.md, the D-Bus specification ("Message Protocol", "Authentication Protocol").
 *
 * Calling order: systemd_open() once a process; systemd_scope_start() with the container's first process, which is in the
 * group when it returns; systemd_scope_update() with the same resources that are written to the group's files;
 * systemd_scope_stop() once the group is empty. Root talks to the system's manager over the system bus
 * (DBUS_SYSTEM_BUS_ADDRESS or /run/dbus/system_bus_socket), a user to his own over the session bus (DBUS_SESSION_BUS_ADDRESS
 * or $XDG_RUNTIME_DIR/bus).
 *
 * What systemd has no property for stays with the group's files: the callers in cgroup.c write all of them anyway.
 * Errors: ERR_UNAVAILABLE without a bus, ERR_TIMEOUT, ERR_INVALID for what systemd refuses, with its words. */
#ifndef TARE_RUNTIME_SYSTEMD_H
#define TARE_RUNTIME_SYSTEMD_H

#include <stdbool.h>
#include <sys/types.h>
#include "base/err.h"
#include "base/mem.h"
#include "oci/runtime_spec.h"

/* "slice:prefix:name" in systemd's words; heap. An empty slice is system.slice, a user's is user.slice; a name that ends in
 * ".slice" is a slice itself. */
struct systemd_scope {
        char *slice;                   /* "system.slice" */
        char *unit;                    /* "tare-abc.scope" */
};
int systemd_scope_parse(const char *cgroups_path, struct systemd_scope *ret, struct err *err);
void systemd_scope_done(struct systemd_scope *scope);
#define _cleanup_systemd_scope_ _cleanup_(systemd_scope_done)
/* "/a.slice/a-b.slice/unit": where the system's manager puts the unit; heap. */
char *systemd_scope_path(const struct systemd_scope *scope);

struct systemd;
int systemd_open(struct systemd **ret, struct err *err);
void systemd_free(struct systemd *s);
DEFINE_CLEANUP(struct systemd *, systemd_free)

/* Starts the scope with `pid` in it and waits until systemd's job is done. unified: the host has v2 only, whose properties have other names.
 * annotations: "k=v" entries of the spec, of which "org.systemd.property.NAME=VALUE" become properties; NULL: none. */
int systemd_scope_start(struct systemd *s, const struct systemd_scope *scope, pid_t pid, const struct oci_resources *resources,
                        char *const *annotations, bool unified, struct err *err);
/* Changes what the resources name and leaves the rest. */
int systemd_scope_update(struct systemd *s, const struct systemd_scope *scope, const struct oci_resources *resources, bool unified,
                         struct err *err);
/* Where the group of a unit is below each hierarchy; heap. ERR_NOT_FOUND. */
int systemd_scope_group(struct systemd *s, const struct systemd_scope *scope, char **ret, struct err *err);
/* Stops the unit and forgets its failure; one that is gone already is success. Waits for nothing. */
int systemd_scope_stop(struct systemd *s, const struct systemd_scope *scope, struct err *err);

#endif
