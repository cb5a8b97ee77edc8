/* Layers that are missing are made again by the program that can. */
#include <string.h>

#include "base/proc.h"
#include "base/str.h"
#include "engine/engine-internal.h"

/* What it tells on its standard output is why it could not. */
static int restore_run(struct engine *e, const char *chain_id, struct err *err)
{
        _cleanup_free_ char *program = NULL;
        _cleanup_buf_ struct buf told = BUF_INIT(4096);
        int status;
        if (engine_program("tare-archive", &program, err) < 0)
                return -1;
        const char *argv[] = { "tare-archive", "--root", engine_root(e), "--run", engine_run(e), "image", "restore", chain_id, NULL };
        const struct proc_spawn spawn = { .path = program, .argv = (char *const *)argv, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1 };
        if (proc_run(&spawn, NULL, 0, &told, &status, err) < 0)
                return err_add(err, "make layer %s again", chain_id);
        if (status == 0)
                return 0;
        if (told.len == 0)
                return err_set(err, ERR_UNAVAILABLE, "make layer %s again: tare-archive ended with code %d", chain_id, status);
        return err_set(err, ERR_CORRUPT, "%.*s", (int)strcspn(told.data, "\n"), told.data);
}

int engine_layers(struct engine *e, char *const *chain, struct err *err)
{
        struct storage *st;
        if (engine_storage(e, &st, err) < 0)
                return -1;
        STRV_FOREACH (chain_id, chain) {
                if (!layer_exists(st->snapshots, *chain_id) && restore_run(e, *chain_id, err) < 0)
                        return -1;
        }
        return 0;
}
