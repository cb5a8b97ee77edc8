#include "cli/ps-internal.h"

#include "base/mem.h"
#include "base/timefmt.h"

static char *age_since(int64_t then, int64_t now)
{
        return format_age((now - then) / 1000000000);
}

static char *up_text(const char *up, enum container_health health)
{
        static const char *const texts[] = {
                [HEALTH_NONE] = "",
                [HEALTH_STARTING] = " (health: starting)",
                [HEALTH_HEALTHY] = " (healthy)",
                [HEALTH_UNHEALTHY] = " (unhealthy)",
        };
        return xasprintf("Up %s%s", up, texts[health]);
}

char *container_status_text(const struct container *c, int64_t now)
{
        const struct container_status *s = &c->status;
        _cleanup_free_ char *up = age_since(s->started, now), *down = age_since(s->finished, now);
        switch (s->state) {
        case STATE_CREATED:
                return xstrdup("Created");
        case STATE_RUNNING:
                return up_text(up, c->health);
        case STATE_PAUSED:
                return xasprintf("Up %s (Paused)", up);
        case STATE_RESTARTING:
                return xasprintf("Restarting (%d) %s ago", s->exit_code, down);
        case STATE_REMOVING:
                return xstrdup("Removal In Progress");
        case STATE_EXITED:
                return xasprintf("Exited (%d) %s ago", s->exit_code, down);
        case STATE_DEAD:
                break;
        }
        return xstrdup("Dead");
}

char *text_ellipsis(const char *text, size_t most)
{
        size_t runes = 0, cut = 0, i = 0;
        for (; text[i]; i++) {
                bool begins = ((unsigned char)text[i] & 0xc0) != 0x80;
                if (begins && runes == most - 1)
                        cut = i;
                runes += begins;
        }
        return runes > most ? xasprintf("%.*s\u2026", (int)cut, text) : xstrdup(text);
}
