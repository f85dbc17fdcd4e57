/* Firmware: what happens when the processor skips an instruction of the code that decides whether
 * a module may run, a key set is the next one, or a statement holds. skip.sh puts the addresses
 * into memory behind this program; each is tried in turn, while what must be refused is offered to
 * the real supervisor.
 *
 * Two ways to skip: the instruction is a NOP for the whole attempt (so that a check that is done
 * twice by the same code is skipped twice), or it is skipped the first time only. For the latter it
 * is made undefined; the fault that comes of it puts it back and goes on behind it.
 *
 * The attempts are those of enum attack. One runs on a stack of its own and is ended by whatever
 * fault it runs into, or when it takes much longer than without. Then comes a start without any
 * fault. A module got through when it logs its line, in either; a key set, when it is in force
 * after either; a statement, when it is the last one behind the attempt, or has moved the time.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <sandmote/device.h>
#include <string.h>
#include "board.h"
#include "skip_module.h"

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define SHCSR             REGISTER(0xe000ed24)
#define CFSR              REGISTER(0xe000ed28)
#define FPCCR             REGISTER(0xe000ef34)
#define SYST_CSR          REGISTER(0xe000e010)
#define SYST_RVR          REGISTER(0xe000e014)
#define SYST_CVR          REGISTER(0xe000e018)
#define UNDEFINED         (1u << 16)
#define TURN              0x80000u /* of 25 MHz */

#define SECTOR   1024u
#define SECTORS  48u
#define SLOT     8192u
#define NOP      0xbf00u
#define NOP_WIDE 0x8000f3afu /* as it lies in memory */
#define UDF      0xde00u

enum attack {
    INSTALL,       /* a module whose signature is of other bytes */
    BOOT,          /* an installed module is changed on the flash before a start */
    KEYS_FORGED,   /* the next key set, with signatures of other bytes */
    KEYS_STRANGER, /* the next key set, signed only by the roots that it names itself */
    KEYS_BOOT,     /* both copies of the key set are changed on the flash before a start */
    STATED_FORGED, /* a statement whose signature is of other bytes */
    STATED_OLDER,  /* a statement issued before the last one */
    STATED_EXPIRED /* a statement that holds no longer */
};
enum way { ALWAYS, ONCE };
enum end { RETURNED, FAULTED, HUNG };

/* What skip.sh loads: at is an address, with bit 0 set when the instruction has four bytes. */
struct work {
    uint32_t attack, way, first, count, at[];
};

/* All that an attempt changes. */
struct machine {
    uint8_t flash[SECTOR * SECTORS];
    struct sm_device device;
    struct sm_device_app app[1];
    struct sm_record records[1];
    uint64_t now_ms;
    struct sm_trust trust;
    struct sm_trust_key key_room[4];
};

static struct machine now;
static uint8_t module[sizeof skip_module];
static uint8_t scratch[65536] __attribute__((aligned(8))), pool[131072] __attribute__((aligned(8)));
static volatile uint32_t epoch;

/* What attempts must not reach, however they go astray, lies in the board's other memory, behind
 * the code: what is needed to begin anew, the work, and the stack of all but the attempts. Theirs
 * is high up in their memory, with nothing above and a fault at the far end below. */
struct kept {
    struct machine before;
    enum attack attack;
    uint32_t evil; /* how often what must be refused was seen to be in use */
    uint32_t msp;  /* of who called sm_attempt() */
    uint16_t *at;  /* the instruction */
    uint16_t was[2];
    uint32_t wide;
    bool armed; /* it is undefined, to be skipped once */
    enum end end;
    uint32_t turns; /* of the timer that are left */
    uint8_t code[512 * 1024];
};
#define KEPT      ((struct kept *)0x00200000u)
#define WORK      ((const struct work *)0x00300000u)
#define MAIN_TOP  0x003f0000u
#define STACK_TOP ((uint32_t *)0x21800000u)

/* ---- The device ------------------------------------------------------------------------------ */

