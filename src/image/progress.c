#include "image/progress-internal.h"

void progress_layer(struct progress *p, const char *digest, enum transfer_state state, uint64_t done, uint64_t total)
{
        if (!p || !p->to || !p->to->layer)
                return;
        pthread_mutex_lock(&p->lock);
        p->to->layer(p->to->data, digest, state, done, total);
        pthread_mutex_unlock(&p->lock);
}

void progress_line(struct progress *p, const char *fmt, ...)
{
        char text[1024];
        va_list ap;
        if (!p || !p->to || !p->to->line)
                return;
        va_start(ap, fmt);
        vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        pthread_mutex_lock(&p->lock);
        p->to->line(p->to->data, text);
        pthread_mutex_unlock(&p->lock);
}
