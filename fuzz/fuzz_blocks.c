/* Fuzz target: updates in blocks, messages and the device's client.
 *
 * The input is a conversation: each part is a byte that says what comes, its length, and bytes. It
 * is a message as it stands; or an answer to what the device asked last, with the token and tag of
 * that question and the other fields from the input, so that what lies behind them is reached; or
 * time that passes. A message that can be read is written again to its own bytes. The device has
 * one slot and a key whose private half nobody has: nothing ever runs, whatever comes, what is
 * received stays inside its length, and questions can always be read. Two post-mortems wait, one of
 * them with a core dump: what is sent of them is theirs.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <flash_sim.h>
#include <sandmote/blocks.h>

static void require(bool fact)
{
    if (!fact)
        abort();
}

static struct {
    struct flash_sim flash;
    struct sm_device device;
    struct sm_device_cfg cfg;
    struct sm_device_app app;
    struct sm_record record;
    struct sm_trust trust;
    struct sm_trust_key key;
    struct sm_host_port host;
    struct sm_blocks blocks;
    struct sm_blocks_msg asked;
    uint8_t question[SM_BLOCKS_MOST];
    uint8_t buf[600];
    uint64_t now_ms;
    volatile uint32_t epoch;
    _Alignas(8) uint8_t pool[70000], scratch[16384];
} w;

static uint64_t now_ms(void *ctx)
{
    (void)ctx;
    return w.now_ms;
}

static int no_luck(void *ctx, void *buf, size_t len)
{
    (void)ctx;
    memset(buf, 7, len);
    return 0;
}

/* What the first note's dump has, and the second note. */
enum { DUMP = 3000, NOTE = 500 };
static uint8_t dump[DUMP], note[NOTE];

static int lend(void *ctx, const struct sm_journal_note *of, const uint8_t **bytes, uint32_t *len)
{
    (void)ctx;
    if (of == NULL)
        return 0;
    if (of->number != 1)
        return SM_ERR_NOT_FOUND;
    *bytes = dump;
    *len = sizeof dump;
    return 0;
}

/* Machine code that nobody signed comes this far never. */
static int bind(void *ctx, const struct sm_device_native_job *job)
{
    (void)ctx, (void)job;
    abort();
}

static const struct sm_device_native native = {.target = 3, .bind = bind};
static const struct sm_entropy entropy = {NULL, no_luck};
static const struct sm_blocks_cfg blocks_cfg = {.device = &w.device,
                                                .fleet = "plant-7",
                                                .cls = "mcu",
                                                .entropy = &entropy,
                                                .buf = w.buf,
                                                .buf_len = sizeof w.buf,
                                                .message_most = SM_BLOCKS_LEAST,
                                                .core = lend};

static void begin(void)
{
    static const uint8_t key[32] = {0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7,
                                    0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a,
                                    0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25,
                                    0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a};
    sim_init(&w.flash, 512, 64, 8, 0xff);
    w.now_ms = 1000;
    sm_trust_init(&w.trust, &w.key, 1);
    require(sm_trust_add(&w.trust, SM_ROLE_SIGNER, "plant-7", key) == 0);
    w.host = (struct sm_host_port){.clock = {NULL, now_ms}};
    w.cfg = (struct sm_device_cfg){
        .flash = &w.flash.flash,
        .store = {.applications = 1, .slot_size = 1500, .journal_size = 4096},
        .fleet = "plant-7",
        .cls = SM_CLASS_MCU,
        .trust = &w.trust,
        .host = &w.host,
        .native = &native,
        .epoch = &w.epoch,
        .epoch_tick_ms = 10,
        .scratch = w.scratch,
        .scratch_len = sizeof w.scratch};
    memset(&w.app, 0, sizeof w.app);
    w.app.pool = w.pool;
    w.app.pool_size = sizeof w.pool;
    memset(&w.asked, 0, sizeof w.asked);
    require(sm_device_start(&w.device, &w.cfg, &w.app, &w.record, w.now_ms) == 0);
    memset(dump, 0xd0, sizeof dump);
    memset(note, 0x0e, sizeof note);
    require(sm_journal_append(&w.device.journal, note, 1) == 1);
    require(sm_journal_append(&w.device.journal, note, sizeof note) == 2);
    require(sm_blocks_init(&w.blocks, &blocks_cfg, w.now_ms) == 0);
}

