/* Archives that mean harm, and those that are merely odd. */
#include "harness.h"
#include "storage/snapshot-internal.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "base/file.h"
#include "base/str.h"

static struct snapshots *s;
static const char *root;

static int setup(void **state)
{
        sandbox_setup(state);
        root = sandbox();
        return snapshots_open(root, getenv("TARE_DRIVER"), &s, &err);
}

static int teardown(void **state)
{
        snapshots_close(s);
        s = NULL;
        return sandbox_teardown(state);
}

static char *see_only(struct tar *t)
{
        char *chain[2] = { layer_put(s, NULL, t), NULL };
        int fd = chain_open(s, chain);
        char *text = tree_text(fd, false);
        close(fd);
        free(chain[0]);
        return text;
}

static void refuse(struct tar *t, enum err_kind kind)
{
        tar_end(t);
        err_clear(&err);
        assert_int_equal(unpack_try(s, t->bytes, t->len, NULL), -1);
        if (err.kind != kind)
                fail_msg("kind %d, not %d: %s", err.kind, kind, err.msg);
        tar_free(t);
}

static void test_names_that_lead_out(void **state)
{
        static const char *const names[] = { "../x", "a/../../x", "..", "/../x", "a/..", "./../x" };
        for (size_t i = 0; i < ELEMENTS(names); i++) {
                struct tar *t = tar_new();
                tar_add(t, 'f', names[i], "x", 0600);
                refuse(t, ERR_INVALID);
        }
        struct tar *t = tar_new();
        tar_add(t, 'f', "/abs/x", "x", 0600);
        tar_add(t, 'f', "//twice//y", "x", 0600);
        tar_add(t, 'f', "././z", "x", 0600);
        char *text = see_only(t);
        assert_non_null(strstr(text, "/abs/x "));
        assert_non_null(strstr(text, "/twice/y "));
        assert_non_null(strstr(text, "/z "));
        free(text);
}

static void test_links_that_lead_out(void **state)
{
        const char *outside = sandbox();
        struct tar *t = tar_new();
        tar_add(t, 'l', "abs", outside, 0777);
        tar_add(t, 'f', "abs/one", "x", 0600);
        tar_add(t, 'l', "up", "../../../../../../../..", 0777);
        tar_add(t, 'f', "up/two", "x", 0600);
        tar_add(t, 'd', "d", NULL, 0755);
        tar_add(t, 'l', "d/chain", "../abs", 0777);
        tar_add(t, 'f', "d/chain/sub/three", "x", 0600);
        tar_add(t, 'l', "self", "/", 0777);
        tar_add(t, 'd', "self/four", NULL, 0755);
        char *text = see_only(t);
        char *inside = xasprintf("%s/one ", outside), *three = xasprintf("%s/sub/three ", outside);
        assert_non_null(strstr(text, inside));
        assert_non_null(strstr(text, three));
        assert_non_null(strstr(text, "/two "));
        assert_non_null(strstr(text, "/four "));
        int fd = open(outside, O_RDONLY | O_DIRECTORY);
        char *real = tree_text(fd, false);
        assert_string_equal(real, "");
        close(fd);
        free(real);
        free(inside);
        free(three);
        free(text);
}

static void test_link_loops(void **state)
{
        struct tar *t = tar_new();
        tar_add(t, 'l', "a", "b", 0777);
        tar_add(t, 'l', "b", "a", 0777);
        tar_add(t, 'f', "a/x", "x", 0600);
        refuse(t, ERR_SYSTEM);
        assert_int_equal(err.sys, ELOOP);
        t = tar_new();
        tar_add(t, 'l', "a", "a/a/a", 0777);
        tar_add(t, 'f', "a/x", "x", 0600);
        refuse(t, ERR_SYSTEM);
        t = tar_new();
        tar_add(t, 'f', "file", "x", 0600);
        tar_add(t, 'f', "file/x", "x", 0600);
        refuse(t, ERR_INVALID);
}

