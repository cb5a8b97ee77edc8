/* Log files of any content, as the newest or a packed one: each reader ends, and gives nothing that the file has no room for. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/str.h"
#include "engine/log-internal.h"
#include "runtime/log_pack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_all(const struct log_reader_kind *kind, const char *path, int64_t tail, int64_t since, size_t size)
{
        struct log_source source = { .path = path, .id = "0123", .tail = tail, .since = since };
        struct err err = ERR_INIT;
        struct log_entry entry;
        void *reader = kind->open(&source, &err);
        size_t given = 0, count = 0;
        while (reader && kind->next(reader, &entry, &err) == 1) {
                _cleanup_free_ char *details = log_details(entry.attrs, entry.attrs_len);
                given += entry.len;
                count++;
        }
        if (given > size + count || count > size || (tail >= 0 && kind == &log_reader_local && (int64_t)count > tail))
                abort();
        if (reader)
                kind->close(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const struct log_reader_kind *const kinds[] = { &log_reader_local, &log_reader_json_file, &log_reader_k8s_file };
        char path[] = "/dev/shm/tare-fuzz-log.XXXXXX";
        struct log_pack pack;
        int fd = mkstemp(path);
        if (fd < 0 || write(fd, data, size) != (ssize_t)size)
                return 0;
        if (log_pack_read(fd, &pack))
                log_pack_done(&pack);
        close(fd);
        for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
                read_all(kinds[i], path, -1, 0, size);
                read_all(kinds[i], path, 2, 0, size);
                read_all(kinds[i], path, -1, 1700000000000000000, size);
        }
        unlink(path);
        return 0;
}
