/* docker image inspect: the fields of the Engine API's ImageInspect. */
#include "base/timefmt.h"
#include "image/images-internal.h"

/* Members docker always shows, set or not. */
static json_t *config_defaults(void)
{
        return json_pack("{s:s s:s s:s s:b s:b s:b s:b s:b s:b s:n s:n s:s s:n s:s s:n s:n s:n}", "Hostname", "",
                         "Domainname", "", "User", "", "AttachStdin", 0, "AttachStdout", 0, "AttachStderr", 0, "Tty", 0,
                         "OpenStdin", 0, "StdinOnce", 0, "Env", "Cmd", "Image", "", "Volumes", "WorkingDir", "",
                         "Entrypoint", "OnBuild", "Labels");
}

static json_t *config_json(const struct image_config *config)
{
        _cleanup_json_ json_t *exec = image_exec_to_json(&config->exec);
        json_t *all = config_defaults();
        if (config->exec_extra)
                json_object_update(all, config->exec_extra);
        if (exec)
                json_object_update(all, exec);
        return all;
}

static json_t *rootfs_json(const struct image_config *config)
{
        json_t *o = json_object();
        json_object_set_new(o, "Type", json_string("layers"));
        json_set_strv(o, "Layers", config->diff_ids);
        return o;
}

static int last_tagged(struct db *db, const char *id, int64_t *ret, struct err *err)
{
        _cleanup_stmt_ struct db_stmt *stmt = NULL;
        if (db_query(db, &stmt, err,
                     "SELECT max(n.tagged) FROM images i JOIN image_names n ON n.manifest = i.manifest WHERE i.id = ?1",
                     "s", id) < 0)
                return -1;
        int found = db_step(stmt, err);
        if (found > 0)
                *ret = db_i64(stmt, 0);
        return found < 0 ? -1 : 0;
}

static const char *last_comment(const struct image_config *config)
{
        const char *comment = config->history_count ? config->history[config->history_count - 1].comment : NULL;
        return comment ? comment : "";
}

static json_t *text_json(const char *s)
{
        return json_string(s ? s : "");
}

static json_t *metadata_json(int64_t tagged)
{
        char text[TIME_TEXT_SIZE];
        json_t *o = json_object();
        json_object_set_new(o, "LastTagTime", json_string(tagged ? time_format(tagged, text) : "0001-01-01T00:00:00Z"));
        return o;
}

static json_t *driver_json(struct storage *st)
{
        return json_pack("{s:s s:n}", "Name", snapshots_driver(st->snapshots), "Data");
}

static json_t *inspect_json(struct storage *st, const struct image *i, const struct image_config *config,
                            int64_t tagged)
{
        json_t *o = json_object();
        json_object_set_new(o, "Id", text_json(i->id));
        json_object_set_new(o, "RepoTags", json_from_strv(i->names));
        json_object_set_new(o, "RepoDigests", json_from_strv(i->digests));
        json_object_set_new(o, "Parent", text_json(i->parent));
        json_object_set_new(o, "Comment", text_json(last_comment(config)));
        json_object_set_new(o, "Created", text_json(config->created));
        json_object_set_new(o, "DockerVersion", text_json(""));
        json_object_set_new(o, "Author", text_json(config->author));
        json_object_set_new(o, "Config", config_json(config));
        json_object_set_new(o, "Architecture", text_json(config->platform.architecture));
        json_set_string(o, "Variant", config->platform.variant);
        json_object_set_new(o, "Os", text_json(config->platform.os));
        json_set_string(o, "OsVersion", config->platform.os_version);
        json_object_set_new(o, "Size", json_integer((json_int_t)i->size));
        json_object_set_new(o, "VirtualSize", json_integer((json_int_t)i->size));
        json_object_set_new(o, "GraphDriver", driver_json(st));
        json_object_set_new(o, "RootFS", rootfs_json(config));
        json_object_set_new(o, "Metadata", metadata_json(tagged));
        return o;
}

int image_inspect(struct db *db, struct storage *st, const char *text, json_t **ret, struct err *err)
{
        _cleanup_image_ struct image i = { 0 };
        _cleanup_image_config_ struct image_config config = { 0 };
        int64_t tagged = 0;
        if (image_find(db, text, NULL, &i, err) < 0 || image_read_config(st, &i, &config, err) < 0 ||
            last_tagged(db, i.id, &tagged, err) < 0)
                return -1;
        *ret = inspect_json(st, &i, &config, tagged);
        return 0;
}
