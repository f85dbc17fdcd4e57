/* The log of boot records: mount, put, and the move from one record area to the other.
 *
 * An area is a row of places of SM_RECORD_SIZE bytes, filled from the front. A put writes its
 * record into two places, one after the other. Moving to the other area erases it, copies the
 * latest record of every module there, two places each, and goes on behind them. Every record
 * carries the generation of its area and how many records the move copied, so an area needs no
 * header: it is complete when all the copies are there, and of the complete areas the one of the
 * higher generation is in force. Nothing in the other one counts.
 *
 * Invariants, and what they rest on:
 *   I1  Only the area not in force is erased, and it does not come into force before it holds a
 *       copy of everything. A move that was cut short has changed nothing.
 *   I2  What mount returns stands twice: one byte may rot. Where it does not (a torn put, a rotten
 *       copy), mount moves before it returns.
 *   I2b A place is begun when the one before is done, and what was done reads the same for ever. So
 *       when the last place of the copies is not blank, all copies but perhaps that one are whole,
 *       and the area is in force from then on, whatever the last copy reads like: the other area
 *       may be half erased already and still look complete. While the last place is blank, the copy
 *       before it may be weak, nobody has acted on it, and the other area was not touched.
 *   I3  Only blank units are programmed. The tail of an area from an earlier session may hold a
 *       torn unit that happens to read as blank, so nothing is ever appended to it: the first put
 *       of a session moves to the other area, which is erased first.
 *   I4  A torn record that mount could not read and that becomes readable later (weak bits) does
 *       not count then: where anything is that is neither blank nor a record, mount moves before it
 *       returns, also when no record is in force. Not only the next put: the caller may change
 *       slots before that.
 *   I5  Where no record is in force, both areas are erased before the first one is put: a weak
 *       first record that could not be read would else have a generation that comes back later.
 *       One whose erasure was cut short may read as blank, too, and mount cannot know: so callers
 *       put a record before they write slots or key set areas.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "codec.h"

static struct sm_record *record_at(struct sm_store *s, uint16_t index)
{
    return index == s->layout.modules ? &s->keys : &s->records[index];
}

const struct sm_record *sm_store_record(const struct sm_store *s, uint16_t index)
{
    return index == s->layout.modules ? &s->keys : &s->records[index];
}

/* ---- Mount ----------------------------------------------------------------------------------- */

/* What an area looks like from outside. */
struct survey {
    uint32_t generation; /* 0: not a single record */
    uint16_t copied;     /* as its records say */
    uint16_t found;      /* copied records of which at least one copy is there */
    uint32_t last;       /* the pair of places counted last */
    bool sealed;         /* something, readable or not, stands in the last place of the copies, or
                          * behind it (I2b) */
    bool dirty;          /* a place is not blank */
};

/* 1 and the record at a place, 0 when there is none, or an error that ends the mount. Each record
 * that was ever read here takes its number from those to come: a weak one may be read by only one
 * of the passes of a mount, and what is believed then must not be shadowed by its like. */
static int read_place(struct sm_store *s, unsigned area, uint32_t place, struct sm_record *r,
                      struct sm_record_tag *tag, bool *is_blank)
{
    uint8_t bytes[SM_RECORD_SIZE];
    uint32_t off = s->layout.log[area].off + place * SM_RECORD_SIZE;
    int err = s->flash->read(s->flash->ctx, off, bytes, sizeof bytes);

    *is_blank = !err && sm_blank(s->flash, bytes, sizeof bytes);
    if (err)
        s->health.fault = err;
    if (err || *is_blank)
        return 0;
    err = sm_record_decode(bytes, r, tag);
    if (err == SM_ERR_UNSUPPORTED)
        return err;
    if (!err && (tag->layout_id != s->layout.id || tag->index > s->layout.modules))
        return SM_ERR_INVALID;
    if (!err && r->seq >= s->next_seq)
        s->next_seq = r->seq + 1;
    return err ? 0 : 1;
}

