#include "build/copy-internal.h"

#include <strings.h>
#include "base/path.h"
#include "base/str.h"
#include "build/handlers-internal.h"
#include "build/instructions-internal.h"
#include "build/parser-internal.h"

void copy_forget(struct copy *c)
{
        for (size_t i = 0; i < c->item_count; i++) {
                free(c->items[i].path);
                free(c->items[i].name);
                free(c->items[i].text);
        }
        free(c->items);
        c->items = NULL;
        c->item_count = 0;
}

void copy_free(struct copy *c)
{
        copy_forget(c);
        source_done(&c->from);
        strv_free(c->words);
        strv_free(c->texts);
        free(c->is_text);
        free(c->dest);
        free(c->chown);
        if (c->exclude)
                ignore_free(c->exclude);
        free(c);
}

static int expand(const struct step *s, const char *word, char **ret, struct err *err)
{
        return dockerfile_expand(word, s->b->escape, s->env, ret, err);
}

/* --- flags --- */

static int refuse(const struct step *s, const char *flag, const char *why, struct err *err)
{
        if (!instruction_flag_bool(s->in, flag))
                return 0;
        return err_set(err, ERR_UNSUPPORTED, "%s --%s is not supported: %s", instruction_def(s->in->kind)->name, flag,
                       why);
}

static int read_mode(const struct step *s, struct copy *c, struct err *err)
{
        const char *flag = instruction_flag(s->in, "chmod");
        _cleanup_free_ char *text = NULL;
        c->mode = -1;
        if (!flag)
                return 0;
        if (expand(s, flag, &text, err) < 0)
                return -1;
        char *end;
        unsigned long mode = str_only(text, "01234567") ? strtoul(text, &end, 8) : 010000;
        if (mode > 07777 || strlen(text) > 6)
                return err_set(err, ERR_INVALID,
                               "invalid chmod parameter: '%s'. it should be octal string and between 0 and 07777",
                               text);
        c->mode = (int64_t)mode;
        return 0;
}

static int read_exclude(const struct step *s, struct copy *c, struct err *err)
{
        _cleanup_strv_ char **patterns = NULL;
        STRV_FOREACH (f, s->in->flags) {
                const char *value = str_after(*f, "--exclude=");
                char *pattern = NULL;
                if (value && expand(s, value, &pattern, err) < 0)
                        return -1;
                if (pattern)
                        strv_push_take(&patterns, pattern);
        }
        if (!patterns)
                return 0;
        _cleanup_free_ char *text = strv_join(patterns, "\n");
        return ignore_parse(text, &c->exclude, err) < 0 ? err_add(err, "--exclude") : 0;
}

static int read_flags(const struct step *s, struct copy *c, struct err *err)
{
        const char *chown = instruction_flag(s->in, "chown"), *unpack = instruction_flag(s->in, "unpack");
        const char *from = instruction_flag(s->in, "from");
        if (refuse(s, "checksum", "it is for URLs only", err) < 0 ||
            refuse(s, "keep-git-dir", "it is for git repositories only", err) < 0 ||
            refuse(s, "parents", "name the directories in the destination", err) < 0)
                return -1;
        if (from && strchr(from, '$'))
                return err_set(err, ERR_UNSUPPORTED,
                               "variable expansion is not supported for --from, define a new stage with FROM using ARG "
                               "from global scope as a workaround");
        c->unpack = c->add && (!unpack || !str_eq(unpack, "false"));
        if (chown && expand(s, chown, &c->chown, err) < 0)
                return -1;
        return read_mode(s, c, err) < 0 ? -1 : read_exclude(s, c, err);
}

/* --- words --- */

static bool is_remote(const char *word)
{
        static const char *const schemes[] = { "http://", "https://", "ftp://", "git://", "ssh://", "git@" };
        for (size_t i = 0; i < ELEMENTS(schemes); i++)
                if (strncasecmp(word, schemes[i], strlen(schemes[i])) == 0)
                        return true;
        return false;
}

static int heredoc_text(const struct step *s, const struct heredoc *h, char **ret, struct err *err)
{
        const struct expand_options o = {
                .escape = s->b->escape, .env = s->env, .keep_quotes = true, .keep_escapes = true
        };
        if (h->expand)
                return expand_text(h->text, &o, ret, err);
        *ret = xstrdup(h->text);
        return 0;
}

static int read_source(const struct step *s, struct copy *c, const char *word, size_t *heredoc, struct err *err)
{
        _cleanup_free_ char *path = NULL;
        _cleanup_free_ char *text = NULL;
        size_t n = strv_len(c->words);
        bool here = *heredoc < s->in->heredoc_count && !s->in->json && heredoc_word(word, &path, NULL, NULL);
        if (here ? heredoc_text(s, &s->in->heredocs[(*heredoc)++], &text, err) < 0 : expand(s, word, &path, err) < 0)
                return -1;
        if (c->add && !here && is_remote(path))
                return err_set(err, ERR_UNSUPPORTED,
                               "ADD of the URL %s is not supported: fetch it in a RUN step or before the build", path);
        if (!*path)
                return err_set(err, ERR_INVALID, "an empty source");
        c->is_text = xreallocarray(c->is_text, n + 1, sizeof(bool));
        c->is_text[n] = here;
        strv_push(&c->words, path);
        strv_push(&c->texts, here ? text : "");
        return 0;
}

