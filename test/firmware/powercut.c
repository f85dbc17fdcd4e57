/* Firmware: power cuts on the microcontroller, at each store to its flash.
 *
 * The flash is the board's PSRAM, which QEMU keeps in a file (powercut.sh), under a port that holds
 * to NOR rules and knows every 32-bit store it makes: sectors of 2048 bytes, program units of 8, so
 * a unit is two stores and an erase 512. A cut is a new start right after the n-th store of a
 * session: each sixteenth by a reset of the processor, the others by a jump to where that leads.
 * RAM is filled with a pattern at each start; what server and operator know is kept beside the
 * flash (struct control), with where the test has come to: it goes on after a reset, and after QEMU
 * itself was killed.
 *
 * A story begins with version 2 committed, reported and at rest. Then, cut by cut: the session with
 * the cut, a session with another cut at random, at most three sessions with none. At each start:
 * the record is not older than the last one put, the floor has not sunk, and what runs is, byte for
 * byte, a module that may. At the end: the right one runs, and the server knows what became of the
 * other.
 *
 * Exit status 0 when all stories were told. SPDX-License-Identifier: Apache-2.0 */
#include <sandmote/device.h>
#include <string.h>
#include "board.h"
#include "powercut_modules.h"

#define FLASH    ((uint8_t *)0x21000000)
#define CONTROL  ((struct control *)0x21100000)
#define SNAPSHOT ((uint8_t *)0x21200000)
#define MAGIC    0x6d537063u

enum { SECTOR = 2048, SECTORS = 24, UNIT = 8, SIZE = SECTOR * SECTORS, SLOT = 2 * SECTOR };
enum { SCRATCH = 12288, POOL = 4096, CLEAN = 3, SECOND_MOST = 6000, REAL_RESET = 16 };

enum phase { BEGIN, CUT, RECOVER, FINISH };

struct module {
    const uint8_t *bytes, *signature;
    uint32_t len, sequence;
};
static const struct module modules[] = {
    {plain_2, plain_2_sig, sizeof plain_2, 2},
    {plain_3, plain_3_sig, sizeof plain_3, 3},
    {trap_3, trap_3_sig, sizeof trap_3, 3},
    {plain_3, plain_3_bad_sig, sizeof plain_3, 3},
};

#define BIT(kind) (1u << SM_EVENT_##kind)
static const struct story {
    const char *name;
    const struct module *update; /* NULL: none */
    bool rollback;               /* the operator returns to version 2 once 3 is committed */
    bool new_engine;             /* images have to be made anew */
    uint32_t ends_with;
    uint32_t reported; /* kinds of events about version 3 that the server has at last */
} stories[] = {
    {"a healthy update", &modules[1], false, false, 3,
     BIT(INSTALLED) | BIT(TRIAL) | BIT(COMMITTED)},
    {"an update that traps", &modules[2], false, false, 2, BIT(INSTALLED) | BIT(ROLLED_BACK)},
    {"an update that nobody signed", &modules[3], false, false, 2, BIT(REFUSED)},
    {"the operator's return", &modules[1], true, false, 2, BIT(COMMITTED) | BIT(ROLLED_BACK)},
    {"a new engine", NULL, false, true, 2, 0},
};
#define STORIES (sizeof stories / sizeof *stories)

/* What outlives resets. The first four are written by powercut.sh. */
struct control {
    uint32_t magic;
    uint32_t first, step; /* cuts to try: each step-th, from the first on */
    uint32_t only_story;  /* or STORIES for all */

    uint32_t phase, session, story, cut;
    uint32_t cut_at; /* stores until the power fails; UINT32_MAX: it does not */
    uint32_t stores; /* since the start */
    uint32_t random;
    uint32_t cuts, second_cuts, boots, points, resets;

    uint32_t reported, rolled_back, known;
    uint64_t floor, acked;
};

static struct {
    struct sm_device dev;
    struct sm_device_cfg cfg;
    struct sm_device_app app;
    struct sm_record record;
    struct sm_flash flash;
    struct sm_host_port host;
    struct sm_trust trust;
    struct sm_trust_key key;
    uint64_t now_ms;
    volatile uint32_t epoch;
    uint8_t scratch[SCRATCH] __attribute__((aligned(8)));
    uint8_t pool[POOL] __attribute__((aligned(8)));
} ram;

