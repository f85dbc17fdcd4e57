/* The buses: who is addressed, which faults strike, how long the wires take.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "sim.h"
#include "chip.h"
#include <string.h>

#define SECOND_NS 1000000000ull

/* ---- Time and values ------------------------------------------------------------------------- */

uint64_t sm_sim_now_ns(const struct sm_sim_clock *clock)
{
    return clock->now_ns ? clock->now_ns(clock->ctx) : clock->ns;
}

static void spend_bits(struct sm_sim_bus *b, uint32_t bits)
{
    if (b->speed == 0)
        return;
    uint64_t ns = bits * SECOND_NS / b->speed;
    b->clock->bus_ns += ns;
    if (!b->clock->now_ns)
        b->clock->ns += ns;
}

int32_t sm_sim_value_now(const struct sm_sim_chip *c, unsigned quantity)
{
    const struct sm_sim_value *v = &c->value[quantity];
    if (v->period_ms == 0)
        return v->from;
    uint64_t period_ns = v->period_ms * 1000000ull;
    uint64_t at = sm_sim_now_ns(c->bus->clock) % period_ns * 2;
    if (at > period_ns)
        at = 2 * period_ns - at;
    /* in microseconds: the product stays below 2^32 * 2^42 / 2^11 */
    return v->from + (int32_t)((v->to - (int64_t)v->from) * (int64_t)(at / 1000) /
                               (int64_t)(period_ns / 1000));
}

uint64_t sm_sim_chip_us(const struct sm_sim_chip *c)
{
    return sm_sim_now_ns(c->bus->clock) / 1000;
}

/* ---- Chips on a bus -------------------------------------------------------------------------- */

int sm_sim_quantity_find(const struct sm_sim_model *model, const char *name)
{
    for (unsigned i = 0; i < model->quantities; i++)
        if (strcmp(model->quantity[i].name, name) == 0)
            return (int)i;
    return -1;
}

void sm_sim_power_cycle(struct sm_sim_chip *c)
{
    memset(&c->state, 0, sizeof c->state);
    c->model->power_on(c);
}

static struct sm_sim_chip *chip_at(const struct sm_sim_bus *b, uint8_t address)
{
    struct sm_sim_chip *c = b->chips;
    while (c && c->address != address)
        c = c->next;
    return c;
}

int sm_sim_plug(struct sm_sim_bus *b, struct sm_sim_chip *c, const struct sm_sim_model *model,
                uint8_t address)
{
    if (model->bus != b->bus.kind || address < model->first || address > model->last)
        return SM_ERR_INVALID;
    if (chip_at(b, address))
        return SM_ERR_BUSY;
    memset(c, 0, sizeof *c);
    c->model = model;
    c->address = address;
    c->bus = b;
    for (unsigned i = 0; i < model->quantities; i++)
        c->value[i].from = c->value[i].to = model->quantity[i].initial;
    c->next = b->chips;
    b->chips = c;
    sm_sim_power_cycle(c);
    return 0;
}

/* ---- Faults ---------------------------------------------------------------------------------- */

void sm_sim_order_fault(struct sm_sim_chip *c, enum sm_sim_fault fault, uint32_t after,
                        uint32_t times)
{
    c->fault = fault;
    c->fault_after = after;
    c->fault_times = times;
    c->faulty = false;
}

bool sm_sim_has(const struct sm_sim_chip *c, enum sm_sim_fault fault)
{
    return c->faulty && c->fault == fault;
}

/* A transfer of this chip begins. */
static void count_transfer(struct sm_sim_chip *c)
{
    c->transfers++;
    c->faulty = false;
    if (c->fault == SM_SIM_NO_FAULT)
        return;
    if (c->fault_after > 0) {
        c->fault_after--;
        return;
    }
    c->faulty = true;
    if (c->fault == SM_SIM_RESET)
        sm_sim_power_cycle(c);
}

/* It is over; so may be its fault. */
static void finish_transfer(struct sm_sim_chip *c)
{
    if (c->faulty && c->fault_times > 0 && --c->fault_times == 0)
        c->fault = SM_SIM_NO_FAULT;
    c->faulty = false;
}

