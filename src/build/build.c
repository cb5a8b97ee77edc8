#include "build/build.h"

#include "base/str.h"
#include "build/gotext-internal.h"
#include "build/instructions-internal.h"
#include "build/parser-internal.h"
#include "build/step-internal.h"

static void build_done(struct build *b)
{
        sources_close(b);
        workspace_close(&b->work);
        for (size_t i = 0; b->states && i < b->plan.count; i++)
                state_done(&b->states[i]);
        free(b->states);
        plan_done(&b->plan);
        dockerfile_done(&b->file);
        context_done(&b->ctx);
        platform_done(&b->host);
        platform_done(&b->target);
        strv_free(b->used_args);
        strv_free(b->keys);
}

static int at_line(const struct build *b, const struct instruction *in, struct err *err)
{
        return err_add(err, "%s:%u", b->ctx.name, in->line);
}

static void announce(struct build *b, const struct instruction *in)
{
        build_say(b, "Step %u/%u : %s", ++b->number, b->plan.steps, in->original);
}

/* --- FROM --- */

static int begin_upon_image(struct build *b, const struct plan_stage *p, struct stage_state *s, struct err *err)
{
        _cleanup_platform_ struct platform platform = { 0 };
        _cleanup_image_ struct image image = { 0 };
        if (p->platform && platform_parse(p->platform, &platform, err) < 0)
                return err_add(err, "--platform");
        if (build_find_image(b, p->base, p->platform ? &platform : b->o->platform, b->o->pull, &image, err) < 0)
                return -1;
        return state_from_image(s, b->st, &image, err);
}

static int begin_stage(struct build *b, size_t index, struct err *err)
{
        const struct plan_stage *p = &b->plan.stages[index];
        struct stage_state *s = &b->states[index];
        char id[13];
        s->args = (struct arg_scope){ .given = b->o->build_args, .global = b->plan.global, .used = &b->used_args };
        if (p->base_stage != STAGE_NONE)
                state_from_state(s, &b->states[p->base_stage]);
        else if (p->scratch)
                state_scratch(s, &b->target);
        else if (begin_upon_image(b, p, s, err) < 0)
                return -1;
        build_say(b, " ---> %s", p->scratch ? "" : short_id(s->id, id));
        return 0;
}

/* --- ONBUILD --- */

static int run_trigger(struct build *b, size_t stage, const char *text, struct err *err)
{
        _cleanup_dockerfile_ struct dockerfile d = { 0 };
        if (dockerfile_parse(text, strlen(text), "ONBUILD", &d, err) < 0)
                return -1;
        const struct instruction_def *def = instruction_def(d.list[0].kind);
        if (d.count != 1)
                return err_set(err, ERR_INVALID, "ONBUILD trigger with more than one instruction");
        if (def->no_onbuild || d.list[0].kind == INSTR_ONBUILD)
                return err_set(err, ERR_INVALID, "%s isn't allowed as an ONBUILD trigger", def->name);
        char escape = b->escape;
        b->escape = d.escape;
        int r = step_run(b, stage, &d.list[0], err);
        b->escape = escape;
        return r < 0 ? err_add(err, "ONBUILD %s", def->name) : 0;
}

/* The base's triggers run first, once: what is built here does not hand them on. */
static int run_triggers(struct build *b, size_t stage, struct err *err)
{
        struct image_exec *exec = &b->states[stage].config.exec;
        _cleanup_strv_ char **triggers = TAKE_PTR(exec->onbuild);
        if (!triggers)
                return 0;
        state_identify(&b->states[stage]);
        build_say(b, "# Executing %zu build trigger%s", strv_len(triggers), strv_len(triggers) == 1 ? "" : "s");
        STRV_FOREACH (t, triggers)
                if (run_trigger(b, stage, *t, err) < 0)
                        return -1;
        return 0;
}

/* --- stages --- */

int stage_run(struct build *b, size_t index, struct err *err)
{
        const struct plan_stage *p = &b->plan.stages[index];
        if (b->states[index].done)
                return 0;
        if (p->base_stage != STAGE_NONE && stage_run(b, (size_t)p->base_stage, err) < 0)
                return -1;
        announce(b, p->from);
        if (begin_stage(b, index, err) < 0 || run_triggers(b, index, err) < 0)
                return at_line(b, p->from, err);
        for (size_t i = 0; i < p->count; i++) {
                announce(b, &p->list[i]);
                if (step_run(b, index, &p->list[i], err) < 0)
                        return at_line(b, &p->list[i], err);
        }
        b->states[index].done = true;
        return 0;
}

static int run_needed(struct build *b, struct err *err)
{
        for (size_t i = 0; i < b->plan.global_count; i++)
                announce(b, &b->plan.global_list[i]);
        for (size_t i = 0; i <= b->plan.target; i++)
                if (b->plan.stages[i].needed && stage_run(b, i, err) < 0)
                        return -1;
        return 0;
}

/* --label is a last LABEL instruction. */
static int run_labels(struct build *b, struct err *err)
{
        _cleanup_(instruction_done) struct instruction in = { .kind = INSTR_LABEL, .line = 0 };
        if (!b->o->labels)
                return 0;
        STRV_FOREACH (l, b->o->labels) {
                size_t len = strcspn(*l, "=");
                if (!len)
                        return err_set(err, ERR_INVALID, "--label %s: names can not be blank", *l);
                /* In single quotes nothing is expanded; a quote itself stands outside of them. */
                _cleanup_free_ char *name = xstrndup(*l, len);
                strv_push_take(&in.args, words_protect(name));
                strv_push_take(&in.args, words_protect((*l)[len] ? *l + len + 1 : ""));
        }
        _cleanup_free_ char *joined = strv_join(b->o->labels, " ");
        in.original = xasprintf("LABEL %s", joined);
        announce(b, &in);
        return step_run(b, b->plan.target, &in, err) < 0 ? err_add(err, "--label") : 0;
}

