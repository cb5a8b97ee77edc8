/* Allocation that cannot fail (out of memory aborts: containers live on under their monitors, so it is survivable), and
 * the cleanup attributes used everywhere instead of goto.
 *
 *     _cleanup_free_ char *name = xstrdup(x);
 *     ...
 *     *ret_name = TAKE_PTR(name);
 */
#ifndef TARE_BASE_MEM_H
#define TARE_BASE_MEM_H

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <dirent.h>

void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xreallocarray(void *p, size_t count, size_t size);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t max);
void *xmemdup(const void *p, size_t size);
/* Formatted string on the heap, owned by the caller. */
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#define TAKE_PTR(p) ({ __typeof__(p) _taken = (p); (p) = NULL; _taken; })
#define TAKE_FD(fd) ({ int _taken = (fd); (fd) = -1; _taken; })
#define ELEMENTS(a) (sizeof(a) / sizeof((a)[0]))

/* DEFINE_CLEANUP(struct buf *, buf_free) makes buf_freep(), for _cleanup_(buf_freep). */
#define _cleanup_(f) __attribute__((cleanup(f)))
#define DEFINE_CLEANUP(type, func) \
        static inline void func##p(type *p) { if (*p) func(*p); }

static inline void mem_freep(void *p) { free(*(void **)p); }
static inline void mem_fclosep(FILE **f) { if (*f) fclose(*f); }
static inline void mem_closedirp(DIR **d) { if (*d) closedir(*d); }
void mem_closep(int *fd);                       /* close(*fd) if >= 0, errno kept, never retried */

#define _cleanup_free_     _cleanup_(mem_freep)
#define _cleanup_close_    _cleanup_(mem_closep)     /* initialise to -1 */
#define _cleanup_fclose_   _cleanup_(mem_fclosep)
#define _cleanup_closedir_ _cleanup_(mem_closedirp)

#endif
