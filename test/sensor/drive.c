/* SPDX-License-Identifier: Apache-2.0 */
#include "drive.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_MOST 1000u

void bench_init(struct bench *b, const struct sm_sim_model *model,
                const struct sm_sensor_driver *driver, uint8_t address)
{
    memset(b, 0, sizeof *b);
    sm_sim_bus_init(&b->bus, "bus", model->bus, &b->clock);
    int err = sm_sim_plug(&b->bus, &b->chip, model, address);
    assert(err == 0);
    (void)err;
    bench_wait(b, 1000); /* it has been on for a second */
    b->sensor = (struct sm_sensor){
        .id = "sensor", .driver = driver, .bus = &b->bus.bus, .address = address};
}

int bench_new(void **state, const struct sm_sim_model *model, const struct sm_sensor_driver *driver,
              uint8_t address)
{
    struct bench *b = malloc(sizeof *b);
    if (!b)
        return -1;
    bench_init(b, model, driver, address);
    *state = b;
    return 0;
}

int bench_free(void **state)
{
    free(*state);
    return 0;
}

void bench_break(struct bench *b, enum sm_sim_fault fault)
{
    sm_sim_order_fault(&b->chip, fault, 0, 0);
}

void bench_mend(struct bench *b)
{
    sm_sim_order_fault(&b->chip, SM_SIM_NO_FAULT, 0, 0);
}

void bench_wait(struct bench *b, uint32_t ms)
{
    b->clock.ns += ms * 1000000ull;
}

void bench_play(struct bench *b, const char *quantity, int32_t value)
{
    int i = sm_sim_quantity_find(b->chip.model, quantity);
    assert(i >= 0);
    b->chip.value[i] = (struct sm_sim_value){.from = value};
}

enum request { START, SAMPLE, SET, GET };

struct asked {
    enum request request;
    unsigned attribute;
    int64_t to, *from;
    int32_t *values;
};

static int step(struct bench *b, const struct asked *a)
{
    const struct sm_sensor_driver *d = b->sensor.driver;
    switch (a->request) {
    case START: return d->start(&b->sensor);
    case SAMPLE: return d->sample(&b->sensor, a->values);
    case SET: return d->set(&b->sensor, a->attribute, a->to);
    default: return d->get(&b->sensor, a->attribute, a->from);
    }
}

static int ask(struct bench *b, const struct asked *a)
{
    b->waited_ms = 0;
    for (b->sensor.step = 0; b->sensor.step < STEPS_MOST; b->sensor.step++) {
        b->sensor.now_ms = b->clock.ns / 1000000;
        int got = step(b, a);
        if (got <= 0)
            return got;
        assert(got <= 10000);
        bench_wait(b, (uint32_t)got);
        b->waited_ms += (uint32_t)got;
    }
    return SM_ERR_LIMIT;
}

static unsigned attribute_of(const struct bench *b, const char *name)
{
    const struct sm_sensor_driver *d = b->sensor.driver;
    for (unsigned i = 0; i < d->attributes; i++)
        if (strcmp(d->attribute[i].name, name) == 0)
            return i;
    assert(!"an attribute of this driver");
    return 0;
}

int bench_start(struct bench *b)
{
    memset(&b->sensor.state, 0, sizeof b->sensor.state);
    return ask(b, &(struct asked){.request = START});
}

int bench_sample(struct bench *b, int32_t *values)
{
    const struct sm_sensor_driver *d = b->sensor.driver;
    int err = ask(b, &(struct asked){.request = SAMPLE, .values = values});
    for (unsigned i = 0; !err && i < d->capabilities; i++)
        assert(values[i] >= d->capability[i].min && values[i] <= d->capability[i].max);
    return err;
}

int bench_set(struct bench *b, const char *attribute, int64_t value)
{
    unsigned i = attribute_of(b, attribute);
    return ask(b, &(struct asked){.request = SET, .attribute = i, .to = value});
}

int bench_get(struct bench *b, const char *attribute, int64_t *value)
{
    unsigned i = attribute_of(b, attribute);
    return ask(b, &(struct asked){.request = GET, .attribute = i, .from = value});
}

void bench_stop(struct bench *b)
{
    b->sensor.driver->stop(&b->sensor);
}
