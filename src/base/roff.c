#include "base/roff.h"

#include <ctype.h>
#include <stdlib.h>
#include "base/file.h"
#include "base/str.h"

void roff_raw(struct roff *p, const char *s)
{
        struct err err = ERR_INIT;
        if (buf_adds(&p->text, s, &err) < 0)
                abort();
}

void roff_put(struct roff *p, const char *s)
{
        bool first = p->text.len == 0 || p->text.data[p->text.len - 1] == '\n';
        for (; *s; s++) {
                char one[2] = { *s, '\0' };
                if (first && (*s == '.' || *s == '\''))
                        roff_raw(p, "\\&");
                first = *s == '\n';
                roff_raw(p, *s == '\\' ? "\\e" : *s == '-' ? "\\-" : one);
        }
}

void roff_section(struct roff *p, const char *title)
{
        roff_raw(p, ".SH ");
        roff_raw(p, title);
        roff_raw(p, "\n");
}

void roff_bold(struct roff *p, const char *s)
{
        roff_raw(p, "\\fB");
        roff_put(p, s);
        roff_raw(p, "\\fR");
}

void roff_item(struct roff *p, const char *term, const char *text)
{
        roff_raw(p, ".TP\n");
        roff_bold(p, term);
        roff_raw(p, "\n");
        roff_put(p, text);
        roff_raw(p, "\n");
}

void roff_title(struct roff *p, const char *name, const char *number, const char *summary, const char *version)
{
        roff_raw(p, ".TH ");
        for (const char *s = name; *s; s++) {
                char upper[2] = { (char)toupper((unsigned char)*s), '\0' };
                roff_put(p, upper);
        }
        _cleanup_free_ char *rest = xasprintf(" %s \"\" \"tare %s\" \"%s\"\n", number, version,
                                              str_eq(number, "1") ? "User Commands" : "System Administration");
        roff_raw(p, rest);
        roff_section(p, "NAME");
        roff_put(p, name);
        roff_raw(p, " \\- ");
        roff_put(p, summary);
        roff_raw(p, "\n");
}

int roff_write(struct roff *p, int dir_fd, const char *file, struct err *err)
{
        int r = file_write_at(dir_fd, file, p->text.data, p->text.len, 0644, false, err);
        buf_done(&p->text);
        return r;
}
