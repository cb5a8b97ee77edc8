#include "oci/reference.h"

#include "base/digest.h"
#include "base/str.h"

#define DOMAIN_DEFAULT "docker.io"
#define DOMAIN_LEGACY "index.docker.io"
#define PATH_OFFICIAL "library/"
#define REFERENCE_MAX 1024 /* bytes of text looked at; far above domain + path + tag + digest */
#define PART_MAX 255       /* domain, and path: distribution's limit on a repository name */
#define TAG_MAX 128

/* Not <ctype.h>: the grammar is ASCII whatever the locale. */
static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
static bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
static bool is_alnum(char c) { return is_digit(c) || is_lower(c) || is_upper(c); }
static bool is_path_char(char c) { return is_digit(c) || is_lower(c); }

void reference_done(struct reference *r)
{
        free(r->domain);
        free(r->path);
        free(r->tag);
        free(r->digest);
        *r = (struct reference){ 0 };
}

bool reference_tag_valid(const char *tag)
{
        size_t i;

        if (!tag || (!is_alnum(tag[0]) && tag[0] != '_'))
                return false;
        for (i = 1; tag[i]; i++)
                if (i >= TAG_MAX || (!is_alnum(tag[i]) && !strchr("_.-", tag[i])))
                        return false;
        return true;
}

/* One component: [a-z0-9]+ joined by '.', '_', "__" or any run of '-'. Returns its end, NULL when malformed. */
static const char *component_end(const char *s)
{
        for (;;) {
                if (!is_path_char(*s))
                        return NULL;
                while (is_path_char(*s))
                        s++;
                if (*s == '-')
                        s += strspn(s, "-");
                else if (*s == '_')
                        s += s[1] == '_' ? 2 : 1;
                else if (*s == '.')
                        s++;
                else
                        return s;
        }
}

static bool path_valid(const char *path)
{
        const char *end;

        for (end = component_end(path); end && *end == '/'; end = component_end(end + 1))
                continue;
        return end && *end == '\0' && strlen(path) <= PART_MAX;
}

/* "[" hex and colons "]"; returns what follows, NULL when malformed. */
static const char *host_v6_end(const char *s)
{
        size_t n = strspn(s + 1, "0123456789abcdefABCDEF:");

        return n > 0 && s[1 + n] == ']' ? s + n + 2 : NULL;
}

/* Labels of letters, digits and inner hyphens, joined by dots. */
static const char *host_name_end(const char *s)
{
        for (;;) {
                if (!is_alnum(*s))
                        return NULL;
                while (is_alnum(*s) || *s == '-')
                        s++;
                if (s[-1] == '-')
                        return NULL;
                if (*s != '.')
                        return s;
                s++;
        }
}

static bool domain_valid(const char *domain)
{
        const char *end = domain[0] == '[' ? host_v6_end(domain) : host_name_end(domain);

        if (!end || strlen(domain) > PART_MAX)
                return false;
        return *end == '\0' || (*end == ':' && str_only(end + 1, "0123456789"));
}

/* A first component is a domain only when no path of the default registry could look like it. */
static bool looks_like_domain(const char *name, size_t len)
{
        return memchr(name, '.', len) || memchr(name, ':', len) || (len == 9 && memcmp(name, "localhost", 9) == 0);
}

static void name_split(const char *name, char **ret_domain, char **ret_path)
{
        const char *slash = strchr(name, '/');

        if (!slash) {
                *ret_domain = xstrdup(DOMAIN_DEFAULT);
                *ret_path = xasprintf(PATH_OFFICIAL "%s", name);
                return;
        }
        if (!looks_like_domain(name, (size_t)(slash - name))) {
                *ret_domain = xstrdup(DOMAIN_DEFAULT);
                *ret_path = xstrdup(name);
                return;
        }
        *ret_domain = xstrndup(name, (size_t)(slash - name));
        if (str_eq(*ret_domain, DOMAIN_LEGACY))
                str_replace(ret_domain, DOMAIN_DEFAULT);
        if (str_eq(*ret_domain, DOMAIN_DEFAULT) && !strchr(slash + 1, '/'))
                *ret_path = xasprintf(PATH_OFFICIAL "%s", slash + 1);
        else
                *ret_path = xstrdup(slash + 1);
}

static bool has_upper(const char *s)
{
        for (; *s; s++)
                if (is_upper(*s))
                        return true;
        return false;
}

static bool is_image_id(const char *text)
{
        return strlen(text) == 64 && str_only(text, "0123456789abcdef");
}

static int invalid(const char *text, struct err *err)
{
        return err_set(err, ERR_INVALID, "invalid reference format: \"%.300s\"", text);
}

/* Cuts "@digest" and ":tag" off `name` in place. A colon before the last slash belongs to a port. */
static bool suffixes_split(char *name, struct reference *r)
{
        char *at = strchr(name, '@'), *slash, *colon;

        if (at) {
                *at = '\0';
                r->digest = xstrdup(at + 1);
        }
        slash = strrchr(name, '/');
        colon = strchr(slash ? slash : name, ':');
        if (colon) {
                *colon = '\0';
                r->tag = xstrdup(colon + 1);
        }
        return (!r->digest || digest_valid(r->digest)) && (!r->tag || reference_tag_valid(r->tag));
}

int reference_parse(const char *text, struct reference *ret, struct err *err)
{
        _cleanup_reference_ struct reference r = { 0 };
        _cleanup_free_ char *name = NULL;

        if (strnlen(text, REFERENCE_MAX + 1) > REFERENCE_MAX)
                return err_set(err, ERR_INVALID, "invalid reference format: longer than %d characters", REFERENCE_MAX);
        if (is_image_id(text))
                return err_set(err, ERR_INVALID,
                               "invalid repository name (%s), cannot specify 64-byte hexadecimal strings", text);
        name = xstrdup(text);
        if (!suffixes_split(name, &r))
                return invalid(text, err);
        name_split(name, &r.domain, &r.path);
        if (has_upper(r.path))
                return err_set(err, ERR_INVALID, "invalid reference format: repository name (%s) must be lowercase",
                               r.path);
        if (!domain_valid(r.domain) || !path_valid(r.path))
                return invalid(text, err);
        if (!r.tag && !r.digest)
                r.tag = xstrdup("latest");
        *ret = r;
        r = (struct reference){ 0 };
        return 0;
}

static char *with_suffixes(const char *name, const struct reference *r)
{
        return xasprintf("%s%s%s%s%s", name, r->tag ? ":" : "", r->tag ? r->tag : "", r->digest ? "@" : "",
                         r->digest ? r->digest : "");
}

char *reference_canonical(const struct reference *r)
{
        _cleanup_free_ char *name = xasprintf("%s/%s", r->domain, r->path);

        return with_suffixes(name, r);
}

char *reference_familiar_name(const struct reference *r)
{
        const char *rest, *slash;

        if (!str_eq(r->domain, DOMAIN_DEFAULT))
                return xasprintf("%s/%s", r->domain, r->path);
        rest = str_after(r->path, PATH_OFFICIAL);
        /* Two names must stay in full to be read back as the same: one that is all hex of an ID's length, and one
         * whose first component would pass for a domain. */
        if (rest && !strchr(rest, '/'))
                return xstrdup(is_image_id(rest) ? r->path : rest);
        slash = strchr(r->path, '/');
        if (!slash || looks_like_domain(r->path, (size_t)(slash - r->path)))
                return xasprintf("%s/%s", r->domain, r->path);
        return xstrdup(r->path);
}

char *reference_familiar(const struct reference *r)
{
        _cleanup_free_ char *name = reference_familiar_name(r);

        return with_suffixes(name, r);
}
