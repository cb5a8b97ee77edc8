#include "storage/tree.h"
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "storage/copy-internal.h"
#include "storage/tarwrite-internal.h"
#include "storage/unpack-internal.h"
#include "storage/walk-internal.h"

/* --- to tar --- */

struct writing {
        const struct tree_write *w;
        struct tar_writer *tar;
        char *base; /* absolute path of the top inside the root, cleaned */
        const char *name; /* the top's name in the archive; "": none */
        uint64_t mount;
};

static uint64_t mount_of(int fd)
{
        struct statx sx;
        return statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &sx) == 0 && (sx.stx_mask & STATX_MNT_ID) ? sx.stx_mnt_id : 0;
}

static bool path_excluded(const struct writing *g, const char *path)
{
        _cleanup_free_ char *full = path_join(g->base, path);
        STRV_FOREACH (exclude, g->w->exclude) {
                if (path_is_below(full, *exclude))
                        return true;
        }
        return false;
}

static int entry_write(void *data, const char *path, int fd, const struct stat *st, struct err *err)
{
        struct writing *g = data;
        bool dir = S_ISDIR(st->st_mode);
        if (g->w->exclude && path_excluded(g, path))
                return 1;
        /* The place something is mounted on is there, what is mounted is not. */
        bool mounted = g->w->one_file_system && mount_of(fd) != g->mount;
        if (mounted && !dir)
                return 0;
        const char *slash = *g->name && *path ? "/" : "";
        _cleanup_free_ char *name = xasprintf("%s%s%s%s", g->name, slash, path, dir ? "/" : "");
        if (!str_eq(name, "/") && tar_writer_add(g->tar, name, fd, st, err) < 0)
                return -1;
        return mounted;
}

int tree_to_tar(const struct tree_write *w, int out_fd, struct err *err)
{
        _cleanup_close_ int top = path_open_in(w->root_fd, w->path, O_PATH | (w->follow ? 0 : O_NOFOLLOW), 0, err);
        _cleanup_(tar_writer_freep) struct tar_writer *tar = NULL;
        _cleanup_free_ char *base = path_join("/", w->path);
        struct stat st;
        if (top < 0)
                return -1;
        if (fstat(top, &st) < 0)
                return err_sys(err, "%s", w->path);
        if (tar_writer_new(sink_to_fd, &out_fd, -1, &tar, err) < 0)
                return -1;
        const char *own = S_ISDIR(st.st_mode) ? "" : path_name(base);
        struct writing g = { w, tar, base, w->name ? w->name : own, mount_of(top) };
        return sorted_walk(top, entry_write, &g, err) < 0 ? err_add(err, "%s", w->path) : tar_writer_finish(tar, err);
}

/* --- from tar --- */

int tree_from_tar(const struct tree_read *r, int in_fd, struct err *err)
{
        _cleanup_(layer_unpack_freep) struct layer_unpack *u = NULL;
        struct unpack_options options = {
                .place = { .root_fd = r->root_fd,
                           .base = r->path,
                           .limits = r->limits,
                           .keep_owner = r->keep_owner,
                           .uid = r->uid,
                           .gid = r->gid,
                           .no_devices = r->no_devices,
                           .rename_from = r->rename_from,
                           .rename_to = r->rename_to },
                .compression = r->compression,
                .foreign = true,
        };
        if (unpack_begin(&options, &u, err) < 0 || unpack_pump(u, in_fd, err) < 0)
                return -1;
        return layer_unpack_finish(u, NULL, NULL, err);
}

struct peek {
        int fd;
        off_t at;
        char bytes[16 << 10];
};

static la_ssize_t peek_read(struct archive *a, void *data, const void **ret)
{
        struct peek *p = data;
        ssize_t n = pread(p->fd, p->bytes, sizeof(p->bytes), p->at);
        *ret = p->bytes;
        p->at += n > 0 ? n : 0;
        return n;
}

bool tree_is_archive(int fd)
{
        struct peek p = { .fd = fd };
        struct archive_entry *e;
        struct archive *a = archive_read_new();
        archive_read_support_format_tar(a);
        archive_read_support_filter_gzip(a);
        archive_read_support_filter_zstd(a);
        archive_read_support_filter_xz(a);
        archive_read_support_filter_bzip2(a);
        bool is = archive_read_open2(a, &p, NULL, peek_read, NULL, NULL) == ARCHIVE_OK &&
                  archive_read_next_header(a, &e) >= ARCHIVE_WARN;
        /* At the end of a file that is all zeros there is no entry either. */
        is = is && archive_format(a) != ARCHIVE_FORMAT_EMPTY && archive_file_count(a) > 0;
        archive_read_free(a);
        return is;
}
