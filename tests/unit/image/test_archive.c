#include "fixture.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include "base/fd.h"

static int load(struct fixture *s, int fd, struct told *told, struct err *err)
{
        const struct layer_limits limits = { 0 };
        return image_load(s->db, s->st, fd, &limits, told_line, told, err);
}

static int load_bytes(struct fixture *s, const struct buf *b, struct told *told, struct err *err)
{
        _cleanup_close_ int fd = bytes_fd(b->data, b->len);
        return load(s, fd, told, err);
}

static void save(struct fixture *s, char *const *names, enum archive_format format, struct buf *ret)
{
        _cleanup_close_ int fd = bytes_fd("", 0);
        _cleanup_free_ char *path = xasprintf("%s/save.tar", s->dir);
        _cleanup_close_ int out = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        assert_true(out >= 0);
        OK(image_save(s->db, s->st, names, format, out, &err));
        assert_int_equal(lseek(out, 0, SEEK_SET), 0);
        OK(fd_read_all(out, ret, &err));
}

static void digests_survive_save_and_load(void **state)
{
        struct fixture a, b;
        fixture_new(&a);
        _cleanup_image_ struct image gz = { 0 }, zst = { 0 };
        make(&a,
             &(struct spec){ .name = "x:gz",
                             .contents = (const char *const[]){ "1", "2", NULL },
                             .compression = COMPRESSION_GZIP },
             &gz);
        make(&a,
             &(struct spec){ .name = "y:zst",
                             .contents = (const char *const[]){ "1", "3", NULL },
                             .compression = COMPRESSION_ZSTD },
             &zst);
        char *const both[] = { (char *)"x:gz", (char *)"y", NULL };
        for (enum archive_format format = ARCHIVE_DOCKER; format <= ARCHIVE_OCI; format++) {
                struct told told = { 0 };
                _cleanup_buf_ struct buf tar = { 0 };
                _cleanup_image_ struct image found = { 0 };
                save(&a, both, format, &tar);
                fixture_new(&b);
                pid_t writer;
                _cleanup_close_ int fd = bytes_pipe(tar.data, tar.len, &writer);
                OK(load(&b, fd, &told, &err));
                writer_wait(writer);
                assert_true(told_has(&told, "Loaded image: x:gz") && told_has(&told, "Loaded image: y:zst"));
                OK(image_find(b.db, "y:zst", NULL, &found, &err));
                assert_string_equal(found.manifest, zst.manifest);
                assert_string_equal(found.id, zst.id);
                assert_int_equal(fixture_blobs(&b), 8);
                fixture_check(&b);
                strv_free(told.lines);
                fixture_done(&b);
        }
        fixture_done(&a);
}

static void the_same_images_give_the_same_bytes(void **state)
{
        struct fixture s;
        fixture_new(&s);
        _cleanup_image_ struct image i = { 0 };
        _cleanup_buf_ struct buf one = { 0 }, two = { 0 };
        MAKE(&s, &i, "x:1", "1");
        char *const names[] = { (char *)"x:1", NULL }, *const missing[] = { (char *)"z", NULL };
        save(&s, names, ARCHIVE_DOCKER, &one);
        save(&s, names, ARCHIVE_DOCKER, &two);
        assert_int_equal(one.len, two.len);
        assert_memory_equal(one.data, two.data, one.len);
        FAILS(image_save(s.db, s.st, missing, ARCHIVE_DOCKER, 1, &err), ERR_NOT_FOUND, "No such image: z:latest");
        fixture_done(&s);
}

/* --- archives as docker wrote them before 25 --- */

struct old {
        struct buf layer[2];
        char diff_id[2][DIGEST_SIZE];
        char config[1024];
        char config_name[128];
};

static void old_new(struct old *o)
{
        char digest[DIGEST_SIZE];
        *o = (struct old){ 0 };
        for (int n = 0; n < 2; n++) {
                tar_file(&o->layer[n], n ? "b" : "a", "content", 7);
                tar_end(&o->layer[n]);
                digest_of(o->layer[n].data, o->layer[n].len, o->diff_id[n]);
        }
        snprintf(o->config, sizeof(o->config),
                 "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"Cmd\":[\"sh\"]},\"container\":\"abc\","
                 "\"rootfs\":"
                 "{\"type\":\"layers\",\"diff_ids\":[\"%s\",\"%s\",\"%s\"]}}",
                 o->diff_id[0], o->diff_id[1], o->diff_id[0]);
        digest_of(o->config, strlen(o->config), digest);
        snprintf(o->config_name, sizeof(o->config_name), "%s.json", digest_hex(digest));
}

static void old_done(struct old *o)
{
        buf_done(&o->layer[0]);
        buf_done(&o->layer[1]);
}

