/* The bytes of a post-mortem (doc/SPEC-postmortem.md).
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <sandmote/postmortem.h>
#include <sandmote/store.h>

enum { FORMAT = 1, FIXED = 84, NATIVE = 1, TRIAL = 2 };
_Static_assert(FIXED + 2 * (1 + SM_POSTMORTEM_NAME) + 1 + SM_POSTMORTEM_FUNCTION + 1 +
                       8 * SM_POSTMORTEM_FRAMES + 2 + SM_POSTMORTEM_LOG <=
                   SM_POSTMORTEM_MAX,
               "all of it fits at its longest");

static void put(uint8_t **at, uint64_t v, unsigned bytes)
{
    for (; bytes > 0; bytes--, v >>= 8)
        *(*at)++ = (uint8_t)v;
}

static void put_text(uint8_t **at, const char *text, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++) {
        char c = text[i];
        *(*at)++ = (uint8_t)((c >= 0x20 && c < 0x7f) || c == '\n' ? c : '?');
    }
}

static void put_short(uint8_t **at, const struct sm_wasm_name *text, uint32_t most)
{
    uint32_t len = text->len < most ? text->len : most;

    put(at, len, 1);
    put_text(at, text->bytes, len);
}

uint32_t sm_postmortem_encode(const struct sm_postmortem *pm, uint8_t *out)
{
    uint8_t *at = out;
    uint32_t frames = pm->frames < SM_POSTMORTEM_FRAMES ? pm->frames : SM_POSTMORTEM_FRAMES;
    uint32_t log = pm->log.len < SM_POSTMORTEM_LOG ? pm->log.len : SM_POSTMORTEM_LOG;

    put(&at, FORMAT, 1);
    put(&at, pm->kind, 1);
    put(&at, pm->trap, 1);
    put(&at, pm->phase, 1);
    put(&at, (pm->native ? NATIVE : 0) | (pm->trial ? TRIAL : 0), 4);
    put(&at, (uint32_t)pm->host_error, 4);
    put(&at, pm->time_s, 4);
    put(&at, pm->good_ticks, 4);
    put(&at, pm->traps, 4);
    put(&at, pm->depth, 4);
    put(&at, pm->up_ms, 8);
    put(&at, pm->install, 8);
    put(&at, pm->sequence, 8);
    memcpy(at, pm->sha, 32);
    at += 32;
    put_short(&at, &pm->name, SM_POSTMORTEM_NAME);
    put_short(&at, &pm->version, SM_POSTMORTEM_NAME);
    put_short(&at, &pm->function, SM_POSTMORTEM_FUNCTION);
    put(&at, frames, 1);
    for (uint32_t i = 0; i < frames; i++) {
        put(&at, pm->frame[i].func, 4);
        put(&at, pm->frame[i].offset, 4);
    }
    put(&at, log, 2);
    if (log > 0)
        put_text(&at, pm->log.bytes + pm->log.len - log, log);
    return (uint32_t)(at - out);
}

/* ---- Reading --------------------------------------------------------------------------------- */

struct input {
    const uint8_t *at;
    size_t left;
    bool bad;
};

static uint64_t get(struct input *in, unsigned bytes)
{
    uint64_t v = 0;

    if (in->left < bytes) {
        in->bad = true;
        return 0;
    }
    for (unsigned i = 0; i < bytes; i++)
        v |= (uint64_t)in->at[i] << 8 * i;
    in->at += bytes;
    in->left -= bytes;
    return v;
}

static struct sm_wasm_name get_text(struct input *in, uint32_t most, unsigned length_bytes)
{
    uint32_t len = (uint32_t)get(in, length_bytes);
    struct sm_wasm_name text = {(const char *)in->at, len};

    if (in->bad || len > most || len > in->left) { /* bad: there may be no bytes at all */
        in->bad = true;
        return (struct sm_wasm_name){"", 0};
    }
    for (uint32_t i = 0; i < len; i++)
        if ((in->at[i] < 0x20 || in->at[i] > 0x7e) && (length_bytes == 1 || in->at[i] != '\n'))
            in->bad = true;
    in->at += len;
    in->left -= len;
    return text;
}

static void get_fixed(struct input *in, struct sm_postmortem *pm)
{
    pm->kind = (uint8_t)get(in, 1);
    pm->trap = (uint8_t)get(in, 1);
    pm->phase = (uint8_t)get(in, 1);
    uint32_t flags = (uint32_t)get(in, 4);
    pm->native = flags & NATIVE;
    pm->trial = flags & TRIAL;
    pm->host_error = (int32_t)get(in, 4);
    pm->time_s = (uint32_t)get(in, 4);
    pm->good_ticks = (uint32_t)get(in, 4);
    pm->traps = (uint32_t)get(in, 4);
    pm->depth = (uint32_t)get(in, 4);
    pm->up_ms = get(in, 8);
    pm->install = get(in, 8);
    pm->sequence = get(in, 8);
    for (unsigned i = 0; i < sizeof pm->sha; i++)
        pm->sha[i] = (uint8_t)get(in, 1);
    in->bad =
        in->bad || flags > (NATIVE | TRIAL) || pm->phase >= SM_PM_PHASES || pm->kind >= SM_EVENTS;
}

int sm_postmortem_decode(struct sm_postmortem *pm, const uint8_t *bytes, size_t len)
{
    struct input in = {bytes, len, false};

    memset(pm, 0, sizeof *pm);
    uint64_t format = get(&in, 1);
    if (format > FORMAT)
        return SM_ERR_UNSUPPORTED;
    get_fixed(&in, pm);
    pm->name = get_text(&in, SM_POSTMORTEM_NAME, 1);
    pm->version = get_text(&in, SM_POSTMORTEM_NAME, 1);
    pm->function = get_text(&in, SM_POSTMORTEM_FUNCTION, 1);
    pm->frames = (uint32_t)get(&in, 1);
    if (format != FORMAT || pm->frames > SM_POSTMORTEM_FRAMES || pm->frames > pm->depth)
        return SM_ERR_MALFORMED;
    for (uint32_t i = 0; i < pm->frames; i++) {
        pm->frame[i].func = (uint32_t)get(&in, 4);
        pm->frame[i].offset = (uint32_t)get(&in, 4);
    }
    pm->log = get_text(&in, SM_POSTMORTEM_LOG, 2);
    return in.bad || in.left > 0 ? SM_ERR_MALFORMED : 0;
}
