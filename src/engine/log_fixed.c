/* What a log driver writes with every record: chosen labels and environment, the tag. It goes to the monitor as bytes, in the form the
 * driver puts down: a JSON object, the journal's fields, or the tag alone. */
#include <regex.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "engine/engine-internal.h"
#include "engine/log-internal.h"

#define FIXED_MAX 16384                /* the monitor's RECORD_FIXED_MAX */

static const char *option_of(const struct container *c, const char *name) { return strv_env_get(c->config.log_opts, name); }

/* Those entries of a map whose names are in the list or match the expression. */
static int chosen_add(char ***list, char *const *map, const char *names, const char *pattern, struct err *err)
{
        _cleanup_strv_ char **wanted = str_empty(names) ? NULL : strv_split(names, ",", false);
        regex_t regex;
        bool with_regex = !str_empty(pattern);
        if (with_regex && regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB))
                return err_set(err, ERR_INVALID, "error parsing regexp: `%s`", pattern);
        STRV_FOREACH (entry, map) {
                _cleanup_free_ char *key = xstrndup(*entry, strcspn(*entry, "="));
                if (strchr(*entry, '=') && (strv_has(wanted, key) || (with_regex && regexec(&regex, key, 0, NULL, 0) == 0)))
                        strv_env_set(list, *entry);
        }
        if (with_regex)
                regfree(&regex);
        return 0;
}

/* The command's words as one, as docker's {{.Command}}. */
static char *command_text(const struct container_config *c)
{
        _cleanup_strv_ char **words = strv_dup(c->entrypoint);
        strv_extend(&words, c->cmd);
        return strv_join(words, " ");
}

static json_t *tag_values(const struct container *c)
{
        _cleanup_free_ char *command = command_text(&c->config), *short_id = xstrndup(c->id, 12);
        const char *digest = str_after(c->image_id, "sha256:");
        _cleanup_free_ char *short_image = xstrndup(digest ? digest : c->image_id, 12);
        return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "ID", short_id, "FullID", c->id, "Name", c->name, "ImageID", short_image,
                         "ImageFullID", c->image_id, "ImageName", c->config.image ? c->config.image : "", "DaemonName", "tare", "Command", command);
}

int log_tag(struct engine *e, const struct container *c, const char *fallback, char **ret, struct err *err)
{
        const char *text = option_of(c, "tag");
        if (str_empty(text))
                text = fallback;
        if (!text)
                return 0;
        _cleanup_json_ json_t *values = tag_values(c);
        return engine_template(e, text, values, ret, err) < 0 ? err_add(err, "failed to initialize logging driver: tag") : 0;
}

int log_attributes(struct engine *e, const struct container *c, char ***ret, struct err *err)
{
        _cleanup_strv_ char **list = NULL;
        if (chosen_add(&list, c->config.labels, option_of(c, "labels"), option_of(c, "labels-regex"), err) < 0 ||
            chosen_add(&list, c->config.env, option_of(c, "env"), option_of(c, "env-regex"), err) < 0)
                return -1;
        if (list)
                strv_sort(list);
        *ret = TAKE_PTR(list);
        return 0;
}

/* --- as each driver puts it down --- */

static int fixed_json(struct engine *e, const struct container *c, struct buf *out, struct err *err)
{
        _cleanup_strv_ char **list = NULL;
        _cleanup_free_ char *tag = NULL;
        if (log_attributes(e, c, &list, err) < 0 || log_tag(e, c, NULL, &tag, err) < 0)
                return -1;
        if (!str_empty(tag)) {
                _cleanup_free_ char *entry = xasprintf("tag=%s", tag);
                strv_env_set(&list, entry);
        }
        if (!list)
                return 0;
        _cleanup_json_ json_t *o = json_from_map(list);
        _cleanup_free_ char *text = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);
        return buf_adds(out, text, err);
}

/* One field of the journal's native protocol; what holds a newline has its length before. */
static int field_add(struct buf *out, const char *key, const char *value, struct err *err)
{
        size_t len = strlen(value);
        if (!strchr(value, '\n'))
                return buf_addf(out, err, "%s=%s\n", key, value);
        if (buf_addf(out, err, "%s\n", key) < 0)
                return -1;
        for (int i = 0; i < 8; i++)
                if (buf_addc(out, (char)((uint64_t)len >> (8 * i)), err) < 0)
                        return -1;
        return buf_add(out, value, len, err) < 0 ? -1 : buf_addc(out, '\n', err);
}

