/* runtime-spec 1.2 config.md "Mounts", config-linux.md devices, masks and propagation, by their effects inside. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"
#include "base/str.h"
#include "harness.h"

/* A directory on a tmpfs of ours with a second tmpfs below it, so that "recursive" has something to recurse into. */
static char *volume(void)
{
        struct err err = ERR_INIT;
        char *dir = xasprintf("%s/vol", harness_dir);
        _cleanup_free_ char *sub = xasprintf("%s/sub", dir);
        assert_int_equal(path_mkdirs(dir, 0755, &err), 0);
        assert_return_code(mount("tmpfs", dir, "tmpfs", 0, "mode=755"), errno);
        assert_return_code(mount(NULL, dir, NULL, MS_PRIVATE, NULL), errno);
        assert_return_code(mkdir(sub, 0755), errno);
        assert_return_code(mount("tmpfs", sub, "tmpfs", 0, "mode=755"), errno);
        return dir;
}

static void volume_drop(char *dir)
{
        assert_return_code(umount2(dir, MNT_DETACH), errno);
        assert_return_code(rmdir(dir), errno);
        free(dir);
}

static void options_of_the_mount_and_of_all_below(void **state)
{
        static const struct {
                const char *options, *top, *below; /* what /proc/mounts begins with */
        } rows[] = {
                { "rbind,ro", "ro,", "rw," },
                { "rbind,rro", "ro,", "ro," },
                { "rbind,rro,rw", "ro,", "ro," },
                { "rbind,nosuid,nodev,noexec", "rw,nosuid,nodev,noexec,", "rw,relatime" },
                { "rbind,rnosuid,rnodev,rnoexec", "rw,nosuid,nodev,noexec,", "rw,nosuid,nodev,noexec," },
                { "rbind,noatime,nodiratime", "rw,noatime,nodiratime", "rw,relatime" },
                { "rbind,rnoatime", "rw,noatime", "rw,noatime" },
                { "rbind,strictatime", "rw,mode=755", "rw,relatime" },
                { "rbind,rnosymfollow", "rw,relatime,nosymfollow", "rw,relatime,nosymfollow" },
                { "bind,nosymfollow", "rw,relatime,nosymfollow", NULL },
                { "rbind,ro,rw,noexec,exec,nodev,dev,nosuid,suid,async,iversion", "rw,relatime", "rw,relatime" },
        };
        char *dir = volume();
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_box_ struct box b;
                box_init(&b, "while read a m t o r; do case $m in /v|/v/sub) echo \"$m=$o\";; esac; done < /proc/mounts");
                oci_spec_add_mount(&b.spec, "/v", NULL, dir, rows[i].options);
                box_expect(&b, 0);
                _cleanup_free_ char *top = xasprintf("/v=%s", rows[i].top);
                box_has(&b, top);
                _cleanup_free_ char *below = xasprintf("/v/sub=%s", rows[i].below ? rows[i].below : "");
                if (rows[i].below)
                        box_has(&b, below);
                else
                        box_has_not(&b, below);
        }
        volume_drop(dir);
}

static void options_bind_what_is_done(void **state)
{
        struct err err = ERR_INIT;
        char *dir = volume();
        _cleanup_free_ char *prog = xasprintf("%s/prog", dir), *link = xasprintf("%s/link", dir);
        assert_int_equal(file_write_at(AT_FDCWD, prog, "#!/bin/sh\necho ran\n", 19, 0755, false, &err), 0);
        assert_return_code(symlink("prog", link), errno);
        _cleanup_box_ struct box b;
        box_init(&b, "/a/prog; /b/prog || echo no exec; cat /c/link || echo no links; touch /d/sub/x || echo read-only;"
                     "mknod /e/n c 1 3; echo x > /e/n || echo no devices");
        oci_spec_add_mount(&b.spec, "/a", "bind", dir, "rbind");
        oci_spec_add_mount(&b.spec, "b", "none", dir, "rbind,noexec"); /* a relative destination counts from "/" */
        oci_spec_add_mount(&b.spec, "/c", "bind", dir, "rbind,rnosymfollow");
        oci_spec_add_mount(&b.spec, "/d", "bind", dir, "rbind,rro");
        oci_spec_add_mount(&b.spec, "/e", "bind", dir, "rbind,nodev");
        box_expect(&b, 0);
        box_has(&b, "ran\n");
        box_has(&b, "no exec\n");
        box_has(&b, "no links\n");
        box_has(&b, "read-only\n");
        box_has(&b, "no devices\n");
        volume_drop(dir);
}

