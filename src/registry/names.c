#include "registry/names-internal.h"

#include "base/digest.h"
#include "base/str.h"
#include "oci/reference.h"

static bool is_alnum(char c)
{
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Length of a separator at s: ".", "_", "__" or dashes; 0 for none. */
static size_t separator_length(const char *s)
{
        if (*s == '.')
                return 1;
        if (*s == '_')
                return s[1] == '_' ? 2 : 1;
        return strspn(s, "-");
}

/* End of the component that starts at s, NULL when it is malformed. */
static const char *component_end(const char *s)
{
        if (!is_alnum(*s))
                return NULL;
        while (*s && *s != '/') {
                s += is_alnum(*s) ? 0 : separator_length(s);
                if (!is_alnum(*s))
                        return NULL;
                while (is_alnum(*s))
                        s++;
        }
        return s;
}

bool repository_name_valid(const char *name)
{
        if (str_empty(name) || strlen(name) > REPOSITORY_NAME_MAX)
                return false;
        for (;;) {
                name = component_end(name);
                if (!name)
                        return false;
                if (!*name)
                        return true;
                name++;
        }
}

bool manifest_reference_valid(const char *reference)
{
        return reference && (reference_tag_valid(reference) || digest_valid(reference));
}

bool registry_domain_valid(const char *domain)
{
        static const char host[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
        size_t n;

        if (str_empty(domain) || strlen(domain) > 260)
                return false;
        if (*domain == '[') {
                n = 1 + strspn(domain + 1, "0123456789abcdefABCDEF:.");
                if (n < 3 || domain[n] != ']')
                        return false;
                n++;
        } else {
                n = strspn(domain, host);
                if (n == 0 || *domain == '.' || *domain == '-')
                        return false;
        }
        if (!domain[n])
                return true;
        const char *port = domain + n + 1;
        return domain[n] == ':' && strlen(port) <= 5 && str_only(port, "0123456789");
}

int registry_names_check(const char *path, const char *reference, struct err *err)
{
        if (!repository_name_valid(path))
                return err_set(err, ERR_INVALID, "invalid repository name \"%.300s\"", path ? path : "");
        if (reference && !manifest_reference_valid(reference))
                return err_set(err, ERR_INVALID, "invalid tag or digest \"%.200s\"", reference);
        return 0;
}

int registry_digest_check(const char *digest, struct err *err)
{
        if (!digest || !digest_valid(digest))
                return err_set(err, ERR_INVALID, "invalid digest \"%.200s\"", digest ? digest : "");
        return 0;
}