static void old_manifest(struct buf *tar, const struct old *o, const char *third, const char *tags)
{
        _cleanup_free_ char *text = xasprintf(
                "[{\"Config\":\"%s\",\"RepoTags\":%s,\"Layers\":[\"id0/layer.tar\",\"id1/layer.tar\",\"%s\"]}]",
                o->config_name, tags, third);
        tar_file(tar, "manifest.json", text, strlen(text));
        tar_end(tar);
}

static void old_layers(struct buf *tar, const struct old *o)
{
        tar_file(tar, "id0/VERSION", "1.0", 3);
        tar_file(tar, "id0/json", "{}", 2);
        tar_file(tar, "id0/layer.tar", o->layer[0].data, o->layer[0].len);
        tar_file(tar, "./id1/layer.tar", o->layer[1].data, o->layer[1].len);
        tar_link(tar, "id2/layer.tar", "../id0/layer.tar");
        tar_file(tar, o->config_name, o->config, strlen(o->config));
}

static void reads_the_layout_of_old_dockers(void **state)
{
        struct fixture s;
        struct old o;
        struct told told = { 0 };
        _cleanup_buf_ struct buf tar = { 0 };
        _cleanup_image_ struct image i = { 0 };
        fixture_new(&s);
        old_new(&o);
        old_layers(&tar, &o);
        old_manifest(&tar, &o, "id2/layer.tar", "[\"old:1\",\"old:2\"]");
        OK(load_bytes(&s, &tar, &told, &err));
        assert_true(told_has(&told, "Loaded image: old:1") && told_has(&told, "Loaded image: old:2"));
        OK(image_find(s.db, "old:2", NULL, &i, &err));
        assert_int_equal(strv_len(i.chain), 3);
        assert_int_equal(strncmp(digest_hex(i.id), o.config_name, 64), 0);
        /* Two layer blobs, the configuration with its unknown members, our manifest: nothing else stays. */
        assert_int_equal(fixture_blobs(&s), 4);
        fixture_check(&s);
        /* Twice is no error. */
        OK(load_bytes(&s, &tar, &told, &err));
        strv_free(told.lines);
        old_done(&o);
        fixture_done(&s);
}

static void an_image_without_names_is_told_by_id(void **state)
{
        struct fixture s;
        struct old o;
        struct told told = { 0 };
        _cleanup_buf_ struct buf tar = { 0 };
        fixture_new(&s);
        old_new(&o);
        old_manifest(&tar, &o, "id0/layer.tar", "null");
        tar.len -= 1024; /* the order of files says nothing: go on after the manifest */
        old_layers(&tar, &o);
        tar_end(&tar);
        OK(load_bytes(&s, &tar, &told, &err));
        assert_true(told_has(&told, "Loaded image ID: sha256:"));
        strv_free(told.lines);
        old_done(&o);
        fixture_done(&s);
}

/* --- hostile --- */

static void nothing_stays(struct fixture *s)
{
        assert_int_equal(fixture_blobs(s), 0);
        assert_int_equal(fixture_layers(s), 0);
}

static void names_in_an_archive_lead_nowhere(void **state)
{
        struct fixture s;
        struct old o;
        struct told told = { 0 };
        fixture_new(&s);
        old_new(&o);
        static const char *const thirds[] = { "../../../../etc/passwd", "/etc/passwd", "loop/a", "nothere", "" };
        for (size_t n = 0; n < ELEMENTS(thirds); n++) {
                _cleanup_buf_ struct buf tar = { 0 };
                tar_link(&tar, "loop/a", "b");
                tar_link(&tar, "loop/b", "a");
                tar_link(&tar, "etc", "/etc");
                tar_file(&tar, "../../../../tmp/tare-must-not-be", "x", 1);
                old_layers(&tar, &o);
                old_manifest(&tar, &o, thirds[n], "[\"bad:1\"]");
                FAILS(load_bytes(&s, &tar, &told, &err), ERR_CORRUPT, "is not in the archive");
                nothing_stays(&s);
        }
        assert_int_equal(access("/tmp/tare-must-not-be", F_OK), -1);
        assert_null(told.lines);
        old_done(&o);
        fixture_done(&s);
}

