/* Runtime configurations, process.json and resources: what is taken must be written and read back to the same bytes. */
#include "base/str.h"
#include "oci/runtime_spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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

        spec_check((const char *)data, size);
        if (oci_process_parse((const char *)data, size, &process, &err) == 0)
                oci_process_done(&process);
        if (oci_resources_parse((const char *)data, size, &resources, &err) == 0)
                oci_resources_done(&resources);
        return 0;
}
