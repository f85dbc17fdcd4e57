/* The journal: short notes on flash that a server fetches later, such as what a trap left behind.
 *
 * A ring of blocks of whole sectors behind the slots. Notes are numbered and only appended; when
 * the last block is full the oldest is erased, whether the server has its notes or not: what is
 * bounded loses its oldest, and counts them. Which notes the server has is written down by
 * appending, too.
 *
 * Power may fail at any operation: a note is there whole or not at all, and one that append gave a
 * number for is there. One whose append was cut short may come up later. No number is given
 * twice. No unit is programmed twice between erases: the first note of a session begins a block, so
 * n blocks keep the notes of the latest n - 1 sessions that wrote at least, and the erases of all
 * blocks are the same but for one.
 *
 * Nothing depends on the journal: a flash that fails, or no room for it, costs notes only.
 * doc/SPEC-store.md has the bytes.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_JOURNAL_H
#define SANDMOTE_JOURNAL_H

#include <sandmote/store.h>

#define SM_JOURNAL_NOTE 736u /* most bytes of a note */

/* Fields are private. */
struct sm_journal {
    struct sm_store *store;
    struct sm_region region;
    uint32_t block;  /* bytes of one */
    uint32_t at;     /* of the block that is written: its number in the ring */
    uint32_t next;   /* free bytes begin there, counted in the block */
    uint32_t number; /* the highest there is */
    uint32_t told;   /* the server has all up to this one */
    uint32_t lost;   /* notes that it never had and that are gone */
    bool fresh;      /* the block was erased in this session */
};

/* A note. bytes lie in the flash and are valid until the next append. */
struct sm_journal_note {
    uint32_t number;
    const uint8_t *bytes;
    uint32_t len;
};

/* Find what the journal region of a mounted store holds; nothing is written. Without at least two
 * blocks of room the journal stays empty. The store is borrowed for the journal's life. */
void sm_journal_mount(struct sm_journal *j, struct sm_store *store);

/* Append a note of 1 to SM_JOURNAL_NOTE bytes. Its number, or
 *   SM_ERR_FULL   there is no room for a journal
 *   SM_ERR_ARG    len is out of range
 *   SM_ERR_LIMIT  numbers are used up (2^31)
 *   SM_ERR_IO     the flash failed; the note is lost, others are not */
int64_t sm_journal_append(struct sm_journal *j, const void *bytes, uint32_t len);

/* The oldest note with a number above `after` that the server does not have. 0 or
 * SM_ERR_NOT_FOUND. */
int sm_journal_waiting(const struct sm_journal *j, uint32_t after, struct sm_journal_note *out);

/* The server has all notes up to this number. Until it could be written down, a restart would tell
 * them again. 0, SM_ERR_NOT_FOUND (no such number yet), or the errors of an append. */
int sm_journal_told(struct sm_journal *j, uint32_t number);

/* Notes that are gone although the server never had them: they had to make room, or could not be
 * written. Of all sessions; those that make room right before a power cut may be missing. */
uint32_t sm_journal_lost(const struct sm_journal *j);

#endif
