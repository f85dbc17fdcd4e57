/* Bodies of requests: JSON bytes become structs, or one sentence says what is wrong with them.
 *
 * Each struct borrows its texts from the JSON document in `root`, which the caller gives back with
 * json_decref() when the function returned 0. All return 0 or SM_ERR_INVALID with *err filled.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_FLEET_BODY_H
#define SM_FLEET_BODY_H

#include <posix/json_read.h>
#include "route.h"

#define SM_FLEET_MODULES_MAX    32u  /* of a channel */
#define SM_FLEET_EVENTS_MAX     256u /* of one request */
#define SM_FLEET_ATTRIBUTES_MAX 128u /* of a device; and bytes of a key or a value */
#define SM_FLEET_TOKEN_MIN      16u
#define SM_FLEET_TOKEN_MAX      128u

/* PUT /channels/{name} {"modules":["<sha256>",...]} */
struct sm_fleet_assignment {
    json_t *root;
    size_t count;
    const char *sha256[SM_FLEET_MODULES_MAX]; /* well-formed, no two alike */
};
int sm_fleet_read_assignment(const void *bytes, size_t len, struct sm_fleet_assignment *out,
                             struct sm_json_error *err);

/* PUT /devices/{id} {"channel":"..","token":".."}; both may be absent: NULL. */
struct sm_fleet_enrolment {
    json_t *root;
    const char *channel;
    const char *token;
};
int sm_fleet_read_enrolment(const void *bytes, size_t len, struct sm_fleet_enrolment *out,
                            struct sm_json_error *err);

/* What a device says about an action (hawkBit DDI, feedback). Keys that we do not know are passed
 * over: other clients of that interface send more. */
enum sm_fleet_outcome { SM_FLEET_RUNNING, SM_FLEET_FINISHED, SM_FLEET_FAILED };
struct sm_fleet_feedback {
    json_t *root;
    enum sm_fleet_outcome outcome;
    const char *execution; /* "closed", "proceeding", ... */
    const char *finished;  /* "success", "failure", "none" */
    char details[512];     /* the texts, joined by "; " and cut */
};
int sm_fleet_read_feedback(const void *bytes, size_t len, struct sm_fleet_feedback *out,
                           struct sm_json_error *err);

/* A module that a device says it runs: attribute "module.<name>" with "<version> <sequence>
 * <sha256>". */
struct sm_fleet_installed {
    const char *name;
    char version[33];
    uint64_t sequence;
    char sha256[SM_FLEET_SHA_TEXT];
};

/* PUT configData {"mode":"merge|replace|remove","data":{"key":"value",...}} */
enum sm_fleet_mode { SM_FLEET_MERGE, SM_FLEET_REPLACE, SM_FLEET_REMOVE };
struct sm_fleet_attributes {
    json_t *root;
    enum sm_fleet_mode mode;
    json_t *data; /* texts only; values of "module.*" and "removed.*" are well-formed */
};
int sm_fleet_read_attributes(const void *bytes, size_t len, struct sm_fleet_attributes *out,
                             struct sm_json_error *err);

/* One attribute as a running module: 0, SM_ERR_NOT_FOUND when the key names none, or
 * SM_ERR_MALFORMED. name points into key. */
int sm_fleet_read_installed(const char *key, const char *value, struct sm_fleet_installed *out);

/* POST events [{"id":uint,"event":"TRAP","module":..,"version":..,"sequence":..,"sha256":..,
 * "detail":..,"uptime_ms":..},...]: id and event must be there, texts default to "". */
struct sm_fleet_event {
    uint64_t id, sequence, uptime_ms;
    const char *event, *module, *version, *sha256, *detail;
};
struct sm_fleet_events {
    json_t *root; /* the array */
    size_t count;
    struct sm_fleet_event event[SM_FLEET_EVENTS_MAX];
};
int sm_fleet_read_events(const void *bytes, size_t len, struct sm_fleet_events *out,
                         struct sm_json_error *err);

#endif
