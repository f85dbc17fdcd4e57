/* The canonical form (canon.h).
 *
 * It is computed for every point of every operation, millions of times a second: so each place of
 * the record areas is classified when it was touched, and the form is made anew only when a class
 * changed or bytes did that a record counts on.
 *
 * A place with unstable bits has two looks: its bits old, and its bits erased. Other readings of
 * many bits are no record, but for chances of 2^-32.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include "canon.h"
#include "notes.h"

enum {
    PLACES_MAX = 64,
    CONTENTS_MAX = 24,
    NUMBERS_MAX = 16 * CONTENTS_MAX,
    FORM_MAX = 4096,
    LIVE_MAX = 1024
};
enum look_kind { LOOK_BLANK, LOOK_NONE, LOOK_RECORD };

struct look {
    uint32_t kind, crc;
};

struct place {
    struct look look[2]; /* unstable bits old, and erased; the same when there are none */
    uint32_t weak;       /* 0 stable, 1 one unstable bit, 2 many */
    uint64_t extent;     /* of what is no record in some look */
};

/* Numbers of which only the order counts, among those of a kind: what an application's record has,
 * and what a driver's has. */
enum { OF_APPLICATION, OF_DRIVER, NUMBERS };

/* A record that may be found in force: one not older than the latest that surely is found. */
struct content {
    unsigned area;
    struct sm_record r;
    struct sm_record_tag tag;
};

struct range {
    uint32_t off, len;
};

static struct {
    struct place places[PLACES_MAX];
    uint32_t place_off[PLACES_MAX];
    unsigned nplaces;
    bool changed;
    struct known known;
    struct hash key;
    bool again; /* a server may come back to what it offered before */
    bool late;  /* which module came last makes a difference */
    bool none;  /* what is in force may come to be nothing: then A and B are not alike */
    struct range live[LIVE_MAX]; /* bytes of slots that records count on */
    unsigned nlive;

    /* While a form is made. */
    struct content contents[CONTENTS_MAX];
    unsigned ncontents;
    struct numbers {
        uint64_t list[NUMBERS_MAX];
        unsigned n;
    } numbers[NUMBERS];
    uint8_t form[FORM_MAX];
    size_t len;
    bool weak;
} c;

/* ---- Places ---------------------------------------------------------------------------------- */

/* A checksum that is blank is taken for none without computing it: most points leave that. */
static struct look look_at(const uint8_t *p)
{
    uint8_t erased = world->sim.flash.erased;
    uint32_t sum;

    memcpy(&sum, p + SM_RECORD_SIZE - 4, 4);
    if (sum != erased * 0x01010101u && memcmp(p, "SMR1", 4) == 0 &&
        sm_crc32c(0, p, SM_RECORD_SIZE - 4) == sum)
        return (struct look){LOOK_RECORD, sum};
    if (p[0] == erased && memcmp(p, p + 1, SM_RECORD_SIZE - 1) == 0)
        return (struct look){LOOK_BLANK, 0};
    return (struct look){LOOK_NONE, 0};
}

static uint32_t place_off(unsigned n)
{
    return c.place_off[n];
}

/* The bytes at off with unstable bits old or erased. len is a multiple of 8. */
static void settled(uint32_t off, uint8_t *out, uint32_t len, bool erased)
{
    const struct flash_sim *sim = &world->sim;
    uint64_t word;

    memcpy(out, sim->bytes + off, len);
    for (uint32_t i = 0; i < len; i += 8) {
        memcpy(&word, sim->unstable + off + i, 8);
        for (uint32_t k = i; word != 0 && k < i + 8; k++) {
            uint8_t mask = sim->unstable[off + k];
            uint8_t value = erased ? sim->flash.erased : sim->old[off + k];
            out[k] = (uint8_t)((out[k] & ~mask) | (value & mask));
        }
    }
}

/* 0, 1, or 2 for more than one. len is a multiple of 8. */
static unsigned unstable_bits(uint32_t off, uint32_t len)
{
    unsigned bits = 0;
    uint64_t word;

    for (uint32_t i = off; world->sim.any_unstable && i < off + len && bits < 2; i += 8) {
        memcpy(&word, world->sim.unstable + i, 8);
        bits += word == 0 ? 0 : (word & (word - 1)) == 0 ? 1 : 2;
    }
    return bits < 2 ? bits : 2;
}

