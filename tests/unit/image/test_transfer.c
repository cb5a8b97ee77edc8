#include "fixture.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "base/file.h"

struct lab {
        struct fixture a, b; /* who pushes, who pulls */
        struct server server;
        char *dir;
};

static void lab_new(struct lab *l)
{
        fixture_new(&l->a);
        fixture_new(&l->b);
        l->dir = xasprintf("%s/registry", l->a.dir);
        server_start(&l->server, l->dir);
}

static void lab_done(struct lab *l)
{
        server_stop(&l->server);
        free(l->dir);
        fixture_done(&l->a);
        fixture_done(&l->b);
}

struct seen {
        char **lines;
        unsigned states[TRANSFER_PUSHED + 1];
};

static void see_layer(void *data, const char *digest, enum transfer_state state, uint64_t done, uint64_t total)
{
        struct seen *s = data;
        assert_true(done <= total);
        s->states[state]++;
}

static void see_line(void *data, const char *line)
{
        strv_push(&((struct seen *)data)->lines, line);
}

static void seen_done(struct seen *s)
{
        strv_free(s->lines);
        *s = (struct seen){ 0 };
}

static bool seen_line(const struct seen *s, const char *start)
{
        const struct told t = { s->lines };
        return told_has(&t, start);
}

static char *name_at(const struct lab *l, const char *rest)
{
        return xasprintf("%s/%s", l->server.domain, rest);
}

static struct platform platform_of(const char *text)
{
        struct platform p = { 0 };
        OK(platform_parse(text, &p, &err));
        return p;
}

static int pull(struct fixture *s, const char *name, const char *platform, struct seen *seen, struct image *ret,
                struct err *err)
{
        struct seen unseen = { 0 };
        const struct transfer_progress progress = { see_layer, see_line, seen ? seen : &unseen };
        struct transfer_options o = { .registry = { .username = "", .password = "", .retries = 1 },
                                      .progress = &progress };
        _cleanup_reference_ struct reference r = ref(name);
        _cleanup_platform_ struct platform p = { 0 };
        if (platform) {
                p = platform_of(platform);
                o.platform = &p;
        }
        int done = image_pull(s->db, s->st, &r, &o, ret, err);
        seen_done(&unseen);
        return done;
}

static int push(struct fixture *s, const char *name, bool all, struct seen *seen, char digest[DIGEST_SIZE],
                struct err *err)
{
        struct seen unseen = { 0 };
        const struct transfer_progress progress = { see_layer, see_line, seen ? seen : &unseen };
        const struct transfer_options o = { .registry = { .username = "", .password = "", .retries = 1 },
                                            .progress = &progress,
                                            .all_tags = all };
        _cleanup_reference_ struct reference r = ref(name);
        int done = image_push(s->db, s->st, &r, &o, digest, err);
        seen_done(&unseen);
        return done;
}

/* Text that does not compress to nothing. */
static char *noise(size_t len, unsigned seed)
{
        char *text = xcalloc(1, len + 1);
        for (size_t n = 0; n < len; n++) {
                seed = seed * 1103515245u + 12345u;
                text[n] = (char)('!' + (seed >> 16) % 90);
        }
        return text;
}

static void make_big(struct fixture *s, const char *name, unsigned layers, struct image *ret)
{
        const char *contents[9] = { NULL };
        for (unsigned n = 0; n < layers; n++)
                contents[n] = noise(300000 + n * 1000, n + 1);
        make(s, &(struct spec){ .name = name, .contents = contents, .compression = COMPRESSION_GZIP }, ret);
        for (unsigned n = 0; n < layers; n++)
                free((char *)contents[n]);
}

