#include "build/plan-internal.h"

#include <strings.h>
#include "base/str.h"
#include "build/args-internal.h"
#include "build/instructions-internal.h"

#define STAGES_MAX 1000

void plan_done(struct plan *p)
{
        for (size_t i = 0; i < p->count; i++) {
                free(p->stages[i].name);
                free(p->stages[i].base);
                free(p->stages[i].platform);
        }
        free(p->stages);
        strv_free(p->global);
        *p = (struct plan){ 0 };
}

int plan_find_stage(const struct plan *p, const char *name, size_t before, bool numbers)
{
        struct err ignored = ERR_INIT;
        for (size_t i = before; i-- > 0;)
                if (p->stages[i].name && strcasecmp(p->stages[i].name, name) == 0)
                        return (int)i;
        uint32_t n;
        if (numbers && str_only(name, "0123456789") && parse_u32(name, &n, &ignored) == 0 && n < before)
                return (int)n;
        return STAGE_NONE;
}

/* --- ARG before FROM --- */

static int global_arg(const struct dockerfile *d, const struct instruction *in, struct arg_scope *scope,
                      char *const *platforms, struct err *err)
{
        STRV_FOREACH (a, in->args) {
                _cleanup_strv_ char **env = arg_environment(scope, platforms);
                _cleanup_free_ char *word = NULL;
                if (dockerfile_expand(*a, d->escape, env, &word, err) < 0)
                        return -1;
                _cleanup_free_ char *name = xstrndup(word, strcspn(word, "="));
                if (!*name)
                        return err_set(err, ERR_INVALID, "ARG names can not be blank");
                arg_declare(scope, name, strchr(word, '=') ? strchr(word, '=') + 1 : NULL);
        }
        return 0;
}

static int read_globals(const struct dockerfile *d, const struct plan_request *r, struct plan *p, struct err *err)
{
        _cleanup_(arg_scope_done) struct arg_scope scope = { .given = r->build_args, .used = r->used_args };
        p->global_list = d->list;
        for (; p->global_count < d->count && d->list[p->global_count].kind != INSTR_FROM; p->global_count++) {
                const struct instruction *in = &d->list[p->global_count];
                if (in->kind != INSTR_ARG)
                        return err_set(err, ERR_INVALID, "%s:%u: no build stage in current context", r->name, in->line);
                if (global_arg(d, in, &scope, r->platforms, err) < 0)
                        return err_add(err, "%s:%u", r->name, in->line);
        }
        p->global = strv_dup(r->platforms);
        STRV_FOREACH (a, scope.declared)
                strv_env_set(&p->global, *a);
        return 0;
}

/* --- FROM --- */

static bool stage_name_valid(const char *name)
{
        if (*name < 'a' || *name > 'z')
                return false;
        return str_only(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.");
}

static int stage_named(struct plan_stage *s, struct err *err)
{
        if (!s->from->args[1])
                return 0;
        s->name = xstrdup(s->from->args[2]);
        str_lower(s->name);
        if (stage_name_valid(s->name) && !str_eq(s->name, "scratch"))
                return 0;
        return err_set(err, ERR_INVALID,
                       "invalid name for build stage: \"%s\", name can't start with a number or contain symbols",
                       s->from->args[2]);
}

static int stage_begin(const struct dockerfile *d, struct plan *p, struct plan_stage *s, struct err *err)
{
        const char *platform = instruction_flag(s->from, "platform");
        s->base_stage = STAGE_NONE;
        if (stage_named(s, err) < 0 || dockerfile_expand(s->from->args[0], d->escape, p->global, &s->base, err) < 0 ||
            (platform && dockerfile_expand(platform, d->escape, p->global, &s->platform, err) < 0))
                return -1;
        if (!*s->base)
                return err_set(err, ERR_INVALID, "base name (%s) should not be blank", s->from->args[0]);
        if (s->platform && !*s->platform) {
                free(s->platform); /* "--platform=$EMPTY" asks for nothing */
                s->platform = NULL;
        }
        s->base_stage = plan_find_stage(p, s->base, p->count - 1, false);
        s->scratch = s->base_stage == STAGE_NONE && str_eq(s->base, "scratch");
        return 0;
}

static int read_stages(const struct dockerfile *d, const struct plan_request *r, struct plan *p, struct err *err)
{
        for (size_t i = p->global_count; i < d->count; i++) {
                const struct instruction *in = &d->list[i];
                if (in->kind != INSTR_FROM) {
                        p->stages[p->count - 1].count++;
                        continue;
                }
                if (p->count == STAGES_MAX)
                        return err_set(err, ERR_TOO_LARGE, "%s:%u: more than %d stages", r->name, in->line, STAGES_MAX);
                p->stages = xreallocarray(p->stages, p->count + 1, sizeof(*p->stages));
                p->stages[p->count] = (struct plan_stage){ .from = in, .list = in + 1 };
                if (stage_begin(d, p, &p->stages[p->count++], err) < 0)
                        return err_add(err, "%s:%u", r->name, in->line);
        }
        if (!p->count)
                return err_set(err, ERR_INVALID, "%s:1: no build stage in the file: it needs a FROM", r->name);
        return 0;
}

/* --- what is needed --- */

char *mount_option(const char *options, const char *key)
{
        _cleanup_strv_ char **list = strv_split(options, ",", false);
        size_t len = strlen(key);
        STRV_FOREACH (o, list)
                if (strncasecmp(*o, key, len) == 0 && (*o)[len] == '=')
                        return xstrdup(*o + len + 1);
        return NULL;
}

static void need_from(struct plan *p, size_t stage, const char *from)
{
        int i = from ? plan_find_stage(p, from, stage, true) : STAGE_NONE;
        if (i != STAGE_NONE)
                p->stages[i].needed = true;
}

static void need_sources(struct plan *p, size_t stage, const struct instruction *in)
{
        if (in->kind == INSTR_COPY)
                need_from(p, stage, instruction_flag(in, "from"));
        STRV_FOREACH (f, in->flags) {
                const char *options = in->kind == INSTR_RUN ? str_after(*f, "--mount=") : NULL;
                _cleanup_free_ char *from = options ? mount_option(options, "from") : NULL;
                need_from(p, stage, from);
        }
}

/* A stage can only lean on earlier ones, so one pass from the target down finds all. */
static void mark_needed(struct plan *p)
{
        p->stages[p->target].needed = true;
        for (size_t i = p->target + 1; i-- > 0;) {
                const struct plan_stage *s = &p->stages[i];
                if (!s->needed)
                        continue;
                p->steps += (unsigned)s->count + 1;
                if (s->base_stage != STAGE_NONE)
                        p->stages[s->base_stage].needed = true;
                for (size_t k = 0; k < s->count; k++)
                        need_sources(p, i, &s->list[k]);
        }
        p->steps += (unsigned)p->global_count;
}

int plan_make(const struct dockerfile *d, const struct plan_request *r, struct plan *ret, struct err *err)
{
        _cleanup_(plan_done) struct plan p = { 0 };
        if (read_globals(d, r, &p, err) < 0 || read_stages(d, r, &p, err) < 0)
                return -1;
        int target = str_empty(r->target) ? (int)p.count - 1 : plan_find_stage(&p, r->target, p.count, true);
        if (target == STAGE_NONE)
                return err_set(err, ERR_INVALID, "%s:1: target stage \"%s\" could not be found", r->name, r->target);
        p.target = (size_t)target;
        mark_needed(&p);
        *ret = p;
        p = (struct plan){ 0 };
        return 0;
}
