/* Where syslog messages go. Names are looked up here, before the start: the monitor has no resolver. */
#include <string.h>
#include <arpa/inet.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/proc.h"
#include "base/str.h"
#include "engine/log-internal.h"

static const struct { const char *name; uint32_t number; } facilities[] = {
        { "kern", 0 }, { "user", 1 }, { "mail", 2 }, { "daemon", 3 }, { "auth", 4 }, { "syslog", 5 }, { "lpr", 6 }, { "news", 7 },
        { "uucp", 8 }, { "cron", 9 }, { "authpriv", 10 }, { "ftp", 11 }, { "local0", 16 }, { "local1", 17 }, { "local2", 18 },
        { "local3", 19 }, { "local4", 20 }, { "local5", 21 }, { "local6", 22 }, { "local7", 23 },
};

int log_syslog_facility(const char *given, uint32_t *ret, struct err *err)
{
        struct err ignored = ERR_INIT;
        *ret = 3;
        if (str_empty(given) || (parse_u32(given, ret, &ignored) == 0 && *ret <= 23))
                return 0;
        for (size_t i = 0; i < ELEMENTS(facilities); i++)
                if (str_eq(facilities[i].name, given)) {
                        *ret = facilities[i].number;
                        return 0;
                }
        return err_set(err, ERR_INVALID, "invalid syslog facility");
}

/* "host", "host:port", "[v6]:port". */
static int inet_split(const char *rest, char **ret_host, char **ret_port, struct err *err)
{
        const char *close = rest[0] == '[' ? strchr(rest, ']') : NULL, *colon = strrchr(close ? close : rest, ':');
        uint32_t port;
        if (rest[0] == '[' && (!close || (close[1] && close[1] != ':')))
                return err_set(err, ERR_INVALID, "address %s: missing ']' in address", rest);
        if (!close && colon && strchr(rest, ':') != colon)
                return err_set(err, ERR_INVALID, "address %s: too many colons in address", rest);
        *ret_host = close ? xstrndup(rest + 1, (size_t)(close - rest) - 1) : colon ? xstrndup(rest, (size_t)(colon - rest)) : xstrdup(rest);
        *ret_port = xstrdup(colon ? colon + 1 : "514");
        if (!**ret_host || parse_u32(*ret_port, &port, err) < 0 || port == 0 || port > 65535)
                return err_set(err, ERR_INVALID, "address %s: invalid port", rest);
        return 0;
}

static int inet_resolve(const char *scheme, const char *host, const char *port, char **ret, struct err *err)
{
        unsigned char bytes[16];
        if (inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1) {
                *ret = xasprintf(strchr(host, ':') ? "%s:[%s]:%s" : "%s:%s:%s", scheme, host, port);
                return 0;
        }
        /* a static program cannot load what the C library looks names up with: its own program does */
        _cleanup_buf_ struct buf found = BUF_INIT(65536);
        char *argv[] = { (char *)(uintptr_t) "getent", (char *)(uintptr_t) "ahosts", (char *)(uintptr_t)host, NULL };
        struct proc_spawn spawn = { .path = "getent", .argv = argv, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1 };
        int status = 0;
        if (proc_run(&spawn, NULL, 0, &found, &status, err) < 0)
                return err_add(err, "lookup %s", host);
        _cleanup_free_ char *number = xstrndup(found.data ? found.data : "", found.data ? strcspn(found.data, " \n") : 0);
        if (status != 0 || (inet_pton(AF_INET, number, bytes) != 1 && inet_pton(AF_INET6, number, bytes) != 1))
                return err_set(err, ERR_INVALID, "lookup %s: no such host", host);
        return inet_resolve(scheme, number, port, ret, err);
}

int log_syslog_address(const char *given, bool resolve, char **ret, struct err *err)
{
        static const char *const inet[] = { "udp", "tcp" }, *const local[] = { "unixgram", "unix" };
        struct stat st;
        if (str_empty(given))
                return 0;
        if (str_starts(given, "tcp+tls://"))
                return err_set(err, ERR_UNSUPPORTED, "syslog over TLS is not supported: %s", given);
        for (size_t i = 0; i < ELEMENTS(local); i++) {
                _cleanup_free_ char *head = xasprintf("%s://", local[i]);
                const char *path = str_after(given, head);
                if (!path)
                        continue;
                if (path[0] != '/' || stat(path, &st) < 0)
                        return err_set(err, ERR_INVALID, "stat %s: no such file or directory", path);
                *ret = xasprintf("%s:%s", local[i], path);
                return 0;
        }
        for (size_t i = 0; i < ELEMENTS(inet); i++) {
                _cleanup_free_ char *head = xasprintf("%s://", inet[i]), *host = NULL, *port = NULL;
                const char *rest = str_after(given, head);
                if (rest)
                        return inet_split(rest, &host, &port, err) < 0 ? -1 : resolve ? inet_resolve(inet[i], host, port, ret, err) : 0;
        }
        return err_set(err, ERR_INVALID, "syslog-address should be in form proto://address, got %s", given);
}
