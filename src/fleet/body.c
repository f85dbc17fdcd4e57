/* Bodies of requests. Tables say what each may hold; what a table cannot say follows it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "body.h"

#include <stdio.h>
#include <string.h>
#include <sandmote/manifest.h>

/* ---- Operators ------------------------------------------------------------------------------- */

static int take_sha(struct sm_fleet_assignment *a, size_t i, const json_t *v,
                    struct sm_json_error *err)
{
    const char *sha = json_string_value(v);
    if (!sha || !sm_fleet_sha_valid(sha))
        return sm_json_fail(err, "modules[%zu]: must be a SHA-256 in lower case hex", i);
    for (size_t k = 0; k < i; k++)
        if (!strcmp(a->sha256[k], sha))
            return sm_json_fail(err, "modules[%zu]: is the same as modules[%zu]", i, k);
    a->sha256[i] = sha;
    return 0;
}

static int read_assignment(struct sm_fleet_assignment *a, struct sm_json_error *err)
{
    static const struct sm_json_field fields[] = {
        {"modules", SM_JSON_ARRAY, true, 1, SM_FLEET_MODULES_MAX, 0}, {0}};
    json_t *modules = NULL;
    if (sm_json_read(a->root, "", fields, false, &modules, err) < 0)
        return SM_ERR_INVALID;
    a->count = json_array_size(modules);
    for (size_t i = 0; i < a->count; i++)
        if (take_sha(a, i, json_array_get(modules, i), err) < 0)
            return SM_ERR_INVALID;
    return 0;
}

int sm_fleet_read_assignment(const void *bytes, size_t len, struct sm_fleet_assignment *out,
                             struct sm_json_error *err)
{
    memset(out, 0, sizeof *out);
    out->root = sm_json_parse(bytes, len, err);
    if (!out->root)
        return SM_ERR_INVALID;
    if (!read_assignment(out, err))
        return 0;
    json_decref(out->root);
    return SM_ERR_INVALID;
}

static int read_enrolment(struct sm_fleet_enrolment *e, struct sm_json_error *err)
{
    static const struct sm_json_field fields[] = {
        {"channel", SM_JSON_TEXT, false, 1, SM_FLEET_NAME_MAX,
         SM_JSON_AT(struct sm_fleet_enrolment, channel)},
        {"token", SM_JSON_TEXT, false, SM_FLEET_TOKEN_MIN, SM_FLEET_TOKEN_MAX,
         SM_JSON_AT(struct sm_fleet_enrolment, token)},
        {0}};
    if (sm_json_read(e->root, "", fields, false, e, err) < 0)
        return SM_ERR_INVALID;
    if (e->channel && !sm_fleet_name_valid(e->channel))
        return sm_json_fail(
            err, "channel: letters, digits, '.', '_' and '-' only, beginning with a letter "
                 "or a digit");
    if (!e->channel && !e->token)
        return sm_json_fail(err, "channel or token: one of them must be there");
    return 0;
}

int sm_fleet_read_enrolment(const void *bytes, size_t len, struct sm_fleet_enrolment *out,
                            struct sm_json_error *err)
{
    memset(out, 0, sizeof *out);
    out->root = sm_json_parse(bytes, len, err);
    if (!out->root)
        return SM_ERR_INVALID;
    if (!read_enrolment(out, err))
        return 0;
    json_decref(out->root);
    return SM_ERR_INVALID;
}

/* ---- Devices: feedback ----------------------------------------------------------------------- */

static const char *const executions[] = {"closed",   "proceeding", "download", "downloaded",
                                         "canceled", "scheduled",  "rejected", "resumed"};

static bool one_of(const char *text, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(text, list[i]))
            return true;
    return false;
}

/* Details come as an array of texts; other clients send none, or long ones. */
static int take_details(struct sm_fleet_feedback *f, const json_t *details,
                        struct sm_json_error *err)
{
    size_t used = 0;
    for (size_t i = 0; i < json_array_size(details); i++) {
        const char *text = json_string_value(json_array_get(details, i));
        if (!text || !sm_json_printable(text))
            return sm_json_fail(
                err, "status.details[%zu]: must be a text without control characters", i);
        if (used >= sizeof f->details - 1)
            break;
        int n =
            snprintf(f->details + used, sizeof f->details - used, "%s%s", used ? "; " : "", text);
        used += (size_t)n;
    }
    return 0;
}

