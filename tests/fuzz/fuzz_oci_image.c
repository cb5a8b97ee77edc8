/* Manifests and indexes: what is taken must be written, and read back to the same bytes. */
#include "base/str.h"
#include "oci/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void manifest_check(const char *text, size_t size)
{
        struct err err = ERR_INIT;
        _cleanup_manifest_ struct manifest m = { 0 }, again = { 0 };
        _cleanup_free_ char *first = NULL, *second = NULL;

        if (manifest_parse(text, size, NULL, &m, &err) < 0)
                return;
        first = manifest_format(&m);
        if (manifest_parse(first, strlen(first), m.media_type, &again, &err) < 0)
                abort();
        second = manifest_format(&again);
        if (strcmp(first, second) != 0)
                abort();
}

static void index_check(const char *text, size_t size)
{
        struct platform want = { (char *)"linux", (char *)"arm", (char *)"v7", NULL };
        struct err err = ERR_INIT;
        _cleanup_image_index_ struct image_index x = { 0 }, again = { 0 };
        _cleanup_free_ char *first = NULL, *second = NULL;

        if (image_index_parse(text, size, NULL, &x, &err) < 0)
                return;
        image_index_choose(&x, &want);
        first = image_index_format(&x);
        if (image_index_parse(first, strlen(first), x.media_type, &again, &err) < 0)
                abort();
        second = image_index_format(&again);
        if (strcmp(first, second) != 0)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        image_document_type((const char *)data, size);
        manifest_check((const char *)data, size);
        index_check((const char *)data, size);
        return 0;
}