static void need(bool holds, const char *what)
{
    const struct control *c = CONTROL;

    if (holds)
        return;
    sm_board_print("FAIL  ");
    sm_board_print(what);
    sm_board_print("; story ");
    sm_board_print_u32(c->story);
    sm_board_print(", cut ");
    sm_board_print_u32(c->cut);
    sm_board_print(", phase ");
    sm_board_print_u32(c->phase);
    sm_board_print("; the device says: ");
    sm_board_print(sm_device_reason(&ram.dev));
    sm_board_print("\n");
    sm_board_exit(1);
}

/* ---- Power and flash ------------------------------------------------------------------------- */

extern uint32_t sm_board_stack_top[];
void sm_board_reset(void);

/* Start anew. A reset of the processor makes QEMU translate the firmware again, so most of the time
 * it is a jump to where a reset leads, with an empty stack; RAM is set up there in either case. */
static _Noreturn void reset(void)
{
    struct control *c = CONTROL;

    if (++c->resets % REAL_RESET == 0)
        sm_board_restart();
    __asm__ volatile("dsb\n\tmsr msp, %0\n\tbx %1"
                     :
                     : "r"(sm_board_stack_top), "r"(sm_board_reset)
                     : "memory");
    for (;;)
        ;
}

static void store(uint32_t off, uint32_t word)
{
    struct control *c = CONTROL;

    *(volatile uint32_t *)(FLASH + off) = word;
    if (++c->stores == c->cut_at)
        reset();
}

static int flash_read(void *ctx, uint32_t off, void *buf, uint32_t len)
{
    (void)ctx;
    memcpy(buf, FLASH + off, len);
    return 0;
}

static int flash_program(void *ctx, uint32_t off, const void *buf, uint32_t len)
{
    uint32_t word;

    (void)ctx;
    need(off % UNIT == 0 && len % UNIT == 0 && off + len <= SIZE, "a program out of line");
    for (uint32_t i = 0; i < len; i += sizeof word) {
        memcpy(&word, FLASH + off + i, sizeof word);
        need(word == UINT32_MAX, "a unit is programmed twice");
        memcpy(&word, (const uint8_t *)buf + i, sizeof word);
        store(off + i, word);
    }
    return 0;
}

static int flash_erase(void *ctx, uint32_t off)
{
    (void)ctx;
    need(off % SECTOR == 0 && off < SIZE, "an erase out of line");
    for (uint32_t i = 0; i < SECTOR; i += sizeof(uint32_t))
        store(off + i, UINT32_MAX);
    return 0;
}

static int flash_sync(void *ctx)
{
    (void)ctx;
    return 0;
}

static const uint8_t *flash_map(void *ctx, uint32_t off, uint32_t len)
{
    (void)ctx, (void)len;
    return FLASH + off;
}

/* What was put has to be there for ever (the linker wraps it around the store's). */
int __real_sm_store_put(struct sm_store *s, uint16_t index, const struct sm_record *r);
int __wrap_sm_store_put(struct sm_store *s, uint16_t index, const struct sm_record *r);
int __wrap_sm_store_put(struct sm_store *s, uint16_t index, const struct sm_record *r)
{
    int err = __real_sm_store_put(s, index, r);

    need(err == 0, "a record cannot be put");
    if (index == 0)
        CONTROL->acked = s->records[0].seq;
    return err;
}

/* ---- The device ------------------------------------------------------------------------------ */

static uint64_t clock_ms(void *ctx)
{
    (void)ctx;
    return ram.now_ms;
}

static void log_line(void *ctx, const char *module, const char *line)
{
    (void)ctx, (void)module, (void)line;
}

