#include "fake_systemd.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/str.h"
#include "runtime/dbus-internal.h"

static pid_t bus = -1, service = -1;
static const char *folder, *groups;
static char asked[256]; /* the unit whose path was told last */

static void reply(struct dbus *d, const struct dbus_message *m, const char *signature, const struct buf *body)
{
        struct err err = ERR_INIT;
        uint32_t serial;
        struct dbus_call c = { .destination = m->sender, .signature = signature, .body = body };
        if (dbus_send(d, 2, m->serial, &c, &serial, &err) < 0)
                _exit(3);
}

static void reply_error(struct dbus *d, const struct dbus_message *m, const char *name)
{
        struct err err = ERR_INIT;
        uint32_t serial;
        _cleanup_buf_ struct buf b = BUF_INIT(256);
        dbus_add_string(&b, "no");
        struct dbus_call c = { .destination = m->sender, .member = name, .signature = "s", .body = &b };
        if (dbus_send(d, 3, m->serial, &c, &serial, &err) < 0)
                _exit(3);
}

static void job_removed(struct dbus *d, const char *unit, const char *result)
{
        struct err err = ERR_INIT;
        uint32_t serial;
        _cleanup_buf_ struct buf b = BUF_INIT(1024);
        dbus_add_u32(&b, 7);
        dbus_add_string(&b, "/org/freedesktop/systemd1/job/7");
        dbus_add_string(&b, unit);
        dbus_add_string(&b, result);
        struct dbus_call c = { .path = "/org/freedesktop/systemd1", .interface = "org.freedesktop.systemd1.Manager",
                               .member = "JobRemoved", .signature = "uoss", .body = &b };
        if (dbus_send(d, 4, 0, &c, &serial, &err) < 0)
                _exit(3);
}

/* Every call is one line of a file: member, signature, unit, then the body in hex for the test to look into. */
static void log_call(const struct dbus_message *m, const char *unit)
{
        char file[256];
        snprintf(file, sizeof(file), "%s/calls", folder);
        FILE *f = fopen(file, "ae");
        fprintf(f, "%s %s %s ", m->member, m->signature ? m->signature : "-", unit);
        for (size_t i = 0; i < m->body.len; i++)
                fputc(m->body.data[i] >= ' ' && m->body.data[i] < 127 ? m->body.data[i] : '.', f);
        fputc('\n', f);
        fclose(f);
}

static void serve_one(struct dbus *d, const struct dbus_message *m)
{
        struct dbus_reader r = { .data = (const unsigned char *)m->body.data, .len = m->body.len };
        const char *unit = m->signature && m->signature[0] == 's' ? dbus_read_string(&r) : "";
        _cleanup_buf_ struct buf b = BUF_INIT(1024);
        log_call(m, unit);
        if (str_eq(m->member, "Get")) {
                char group[512];
                snprintf(group, sizeof(group), "%s/%s", groups, asked);
                dbus_add_signature(&b, "s");
                dbus_add_string(&b, str_eq(dbus_read_string(&r), "Version") ? "252.1-1" : group);
                reply(d, m, "v", &b);
        } else if (str_eq(m->member, "StartTransientUnit")) {
                if (str_eq(unit, "tare-there.scope")) {
                        reply_error(d, m, "org.freedesktop.systemd1.UnitExists");
                        return;
                }
                job_removed(d, "another.scope", "failed"); /* of somebody else, and before the answer */
                job_removed(d, unit, str_eq(unit, "tare-bad.scope") ? "failed" : "done");
                dbus_add_string(&b, "/org/freedesktop/systemd1/job/7");
                reply(d, m, "o", &b);
        } else if (str_eq(unit, "tare-gone.scope")) {
                reply_error(d, m, "org.freedesktop.systemd1.NoSuchUnit");
        } else if (str_eq(m->member, "GetUnit")) {
                snprintf(asked, sizeof(asked), "%s", unit);
                dbus_add_string(&b, "/org/freedesktop/systemd1/unit/x");
                reply(d, m, "o", &b);
        } else {
                reply(d, m, NULL, NULL);
        }
}

static void serve(const char *address, int ready)
{
        struct err err = ERR_INIT;
        struct dbus d;
        _cleanup_buf_ struct buf b = BUF_INIT(256);
        struct dbus_message m = { 0 };
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dbus_add_string(&b, "org.freedesktop.systemd1");
        dbus_add_u32(&b, 0);
        struct dbus_call own = { "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "RequestName", "su", &b };
        if (dbus_open(address, &d, &err) < 0 || dbus_call(&d, &own, NULL, NULL, &m, NULL, &err) < 0)
                _exit(2);
        dbus_message_done(&m);
        close(ready);
        for (;;) {
                dbus_set_timeout(&d, 3600000);
                if (dbus_receive(&d, &m, &err) < 0)
                        _exit(0);
                if (m.type == 1)
                        serve_one(&d, &m);
                dbus_message_done(&m);
        }
}

/* Until its first byte comes, or its end. */
static int wait_for(int fd)
{
        char c;
        ssize_t n = read(fd, &c, 1);
        close(fd);
        return n < 0 ? -1 : 0;
}

static int start_bus(const char *address)
{
        int ends[2];
        char config[256], print[32], arg[300];
        snprintf(config, sizeof(config), "%s/conf", folder);
        FILE *f = fopen(config, "we");
        if (!f || pipe(ends) < 0)
                return -1;
        fprintf(f, "<busconfig><type>session</type><listen>%s</listen><auth>EXTERNAL</auth><policy context=\"default\">"
                   "<allow send_destination=\"*\" eavesdrop=\"true\"/><allow receive_type=\"method_call\"/>"
                   "<allow receive_type=\"method_return\"/><allow receive_type=\"error\"/><allow receive_type=\"signal\"/>"
                   "<allow own=\"*\"/></policy></busconfig>\n", address);
        fclose(f);
        snprintf(print, sizeof(print), "--print-address=%d", ends[1]);
        snprintf(arg, sizeof(arg), "--config-file=%s", config);
        bus = fork();
        if (bus == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                execl("/usr/bin/dbus-daemon", "dbus-daemon", "--nofork", arg, print, NULL);
                _exit(127);
        }
        close(ends[1]);
        return wait_for(ends[0]);
}

int fake_systemd_start(const char *dir, const char *parent)
{
        int ends[2];
        char address[256];
        folder = dir;
        groups = parent;
        snprintf(address, sizeof(address), "unix:path=%s/bus", dir);
        if (start_bus(address) < 0 || pipe(ends) < 0)
                return -1;
        service = fork();
        if (service == 0) {
                close(ends[0]);
                serve(address, ends[1]);
        }
        close(ends[1]);
        setenv("DBUS_SYSTEM_BUS_ADDRESS", address, 1);
        setenv("DBUS_SESSION_BUS_ADDRESS", address, 1);
        return wait_for(ends[0]);
}

void fake_systemd_stop(void)
{
        kill(service, SIGKILL);
        kill(bus, SIGKILL);
        waitpid(service, NULL, 0);
        waitpid(bus, NULL, 0);
}