/* The journal's names are capitals, digits and underscores, and those that begin with one are its own. */
static char *field_name(const char *key)
{
        char *name = xstrdup(key), *to = name;
        for (const char *from = key; *from; from++) {
                char up = *from >= 'a' && *from <= 'z' ? (char)(*from - 32) : *from;
                char kept = (up >= 'A' && up <= 'Z') || (up >= '0' && up <= '9') ? up : '_';
                if (kept != '_' || to > name)
                        *to++ = kept;
        }
        *to = '\0';
        return name;
}

static int fixed_journald(struct engine *e, const struct container *c, struct buf *out, struct err *err)
{
        _cleanup_strv_ char **list = NULL;
        _cleanup_free_ char *tag = NULL, *short_id = xstrndup(c->id, 12);
        if (log_attributes(e, c, &list, err) < 0 || log_tag(e, c, "{{.ID}}", &tag, err) < 0)
                return -1;
        const struct { const char *key, *value; } fields[] = {
                { "CONTAINER_ID", short_id }, { "CONTAINER_ID_FULL", c->id }, { "CONTAINER_NAME", c->name }, { "CONTAINER_TAG", tag },
                { "IMAGE_NAME", c->config.image ? c->config.image : "" }, { "SYSLOG_IDENTIFIER", tag },
        };
        for (size_t i = 0; i < ELEMENTS(fields); i++)
                if (field_add(out, fields[i].key, fields[i].value, err) < 0)
                        return -1;
        STRV_FOREACH (entry, list) {
                _cleanup_free_ char *key = xstrndup(*entry, strcspn(*entry, "=")), *name = field_name(key);
                if (*name && field_add(out, name, *entry + strlen(key) + 1, err) < 0)
                        return -1;
        }
        return 0;
}

static int fixed_syslog(struct engine *e, const struct container *c, struct buf *out, struct err *err)
{
        _cleanup_free_ char *tag = NULL;
        if (log_tag(e, c, "{{.ID}}", &tag, err) < 0)
                return -1;
        for (char *p = tag; *p; p++)
                if ((unsigned char)*p < 0x20)
                        *p = '_';      /* a newline would begin another message */
        return buf_adds(out, tag, err);
}

static const struct {
        const char *driver;
        int (*make)(struct engine *e, const struct container *c, struct buf *out, struct err *err);
} kinds[] = { { "json-file", fixed_json }, { "local", fixed_json }, { "journald", fixed_journald }, { "syslog", fixed_syslog } };

int log_fixed_write(struct engine *e, const struct container *c, int run_dir_fd, struct err *err)
{
        _cleanup_buf_ struct buf out = BUF_INIT(FIXED_MAX);
        for (size_t i = 0; i < ELEMENTS(kinds); i++)
                if (str_eq(kinds[i].driver, log_driver_name(&c->config)) && kinds[i].make(e, c, &out, err) < 0)
                        return err_add(err, "log options");
        if (out.len)
                return file_write_at(run_dir_fd, "log-fixed", out.data, out.len, 0600, false, err);
        /* of the run before, when the definition has changed */
        if (!str_empty(option_of(c, "tag")))
                unlinkat(run_dir_fd, "log-fixed", 0);
        return 0;
}

/* --- `logs --details` --- */

/* As Go's url.QueryEscape. */
static void escaped_add(struct buf *out, const char *text, struct err *err)
{
        static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~";
        for (; *text; text++)
                if (strchr(plain, *text))
                        buf_addc(out, *text, err);
                else if (*text == ' ')
                        buf_addc(out, '+', err);
                else
                        buf_addf(out, err, "%%%02X", (unsigned)(unsigned char)*text);
}

char *log_details(const char *attrs, size_t len)
{
        _cleanup_buf_ struct buf out = BUF_INIT(1 << 20);
        struct err ignored = ERR_INIT;
        _cleanup_strv_ char **list = NULL;
        _cleanup_json_ json_t *o = attrs ? json_loadb(attrs, len, JSON_REJECT_DUPLICATES, NULL) : NULL;
        const char *key;
        json_t *value;
        json_object_foreach(o, key, value)
                strv_push(&list, key);
        if (list)
                strv_sort(list);
        STRV_FOREACH (name, list) {
                value = json_object_get(o, *name);
                if (out.len)
                        buf_addc(&out, ',', &ignored);
                escaped_add(&out, *name, &ignored);
                buf_addc(&out, '=', &ignored);
                escaped_add(&out, json_is_string(value) ? json_string_value(value) : "", &ignored);
        }
        buf_addc(&out, ' ', &ignored);
        return buf_take(&out);
}
