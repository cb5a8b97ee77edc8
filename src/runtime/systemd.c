#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/log.h"
#include "base/str.h"
#include "runtime/cgroup-internal.h"
#include "runtime/dbus-internal.h"
#include "runtime/systemd-internal.h"

#define SERVICE "org.freedesktop.systemd1"
#define MANAGER_PATH "/org/freedesktop/systemd1"
#define MANAGER "org.freedesktop.systemd1.Manager"
#define PROPERTIES "org.freedesktop.DBus.Properties"
#define JOB_MS 30000
#define NAME_MAX_UNIT 255

struct systemd {
        struct dbus bus;
        unsigned version;
        bool subscribed;
        const char *waiting;           /* the unit whose job is waited for; NULL: none */
        char result[32];               /* how its last job ended; "" not yet */
};

/* ---- names ---- */

static bool name_is_good(const char *name)
{
        return str_only(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:-_.\\@") && strlen(name) <= NAME_MAX_UNIT &&
               name[0] != '.';
}

/* "a-b.slice" lies in "a.slice"; "-.slice" is the root. */
static bool slice_is_good(const char *slice)
{
        size_t len = strlen(slice);
        if (str_eq(slice, "-.slice"))
                return true;
        return name_is_good(slice) && str_ends(slice, ".slice") && len > 6 && slice[0] != '-' && slice[len - 7] != '-' && !strstr(slice, "--");
}

int systemd_scope_parse(const char *cgroups_path, struct systemd_scope *ret, struct err *err)
{
        _cleanup_strv_ char **parts = strv_split(cgroups_path, ":", true);
        if (strv_len(parts) != 3)
                return err_set(err, ERR_INVALID, "linux.cgroupsPath: with systemd it must be \"slice:prefix:name\", not \"%s\"", cgroups_path);
        const char *slice = *parts[0] ? parts[0] : geteuid() == 0 ? "system.slice" : "user.slice";
        _cleanup_free_ char *unit = str_ends(parts[2], ".slice")
                                            ? xstrdup(parts[2])
                                            : xasprintf("%s%s%s.scope", parts[1], *parts[1] ? "-" : "", parts[2]);
        if (!slice_is_good(slice) || !*parts[2] || !name_is_good(unit) || (str_ends(unit, ".slice") && !slice_is_good(unit)))
                return err_set(err, ERR_INVALID, "linux.cgroupsPath: \"%s\" names no slice and scope", cgroups_path);
        *ret = (struct systemd_scope){ .slice = xstrdup(slice), .unit = TAKE_PTR(unit) };
        return 0;
}

void systemd_scope_done(struct systemd_scope *scope)
{
        free(scope->slice);
        free(scope->unit);
}

static bool is_slice(const struct systemd_scope *scope)
{
        return str_ends(scope->unit, ".slice");
}

static char *slice_path(const char *slice)
{
        char *out = xstrdup("");
        size_t len = strlen(slice) - strlen(".slice");
        for (size_t i = 1; i <= len && !str_eq(slice, "-.slice"); i++) {
                if (i != len && slice[i] != '-')
                        continue;
                char *longer = xasprintf("%s/%.*s.slice", out, (int)i, slice);
                free(out);
                out = longer;
        }
        return out;
}

char *systemd_scope_path(const struct systemd_scope *scope)
{
        if (is_slice(scope))
                return slice_path(scope->unit);
        _cleanup_free_ char *slice = slice_path(scope->slice);
        return xasprintf("%s/%s", slice, scope->unit);
}

/* ---- the connection ---- */

/* JobRemoved: u id, o job, s unit, s result. */
static void watch_jobs(void *data, const struct dbus_message *m)
{
        struct systemd *s = data;
        if (!str_eq(m->member, "JobRemoved") || !str_eq(m->signature, "uoss"))
                return;
        struct dbus_reader r = { .data = (const unsigned char *)m->body.data, .len = m->body.len };
        (void)dbus_read_u32(&r);
        (void)dbus_read_string(&r);
        const char *unit = dbus_read_string(&r), *result = dbus_read_string(&r);
        if (!r.failed && str_eq(unit, s->waiting))
                snprintf(s->result, sizeof(s->result), "%s", *result ? result : "unknown");
}

static int call_manager(struct systemd *s, const char *member, const char *signature, const struct buf *body, struct dbus_message *ret,
                        char **ret_error, struct err *err)
{
        struct dbus_call c = { SERVICE, MANAGER_PATH, MANAGER, member, signature, body };
        dbus_set_timeout(&s->bus, JOB_MS);
        return dbus_call(&s->bus, &c, watch_jobs, s, ret, ret_error, err);
}

static int get_property(struct systemd *s, const char *path, const char *interface, const char *property, char **ret, struct err *err)
{
        _cleanup_buf_ struct buf b = BUF_INIT(4096);
        _cleanup_dbus_message_ struct dbus_message m = { 0 };
        dbus_add_string(&b, interface);
        dbus_add_string(&b, property);
        struct dbus_call c = { SERVICE, path, PROPERTIES, "Get", "ss", &b };
        dbus_set_timeout(&s->bus, JOB_MS);
        if (dbus_call(&s->bus, &c, watch_jobs, s, &m, NULL, err) < 0)
                return -1;
        struct dbus_reader r = { .data = (const unsigned char *)m.body.data, .len = m.body.len };
        const char *type = dbus_read_signature(&r), *value = dbus_read_string(&r);
        if (r.failed || !str_eq(type, "s"))
                return err_set(err, ERR_CORRUPT, "systemd: the property %s is no text", property);
        *ret = xstrdup(value);
        return 0;
}

/* "252.38-1~deb12u1"; older versions say "systemd 239". */
static int find_version(struct systemd *s, struct err *err)
{
        _cleanup_free_ char *text = NULL;
        if (get_property(s, MANAGER_PATH, MANAGER, "Version", &text, err) < 0)
                return -1;
        s->version = (unsigned)strtoul(text + strcspn(text, "0123456789"), NULL, 10);
        return 0;
}

/* systemd tells of its jobs only while somebody has asked for that. */
static int subscribe(struct systemd *s, struct err *err)
{
        _cleanup_buf_ struct buf b = BUF_INIT(4096);
        _cleanup_dbus_message_ struct dbus_message m = { 0 }, n = { 0 };
        if (s->subscribed)
                return 0;
        dbus_add_string(&b, "type='signal',sender='" SERVICE "',interface='" MANAGER "',member='JobRemoved'");
        struct dbus_call match = { "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "AddMatch", "s", &b };
        if (dbus_call(&s->bus, &match, NULL, NULL, &m, NULL, err) < 0)
                return -1;
        s->subscribed = call_manager(s, "Subscribe", NULL, NULL, &n, NULL, err) == 0;
        return s->subscribed ? 0 : -1;
}

static char *bus_address(void)
{
        bool root = geteuid() == 0 && !cgroup_in_user_namespace();
        const char *set = getenv(root ? "DBUS_SYSTEM_BUS_ADDRESS" : "DBUS_SESSION_BUS_ADDRESS"), *dir = getenv("XDG_RUNTIME_DIR");
        if (!str_empty(set))
                return xstrdup(set);
        if (!root && !str_empty(dir))
                return xasprintf("unix:path=%s/bus", dir);
        return xstrdup("unix:path=/run/dbus/system_bus_socket");
}

int systemd_open(struct systemd **ret, struct err *err)
{
        _cleanup_free_ char *address = bus_address();
        _cleanup_(systemd_freep) struct systemd *s = xcalloc(1, sizeof(*s));
        s->bus.fd = -1;
        if (dbus_open(address, &s->bus, err) < 0 || find_version(s, err) < 0)
                return err_add(err, "systemd");
        *ret = TAKE_PTR(s);
        return 0;
}

void systemd_free(struct systemd *s)
{
        if (!s)
                return;
        dbus_close(&s->bus);
        free(s);
}

/* ---- scopes ---- */

static int call_unit(struct systemd *s, const char *member, const char *unit, const char *mode, struct err *err)
{
        _cleanup_buf_ struct buf b = BUF_INIT(4096);
        _cleanup_dbus_message_ struct dbus_message m = { 0 };
        _cleanup_free_ char *name = NULL;
        dbus_add_string(&b, unit);
        if (mode)
                dbus_add_string(&b, mode);
        if (call_manager(s, member, mode ? "ss" : "s", &b, &m, &name, err) == 0)
                return 0;
        if (!str_eq(name, SERVICE ".NoSuchUnit"))
                return err_add(err, "systemd");
        err_clear(err);
        return 0;
}

static void add_head(struct buf *b, const struct systemd_scope *scope, pid_t pid, bool unified)
{
        _cleanup_free_ char *words = xasprintf("container %s", scope->unit);
        property_string(b, "Description", words);
        property_string_list(b, is_slice(scope) ? "Wants" : NULL, scope->slice);
        if (!is_slice(scope)) {
                property_string(b, "Slice", scope->slice);
                property_bool(b, "Delegate", true);
                property_pid(b, "PIDs", pid);
        }
        property_bool(b, "DefaultDependencies", false);
        property_bool(b, "MemoryAccounting", true);
        property_bool(b, "CPUAccounting", true);
        property_bool(b, "TasksAccounting", true);
        property_bool(b, unified ? "IOAccounting" : "BlockIOAccounting", true);
}

static int wait_job(struct systemd *s, const char *unit, struct err *err)
{
        dbus_set_timeout(&s->bus, JOB_MS);
        while (!*s->result) {
                _cleanup_dbus_message_ struct dbus_message m = { 0 };
                if (dbus_receive(&s->bus, &m, err) < 0)
                        return err_add(err, "systemd: start %s", unit);
                if (m.type == 4)
                        watch_jobs(s, &m);
        }
        return str_eq(s->result, "done") ? 0 : err_set(err, ERR_SYSTEM, "systemd: the start of %s ended as %s", unit, s->result);
}

static int start(struct systemd *s, const char *unit, const struct buf *body, char **ret_error, struct err *err)
{
        _cleanup_dbus_message_ struct dbus_message m = { 0 };
        s->waiting = unit;
        s->result[0] = 0;
        int r = call_manager(s, "StartTransientUnit", "ssa(sv)a(sa(sv))", body, &m, ret_error, err);
        if (r == 0)
                r = wait_job(s, unit, err);
        s->waiting = NULL;
        return r;
}

int systemd_scope_start(struct systemd *s, const struct systemd_scope *scope, pid_t pid, const struct oci_resources *resources,
                        char *const *annotations, bool unified, struct err *err)
{
        _cleanup_buf_ struct buf b = BUF_INIT(1 << 20);
        _cleanup_free_ char *name = NULL;
        dbus_add_string(&b, scope->unit);
        dbus_add_string(&b, "replace");
        size_t mark = dbus_array_begin(&b, 8);
        add_head(&b, scope, pid, unified);
        if (property_resources(&b, resources, unified, s->version, err) < 0 || property_annotations(&b, annotations, err) < 0)
                return -1;
        dbus_array_end(&b, mark, 8);
        dbus_array_end(&b, dbus_array_begin(&b, 8), 8);
        if (subscribe(s, err) < 0)
                return err_add(err, "systemd");
        if (start(s, scope->unit, &b, &name, err) == 0)
                return 0;
        /* What a container of this name left failed is in the way only by its name; one that runs stays. */
        if (!str_eq(name, SERVICE ".UnitExists"))
                return err_add(err, "systemd");
        struct err first = *err, unused = ERR_INIT;
        if (call_unit(s, "ResetFailedUnit", scope->unit, NULL, &unused) == 0 && start(s, scope->unit, &b, NULL, &unused) == 0) {
                err_clear(err);
                return 0;
        }
        *err = first;
        err->kind = ERR_CONFLICT;
        return err_add(err, "systemd");
}

int systemd_scope_update(struct systemd *s, const struct systemd_scope *scope, const struct oci_resources *resources, bool unified,
                         struct err *err)
{
        _cleanup_buf_ struct buf b = BUF_INIT(1 << 20);
        _cleanup_dbus_message_ struct dbus_message m = { 0 };
        dbus_add_string(&b, scope->unit);
        dbus_add_u32(&b, true); /* until the next boot */
        size_t mark = dbus_array_begin(&b, 8), before;
        before = b.len;
        if (property_resources(&b, resources, unified, s->version, err) < 0)
                return -1;
        dbus_array_end(&b, mark, 8);
        if (b.len == before)
                return 0;
        return call_manager(s, "SetUnitProperties", "sba(sv)", &b, &m, NULL, err) < 0 ? err_add(err, "systemd") : 0;
}

int systemd_scope_group(struct systemd *s, const struct systemd_scope *scope, char **ret, struct err *err)
{
        _cleanup_buf_ struct buf b = BUF_INIT(4096);
        _cleanup_dbus_message_ struct dbus_message m = { 0 };
        _cleanup_free_ char *name = NULL;
        dbus_add_string(&b, scope->unit);
        if (call_manager(s, "GetUnit", "s", &b, &m, &name, err) < 0) {
                err->kind = str_eq(name, SERVICE ".NoSuchUnit") ? ERR_NOT_FOUND : err->kind;
                return err_add(err, "systemd");
        }
        struct dbus_reader r = { .data = (const unsigned char *)m.body.data, .len = m.body.len };
        const char *path = dbus_read_string(&r);
        if (r.failed || !str_eq(m.signature, "o"))
                return err_set(err, ERR_CORRUPT, "systemd: GetUnit did not answer with a path");
        return get_property(s, path, is_slice(scope) ? SERVICE ".Slice" : SERVICE ".Scope", "ControlGroup", ret, err);
}

int systemd_scope_stop(struct systemd *s, const struct systemd_scope *scope, struct err *err)
{
        return call_unit(s, "StopUnit", scope->unit, "replace", err) < 0 || call_unit(s, "ResetFailedUnit", scope->unit, NULL, err) < 0 ? -1 : 0;
}
