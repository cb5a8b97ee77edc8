/* events: what happened, and what happens. */
#include "base/str.h"
#include "base/timefmt.h"
#include "cli/command.h"
#include "cli/output.h"
#include "events/events.h"

struct events_options { char *since, *until, *format; char **filters; };
struct printing { bool json; struct template *template; };

/* Docker's line: time, type, action, id and the attributes by name. */
static int print_line(const struct event *e, struct err *err)
{
        char text[TIME_TEXT_SIZE];
        _cleanup_strv_ char **sorted = strv_dup(e->attributes);
        strv_sort(sorted);
        _cleanup_free_ char *attributes = strv_join(sorted, ", ");
        bool none = str_empty(attributes);
        return out_line(err, "%s %s %s %s%s%s%s", time_format(e->time, text), e->type, e->action, e->id, none ? "" : " (", attributes, none ? "" : ")");
}

/* Templates see the names of docker's struct, JSON its keys. */
static json_t *template_value(const struct event *e)
{
        static const struct { const char *key, *name; } renamed[] = {
                { "status", "Status" }, { "id", "ID" }, { "from", "From" }, { "scope", "Scope" }, { "time", "Time" }, { "timeNano", "TimeNano" },
        };
        json_t *o = event_to_json(e);
        for (size_t i = 0; i < ELEMENTS(renamed); i++) {
                json_t *value = json_object_get(o, renamed[i].key);
                json_object_set_new(o, renamed[i].name, value ? json_incref(value) : json_string(""));
                json_object_del(o, renamed[i].key);
        }
        return o;
}

static int print_template(const struct template *t, const struct event *e, struct err *err)
{
        _cleanup_json_ json_t *value = template_value(e);
        _cleanup_buf_ struct buf out = BUF_INIT(0);
        if (template_execute(t, value, &out, err) < 0 || buf_addc(&out, '\n', err) < 0)
                return -1;
        return out_write(out.data, out.len, err);
}

static int print_json(const struct event *e, struct err *err)
{
        _cleanup_json_ json_t *document = event_to_json(e);
        _cleanup_free_ char *text = json_text(document);
        return out_line(err, "%s", text);
}

static int print_event(void *data, const struct event *e, struct err *err)
{
        const struct printing *p = data;
        return p->json ? print_json(e, err) : p->template ? print_template(p->template, e, err) : print_line(e, err);
}

static void printing_done(struct printing *p) { template_freep(&p->template); }

static int events_run(struct cli *cli, void *options, char **args, struct err *err)
{
        const struct events_options *o = options;
        struct engine *e;
        _cleanup_(event_filter_freep) struct event_filter *filter = NULL;
        _cleanup_(printing_done) struct printing p = { .json = str_eq(o->format, "json") || str_eq(o->format, "{{json .}}") };
        /* docker's: what is past is shown only to who asks for it */
        struct events_query q = { .since = time_now(), .follow = true };
        if (o->since && time_parse(o->since, &q.since, err) < 0)
                return err_add(err, "invalid value for \"since\"");
        if (o->until && time_parse(o->until, &q.until, err) < 0)
                return err_add(err, "invalid value for \"until\"");
        if (event_filter_parse(o->filters, &filter, err) < 0 ||
            (!p.json && !str_empty(o->format) && template_parse(o->format, &p.template, err) < 0) || cli_engine(cli, &e, err) < 0)
                return -1;
        q.filter = filter;
        return events_read(engine_root(e), &q, print_event, &p, err);
}

static const struct option_row events_rows[] = {
        { 'f', "filter", OPT_STRV, offsetof(struct events_options, filters), "filter", "Filter output based on conditions provided" },
        { 0, "format", OPT_STRING, offsetof(struct events_options, format), "string", "Format output using a custom template, or json" },
        { 0, "since", OPT_STRING, offsetof(struct events_options, since), "string", "Show all events created since timestamp" },
        { 0, "until", OPT_STRING, offsetof(struct events_options, until), "string", "Stream events until this timestamp" },
        {},
};
const struct command command_events = {
        .options = events_rows, .options_size = sizeof(struct events_options), .max_args = 0, .args = "", .run = events_run,
        .description = "Prints what happens to containers, images, networks and volumes, as it happens. With --since what happened before "
                       "comes first: it is kept on disk, through reboots, the newest 24 MB at least. With --until the command ends then; with an "
                       "--until that is past it prints what was and ends.\n\n"
                       "Filters: type=container|image|network|volume, event=ACTION, container=, image=, network=, volume=, label=KEY[=VALUE]. "
                       "Values of one key are alternatives, keys and labels must all be met.",
        .examples = "tare events --since 1h --until 0s --filter event=die -- containers that ended in the last hour\n"
                    "tare events --format '{{.Action}} {{.Actor.Attributes.name}}' -- as it happens, shortly\n",
};
