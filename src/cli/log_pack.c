/* container log-pack and log-unpack: what the monitor leaves to a program that has the libraries. A packed file appears whole, under the
 * name that its original has by then: the monitor renames under a lock of the folder, and so does this. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "base/fd.h"
#include "base/str.h"
#include "cli/command.h"
#include "runtime/log_pack.h"

#define FILES_MAX 1001
#define BLOCK 65536

/* --- writing --- */

static int frame_describe(const uint8_t *raw, size_t len, struct log_pack_frame *frame)
{
        if (!log_page_time(raw, len, &frame->first))
                return -1;
        for (size_t page = 0; page < len; page += LOG_PAGE) {
                struct log_page_record record = { 0 };
                size_t left = len - page < LOG_PAGE ? len - page : LOG_PAGE;
                for (size_t at = 0; log_page_next(raw + page, left, &at, &record) == 1;)
                        frame->records += !(record.flags & LOG_ATTRS);
        }
        return 0;
}

/* The table's room first, as the number of frames is known; its content when they are. */
static int pages_pack(int in, uint64_t size, int out, struct err *err)
{
        uint64_t count = (size + LOG_PACK_FRAME - 1) / LOG_PACK_FRAME, offset = LOG_PACK_HEAD + count * LOG_PACK_ROW;
        size_t room = ZSTD_compressBound(LOG_PACK_FRAME), table_len;
        if (count == 0 || count > LOG_PACK_FRAMES_MAX)
                return err_set(err, ERR_INVALID, "no log file");
        _cleanup_free_ uint8_t *raw = xmalloc(LOG_PACK_FRAME), *packed = xmalloc(room);
        _cleanup_(log_pack_done) struct log_pack p = { .count = (uint32_t)count, .frames = xcalloc(count, sizeof(*p.frames)) };
        for (uint64_t i = 0; i < count; i++) {
                ssize_t n = pread(in, raw, LOG_PACK_FRAME, (off_t)(i * LOG_PACK_FRAME));
                if (n <= 0 || frame_describe(raw, (size_t)n, &p.frames[i]) < 0)
                        return err_set(err, ERR_INVALID, "no log file");
                size_t len = ZSTD_compress(packed, room, raw, (size_t)n, 3);
                if (ZSTD_isError(len) || pwrite(out, packed, len, (off_t)offset) != (ssize_t)len)
                        return err_sys(err, "compress");
                p.frames[i].offset = offset;
                offset += len;
        }
        p.first = p.frames[0].first;
        _cleanup_free_ uint8_t *table = log_pack_table(&p, &table_len);
        return pwrite(out, table, table_len, 0) == (ssize_t)table_len ? 0 : err_sys(err, "compress");
}

static int lines_pack(int in, uint64_t size, int out, struct err *err)
{
        char block[BLOCK];
        int copy = dup(out);
        gzFile gz = copy < 0 ? NULL : gzdopen(copy, "wb6");
        ssize_t n;
        bool failed = !gz;
        while (!failed && (n = read(in, block, sizeof(block))) > 0)
                failed = gzwrite(gz, block, (unsigned)n) != n;
        failed |= gz && gzclose(gz) != Z_OK;
        return failed ? err_sys(err, "compress") : 0;
}

