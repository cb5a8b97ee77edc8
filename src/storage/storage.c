#include "storage/storage.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/file.h"
#include "base/path.h"
#include "storage/blobs-internal.h"
#include "storage/snapshot-internal.h"

#define ABANDONED_AFTER (24 * 3600)

int storage_open(const char *root, const char *driver, struct storage **ret, struct err *err)
{
        _cleanup_(storage_closep) struct storage *s = xcalloc(1, sizeof(*s));
        if (root[0] != '/')
                return err_set(err, ERR_INVALID, "data root %s is not absolute", root);
        s->root = path_clean(root);
        if (blobs_open(s->root, &s->blobs, err) < 0 || snapshots_open(s->root, driver, &s->snapshots, err) < 0)
                return -1;
        *ret = TAKE_PTR(s);
        return 0;
}

void storage_close(struct storage *s)
{
        if (!s)
                return;
        snapshots_close(s->snapshots);
        blobs_close(s->blobs);
        free(s->root);
        free(s);
}

int storage_lock(struct storage *s, bool exclusive, bool wait, struct err *err)
{
        return file_lock_at(s->blobs->root_fd, "lock", exclusive, wait, err);
}

int storage_sweep(struct storage *s, bool all, unsigned *ret_removed, struct err *err)
{
        unsigned removed = 0;
        int64_t max_age = all ? 0 : ABANDONED_AFTER;
        if (blobs_sweep(s->blobs, max_age, &removed, err) < 0 ||
            snapshots_sweep(s->snapshots, max_age, &removed, err) < 0)
                return err_add(err, "sweep %s", s->root);
        if (ret_removed)
                *ret_removed = removed;
        return 0;
}
