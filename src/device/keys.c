/* The key set in force: read at start, replaced by the next one, and what it revokes.
 *
 * The set lies in both key set areas, and the record says of which length, hash and version it is.
 * The set in force is read from the active area, or from the other one when that has rotted, and
 * then the active one is written anew. The next set goes to the area that the one in force is not
 * read from, then the record makes that the active one, then the other area is written: so at every
 * moment one area holds what the record speaks of.
 *
 * Stopping what a set revokes may take several records. Until that is done the key set's record
 * says so, and a start begins with it: nothing revoked runs first.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "internal.h"
#include "text.h"

enum { NOTE_AGAIN_MS = 3600000 };

static uint16_t keys_index(const struct sm_device *d)
{
    return d->store.layout.modules;
}

static const struct sm_record *record(const struct sm_device *d)
{
    return &d->store.keys;
}

static bool commissioned(const struct sm_device *d)
{
    return record(d)->active != SM_STORE_NO_SLOT;
}

/* The record's word on the set in force. */
static const struct sm_slot *in_force(const struct sm_device *d)
{
    return &record(d)->slot[record(d)->active];
}

/* ---- Time ------------------------------------------------------------------------------------ */

uint64_t sm_device_time(const struct sm_device *d)
{
    uint64_t least = d->time_base_s + (d->now_ms - d->start_ms) / 1000;
    uint64_t clock = d->cfg->wall_s ? d->cfg->wall_s(d->cfg->wall_ctx) : 0;

    return clock > least ? clock : least;
}

void sm_dev_raise_time(struct sm_device *d, uint64_t time_s)
{
    uint64_t up_s = (d->now_ms - d->start_ms) / 1000;

    if (time_s > d->time_base_s + up_s)
        d->time_base_s = time_s - up_s;
}

/* ---- Trust ----------------------------------------------------------------------------------- */

static bool expired(const struct sm_device *d)
{
    return d->set.expires_s != 0 && d->set.expires_s <= sm_device_time(d);
}

const struct sm_trust *sm_dev_trust(struct sm_device *d)
{
    if (d->cfg->keys == NULL)
        return d->cfg->trust;
    sm_trust_init(&d->trust, d->cfg->keys, d->cfg->nkeys);
    if (d->has_set && !expired(d))
        (void)sm_keyset_trust(&d->set, sm_device_time(d), &d->trust); /* it fits: see fits() */
    return &d->trust;
}

int sm_dev_check_keys(struct sm_device *d, const uint8_t *sha)
{
    if (d->cfg->keys == NULL)
        return 0;
    if (!d->has_set)
        return sm_dev_say(d, SM_ERR_KEY,
                          commissioned(d) ? "the key set is damaged, so nothing is believed"
                                          : "no key set was commissioned, so nothing is believed");
    if (expired(d))
        return sm_dev_say(d, SM_ERR_EXPIRED, "key set %u has expired", (unsigned)d->set.version);
    if (sm_keyset_revoked(&d->set, SM_REVOKED_MODULE, sha, NULL))
        return sm_dev_say(d, SM_ERR_KEY, "this module is revoked by key set %u",
                          (unsigned)d->set.version);
    return 0;
}

const struct sm_keyset *sm_device_keys(const struct sm_device *d)
{
    return d->has_set ? &d->set : NULL;
}

uint32_t sm_device_keys_missing(const struct sm_device *d)
{
    return d->has_set || !commissioned(d) ? 0 : (uint32_t)in_force(d)->sequence;
}

/* ---- Revocation ------------------------------------------------------------------------------ */

static bool signed_by(const struct sm_device *d, uint16_t index, unsigned slot, const uint8_t *key)
{
    uint32_t len = d->store.records[index].slot[slot].module_len;
    const uint8_t *sig =
        sm_store_map(&d->store, index, slot, SM_SLOT_SIGNATURE, SM_SLOT_MODULE + len);

    return sig != NULL && sm_ed25519_verify(key, sig + SM_SLOT_MODULE, len, sig) == 0;
}

static bool stopped(const struct sm_device *d, uint16_t index, unsigned slot)
{
    const struct sm_slot *s = &d->store.records[index].slot[slot];
    struct sm_revocation r;

    if (s->state != SM_SLOT_COMMITTED && s->state != SM_SLOT_TRIAL && s->state != SM_SLOT_STAGED)
        return false;
    for (uint32_t i = 0; sm_keyset_revocation(&d->set, i, &r); i++) {
        if (!r.stop)
            continue;
        if (r.kind == SM_REVOKED_MODULE ? memcmp(r.id, s->module_sha, sizeof s->module_sha) == 0
                                        : signed_by(d, index, slot, r.id))
            return true;
    }
    return false;
}

