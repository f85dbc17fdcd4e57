/* The server's resources: a method and a path become a request for one of them, or are refused.
 *
 * Pure functions over what a stranger sent: nothing here allocates, does I/O or looks at the
 * database. doc/fleet.md lists the resources.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_FLEET_ROUTE_H
#define SM_FLEET_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sandmote/error.h>

#define SM_FLEET_NAME_MAX 64u /* bytes of a device id or a channel name */
#define SM_FLEET_SHA_TEXT 65u /* a SHA-256 in hex, with its zero */

enum sm_fleet_op {
    SM_FLEET_MODULES,
    SM_FLEET_MODULE_UPLOAD,
    SM_FLEET_NATIVES,
    SM_FLEET_NATIVE_UPLOAD,
    SM_FLEET_KEYS,
    SM_FLEET_KEYS_UPLOAD,
    SM_FLEET_CHANNELS,
    SM_FLEET_CHANNEL,
    SM_FLEET_CHANNEL_ASSIGN,
    SM_FLEET_DEVICES,
    SM_FLEET_DEVICE,
    SM_FLEET_DEVICE_PUT,
    SM_FLEET_EVENTS,
    SM_FLEET_POSTMORTEMS,
    SM_FLEET_POSTMORTEM,
    SM_FLEET_DDI_BASE,
    SM_FLEET_DDI_CONFIG,
    SM_FLEET_DDI_DEPLOYMENT,
    SM_FLEET_DDI_FEEDBACK,
    SM_FLEET_DDI_ARTIFACT,
    SM_FLEET_DDI_EVENTS,
    SM_FLEET_DDI_POSTMORTEM,
    SM_FLEET_DDI_KEYS,
    SM_FLEET_DDI_CURRENT
};

enum sm_fleet_auth { SM_FLEET_OPERATOR, SM_FLEET_DEVICE_AUTH };

/* What kind of body a resource takes. */
enum sm_fleet_body { SM_FLEET_NO_BODY, SM_FLEET_JSON, SM_FLEET_MULTIPART, SM_FLEET_BYTES };

/* Path parameters that the resource does not have are empty or 0. */
struct sm_fleet_route {
    enum sm_fleet_op op;
    enum sm_fleet_auth auth;
    enum sm_fleet_body body;
    char tenant[SM_FLEET_NAME_MAX + 1];
    char name[SM_FLEET_NAME_MAX + 1]; /* of a device or a channel */
    char sha256[SM_FLEET_SHA_TEXT];
    char file[SM_FLEET_NAME_MAX + 1];
    char nonce[SM_FLEET_NAME_MAX + 1]; /* any name; its handler knows what it must be */
    uint64_t action; /* or the number of a post-mortem, or the version of a key set, whose fleet is
                        then in file */
};

/* Whether a text can be a device id, a channel or a tenant: 1 to 64 of A-Z a-z 0-9 . _ - beginning
 * with a letter or a digit. */
bool sm_fleet_name_valid(const char *text);

/* Whether a text is a SHA-256 in lower case hex. */
bool sm_fleet_sha_valid(const char *text);

/* path is decoded and begins with a slash. HEAD counts as GET.
 * 0, or SM_ERR_NOT_FOUND (no such resource), SM_ERR_DENIED (not with this method). */
int sm_fleet_route(const char *method, const char *path, struct sm_fleet_route *out);

/* A whole number in decimal without sign or leading zeros: 0, or SM_ERR_MALFORMED. */
int sm_fleet_number(const char *text, uint64_t *out);

/* The part of a representation that a Range header asks for (RFC 9110 section 14). */
enum sm_fleet_range { SM_RANGE_ALL, SM_RANGE_PART, SM_RANGE_UNSATISFIABLE };

/* header may be NULL. What is not one byte range is ignored, as the RFC allows: all is sent.
 * With SM_RANGE_PART *first + *len <= size and *len > 0. */
enum sm_fleet_range sm_fleet_range(const char *header, uint64_t size, uint64_t *first,
                                   uint64_t *len);

/* Whether an entity tag (with its quotes) is named in an If-Match, If-None-Match or If-Range
 * header, by the strong comparison: weak tags never match. header may be NULL: false. */
bool sm_fleet_etag_in(const char *header, const char *etag);

#endif