static int flash_read(void *ctx, uint32_t off, void *buf, uint32_t len)
{
    (void)ctx;
    memcpy(buf, now.flash + off, len);
    return 0;
}

static int flash_program(void *ctx, uint32_t off, const void *buf, uint32_t len)
{
    (void)ctx;
    if (off > sizeof now.flash || len > sizeof now.flash - off)
        return SM_ERR_IO;
    memcpy(now.flash + off, buf, len);
    return 0;
}

static int flash_erase(void *ctx, uint32_t off)
{
    (void)ctx;
    if (off > sizeof now.flash - SECTOR)
        return SM_ERR_IO;
    memset(now.flash + off, 0xff, SECTOR);
    return 0;
}

static int flash_sync(void *ctx)
{
    (void)ctx;
    return 0;
}

static const uint8_t *flash_map(void *ctx, uint32_t off, uint32_t len)
{
    (void)ctx;
    return off <= sizeof now.flash && len <= sizeof now.flash - off ? now.flash + off : NULL;
}

static uint64_t clock_now(void *ctx)
{
    (void)ctx;
    return now.now_ms;
}

static void log_line(void *ctx, const char *name, const char *line)
{
    (void)ctx, (void)name;
    if (strstr(line, "evil"))
        KEPT->evil++;
}

static const struct sm_flash flash = {.sector_size = SECTOR,
                                      .sector_count = SECTORS,
                                      .program_size = 8,
                                      .erased = 0xff,
                                      .read = flash_read,
                                      .program = flash_program,
                                      .erase = flash_erase,
                                      .sync = flash_sync,
                                      .map = flash_map};
static const struct sm_host_port host = {.log = log_line, .clock = {.now_ms = clock_now}};
static const char *const capabilities[] = {"log"};
#define COMMON                                                                                     \
    .flash = &flash, .store = {.applications = 1, .slot_size = SLOT}, .fleet = "plant-7",          \
    .cls = SM_CLASS_MCU, .host = &host, .capabilities = capabilities, .ncapabilities = 1,          \
    .epoch = &epoch, .epoch_tick_ms = 10, .scratch = scratch, .scratch_len = sizeof scratch,       \
    .memory_bytes = 65536
static const struct sm_device_cfg fixed_trust = {COMMON, .trust = &now.trust};
static const struct sm_device_cfg with_key_set = {COMMON, .keys = now.key_room, .nkeys = 4};

static bool about_modules(enum attack attack)
{
    return attack <= BOOT;
}

static int start(void)
{
    memset(&now.device, 0, sizeof now.device);
    memset(now.app, 0, sizeof now.app);
    now.app[0].pool = pool;
    now.app[0].pool_size = sizeof pool;
    now.now_ms = 0;
    return sm_device_start(&now.device, about_modules(KEPT->attack) ? &fixed_trust : &with_key_set,
                           now.app, now.records, now.now_ms);
}

static void steps(unsigned n)
{
    while (n-- > 0)
        sm_device_step(&now.device, now.now_ms += 60);
}

static int receive(void)
{
    struct sm_install_request req = {.name = "app", .len = sizeof module, .action = "1"};
    memcpy(req.signature, skip_signature, sizeof req.signature);
    sm_sha256(module, sizeof module, req.sha);
    if (sm_device_install_begin(&now.device, &req) < 0)
        return SM_ERR_IO;
    return sm_device_install_write(&now.device, module, sizeof module);
}

/* "good" in the module's line becomes "evil"; the module is as valid as before. */
static bool spoil(uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i + 4 <= len; i++)
        if (memcmp(bytes + i, "good", 4) == 0) {
            memcpy(bytes + i, "evil", 4);
            return true;
        }
    return false;
}

/* ---- Attempts -------------------------------------------------------------------------------- */

