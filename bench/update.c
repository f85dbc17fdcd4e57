/* What a start and an update cost a device: the supervisor with the compact cryptography, as a
 * microcontroller has them, over flash in memory that counts.
 *
 * update KEY OLD OLD.sig NEW NEW.sig: OLD is installed and committed; then the power goes, the
 * device starts again, and NEW is installed while OLD ticks. One line: bytes of NEW, of its image,
 * programmed bytes and erased sectors of that update, bytes of a sector. Callgrind counts what
 * start() and change_to_new() execute.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sandmote/crypto.h>
#include <sandmote/device.h>

enum { SECTOR = 4096, SECTORS = 256, UNIT = 8, SLOT = 98 * SECTOR, PIECE = 512, STEPS = 10000 };

struct file {
    uint8_t *bytes;
    size_t len;
};

static struct {
    struct sm_device dev;
    struct sm_device_cfg cfg;
    struct sm_device_app app;
    struct sm_record record;
    struct sm_trust trust;
    struct sm_trust_key key;
    struct sm_host_port host;
    struct sm_flash flash;
    volatile uint32_t epoch;
    uint64_t now_ms;
    uint32_t programmed, erased; /* bytes, sectors */
    uint32_t ticks;              /* lines that modules have logged */
    _Alignas(16) uint8_t bytes[SECTOR * SECTORS];
    _Alignas(16) uint8_t pool[65536], scratch[262144];
} g;

/* ---- Flash, host ----------------------------------------------------------------------------- */

static int flash_read(void *ctx, uint32_t off, void *buf, uint32_t len)
{
    (void)ctx;
    memcpy(buf, g.bytes + off, len);
    return 0;
}

static int flash_program(void *ctx, uint32_t off, const void *buf, uint32_t len)
{
    (void)ctx;
    memcpy(g.bytes + off, buf, len);
    g.programmed += len;
    return 0;
}

static int flash_erase(void *ctx, uint32_t off)
{
    (void)ctx;
    memset(g.bytes + off, 0xff, SECTOR);
    g.erased++;
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
    return g.bytes + off;
}

static uint64_t now_ms(void *ctx)
{
    (void)ctx;
    return g.now_ms;
}

static void log_line(void *ctx, const char *module, const char *line)
{
    (void)ctx, (void)module, (void)line;
    g.ticks++;
}

/* ---- What is measured ------------------------------------------------------------------------ */

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "update: %s: %s\n", what, sm_device_reason(&g.dev));
    exit(1);
}

/* Until the next line that a module logs, which is the first thing that it does in a tick. */
static void until_tick(void)
{
    uint32_t before = g.ticks;

    for (unsigned i = 0; i < STEPS && g.ticks == before; i++) {
        uint32_t wait = sm_device_step(&g.dev, g.now_ms);

        if (g.ticks == before)
            g.now_ms += wait;
    }
    if (g.ticks == before)
        fail("no tick");
}

/* From power on to the module's first instructions. */
static __attribute__((noinline)) void start(void)
{
    if (sm_device_start(&g.dev, &g.cfg, &g.app, &g.record, g.now_ms) != 0)
        fail("start");
    until_tick();
}

/* From when the old module may not tick any more, because the new one is being verified, to the new
 * one's first instructions. */
static void change(void)
{
    if (sm_device_install_finish(&g.dev) != 0)
        fail("finish");
    until_tick();
}

/* The one that counts. */
static __attribute__((noinline)) void change_to_new(void)
{
    change();
}

/* ---- The story ------------------------------------------------------------------------------- */

static struct file read_file(const char *path)
{
    struct file file = {NULL, 0};
    FILE *f = fopen(path, "rb");

    if (!f || !(file.bytes = malloc(1u << 20)) ||
        (file.len = fread(file.bytes, 1, 1u << 20, f)) == 0) {
        perror(path);
        exit(2);
    }
    fclose(f);
    return file;
}

static void power_on(void)
{
    memset(&g.dev, 0xa5, sizeof g.dev);
    memset(&g.app, 0, sizeof g.app);
    g.app.pool = g.pool;
    g.app.pool_size = sizeof g.pool;
}

static void install(const char *module, const char *signature, bool second)
{
    struct file m = read_file(module), s = read_file(signature);
    struct sm_install_request request = {.name = "bench", .len = (uint32_t)m.len, .action = "1"};
    struct sm_app_info app = {.trial = true};

    if (s.len != sizeof request.signature)
        fail(signature);
    memcpy(request.signature, s.bytes, s.len);
    sm_sha256(m.bytes, m.len, request.sha);
    if (sm_device_install_begin(&g.dev, &request) != 0)
        fail("begin");
    for (size_t at = 0; at < m.len; at += PIECE) {
        uint32_t n = (uint32_t)(m.len - at < PIECE ? m.len - at : PIECE);

        if (sm_device_install_write(&g.dev, m.bytes + at, n) != 0)
            fail("write");
        sm_device_step(&g.dev, g.now_ms);
    }
    if (second)
        change_to_new();
    else
        change();
    for (unsigned i = 0; i < STEPS && app.trial; i++) {
        g.now_ms += sm_device_step(&g.dev, g.now_ms);
        if (sm_device_app(&g.dev, 0, &app) != 0)
            fail("no application");
    }
    if (app.trial)
        fail("not committed");
    free(m.bytes);
    free(s.bytes);
}

/* The server has been told of everything. */
static void report(void)
{
    struct sm_event e;

    while (sm_device_event_at(&g.dev, 0, &e) == 0)
        sm_device_event_done(&g.dev, e.id);
    sm_device_step(&g.dev, g.now_ms);
}

int main(int argc, char **argv)
{
    static const char *const capabilities[] = {"log"};
    const struct sm_record *r;
    struct file key;

    if (argc != 6) {
        fputs("usage: update KEY OLD OLD.sig NEW NEW.sig\n", stderr);
        return 64;
    }
    key = read_file(argv[1]);
    g.flash = (struct sm_flash){NULL,       SECTOR,        SECTORS,     UNIT,       0xff,
                                flash_read, flash_program, flash_erase, flash_sync, flash_map};
    g.host = (struct sm_host_port){.log = log_line, .clock = {NULL, now_ms}};
    sm_trust_init(&g.trust, &g.key, 1);
    if (key.len != 32 || sm_trust_add(&g.trust, SM_ROLE_SIGNER, "bench", key.bytes) != 0)
        fail("key");
    g.cfg = (struct sm_device_cfg){.flash = &g.flash,
                                   .store = {.applications = 1, .slot_size = SLOT},
                                   .fleet = "bench",
                                   .cls = SM_CLASS_MCU,
                                   .trust = &g.trust,
                                   .host = &g.host,
                                   .capabilities = capabilities,
                                   .ncapabilities = 1,
                                   .epoch = &g.epoch,
                                   .epoch_tick_ms = 1,
                                   .scratch = g.scratch,
                                   .scratch_len = sizeof g.scratch};
    memset(g.bytes, 0xff, sizeof g.bytes);
    power_on();
    if (sm_device_start(&g.dev, &g.cfg, &g.app, &g.record, g.now_ms) != 0)
        fail("first start");
    install(argv[2], argv[3], false);
    report();
    power_on();
    start();
    g.programmed = g.erased = 0;
    install(argv[4], argv[5], true);
    report();
    r = sm_store_record(&g.dev.store, 0);
    printf("%u %u %u %u %u\n", (unsigned)r->slot[r->active].module_len,
           (unsigned)r->slot[r->active].image_len, (unsigned)g.programmed, (unsigned)g.erased,
           (unsigned)SECTOR);
    free(key.bytes);
    return 0;
}
