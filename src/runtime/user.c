#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "runtime/container.h"

#define DATABASE_MAX ((size_t)8 << 20) /* /etc/passwd of an image is not ours: bounded */
#define GROUPS_MAX 4096

struct groups {
        uint32_t *list;
        size_t count;
};

static void groups_done(struct groups *g)
{
        free(g->list);
}

static void groups_add(struct groups *g, uint32_t gid)
{
        for (size_t i = 0; i < g->count; i++)
                if (g->list[i] == gid)
                        return;
        if (g->count >= GROUPS_MAX)
                return;
        g->list = xreallocarray(g->list, g->count + 1, sizeof(*g->list));
        g->list[g->count++] = gid;
}

/* Reads a file of the image; missing is empty. Only a regular file: a FIFO would block us for ever. */
static int read_database(int root_fd, const char *path, struct buf *b, struct err *err)
{
        struct stat st;
        _cleanup_close_ int fd = path_open_in(root_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, err);
        if (fd < 0) {
                if (err->kind != ERR_NOT_FOUND && err->sys != ENOTDIR)
                        return -1;
                err_clear(err);
                return 0;
        }
        if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
                return 0;
        if (fd_read_all(fd, b, err) < 0)
                return err_add(err, "%s", path);
        return 0;
}

/* Cuts the next line off *text and its colon-separated fields; false at the end. */
static bool next_line(char **text, char **fields, size_t max, size_t *ret_count)
{
        char *line = *text, *end;
        size_t n = 0;
        if (!line || !*line)
                return false;
        end = strchr(line, '\n');
        *text = end ? end + 1 : NULL;
        if (end)
                *end = 0;
        while (line && n < max) {
                fields[n++] = line;
                line = strchr(line, ':');
                if (line)
                        *line++ = 0;
        }
        *ret_count = n;
        return true;
}

static bool to_id(const char *s, uint32_t *ret)
{
        struct err unused = ERR_INIT;
        uint32_t id;
        if (str_empty(s) || !str_only(s, "0123456789") || parse_u32(s, &id, &unused) < 0 || id > INT32_MAX)
                return false;
        *ret = id;
        return true;
}

struct account {
        bool found;
        char *name, *home; /* inside the database's buffer */
        uint32_t uid, gid;
};

static void find_account(struct buf *passwd, const char *user, struct account *ret)
{
        char *text = passwd->data, *f[7];
        size_t n;
        uint32_t number = 0;
        bool is_number = to_id(user, &number);
        while (next_line(&text, f, ELEMENTS(f), &n)) {
                uint32_t uid, gid;
                if (n < 4 || !to_id(f[2], &uid) || !to_id(f[3], &gid))
                        continue;
                if (!str_eq(f[0], user) && !(is_number && uid == number))
                        continue;
                *ret = (struct account){ true, f[0], n > 5 ? f[5] : NULL, uid, gid };
                return;
        }
}

static bool is_member(char *members, const char *name)
{
        size_t len = strlen(name);
        for (char *m = members; m; m = strchr(m, ',') ? strchr(m, ',') + 1 : NULL)
                if (strncmp(m, name, len) == 0 && (m[len] == ',' || m[len] == 0 || m[len] == '\r'))
                        return true;
        return false;
}

/* Looks up the named group, and collects the groups the user is a member of. */
static bool scan_groups(struct buf *database, const char *group, const char *member, uint32_t *ret_gid,
                        struct groups *g)
{
        char *text = database->data, *f[4];
        size_t n;
        bool found = false;
        uint32_t number = 0;
        bool is_number = group && to_id(group, &number);
        while (next_line(&text, f, ELEMENTS(f), &n)) {
                uint32_t gid;
                if (n < 3 || !to_id(f[2], &gid))
                        continue;
                if (group && !found && (str_eq(f[0], group) || (is_number && gid == number))) {
                        *ret_gid = gid;
                        found = true;
                }
                if (!group && member && n > 3 && is_member(f[3], member))
                        groups_add(g, gid);
        }
        return found;
}

static int resolve_group(struct buf *database, const char *group, const struct account *a, uint32_t *gid,
                         struct groups *g, struct err *err)
{
        if (scan_groups(database, group, a->name, gid, g) || !group || to_id(group, gid))
                return 0;
        return err_set(err, ERR_INVALID, "unable to find group %s: no matching entries in group file", group);
}

int runtime_user_resolve(int root_fd, const char *user, uint32_t *ret_uid, uint32_t *ret_gid, uint32_t **ret_gids,
                         size_t *ret_gid_count, char **ret_home, struct err *err)
{
        _cleanup_free_ char *name = xstrdup(str_empty(user) ? "0" : user);
        _cleanup_buf_ struct buf passwd = BUF_INIT(DATABASE_MAX), database = BUF_INIT(DATABASE_MAX);
        _cleanup_(groups_done) struct groups groups = { 0 };
        struct account a = { 0 };
        char *group = strchr(name, ':');
        if (group) {
                *group++ = 0;
                group = *group ? group : NULL;
        }
        const char *who = *name ? name : "0";
        if (read_database(root_fd, "/etc/passwd", &passwd, err) < 0 ||
            read_database(root_fd, "/etc/group", &database, err) < 0)
                return -1;
        find_account(&passwd, who, &a);
        if (!a.found && !to_id(who, &a.uid))
                return err_set(err, ERR_INVALID, "unable to find user %s: no matching entries in passwd file", who);
        uint32_t gid = a.gid;
        if (resolve_group(&database, group, &a, &gid, &groups, err) < 0)
                return -1;
        *ret_uid = a.uid;
        *ret_gid = gid;
        *ret_gids = TAKE_PTR(groups.list);
        *ret_gid_count = groups.count;
        *ret_home = xstrdup(str_empty(a.home) ? "/" : a.home);
        return 0;
}
