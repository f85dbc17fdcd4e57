/* Firmware: a device without TCP. Its signed modules come in blocks, over MQTT-SN on its second
 * UART; mote.sh and test/fleet/test_mote.c have the rest of the world.
 *
 * The flash is the board's PSRAM, which QEMU keeps in a file, under a port that holds to NOR rules.
 * Behind it in the file lies what the device is commissioned with (struct commission). This board
 * has no source of randomness: what is random here only spreads questions over time.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <sandmote/blocks_mqttsn.h>
#include <sandmote/mqttsn_frame.h>
#include <string.h>
#include "board.h"

#define FLASH      ((uint8_t *)0x21000000)
#define COMMISSION ((const struct commission *)0x21100000)
#define MAGIC      0x65746f6du

enum { SECTOR = 2048, SECTORS = 32, UNIT = 8, SIZE = SECTOR * SECTORS, SLOT = 8 * SECTOR };
enum { SCRATCH = 12288, POOL = 4096, WINDOW = 8, TICK_MS = 10 };

/* Written into the flash's file before the first start. */
struct commission {
    uint32_t magic;
    uint8_t signer[SM_PUBLIC_KEY_BYTES];
};

static struct {
    volatile uint32_t ticks;
    uint32_t luck;
    struct sm_device dev;
    struct sm_device_cfg cfg;
    struct sm_device_app app;
    struct sm_record record;
    struct sm_flash flash;
    struct sm_host_port host;
    struct sm_trust trust;
    struct sm_trust_key key;
    struct sm_entropy entropy;
    struct sm_blocks_cfg blocks_cfg;
    struct sm_blocks blocks;
    struct sm_mqttsn sn;
    struct sm_blocks_mqttsn_cfg carrier_cfg;
    struct sm_blocks_mqttsn carrier;
    struct sm_mqttsn_deframer deframer;
    struct sm_mqttsn_gateway gateway;
    struct sm_mqttsn_topic topics[2];
    struct sm_mqttsn_request requests[4];
    char names[2 * 32];
    uint8_t payloads[4 * SM_BLOCKS_LEAST], message[SM_BLOCKS_LEAST];
    uint8_t inbox[WINDOW * (SM_BLOCKS_LEAST + SM_MQTTSN_INBOX_HEAD)];
    uint8_t buf[WINDOW * SM_BLOCKS_LEAST];
    uint8_t datagram[SM_MQTTSN_DATAGRAM(SM_BLOCKS_LEAST)];
    uint8_t frame[SM_MQTTSN_FRAME_SIZE(SM_MQTTSN_DATAGRAM(SM_BLOCKS_LEAST))];
    uint8_t input[SM_MQTTSN_FRAME_SIZE(SM_MQTTSN_DATAGRAM(SM_BLOCKS_LEAST))];
    uint8_t scratch[SCRATCH] __attribute__((aligned(8)));
    uint8_t pool[POOL] __attribute__((aligned(8)));
} ram;

static void say(const char *what, const char *more)
{
    sm_board_print(what);
    sm_board_print(more);
    sm_board_print("\n");
}

static void need(bool holds, const char *what)
{
    if (holds)
        return;
    say("FAIL  ", what);
    say("      ", sm_device_reason(&ram.dev));
    sm_board_exit(1);
}

/* ---- The port -------------------------------------------------------------------------------- */

static int flash_read(void *ctx, uint32_t off, void *buf, uint32_t len)
{
    (void)ctx;
    memcpy(buf, FLASH + off, len);
    return 0;
}

static int flash_program(void *ctx, uint32_t off, const void *buf, uint32_t len)
{
    (void)ctx;
    for (uint32_t i = 0; i < len; i++)
        need(FLASH[off + i] == 0xff, "a unit is programmed twice");
    memcpy(FLASH + off, buf, len);
    return 0;
}

