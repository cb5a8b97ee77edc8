/* Layers: whatever the bytes, nothing is made outside the staging, and what is refused leaves nothing behind. */
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>
#include "base/file.h"
#include "storage/layer.h"
#include "storage/storage.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char box[] = "/dev/shm/tare-fuzz-XXXXXX";
static struct snapshots *snapshots;

static void box_remove(void)
{
        struct err err = ERR_INIT;
        snapshots_close(snapshots);
        tree_remove_at(AT_FDCWD, box, &err);
}

static void setup(void)
{
        struct err err = ERR_INIT;
        _cleanup_free_ char *root = NULL;

        if (!mkdtemp(box))
                abort();
        atexit(box_remove);
        root = xasprintf("%s/root", box);
        if (snapshots_open(root, NULL, &snapshots, &err) < 0)
                abort();
}

/* The data root is all there is beside "." and "..". */
static void box_check(void)
{
        int count = 0;
        DIR *dir = opendir(box);

        while (dir && readdir(dir))
                count++;
        if (count != 3)
                abort();
        closedir(dir);
}

static int staging_fill(struct layer_staging *l, const uint8_t *data, size_t size, char id[DIGEST_SIZE], uint64_t *bytes)
{
        const struct layer_limits limits = { .max_bytes = 1 << 20, .max_files = 500 };
        struct err err = ERR_INIT;
        _cleanup_(layer_unpack_freep) struct layer_unpack *u = NULL;

        if (layer_unpack_begin(l, COMPRESSION_UNKNOWN, NULL, &limits, &u, &err) < 0)
                abort();
        if (layer_unpack_write(u, data, size, &err) < 0)
                return -1;
        return layer_unpack_finish(u, id, bytes, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char id[DIGEST_SIZE];
        uint64_t bytes = 0;
        struct err err = ERR_INIT;
        _cleanup_(layer_abortp) struct layer_staging *l = NULL;

        if (!snapshots)
                setup();
        if (layer_begin(snapshots, NULL, &l, &err) < 0)
                abort();
        if (staging_fill(l, data, size, id, &bytes) == 0 && layer_commit(l, id, bytes, &err) == 0)
                if (layer_remove(snapshots, id, &err) < 0)
                        abort();
        box_check();
        return 0;
}
