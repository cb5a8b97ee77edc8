#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include "base/file.h"
#include "base/str.h"
#include "runtime/cgroup-internal.h"

void limit_refuse(struct cgroup_limits *l, enum err_kind kind, const char *field, const char *why)
{
        if (!l->failed)
                l->failed = err_set(l->err, kind, "linux.resources.%s: %s", field, why) < 0;
}

void limit_text(struct cgroup_limits *l, const char *field, const char *top, const char *file, const char *text)
{
        if (l->failed)
                return;
        if (top && cgroup_write(top, l->path, file, text, l->err) == 0)
                return;
        l->failed = true;
        /* The group is there; so what is missing is the file. */
        if (!top || l->err->sys == ENOENT || l->err->sys == EOPNOTSUPP)
                err_set(l->err, ERR_UNSUPPORTED, "invalid configuration: linux.resources.%s: this kernel has no %s here", field, file);
        else
                err_add(l->err, "linux.resources.%s", field);
}

void limit_textf(struct cgroup_limits *l, const char *field, const char *top, const char *file, const char *fmt, ...)
{
        char text[256];
        va_list ap;
        va_start(ap, fmt);
        int n = vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        if (n < 0 || (size_t)n >= sizeof(text))
                limit_refuse(l, ERR_TOO_LARGE, field, "too long");
        else
                limit_text(l, field, top, file, text);
}

void limit_i64(struct cgroup_limits *l, const char *field, const char *top, const char *file, bool wanted, int64_t value)
{
        if (wanted)
                limit_textf(l, field, top, file, "%" PRId64, value);
}

void limit_u64(struct cgroup_limits *l, const char *field, const char *top, const char *file, bool wanted, uint64_t value)
{
        if (wanted)
                limit_textf(l, field, top, file, "%" PRIu64, value);
}

void limit_rdma(struct cgroup_limits *l, const char *top, const struct oci_resources *r)
{
        for (size_t i = 0; i < r->rdma_count; i++) {
                const struct oci_rdma *d = &r->rdma[i];
                char handles[32] = "", objects[32] = "";
                if (d->has_handles)
                        snprintf(handles, sizeof(handles), " hca_handle=%u", d->handles);
                if (d->has_objects)
                        snprintf(objects, sizeof(objects), " hca_object=%u", d->objects);
                limit_textf(l, "rdma", top, "rdma.max", "%s%s%s", d->device, handles, objects);
        }
}

/* The name of a huge page size as the kernel's files have it: "2MB". */
static bool page_size_ok(const char *name)
{
        return strlen(name) < 32 && str_only(name, "0123456789KMGTB");
}

void limit_hugepages(struct cgroup_limits *l, const char *top, const char *limit_word, const struct oci_resources *r)
{
        for (size_t i = 0; i < r->hugepage_count; i++) {
                const char *size = r->hugepages[i].page_size;
                char file[80], reserved[80];
                if (!page_size_ok(size)) {
                        limit_refuse(l, ERR_INVALID, "hugepageLimits", "not the size of a page");
                        return;
                }
                snprintf(file, sizeof(file), "hugetlb.%s.%s", size, limit_word);
                snprintf(reserved, sizeof(reserved), "hugetlb.%s.rsvd.%s", size, limit_word);
                limit_u64(l, "hugepageLimits", top, file, true, r->hugepages[i].limit);
                /* What is reserved and never touched would otherwise be free. */
                limit_u64(l, "hugepageLimits", top, reserved, top && cgroup_has(top, l->path, reserved), r->hugepages[i].limit);
        }
}

void cgroup_quota_now(const char *path, int64_t *quota, uint64_t *period)
{
        const char *v1 = cgroup_top_of("cpu"), *v2 = cgroup_layout()->unified;
        struct err unused = ERR_INIT;
        if (v1) {
                *quota = (int64_t)cgroup_read_u64(v1, path, "cpu.cfs_quota_us", UINT64_MAX);
                *period = cgroup_read_u64(v1, path, "cpu.cfs_period_us", *period);
        } else if (v2) {
                _cleanup_free_ char *file = cgroup_file(v2, path, "cpu.max"), *line = NULL;
                if (file_line_at(AT_FDCWD, file, &line, &unused) < 0 || sscanf(line, "max %" SCNu64, period) == 1)
                        return;
                (void)sscanf(line, "%" SCNd64 " %" SCNu64, quota, period);
        }
}