static int flash_erase(void *ctx, uint32_t off)
{
    (void)ctx;
    memset(FLASH + off, 0xff, SECTOR);
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

static void tick(void *ctx)
{
    (void)ctx;
    ram.ticks++;
}

static uint64_t now_ms(void *ctx)
{
    (void)ctx;
    return 1000 + (uint64_t)ram.ticks * TICK_MS;
}

static int fill(void *ctx, void *buf, size_t len)
{
    (void)ctx;
    for (size_t i = 0; i < len; i++) {
        ram.luck = ram.luck * 1664525u + 1013904223u + ram.ticks;
        ((uint8_t *)buf)[i] = (uint8_t)(ram.luck >> 24);
    }
    return 0;
}

static void log_line(void *ctx, const char *module, const char *line)
{
    (void)ctx, (void)module;
    say("log   ", line);
}

static void tell(void *ctx, const struct sm_event *e)
{
    (void)ctx;
    sm_board_print(sm_event_name(e->kind));
    sm_board_print(" ");
    sm_board_print_u32((uint32_t)e->sequence);
    say(e->detail[0] ? ": " : "", e->detail);
}

/* ---- The device ------------------------------------------------------------------------------ */

static void start_device(void)
{
    ram.flash = (struct sm_flash){NULL,       SECTOR,        SECTORS,     UNIT,       0xff,
                                  flash_read, flash_program, flash_erase, flash_sync, flash_map};
    sm_trust_init(&ram.trust, &ram.key, 1);
    need(sm_trust_add(&ram.trust, SM_ROLE_SIGNER, "plant-7", COMMISSION->signer) == 0, "no key");
    ram.host = (struct sm_host_port){.log = log_line, .clock = {.now_ms = now_ms}};
    ram.cfg = (struct sm_device_cfg){.flash = &ram.flash,
                                     .store = {.applications = 1, .slot_size = SLOT},
                                     .fleet = "plant-7",
                                     .cls = SM_CLASS_MCU,
                                     .trust = &ram.trust,
                                     .host = &ram.host,
                                     .epoch = &ram.ticks,
                                     .epoch_tick_ms = TICK_MS,
                                     .called = sm_board_called(),
                                     .event = tell,
                                     .scratch = ram.scratch,
                                     .scratch_len = sizeof ram.scratch};
    ram.app.pool = ram.pool;
    ram.app.pool_size = sizeof ram.pool;
    need(sm_device_start(&ram.dev, &ram.cfg, &ram.app, &ram.record, now_ms(NULL)) == 0,
         "the device does not start");
}

static void start_clients(void)
{
    const struct sm_mqttsn_address line = {.len = 1};
    struct sm_mqttsn_config sn = {.client_id = "mote-1",
                                  .retry_ms = 1000,
                                  .gateways = &ram.gateway,
                                  .ngateways = 1,
                                  .topics = ram.topics,
                                  .ntopics = 2,
                                  .names = ram.names,
                                  .name_size = sizeof ram.names / 2,
                                  .requests = ram.requests,
                                  .nrequests = 4,
                                  .payloads = ram.payloads,
                                  .payload_size = SM_BLOCKS_LEAST,
                                  .inbox = ram.inbox,
                                  .inbox_size = sizeof ram.inbox};
    need(sm_mqttsn_init(&ram.sn, &sn) == 0 && sm_mqttsn_add_gateway(&ram.sn, &line) == 0,
         "no MQTT-SN client");
    sm_mqttsn_deframer_init(&ram.deframer, false, ram.input, sizeof ram.input);
    ram.entropy = (struct sm_entropy){NULL, fill};
    ram.blocks_cfg = (struct sm_blocks_cfg){.device = &ram.dev,
                                            .fleet = "plant-7",
                                            .cls = "mcu",
                                            .entropy = &ram.entropy,
                                            .buf = ram.buf,
                                            .buf_len = sizeof ram.buf,
                                            .message_most = SM_BLOCKS_LEAST,
                                            .window = WINDOW,
                                            .retry_ms = 1000,
                                            .poll_least_s = 1};
    need(sm_blocks_init(&ram.blocks, &ram.blocks_cfg, now_ms(NULL)) == 0, "no client for blocks");
    ram.carrier_cfg = (struct sm_blocks_mqttsn_cfg){.blocks = &ram.blocks,
                                                    .sn = &ram.sn,
                                                    .up = "sandmote/mote-1/up",
                                                    .down = "sandmote/mote-1/down",
                                                    .message = ram.message,
                                                    .message_most = sizeof ram.message};
    sm_blocks_mqttsn_init(&ram.carrier, &ram.carrier_cfg);
}

/* ---- The line -------------------------------------------------------------------------------- */

static void send_datagrams(void)
{
    struct sm_mqttsn_address to;
    int n;

    while ((n = sm_mqttsn_poll(&ram.sn, now_ms(NULL), ram.datagram, sizeof ram.datagram, &to)) !=
           0) {
        if (n < 0)
            continue;
        int len = sm_mqttsn_frame(ram.datagram, (size_t)n, ram.frame, sizeof ram.frame);
        if (len > 0)
            sm_board_line_write(ram.frame, (size_t)len);
    }
}

/* Whether a message came; the line has no memory, so octets are taken until there are none. */
static bool take_datagrams(void)
{
    const struct sm_mqttsn_address from = {.len = 1};
    uint8_t octet;
    size_t used;
    bool came = false;

    while (sm_board_line_read(&octet)) {
        size_t len = sm_mqttsn_deframe(&ram.deframer, &octet, 1, &used, now_ms(NULL));
        if (len == 0)
            continue;
        sm_mqttsn_feed(&ram.sn, ram.input, len, &from, now_ms(NULL));
        came = true;
        (void)sm_blocks_mqttsn_step(&ram.carrier, now_ms(NULL)); /* the inbox is small */
        send_datagrams();
    }
    return came;
}

int sm_board_main(void)
{
    uint64_t device_ms = 0, client_ms = 0;

    if (COMMISSION->magic != MAGIC) {
        sm_board_print("mote: not commissioned; start it by mote.sh\n");
        return 64;
    }
    ram.luck = 1;
    sm_board_tick(tick, NULL, TICK_MS * 1000);
    sm_board_line_start();
    start_device();
    start_clients();
    say("mote: on", "");
    for (;;) {
        bool came = take_datagrams();
        uint64_t now = now_ms(NULL);
        bool due = came || now >= device_ms; /* then the client may have something to tell */
        if (due)
            device_ms = now + sm_device_step(&ram.dev, now);
        if (due || now >= client_ms) {
            uint32_t wait = sm_blocks_mqttsn_step(&ram.carrier, now);
            send_datagrams();
            uint64_t deadline = sm_mqttsn_deadline(&ram.sn);
            client_ms = deadline < now + wait ? deadline : now + wait;
        }
    }
}
