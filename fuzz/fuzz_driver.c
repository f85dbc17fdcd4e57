/* Drivers against chips that answer anything: nothing may crash, no request may go on for ever, and
 * a value is in its declared range or there is an error. Lines of text that describe simulated
 * chips are tried here as well.
 *
 * The input plays the bus. Half of the time the right chip is behind it and the input only spoils
 * some of its bytes, so that drivers come far enough to be hurt.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <sandmote/drivers.h>
#include <sim/sim.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_MOST 1500u
#define WAIT_MOST  10000

static struct input {
    const uint8_t *at, *end;
    struct sm_sim_bus chips;
    bool chip; /* the right one is there */
} in;

static uint8_t next(void)
{
    return in.at < in.end ? *in.at++ : 0;
}

/* An error now and then; 0 most of the time. */
static int played_error(void)
{
    switch (next()) {
    case 0xfd: return SM_ERR_IO;
    case 0xfe: return SM_ERR_BUSY;
    case 0xff: return SM_ERR_NOT_FOUND;
    default: return 0;
    }
}

static void play(uint8_t *bytes, uint32_t len)
{
    bool spoil = in.chip && next() >= 0xc0;
    for (uint32_t i = 0; i < len; i++)
        if (!in.chip)
            bytes[i] = next();
        else if (spoil)
            bytes[i] ^= next();
}

static int i2c(void *ctx, uint8_t address, const uint8_t *out, uint32_t out_len, uint8_t *to,
               uint32_t to_len)
{
    (void)ctx;
    int err = played_error();
    if (!err && in.chip)
        err = in.chips.bus.transfer.i2c(&in.chips, address, out, out_len, to, to_len);
    if (!err)
        play(to, to_len);
    return err;
}

static int spi(void *ctx, uint8_t select, uint8_t mode, const uint8_t *out, uint8_t *to,
               uint32_t len)
{
    (void)ctx;
    int err = played_error();
    if (!err && in.chip)
        err = in.chips.bus.transfer.spi(&in.chips, select, mode, out, to, len);
    if (!err && to)
        play(to, len);
    return err;
}

static int serial(void *ctx, const uint8_t *out, uint32_t out_len, uint8_t *to, uint32_t to_len)
{
    (void)ctx;
    int n = played_error();
    if (n)
        return n;
    if (in.chip)
        n = in.chips.bus.transfer.serial(&in.chips, out, out_len, to, to_len);
    else if (to_len > 0)
        n = (int)(next() % (to_len + 1));
    if (n > 0)
        play(to, (uint32_t)n);
    return n;
}

static const struct target {
    const struct sm_sensor_driver *driver;
    const struct sm_sim_model *model;
    uint8_t address;
} targets[] = {
    {&sm_driver_bme280, &sm_sim_bme280, 0x76}, {&sm_driver_ccs811, &sm_sim_ccs811, 0x5a},
    {&sm_driver_tmp105, &sm_sim_tmp105, 0x48}, {&sm_driver_tmp105, &sm_sim_right16, 0x48},
    {&sm_driver_adxl345, &sm_sim_adxl345, 0},  {&sm_driver_modbus, &sm_sim_modbus, 1},
    {&sm_driver_relay, &sm_sim_pcf8574, 0x20},
};
#define TARGETS (sizeof targets / sizeof targets[0])

/* ---- Requests -------------------------------------------------------------------------------- */

enum request { START, SAMPLE, SET, GET, STOP, REQUESTS };

struct asked {
    enum request request;
    unsigned attribute;
    int64_t value;
    int32_t values[SM_SENSOR_CAPABILITIES];
};

static int step(struct sm_sensor *s, struct asked *a)
{
    switch (a->request) {
    case START: return s->driver->start(s);
    case SAMPLE: return s->driver->sample(s, a->values);
    case SET: return s->driver->set(s, a->attribute, a->value);
    case GET: return s->driver->get(s, a->attribute, &a->value);
    default:
        if (s->driver->stop)
            s->driver->stop(s);
        return 0;
    }
}

/* A request may be given up on the way, as the input wants. */
static int ask(struct sm_sensor *s, struct sm_sim_clock *clock, struct asked *a)
{
    if (a->request == START)
        memset(&s->state, 0, sizeof s->state);
    for (s->step = 0; s->step < STEPS_MOST; s->step++) {
        s->now_ms = clock->ns / 1000000;
        int got = step(s, a);
        if (got <= 0)
            return got;
        if (got > WAIT_MOST)
            abort();
        clock->ns += (uint64_t)got * 1000000;
        if (next() == 0xfc)
            return SM_ERR_STATE;
    }
    abort(); /* it never ends */
}

static void check(const struct sm_sensor_driver *d, const struct asked *a)
{
    for (unsigned i = 0; a->request == SAMPLE && i < d->capabilities; i++)
        if (a->values[i] < d->capability[i].min || a->values[i] > d->capability[i].max)
            abort();
    if (a->request == GET &&
        (a->value < d->attribute[a->attribute].min || a->value > d->attribute[a->attribute].max))
        abort();
}

static void choose(const struct sm_sensor_driver *d, struct asked *a)
{
    a->request = next() % REQUESTS;
    if (a->request != SET && a->request != GET)
        return;
    a->attribute = next() % d->attributes;
    const struct sm_attribute *at = &d->attribute[a->attribute];
    uint64_t wish = (uint64_t)next() << 16 | (uint64_t)next() << 8;
    wish |= next();
    a->value = at->min + (int64_t)(wish % (uint64_t)(at->max - at->min + 1));
}

static void drive(const struct target *t)
{
    struct sm_sim_clock clock = {0};
    struct sm_sim_chip chip;
    struct sm_bus bus = {.name = "bus", .kind = t->model->bus};
    struct sm_sensor s = {.id = "s", .driver = t->driver, .bus = &bus, .address = t->address};
    bool started = false;
    sm_sim_bus_init(&in.chips, "chips", t->model->bus, &clock);
    if (sm_sim_plug(&in.chips, &chip, t->model, t->address) != 0)
        abort();
    clock.ns += 1000000000u;
    switch (bus.kind) {
    case SM_BUS_I2C: bus.transfer.i2c = i2c; break;
    case SM_BUS_SPI: bus.transfer.spi = spi; break;
    default: bus.transfer.serial = serial; break;
    }
    while (in.at < in.end) {
        struct asked a = {.request = START};
        if (started)
            choose(t->driver, &a);
        int got = ask(&s, &clock, &a);
        if (a.request == START || a.request == STOP)
            started = a.request == START && got == 0;
        if (got == 0)
            check(t->driver, &a);
        clock.ns += next() * 10000000ull;
    }
}

static void describe(void)
{
    char text[256] = "";
    struct sm_sim_chip_description d;
    struct sm_sim_wrong wrong = {0};
    size_t len = (size_t)(in.end - in.at);
    memcpy(text, in.at, len < sizeof text ? len : sizeof text - 1);
    int err = sm_sim_describe(&d, text, &wrong);
    if (err && (!wrong.rule || wrong.offset > strlen(text)))
        abort();
    for (unsigned i = 0; !err && i < d.model->quantities; i++)
        if (d.value[i].from < d.model->quantity[i].min || d.value[i].to > d.model->quantity[i].max)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    in.at = data;
    in.end = data + size;
    unsigned which = next();
    in.chip = which & 0x80;
    which = (which & 0x7f) % (TARGETS + 1);
    if (which == TARGETS)
        describe();
    else
        drive(&targets[which]);
    return 0;
}
