#include "engine/metrics.h"

#include <inttypes.h>
#include <stddef.h>

#include "base/str.h"
#include "base/timefmt.h"

enum of { OF_RUN, OF_PRESSURE, OF_ALL_RUNS }; /* numbers that are there while it runs; those only v2 has; and always */
struct metric {
        const char *name, *type, *help;
        enum of of;
        size_t offset;                 /* of a uint64_t in struct stats_sample */
        double unit;                   /* 1: a whole number */
        const char *label;             /* one more than id, image and name; or NULL */
};
#define AT(member) offsetof(struct stats_sample, member)
#define COUNTER "counter"
#define GAUGE "gauge"

static const struct metric metrics[] = {
        { "container_cpu_usage_seconds_total", COUNTER, "Cumulative cpu time consumed in seconds.", OF_RUN, AT(now.cpu_usage_ns), 1e9, "cpu=\"total\"" },
        { "container_cpu_user_seconds_total", COUNTER, "Cumulative user cpu time consumed in seconds.", OF_RUN, AT(now.cpu_user_ns), 1e9, NULL },
        { "container_cpu_system_seconds_total", COUNTER, "Cumulative system cpu time consumed in seconds.", OF_RUN, AT(now.cpu_system_ns), 1e9, NULL },
        { "container_cpu_cfs_periods_total", COUNTER, "Number of elapsed enforcement period intervals.", OF_RUN, AT(now.periods), 1, NULL },
        { "container_cpu_cfs_throttled_periods_total", COUNTER, "Number of throttled period intervals.", OF_RUN, AT(now.throttled_periods), 1, NULL },
        { "container_cpu_cfs_throttled_seconds_total", COUNTER, "Total time duration the container has been throttled.", OF_RUN, AT(now.throttled_ns),
          1e9, NULL },
        { "container_memory_usage_bytes", GAUGE, "Current memory usage in bytes, including all memory regardless of when it was accessed.", OF_RUN,
          AT(now.memory_usage), 1, NULL },
        { "container_memory_working_set_bytes", GAUGE, "Current memory without inactive file pages.", OF_RUN, AT(working_set), 1, NULL },
        { "container_memory_max_usage_bytes", GAUGE, "Maximum memory usage recorded in bytes.", OF_RUN, AT(now.memory_max_usage), 1, NULL },
        { "container_memory_swap", GAUGE, "Container swap usage in bytes.", OF_RUN, AT(now.memory_swap), 1, NULL },
        { "container_spec_memory_limit_bytes", GAUGE, "Memory limit for the container, 0 for none.", OF_RUN, AT(now.memory_limit), 1, NULL },
        { "container_network_receive_bytes_total", COUNTER, "Cumulative count of bytes received.", OF_RUN, AT(received), 1, NULL },
        { "container_network_transmit_bytes_total", COUNTER, "Cumulative count of bytes transmitted.", OF_RUN, AT(sent), 1, NULL },
        { "container_fs_reads_bytes_total", COUNTER, "Cumulative count of bytes read.", OF_RUN, AT(now.io_read_bytes), 1, NULL },
        { "container_fs_writes_bytes_total", COUNTER, "Cumulative count of bytes written.", OF_RUN, AT(now.io_write_bytes), 1, NULL },
        { "container_fs_reads_total", COUNTER, "Cumulative count of reads completed.", OF_RUN, AT(now.io_read_ops), 1, NULL },
        { "container_fs_writes_total", COUNTER, "Cumulative count of writes completed.", OF_RUN, AT(now.io_write_ops), 1, NULL },
        { "container_threads", GAUGE, "Number of threads running inside the container.", OF_RUN, AT(now.pids_current), 1, NULL },
        { "container_threads_max", GAUGE, "Maximum number of threads allowed inside the container, 0 for no limit.", OF_RUN, AT(now.pids_limit), 1, NULL },
        { "container_oom_events_total", COUNTER, "Count of out of memory events observed for the container.", OF_RUN, AT(now.oom_kills), 1, NULL },
        { "container_start_time_seconds", GAUGE, "Start time of the container since unix epoch in seconds.", OF_RUN, AT(started), 1e9, NULL },
        { "container_pressure_cpu_waiting_seconds_total", COUNTER, "Time in which some task waited for a processor.", OF_PRESSURE,
          AT(now.cpu_waiting_us), 1e6, NULL },
        { "container_pressure_memory_waiting_seconds_total", COUNTER, "Time in which some task waited for memory.", OF_PRESSURE,
          AT(now.memory_waiting_us), 1e6, NULL },
        { "container_pressure_memory_stalled_seconds_total", COUNTER, "Time in which all tasks waited for memory.", OF_PRESSURE,
          AT(now.memory_stalled_us), 1e6, NULL },
        { "container_pressure_io_waiting_seconds_total", COUNTER, "Time in which some task waited for block IO.", OF_PRESSURE, AT(now.io_waiting_us),
          1e6, NULL },
        { "container_pressure_io_stalled_seconds_total", COUNTER, "Time in which all tasks waited for block IO.", OF_PRESSURE, AT(now.io_stalled_us),
          1e6, NULL },
        { "tare_container_runs_total", COUNTER, "Runs of the container.", OF_ALL_RUNS, AT(total.runs), 1, NULL },
        { "tare_container_run_seconds_total", COUNTER, "Time in all runs.", OF_ALL_RUNS, AT(total.run_ms), 1e3, NULL },
        { "tare_container_cpu_seconds_total", COUNTER, "Processor time in all runs.", OF_ALL_RUNS, AT(total.cpu_ns), 1e9, NULL },
        { "tare_container_memory_byte_seconds_total", COUNTER, "Memory times time in all runs, a sum of samples.", OF_ALL_RUNS,
          AT(total.memory_byte_ms), 1e3, NULL },
        { "tare_container_memory_peak_bytes", GAUGE, "Most memory of all runs.", OF_ALL_RUNS, AT(total.memory_peak), 1, NULL },
        { "tare_container_block_read_bytes_total", COUNTER, "Bytes read from devices in all runs.", OF_ALL_RUNS, AT(total.io_read_bytes), 1, NULL },
        { "tare_container_block_written_bytes_total", COUNTER, "Bytes written to devices in all runs.", OF_ALL_RUNS, AT(total.io_write_bytes), 1, NULL },
        { "tare_container_block_reads_total", COUNTER, "Reads from devices in all runs.", OF_ALL_RUNS, AT(total.io_read_ops), 1, NULL },
        { "tare_container_block_writes_total", COUNTER, "Writes to devices in all runs.", OF_ALL_RUNS, AT(total.io_write_ops), 1, NULL },
        { "tare_container_network_receive_bytes_total", COUNTER, "Bytes received in all runs.", OF_ALL_RUNS, AT(total.received), 1, NULL },
        { "tare_container_network_transmit_bytes_total", COUNTER, "Bytes sent in all runs.", OF_ALL_RUNS, AT(total.sent), 1, NULL },
        { "tare_container_oom_kills_total", COUNTER, "Processes killed for want of memory in all runs.", OF_ALL_RUNS, AT(total.oom_kills), 1, NULL },
};