static void configure(void)
{
    ram.flash = (struct sm_flash){NULL,       SECTOR,        SECTORS,     UNIT,       0xff,
                                  flash_read, flash_program, flash_erase, flash_sync, flash_map};
    sm_trust_init(&ram.trust, &ram.key, 1);
    need(sm_trust_add(&ram.trust, SM_ROLE_SIGNER, "greenhouse", signer_key) == 0, "no trust");
    ram.host = (struct sm_host_port){.log = log_line, .clock = {.now_ms = clock_ms}};
    ram.cfg = (struct sm_device_cfg){.flash = &ram.flash,
                                     .store = {.applications = 1, .slot_size = SLOT},
                                     .fleet = "greenhouse",
                                     .cls = SM_CLASS_MCU,
                                     .trust = &ram.trust,
                                     .host = &ram.host,
                                     .epoch = &ram.epoch,
                                     .epoch_tick_ms = 1,
                                     .called = sm_board_called(),
                                     .scratch = ram.scratch,
                                     .scratch_len = sizeof ram.scratch,
                                     .boots = 6};
    ram.app.pool = ram.pool;
    ram.app.pool_size = sizeof ram.pool;
}

/* Power on, with memory that holds nothing of before. */
static void boot(void)
{
    struct control *c = CONTROL;

    memset(&ram, 0xa5, sizeof ram);
    ram.now_ms = 1000;
    ram.epoch = 0;
    configure();
    c->boots++;
    c->stores = 0;
    need(sm_device_start(&ram.dev, &ram.cfg, &ram.app, &ram.record, ram.now_ms) == 0,
         "the device does not start");
    need(ram.record.seq >= c->acked, "a record that was put is gone");
    need(ram.record.floor >= c->floor, "the floor has sunk");
    c->floor = ram.record.floor;
}

static void run(uint32_t ms)
{
    uint64_t end = ram.now_ms + ms;

    for (;;) {
        uint32_t wait = sm_device_step(&ram.dev, ram.now_ms);
        if (ram.now_ms + wait > end)
            break;
        ram.now_ms += wait;
    }
    ram.now_ms = end;
}

/* The sequence of what runs, 0 for nothing; it is one of the modules, and signed well. */
static uint32_t runs(void)
{
    const struct sm_wasm_module *m = &ram.app.module;

    if (ram.app.state != SM_APP_WAITING)
        return 0;
    for (unsigned i = 0; i < 3; i++)
        if (m->wasm_len == modules[i].len && memcmp(m->wasm, modules[i].bytes, m->wasm_len) == 0)
            return modules[i].sequence;
    need(false, "a module runs that nobody signed");
    return 0;
}

static void check_running(void)
{
    need(runs() == 2 || runs() == 3, "nothing runs");
    need(runs() >= ram.record.floor, "what runs is below the floor");
}

/* ---- The server and the operator ------------------------------------------------------------- */

static void report(void)
{
    struct control *c = CONTROL;
    struct sm_event e;

    while (sm_device_event_at(&ram.dev, 0, &e) == 0) {
        if (e.action[0] == 'u')
            c->reported |= 1u << e.kind;
        need(sm_device_event_done(&ram.dev, e.id) == 0, "an event cannot be acknowledged");
    }
}

static void install(const struct module *m, const char *action)
{
    struct sm_install_request req = {.name = "subject", .len = m->len, .action = action};

    memcpy(req.signature, m->signature, sizeof req.signature);
    sm_sha256(m->bytes, m->len, req.sha);
    int64_t at = sm_device_install_begin(&ram.dev, &req);
    while (at >= 0 && at < m->len) {
        uint32_t n = m->len - (uint32_t)at < 100 ? m->len - (uint32_t)at : 100;
        at = sm_device_install_write(&ram.dev, m->bytes + at, n) == 0 ? at + n : -1;
    }
    if (at >= 0)
        (void)sm_device_install_finish(&ram.dev);
}

static void contact(const struct story *s)
{
    struct control *c = CONTROL;

    report();
    if (s->update && !c->rolled_back)
        install(s->update, "u1");
    if (s->rollback && !c->rolled_back && runs() == 3 &&
        sm_device_rollback(&ram.dev, "subject", "operator") == 0)
        c->rolled_back = 1;
}

