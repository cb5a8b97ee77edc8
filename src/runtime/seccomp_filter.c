#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <seccomp.h>
#include <sys/stat.h>
#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"
#include "base/str.h"
#include "runtime/seccomp-internal.h"

#define CODE_MAX 4096u /* BPF_MAXINSNS */
#define PROFILE_MAX (1u << 20)

void seccomp_filter_done(struct seccomp_filter *f)
{
        free(f->code);
        *f = (struct seccomp_filter){ 0 };
}

/* ---- the profile as bytes: what the cache compares ---- */

static int put_text(struct buf *b, const char *s, struct err *err)
{
        return buf_add(b, s ? s : "\1", (s ? strlen(s) : 1) + 1, err);
}

static int put_strv(struct buf *b, char *const *v, struct err *err)
{
        STRV_FOREACH (s, v)
                if (put_text(b, *s, err) < 0)
                        return -1;
        return put_text(b, NULL, err);
}

static int put_rule(struct buf *b, const struct oci_seccomp_rule *r, struct err *err)
{
        if (put_strv(b, r->names, err) < 0 || put_text(b, r->action, err) < 0 ||
            buf_addf(b, err, "%d %" PRIu32 " %zu\n", r->has_errno, r->errno_ret, r->arg_count) < 0)
                return -1;
        for (size_t i = 0; i < r->arg_count; i++) {
                const struct oci_seccomp_arg *a = &r->args[i];
                if (buf_addf(b, err, "%" PRIu32 " %" PRIu64 " %" PRIu64 " %s\n", a->index, a->value, a->value_two,
                             a->op) < 0)
                        return -1;
        }
        return 0;
}

static int profile_bytes(const struct oci_seccomp *p, struct buf *b, struct err *err)
{
        const struct scmp_version *v = seccomp_version();
        if (buf_addf(b, err, "tare seccomp 2, libseccomp %u.%u.%u\n", v->major, v->minor, v->micro) < 0 ||
            put_text(b, p->default_action, err) < 0 ||
            buf_addf(b, err, "%d %" PRIu32 "\n", p->has_default_errno, p->default_errno) < 0 ||
            put_strv(b, p->architectures, err) < 0 || put_strv(b, p->flags, err) < 0)
                return -1;
        for (size_t i = 0; i < p->rule_count; i++)
                if (put_rule(b, &p->rules[i], err) < 0)
                        return -1;
        return 0;
}

/* Two lanes of multiply and mix over 8-byte words. It only has to spread names: the content is compared in full. */
static void hash_bytes(const void *data, size_t len, uint64_t ret[2])
{
        const unsigned char *p = data;
        uint64_t a = 0xcbf29ce484222325u ^ len, b = 0x9e3779b97f4a7c15u;
        while (len) {
                uint64_t word = 0;
                size_t n = len < 8 ? len : 8;
                memcpy(&word, p, n);
                a = (a ^ word) * 0x100000001b3u;
                a ^= a >> 29;
                b = (b + word) * 0xff51afd7ed558ccdu;
                b ^= b >> 32;
                p += n;
                len -= n;
        }
        ret[0] = a;
        ret[1] = b;
}

/* ---- cache ---- */

struct cache_header {
        char magic[8];
        uint32_t profile_len, count, flags, notify;
        uint64_t check[2]; /* hash of the code */
};
static const char cache_magic[8] = "tareBPF1";

static void cache_name(const struct buf *profile, char ret[40])
{
        uint64_t h[2];
        hash_bytes(profile->data, profile->len, h);
        snprintf(ret, 40, "%016" PRIx64 "%016" PRIx64 ".bpf", h[0], h[1]);
}

static bool cache_parse(const struct buf *file, const struct buf *profile, struct seccomp_filter *ret)
{
        struct cache_header h;
        uint64_t check[2];
        if (file->len < sizeof(h))
                return false;
        memcpy(&h, file->data, sizeof(h));
        if (memcmp(h.magic, cache_magic, sizeof(h.magic)) != 0 || h.profile_len != profile->len || h.count == 0 ||
            h.count > CODE_MAX || file->len != sizeof(h) + profile->len + h.count * sizeof(struct sock_filter) ||
            memcmp(file->data + sizeof(h), profile->data, profile->len) != 0)
                return false;
        const char *code = file->data + sizeof(h) + profile->len;
        hash_bytes(code, h.count * sizeof(struct sock_filter), check);
        if (memcmp(check, h.check, sizeof(check)) != 0)
                return false;
        *ret = (struct seccomp_filter){ .code = xmemdup(code, h.count * sizeof(struct sock_filter)),
                                        .count = h.count,
                                        .flags = h.flags,
                                        .notify = h.notify };
        return true;
}

/* Only what we ourselves (or root) wrote is trusted. */
static bool cache_read(int dir_fd, const char *name, const struct buf *profile, struct seccomp_filter *ret)
{
        struct err unused = ERR_INIT;
        struct stat st;
        _cleanup_buf_ struct buf file = BUF_INIT(PROFILE_MAX + 65536);
        _cleanup_close_ int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || (st.st_mode & 022) ||
            (st.st_uid != 0 && st.st_uid != geteuid()))
                return false;
        return buf_reserve(&file, (size_t)st.st_size, &unused) == 0 && fd_read_all(fd, &file, &unused) == 0 &&
               cache_parse(&file, profile, ret);
}

/* A cache that cannot be written costs time, not the start. */
static void cache_write(int dir_fd, const char *name, const struct buf *profile, const struct seccomp_filter *f)
{
        struct err unused = ERR_INIT;
        _cleanup_buf_ struct buf file = BUF_INIT(PROFILE_MAX + 65536);
        struct cache_header h = {
                .profile_len = (uint32_t)profile->len, .count = f->count, .flags = f->flags, .notify = f->notify
        };
        memcpy(h.magic, cache_magic, sizeof(h.magic));
        hash_bytes(f->code, f->count * sizeof(*f->code), h.check);
        if (buf_add(&file, &h, sizeof(h), &unused) == 0 && buf_add(&file, profile->data, profile->len, &unused) == 0 &&
            buf_add(&file, f->code, f->count * sizeof(*f->code), &unused) == 0)
                (void)file_write_at(dir_fd, name, file.data, file.len, 0600, false, &unused);
}

int seccomp_filter_load(const struct oci_seccomp *profile, const char *cache_dir, struct seccomp_filter *ret,
                        struct err *err)
{
        _cleanup_buf_ struct buf bytes = BUF_INIT(PROFILE_MAX);
        _cleanup_close_ int dir_fd = -1;
        struct err unused = ERR_INIT;
        char name[40];
        if (profile_bytes(profile, &bytes, err) < 0)
                return err_add(err, "linux.seccomp");
        cache_name(&bytes, name);
        if (cache_dir && (dir_fd = open(cache_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0 &&
            path_mkdirs(cache_dir, 0700, &unused) == 0)
                dir_fd = open(cache_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir_fd >= 0 && cache_read(dir_fd, name, &bytes, ret))
                return 0;
        if (seccomp_filter_compile(profile, ret, err) < 0)
                return -1;
        if (dir_fd >= 0)
                cache_write(dir_fd, name, &bytes, ret);
        return 0;
}
