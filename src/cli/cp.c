/* cp: files between a container and here, by docker's rules:
 *   SRC a file:   DEST missing -> that name; DEST a file -> replaced; DEST a folder -> into it; DEST "name/" missing -> an error
 *   SRC a folder: DEST missing -> made, with SRC's content; DEST a folder -> SRC into it, or its content when SRC ends in "/."; DEST a file -> an error
 *   a link at the end of DEST is followed, and one at the end of SRC with -L or a "/" after it
 * "-" is a tar stream on standard input or output. Names inside the container are resolved in its root and nowhere else. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/path.h"
#include "base/str.h"
#include "cli/command.h"
#include "engine/containers.h"
#include "storage/tree.h"

struct cp_options { bool archive, follow, quiet; };

/* One end of a copy: a root to resolve in ("/" of the host, or a container's) and a path. */
struct place { int root; char *path; bool content, folder_wanted; };

static void place_done(struct place *p)
{
        mem_closep(&p->root);
        free(p->path);
}

/* "CONTAINER:PATH", where a path of ours may hold a ':' after a '/' or '.' */
static const char *container_part(const char *text, char **ret_name)
{
        const char *colon = strchr(text, ':');
        if (!colon || text[0] == '/' || text[0] == '.' || colon == text)
                return NULL;
        *ret_name = xstrndup(text, (size_t)(colon - text));
        return colon + 1;
}

static void place_path(struct place *p, const char *base, const char *text)
{
        size_t len = strlen(text);
        p->content = str_eq(text, ".") || str_ends(text, "/.");
        p->folder_wanted = p->content || (len && text[len - 1] == '/');
        p->path = path_join(base, len ? text : ".");
}

static int place_host(struct place *p, const char *text, struct err *err)
{
        char cwd[4096];
        if (!getcwd(cwd, sizeof(cwd)))
                return err_sys(err, "the working directory");
        place_path(p, cwd, text);
        p->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        return p->root < 0 ? err_sys(err, "/") : 0;
}

static int place_container(struct cli *cli, struct place *p, const char *name, const char *path, bool writable, struct err *err)
{
        struct engine *e;
        _cleanup_container_ struct container c = { 0 };
        container_config_init(&c.config);
        if (cli_engine(cli, &e, err) < 0 || container_load(e, name, &c, err) < 0)
                return -1;
        if (writable && c.config.read_only)
                return err_set(err, ERR_DENIED, "container rootfs is marked read-only");
        place_path(p, "/", path);
        p->root = container_root_open(e, &c, writable, err);
        return p->root < 0 ? -1 : 0;
}

static int place_open(struct cli *cli, const char *text, bool writable, struct place *ret, struct err *err)
{
        _cleanup_free_ char *name = NULL;
        const char *path = container_part(text, &name);
        return path ? place_container(cli, ret, name, path, writable, err) : place_host(ret, text, err);
}

static int place_stat(const struct place *p, bool follow, struct stat *st, struct err *err)
{
        _cleanup_close_ int fd = path_open_in(p->root, p->path, O_PATH | (follow ? 0 : O_NOFOLLOW), 0, err);
        if (fd < 0)
                return -1;
        return fstat(fd, st) < 0 ? err_sys(err, "%s", p->path) : 0;
}

static char *parent_of(const char *path)
{
        const char *slash = strrchr(path, '/');
        return slash == path ? xstrdup("/") : xstrndup(path, (size_t)(slash - path));
}

/* Where a link at the end leads, in its root; what it points to need not be there. -1 with err only for what cannot be read. */
static int link_follow(const struct place *p, char **path, bool *ret_more, struct err *err)
{
        char target[4097];
        struct err missing = ERR_INIT;
        *ret_more = false;
        _cleanup_close_ int fd = path_open_in(p->root, *path, O_PATH | O_NOFOLLOW, 0, &missing);
        ssize_t len = fd < 0 ? -1 : readlinkat(fd, "", target, sizeof(target) - 1);
        if (len <= 0)
                return 0;
        while (len > 1 && target[len - 1] == '/')
                len--;
        target[len] = '\0';
        _cleanup_free_ char *parent = parent_of(*path);
        /* not cleaned of its "..": the folder may have been reached by a link too */
        char *next = target[0] == '/' ? xstrdup(target) : xasprintf("%s/%s", parent, target);
        free(*path);
        *path = next;
        *ret_more = true;
        return strlen(next) < sizeof(target) ? 0 : err_set(err, ERR_TOO_LARGE, "%s: links lead to a name that is too long", p->path);
}

static int links_follow(const struct place *p, char **path, struct err *err)
{
        bool more = true;
        for (int i = 0; more; i++)
                if (i > 40 || link_follow(p, path, &more, err) < 0)
                        return err->kind ? -1 : err_set(err, ERR_INVALID, "%s: too many links", p->path);
        return 0;
}

