/* search. */
#include <stddef.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/output.h"
#include "registry/client.h"

struct search_flags { int64_t limit; bool no_trunc, insecure; char *format; char **filters; };

static void search_init(void *options) { ((struct search_flags *)options)->limit = 25; }

static json_t *search_row(const struct search_result *r, bool no_trunc)
{
        const char *description = r->description ? r->description : "";
        _cleanup_free_ char *shown = !no_trunc && strlen(description) > 45 ? xasprintf("%.42s...", description) : xstrdup(description);
        _cleanup_free_ char *stars = xasprintf("%lld", (long long)r->stars);
        return json_pack("{s:s, s:s, s:s, s:s, s:s}", "Name", r->name, "Description", shown, "StarCount", stars, "IsOfficial",
                         r->official ? "[OK]" : "", "IsAutomated", r->automated ? "[OK]" : "");
}

/* "registry:port/term" searches that registry, a bare term Docker Hub. */
static int search_run(struct cli *cli, void *options, char **args, struct err *err)
{
        static const struct table_column columns[] = { { "Name", "NAME" }, { "Description", "DESCRIPTION" }, { "StarCount", "STARS" },
                                                       { "IsOfficial", "OFFICIAL" }, { "IsAutomated", "AUTOMATED" }, {} };
        static const char *const shown[] = { "Name", "Description", "StarCount", "IsOfficial", NULL };
        const struct search_flags *f = options;
        const char *slash = strchr(args[0], '/');
        bool has_domain = slash && (memchr(args[0], '.', (size_t)(slash - args[0])) || memchr(args[0], ':', (size_t)(slash - args[0])));
        _cleanup_free_ char *domain = has_domain ? xstrndup(args[0], (size_t)(slash - args[0])) : xstrdup("docker.io");
        struct registry_options o = { .domain = domain, .insecure = f->insecure };
        _cleanup_(registry_closep) struct registry *r = NULL;
        struct search_result *results = NULL;
        size_t count = 0;
        if (f->limit < 1 || f->limit > 100)
                return err_set(err, ERR_INVALID, "limit %lld is outside the range of [1, 100]", (long long)f->limit);
        if (registry_open(&o, &r, err) < 0 || registry_search(r, has_domain ? slash + 1 : args[0], (size_t)f->limit, &results, &count, err) < 0)
                return -1;
        _cleanup_json_ json_t *rows = json_array();
        for (size_t i = 0; i < count; i++)
                json_array_append_new(rows, search_row(&results[i], f->no_trunc));
        search_results_free(results, count);
        return table_print(rows, columns, shown, f->format, err);
}

static const struct option_row search_rows[] = {
        { 0, "format", OPT_STRING, offsetof(struct search_flags, format), "string", "Pretty-print search using a Go template" },
        { 0, "insecure", OPT_BOOL, offsetof(struct search_flags, insecure), NULL, "Allow plain HTTP and unverified TLS with this registry" },
        { 0, "limit", OPT_I64, offsetof(struct search_flags, limit), "int", "Max number of search results (default 25)" },
        { 0, "no-trunc", OPT_BOOL, offsetof(struct search_flags, no_trunc), NULL, "Don't truncate output" },
        {},
};
const struct command command_search = {
        .options = search_rows, .options_size = sizeof(struct search_flags), .init = search_init, .min_args = 1, .max_args = 1,
        .args = "[REGISTRY/]TERM", .run = search_run,
        .description = "Searches Docker Hub, or REGISTRY: by its search service where it has one, else by its catalog of repositories.",
};
