/* state.json of tare-oci: what is taken must be written and read back the same. */
#include "base/str.h"
#include "ociruntime/state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct err err = ERR_INIT;
        struct state first = { 0 }, second = { 0 };
        _cleanup_oci_spec_ struct oci_spec spec;

        oci_spec_init(&spec);
        if (state_parse((const char *)data, size, &first, &err) < 0) {
                if (err.kind == ERR_NONE)
                        abort();
                return 0;
        }
        first.pid = 0; /* a living one's groups would be looked for on this machine */
        _cleanup_free_ char *text = state_format(&first, &spec);
        if (state_parse(text, strlen(text), &second, &err) < 0)
                abort();
        _cleanup_free_ char *again = state_format(&second, &spec);
        if (strcmp(text, again) != 0 || first.systemd != second.systemd || first.start_time != second.start_time)
                abort();
        state_done(&first);
        state_done(&second);
        return 0;
}
