/* The device's side of the Direct Device Integration interface, as bytes: what a server answers
 * becomes structs, what the device says becomes JSON.
 *
 * Answers are judged strictly where it matters: links must lead to the server that was configured,
 * hashes and sizes must be there, names must be possible. Keys that we do not know are passed over,
 * because servers of this interface send more than we use. Pure functions, no I/O.
 *
 * Source: Eclipse hawkBit, Direct Device Integration API: base resource, deploymentBase, feedback,
 * configData; and "events", "postmortems", "keys" and "current", links of our own (doc/fleet.md).
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_POSIX_DDI_H
#define SM_POSIX_DDI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sandmote/device.h>
#include "json_read.h"

#define SM_DDI_URL        768u
#define SM_DDI_ID         25u /* an action's id with its zero: what struct sm_slot has room for */
#define SM_DDI_CHUNKS_MAX 32u
#define SM_DDI_SLEEP_MAX  86399u

/* Whether url is on the server that origin ("https://host[:port]") names: the same scheme, host and
 * port, no user, and a path. */
bool sm_ddi_same_origin(const char *origin, const char *url);

/* The base resource. Links that are absent are "". */
struct sm_ddi_base {
    uint32_t sleep_s; /* until the next poll: 1 to SM_DDI_SLEEP_MAX */
    char deployment[SM_DDI_URL];
    char config[SM_DDI_URL];
    char events[SM_DDI_URL];
    char postmortems[SM_DDI_URL]; /* of the folder they are sent to */
    char keys[SM_DDI_URL];        /* of the folder of key sets */
    char current[SM_DDI_URL];     /* of the folder of statements */
    uint32_t keys_version;        /* the latest of the fleet; 0: the server has none */
};

/* fleet: whose key sets are looked for. 0, or SM_ERR_INVALID with a sentence in *err and *out
 * undefined. */
int sm_ddi_read_base(const char *origin, const char *fleet, const void *bytes, size_t len,
                     struct sm_ddi_base *out, struct sm_json_error *err);

/* A module to run. An unsigned one has no signature link ("") and will not be accepted. */
struct sm_ddi_chunk {
    bool plugin;
    char name[SM_NAME_MAX + 1];
    char version[SM_VERSION_MAX + 1]; /* what the server says; the manifest decides */
    char module[SM_DDI_URL];
    char signature[SM_DDI_URL];
    uint8_t sha256[SM_SHA256_SIZE];
    uint32_t size; /* bytes, at least 1 */
    /* A native image for the device's target and its claim; "" when there is none. What is wrong
     * with one is no fault of the deployment: it is then not offered. */
    char native[SM_DDI_URL];
    char claim[SM_DDI_URL];
    uint32_t native_size, claim_size;
};

struct sm_ddi_deployment {
    char id[SM_DDI_ID];
    bool skip;    /* not now (a maintenance window): ask again with the next poll */
    bool set;     /* its modules are put in force together or not at all */
    size_t count; /* at least 1 */
    struct sm_ddi_chunk chunk[SM_DDI_CHUNKS_MAX];
};

/* target: what native images must be for; 0 passes all of them over.
 * 0, or SM_ERR_INVALID with a sentence in *err; out->id is then set when it could be read, so that
 * the refusal can be reported, else "". */
int sm_ddi_read_deployment(const char *origin, uint32_t target, const void *bytes, size_t len,
                           struct sm_ddi_deployment *out, struct sm_json_error *err);

/* ---- What the device says: JSON text, the caller's to free; NULL without memory ----------------
 */

enum sm_ddi_outcome { SM_DDI_PROCEEDING, SM_DDI_SUCCESS, SM_DDI_FAILURE };

char *sm_ddi_write_feedback(const char *id, enum sm_ddi_outcome outcome, const char *detail);

/* One event as an element of an array. server is added to the detail of those that are about what
 * it offered; it may be "". */
json_t *sm_ddi_event(const struct sm_event *e, const char *server, uint64_t uptime_ms);

/* The attribute that says which module runs, or which release removed one: "module.<name>" or
 * "removed.<name>" with "<version> <sequence> <sha256>"; false without memory. */
bool sm_ddi_add_module(json_t *data, bool removed, const char *name, const struct sm_slot *slot);

#endif