static void test_hard_links_that_lead_out(void **state)
{
        const char *outside = sandbox();
        char *secret = xasprintf("%s/secret", outside);
        assert_ok(file_write_at(AT_FDCWD, secret, "s", 1, 0600, false, &err));
        struct tar *t = tar_new();
        char *up = xasprintf("../../../../../../../../../../%s", secret);
        tar_add(t, 'h', "stolen", up, 0600);
        refuse(t, ERR_INVALID);
        /* By a link the archive brings, or absolute: looked for inside, found nowhere. */
        for (int i = 0; i < 2; i++) {
                struct layer_staging *l = NULL;
                char id[DIGEST_SIZE];
                uint64_t size;
                t = tar_new();
                tar_add(t, 'l', "door", outside, 0777);
                tar_add(t, 'h', "stolen", i ? "door/secret" : secret, 0600);
                tar_end(t);
                int fd = memory_file(t->bytes, t->len);
                assert_ok(layer_begin(s, NULL, &l, &err));
                assert_ok(layer_unpack_fd(l, fd, COMPRESSION_NONE, NULL, NULL, id, &size, &err));
                assert_err(layer_commit(l, id, size, &err), ERR_CORRUPT);
                layer_abort(l);
                close(fd);
                tar_free(t);
        }
        struct stat st;
        assert_int_equal(stat(secret, &st), 0);
        assert_int_equal(st.st_nlink, 1);
        t = tar_new();
        tar_add(t, 'h', "me", "me", 0600);
        refuse(t, ERR_INVALID);
        t = tar_new();
        tar_add(t, 'h', "me", "/", 0600);
        refuse(t, ERR_INVALID);
        free(up);
        free(secret);
}

static void test_whiteouts_of_nothing(void **state)
{
        static const char *const names[] = { ".wh.", ".wh..", ".wh...", "d/.wh...", "d/.wh..", ".wh.dir/file" };
        for (size_t i = 0; i < ELEMENTS(names); i++) {
                struct tar *t = tar_new();
                tar_add(t, 'd', "d", NULL, 0755);
                tar_add(t, 'f', names[i], "", 0);
                refuse(t, ERR_INVALID);
        }
        struct tar *t = tar_new();
        tar_add(t, 'd', ".wh..wh.plnk", NULL, 0755);
        tar_add(t, 'f', ".wh..wh.plnk/123.45", "x", 0600);
        tar_add(t, 'f', ".wh..wh.aufs", "x", 0600);
        tar_add(t, 'f', "kept", "x", 0600);
        char *text = see_only(t);
        assert_null(strstr(text, ".wh."));
        assert_non_null(strstr(text, "/kept "));
        free(text);
}

static void test_whiteout_device_and_odd_owners(void **state)
{
        struct tar *t = tar_new();
        tar_item(t, &(struct tar_item){ .type = 'c', .name = "hide", .mode = 0600 });
        refuse(t, ERR_INVALID);
        t = tar_new();
        tar_item(t, &(struct tar_item){ .type = 'f', .name = "f", .mode = 0600, .uid = UINT32_MAX });
        refuse(t, ERR_INVALID);
        t = tar_new();
        tar_item(t, &(struct tar_item){ .type = 'f', .name = "f", .mode = 0600, .gid = INT64_C(1) << 33 });
        refuse(t, ERR_INVALID);
        t = tar_new();
        tar_item(t, &(struct tar_item){
                            .type = 'f', .name = "f", .mode = 0600, .uid = UINT32_MAX - 1, .gid = UINT32_MAX - 1 });
        char *text = see_only(t);
        assert_non_null(strstr(text, "4294967294:4294967294"));
        free(text);
}

static void test_private_attributes_are_dropped(void **state)
{
        static const char *const names[] = { "trusted.overlay.redirect", "trusted.overlay.opaque",
                                             "trusted.overlay.metacopy", "user.overlay.opaque",
                                             "user.overlay.redirect" };
        struct layer_staging *l = NULL;
        struct tar *t = tar_new();
        for (size_t i = 0; i < ELEMENTS(names); i++) {
                char name[20];
                snprintf(name, sizeof(name), "f%zu", i);
                tar_item(t, &(struct tar_item){ .type = i % 2 ? 'd' : 'f',
                                                .name = name,
                                                .mode = 0700,
                                                .xattr = names[i],
                                                .value = "y" });
        }
        tar_end(t);
        int fd = memory_file(t->bytes, t->len);
        char id[DIGEST_SIZE];
        uint64_t size;
        assert_ok(layer_begin(s, NULL, &l, &err));
        assert_ok(layer_unpack_fd(l, fd, COMPRESSION_NONE, NULL, NULL, id, &size, &err));
        assert_ok(layer_commit(l, id, size, &err));
        layer_abort(l);
        struct lowers layer = { 0 };
        assert_ok(lowers_open(s, (char *[]){ id, NULL }, &layer, &err));
        for (size_t i = 0; i < ELEMENTS(names); i++) {
                char *path = xasprintf("/proc/self/fd/%d/f%zu", layer.fds[0], i);
                char list[200];
                ssize_t len = listxattr(path, list, sizeof(list));
                for (char *at = list; at < list + len; at += strlen(at) + 1)
                        assert_false(str_starts(at, "trusted.overlay.") || str_starts(at, "user.overlay."));
                assert_int_equal(access(path, F_OK), 0);
                free(path);
        }
        lowers_done(&layer);
        close(fd);
        tar_free(t);
}