/* The temporary file takes the place of the one it was made of, wherever that is now; nowhere when it has been removed. */
static int place_take(const char *base, const char *suffix, int folder, const struct stat *original, int packed, struct err *err)
{
        char own[64];
        struct stat st;
        if (flock(folder, LOCK_EX) < 0)
                return err_sys(err, "flock");
        snprintf(own, sizeof(own), "/proc/self/fd/%d", packed);
        for (unsigned n = 1; n < FILES_MAX; n++) {
                _cleanup_free_ char *plain = xasprintf("%s.%u", base, n), *name = xasprintf("%s%s", plain, suffix);
                if (fstatat(folder, plain, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_ino != original->st_ino || st.st_dev != original->st_dev)
                        continue;
                unlinkat(folder, name, 0);
                if (linkat(AT_FDCWD, own, folder, name, AT_SYMLINK_FOLLOW) < 0)
                        return err_sys(err, "%s", name);
                unlinkat(folder, plain, 0);
                break;
        }
        flock(folder, LOCK_UN);
        return 0;
}

/* 1: packed; 0: there is no such file. */
static int one_pack(const char *base, unsigned n, int folder, struct err *err)
{
        struct stat st;
        bool lines = str_ends(base, ".log") && !str_eq(base, "container.log");
        _cleanup_free_ char *name = xasprintf("%s.%u", base, n);
        _cleanup_close_ int in = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (in < 0 || fstat(in, &st) < 0 || !S_ISREG(st.st_mode))
                return 0;
        _cleanup_close_ int out = openat(folder, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0640);
        if (out < 0)
                return err_sys(err, "temporary file");
        const struct timespec times[] = { st.st_atim, st.st_mtim };
        if ((lines ? lines_pack : pages_pack)(in, (uint64_t)st.st_size, out, err) < 0 || futimens(out, times) < 0)
                return err->kind ? -1 : err_sys(err, "%s", name);
        return place_take(base, lines ? ".gz" : ".zst", folder, &st, out, err) < 0 ? -1 : 1;
}

/* Nobody waits for this; and the monitor's protection from the OOM killer is not ours. */
static void stand_back(void)
{
        _cleanup_close_ int score = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
        if (score >= 0)
                (void)!write(score, "0", 1);
        (void)!chdir("/");
        setpriority(PRIO_PROCESS, 0, 10);
}

/* Oldest first, and once more while others come. */
static int log_pack_run(struct cli *cli, void *options, char **args, struct err *err)
{
        const char *slash = strrchr(args[0], '/'), *base = slash ? slash + 1 : args[0];
        _cleanup_free_ char *path = slash ? xstrndup(args[0], (size_t)(slash - args[0]) + 1) : xstrdup(".");
        _cleanup_close_ int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (folder < 0)
                return err_sys(err, "%s", path);
        stand_back();
        for (int packed = 1; packed > 0;) {
                packed = 0;
                for (unsigned n = FILES_MAX; n > 0; n--) {
                        int one = one_pack(base, n, folder, err);
                        if (one < 0)
                                return err_add(err, "%s", args[0]);
                        packed += one;
                }
        }
        return 0;
}

const struct command command_container_log_pack = {
        .min_args = 1, .max_args = 1, .args = "PATH", .run = log_pack_run,
        .description = "Called by a container's monitor when it has rotated a log file: compresses PATH.1, PATH.2 and so on, each into a file of its own.",
};

/* --- reading --- */

static int zstd_unpack(off_t offset, struct err *err)
{
        ZSTD_DStream *z = ZSTD_createDStream();
        _cleanup_free_ char *in = xmalloc(BLOCK), *out = xmalloc(BLOCK);
        ssize_t n = 0;
        size_t state = 0;
        while (z && !ZSTD_isError(state) && (n = pread(0, in, BLOCK, offset)) > 0) {
                ZSTD_inBuffer from = { in, (size_t)n, 0 };
                ZSTD_outBuffer to = { out, BLOCK, 0 };
                for (to.pos = BLOCK; !ZSTD_isError(state) && (from.pos < from.size || to.pos == BLOCK);) {
                        to.pos = 0;
                        state = ZSTD_decompressStream(z, &to, &from);
                        if (!ZSTD_isError(state) && to.pos && fd_write_full(1, out, to.pos) < 0)
                                return err_sys(err, "write");
                }
                offset += n;
        }
        ZSTD_freeDStream(z);
        if (n < 0)
                return err_sys(err, "read");
        return ZSTD_isError(state) ? err_set(err, ERR_CORRUPT, "compressed log: %s", ZSTD_getErrorName(state)) : 0;
}

static int gzip_unpack(struct err *err)
{
        char block[BLOCK];
        int copy = dup(0), n = 0;
        gzFile gz = copy < 0 ? NULL : gzdopen(copy, "rb");
        bool failed = !gz;
        while (!failed && (n = gzread(gz, block, sizeof(block))) > 0)
                failed = fd_write_full(1, block, (size_t)n) < 0;
        if (gz)
                gzclose(gz);
        return failed || n < 0 ? err_set(err, ERR_CORRUPT, "compressed log") : 0;
}

static int log_unpack_run(struct cli *cli, void *options, char **args, struct err *err)
{
        uint32_t frame = 0;
        _cleanup_(log_pack_done) struct log_pack p = { 0 };
        if (parse_u32(args[0], &frame, err) < 0)
                return -1;
        if (!log_pack_read(0, &p))
                return gzip_unpack(err);
        return frame < p.count ? zstd_unpack((off_t)p.frames[frame].offset, err) : 0;
}

const struct command command_container_log_unpack = {
        .min_args = 1, .max_args = 1, .args = "FRAME", .run = log_unpack_run,
        .description = "Called by logs: writes what the compressed log file on its standard input holds, from that frame on, to its output.",
};
