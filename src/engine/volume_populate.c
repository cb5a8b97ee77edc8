/* A fresh volume begins with what the image has at its place (docker's rule). */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/path.h"
#include "engine/engine-internal.h"
#include "storage/tree.h"

static bool is_empty(int dir)
{
        int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_closedir_ DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
        struct dirent *entry;
        while (d && (entry = readdir(d)))
                if (entry->d_name[0] != '.' || (entry->d_name[1] && (entry->d_name[1] != '.' || entry->d_name[2])))
                        return false;
        return d != NULL;
}

/* The folder that says "done" is made last: a kill before it repeats the copy over what is there. */
int volume_populate(struct engine *e, const char *name, int root_fd, const char *target, struct err *err)
{
        _cleanup_free_ char *path = volume_path(e, name), *folder = xasprintf("%s/volumes/%s", engine_root(e), name);
        _cleanup_close_ int parent = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        _cleanup_close_ int data = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        struct err missing = ERR_INIT;
        struct stat st;
        if (parent < 0 || data < 0)
                return err_sys(err, "%s", path);
        if (root_fd < 0 || file_exists_at(parent, "populated"))
                return 0;
        bool fresh = is_empty(data) || file_exists_at(parent, "populating");
        _cleanup_close_ int source = path_open_in(root_fd, target, O_PATH | O_DIRECTORY, 0, &missing);
        if (fresh && source >= 0 && fstat(source, &st) == 0) {
                if (file_write_at(parent, "populating", "", 0, 0600, false, err) < 0 ||
                    tree_copy(root_fd, target, parent, "_data", -1, -1, -1, err) < 0)
                        return -1;
                if (fchown(data, st.st_uid, st.st_gid) < 0 || fchmod(data, st.st_mode & 07777) < 0)
                        return err_sys(err, "%s", path);
                if (file_write_at(parent, "populated", "", 0, 0600, false, err) < 0)
                        return -1;
                unlinkat(parent, "populating", 0);
                return 0;
        }
        return file_write_at(parent, "populated", "", 0, 0600, false, err);
}
