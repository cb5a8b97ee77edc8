/* docker's -v, --mount and --tmpfs as mount requests. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/path.h"
#include "base/str.h"
#include "engine/container_config.h"

static bool volume_name_valid(const char *name)
{
        static const char rest[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
        return name[0] && !strchr("_.-", name[0]) && name[1] && str_only(name, rest) && strlen(name) <= 255;
}

static const char *const propagations[] = { "private", "rprivate", "shared", "rshared", "slave", "rslave", NULL };
/* What other platforms and SELinux labelling ask for and means nothing here. */
static const char *const ignored[] = { "rw", "z", "Z", "cached", "delegated", "consistent", "default", NULL };

static int volume_option(struct mount_request *m, const char *option, const char *text, struct err *err)
{
        if (str_eq(option, "ro"))
                m->read_only = true;
        else if (str_eq(option, "rro"))
                m->read_only = m->recursive_read_only = true;
        else if (str_eq(option, "nocopy"))
                m->no_copy = true;
        else if (strv_has((char *const *)(uintptr_t)propagations, option))
                str_replace(&m->propagation, option);
        else if (!strv_has((char *const *)(uintptr_t)ignored, option))
                return err_set(err, ERR_INVALID, "invalid volume specification: '%s': invalid mode: %s", text, option);
        return 0;
}

static int target_check(struct mount_request *m, const char *text, struct err *err)
{
        if (str_empty(m->target) || m->target[0] != '/')
                return err_set(err, ERR_INVALID, "invalid volume specification: '%s': invalid mount path: '%s' mount path must be absolute", text,
                               m->target ? m->target : "");
        char *clean = path_clean(m->target);
        free(m->target);
        m->target = clean;
        if (str_eq(clean, "/"))
                return err_set(err, ERR_INVALID, "invalid volume specification: '%s': destination can't be '/'", text);
        return 0;
}

/* A path that begins with '.' or '~' is the shell's business done late: relative to the working directory, as docker's client does. */
static int source_set(struct mount_request *m, const char *source, const char *text, struct err *err)
{
        char cwd[PATH_MAX];
        if (source[0] == '/' || source[0] == '.') {
                if (!getcwd(cwd, sizeof(cwd)))
                        snprintf(cwd, sizeof(cwd), "/");
                m->kind = MOUNT_BIND;
                m->source = path_join(cwd, source);
                m->create_source = true;
                return 0;
        }
        if (!volume_name_valid(source))
                return err_set(err, ERR_INVALID,
                               "create %s: \"%s\" includes invalid characters for a local volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are "
                               "allowed. If you intended to pass a host directory, use absolute path",
                               source, source);
        m->source = xstrdup(source);
        m->create_source = true;       /* one of -v, to inspect */
        return 0;
}

static void append(struct mount_request **list, size_t *count, struct mount_request *m)
{
        *list = xreallocarray(*list, *count + 1, sizeof(**list));
        (*list)[(*count)++] = *m;
        *m = (struct mount_request){ 0 };
}

int mount_request_parse_volume(const char *text, struct mount_request **list, size_t *count, struct err *err)
{
        _cleanup_(mount_request_done) struct mount_request m = { .kind = MOUNT_VOLUME, .tmpfs_mode = -1 };
        _cleanup_strv_ char **parts = strv_split(text, ":", true);
        size_t n = strv_len(parts);
        if (n == 0 || n > 3 || !parts[0][0])
                return err_set(err, ERR_INVALID, "invalid volume specification: '%s'", text);
        m.target = xstrdup(n == 1 ? parts[0] : parts[1]);
        if (n > 1 && source_set(&m, parts[0], text, err) < 0)
                return -1;
        if (target_check(&m, text, err) < 0)
                return -1;
        _cleanup_strv_ char **options = n == 3 ? strv_split(parts[2], ",", false) : NULL;
        STRV_FOREACH (option, options)
                if (volume_option(&m, *option, text, err) < 0)
                        return -1;
        append(list, count, &m);
        return 0;
}

static int kind_parse(struct mount_request *m, const char *value, struct err *err)
{
        static const char *const kinds[] = { [MOUNT_BIND] = "bind", [MOUNT_VOLUME] = "volume", [MOUNT_TMPFS] = "tmpfs" };
        for (size_t i = 0; i < ELEMENTS(kinds); i++)
                if (str_eq(kinds[i], value)) {
                        m->kind = (enum mount_kind)i;
                        return 0;
                }
        return err_set(err, ERR_INVALID, "mount type unknown: \"%s\"", value);
}

static int flag_parse(const char *key, const char *value, bool *ret, struct err *err)
{
        if (!value) {
                *ret = true;
                return 0;
        }
        return parse_bool(value, ret, err) < 0 ? err_add(err, "invalid value for %s", key) : 0;
}

static int mode_parse(const char *value, int64_t *ret, struct err *err)
{
        char *end;
        long mode = strtol(value, &end, 8);
        if (*end || end == value || mode < 0 || mode > 07777)
                return err_set(err, ERR_INVALID, "invalid value for tmpfs-mode: %s", value);
        *ret = mode;
        return 0;
}

