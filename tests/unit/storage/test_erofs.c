/* The writer of EROFS images: what it writes is mounted and read back by the kernel, and checked by fsck.erofs where there is one. */
#include "harness.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "base/str.h"
#include "storage/drivers/erofs-mount-internal.h"
#include "storage/erofs-tree-internal.h"
#include "storage/erofs-write-internal.h"

static int file_new(void)
{
        char name[] = "/var/tmp/tare-unit-erofs-XXXXXX";
        int fd = mkostemp(name, O_CLOEXEC);
        assert_true(fd >= 0);
        unlink(name);
        return fd;
}

static struct erofs_node *add(struct erofs_tree *t, struct erofs_node *dir, const char *name, mode_t mode)
{
        struct erofs_node *n = erofs_tree_make(t, dir ? dir : erofs_tree_root(t), name, mode, &err);
        if (!n)
                fail_msg("%s", err.msg);
        n->mtime = 1000000000;
        return n;
}

static struct erofs_node *add_link(struct erofs_tree *t, struct erofs_node *dir, const char *name, const char *target)
{
        struct erofs_node *n = add(t, dir, name, S_IFLNK | 0777);
        n->target = erofs_tree_text(t, target, strlen(target));
        return n;
}

static int image_write(struct erofs_tree *t, uint64_t tar_size, uint64_t extra_size)
{
        const struct erofs_image image = { .block_bits = 9, .sizes = { 0, tar_size, extra_size } };
        int fd = file_new();
        assert_ok(erofs_write(t, &image, fd, &err));
        return fd;
}

/* The root of the mounted image; skips where the kernel cannot. */
static int image_mount(int index, const int *backings, size_t count)
{
        int fd = erofs_mount_detached(index, backings, count, &err);
        if (fd < 0 && err.kind == ERR_UNSUPPORTED) {
                print_message("%s\n", err.msg);
                skip();
        }
        assert_ok(fd);
        return fd;
}

static char *image_text(struct erofs_tree *t)
{
        int index = image_write(t, 0, 0), root = image_mount(index, NULL, 0);
        char *text = tree_text(root, true);
        close(root);
        close(index);
        erofs_tree_free(t);
        return text;
}

static void assert_line(const char *text, const char *line)
{
        if (strstr(text, line))
                return;
        print_message("%s\n", text);
        fail_msg("no line with %.200s", line);
}

static struct erofs_tree *kinds(void)
{
        struct erofs_tree *t = erofs_tree_new();
        struct erofs_node *d = add(t, NULL, "dir", S_IFDIR | 01777), *n;
        n = add(t, d, "empty", S_IFREG | 06755);
        n->uid = 1234567;
        n->gid = 4000000000u;
        n->mtime = -5;
        n->mtime_nsec = 123456789;
        assert_ok(erofs_tree_link(t, d, "hard", n, &err));
        assert_ok(erofs_tree_link(t, erofs_tree_root(t), "hard2", n, &err));
        add_link(t, d, "link", "../else");
        add(t, d, "fifo", S_IFIFO | 0600);
        n = add(t, d, "chr", S_IFCHR | 0620);
        n->major = 7;
        n->minor = 70000;
        n = add(t, d, "blk", S_IFBLK | 0660);
        n->major = 4095;
        n->minor = 1;
        add(t, add(t, add(t, NULL, "a", S_IFDIR | 0700), "b", S_IFDIR | 0750), "c", S_IFREG | 0400);
        return t;
}

static void test_kinds(void **state)
{
        char *text = image_text(kinds());
        assert_line(text, "/dir 41777 0:0 1000000000.000000000\n");
        assert_line(text, "/dir/empty 106755 1234567:4000000000 -5.123456789 links=3 0 ");
        assert_line(text, "/dir/hard 106755 1234567:4000000000 -5.123456789 links=3 0 ");
        assert_line(text, "/hard2 106755 1234567:4000000000 -5.123456789 links=3 0 ");
        assert_line(text, "/dir/link 120777 0:0 1000000000.000000000 links=1 -> ../else\n");
        assert_line(text, "/dir/fifo 10600 ");
        assert_line(text, "/dir/chr 20620 0:0 1000000000.000000000 links=1 7,70000\n");
        assert_line(text, "/dir/blk 60660 0:0 1000000000.000000000 links=1 4095,1\n");
        assert_line(text, "/a/b/c 100400 ");
        free(text);
}