static void session(const struct story *s)
{
    boot();
    run(20);
    check_running();
    contact(s);
    run(1000);
    check_running();
    contact(s);
    run(600);
    check_running();
    report();
    run(10);
}

/* ---- The test's own steps -------------------------------------------------------------------- */

/* Blank flash, version 2 on it, and a copy of that. */
static void begin(const struct story *s)
{
    struct control *c = CONTROL;

    memset(FLASH, 0xff, SIZE);
    c->cut_at = UINT32_MAX;
    c->acked = c->floor = 0;
    boot();
    install(&modules[0], "first");
    run(1000);
    report();
    run(100);
    need(runs() == 2 && ram.record.active != SM_STORE_NO_SLOT, "version 2 is not committed");
    if (s->new_engine) {
        struct sm_record r = ram.record;
        r.slot[r.active].image_build = SM_WASM_BUILD - 1;
        need(sm_store_put(&ram.dev.store, 0, &r) == 0, "no old image");
    }
    memcpy(SNAPSHOT, FLASH, SIZE);
    c->known = (uint32_t)c->acked;
    c->cut = c->first;
    c->phase = CUT;
}

static _Noreturn void next_story(void)
{
    struct control *c = CONTROL;

    c->points += c->stores;
    sm_board_print("      ");
    sm_board_print(stories[c->story].name);
    sm_board_print(": ");
    sm_board_print_u32(c->stores);
    sm_board_print(" stores\n");
    c->story = c->only_story < STORIES ? (uint32_t)STORIES : c->story + 1;
    c->phase = BEGIN;
    reset();
}

/* The story as it began, and the session with its cut; without one it was the last. */
static void cut(const struct story *s)
{
    struct control *c = CONTROL;

    c->cut_at = UINT32_MAX;
    memcpy(FLASH, SNAPSHOT, SIZE);
    c->acked = c->known;
    c->floor = 1;
    c->reported = c->rolled_back = c->session = 0;
    c->phase = RECOVER;
    c->cut_at = c->cut;
    session(s);
    next_story();
}

/* After the cut: a session with another one, perhaps. */
static void recover(const struct story *s)
{
    struct control *c = CONTROL;

    c->cuts++;
    c->random = c->random * 1664525u + 1013904223u;
    c->phase = FINISH;
    c->cut_at = 1 + (c->random >> 8) % SECOND_MOST;
    c->second_cuts++;
    session(s);
    c->second_cuts--;
}

static void finish(const struct story *s)
{
    struct control *c = CONTROL;

    c->cut_at = UINT32_MAX;
    session(s);
    bool ended = runs() == s->ends_with && (c->reported & s->reported) == s->reported;
    if (!ended && ++c->session < CLEAN)
        return;
    need(runs() == s->ends_with, "another version runs at last");
    need(ended, "the server does not know how it ended");
    c->cut += c->step;
    c->phase = CUT;
    if (c->cuts % 64 == 0) {
        sm_board_print_u32(c->cuts);
        sm_board_print(" cuts\n");
    }
}

static int done(void)
{
    const struct control *c = CONTROL;

    sm_board_print_u32(c->cuts);
    sm_board_print(" cuts at flash stores on Cortex-M4, of ");
    sm_board_print_u32(c->points);
    sm_board_print(" there are; ");
    sm_board_print_u32(c->second_cuts);
    sm_board_print(" followed by another one, ");
    sm_board_print_u32(c->boots);
    sm_board_print(" starts\n");
    return 0;
}

int sm_board_main(void)
{
    struct control *c = CONTROL;

    if (c->magic != MAGIC || c->step == 0) {
        sm_board_print("powercut: no orders at 0x21100000; start it by powercut.sh\n");
        return 64;
    }
    if (c->story == 0 && c->phase == BEGIN && c->only_story < STORIES)
        c->story = c->only_story;
    if (c->story >= STORIES)
        return done();
    const struct story *s = &stories[c->story];
    switch (c->phase) {
    case BEGIN: begin(s); break;
    case CUT: cut(s); break;
    case RECOVER: recover(s); break;
    default: finish(s); break;
    }
    reset();
}
