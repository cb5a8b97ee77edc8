/* What the commands on images share. */
#ifndef TARE_CLI_IMAGE_INTERNAL_H
#define TARE_CLI_IMAGE_INTERNAL_H

#include "image/images.h"

/* Twelve hex digits. Heap. */
char *image_short_id(const char *id);

#endif
