#include "base/str.h"
#include "cli/command.h"
#include "cli/output.h"

/* The shells ask `tare __complete WORDS...` for candidates, so that a script never falls behind the program. The line is split
 * at blanks by ourselves in bash, which would else also split it at ':' and '='. */
static const char bash_script[] =
        "# bash completion for tare: source <(tare completion bash)\n"
        "_tare()\n"
        "{\n"
        "        local line=${COMP_LINE:0:COMP_POINT} words cur\n"
        "        read -ra words <<< \"$line\"\n"
        "        [[ $line == *[[:blank:]] ]] && words+=(\"\")\n"
        "        cur=${words[-1]}\n"
        "        mapfile -t COMPREPLY < <(\"${words[0]}\" __complete \"${words[@]:1}\" 2>/dev/null)\n"
        "        local cut=${cur%\"${cur##*[:=]}\"}\n"
        "        COMPREPLY=(\"${COMPREPLY[@]#\"$cut\"}\")\n"
        "}\n"
        "complete -o default -F _tare tare\n";

static const char zsh_script[] =
        "#compdef tare\n"
        "# zsh completion for tare: source <(tare completion zsh)\n"
        "_tare()\n"
        "{\n"
        "        local -a found\n"
        "        found=(\"${(@f)$($words[1] __complete \"${(@)words[2,CURRENT]}\" 2>/dev/null)}\")\n"
        "        if [[ -n $found ]]; then\n"
        "                compadd -a found\n"
        "        else\n"
        "                _files\n"
        "        fi\n"
        "}\n"
        "compdef _tare tare\n";

static const char fish_script[] =
        "# fish completion for tare: tare completion fish | source\n"
        "complete -c tare -a '(tare __complete (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'\n";

static const struct shell {
        const char *name, *script;
} shells[] = {
        { "bash", bash_script },
        { "zsh", zsh_script },
        { "fish", fish_script },
};

static int completion_run(struct cli *cli, void *options, char **args, struct err *err)
{
        for (size_t i = 0; i < ELEMENTS(shells); i++)
                if (str_eq(args[0] ? args[0] : "bash", shells[i].name))
                        return out_write(shells[i].script, strlen(shells[i].script), err);
        return err_set(err, ERR_INVALID, "no completion for the shell %s: bash, zsh or fish", args[0]);
}

const struct command command_completion = {
        .max_args = 1,
        .args = "[bash|zsh|fish]",
        .description = "Prints a script that teaches a shell the commands, options and names of tare.",
        .examples = "source <(tare completion bash) -- complete in this shell\n",
        .run = completion_run,
};