/* The 8 bytes at p. */
static uint64_t word_at(const uint8_t *p)
{
    uint64_t word;

    memcpy(&word, p, sizeof word);
    return word;
}

/* In which halves of sectors something is, surely (1) or as it reads (2): what of it an erase that
 * is cut leaves. Two bits each. Halves and records are multiples of 8 bytes. */
static uint64_t extent_of(uint32_t off)
{
    const struct flash_sim *sim = &world->sim;
    uint32_t half = sim->flash.sector_size / 2, end = off + SM_RECORD_SIZE;
    uint64_t extent = 0, blank = sim->flash.erased * 0x0101010101010101u;
    uint32_t next = (off / half + 1) * half;

    for (unsigned shift = 0; off < end; shift += 2, off = next, next += half) {
        uint64_t sure = 0, weak = 0;
        for (; off < next && off < end && sure == 0; off += 8) {
            uint64_t mask = world->sim.any_unstable ? word_at(sim->unstable + off) : 0;
            weak |= mask == 0 ? 0 : (word_at(sim->old + off) ^ blank) & mask;
            sure |= (word_at(sim->bytes + off) ^ blank) & ~mask;
        }
        extent |= (sure ? 1ull : weak ? 2 : 0) << shift;
    }
    return extent;
}

/* Some half of a sector surely has something. */
static bool any_sure(uint64_t extent)
{
    return (extent & 0x5555555555555555u) != 0;
}

/* No checksum stands there, however bits read: most points of a program leave that. */
static bool lacks_checksum(uint32_t off)
{
    const struct flash_sim *sim = &world->sim;
    uint32_t at = off + SM_RECORD_SIZE - 4, sum, weak;

    memcpy(&sum, sim->bytes + at, sizeof sum);
    memcpy(&weak, sim->unstable + at, sizeof weak);
    return sum == sim->flash.erased * 0x01010101u && weak == 0;
}

static struct place look_at_place(uint32_t off)
{
    uint8_t bytes[SM_RECORD_SIZE];
    struct place p = {.weak = 0};

    if (lacks_checksum(off)) {
        p.extent = extent_of(off);
        p.look[0].kind = p.look[1].kind = LOOK_NONE;
        if (any_sure(p.extent))
            return p;
    }
    p = (struct place){.weak = unstable_bits(off, SM_RECORD_SIZE)};
    if (p.weak == 0) {
        p.look[0] = p.look[1] = look_at(world->sim.bytes + off);
    } else {
        for (unsigned i = 0; i < 2; i++) {
            settled(off, bytes, sizeof bytes, i == 1);
            p.look[i] = look_at(bytes);
        }
        if (memcmp(&p.look[0], &p.look[1], sizeof p.look[0]) == 0 && p.look[0].kind != LOOK_RECORD)
            p.weak = 0;
    }
    if (p.look[0].kind == LOOK_NONE || p.look[1].kind == LOOK_NONE)
        p.extent = extent_of(off);
    return p;
}

static void classify(unsigned n)
{
    struct place p = look_at_place(place_off(n));

    if (memcmp(&p, &c.places[n], sizeof p) != 0) {
        c.places[n] = p;
        c.changed = true;
    }
}

static bool overlap(uint32_t off, uint32_t len, uint32_t with, uint32_t with_len)
{
    return off < with + with_len && with < off + len;
}

void canon_touch(uint32_t off, uint32_t len)
{
    for (unsigned i = 0; i < c.nplaces; i++)
        if (overlap(off, len, place_off(i), SM_RECORD_SIZE))
            classify(i);
    c.changed |= overlap(off, len, world_layout()->journal.off, world_layout()->journal.size);
    for (unsigned i = 0; i < c.nlive && !c.changed; i++)
        c.changed = overlap(off, len, c.live[i].off, c.live[i].len);
}

/* Part of a record of which enough stands for each half of a sector that it reaches to be one with
 * something in it, and whose checksum is not there yet: any bytes more are only more of that. */