static int survey_area(struct sm_store *s, unsigned area, struct survey *v)
{
    struct sm_record r;
    struct sm_record_tag tag;
    bool is_blank;

    memset(v, 0, sizeof *v);
    v->last = UINT32_MAX;
    for (uint32_t place = 0; place < s->layout.places; place++) {
        int got = read_place(s, area, place, &r, &tag, &is_blank);
        if (got < 0)
            return got;
        if (got == 1) {
            v->generation = tag.generation;
            v->copied = tag.copied;
        }
        v->dirty |= !is_blank;
        if (!is_blank && v->generation != 0 && place + 1 >= 2u * v->copied)
            v->sealed = true;
        if (got == 1 && place / 2 < v->copied) {
            v->found += v->last != place / 2;
            v->last = place / 2;
        }
    }
    if (v->generation > s->generation)
        s->generation = v->generation;
    return 0;
}

static bool complete(const struct survey *v)
{
    return v->generation != 0 && v->found == v->copied;
}

/* The area in force (see I1 and I2b), or -1 when no area is complete. */
static int choose(const struct survey v[2])
{
    unsigned newer = v[1].generation > v[0].generation;

    if (complete(&v[newer]) && (v[newer].sealed || !complete(&v[!newer])))
        return (int)newer;
    return complete(&v[!newer]) ? (int)!newer : -1;
}

/* Load the latest record of each module. Damage is counted here: in the area in force a place is
 * a record, blank, or worth a report. Returns whether each record stands twice and nothing else is
 * there: what cannot be read now may be a weak record that is read next time (I4). */
static bool load_area(struct sm_store *s, unsigned area)
{
    struct sm_record r;
    struct sm_record_tag tag;
    bool is_blank, stable = true;

    for (uint32_t place = 0; place < s->layout.places; place++) {
        int got = read_place(s, area, place, &r, &tag, &is_blank);
        if (got != 1) {
            s->health.damaged += !is_blank;
            stable = stable && (is_blank || s->health.fault);
            continue;
        }
        struct sm_record *known = record_at(s, tag.index);
        if (r.seq > known->seq)
            *known = r;
        known->copies += known->seq == r.seq;
    }
    for (uint16_t i = 0; i <= s->layout.modules; i++) {
        const struct sm_record *known = sm_store_record(s, i);
        stable = stable && (known->seq == 0 || known->copies >= 2);
    }
    return stable;
}

static int move(struct sm_store *s);

int sm_store_mount(struct sm_store *s, const struct sm_flash *flash, const struct sm_store_cfg *cfg,
                   struct sm_record *records)
{
    struct survey v[2];

    memset(s, 0, sizeof *s);
    int err = sm_store_layout(&s->layout, flash, cfg, NULL);
    if (err)
        return err;
    s->flash = flash;
    s->records = records;
    s->next_seq = 1;
    for (uint16_t i = 0; i <= s->layout.modules; i++) {
        struct sm_record *r = record_at(s, i);
        memset(r, 0, sizeof *r);
        r->active = SM_STORE_NO_SLOT;
    }
    for (unsigned area = 0; area < 2 && !err; area++)
        err = survey_area(s, area, &v[area]);
    if (err)
        return err;
    int area = choose(v);
    s->area = area < 0 ? 1 : (uint8_t)area;
    bool leave = area >= 0 ? !load_area(s, (unsigned)area)
                           : (v[0].dirty || v[1].dirty) && s->health.fault == 0;
    if (leave) {
        s->health.repaired++;
        (void)move(s); /* a failure is in health.fault; what was read is still good to run */
    }
    return 0;
}

/* ---- Write ----------------------------------------------------------------------------------- */

static int flash_error(struct sm_store *s, int err)
{
    if (err)
        s->health.fault = err;
    return err;
}

/* Program one place and read it back: a flash that ignores a program must not go unnoticed. */
static int write_place(struct sm_store *s, unsigned area, uint32_t place, const uint8_t *bytes)
{
    const struct sm_flash *f = s->flash;
    uint32_t off = s->layout.log[area].off + place * SM_RECORD_SIZE;
    uint8_t back[64];
    int err = f->program(f->ctx, off, bytes, SM_RECORD_SIZE);

    s->health.programs += SM_RECORD_SIZE;
    for (uint32_t i = 0; i < SM_RECORD_SIZE && !err; i += sizeof back) {
        err = f->read(f->ctx, off + i, back, sizeof back);
        if (!err && memcmp(back, bytes + i, sizeof back) != 0)
            err = SM_ERR_IO;
    }
    return flash_error(s, err);
}
_Static_assert(SM_RECORD_SIZE % 64 == 0, "records are read back in whole pieces");

