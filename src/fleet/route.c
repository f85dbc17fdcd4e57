/* Methods, paths and the headers that select a part of an answer.
 *
 * A pattern is a path whose {x} segments take one path parameter each; a parameter that breaks the
 * rule of its kind makes the path unknown, so handlers only ever see well-formed ones.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "route.h"

#include <string.h>

static const struct pattern {
    const char *method, *path;
    enum sm_fleet_op op;
    enum sm_fleet_auth auth;
    enum sm_fleet_body body;
} patterns[] = {
#define OPERATOR SM_FLEET_OPERATOR
#define DEVICE   SM_FLEET_DEVICE_AUTH
#define DDI      "/{tenant}/controller/v1/{name}"
    {"GET", "/api/v1/modules", SM_FLEET_MODULES, OPERATOR, SM_FLEET_NO_BODY},
    {"POST", "/api/v1/modules", SM_FLEET_MODULE_UPLOAD, OPERATOR, SM_FLEET_MULTIPART},
    {"GET", "/api/v1/natives", SM_FLEET_NATIVES, OPERATOR, SM_FLEET_NO_BODY},
    {"POST", "/api/v1/natives", SM_FLEET_NATIVE_UPLOAD, OPERATOR, SM_FLEET_MULTIPART},
    {"GET", "/api/v1/keys", SM_FLEET_KEYS, OPERATOR, SM_FLEET_NO_BODY},
    {"POST", "/api/v1/keys", SM_FLEET_KEYS_UPLOAD, OPERATOR, SM_FLEET_MULTIPART},
    {"GET", "/api/v1/channels", SM_FLEET_CHANNELS, OPERATOR, SM_FLEET_NO_BODY},
    {"GET", "/api/v1/channels/{name}", SM_FLEET_CHANNEL, OPERATOR, SM_FLEET_NO_BODY},
    {"PUT", "/api/v1/channels/{name}", SM_FLEET_CHANNEL_ASSIGN, OPERATOR, SM_FLEET_JSON},
    {"GET", "/api/v1/devices", SM_FLEET_DEVICES, OPERATOR, SM_FLEET_NO_BODY},
    {"GET", "/api/v1/devices/{name}", SM_FLEET_DEVICE, OPERATOR, SM_FLEET_NO_BODY},
    {"PUT", "/api/v1/devices/{name}", SM_FLEET_DEVICE_PUT, OPERATOR, SM_FLEET_JSON},
    {"GET", "/api/v1/events", SM_FLEET_EVENTS, OPERATOR, SM_FLEET_NO_BODY},
    {"GET", "/api/v1/postmortems", SM_FLEET_POSTMORTEMS, OPERATOR, SM_FLEET_NO_BODY},
    {"GET", "/api/v1/postmortems/{action}", SM_FLEET_POSTMORTEM, OPERATOR, SM_FLEET_NO_BODY},
    {"GET", DDI, SM_FLEET_DDI_BASE, DEVICE, SM_FLEET_NO_BODY},
    {"PUT", DDI "/configData", SM_FLEET_DDI_CONFIG, DEVICE, SM_FLEET_JSON},
    {"GET", DDI "/deploymentBase/{action}", SM_FLEET_DDI_DEPLOYMENT, DEVICE, SM_FLEET_NO_BODY},
    {"POST", DDI "/deploymentBase/{action}/feedback", SM_FLEET_DDI_FEEDBACK, DEVICE, SM_FLEET_JSON},
    {"GET", DDI "/artifacts/{sha256}/{file}", SM_FLEET_DDI_ARTIFACT, DEVICE, SM_FLEET_NO_BODY},
    {"GET", DDI "/keys/{file}/{action}", SM_FLEET_DDI_KEYS, DEVICE, SM_FLEET_NO_BODY},
    {"GET", DDI "/current/{file}/{nonce}", SM_FLEET_DDI_CURRENT, DEVICE, SM_FLEET_NO_BODY},
    {"POST", DDI "/events", SM_FLEET_DDI_EVENTS, DEVICE, SM_FLEET_JSON},
    {"POST", DDI "/postmortems/{action}", SM_FLEET_DDI_POSTMORTEM, DEVICE, SM_FLEET_BYTES},
};

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool sm_fleet_name_valid(const char *text)
{
    size_t n = 0;
    for (; text[n]; n++)
        if (n == SM_FLEET_NAME_MAX || !(is_alnum(text[n]) || (n && strchr("._-", text[n]))))
            return false;
    return n > 0;
}

bool sm_fleet_sha_valid(const char *text)
{
    size_t n = 0;
    for (; text[n]; n++)
        if (n == SM_FLEET_SHA_TEXT - 1 ||
            !((text[n] >= '0' && text[n] <= '9') || (text[n] >= 'a' && text[n] <= 'f')))
            return false;
    return n == SM_FLEET_SHA_TEXT - 1;
}

/* Reads digits from *p; false when there are none or they are too many for 63 bits. */
static bool digits(const char **p, uint64_t *out)
{
    const char *start = *p;
    uint64_t n = 0;
    for (; **p >= '0' && **p <= '9'; (*p)++) {
        uint64_t d = (uint64_t)(**p - '0');
        if (n > ((uint64_t)INT64_MAX - d) / 10)
            return false;
        n = n * 10 + d;
    }
    *out = n;
    return *p != start;
}