static bool only_more(unsigned n, uint32_t off, uint32_t len)
{
    const struct place *p = &c.places[n];
    uint32_t half = world->sim.flash.sector_size / 2, first = place_off(n) / half;

    if (off < place_off(n) || off + len > place_off(n) + SM_RECORD_SIZE - 4 || p->weak ||
        p->look[0].kind != LOOK_NONE || p->look[1].kind != LOOK_NONE ||
        !lacks_checksum(place_off(n)))
        return false;
    for (uint32_t at = off / half; at <= (off + len - 1) / half; at++)
        if ((p->extent >> 2 * (at - first) & 3) != 1)
            return false;
    return true;
}

bool canon_same(uint32_t off, uint32_t len, bool erase)
{
    for (unsigned i = 0; i < c.nplaces; i++)
        if (overlap(off, len, place_off(i), SM_RECORD_SIZE) && (erase || !only_more(i, off, len)))
            return false;
    for (unsigned i = 0; i < c.nlive; i++)
        if (overlap(off, len, c.live[i].off, c.live[i].len))
            return false;
    return !overlap(off, len, world_layout()->journal.off, world_layout()->journal.size);
}

void canon_inputs(uint64_t which)
{
    c.again = c.late = c.none = false;
    for (unsigned i = 0; i < ninputs; i++) {
        enum offer o = (enum offer)inputs[i].offer;
        if (!(which >> i & 1))
            continue;
        c.again |= (o >= AGAIN && o <= OLDER) || o == SET_AGAIN;
        c.late |= inputs[i].health == LATE_TRAPS;
        c.none |= o == KEYS_STOP || o == DRIVER_REMOVAL;
    }
}

void canon_reset(void)
{
    const struct sm_layout *l = world_layout();

    c.nplaces = 2 * l->places;
    if (c.nplaces > PLACES_MAX)
        abort();
    for (unsigned i = 0; i < c.nplaces; i++) {
        c.place_off[i] = l->log[i / l->places].off + i % l->places * SM_RECORD_SIZE;
        classify(i);
    }
    c.changed = true;
}

/* ---- Areas ----------------------------------------------------------------------------------- */

/* The record at a place in one of its looks, or NULL. Borrowed until the next call. Records are
 * decoded once and found again by checksum, number and generation. */
static const struct content *record_at(unsigned n, unsigned look)
{
    static struct {
        uint64_t seq;
        uint32_t crc, generation;
        struct content x;
    } memo[4096];
    const struct look *l = &c.places[n].look[look];
    uint8_t bytes[SM_RECORD_SIZE];
    const uint8_t *p = world->sim.bytes + place_off(n);
    uint64_t seq;
    uint32_t generation;

    if (l->kind != LOOK_RECORD)
        return NULL;
    if (c.places[n].weak) {
        settled(place_off(n), bytes, sizeof bytes, look == 1);
        p = bytes;
    }
    memcpy(&seq, p + 8, sizeof seq);
    memcpy(&generation, p + 688, sizeof generation);
    __typeof__(memo[0]) *m = &memo[(l->crc ^ generation) % 4096];
    if (m->crc != l->crc || m->seq != seq || m->generation != generation) {
        if (sm_record_decode(p, &m->x.r, &m->x.tag) != 0)
            return NULL;
        m->crc = l->crc;
        m->seq = seq;
        m->generation = generation;
    }
    m->x.area = n / world_layout()->places;
    return &m->x;
}

static bool sure(unsigned n)
{
    return c.places[n].weak == 0 && c.places[n].look[0].kind == LOOK_RECORD;
}

/* What can be said of an area whatever its unstable bits read, and what some reading allows: in the
 * terms of doc/SPEC-store.md, "Record areas". */
struct area {
    uint32_t generation; /* the highest in any look; 0 none */
    uint16_t copied;
    uint64_t
        base[MODULES_MAX + 1]; /* number of the latest record of each index that is surely found */
    bool complete_sure, complete_maybe;
    bool trusted_sure, trusted_maybe; /* something at the last place of its copies, or behind */
};

static bool maybe(unsigned n, enum look_kind kind)
{
    return c.places[n].look[0].kind == kind || c.places[n].look[1].kind == kind;
}