static void propagation_of_mounts(void **state)
{
        static const struct {
                const char *options, *wanted, *not;
        } rows[] = {
                { "rbind,rshared", " shared:", " master:" }, { "rbind,rslave", " master:", " shared:" },
                { "rbind,rprivate", NULL, ":" },             { "rbind,private", NULL, ":" },
                { "rbind,unbindable", " unbindable", ":" },  { "rbind,runbindable", " unbindable", ":" },
        };
        char *dir = volume();
        assert_return_code(mount(NULL, dir, NULL, MS_REC | MS_SHARED, NULL), errno);
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_box_ struct box b;
                box_init(&b, "grep ' /v ' /proc/self/mountinfo | cut -d- -f1 | cut -d' ' -f7-");
                oci_spec_add_mount(&b.spec, "/v", "bind", dir, rows[i].options);
                box_expect(&b, 0);
                _cleanup_free_ char *line = xasprintf(" %s", b.output);
                if (rows[i].wanted && !strstr(line, rows[i].wanted))
                        fail_msg("%s: %s", rows[i].options, line);
                if (strstr(line, rows[i].not))
                        fail_msg("%s: %s", rows[i].options, line);
        }
        /* What is mounted on the host later is seen, or is not. */
        for (int slave = 0; slave < 2; slave++) {
                struct err err = ERR_INIT;
                struct running r;
                char up[3], text[256];
                _cleanup_box_ struct box b;
                box_init(&b, "echo up; sleep 100");
                oci_spec_add_mount(&b.spec, "/v", "bind", dir, slave ? "rbind,rslave" : "rbind,rprivate");
                assert_int_equal(box_create(&b, &r, &err), 0);
                assert_int_equal(runtime_start(&r.c, &err), 0);
                assert_int_equal(fd_read_full(r.out, up, 3), 3);
                _cleanup_free_ char *late = xasprintf("%s/late", dir);
                mkdir(late, 0755);
                assert_return_code(mount("tmpfs", late, "tmpfs", 0, NULL), errno);
                assert_int_equal(box_exec(&b, &r, "grep -c ' /v/late ' /proc/mounts", text, sizeof(text), &err), !slave);
                assert_return_code(umount2(late, MNT_DETACH), errno);
                kill(r.c.pid, SIGKILL);
                assert_int_equal(box_finish(&b, &r, &err), 0);
        }
        volume_drop(dir);
}

static void propagation_of_the_root(void **state)
{
        static const struct {
                const char *word, *wanted;
        } rows[] = { { "shared", "shared:" }, { "rshared", "shared:" }, { "unbindable", "unbindable" },
                     { "private", "" },       { "rprivate", "" } };
        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_box_ struct box b;
                box_init(&b, "grep ' / / ' /proc/self/mountinfo | cut -d- -f1 | cut -d' ' -f7-");
                str_replace(&b.spec.rootfs_propagation, rows[i].word);
                box_expect(&b, 0);
                if (*rows[i].wanted)
                        box_has(&b, rows[i].wanted);
                else
                        assert_string_equal(b.output + strspn(b.output, " "), "\n");
        }
        _cleanup_box_ struct box b;
        box_init(&b, "true");
        str_replace(&b.spec.rootfs_propagation, "loud");
        box_refused(&b, ERR_INVALID, "linux.rootfsPropagation");
}