static void content_that_is_not_what_it_says_is_refused(void **state)
{
        struct fixture s;
        struct old o;
        struct told told = { 0 };
        fixture_new(&s);
        old_new(&o);
        _cleanup_buf_ struct buf wrong_layer = { 0 }, wrong_blob = { 0 }, neither = { 0 }, documents = { 0 };
        old_layers(&wrong_layer, &o);
        old_manifest(&wrong_layer, &o, "id1/layer.tar", "[\"bad:1\"]");
        FAILS(load_bytes(&s, &wrong_layer, &told, &err), ERR_CORRUPT, "layer");
        nothing_stays(&s);
        tar_file(&wrong_blob, "blobs/sha256/0000000000000000000000000000000000000000000000000000000000000000", "x", 1);
        tar_end(&wrong_blob);
        FAILS(load_bytes(&s, &wrong_blob, &told, &err), ERR_CORRUPT, "has the content of");
        nothing_stays(&s);
        tar_file(&neither, "etc/passwd", "root", 4);
        tar_end(&neither);
        FAILS(load_bytes(&s, &neither, &told, &err), ERR_INVALID, "not an image archive");
        nothing_stays(&s);
        tar_file(&documents, "manifest.json", "[{\"Config\":7}]", 14);
        tar_end(&documents);
        FAILS(load_bytes(&s, &documents, &told, &err), ERR_INVALID, "Config");
        nothing_stays(&s);
        old_done(&o);
        fixture_done(&s);
}

static void every_truncation_is_refused_and_leaves_nothing(void **state)
{
        struct fixture s;
        struct old o;
        struct told told = { 0 };
        _cleanup_buf_ struct buf tar = { 0 };
        fixture_new(&s);
        old_new(&o);
        old_layers(&tar, &o);
        old_manifest(&tar, &o, "id2/layer.tar", "[\"x:1\"]");
        for (size_t len = 0; len + 2 * 512 + 512 < tar.len; len += 300) {
                struct err err = ERR_INIT;
                const struct buf part = { .data = tar.data, .len = len };
                assert_int_equal(load_bytes(&s, &part, &told, &err), -1);
                nothing_stays(&s);
        }
        assert_null(told.lines);
        old_done(&o);
        fixture_done(&s);
}

static int add(void *data, const void *bytes, size_t len, struct err *err)
{
        return buf_add(data, bytes, len, err);
}

static void a_compressed_bomb_is_refused(void **state)
{
        struct fixture s;
        struct told told = { 0 };
        _cleanup_buf_ struct buf tar = BUF_INIT((size_t)256 << 20), packed = { 0 };
        fixture_new(&s);
        const size_t size = (size_t)160 << 20;
        char *zeros = xcalloc(1, size);
        tar_file(&tar, "layer.tar", zeros, size);
        tar_end(&tar);
        free(zeros);
        struct compressor *c;
        OK(compressor_new(COMPRESSION_ZSTD, 0, add, &packed, &c, &err));
        OK(compressor_write(c, tar.data, tar.len, &err));
        OK(compressor_finish(c, &err));
        compressor_free(c);
        FAILS(load_bytes(&s, &packed, &told, &err), ERR_TOO_LARGE, "times its size");
        nothing_stays(&s);
        fixture_done(&s);
}

/* --- import and commit --- */

static void imports_a_tree_in_any_compression(void **state)
{
        struct fixture s;
        char *id = NULL;
        fixture_new(&s);
        _cleanup_buf_ struct buf tar = { 0 };
        tar_file(&tar, "etc/hostname", "here", 4);
        tar_end(&tar);
        for (enum compression kind = COMPRESSION_NONE; kind <= COMPRESSION_ZSTD; kind++) {
                _cleanup_buf_ struct buf packed = { 0 };
                _cleanup_image_ struct image i = { 0 };
                _cleanup_image_config_ struct image_config config = { 0 };
                _cleanup_reference_ struct reference name = ref("imported:1");
                struct compressor *c = NULL;
                OK(compressor_new(kind, 0, add, &packed, &c, &err));
                OK(compressor_write(c, tar.data, tar.len, &err));
                OK(compressor_finish(c, &err));
                compressor_free(c);
                pid_t writer;
                _cleanup_close_ int fd = bytes_pipe(packed.data, packed.len, &writer);
                const struct image_import how = { .name = &name };
                OK(image_import(s.db, s.st, fd, &how, &i, &err));
                writer_wait(writer);
                assert_string_equal(i.names[0], "imported:1");
                assert_int_equal(i.size, 4);
                OK(image_read_config(s.st, &i, &config, &err));
                assert_string_equal(config.history[0].comment, "Imported from -");
                assert_int_equal(strv_len(config.diff_ids), 1);
                assert_string_equal(config.diff_ids[0], i.chain[0]);
                if (id)
                        assert_string_equal(id, i.chain[0]);
                str_replace(&id, i.chain[0]);
        }
        fixture_check(&s);
        _cleanup_close_ int nothing = bytes_fd("this is no archive at all", 25);
        struct image i;
        const struct image_import how = { 0 };
        FAILS(image_import(s.db, s.st, nothing, &how, &i, &err), ERR_CORRUPT, "");
        free(id);
        fixture_done(&s);
}

