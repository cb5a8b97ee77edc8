#include <string.h>
#include "runtime/criu-internal.h"
#include "runtime/protobuf-internal.h"

/* ---- requests ---- */

static int add_message(struct buf *b, uint32_t field, const struct buf *inner, struct err *err)
{
        return protobuf_bytes(b, field, inner->data, inner->len, err);
}

int criu_option_pair(struct buf *options, enum criu_option option, const char *first, const char *second, struct err *err)
{
        _cleanup_buf_ struct buf b = BUF_INIT(CRIU_MESSAGE_MAX);
        if (protobuf_text(&b, 1, first, err) < 0 || protobuf_text(&b, 2, second, err) < 0)
                return -1;
        return add_message(options, option, &b, err);
}

int criu_option_numbered(struct buf *options, enum criu_option option, const char *first, int64_t second, struct err *err)
{
        _cleanup_buf_ struct buf b = BUF_INIT(CRIU_MESSAGE_MAX);
        if (protobuf_text(&b, 1, first, err) < 0 || protobuf_number(&b, 2, (uint64_t)second, err) < 0)
                return -1;
        return add_message(options, option, &b, err);
}

int criu_option_flag(struct buf *options, enum criu_option option, bool on, struct err *err)
{
        return on ? protobuf_number(options, option, 1, err) : 0;
}

enum { REQUEST_TYPE = 1, REQUEST_OPTIONS = 2, REQUEST_NOTIFY_SUCCESS = 3, REQUEST_KEEP_OPEN = 4, REQUEST_FEATURES = 5 };

int criu_request(struct buf *b, enum criu_type type, const struct buf *options, enum criu_feature feature, struct err *err)
{
        _cleanup_buf_ struct buf features = BUF_INIT(16);
        if (protobuf_number(b, REQUEST_TYPE, type, err) < 0 || (options && add_message(b, REQUEST_OPTIONS, options, err) < 0))
                return -1;
        if (feature && (protobuf_number(&features, feature, 1, err) < 0 || add_message(b, REQUEST_FEATURES, &features, err) < 0))
                return -1;
        /* Questions leave the socket open for the request itself. */
        return type == CRIU_VERSION || type == CRIU_FEATURES ? protobuf_number(b, REQUEST_KEEP_OPEN, 1, err) : 0;
}

int criu_notify_answer(struct buf *b, struct err *err)
{
        return protobuf_number(b, REQUEST_TYPE, CRIU_NOTIFY, err) < 0 ? -1 : protobuf_number(b, REQUEST_NOTIFY_SUCCESS, 1, err);
}

/* ---- answers ---- */

static void copy_text(char *to, size_t size, const struct protobuf_field *f)
{
        size_t len = f->len < size ? f->len : size - 1;
        memcpy(to, f->data, len);
        to[len] = 0;
}

static void take_restore(struct criu_answer *a, const struct protobuf_field *f)
{
        if (f->number == 1 && f->is_number)
                a->pid = (int32_t)f->value;
}

static void take_notify(struct criu_answer *a, const struct protobuf_field *f)
{
        if (f->number == 1 && !f->is_number)
                copy_text(a->script, sizeof(a->script), f);
        else if (f->number == 2 && f->is_number)
                a->pid = (int32_t)f->value;
}

static void take_features(struct criu_answer *a, const struct protobuf_field *f)
{
        if (f->number < 32 && f->is_number && f->value)
                a->features |= 1u << f->number;
}

/* 3.17.1 is 31701. */
static void take_version(struct criu_answer *a, const struct protobuf_field *f)
{
        static const uint32_t weights[] = { [1] = 10000, [2] = 100, [4] = 1 };
        if (f->number < ELEMENTS(weights) && f->is_number && f->value < 100)
                a->version += (uint32_t)f->value * weights[f->number];
}

static const struct {
        uint32_t number;
        void (*take)(struct criu_answer *a, const struct protobuf_field *f);
} inner_messages[] = { { 4, take_restore }, { 5, take_notify }, { 8, take_features }, { 10, take_version } };

static int take_inner(struct criu_answer *a, const struct protobuf_field *outer, struct err *err)
{
        struct protobuf_field f;
        int r = 0;
        for (size_t i = 0; i < ELEMENTS(inner_messages); i++) {
                struct protobuf_reader reader = protobuf_read(outer->data, outer->len);
                while (inner_messages[i].number == outer->number && (r = protobuf_next(&reader, &f, err)) > 0)
                        inner_messages[i].take(a, &f);
        }
        return r;
}

enum { ANSWER_TYPE = 1, ANSWER_SUCCESS = 2, ANSWER_ERRNO = 7, ANSWER_TEXT = 9 };

static int take_field(struct criu_answer *a, const struct protobuf_field *f, struct err *err)
{
        if (!f->is_number && f->number == ANSWER_TEXT)
                copy_text(a->text, sizeof(a->text), f);
        else if (!f->is_number)
                return take_inner(a, f, err);
        else if (f->number == ANSWER_TYPE)
                a->type = (uint32_t)f->value;
        else if (f->number == ANSWER_SUCCESS)
                a->success = f->value != 0;
        else if (f->number == ANSWER_ERRNO)
                a->number = (int32_t)f->value;
        return 0;
}

int criu_answer_parse(const void *data, size_t len, struct criu_answer *ret, struct err *err)
{
        struct protobuf_reader reader = protobuf_read(data, len);
        struct protobuf_field f;
        struct criu_answer a = { 0 };
        int r;
        while ((r = protobuf_next(&reader, &f, err)) > 0)
                if (take_field(&a, &f, err) < 0)
                        return -1;
        if (r < 0)
                return -1;
        *ret = a;
        return 0;
}
