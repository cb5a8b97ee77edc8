#include "fixture.h"
#include "base/str.h"

static void finds_by_name_id_and_prefix(void **state)
{
        struct fixture s;
        fixture_new(&s);
        _cleanup_image_ struct image a = { 0 }, b = { 0 }, found = { 0 };
        MAKE(&s, &a, "debian", "one", "two");
        MAKE(&s, &b, "localhost:5000/x/y:1", "one", "three");
        assert_string_equal(a.names[0], "debian:latest");
        static const char *const names[] = { "debian", "debian:latest", "docker.io/library/debian",
                                             "library/debian:latest" };
        for (size_t n = 0; n < ELEMENTS(names); n++) {
                _cleanup_image_ struct image i = { 0 };
                OK(image_find(s.db, names[n], NULL, &i, &err));
                assert_string_equal(i.id, a.id);
                assert_int_equal(strv_len(i.chain), 2);
        }
        OK(image_find_brief(s.db, a.id, &found, &err));
        assert_string_equal(found.manifest, a.manifest);
        image_done(&found);
        OK(image_find_brief(s.db, digest_hex(b.id), &found, &err));
        assert_string_equal(found.id, b.id);
        image_done(&found);
        char prefix[13];
        snprintf(prefix, sizeof(prefix), "%.12s", digest_hex(b.id));
        OK(image_find_brief(s.db, prefix, &found, &err));
        assert_string_equal(found.id, b.id);
        FAILS(image_find(s.db, "nothere", NULL, &found, &err), ERR_NOT_FOUND, "No such image: nothere:latest");
        FAILS(image_find(s.db, "Not Valid", NULL, &found, &err), ERR_INVALID, "invalid reference format");
        FAILS(image_find_brief(s.db, "sha256:0000000000000000000000000000000000000000000000000000000000000000", &found,
                               &err),
              ERR_NOT_FOUND, "No such image: sha256:00");
        fixture_done(&s);
}

/* Docker: a name wins over an id that begins alike, and a prefix of two ids finds neither. */
static void a_name_wins_over_a_prefix(void **state)
{
        struct fixture s;
        fixture_new(&s);
        struct image images[20] = { { 0 } };
        char content[8], prefix[2];
        for (size_t n = 0; n < ELEMENTS(images); n++) {
                snprintf(content, sizeof(content), "%zu", n);
                image_done(&images[n]);
                MAKE(&s, &images[n], NULL, content);
        }
        /* 20 ids of 16 first digits: two share one. */
        const char *twice = NULL;
        for (size_t a = 0; a < ELEMENTS(images); a++)
                for (size_t b = a + 1; b < ELEMENTS(images); b++)
                        if (digest_hex(images[a].id)[0] == digest_hex(images[b].id)[0])
                                twice = images[a].id;
        snprintf(prefix, sizeof(prefix), "%.1s", digest_hex(twice));
        struct image found = { 0 };
        FAILS(image_find(s.db, prefix, NULL, &found, &err), ERR_INVALID, "ambiguous");
        _cleanup_reference_ struct reference name = ref(prefix);
        OK(image_tag(s.db, images[3].id, &name, &err));
        OK(image_find(s.db, prefix, NULL, &found, &err));
        assert_string_equal(found.id, images[3].id);
        image_done(&found);
        for (size_t n = 0; n < ELEMENTS(images); n++)
                image_done(&images[n]);
        fixture_done(&s);
}

static void a_moved_name_leaves_a_dangling_image(void **state)
{
        struct fixture s;
        fixture_new(&s);
        _cleanup_image_ struct image a = { 0 }, b = { 0 };
        MAKE(&s, &a, "app:1", "one");
        MAKE(&s, &b, "app:1", "two");
        const struct image_filter dangling = { .dangling = 1 }, named = { .dangling = 0 };
        struct image *list;
        size_t count;
        OK(image_list(s.db, s.st, &dangling, &list, &count, &err));
        assert_int_equal(count, 1);
        assert_string_equal(list[0].id, a.id);
        images_free(list, count);
        OK(image_list(s.db, s.st, &named, &list, &count, &err));
        assert_int_equal(count, 1);
        assert_string_equal(list[0].id, b.id);
        images_free(list, count);
        fixture_done(&s);
}

static size_t listed(struct fixture *s, const struct image_filter *f)
{
        struct image *list;
        size_t count;
        OK(image_list(s->db, s->st, f, &list, &count, &err));
        for (size_t n = 1; n < count; n++)
                assert_true(list[n - 1].created >= list[n].created);
        images_free(list, count);
        return count;
}

