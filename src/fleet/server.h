/* What a request is to the server's handlers, and what they answer: neither knows HTTP's library.
 *
 * http.c makes requests and sends answers; operator.c, module.c, native.c, keys.c, ddi.c
 * and artifact.c handle them.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_FLEET_SERVER_H
#define SM_FLEET_SERVER_H

#include "config.h"
#include "db.h"

struct sm_fleet {
    struct sm_fleet_config cfg;
    struct sm_fleet_db db;
};

struct sm_bytes {
    const uint8_t *at; /* NULL: was not sent */
    size_t len;
};

/* Routed and authenticated. Everything is borrowed until the handler returns. */
struct sm_fleet_request {
    struct sm_fleet_route route;
    const char *who;      /* the operator's name or the device's id */
    const char *base_url; /* "https://host:port": what links begin with */
    const char *range, *if_range, *if_match, *if_none_match; /* headers, or NULL */
    const char *query_device, *query_after, *query_limit;    /* or NULL */
    struct sm_bytes body;              /* of SM_FLEET_JSON and SM_FLEET_BYTES */
    struct sm_bytes module, signature; /* of SM_FLEET_MULTIPART; module, native image, key set */
};

/* Exactly one of json, bytes and file is sent; none of them when the status has no body. */
struct sm_fleet_answer {
    unsigned status;
    json_t *json;
    uint8_t *bytes;            /* a small representation, all of it, on the heap; or NULL */
    int file;                  /* a descriptor, or -1 */
    uint64_t first, len, size; /* the part of the representation, and the size of all of it */
    char etag[SM_FLEET_SHA_TEXT + 2];
};

void sm_fleet_answer_init(struct sm_fleet_answer *a);

/* Answer with {"error": sentence}; what the answer held before is dropped. */
void sm_fleet_refuse(struct sm_fleet_answer *a, unsigned status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Answer trouble of our own: the database, the disk, memory. */
void sm_fleet_fail(struct sm_fleet_answer *a, int err);

/* Answer with JSON; takes the reference. NULL is answered as a lack of memory. */
void sm_fleet_reply(struct sm_fleet_answer *a, unsigned status, json_t *json);

/* Drop what the answer holds. */
void sm_fleet_answer_free(struct sm_fleet_answer *a);

/* Run the handler of the request's route. */
void sm_fleet_handle(struct sm_fleet *f, const struct sm_fleet_request *q,
                     struct sm_fleet_answer *a);

/* The handlers. */
typedef void sm_fleet_handler(struct sm_fleet *f, const struct sm_fleet_request *q,
                              struct sm_fleet_answer *a);
sm_fleet_handler sm_fleet_keys_upload, sm_fleet_keys_list, sm_fleet_ddi_keys, sm_fleet_ddi_current;
sm_fleet_handler sm_fleet_modules, sm_fleet_module_upload, sm_fleet_natives, sm_fleet_native_upload,
    sm_fleet_channels, sm_fleet_channel, sm_fleet_channel_assign, sm_fleet_devices, sm_fleet_device,
    sm_fleet_device_put, sm_fleet_events;
sm_fleet_handler sm_fleet_ddi_base, sm_fleet_ddi_config, sm_fleet_ddi_deployment,
    sm_fleet_postmortems, sm_fleet_postmortem, sm_fleet_ddi_postmortem, sm_fleet_ddi_feedback,
    sm_fleet_ddi_artifact, sm_fleet_ddi_events;

/* ---- Stored files (artifact.c) ------------------------------------------------------------- */

/* Make the folders of the data folder. 0 or SM_ERR_IO, which is logged. */
int sm_fleet_artifacts_init(const struct sm_fleet *f);
/* Keep a file's bytes under their hash. 0, SM_ERR_FULL or SM_ERR_IO, which are logged. */
int sm_fleet_artifact_store(const struct sm_fleet *f, const char *sha256, struct sm_bytes bytes);

/* Answer with bytes that lie in memory, or a part of them, as the request's headers say. */
void sm_fleet_send_bytes(const struct sm_fleet_request *q, const void *bytes, size_t len,
                         const char *sha256, struct sm_fleet_answer *a);

/* ---- Whom the server believes (keys.c) ----------------------------------------------------- */

/* Check an uploaded module with the keys of each fleet that the server knows: of its latest key set
 * if it has one, else of the configuration. 0 and *verdict, which is the answer of
 * sm_trust_verify_module() (trust.h); or SM_ERR_MEMORY, or the database's errors. */
int sm_fleet_verify_module(struct sm_fleet *f, const struct sm_fleet_request *q,
                           struct sm_manifest *m, struct sm_manifest_detail *why, int *verdict);
/* The same of a native image's claim, for a module of this fleet. */
int sm_fleet_verify_native(struct sm_fleet *f, struct sm_bytes signature, const char *fleet,
                           struct sm_native_claim *claim, struct sm_manifest_detail *why,
                           int *verdict);
/* Whether the latest key set of the fleet revokes a module. 0, or the database's errors. */
int sm_fleet_revoked(struct sm_fleet *f, const char *fleet, struct sm_bytes module, bool *revoked);

/* Hashes as text. SHA-1 is for clients of the DDI interface made before SHA-256 came to it, and for
 * nothing that we decide; "" when libcrypto has none. */
void sm_fleet_sha256_text(struct sm_bytes b, char out[SM_FLEET_SHA_TEXT]);
void sm_fleet_sha1_text(struct sm_bytes b, char out[41]);

#endif
