#include "build/run-internal.h"

#include <strings.h>
#include "base/path.h"
#include "base/str.h"

void run_mounts_free(struct run *r)
{
        for (size_t i = 0; i < r->mount_count; i++) {
                struct run_mount *m = &r->mounts[i];
                free(m->target);
                free(m->source);
                free(m->from);
                free(m->id);
                free(m->host_path);
                mem_closep(&m->lock_fd);
        }
        free(r->mounts);
        r->mounts = NULL;
        r->mount_count = 0;
}

/* --- options --- */

struct options {
        const struct step *s;
        struct run_mount *m;
        char *type;
        bool required, given_rw, skip;
};
typedef int (*option_fn)(struct options *o, const char *value, struct err *err);

static int set_path(struct options *o, char **field, const char *value)
{
        const char *workdir = o->s->s->config.exec.working_dir;
        free(*field);
        *field = path_join(str_empty(workdir) ? "/" : workdir, value);
        return 0;
}

static int option_target(struct options *o, const char *value, struct err *err)
{
        return set_path(o, &o->m->target, value);
}

static int option_source(struct options *o, const char *value, struct err *err)
{
        free(o->m->source);
        o->m->source = path_join("/", *value == '/' ? value + 1 : value);
        return 0;
}

static int option_from(struct options *o, const char *value, struct err *err)
{
        str_replace(&o->m->from, value);
        return 0;
}

static int option_id(struct options *o, const char *value, struct err *err)
{
        str_replace(&o->m->id, value);
        return 0;
}

static int option_type(struct options *o, const char *value, struct err *err)
{
        str_replace(&o->type, value);
        return 0;
}

static int option_readonly(struct options *o, const char *value, struct err *err)
{
        o->given_rw = true;
        return *value ? parse_bool(value, &o->m->readonly, err) : (o->m->readonly = true, 0);
}

static int option_readwrite(struct options *o, const char *value, struct err *err)
{
        bool on = true;
        if (*value && parse_bool(value, &on, err) < 0)
                return -1;
        o->given_rw = true;
        o->m->readonly = !on;
        return 0;
}

static int option_sharing(struct options *o, const char *value, struct err *err)
{
        o->m->private_ = str_eq(value, "private");
        o->m->locked = str_eq(value, "locked");
        if (!o->m->private_ && !o->m->locked && !str_eq(value, "shared"))
                return err_set(err, ERR_INVALID, "unsupported sharing value \"%s\"", value);
        return 0;
}

static int option_mode(struct options *o, const char *value, struct err *err)
{
        if (!str_only(value, "01234567") || strlen(value) > 5)
                return err_set(err, ERR_INVALID, "invalid value %s for mode", value);
        o->m->mode = (uint32_t)strtoul(value, NULL, 8) & 07777;
        return 0;
}

static int option_uid(struct options *o, const char *value, struct err *err)
{
        return parse_u32(value, &o->m->uid, err);
}
static int option_gid(struct options *o, const char *value, struct err *err)
{
        return parse_u32(value, &o->m->gid, err);
}
static int option_size(struct options *o, const char *value, struct err *err)
{
        return parse_size(value, &o->m->size, err);
}

static int option_required(struct options *o, const char *value, struct err *err)
{
        return *value ? parse_bool(value, &o->required, err) : (o->required = true, 0);
}

static int option_env(struct options *o, const char *value, struct err *err)
{
        return 0;
}

static const struct {
        const char *name;
        option_fn fn;
        bool bare;
} option_table[] = {
        { "type", option_type },
        { "target", option_target },
        { "dst", option_target },
        { "destination", option_target },
        { "source", option_source },
        { "src", option_source },
        { "from", option_from },
        { "id", option_id },
        { "readonly", option_readonly, true },
        { "ro", option_readonly, true },
        { "readwrite", option_readwrite, true },
        { "rw", option_readwrite, true },
        { "sharing", option_sharing },
        { "mode", option_mode },
        { "uid", option_uid },
        { "gid", option_gid },
        { "size", option_size },
        { "required", option_required, true },
        { "env", option_env },
};

static int option_set(struct options *o, const char *text, struct err *err)
{
        size_t len = strcspn(text, "=");
        for (size_t i = 0; i < ELEMENTS(option_table); i++) {
                if (strlen(option_table[i].name) != len || strncasecmp(option_table[i].name, text, len) != 0)
                        continue;
                if (!text[len] && !option_table[i].bare)
                        return err_set(err, ERR_INVALID, "invalid field '%s' must be a key=value pair", text);
                _cleanup_free_ char *value = NULL;
                if (dockerfile_expand(text[len] ? text + len + 1 : "", o->s->b->escape, o->s->env, &value, err) < 0 ||
                    option_table[i].fn(o, value, err) < 0)
                        return err_add(err, "--mount %s", option_table[i].name);
                return 0;
        }
        return err_set(err, ERR_INVALID, "unexpected key '%.*s' in '%s'", (int)len, text, text);
}

/* What a mount is once its type is known. Nobody can give this builder a secret, so an optional one is not there, as
 * docker has it. */
static int mount_kind(struct options *o, struct err *err)
{
        const char *type = o->type ? o->type : "bind";
        if (str_eq(type, "secret") || str_eq(type, "ssh")) {
                o->skip = true;
                return o->required ? err_set(err, ERR_UNSUPPORTED,
                                             "--mount=type=%s: this builder takes no secrets, and this one is required",
                                             type)
                                   : 0;
        }
        if (!str_eq(type, "bind") && !str_eq(type, "cache") && !str_eq(type, "tmpfs"))
                return err_set(err, ERR_INVALID, "unsupported mount type \"%s\"", type);
        o->m->kind = str_eq(type, "bind") ? RUN_MOUNT_BIND : str_eq(type, "cache") ? RUN_MOUNT_CACHE : RUN_MOUNT_TMPFS;
        if (!o->m->target)
                return err_set(err, ERR_INVALID, "invalid mount: target is required");
        if (str_eq(o->m->target, "/"))
                return err_set(err, ERR_INVALID, "invalid mount target \"/\"");
        if (o->m->kind == RUN_MOUNT_BIND && !o->given_rw)
                o->m->readonly = true;
        if (o->m->kind == RUN_MOUNT_CACHE && !o->m->id)
                o->m->id = xstrdup(o->m->target);
        return 0;
}

static int mount_add(struct step *s, struct run *r, const char *text, struct err *err)
{
        r->mounts = xreallocarray(r->mounts, r->mount_count + 1, sizeof(*r->mounts));
        struct run_mount *m = &r->mounts[r->mount_count++];
        *m = (struct run_mount){ .mode = 0755, .lock_fd = -1 };
        struct options o = { .s = s, .m = m };
        _cleanup_strv_ char **words = strv_split(text, ",", false);
        int result = 0;
        STRV_FOREACH (w, words)
                if (result == 0)
                        result = option_set(&o, *w, err);
        if (result == 0)
                result = mount_kind(&o, err);
        free(o.type);
        if (o.skip) {
                free(m->target);
                free(m->source);
                free(m->from);
                free(m->id);
                r->mount_count--;
        } else if (!m->source) {
                m->source = xstrdup("/");
        }
        return result;
}

int run_mounts_parse(struct step *s, struct run *r, struct err *err)
{
        STRV_FOREACH (f, s->in->flags) {
                const char *text = str_after(*f, "--mount=");
                if (text && mount_add(s, r, text, err) < 0)
                        return -1;
        }
        return 0;
}
