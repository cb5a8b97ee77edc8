#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "engine/system-internal.h"
#include "engine/system.h"

static void tell(struct check *k, const char *line)
{
        if (k->told)
                k->told(k->data, line);
}

bool check_found(struct check *k, const char *fmt, ...)
{
        char line[1024];
        va_list args;
        va_start(args, fmt);
        vsnprintf(line, sizeof(line), fmt, args);
        va_end(args);
        k->found++;
        tell(k, line);
        return k->repair;
}

void check_failed(struct check *k, const struct err *why)
{
        _cleanup_free_ char *line = xasprintf("  not repaired: %s", why->msg);
        tell(k, line);
}

int check_row(struct check *k, const char *id, enum container_state *ret_state, struct err *err)
{
        _cleanup_stmt_ struct db_stmt *stmt = NULL;
        if (db_query(engine_db(k->engine), &stmt, err, "SELECT state FROM containers WHERE id = ?", "s", id) < 0)
                return -1;
        int more = db_step(stmt, err);
        if (more == 1 && ret_state)
                *ret_state = (enum container_state)db_i64(stmt, 0);
        return more;
}

int check_names(const char *path, char ***ret, struct err *err)
{
        _cleanup_strv_ char **names = NULL;
        int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return errno == ENOENT ? 0 : err_sys(err, "%s", path);
        _cleanup_closedir_ DIR *dir = fdopendir(fd);
        if (!dir)
                return err_sys(err, "%s", path);
        for (struct dirent *e; (e = readdir(dir));)
                if (!str_eq(e->d_name, ".") && !str_eq(e->d_name, ".."))
                        strv_push(&names, e->d_name);
        strv_sort(names);
        *ret = TAKE_PTR(names);
        return 0;
}

bool check_is_id(const char *name) { return strlen(name) == 64 && str_only(name, "0123456789abcdef"); }

static void check_done(struct check *k) { strv_free(k->created); }

int system_check(struct engine *e, bool repair, void (*told)(void *data, const char *line), void *data, unsigned *ret_found, struct err *err)
{
        /* control groups before run directories before roots: each is known as ours by what comes after it */
        static int (*const steps[])(struct check *k, struct err *err) = {
                check_database, check_containers, check_cgroups, check_run_dirs, check_monitors, check_builds, check_roots,
                check_container_dirs, check_networks, check_volumes,  check_leftovers, check_images,
        };
        _cleanup_(check_done) struct check k = { .engine = e, .repair = repair, .told = told, .data = data };
        if (engine_storage(e, &k.storage, err) < 0)
                return -1;
        for (size_t i = 0; i < ELEMENTS(steps); i++)
                if (steps[i](&k, err) < 0)
                        return -1;
        *ret_found = k.found;
        return 0;
}
