#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/output.h"
#include "engine/system.h"

struct info_options {
        char *format;
};

enum info_kind { INFO_PLAIN, INFO_BYTES, INFO_PAIRS, INFO_LIST, INFO_KEYS };
/* What of docker's document is shown, in docker's words and order. */
static const struct info_row {
        const char *label, *key;
        enum info_kind kind;
} info_rows[] = {
        { "Containers", "Containers", INFO_PLAIN },
        { " Running", "ContainersRunning", INFO_PLAIN },
        { " Paused", "ContainersPaused", INFO_PLAIN },
        { " Stopped", "ContainersStopped", INFO_PLAIN },
        { "Images", "Images", INFO_PLAIN },
        { "Server Version", "ServerVersion", INFO_PLAIN },
        { "Storage Driver", "Driver", INFO_PLAIN },
        { NULL, "DriverStatus", INFO_PAIRS },
        { "Logging Driver", "LoggingDriver", INFO_PLAIN },
        { "Cgroup Driver", "CgroupDriver", INFO_PLAIN },
        { "Cgroup Version", "CgroupVersion", INFO_PLAIN },
        { "Runtimes", "Runtimes", INFO_KEYS },
        { "Default Runtime", "DefaultRuntime", INFO_PLAIN },
        { "Security Options", "SecurityOptions", INFO_LIST },
        { "Kernel Version", "KernelVersion", INFO_PLAIN },
        { "Operating System", "OperatingSystem", INFO_PLAIN },
        { "OSType", "OSType", INFO_PLAIN },
        { "Architecture", "Architecture", INFO_PLAIN },
        { "CPUs", "NCPU", INFO_PLAIN },
        { "Total Memory", "MemTotal", INFO_BYTES },
        { "Name", "Name", INFO_PLAIN },
        { "ID", "ID", INFO_PLAIN },
        { "Root Dir", "DockerRootDir", INFO_PLAIN },
        { "Run Dir", "RunRoot", INFO_PLAIN },
        { "Live Restore Enabled", "LiveRestoreEnabled", INFO_PLAIN },
};

static char *scalar_text(const json_t *value)
{
        if (json_is_string(value))
                return xstrdup(json_string_value(value));
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        return text ? text : xstrdup("?");
}

/* [["Backing Filesystem","ext4"], ...] */
static int add_pairs(const json_t *value, struct buf *out, struct err *err)
{
        size_t i;
        json_t *pair;
        json_array_foreach (value, i, pair) {
                _cleanup_free_ char *name = scalar_text(json_array_get(pair, 0)),
                                    *text = scalar_text(json_array_get(pair, 1));
                if (buf_addf(out, err, "  %s: %s\n", name, text) < 0)
                        return -1;
        }
        return 0;
}

static int add_list(const char *label, const json_t *value, struct buf *out, struct err *err)
{
        size_t i;
        json_t *one;
        if (json_array_size(value) == 0)
                return 0;
        if (buf_addf(out, err, " %s:\n", label) < 0)
                return -1;
        json_array_foreach (value, i, one) {
                _cleanup_free_ char *text = scalar_text(one);
                const char *name = str_after(text, "name=");
                if (buf_addf(out, err, "  %s\n", name ? name : text) < 0)
                        return -1;
        }
        return 0;
}

static int add_keys(const char *label, const json_t *value, struct buf *out, struct err *err)
{
        const char *key;
        json_t *one;
        if (buf_addf(out, err, " %s:", label) < 0)
                return -1;
        json_object_foreach ((json_t *)(uintptr_t)value, key, one)
                if (buf_addf(out, err, " %s", key) < 0)
                        return -1;
        return buf_addc(out, '\n', err);
}

static int add_row(const struct info_row *row, const json_t *value, struct buf *out, struct err *err)
{
        if (row->kind == INFO_PAIRS)
                return add_pairs(value, out, err);
        if (row->kind == INFO_LIST)
                return add_list(row->label, value, out, err);
        if (row->kind == INFO_KEYS)
                return add_keys(row->label, value, out, err);
        _cleanup_free_ char *text =
                row->kind == INFO_BYTES ? format_size_binary((uint64_t)json_integer_value(value)) : scalar_text(value);
        return buf_addf(out, err, " %s: %s\n", row->label, text);
}

static int print_text(const json_t *document, struct err *err)
{
        _cleanup_buf_ struct buf out = { 0 };
        if (buf_addf(&out, err, "Client: tare\n Version:    %s\n\nServer: (no daemon)\n", TARE_VERSION) < 0)
                return -1;
        for (size_t i = 0; i < ELEMENTS(info_rows); i++) {
                const json_t *value = json_object_get(document, info_rows[i].key);
                if (value && !json_is_null(value) && add_row(&info_rows[i], value, &out, err) < 0)
                        return -1;
        }
        return out_write(out.data, out.len, err);
}

static int print_template(const json_t *document, const char *format, struct err *err)
{
        _cleanup_(template_freep) struct template *t = NULL;
        _cleanup_buf_ struct buf out = { 0 };
        if (template_parse(str_eq(format, "json") ? "{{json .}}" : format, &t, err) < 0)
                return -1;
        if (template_execute(t, document, &out, err) < 0)
                return err_add(err, "template parsing error");
        return out_line(err, "%s", out.len ? out.data : "");
}

static int info_run(struct cli *cli, void *options, char **args, struct err *err)
{
        const struct info_options *o = options;
        _cleanup_json_ json_t *document = NULL;
        struct engine *e;
        if (cli_engine(cli, &e, err) < 0 || system_info(e, &document, err) < 0)
                return -1;
        return str_empty(o->format) ? print_text(document, err) : print_template(document, o->format, err);
}

static const struct option_row rows[] = {
        { 'f', "format", OPT_STRING, offsetof(struct info_options, format), NULL,
          "Format output: 'json' or a Go template" },
        { 0 },
};

const struct command command_info = {
        .options = rows,
        .options_size = sizeof(struct info_options),
        .description = "Shows what this host offers and what is on it: containers, images, drivers, cgroups, security.",
        .run = info_run,
};
