#include "build/run-internal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include "base/path.h"
#include "base/str.h"

static bool is_there(int root_fd, const char *path)
{
        struct err ignored = ERR_INIT;
        _cleanup_close_ int fd = path_open_in(root_fd, path, O_PATH | O_NOFOLLOW, 0, &ignored);
        return fd >= 0;
}

/* Every missing directory above counts too. */
static void find_one(int root_fd, const char *destination, char ***stubs)
{
        _cleanup_free_ char *path = path_join("/", destination);
        for (char *slash = path; slash; slash = strchr(slash + 1, '/')) {
                char *next = strchr(slash + 1, '/');
                if (next)
                        *next = '\0';
                if (path[1] && !strv_has(*stubs, path) && !is_there(root_fd, path))
                        strv_push(stubs, path);
                if (next)
                        *next = '/';
        }
}

char **run_stubs_find(int root_fd, const struct oci_spec *spec)
{
        char **stubs = NULL;
        for (size_t i = 0; i < spec->mount_count; i++)
                find_one(root_fd, spec->mounts[i].destination, &stubs);
        strv_sort(stubs);
        return stubs;
}

/* Only what is still an empty directory or an empty file: anything else the step made its own. */
static void remove_one(int root_fd, const char *path)
{
        struct err ignored = ERR_INIT;
        struct stat st;
        const char *name;
        _cleanup_close_ int parent = path_open_parent_in(root_fd, path, &name, &ignored);
        if (parent < 0 || fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return;
        if (S_ISDIR(st.st_mode))
                (void)unlinkat(parent, name, AT_REMOVEDIR);
        else if (S_ISREG(st.st_mode) && st.st_size == 0)
                (void)unlinkat(parent, name, 0);
}

void run_stubs_remove(int root_fd, char *const *stubs)
{
        /* Sorted, so that from the end the deepest come first. */
        for (size_t n = strv_len(stubs); n-- > 0;)
                remove_one(root_fd, stubs[n]);
}