static void test_links_of_directories(void **state)
{
        struct stat st;
        struct erofs_tree *t = kinds();
        int index = image_write(t, 0, 0), root = image_mount(index, NULL, 0);
        assert_int_equal(fstat(root, &st), 0);
        assert_int_equal(st.st_nlink, 4);
        assert_int_equal(fstatat(root, "a", &st, 0), 0);
        assert_int_equal(st.st_nlink, 3);
        ino_t a = st.st_ino;
        assert_int_equal(fstatat(root, "a/b/..", &st, 0), 0);
        assert_int_equal(st.st_ino, a);
        close(root);
        close(index);
        erofs_tree_free(t);
}

/* Content in two backing files, at every alignment that 512 leaves in a page, and larger than any read. */
static void test_content(void **state)
{
        enum { FILES = 40, BIG = 3 << 20 };
        static unsigned char bytes[BIG];
        struct erofs_tree *t = erofs_tree_new();
        int fds[2] = { file_new(), file_new() };
        uint64_t at[2] = { 0, 0 };
        for (size_t i = 0; i < BIG; i++)
                bytes[i] = (unsigned char)(i * 2654435761u >> 13);
        for (size_t i = 0; i < FILES; i++) {
                char name[20];
                size_t which = i % 3 == 0, size = i == 7 ? BIG : i * 333 + 1;
                snprintf(name, sizeof(name), "file%zu", i);
                struct erofs_node *n = add(t, NULL, name, S_IFREG | 0644);
                n->size = size;
                n->backing = which ? EROFS_EXTRA : EROFS_TAR;
                n->offset = at[which];
                assert_int_equal(pwrite(fds[which], bytes + (i == 7 ? 0 : i), size, (off_t)at[which]), (ssize_t)size);
                at[which] += (size + 511) & ~(size_t)511;
        }
        /* The kernel reads whole blocks of 512 bytes. */
        assert_int_equal(ftruncate(fds[0], (off_t)at[0]), 0);
        assert_int_equal(ftruncate(fds[1], (off_t)at[1]), 0);
        int index = image_write(t, at[0], at[1]), root = image_mount(index, fds, 2);
        for (size_t i = 0; i < FILES; i++) {
                char name[20];
                size_t size = i == 7 ? BIG : i * 333 + 1;
                snprintf(name, sizeof(name), "file%zu", i);
                int fd = openat(root, name, O_RDONLY);
                unsigned char *got = xmalloc(size + 1);
                assert_int_equal(read(fd, got, size + 1), (ssize_t)size);
                assert_memory_equal(got, bytes + (i == 7 ? 0 : i), size);
                free(got);
                close(fd);
        }
        close(root);
        close(index);
        close(fds[0]);
        close(fds[1]);
        erofs_tree_free(t);
}

static void test_file_of_more_than_4_gigabytes(void **state)
{
        struct erofs_tree *t = erofs_tree_new();
        struct erofs_node *n = add(t, NULL, "big", S_IFREG | 0644), *after = add(t, NULL, "behind", S_IFREG | 0644);
        uint64_t size = ((uint64_t)5 << 30) + 3;
        int backing = file_new();
        assert_int_equal(pwrite(backing, "END", 3, (off_t)(size - 3)), 3);
        assert_int_equal(pwrite(backing, "x", 1, (off_t)((uint64_t)6 << 30)), 1);
        assert_int_equal(ftruncate(backing, (off_t)((uint64_t)6 << 30) + 512), 0);
        *n = (struct erofs_node){ .mode = n->mode, .size = size, .backing = EROFS_TAR };
        after->size = 1;
        after->backing = EROFS_TAR;
        after->offset = (uint64_t)6 << 30;
        int index = image_write(t, ((uint64_t)6 << 30) + 512, 0), root = image_mount(index, &backing, 1);
        int fd = openat(root, "big", O_RDONLY), fd2 = openat(root, "behind", O_RDONLY);
        char got[8] = "";
        assert_int_equal(pread(fd, got, 8, (off_t)(size - 4)), 4);
        assert_memory_equal(got, "\0END", 4);
        assert_int_equal(read(fd2, got, 8), 1);
        assert_int_equal(got[0], 'x');
        close(fd);
        close(fd2);
        close(root);
        close(index);
        close(backing);
        erofs_tree_free(t);
}

