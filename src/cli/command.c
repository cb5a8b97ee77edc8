#include "cli/command-internal.h"

#include <string.h>

#include "base/str.h"

/* A record is linked into the program its row names and into the documentation generator; everywhere else the weak
 * reference is NULL. Records must be objects of the program itself: a weak reference draws nothing out of a library. */
#define COMMAND(symbol, name, aliases, group, program, summary)                                                        \
        extern const struct command command_##symbol __attribute__((weak));
#include "cli/commands.def"
#undef COMMAND

#define COMMAND(symbol, name, aliases, group, program, summary)                                                        \
        { name, aliases, group, program, summary, &command_##symbol },
const struct command_entry commands[] = {
#include "cli/commands.def"
        { 0 },
};
#undef COMMAND

/* How many words of argv the words of `name` (len bytes) use up; 0 when they differ. */
static int words_match(const char *name, size_t len, int argc, char **argv)
{
        int words = 0;
        while (len > 0 && words < argc) {
                const char *blank = memchr(name, ' ', len);
                size_t part = blank ? (size_t)(blank - name) : len;
                if (strlen(argv[words]) != part || memcmp(argv[words], name, part) != 0)
                        return 0;
                words++;
                if (!blank)
                        return words;
                len -= part + 1;
                name += part + 1;
        }
        return 0;
}

static int entry_match(const struct command_entry *e, int argc, char **argv)
{
        int best = words_match(e->name, strlen(e->name), argc, argv);
        for (const char *alias = e->aliases; *alias;) {
                size_t len = strcspn(alias, "|");
                int words = words_match(alias, len, argc, argv);
                if (words > best)
                        best = words;
                alias += len + (alias[len] == '|');
        }
        return best;
}

const struct command_entry *command_find(int argc, char **argv, int *ret_words)
{
        const struct command_entry *found = NULL;
        int longest = 0;
        for (const struct command_entry *e = commands; e->name; e++) {
                int words = entry_match(e, argc, argv);
                if (words > longest) {
                        longest = words;
                        found = e;
                }
        }
        if (found)
                *ret_words = longest;
        return found;
}

char *entry_name_in(const struct command_entry *e, const char *group)
{
        size_t len = strlen(group);
        if (strncmp(e->name, group, len) == 0 && e->name[len] == ' ')
                return xstrdup(e->name + len + 1);
        for (const char *alias = e->aliases; *alias;) {
                size_t alias_len = strcspn(alias, "|");
                if (alias_len > len && strncmp(alias, group, len) == 0 && alias[len] == ' ')
                        return xstrndup(alias + len + 1, alias_len - len - 1);
                alias += alias_len + (alias[alias_len] == '|');
        }
        return NULL;
}

bool command_is_group(const char *word)
{
        for (const struct command_entry *e = commands; e->name; e++) {
                _cleanup_free_ char *name = *e->group ? entry_name_in(e, word) : NULL;
                if (name)
                        return true;
        }
        return false;
}