/* A chip that holds the bus does so whoever is addressed, once it is due. */
static bool is_stuck(const struct sm_sim_bus *b)
{
    for (const struct sm_sim_chip *c = b->chips; c; c = c->next)
        if (c->fault == SM_SIM_STUCK && c->fault_after == 0)
            return true;
    return false;
}

/* A byte of the chip as the other side sees it. */
static uint8_t on_the_wire(const struct sm_sim_chip *c, uint8_t byte)
{
    return sm_sim_has(c, SM_SIM_ZEROS) ? 0 : sm_sim_has(c, SM_SIM_ONES) ? 0xff : byte;
}

/* ---- I2C ------------------------------------------------------------------------------------- */

static int write_bytes(struct sm_sim_chip *c, const uint8_t *out, uint32_t len)
{
    if (!c->model->begin(c, false))
        return SM_ERR_NOT_FOUND;
    for (uint32_t i = 0; i < len; i++) {
        if (sm_sim_has(c, SM_SIM_TRUNCATED) && i == len / 2)
            return SM_ERR_IO;
        if (!c->model->write(c, out[i]))
            return SM_ERR_IO;
    }
    return 0;
}

static int read_bytes(struct sm_sim_chip *c, uint8_t *in, uint32_t len)
{
    if (!c->model->begin(c, true))
        return SM_ERR_NOT_FOUND;
    for (uint32_t i = 0; i < len; i++) {
        if (sm_sim_has(c, SM_SIM_TRUNCATED) && i == len / 2)
            return SM_ERR_IO;
        in[i] = on_the_wire(c, c->model->read(c));
    }
    return 0;
}

static int with_chip(struct sm_sim_chip *c, const uint8_t *out, uint32_t out_len, uint8_t *in,
                     uint32_t in_len)
{
    int err = 0;
    if (sm_sim_has(c, SM_SIM_NACK))
        return SM_ERR_NOT_FOUND;
    if (out_len > 0)
        err = write_bytes(c, out, out_len);
    if (!err && in_len > 0)
        err = read_bytes(c, in, in_len);
    if (c->model->end)
        c->model->end(c);
    return err;
}

static int i2c(void *ctx, uint8_t address, const uint8_t *out, uint32_t out_len, uint8_t *in,
               uint32_t in_len)
{
    struct sm_sim_bus *b = ctx;
    struct sm_sim_chip *c = chip_at(b, address);
    /* start, address and bytes with their acknowledge bits, the same again to read, stop */
    spend_bits(b, 1 + 9 * (1 + out_len) + (in_len ? 1 + 9 * (1 + in_len) : 0) + 1);
    bool stuck = is_stuck(b);
    if (!c)
        return stuck ? SM_ERR_BUSY : SM_ERR_NOT_FOUND;
    count_transfer(c);
    int err = stuck ? SM_ERR_BUSY : with_chip(c, out, out_len, in, in_len);
    finish_transfer(c);
    return err;
}

/* ---- SPI ------------------------------------------------------------------------------------- */

static int exchange_bytes(struct sm_sim_chip *c, uint8_t mode, const uint8_t *out, uint8_t *in,
                          uint32_t len)
{
    bool heard = mode == c->model->spi_mode && !sm_sim_has(c, SM_SIM_NACK);
    if (heard)
        (void)c->model->begin(c, false);
    for (uint32_t i = 0; i < len; i++) {
        if (sm_sim_has(c, SM_SIM_TRUNCATED) && i == len / 2)
            return SM_ERR_IO;
        uint8_t byte = heard ? on_the_wire(c, c->model->exchange(c, out[i])) : 0xff;
        if (in)
            in[i] = byte;
    }
    return 0;
}

/* Nothing acknowledges anything here: where no chip is, the line stays high. */
static int spi(void *ctx, uint8_t select, uint8_t mode, const uint8_t *out, uint8_t *in,
               uint32_t len)
{
    struct sm_sim_bus *b = ctx;
    struct sm_sim_chip *c = chip_at(b, select);
    spend_bits(b, 8 * len);
    bool stuck = is_stuck(b);
    if (!c) {
        if (in)
            memset(in, 0xff, len);
        return stuck ? SM_ERR_BUSY : 0;
    }
    count_transfer(c);
    int err = stuck ? SM_ERR_BUSY : exchange_bytes(c, mode, out, in, len);
    finish_transfer(c);
    return err;
}