static int read_status(struct sm_fleet_feedback *f, const json_t *status, struct sm_json_error *err)
{
    static const struct sm_json_field fields[] = {
        {"execution", SM_JSON_TEXT, true, 1, 32, SM_JSON_AT(struct sm_fleet_feedback, execution)},
        {0}};
    static const struct sm_json_field result_fields[] = {
        {"finished", SM_JSON_TEXT, true, 1, 32, SM_JSON_AT(struct sm_fleet_feedback, finished)},
        {0}};
    static const char *const results[] = {"success", "failure", "none"};
    if (sm_json_read(status, "status", fields, true, f, err) < 0 ||
        sm_json_read(json_object_get(status, "result"), "status.result", result_fields, true, f,
                     err) < 0)
        return SM_ERR_INVALID;
    if (!one_of(f->execution, executions, sizeof executions / sizeof *executions))
        return sm_json_fail(err, "status.execution: unknown value");
    if (!one_of(f->finished, results, 3))
        return sm_json_fail(err, "status.result.finished: must be success, failure or none");
    return take_details(f, json_object_get(status, "details"), err);
}

int sm_fleet_read_feedback(const void *bytes, size_t len, struct sm_fleet_feedback *out,
                           struct sm_json_error *err)
{
    static const struct sm_json_field fields[] = {{"status", SM_JSON_OBJECT, true, 0, 64, 0}, {0}};
    memset(out, 0, sizeof *out);
    out->root = sm_json_parse(bytes, len, err);
    if (!out->root)
        return SM_ERR_INVALID;
    json_t *status = NULL;
    if (sm_json_read(out->root, "", fields, true, &status, err) < 0 ||
        read_status(out, status, err) < 0) {
        json_decref(out->root);
        return SM_ERR_INVALID;
    }
    /* The interface closes an action that is neither said to have failed nor to have succeeded as
     * a success; a rejected one ends as a failure. */
    if (!strcmp(out->execution, "closed"))
        out->outcome = strcmp(out->finished, "failure") ? SM_FLEET_FINISHED : SM_FLEET_FAILED;
    else if (!strcmp(out->execution, "rejected"))
        out->outcome = SM_FLEET_FAILED;
    return 0;
}

/* ---- Devices: attributes --------------------------------------------------------------------- */

/* Copies the word at *p and moves *p behind the space after it; false when it does not fit. */
static bool word(const char **p, char *out, size_t size)
{
    size_t n = strcspn(*p, " ");
    if (n == 0 || n >= size)
        return false;
    memcpy(out, *p, n);
    out[n] = 0;
    *p += n;
    if (**p == ' ')
        (*p)++;
    return true;
}

/* A release in an attribute whose key is this prefix and a name. */
static int read_release(const char *prefix, const char *key, const char *value,
                        struct sm_fleet_installed *out)
{
    char sequence[24];
    size_t n = strlen(prefix);
    if (strncmp(key, prefix, n) != 0)
        return SM_ERR_NOT_FOUND;
    out->name = key + n;
    if (!sm_name_valid(out->name))
        return SM_ERR_MALFORMED;
    if (!word(&value, out->version, sizeof out->version) ||
        !word(&value, sequence, sizeof sequence) ||
        !word(&value, out->sha256, sizeof out->sha256) || *value ||
        sm_fleet_number(sequence, &out->sequence) < 0 || !sm_fleet_sha_valid(out->sha256))
        return SM_ERR_MALFORMED;
    return 0;
}

int sm_fleet_read_installed(const char *key, const char *value, struct sm_fleet_installed *out)
{
    return read_release("module.", key, value, out);
}

static int check_attribute(const char *key, const json_t *v, struct sm_json_error *err)
{
    struct sm_fleet_installed ignored;
    const char *value = json_string_value(v);
    size_t n = strlen(key);
    if (n < 1 || n > SM_FLEET_ATTRIBUTES_MAX || !sm_json_printable(key))
        return sm_json_fail(err, "data: a key must have 1 to %u printable bytes",
                            SM_FLEET_ATTRIBUTES_MAX);
    if (!value || strlen(value) > SM_FLEET_ATTRIBUTES_MAX || !sm_json_printable(value))
        return sm_json_fail(err, "data.%s: must be a text of at most %u printable bytes", key,
                            SM_FLEET_ATTRIBUTES_MAX);
    if (sm_fleet_read_installed(key, value, &ignored) == SM_ERR_MALFORMED ||
        read_release("removed.", key, value, &ignored) == SM_ERR_MALFORMED)
        return sm_json_fail(err, "data.%s: must be \"<version> <sequence> <sha256>\"", key);
    return 0;
}

