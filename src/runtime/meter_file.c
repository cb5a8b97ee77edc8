#include "runtime/meter_file.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

#define NUMBERS 8
#define LINE "%020" PRIu64 " %020" PRIu64 " %020" PRIu64 " %020" PRIu64 " %020" PRIu64 " %020" PRIu64 " %020" PRIu64 " %020" PRIu64 " %020" PRIu64 "\n"
#define TRIES 100

static uint64_t sum_of(const uint64_t *v)
{
        uint64_t sum = 0;
        for (int i = 0; i < NUMBERS; i++)
                sum += v[i];
        return sum;
}

void meter_file_add(struct meter_file *m, uint64_t now_ms, uint64_t bytes)
{
        uint64_t from = m->samples ? m->at_ms : m->started_ms, before = m->samples ? m->bytes : bytes;
        if (now_ms > from)
                m->byte_ms += (before / 2 + bytes / 2 + (before & bytes & 1)) * (now_ms - from);
        m->at_ms = now_ms;
        m->bytes = bytes;
        m->samples++;
}

void meter_file_write(int fd, const struct meter_file *m)
{
        char line[256];
        const uint64_t v[NUMBERS] = { m->started_ms, m->at_ms, m->samples, m->bytes, m->byte_ms, m->received, m->sent, m->ended };
        int len = snprintf(line, sizeof(line), LINE, v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], sum_of(v));
        if (pwrite(fd, line, (size_t)len, 0) != len)
                return; /* a run directory without room: the figure ends with what was written before */
}

static bool line_parse(const char *line, struct meter_file *ret)
{
        uint64_t v[NUMBERS], sum;
        if (sscanf(line, "%" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64, &v[0], &v[1], &v[2],
                   &v[3], &v[4], &v[5], &v[6], &v[7], &sum) != NUMBERS + 1 ||
            sum != sum_of(v))
                return false;
        *ret = (struct meter_file){ v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7] };
        return true;
}

bool meter_file_read(int run_dir_fd, struct meter_file *ret)
{
        char line[256];
        _cleanup_close_ int fd = openat(run_dir_fd, "meter", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        for (int i = 0; fd >= 0 && i < TRIES; i++) {
                ssize_t n = pread(fd, line, sizeof(line) - 1, 0);
                line[n > 0 ? n : 0] = '\0';
                if (line_parse(line, ret))
                        return true;
        }
        return false;
}

/* Two lines of titles; then "  eth0: " and 16 numbers, of which the first are bytes received, the ninth bytes sent. By hand, since scanf is
 * more code than the rest of a monitor. */
void meter_net_parse(const char *text, uint64_t *ret_received, uint64_t *ret_sent)
{
        uint64_t received = 0, sent = 0;
        for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
                const char *name = line + strspn(line, " "), *colon = strpbrk(name, ":\n| ");
                if (!colon || *colon != ':' || (colon - name == 2 && strncmp(name, "lo", 2) == 0))
                        continue;
                char *at = (char *)(uintptr_t)colon + 1;
                for (int i = 0; i < 9; i++) {
                        uint64_t value = strtoull(at, &at, 10);
                        received += i == 0 ? value : 0;
                        sent += i == 8 ? value : 0;
                }
        }
        *ret_received = received;
        *ret_sent = sent;
}
