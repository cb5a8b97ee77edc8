/* What criu answers, and a table of mounts with whatever names: any bytes are one, or an error. */
#include "base/str.h"
#include "runtime/criu-internal.h"
#include "runtime/mountinfo-internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct err err = ERR_INIT;
        struct criu_answer a;
        _cleanup_mountinfo_ struct mountinfo m = { 0 };
        _cleanup_free_ char *text = xstrndup((const char *)data, size);

        if (criu_answer_parse(data, size, &a, &err) == 0 && (strlen(a.script) >= sizeof(a.script) || strlen(a.text) >= sizeof(a.text)))
                abort();
        err_clear(&err);
        if (mountinfo_parse(text, &m, &err) == 0)
                for (size_t i = 0; i < m.count; i++)
                        (void)mountinfo_is_on(&m, &m.list[i], m.list[0].id);
        return 0;
}
