#include "build/step-internal.h"

#include <poll.h>
#include <stdarg.h>
#include "base/str.h"
#include "base/timefmt.h"
#include "build/handlers-internal.h"
#include "build/instructions-internal.h"
#include "storage/layer.h"

static const struct executor *const executors[INSTR_KINDS] = {
        [INSTR_RUN] = &executor_run,
        [INSTR_COPY] = &executor_copy,
        [INSTR_ADD] = &executor_copy,
        [INSTR_WORKDIR] = &executor_workdir,
};

void build_say(const struct build *b, const char *fmt, ...)
{
        char line[4096];
        va_list args;
        if (b->o->quiet || !b->o->progress)
                return;
        va_start(args, fmt);
        vsnprintf(line, sizeof(line), fmt, args);
        va_end(args);
        b->o->progress(b->o->data, line);
}

int64_t build_time(const struct build *b)
{
        return b->o->source_date_epoch >= 0 ? b->o->source_date_epoch * INT64_C(1000000000) : time_now();
}

int build_check_cancelled(const struct build *b, struct err *err)
{
        struct pollfd p = { .fd = b->o->cancel_fd ? *b->o->cancel_fd : -1, .events = POLLIN };
        return poll(&p, 1, 0) > 0 ? err_set(err, ERR_CONFLICT, "the build was cancelled") : 0;
}

static void step_done(struct step *s)
{
        const struct executor *x = executors[s->in->kind];
        if (x && x->done && s->own)
                x->done(s);
        strv_free(s->env);
        strv_free(s->canonical);
        free(s->source);
        free(s->content);
        free(s->created_by);
        free(s->root_id);
}

/* "/bin/sh -c #(nop)  ENV a=b": what docker's builder writes for steps that run nothing. */
static char *nop(const struct image_exec *exec, const char *comment, bool tight)
{
        _cleanup_strv_ char **shell = exec_shell(exec);
        _cleanup_free_ char *words = strv_join(shell, " ");
        return xasprintf("%s #(nop) %s%s", words, tight ? "" : " ", comment);
}

static int step_change(struct step *s, struct err *err)
{
        change_fn fn = change_handler(s->in->kind);
        if (!fn)
                return 0;
        struct change c = { .exec = &s->s->config.exec,
                            .author = &s->s->config.author,
                            .cmd_set = &s->s->cmd_set,
                            .args = &s->s->args,
                            .escape = s->b->escape,
                            .env = s->env };
        if (fn(&c, s->in, err) < 0) {
                free(c.comment);
                return -1;
        }
        s->created_by = nop(&s->s->config.exec, c.comment, c.tight);
        strv_push_take(&s->canonical, c.comment);
        return 0;
}

/* --- cache --- */

static void step_key(const struct step *s, const char *parent, const char *content, char ret_key[DIGEST_SIZE])
{
        struct cache_key *k = cache_key_new();
        _cleanup_free_ char *epoch = xasprintf("%lld", (long long)s->b->o->source_date_epoch);
        cache_key_add(k, "step 1"); /* the version of what a key holds */
        cache_key_add(k, parent);
        cache_key_add(k, epoch);
        cache_key_add(k, instruction_def(s->in->kind)->name);
        cache_key_add_list(k, s->canonical);
        cache_key_add(k, content);
        cache_key_final(k, ret_key);
}

static int step_lookup(struct step *s, const char *key, struct cache_entry *ret, struct err *err)
{
        int found = s->b->o->no_cache ? 0 : cache_find(s->b->db, s->b->st, key, ret, err);
        if (found > 0)
                strv_push(&s->b->keys, key);
        return found;
}

static int step_remember(struct step *s, const char *key, const struct cache_entry *e, struct err *err)
{
        if (!key || !*key || s->unsure)
                return 0;
        strv_push(&s->b->keys, key);
        return cache_store(s->b->db, key, e, err);
}

static int step_use(struct step *s, const struct cache_entry *e, struct err *err)
{
        build_say(s->b, " ---> Using cache");
        return state_restore(s->s, e, err);
}

