/* docker's "info": the fields of the Engine API's SystemInfo that mean something here. */
#include <fcntl.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "base/timefmt.h"
#include "engine/engine-internal.h"
#include "engine/log-internal.h"
#include "engine/foreign-internal.h"
#include "engine/inspect-internal.h"
#include "engine/system.h"

struct counts { int all, running, paused, stopped, images; };

static int containers_count(struct engine *e, struct counts *n, struct err *err)
{
        struct container *list = NULL;
        size_t count = 0;
        if (container_list(e, &(struct container_filter){ .all = true }, &list, &count, err) < 0)
                return -1;
        for (size_t i = 0; i < count; i++) {
                if (list[i].status.state == STATE_PAUSED)
                        n->paused++;
                else if (container_is_running(&list[i]))
                        n->running++;
                else
                        n->stopped++;
        }
        n->all = (int)count;
        containers_free(list, count);
        return 0;
}

static int images_count(struct engine *e, struct storage *st, struct counts *n, struct err *err)
{
        struct image *list = NULL;
        size_t count = 0;
        struct image_filter every = { .all = true, .dangling = -1 };
        if (image_list(engine_db(e), st, &every, &list, &count, err) < 0)
                return -1;
        n->images = (int)count;
        images_free(list, count);
        return 0;
}

/* os-release(5): the value of one key, without its quotes. Heap. */
static char *os_release(const char *key)
{
        _cleanup_buf_ struct buf text = BUF_INIT(65536);
        struct err ignored = ERR_INIT;
        if (file_read_at(AT_FDCWD, "/etc/os-release", &text, &ignored) < 0 && file_read_at(AT_FDCWD, "/usr/lib/os-release", &text, &ignored) < 0)
                return xstrdup("");
        _cleanup_strv_ char **lines = strv_split(text.data ? text.data : "", "\n", false);
        const char *value = strv_env_get(lines, key);
        if (!value)
                return xstrdup("");
        size_t len = strlen(value);
        bool quoted = len >= 2 && (value[0] == '"' || value[0] == '\'') && value[len - 1] == value[0];
        return xstrndup(value + quoted, len - 2 * quoted);
}

static void host_set(json_t *o)
{
        struct utsname host;
        struct sysinfo memory;
        char now[TIME_TEXT_SIZE];
        _cleanup_free_ char *release = os_release("PRETTY_NAME"), *version = os_release("VERSION_ID");
        if (uname(&host) == 0) {
                json_object_set_new(o, "KernelVersion", inspect_text(host.release));
                json_object_set_new(o, "Architecture", inspect_text(host.machine));
                json_object_set_new(o, "Name", inspect_text(host.nodename));
        }
        json_object_set_new(o, "OperatingSystem", inspect_text(release));
        json_object_set_new(o, "OSVersion", inspect_text(version));
        json_object_set_new(o, "OSType", json_string("linux"));
        json_object_set_new(o, "NCPU", json_integer(sysconf(_SC_NPROCESSORS_ONLN)));
        if (sysinfo(&memory) == 0)
                json_object_set_new(o, "MemTotal", json_integer((json_int_t)memory.totalram * memory.mem_unit));
        json_object_set_new(o, "SystemTime", json_string(time_format(time_now(), now)));
}

/* Our own, and what else of the usual ones --runtime would find by its name. */
static json_t *runtimes(void)
{
        static const char *const usual[] = { "tare-oci", "runc", "crun", "runsc", "youki", "kata-runtime" };
        json_t *o = json_pack("{s:{s:s}}", "tare", "path", "tare");
        for (size_t i = 0; i < ELEMENTS(usual); i++) {
                struct err ignored = ERR_INIT;
                _cleanup_free_ char *program = NULL;
                if (foreign_program(usual[i], &program, &ignored) == 0)
                        json_object_set_new(o, usual[i], json_pack("{s:o}", "path", inspect_text(program)));
        }
        return o;
}

static void engine_set(json_t *o, struct engine *e, struct storage *st)
{
        json_object_set_new(o, "ServerVersion", json_string(TARE_VERSION));
        json_object_set_new(o, "DockerRootDir", inspect_text(engine_root(e)));
        json_object_set_new(o, "Driver", json_string(snapshots_driver(st->snapshots)));
        json_object_set_new(o, "DriverStatus", json_array());
        json_object_set_new(o, "LoggingDriver", json_string(LOG_DRIVER_DEFAULT));
        json_object_set_new(o, "CgroupDriver", json_string("cgroupfs"));
        json_object_set_new(o, "CgroupVersion", json_string(access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0 ? "2" : "1"));
        json_object_set_new(o, "Plugins", json_pack("{s:[s], s:[s, s, s], s:o}", "Volume", "local", "Network", "bridge", "host", "none", "Log",
                                                    json_from_strv((char *const *)(uintptr_t)log_driver_names)));
        json_object_set_new(o, "Runtimes", runtimes());
        json_object_set_new(o, "DefaultRuntime", json_string("tare"));
        json_object_set_new(o, "SecurityOptions", json_pack("[s]", "name=seccomp,profile=builtin"));
        json_object_set_new(o, "LiveRestoreEnabled", json_true());
        json_object_set_new(o, "Labels", json_array());
        json_object_set_new(o, "Warnings", json_array());
}

int system_info(struct engine *e, json_t **ret, struct err *err)
{
        struct storage *st;
        struct counts n = { 0 };
        if (engine_storage(e, &st, err) < 0 || containers_count(e, &n, err) < 0 || images_count(e, st, &n, err) < 0)
                return -1;
        json_t *o = json_pack("{s:i, s:i, s:i, s:i, s:i}", "Containers", n.all, "ContainersRunning", n.running, "ContainersPaused", n.paused,
                              "ContainersStopped", n.stopped, "Images", n.images);
        engine_set(o, e, st);
        host_set(o);
        *ret = o;
        return 0;
}
