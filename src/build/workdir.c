/* The file half of WORKDIR: the directory is there from this layer on. */
#include "build/step-internal.h"

#include <fcntl.h>
#include "base/path.h"

static int workdir_execute(struct step *s, struct err *err)
{
        const char *path = s->s->config.exec.working_dir;
        _cleanup_close_ int root = root_open(s->b->st->snapshots, s->root_id, true, err);
        if (root < 0)
                return -1;
        _cleanup_close_ int there = path_open_in(root, path, O_PATH | O_DIRECTORY, 0, err);
        if (there >= 0)
                return 0;
        err_clear(err);
        _cleanup_close_ int made = path_mkdirs_in(root, path, 0755, 0, 0, err);
        return made < 0 ? err_add(err, "WORKDIR %s", path) : 0;
}

const struct executor executor_workdir = { .execute = workdir_execute };
