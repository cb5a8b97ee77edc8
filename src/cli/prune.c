#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/str.h"
#include "cli/output.h"
#include "cli/prune-internal.h"

int prune_confirm(bool force, const char *warning)
{
        char answer[16] = "";
        if (force)
                return 1;
        fprintf(stderr, "WARNING! %s\nAre you sure you want to continue? [y/N] ", warning);
        if (!fgets(answer, sizeof(answer), stdin))
                return 0;
        str_trim(answer);
        return strcasecmp(answer, "y") == 0 || strcasecmp(answer, "yes") == 0;
}

void prune_tell(void *told, const char *line)
{
        struct prune_told *t = told;
        struct err ignored = ERR_INIT; /* what is removed is removed, whether the words can be written or not */
        if (t->count++ == 0)
                out_line(&ignored, "%s", t->heading);
        if (t->lower)
                out_line(&ignored, "%c%s", tolower((unsigned char)line[0]), line + (*line != '\0'));
        else
                out_line(&ignored, "%s", line);
}

int prune_total(const struct prune_told *told, size_t count, uint64_t bytes, struct err *err)
{
        bool any = false;
        for (size_t i = 0; i < count; i++)
                any = any || told[i].count > 0;
        _cleanup_free_ char *size = format_size(bytes);
        return out_line(err, "%sTotal reclaimed space: %s", any ? "\n" : "", size);
}
