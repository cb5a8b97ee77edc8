#include "net/files.h"

#include <arpa/inet.h>
#include <string.h>
#include "base/str.h"

static const char hosts_head[] = "127.0.0.1\tlocalhost\n"
                                 "::1\tlocalhost ip6-localhost ip6-loopback\n"
                                 "fe00::0\tip6-localnet\n"
                                 "ff00::0\tip6-mcastprefix\n"
                                 "ff02::1\tip6-allnodes\n"
                                 "ff02::2\tip6-allrouters\n";

static bool is_address(const char *text)
{
        struct in6_addr six;
        struct in_addr four;
        return inet_pton(AF_INET, text, &four) == 1 || inet_pton(AF_INET6, text, &six) == 1;
}

/* A name goes into a line of its own or not at all: blanks and newlines would make further entries. */
static bool is_word(const char *text)
{
        if (str_empty(text))
                return false;
        for (const char *c = text; *c; c++)
                if ((unsigned char)*c <= ' ' || *c == 0x7f || *c == '#')
                        return false;
        return true;
}

static int add_host(const char *entry, const char *gateway, struct buf *b, struct err *err)
{
        _cleanup_free_ char *copy = xstrdup(entry);
        char *separator = strpbrk(copy, ":=");
        if (!separator || separator == copy)
                return err_set(err, ERR_INVALID, "bad format for add-host: \"%s\"", entry);
        *separator = 0;
        char *address = separator + 1;
        size_t len = strlen(address);
        if (len > 2 && address[0] == '[' && address[len - 1] == ']') {
                address[len - 1] = 0;
                address++;
        }
        if (str_eq(address, "host-gateway")) {
                if (str_empty(gateway))
                        return err_set(err, ERR_INVALID, "unable to derive the IP value for host-gateway");
                return buf_addf(b, err, "%s\t%s\n", gateway, copy);
        }
        if (!is_word(copy))
                return err_set(err, ERR_INVALID, "bad format for add-host: \"%s\"", entry);
        if (!is_address(address))
                return err_set(err, ERR_INVALID, "invalid IP address in add-host: \"%s\"", address);
        return buf_addf(b, err, "%s\t%s\n", address, copy);
}

int hosts_format(const char *hostname, const char *domainname, const char *address, char *const *add_hosts,
                 const char *gateway, struct buf *ret, struct err *err)
{
        if (buf_adds(ret, hosts_head, err) < 0)
                return -1;
        STRV_FOREACH (entry, add_hosts)
                if (add_host(*entry, gateway, ret, err) < 0)
                        return -1;
        if (str_empty(address) || str_empty(hostname))
                return 0;
        if (!is_word(hostname) || (!str_empty(domainname) && !is_word(domainname)))
                return err_set(err, ERR_INVALID, "invalid hostname \"%s\"", hostname);
        if (str_empty(domainname))
                return buf_addf(ret, err, "%s\t%s\n", address, hostname);
        return buf_addf(ret, err, "%s\t%s.%s %s\n", address, hostname, domainname, hostname);
}

/* resolv.conf taken apart. */
struct resolv {
        char **servers, **search, **options;
        char **others; /* lines of other kinds, comments too */
};

static void resolv_done(struct resolv *r)
{
        strv_free(r->servers);
        strv_free(r->search);
        strv_free(r->options);
        strv_free(r->others);
}

static bool server_reachable(const char *address, bool keep_loopback)
{
        char plain[INET6_ADDRSTRLEN];
        struct in6_addr six;
        struct in_addr four;
        if (keep_loopback)
                return true;
        if (inet_pton(AF_INET, address, &four) == 1)
                return (ntohl(four.s_addr) >> 24) != 127 && four.s_addr != INADDR_ANY;
        /* Containers have no IPv6 (network.h), so a server there, with or without its %scope, would only cost timeouts. */
        snprintf(plain, sizeof(plain), "%.*s", (int)strcspn(address, "%"), address);
        return inet_pton(AF_INET6, plain, &six) != 1;
}

static void resolv_line(struct resolv *r, const char *line, bool keep_loopback)
{
        _cleanup_strv_ char **words = strv_split(line, " \t\r", false);
        const char *keyword = words ? words[0] : NULL;
        if (str_eq(keyword, "nameserver")) {
                if (words[1] && server_reachable(words[1], keep_loopback))
                        strv_push(&r->servers, words[1]);
        } else if (str_eq(keyword, "search") || str_eq(keyword, "domain")) {
                /* The last line of these two kinds counts, resolv.conf(5). */
                strv_free(r->search);
                r->search = strv_dup(words + 1);
        } else if (str_eq(keyword, "options")) {
                strv_extend(&r->options, words + 1);
        } else if (keyword) {
                strv_push(&r->others, line);
        }
}

static void resolv_read(struct resolv *r, const char *text, bool keep_loopback)
{
        _cleanup_strv_ char **lines = strv_split(text, "\n", false);
        STRV_FOREACH (line, lines)
                resolv_line(r, *line, keep_loopback);
}

static int words_check(char *const *words, const char *what, struct err *err)
{
        STRV_FOREACH (word, words)
                if (!is_word(*word))
                        return err_set(err, ERR_INVALID, "%s is not a valid %s", *word, what);
        return 0;
}

static void replace(char ***list, char *const *by)
{
        if (strv_len(by) == 0)
                return;
        strv_free(*list);
        *list = strv_dup(by);
}

static int resolv_write(const struct resolv *r, struct buf *b, struct err *err)
{
        STRV_FOREACH (line, r->others)
                if (buf_addf(b, err, "%s\n", *line) < 0)
                        return -1;
        _cleanup_free_ char *search = strv_join(r->search, " "), *options = strv_join(r->options, " ");
        if (!str_empty(search) && !str_eq(search, ".") && buf_addf(b, err, "search %s\n", search) < 0)
                return -1;
        STRV_FOREACH (server, r->servers)
                if (buf_addf(b, err, "nameserver %s\n", *server) < 0)
                        return -1;
        return str_empty(options) ? 0 : buf_addf(b, err, "options %s\n", options);
}

int resolv_format(const char *host_text, char *const *dns, char *const *search, char *const *options,
                  bool keep_loopback, struct buf *ret, struct err *err)
{
        STRV_FOREACH (server, dns)
                if (!is_address(*server))
                        return err_set(err, ERR_INVALID, "IP address is not correctly formatted: %s", *server);
        if (words_check(search, "domain", err) < 0 || words_check(options, "DNS option", err) < 0)
                return -1;
        _cleanup_(resolv_done) struct resolv r = { 0 };
        resolv_read(&r, str_empty(host_text) ? "" : host_text, keep_loopback);
        replace(&r.servers, dns);
        replace(&r.search, search);
        replace(&r.options, options);
        /* What docker falls back to: a container cannot reach a resolver on the host's loopback. */
        if (strv_len(r.servers) == 0 && !keep_loopback) {
                strv_push(&r.servers, "8.8.8.8");
                strv_push(&r.servers, "8.8.4.4");
        }
        return resolv_write(&r, ret, err);
}