static struct tar *varied(void)
{
        struct tar *t = tar_new();
        tar_add(t, 'd', "dir", NULL, 0755);
        tar_add(t, 'f', "dir/file", "some content that is more than nothing", 0644);
        tar_add(t, 'l', "dir/link", "file", 0777);
        tar_add(t, 'h', "dir/hard", "dir/file", 0644);
        tar_add(t, 'f', ".wh.gone", "", 0);
        tar_item(t, &(struct tar_item){ .type = 'f',
                                        .name = "dir/attr",
                                        .text = "a",
                                        .mode = 0644,
                                        .xattr = "user.colour",
                                        .value = "red" });
        tar_end(t);
        return t;
}

static void test_cut_anywhere(void **state)
{
        struct tar *t = varied();
        int good = 0, bad = 0;
        for (size_t len = 0; len < t->len; len += 101) {
                err_clear(&err);
                int r = unpack_try(s, t->bytes, len, NULL);
                good += r == 0;
                bad += r < 0;
                if (r < 0 && err.kind != ERR_CORRUPT)
                        fail_msg("cut at %zu: kind %d: %s", len, err.kind, err.msg);
        }
        /* A cut between two entries looks like an end; the digest of the layer tells. */
        assert_true(bad > 20);
        assert_true(good >= 1);
        assert_int_equal(unpack_try(s, t->bytes, t->len, NULL), 0);
        tar_free(t);
}

static void test_wrong_digest(void **state)
{
        struct layer_staging *l = NULL;
        char other[DIGEST_SIZE];
        struct tar *t = varied();
        digest_of("other", 5, other);
        int fd = memory_file(t->bytes, t->len);
        assert_ok(layer_begin(s, NULL, &l, &err));
        assert_err(layer_unpack_fd(l, fd, COMPRESSION_NONE, other, NULL, NULL, NULL, &err), ERR_CORRUPT);
        layer_abort(l);
        assert_ok(layer_begin(s, NULL, &l, &err));
        assert_err(layer_unpack_fd(l, fd, COMPRESSION_NONE, "sha256:12", NULL, NULL, NULL, &err), ERR_INVALID);
        layer_abort(l);
        close(fd);
        tar_free(t);
}

/* Bytes changed at random: an error or a layer, and never anything outside. */
static void test_mutations(void **state)
{
        struct tar *t = varied();
        char *bytes = xmalloc(t->len);
        uint32_t x = 12345;
        int failed = 0;
        for (int round = 0; round < 400; round++) {
                memcpy(bytes, t->bytes, t->len);
                for (int i = 0; i < 1 + round % 4; i++) {
                        x = x * 1664525 + 1013904223;
                        size_t at = x % t->len;
                        x = x * 1664525 + 1013904223;
                        bytes[at] = (char)(x >> 24);
                }
                failed += unpack_try(s, bytes, t->len, NULL) < 0;
        }
        assert_true(failed > 50);
        free(bytes);
        tar_free(t);
}

static int to_buf(void *data, const void *bytes, size_t len, struct err *e)
{
        return buf_add(data, bytes, len, e);
}

static void test_bomb(void **state)
{
        struct buf packed = BUF_INIT(16 << 20);
        struct compressor *c = NULL;
        struct tar *t = tar_new();
        static char zeros[1 << 20];
        tar_add(t, 'f', "x", "x", 0600);
        tar_end(t);
        /* The size of a file of 400 MB, in octal in the header, and its checksum. */
        unsigned sum = 0;
        memcpy(t->bytes + 124 + (t->len > 1536 ? 1024 : 0), "03000000000", 11);
        char *header = t->bytes + (t->len > 1536 ? 1024 : 0);
        memset(header + 148, ' ', 8);
        for (int i = 0; i < 512; i++)
                sum += (unsigned char)header[i];
        snprintf(header + 148, 8, "%06o", sum);
        assert_ok(compressor_new(COMPRESSION_ZSTD, 0, to_buf, &packed, &c, &err));
        assert_ok(compressor_write(c, t->bytes, (size_t)(header + 512 - t->bytes), &err));
        for (int i = 0; i < 400; i++)
                assert_ok(compressor_write(c, zeros, sizeof(zeros), &err));
        assert_ok(compressor_finish(c, &err));
        compressor_free(c);
        assert_true(packed.len < 400000);
        assert_err(unpack_try(s, packed.data, packed.len, NULL), ERR_TOO_LARGE);
        assert_non_null(strstr(err.msg, "1000 times"));
        buf_done(&packed);
        tar_free(t);
}