static void lists_as_docker_filters(void **state)
{
        struct fixture s;
        fixture_new(&s);
        _cleanup_image_ struct image a = { 0 }, b = { 0 }, c = { 0 };
        make(&s,
             &(struct spec){ .name = "debian:12",
                             .contents = (const char *const[]){ "1", NULL },
                             .label = "k=v",
                             .created = 100 },
             &a);
        make(&s,
             &(struct spec){ .name = "debian:13",
                             .contents = (const char *const[]){ "2", NULL },
                             .label = "k=w",
                             .created = 200 },
             &b);
        make(&s, &(struct spec){ .contents = (const char *const[]){ "3", NULL }, .created = 300, .intermediate = true },
             &c);
        char *kv[] = { (char *)"k=v", NULL }, *k[] = { (char *)"k", NULL },
             *none[] = { (char *)"k", (char *)"z", NULL };
        const struct {
                struct image_filter f;
                size_t expected;
        } rows[] = {
                { { .dangling = -1 }, 2 },
                { { .dangling = -1, .all = true }, 3 },
                { { .dangling = -1, .reference = "debian" }, 2 },
                { { .dangling = -1, .reference = "deb*:1?" }, 2 },
                { { .dangling = -1, .reference = "debian:12" }, 1 },
                { { .dangling = -1, .reference = "docker.io/library/debian:12" }, 1 },
                { { .dangling = -1, .reference = "ubuntu" }, 0 },
                { { .dangling = -1, .labels = kv }, 1 },
                { { .dangling = -1, .labels = k }, 2 },
                { { .dangling = -1, .labels = none }, 0 },
                { { .dangling = -1, .before = "debian:13" }, 1 },
                { { .dangling = -1, .since = "debian:12" }, 1 },
                { { .dangling = -1, .since = "debian:12", .all = true }, 2 },
        };
        for (size_t n = 0; n < ELEMENTS(rows); n++)
                if (listed(&s, &rows[n].f) != rows[n].expected)
                        fail_msg("row %zu lists %zu", n, listed(&s, &rows[n].f));
        fixture_done(&s);
}

static void removes_the_last_name_and_shared_layers_stay(void **state)
{
        struct fixture s;
        fixture_new(&s);
        _cleanup_image_ struct image a = { 0 }, b = { 0 };
        struct told told = { 0 };
        MAKE(&s, &a, "a:1", "base", "top a");
        MAKE(&s, &b, "b:1", "base", "top b");
        assert_int_equal(fixture_layers(&s), 3);
        assert_int_equal(fixture_blobs(&s), 7);
        _cleanup_reference_ struct reference second = ref("a:2");
        OK(image_tag(s.db, "a:1", &second, &err));
        const struct image_remove how = { .told = told_line, .data = &told };
        OK(image_remove(s.db, s.st, "a:1", &how, &err));
        assert_int_equal(strv_len(told.lines), 1);
        assert_string_equal(told.lines[0], "Untagged: a:1");
        assert_int_equal(fixture_layers(&s), 3);
        OK(image_remove(s.db, s.st, "a:2", &how, &err));
        assert_true(told_has(&told, "Untagged: a:2"));
        assert_true(told_has(&told, "Deleted: sha256:"));
        assert_int_equal(fixture_layers(&s), 2);
        assert_int_equal(fixture_blobs(&s), 4);
        fixture_check(&s);
        OK(image_remove(s.db, s.st, b.id, &how, &err));
        assert_int_equal(fixture_layers(&s), 0);
        assert_int_equal(fixture_blobs(&s), 0);
        FAILS(image_remove(s.db, s.st, "b:1", &how, &err), ERR_NOT_FOUND, "No such image: b:1");
        strv_free(told.lines);
        fixture_done(&s);
}

struct user {
        const char *image;
        bool running;
};

static bool in_use(void *data, const char *image_id, char ret_container[65], bool *ret_running)
{
        const struct user *u = data;
        if (!str_eq(u->image, image_id))
                return false;
        snprintf(ret_container, 65, "0123456789abcdef");
        *ret_running = u->running;
        return true;
}

