/* features: features.md of the runtime-spec. What is in the lists is what the runtime room takes. */
#include <seccomp.h>
#include <stdio.h>
#include "base/json.h"
#include "ociruntime/program-internal.h"
#include "runtime/words.h"
#include "runtime/security.h"

static json_t *words(char **list)
{
        json_t *o = json_array();
        STRV_FOREACH (word, list)
                json_array_append_new(o, json_string(*word));
        strv_free(list);
        return o;
}

static json_t *capabilities(void)
{
        json_t *o = json_array();
        for (int i = 0; capability_name(i); i++)
                json_array_append_new(o, json_string(capability_name(i)));
        return o;
}

static json_t *hooks(void)
{
        json_t *o = json_array();
        for (int i = 0; i < OCI_HOOK_KINDS; i++)
                json_array_append_new(o, json_string(oci_hook_name((enum oci_hook_kind)i)));
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
        json_object_set_new(o, "capabilities", capabilities());
        json_object_set_new(o, "cgroup", json_pack("{s:b, s:b, s:b, s:b, s:b}", "v1", 1, "v2", 1, "systemd", 1, "systemdUser", 1, "rdma", 1));
        json_object_set_new(seccomp, "actions", words(seccomp_action_names()));
        json_object_set_new(seccomp, "operators", words(seccomp_operator_names()));
        json_object_set_new(seccomp, "archs", words(seccomp_arch_names()));
        json_object_set_new(seccomp, "knownFlags", words(seccomp_flag_names()));
        json_object_set_new(seccomp, "supportedFlags", words(seccomp_flag_names()));
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
        json_object_set_new(f, "hooks", hooks());
        json_object_set_new(f, "mountOptions", words(mount_option_names()));
        json_object_set_new(f, "linux", linux_features());
        if (v)
                json_object_set_new(annotations, "io.github.seccomp.libseccomp.version", json_sprintf("%u.%u.%u", v->major, v->minor, v->micro));
        json_object_set_new(annotations, "org.opencontainers.runc.checkpoint.enabled", json_string("true"));
        json_object_set_new(f, "annotations", annotations);
        _cleanup_free_ char *text = json_text_indented(f);
        puts(text);
        return 0;
}
