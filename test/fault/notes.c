/* The journal alone (notes.h): its sessions, its rules, its canonical form.
 *
 * What is promised: a note that got a number is there, whole, under that number, until the server
 * has it or all other blocks of the ring were begun anew; what the server has stays told; and no
 * number is given twice.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include "codec.h"
#include "notes.h"
#include "rules.h"

enum { LENGTH = 40 };

/* ---- Sessions -------------------------------------------------------------------------------- */

/* A note says what the highest number was when it was made, and by which input. */
static void fill(uint8_t note[LENGTH], uint32_t before, uint8_t input)
{
    put_u32(note, before);
    note[4] = input;
    for (uint32_t i = 5; i < LENGTH; i++)
        note[i] = (uint8_t)(1 + (i * 31 + before * 7) % 250);
}

static void check_note(const struct sm_journal_note *n)
{
    uint8_t expected[LENGTH];

    rule(n->len == LENGTH, "a note has another length than it was given");
    fill(expected, get_u32(n->bytes), n->bytes[4]);
    rule(memcmp(n->bytes, expected, LENGTH) == 0, "a note has other bytes than it was given");
    rule(get_u32(n->bytes) < n->number && n->number <= get_u32(n->bytes) + 2,
         "a note has another number than it was given");
}

static bool waits(const struct sm_journal *j, struct note kept)
{
    struct sm_journal_note n;

    return sm_journal_waiting(j, kept.number - 1, &n) == 0 && n.number == kept.number &&
           n.bytes[4] == kept.input;
}

/* Another block is written, or was by a session that was cut short and is read now: the one that
 * follows it in the ring is promised no more. */
static void follow(const struct sm_journal *j)
{
    struct promised *p = &world->known.notes;
    unsigned n = 0;

    if (j->at == p->block || j->number <= p->newer)
        return;
    uint32_t older = p->newer;
    p->newer = j->number;
    p->block = j->at;
    for (unsigned i = 0; i < NOTES_KEPT; i++)
        if (p->kept[i].number >= older)
            p->kept[n++] = p->kept[i];
    memset(p->kept + n, 0, (NOTES_KEPT - n) * sizeof p->kept[0]);
}

/* What a mount finds. */
static void check_mount(const struct sm_journal *j)
{
    const struct promised *p = &world->known.notes;
    struct sm_journal_note n;

    trace("number %u, told %u, lost %u", j->number, j->told, j->lost);
    rule(j->number >= p->number, "a note's number will come again");
    rule(j->told >= p->told, "what the server has is forgotten");
    rule(j->lost >= p->lost, "what was lost is forgotten");
    for (uint32_t after = 0; sm_journal_waiting(j, after, &n) == 0; after = n.number)
        check_note(&n);
    for (unsigned i = 0; i < NOTES_KEPT; i++)
        rule(p->kept[i].number <= j->told || waits(j, p->kept[i]), "a note is lost");
    follow(j);
}

/* An entry is on flash: what it says is promised, and the note in it. */
static void promise(const struct sm_journal *j, uint32_t note)
{
    struct promised *p = &world->known.notes;
    unsigned n = 0;

    follow(j);
    p->number = j->number;
    p->told = j->told;
    p->lost = j->lost;
    for (unsigned i = 0; i < NOTES_KEPT; i++)
        if (p->kept[i].number > j->told)
            p->kept[n++] = p->kept[i];
    memset(p->kept + n, 0, (NOTES_KEPT - n) * sizeof p->kept[0]);
    rule(n < NOTES_KEPT, "more notes are kept than a ring has");
    p->kept[n] = (struct note){note, world->in->offer};
}

static void append(struct sm_journal *j)
{
    uint8_t note[LENGTH];

    fill(note, j->number, world->in->offer);
    int64_t number = sm_journal_append(j, note, sizeof note);
    trace("a note: %d", (int)number);
    rule(number > (int64_t)world->known.notes.number, "a number is given twice");
    promise(j, (uint32_t)number);
}

/* The server takes all notes, and the device writes down that it has them. */
static void fetch(struct sm_journal *j)
{
    struct sm_journal_note n = {.number = j->told};
    uint32_t last = n.number;

    for (; sm_journal_waiting(j, last, &n) == 0; last = n.number) {
        check_note(&n);
        trace("the server takes note %u", n.number);
    }
    if (last == j->told)
        return;
    rule(sm_journal_told(j, last) == 0, "what the server has cannot be written down");
    promise(j, 0);
    for (unsigned i = 0; i < NOTES_KEPT; i++)
        rule(world->known.notes.kept[i].number <= last, "a note does not reach the server");
}

void notes_session(void)
{
    struct sm_journal *j = &world->dev.journal;

    memset(&world->dev, 0xa5, sizeof world->dev);
    rule(sm_store_mount(&world->dev.store, world->cfg.flash, &world->cfg.store, world->records) ==
             0,
         "the store cannot be mounted");
    sm_journal_mount(j, &world->dev.store);
    check_mount(j);
    switch ((enum offer)world->in->offer) {
    case NOTE_COMES: append(j); break;
    case NOTE_TAKEN:
        append(j);
        fetch(j);
        append(j);
        break;
    case NOTES_TAKEN: fetch(j); break;
    default: break;
    }
    check_mount(j);
}

/* ---- The canonical form ---------------------------------------------------------------------- */

/* Where the device finds entries in a block: with its unstable bits old, and erased. Only the order
 * of numbers counts, and of an entry that is not older than what was promised, how many it says are
 * lost. Of blocks that are begun anew before they are written to, nothing else does. */
enum { ENTRY_HEAD = 32, ENTRIES_MAX = 64 };

