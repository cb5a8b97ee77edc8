/* Log drivers and their options: one row each; what is said when they are wrong is docker's. */
#include <regex.h>
#include <string.h>

#include "base/str.h"
#include "engine/engine-internal.h"
#include "engine/log-internal.h"

enum { JSON = 1, LOCAL = 2, K8S = 4, JOURNALD = 8, SYSLOG = 16, FILES = JSON | LOCAL | K8S, TAGGED = JSON | LOCAL | JOURNALD | SYSLOG };

static const struct driver {
        const char *name;
        unsigned bit;
        const char *file;              /* in the container's folder; %s: its id; NULL: none */
        const struct log_reader_kind *reader;
        const char *max_size, *max_file;       /* where nothing else is said */
} drivers[] = {
        { "local", LOCAL, "local-logs/container.log", &log_reader_local, "20m", "5" },
        { "json-file", JSON, "%s-json.log", &log_reader_json_file, NULL, "1" },
        { "k8s-file", K8S, "ctr.log", &log_reader_k8s_file, NULL, "1" },
        { "journald", JOURNALD, NULL, &log_reader_journald, NULL, NULL },
        { "syslog", SYSLOG, NULL, NULL, NULL, NULL },
        { "none", 0, NULL, NULL, NULL, NULL },
};

const char *const log_driver_names[] = { "journald", "json-file", "k8s-file", "local", "none", "syslog", NULL };

static const struct option { const char *name; unsigned drivers; } options[] = {
        { "max-size", FILES }, { "max-file", FILES }, { "compress", JSON | LOCAL },
        { "labels", TAGGED }, { "labels-regex", TAGGED }, { "env", TAGGED }, { "env-regex", TAGGED }, { "tag", TAGGED | K8S },
        { "syslog-address", SYSLOG }, { "syslog-facility", SYSLOG }, { "syslog-format", SYSLOG },
        { "syslog-tls-ca-cert", SYSLOG }, { "syslog-tls-cert", SYSLOG }, { "syslog-tls-key", SYSLOG }, { "syslog-tls-skip-verify", SYSLOG },
        { "mode", ~0U }, { "max-buffer-size", ~0U }, { "keep", FILES },
};

static const struct driver *driver_find(const char *name)
{
        for (size_t i = 0; i < ELEMENTS(drivers); i++)
                if (str_eq(drivers[i].name, name))
                        return &drivers[i];
        return NULL;
}

const char *log_driver_name(const struct container_config *c) { return str_empty(c->log_driver) ? "json-file" : c->log_driver; }

const struct log_reader_kind *log_reader_of(const char *driver)
{
        const struct driver *d = driver_find(driver);
        return d ? d->reader : NULL;
}

char *log_file_path(const char *dir, const char *id, const struct container_config *c)
{
        const struct driver *d = driver_find(log_driver_name(c));
        if (!d || !d->file)
                return NULL;
        _cleanup_free_ char *name = str_starts(d->file, "%s") ? xasprintf("%s%s", id, d->file + 2) : xstrdup(d->file);
        return xasprintf("%s/%s", dir, name);
}

/* --- checks --- */

static int check_known(const struct container_config *c, const struct driver *d, struct err *err)
{
        STRV_FOREACH (text, c->log_opts) {
                size_t len = strcspn(*text, "="), i = 0;
                while (i < ELEMENTS(options) && (strlen(options[i].name) != len || memcmp(options[i].name, *text, len) != 0))
                        i++;
                if (i == ELEMENTS(options) || !(options[i].drivers & d->bit))
                        return err_set(err, ERR_INVALID, "unknown log opt '%.*s' for %s log driver", (int)len, *text, d->name);
        }
        return 0;
}

static int check_mode(const struct container_config *c, struct err *err)
{
        const char *mode = strv_env_get(c->log_opts, "mode"), *size = strv_env_get(c->log_opts, "max-buffer-size");
        uint64_t bytes;
        if (!str_empty(mode) && !str_eq(mode, "blocking") && !str_eq(mode, "non-blocking"))
                return err_set(err, ERR_INVALID, "logger: logging mode not supported: %s", mode);
        if (size && !str_eq(mode, "non-blocking"))
                return err_set(err, ERR_INVALID, "logger: max-buffer-size option is only supported with 'mode=non-blocking'");
        return size && parse_size(size, &bytes, err) < 0 ? err_add(err, "error parsing option max-buffer-size") : 0;
}

static const char *option_of(const struct container_config *c, const char *name, const char *without)
{
        const char *value = strv_env_get(c->log_opts, name);
        return value ? value : without;
}

