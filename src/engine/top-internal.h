/* Output of ps(1) cut down to the processes of one container. */
#ifndef TARE_ENGINE_TOP_INTERNAL_H
#define TARE_ENGINE_TOP_INTERNAL_H

#include <sys/types.h>
#include "engine/containers.h"

/* Arguments that call another column PID are refused, as docker does: ERR_INVALID. */
int top_args_check(char *const *args, struct err *err);
/* Rows whose PID is one of those given; ERR_INVALID when there is no PID column. What follows the last title is one field. */
int top_parse(const char *text, const pid_t *pids, size_t count, struct top_result *ret, struct err *err);

#endif
