/* Which image a container is made of: the name's, on the platform that was asked for. */
#include "base/log.h"
#include "base/str.h"
#include "engine/engine-internal.h"
#include "oci/platform.h"

static int mismatch(const char *name, const struct platform *want, const struct image *i, struct err *err)
{
        _cleanup_free_ char *text = platform_format(want);
        return err_set(err, ERR_NOT_FOUND, "image with reference %s was found but does not match the specified platform: wanted %s, actual: %s",
                       name, text, i->platform);
}

/* It may still run by binfmt_misc, so this is no error. */
static void warn_foreign(const struct image *i)
{
        _cleanup_platform_ struct platform host = { 0 }, have = { 0 };
        struct err ignored = ERR_INIT;
        platform_host(&host);
        if (platform_parse(i->platform, &have, &ignored) < 0 || platform_match(&host, &have))
                return;
        _cleanup_free_ char *text = platform_format(&host);
        log_warning("The requested image's platform (%s) does not match the detected host platform (%s) and no specific platform was requested",
                    i->platform, text);
}

int container_image_find(struct engine *e, const char *name, const char *platform, struct image *ret, struct err *err)
{
        _cleanup_image_ struct image i = { 0 };
        _cleanup_platform_ struct platform want = { 0 }, have = { 0 };
        struct err ignored = ERR_INIT;
        if (str_empty(platform)) {
                if (image_find_brief(engine_db(e), name, &i, err) < 0)
                        return -1;
                if (!str_empty(i.platform))
                        warn_foreign(&i);
        } else {
                if (platform_parse(platform, &want, err) < 0 || image_find(engine_db(e), name, &want, &i, err) < 0)
                        return -1;
                if (!str_empty(i.platform) && platform_parse(i.platform, &have, &ignored) == 0 && !platform_match(&want, &have))
                        return mismatch(name, &want, &i, err);
        }
        *ret = i;
        i = (struct image){ 0 };
        return 0;
}
