#include <strings.h>
#include <sys/utsname.h>
#include "base/json.h"
#include "base/str.h"
#include "runtime/seccomp-internal.h"
#include "runtime/security.h"

#define PROFILE_MAX (1u << 20)

#if defined(__x86_64__)
static const char *const own_arch = "amd64", *const own_scmp = "SCMP_ARCH_X86_64";
#elif defined(__aarch64__)
static const char *const own_arch = "arm64", *const own_scmp = "SCMP_ARCH_AARCH64";
#elif defined(__s390x__)
static const char *const own_arch = "s390x", *const own_scmp = "SCMP_ARCH_S390X";
#elif defined(__riscv)
static const char *const own_arch = "riscv64", *const own_scmp = "SCMP_ARCH_RISCV64";
#elif defined(__powerpc64__)
static const char *const own_arch = "ppc64le", *const own_scmp = "SCMP_ARCH_PPC64LE";
#else
static const char *const own_arch = "", *const own_scmp = "SCMP_ARCH_NATIVE";
#endif

/* 1 when this kernel is at least "major.minor", 0 when older, -1 when the text is no version. */
static int kernel_at_least(const char *text)
{
        unsigned want_major, want_minor, major = 0, minor = 0;
        char excess;
        struct utsname u;
        if (sscanf(text, "%u.%u%c", &want_major, &want_minor, &excess) != 2)
                return -1;
        if (uname(&u) < 0 || sscanf(u.release, "%u.%u", &major, &minor) != 2)
                return 0;
        return major > want_major || (major == want_major && minor >= want_minor);
}

struct filter {
        char **caps, **arches;
        char *min_kernel;
};
static void filter_done(struct filter *f)
{
        strv_free(f->caps);
        strv_free(f->arches);
        free(f->min_kernel);
}

static int filter_parse(const json_t *rule, const struct jpath *path, const char *key, struct filter *ret,
                        struct err *err)
{
        json_t *o = NULL;
        struct jpath p = jpath_key(path, key);
        if (json_get_object(rule, path, key, false, &o, err) < 0)
                return -1;
        if (!o)
                return 0;
        if (json_get_strv(o, &p, "caps", false, &ret->caps, err) < 0 ||
            json_get_strv(o, &p, "arches", false, &ret->arches, err) < 0 ||
            json_get_string(o, &p, "minKernel", false, &ret->min_kernel, err) < 0)
                return -1;
        if (ret->min_kernel && kernel_at_least(ret->min_kernel) < 0)
                return json_err(&p, "minKernel", err, "expected \"major.minor\"");
        return 0;
}

static bool has_cap(const char *name, uint64_t mask)
{
        int cap = capability_parse(name);
        return cap >= 0 && mask & UINT64_C(1) << cap;
}

/* All of "includes" must hold. */
static bool is_included(const struct filter *f, uint64_t mask)
{
        STRV_FOREACH (c, f->caps)
                if (!has_cap(*c, mask))
                        return false;
        if (f->arches && !strv_has(f->arches, own_arch))
                return false;
        return !f->min_kernel || kernel_at_least(f->min_kernel) == 1;
}

/* Any of "excludes" is enough. */
static bool is_excluded(const struct filter *f, uint64_t mask)
{
        STRV_FOREACH (c, f->caps)
                if (has_cap(*c, mask))
                        return true;
        if (f->arches && strv_has(f->arches, own_arch))
                return true;
        return f->min_kernel && kernel_at_least(f->min_kernel) == 1;
}

static int parse_arg(const json_t *o, const struct jpath *path, struct oci_seccomp_rule *rule, struct err *err)
{
        uint32_t index = 0;
        uint64_t value = 0, value_two = 0;
        _cleanup_free_ char *op = NULL;
        if (json_get_u32(o, path, "index", true, &index, err) < 0 ||
            json_get_u64(o, path, "value", false, &value, err) < 0 ||
            json_get_u64(o, path, "valueTwo", false, &value_two, err) < 0 ||
            json_get_string(o, path, "op", true, &op, err) < 0)
                return -1;
        if (index > 5)
                return json_err(path, "index", err, "system calls have arguments 0 to 5");
        seccomp_add_arg(rule, index, value, value_two, op);
        return 0;
}

static int parse_args(const json_t *o, const struct jpath *path, struct oci_seccomp_rule *rule, struct err *err)
{
        json_t *list = NULL, *item;
        size_t i;
        if (json_get_array(o, path, "args", false, &list, err) < 0)
                return -1;
        struct jpath args = jpath_key(path, "args");
        json_array_foreach (list, i, item) {
                struct jpath p = jpath_index(&args, i);
                if (parse_arg(item, &p, rule, err) < 0)
                        return -1;
        }
        return 0;
}

