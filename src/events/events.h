/* The record of what happened: one line appended for each thing done to a container, image, network or volume, kept through reboots.
 *
 * Nobody serves it: who does something writes it (events_tell(), in the rooms that do), who wants to know reads the files and waits on
 * them. ROOT/events/log is the newest file; at EVENTS_FILE_MAX it becomes log.1, log.1 becomes log.2, and EVENTS_FILES are kept. A line
 * is {"timeNano":n,"Type":s,"Action":s,"Actor":{"ID":s,"Attributes":{}}}, docker's fields (Engine API, SystemEvents), written by one
 * write(2), so that writers need no lock. Lines of two writers may stand some microseconds out of order. A line torn by a power cut or a
 * full disk is lost, and no other is.
 */
#ifndef TARE_EVENTS_EVENTS_H
#define TARE_EVENTS_EVENTS_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/json.h"

#define EVENTS_FILE_MAX ((int64_t)8 << 20)
#define EVENTS_FILES 4

struct event {
        int64_t time;                  /* ns */
        char *type, *action, *id;      /* "container", "start", the full id (an image: its digest or name) */
        char **attributes;             /* "key=value": "image", "name", "exitCode", and the labels */
};
void event_done(struct event *e);
#define _cleanup_event_ _cleanup_(event_done)

/* Appends an event of now. What was done is done: a full disk loses the event (told in the debug log), never the deed. */
void events_tell(const char *root, const char *type, const char *action, const char *id, char *const *attributes);

/* Docker's --filter texts, "key=value" or "key!=value" is not known: type, event (action), container, image, network, volume, label,
 * scope, daemon, plugin... Values of one key are alternatives, keys are all to be met. */
struct event_filter;
int event_filter_parse(char *const *texts, struct event_filter **ret, struct err *err);
void event_filter_free(struct event_filter *f);
DEFINE_CLEANUP(struct event_filter *, event_filter_free)
bool event_filter_passes(const struct event_filter *f, const struct event *e);         /* NULL passes all */

struct events_query {
        int64_t since, until;          /* ns, 0: from the first kept; till now */
        bool follow;                   /* goes on with what happens until `until`, without it for ever */
        const struct event_filter *filter;
};
/* 1 from fn ends the reading, which is success; -1 is an error. */
typedef int (*event_fn)(void *data, const struct event *e, struct err *err);
int events_read(const char *root, const struct events_query *q, event_fn fn, void *data, struct err *err);
/* Docker's document of an event, with "status", "id" and "from" as older clients read them. */
json_t *event_to_json(const struct event *e);

#endif
