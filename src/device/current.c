/* What is current: the server's last statement, what it forbids, and the alarm when there is none.
 *
 * With a server's key in its key set a device expects statements. The last one that was accepted is
 * kept in memory that the owner gave, and not on flash: after a restart the server is asked again.
 * On flash is only the time floor, which a statement raises to its time of issue, at most once an
 * hour: a statement from before it is a replay.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "internal.h"
#include "text.h"

enum {
    FLOOR_STEP_S = 3600, /* a record each time would wear the flash */
    GRACE_S = 86400,
    CLOCK_SLACK_S = 86400,
    WATCH_MS = 1000
};

/* Whether the set names a key that states what is current. One that has expired counts too: else
 * whoever waits, or sets the clock ahead, could offer again what was current once. */
static bool expected(const struct sm_device *d)
{
    struct sm_keyset_key k;
    uint32_t cursor = 0;

    while (d->has_set && sm_keyset_next_key(&d->set, &cursor, &k))
        if (k.role == SM_ROLE_SERVER)
            return true;
    return false;
}

static bool holds(const struct sm_device *d)
{
    return d->stated && d->current.expires_s > sm_device_time(d);
}

bool sm_device_statement_lacking(const struct sm_device *d)
{
    return expected(d) && !holds(d);
}

bool sm_device_statement_wanted(const struct sm_device *d)
{
    uint64_t half = d->current.issued_s + (d->current.expires_s - d->current.issued_s) / 2;

    return expected(d) && (!d->stated || sm_device_time(d) >= half);
}

/* ---- The alarm ------------------------------------------------------------------------------- */

/* Tell once until the next statement that holds. */
static void alarm(struct sm_device *d, const char *why)
{
    struct sm_record next;
    uint16_t index = d->store.layout.modules;

    if (d->stale)
        return;
    d->stale = true;
    sm_dev_change(d, index, &next);
    sm_dev_note_server(d, &next, next.active, SM_EVENT_STALE, 0, why);
}

void sm_dev_watch_current(struct sm_device *d)
{
    uint32_t grace = d->cfg->statement_grace_s ? d->cfg->statement_grace_s : GRACE_S;

    if (d->stale || d->now_ms < d->watch_ms)
        return;
    d->watch_ms = d->now_ms + WATCH_MS;
    if (!sm_device_statement_lacking(d))
        return;
    if (d->stated)
        alarm(d, "what the server said was current holds no longer");
    else if (d->now_ms - d->start_ms >= (uint64_t)grace * 1000)
        alarm(d, "the server has not said what is current");
}

/* ---- Statements ------------------------------------------------------------------------------ */

static int judge(struct sm_device *d, const struct sm_statement *st, const uint8_t *nonce)
{
    uint64_t clock = d->cfg->wall_s ? d->cfg->wall_s(d->cfg->wall_ctx) : 0;

    if (nonce && (!st->nonce || memcmp(nonce, st->nonce, SM_STATEMENT_NONCE) != 0))
        return sm_dev_say(d, SM_ERR_INVALID, "a statement that answers somebody else");
    if (st->issued_s < d->stated_s)
        return sm_dev_say(d, SM_ERR_ROLLBACK, "an older statement than one before");
    if (clock && st->issued_s > clock + CLOCK_SLACK_S)
        return sm_dev_say(d, SM_ERR_INVALID, "a statement from the future");
    if (st->expires_s <= sm_device_time(d))
        return sm_dev_say(d, SM_ERR_EXPIRED, "a statement that holds no longer");
    if (st->keys_version < d->set.version)
        return sm_dev_say(d, SM_ERR_ROLLBACK, "a statement from before key set %u",
                          (unsigned)d->set.version);
    return 0;
}

/* What judge() says, by other code and with the time counted otherwise. */
static bool fits(const struct sm_device *d, const struct sm_statement *st, const uint8_t *nonce)
{
    if (nonce && (!st->nonce || !sm_ct_equal(nonce, st->nonce, SM_STATEMENT_NONCE)))
        return false;
    return st->issued_s >= d->stated_s && st->keys_version >= d->set.version &&
           st->expires_s > d->time_base_s &&
           (st->expires_s - d->time_base_s) * 1000 > d->now_ms - d->start_ms;
}

/* In the owner's memory, if there is any; else its modules are forgotten. What was refused before
 * and comes here by a skipped instruction (doc/attacks.md) is refused again. */
static __attribute__((noinline)) int keep(struct sm_device *d, const struct sm_statement *st,
                                          const uint8_t *bytes, size_t len, const uint8_t *nonce)
{
    struct sm_manifest_detail why;

    if (!fits(d, st, nonce))
        return sm_dev_say(d, SM_ERR_STATE, "a statement that does not hold");
    d->current = *st;
    d->current.nmodules = 0;
    if (d->cfg->statement != NULL && len <= d->cfg->statement_len) {
        memcpy(d->cfg->statement, bytes, len);
        (void)sm_statement_read(&d->current, d->cfg->statement, len, &why);
    }
    d->stated = true;
    d->stale = false;
    d->stated_s = st->issued_s;
    return 0;
}

static void raise_floor(struct sm_device *d)
{
    struct sm_record next;

    sm_dev_raise_time(d, d->stated_s);
    if (d->stated_s < d->store.keys.floor + FLOOR_STEP_S || d->now_ms < d->keys_floor_ms)
        return;
    d->keys_floor_ms = d->now_ms + FLOOR_STEP_S * 1000ull;
    sm_dev_change(d, d->store.layout.modules, &next);
    next.floor = d->stated_s;
    (void)sm_dev_put(d, d->store.layout.modules, &next); /* else with the next statement */
}

int sm_device_statement(struct sm_device *d, const uint8_t *bytes, size_t len, const uint8_t *nonce)
{
    struct sm_statement st;
    struct sm_manifest_detail why = {0};

    if (!expected(d))
        return sm_dev_say(d, SM_ERR_STATE, "no key set names a server that states anything");
    int err = sm_trust_verify_statement(sm_dev_trust(d), bytes, len, d->cfg->fleet, &st,
                                        d->cfg->scratch, d->cfg->scratch_len, &why);
    err = err ? sm_dev_say(d, err, "%s", why.rule ? why.rule : sm_strerror(err))
              : judge(d, &st, nonce);
    if (err) {
        char text[SM_STORE_DETAIL]; /* a flash that fails would say something else */
        sm_text(text, sizeof text, "%s", d->reason);
        alarm(d, text);
        return sm_dev_say(d, err, "%s", text);
    }
    err = keep(d, &st, bytes, len, nonce);
    if (!err)
        raise_floor(d);
    return err;
}

int sm_dev_check_current(struct sm_device *d, const struct sm_manifest *m)
{
    uint64_t sequence;

    if (!expected(d))
        return 0;
    if (!holds(d))
        return sm_dev_say(d, SM_ERR_EXPIRED, "the server does not say what is current");
    if (d->current.keys_version > d->set.version)
        return sm_dev_say(d, SM_ERR_STATE, "key set %u is current, and this device has %u",
                          (unsigned)d->current.keys_version, (unsigned)d->set.version);
    if (sm_statement_sequence(&d->current, m->name, &sequence) == 0 && m->sequence < sequence)
        return sm_dev_say(d, SM_ERR_ROLLBACK, "sequence %llu, and %llu is current",
                          (unsigned long long)m->sequence, (unsigned long long)sequence);
    return 0;
}
