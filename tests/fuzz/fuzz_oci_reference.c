/* Whatever is taken as a reference must read back as the same one from both of its written forms. */
#include "base/str.h"
#include "oci/platform.h"
#include "oci/reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct reference *want, const char *text)
{
        struct err err = ERR_INIT;
        _cleanup_reference_ struct reference r = { 0 };
        _cleanup_free_ char *a = reference_canonical(want), *b = NULL;

        if (reference_parse(text, &r, &err) < 0)
                abort();
        b = reference_canonical(&r);
        if (strcmp(a, b) != 0)
                abort();
}

static void reference_check(const char *text)
{
        struct err err = ERR_INIT;
        _cleanup_reference_ struct reference r = { 0 };
        _cleanup_free_ char *canonical = NULL, *familiar = NULL;

        if (reference_parse(text, &r, &err) < 0)
                return;
        canonical = reference_canonical(&r);
        familiar = reference_familiar(&r);
        check(&r, canonical);
        check(&r, familiar);
}

static void platform_check(const char *text)
{
        struct err err = ERR_INIT;
        _cleanup_platform_ struct platform p = { 0 }, again = { 0 };
        _cleanup_free_ char *shown = NULL;

        if (platform_parse(text, &p, &err) < 0)
                return;
        shown = platform_format(&p);
        if (platform_parse(shown, &again, &err) < 0 || platform_match(&p, &again) == 0)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_free_ char *text = xstrndup((const char *)data, size);

        reference_check(text);
        platform_check(text);
        return 0;
}
