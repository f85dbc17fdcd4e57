/* Post-mortems (doc/SPEC-postmortem.md): devices send them, operators fetch them. A core dump is
 * kept as it came; only its note is read, to list what it is about.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <posix/coredump.h>
#include <posix/log.h>
#include <sandmote/device.h>
#include <sandmote/postmortem.h>

#include "server.h"

/* The note that the bytes are or hold. */
static bool read_note(struct sm_bytes b, struct sm_postmortem *pm)
{
    struct sm_core core;
    if (sm_core_open(&core, b.at, b.len) != 0)
        return sm_postmortem_decode(pm, b.at, b.len) == 0;
    return core.note && sm_postmortem_decode(pm, core.note, core.note_len) == 0;
}

static void describe(const struct sm_postmortem *pm, struct sm_fleet_postmortem *out)
{
    bool trapped = pm->kind != SM_EVENT_HEALTH_FAILED;
    const struct sm_wasm_name *f = &pm->function;
    char place[SM_POSTMORTEM_FUNCTION + 64] = "";
    if (pm->frames)
        snprintf(place, sizeof place, " in %.*s%sfunction %u at 0x%x", (int)f->len, f->bytes,
                 f->len ? ", " : "", (unsigned)pm->frame[0].func, (unsigned)pm->frame[0].offset);
    snprintf(out->module, sizeof out->module, "%.*s", (int)pm->name.len, pm->name.bytes);
    snprintf(out->version, sizeof out->version, "%.*s", (int)pm->version.len, pm->version.bytes);
    snprintf(out->detail, sizeof out->detail, "%s%s",
             trapped ? sm_wasm_trap_text((enum sm_wasm_trap)pm->trap) : "not healthy in time",
             place);
    sm_hex_encode(pm->sha, sizeof pm->sha, out->sha256);
    out->sequence = pm->sequence <= INT64_MAX ? pm->sequence : 0;
    out->event = sm_event_name((enum sm_event_kind)pm->kind);
}

void sm_fleet_ddi_postmortem(struct sm_fleet *f, const struct sm_fleet_request *q,
                             struct sm_fleet_answer *a)
{
    struct sm_postmortem pm;
    struct sm_fleet_postmortem p = {.number = q->route.action};
    bool known = false;
    if (!q->body.at || !read_note(q->body, &pm)) {
        sm_fleet_refuse(a, 400, "body: not a post-mortem");
        return;
    }
    describe(&pm, &p);
    sm_fleet_sha256_text(q->body, p.content);
    int err = sm_fleet_db_begin(&f->db);
    if (!err)
        err = sm_fleet_db_end(&f->db,
                              sm_fleet_db_postmortem_add(&f->db, q->who, &p, q->body.at,
                                                         q->body.len, sm_time_now_ms(), &known));
    if (err) {
        sm_fleet_fail(a, err);
        return;
    }
    sm_fleet_reply(a, known ? 200 : 201, json_pack("{s:b}", "known", known));
    if (!known)
        sm_log(SM_LOG_INFO, "device %s: post-mortem of %s %s, %zu bytes: %s", q->who, p.module,
               p.version, q->body.len, p.detail);
}

void sm_fleet_postmortem(struct sm_fleet *f, const struct sm_fleet_request *q,
                         struct sm_fleet_answer *a)
{
    char content[SM_FLEET_SHA_TEXT];
    uint8_t *bytes;
    size_t len;
    int err = sm_fleet_db_postmortem(&f->db, q->route.action, &bytes, &len, content);
    if (err == SM_ERR_NOT_FOUND)
        sm_fleet_refuse(a, 404, "no post-mortem %llu", (unsigned long long)q->route.action);
    else if (err)
        sm_fleet_fail(a, err);
    else
        sm_fleet_send_bytes(q, bytes, len, content, a);
    free(bytes);
}
