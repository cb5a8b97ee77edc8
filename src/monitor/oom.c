#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "base/mem.h"
#include "monitor/monitor-internal.h"

/* Where the memory controller may be: v1, v2, and v2 beside v1. runtime/cgroup.h knows more, but brings what the
 * monitor need not carry. */
static const char *const files[] = {
        "/sys/fs/cgroup/memory%s%s/memory.oom_control",
        "/sys/fs/cgroup%s%s/memory.events",
        "/sys/fs/cgroup/unified%s%s/memory.events",
};

static uint64_t kills_in(const char *path)
{
        char text[1024], *at;
        uint64_t kills = 0;
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
        text[n > 0 ? n : 0] = 0;
        if (!(at = strstr(text, "oom_kill ")))
                return 0;
        for (at += strlen("oom_kill "); *at >= '0' && *at <= '9'; at++)
                kills = kills * 10 + (uint64_t)(*at - '0');
        return kills;
}

bool oom_killed(const char *cgroup_path)
{
        char path[PATH_MAX];
        if (!cgroup_path || !*cgroup_path)
                return false;
        for (size_t i = 0; i < ELEMENTS(files); i++) {
                int length = snprintf(path, sizeof(path), files[i], cgroup_path[0] == '/' ? "" : "/tare/", cgroup_path);
                if (length < (int)sizeof(path) && kills_in(path) > 0)
                        return true;
        }
        return false;
}