static void conflicts_are_worded_as_docker_does(void **state)
{
        struct fixture s;
        fixture_new(&s);
        _cleanup_image_ struct image a = { 0 }, child = { 0 };
        MAKE(&s, &a, "a:1", "base");
        struct user user = { a.id, false };
        struct image_remove how = { .in_use = in_use, .data = &user };
        _cleanup_free_ char *words =
                xasprintf("conflict: unable to remove repository reference \"a:1\" (must force) - container "
                          "0123456789ab is using its referenced image %.12s",
                          digest_hex(a.id));
        FAILS(image_remove(s.db, s.st, "a:1", &how, &err), ERR_CONFLICT, words);
        FAILS(image_remove(s.db, s.st, a.id, &how, &err), ERR_CONFLICT,
              "(must be forced) - image is being used by stopped container 0123456789ab");
        user.running = true;
        how.force = true;
        FAILS(image_remove(s.db, s.st, a.id, &how, &err), ERR_CONFLICT,
              "(cannot be forced) - image is being used by running container 0123456789ab");
        how = (struct image_remove){ 0 };
        _cleanup_reference_ struct reference other = ref("b:1");
        OK(image_tag(s.db, "a:1", &other, &err));
        FAILS(image_remove(s.db, s.st, a.id, &how, &err), ERR_CONFLICT,
              "(must be forced) - image is referenced in multiple repositories");
        make(&s,
             &(struct spec){
                     .name = "child", .parent = a.id, .contents = (const char *const[]){ "base", "more", NULL } },
             &child);
        OK(image_remove(s.db, s.st, "b:1", &how, &err));
        FAILS(image_remove(s.db, s.st, a.id, &how, &err), ERR_CONFLICT,
              "(cannot be forced) - image has dependent child images");
        /* By name it is only untagged, and goes with its child. */
        OK(image_remove(s.db, s.st, "a:1", &how, &err));
        assert_int_equal(listed(&s, &(struct image_filter){ .dangling = -1, .all = true }), 2);
        OK(image_remove(s.db, s.st, "child", &how, &err));
        assert_int_equal(listed(&s, &(struct image_filter){ .dangling = -1, .all = true }), 0);
        assert_int_equal(fixture_blobs(&s), 0);
        fixture_done(&s);
}

static void an_image_forced_away_keeps_its_content_for_the_container(void **state)
{
        struct fixture s;
        fixture_new(&s);
        _cleanup_image_ struct image a = { 0 }, found = { 0 };
        MAKE(&s, &a, "a:1", "base");
        struct user user = { a.id, false };
        const struct image_remove how = { .in_use = in_use, .data = &user, .force = true };
        OK(image_remove(s.db, s.st, "a:1", &how, &err));
        FAILS(image_find(s.db, a.id, NULL, &found, &err), ERR_NOT_FOUND, "No such image");
        assert_int_equal(listed(&s, &(struct image_filter){ .dangling = -1, .all = true }), 0);
        uint64_t bytes = 0;
        OK(image_prune(s.db, s.st, true, &how, &bytes, &err));
        assert_int_equal(fixture_layers(&s), 1);
        user.image = NULL;
        OK(image_prune(s.db, s.st, false, &how, &bytes, &err));
        assert_int_equal(fixture_layers(&s), 0);
        assert_int_equal(fixture_blobs(&s), 0);
        assert_true(bytes > 0);
        fixture_done(&s);
}

static void prune_takes_what_nobody_names(void **state)
{
        struct fixture s;
        fixture_new(&s);
        _cleanup_image_ struct image a = { 0 }, b = { 0 }, c = { 0 };
        char digest[DIGEST_SIZE];
        MAKE(&s, &a, "keep:1", "one");
        MAKE(&s, &b, NULL, "two");
        MAKE(&s, &c, "used:1", "three");
        OK(blob_put(s.st->blobs, "stray", 5, digest, &err));
        struct user user = { c.id, false };
        const struct image_remove how = { .in_use = in_use, .data = &user };
        uint64_t bytes = 0;
        OK(image_prune(s.db, s.st, false, &how, &bytes, &err));
        assert_false(blob_exists(s.st->blobs, digest, NULL));
        assert_int_equal(listed(&s, &(struct image_filter){ .dangling = -1, .all = true }), 2);
        OK(image_prune(s.db, s.st, true, &how, &bytes, &err));
        assert_int_equal(listed(&s, &(struct image_filter){ .dangling = -1, .all = true }), 1);
        assert_int_equal(fixture_layers(&s), 1);
        assert_int_equal(fixture_blobs(&s), 3);
        fixture_check(&s);
        fixture_done(&s);
}

static bool keep_all(void *data, const char *chain_id)
{
        return true;
}