static void read_tags(struct area *a, unsigned first, bool *any_sure)
{
    for (unsigned n = first; n < first + world_layout()->places; n++) {
        for (unsigned look = 0; look < 2; look++) {
            const struct content *r = record_at(n, look);
            if (r == NULL || r->tag.generation < a->generation)
                continue;
            a->generation = r->tag.generation;
            a->copied = r->tag.copied;
        }
        *any_sure |= sure(n);
    }
}

static struct area survey(unsigned which)
{
    unsigned places = world_layout()->places, first = which * places;
    struct area a = {.complete_sure = true, .complete_maybe = true};
    bool any_sure = false;

    read_tags(&a, first, &any_sure);
    for (unsigned n = first; n < first + places; n++) {
        const struct content *r = sure(n) ? record_at(n, 0) : NULL;
        if (r && r->r.seq > a.base[r->tag.index])
            a.base[r->tag.index] = r->r.seq;
    }
    for (unsigned n = first; n < first + 2u * a.copied && n + 1 < first + places; n += 2) {
        a.complete_sure &= sure(n) || sure(n + 1);
        a.complete_maybe &= maybe(n, LOOK_RECORD) || maybe(n + 1, LOOK_RECORD);
    }
    for (unsigned n = a.copied ? 2 * a.copied - 1u : 0; n < places; n++) {
        a.trusted_sure |= !maybe(first + n, LOOK_BLANK);
        a.trusted_maybe |= c.places[first + n].weak || !maybe(first + n, LOOK_BLANK);
    }
    a.complete_sure &= any_sure;
    a.complete_maybe &= a.generation != 0;
    return a;
}

/* The area that is in force whatever unstable bits read, 2 when surely none is, or 3. */
static unsigned in_force(const struct area a[2])
{
    unsigned n = a[1].generation > a[0].generation;
    const struct area *newer = &a[n], *older = &a[!n];

    if (newer->complete_sure && (newer->trusted_sure || !older->complete_maybe))
        return n;
    if (older->complete_sure && !(newer->complete_maybe && newer->trusted_maybe))
        return !n;
    return newer->complete_maybe || older->complete_maybe ? 3 : 2;
}

static void collect(unsigned which, const struct area *a)
{
    unsigned places = world_layout()->places;

    for (unsigned n = which * places; n < (which + 1) * places; n++) {
        for (unsigned look = 0; look < (c.places[n].weak ? 2u : 1u); look++) {
            const struct content *x = record_at(n, look);
            bool known = false;
            if (x == NULL || x->r.seq < a->base[x->tag.index])
                continue;
            for (unsigned i = 0; i < c.ncontents; i++)
                known |= c.contents[i].area == which && c.contents[i].r.seq == x->r.seq;
            if (known)
                continue;
            if (c.ncontents == CONTENTS_MAX)
                abort();
            c.contents[c.ncontents++] = *x;
        }
    }
}

/* ---- The form -------------------------------------------------------------------------------- */

static void put(uint64_t byte)
{
    if (c.len == FORM_MAX)
        abort();
    c.form[c.len++] = (uint8_t)byte;
}

static void note(unsigned which, uint64_t number)
{
    struct numbers *to = &c.numbers[which];
    unsigned i = to->n;

    for (unsigned k = 0; k < to->n; k++)
        if (to->list[k] == number)
            return;
    if (to->n == NUMBERS_MAX)
        abort();
    for (; i > 0 && to->list[i - 1] > number; i--)
        to->list[i] = to->list[i - 1];
    to->list[i] = number;
    to->n++;
}

static void put_rank(unsigned which, uint64_t number)
{
    const struct numbers *among = &c.numbers[which];
    unsigned i = 0;

    while (i < among->n && among->list[i] != number)
        i++;
    put(number == 0 ? 0xff : i);
}

static bool counts(const struct sm_slot *s)
{
    return s->state == SM_SLOT_TRIAL || s->state == SM_SLOT_COMMITTED || s->state == SM_SLOT_STAGED;
}

/* The floor that the device has when the slot's module is committed: below its own a module's floor
 * is as good as none. */
static uint64_t floor_after(const struct sm_record *r, const struct sm_slot *s)
{
    return s->floor > r->floor ? s->floor : r->floor;
}

