/* The store: module slots and boot records on NOR flash, safe against power failing at any moment.
 *
 * doc/SPEC-store.md has the bytes. What the store promises, whatever happens during any flash
 * operation and however often:
 *   - mount finds for every module its last record that sm_store_put() returned 0 for, or, when
 *     the power failed inside a later put, that later one; never anything older or mixed;
 *   - a change that one mount has seen, later mounts see too, also when an erase that was cut short
 *     left bits that read differently each time, or a torn program a bit;
 *   - no program unit is programmed twice between erases, not even one whose tearing left it blank;
 *   - one byte that rots in a record is detected, survived and repaired.
 *
 * Two record areas hold an append-only log; only the area that is not in force is ever erased. The
 * first put after a mount moves to the other area: so a session that writes costs one erase of an
 * area, plus one for every `log_records` puts; a session that writes nothing costs none.
 *
 * The store allocates nothing and keeps no state but the caller's structs. It knows no hashes and
 * no signatures: what a slot's bytes are worth is for the caller to find out.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_STORE_H
#define SANDMOTE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sandmote/error.h>
#include <sandmote/port.h>

/* ---- Layout ---------------------------------------------------------------------------------- */

#define SM_STORE_MODULES_MAX 64u /* applications and plugins together */

/* How the flash is divided. Sizes are in bytes and rounded up to whole sectors, those of slots to
 * two at least: module and image have sectors of their own. */
struct sm_store_cfg {
    uint16_t applications;    /* 1 to SM_STORE_MODULES_MAX */
    uint16_t plugins;         /* may be 0 */
    uint32_t slot_size;       /* of each of the two slots of an application: module and image */
    uint32_t plugin_size;     /* the same of a plugin; 0 only when there are none */
    uint32_t golden_size;     /* of the golden module's slot; may be 0 */
    uint32_t keys_size;       /* of each of the two key set areas; 0 = one sector */
    uint16_t log_records;     /* puts that fit a record area beside one of each record; 0 = 4 */
    uint32_t checkpoint_size; /* a download is remembered about this often; 0 = slot_size / 8 */
    uint32_t journal_size;    /* of the journal (journal.h); may be 0 */
};

struct sm_region {
    uint32_t off, size;
};

struct sm_layout {
    struct sm_region log[2]; /* record areas */
    struct sm_region keys[2];
    struct sm_region golden;
    struct sm_region slots;   /* application 0 slot A, 0 slot B, 1 slot A, ... */
    struct sm_region plugins; /* the same for plugins */
    struct sm_region journal; /* behind all that records speak of */
    uint32_t slot_size, plugin_size;
    uint16_t applications, modules; /* modules: applications + plugins */
    uint32_t places;                /* records an area has room for */
    uint32_t checkpoint_size;
    uint32_t id; /* stands in every record: another division of the flash is noticed */
};

/* Divide a flash. *out is filled also on SM_ERR_FULL, and then *need is what the flash would have
 * to have; need may be NULL.
 *
 * 0, or
 *   SM_ERR_ARG   a field or the geometry is out of range (sectors: a multiple of 64 bytes)
 *   SM_ERR_FULL  the flash is too small: *need bytes */
int sm_store_layout(struct sm_layout *out, const struct sm_flash *flash,
                    const struct sm_store_cfg *cfg, uint64_t *need);

/* ---- Records --------------------------------------------------------------------------------- */

#define SM_RECORD_SIZE   704u /* bytes on flash; a multiple of every program unit */
#define SM_STORE_NAME    33u  /* texts with their terminating zero */
#define SM_STORE_VERSION 33u
#define SM_STORE_ACTION  25u
#define SM_STORE_DETAIL  81u
#define SM_STORE_TRAPS   3u
#define SM_STORE_FAILED  4u
#define SM_STORE_NO_SLOT 0xffu

/* What happened to the module in a slot. Bits 1 << kind in sm_slot.unreported wait for the server;
 * numbers are those on flash. */
#define SM_STORE_EVENTS(X)                                                                         \
    X(INSTALLED, 0)       /* verified, translated, in its slot */                                  \
    X(TRIAL, 1)           /* first start */                                                        \
    X(COMMITTED, 2)       /* healthy: runs from now on */                                          \
    X(TRAP, 3)            /* trapped; how often, and the last report */                            \
    X(EPOCH, 4)           /* the same for an entry call that took too long */                      \
    X(HEALTH_FAILED, 5)   /* not healthy in time */                                                \
    X(CORRUPT_SLOT, 6)    /* its bytes do not match their hash any more */                         \
    X(ROLLED_BACK, 7)     /* given up: the previous module runs, if there is one */                \
    X(REFUSED, 8)         /* not installed: detail says why */                                     \
    X(DOWNLOAD_FAILED, 9) /* given up before all its bytes were there */                           \
    X(STARTED, 10)        /* an instance runs; never waits */                                      \
    X(REPAIRED, 11)       /* image made anew, or records rewritten; never waits */                 \
    X(NATIVE_REFUSED, 12) /* its native image is not used, and it is interpreted */                \
    X(STALE, 13)          /* of the key set: the server does not say what is current */

