#include "oci/platform.h"

#include <sys/utsname.h>
#include "base/str.h"

static const char *const known_os[] = { "linux",  "windows", "darwin",    "freebsd", "netbsd", "openbsd", "dragonfly",
                                        "solaris", "illumos", "aix",      "android", "plan9",  "js",      "wasip1" };

/* Every name an architecture goes by, with GOARCH's beside it; uname(2)'s are among them. A variant that is the
 * architecture's baseline is dropped, so that equal platforms are equal texts. */
static const struct arch_alias {
        const char *name, *architecture, *variant;
} arch_aliases[] = {
        { "amd64", "amd64", NULL },     { "x86_64", "amd64", NULL },     { "x86-64", "amd64", NULL },
        { "386", "386", NULL },         { "i386", "386", NULL },         { "i486", "386", NULL },
        { "i586", "386", NULL },        { "i686", "386", NULL },         { "arm64", "arm64", NULL },
        { "aarch64", "arm64", NULL },   { "arm", "arm", "v7" },          { "armhf", "arm", "v7" },
        { "armv7l", "arm", "v7" },      { "armv8l", "arm", "v8" },       { "armel", "arm", "v6" },
        { "armv6l", "arm", "v6" },      { "armv5l", "arm", "v5" },       { "armv5tel", "arm", "v5" },
        { "ppc64le", "ppc64le", NULL }, { "ppc64", "ppc64", NULL },      { "s390x", "s390x", NULL },
        { "riscv64", "riscv64", NULL }, { "loong64", "loong64", NULL },  { "loongarch64", "loong64", NULL },
        { "mips", "mips", NULL },       { "mipsle", "mipsle", NULL },    { "mips64", "mips64", NULL },
        { "mips64le", "mips64le", NULL }, { "wasm", "wasm", NULL },
};

void platform_done(struct platform *p)
{
        free(p->os);
        free(p->architecture);
        free(p->variant);
        free(p->os_version);
        *p = (struct platform){ 0 };
}

void platform_copy(const struct platform *from, struct platform *ret)
{
        struct platform p = { 0 };

        str_replace(&p.os, from->os);
        str_replace(&p.architecture, from->architecture);
        str_replace(&p.variant, from->variant);
        str_replace(&p.os_version, from->os_version);
        *ret = p;
}

static const struct arch_alias *arch_find(const char *name)
{
        for (size_t i = 0; i < ELEMENTS(arch_aliases); i++)
                if (str_eq(arch_aliases[i].name, name))
                        return &arch_aliases[i];
        return NULL;
}

static bool os_known(const char *name)
{
        for (size_t i = 0; i < ELEMENTS(known_os); i++)
                if (str_eq(known_os[i], name))
                        return true;
        return false;
}

/* "8" and "v8" are one; the baseline is no variant. */
static void variant_set(struct platform *p, const char *variant)
{
        _cleanup_free_ char *full = NULL;

        if (!variant)
                return;
        full = strlen(variant) < 8 && str_only(variant, "0123456789.") ? xasprintf("v%s", variant) : xstrdup(variant);
        if ((str_eq(p->architecture, "arm64") && str_eq(full, "v8")) ||
            (str_eq(p->architecture, "amd64") && str_eq(full, "v1")))
                str_replace(&p->variant, NULL);
        else
                str_replace(&p->variant, full);
}

static void arch_set(struct platform *p, const char *name, const char *variant)
{
        const struct arch_alias *alias = arch_find(name);

        str_replace(&p->architecture, alias ? alias->architecture : name);
        str_replace(&p->variant, alias ? alias->variant : NULL);
        variant_set(p, variant);
}

void platform_host(struct platform *ret)
{
        struct platform p = { .os = xstrdup("linux") };
        struct utsname uts;

        arch_set(&p, uname(&uts) == 0 ? uts.machine : "unknown", NULL);
        *ret = p;
}

/* One word is an operating system (of this machine's architecture) or an architecture (of Linux). */
static int word_set(struct platform *p, const char *word, struct err *err)
{
        if (os_known(word)) {
                platform_host(p);
                str_replace(&p->os, word);
                return 0;
        }
        if (!arch_find(word))
                return err_set(err, ERR_INVALID, "platform \"%.100s\": unknown operating system or architecture", word);
        str_replace(&p->os, "linux");
        arch_set(p, word, NULL);
        return 0;
}