/* A server offers, as just older than n, n - 1: of modules an odd one, which nothing else has. */
static bool just_older(uint64_t number, uint64_t n)
{
    return number + 1 == n && (number % 2 == 1 || number < SEQUENCE_FIRST);
}

/* A slot may yet be committed, which makes its floor the device's. */
static bool may_commit(const struct sm_slot *s)
{
    return s->state == SM_SLOT_TRIAL || s->state == SM_SLOT_STAGED;
}

static bool has_company(void)
{
    return world_layout()->modules > 1;
}

/* A slot's module has come, or begun to, maybe for a set that waits. */
static bool is_begun(const struct sm_slot *s)
{
    return s->state == SM_SLOT_STAGED || s->state == SM_SLOT_RECEIVING;
}

/* What is in a slot may run, or be offered again, if anything is: a server of several modules comes
 * back only to what it has begun (SET_AGAIN), that of one to anything. */
static bool may_matter(const struct sm_slot *s)
{
    return counts(s) || (c.again && (!has_company() || is_begun(s)));
}

/* Starts are those of a trial. */
static unsigned starts_left(const struct sm_record *r)
{
    return may_commit(&r->slot[0]) || may_commit(&r->slot[1]) ? r->boots_left : 0;
}

static bool is_keys(const struct content *x)
{
    return x->tag.index == world_layout()->modules;
}

static void note_module(unsigned which, const struct sm_record *r)
{
    note(which, r->floor);
    for (unsigned k = 0; k < 2; k++) {
        const struct subject *s =
            may_matter(&r->slot[k]) ? subject_of(r->slot[k].module_sha) : NULL;
        if (counts(&r->slot[k]))
            note(which, r->slot[k].sequence);
        if (may_commit(&r->slot[k]))
            note(which, floor_after(r, &r->slot[k]));
        if (s)
            note(which, s->sequence);
    }
}

/* Of the numbers only their order counts, and which is just older than another. */
static void note_numbers(void)
{
    const struct numbers *of = &c.numbers[OF_APPLICATION];

    for (unsigned which = 0; which < NUMBERS; which++)
        c.numbers[which].n = 0;
    for (unsigned i = 0; i < c.ncontents; i++)
        if (!is_keys(&c.contents[i]))
            note_module(c.contents[i].tag.index, &c.contents[i].r);
    for (unsigned i = 1; i < of->n && c.again; i++)
        put(just_older(of->list[i - 1], of->list[i]));
}

/* The slot in force comes first: but for that the two are alike, unless there will be none. Without
 * one, which is which decides where the next module goes. */
static unsigned first_slot(const struct sm_record *r)
{
    return r->active == 1;
}

/* Whether a server may offer what failed again, as one half of a set whose other half is there. */
static void put_failed_partner(unsigned index, const struct subject *s)
{
    for (unsigned i = 0; i < c.ncontents; i++) {
        const struct content *x = &c.contents[i];
        for (unsigned k = 0; k < 2 && !is_keys(x) && x->tag.index != index; k++) {
            const struct sm_slot *other = &x->r.slot[first_slot(&x->r) ^ k];
            const struct subject *m = subject_of(other->module_sha);
            put(s && m && is_begun(other) && m->sequence == s->sequence);
        }
    }
}

/* What a failure on record is to the modules in the slots. One that no server will offer again is
 * as good as none: it only takes a place, which the next failures push it out of all the same. */
static void put_failed(unsigned index, const struct sm_record *r, const struct sm_failed *f)
{
    const struct subject *s = subject_of(f->sha);
    unsigned relation = 0;
    uint32_t sequence = 0;
    char letter = 0;

    if (has_company()) {
        put_failed_partner(index, s);
        return;
    }
    for (unsigned k = 0; k < 2 && s; k++) {
        const struct subject *m = subject_of(r->slot[first_slot(r) ^ k].module_sha);
        relation |= (unsigned)(m == s) << 2 * k;
        relation |= (unsigned)(m && just_older(s->sequence, m->sequence)) << (2 * k + 1);
    }
    put(relation);
    if (relation && deployment_of(f->action, &letter, &sequence))
        put((uint8_t)letter);
}

static bool any_byte(const uint8_t *p, uint32_t len)
{
    return len > 0 && (p[0] != 0 || memcmp(p, p + 1, len - 1) != 0);
}