/* ---- Serial lines ---------------------------------------------------------------------------- */

#define LATE_NS       2000000000ull
#define PROCESSING_NS 3000000ull

static uint64_t characters_ns(const struct sm_sim_bus *b, uint32_t tenths)
{
    return b->speed ? tenths * 11ull * SECOND_NS / 10 / b->speed : 0;
}

/* 3.5 characters, but 1.75 ms at most speeds. */
static uint64_t silence_ns(const struct sm_sim_bus *b)
{
    uint64_t ns = characters_ns(b, 35);
    return ns > 1750000 ? ns : 1750000;
}

static void spoil(struct sm_sim_bus *b, const struct sm_sim_chip *c)
{
    static const uint8_t noise[] = {0x00, 0xff, 0x55};
    if (sm_sim_has(c, SM_SIM_BAD_CRC))
        b->reply[b->reply_len - 1] ^= 1;
    if (sm_sim_has(c, SM_SIM_TRUNCATED))
        b->reply_len /= 2;
    if (sm_sim_has(c, SM_SIM_NACK))
        b->reply_len = 0;
    if (sm_sim_has(c, SM_SIM_LATE))
        b->reply_ns += LATE_NS;
    if (sm_sim_has(c, SM_SIM_NOISE)) {
        memmove(b->reply + sizeof noise, b->reply, b->reply_len);
        memcpy(b->reply, noise, sizeof noise);
        b->reply_len += sizeof noise;
    }
    for (uint32_t i = 0; i < b->reply_len; i++)
        b->reply[i] = on_the_wire(c, b->reply[i]);
}

/* The frame is at its end: every chip on the line hears it, one may answer. */
static void deliver(struct sm_sim_bus *b)
{
    for (struct sm_sim_chip *c = b->chips; c; c = c->next) {
        if (b->request[0] != c->address)
            continue;
        count_transfer(c);
        uint32_t len = c->model->answer(c, b->request, b->request_len, b->reply);
        if (len > 0) {
            b->reply_len = len;
            b->reply_at = 0;
            b->reply_ns = b->request_ns + silence_ns(b) + PROCESSING_NS;
            spoil(b, c);
        }
        finish_transfer(c);
    }
    b->request_len = 0;
}

static void hear(struct sm_sim_bus *b)
{
    if (b->request_len > 0 && sm_sim_now_ns(b->clock) >= b->request_ns + silence_ns(b))
        deliver(b);
}

static void send(struct sm_sim_bus *b, const uint8_t *out, uint32_t len)
{
    uint64_t now = sm_sim_now_ns(b->clock);
    uint64_t start = b->request_len > 0 && b->request_ns > now ? b->request_ns : now;
    for (uint32_t i = 0; i < len && b->request_len < sizeof b->request; i++)
        b->request[b->request_len++] = out[i];
    b->request_ns = start + characters_ns(b, 10 * len);
}

static int serial(void *ctx, const uint8_t *out, uint32_t out_len, uint8_t *in, uint32_t in_len)
{
    struct sm_sim_bus *b = ctx;
    uint32_t n = 0;
    if (is_stuck(b))
        return SM_ERR_BUSY;
    hear(b);
    if (out_len > 0)
        send(b, out, out_len);
    while (n < in_len && b->reply_at < b->reply_len &&
           sm_sim_now_ns(b->clock) >= b->reply_ns + characters_ns(b, 10 * b->reply_at))
        in[n++] = b->reply[b->reply_at++];
    return (int)n;
}

void sm_sim_bus_init(struct sm_sim_bus *b, const char *name, enum sm_bus_kind kind,
                     struct sm_sim_clock *clock)
{
    memset(b, 0, sizeof *b);
    b->bus.name = name;
    b->bus.kind = kind;
    b->bus.ctx = b;
    b->clock = clock;
    switch (kind) {
    case SM_BUS_I2C: b->bus.transfer.i2c = i2c; break;
    case SM_BUS_SPI: b->bus.transfer.spi = spi; break;
    default: b->bus.transfer.serial = serial; break;
    }
}
