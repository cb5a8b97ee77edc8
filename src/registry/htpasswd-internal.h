/* Users of a registry server: a file as htpasswd(1) writes it (bcrypt, {SHA}, and whatever crypt(3) knows). Read again when it
 * changes. Right passwords are remembered as salted hashes, because bcrypt is made to be slow. */
#ifndef TARE_REGISTRY_HTPASSWD_INTERNAL_H
#define TARE_REGISTRY_HTPASSWD_INTERNAL_H

#include <stdbool.h>
#include "base/err.h"

struct htpasswd;
int htpasswd_open(const char *path, struct htpasswd **ret, struct err *err);
void htpasswd_close(struct htpasswd *h);
/* header: the value of Authorization, or NULL. Safe from several threads. */
bool htpasswd_allows(struct htpasswd *h, const char *header);

#endif