static bool prepare_module(enum attack attack)
{
    memcpy(module, skip_module, sizeof module);
    if (sm_trust_add(&now.trust, SM_ROLE_SIGNER, "plant-7", skip_key) != 0 || start() != 0)
        return false;
    if (attack == INSTALL)
        return spoil(module, sizeof module) && receive() == 0;
    if (receive() != 0 || sm_device_install_finish(&now.device) != 0)
        return false;
    steps(8);
    return now.records[0].slot[0].state == SM_SLOT_COMMITTED && spoil(now.flash, sizeof now.flash);
}

/* The bytes of the set in force become those of another with its length, wherever they lie. */
static bool change_copies(void)
{
    unsigned copies = 0;
    for (size_t i = 0; i + sizeof skip_set <= sizeof now.flash; i++)
        if (memcmp(now.flash + i, skip_set, sizeof skip_set) == 0) {
            memcpy(now.flash + i, skip_set_changed, sizeof skip_set_changed);
            copies++;
        }
    return copies == 2;
}

static bool prepare_keys(enum attack attack)
{
    if (start() != 0 || sm_device_keys_commission(&now.device, skip_set, sizeof skip_set) != 0)
        return false;
    if (attack == KEYS_BOOT)
        return change_copies();
    if (attack >= STATED_FORGED &&
        sm_device_statement(&now.device, skip_stated, sizeof skip_stated, NULL) != 0)
        return false;
    if (attack == STATED_EXPIRED)
        now.now_ms += 3600000;
    steps(1);
    return true;
}

static bool prepare(enum attack attack)
{
    memset(&now, 0, sizeof now);
    KEPT->attack = attack;
    sm_trust_init(&now.trust, now.key_room, 2);
    memset(now.flash, 0xff, sizeof now.flash);
    if (!(about_modules(attack) ? prepare_module : prepare_keys)(attack))
        return false;
    KEPT->before = now;
    return true;
}

static void install(void)
{
    (void)sm_device_install_finish(&now.device);
    steps(3);
}

static void boot(void)
{
    if (start() == 0)
        steps(3);
}

static void offer_keys(void)
{
    if (KEPT->attack == KEYS_FORGED)
        (void)sm_device_keys_offer(&now.device, skip_set_forged, sizeof skip_set_forged);
    else
        (void)sm_device_keys_offer(&now.device, skip_set_stranger, sizeof skip_set_stranger);
}

static void state(void)
{
    if (KEPT->attack == STATED_FORGED)
        (void)sm_device_statement(&now.device, skip_stated_forged, sizeof skip_stated_forged, NULL);
    else if (KEPT->attack == STATED_OLDER)
        (void)sm_device_statement(&now.device, skip_stated_older, sizeof skip_stated_older, NULL);
    else
        (void)sm_device_statement(&now.device, skip_stated_expired, sizeof skip_stated_expired,
                                  NULL);
}

static void (*attempted(enum attack attack))(void)
{
    switch (attack) {
    case INSTALL: return install;
    case KEYS_FORGED:
    case KEYS_STRANGER: return offer_keys;
    case STATED_FORGED:
    case STATED_OLDER:
    case STATED_EXPIRED: return state;
    default: return boot;
    }
}

/* Whether a key set or a statement that must be refused is in use now. The module tells by itself.
 */
static bool in_use(void)
{
    struct sm_keyset_key k;
    const struct sm_keyset *set = sm_device_keys(&now.device);

    if (set != NULL && sm_keyset_key(set, skip_evil_key, &k))
        return true;
    if (KEPT->attack < STATED_FORGED)
        return false;
    return (now.device.stated && now.device.current.keys_version == SKIP_EVIL_KEYS_VERSION) ||
           now.device.store.keys.floor > SKIP_STATED_S;
}

/* ---- One skipped instruction ----------------------------------------------------------------- */

extern uint32_t sm_attempt(void (*fn)(void), uint32_t *stack_top, uint32_t *msp);
extern void sm_attempt_ended(void);
extern void sm_trapped(void);