/* "names", or the older "name" with one call. */
static int parse_names(const json_t *o, const struct jpath *path, char ***ret, struct err *err)
{
        _cleanup_free_ char *name = NULL;
        if (json_get_strv(o, path, "names", false, ret, err) < 0 ||
            json_get_string(o, path, "name", false, &name, err) < 0)
                return -1;
        if (name)
                strv_push(ret, name);
        return *ret ? 0 : json_err(path, "names", err, "a rule needs names");
}

static int parse_rule(const json_t *o, const struct jpath *path, uint64_t mask, struct oci_seccomp *s, struct err *err)
{
        _cleanup_(filter_done) struct filter includes = { 0 }, excludes = { 0 };
        _cleanup_free_ char *action = NULL;
        _cleanup_strv_ char **calls = NULL;
        uint32_t number = UINT32_MAX;
        if (filter_parse(o, path, "includes", &includes, err) < 0 ||
            filter_parse(o, path, "excludes", &excludes, err) < 0 ||
            json_get_string(o, path, "action", true, &action, err) < 0 ||
            json_get_u32(o, path, "errnoRet", false, &number, err) < 0 || parse_names(o, path, &calls, err) < 0)
                return -1;
        if (!is_included(&includes, mask) || is_excluded(&excludes, mask))
                return 0;
        struct oci_seccomp_rule *rule = seccomp_add_rule(s, TAKE_PTR(calls), action);
        rule->has_errno = number != UINT32_MAX;
        rule->errno_ret = rule->has_errno ? number : 0;
        return parse_args(o, path, rule, err);
}

static int parse_arch_map(const json_t *root, const struct jpath *path, struct oci_seccomp *s, struct err *err)
{
        json_t *list = NULL, *item;
        size_t i;
        if (json_get_array(root, path, "archMap", false, &list, err) < 0)
                return -1;
        struct jpath map = jpath_key(path, "archMap");
        json_array_foreach (list, i, item) {
                struct jpath p = jpath_index(&map, i);
                _cleanup_free_ char *name = NULL;
                _cleanup_strv_ char **subs = NULL;
                if (json_get_string(item, &p, "architecture", true, &name, err) < 0 ||
                    json_get_strv(item, &p, "subArchitectures", false, &subs, err) < 0)
                        return -1;
                if (!str_eq(name, own_scmp))
                        continue;
                strv_push(&s->architectures, name);
                strv_extend(&s->architectures, subs);
        }
        return 0;
}

static int parse_rules(const json_t *root, const struct jpath *path, uint64_t mask, struct oci_seccomp *s,
                       struct err *err)
{
        json_t *list = NULL, *item;
        size_t i;
        if (json_get_array(root, path, "syscalls", false, &list, err) < 0)
                return -1;
        struct jpath rules = jpath_key(path, "syscalls");
        json_array_foreach (list, i, item) {
                struct jpath p = jpath_index(&rules, i);
                if (parse_rule(item, &p, mask, s, err) < 0)
                        return -1;
        }
        return 0;
}

int seccomp_parse_docker(const char *text, size_t len, uint64_t capability_mask, struct oci_seccomp **ret,
                         struct err *err)
{
        _cleanup_json_ json_t *root = json_parse(text, len, PROFILE_MAX, "seccomp profile", err);
        if (!root)
                return -1;
        struct jpath path = JPATH("seccomp profile");
        _cleanup_(seccomp_freep) struct oci_seccomp *s = xcalloc(1, sizeof(*s));
        uint32_t number = UINT32_MAX;
        if (json_get_string(root, &path, "defaultAction", true, &s->default_action, err) < 0 ||
            json_get_u32(root, &path, "defaultErrnoRet", false, &number, err) < 0 ||
            json_get_strv(root, &path, "architectures", false, &s->architectures, err) < 0 ||
            json_get_strv(root, &path, "flags", false, &s->flags, err) < 0 ||
            json_get_string(root, &path, "listenerPath", false, &s->listener_path, err) < 0 ||
            json_get_string(root, &path, "listenerMetadata", false, &s->listener_metadata, err) < 0)
                return -1;
        if (s->architectures && json_object_get(root, "archMap"))
                return json_err(&path, "archMap", err, "cannot stand beside \"architectures\"");
        s->has_default_errno = number != UINT32_MAX;
        s->default_errno = s->has_default_errno ? number : 0;
        if (parse_arch_map(root, &path, s, err) < 0 || parse_rules(root, &path, capability_mask, s, err) < 0)
                return -1;
        *ret = TAKE_PTR(s);
        return 0;
}
