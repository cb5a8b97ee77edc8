#include <fcntl.h>
#include <limits.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/timefmt.h"
#include "monitor/monitor-internal.h"

/* Where the memory controller may be: v1, v2, and v2 beside v1. runtime/cgroup.h knows more, but brings what the
 * monitor need not carry. */
static const char *const files[] = {
        "/sys/fs/cgroup/memory%s%s/memory.oom_control",
        "/sys/fs/cgroup%s%s/memory.events",
        "/sys/fs/cgroup/unified%s%s/memory.events",
};

/* One want of memory kills again and again, and v1 tells of each try: one event a second says as much, ns. */
#define OOM_PAUSE 1000000000

static bool file_path(char path[PATH_MAX], size_t i, const char *cgroup_path)
{
        return snprintf(path, PATH_MAX, files[i], cgroup_path[0] == '/' ? "" : "/tare/", cgroup_path) < PATH_MAX;
}

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
                if (file_path(path, i, cgroup_path) && kills_in(path) > 0)
                        return true;
        }
        return false;
}

/* v1 tells by an eventfd (cgroup-v1/memory.rst 9), before the kill; and when the group is removed. */
static int v1_watch(char path[PATH_MAX])
{
        char text[32];
        _cleanup_close_ int control = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        _cleanup_close_ int event = control < 0 ? -1 : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (event < 0)
                return -1;
        snprintf(strrchr(path, '/'), sizeof("/cgroup.event_control"), "/cgroup.event_control");
        _cleanup_close_ int to = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
        int length = snprintf(text, sizeof(text), "%d %d", event, control);
        return to >= 0 && write(to, text, (size_t)length) == length ? TAKE_FD(event) : -1;
}

/* v2 changes the file (cgroup-v2.rst, memory.events). */
static int v2_watch(const char *path)
{
        _cleanup_close_ int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        return fd >= 0 && inotify_add_watch(fd, path, IN_MODIFY) >= 0 ? TAKE_FD(fd) : -1;
}

void oom_watch(struct monitor *m)
{
        char path[PATH_MAX + 32];
        int fd = -1;
        for (size_t i = 0; m->o.watch_oom && m->o.cgroup_path && i < ELEMENTS(files) && fd < 0; i++)
                if (file_path(path, i, m->o.cgroup_path))
                        fd = i == 0 ? v1_watch(path) : v2_watch(path);
        watch_init(&m->oom, fd, WATCH_OOM, 0);
        watch_set(&m->oom, m->epoll_fd, EPOLLIN);
}

/* Both kinds of descriptor are emptied by a read. v2 says so for other reasons too; of v1 the count comes a moment later. */
void oom_ready(struct monitor *m)
{
        char data[1024], path[PATH_MAX];
        bool v2 = read(m->oom.fd, data, sizeof(data)) != sizeof(uint64_t);
        int64_t now = time_monotonic();
        uint64_t kills = 0;
        pid_t pid;
        for (size_t i = 1; v2 && i < ELEMENTS(files); i++)
                if (file_path(path, i, m->o.cgroup_path))
                        kills += kills_in(path);
        if (m->phase != RUNNING || (v2 && kills <= m->oom_kills))
                return;
        m->oom_kills = kills;
        if (m->oom_seen && now < m->oom_told + OOM_PAUSE)
                return;
        m->oom_seen = true;
        m->oom_told = now;
        status_running(m);
        char *argv[] = { (char *)(uintptr_t) "tare", (char *)(uintptr_t) "container", (char *)(uintptr_t) "oom", m->o.id, NULL };
        program_start(m, argv, -1, false, &pid);
}
