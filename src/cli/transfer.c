/* pull, push. */
#include <stddef.h>
#include <stdio.h>

#include "base/str.h"
#include "cli/command.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "image/transfer.h"

struct transfer_flags { bool all_tags, quiet, insecure, no_trust; char *platform; };

static int transfer_prepare(struct cli *cli, const struct transfer_flags *f, struct progress *progress, struct platform *platform,
                            struct transfer_options *ret, struct storage **ret_storage, struct db **ret_db, struct err *err)
{
        struct engine *e;
        if (f->platform && platform_parse(f->platform, platform, err) < 0)
                return -1;
        if (cli_engine(cli, &e, err) < 0 || engine_storage(e, ret_storage, err) < 0)
                return -1;
        *ret_db = engine_db(e);
        *ret = (struct transfer_options){ .registry = { .insecure = f->insecure }, .platform = f->platform ? platform : NULL,
                                          .all_tags = f->all_tags, .progress = progress_hooks(progress) };
        return 0;
}

static int pull_run(struct cli *cli, void *options, char **args, struct err *err)
{
        const struct transfer_flags *f = options;
        struct transfer_options o;
        struct storage *st;
        struct db *db;
        _cleanup_platform_ struct platform platform = { 0 };
        _cleanup_reference_ struct reference name = { 0 };
        _cleanup_image_ struct image image = { 0 };
        _cleanup_(progress_freep) struct progress *progress = progress_new(f->quiet);
        if (reference_parse(args[0], &name, err) < 0)
                return -1;
        _cleanup_free_ char *canonical = reference_canonical(&name);
        const char *last = strrchr(args[0], '/') ? strrchr(args[0], '/') : args[0];
        bool implied = !strchr(last, ':') && !strchr(last, '@');
        if (implied && !f->all_tags && !f->quiet && out_line(err, "Using default tag: latest") < 0)
                return -1;
        if (transfer_prepare(cli, f, progress, &platform, &o, &st, &db, err) < 0 || image_pull(db, st, &name, &o, &image, err) < 0)
                return -1;
        return out_line(err, "%s", canonical);
}

static int push_run(struct cli *cli, void *options, char **args, struct err *err)
{
        const struct transfer_flags *f = options;
        struct transfer_options o;
        struct storage *st;
        struct db *db;
        char digest[DIGEST_SIZE];
        _cleanup_platform_ struct platform platform = { 0 };
        _cleanup_reference_ struct reference name = { 0 };
        _cleanup_(progress_freep) struct progress *progress = progress_new(f->quiet);
        if (reference_parse(args[0], &name, err) < 0)
                return -1;
        if (transfer_prepare(cli, f, progress, &platform, &o, &st, &db, err) < 0 || image_push(db, st, &name, &o, digest, err) < 0)
                return -1;
        return 0;
}

#define O(member) offsetof(struct transfer_flags, member)
static const struct option_row pull_rows[] = {
        { 'a', "all-tags", OPT_BOOL, O(all_tags), NULL, "Download all tagged images in the repository" },
        { 0, "disable-content-trust", OPT_BOOL, O(no_trust), NULL, "Skip image verification (accepted and ignored)", .hidden = true },
        { 0, "insecure", OPT_BOOL, O(insecure), NULL, "Allow plain HTTP and unverified TLS with this registry" },
        { 0, "platform", OPT_STRING, O(platform), "string", "Set platform if server is multi-platform capable" },
        { 'q', "quiet", OPT_BOOL, O(quiet), NULL, "Suppress verbose output" },
        {},
};
const struct command command_pull = {
        .options = pull_rows, .options_size = sizeof(struct transfer_flags), .min_args = 1, .max_args = 1, .args = "NAME[:TAG|@DIGEST]",
        .run = pull_run,
        .description = "Fetches an image from a registry: over HTTP from loopback addresses, over HTTPS from all others, with the credentials of "
                       "login or of docker's config.json. Layers are fetched side by side, every digest is verified, a broken transfer goes on "
                       "where it stopped.",
};
const struct command command_push = {
        .options = pull_rows, .options_size = sizeof(struct transfer_flags), .min_args = 1, .max_args = 1, .args = "NAME[:TAG]", .run = push_run,
        .description = "Sends an image to the registry that its name begins with. Blobs the registry has are not sent again.",
};