/* --- execution --- */

static int make_layer(struct step *s, struct layer_made *made, char **ret_chain, bool *ret_empty, struct err *err)
{
        const struct build *b = s->b;
        return layer_from_root(b->st->blobs, b->st->snapshots, s->root_id, state_top(s->s), b->o->source_date_epoch,
                               made, ret_chain, ret_empty, err);
}

static int execute_in_root(struct step *s, const struct executor *x, struct cache_entry *e, struct err *err)
{
        struct layer_made made = { 0 };
        _cleanup_free_ char *chain = NULL;
        bool empty = true;
        if (x->execute(s, err) < 0 || make_layer(s, &made, &chain, &empty, err) < 0)
                return -1;
        const struct step_layer layer = { .diff_id = made.diff_id,
                                          .digest = made.digest,
                                          .media_type = made.media_type,
                                          .chain = chain,
                                          .size = made.size };
        state_commit(s->s, build_time(s->b), s->created_by, empty ? NULL : &layer);
        if (!empty) {
                descriptor_copy(&s->s->layers[s->s->layer_count - 1], &e->layer);
                e->chain = TAKE_PTR(chain);
        }
        return 0;
}

static int step_execute(struct step *s, struct cache_entry *e, struct err *err)
{
        const struct executor *x = executors[s->in->kind];
        if (!x) {
                state_commit(s->s, build_time(s->b), s->created_by, NULL);
        } else {
                struct snapshots *snaps = s->b->st->snapshots;
                struct err ignored = ERR_INIT;
                s->root_id = workspace_root_id(&s->b->work);
                if (state_ensure(s->s, s->b->st, err) < 0 || root_create(snaps, s->root_id, s->s->chain, err) < 0)
                        return -1;
                int r = execute_in_root(s, x, e, err);
                (void)root_remove(snaps, s->root_id, &ignored);
                if (r < 0)
                        return -1;
        }
        e->config = image_config_format(&s->s->config);
        return 0;
}

/* First by what names the content (cheap), then by the content itself. */
static int step_solve(struct step *s, const char *parent, struct err *err)
{
        const struct executor *x = executors[s->in->kind];
        _cleanup_cache_entry_ struct cache_entry e = { 0 };
        char named[DIGEST_SIZE] = "", key[DIGEST_SIZE] = "";
        int found = 0;
        if (x && x->digest && s->source) {
                step_key(s, parent, s->source, named);
                found = step_lookup(s, named, &e, err);
        }
        if (found == 0) {
                if (x && x->digest && x->digest(s, err) < 0)
                        return -1;
                step_key(s, parent, s->content, key);
                found = step_lookup(s, key, &e, err);
                if (found > 0 && step_remember(s, named, &e, err) < 0)
                        return -1;
        }
        if (found)
                return found < 0 ? -1 : step_use(s, &e, err);
        if (step_execute(s, &e, err) < 0 || step_remember(s, named, &e, err) < 0)
                return -1;
        return step_remember(s, key, &e, err);
}

static int step_perform(struct step *s, struct err *err)
{
        char parent[DIGEST_SIZE], id[13];
        const struct executor *x = executors[s->in->kind];
        memcpy(parent, s->s->id, sizeof(parent));
        if (build_check_cancelled(s->b, err) < 0 || step_change(s, err) < 0 ||
            (x && x->prepare && x->prepare(s, err) < 0) || step_solve(s, parent, err) < 0)
                return -1;
        build_say(s->b, " ---> %s", short_id(s->s->id, id));
        return 0;
}

int step_run(struct build *b, size_t stage, const struct instruction *in, struct err *err)
{
        struct stage_state *state = &b->states[stage];
        _cleanup_(step_done) struct step s = { .b = b,
                                               .s = state,
                                               .stage = stage,
                                               .in = in,
                                               .env = arg_environment(&state->args, state->config.exec.env) };
        return step_perform(&s, err);
}