/* A part of the dump, of the note that it is a dump of, or of the other note. */
static void check_note(const struct sm_blocks_msg *m)
{
    const uint8_t *of = m->length == DUMP ? dump : note;
    require(m->length == (m->number == 2 ? NOTE : m->length == 1 ? 1 : DUMP));
    require(m->first + m->bytes_len <= m->length);
    require(memcmp(m->bytes, of + m->first, m->bytes_len) == 0);
    require(m->tag == sm_crc32c(0, of, m->length));
}

static void step(void)
{
    uint8_t out[SM_BLOCKS_MOST];
    uint32_t wait;
    size_t len;
    (void)sm_device_step(&w.device, w.now_ms);
    for (unsigned i = 0; i < 8; i++) {
        len = sm_blocks_step(&w.blocks, w.now_ms, out, sizeof out, &wait);
        if (len == 0)
            break;
        require(len <= SM_BLOCKS_LEAST);
        memcpy(w.question, out, len);
        require(sm_blocks_decode(&w.asked, w.question, len) == 0);
        require(w.asked.kind < 0x80);
        if (w.asked.kind == SM_BLOCKS_NOTE)
            check_note(&w.asked);
    }
    require(w.app.state == SM_APP_EMPTY && w.record.active == SM_STORE_NO_SLOT);
    require(!w.blocks.fetching || w.blocks.have <= w.blocks.length);
}

static void feed(const uint8_t *bytes, size_t len)
{
    struct sm_blocks_msg m;
    uint8_t again[SM_BLOCKS_MOST];
    if (sm_blocks_decode(&m, bytes, len) == 0) {
        require(sm_blocks_encode(&m, again, sizeof again) == (int)len);
        require(memcmp(again, bytes, len) == 0);
    }
    (void)sm_blocks_input(&w.blocks, bytes, len, w.now_ms);
}

static uint32_t number(const uint8_t *at, size_t len, unsigned i)
{
    return i < len ? at[i] : 0;
}

/* An answer of this kind, in the rest as the bytes say. */
static void answer(uint8_t kind, const uint8_t *at, size_t len)
{
    static const uint8_t sha[32] = {1, 2, 3, 4};
    uint8_t out[SM_BLOCKS_MOST];
    struct sm_blocks_msg m = {
        .kind = kind,
        .token = w.asked.kind == SM_BLOCKS_WANT ? w.asked.tag : w.asked.token,
        .what = w.asked.what,
        .number = w.asked.number,
        .tag = w.asked.tag,
        .seconds = 1 + number(at, len, 0),
        .keys = number(at, len, 1),
        .flags = (uint8_t)(number(at, len, 2) & (kind == SM_BLOCKS_STATUS ? 7 : 3)),
        .first = number(at, len, 0) + 256 * number(at, len, 1),
        .count = (uint8_t)number(at, len, 3),
        .length = 1 + number(at, len, 0) + 256 * number(at, len, 1),
        .sha = sha,
        .name = sm_blocks_text(number(at, len, 3) & 1 ? "blinker" : "a"),
        .action = sm_blocks_text(number(at, len, 4) & 1 ? "12" : "")};
    if (kind == SM_BLOCKS_BLOCK) {
        uint32_t size = w.asked.size > 0 && w.asked.size < 600 ? w.asked.size : 1;
        m.number = w.asked.first + (number(at, len, 0) & 7);
        m.bytes = w.question; /* any */
        m.bytes_len = (uint16_t)(number(at, len, 1) & 1 ? 1 + number(at, len, 2) : size);
    }
    int n = sm_blocks_encode(&m, out, sizeof out);
    if (n > 0)
        feed(out, (size_t)n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    begin();
    step();
    while (len >= 2) {
        uint8_t what = data[0];
        size_t n = data[1] < len - 2 ? data[1] : len - 2;
        data += 2;
        if (what < 0x80)
            w.now_ms += 100u << (what & 15);
        else if (what < 0xc0)
            feed(data, n);
        else
            answer((uint8_t)(SM_BLOCKS_STATUS + (what & 7)), data, n);
        step();
        data += n;
        len -= 2 + n;
    }
    sim_free(&w.flash);
    return 0;
}
