/* The journal's ring of blocks (include/sandmote/journal.h says what it promises).
 *
 * A block is a row of entries from its start: a head of 32 bytes, the note, and blank bytes up to
 * the next multiple of 32, which every program unit divides. The head's checksum covers the note,
 * so the first thing in a block that does not check out is its end. Numbers rise within a block and
 * from block to block; so what a cut-short erase left over is told from what is newer.
 *
 * An entry without a note only says what the server has and how many notes were lost, as every
 * entry does: the one with the highest number is right. Behind each entry its head stands once
 * more, the seal.
 *
 * Invariants, and what they rest on:
 *   J1  An entry that was cut short may read whole now and not at the next start, or the other way
 *       round. Its seal is begun when it is done: so one that has a seal, however that reads, reads
 *       the same for ever. Only those count, and the highest of them says which block is erased.
 *   J2  One without a seal may stand behind the highest that counts, and come up later: it has the
 *       next number, so that is left out.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <sandmote/journal.h>
#include "codec.h"

enum {
    HEAD = 32,
    SEAL = HEAD,
    ENTRY_MAX = HEAD + SM_JOURNAL_NOTE + SEAL,
    MAGIC = 0x314a4d53 /* "SMJ1" */
};
_Static_assert(ENTRY_MAX % HEAD == 0, "entries are multiples of every unit");

#define NUMBER_MAX 0x7fffffffu

struct entry {
    uint32_t number, told, lost, len, size; /* size: with filling and seal */
    const uint8_t *note;
};

static uint32_t blocks(const struct sm_journal *j)
{
    return j->region.size / j->block;
}

static uint32_t crc_of(const uint8_t *head, const uint8_t *note, uint32_t len)
{
    return sm_crc32c(sm_crc32c(0, head, HEAD - 4), note, len);
}

/* What an entry takes: head, note, filling, seal. */
static uint32_t size_of(uint32_t len)
{
    return HEAD + (len + HEAD - 1) / HEAD * HEAD + SEAL;
}

/* The entry at `off` in a block; false when there is none. */
static bool read_entry(const struct sm_journal *j, uint32_t block, uint32_t off, struct entry *e)
{
    const struct sm_flash *f = j->store->flash;
    uint32_t at = j->region.off + block * j->block + off;
    const uint8_t *head = j->block - off < HEAD ? NULL : f->map(f->ctx, at, HEAD);

    if (head == NULL || get_u32(head) != MAGIC)
        return false;
    *e = (struct entry){.number = get_u32(head + 4),
                        .told = get_u32(head + 8),
                        .lost = get_u32(head + 16),
                        .len = get_u16(head + 12)};
    e->size = size_of(e->len);
    if (e->len > SM_JOURNAL_NOTE || e->size > j->block - off || e->number == 0 ||
        e->number > NUMBER_MAX)
        return false;
    head = f->map(f->ctx, at, HEAD + e->len);
    if (head == NULL)
        return false;
    e->note = head + HEAD;
    return get_u32(head + HEAD - 4) == crc_of(head, e->note, e->len);
}

/* Whether the entry that ends at `end` in a block has a seal, however it reads. */
static bool is_sealed(const struct sm_journal *j, uint32_t block, uint32_t end)
{
    const struct sm_flash *f = j->store->flash;
    const uint8_t *p = f->map(f->ctx, j->region.off + block * j->block + end - SEAL, SEAL);

    return p != NULL && !sm_blank(f, p, SEAL);
}

void sm_journal_mount(struct sm_journal *j, struct sm_store *store)
{
    uint32_t sector = store->flash->sector_size;
    struct entry e;

    *j = (struct sm_journal){.store = store, .region = store->layout.journal};
    j->block = (ENTRY_MAX + sector - 1) / sector * sector;
    for (uint32_t b = 0; b < blocks(j); b++) {
        uint32_t before = 0;
        for (uint32_t off = 0; read_entry(j, b, off, &e) && e.number > before; off += e.size) {
            before = e.number;
            if (e.number <= j->number || !is_sealed(j, b, off + e.size))
                continue;
            j->number = e.number;
            j->told = e.told;
            j->lost = e.lost;
            j->at = b;
        }
    }
}

