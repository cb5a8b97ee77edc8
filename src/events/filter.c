#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "events/events-internal.h"

struct event_filter {
        char **terms;                  /* "key=value" */
};

/* A container is also found by what it is part of; an id by its beginning. */
static bool id_matches(const struct event *e, const char *value)
{
        const char *name = strv_env_get(e->attributes, "name");
        const char *bare = str_after(e->id, "sha256:");
        return (*value && (str_starts(e->id, value) || (bare && str_starts(bare, value)))) || (name && str_eq(name, value));
}

/* Events of networks and volumes name the container they happened to in an attribute. */
static bool attribute_matches(const struct event *e, const char *key, const char *value)
{
        const char *id = strv_env_get(e->attributes, key);
        return id && *value && str_starts(id, value);
}

static bool container_matches(const struct event *e, const char *value)
{
        return str_eq(e->type, "container") ? id_matches(e, value) : attribute_matches(e, "container", value);
}

/* The image of a container's event counts as well, with its tag or without. */
static bool image_matches(const struct event *e, const char *value)
{
        if (str_eq(e->type, "image"))
                return id_matches(e, value);
        const char *image = str_eq(e->type, "container") ? strv_env_get(e->attributes, "image") : NULL;
        size_t len = strlen(value);
        return image && *value && strncmp(image, value, len) == 0 && (image[len] == 0 || image[len] == ':' || image[len] == '@');
}

static bool volume_matches(const struct event *e, const char *value) { return str_eq(e->type, "volume") && str_eq(e->id, value); }
static bool network_matches(const struct event *e, const char *value) { return str_eq(e->type, "network") && id_matches(e, value); }
static bool type_matches(const struct event *e, const char *value) { return str_eq(e->type, value); }
static bool scope_matches(const struct event *e, const char *value) { return (void)e, str_eq(value, "local"); }

/* "exec_start: sh -c x" is an exec_start, "health_status: healthy" a health_status. */
static bool action_matches(const struct event *e, const char *value)
{
        size_t len = strlen(value);
        return strncmp(e->action, value, len) == 0 && (e->action[len] == 0 || e->action[len] == ':');
}

static bool label_matches(const struct event *e, const char *value)
{
        if (strchr(value, '='))
                return strv_has(e->attributes, value);
        return strv_env_get(e->attributes, value) != NULL;
}

static const struct { const char *key; bool (*matches)(const struct event *e, const char *value); } keys[] = {
        { "type", type_matches },         { "event", action_matches },   { "container", container_matches }, { "image", image_matches },
        { "network", network_matches },   { "volume", volume_matches },  { "label", label_matches },         { "scope", scope_matches },
};

int event_filter_parse(char *const *texts, struct event_filter **ret, struct err *err)
{
        _cleanup_(event_filter_freep) struct event_filter *f = xcalloc(1, sizeof(*f));
        STRV_FOREACH(text, texts) {
                const char *equals = strchr(*text, '=');
                bool known = false;
                if (!equals)
                        return err_set(err, ERR_INVALID, "bad format of filter (expected name=value)");
                for (size_t i = 0; i < ELEMENTS(keys); i++)
                        known |= strlen(keys[i].key) == (size_t)(equals - *text) && strncmp(*text, keys[i].key, strlen(keys[i].key)) == 0;
                if (!known)
                        return err_set(err, ERR_INVALID, "invalid filter '%.*s'", (int)(equals - *text), *text);
                strv_push(&f->terms, *text);
        }
        *ret = TAKE_PTR(f);
        return 0;
}

void event_filter_free(struct event_filter *f)
{
        if (f)
                strv_free(f->terms);
        free(f);
}

/* Values of one key are alternatives; labels must all be there. */
bool event_filter_passes(const struct event_filter *f, const struct event *e)
{
        for (size_t i = 0; f && i < ELEMENTS(keys); i++) {
                bool asked = false, met = false, all = str_eq(keys[i].key, "label");
                STRV_FOREACH(term, f->terms) {
                        const char *value = str_after(*term, keys[i].key);
                        if (!value || *value != '=')
                                continue;
                        bool this = keys[i].matches(e, value + 1);
                        met = all && asked ? met && this : met || this;
                        asked = true;
                }
                if (asked && !met)
                        return false;
        }
        return true;
}