static void test_names_of_all_lengths(void **state)
{
        struct erofs_tree *t = erofs_tree_new();
        struct erofs_node *d = add(t, NULL, "d", S_IFDIR | 0755);
        char name[256], target[4096];
        for (size_t len = 1; len <= 255; len++) {
                memset(name, 'n', len);
                name[len] = '\0';
                add(t, d, name, S_IFREG | 0644);
        }
        add(t, d, "!", S_IFREG | 0644); /* before "." */
        add(t, d, "\xff\xfe", S_IFREG | 0644);
        for (size_t len = 1; len < 4096; len += len < 1100 ? 7 : 499) {
                snprintf(name, sizeof(name), "link%zu", len);
                memset(target, 't', len);
                target[len] = '\0';
                add_link(t, NULL, name, target);
        }
        memset(target, 't', 4095);
        target[4095] = '\0';
        add_link(t, NULL, "longest", target);
        char *text = image_text(t);
        assert_line(text, "/d/! ");
        assert_line(text, "/d/\xff\xfe ");
        for (size_t len = 1; len <= 255; len++) {
                char line[300];
                memset(name, 'n', len);
                name[len] = '\0';
                snprintf(line, sizeof(line), "/d/%s 100644 ", name);
                assert_line(text, line);
        }
        for (size_t len = 1; len < 4096; len += len < 1100 ? 7 : 499) {
                char *line = xasprintf("/link%zu 120777 0:0 1000000000.000000000 links=1 -> %.*s\n", len, (int)len, target);
                assert_line(text, line);
                free(line);
        }
        assert_line(text, target);
        free(text);
}

static void test_large_directory(void **state)
{
        enum { COUNT = 30000 };
        struct erofs_tree *t = erofs_tree_new();
        struct erofs_node *d = add(t, NULL, "d", S_IFDIR | 0755);
        struct stat st;
        char name[64];
        for (unsigned i = 0; i < COUNT; i++) {
                snprintf(name, sizeof(name), "%08x-%u", i * 2654435761u, i);
                add(t, d, name, S_IFREG | 0644)->uid = i;
        }
        for (unsigned i = 0; i < COUNT; i += 3) {
                snprintf(name, sizeof(name), "%08x-%u", i * 2654435761u, i);
                erofs_tree_remove(t, d, name);
        }
        int index = image_write(t, 0, 0), root = image_mount(index, NULL, 0);
        for (unsigned i = 0; i < COUNT; i++) {
                snprintf(name, sizeof(name), "d/%08x-%u", i * 2654435761u, i);
                int r = fstatat(root, name, &st, 0);
                assert_int_equal(r, i % 3 ? 0 : -1);
                if (r == 0)
                        assert_int_equal(st.st_uid, i);
        }
        close(root);
        close(index);
        erofs_tree_free(t);
}

static void test_deep_directories(void **state)
{
        struct erofs_tree *t = erofs_tree_new();
        struct erofs_node *d = NULL;
        for (unsigned i = 0; i < 2000; i++)
                d = add(t, d, "d", S_IFDIR | 0755);
        add(t, d, "end", S_IFREG | 0644);
        int index = image_write(t, 0, 0), fd = image_mount(index, NULL, 0);
        for (unsigned i = 0; i < 2000; i++) {
                int next = openat(fd, "d", O_PATH);
                assert_true(next >= 0);
                close(fd);
                fd = next;
        }
        assert_true(there(fd, "end"));
        close(fd);
        close(index);
        erofs_tree_free(t);
}

#define ACL_NONE 0xff, 0xff, 0xff, 0xff
static const unsigned char acl_named[] = { 2, 0, 0, 0, 1, 0, 6, 0, ACL_NONE, 2, 0, 7, 0, 9, 0, 0, 0, 4, 0, 4, 0, ACL_NONE,
                                           0x10, 0, 5, 0, ACL_NONE, 0x20, 0, 1, 0, ACL_NONE };
static const unsigned char acl_plain[] = { 2, 0, 0, 0, 1, 0, 6, 0, ACL_NONE, 4, 0, 4, 0, ACL_NONE, 0x20, 0, 1, 0, ACL_NONE };