int sm_fleet_number(const char *text, uint64_t *out)
{
    const char *p = text;
    if (!digits(&p, out) || *p || (text[0] == '0' && text[1]))
        return SM_ERR_MALFORMED;
    return 0;
}

/* Takes the segment of the path as the parameter that the pattern names. */
static bool take(struct sm_fleet_route *r, const char *parameter, const char *segment)
{
    if (!strncmp(parameter, "{tenant}", 8))
        return sm_fleet_name_valid(segment) && strcpy(r->tenant, segment);
    if (!strncmp(parameter, "{name}", 6))
        return sm_fleet_name_valid(segment) && strcpy(r->name, segment);
    if (!strncmp(parameter, "{file}", 6))
        return sm_fleet_name_valid(segment) && strcpy(r->file, segment);
    if (!strncmp(parameter, "{nonce}", 7))
        return sm_fleet_name_valid(segment) && strcpy(r->nonce, segment);
    if (!strncmp(parameter, "{sha256}", 8))
        return sm_fleet_sha_valid(segment) && strcpy(r->sha256, segment);
    return !sm_fleet_number(segment, &r->action);
}

/* Copies the segment after the slash at *p and moves *p to the next slash or the end. */
static bool segment(const char **p, char out[SM_FLEET_SHA_TEXT])
{
    const char *start = *p + 1;
    size_t n = strcspn(start, "/");
    if (n >= SM_FLEET_SHA_TEXT)
        return false;
    memcpy(out, start, n);
    out[n] = 0;
    *p = start + n;
    return true;
}

static bool path_fits(const char *pattern, const char *path, struct sm_fleet_route *r)
{
    char want[SM_FLEET_SHA_TEXT], have[SM_FLEET_SHA_TEXT];
    while (*pattern && *path == '/') {
        if (!segment(&pattern, want) || !segment(&path, have))
            return false;
        if (*want == '{' ? !take(r, want, have) : strcmp(want, have) != 0)
            return false;
    }
    return !*pattern && !*path;
}

int sm_fleet_route(const char *method, const char *path, struct sm_fleet_route *out)
{
    int err = SM_ERR_NOT_FOUND;
    if (!strcmp(method, "HEAD"))
        method = "GET";
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        const struct pattern *p = &patterns[i];
        memset(out, 0, sizeof *out);
        if (!path_fits(p->path, path, out))
            continue;
        if (strcmp(p->method, method) != 0) {
            err = SM_ERR_DENIED;
            continue;
        }
        out->op = p->op;
        out->auth = p->auth;
        out->body = p->body;
        return 0;
    }
    return err;
}

enum sm_fleet_range sm_fleet_range(const char *header, uint64_t size, uint64_t *first,
                                   uint64_t *len)
{
    uint64_t from, to;
    if (!header || strncmp(header, "bytes=", 6) != 0)
        return SM_RANGE_ALL;
    const char *p = header + 6;
    if (*p == '-') { /* the last so many bytes */
        p++;
        if (!digits(&p, &from) || *p)
            return SM_RANGE_ALL;
        if (from == 0 || size == 0)
            return SM_RANGE_UNSATISFIABLE;
        *len = from < size ? from : size;
        *first = size - *len;
        return SM_RANGE_PART;
    }
    if (!digits(&p, &from) || *p++ != '-')
        return SM_RANGE_ALL;
    if (!*p)
        to = UINT64_MAX;
    else if (!digits(&p, &to) || *p || to < from)
        return SM_RANGE_ALL;
    if (from >= size)
        return SM_RANGE_UNSATISFIABLE;
    *first = from;
    *len = to >= size ? size - from : to - from + 1;
    return SM_RANGE_PART;
}

bool sm_fleet_etag_in(const char *header, const char *etag)
{
    size_t n = strlen(etag);
    if (!header)
        return false;
    for (const char *p = header; *p;) {
        p += strspn(p, " \t,");
        if (*p == '*' && (p[1] == 0 || p[1] == ' '))
            return true;
        size_t len = strcspn(p, ",");
        while (len && (p[len - 1] == ' ' || p[len - 1] == '\t'))
            len--;
        if (len == n && !memcmp(p, etag, n))
            return true;
        p += strcspn(p, ",");
    }
    return false;
}
