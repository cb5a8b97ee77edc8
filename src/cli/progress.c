#include "cli/progress.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/str.h"
#include "base/timefmt.h"

struct row { char id[13]; enum transfer_state state; uint64_t done, total; };
struct progress {
        struct transfer_progress hooks;
        bool quiet, terminal;
        struct row *rows;
        size_t count, drawn;
        int64_t last;                  /* of drawing, ns */
};

static const char *const words[] = {
        [TRANSFER_WAITING] = "Waiting",         [TRANSFER_EXISTS] = "Already exists",   [TRANSFER_DOWNLOADING] = "Downloading",
        [TRANSFER_EXTRACTING] = "Extracting",   [TRANSFER_PULLED] = "Pull complete",    [TRANSFER_PREPARING] = "Preparing",
        [TRANSFER_PUSHING] = "Pushing",         [TRANSFER_MOUNTED] = "Mounted from another repository", [TRANSFER_PUSHED] = "Pushed",
};

static bool is_final(enum transfer_state s)
{
        return s == TRANSFER_EXISTS || s == TRANSFER_PULLED || s == TRANSFER_MOUNTED || s == TRANSFER_PUSHED;
}

static void draw_row(const struct row *r)
{
        static const char bar[] = "==================================================";
        if (is_final(r->state) || r->total == 0 || r->state == TRANSFER_WAITING) {
                fprintf(stdout, "%s: %s\033[K\n", r->id, words[r->state]);
                return;
        }
        _cleanup_free_ char *done = format_size(r->done), *total = format_size(r->total);
        int filled = (int)(r->done >= r->total ? 50 : r->done * 50 / r->total);
        fprintf(stdout, "%s: %s [%.*s>%*s] %s/%s\033[K\n", r->id, words[r->state], filled, bar, 50 - filled, "", done, total);
}

static void draw(struct progress *p, bool now)
{
        int64_t at = time_monotonic();
        if (!p->terminal || (!now && at - p->last < 60 * 1000000))
                return;
        p->last = at;
        if (p->drawn)
                fprintf(stdout, "\033[%zuA", p->drawn);
        for (size_t i = 0; i < p->count; i++)
                draw_row(&p->rows[i]);
        p->drawn = p->count;
        fflush(stdout);
}

static struct row *row_of(struct progress *p, const char *digest)
{
        char id[13];
        snprintf(id, sizeof(id), "%.12s", digest_hex(digest));
        for (size_t i = 0; i < p->count; i++)
                if (str_eq(p->rows[i].id, id))
                        return &p->rows[i];
        p->rows = xreallocarray(p->rows, p->count + 1, sizeof(*p->rows));
        struct row *r = &p->rows[p->count++];
        *r = (struct row){ .state = TRANSFER_WAITING };
        memcpy(r->id, id, sizeof(id));
        return r;
}

static void on_layer(void *data, const char *digest, enum transfer_state state, uint64_t done, uint64_t total)
{
        struct progress *p = data;
        if (p->quiet)
                return;
        struct row *r = row_of(p, digest);
        bool changed = r->state != state;
        *r = (struct row){ .state = state, .done = done, .total = total, .id = "" };
        snprintf(r->id, sizeof(r->id), "%.12s", digest_hex(digest));
        if (!p->terminal && changed && is_final(state))
                printf("%s: %s\n", r->id, words[state]);
        draw(p, changed);
}

static void on_line(void *data, const char *text)
{
        struct progress *p = data;
        if (p->quiet)
                return;
        draw(p, true);
        p->drawn = p->count = 0;
        printf("%s\n", text);
        fflush(stdout);
}

struct progress *progress_new(bool quiet)
{
        struct progress *p = xcalloc(1, sizeof(*p));
        p->quiet = quiet;
        p->terminal = isatty(STDOUT_FILENO);
        p->hooks = (struct transfer_progress){ on_layer, on_line, p };
        return p;
}

void progress_free(struct progress *p)
{
        free(p->rows);
        free(p);
}

const struct transfer_progress *progress_hooks(struct progress *p) { return &p->hooks; }
