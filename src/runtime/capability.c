#include <errno.h>
#include <linux/capability.h>
#include <strings.h>
#include <sys/prctl.h>
#include "base/str.h"
#include "runtime/capability-internal.h"
#include "runtime/security.h"

/* Index is the capability's number (linux/capability.h). */
static const char *const names[] = {
        "CAP_CHOWN",
        "CAP_DAC_OVERRIDE",
        "CAP_DAC_READ_SEARCH",
        "CAP_FOWNER",
        "CAP_FSETID",
        "CAP_KILL",
        "CAP_SETGID",
        "CAP_SETUID",
        "CAP_SETPCAP",
        "CAP_LINUX_IMMUTABLE",
        "CAP_NET_BIND_SERVICE",
        "CAP_NET_BROADCAST",
        "CAP_NET_ADMIN",
        "CAP_NET_RAW",
        "CAP_IPC_LOCK",
        "CAP_IPC_OWNER",
        "CAP_SYS_MODULE",
        "CAP_SYS_RAWIO",
        "CAP_SYS_CHROOT",
        "CAP_SYS_PTRACE",
        "CAP_SYS_PACCT",
        "CAP_SYS_ADMIN",
        "CAP_SYS_BOOT",
        "CAP_SYS_NICE",
        "CAP_SYS_RESOURCE",
        "CAP_SYS_TIME",
        "CAP_SYS_TTY_CONFIG",
        "CAP_MKNOD",
        "CAP_LEASE",
        "CAP_AUDIT_WRITE",
        "CAP_AUDIT_CONTROL",
        "CAP_SETFCAP",
        "CAP_MAC_OVERRIDE",
        "CAP_MAC_ADMIN",
        "CAP_SYSLOG",
        "CAP_WAKE_ALARM",
        "CAP_BLOCK_SUSPEND",
        "CAP_AUDIT_READ",
        "CAP_PERFMON",
        "CAP_BPF",
        "CAP_CHECKPOINT_RESTORE",
};

static const uint8_t docker_defaults[] = {
        CAP_CHOWN,  CAP_DAC_OVERRIDE, CAP_FSETID,  CAP_FOWNER,           CAP_MKNOD,      CAP_NET_RAW, CAP_SETGID,
        CAP_SETUID, CAP_SETFCAP,      CAP_SETPCAP, CAP_NET_BIND_SERVICE, CAP_SYS_CHROOT, CAP_KILL,    CAP_AUDIT_WRITE,
};

int capability_parse(const char *name)
{
        if (!name)
                return -1;
        if (strncasecmp(name, "CAP_", 4) == 0)
                name += 4;
        for (size_t i = 0; i < ELEMENTS(names); i++)
                if (strcasecmp(name, names[i] + 4) == 0)
                        return (int)i;
        return -1;
}

const char *capability_name(int cap)
{
        return cap >= 0 && (size_t)cap < ELEMENTS(names) ? names[cap] : NULL;
}

uint64_t capability_bounding(void)
{
        uint64_t mask = 0;
        for (int cap = 0; cap < 64; cap++) {
                int has = prctl(PR_CAPBSET_READ, cap, 0, 0, 0);
                if (has < 0)
                        break; /* past the kernel's last one */
                if (has)
                        mask |= UINT64_C(1) << cap;
        }
        return mask;
}

static int names_to_mask(char *const *list, uint64_t *ret_mask, bool *ret_all, struct err *err)
{
        uint64_t mask = 0;
        bool all = false;
        STRV_FOREACH (s, list) {
                int cap = capability_parse(*s);
                if (strcasecmp(*s, "ALL") == 0 || strcasecmp(*s, "CAP_ALL") == 0)
                        all = true;
                else if (cap < 0)
                        return err_set(err, ERR_INVALID, "unknown capability: \"%s\"", *s);
                else
                        mask |= UINT64_C(1) << cap;
        }
        *ret_mask = mask;
        *ret_all = all;
        return 0;
}

int capabilities_for(char *const *add, char *const *drop, bool privileged, uint64_t *ret_mask, struct err *err)
{
        uint64_t added, dropped, mask = 0;
        bool add_all, drop_all;
        if (names_to_mask(add, &added, &add_all, err) < 0 || names_to_mask(drop, &dropped, &drop_all, err) < 0)
                return -1;
        for (size_t i = 0; i < ELEMENTS(docker_defaults); i++)
                mask |= UINT64_C(1) << docker_defaults[i];
        if (privileged)
                mask = UINT64_MAX;
        else if (add_all)
                mask = UINT64_MAX & ~dropped;
        else if (drop_all)
                mask = added;
        else
                mask = (mask & ~dropped) | added;
        *ret_mask = mask & capability_bounding();
        return 0;
}

static char **mask_to_names(uint64_t mask)
{
        char **list = NULL;
        for (size_t i = 0; i < ELEMENTS(names); i++)
                if (mask & UINT64_C(1) << i)
                        strv_push(&list, names[i]);
        return list;
}

static void caps_done(struct oci_caps *c)
{
        strv_free(c->bounding);
        strv_free(c->effective);
        strv_free(c->inheritable);
        strv_free(c->permitted);
        strv_free(c->ambient);
        *c = (struct oci_caps){ 0 };
}

void capabilities_apply(uint64_t mask, struct oci_process *process)
{
        caps_done(&process->caps);
        process->has_caps = true;
        process->caps.bounding = mask_to_names(mask);
        process->caps.permitted = mask_to_names(mask);
        process->caps.effective = mask_to_names(mask);
}

/* Names the kernel does not know are left out: the spec asks for a warning, not a failure. */
static uint64_t strv_mask(char *const *list, uint64_t within)
{
        uint64_t mask = 0;
        STRV_FOREACH (s, list) {
                int cap = capability_parse(*s);
                if (cap >= 0)
                        mask |= UINT64_C(1) << cap;
        }
        return mask & within;
}

void capability_sets(const struct oci_process *process, struct capability_sets *ret)
{
        uint64_t within = capability_bounding();
        const struct oci_caps *c = &process->caps;
        *ret = (struct capability_sets){ 0 };
        if (!process->has_caps)
                return;
        ret->bounding = strv_mask(c->bounding, within);
        ret->permitted = strv_mask(c->permitted, within);
        ret->effective = strv_mask(c->effective, ret->permitted);
        ret->inheritable = strv_mask(c->inheritable, within);
        ret->ambient = strv_mask(c->ambient, ret->permitted & ret->inheritable);
}
