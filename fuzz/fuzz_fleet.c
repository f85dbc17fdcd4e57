/* What strangers send to the fleet server: methods and paths, headers that select a part, bodies.
 *
 * The first byte chooses the parser, and whether a body is the rest or edits of a good one; what it
 * accepts must keep what its header promises.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <fleet/body.h>

#include "json_edit.h"

#define SHA "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const char *const good_bodies[] = {
    "{\"modules\":[\"" SHA
    "\",\"fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210\"]}",
    "{\"channel\":\"stable\",\"token\":\"0123456789abcdef\"}",
    "{\"id\":\"5\",\"status\":{\"execution\":\"closed\",\"result\":{\"finished\":\"success\"},"
    "\"details\":[\"one\",\"two\"]}}",
    "{\"mode\":\"replace\",\"data\":{\"class\":\"mcu\",\"module.a\":\"1.0 2 " SHA "\"}}",
    "[{\"id\":7,\"event\":\"TRAP\",\"module\":\"a\",\"version\":\"1\",\"sequence\":3,\"sha256\":"
    "\"" SHA "\",\"detail\":\"d\",\"uptime_ms\":9},{\"id\":8,\"event\":\"TRIAL\"}]"};

static void must(int good)
{
    if (!good)
        abort();
}

/* Input as a text: up to its first zero byte, or all of it. */
static char *text_of(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    must(text != NULL);
    memcpy(text, data, size);
    text[size] = 0;
    return text;
}

static void try_route(const uint8_t *data, size_t size)
{
    static const char *const methods[] = {"GET", "PUT", "POST", "HEAD", "DELETE"};
    struct sm_fleet_route r;
    char *path = text_of(data + 1, size - 1);
    if (!sm_fleet_route(methods[data[0] % 5], path, &r)) {
        must(!r.name[0] || sm_fleet_name_valid(r.name));
        must(!r.sha256[0] || sm_fleet_sha_valid(r.sha256));
        must(r.auth == SM_FLEET_OPERATOR || (r.name[0] && r.tenant[0]));
    }
    free(path);
}

static void try_range(const uint8_t *data, size_t size)
{
    uint64_t first = 0, len = 0, total = data[0] * 37u;
    char *text = text_of(data + 1, size - 1);
    if (sm_fleet_range(text, total, &first, &len) == SM_RANGE_PART)
        must(len > 0 && first < total && len <= total - first);
    sm_fleet_etag_in(text, "\"0123\"");
    uint64_t number;
    if (!sm_fleet_number(text, &number))
        must(number <= INT64_MAX);
    free(text);
}

static void try_operator_body(const uint8_t *data, size_t size)
{
    struct sm_json_error why;
    struct sm_fleet_assignment a;
    if (!sm_fleet_read_assignment(data, size, &a, &why)) {
        must(a.count >= 1 && a.count <= SM_FLEET_MODULES_MAX);
        for (size_t i = 0; i < a.count; i++)
            must(sm_fleet_sha_valid(a.sha256[i]));
        json_decref(a.root);
    }
    struct sm_fleet_enrolment e;
    if (!sm_fleet_read_enrolment(data, size, &e, &why)) {
        must(!e.channel || sm_fleet_name_valid(e.channel));
        json_decref(e.root);
    }
}

static void try_device_body(const uint8_t *data, size_t size)
{
    static struct sm_fleet_events events;
    struct sm_json_error why;
    struct sm_fleet_feedback f;
    if (!sm_fleet_read_feedback(data, size, &f, &why)) {
        must(memchr(f.details, 0, sizeof f.details) != NULL);
        json_decref(f.root);
    }
    struct sm_fleet_attributes a;
    if (!sm_fleet_read_attributes(data, size, &a, &why)) {
        must(json_is_object(a.data));
        json_decref(a.root);
    }
    if (!sm_fleet_read_events(data, size, &events, &why)) {
        must(events.count <= SM_FLEET_EVENTS_MAX);
        for (size_t i = 0; i < events.count; i++)
            must(events.event[i].detail != NULL && events.event[i].event[0]);
        json_decref(events.root);
    }
}

static void try_bodies(const uint8_t *data, size_t size)
{
    try_operator_body(data, size);
    try_device_body(data, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    unsigned which = data[0] % 8;
    if (which == 0) {
        try_route(data + 1, size - 1);
    } else if (which == 1) {
        try_range(data + 1, size - 1);
    } else if (which == 2) {
        try_bodies(data + 1, size - 1);
    } else {
        char *edited = json_edit(good_bodies[which - 3], data + 1, size - 1);
        try_bodies((const uint8_t *)edited, strlen(edited));
        free(edited);
    }
    return 0;
}