static void test_limits(void **state)
{
        struct layer_limits files = { .max_files = 3 }, bytes = { .max_bytes = 10 };
        struct tar *t = tar_new();
        for (int i = 0; i < 4; i++) {
                char name[10];
                snprintf(name, sizeof(name), "f%d", i);
                tar_add(t, 'f', name, "abcd", 0600);
        }
        tar_end(t);
        assert_err(unpack_try(s, t->bytes, t->len, &files), ERR_TOO_LARGE);
        assert_err(unpack_try(s, t->bytes, t->len, &bytes), ERR_TOO_LARGE);
        files.max_files = 4;
        bytes.max_bytes = 16;
        assert_int_equal(unpack_try(s, t->bytes, t->len, &files), 0);
        assert_int_equal(unpack_try(s, t->bytes, t->len, &bytes), 0);
        tar_free(t);
}

static char *deep_name(size_t len, size_t part)
{
        char *name = xmalloc(len + 1);
        for (size_t i = 0; i < len; i++)
                name[i] = (i + 1) % (part + 1) == 0 && i + 1 < len ? '/' : 'n';
        name[len] = 0;
        return name;
}

static void test_long_names(void **state)
{
        static const int formats[] = { ARCHIVE_FORMAT_TAR_PAX_INTERCHANGE, ARCHIVE_FORMAT_TAR_GNUTAR };
        for (size_t i = 0; i < ELEMENTS(formats); i++) {
                char *long_name = deep_name(4000, 200), *component = deep_name(255, 300);
                struct tar *t = tar_new_format(formats[i]);
                tar_add(t, 'f', long_name, "x", 0600);
                tar_add(t, 'f', component, "x", 0600);
                tar_add(t, 'l', "link", long_name, 0777);
                char *chain[2] = { layer_put(s, NULL, t), NULL };
                int fd = chain_open(s, chain);
                assert_true(there(fd, long_name));
                assert_true(there(fd, component));
                close(fd);
                free(chain[0]);
                free(long_name);
                free(component);
                char *too_long = deep_name(4200, 200), *wide = deep_name(256, 300);
                t = tar_new_format(formats[i]);
                tar_add(t, 'f', too_long, "x", 0600);
                refuse(t, ERR_INVALID);
                t = tar_new_format(formats[i]);
                tar_add(t, 'f', wide, "x", 0600);
                refuse(t, ERR_INVALID);
                free(too_long);
                free(wide);
        }
}

static void test_formats_and_bytes_in_names(void **state)
{
        static const int formats[] = { ARCHIVE_FORMAT_TAR_PAX_INTERCHANGE, ARCHIVE_FORMAT_TAR_GNUTAR,
                                       ARCHIVE_FORMAT_TAR_USTAR };
        static const char *const names[] = { "plain",     "caf\xc3\xa9",    "e\xcc\x81",
                                             "latin\xe9", "tab\tnew\nline", "\xff\xfe" };
        for (size_t i = 0; i < ELEMENTS(formats); i++) {
                struct tar *t = tar_new_format(formats[i]);
                for (size_t k = 0; k < ELEMENTS(names); k++)
                        tar_add(t, 'f', names[k], "x", 0600);
                char *chain[2] = { layer_put(s, NULL, t), NULL };
                int fd = chain_open(s, chain);
                for (size_t k = 0; k < ELEMENTS(names); k++)
                        if (!there(fd, names[k]))
                                fail_msg("format %d: name %zu is not there", formats[i], k);
                close(fd);
                free(chain[0]);
        }
}

static void test_what_is_no_archive(void **state)
{
        static const char zeros[1024];
        char text[3000];
        memset(text, 'q', sizeof(text));
        assert_err(unpack_try(s, text, sizeof(text), NULL), ERR_CORRUPT);
        assert_err(unpack_try(s, "\x1f\x8b\x08garbage", 10, NULL), ERR_CORRUPT);
        assert_int_equal(unpack_try(s, zeros, sizeof(zeros), NULL), 0);
        assert_int_equal(unpack_try(s, "", 0, NULL), 0);
}

