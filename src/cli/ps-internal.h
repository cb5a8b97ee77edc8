/* The texts of `ps`. */
#ifndef TARE_CLI_PS_INTERNAL_H
#define TARE_CLI_PS_INTERNAL_H

#include <jansson.h>
#include <stdint.h>
#include "base/str.h"
#include "engine/containers.h"

/* "Up 5 minutes (Paused)", "Exited (0) 2 hours ago". Heap. */
char *container_status_text(const struct container *c, int64_t now);
/* At most `most` characters, the last of them an ellipsis where something was cut off. Heap. */
char *text_ellipsis(const char *text, size_t most);

struct shown_port {
        const char *address; /* "": not published */
        uint16_t host, container;
        const char *protocol;
};
/* docker's order and merging: "0.0.0.0:80-82->80-82/tcp, 443/tcp, 0.0.0.0:8080->90/tcp". Sorts `ports`. Heap. */
char *ports_text(struct shown_port *ports, size_t count);
/* The PORTS column of a container. Heap. */
char *container_ports_text(const struct container *c);

/* A row for templates. e and size: the SIZE column is worked out. */
int container_row(struct engine *e, const struct container *c, bool truncate, bool size, json_t **ret, struct err *err);

#endif
