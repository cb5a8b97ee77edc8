#include "build/dockerfile.h"

#include "base/str.h"
#include "build/instructions-internal.h"
#include "build/parser-internal.h"

/* Far more than any real file; bounds what a hostile one makes us keep. */
#define INSTRUCTIONS_MAX 20000

void dockerfile_done(struct dockerfile *d)
{
        for (size_t i = 0; i < d->count; i++)
                instruction_done(&d->list[i]);
        free(d->list);
        free(d->syntax);
        *d = (struct dockerfile){ 0 };
}

static bool takes_heredocs(const struct instruction *in)
{
        if (in->kind != INSTR_ONBUILD)
                return instruction_def(in->kind)->heredoc && !in->json;
        /* ONBUILD COPY <<EOF /x: the inner instruction decides. */
        _cleanup_free_ char *name = xstrndup(in->args[0], strcspn(in->args[0], " \t"));
        const struct instruction_def *inner = instruction_find(name);
        return inner && inner->heredoc;
}

/* The trigger is kept as text, so that the texts of its heredocs must be in it. */
static void onbuild_absorb_heredocs(struct instruction *in)
{
        for (size_t i = 0; i < in->heredoc_count; i++) {
                char *whole = xasprintf("%s\n%s%s", in->args[0], in->heredocs[i].text, in->heredocs[i].name);
                free(in->args[0]);
                in->args[0] = whole;
        }
        heredocs_free(in->heredocs, in->heredoc_count);
        in->heredocs = NULL;
        in->heredoc_count = 0;
}

static int read_heredocs(struct line_reader *r, struct instruction *in, struct err *err)
{
        _cleanup_free_ bool *strip = NULL;
        if (heredocs_find(in->original, &in->heredocs, &strip, &in->heredoc_count, err) < 0 ||
            heredocs_read(r, in->heredocs, strip, in->heredoc_count, err) < 0)
                return -1;
        if (in->kind == INSTR_ONBUILD)
                onbuild_absorb_heredocs(in);
        return 0;
}

static int parse_instructions(struct line_reader *r, struct dockerfile *d, const char *name, struct err *err)
{
        for (;;) {
                unsigned line = 0;
                _cleanup_free_ char *text = line_next_logical(r, &line);
                if (!text)
                        return 0;
                _cleanup_(instruction_done) struct instruction in = { 0 };
                if (d->count == INSTRUCTIONS_MAX)
                        return err_set(err, ERR_TOO_LARGE, "%s:%u: more than %d instructions", name, line,
                                       INSTRUCTIONS_MAX);
                if (instruction_parse(text, line, r->escape, &in, err) < 0 ||
                    (takes_heredocs(&in) && read_heredocs(r, &in, err) < 0))
                        return err_add(err, "%s:%u", name, line);
                if ((d->count & (d->count - 1)) == 0)
                        d->list = xreallocarray(d->list, d->count ? d->count * 2 : 1, sizeof(*d->list));
                d->list[d->count++] = in;
                in = (struct instruction){ 0 };
        }
}

static int text_check(const char *text, size_t len, const char *name, struct err *err)
{
        if (len > DOCKERFILE_MAX)
                return err_set(err, ERR_TOO_LARGE, "%s:1: larger than %zu bytes", name, DOCKERFILE_MAX);
        const char *nul = len ? memchr(text, '\0', len) : NULL;
        if (!nul)
                return 0;
        unsigned line = 1;
        for (const char *p = text; p != nul; p++)
                line += *p == '\n';
        return err_set(err, ERR_INVALID, "%s:%u: a NUL byte: this is no Dockerfile", name, line);
}

int dockerfile_parse(const char *text, size_t len, const char *name, struct dockerfile *ret, struct err *err)
{
        if (text_check(text, len, name, err) < 0)
                return -1;
        _cleanup_dockerfile_ struct dockerfile d = { .escape = '\\' };
        struct line_reader r = { .text = text, .len = len, .escape = '\\' };
        if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
                r.pos = 3;
        if (directives_read(&r, &d, err) < 0)
                return err_add(err, "%s:%u", name, r.line);
        if (parse_instructions(&r, &d, name, err) < 0)
                return -1;
        if (!d.count)
                return err_set(err, ERR_INVALID, "%s:1: file with no instructions", name);
        *ret = d;
        d = (struct dockerfile){ 0 };
        return 0;
}