static void a_manifest_keeps_its_digest_on_its_way(void **state)
{
        struct lab l;
        struct seen seen = { 0 };
        char digest[DIGEST_SIZE];
        lab_new(&l);
        _cleanup_free_ char *name = name_at(&l, "library/x:1"), *other = name_at(&l, "y/z:2");
        _cleanup_image_ struct image made = { 0 }, pulled = { 0 }, again = { 0 };
        make_big(&l.a, name, 3, &made);
        OK(push(&l.a, name, false, &seen, digest, &err));
        assert_string_equal(digest, made.manifest);
        assert_int_equal(seen.states[TRANSFER_PUSHED], 3);
        assert_true(seen_line(&seen, "The push refers to repository ["));
        assert_true(seen_line(&seen, "1: digest: sha256:"));
        seen_done(&seen);

        OK(pull(&l.b, name, NULL, &seen, &pulled, &err));
        assert_string_equal(pulled.manifest, made.manifest);
        assert_string_equal(pulled.id, made.id);
        assert_string_equal(pulled.names[0], name);
        assert_int_equal(strv_len(pulled.digests), 1);
        assert_int_equal(seen.states[TRANSFER_PULLED], 3);
        assert_true(seen_line(&seen, "1: Pulling from library/x"));
        assert_true(seen_line(&seen, "Digest: sha256:"));
        assert_true(seen_line(&seen, "Status: Downloaded newer image for "));
        fixture_check(&l.b);
        seen_done(&seen);

        OK(pull(&l.b, name, NULL, &seen, &again, &err));
        assert_true(seen_line(&seen, "Status: Image is up to date for "));
        assert_int_equal(seen.states[TRANSFER_EXISTS], 3);
        seen_done(&seen);

        /* To another repository of the same registry nothing has to travel. */
        _cleanup_reference_ struct reference r = ref(other);
        OK(image_tag(l.b.db, name, &r, &err));
        OK(push(&l.b, other, false, &seen, digest, &err));
        assert_string_equal(digest, made.manifest);
        assert_int_equal(seen.states[TRANSFER_MOUNTED], 3);
        assert_int_equal(seen.states[TRANSFER_PUSHED], 0);
        seen_done(&seen);
        OK(push(&l.b, other, false, &seen, digest, &err));
        assert_int_equal(seen.states[TRANSFER_EXISTS], 3);
        seen_done(&seen);

        _cleanup_free_ char *by_digest = xasprintf("%.*s@%s", (int)(strlen(other) - 2), other, digest);
        _cleanup_image_ struct image d = { 0 };
        OK(pull(&l.a, by_digest, NULL, NULL, &d, &err));
        assert_string_equal(d.manifest, made.manifest);
        assert_int_equal(strv_len(d.digests), 2);
        lab_done(&l);
}

static void what_is_missing_is_said(void **state)
{
        struct lab l;
        struct image i;
        char digest[DIGEST_SIZE];
        lab_new(&l);
        _cleanup_free_ char *name = name_at(&l, "no/such:1");
        FAILS(pull(&l.b, name, NULL, NULL, &i, &err), ERR_NOT_FOUND, "manifest unknown");
        FAILS(push(&l.b, name, false, NULL, digest, &err), ERR_NOT_FOUND,
              "An image does not exist locally with the tag: ");
        assert_int_equal(fixture_blobs(&l.b), 0);
        lab_done(&l);
}

static void all_tags_of_a_repository(void **state)
{
        struct lab l;
        struct seen seen = { 0 };
        char digest[DIGEST_SIZE];
        lab_new(&l);
        _cleanup_free_ char *one = name_at(&l, "r:1"), *two = name_at(&l, "r:2"), *bare = name_at(&l, "r");
        _cleanup_image_ struct image a = { 0 }, b = { 0 }, last = { 0 }, found = { 0 };
        MAKE(&l.a, &a, one, "1");
        MAKE(&l.a, &b, two, "1", "2");
        OK(push(&l.a, bare, true, NULL, digest, &err));
        const struct transfer_progress progress = { see_layer, see_line, &seen };
        const struct transfer_options o = { .registry = { .username = "", .password = "" },
                                            .progress = &progress,
                                            .all_tags = true };
        _cleanup_reference_ struct reference r = ref(bare);
        OK(image_pull(l.b.db, l.b.st, &r, &o, &last, &err));
        assert_string_equal(last.id, b.id);
        OK(image_find(l.b.db, one, NULL, &found, &err));
        assert_string_equal(found.id, a.id);
        seen_done(&seen);
        lab_done(&l);
}