/* *ret_size 0: unbounded. */
static int sizes_of(const struct container_config *c, const struct driver *d, uint64_t *ret_size, uint32_t *ret_files, bool *ret_compress,
                    struct err *err)
{
        const char *size = option_of(c, "max-size", d->max_size), *files = option_of(c, "max-file", d->max_file),
                   *compress = option_of(c, "compress", NULL);
        *ret_size = 0;
        *ret_files = 1;
        *ret_compress = d->bit == LOCAL;
        if (size && !str_eq(size, "-1") && (parse_size(size, ret_size, err) < 0 || *ret_size == 0))
                return err->kind ? err_add(err, "failed to initialize logging driver: max-size") :
                                   err_set(err, ERR_INVALID, "max-size should be a positive number");
        if (files && (parse_u32(files, ret_files, err) < 0 || *ret_files == 0))
                return err->kind ? err_add(err, "log option max-file") : err_set(err, ERR_INVALID, "log option max-file cannot be less than 1");
        if (compress && parse_bool(compress, ret_compress, err) < 0)
                return err_add(err, "log option compress");
        if (compress && *ret_compress && (*ret_files < 2 || *ret_size == 0))
                return err_set(err, ERR_INVALID, "compress cannot be true when max-file is less than 2 or max-size is not set");
        return 0;
}

static int check_regex(const struct container_config *c, const char *name, struct err *err)
{
        const char *text = strv_env_get(c->log_opts, name);
        regex_t regex;
        int failed = str_empty(text) ? 0 : regcomp(&regex, text, REG_EXTENDED | REG_NOSUB);
        if (failed) {
                char why[128];
                regerror(failed, &regex, why, sizeof(why));
                return err_set(err, ERR_INVALID, "error parsing regexp in %s: %s: `%s`", name, why, text);
        }
        if (!str_empty(text))
                regfree(&regex);
        return 0;
}

static int check_syslog(const struct container_config *c, struct err *err)
{
        static const char *const formats[] = { "", "rfc3164", "rfc5424", "rfc5424micro", NULL };
        _cleanup_free_ char *address = NULL;
        uint32_t facility;
        STRV_FOREACH (text, c->log_opts)
                if (str_starts(*text, "syslog-tls-"))
                        return err_set(err, ERR_UNSUPPORTED, "syslog over TLS is not supported: log opt '%.*s'", (int)strcspn(*text, "="), *text);
        if (!strv_has((char *const *)(uintptr_t)formats, option_of(c, "syslog-format", "")))
                return err_set(err, ERR_INVALID, "Invalid syslog format");
        return log_syslog_address(option_of(c, "syslog-address", ""), false, &address, err) < 0 ||
                               log_syslog_facility(option_of(c, "syslog-facility", ""), &facility, err) < 0 ? -1 : 0;
}

int log_config_check(const struct container_config *c, struct err *err)
{
        const struct driver *d = driver_find(log_driver_name(c));
        uint64_t size;
        uint32_t files;
        bool compress, keep;
        if (d && !d->bit)
                return 0;              /* none takes anything, as docker's does */
        if (check_mode(c, err) < 0)
                return -1;
        if (!d)
                return err_set(err, ERR_INVALID, "logger: no log driver named '%s' is registered", c->log_driver);
        const char *kept = strv_env_get(c->log_opts, "keep");
        if (check_known(c, d, err) < 0 || sizes_of(c, d, &size, &files, &compress, err) < 0 || check_regex(c, "labels-regex", err) < 0 ||
            check_regex(c, "env-regex", err) < 0)
                return -1;
        if (kept && parse_bool(kept, &keep, err) < 0)
                return err_add(err, "log option keep");
        return d->bit == SYSLOG ? check_syslog(c, err) : 0;
}

/* --- plan --- */

void log_plan_done(struct log_plan *p)
{
        free(p->path);
        free(p->packer);
        free(p->address);
        *p = (struct log_plan){ 0 };
}

static int ring_of(const struct container_config *c, uint64_t *ret, struct err *err)
{
        if (!str_eq(strv_env_get(c->log_opts, "mode"), "non-blocking"))
                return 0;
        *ret = 1 << 20;
        const char *size = strv_env_get(c->log_opts, "max-buffer-size");
        if (size && parse_size(size, ret, err) < 0)
                return -1;
        if (*ret > (uint64_t)1 << 30)
                return err_set(err, ERR_INVALID, "log option max-buffer-size: at most 1g");
        return 0;
}

int log_plan_make(struct engine *e, const struct container *c, int run_dir_fd, struct log_plan *ret, struct err *err)
{
        const struct driver *d = driver_find(log_driver_name(&c->config));
        _cleanup_free_ char *dir = container_dir_path(e, c->id);
        bool compress;
        *ret = (struct log_plan){ .driver = d ? d->name : "none", .max_files = 1 };
        if (!d || !d->bit)
                return 0;
        if (sizes_of(&c->config, d, &ret->max_size, &ret->max_files, &compress, err) < 0 || ring_of(&c->config, &ret->ring, err) < 0 ||
            log_fixed_write(e, c, run_dir_fd, err) < 0)
                return -1;
        ret->path = log_file_path(dir, c->id, &c->config);
        if (compress && ret->max_files > 1 && ret->max_size && engine_program("tare-archive", &ret->packer, err) < 0)
                return -1;
        if (d->bit != SYSLOG)
                return 0;
        ret->format = option_of(&c->config, "syslog-format", NULL);
        if (log_syslog_address(option_of(&c->config, "syslog-address", ""), true, &ret->address, err) < 0)
                return err_add(err, "failed to initialize logging driver");
        return log_syslog_facility(option_of(&c->config, "syslog-facility", ""), &ret->facility, err);
}
