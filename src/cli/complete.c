#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "cli/command-internal.h"
#include "cli/complete-internal.h"

/* Linked into `tare` alone. */
extern complete_names_fn complete_names __attribute__((weak));

static void offer(const char *word, size_t len, const char *prefix)
{
        size_t prefix_len = strlen(prefix);
        if (len >= prefix_len && memcmp(word, prefix, prefix_len) == 0)
                printf("%.*s\n", (int)len, word);
}

/* The word of `name` that follows the words already written. */
static void offer_next_word(const char *name, size_t len, char *const *before, const char *prefix, char ***seen)
{
        STRV_FOREACH (word, before) {
                size_t word_len = strlen(*word);
                if (len <= word_len || memcmp(name, *word, word_len) != 0 || name[word_len] != ' ')
                        return;
                name += word_len + 1;
                len -= word_len + 1;
        }
        const char *blank = memchr(name, ' ', len);
        _cleanup_free_ char *word = xstrndup(name, blank ? (size_t)(blank - name) : len);
        if (strv_has(*seen, word))
                return;
        strv_push(seen, word);
        offer(word, strlen(word), prefix);
}

static void offer_commands(char *const *before, const char *prefix)
{
        _cleanup_strv_ char **seen = NULL;
        for (const struct command_entry *e = commands; e->name; e++) {
                if (!*e->group)
                        continue;
                offer_next_word(e->name, strlen(e->name), before, prefix, &seen);
                for (const char *alias = e->aliases; *alias;) {
                        size_t len = strcspn(alias, "|");
                        offer_next_word(alias, len, before, prefix, &seen);
                        alias += len + (alias[len] == '|');
                }
        }
}

static void offer_options(const struct option_row *rows, const char *prefix)
{
        for (const struct option_row *row = rows; row && row->name; row++) {
                if (row->hidden)
                        continue;
                _cleanup_free_ char *word = xasprintf("--%s", row->name);
                offer(word, strlen(word), prefix);
        }
        offer("--help", 6, prefix);
}

static int complete_in(const char *program, char **words, struct err *err)
{
        _cleanup_free_ char *path = NULL;
        if (engine_program(program, &path, err) < 0)
                return -1;
        execv(path, words);
        return err_sys(err, "%s", path);
}

/* Names of what the command's arguments are. */
static int offer_arguments(struct cli *cli, const struct command *c, char *prefix, struct err *err)
{
        static const char *const kinds[] = { "CONTAINER", "IMAGE", "VOLUME", "NETWORK" };
        for (size_t i = 0; i < ELEMENTS(kinds); i++) {
                if (!c->args || !strstr(c->args, kinds[i]))
                        continue;
                if (complete_names)
                        return complete_names(cli, kinds[i], prefix, err);
                char *words[] = { (char[]){ "tare" },
                                  (char[]){ "__complete" },
                                  (char[]){ "__names" },
                                  (char *)kinds[i],
                                  prefix,
                                  NULL };
                return complete_in("tare", words, err);
        }
        return 0;
}

/* True when the word before the last is an option that takes the last as its value: then files are the best offer. */
static bool value_expected(const struct command *c, const char *before)
{
        if (!before || before[0] != '-' || strchr(before, '='))
                return false;
        for (const struct option_row *row = c->options; row && row->name; row++) {
                bool named = before[1] == '-' ? str_eq(row->name, before + 2)
                                              : row->letter && before[strlen(before) - 1] == row->letter;
                if (named)
                        return row->kind != OPT_BOOL && !row->implied;
        }
        return false;
}

static int complete_command(struct cli *cli, const struct command_entry *e, int argc, char **argv, struct err *err)
{
        char *prefix = argv[argc - 1];
        if (!e->command) {
                char **words = xcalloc((size_t)argc + 3, sizeof(char *));
                words[0] = (char *)e->program;
                words[1] = (char[]){ "__complete" };
                memcpy(words + 2, argv, (size_t)argc * sizeof(char *));
                int r = str_eq(e->program, cli->program) ? 0 : complete_in(e->program, words, err);
                free(words);
                return r;
        }
        if (argc >= 2 && value_expected(e->command, argv[argc - 2]))
                return 0;
        if (prefix[0] != '-')
                return offer_arguments(cli, e->command, prefix, err);
        offer_options(e->command->options, prefix);
        return 0;
}

int complete_words(struct cli *cli, int argc, char **argv, struct err *err)
{
        if (argc == 3 && str_eq(argv[0], "__names"))
                return complete_names ? complete_names(cli, argv[1], argv[2], err) : 0;
        if (argc < 1)
                return 0;
        struct global_options globals = { 0 };
        _cleanup_free_ char **before = NULL;
        bool help = false;
        int r = options_parse_rows(global_rows, true, argc - 1, argv, &globals, &before, &help, err);
        options_free(global_rows, &globals);
        if (r < 0)
                return -1;
        int words;
        const struct command_entry *e = command_find((int)strv_len(before), before, &words);
        if (e)
                return complete_command(cli, e, argc, argv, err);
        if (argv[argc - 1][0] == '-' && !before[0])
                offer_options(global_rows, argv[argc - 1]);
        else
                offer_commands(before, argv[argc - 1]);
        return 0;
}