static void test_attributes(void **state)
{
        static const unsigned char cap[20] = { 1, 0, 0, 2, 0, 4 };
        struct erofs_tree *t = erofs_tree_new();
        struct erofs_node *f = add(t, NULL, "f", S_IFREG | 0777), *l = add_link(t, NULL, "l", "x"), *d = add(t, NULL, "d", S_IFDIR | 0700);
        assert_ok(erofs_xattr_set(t, f, "user.a", "1", 1, &err));
        assert_ok(erofs_xattr_set(t, f, "user.a", "22", 2, &err));
        assert_ok(erofs_xattr_set(t, f, "user.empty", "", 0, &err));
        assert_ok(erofs_xattr_set(t, f, "security.capability", cap, 20, &err));
        assert_ok(erofs_xattr_set(t, f, "trusted.t", "t", 1, &err));
        assert_ok(erofs_xattr_set(t, f, "system.posix_acl_access", acl_named, sizeof(acl_named), &err));
        assert_ok(erofs_xattr_set(t, d, "system.posix_acl_access", acl_plain, sizeof(acl_plain), &err));
        assert_ok(erofs_xattr_set(t, d, "system.posix_acl_default", acl_named, sizeof(acl_named), &err));
        /* not there: what files of that kind cannot have, what nobody knows, an ACL that is none */
        assert_ok(erofs_xattr_set(t, l, "user.a", "1", 1, &err));
        assert_ok(erofs_xattr_set(t, f, "strange.a", "1", 1, &err));
        assert_ok(erofs_xattr_set(t, f, "user.", "1", 1, &err));
        assert_ok(erofs_xattr_set(t, add(t, NULL, "g", S_IFREG | 0644), "system.posix_acl_access", acl_named, sizeof(acl_named) - 8, &err));
        assert_err(erofs_xattr_set(t, f, "security.capability", cap, 19, &err), ERR_SYSTEM);
        char *text = image_text(t);
        assert_line(text, "/f 100651 ");
        assert_line(text, " user.a=3232 user.empty= security.capability=0100000200040000000000000000000000000000 trusted.t=74 system.posix_acl_access=");
        assert_line(text, "/d 40641 0:0 1000000000.000000000 system.posix_acl_default=");
        assert_line(text, "/g 100644 0:0 1000000000.000000000 links=1 0 sha256:e3b0c44298fc1\n");
        assert_line(text, "-> x\n");
        free(text);
}

static void test_attributes_of_all_sizes(void **state)
{
        enum { FILES = 300 };
        static char value[60 << 10];
        struct erofs_tree *t = erofs_tree_new();
        memset(value, 'v', sizeof(value));
        for (size_t i = 0; i < FILES; i++) {
                char name[20];
                snprintf(name, sizeof(name), "f%zu", i);
                struct erofs_node *n = i % 2 ? add(t, NULL, name, S_IFDIR | 0755) : add_link(t, NULL, name, "a target of some length");
                assert_ok(erofs_xattr_set(t, n, "trusted.v", value, i < 290 ? i * 3 : i * 200, &err));
        }
        assert_err(erofs_xattr_set(t, add(t, NULL, "x", S_IFREG), "user.x", value, sizeof(value), &err), ERR_TOO_LARGE);
        int index = image_write(t, 0, 0), root = image_mount(index, NULL, 0);
        for (size_t i = 0; i < FILES; i++) {
                static char got[60 << 10];
                char path[64];
                snprintf(path, sizeof(path), "/proc/self/fd/%d/f%zu", root, i);
                size_t len = i < 290 ? i * 3 : i * 200;
                assert_int_equal(lgetxattr(path, "trusted.v", got, sizeof(got)), (ssize_t)len);
                assert_memory_equal(got, value, len);
        }
        close(root);
        close(index);
        erofs_tree_free(t);
}