enum sm_event_kind {
#define X(name, value) SM_EVENT_##name = value,
    SM_STORE_EVENTS(X)
#undef X
        SM_EVENTS
};

enum sm_slot_state {
    SM_SLOT_EMPTY,     /* nothing in it that matters */
    SM_SLOT_RECEIVING, /* a download: `received` bytes of `module_len` are durable */
    SM_SLOT_TRIAL,     /* verified, not yet healthy */
    SM_SLOT_COMMITTED, /* was healthy: active, or what a rollback returns to */
    SM_SLOT_FAILED,    /* kept for post-mortem, never started */
    SM_SLOT_STAGED, /* verified, one of a set: what it is says the set's leader (sm_record.set) */
    SM_SLOT_STATES
};

struct sm_slot {
    uint8_t state;        /* enum sm_slot_state */
    uint8_t trap_code;    /* of the last trap: enum sm_wasm_trap; 0 none */
    uint16_t traps;       /* since it was installed; stays at 65535 */
    uint32_t unreported;  /* bits 1 << enum sm_event_kind */
    uint64_t install;     /* number of this installation, unique on the device; names its events */
    uint64_t sequence;    /* the manifest's */
    uint64_t floor;       /* the manifest's security floor */
    uint32_t module_len;  /* bytes; they begin at SM_SLOT_MODULE in the slot */
    uint32_t received;    /* while RECEIVING; ends at a sector border of the slot, or is 0 */
    uint32_t image_off;   /* in the slot, on a sector border */
    uint32_t image_len;   /* 0: there is no image */
    uint32_t image_build; /* SM_WASM_BUILD that made it */
    uint32_t trap_func, trap_offset;
    int32_t error; /* enum sm_err of a refusal or failure */
    uint8_t module_sha[32];
    uint8_t image_sha[32];
    char version[SM_STORE_VERSION];
    char action[SM_STORE_ACTION]; /* the deployment that brought it */
    char detail[SM_STORE_DETAIL]; /* one line: why it was refused, trapped, given up */
};

/* A module and a deployment that failed together: not tried again. All zero: unused. */
struct sm_failed {
    uint8_t sha[8];  /* first bytes of the module's hash */
    uint32_t action; /* CRC-32C of the action's text */
};

/* The whole state of one module name on the device; one record is one atomic change. */
struct sm_record {
    uint64_t seq;       /* of the record; 0: none was ever written. Set by the store */
    uint64_t floor;     /* nothing below it runs */
    uint32_t time_s;    /* device time of the change: never goes back, stands still without power */
    uint8_t active;     /* 0, 1 or SM_STORE_NO_SLOT: the committed slot in force */
    uint8_t boots_left; /* starts that the trial still has */
    uint8_t trap_count; /* in trap_time_s */
    uint32_t trap_time_s[SM_STORE_TRAPS];     /* device times of the last traps, oldest first */
    struct sm_failed failed[SM_STORE_FAILED]; /* latest first */
    uint32_t set; /* number of the set that a staged slot belongs to, or that this record led last;
                     0: none */
    char fleet[SM_STORE_NAME];
    char name[SM_STORE_NAME]; /* empty: this place is free. Once set it stays */
    struct sm_slot slot[2];
    uint8_t copies; /* private to sm_store_mount() */
};

/* Where a record belongs. */
struct sm_record_tag {
    uint32_t layout_id;
    uint32_t generation; /* of the record area: rises with every move to the other one; not 0 */
    uint16_t copied;     /* records that the move to this area brought along */
    uint16_t index;      /* of the module */
};

/* The bytes of a record, checksum included. */
void sm_record_encode(const struct sm_record *r, const struct sm_record_tag *tag,
                      uint8_t out[SM_RECORD_SIZE]);

/* 0, or, with *r undefined,
 *   SM_ERR_CORRUPT      blank, torn, or not a record
 *   SM_ERR_UNSUPPORTED  a record from a newer format
 *   SM_ERR_MALFORMED    the checksum is right, a field is out of its range */
int sm_record_decode(const uint8_t in[SM_RECORD_SIZE], struct sm_record *r,
                     struct sm_record_tag *tag);

/* CRC-32C (Castagnoli). Start with crc 0; pass the result to go on. */
uint32_t sm_crc32c(uint32_t crc, const void *data, size_t len);

/* ---- The store ------------------------------------------------------------------------------- */

/* What was noticed; for reports. Counted since mount. */
struct sm_store_health {
    uint32_t damaged;  /* places that hold neither a record nor blank flash: torn or rotten */
    uint32_t repaired; /* mounts that had to write records anew: 0 or 1 */
    uint32_t erases;   /* sectors erased */
    uint32_t programs; /* bytes programmed */
    int fault;         /* last error of the flash, or 0 */
};