/* An index of two platforms as one push, and each side takes what it can run. */
static void an_index_is_pulled_by_platform(void **state)
{
        struct lab l;
        char index[DIGEST_SIZE], digest[DIGEST_SIZE];
        struct seen seen = { 0 };
        lab_new(&l);
        _cleanup_free_ char *name = name_at(&l, "multi:1");
        _cleanup_image_ struct image ours = { 0 }, theirs = { 0 }, found = { 0 }, foreign = { 0 };
        _cleanup_platform_ struct platform host = { 0 };
        platform_host(&host);
        _cleanup_free_ char *here = platform_format(&host);
        const char *const a[] = { "ours", NULL }, *const b[] = { "theirs", NULL };
        make(&l.a, &(struct spec){ .contents = b, .platform = "linux/s390x" }, &theirs);
        make(&l.a, &(struct spec){ .contents = a, .platform = here }, &ours);
        struct descriptor entries[2] = { { 0 } };
        const struct image *const images[2] = { &theirs, &ours };
        for (int n = 0; n < 2; n++) {
                uint64_t size;
                assert_true(blob_exists(l.a.st->blobs, images[n]->manifest, &size));
                entries[n] = (struct descriptor){ .media_type = images[n]->media_type,
                                                  .digest = images[n]->manifest,
                                                  .size = (int64_t)size };
                OK(platform_parse(images[n]->platform, &entries[n].platform, &err));
        }
        const struct image_index x = { .media_type = (char *)MEDIA_OCI_INDEX, .manifests = entries, .count = 2 };
        _cleanup_free_ char *text = image_index_format(&x);
        OK(blob_put(l.a.st->blobs, text, strlen(text), index, &err));
        _cleanup_reference_ struct reference r = ref(name);
        for (int n = 0; n < 2; n++) {
                const struct image_record record = {
                        .manifest = images[n]->manifest, .media_type = images[n]->media_type, .name = &r, .index = index
                };
                OK(image_record(l.a.db, l.a.st, &record, NULL, &err));
                platform_done(&entries[n].platform);
        }
        OK(push(&l.a, name, false, NULL, digest, &err));
        assert_string_equal(digest, index);

        OK(pull(&l.b, name, NULL, &seen, &found, &err));
        assert_string_equal(found.id, ours.id);
        assert_non_null(strstr(found.digests[0], index));
        assert_int_equal(fixture_layers(&l.b), 1);
        /* Only half of the index is here: our platform's manifest can still be pushed. */
        OK(push(&l.b, name, false, NULL, digest, &err));
        assert_string_equal(digest, ours.manifest);
        OK(push(&l.a, name, false, NULL, digest, &err));
        OK(pull(&l.b, name, "linux/s390x", NULL, &foreign, &err));
        assert_string_equal(foreign.id, theirs.id);
        image_done(&found);
        OK(image_find(l.b.db, name, NULL, &found, &err));
        assert_string_equal(found.id, ours.id);
        OK(push(&l.b, name, false, NULL, digest, &err));
        assert_string_equal(digest, index);
        struct image none;
        FAILS(pull(&l.b, name, "linux/riscv64", NULL, &none, &err), ERR_NOT_FOUND,
              "no matching manifest for linux/riscv64");
        seen_done(&seen);
        lab_done(&l);
}

/* --- broken content --- */