static int read_dest(const struct step *s, struct copy *c, const char *word, struct err *err)
{
        _cleanup_free_ char *dest = NULL;
        const char *workdir = s->s->config.exec.working_dir;
        if (expand(s, word, &dest, err) < 0)
                return -1;
        if (!*dest)
                return err_set(err, ERR_INVALID, "an empty destination");
        c->dest = path_join(str_empty(workdir) ? "/" : workdir, dest);
        const char *last = path_name(dest);
        c->dest_is_dir = !*last || str_eq(last, ".") || str_eq(last, "..");
        return 0;
}

static void canonical(struct step *s, const struct copy *c)
{
        strv_push(&s->canonical, c->dest);
        strv_push(&s->canonical, c->dest_is_dir ? "dir" : "");
        strv_push_take(&s->canonical,
                       c->chown ? xasprintf("chown=%s", c->chown) : xstrdup(c->from_context ? "root" : "keep"));
        strv_push_take(&s->canonical, xasprintf("mode=%lld unpack=%d", (long long)c->mode, c->unpack));
        STRV_FOREACH (f, s->in->flags)
                if (str_starts(*f, "--exclude="))
                        strv_push(&s->canonical, *f);
        strv_push(&s->canonical, "sources");
        strv_extend(&s->canonical, c->words);
        strv_extend(&s->canonical, c->texts);
}

static bool only_texts(const struct copy *c)
{
        for (size_t i = 0; c->words && c->words[i]; i++)
                if (!c->is_text[i])
                        return false;
        return true;
}

static int copy_prepare(struct step *s, struct err *err)
{
        struct copy *c = xcalloc(1, sizeof(*c));
        const char *from = instruction_flag(s->in, "from");
        size_t count = strv_len(s->in->args), heredoc = 0;
        s->own = c;
        c->from.fd = -1;
        c->add = s->in->kind == INSTR_ADD;
        c->from_context = !from;
        if (read_flags(s, c, err) < 0)
                return -1;
        for (size_t i = 0; i + 1 < count; i++)
                if (read_source(s, c, s->in->args[i], &heredoc, err) < 0)
                        return -1;
        if (read_dest(s, c, s->in->args[count - 1], err) < 0)
                return -1;
        if ((from || !only_texts(c)) && source_find(s->b, s->stage, from, &c->from, err) < 0)
                return -1;
        canonical(s, c);
        if (from)
                s->source = xasprintf("chain %s", c->from.chain);
        return 0;
}

/* --- digest and execution --- */

static const struct ignore *context_ignore(const struct step *s, const struct copy *c)
{
        return c->from_context ? s->b->ctx.ignore : NULL;
}

/* Owners are not in a tree's digest; where they are copied, the chain that they come from stands for them. */
static char *content_key(const struct step *s, const struct copy *c, const char *digest)
{
        return s->source && !c->chown ? xasprintf("%s %s", digest, s->source) : xstrdup(digest);
}

static int copy_look(struct step *s, struct err *err)
{
        struct copy *c = s->own;
        _cleanup_free_ char *digest = NULL;
        if (copy_resolve(s, c, err) < 0 || copy_digest(c, context_ignore(s, c), &digest, err) < 0)
                return -1;
        s->content = content_key(s, c, digest);
        const char *slash = c->dest_is_dir && !str_eq(c->dest, "/") ? "/" : "";
        _cleanup_strv_ char **shell = exec_shell(&s->s->config.exec);
        _cleanup_free_ char *words = strv_join(shell, " ");
        s->created_by = xasprintf("%s #(nop) %s %s%s%s%s in %s%s ", words, instruction_def(s->in->kind)->name,
                                  c->chown ? "--chown=" : "", c->chown ? c->chown : "", c->chown ? " " : "", digest,
                                  c->dest, slash);
        return 0;
}

/* A file edited between its digest and its copy would be remembered under the wrong name. */
static int copy_check(struct step *s, struct copy *c, struct err *err)
{
        _cleanup_free_ char *digest = NULL;
        if (!c->from_context)
                return 0;
        struct err why = ERR_INIT;
        copy_forget(c);
        if (copy_resolve(s, c, &why) < 0 || copy_digest(c, context_ignore(s, c), &digest, &why) < 0)
                s->unsure = true;
        else
                s->unsure = !str_eq(digest, s->content);
        return 0;
}

static int copy_execute(struct step *s, struct err *err)
{
        struct copy *c = s->own;
        return copy_place(s, c, err) < 0 ? -1 : copy_check(s, c, err);
}

static void copy_done(struct step *s)
{
        copy_free(s->own);
}

const struct executor executor_copy = {
        .prepare = copy_prepare, .digest = copy_look, .execute = copy_execute, .done = copy_done
};
