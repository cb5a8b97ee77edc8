/* A container's endpoint as text in its row. */
#ifndef TARE_ENGINE_ENDPOINT_INTERNAL_H
#define TARE_ENGINE_ENDPOINT_INTERNAL_H

#include "base/err.h"
#include "engine/containers.h"
#include "net/network.h"

/* Heap; NULL for an endpoint that is not set. */
char *endpoint_to_text(const struct endpoint *e);
int endpoint_from_text(const char *text, struct endpoint *ret, struct err *err);
int container_row_set_endpoint(struct engine *e, const struct container *c, struct err *err);

#endif