/* Fields are private except layout, records, keys and health. */
struct sm_store {
    const struct sm_flash *flash;
    struct sm_layout layout;
    struct sm_record *records; /* the caller's, layout.modules of them; written by the store only */
    struct sm_record keys;     /* of the key set: what its fields mean says sm_store_record() */
    uint64_t next_seq;
    uint32_t generation; /* highest seen */
    uint32_t next;       /* free place in the area in force */
    uint16_t copied;     /* as the tag of the area in force says */
    uint8_t area;        /* in force */
    bool fresh;          /* filled in this session, so everything from `next` on is truly blank */
    struct sm_store_health health;
};

/* Find the latest record of every module. records has room for applications + plugins, and like
 * flash is borrowed for the store's life. On blank flash every record is empty (seq 0).
 * Where every record is empty, put one before writing slots: a record whose erasure was cut short
 * may read as blank now and come back at the next mount (doc/SPEC-store.md).
 *
 * A flash that cannot be written does not keep mount from succeeding: what is readable is there,
 * health.fault tells, and sm_store_put() will fail.
 *
 * 0, or
 *   SM_ERR_ARG, SM_ERR_FULL  as sm_store_layout()
 *   SM_ERR_INVALID           the flash holds records of another layout: nothing was written
 *   SM_ERR_UNSUPPORTED       the flash holds records of a newer format: nothing was written */
int sm_store_mount(struct sm_store *s, const struct sm_flash *flash, const struct sm_store_cfg *cfg,
                   struct sm_record *records);

/* The record of module `index`; behind the last module, at layout.modules, that of the key set. In
 * that one a slot is a key set area, with the set's version as its sequence; `active` is the area
 * that was complete before the record was; `floor` is a time in seconds since 1970 that is
 * certainly over; and boots_left is 1 while revocations wait to be carried out. */
const struct sm_record *sm_store_record(const struct sm_store *s, uint16_t index);

/* Make *r the state of module `index`, durably and atomically; all earlier writes to slots are
 * durable before. r may not be one of the store's own. r->seq is ignored, time_s must not be lower
 * than before.
 *
 * 0 and records[index] is *r; or
 *   SM_ERR_IO     the flash failed: records[index] is unchanged, and the next mount finds either
 *   SM_ERR_LIMIT  record numbers are used up (2^38), which no flash lives to see */
int sm_store_put(struct sm_store *s, uint16_t index, const struct sm_record *r);

/* The highest device time in any record. */
uint32_t sm_store_time_s(const struct sm_store *s);

/* The number that the next installation should carry: higher than any before. */
uint64_t sm_store_next_install(const struct sm_store *s);

/* How often the sectors of the record areas have been erased since the flash was new, those of the
 * area that was erased more often: the most worn of the store's, beside slots. It is read off the
 * records, so erases that the power cut short are not in it. */
uint32_t sm_store_record_erases(const struct sm_store *s);

/* ---- Slots ----------------------------------------------------------------------------------- */

#define SM_SLOT_SIGNATURE 0u  /* offset of the 64-byte signature in a slot */
#define SM_SLOT_MODULE    64u /* offset of the module's bytes */

/* Where a slot lies on the flash. index < layout.modules, slot 0 or 1; at layout.modules the two
 * key set areas, which are slots without a signature in front. */
struct sm_region sm_store_slot(const struct sm_store *s, uint16_t index, unsigned slot);

/* Offset in the slot of an image beside a module of that length: the next sector border. */
uint32_t sm_store_image_off(const struct sm_store *s, uint32_t module_len);

/* Whether `received` bytes of a module may stand in a record as durable: they end on a sector
 * border of the slot. The largest such number up to `bytes`. */
uint32_t sm_store_checkpoint(const struct sm_store *s, uint32_t bytes);

/* Bytes of a slot in the address space, for execution in place; NULL when the port fails. */
const uint8_t *sm_store_map(const struct sm_store *s, uint16_t index, unsigned slot, uint32_t off,
                            uint32_t len);

/* Writes a stretch of a slot in ascending order. Before the first byte of a sector is programmed
 * the sector is erased; what is programmed is read back and compared. Fields are private. */
struct sm_slot_writer {
    struct sm_store *store;
    uint32_t pos;    /* flash offset of the next program unit */
    uint32_t end;    /* flash offset that is not passed */
    uint32_t erased; /* flash offset up to which sectors are blank for us */
    uint32_t fill;
    uint8_t unit[32];
};

/* Start writing at `off` in a slot, a multiple of 32. With erase, sectors are erased as they are
 * entered, the one around `off` included; without, the caller knows that they are blank from `off`
 * on. The caller has already put a record that no longer counts on these bytes. */
void sm_slot_writer_init(struct sm_slot_writer *w, struct sm_store *s, uint16_t index,
                         unsigned slot, uint32_t off, bool erase);

/* 0, SM_ERR_FULL (past the slot's end; nothing more was written) or SM_ERR_IO (the flash failed,
 * or what it holds is not what was written). After an error the stretch is lost. */
int sm_slot_write(struct sm_slot_writer *w, const void *bytes, uint32_t len);

/* Write what is left of the last unit, filled up with erased bytes. Nothing may follow. */
int sm_slot_flush(struct sm_slot_writer *w);

/* Bytes accepted so far lie before this offset of the flash. */
uint32_t sm_slot_writer_tell(const struct sm_slot_writer *w);

#endif
