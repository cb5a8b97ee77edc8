/* features: features.md of the runtime-spec. What is in the lists is what the runtime room takes. */
#include <seccomp.h>
#include <stdio.h>
#include "base/json.h"
#include "ociruntime/program-internal.h"

static const char *const hooks[] = { "prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop", NULL };
static const char *const mount_words[] = {
        "atime", "bind", "defaults", "dev", "diratime", "dirsync", "exec", "idmap", "iversion", "lazytime", "loud", "mand", "noatime", "nodev",
        "nodiratime", "noexec", "noiversion", "nolazytime", "nomand", "norelatime", "nostrictatime", "nosuid", "nosymfollow", "private", "ratime",
        "rbind", "rdev", "rdiratime", "relatime", "remount", "rexec", "ridmap", "rnoatime", "rnodev", "rnodiratime", "rnoexec", "rnorelatime",
        "rnostrictatime", "rnosuid", "rnosymfollow", "ro", "rprivate", "rrelatime", "rro", "rrw", "rshared", "rslave", "rstrictatime", "rsuid",
        "rsymfollow", "runbindable", "rw", "shared", "silent", "slave", "strictatime", "suid", "symfollow", "sync", "tmpcopyup", "unbindable", NULL
};
static const char *const actions[] = { "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD",
                                       "SCMP_ACT_LOG", "SCMP_ACT_NOTIFY", "SCMP_ACT_TRACE", "SCMP_ACT_TRAP", NULL };
static const char *const operators[] = { "SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_LE", "SCMP_CMP_LT", "SCMP_CMP_MASKED_EQ",
                                         "SCMP_CMP_NE", NULL };
static const char *const arches[] = { "SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM", "SCMP_ARCH_MIPS", "SCMP_ARCH_MIPS64", "SCMP_ARCH_MIPS64N32",
                                      "SCMP_ARCH_MIPSEL", "SCMP_ARCH_MIPSEL64", "SCMP_ARCH_MIPSEL64N32", "SCMP_ARCH_PPC", "SCMP_ARCH_PPC64",
                                      "SCMP_ARCH_PPC64LE", "SCMP_ARCH_RISCV64", "SCMP_ARCH_S390", "SCMP_ARCH_S390X", "SCMP_ARCH_X32",
                                      "SCMP_ARCH_X86", "SCMP_ARCH_X86_64", NULL };
static const char *const flags[] = { "SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_LOG", NULL };

static json_t *words(const char *const *list)
{
        json_t *o = json_array();
        for (; *list; list++)
                json_array_append_new(o, json_string(*list));
        return o;
}

static json_t *namespaces(void)
{
        json_t *o = json_array();
        for (int i = 0; i < OCI_NS_KINDS; i++)
                json_array_append_new(o, json_string(oci_namespace_name((enum oci_namespace_kind)i)));
        return o;
}

static json_t *enabled(bool on)
{
        return json_pack("{s:b}", "enabled", on);
}

static json_t *linux_features(void)
{
        json_t *o = json_object(), *seccomp = enabled(true);
        json_object_set_new(o, "namespaces", namespaces());
        json_object_set_new(o, "cgroup", json_pack("{s:b, s:b, s:b, s:b, s:b}", "v1", 1, "v2", 1, "systemd", 1, "systemdUser", 1, "rdma", 1));
        json_object_set_new(seccomp, "actions", words(actions));
        json_object_set_new(seccomp, "operators", words(operators));
        json_object_set_new(seccomp, "archs", words(arches));
        json_object_set_new(seccomp, "knownFlags", words(flags));
        json_object_set_new(seccomp, "supportedFlags", words(flags));
        json_object_set_new(o, "seccomp", seccomp);
        json_object_set_new(o, "apparmor", enabled(true));
        json_object_set_new(o, "selinux", enabled(true));
        json_object_set_new(o, "intelRdt", enabled(false));
        json_object_set_new(o, "mountExtensions", json_pack("{s:o}", "idmap", enabled(true)));
        return o;
}

int verb_features(const struct program *p, const struct verb_options *o, char **args, struct err *err)
{
        const struct scmp_version *v = seccomp_version();
        _cleanup_json_ json_t *f = json_object();
        json_t *annotations = json_object();
        json_object_set_new(f, "ociVersionMin", json_string("1.0.0"));
        json_object_set_new(f, "ociVersionMax", json_string(OCIRUNTIME_SPEC_VERSION));
        json_object_set_new(f, "hooks", words(hooks));
        json_object_set_new(f, "mountOptions", words(mount_words));
        json_object_set_new(f, "linux", linux_features());
        if (v)
                json_object_set_new(annotations, "io.github.seccomp.libseccomp.version", json_sprintf("%u.%u.%u", v->major, v->minor, v->micro));
        json_object_set_new(annotations, "org.opencontainers.runc.checkpoint.enabled", json_string("true"));
        json_object_set_new(f, "annotations", annotations);
        _cleanup_free_ char *text = json_text_indented(f);
        puts(text);
        return 0;
}