static void a_layer_of_another_diff_id_is_refused(void **state)
{
        struct lab l;
        char digest[DIGEST_SIZE], config_digest[DIGEST_SIZE], manifest_digest[DIGEST_SIZE];
        lab_new(&l);
        _cleanup_free_ char *name = name_at(&l, "lie:1");
        _cleanup_image_ struct image i = { 0 };
        _cleanup_manifest_ struct manifest m = { 0 };
        _cleanup_image_config_ struct image_config config = { 0 };
        make_big(&l.a, "true:1", 3, &i);
        OK(image_read_manifest(l.a.st, &i, &m, &err));
        OK(image_read_config(l.a.st, &i, &config, &err));
        str_replace(&config.diff_ids[1], config.diff_ids[0]);
        _cleanup_free_ char *text = image_config_format(&config);
        OK(blob_put(l.a.st->blobs, text, strlen(text), config_digest, &err));
        str_replace(&m.config.digest, config_digest);
        m.config.size = (int64_t)strlen(text);
        _cleanup_free_ char *document = manifest_format(&m);
        OK(blob_put(l.a.st->blobs, document, strlen(document), manifest_digest, &err));
        /* Nobody here can make such an image: its name is put by hand. */
        _cleanup_reference_ struct reference r = ref(name);
        OK(image_tag(l.a.db, "true:1", &r, &err));
        OK(db_exec(l.a.db, NULL, &err, "UPDATE image_names SET target = ?1, manifest = ?1 WHERE familiar = ?2", "ss",
                   manifest_digest, name));
        OK(push(&l.a, name, false, NULL, digest, &err));
        struct image pulled;
        FAILS(pull(&l.b, name, NULL, NULL, &pulled, &err), ERR_CORRUPT, "layer sha256:");
        struct image *list;
        size_t count;
        const struct image_filter all = { .all = true, .dangling = -1 };
        OK(image_list(l.b.db, l.b.st, &all, &list, &count, &err));
        assert_int_equal(count, 0);
        images_free(list, count);
        const struct image_remove how = { 0 };
        uint64_t bytes;
        OK(image_prune(l.b.db, l.b.st, true, &how, &bytes, &err));
        assert_int_equal(fixture_blobs(&l.b), 0);
        assert_int_equal(fixture_layers(&l.b), 0);
        lab_done(&l);
}

/* Leaves half of a blob, as a killed pull does; damaged: as a power cut may. */
static void leave_half(struct fixture *from, struct fixture *to, const struct descriptor *d, bool damaged)
{
        _cleanup_buf_ struct buf b = { 0 };
        struct ingest *in;
        uint64_t offset;
        OK(blob_read(from->st->blobs, d->digest, BUF_DEFAULT_MAX, &b, &err));
        if (damaged)
                memset(b.data + b.len / 4, 0, b.len / 8);
        OK(blob_begin(to->st->blobs, d->digest, (uint64_t)d->size, &in, &offset, &err));
        assert_int_equal(offset, 0);
        OK(ingest_write(in, b.data, b.len / 2, &err));
        ingest_free(in);
}

static void resumes_what_an_earlier_pull_left(void **state)
{
        struct lab l;
        char digest[DIGEST_SIZE];
        lab_new(&l);
        _cleanup_free_ char *name = name_at(&l, "resumed:1");
        _cleanup_image_ struct image i = { 0 }, pulled = { 0 };
        _cleanup_manifest_ struct manifest m = { 0 };
        make_big(&l.a, name, 3, &i);
        OK(push(&l.a, name, false, NULL, digest, &err));
        OK(image_read_manifest(l.a.st, &i, &m, &err));
        leave_half(&l.a, &l.b, &m.layers[0], false);
        leave_half(&l.a, &l.b, &m.layers[2], true);
        OK(pull(&l.b, name, NULL, NULL, &pulled, &err));
        assert_string_equal(pulled.manifest, i.manifest);
        fixture_check(&l.b);
        lab_done(&l);
}

static void what_is_half_here_is_completed(void **state)
{
        struct lab l;
        char digest[DIGEST_SIZE];
        lab_new(&l);
        _cleanup_free_ char *name = name_at(&l, "half:1");
        _cleanup_image_ struct image i = { 0 }, pulled = { 0 }, again = { 0 };
        _cleanup_manifest_ struct manifest m = { 0 };
        make_big(&l.a, name, 2, &i);
        OK(push(&l.a, name, false, NULL, digest, &err));
        OK(pull(&l.b, name, NULL, NULL, &pulled, &err));
        OK(image_read_manifest(l.b.st, &pulled, &m, &err));
        /* A blob without its layer, a layer without its blob. */
        OK(layer_remove(l.b.st->snapshots, pulled.chain[1], &err));
        OK(blob_remove(l.b.st->blobs, m.layers[0].digest, &err));
        OK(pull(&l.b, name, NULL, NULL, &again, &err));
        fixture_check(&l.b);
        lab_done(&l);
}