static void copy_up_keeps_what_the_image_has(void **state)
{
        struct err err = ERR_INIT;
        _cleanup_free_ char *dir = xasprintf("%s/root/srv/deep", harness_dir), *file = xasprintf("%s/file", dir),
                            *link = xasprintf("%s/link", dir), *top = xasprintf("%s/root/srv", harness_dir);
        assert_int_equal(path_mkdirs(dir, 0750, &err), 0);
        assert_int_equal(file_write_at(AT_FDCWD, file, "kept\n", 5, 0640, false, &err), 0);
        assert_return_code(symlink("file", link), errno);
        assert_return_code(chown(file, 12, 34), errno);
        _cleanup_box_ struct box b;
        box_init(&b, "cat /srv/deep/link; stat -c '%a %u:%g' /srv/deep/file; readlink /srv/deep/link; stat -c %a "
                     "/srv/deep; echo new > /srv/deep/file; grep -c ' /srv tmpfs' /proc/mounts");
        oci_spec_add_mount(&b.spec, "/srv", "tmpfs", "tmpfs", "tmpcopyup,mode=755");
        box_expect(&b, 0);
        assert_string_equal(b.output, "kept\n640 12:34\nfile\n750\n1\n");
        assert_int_equal(tree_remove_at(AT_FDCWD, top, &err), 0);
}

/* ---- mapped ids ---- */

static void map(struct oci_id_map **maps, size_t *count, uint32_t inside, uint32_t outside, uint32_t size)
{
        *maps = xreallocarray(*maps, *count + 1, sizeof(**maps));
        (*maps)[(*count)++] = (struct oci_id_map){ inside, outside, size };
}

static struct oci_mount *mapped(struct box *b, const char *dir, const char *options)
{
        struct oci_mount *m = oci_spec_add_mount(&b->spec, "/v", "bind", dir, options);
        map(&m->uid_maps, &m->uid_map_count, 0, 70000, 65536);
        map(&m->gid_maps, &m->gid_map_count, 0, 80000, 65536);
        return m;
}

static void mapped_mounts(void **state)
{
        char *dir = volume();
        _cleanup_free_ char *file = xasprintf("%s/file", dir), *below = xasprintf("%s/sub/file", dir),
                            *made = xasprintf("%s/made", dir);
        struct err err = ERR_INIT;
        assert_int_equal(file_write_at(AT_FDCWD, file, "x", 1, 0644, false, &err), 0);
        assert_int_equal(file_write_at(AT_FDCWD, below, "x", 1, 0644, false, &err), 0);
        assert_return_code(chown(file, 5, 6), errno);
        assert_return_code(chown(below, 5, 6), errno);
        for (int all = 0; all < 2; all++) {
                _cleanup_box_ struct box b;
                box_init(&b, "stat -c '%u:%g' /v/file /v/sub/file");
                mapped(&b, dir, all ? "rbind,ridmap" : "rbind,idmap");
                if (box_run(&b, &err) < 0) {
                        assert_int_equal(err.kind, ERR_UNSUPPORTED); /* tmpfs before Linux 6.3 */
                        volume_drop(dir);
                        skip();
                }
                assert_string_equal(b.output, all ? "70005:80006\n70005:80006\n" : "70005:80006\n5:6\n");
        }
        _cleanup_box_ struct box b; /* without the word the maps are a wish all the same; what is made is mapped back */
        box_init(&b, "stat -c '%u:%g' /v/file; touch /v/made");
        mapped(&b, dir, "rbind");
        b.spec.process.uid = 70009;
        b.spec.process.gid = 80009;
        struct stat st;
        assert_return_code(chmod(dir, 01777), errno);
        box_expect(&b, 0);
        assert_string_equal(b.output, "70005:80006\n");
        assert_return_code(stat(made, &st), errno);
        assert_true(st.st_uid == 9 && st.st_gid == 9);
        volume_drop(dir);
}