static void content_is_collected_only_while_nobody_writes(void **state)
{
        struct fixture s;
        fixture_new(&s);
        _cleanup_image_ struct image a = { 0 };
        uint64_t bytes = 0;
        MAKE(&s, &a, "a:1", "one");
        struct err lock_err = ERR_INIT;
        int lock = storage_lock(s.st, false, true, &lock_err);
        const struct image_remove how = { 0 };
        OK(image_remove(s.db, s.st, "a:1", &how, &err));
        assert_int_equal(fixture_layers(&s), 1);
        FAILS(image_collect(s.db, s.st, NULL, NULL, &bytes, &err), ERR_CONFLICT, "");
        close(lock);
        OK(image_collect(s.db, s.st, keep_all, NULL, &bytes, &err));
        assert_int_equal(fixture_layers(&s), 1);
        assert_int_equal(fixture_blobs(&s), 0);
        OK(image_collect(s.db, s.st, NULL, NULL, &bytes, &err));
        assert_int_equal(fixture_layers(&s), 0);
        fixture_done(&s);
}

/* The same layers compressed twice: one id, two manifests. */
static void two_manifests_of_one_configuration_are_one_image(void **state)
{
        struct fixture s;
        fixture_new(&s);
        _cleanup_image_ struct image gz = { 0 }, zst = { 0 }, found = { 0 };
        const char *const contents[] = { "same", NULL };
        make(&s, &(struct spec){ .name = "x:gz", .contents = contents, .compression = COMPRESSION_GZIP }, &gz);
        make(&s, &(struct spec){ .name = "x:zst", .contents = contents, .compression = COMPRESSION_ZSTD }, &zst);
        assert_string_equal(gz.id, zst.id);
        assert_string_not_equal(gz.manifest, zst.manifest);
        assert_int_equal(listed(&s, &(struct image_filter){ .dangling = -1 }), 1);
        OK(image_find(s.db, "x:gz", NULL, &found, &err));
        assert_string_equal(found.manifest, gz.manifest);
        assert_int_equal(strv_len(found.names), 2);
        const struct image_remove how = { .force = true };
        OK(image_remove(s.db, s.st, gz.id, &how, &err));
        assert_int_equal(fixture_blobs(&s), 0);
        fixture_done(&s);
}

static void a_record_needs_its_content(void **state)
{
        struct fixture s;
        fixture_new(&s);
        _cleanup_image_ struct image a = { 0 };
        MAKE(&s, &a, NULL, "one");
        struct image_record record = { .manifest = a.manifest, .media_type = a.media_type };
        const struct image_remove how = { 0 };
        _cleanup_free_ char *chain = xstrdup(a.chain[0]);
        OK(layer_remove(s.st->snapshots, chain, &err));
        OK(image_record(s.db, s.st, &record, NULL, &err)); /* made again from its blob */
        assert_true(layer_exists(s.st->snapshots, chain));
        OK(layer_remove(s.st->snapshots, chain, &err));
        OK(image_layers_restore(s.db, s.st, chain, &err));
        assert_true(layer_exists(s.st->snapshots, chain));
        _cleanup_manifest_ struct manifest m = { 0 };
        OK(image_read_manifest(s.st, &a, &m, &err));
        OK(layer_remove(s.st->snapshots, chain, &err));
        OK(blob_remove(s.st->blobs, m.layers[0].digest, &err));
        FAILS(image_record(s.db, s.st, &record, NULL, &err), ERR_NOT_FOUND, "is missing");
        FAILS(image_layers_restore(s.db, s.st, chain, &err), ERR_NOT_FOUND, "make layer");
        FAILS(image_layers_restore(s.db, s.st, "sha256:0000000000000000000000000000000000000000000000000000000000000000", &err),
              ERR_NOT_FOUND, "no image here has it");
        OK(image_remove(s.db, s.st, a.id, &how, &err));
        FAILS(image_record(s.db, s.st, &record, NULL, &err), ERR_NOT_FOUND, "manifest");
        fixture_done(&s);
}

