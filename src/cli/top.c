#include "base/str.h"
#include "cli/command.h"
#include "cli/output.h"
#include "cli/tabulate-internal.h"
#include "engine/containers.h"

#define TOP_CELL_MIN 20 /* docker's */

static int add_line(struct buf *out, char *const *cells, struct err *err)
{
        _cleanup_free_ char *line = strv_join(cells, "\t");
        return buf_addf(out, err, "%s\n", line ? line : "");
}

static int print_result(const struct top_result *t, struct err *err)
{
        _cleanup_buf_ struct buf text = { 0 }, aligned = { 0 };
        if (add_line(&text, t->titles, err) < 0)
                return -1;
        for (size_t i = 0; i < t->row_count; i++)
                if (add_line(&text, t->rows[i], err) < 0)
                        return -1;
        if (tabulate(text.data, text.len, TOP_CELL_MIN, &aligned, err) < 0)
                return -1;
        return out_write(aligned.data, aligned.len, err);
}

static int top_run(struct cli *cli, void *options, char **args, struct err *err)
{
        struct top_result result = { 0 };
        struct engine *e;
        if (cli_engine(cli, &e, err) < 0 || container_top(e, args[0], args + 1, &result, err) < 0)
                return -1;
        int r = print_result(&result, err);
        top_result_done(&result);
        return r;
}

const struct command command_top = {
        .min_args = 1,
        .max_args = -1,
        .args = "CONTAINER [ps OPTIONS]",
        .stop_at_args = true,
        .description = "Lists the processes of a running container as ps(1) of the host shows them.",
        .examples = "tare top web -o pid,comm -- choose the columns\n",
        .run = top_run,
};
