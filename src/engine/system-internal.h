/* The steps of system_check(). Each looks at one kind of thing, tells what does not fit, and with repair puts it right; what cannot be put right
 * is told too and does not end the check. An error is returned only when looking itself fails.
 *
 * Others work at the same time, so everything is looked at in the order in which it comes to be: a thing is without a row only if it was seen
 * first and the row was missed afterwards. */
#ifndef TARE_ENGINE_SYSTEM_INTERNAL_H
#define TARE_ENGINE_SYSTEM_INTERNAL_H

#include <stdbool.h>
#include "engine/engine-internal.h"

struct check {
        struct engine *engine;
        struct storage *storage;
        bool repair;
        void (*told)(void *data, const char *line);
        void *data;
        unsigned found;
        char **created;                /* ids of containers in the events, sorted; read when first asked for */
};
/* Counts and tells a mismatch; true when it is to be repaired. */
bool check_found(struct check *k, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Tells why a repair did not work. */
void check_failed(struct check *k, const struct err *why);
/* 1: there is a row of this id, *ret_state its state (may be NULL); 0: there is none; -1. */
int check_row(struct check *k, const char *id, enum container_state *ret_state, struct err *err);
/* Every name in a folder of ours, sorted; none when the folder is missing. */
int check_names(const char *path, char ***ret, struct err *err);
bool check_is_id(const char *name);
/* Whether a container of that id, which has no row, was one of this data root: what is left of it here, or an event, says so. */
bool check_was_ours(struct check *k, const char *id);
/* Removes a control group and kills who is in it; one that is not there is success. */
int check_group_remove(const char *path, struct err *err);

int check_database(struct check *k, struct err *err);
int check_containers(struct check *k, struct err *err);
int check_cgroups(struct check *k, struct err *err);
int check_run_dirs(struct check *k, struct err *err);
int check_monitors(struct check *k, struct err *err);
int check_builds(struct check *k, struct err *err);
int check_roots(struct check *k, struct err *err);
int check_container_dirs(struct check *k, struct err *err);
int check_networks(struct check *k, struct err *err);
int check_volumes(struct check *k, struct err *err);
int check_leftovers(struct check *k, struct err *err);
int check_images(struct check *k, struct err *err);

#endif
