/* A filter under which the owner of a file cannot take it out of its project, and so out of a limit of size: FS_IOC_FSSETXATTR sets the
 * project, FS_IOC_SETFLAGS the flag by which new files inherit it (linux/fs.h). In a user namespace the kernel refuses both by itself. */
#include <string.h>
#include "base/mem.h"
#include "base/str.h"
#include "runtime/seccomp-internal.h"
#include "runtime/security.h"

static const uint32_t denied[] = { 0x401c5820 /* FSSETXATTR */, 0x40086602 /* SETFLAGS */, 0x40046602 /* SETFLAGS of 32-bit programs */ };

/* Only the lower half counts for the kernel: comparing all 64 bits could be got round by setting one above. */
static void rule_add(struct oci_seccomp *s, const char *action, uint32_t value, uint32_t mask)
{
        char **names = NULL;
        strv_push(&names, "ioctl");
        struct oci_seccomp_rule *rule = seccomp_add_rule(s, names, action);
        if (mask)
                seccomp_add_arg(rule, 1, mask, value, "SCMP_CMP_MASKED_EQ");
}

/* All requests that begin with these bits, but the denied ones: rules can only be or-ed, so what remains is allowed by its prefixes. */
static void allow_others(struct oci_seccomp *s, uint32_t prefix, unsigned bits)
{
        uint32_t mask = bits ? UINT32_MAX << (32 - bits) : 0;
        bool any = false;
        for (size_t i = 0; i < ELEMENTS(denied); i++)
                any = any || (denied[i] & mask) == prefix;
        if (!any) {
                rule_add(s, "SCMP_ACT_ALLOW", prefix, mask);
        } else if (bits < 32) {
                allow_others(s, prefix, bits + 1);
                allow_others(s, prefix | UINT32_C(1) << (31 - bits), bits + 1);
        }
}

static bool name_remove(char **names, const char *name)
{
        bool found = false;
        for (size_t i = 0; names && names[i];) {
                if (!str_eq(names[i], name)) {
                        i++;
                        continue;
                }
                found = true;
                free(names[i]);
                for (size_t k = i; names[k]; k++)
                        names[k] = names[k + 1];
        }
        return found;
}

void seccomp_keep_projects(struct oci_seccomp *s)
{
        bool allowed = false;
        for (size_t i = 0; i < s->rule_count; i++)
                if (str_eq(s->rules[i].action, "SCMP_ACT_ALLOW") && !s->rules[i].arg_count)
                        allowed = name_remove(s->rules[i].names, "ioctl") || allowed;
        if (allowed)
                allow_others(s, 0, 0);
        if (str_eq(s->default_action, "SCMP_ACT_ALLOW") || str_eq(s->default_action, "SCMP_ACT_LOG"))
                for (size_t i = 0; i < ELEMENTS(denied); i++)
                        rule_add(s, "SCMP_ACT_ERRNO", denied[i], UINT32_MAX);
}