static bool stops_anything(const struct sm_keyset *set)
{
    struct sm_revocation r;

    for (uint32_t i = 0; sm_keyset_revocation(set, i, &r); i++)
        if (r.stop)
            return true;
    return false;
}

/* A builder's key that is stopped: its images end with their instances, and are refused when those
 * are started again. */
static void end_native(struct sm_device *d)
{
    for (uint16_t i = 0; i < d->store.layout.modules; i++)
        if (d->apps[i].native)
            sm_dev_restart(d, i);
}

/* Give up what the set stops, and note that it is done. What could not be written down does not run
 * in this session, and the next start tries again. */
static void carry_out(struct sm_device *d)
{
    struct sm_record next;
    char why[SM_STORE_DETAIL];
    int err = 0;

    if (!d->has_set || record(d)->boots_left == 0)
        return;
    sm_text(why, sizeof why, "revoked by key set %u", (unsigned)d->set.version);
    for (uint16_t i = 0; i < d->store.layout.modules; i++) {
        for (unsigned slot = 0; slot < 2; slot++)
            if (stopped(d, i, slot) &&
                sm_dev_give_up(d, i, slot, SM_EVENT_ROLLED_BACK, SM_ERR_KEY, why) != 0)
                err = SM_ERR_IO;
    }
    end_native(d);
    if (err)
        return;
    sm_dev_change(d, keys_index(d), &next);
    next.boots_left = 0;
    (void)sm_dev_put(d, keys_index(d), &next);
}

/* ---- The areas ------------------------------------------------------------------------------- */

/* The set's bytes in an area, or NULL when they are not those of the record. */
static const uint8_t *bytes_in(const struct sm_device *d, unsigned area)
{
    const struct sm_slot *s = in_force(d);
    const uint8_t *bytes = sm_store_map(&d->store, keys_index(d), area, 0, s->module_len);
    uint8_t sha[SM_SHA256_SIZE];

    if (bytes == NULL)
        return NULL;
    sm_sha256(bytes, s->module_len, sha);
    return memcmp(sha, s->module_sha, sizeof sha) == 0 ? bytes : NULL;
}

static int write_area(struct sm_device *d, unsigned area, const uint8_t *bytes, uint32_t len)
{
    struct sm_slot_writer w;

    sm_slot_writer_init(&w, &d->store, keys_index(d), area, 0, true);
    int err = sm_slot_write(&w, bytes, len);
    if (!err)
        err = sm_slot_flush(&w);
    return err ? sm_dev_say(d, err, "the key set cannot be written: %s", sm_strerror(err)) : 0;
}

/* The same of bytes that bytes_in() gave, by other code: a skipped instruction there must not put
 * another set in force (doc/attacks.md). */
static bool intact(const struct sm_device *d, const uint8_t *bytes)
{
    uint8_t sha[SM_SHA256_SIZE];

    sm_sha256(bytes, in_force(d)->module_len, sha);
    return sm_ct_equal(sha, in_force(d)->module_sha, sizeof sha);
}

/* Read the set from the area that has it, and let the other have it too. */
static void load(struct sm_device *d)
{
    struct sm_manifest_detail why;
    unsigned active = record(d)->active;
    const uint8_t *bytes = bytes_in(d, active), *other = bytes_in(d, !active);

    d->has_set = false;
    if (bytes == NULL && other != NULL &&
        write_area(d, active, other, in_force(d)->module_len) == 0)
        sm_dev_emit_passing(d, keys_index(d), active, SM_EVENT_REPAIRED, "a copy was damaged");
    if (bytes != NULL && other == NULL)
        (void)write_area(d, !active, bytes, in_force(d)->module_len); /* else at the next start */
    d->keys_area = (uint8_t)(bytes != NULL ? active : !active);
    if (bytes == NULL)
        bytes = other;
    d->has_set = bytes != NULL && intact(d, bytes) &&
                 sm_keyset_read(&d->set, bytes, in_force(d)->module_len, &why) == 0;
    if (!d->has_set)
        sm_dev_emit_passing(d, keys_index(d), active, SM_EVENT_CORRUPT_SLOT,
                            "both copies are damaged, so nothing is believed");
}

