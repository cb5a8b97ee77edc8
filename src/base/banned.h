/* Functions that are never right here; included by the compiler's command line into every file (-include). */
#ifndef TARE_BASE_BANNED_H
#define TARE_BASE_BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf gets strtok
#pragma GCC poison atoi atol atof mktemp tmpnam tempnam system popen chroot

#endif