enum mount_key { KEY_TYPE, KEY_SOURCE, KEY_TARGET, KEY_READONLY, KEY_PROPAGATION, KEY_NONRECURSIVE, KEY_NOCOPY, KEY_TMPFS_SIZE, KEY_TMPFS_MODE,
                 KEY_IGNORED };
static const struct { const char *name; enum mount_key key; bool needs_value; } mount_keys[] = {
        { "type", KEY_TYPE, true },
        { "src", KEY_SOURCE, true },
        { "source", KEY_SOURCE, true },
        { "dst", KEY_TARGET, true },
        { "target", KEY_TARGET, true },
        { "destination", KEY_TARGET, true },
        { "ro", KEY_READONLY, false },
        { "readonly", KEY_READONLY, false },
        { "bind-propagation", KEY_PROPAGATION, true },
        { "bind-nonrecursive", KEY_NONRECURSIVE, false },
        { "volume-nocopy", KEY_NOCOPY, false },
        { "tmpfs-size", KEY_TMPFS_SIZE, true },
        { "tmpfs-mode", KEY_TMPFS_MODE, true },
        { "consistency", KEY_IGNORED, true },
};

static int key_apply(struct mount_request *m, enum mount_key key, const char *name, const char *value, struct err *err)
{
        switch (key) {
        case KEY_TYPE: return kind_parse(m, value, err);
        case KEY_SOURCE: str_replace(&m->source, value); return 0;
        case KEY_TARGET: str_replace(&m->target, value); return 0;
        case KEY_READONLY: return flag_parse(name, value, &m->read_only, err);
        case KEY_NONRECURSIVE: return flag_parse(name, value, &m->non_recursive, err);
        case KEY_NOCOPY: return flag_parse(name, value, &m->no_copy, err);
        case KEY_TMPFS_SIZE: return parse_size(value, &m->tmpfs_size, err);
        case KEY_TMPFS_MODE: return mode_parse(value, &m->tmpfs_mode, err);
        case KEY_PROPAGATION:
                if (!strv_has((char *const *)(uintptr_t)propagations, value))
                        return err_set(err, ERR_INVALID, "invalid propagation mode: %s", value);
                str_replace(&m->propagation, value);
                return 0;
        case KEY_IGNORED: return 0;
        }
        return 0;
}

static int field_parse(struct mount_request *m, char *field, struct err *err)
{
        char *value = strchr(field, '=');
        if (value)
                *value++ = '\0';
        str_lower(field);
        for (size_t i = 0; i < ELEMENTS(mount_keys); i++) {
                if (!str_eq(mount_keys[i].name, field))
                        continue;
                if (!value && mount_keys[i].needs_value)
                        return err_set(err, ERR_INVALID, "invalid field '%s' must be a key=value pair", field);
                return key_apply(m, mount_keys[i].key, field, value, err);
        }
        return err_set(err, ERR_INVALID, "unexpected key '%s' in '%s'", field, field);
}

static int mount_check(struct mount_request *m, const char *text, struct err *err)
{
        if (!m->target)
                return err_set(err, ERR_INVALID, "target is required");
        if (m->kind == MOUNT_BIND && str_empty(m->source))
                return err_set(err, ERR_INVALID, "invalid mount config for type \"bind\": field Source must not be empty");
        if (m->kind == MOUNT_TMPFS && m->source)
                return err_set(err, ERR_INVALID, "invalid mount config for type \"tmpfs\": field Source must not be specified");
        if (m->kind == MOUNT_BIND && m->source[0] != '/') {
                _cleanup_free_ char *relative = m->source;
                m->source = NULL;
                _cleanup_free_ char *dotted = xasprintf("./%s", relative);
                if (source_set(m, dotted, text, err) < 0)
                        return -1;
        }
        if (m->kind == MOUNT_VOLUME && m->source && !volume_name_valid(m->source))
                return err_set(err, ERR_INVALID, "invalid mount config for type \"volume\": invalid volume name: %s", m->source);
        m->create_source = false;
        return target_check(m, text, err);
}

int mount_request_parse_mount(const char *text, struct mount_request **list, size_t *count, struct err *err)
{
        _cleanup_(mount_request_done) struct mount_request m = { .kind = MOUNT_VOLUME, .tmpfs_mode = -1 };
        _cleanup_strv_ char **fields = strv_split(text, ",", true);
        STRV_FOREACH (field, fields)
                if (field_parse(&m, *field, err) < 0)
                        return -1;
        if (mount_check(&m, text, err) < 0)
                return -1;
        append(list, count, &m);
        return 0;
}

int mount_request_parse_tmpfs(const char *text, struct mount_request **list, size_t *count, struct err *err)
{
        _cleanup_(mount_request_done) struct mount_request m = { .kind = MOUNT_TMPFS, .tmpfs_mode = -1 };
        const char *colon = strchr(text, ':');
        m.target = colon ? xstrndup(text, (size_t)(colon - text)) : xstrdup(text);
        m.options = colon && colon[1] ? xstrdup(colon + 1) : NULL;
        if (target_check(&m, text, err) < 0)
                return -1;
        append(list, count, &m);
        return 0;
}
