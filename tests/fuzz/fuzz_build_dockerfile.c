/* Parser, plan and expansion take any bytes; what is parsed must keep what the headers promise. */
#include "base/str.h"
#include "build/dockerfile.h"
#include "build/ignore.h"
#include "build/plan-internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct dockerfile *d)
{
        char *const env[] = { (char *)"A=x", (char *)"B=", NULL };
        for (size_t i = 0; i < d->count; i++) {
                const struct instruction *in = &d->list[i];
                if (!in->original || !in->line || in->kind >= INSTR_KINDS)
                        abort();
                STRV_FOREACH (a, in->args) {
                        struct err err = ERR_INIT;
                        _cleanup_free_ char *text = NULL;
                        _cleanup_strv_ char **words = NULL;
                        (void)dockerfile_expand(*a, d->escape, env, &text, &err);
                        (void)dockerfile_expand_words(*a, d->escape, env, &words, &err);
                }
                for (size_t h = 0; h < in->heredoc_count; h++)
                        if (!in->heredocs[h].name || !in->heredocs[h].text)
                                abort();
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct err err = ERR_INIT;
        _cleanup_dockerfile_ struct dockerfile d = { 0 };
        _cleanup_(plan_done) struct plan p = { 0 };
        _cleanup_(ignore_freep) struct ignore *ignore = NULL;
        const struct plan_request r = { .name = "Dockerfile" };
        _cleanup_free_ char *text = xstrndup((const char *)data, size);
        if (ignore_parse(text, &ignore, &err) == 0)
                (void)ignore_prunes(ignore, "a/b");
        if (dockerfile_parse((const char *)data, size, "Dockerfile", &d, &err) < 0) {
                if (!str_starts(err.msg, "Dockerfile:"))
                        abort();
                return 0;
        }
        check(&d);
        (void)plan_make(&d, &r, &p, &err);
        return 0;
}