/* --- the image --- */

static int parse_tags(const struct build_options *o, struct reference **ret, size_t *ret_count, struct err *err)
{
        size_t count = strv_len(o->tags);
        struct reference *list = xcalloc(count + 1, sizeof(*list));
        for (size_t i = 0; i < count; i++) {
                if (reference_parse(o->tags[i], &list[i], err) == 0 && !list[i].digest)
                        continue;
                if (list[i].digest)
                        err_set(err, ERR_INVALID, "invalid tag \"%s\": a digest cannot be given", o->tags[i]);
                for (size_t k = 0; k <= i; k++)
                        reference_done(&list[k]);
                free(list);
                return -1;
        }
        *ret = list;
        *ret_count = count;
        return 0;
}

static int record_image(struct build *b, const struct reference *name, char **ret_id, struct err *err)
{
        const struct stage_state *s = &b->states[b->plan.target];
        _cleanup_image_ struct image image = { 0 };
        if (!s->changed) {
                if (!s->base)
                        return err_set(err, ERR_INVALID, "No image was generated. Is your Dockerfile empty?");
                *ret_id = xstrdup(s->base);
                return name ? image_tag(b->db, s->base, name, err) : 0;
        }
        if (state_ensure(s, b->st, err) < 0)
                return -1;
        const struct image_make make = { .config = &s->config,
                                         .layers = s->layers,
                                         .layer_count = s->layer_count,
                                         .name = name,
                                         .parent = s->base };
        if (image_make(b->db, b->st, &make, &image, err) < 0)
                return -1;
        *ret_id = TAKE_PTR(image.id);
        return 0;
}

static void say_tagged(const struct build *b, const struct reference *names, size_t count)
{
        for (size_t i = 0; i < count; i++) {
                _cleanup_free_ char *text = reference_familiar(&names[i]);
                build_say(b, "Successfully tagged %s", text);
        }
}

static int make_image(struct build *b, const struct reference *names, size_t count, char **ret_id, struct err *err)
{
        _cleanup_free_ char *id = NULL;
        char text[13];
        if (record_image(b, count ? &names[0] : NULL, &id, err) < 0)
                return -1;
        for (size_t i = 1; i < count; i++)
                if (image_tag(b->db, id, &names[i], err) < 0)
                        return -1;
        if (cache_mark(b->db, b->keys, id, err) < 0)
                return -1;
        build_say(b, "Successfully built %s", short_id(id, text));
        say_tagged(b, names, count);
        *ret_id = TAKE_PTR(id);
        return 0;
}

/* --- all of it --- */

static void warn_unused(const struct build *b)
{
        _cleanup_strv_ char **unused = NULL;
        STRV_FOREACH (g, b->o->build_args) {
                size_t len = strcspn(*g, "=");
                _cleanup_free_ char *name = xstrndup(*g, len);
                if (!strv_has(b->used_args, name) && !arg_is_predefined(name, len))
                        strv_push(&unused, name);
        }
        if (!unused)
                return;
        strv_sort(unused);
        _cleanup_free_ char *list = go_list(unused);
        build_say(b, "[Warning] One or more build-args %s were not consumed", list);
}

static int prepare(struct build *b, struct err *err)
{
        const struct build_options *o = b->o;
        platform_host(&b->host);
        platform_copy(o->platform ? o->platform : &b->host, &b->target);
        if (context_open(o, &b->ctx, err) < 0 ||
            dockerfile_parse(b->ctx.text.data ? b->ctx.text.data : "", b->ctx.text.len, b->ctx.name, &b->file, err) < 0)
                return -1;
        _cleanup_strv_ char **platforms = arg_platforms(&b->target, &b->host);
        const struct plan_request r = { .name = b->ctx.name,
                                        .build_args = o->build_args,
                                        .platforms = platforms,
                                        .target = o->target,
                                        .used_args = &b->used_args };
        if (plan_make(&b->file, &r, &b->plan, err) < 0)
                return -1;
        b->plan.steps += o->labels ? 1 : 0;
        b->escape = b->file.escape;
        b->states = xcalloc(b->plan.count, sizeof(*b->states));
        return 0;
}

static int build_all(struct build *b, const struct reference *names, size_t count, char **ret_id, struct err *err)
{
        if (prepare(b, err) < 0)
                return -1;
        _cleanup_close_ int lock = storage_lock(b->st, false, true, err);
        if (lock < 0 || workspace_open(&b->work, b->st, b->o, err) < 0)
                return -1;
        if (run_needed(b, err) < 0 || run_labels(b, err) < 0)
                return -1;
        warn_unused(b);
        return make_image(b, names, count, ret_id, err);
}

int build_run(struct db *db, struct storage *st, const struct build_options *o, char **ret_image_id, struct err *err)
{
        _cleanup_(build_done) struct build b = {
                .db = db, .st = st, .o = o, .ctx = { .root_fd = -1 }, .work = WORKSPACE_INIT
        };
        struct reference *names = NULL;
        size_t count = 0;
        if (parse_tags(o, &names, &count, err) < 0)
                return -1;
        int r = build_all(&b, names, count, ret_image_id, err);
        for (size_t i = 0; i < count; i++)
                reference_done(&names[i]);
        free(names);
        return r;
}
