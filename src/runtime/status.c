#include <inttypes.h>
#include "base/file.h"
#include "base/str.h"
#include "runtime/attach.h"

#define STATUS_FILE "status.json"
#define STATUS_MAX 4096

/* One table for both directions: the writer prints the rows in order, the reader expects them in order. */
enum field_kind { FIELD_STATE, FIELD_I32, FIELD_U32, FIELD_I64, FIELD_U64, FIELD_BOOL, FIELD_TEXT };
static const struct field {
        const char *name;
        enum field_kind kind;
        size_t offset;
} fields[] = {
#define F(name, kind, member)                                                                                          \
        {                                                                                                              \
                name, kind, offsetof(struct container_status, member)                                                  \
        }
        F("state", FIELD_STATE, state),
        F("pid", FIELD_I32, pid),
        F("start_ticks", FIELD_U64, start_ticks),
        F("started", FIELD_I64, started),
        F("finished", FIELD_I64, finished),
        F("exit_code", FIELD_I32, exit_code),
        F("oom", FIELD_BOOL, oom_killed),
        F("restarts", FIELD_U32, restarts),
        F("error", FIELD_TEXT, error),
        F("monitor", FIELD_I32, monitor),
        F("monitor_ticks", FIELD_U64, monitor_ticks),
        F("log_lost", FIELD_U64, log_lost),
#undef F
};

struct out {
        char text[STATUS_MAX];
        size_t len;
};

static void out_text(struct out *o, const char *s)
{
        for (; *s && o->len < sizeof(o->text) - 1; s++)
                o->text[o->len++] = *s;
}

/* Escapes what JSON forbids in a string; other bytes pass as they are. */
static void out_quoted(struct out *o, const char *s, size_t max)
{
        char piece[8];
        out_text(o, "\"");
        for (size_t i = 0; i < max && s[i]; i++) {
                unsigned char c = (unsigned char)s[i];
                if (c == '"' || c == '\\')
                        snprintf(piece, sizeof(piece), "\\%c", c);
                else if (c < 0x20)
                        snprintf(piece, sizeof(piece), "\\u%04x", c);
                else
                        snprintf(piece, sizeof(piece), "%c", c);
                out_text(o, piece);
        }
        out_text(o, "\"");
}

static void out_field(struct out *o, const struct field *f, const void *member)
{
        char number[32] = "";
        switch (f->kind) {
        case FIELD_STATE:
                out_quoted(o, container_state_name(*(const enum container_state *)member), SIZE_MAX);
                return;
        case FIELD_TEXT:
                out_quoted(o, member, sizeof(((struct container_status *)0)->error));
                return;
        case FIELD_BOOL:
                out_text(o, *(const bool *)member ? "true" : "false");
                return;
        case FIELD_I32:
                snprintf(number, sizeof(number), "%" PRId32, *(const int32_t *)member);
                break;
        case FIELD_U32:
                snprintf(number, sizeof(number), "%" PRIu32, *(const uint32_t *)member);
                break;
        case FIELD_I64:
                snprintf(number, sizeof(number), "%" PRId64, *(const int64_t *)member);
                break;
        case FIELD_U64:
                snprintf(number, sizeof(number), "%" PRIu64, *(const uint64_t *)member);
                break;
        }
        out_text(o, number);
}

int container_status_write(int run_dir_fd, const struct container_status *status, struct err *err)
{
        struct out o = { .len = 0 };
        for (size_t i = 0; i < ELEMENTS(fields) - (status->log_lost == 0); i++) { /* the last is written only where there is any */
                out_text(&o, i ? ",\"" : "{\"");
                out_text(&o, fields[i].name);
                out_text(&o, "\":");
                out_field(&o, &fields[i], (const char *)status + fields[i].offset);
        }
        out_text(&o, "}\n");
        /* The run directory is on tmpfs: nothing to sync, the rename alone makes it whole. */
        return file_write_at(run_dir_fd, STATUS_FILE, o.text, o.len, 0600, false, err);
}

static bool take(const char **p, const char *literal)
{
        const char *rest = str_after(*p, literal);
        if (!rest)
                return false;
        *p = rest;
        return true;
}