static int write_pair(struct sm_store *s, unsigned area, uint32_t place, uint16_t index,
                      const struct sm_record *r)
{
    uint8_t bytes[SM_RECORD_SIZE];
    const struct sm_record_tag tag = {s->layout.id, s->generation, s->copied, index};

    sm_record_encode(r, &tag, bytes);
    int err = write_place(s, area, place, bytes);
    return err ? err : write_place(s, area, place + 1, bytes);
}

static int erase_area(struct sm_store *s, unsigned area)
{
    const struct sm_flash *f = s->flash;
    const struct sm_region *r = &s->layout.log[area];
    uint8_t piece[64];
    int err = 0;

    for (uint32_t off = r->off; off < r->off + r->size && !err; off += f->sector_size) {
        err = f->erase(f->ctx, off);
        s->health.erases++;
    }
    for (uint32_t off = r->off; off < r->off + r->size && !err; off += sizeof piece) {
        err = f->read(f->ctx, off, piece, sizeof piece);
        if (!err && !sm_blank(f, piece, sizeof piece))
            err = SM_ERR_IO;
    }
    return flash_error(s, err);
}

/* Erase the other area, copy the latest records there, and let it be in force. Until the end the
 * area in force is untouched (I1). On an error it stays in force, but nothing more goes to it. */
static int move(struct sm_store *s)
{
    unsigned to = !s->area;
    uint32_t place = 0;

    s->fresh = false;
    if (s->generation + 1 >= SM_STORE_GENERATION_MAX)
        return SM_ERR_LIMIT;
    s->generation++;
    s->copied = 0;
    for (uint16_t i = 0; i <= s->layout.modules; i++)
        s->copied += sm_store_record(s, i)->seq != 0;
    int err = s->copied == 0 ? erase_area(s, s->area) : 0; /* I5 */
    if (!err)
        err = erase_area(s, to);
    for (uint16_t i = 0; i <= s->layout.modules && !err; i++) {
        if (sm_store_record(s, i)->seq == 0)
            continue;
        err = write_pair(s, to, place, i, sm_store_record(s, i));
        place += 2;
    }
    if (!err)
        err = flash_error(s, s->flash->sync(s->flash->ctx));
    if (err)
        return err;
    s->area = (uint8_t)to;
    s->next = place;
    s->fresh = true;
    return 0;
}

int sm_store_put(struct sm_store *s, uint16_t index, const struct sm_record *r)
{
    struct sm_record next = *r;
    /* What the record speaks of is durable before the record is. */
    int err = flash_error(s, s->flash->sync(s->flash->ctx));

    if (err)
        return err;
    if (s->next_seq >= SM_STORE_SEQ_MAX)
        return SM_ERR_LIMIT;
    /* Twice: what fails in one area may succeed in the other. */
    for (unsigned attempt = 0; attempt < 2; attempt++) {
        if ((!s->fresh || s->next + 2 > s->layout.places) && move(s) != 0)
            continue;
        next.seq = s->next_seq++; /* not reused, not even when writing it failed */
        err = write_pair(s, s->area, s->next, index, &next);
        s->next += 2;
        if (!err)
            err = flash_error(s, s->flash->sync(s->flash->ctx));
        if (!err) {
            *record_at(s, index) = next;
            return 0;
        }
        s->fresh = false;
    }
    return SM_ERR_IO;
}

uint32_t sm_store_time_s(const struct sm_store *s)
{
    uint32_t latest = s->keys.time_s;

    for (unsigned i = 0; i < s->layout.modules; i++)
        if (s->records[i].time_s > latest)
            latest = s->records[i].time_s;
    return latest;
}

uint64_t sm_store_next_install(const struct sm_store *s)
{
    return s->next_seq;
}

/* The first move erases both areas, each later one the other area. */
uint32_t sm_store_record_erases(const struct sm_store *s)
{
    return s->generation == 0 ? 0 : s->generation / 2 + 1;
}
