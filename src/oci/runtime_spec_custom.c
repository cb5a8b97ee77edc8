#include "oci/runtime-spec-internal.h"

#include "base/str.h"

/* --- linux.namespaces: a list in the document, an array by kind here --- */

static const char *const namespace_names[OCI_NS_KINDS] = {
        [OCI_NS_PID] = "pid", [OCI_NS_NETWORK] = "network", [OCI_NS_MOUNT] = "mount",   [OCI_NS_IPC] = "ipc",
        [OCI_NS_UTS] = "uts", [OCI_NS_USER] = "user",       [OCI_NS_CGROUP] = "cgroup", [OCI_NS_TIME] = "time",
};

const char *oci_namespace_name(enum oci_namespace_kind kind) { return namespace_names[kind]; }

static int namespace_kind(const char *name)
{
        for (int kind = 0; kind < OCI_NS_KINDS; kind++)
                if (str_eq(namespace_names[kind], name))
                        return kind;
        return -1;
}

static int namespace_parse(struct oci_spec *spec, const json_t *o, const struct jpath *path, struct err *err)
{
        _cleanup_free_ char *type = NULL, *ns_path = NULL;
        int kind;

        if (!json_is_object(o))
                return json_err(path, NULL, err, "expected an object");
        if (json_get_string(o, path, "type", true, &type, err) < 0 ||
            json_get_string(o, path, "path", false, &ns_path, err) < 0)
                return -1;
        kind = namespace_kind(type);
        if (kind < 0)
                return json_err(path, "type", err, "\"%.100s\" is unknown", type);
        if (spec->namespaces[kind].wanted)
                return json_err(path, "type", err, "\"%s\" is there twice", type);
        spec->namespaces[kind].wanted = true;
        if (!str_empty(ns_path))
                spec->namespaces[kind].path = TAKE_PTR(ns_path);
        return 0;
}

static int namespaces_parse(void *base, const json_t *o, const struct jpath *path, const char *key, struct err *err)
{
        struct jpath list_path = jpath_key(path, key);
        json_t *list = NULL;

        if (json_get_array(o, path, key, true, &list, err) < 0)
                return -1;
        for (size_t i = 0; i < json_array_size(list); i++) {
                struct jpath here = jpath_index(&list_path, i);

                if (namespace_parse(base, json_array_get(list, i), &here, err) < 0)
                        return -1;
        }
        return 0;
}

static json_t *namespaces_format(const void *base)
{
        const struct oci_spec *spec = base;
        json_t *list = json_array();

        for (int kind = 0; kind < OCI_NS_KINDS; kind++) {
                json_t *o;

                if (!spec->namespaces[kind].wanted)
                        continue;
                o = json_object();
                json_set_string(o, "type", namespace_names[kind]);
                json_set_string(o, "path", spec->namespaces[kind].path);
                json_array_append_new(list, o);
        }
        if (json_array_size(list) > 0)
                return list;
        json_decref(list);
        return NULL;
}

static void namespaces_done(void *base)
{
        struct oci_spec *spec = base;

        for (int kind = 0; kind < OCI_NS_KINDS; kind++)
                free(spec->namespaces[kind].path);
}

const struct field_custom oci_namespaces_custom = { namespaces_parse, namespaces_format, namespaces_done };

/* --- resources.rdma: an object keyed by the device --- */

static int rdma_parse(void *base, const json_t *o, const struct jpath *path, const char *key, struct err *err)
{
        struct jpath list_path = jpath_key(path, key);
        struct oci_resources *r = base;
        json_t *devices = NULL, *limits;
        const char *device;

        if (json_get_object(o, path, key, true, &devices, err) < 0)
                return -1;
        if (json_object_size(devices) > SPEC_LIST_MAX)
                return json_err(path, key, err, "more than %d devices", SPEC_LIST_MAX);
        r->rdma = xcalloc(json_object_size(devices) + 1, sizeof(*r->rdma));
        json_object_foreach(devices, device, limits)
        {
                struct jpath here = jpath_key(&list_path, device);
                struct oci_rdma *entry = &r->rdma[r->rdma_count++];

                entry->device = xstrdup(device);
                if (!json_is_object(limits))
                        return json_err(&here, NULL, err, "expected an object");
                if (table_parse(&oci_rdma_table, entry, limits, &here, err) < 0)
                        return -1;
        }
        return 0;
}

static json_t *rdma_format(const void *base)
{
        const struct oci_resources *r = base;
        json_t *devices;

        if (r->rdma_count == 0)
                return NULL;
        devices = json_object();
        for (size_t i = 0; i < r->rdma_count; i++)
                json_object_set_new(devices, r->rdma[i].device, spec_table_format(&oci_rdma_table, &r->rdma[i]));
        return devices;
}

static void rdma_done(void *base)
{
        struct oci_resources *r = base;

        for (size_t i = 0; i < r->rdma_count; i++)
                free(r->rdma[i].device);
        free(r->rdma);
}

const struct field_custom oci_rdma_custom = { rdma_parse, rdma_format, rdma_done };
