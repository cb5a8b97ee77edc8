/* system df -v. */
#ifndef TARE_CLI_DF_INTERNAL_H
#define TARE_CLI_DF_INTERNAL_H

#include <jansson.h>
#include "base/err.h"

/* One table each for images, containers and volumes of docker's /system/df document. */
int df_print_verbose(const json_t *document, struct err *err);

#endif