static int text_escape(struct buf *out, const char *text, struct err *err)
{
        for (; *text; text++) {
                const char *escaped = *text == '\\' ? "\\\\" : *text == '"' ? "\\\"" : *text == '\n' ? "\\n" : NULL;
                if ((escaped ? buf_add(out, escaped, 2, err) : buf_addc(out, *text, err)) < 0)
                        return -1;
        }
        return 0;
}

/* {id="/tare/..",image="..",name=".."}, the last brace left open. Heap. */
static char *labels_make(const struct stats_sample *s)
{
        struct buf b = { 0 };
        struct err ignored = ERR_INIT; /* far below a buffer's maximum */
        const char *const pairs[][2] = { { "{id=\"", s->group }, { "\",image=\"", s->image }, { "\",name=\"", s->name } };
        for (size_t i = 0; i < ELEMENTS(pairs); i++) {
                buf_addf(&b, &ignored, "%s", pairs[i][0]);
                text_escape(&b, pairs[i][1] ? pairs[i][1] : "", &ignored);
        }
        buf_addf(&b, &ignored, "\"");
        return buf_take(&b);
}

static int value_add(const struct metric *m, const struct stats_sample *s, const char *labels, struct buf *out, struct err *err)
{
        uint64_t value = *(const uint64_t *)((const char *)s + m->offset);
        const char *comma = m->label ? "," : "", *more = m->label ? m->label : "";
        if (value == UINT64_MAX)       /* a limit that there is not */
                value = 0;
        if (m->unit == 1)
                return buf_addf(out, err, "%s%s%s%s} %" PRIu64 "\n", m->name, labels, comma, more, value);
        return buf_addf(out, err, "%s%s%s%s} %.6f\n", m->name, labels, comma, more, (double)value / m->unit);
}

static int head_add(const char *name, const char *type, const char *help, struct buf *out, struct err *err)
{
        return buf_addf(out, err, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static int states_add(const struct stats_sample *s, size_t count, struct buf *out, struct err *err)
{
        uint64_t counts[STATE_DEAD + 1] = { 0 };
        if (head_add("tare_containers", GAUGE, "Containers by state.", out, err) < 0)
                return -1;
        for (size_t i = 0; i < count; i++)
                counts[s[i].state]++;
        for (int i = 0; i <= STATE_DEAD; i++)
                if (buf_addf(out, err, "tare_containers{state=\"%s\"} %" PRIu64 "\n", container_state_name((enum container_state)i), counts[i]) < 0)
                        return -1;
        return 0;
}

static int metric_add(const struct metric *m, const struct stats_sample *s, char *const *labels, size_t count, struct buf *out, struct err *err)
{
        if (m->of == OF_PRESSURE && !cgroup_only_unified())
                return 0;
        if (head_add(m->name, m->type, m->help, out, err) < 0)
                return -1;
        for (size_t i = 0; i < count; i++)
                if ((m->of == OF_ALL_RUNS || s[i].running) && value_add(m, &s[i], labels[i], out, err) < 0)
                        return -1;
        return 0;
}

int metrics_format(const struct stats_sample *s, size_t count, struct buf *out, struct err *err)
{
        _cleanup_strv_ char **labels = NULL;
        if (states_add(s, count, out, err) < 0)
                return -1;
        for (size_t i = 0; i < count; i++)
                strv_push_take(&labels, labels_make(&s[i]));
        for (size_t i = 0; i < ELEMENTS(metrics); i++)
                if (metric_add(&metrics[i], s, labels, count, out, err) < 0)
                        return -1;
        return 0;
}

int metrics_collect(struct stats_collector *c, struct buf *out, struct err *err)
{
        const struct stats_sample *s;
        size_t count;
        int64_t before = time_monotonic();
        if (stats_collect(c, &s, &count, err) < 0 || metrics_format(s, count, out, err) < 0 ||
            head_add("tare_metrics_collect_seconds", GAUGE, "Time this collection took.", out, err) < 0)
                return -1;
        return buf_addf(out, err, "tare_metrics_collect_seconds %.6f\n", (double)(time_monotonic() - before) / 1e9);
}
