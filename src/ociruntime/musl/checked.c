/* The checked forms of libc functions that the distribution's libjansson.a and libseccomp.a were compiled against; musl has the plain ones. A
 * size that would overflow the destination ends the program, as glibc has it. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int __vsnprintf_chk(char *to, size_t max, int flag, size_t room, const char *format, va_list args);
int __snprintf_chk(char *to, size_t max, int flag, size_t room, const char *format, ...);
int __fprintf_chk(FILE *f, int flag, const char *format, ...);
char *__strncpy_chk(char *to, const char *from, size_t len, size_t room);

int __vsnprintf_chk(char *to, size_t max, int flag, size_t room, const char *format, va_list args)
{
        if (room < max)
                abort();
        return vsnprintf(to, max, format, args);
}

int __snprintf_chk(char *to, size_t max, int flag, size_t room, const char *format, ...)
{
        va_list args;
        va_start(args, format);
        int n = __vsnprintf_chk(to, max, flag, room, format, args);
        va_end(args);
        return n;
}

int __fprintf_chk(FILE *f, int flag, const char *format, ...)
{
        va_list args;
        va_start(args, format);
        int n = vfprintf(f, format, args);
        va_end(args);
        return n;
}

char *__strncpy_chk(char *to, const char *from, size_t len, size_t room)
{
        if (room < len)
                abort();
        return memcpy(memset(to, 0, len), from, strnlen(from, len));
}