/* Notes in a block with numbers above told. */
static uint32_t untold(const struct sm_journal *j, uint32_t block, uint32_t told)
{
    uint32_t n = 0, before = 0;
    struct entry e;

    for (uint32_t off = 0; read_entry(j, block, off, &e) && e.number > before; off += e.size) {
        before = e.number;
        n += e.len > 0 && e.number > told;
    }
    return n;
}

/* Erase the next block in the ring, the oldest. */
static int turn(struct sm_journal *j, uint32_t told)
{
    uint32_t to = (j->at + 1) % blocks(j), lost = untold(j, to, told);
    int err = 0;

    j->fresh = false;
    for (uint32_t off = 0; off < j->block && !err; off += j->store->flash->sector_size)
        err = sm_store_erase(j->store, j->region.off + to * j->block + off);
    if (err)
        return err;
    j->lost += lost;
    j->number += j->number != 0; /* J2 */
    j->at = to;
    j->next = 0;
    j->fresh = true;
    return 0;
}

/* In the block under way, and durable. */
static int write_bytes(struct sm_journal *j, uint32_t off, const uint8_t head[HEAD],
                       const void *note, uint32_t len)
{
    struct sm_slot_writer w = {.store = j->store};

    w.pos = j->region.off + j->at * j->block + off;
    w.end = w.erased = j->region.off + (j->at + 1) * j->block;
    int err = sm_slot_write(&w, head, HEAD);
    if (!err)
        err = sm_slot_write(&w, note, len);
    if (!err)
        err = sm_slot_flush(&w);
    return err ? err : j->store->flash->sync(j->store->flash->ctx);
}

static int write_entry(struct sm_journal *j, uint32_t told, const void *bytes, uint32_t len)
{
    uint32_t off = j->next;
    uint8_t head[HEAD] = {0};

    put_u32(head, MAGIC);
    put_u32(head + 4, ++j->number);
    put_u32(head + 8, told);
    put_u16(head + 12, (uint16_t)len);
    put_u32(head + 16, j->lost);
    put_u32(head + HEAD - 4, crc_of(head, bytes, len));
    j->next += size_of(len);
    int err = write_bytes(j, off, head, bytes, len);
    return err ? err : write_bytes(j, j->next - SEAL, head, "", 0);
}

/* Twice: what fails in one block may succeed in the next. */
static int append(struct sm_journal *j, uint32_t told, const void *bytes, uint32_t len)
{
    int err = SM_ERR_IO;

    if (blocks(j) < 2)
        return SM_ERR_FULL;
    if (j->number >= NUMBER_MAX - 8)
        return SM_ERR_LIMIT;
    for (unsigned attempt = 0; attempt < 2 && err; attempt++) {
        err = !j->fresh || j->block - j->next < size_of(len) ? turn(j, told) : 0;
        if (!err)
            err = write_entry(j, told, bytes, len);
        if (err)
            j->fresh = false;
    }
    if (!err)
        j->told = told;
    return err;
}

int64_t sm_journal_append(struct sm_journal *j, const void *bytes, uint32_t len)
{
    if (len == 0 || len > SM_JOURNAL_NOTE)
        return SM_ERR_ARG;
    int err = append(j, j->told, bytes, len);
    j->lost += err == SM_ERR_IO;
    return err ? err : (int64_t)j->number;
}

int sm_journal_waiting(const struct sm_journal *j, uint32_t after, struct sm_journal_note *out)
{
    struct entry e;
    int err = SM_ERR_NOT_FOUND;

    if (after < j->told)
        after = j->told;
    for (uint32_t b = 0; b < blocks(j); b++) {
        uint32_t before = 0;
        for (uint32_t off = 0; read_entry(j, b, off, &e) && e.number > before; off += e.size) {
            before = e.number;
            if (e.len == 0 || e.number <= after || e.number > j->number ||
                (!err && e.number > out->number))
                continue;
            *out = (struct sm_journal_note){e.number, e.note, e.len};
            err = 0;
        }
    }
    return err;
}

int sm_journal_told(struct sm_journal *j, uint32_t number)
{
    if (number == 0 || number > j->number)
        return SM_ERR_NOT_FOUND;
    return number <= j->told ? 0 : append(j, number, "", 0);
}

uint32_t sm_journal_lost(const struct sm_journal *j)
{
    return j->lost;
}
