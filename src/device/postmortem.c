/* What a trap leaves behind: a line in the module's record, a note in the journal, and, where the
 * owner wants one, a look at the execution before it is gone.
 *
 * The note comes first: when power fails between note and record, a trap that does not count was
 * noted, and the module, which starts again, will show the next one.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <sandmote/postmortem.h>
#include "internal.h"
#include "text.h"

_Static_assert(SM_POSTMORTEM_MAX <= SM_JOURNAL_NOTE, "a post-mortem fits a note");
_Static_assert((int)SM_PHASE_START == (int)SM_PM_START && (int)SM_PHASE_ENTRY == (int)SM_PM_ENTRY &&
                   (int)SM_PHASE_HEALTH == (int)SM_PM_HEALTH,
               "phases are numbered alike");

/* Where the execution stands; of one that does not stand anywhere, nothing. */
static uint32_t look_back(struct sm_device *d, uint16_t index, struct sm_wasm_frame *frames)
{
    struct sm_wasm_exec *x = &d->apps[index].exec;

    memset(frames, 0, SM_POSTMORTEM_FRAMES * sizeof *frames);
    if (x->state != SM_EXEC_TRAPPED && x->state != SM_EXEC_PENDING && x->state != SM_EXEC_PAUSED)
        return 0;
    return sm_wasm_backtrace(x, frames, SM_POSTMORTEM_FRAMES, d->cfg->scratch, d->cfg->scratch_len);
}

static struct sm_wasm_name text_of(const char *s)
{
    return (struct sm_wasm_name){s, (uint32_t)strlen(s)};
}

/* Scratch, which nobody needs now, takes the note's bytes. *s says of which module it is: the slot
 * that runs, or what stands for the golden module's. */
static void note_down(struct sm_device *d, uint16_t index, enum sm_event_kind kind,
                      const struct sm_slot *s, const struct sm_wasm_frame *frames, uint32_t depth)
{
    struct sm_device_app *app = &d->apps[index];
    bool golden = app->slot == SM_DEV_GOLDEN;
    bool trapped = kind != SM_EVENT_HEALTH_FAILED;
    struct sm_postmortem pm = {
        .kind = (uint8_t)kind,
        .trap = trapped ? (uint8_t)app->exec.trap : 0,
        .phase = (uint8_t)app->phase,
        .native = app->native,
        .trial = s->state == SM_SLOT_TRIAL,
        .host_error = trapped ? app->exec.host_error : 0,
        .time_s = sm_dev_time_s(d),
        .good_ticks = app->good_ticks,
        .traps = (uint32_t)s->traps + trapped,
        .up_ms = d->now_ms - app->up_ms,
        .install = s->install,
        .sequence = s->sequence,
        .name = text_of(golden ? SM_DEVICE_GOLDEN_NAME : d->store.records[index].name),
        .version = text_of(s->version),
        .function = frames[0].name,
        .depth = depth,
        .frames = depth < SM_POSTMORTEM_FRAMES ? depth : SM_POSTMORTEM_FRAMES,
        .log = sm_host_tail(&app->host)};

    if (d->cfg->scratch_len < SM_POSTMORTEM_MAX)
        return;
    memcpy(pm.sha, s->module_sha, sizeof pm.sha);
    for (uint32_t i = 0; i < pm.frames; i++)
        pm.frame[i] = (struct sm_postmortem_frame){frames[i].func, frames[i].offset};
    uint32_t len = sm_postmortem_encode(&pm, d->cfg->scratch);
    int64_t number = sm_journal_append(&d->journal, d->cfg->scratch, len);
    if (d->cfg->core != NULL)
        d->cfg->core(d->cfg->core_ctx,
                     &(struct sm_device_core){.number = number > 0 ? (uint32_t)number : 0,
                                              .index = index,
                                              .note = d->cfg->scratch,
                                              .note_len = len,
                                              .exec = &app->exec,
                                              .inst = app->inst});
}

void sm_dev_report_trap(struct sm_device *d, uint16_t index, enum sm_event_kind kind,
                        struct sm_slot *s)
{
    struct sm_device_app *app = &d->apps[index];
    struct sm_wasm_frame f[SM_POSTMORTEM_FRAMES];
    uint32_t depth = look_back(d, index, f), code;
    char text[48];

    sm_text(text, sizeof text, "%s", sm_wasm_trap_text(app->exec.trap));
    if (sm_host_exited(&app->host, &code))
        sm_text(text, sizeof text, "it ended itself with code %u", (unsigned)code);

    note_down(d, index, kind, &d->store.records[index].slot[app->slot], f, depth);
    if (s->traps < UINT16_MAX)
        s->traps++;
    s->trap_code = (uint8_t)app->exec.trap;
    s->error = app->exec.trap == SM_TRAP_EPOCH ? SM_ERR_EPOCH : SM_ERR_TRAP;
    if (depth == 0) {
        sm_text(s->detail, sizeof s->detail, "%s", text);
        return;
    }
    s->trap_func = f[0].func;
    s->trap_offset = f[0].offset;
    sm_text(s->detail, sizeof s->detail, "%s in %.*s%sfunction %u at %x", text, (int)f[0].name.len,
            f[0].name.len ? f[0].name.bytes : "", f[0].name.len ? ", " : "", (unsigned)f[0].func,
            (unsigned)f[0].offset);
}

void sm_dev_report_unhealthy(struct sm_device *d, uint16_t index)
{
    struct sm_wasm_frame f[SM_POSTMORTEM_FRAMES];
    uint32_t depth = look_back(d, index, f);

    note_down(d, index, SM_EVENT_HEALTH_FAILED, &d->store.records[index].slot[d->apps[index].slot],
              f, depth);
}

void sm_dev_report_golden(struct sm_device *d, enum sm_event_kind kind)
{
    struct sm_device_app *app = &d->apps[0];
    struct sm_wasm_frame f[SM_POSTMORTEM_FRAMES];
    uint32_t depth = look_back(d, 0, f);
    struct sm_slot s = {.sequence = app->manifest.sequence, .traps = d->golden_traps};

    if (d->golden_traps < UINT16_MAX)
        d->golden_traps++;
    sm_sha256(d->cfg->golden->wasm, d->cfg->golden->len, s.module_sha);
    sm_text(s.version, sizeof s.version, "%s", app->manifest.version);
    note_down(d, 0, kind, &s, f, depth);
}

/* ---- For the server -------------------------------------------------------------------------- */

int sm_device_note_at(const struct sm_device *d, uint32_t after, struct sm_journal_note *out)
{
    return sm_journal_waiting(&d->journal, after, out);
}

int sm_device_note_done(struct sm_device *d, uint32_t number)
{
    int err = sm_journal_told(&d->journal, number);

    if (err == SM_ERR_NOT_FOUND)
        return sm_dev_say(d, err, "no such note");
    return err ? sm_dev_say(d, err, "the journal cannot be written: %s", sm_strerror(err)) : 0;
}

uint32_t sm_device_notes_lost(const struct sm_device *d)
{
    return sm_journal_lost(&d->journal);
}