/* --- many at once, and killed --- */

static void pull_and_exit(const char *dir, const char *name)
{
        struct fixture s;
        struct image i;
        struct err err = ERR_INIT;
        fixture_open(&s, dir);
        if (pull(&s, name, NULL, NULL, &i, &err) < 0) {
                dprintf(2, "pull: %s\n", err.msg);
                _exit(1);
        }
        _exit(0);
}

static void eight_pulls_of_one_image(void **state)
{
        struct lab l;
        char digest[DIGEST_SIZE];
        pid_t pids[8];
        lab_new(&l);
        _cleanup_free_ char *name = name_at(&l, "many:1");
        _cleanup_image_ struct image i = { 0 }, found = { 0 };
        make_big(&l.a, name, 5, &i);
        OK(push(&l.a, name, false, NULL, digest, &err));
        for (size_t n = 0; n < ELEMENTS(pids); n++) {
                pids[n] = fork();
                assert_true(pids[n] >= 0);
                if (pids[n] == 0)
                        pull_and_exit(l.b.dir, name);
        }
        for (size_t n = 0; n < ELEMENTS(pids); n++) {
                int status;
                assert_int_equal(waitpid(pids[n], &status, 0), pids[n]);
                assert_int_equal(status, 0);
        }
        OK(image_find(l.b.db, name, NULL, &found, &err));
        assert_string_equal(found.manifest, i.manifest);
        assert_int_equal(fixture_blobs(&l.b), 7);
        assert_int_equal(fixture_layers(&l.b), 5);
        fixture_check(&l.b);
        lab_done(&l);
}

static void a_killed_pull_leaves_nothing_half(void **state)
{
        struct lab l;
        char digest[DIGEST_SIZE];
        unsigned killed = 0;
        lab_new(&l);
        _cleanup_free_ char *name = name_at(&l, "killed:1");
        _cleanup_image_ struct image i = { 0 };
        make_big(&l.a, name, 4, &i);
        OK(push(&l.a, name, false, NULL, digest, &err));
        for (long n = 0; n < 40; n++) {
                const struct timespec t = { 0, n * 1000000 };
                pid_t pid = fork();
                assert_true(pid >= 0);
                if (pid == 0)
                        pull_and_exit(l.b.dir, name);
                nanosleep(&t, NULL);
                kill(pid, SIGKILL);
                int status;
                assert_int_equal(waitpid(pid, &status, 0), pid);
                killed += WIFSIGNALED(status);
                fixture_check(&l.b);
                /* Every second time from nothing, else from what was left. */
                const struct image_remove how = { .force = true };
                uint64_t bytes;
                if (n % 2 == 0)
                        OK(image_prune(l.b.db, l.b.st, true, &how, &bytes, &err));
        }
        assert_true(killed > 5);
        _cleanup_image_ struct image pulled = { 0 };
        OK(pull(&l.b, name, NULL, NULL, &pulled, &err));
        assert_string_equal(pulled.manifest, i.manifest);
        fixture_check(&l.b);
        lab_done(&l);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_manifest_keeps_its_digest_on_its_way),
                cmocka_unit_test(what_is_missing_is_said),
                cmocka_unit_test(all_tags_of_a_repository),
                cmocka_unit_test(an_index_is_pulled_by_platform),
                cmocka_unit_test(a_layer_of_another_diff_id_is_refused),
                cmocka_unit_test(resumes_what_an_earlier_pull_left),
                cmocka_unit_test(what_is_half_here_is_completed),
                cmocka_unit_test(eight_pulls_of_one_image),
                cmocka_unit_test(a_killed_pull_leaves_nothing_half),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
