#include "base/bisect.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

#define BLOCK ((size_t)128 << 10) /* a line that is longer is not seen */
#define NEAR 32768 /* closer than this, reading on is cheaper than halving */

struct bisect {
        int fd;
        line_key_fn key;
        char *block;
};

/* The first line with a number that begins in the block read at `from` (of which the first bytes belong to a line before), 0 when none
 * does. *ret_next: where to look on. */
static bool block_key(const struct bisect *b, size_t len, off_t from, off_t *ret_start, off_t *ret_next, int64_t *ret_key)
{
        const char *end = b->block + len, *newline = memchr(b->block, '\n', len);
        *ret_next = from + (off_t)len;
        while (newline) {
                const char *line = newline + 1;
                newline = memchr(line, '\n', (size_t)(end - line));
                if (newline && b->key(line, (size_t)(newline - line), ret_key)) {
                        *ret_start = from + (line - b->block);
                        return true;
                }
                if (!newline && line - b->block > 1)
                        *ret_next = from + (line - b->block) - 1; /* its newline is seen again */
        }
        return false;
}

/* 1: the first numbered line that begins after `from` and before `to`; 0: there is none. */
static int key_after(const struct bisect *b, off_t from, off_t to, off_t *ret_start, int64_t *ret_key, struct err *err)
{
        while (from < to) {
                off_t next;
                ssize_t n = pread(b->fd, b->block, BLOCK, from);
                if (n < 0)
                        return err_sys(err, "read");
                if (n == 0)
                        return 0;
                if (block_key(b, (size_t)n, from, ret_start, &next, ret_key))
                        return *ret_start < to;
                /* a line that is longer than a block is stepped over */
                from = next > from ? next : from + n;
                if ((size_t)n < BLOCK)
                        return 0;
        }
        return 0;
}

int line_bisect(int fd, off_t size, int64_t wanted, line_key_fn key, off_t *ret, struct err *err)
{
        _cleanup_free_ char *block = xmalloc(BLOCK);
        struct bisect b = { .fd = fd, .key = key, .block = block };
        off_t low = 0, high = size;
        while (high - low > NEAR) {
                off_t middle = low + (high - low) / 2, start = low;
                int64_t number = 0;
                int found = key_after(&b, middle, high, &start, &number, err);
                if (found < 0)
                        return -1;
                if (found && number < wanted)
                        low = start;
                else
                        high = middle;
        }
        *ret = low;
        return 0;
}
