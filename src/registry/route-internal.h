/* The routes of distribution-spec "API" as a table, and the one noun each serves. */
#ifndef TARE_REGISTRY_ROUTE_INTERNAL_H
#define TARE_REGISTRY_ROUTE_INTERNAL_H

#include "registry/call-internal.h"

struct route {
        int noun;                      /* private to route.c */
        const char *method;
        bool writes, deletes;          /* what read_only and allow_delete are about */
        /* Each may be NULL and may answer. begin: the head is here. data: a piece of the body. end: all of it is. */
        void (*begin)(struct call *c);
        void (*data)(struct call *c, const char *bytes, size_t len);
        void (*end)(struct call *c);
};

/* Fills route, repository and reference from method and (decoded) path, or answers. */
void route_find(struct call *c, const char *path);

void base_get(struct call *c);
void catalog_get(struct call *c);
void tags_get(struct call *c);
void referrers_get(struct call *c);
void manifest_get(struct call *c);
void manifest_put_begin(struct call *c);
void manifest_put_data(struct call *c, const char *bytes, size_t len);
void manifest_put_end(struct call *c);
void manifest_delete(struct call *c);
void blob_get(struct call *c);
void blob_delete(struct call *c);
void uploads_post_begin(struct call *c);
void uploads_post_end(struct call *c);
void upload_get(struct call *c);
void upload_delete(struct call *c);
void upload_body_begin(struct call *c);
void upload_body_data(struct call *c, const char *bytes, size_t len);
void upload_patch_end(struct call *c);
void upload_put_end(struct call *c);

#endif