/* Bytes that a record counts on: as they should be, or a hash of how they are. */
static void put_live(uint32_t off, uint32_t len, const uint8_t *expected)
{
    struct flash_sim *sim = &world->sim;
    struct hash h = {0, 0};
    bool whole = expected != NULL && memcmp(sim->bytes + off, expected, len) == 0;

    c.live[c.nlive++] = (struct range){off, len};
    whole = whole && !(sim->any_unstable && any_byte(sim->unstable + off, len));
    put(whole);
    if (whole)
        return;
    for (uint32_t i = 0; i < len; i++) {
        uint8_t now = sim->unstable[off + i] ? sim->old[off + i] : sim->bytes[off + i];
        c.weak |= sim->unstable[off + i] != 0;
        h = hash_word(h, (uint64_t)sim->unstable[off + i] << 8 |
                             (uint8_t)(now ^ (expected ? expected[i] : 0)));
    }
    memcpy(c.form + c.len, &h, sizeof h);
    c.len += sizeof h;
}

static void put_bytes(unsigned index, const struct sm_slot *s, unsigned slot,
                      const struct subject *m)
{
    const struct sm_layout *l = world_layout();
    uint32_t off = index < l->applications ? l->slots.off + slot * l->slot_size
                                           : l->plugins.off + slot * l->plugin_size;

    if (s->state == SM_SLOT_RECEIVING && s->received > 0) {
        put_live(off, SM_SLOT_MODULE, m ? m->sig : NULL);
        put_live(off + SM_SLOT_MODULE, s->received, m ? m->bytes : NULL);
    }
    if (!counts(s))
        return;
    put_live(off + SM_SLOT_MODULE, s->module_len, m ? m->bytes : NULL);
    if (s->image_len > 0)
        put_live(off + s->image_off, s->image_len, m ? m->image : NULL);
}

/* Of a slot that nothing runs from, only who may be offered again counts. Which events wait makes
 * no difference to the device, only whether any does: rules see to them at each change. */
static void put_slot(unsigned index, const struct sm_record *r, unsigned slot)
{
    const struct sm_slot *s = &r->slot[slot];
    const struct subject *m = subject_of(s->module_sha);

    put(s->state);
    put(s->unreported != 0);
    if (!may_matter(s))
        return;
    put(m ? 1 + m->kind : 0);
    if (m)
        put_rank(index, m->sequence);
    if (c.again && (!has_company() || is_begun(s)))
        put((uint8_t)s->action[0]);
    if (s->state == SM_SLOT_RECEIVING) {
        put(s->received);
        put(s->received >> 8);
    }
    if (counts(s)) {
        put_rank(index, s->sequence);
        put(s->image_len == 0 ? 0 : 1 + (s->image_build != SM_WASM_BUILD));
    }
    if (may_commit(s))
        put_rank(index, floor_after(r, s));
    put_bytes(index, s, slot, m);
}

/* How a module in a slot stands to one of another place that it may need. */
static unsigned need_of(const struct sm_slot *a, const struct sm_slot *b)
{
    const struct subject *s = subject_of(a->module_sha), *m = subject_of(b->module_sha);

    if (s == NULL || m == NULL || s->kind != SUBJECT_NEEDS || !may_matter(a) || !may_matter(b))
        return 3;
    return m->sequence > s->sequence ? 2 : m->sequence == s->sequence;
}

static bool has_staged(const struct sm_record *r)
{
    return r->slot[0].state == SM_SLOT_STAGED || r->slot[1].state == SM_SLOT_STAGED;
}

/* What a record is to those of other modules: whether of one set with them, where one of the two is
 * staged; and, of an application, by which of their releases its need is met. */
static void put_company(unsigned index, const struct sm_record *r)
{
    put(r->set != 0 && (may_commit(&r->slot[0]) || may_commit(&r->slot[1])));
    for (unsigned i = 0; i < c.ncontents; i++) {
        const struct sm_record *other = &c.contents[i].r;
        if (is_keys(&c.contents[i]) || c.contents[i].tag.index == index)
            continue;
        put(r->set != 0 && r->set == other->set && (has_staged(r) || has_staged(other)));
        for (unsigned k = 0; k < 4 && index == 0; k++)
            put(need_of(&r->slot[first_slot(r) ^ k / 2], &other->slot[first_slot(other) ^ k % 2]));
    }
}

