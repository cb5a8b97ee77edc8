/* Log drivers as the engine sees them: which there are, what options they take, where their files are, and how they are read back.
 * The monitor writes (monitor/log-internal.h); what it is told is a log_plan. */
#ifndef TARE_ENGINE_LOG_INTERNAL_H
#define TARE_ENGINE_LOG_INTERNAL_H

#include "base/linefiles.h"
#include "engine/containers.h"

#define LOG_DRIVER_DEFAULT "local"

/* Of a container's definition; one made before there was a choice has none and means json-file. */
const char *log_driver_name(const struct container_config *c);
/* The names of all, NULL-terminated. */
extern const char *const log_driver_names[];
/* docker's words for a driver or option that does not exist or means nothing. */
int log_config_check(const struct container_config *c, struct err *err);
/* Where the container's newest log file is, or will be; NULL: the driver keeps none. Heap. dir: the container's folder. */
char *log_file_path(const char *dir, const char *id, const struct container_config *c);

/* What the monitor is told. */
struct log_plan {
        const char *driver;
        char *path, *packer, *address;
        const char *format;            /* inside the definition */
        uint64_t max_size, ring;
        uint32_t max_files, facility;
};
void log_plan_done(struct log_plan *p);
/* Writes log-fixed into the run directory where the records have a part that never changes. */
int log_plan_make(struct engine *e, const struct container *c, int run_dir_fd, struct log_plan *ret, struct err *err);
/* The file log-fixed of the run directory: what the driver writes with every record. None where there is nothing. */
int log_fixed_write(struct engine *e, const struct container *c, int run_dir_fd, struct err *err);
/* What `labels`, `env`, `tag` and their kin choose, as "key=value" entries, sorted. */
int log_attributes(struct engine *e, const struct container *c, char ***ret, struct err *err);
/* The expanded tag; fallback: the template where none is given, NULL: none then (*ret is NULL). */
int log_tag(struct engine *e, const struct container *c, const char *fallback, char **ret, struct err *err);
/* "unix:/dev/log", "udp:127.0.0.1:514", as the monitor connects; names are looked up. NULL where none is given. */
int log_syslog_address(const char *given, bool resolve, char **ret, struct err *err);
int log_syslog_facility(const char *given, uint32_t *ret, struct err *err);

/* --- reading --- */
struct log_entry {
        bool is_stderr;
        int64_t time;                  /* ns */
        const char *text;              /* with its newline, where one followed */
        size_t len;
        const char *attrs;             /* a JSON object, or NULL */
        size_t attrs_len;
};
struct log_source {
        const char *path, *id;
        const char *const *unpack;     /* argv of the program that unpacks a rotated file, its name to be appended; NULL: there is none */
        int64_t tail, since;
        bool follow;
};
/* A driver's reading half. Entries come in the order they were written; a few from before `since` may come too. What is torn or foreign is
 * passed over. */
struct log_reader_kind {
        void *(*open)(const struct log_source *s, struct err *err);
        /* 1: *ret, valid until the next call; 0: nothing more for now. */
        int (*next)(void *reader, struct log_entry *ret, struct err *err);
        void (*close)(void *reader);
        /* -1, or what becomes readable when there is more; else the folder is watched. */
        int (*fd)(void *reader);
};
extern const struct log_reader_kind log_reader_json_file, log_reader_local, log_reader_k8s_file, log_reader_journald;
/* NULL: "configured logging driver does not support reading". */
const struct log_reader_kind *log_reader_of(const char *driver);
/* "a=b,c=d " as `logs --details` shows it, into a heap string. */
char *log_details(const char *attrs, size_t len);

/* Whoever packs a rotated file puts no new name into the folder while this descriptor is open; -1: there is no folder. */
int log_folder_lock(const char *dir, const struct container *c);

/* --- logs of removed containers: ROOT/logs/NAME-ID/ (log_kept.c) --- */
bool log_is_kept(const struct container_config *c);
/* Moves the container's folder there; once more after a kill. */
int log_keep(struct engine *e, const struct container *c, struct err *err);
/* By name (the one removed last) or id: ret's id, name and log configuration, and the folder; -1: there is none. */
int log_kept_find(struct engine *e, const char *name, struct container *ret, char **ret_dir);
/* Removes those that were kept before `until` (0: all). */
int log_kept_prune(struct engine *e, int64_t until, uint64_t *bytes, struct err *err);

#endif
