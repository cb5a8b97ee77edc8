#include "runtime/mountinfo-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include "base/file.h"
#include "base/str.h"

#define TABLE_MAX ((size_t)32 << 20)

void mountinfo_done(struct mountinfo *m)
{
        for (size_t i = 0; i < m->count; i++) {
                free(m->list[i].place);
                free(m->list[i].type);
        }
        free(m->list);
        *m = (struct mountinfo){ 0 };
}

/* Blanks and such are written as \040, in place. */
static void unescape(char *s)
{
        char *to = s;
        for (; *s; s++) {
                bool octal = s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' && s[3] >= '0' && s[3] <= '7';
                *to++ = octal ? (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0')) : *s;
                s += octal ? 3 : 0;
        }
        *to = 0;
}

/* "36 35 98:0 /root /place opts tags... - type source opts" */
static int parse_row(char *line, struct mountinfo_row *ret, struct err *err)
{
        char *rest = NULL, *words[5] = { 0 }, *type = strstr(line, " - ");
        struct err unused = ERR_INIT;
        for (size_t i = 0; i < ELEMENTS(words); i++)
                words[i] = strtok_r(i ? NULL : line, " ", &rest);
        if (!words[4] || !type || type < words[4] || parse_u64(words[0], &ret->id, &unused) < 0 ||
            parse_u64(words[1], &ret->parent, &unused) < 0)
                return err_set(err, ERR_CORRUPT, "mountinfo: a line that is none");
        type += strlen(" - ");
        unescape(words[4]);
        ret->place = xstrdup(words[4]);
        ret->type = xstrndup(type, strcspn(type, " "));
        return 0;
}

int mountinfo_parse(char *text, struct mountinfo *ret, struct err *err)
{
        _cleanup_mountinfo_ struct mountinfo m = { 0 };
        char *rest = NULL;
        for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
                if ((m.count & (m.count - 1)) == 0)
                        m.list = xreallocarray(m.list, m.count ? m.count * 2 : 1, sizeof(*m.list));
                if (parse_row(line, &m.list[m.count], err) < 0)
                        return -1;
                m.count++;
        }
        *ret = m;
        m = (struct mountinfo){ 0 };
        return 0;
}

int mountinfo_read(const char *pid, struct mountinfo *ret, struct err *err)
{
        _cleanup_buf_ struct buf b = BUF_INIT(TABLE_MAX);
        _cleanup_free_ char *path = xasprintf("/proc/%s/mountinfo", pid);
        if (file_read_at(AT_FDCWD, path, &b, err) < 0)
                return -1;
        return b.len ? mountinfo_parse(b.data, ret, err) : err_set(err, ERR_NOT_FOUND, "%s is empty", path);
}

const struct mountinfo_row *mountinfo_find(const struct mountinfo *m, uint64_t id)
{
        for (size_t i = 0; i < m->count; i++)
                if (m->list[i].id == id)
                        return &m->list[i];
        return NULL;
}

bool mountinfo_is_on(const struct mountinfo *m, const struct mountinfo_row *row, uint64_t id)
{
        for (size_t depth = 0; row && depth < m->count; depth++) {
                if (row->parent == id)
                        return true;
                row = mountinfo_find(m, row->parent);
        }
        return false;
}

int mountinfo_id(int fd, uint64_t *ret_id, bool *ret_root, struct err *err)
{
        struct statx st;
        if (statx(fd, "", AT_EMPTY_PATH | AT_NO_AUTOMOUNT, STATX_TYPE | STATX_MNT_ID, &st) < 0)
                return err_sys(err, "statx");
        if (!(st.stx_mask & STATX_MNT_ID))
                return err_set(err, ERR_UNSUPPORTED, "this kernel does not tell what mount a file is in");
        *ret_id = st.stx_mnt_id;
        *ret_root = st.stx_attributes & STATX_ATTR_MOUNT_ROOT;
        return 0;
}