static void put_record(unsigned index, const struct sm_record *r)
{
    unsigned first = first_slot(r);

    put(c.none ? r->active : r->active < 2);
    put(starts_left(r));
    put(r->trap_count);
    for (unsigned i = 0; i < r->trap_count; i++)
        put(r->time_s - r->trap_time_s[i] >= world->cfg.trap_window_s);
    put_rank(index, r->floor);
    put(r->name[0] != 0);
    if (c.late)
        put(r->slot[first].install < r->slot[!first].install);
    for (unsigned i = 0; i < SM_STORE_FAILED && c.again; i++)
        put_failed(index, r, &r->failed[i]);
    put_slot(index, r, first);
    put_slot(index, r, !first);
    if (has_company())
        put_company(index, r);
}

/* Which modules of the application a key set stops: those in slots of its records. */
static void put_stops(const struct key_set *set)
{
    for (unsigned i = 0; i < c.ncontents; i++) {
        const struct sm_record *r = &c.contents[i].r;
        for (unsigned k = 0; k < 2 && !is_keys(&c.contents[i]); k++) {
            const struct sm_slot *s = &r->slot[first_slot(r) ^ k];
            put(set->stops && may_matter(s) && subject_of(s->module_sha) == set->stops);
        }
    }
}

/* Part of a copy, in one sector: only whether it is as it should be, as it may read, counts. */
static void put_copied(uint32_t off, uint32_t len, const uint8_t *expected)
{
    const struct flash_sim *sim = &world->sim;
    bool old = true, erased = true, weak = false;

    c.live[c.nlive++] = (struct range){off, len};
    for (uint32_t i = 0; i < len; i++) {
        uint8_t mask = sim->unstable[off + i], sure = (uint8_t)~mask;
        uint8_t now = sim->bytes[off + i] & sure;
        weak |= mask != 0;
        old = old && (now | (sim->old[off + i] & mask)) == expected[i];
        erased = erased && (now | (sim->flash.erased & mask)) == expected[i];
    }
    weak = weak && (old || erased);
    put(old);
    put(erased);
    put(weak);
    c.weak |= weak;
}

/* A copy that is mended when it is not whole, one sector after the other. */
static void put_copy(uint32_t off, uint32_t len, const uint8_t *expected)
{
    uint32_t size = world->sim.flash.sector_size;

    for (uint32_t at = 0; at < len; at += size)
        put_copied(off + at, len - at < size ? len - at : size, expected + at);
}

/* What was refused: the set that nobody signed (KEYS_BAD), or the one before (KEYS_OLD). Offered
 * again it leaves no other trace. */
static unsigned refused(const struct sm_slot *s, const struct key_set *in_force)
{
    const struct key_set *set = key_set_of(s->module_sha);

    if (s->error == 0 || set == NULL || in_force == NULL)
        return 0;
    return set->version == in_force->version + 1 && set->bad    ? 1
           : set->version == in_force->version - 1 && !set->bad ? 2
                                                                : 3;
}

static void put_keys(const struct sm_record *r)
{
    const struct sm_layout *l = world_layout();
    const struct key_set *in_force =
        r->active < 2 ? key_set_of(r->slot[r->active].module_sha) : NULL;

    put(r->active < 2);
    put(r->boots_left);
    put(r->floor != 0);
    put((r->slot[0].unreported | r->slot[1].unreported) != 0);
    for (unsigned k = 0; k < 2; k++) {
        const struct sm_slot *s = &r->slot[first_slot(r) ^ k];
        put(s->state);
        put(refused(s, in_force));
    }
    if (in_force == NULL)
        return;
    put_stops(in_force);
    put_live(l->keys[r->active].off, in_force->len, in_force->bytes);
    put_copy(l->keys[!r->active].off, in_force->len, in_force->bytes);
}

/* A content's number in the list, or that the record is older than those. */
static unsigned content_at(unsigned n, unsigned look)
{
    const struct content *x = record_at(n, look);

    if (x == NULL)
        return 100 + c.places[n].look[look].kind;
    for (unsigned i = 0; i < c.ncontents; i++)
        if (c.contents[i].area == x->area && c.contents[i].r.seq == x->r.seq)
            return i;
    return 99;
}

