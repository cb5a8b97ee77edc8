#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
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
                err_set(l->err, ERR_UNSUPPORTED, "linux.resources.%s: this kernel has no %s here", field, file);
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