static void wrong_mappings(void **state)
{
        struct err err = ERR_INIT;
        _cleanup_free_ char *dir = xasprintf("%s/plain", harness_dir);
        assert_int_equal(path_mkdirs(dir, 0755, &err), 0);
        {
                _cleanup_box_ struct box b;
                box_init(&b, "true");
                oci_spec_add_mount(&b.spec, "/v", "bind", dir, "rbind,idmap");
                box_refused(&b, ERR_INVALID, "idmap needs uidMappings");
        }
        {
                _cleanup_box_ struct box b;
                box_init(&b, "true");
                struct oci_mount *m = mapped(&b, dir, "rbind");
                m->gid_map_count = 0;
                box_refused(&b, ERR_INVALID, "must come together");
                m->gid_map_count = 1;
                str_replace(&m->type, "tmpfs");
                strv_free(m->options);
                m->options = NULL;
                box_refused(&b, ERR_INVALID, "only a bind mount");
        }
        assert_return_code(rmdir(dir), errno);
}

/* ---- devices, masks ---- */

static void devices(void **state)
{
        _cleanup_box_ struct box b;
        box_init(&b, "stat -c '%n %t:%T %a %u:%g %F' /dev/mynull /opt/dir/zero /dev/fifo /dev/full /dev/null; head -c 3 "
                     "/opt/dir/zero | wc -c; ls -l /dev/ptmx");
        struct oci_device *d = oci_spec_add_device(&b.spec, "/dev/mynull", 'c', 1, 3, 0640);
        d->has_uid = d->has_gid = true;
        d->uid = 11;
        d->gid = 22;
        oci_spec_add_device(&b.spec, "/opt/dir/zero", 'u', 1, 5, 0604);
        oci_spec_add_device(&b.spec, "/dev/fifo", 'p', 0, 0, 0600);
        oci_spec_add_device(&b.spec, "/dev/null", 'c', 1, 3, 0622); /* a default one, with a mode of its own */
        box_expect(&b, 0);
        box_has(&b, "/dev/mynull 1:3 640 11:22 character");
        box_has(&b, "/opt/dir/zero 1:5 604 0:0 character");
        box_has(&b, "/dev/fifo 0:0 600 0:0 fifo");
        box_has(&b, "/dev/full 1:7 666 0:0");
        box_has(&b, "/dev/null 1:3 622 0:0");
        box_has(&b, "\n3\n");
        _cleanup_box_ struct box c;
        box_init(&c, "true");
        oci_spec_add_device(&c.spec, "/etc/passwd", 'c', 1, 3, 0666);
        box_refused(&c, ERR_INVALID, "device /etc/passwd: there is another file already");
}

static void masked_and_locked(void **state)
{
        _cleanup_box_ struct box b;
        box_init(&b, "cat /etc/passwd; ls -A /home /bin/nonesuch; touch /home/x || echo home ro; touch /tmp/x || echo tmp "
                     "ro; mkdir /tmp/d || echo still ro; echo x > /proc/sys/kernel/shmmni || echo sys ro");
        strv_push(&b.spec.masked_paths, "/etc/passwd");
        strv_push(&b.spec.masked_paths, "/home");
        strv_push(&b.spec.masked_paths, "/bin/nonesuch");
        strv_push(&b.spec.readonly_paths, "/tmp");
        strv_push(&b.spec.readonly_paths, "/nonesuch");
        box_expect(&b, 0);
        box_has_not(&b, "root:");
        box_has(&b, "home ro\n");
        box_has(&b, "tmp ro\n");
        box_has(&b, "still ro\n");
        box_has(&b, "sys ro\n");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(options_of_the_mount_and_of_all_below),
                cmocka_unit_test(options_bind_what_is_done),
                cmocka_unit_test(propagation_of_mounts),
                cmocka_unit_test(propagation_of_the_root),
                cmocka_unit_test(copy_up_keeps_what_the_image_has),
                cmocka_unit_test(mapped_mounts),
                cmocka_unit_test(wrong_mappings),
                cmocka_unit_test(devices),
                cmocka_unit_test(masked_and_locked),
        };
        return harness_main(tests, ELEMENTS(tests));
}