/* Runs fn on another stack and comes back when it returns, or from sm_attempt_ended(). */
__asm__(".syntax unified\n.thumb\n.text\n"
        ".global sm_attempt, sm_attempt_ended, sm_trapped\n"
        ".thumb_func\nsm_attempt:\n"
        "    push {r4-r11, lr}\n"
        "    mrs r3, msp\n    str r3, [r2]\n"
        "    msr psp, r1\n    movs r3, #2\n    msr control, r3\n    isb\n"
        "    blx r0\n"
        "    movs r0, #0\n    b 1f\n"
        ".thumb_func\nsm_attempt_ended:\n"
        "    movs r0, #1\n"
        "1:  movs r3, #0\n    msr control, r3\n    isb\n"
        "    pop {r4-r11, pc}\n"
        ".thumb_func\nsm_trapped:\n"
        "    mrs r0, psp\n    mov r1, lr\n    mrs r2, ipsr\n    b on_trap\n");

static void put_back(void)
{
    KEPT->at[0] = KEPT->was[0];
    if (KEPT->wide)
        KEPT->at[1] = KEPT->was[1];
    KEPT->armed = false;
    __asm__ volatile("dsb\n\tisb" : : : "memory");
}

/* The IT block goes on behind the instruction that is left out (Armv7-M, ITAdvance). */
static uint32_t advance_it(uint32_t xpsr)
{
    uint32_t it = (xpsr >> 25 & 3) | (xpsr >> 8 & 0xfc);
    it = it & 7 ? (it & 0xe0) | (it << 1 & 0x1f) : 0;
    return (xpsr & ~0x0600fc00u) | (it & 3) << 25 | (it & 0xfc) << 8;
}

/* From whatever stopped the attempt: go on behind the skipped instruction, or end it. frame is what
 * the processor put on the attempt's stack, if it could. */
__attribute__((used)) void on_trap(uint32_t *frame, uint32_t lr, uint32_t exception)
{
    uint32_t cfsr = CFSR;
    CFSR = cfsr;
    if (exception == 15 && --KEPT->turns > 0)
        return;
    if (!(lr & 4)) {
        sm_board_print("fault: in the program itself\n");
        sm_board_exit(71);
    }
    if (exception != 15 && KEPT->armed && cfsr == UNDEFINED &&
        frame[6] == (uint32_t)(uintptr_t)KEPT->at) {
        put_back();
        frame[6] += KEPT->wide ? 4 : 2;
        frame[7] = advance_it(frame[7]);
        return;
    }
    KEPT->end = exception == 15 ? HUNG : FAULTED;
    uint32_t *fresh = STACK_TOP - 16;
    memset(fresh, 0, 32);
    fresh[6] = (uint32_t)(uintptr_t)sm_attempt_ended & ~1u;
    fresh[7] = 1u << 24;
    __asm__ volatile("msr psp, %0" : : "r"(fresh));
}

static enum end attempt(void (*fn)(void), uint32_t turns)
{
    KEPT->end = RETURNED;
    KEPT->turns = turns;
    SYST_RVR = TURN - 1;
    SYST_CVR = 0;
    SYST_CSR = 7;
    sm_attempt(fn, STACK_TOP, &KEPT->msp);
    SYST_CSR = 0;
    return KEPT->end;
}

static void skip(uint32_t at, enum way way)
{
    KEPT->at = (uint16_t *)(uintptr_t)(at & ~1u);
    KEPT->wide = at & 1;
    KEPT->was[0] = KEPT->at[0];
    KEPT->was[1] = KEPT->at[1];
    if (way == ONCE) {
        KEPT->at[0] = UDF;
        KEPT->armed = true;
    } else {
        KEPT->at[0] = (uint16_t)(KEPT->wide ? NOP_WIDE : NOP);
        if (KEPT->wide)
            KEPT->at[1] = (uint16_t)(NOP_WIDE >> 16);
    }
    __asm__ volatile("dsb\n\tisb" : : : "memory");
}

extern uint32_t sm_board_data_load[];

static uint32_t code_bytes(void)
{
    return (uint32_t)(uintptr_t)sm_board_data_load;
}