static void test_sparse(void **state)
{
        struct tar *t = tar_new();
        struct archive_entry *e = archive_entry_new();
        char block[4096];
        struct stat st;
        memset(block, 'd', sizeof(block));
        archive_entry_set_pathname(e, "sparse");
        archive_entry_set_mode(e, S_IFREG | 0600);
        archive_entry_set_size(e, 64 << 20);
        archive_entry_sparse_add_entry(e, 32 << 20, sizeof(block));
        assert_int_equal(archive_write_header(t->a, e), ARCHIVE_OK);
        static char all[64 << 20];
        memcpy(all + (32 << 20), block, sizeof(block));
        assert_true(archive_write_data(t->a, all, sizeof(all)) > 0);
        archive_entry_free(e);
        char *chain[2] = { layer_put(s, NULL, t), NULL };
        int fd = chain_open(s, chain), f = openat(fd, "sparse", O_RDONLY);
        assert_int_equal(fstat(f, &st), 0);
        assert_int_equal(st.st_size, 64 << 20);
        if (str_eq(snapshots_driver(s), "erofs")) {
                /* It tells no holes of its own; they are in the file below. */
                char *extra = xasprintf("%s/erofs/layers/%s/extra", root, digest_hex(chain[0]));
                assert_int_equal(stat(extra, &st), 0);
                free(extra);
        }
        assert_true(st.st_blocks * 512 <= 1 << 20);
        char got[4096];
        assert_int_equal(pread(f, got, sizeof(got), 32 << 20), sizeof(got));
        assert_memory_equal(got, block, sizeof(block));
        close(f);
        close(fd);
        free(chain[0]);
}

static void test_acl_text(void **state)
{
        struct tar *t = tar_new();
        struct archive_entry *e = archive_entry_new();
        archive_entry_set_pathname(e, "acl");
        archive_entry_set_mode(e, S_IFREG | 0640);
        archive_entry_set_size(e, 0);
        archive_entry_acl_add_entry(e, ARCHIVE_ENTRY_ACL_TYPE_ACCESS, 6, ARCHIVE_ENTRY_ACL_USER_OBJ, -1, "");
        archive_entry_acl_add_entry(e, ARCHIVE_ENTRY_ACL_TYPE_ACCESS, 5, ARCHIVE_ENTRY_ACL_USER, 1234, "u");
        archive_entry_acl_add_entry(e, ARCHIVE_ENTRY_ACL_TYPE_ACCESS, 4, ARCHIVE_ENTRY_ACL_GROUP_OBJ, -1, "");
        archive_entry_acl_add_entry(e, ARCHIVE_ENTRY_ACL_TYPE_ACCESS, 5, ARCHIVE_ENTRY_ACL_MASK, -1, "");
        archive_entry_acl_add_entry(e, ARCHIVE_ENTRY_ACL_TYPE_ACCESS, 0, ARCHIVE_ENTRY_ACL_OTHER, -1, "");
        assert_true(archive_write_header(t->a, e) >= ARCHIVE_WARN);
        archive_entry_free(e);
        char *text = see_only(t);
        /* version 2, then tag, permissions, id of each: user 1234 is 0xd204 0000 as bytes */
        assert_non_null(strstr(text, "system.posix_acl_access=02000000"));
        assert_non_null(strstr(text, "02000500d2040000"));
        free(text);
}

static void test_error_reaches_the_writer(void **state)
{
        struct layer_staging *l = NULL;
        struct layer_unpack *u = NULL;
        static char chunk[1 << 20];
        memset(chunk, 'q', sizeof(chunk));
        assert_ok(layer_begin(s, NULL, &l, &err));
        assert_ok(layer_unpack_begin(l, COMPRESSION_NONE, NULL, NULL, &u, &err));
        int r = 0;
        for (int i = 0; i < 100 && r == 0; i++)
                r = layer_unpack_write(u, chunk, sizeof(chunk), &err);
        assert_int_equal(r, -1);
        assert_int_equal(err.kind, ERR_CORRUPT);
        layer_unpack_free(u);
        /* Given up half-way, and at once. */
        struct tar *t = varied();
        for (int i = 0; i < 20; i++) {
                assert_ok(layer_unpack_begin(l, COMPRESSION_NONE, NULL, NULL, &u, &err));
                if (i % 2)
                        assert_ok(layer_unpack_write(u, t->bytes, t->len / 2, &err));
                layer_unpack_free(u);
        }
        tar_free(t);
        layer_abort(l);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
        const struct CMUnitTest tests[] = {
                T(test_names_that_lead_out),
                T(test_links_that_lead_out),
                T(test_link_loops),
                T(test_hard_links_that_lead_out),
                T(test_whiteouts_of_nothing),
                T(test_whiteout_device_and_odd_owners),
                T(test_private_attributes_are_dropped),
                T(test_cut_anywhere),
                T(test_wrong_digest),
                T(test_mutations),
                T(test_bomb),
                T(test_limits),
                T(test_long_names),
                T(test_formats_and_bytes_in_names),
                T(test_what_is_no_archive),
                T(test_sparse),
                T(test_acl_text),
                T(test_error_reaches_the_writer),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
