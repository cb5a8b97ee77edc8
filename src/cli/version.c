#include <sys/utsname.h>

#include "base/json.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/output.h"

#define API_VERSION "1.43" /* of the Docker Engine API whose words tare speaks */

struct version_options {
        char *format;
};

/* docker's document has a client and a server; with tare they are one program. */
static json_t *version_document(void)
{
        struct utsname kernel;
        uname(&kernel);
        const char *arch = str_eq(kernel.machine, "x86_64")    ? "amd64"
                           : str_eq(kernel.machine, "aarch64") ? "arm64"
                                                               : kernel.machine;
        json_t *client = json_pack("{s:s,s:s,s:s,s:s,s:s}", "Version", TARE_VERSION, "ApiVersion", API_VERSION,
                                   "DefaultAPIVersion", API_VERSION, "Os", "linux", "Arch", arch);
        json_t *server =
                json_pack("{s:s,s:s,s:s,s:s,s:s,s:s}", "Version", TARE_VERSION, "ApiVersion", API_VERSION,
                          "MinAPIVersion", "1.24", "Os", "linux", "Arch", arch, "KernelVersion", kernel.release);
        return json_pack("{s:o,s:o}", "Client", client, "Server", server);
}

static const char text_format[] =
        "Client: tare\n Version:           {{.Client.Version}}\n API version:       {{.Client.ApiVersion}}\n"
        " OS/Arch:           {{.Client.Os}}/{{.Client.Arch}}\n\n"
        "Server: tare (no daemon)\n Engine:\n  Version:          {{.Server.Version}}\n"
        "  API version:      {{.Server.ApiVersion}} (minimum version {{.Server.MinAPIVersion}})\n"
        "  OS/Arch:          {{.Server.Os}}/{{.Server.Arch}}\n  Kernel:           {{.Server.KernelVersion}}";

static int version_run(struct cli *cli, void *options, char **args, struct err *err)
{
        const struct version_options *o = options;
        _cleanup_json_ json_t *document = version_document();
        _cleanup_(template_freep) struct template *t = NULL;
        _cleanup_buf_ struct buf out = { 0 };
        const char *format = str_empty(o->format) ? text_format : str_eq(o->format, "json") ? "{{json .}}" : o->format;
        if (template_parse(format, &t, err) < 0 || template_execute(t, document, &out, err) < 0)
                return -1;
        return out_line(err, "%s", out.len ? out.data : "");
}

static const struct option_row rows[] = {
        { 'f', "format", OPT_STRING, offsetof(struct version_options, format), NULL,
          "Format output: 'json' or a Go template" },
        { 0 },
};

const struct command command_version = {
        .options = rows,
        .options_size = sizeof(struct version_options),
        .description = "Shows the versions of tare, of the Docker Engine API it follows, and of the kernel.",
        .examples = "tare version -f '{{.Server.Version}}' -- the version alone\n",
        .run = version_run,
};
