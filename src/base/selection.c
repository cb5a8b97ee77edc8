#include "base/selection.h"
#include <string.h>
#include "base/str.h"
#include "base/timefmt.h"

bool labels_have(char *const *labels, const char *wanted)
{
        const char *equals = strchr(wanted, '=');
        _cleanup_free_ char *key = equals ? xstrndup(wanted, (size_t)(equals - wanted)) : xstrdup(wanted);
        const char *value = strv_env_get(labels, key);
        return value && (!equals || str_eq(value, equals + 1));
}

int selection_parse(char *const *filters, bool until_allowed, struct selection *ret, struct err *err)
{
        struct selection s = { .filters = filters };
        STRV_FOREACH (filter, filters) {
                const char *until = until_allowed ? str_after(*filter, "until=") : NULL;
                if (until) {
                        if (time_parse(until, &s.until, err) < 0)
                                return -1;
                        continue;
                }
                if (!str_starts(*filter, "label=") && !str_starts(*filter, "label!="))
                        return err_set(err, ERR_INVALID, "invalid filter '%s'", *filter);
                s.labels = true;
        }
        *ret = s;
        return 0;
}

bool selection_wants(const struct selection *s, int64_t created, char *const *labels)
{
        if (s->until && created > s->until)
                return false;
        STRV_FOREACH (filter, s->filters) {
                const char *with = str_after(*filter, "label="), *without = str_after(*filter, "label!=");
                if ((with && !labels_have(labels, with)) || (without && labels_have(labels, without)))
                        return false;
        }
        return true;
}