static void commits_what_a_root_changed(void **state)
{
        struct fixture s;
        fixture_new(&s);
        _cleanup_image_ struct image base = { 0 }, made = { 0 }, empty = { 0 };
        _cleanup_image_config_ struct image_config config = { 0 };
        _cleanup_reference_ struct reference name = ref("committed");
        MAKE(&s, &base, "base", "one");
        OK(root_create(s.st->snapshots, "container", base.chain, &err));
        struct image_commit c = { .root_id = "container",
                                  .base = &base,
                                  .author = "me",
                                  .message = "why",
                                  .created_by = "sh",
                                  .name = &name };
        OK(image_commit(s.db, s.st, &c, &empty, &err));
        assert_int_equal(strv_len(empty.chain), 1);
        assert_string_equal(empty.parent, base.id);
        struct err open_err = ERR_INIT;
        int root = root_open(s.st->snapshots, "container", true, &open_err);
        if (root < 0)
                fail_msg("%s", open_err.msg);
        int file = openat(root, "new", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        assert_int_equal(write(file, "fresh", 5), 5);
        close(file);
        close(root);
        OK(image_commit(s.db, s.st, &c, &made, &err));
        assert_int_equal(strv_len(made.chain), 2);
        assert_string_equal(made.chain[0], base.chain[0]);
        assert_int_equal(made.size, 8);
        OK(image_read_config(s.st, &made, &config, &err));
        const struct history *last = &config.history[config.history_count - 1];
        assert_string_equal(last->created_by, "sh");
        assert_string_equal(last->comment, "why");
        assert_string_equal(last->author, "me");
        assert_false(last->empty_layer);
        assert_string_equal(config.author, "me");
        fixture_check(&s);
        OK(root_remove(s.st->snapshots, "container", &err));
        fixture_done(&s);
}

/* --- kill -9 at any instant --- */

static void nap(long ns)
{
        const struct timespec t = { 0, ns };
        nanosleep(&t, NULL);
}

struct murder {
        const char *dir;
        const struct buf *tar;
};

static void load_and_commit(const struct murder *m)
{
        struct fixture s;
        struct told told = { 0 };
        struct err err = ERR_INIT;
        fixture_open(&s, m->dir);
        if (load_bytes(&s, m->tar, &told, &err) < 0)
                _exit(1);
        _exit(0);
}

static void a_killed_load_leaves_nothing_half(void **state)
{
        struct fixture from, s;
        fixture_new(&from);
        fixture_new(&s);
        _cleanup_image_ struct image a = { 0 }, b = { 0 };
        _cleanup_buf_ struct buf tar = { 0 };
        _cleanup_free_ char *dir = xstrdup(s.dir);
        MAKE(&from, &a, "a:1", "one", "two", "three");
        MAKE(&from, &b, "b:1", "one", "four");
        char *const names[] = { (char *)"a:1", (char *)"b:1", NULL };
        save(&from, names, ARCHIVE_DOCKER, &tar);
        const struct murder m = { dir, &tar };
        fixture_close(&s);
        unsigned killed = 0;
        for (long n = 0; n < 60; n++) {
                pid_t pid = fork();
                assert_true(pid >= 0);
                if (pid == 0)
                        load_and_commit(&m);
                nap(n * 400000);
                kill(pid, SIGKILL);
                int status;
                assert_int_equal(waitpid(pid, &status, 0), pid);
                killed += WIFSIGNALED(status);
                fixture_open(&s, dir);
                fixture_check(&s);
                const struct image_remove how = { .force = true };
                uint64_t bytes;
                OK(image_prune(s.db, s.st, true, &how, &bytes, &err));
                assert_int_equal(fixture_blobs(&s), 0);
                assert_int_equal(fixture_layers(&s), 0);
                fixture_close(&s);
        }
        assert_true(killed > 5);
        fixture_open(&s, dir);
        fixture_done(&s);
        fixture_done(&from);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(digests_survive_save_and_load),
                cmocka_unit_test(the_same_images_give_the_same_bytes),
                cmocka_unit_test(reads_the_layout_of_old_dockers),
                cmocka_unit_test(an_image_without_names_is_told_by_id),
                cmocka_unit_test(names_in_an_archive_lead_nowhere),
                cmocka_unit_test(content_that_is_not_what_it_says_is_refused),
                cmocka_unit_test(every_truncation_is_refused_and_leaves_nothing),
                cmocka_unit_test(a_compressed_bomb_is_refused),
                cmocka_unit_test(imports_a_tree_in_any_compression),
                cmocka_unit_test(commits_what_a_root_changed),
                cmocka_unit_test(a_killed_load_leaves_nothing_half),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