int platform_parse(const char *text, struct platform *ret, struct err *err)
{
        _cleanup_platform_ struct platform p = { 0 };
        _cleanup_strv_ char **words = NULL;
        _cleanup_free_ char *lower = NULL;

        if (strnlen(text, 256) == 256)
                return err_set(err, ERR_INVALID, "platform \"%.64s...\": too long", text);
        lower = xstrdup(text);
        str_lower(lower);
        words = strv_split(lower, "/", true);
        if (strv_len(words) < 1 || strv_len(words) > 3)
                return err_set(err, ERR_INVALID, "platform \"%s\": expected os/architecture[/variant]", text);
        STRV_FOREACH(word, words)
                if (!str_only(*word, "abcdefghijklmnopqrstuvwxyz0123456789_.-"))
                        return err_set(err, ERR_INVALID, "platform \"%s\": expected os/architecture[/variant]", text);
        if (strv_len(words) == 1) {
                if (word_set(&p, words[0], err) < 0)
                        return -1;
        } else {
                str_replace(&p.os, str_eq(words[0], "macos") ? "darwin" : words[0]);
                arch_set(&p, words[1], words[2]);
        }
        *ret = p;
        p = (struct platform){ 0 };
        return 0;
}

char *platform_format(const struct platform *p)
{
        return xasprintf("%s/%s%s%s", p->os ? p->os : "unknown", p->architecture ? p->architecture : "unknown",
                         p->variant ? "/" : "", p->variant ? p->variant : "");
}

/* Variants in hundredths ("v8.1": 810); the architecture's baseline for none. -1: not of the numbered kind. */
static int variant_rank(const char *architecture, const char *variant)
{
        const char *s = variant;
        int major = 0, minor = 0;

        if (str_empty(variant))
                return str_eq(architecture, "arm") ? 700 : str_eq(architecture, "arm64") ? 800 : 100;
        if (*s++ != 'v' || *s < '0' || *s > '9')
                return -1;
        for (; *s >= '0' && *s <= '9' && major < 100; s++)
                major = major * 10 + (*s - '0');
        if (*s == '.')
                for (s++; *s >= '0' && *s <= '9' && minor < 10; s++)
                        minor = minor * 10 + (*s - '0');
        return *s ? -1 : major * 100 + minor;
}

/* A machine runs what was built for it or for its lesser kin; the nearest is the best. */
static int variant_match(const char *architecture, const char *want, const char *have)
{
        int w = variant_rank(architecture, want), h = variant_rank(architecture, have);

        if (w < 0 || h < 0)
                return str_eq(want, have) ? 100000 : 0;
        if (w == h)
                return 100000;
        return h < w ? 1 + h : 0;
}

int platform_match(const struct platform *want, const struct platform *have)
{
        if (!str_eq(want->os, have->os) || !want->architecture || !have->architecture)
                return 0;
        if (strcmp(want->architecture, have->architecture) != 0)
                return 0;
        if (want->os_version && have->os_version && strcmp(want->os_version, have->os_version) != 0)
                return 0;
        return variant_match(want->architecture, want->variant, have->variant);
}

/* An empty string is an absent one: "" must not pass for the name of a system. */
static int word_get(const json_t *o, const struct jpath *path, const char *key, char **ret, struct err *err)
{
        if (json_get_string(o, path, key, false, ret, err) < 0)
                return -1;
        if (*ret && **ret == '\0')
                str_replace(ret, NULL);
        return 0;
}

int platform_from_json(const json_t *o, const struct jpath *path, struct platform *ret, struct err *err)
{
        _cleanup_platform_ struct platform p = { 0 };

        if (word_get(o, path, "architecture", &p.architecture, err) < 0 || word_get(o, path, "os", &p.os, err) < 0 ||
            word_get(o, path, "os.version", &p.os_version, err) < 0 || word_get(o, path, "variant", &p.variant, err) < 0)
                return -1;
        *ret = p;
        p = (struct platform){ 0 };
        return 0;
}

json_t *platform_to_json(const struct platform *p)
{
        json_t *o = json_object();

        json_set_string(o, "architecture", p->architecture);
        json_set_string(o, "os", p->os);
        json_set_string(o, "os.version", p->os_version);
        json_set_string(o, "variant", p->variant);
        return o;
}
