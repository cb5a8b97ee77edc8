#include "oci/config.h"

#include "base/str.h"

void healthcheck_done(struct healthcheck *h)
{
        strv_free(h->test);
        *h = (struct healthcheck){ 0 };
}

void healthcheck_copy(const struct healthcheck *from, struct healthcheck *ret)
{
        struct healthcheck h = *from;

        h.test = strv_dup(from->test);
        *ret = h;
}

static int nonnegative_get(const json_t *o, const struct jpath *path, const char *key, int64_t *ret, struct err *err)
{
        int64_t value = 0;

        if (json_get_i64(o, path, key, false, &value, err) < 0)
                return -1;
        if (value < 0)
                return json_err(path, key, err, "expected a non-negative integer");
        *ret = value;
        return 0;
}

int healthcheck_from_json(const json_t *o, const struct jpath *path, struct healthcheck *ret, struct err *err)
{
        struct healthcheck h = { 0 };
        _cleanup_strv_ char **test = NULL;

        if (!json_is_object(o))
                return json_err(path, NULL, err, "expected an object");
        if (json_get_strv(o, path, "Test", false, &test, err) < 0 ||
            nonnegative_get(o, path, "Interval", &h.interval, err) < 0 ||
            nonnegative_get(o, path, "Timeout", &h.timeout, err) < 0 ||
            nonnegative_get(o, path, "StartPeriod", &h.start_period, err) < 0 ||
            nonnegative_get(o, path, "StartInterval", &h.start_interval, err) < 0 ||
            nonnegative_get(o, path, "Retries", &h.retries, err) < 0)
                return -1;
        h.test = TAKE_PTR(test);
        *ret = h;
        return 0;
}

static void set_nonzero(json_t *o, const char *key, int64_t value)
{
        if (value)
                json_object_set_new(o, key, json_integer(value));
}

json_t *healthcheck_to_json(const struct healthcheck *h)
{
        json_t *o = json_object();

        json_set_strv(o, "Test", h->test);
        set_nonzero(o, "Interval", h->interval);
        set_nonzero(o, "Timeout", h->timeout);
        set_nonzero(o, "StartPeriod", h->start_period);
        set_nonzero(o, "StartInterval", h->start_interval);
        set_nonzero(o, "Retries", h->retries);
        return o;
}
