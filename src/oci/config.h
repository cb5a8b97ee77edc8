/* The image configuration (image-spec config.md, and Docker's container.image.v1 which it grew from).
 *
 * Unknown members are kept in `extra` and written back, so that a build upon a foreign image loses nothing. */
#ifndef TARE_OCI_CONFIG_H
#define TARE_OCI_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/json.h"
#include "oci/platform.h"

struct healthcheck {
        char **test;                   /* {"NONE"}, {"CMD", ...}, {"CMD-SHELL", text}; NULL: inherit */
        int64_t interval, timeout, start_period, start_interval;   /* ns, 0: inherit */
        int64_t retries;
};
void healthcheck_done(struct healthcheck *h);
void healthcheck_copy(const struct healthcheck *from, struct healthcheck *ret);
int healthcheck_from_json(const json_t *o, const struct jpath *path, struct healthcheck *ret, struct err *err);
json_t *healthcheck_to_json(const struct healthcheck *h);

struct history {
        char *created;                 /* RFC 3339 text as found */
        char *created_by;
        char *author;
        char *comment;
        bool empty_layer;
};

/* The execution part ("config"): what a container inherits. */
struct image_exec {
        char *user;
        char **env;                    /* NAME=VALUE */
        char **entrypoint;             /* NULL: none */
        char **cmd;
        char *working_dir;
        char **exposed_ports;          /* "80/tcp", sorted */
        char **volumes;                /* absolute paths, sorted */
        char **labels;                 /* "k=v" */
        char *stop_signal;
        int64_t stop_timeout;          /* s, -1: unset */
        char **shell;
        char **onbuild;
        struct healthcheck healthcheck;
        bool args_escaped;
};
void image_exec_done(struct image_exec *x);
void image_exec_init(struct image_exec *x);
void image_exec_copy(const struct image_exec *from, struct image_exec *ret);
int image_exec_from_json(const json_t *o, const struct jpath *path, struct image_exec *ret, struct err *err);
json_t *image_exec_to_json(const struct image_exec *x);

struct image_config {
        struct platform platform;
        char *created;                 /* RFC 3339 text */
        char *author;
        struct image_exec exec;
        char **diff_ids;               /* strv of digests of the uncompressed layers, lowest first */
        struct history *history;
        size_t history_count;
        json_t *extra;                 /* unknown top-level members, or NULL */
        json_t *exec_extra;            /* unknown members of "config", or NULL */
};
void image_config_done(struct image_config *c);
void image_config_init(struct image_config *c);
#define _cleanup_image_config_ _cleanup_(image_config_done)
int image_config_parse(const char *text, size_t len, struct image_config *ret, struct err *err);
char *image_config_format(const struct image_config *c);       /* canonical bytes, heap */
void image_config_copy(const struct image_config *from, struct image_config *ret);
/* Appends a history entry (strings copied, NULL allowed). */
void image_config_add_history(struct image_config *c, const char *created, const char *created_by, const char *author,
                              const char *comment, bool empty_layer);
/* Applies one of the instructions that commit --change takes (CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, ONBUILD, STOPSIGNAL,
 * USER, VOLUME, WORKDIR, HEALTHCHECK) lies in build/; this struct is only data. */

/* chain ids (image-spec config.md, "Layer ChainID"): chain(0) = diff_ids[0], chain(n) = sha256(chain(n-1) + " " + diff_ids[n]).
 * Returns a strv of strv_len(diff_ids) digests. Links libcrypto. */
char **image_chain_ids(char *const *diff_ids);

#endif
