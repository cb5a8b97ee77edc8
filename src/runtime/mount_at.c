#include <errno.h>
#include <fcntl.h>
#include "runtime/container.h"
#include "runtime/init-internal.h"
#include "runtime/kernel-internal.h"
#include "runtime/mount-internal.h"

int runtime_mount_at(const struct oci_spec *spec, const struct oci_mount *m, const char *path, struct err *err)
{
        _cleanup_mount_words_ struct mount_words w = { 0 };
        _cleanup_close_ int userns = -1;
        mount_words_parse(m, &w);
        if (w.idmap && spec->uid_map_count &&
            (userns = idmap_userns(spec->uid_maps, spec->uid_map_count, spec->gid_maps, spec->gid_map_count, err)) < 0)
                return -1;
        _cleanup_close_ int place = open(path, O_PATH | O_CLOEXEC | O_NOFOLLOW);
        if (place < 0)
                return err_sys(err, "%s", path);
        _cleanup_close_ int mount = mount_make(m, &w, AT_FDCWD, userns, err);
        return mount < 0 ? -1 : mount_attach(mount, place, err);
}
