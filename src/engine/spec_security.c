/* Capabilities, seccomp, labels, masked paths of a container. */
#include <fcntl.h>
#include <linux/capability.h>

#include "base/file.h"
#include "base/str.h"
#include "engine/engine-internal.h"
#include "engine/spec-internal.h"
#include "runtime/security.h"

struct security {
        bool no_new_privileges, unconfined_paths;
        const char *seccomp;           /* NULL: the default */
        const char *apparmor, *label;
};

static int flag_value(const char *text, bool *ret, struct err *err)
{
        if (*text == '\0') {
                *ret = true;
                return 0;
        }
        return parse_bool(text + 1, ret, err);
}

/* "key=value" and the older "key:value" */
static int security_parse(char *const *options, struct security *ret, struct err *err)
{
        STRV_FOREACH (option, options) {
                const char *value, *text = *option;
                if ((value = str_after(text, "no-new-privileges")) && strchr("=:", *value)) {
                        if (flag_value(value, &ret->no_new_privileges, err) < 0)
                                return err_add(err, "invalid --security-opt 2: \"%s\"", text);
                } else if ((value = str_after(text, "seccomp=")) || (value = str_after(text, "seccomp:"))) {
                        ret->seccomp = value;
                } else if ((value = str_after(text, "apparmor=")) || (value = str_after(text, "apparmor:"))) {
                        ret->apparmor = value;
                } else if ((value = str_after(text, "label=")) || (value = str_after(text, "label:"))) {
                        ret->label = value;
                } else if (str_eq(text, "systempaths=unconfined") || str_eq(text, "unmask=ALL")) {
                        ret->unconfined_paths = true;
                } else {
                        return err_set(err, ERR_INVALID, "invalid --security-opt: \"%s\"", text);
                }
        }
        return 0;
}

static int seccomp_add(const struct security *s, const struct container_config *c, uint64_t caps, struct oci_spec *spec,
                       struct err *err)
{
        if ((c->privileged && !s->seccomp) || str_eq(s->seccomp, "unconfined"))
                return 0;
        if (!s->seccomp || str_eq(s->seccomp, "builtin") || str_eq(s->seccomp, "default")) {
                spec->seccomp = seccomp_default(caps);
                return 0;
        }
        _cleanup_buf_ struct buf text = BUF_INIT((size_t)4 << 20);
        if (file_read_at(AT_FDCWD, s->seccomp, &text, err) < 0)
                return err_add(err, "opening seccomp profile (%s) failed", s->seccomp);
        if (seccomp_parse_docker(text.data ? text.data : "", text.len, caps, &spec->seccomp, err) < 0)
                return err_add(err, "Decoding seccomp profile %s failed", s->seccomp);
        return 0;
}

int spec_check_security(const struct container_config *c, struct err *err)
{
        struct security s = { 0 };
        uint64_t caps;
        if (security_parse(c->security_opt, &s, err) < 0)
                return -1;
        return capabilities_for(c->cap_add, c->cap_drop, c->privileged, &caps, err);
}

int spec_add_security(struct engine *e, const struct container *container, struct oci_spec *spec, struct err *err)
{
        const struct container_config *c = &container->config;
        struct security s = { 0 };
        uint64_t caps;
        if (security_parse(c->security_opt, &s, err) < 0 ||
            capabilities_for(c->cap_add, c->cap_drop, c->privileged, &caps, err) < 0)
                return -1;
        bool bound = false;
        if (quota_binds(e, c, &bound, err) < 0)
                return -1;
        if (bound) /* who has it is bound by no quota (ext4) */
                caps &= ~(UINT64_C(1) << CAP_SYS_RESOURCE);
        capabilities_apply(caps, &spec->process);
        spec->process.no_new_privileges = s.no_new_privileges;
        if (s.apparmor && !str_eq(s.apparmor, "unconfined"))
                spec->process.apparmor_profile = xstrdup(s.apparmor);
        if (s.label && !str_eq(s.label, "disable"))
                spec->process.selinux_label = xstrdup(s.label);
        if (!c->privileged && !s.unconfined_paths)
                spec_add_default_paths(spec);
        if (seccomp_add(&s, c, caps, spec, err) < 0)
                return -1;
        if (bound && spec->seccomp)
                seccomp_keep_projects(spec->seccomp);
        return 0;
}