/* Where the archive goes: the folder to unpack into, and the name its first component becomes (NULL: as it is). */
static int target_choose(const struct place *to, const struct stat *source, bool content, char **ret_folder, char **ret_name, struct err *err)
{
        struct stat st;
        struct err missing = ERR_INIT;
        if (place_stat(to, true, &st, &missing) == 0 && S_ISDIR(st.st_mode)) {
                *ret_folder = xstrdup(to->path);
                return 0;
        }
        if (missing.kind == ERR_NONE && (S_ISDIR(source->st_mode) || to->folder_wanted))
                return err_set(err, ERR_INVALID, "cannot copy to %s: it is not a directory", to->path);
        if (missing.kind != ERR_NONE && missing.kind != ERR_NOT_FOUND)
                return err_set(err, missing.kind, "%s", missing.msg);
        if (missing.kind != ERR_NONE && to->folder_wanted && !S_ISDIR(source->st_mode))
                return err_set(err, ERR_NOT_FOUND, "no such directory: %s", to->path);
        _cleanup_free_ char *path = xstrdup(to->path);
        if (links_follow(to, &path, err) < 0)
                return -1;
        _cleanup_free_ char *parent = parent_of(path);
        struct place above = { .root = to->root, .path = parent };
        if (place_stat(&above, true, &st, err) < 0 || !S_ISDIR(st.st_mode))
                return err->kind ? -1 : err_set(err, ERR_INVALID, "%s is not a directory", parent);
        *ret_folder = TAKE_PTR(parent);
        *ret_name = xstrdup(path_name(path));
        return 0;
}

/* A child writes the archive, we read it: neither side needs room for all of it. */
static int pump(const struct tree_write *write, struct tree_read *read, struct err *err)
{
        int pipe_fds[2], status;
        if (pipe2(pipe_fds, O_CLOEXEC) < 0)
                return err_sys(err, "pipe");
        pid_t child = fork();
        if (child < 0)
                return err_sys(err, "fork");
        if (child == 0) {
                struct err told = ERR_INIT;
                close(pipe_fds[0]);
                if (tree_to_tar(write, pipe_fds[1], &told) < 0) {
                        dprintf(STDERR_FILENO, "tare: %s\n", told.msg);
                        _exit(1);
                }
                _exit(0);
        }
        close(pipe_fds[1]);
        int result = tree_from_tar(read, pipe_fds[0], err);
        close(pipe_fds[0]);
        waitpid(child, &status, 0);
        if (result == 0 && status != 0)
                return err_set(err, ERR_SYSTEM, "reading the files failed");
        return result;
}

static int copy(const struct cp_options *o, const struct place *from, const struct place *to, bool to_host, struct err *err)
{
        bool follow = o->follow || from->folder_wanted;
        struct stat source;
        _cleanup_free_ char *folder = NULL, *name = NULL;
        if (place_stat(from, follow, &source, err) < 0 || target_choose(to, &source, from->content, &folder, &name, err) < 0)
                return -1;
        if (from->folder_wanted && !S_ISDIR(source.st_mode))
                return err_set(err, ERR_INVALID, "%s: not a directory", from->path);
        bool content = S_ISDIR(source.st_mode) && from->content && !name;
        struct tree_write write = { .root_fd = from->root, .path = from->path, .name = content ? "" : str_eq(from->path, "/") ? "root" : path_name(from->path),
                                    .follow = follow };
        struct tree_read read = { .root_fd = to->root, .path = folder, .keep_owner = o->archive,
                                  .uid = to_host ? geteuid() : 0, .gid = to_host ? getegid() : 0, .compression = COMPRESSION_NONE,
                                  .rename_from = name ? write.name : NULL, .rename_to = name };
        return pump(&write, &read, err);
}

static int to_stdout(const struct cp_options *o, const struct place *from, struct err *err)
{
        struct tree_write write = { .root_fd = from->root, .path = from->path, .name = path_name(from->path),
                                    .follow = o->follow || from->folder_wanted };
        return tree_to_tar(&write, STDOUT_FILENO, err);
}

static int from_stdin(const struct place *to, struct err *err)
{
        struct stat st;
        if (place_stat(to, true, &st, err) < 0)
                return -1;
        if (!S_ISDIR(st.st_mode))
                return err_set(err, ERR_INVALID, "destination \"%s\" must be a directory", to->path);
        struct tree_read read = { .root_fd = to->root, .path = to->path, .keep_owner = true, .compression = COMPRESSION_UNKNOWN };
        return tree_from_tar(&read, STDIN_FILENO, err);
}

static int cp_run(struct cli *cli, void *options, char **args, struct err *err)
{
        const struct cp_options *o = options;
        _cleanup_free_ char *first = NULL, *second = NULL;
        bool from_container = container_part(args[0], &first), to_container = container_part(args[1], &second);
        _cleanup_(place_done) struct place from = { .root = -1 }, to = { .root = -1 };
        if (from_container && to_container)
                return err_set(err, ERR_INVALID, "copying between containers is not supported");
        if (!from_container && !to_container)
                return err_set(err, ERR_INVALID, "must specify at least one container source");
        if (!str_eq(args[0], "-") && place_open(cli, args[0], false, &from, err) < 0)
                return -1;
        if (!str_eq(args[1], "-") && place_open(cli, args[1], true, &to, err) < 0)
                return -1;
        if (str_eq(args[0], "-"))
                return from_stdin(&to, err);
        return str_eq(args[1], "-") ? to_stdout(o, &from, err) : copy(o, &from, &to, from_container, err);
}

static const struct option_row cp_rows[] = {
        { 'a', "archive", OPT_BOOL, offsetof(struct cp_options, archive), NULL, "Archive mode (copy all uid/gid information)" },
        { 'L', "follow-link", OPT_BOOL, offsetof(struct cp_options, follow), NULL, "Always follow symbol link in SRC_PATH" },
        { 'q', "quiet", OPT_BOOL, offsetof(struct cp_options, quiet), NULL, "Suppress progress output" },
        {},
};
const struct command command_cp = {
        .options = cp_rows, .options_size = sizeof(struct cp_options), .min_args = 2, .max_args = 2,
        .args = "CONTAINER:SRC_PATH DEST_PATH|- | SRC_PATH|- CONTAINER:DEST_PATH", .run = cp_run,
};