static void history_and_inspection(void **state)
{
        struct fixture s;
        fixture_new(&s);
        _cleanup_image_ struct image base = { 0 }, top = { 0 };
        MAKE(&s, &base, "base", "one");
        make(&s,
             &(struct spec){ .name = "top",
                             .parent = base.id,
                             .contents = (const char *const[]){ "one", "four", NULL },
                             .label = "a=b" },
             &top);
        struct image_history_row *rows;
        size_t count;
        OK(image_history(s.db, s.st, "top", &rows, &count, &err));
        assert_int_equal(count, 3);
        assert_string_equal(rows[0].id, top.id);
        assert_string_equal(rows[0].created_by, "CMD");
        assert_string_equal(rows[0].comment, "last");
        assert_int_equal(rows[0].size, 0);
        assert_int_equal(rows[1].size, 4);
        assert_string_equal(rows[1].id, base.id); /* its history had two rows */
        assert_string_equal(rows[2].id, "<missing>");
        assert_int_equal(rows[2].size, 3);
        image_history_free(rows, count);
        json_t *o;
        OK(image_inspect(s.db, s.st, "top", &o, &err));
        assert_string_equal(json_string_value(json_object_get(o, "Id")), top.id);
        assert_string_equal(json_string_value(json_object_get(o, "Parent")), base.id);
        assert_string_equal(json_string_value(json_object_get(o, "Comment")), "last");
        assert_int_equal(json_integer_value(json_object_get(o, "Size")), 7);
        json_t *config = json_object_get(o, "Config"), *labels = json_object_get(config, "Labels");
        assert_string_equal(json_string_value(json_object_get(labels, "a")), "b");
        assert_true(json_is_null(json_object_get(config, "Entrypoint")));
        assert_int_equal(json_array_size(json_object_get(json_object_get(o, "RootFS"), "Layers")), 2);
        json_decref(o);
        fixture_done(&s);
}

/* What a pull of an index for two platforms leaves. */
static void one_name_for_two_platforms(void **state)
{
        struct fixture s;
        fixture_new(&s);
        _cleanup_image_ struct image amd = { 0 }, arm = { 0 }, found = { 0 };
        const char *const a[] = { "amd", NULL }, *const b[] = { "arm", NULL };
        _cleanup_platform_ struct platform host = { 0 }, foreign = { 0 }, none = { 0 };
        platform_host(&host);
        const bool on_arm = str_eq(host.architecture, "arm64");
        OK(platform_parse(on_arm ? "linux/amd64" : "linux/arm64", &foreign, &err));
        OK(platform_parse("linux/s390x", &none, &err));
        _cleanup_free_ char *ours = platform_format(&host), *theirs = platform_format(&foreign);
        make(&s, &(struct spec){ .contents = a, .platform = ours }, &amd);
        make(&s, &(struct spec){ .contents = b, .platform = theirs }, &arm);
        char index[DIGEST_SIZE];
        OK(blob_put(s.st->blobs, "index", 5, index, &err));
        _cleanup_reference_ struct reference name = ref("multi:1");
        struct image_record record = { .manifest = amd.manifest,
                                       .media_type = amd.media_type,
                                       .name = &name,
                                       .index = index,
                                       .digest_known = true };
        OK(image_record(s.db, s.st, &record, NULL, &err));
        record.manifest = arm.manifest;
        OK(image_record(s.db, s.st, &record, NULL, &err));
        OK(image_find(s.db, "multi:1", NULL, &found, &err));
        assert_string_equal(found.id, amd.id);
        _cleanup_free_ char *by_digest = xasprintf("multi@%s", index);
        assert_string_equal(found.digests[0], by_digest);
        image_done(&found);
        OK(image_find(s.db, "multi:1", &foreign, &found, &err));
        assert_string_equal(found.id, arm.id);
        assert_string_equal(found.names[0], "multi:1");
        image_done(&found);
        FAILS(image_find(s.db, "multi:1", &none, &found, &err), ERR_NOT_FOUND, "does not match the specified platform");
        uint64_t bytes;
        OK(image_collect(s.db, s.st, NULL, NULL, &bytes, &err));
        assert_true(blob_exists(s.st->blobs, index, NULL));
        /* The name was all that held both. */
        const struct image_remove how = { 0 };
        OK(image_remove(s.db, s.st, "multi:1", &how, &err));
        assert_int_equal(fixture_blobs(&s), 0);
        assert_int_equal(fixture_layers(&s), 0);
        fixture_done(&s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(finds_by_name_id_and_prefix),
                cmocka_unit_test(a_name_wins_over_a_prefix),
                cmocka_unit_test(a_moved_name_leaves_a_dangling_image),
                cmocka_unit_test(lists_as_docker_filters),
                cmocka_unit_test(removes_the_last_name_and_shared_layers_stay),
                cmocka_unit_test(conflicts_are_worded_as_docker_does),
                cmocka_unit_test(an_image_forced_away_keeps_its_content_for_the_container),
                cmocka_unit_test(prune_takes_what_nobody_names),
                cmocka_unit_test(content_is_collected_only_while_nobody_writes),
                cmocka_unit_test(two_manifests_of_one_configuration_are_one_image),
                cmocka_unit_test(a_record_needs_its_content),
                cmocka_unit_test(history_and_inspection),
                cmocka_unit_test(one_name_for_two_platforms),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
