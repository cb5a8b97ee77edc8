/* Device rules of cgroup v1 (kernel Documentation/admin-guide/cgroup-v1/devices.rst). */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include "base/str.h"
#include "runtime/cgroup-internal.h"

static bool is_any(const struct oci_device_rule *r)
{
        return r->type == 'a' || !r->type;
}

static bool has_all_access(const char *access)
{
        return !*access || (strchr(access, 'r') && strchr(access, 'w') && strchr(access, 'm'));
}

/* The kernel reads "a" as everything, whatever follows. */
static bool is_whole(const struct oci_device_rule *r)
{
        return is_any(r) && r->major < 0 && r->minor < 0 && has_all_access(r->access);
}

static bool types_meet(const struct oci_device_rule *a, const struct oci_device_rule *b)
{
        return is_any(a) || is_any(b) || a->type == b->type;
}
static bool numbers_meet(int64_t a, int64_t b)
{
        return a < 0 || b < 0 || a == b;
}
static bool access_meets(const char *a, const char *b)
{
        return !*a || !*b || strpbrk(a, b) != NULL;
}
static bool same_pattern(const struct oci_device_rule *a, const struct oci_device_rule *b)
{
        return (a->major < 0 ? -1 : a->major) == (b->major < 0 ? -1 : b->major) &&
               (a->minor < 0 ? -1 : a->minor) == (b->minor < 0 ? -1 : b->minor);
}

/* What a new group allows, or the last rule that says "all" before this one. */
static bool default_before(const struct oci_device_rule *rules, size_t at)
{
        while (at-- > 0)
                if (is_whole(&rules[at]))
                        return rules[at].allow;
        return true;
}

/* v1 keeps one default and a list of exceptions to it, and takes back only an exception of the same numbers: a rule that
 * should cut a hole into a wider one is accepted and does nothing. Better no container than one that is open. */
static int check_hole(const struct oci_device_rule *rules, size_t at, struct err *err)
{
        const struct oci_device_rule *b = &rules[at];
        if (is_whole(b) || b->allow != default_before(rules, at))
                return 0; /* a new default, or one exception more */
        for (size_t i = at; i-- > 0 && !is_whole(&rules[i]);) {
                const struct oci_device_rule *a = &rules[i];
                if (a->allow != b->allow && types_meet(a, b) && numbers_meet(a->major, b->major) && numbers_meet(a->minor, b->minor) &&
                    access_meets(a->access, b->access) && !same_pattern(a, b))
                        return err_set(err, ERR_UNSUPPORTED,
                                       "linux.resources.devices[%zu]: cgroup v1 cannot take an exception from rule %zu", at, i);
        }
        return 0;
}

static int write_rule(int fd, char type, const struct oci_device_rule *r, struct err *err)
{
        char major[24] = "*", minor[24] = "*", text[80] = "a";
        if (r->major >= 0)
                snprintf(major, sizeof(major), "%" PRId64, r->major);
        if (r->minor >= 0)
                snprintf(minor, sizeof(minor), "%" PRId64, r->minor);
        if (type != 'a')
                snprintf(text, sizeof(text), "%c %s:%s %.3s", type, major, minor, *r->access ? r->access : "rwm");
        return write(fd, text, strlen(text)) < 0 ? err_sys(err, "linux.resources.devices: %s \"%s\"", r->allow ? "allow" : "deny", text) : 0;
}

static int set_rule(int fd, const struct oci_device_rule *r, struct err *err)
{
        if (is_whole(r))
                return write_rule(fd, 'a', r, err);
        if (!is_any(r))
                return write_rule(fd, r->type, r, err);
        return write_rule(fd, 'c', r, err) < 0 || write_rule(fd, 'b', r, err) < 0 ? -1 : 0;
}

/* Both files stay open over the list: a dozen rules are a dozen writes. */
int cgroup_v1_devices(const char *path, const struct oci_resources *r, struct err *err)
{
        const char *top = cgroup_top_of("devices");
        if (!r->device_count)
                return 0;
        if (!top)
                return err_set(err, ERR_UNSUPPORTED, "linux.resources.devices: no devices controller is mounted");
        for (size_t i = 0; i < r->device_count; i++)
                if (check_hole(r->devices, i, err) < 0)
                        return -1;
        _cleanup_free_ char *allow_path = cgroup_file(top, path, "devices.allow"), *deny_path = cgroup_file(top, path, "devices.deny");
        _cleanup_close_ int allow = open(allow_path, O_WRONLY | O_CLOEXEC), deny = open(deny_path, O_WRONLY | O_CLOEXEC);
        if (allow < 0 || deny < 0)
                return err_sys(err, "device rules");
        for (size_t i = 0; i < r->device_count; i++)
                if (set_rule(r->devices[i].allow ? allow : deny, &r->devices[i], err) < 0)
                        return -1;
        return 0;
}