static int hex_value(char c)
{
        const char *digits = "0123456789abcdef", *at = c ? strchr(digits, c) : NULL;
        return at ? (int)(at - digits) : -1;
}

/* One character of a string, unescaped; false at anything the writer does not write. */
static bool take_char(const char **p, char *ret)
{
        const char *s = *p;
        if ((unsigned char)*s < 0x20)
                return false;
        if (*s != '\\') {
                *ret = *s;
                *p = s + 1;
                return true;
        }
        if (s[1] == '"' || s[1] == '\\') {
                *ret = s[1];
                *p = s + 2;
                return true;
        }
        if (strncmp(s + 1, "u00", 3) != 0 || hex_value(s[4]) < 0 || hex_value(s[5]) < 0)
                return false;
        *ret = (char)(hex_value(s[4]) * 16 + hex_value(s[5]));
        *p = s + 6;
        return true;
}

static bool take_quoted(const char **p, char *ret, size_t size)
{
        size_t n = 0;
        if (!take(p, "\""))
                return false;
        while (**p != '"') {
                char c;
                if (!take_char(p, &c) || n + 1 >= size)
                        return false;
                ret[n++] = c;
        }
        ret[n] = 0;
        (*p)++;
        return true;
}

static bool take_state(const char **p, enum container_state *ret)
{
        char name[32];
        struct err unused = ERR_INIT;
        return take_quoted(p, name, sizeof(name)) && container_state_parse(name, ret, &unused) == 0;
}

static bool take_bool(const char **p, bool *ret)
{
        *ret = take(p, "true");
        return *ret || take(p, "false");
}

static bool take_number(const char **p, enum field_kind kind, void *member)
{
        char digits[24];
        size_t n = strspn(*p, "-0123456789");
        struct err unused = ERR_INIT;
        int64_t value = 0;
        uint64_t positive = 0;
        if (n == 0 || n >= sizeof(digits))
                return false;
        memcpy(digits, *p, n);
        digits[n] = 0;
        *p += n;
        if (kind == FIELD_U64 || kind == FIELD_U32) {
                if (parse_u64(digits, &positive, &unused) < 0 || (kind == FIELD_U32 && positive > UINT32_MAX))
                        return false;
        } else if (parse_i64(digits, &value, &unused) < 0 ||
                   (kind == FIELD_I32 && (value > INT32_MAX || value < INT32_MIN))) {
                return false;
        }
        switch (kind) {
        case FIELD_U64:
                *(uint64_t *)member = positive;
                break;
        case FIELD_U32:
                *(uint32_t *)member = (uint32_t)positive;
                break;
        case FIELD_I32:
                *(int32_t *)member = (int32_t)value;
                break;
        default:
                *(int64_t *)member = value;
                break;
        }
        return true;
}

static bool take_field(const char **p, const struct field *f, void *member)
{
        switch (f->kind) {
        case FIELD_STATE:
                return take_state(p, member);
        case FIELD_TEXT:
                return take_quoted(p, member, sizeof(((struct container_status *)0)->error));
        case FIELD_BOOL:
                return take_bool(p, member);
        default:
                return take_number(p, f->kind, member);
        }
}

int container_status_read(int run_dir_fd, struct container_status *ret, struct err *err)
{
        _cleanup_buf_ struct buf text = BUF_INIT(STATUS_MAX);
        struct container_status status = { 0 };
        if (file_read_at(run_dir_fd, STATUS_FILE, &text, err) < 0)
                return -1;
        const char *p = text.data ? text.data : "";
        for (size_t i = 0; i < ELEMENTS(fields); i++) {
                const struct field *f = &fields[i];
                if (i == ELEMENTS(fields) - 1 && *p == '}')
                        break;
                if (!take(&p, i ? ",\"" : "{\"") || !take(&p, f->name) || !take(&p, "\":") ||
                    !take_field(&p, f, (char *)&status + f->offset))
                        return err_set(err, ERR_CORRUPT, STATUS_FILE ": field \"%s\"", f->name);
        }
        if (!take(&p, "}\n") || *p)
                return err_set(err, ERR_CORRUPT, STATUS_FILE ": something follows the object");
        *ret = status;
        return 0;
}
