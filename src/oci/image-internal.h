/* What manifest.c and index.c share: the common head of both documents, and lists of descriptors. */
#ifndef TARE_OCI_IMAGE_INTERNAL_H
#define TARE_OCI_IMAGE_INTERNAL_H

#include "oci/image.h"

struct media_rule {
        const char *noun;              /* "an image manifest" */
        bool (*accepts)(const char *media_type);
        const char *fallback;          /* the type of a document that names none and came without one */
        const char *const *foreign;    /* NULL-terminated: members that only the other document has */
};

/* Settles the media type between document and hint; refuses a document that could be read as another. path: the root */
int media_settle(const struct media_rule *rule, const json_t *o, const struct jpath *path, const char *hint, char **ret,
                 struct err *err);
int schema_version_check(const json_t *o, const struct jpath *path, struct err *err);

/* Lists: at most `max` entries. The array is the caller's to give to descriptor_list_free(). */
int descriptor_list_get(const json_t *o, const struct jpath *path, const char *key, size_t max, struct descriptor **ret,
                        size_t *ret_count, struct err *err);
void descriptor_list_free(struct descriptor *list, size_t count);
json_t *descriptor_list_to_json(const struct descriptor *list, size_t count);
/* A member that is a descriptor; ret stays empty when it is absent and not required. */
int descriptor_get(const json_t *o, const struct jpath *path, const char *key, bool required, struct descriptor *ret,
                   struct err *err);

#endif
