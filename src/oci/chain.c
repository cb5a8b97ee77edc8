/* Chain ids, apart from config.c so that who only reads configurations does not link libcrypto. */
#include "base/digest.h"
#include "base/str.h"
#include "oci/config.h"

char **image_chain_ids(char *const *diff_ids)
{
        char **chain = NULL;
        char digest[DIGEST_SIZE];

        STRV_FOREACH(id, diff_ids) {
                size_t n = strv_len(chain);
                _cleanup_free_ char *pair = NULL;

                if (n == 0) {
                        strv_push(&chain, *id);
                        continue;
                }
                pair = xasprintf("%s %s", chain[n - 1], *id);
                digest_of(pair, strlen(pair), digest);
                strv_push(&chain, digest);
        }
        return chain;
}
