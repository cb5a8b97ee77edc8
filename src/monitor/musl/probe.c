/* Compiled and linked when the build is configured: says whether musl sees what tare-monitor and tare-init need of the kernel's headers. */
#include <linux/close_range.h>
#include <linux/openat2.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>

int main(void)
{
        struct open_how how = { .resolve = RESOLVE_BENEATH };
        return how.resolve == 0 || close_range(100, ~0U, CLOSE_RANGE_CLOEXEC) < 0;
}