/* Addresses from 0 on are the vectors and the code: nothing that volatile does not hide. */
static void restore_code(void)
{
    volatile uint32_t *code = (volatile uint32_t *)0;
    const uint32_t *copy = (const uint32_t *)(const void *)KEPT->code;
    __asm__ volatile("" : "+r"(code));
    for (uint32_t i = 0; i < code_bytes() / 4; i++)
        if (code[i] != copy[i])
            code[i] = copy[i];
}

/* ---- The campaign ---------------------------------------------------------------------------- */

static void print_hex(uint32_t v)
{
    char text[9];
    for (int i = 7; i >= 0; i--, v >>= 4)
        text[i] = "0123456789abcdef"[v & 15];
    text[8] = 0;
    sm_board_print(text);
}

static void one(uint32_t at, enum attack attack, enum way way, uint32_t turns, uint32_t *ends)
{
    now = KEPT->before;
    KEPT->evil = 0;
    skip(at, way);
    enum end end = attempt(attempted(attack), turns);
    ends[end]++;
    put_back();
    restore_code();
    KEPT->evil += end == RETURNED && in_use(); /* else the watchdog ends what is in memory */
    epoch = 0;
    if (attempt(boot, turns) == RETURNED) /* whatever it left on the flash, without a fault */
        KEPT->evil += in_use();
    if (KEPT->evil) {
        sm_board_print("through ");
        print_hex(at & ~1u);
        sm_board_print("\n");
    }
}

static void set_up_traps(void)
{
    volatile uint32_t *vectors = (volatile uint32_t *)0;
    __asm__ volatile("" : "+r"(vectors)); /* an address like any other */
    for (unsigned i = 3; i <= 6; i++)
        vectors[i] = (uint32_t)(uintptr_t)sm_trapped;
    vectors[15] = (uint32_t)(uintptr_t)sm_trapped;
    SHCSR |= 7u << 16;    /* memory, bus and usage faults by themselves */
    FPCCR &= ~(3u << 30); /* no room for floats in frames */
}

static void copy_code(void)
{
    const volatile uint8_t *code = (const volatile uint8_t *)0;
    __asm__ volatile("" : "+r"(code));
    for (uint32_t i = 0; i < code_bytes(); i++)
        KEPT->code[i] = code[i];
}

static int campaign(void)
{
    const struct work *w = WORK;
    uint32_t ends[3] = {0, 0, 0};
    KEPT->evil = 0;
    set_up_traps();
    copy_code();
    if (code_bytes() > sizeof KEPT->code || !prepare((enum attack)w->attack)) {
        sm_board_print("the device could not be prepared\n");
        return 2;
    }
    uint32_t start_turn = 1000;
    enum end end = attempt(attempted(KEPT->attack), start_turn);
    uint32_t taken = start_turn - KEPT->turns;
    if (end != RETURNED || KEPT->evil || in_use()) {
        sm_board_print("without a fault it does not hold\n");
        return 3;
    }
    now = KEPT->before;
    (void)attempt(boot, start_turn);
    if (start_turn - KEPT->turns > taken)
        taken = start_turn - KEPT->turns;
    uint32_t turns = 2 * taken + 4;
    for (uint32_t i = w->first; i < w->count; i++) {
        sm_board_print("at ");
        sm_board_print_u32(i);
        sm_board_print("\n");
        one(w->at[i], (enum attack)w->attack, (enum way)w->way, turns, ends);
    }
    sm_board_print("done ");
    for (unsigned i = 0; i < 3; i++) {
        sm_board_print_u32(ends[i]);
        sm_board_print(i < 2 ? " " : "\n");
    }
    return 0;
}

__attribute__((used)) static _Noreturn void run(void)
{
    sm_board_exit(campaign());
}

int sm_board_main(void)
{
    __asm__ volatile("msr msp, %0\n\tb run" : : "r"(MAIN_TOP));
    __builtin_unreachable();
}
