/* Templates over a document: whatever the text, parsing and running it ends, within its memory. Endless loops are not possible in the
 * language but for ranges over large numbers, which the runner's time limit would show. */
#include "base/json.h"
#include "base/str.h"
#include "cli/output.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char document[] = "{\"Id\":\"0123456789abcdef\",\"N\":3,\"F\":1.5,\"B\":true,\"Nil\":null,\"L\":[\"a\",\"b\"],"
                               "\"Labels\":{\"a.b\":\"c\",\"k\":\"v\"},\"Mounts\":[{\"Destination\":\"/d\"}],\"State\":{\"Running\":true}}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_free_ char *text = xstrndup((const char *)data, size);
        _cleanup_json_ json_t *value = json_loads(document, 0, NULL);
        _cleanup_(template_freep) struct template *t = NULL;
        _cleanup_buf_ struct buf out = BUF_INIT(1 << 16);
        struct err err = ERR_INIT;
        if (template_parse(text, &t, &err) == 0 && template_execute(t, value, &out, &err) < 0 && err.kind == ERR_NONE)
                abort();
        return 0;
}
