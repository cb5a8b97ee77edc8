#include "build/step-internal.h"

#include "base/str.h"

void source_done(struct source *src)
{
        free(src->chain);
        strv_free(src->layers);
        state_done(&src->image);
        *src = (struct source){ .fd = -1 };
}

int build_find_image(struct build *b, const char *name, const struct platform *platform, bool pull, struct image *ret,
                     struct err *err)
{
        if (!pull) {
                struct err why = ERR_INIT;
                if (image_find(b->db, name, platform, ret, &why) == 0)
                        return 0;
                if (why.kind != ERR_NOT_FOUND) {
                        *err = why;
                        return -1;
                }
        }
        if (b->o->pull_image(b->o->data, name, platform, err) < 0)
                return -1;
        return image_find(b->db, name, platform, ret, err);
}

static int source_of_state(struct build *b, const struct stage_state *s, struct source *ret, struct err *err)
{
        if (state_ensure(s, b->st, err) < 0)
                return -1;
        ret->layers = strv_dup(s->chain);
        ret->chain = xstrdup(state_top(s) ? state_top(s) : "scratch");
        return 0;
}

int source_find(struct build *b, size_t stage, const char *name, struct source *ret, struct err *err)
{
        *ret = (struct source){ .name = name, .fd = -1 };
        if (!name) {
                ret->fd = b->ctx.root_fd;
                return ret->fd < 0 ? err_set(err, ERR_INVALID, "there is no build context to take files from") : 0;
        }
        int index = plan_find_stage(&b->plan, name, stage, true);
        if (index != STAGE_NONE)
                return stage_run(b, (size_t)index, err) < 0 ? -1 : source_of_state(b, &b->states[index], ret, err);
        if (str_only(name, "0123456789"))
                return err_set(err, ERR_INVALID, "invalid from flag value %s: there is no earlier stage of that number",
                               name);
        _cleanup_image_ struct image image = { 0 };
        if (build_find_image(b, name, &b->target, false, &image, err) < 0)
                return err_add(err, "invalid from flag value %s", name);
        if (state_from_image(&ret->image, b->st, &image, err) < 0)
                return -1;
        return source_of_state(b, &ret->image, ret, err);
}

/* Stages never change once they are run, so one root serves all copies from it. */
int source_open(struct build *b, struct source *src, struct err *err)
{
        for (size_t i = 0; src->fd < 0 && i < b->root_count; i++)
                if (str_eq(b->roots[i].chain, src->chain))
                        src->fd = b->roots[i].fd;
        if (src->fd >= 0)
                return 0;
        _cleanup_free_ char *id = workspace_root_id(&b->work);
        if (root_create(b->st->snapshots, id, src->layers, err) < 0)
                return -1;
        int fd = root_open(b->st->snapshots, id, false, err);
        if (fd < 0) {
                struct err ignored = ERR_INIT;
                (void)root_remove(b->st->snapshots, id, &ignored);
                return -1;
        }
        b->roots = xreallocarray(b->roots, b->root_count + 1, sizeof(*b->roots));
        b->roots[b->root_count++] =
                (struct source_root){ .chain = xstrdup(src->chain), .root_id = TAKE_PTR(id), .fd = fd };
        src->fd = fd;
        return 0;
}

void sources_close(struct build *b)
{
        struct err ignored = ERR_INIT;
        for (size_t i = 0; i < b->root_count; i++) {
                mem_closep(&b->roots[i].fd);
                (void)root_remove(b->st->snapshots, b->roots[i].root_id, &ignored);
                free(b->roots[i].root_id);
                free(b->roots[i].chain);
        }
        free(b->roots);
        b->roots = NULL;
        b->root_count = 0;
}
