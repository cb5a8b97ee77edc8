/* Image configs: what is taken must be written, copied, and read back to the same bytes. */
#include "base/str.h"
#include "oci/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct err err = ERR_INIT;
        _cleanup_image_config_ struct image_config c, copy, again;
        _cleanup_free_ char *first = NULL, *second = NULL;

        image_config_init(&c);
        image_config_init(&copy);
        image_config_init(&again);
        if (image_config_parse((const char *)data, size, &c, &err) < 0)
                return 0;
        image_config_copy(&c, &copy);
        first = image_config_format(&copy);
        if (image_config_parse(first, strlen(first), &again, &err) < 0)
                abort();
        second = image_config_format(&again);
        if (strcmp(first, second) != 0)
                abort();
        return 0;
}
