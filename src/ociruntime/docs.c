/* tare-oci-docs DIR: writes tare-oci.8 from the tables that serve parsing and help. Runs when tare is built and is not installed. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/roff.h"
#include "ociruntime/program-internal.h"

static void options(struct roff *p, const struct option_row *rows)
{
        for (const struct option_row *r = rows; r && r->name; r++) {
                _cleanup_free_ char *name = xasprintf("--%s", r->name), *letter = xasprintf("-%c", r->letter ? r->letter : ' ');
                roff_raw(p, ".TP\n");
                if (r->letter) {
                        roff_bold(p, letter);
                        roff_raw(p, ", ");
                }
                roff_bold(p, name);
                roff_raw(p, r->kind == OPTION_FLAG ? "\n" : " \\fIvalue\\fR\n");
                roff_put(p, r->help);
                roff_raw(p, r->kind == OPTION_LIST ? "; may be given several times\n" : "\n");
        }
}

static void commands(struct roff *p)
{
        roff_section(p, "COMMANDS");
        for (const struct verb *v = verbs; v->name; v++) {
                _cleanup_free_ char *call = xasprintf("%s%s %s", v->name, v->options ? " [options]" : "", v->args);
                roff_raw(p, ".SS ");
                roff_put(p, call);
                roff_raw(p, "\n");
                roff_put(p, v->summary);
                roff_raw(p, ".\n");
                options(p, v->options);
        }
}

struct item {
        const char *term, *text;
};
static void items(struct roff *p, const char *title, const struct item *list, size_t count)
{
        roff_section(p, title);
        for (size_t i = 0; i < count; i++)
                roff_item(p, list[i].term, list[i].text);
}

static const struct item cgroup_rows[] = {
        { "/path, path", "Without --systemd-cgroup: the group itself, below the top of each hierarchy; a relative one is below /tare. None: /tare/ID." },
        { "slice:prefix:name", "With it: the scope PREFIX-NAME.scope in a slice, which systemd makes. An empty slice is system.slice, a user's "
                               "user.slice. None: \":tare:ID\". Annotations org.systemd.property.NAME of config.json become properties of the scope, and "
                               "update changes them. Who made the group is remembered: the flag need only be given to create, run and restore." },
};
static const struct item checkpoint_rows[] = {
        { "what is saved", "Processes with their memory, open files, terminals, namespaces and memory file systems: by the program criu, which "
                           "must be installed and know the kernel. A container that was saved is gone, as by delete, unless it is left running." },
        { "what must be there again", "The bundle with its root file system as it was then (copy it along to another machine), the sources of "
                                      "binds, namespaces that are joined by path, pipes in the place of those that were stdin, stdout and stderr. "
                                      "Name and control group may be others. Devices and addresses of a network namespace of its own are not saved: "
                                      "hooks make them, prestart and createRuntime run once the namespaces are there." },
        { "what cannot be saved", "stdio in files of the host, and whatever criu refuses: its reasons are in dump.log and restore.log in the folder of "
                                  "--work-path, whose last errors are told." },
        { "org.criu.config", "Annotation of config.json: the file with further options of criu. None: /etc/criu/runc.conf; empty: no file." },
        { "images", "are named as runc names them: either restores what the other saved." },
};
static const struct item file_rows[] = {
        { "/run/tare-oci/ID/state.json", "What is known of a container, in the names of runc's file; $XDG_RUNTIME_DIR/tare-oci for a user." },
        { "/run/tare-oci/ID/config.json", "The bundle's configuration when the container was created." },
        { "/run/tare-oci/@seccomp/", "Compiled seccomp filters; may be removed at any time." },
};
static const struct item variable_rows[] = {
        { "LISTEN_FDS, LISTEN_PID", "Descriptors of socket activation go to the container's process, which finds LISTEN_PID=1." },
        { "NOTIFY_SOCKET", "sd_notify(3): the process finds a socket of its own at /run/notify/notify.sock. Its READY is passed on, with the MAINPID to "
                           "watch; start and run --detach return after that, or when it has ended." },
        { "XDG_RUNTIME_DIR", "Where a user's containers are kept, and his bus is." },
        { "DBUS_SYSTEM_BUS_ADDRESS, DBUS_SESSION_BUS_ADDRESS", "The bus on which systemd is asked: root's, and a user's." },
};
static const struct item example_rows[] = {
        { "podman --runtime /usr/sbin/tare-oci run -it debian", "under podman" },
        { "dockerd --add-runtime tare=/usr/sbin/tare-oci", "under docker: docker run --runtime tare" },
        { "BinaryName = \"/usr/sbin/tare-oci\"",
          "under containerd: in the options of a runtime of type io.containerd.runc.v2; SystemdCgroup = true works too" },
        { "tare-oci checkpoint --image-path /tmp/saved web && tare-oci restore -d -b /srv/web --image-path /tmp/saved web", "there and back again" },
        { "tare-oci spec && tare-oci run test", "in a folder with a root file system in rootfs/" },
};

static void page(struct roff *p)
{
        roff_title(p, "tare-oci", "8", "run containers from OCI bundles, with the command line of runc", TARE_VERSION);
        roff_section(p, "SYNOPSIS");
        roff_raw(p, "\\fBtare\\-oci\\fR [\\fIGLOBAL OPTIONS\\fR] \\fICOMMAND\\fR [\\fIOPTIONS\\fR] [\\fIARGUMENTS\\fR]\n");
        roff_section(p, "DESCRIPTION");
        roff_put(p, "tare-oci is an OCI runtime: it makes one container of one bundle, a folder with a config.json and a root file system. "
                    "Commands, options, messages and files are those of runc, in whose place podman, containerd, docker and CRI-O "
                    "may be told to run it. A container lives without it: each command ends when it is done.\n");
        roff_section(p, "GLOBAL OPTIONS");
        options(p, global_rows);
        commands(p);
        items(p, "CONTROL GROUPS", cgroup_rows, ELEMENTS(cgroup_rows));
        items(p, "CHECKPOINTS", checkpoint_rows, ELEMENTS(checkpoint_rows));
        items(p, "FILES", file_rows, ELEMENTS(file_rows));
        items(p, "ENVIRONMENT", variable_rows, ELEMENTS(variable_rows));
        roff_section(p, "EXIT STATUS");
        roff_put(p, "0, or 1 when something failed: one line in the log says what. run and exec end with the status of the process, 128 "
                    "and its number when a signal ended it; exec with 255 when the process could not be started.\n");
        items(p, "EXAMPLES", example_rows, ELEMENTS(example_rows));
        roff_section(p, "SEE ALSO");
        roff_raw(p, ".BR tare (1),\n.BR criu (8)\n");
}

int main(int argc, char **argv)
{
        struct roff p = { 0 };
        struct err err = ERR_INIT;
        _cleanup_close_ int dir = argc == 2 ? open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
        if (dir < 0) {
                fprintf(stderr, "tare-oci-docs: %s\n", argc == 2 ? strerror(errno) : "usage: tare-oci-docs DIR");
                return 1;
        }
        page(&p);
        if (roff_write(&p, dir, "tare-oci.8", &err) == 0)
                return 0;
        fprintf(stderr, "tare-oci-docs: %s\n", err.msg);
        return 1;
}