static void put_extent(unsigned n)
{
    for (unsigned shift = 0; shift < 64; shift += 8)
        put((uint8_t)(c.places[n].extent >> shift));
}

/* An area that may be in force or not: all of it. */
static void put_area(unsigned which, const struct area *a)
{
    unsigned places = world_layout()->places;

    put(a->copied);
    for (unsigned n = which * places; n < (which + 1) * places; n++) {
        put(c.places[n].weak);
        c.weak |= c.places[n].weak != 0;
        put(content_at(n, 0));
        if (c.places[n].weak)
            put(content_at(n, 1));
        if (maybe(n, LOOK_NONE))
            put_extent(n);
    }
}

/* The area in force: the next change leaves it, so of its places only the records count that may
 * be a module's state, whether they surely stand twice, and whether anything else is there. */
static void put_records(unsigned which)
{
    unsigned places = world_layout()->places, damage = 0;

    for (unsigned n = which * places; n < (which + 1) * places; n++) {
        unsigned old = content_at(n, 0), erased = content_at(n, 1);
        if (old >= 99 && erased >= 99) { /* none of them */
            damage |= (unsigned)(maybe(n, LOOK_NONE) || c.places[n].weak == 2)
                      << (c.places[n].weak != 0);
            continue;
        }
        put(1 + c.places[n].weak);
        c.weak |= c.places[n].weak != 0;
        put(old < 99 ? old : 99);
        put(erased < 99 ? erased : 99);
    }
    put(0);
    put(damage & 1 ? 1 : damage); /* surely, or as it reads */
    c.weak |= damage == 2;
}

/* No record is in force: whether anything is there, surely or as it reads. */
static void put_remains(void)
{
    for (unsigned n = 0; n < 2 * world_layout()->places; n++) {
        if (c.places[n].weak == 0 && maybe(n, LOOK_BLANK))
            continue;
        put(1 + n);
        put(maybe(n, LOOK_BLANK));
        c.weak |= maybe(n, LOOK_BLANK);
        put_extent(n);
    }
    put(0);
}

/* The order of the records' numbers, and what the device has promised of them. */
static void put_order(void)
{
    unsigned below[MODULES_MAX + 1] = {0};

    for (unsigned i = 0; i < c.ncontents; i++) {
        unsigned rank = 0;
        for (unsigned k = 0; k < c.ncontents; k++)
            rank += c.contents[k].r.seq < c.contents[i].r.seq;
        put(rank);
        unsigned index = c.contents[i].tag.index;
        below[index] += c.contents[i].r.seq < world->known.seq[index];
    }
    for (unsigned index = 0; index <= world_layout()->modules; index++) {
        put(below[index]);
        put(world->known.seq[index] != 0);
    }
}

static void make_form(void)
{
    if (world_layout()->journal.size) {
        c.len = notes_form(c.form, &c.weak);
        return;
    }
    struct area a[2] = {survey(0), survey(1)};
    unsigned force = in_force(a);

    c.len = c.ncontents = c.nlive = 0;
    c.weak = false;
    put(force < 2 ? 1 : force);
    if (force < 2) {
        collect(force, &a[force]);
        put_records(force);
    }
    if (force == 2)
        put_remains();
    for (unsigned i = 0; i < 2 && force == 3; i++) {
        collect(i, &a[i]);
        put_area(i, &a[i]);
    }
    if (force == 3)
        put(a[0].generation < a[1].generation);
    put_order();
    note_numbers();
    for (unsigned i = 0; i < c.ncontents; i++)
        if (is_keys(&c.contents[i]))
            put_keys(&c.contents[i].r);
        else
            put_record(c.contents[i].tag.index, &c.contents[i].r);
}

bool canon_weak(void)
{
    (void)canon_key();
    return c.weak;
}

struct hash canon_key(void)
{
    if (!c.changed && memcmp(&c.known, &world->known, sizeof c.known) == 0)
        return c.key;
    make_form();
    c.changed = false;
    c.known = world->known;
    c.key = hash_bytes((struct hash){0, 0}, c.form, c.len);
    return c.key;
}