static void test_replaced(void **state)
{
        struct erofs_tree *t = erofs_tree_new();
        struct erofs_node *d = add(t, NULL, "d", S_IFDIR | 0755), *f = add(t, d, "f", S_IFREG | 0600);
        assert_ok(erofs_tree_link(t, erofs_tree_root(t), "kept", f, &err));
        add(t, NULL, "d", S_IFREG | 0644);
        add(t, NULL, "d", S_IFDIR | 0711);
        assert_null(erofs_tree_get(t, erofs_tree_get(t, erofs_tree_root(t), "d"), "f"));
        assert_err(erofs_tree_link(t, erofs_tree_root(t), "loop", d, &err), ERR_INVALID);
        static const char *const bad[] = { "", ".", "..", "a/b" };
        for (size_t i = 0; i < ELEMENTS(bad); i++)
                assert_null(erofs_tree_make(t, erofs_tree_root(t), bad[i], S_IFREG, &err));
        char *text = image_text(t);
        assert_line(text, "/d 40711 ");
        assert_line(text, "/kept 100600 0:0 1000000000.000000000 links=1 ");
        assert_null(strstr(text, "/d/f"));
        free(text);
}

static void test_same_bytes(void **state)
{
        struct stat a, b;
        struct erofs_tree *t = kinds(), *u = kinds();
        int fa = image_write(t, 0, 0), fb = image_write(u, 0, 0);
        assert_int_equal(fstat(fa, &a), 0);
        assert_int_equal(fstat(fb, &b), 0);
        assert_int_equal(a.st_size, b.st_size);
        assert_int_equal(a.st_size % 512, 0);
        char *ta = xmalloc((size_t)a.st_size), *tb = xmalloc((size_t)a.st_size);
        assert_int_equal(pread(fa, ta, (size_t)a.st_size, 0), a.st_size);
        assert_int_equal(pread(fb, tb, (size_t)a.st_size, 0), a.st_size);
        assert_memory_equal(ta, tb, (size_t)a.st_size);
        free(ta);
        free(tb);
        close(fa);
        close(fb);
        erofs_tree_free(t);
        erofs_tree_free(u);
}

static void test_too_large(void **state)
{
        struct erofs_tree *t = erofs_tree_new();
        const struct erofs_image image = { .block_bits = 9, .sizes = { 0, (uint64_t)1 << 41, 0 } };
        int fd = file_new();
        assert_err(erofs_write(t, &image, fd, &err), ERR_TOO_LARGE);
        const struct erofs_image both = { .block_bits = 9, .sizes = { 0, (uint64_t)1 << 40, (uint64_t)1 << 63 } };
        assert_err(erofs_write(t, &both, fd, &err), ERR_TOO_LARGE);
        close(fd);
        erofs_tree_free(t);
}

/* Debian 12's fsck knows no other blocks than a page's. */
static void test_fsck(void **state)
{
        const struct erofs_image image = { .block_bits = 12 };
        struct erofs_tree *t = kinds();
        struct erofs_node *d = add(t, NULL, "large", S_IFDIR | 0755);
        char name[64], link[20], *path = xasprintf("%s/image", sandbox());
        for (unsigned i = 0; i < 3000; i++) {
                snprintf(name, sizeof(name), "a file with a rather long name %u", i);
                add(t, d, name, S_IFREG | 0644);
        }
        memset(name, 'x', 60);
        for (unsigned i = 0; i < 200; i++) {
                name[60] = '\0';
                snprintf(link, sizeof(link), "link%u", i);
                assert_ok(erofs_xattr_set(t, add_link(t, d, link, name), "trusted.x", name, i % 60, &err));
        }
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        assert_ok(erofs_write(t, &image, fd, &err));
        close(fd);
        erofs_tree_free(t);
        pid_t pid = fork();
        if (pid == 0) {
                dup2(open("/dev/null", O_WRONLY), 1);
                execlp("fsck.erofs", "fsck.erofs", "-d1", path, NULL);
                _exit(127);
        }
        int status = 0;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        free(path);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
                skip();
        assert_int_equal(status, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, sandbox_setup, sandbox_teardown)
int main(void)
{
        const struct CMUnitTest tests[] = {
                T(test_kinds),
                T(test_links_of_directories),
                T(test_content),
                T(test_file_of_more_than_4_gigabytes),
                T(test_names_of_all_lengths),
                T(test_large_directory),
                T(test_deep_directories),
                T(test_attributes),
                T(test_attributes_of_all_sizes),
                T(test_replaced),
                T(test_same_bytes),
                T(test_too_large),
                T(test_fsck),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
