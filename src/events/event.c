#include "events/events-internal.h"

#include <inttypes.h>
#include <string.h>

#include "base/str.h"

void event_done(struct event *e)
{
        free(e->type);
        free(e->action);
        free(e->id);
        strv_free(e->attributes);
        *e = (struct event){ 0 };
}

static json_t *actor_json(const struct event *e)
{
        json_t *actor = json_object();
        json_object_set_new(actor, "ID", json_string(e->id ? e->id : ""));
        json_object_set_new(actor, "Attributes", e->attributes ? json_from_map(e->attributes) : json_object());
        return actor;
}

char *event_line(const struct event *e)
{
        _cleanup_json_ json_t *o = json_object();
        /* jansson keeps the order: readers know a line by how it begins */
        json_object_set_new(o, "timeNano", json_integer(e->time));
        json_object_set_new(o, "Type", json_string(e->type));
        json_object_set_new(o, "Action", json_string(e->action));
        json_object_set_new(o, "Actor", actor_json(e));
        return json_text(o);
}

static const char *last_start(const char *line, size_t len)
{
        const size_t start = strlen(EVENT_LINE_START);
        for (size_t at = len >= start ? len - start + 1 : 0; at-- > 0;)
                if (memcmp(line + at, EVENT_LINE_START, start) == 0)
                        return line + at;
        return NULL;
}

bool event_line_time(const char *line, size_t len, int64_t *ret)
{
        const char *at = last_start(line, len), *end = line + len;
        int64_t time = 0;
        if (!at)
                return false;
        at += strlen(EVENT_LINE_START);
        const char *first = at;
        for (; at < end && *at >= '0' && *at <= '9' && at - first < 19; at++)
                time = time * 10 + (*at - '0');
        if (at == first || at == end || *at != ',')
                return false;
        *ret = time;
        return true;
}

int event_line_parse(const char *line, size_t len, struct event *ret, struct err *err)
{
        const char *start = last_start(line, len);
        if (!start)
                return err_set(err, ERR_CORRUPT, "no event");
        const struct jpath path = JPATH("event"), actor_path = jpath_key(&path, "Actor");
        _cleanup_json_ json_t *o = json_parse(start, len - (size_t)(start - line), EVENT_LINE_MAX, "event", err);
        _cleanup_event_ struct event e = { 0 };
        json_t *actor;
        if (!o || json_get_i64(o, &path, "timeNano", true, &e.time, err) < 0 || json_get_string(o, &path, "Type", true, &e.type, err) < 0 ||
            json_get_string(o, &path, "Action", true, &e.action, err) < 0 || json_get_object(o, &path, "Actor", true, &actor, err) < 0 ||
            json_get_string(actor, &actor_path, "ID", true, &e.id, err) < 0 ||
            json_get_map(actor, &actor_path, "Attributes", false, &e.attributes, err) < 0)
                return -1;
        *ret = e;
        e = (struct event){ 0 };
        return 0;
}

json_t *event_to_json(const struct event *e)
{
        json_t *o = json_object();
        if (str_eq(e->type, "container") || str_eq(e->type, "image")) {
                json_object_set_new(o, "status", json_string(e->action));
                json_object_set_new(o, "id", json_string(e->id));
        }
        if (str_eq(e->type, "container"))
                json_set_string(o, "from", strv_env_get(e->attributes, "image"));
        json_object_set_new(o, "Type", json_string(e->type));
        json_object_set_new(o, "Action", json_string(e->action));
        json_object_set_new(o, "Actor", actor_json(e));
        json_object_set_new(o, "scope", json_string("local"));
        json_object_set_new(o, "time", json_integer(e->time / 1000000000));
        json_object_set_new(o, "timeNano", json_integer(e->time));
        return o;
}
