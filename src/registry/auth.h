/* Docker's config.json: auths, identitytoken, credsStore, credHelpers (docker-credential-NAME get/store/erase). */
#ifndef TARE_REGISTRY_AUTH_H
#define TARE_REGISTRY_AUTH_H

#include "base/err.h"
#include "base/mem.h"

struct credentials { char *username, *password, *identity_token; };
void credentials_done(struct credentials *c);           /* wipes */

/* Path of the auth file (heap): $DOCKER_CONFIG/config.json, $REGISTRY_AUTH_FILE, ~/.docker/config.json. */
char *auth_file_path(void);
/* Nothing found is success with all NULL. docker.io is stored under https://index.docker.io/v1/. */
int auth_find(const char *auth_file, const char *domain, struct credentials *ret, struct err *err);
/* Writes 0600 by rename, keeping every other member of the file; through the configured helper where there is one. */
int auth_store(const char *auth_file, const char *domain, const struct credentials *c, struct err *err);
/* ERR_NOT_FOUND when there was none. */
int auth_erase(const char *auth_file, const char *domain, struct err *err);

#endif