struct entry {
    uint8_t look;
    uint8_t input;
    bool first, sealed; /* first: of its block */
    uint32_t number, told, lost, len;
};

static struct {
    struct entry list[ENTRIES_MAX];
    unsigned n;
} f;

static void settle(uint32_t off, uint32_t len, uint8_t *out, unsigned look)
{
    const struct flash_sim *sim = &world->sim;

    memcpy(out, sim->bytes + off, len);
    for (uint32_t i = 0; i < len && sim->any_unstable; i++) {
        uint8_t mask = sim->unstable[off + i];
        uint8_t value = look ? sim->flash.erased : sim->old[off + i];
        out[i] = (uint8_t)((out[i] & ~mask) | (value & mask));
    }
}

static bool stands(uint32_t off, uint32_t len, unsigned look)
{
    uint8_t bytes[ENTRY_HEAD];

    settle(off, len, bytes, look);
    for (uint32_t i = 0; i < len; i++)
        if (bytes[i] != world->sim.flash.erased)
            return true;
    return false;
}

static void read_block(uint32_t off, uint32_t size, unsigned look)
{
    uint8_t e[ENTRY_HEAD + SM_JOURNAL_NOTE];
    uint32_t before = 0;

    for (uint32_t at = 0; at + ENTRY_HEAD <= size;) {
        settle(off + at, ENTRY_HEAD, e, look);
        uint32_t number = get_u32(e + 4), len = get_u16(e + 12), begin = at;
        if (memcmp(e, "SMJ1", 4) != 0 || len > SM_JOURNAL_NOTE || len > size - at - ENTRY_HEAD ||
            number <= before)
            return;
        settle(off + at + ENTRY_HEAD, len, e + ENTRY_HEAD, look);
        if (sm_crc32c(sm_crc32c(0, e, ENTRY_HEAD - 4), e + ENTRY_HEAD, len) != get_u32(e + 28))
            return;
        if (f.n == ENTRIES_MAX)
            abort();
        at += 2 * ENTRY_HEAD + (len + ENTRY_HEAD - 1) / ENTRY_HEAD * ENTRY_HEAD;
        if (at > size)
            return;
        f.list[f.n++] = (struct entry){.look = (uint8_t)look,
                                       .first = begin == 0,
                                       .sealed = stands(off + at - ENTRY_HEAD, ENTRY_HEAD, look),
                                       .number = number,
                                       .told = get_u32(e + 8),
                                       .lost = get_u32(e + 16),
                                       .len = len,
                                       .input = len > 0 ? e[ENTRY_HEAD + 4] : 0};
        before = number;
    }
}

/* Whether an entry can make a difference: one that a mount may go by, a note that the server lacks,
 * or the first of a block. */
static bool counts(const struct entry *e, const struct promised *p)
{
    return e->number >= p->number || e->first || (e->len > 0 && e->number > p->told);
}

/* How many numbers of the entries that count are below this one. */
static uint8_t rank_of(uint32_t number, const struct promised *p)
{
    uint8_t below = 0;

    for (unsigned i = 0; i < f.n; i++) {
        bool again = f.list[i].number >= number || !counts(&f.list[i], p);
        for (unsigned k = 0; k < i && !again; k++)
            again = f.list[k].number == f.list[i].number;
        below += !again;
    }
    return below;
}

static bool is_kept(const struct entry *e, const struct promised *p)
{
    for (unsigned i = 0; i < NOTES_KEPT; i++)
        if (p->kept[i].number == e->number && p->kept[i].input == e->input)
            return true;
    return false;
}

static size_t put_entry(const struct entry *e, const struct promised *p, uint8_t *out)
{
    bool waits = e->len > 0 && e->number > p->told;

    out[0] = (uint8_t)(1 + e->look);
    out[1] = rank_of(e->number, p);
    out[2] = (uint8_t)(waits + (waits && is_kept(e, p)));
    if (e->number < p->number)
        return 3;
    out[3] = (uint8_t)(1 + rank_of(e->told + 1, p));
    out[4] = e->told > p->told;
    out[5] = e->lost < p->lost;
    out[6] = e->sealed;
    return 7;
}

/* Reads a block in both looks; whether they differ. */
static bool read_both(unsigned block)
{
    const struct sm_region *r = &world_layout()->journal;
    uint32_t size = r->size / NOTE_BLOCKS;
    unsigned first = f.n;

    read_block(r->off + block * size, size, 0);
    unsigned middle = f.n;
    read_block(r->off + block * size, size, 1);
    bool same = f.n - middle == middle - first;
    for (unsigned i = first; same && i < middle; i++)
        same = f.list[i].number == f.list[i + middle - first].number &&
               f.list[i].sealed == f.list[i + middle - first].sealed;
    if (same)
        f.n = middle;
    return !same;
}

size_t notes_form(uint8_t *out, bool *weak)
{
    const struct promised *p = &world->known.notes;
    unsigned end[NOTE_BLOCKS];
    size_t len = 0;

    f.n = 0;
    *weak = false;
    for (unsigned i = 0; i < NOTE_BLOCKS; i++) {
        *weak |= read_both((p->block + i) % NOTE_BLOCKS);
        end[i] = f.n;
    }
    for (unsigned i = 0, n = 0; n < NOTE_BLOCKS; out[len++] = 0, n++)
        for (; i < end[n]; i++)
            if (counts(&f.list[i], p))
                len += put_entry(&f.list[i], p, out + len);
    out[len++] = p->number != 0;
    out[len++] = rank_of(p->number, p);
    out[len++] = rank_of(p->newer, p);
    return len;
}