static int read_attributes(struct sm_fleet_attributes *a, struct sm_json_error *err)
{
    struct {
        const char *mode;
        json_t *data;
    } in = {"merge", NULL};
    const struct sm_json_field fields[] = {
        {"mode", SM_JSON_TEXT, false, 1, 16, 0},
        {"data", SM_JSON_OBJECT, true, 0, SM_FLEET_ATTRIBUTES_MAX, sizeof(const char *)},
        {0}};
    static const char *const modes[] = {"merge", "replace", "remove"};
    if (sm_json_read(a->root, "", fields, true, &in, err) < 0)
        return SM_ERR_INVALID;
    for (a->mode = SM_FLEET_MERGE; a->mode <= SM_FLEET_REMOVE; a->mode++)
        if (!strcmp(in.mode, modes[a->mode]))
            break;
    if (a->mode > SM_FLEET_REMOVE)
        return sm_json_fail(err, "mode: must be merge, replace or remove");
    a->data = in.data;
    const char *key;
    json_t *v;
    json_object_foreach(a->data, key, v)
    {
        if (a->mode != SM_FLEET_REMOVE && check_attribute(key, v, err) < 0)
            return SM_ERR_INVALID;
    }
    return 0;
}

int sm_fleet_read_attributes(const void *bytes, size_t len, struct sm_fleet_attributes *out,
                             struct sm_json_error *err)
{
    memset(out, 0, sizeof *out);
    out->root = sm_json_parse(bytes, len, err);
    if (!out->root)
        return SM_ERR_INVALID;
    if (!read_attributes(out, err))
        return 0;
    json_decref(out->root);
    return SM_ERR_INVALID;
}

/* ---- Devices: events ------------------------------------------------------------------------- */

static bool event_name_valid(const char *text)
{
    for (const char *p = text; *p; p++)
        if (!((*p >= 'A' && *p <= 'Z') || (p > text && *p == '_')))
            return false;
    return *text != 0;
}

static int read_event(const json_t *v, size_t i, struct sm_fleet_event *e,
                      struct sm_json_error *err)
{
#define AT(member) SM_JSON_AT(struct sm_fleet_event, member)
    static const struct sm_json_field fields[] = {
        {"id", SM_JSON_UINT, true, 0, INT64_MAX, AT(id)},
        {"event", SM_JSON_TEXT, true, 1, 32, AT(event)},
        {"module", SM_JSON_TEXT, false, 0, 64, AT(module)},
        {"version", SM_JSON_TEXT, false, 0, 64, AT(version)},
        {"sequence", SM_JSON_UINT, false, 0, INT64_MAX, AT(sequence)},
        {"sha256", SM_JSON_TEXT, false, 0, 64, AT(sha256)},
        {"detail", SM_JSON_TEXT, false, 0, 1024, AT(detail)},
        {"uptime_ms", SM_JSON_UINT, false, 0, INT64_MAX, AT(uptime_ms)},
        {0}};
#undef AT
    char where[32];
    snprintf(where, sizeof where, "[%zu]", i);
    *e = (struct sm_fleet_event){.module = "", .version = "", .sha256 = "", .detail = ""};
    if (sm_json_read(v, where, fields, false, e, err) < 0)
        return SM_ERR_INVALID;
    if (!event_name_valid(e->event))
        return sm_json_fail(err, "%s.event: capital letters and '_' only", where);
    if (*e->sha256 && !sm_fleet_sha_valid(e->sha256))
        return sm_json_fail(err, "%s.sha256: must be a SHA-256 in lower case hex", where);
    return 0;
}

static int read_events(struct sm_fleet_events *out, struct sm_json_error *err)
{
    if (!json_is_array(out->root))
        return sm_json_fail(err, "the JSON text must be an array");
    out->count = json_array_size(out->root);
    if (out->count > SM_FLEET_EVENTS_MAX)
        return sm_json_fail(err, "at most %u events at once, not %zu", SM_FLEET_EVENTS_MAX,
                            out->count);
    for (size_t i = 0; i < out->count; i++)
        if (read_event(json_array_get(out->root, i), i, &out->event[i], err) < 0)
            return SM_ERR_INVALID;
    return 0;
}

int sm_fleet_read_events(const void *bytes, size_t len, struct sm_fleet_events *out,
                         struct sm_json_error *err)
{
    json_error_t je;
    out->count = 0;
    out->root = json_loadb(bytes, len, JSON_REJECT_DUPLICATES, &je);
    if (!out->root)
        return sm_json_fail(err, "not JSON: line %d, column %d: %s", je.line, je.column, je.text);
    if (!read_events(out, err))
        return 0;
    json_decref(out->root);
    return SM_ERR_INVALID;
}