int sm_dev_start_keys(struct sm_device *d)
{
    if (d->cfg->keys == NULL)
        return commissioned(d) ? sm_dev_say(d, SM_ERR_STATE,
                                            "the device was commissioned with a key set, and a "
                                            "fixed trust store would go around it")
                               : 0;
    if (!commissioned(d))
        return 0;
    if (strcmp(record(d)->fleet, d->cfg->fleet) != 0)
        return sm_dev_say(d, SM_ERR_DENIED, "the device was commissioned for fleet %s",
                          record(d)->fleet);
    d->time_base_s = d->stated_s = record(d)->floor;
    load(d);
    carry_out(d);
    return 0;
}

/* ---- Another set ----------------------------------------------------------------------------- */

static int fits(struct sm_device *d, const struct sm_keyset *set, size_t len)
{
    if (strcmp(set->fleet, d->cfg->fleet) != 0)
        return sm_dev_say(d, SM_ERR_DENIED, "is for fleet %s, this device is of fleet %s",
                          set->fleet, d->cfg->fleet);
    if (len > sm_store_slot(&d->store, keys_index(d), 0).size)
        return sm_dev_say(d, SM_ERR_FULL, "%u bytes do not fit the key set areas", (unsigned)len);
    if (set->nkeys > d->cfg->nkeys)
        return sm_dev_say(d, SM_ERR_LIMIT, "it has %u keys, this device has room for %u",
                          (unsigned)set->nkeys, (unsigned)d->cfg->nkeys);
    return 0;
}

static void describe(const struct sm_device *d, struct sm_slot *s, const uint8_t *sha, size_t len,
                     uint32_t version)
{
    memset(s, 0, sizeof *s);
    s->install = sm_store_next_install(&d->store);
    s->sequence = version;
    s->module_len = (uint32_t)len;
    memcpy(s->module_sha, sha, sizeof s->module_sha);
    if (version)
        sm_text(s->version, sizeof s->version, "%u", (unsigned)version);
}

/* From here on this set is in force. */
static int put_set(struct sm_device *d, const struct sm_keyset *set, const uint8_t *sha,
                   uint32_t len, unsigned area)
{
    struct sm_record next;
    bool first = !commissioned(d);

    sm_dev_change(d, keys_index(d), &next);
    next.slot[!area].state = SM_SLOT_EMPTY;
    describe(d, &next.slot[area], sha, len, set->version);
    next.slot[area].state = SM_SLOT_COMMITTED;
    next.active = (uint8_t)area;
    next.boots_left = stops_anything(set);
    if (set->issued_s > next.floor)
        next.floor = set->issued_s;
    memcpy(next.fleet, set->fleet, sizeof next.fleet);
    sm_text(next.name, sizeof next.name, "%s", SM_DEVICE_KEYS_NAME);
    if (!first)
        sm_dev_note(&next, area, SM_EVENT_INSTALLED);
    return sm_dev_put(d, keys_index(d), &next);
}

/* A record that says nothing. Before there is any, a weak one whose erasure was cut short may read
 * as blank now and as it was at the next start, and would then speak of areas that are written
 * meanwhile. The first put erases it for good. */
static int begin_log(struct sm_device *d)
{
    struct sm_record next;

    sm_dev_change(d, keys_index(d), &next);
    return sm_dev_put(d, keys_index(d), &next);
}

static int take(struct sm_device *d, const struct sm_keyset *set, const uint8_t *sha,
                const uint8_t *bytes, size_t len)
{
    unsigned area = commissioned(d) ? !d->keys_area : 0; /* not over the one good copy */

    if (set->version == 0) /* it was refused, and an instruction was skipped (doc/attacks.md) */
        return sm_dev_say(d, SM_ERR_STATE, "no key set was accepted");
    int err = record(d)->seq == 0 ? begin_log(d) : 0;

    if (!err)
        err = write_area(d, area, bytes, (uint32_t)len);
    if (!err)
        err = put_set(d, set, sha, (uint32_t)len, area);
    if (err)
        return err;
    sm_dev_raise_time(d, record(d)->floor);
    if (record(d)->floor > d->stated_s)
        d->stated_s = record(d)->floor;
    load(d);
    sm_dev_emit(d, keys_index(d), area, SM_EVENT_INSTALLED);
    carry_out(d);
    return 0;
}

static int say_why(struct sm_device *d, int err, const struct sm_manifest_detail *why)
{
    if (err == SM_ERR_UNSUPPORTED)
        return sm_dev_say(d, err, "it has format %llu, this device knows %u",
                          (unsigned long long)why->value, SM_KEYSET_FORMAT);
    if (why->offset)
        return sm_dev_say(d, err, "%s, at %x", why->rule, (unsigned)why->offset);
    return sm_dev_say(d, err, "%s", why->rule ? why->rule : sm_strerror(err));
}

void sm_dev_note_server(struct sm_device *d, struct sm_record *next, unsigned slot,
                        enum sm_event_kind kind, int error, const char *why)
{
    bool soon = d->now_ms < d->keys_note_ms;

    next->slot[slot].error = error;
    sm_text(next->slot[slot].detail, sizeof next->slot[slot].detail, "%s", why);
    sm_dev_note(next, slot, kind);
    if (soon) {
        sm_dev_emit_passing(d, keys_index(d), slot, kind, why);
        return;
    }
    d->keys_note_ms = d->now_ms + NOTE_AGAIN_MS;
    if (sm_dev_put(d, keys_index(d), next) == 0)
        sm_dev_emit(d, keys_index(d), slot, kind);
}

/* Keep for the server why an offer was refused; the same once. */
static void note_refusal(struct sm_device *d, int error, const uint8_t *sha, size_t len,
                         uint32_t version)
{
    struct sm_record next;
    unsigned slot = !record(d)->active;
    const struct sm_slot *known = &record(d)->slot[slot];

    if (known->error == error && memcmp(known->module_sha, sha, sizeof known->module_sha) == 0)
        return;
    sm_dev_change(d, keys_index(d), &next);
    describe(d, &next.slot[slot], sha, len, version);
    char why[SM_DEVICE_REASON]; /* a flash that fails would say something else */
    memcpy(why, d->reason, sizeof why);
    sm_dev_note_server(d, &next, slot, SM_EVENT_REFUSED, error, why);
    memcpy(d->reason, why, sizeof why);
}

int sm_device_keys_commission(struct sm_device *d, const uint8_t *bytes, size_t len)
{
    struct sm_keyset set;
    struct sm_manifest_detail why = {0};
    uint8_t sha[SM_SHA256_SIZE];

    if (d->cfg->keys == NULL || commissioned(d))
        return sm_dev_say(d, SM_ERR_STATE,
                          d->cfg->keys ? "the device is commissioned already"
                                       : "this device has a fixed trust store");
    int err = sm_keyset_accept(&set, bytes, len, NULL, d->cfg->scratch, d->cfg->scratch_len, &why);
    if (err)
        return say_why(d, err, &why);
    err = fits(d, &set, len);
    if (err)
        return err;
    sm_sha256(bytes, len, sha);
    return take(d, &set, sha, bytes, len);
}

/* The set in force comes again: welcome when its copies here are damaged. */
static int restore(struct sm_device *d, const uint8_t *bytes, size_t len)
{
    if (d->has_set)
        return sm_dev_say(d, SM_ERR_STATE, "key set %u is in force already",
                          (unsigned)d->set.version);
    int err = write_area(d, record(d)->active, bytes, (uint32_t)len);
    if (!err)
        load(d);
    carry_out(d);
    return err;
}

int sm_device_keys_offer(struct sm_device *d, const uint8_t *bytes, size_t len)
{
    struct sm_keyset set = {.version = 0};
    struct sm_manifest_detail why = {0};
    uint8_t sha[SM_SHA256_SIZE];

    if (d->cfg->keys == NULL || !commissioned(d))
        return sm_dev_say(d, SM_ERR_STATE,
                          d->cfg->keys ? "the device was not commissioned"
                                       : "this device has a fixed trust store");
    sm_sha256(bytes, len, sha);
    if (len == in_force(d)->module_len && memcmp(sha, in_force(d)->module_sha, sizeof sha) == 0)
        return restore(d, bytes, len);
    if (!d->has_set)
        return sm_dev_say(d, SM_ERR_CORRUPT, "both copies of key set %u are damaged: only it helps",
                          (unsigned)in_force(d)->sequence);
    int err =
        sm_keyset_accept(&set, bytes, len, &d->set, d->cfg->scratch, d->cfg->scratch_len, &why);
    if (err)
        set.version = 0; /* what cannot be believed says nothing */
    err = err ? say_why(d, err, &why) : fits(d, &set, len);
    if (err) {
        note_refusal(d, err, sha, len, set.version);
        return err;
    }
    return take(d, &set, sha, bytes, len);
}
