/* Buses as JSON says. SPDX-License-Identifier: Apache-2.0 */
#include "bus_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <posix/bus.h>
#include <sim/sim.h>

/* One of the two, by `simulated`. */
struct sm_opened_bus {
    bool simulated;
    struct sm_posix_bus posix;
    struct sm_sim_bus sim;
    struct sm_sim_clock clock;
    struct sm_sim_chip *chips;
};

/* What an element may say; NULL or 0 when it does not. */
struct wanted {
    const char *name, *type, *device, *parity;
    json_t *chips;
    uint64_t hz, baud, stop_bits;
};

/* ---- Simulated ones -------------------------------------------------------------------------- */

static uint64_t now_ns(void *ctx)
{
    const struct sm_clock *clock = ctx;
    return clock->now_ms(clock->ctx) * 1000000u;
}

/* The first chip says of which kind the bus is. */
static int add_chip(struct sm_opened_bus *o, const struct wanted *w, const char *where, size_t i,
                    struct sm_json_error *err)
{
    struct sm_sim_chip_description d;
    struct sm_sim_wrong wrong;
    const char *text = json_string_value(json_array_get(w->chips, i));
    if (!text)
        return sm_json_fail(err, "%s.chips[%zu]: must be a text", where, i);
    if (sm_sim_describe(&d, text, &wrong) < 0)
        return sm_json_fail(err, "%s.chips[%zu]: %s, at character %u", where, i, wrong.rule,
                            (unsigned)wrong.offset + 1);
    if (i == 0)
        sm_sim_bus_init(&o->sim, w->name, (enum sm_bus_kind)d.model->bus, &o->clock);
    switch (sm_sim_plug_described(&o->sim, &o->chips[i], &d)) {
    case 0: return 0;
    case SM_ERR_BUSY:
        return sm_json_fail(err, "%s.chips[%zu]: there is a chip at that address", where, i);
    default: return sm_json_fail(err, "%s.chips[%zu]: is for another kind of bus", where, i);
    }
}

static int simulate(struct sm_opened_bus *o, const struct wanted *w, const char *where,
                    const struct sm_clock *clock, struct sm_json_error *err)
{
    size_t n = json_array_size(w->chips);
    if (!w->chips)
        return sm_json_fail(err, "%s.chips: is missing", where);
    o->simulated = true;
    o->chips = calloc(n, sizeof *o->chips);
    if (!o->chips)
        return sm_json_fail(err, "%s: no memory", where);
    for (size_t i = 0; i < n; i++)
        if (add_chip(o, w, where, i, err) < 0)
            return SM_ERR_INVALID;
    /* They were switched on when the clock began: whoever reads at once finds them awake. */
    o->clock = (struct sm_sim_clock){.now_ns = now_ns, .ctx = (void *)(uintptr_t)clock};
    return 0;
}

/* ---- Those of the host ----------------------------------------------------------------------- */

static int open_serial(struct sm_posix_bus *b, const struct wanted *w, const char *where,
                       struct sm_file_why *why)
{
    static const char *const parities[] = {"none", "even", "odd"};
    for (unsigned p = 0; p < sizeof parities / sizeof *parities; p++)
        if (!strcmp(w->parity, parities[p]))
            return sm_bus_open_serial(b, w->name, w->device, (uint32_t)w->baud, (enum sm_parity)p,
                                      (unsigned)w->stop_bits, why);
    snprintf(why->text, sizeof why->text, "%s.parity: must be none, even or odd", where);
    return SM_ERR_INVALID;
}

static int open_device(struct sm_opened_bus *o, const struct wanted *w, const char *where,
                       struct sm_json_error *err)
{
    struct sm_file_why why;
    int r;
    bool known = !strcmp(w->type, "i2c") || !strcmp(w->type, "spi") || !strcmp(w->type, "serial");
    if (!known)
        return sm_json_fail(err, "%s.type: must be i2c, spi, serial or simulated", where);
    if (!w->device)
        return sm_json_fail(err, "%s.device: is missing", where);
    if (!strcmp(w->type, "i2c"))
        r = sm_bus_open_i2c(&o->posix, w->name, w->device, &why);
    else if (!strcmp(w->type, "spi"))
        r = sm_bus_open_spi(&o->posix, w->name, w->device, (uint32_t)w->hz, &why);
    else
        r = open_serial(&o->posix, w, where, &why);
    return r < 0 ? sm_json_fail(err, "%s: %.300s", where, why.text) : 0;
}

/* ---- All of them ----------------------------------------------------------------------------- */

static bool name_valid(const char *name)
{
    return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
           strlen(name);
}

static int open_bus(struct sm_bus_config *c, const json_t *v, const char *where,
                    const struct sm_clock *clock, struct sm_json_error *err)
{
#define AT(member) SM_JSON_AT(struct wanted, member)
    static const struct sm_json_field fields[] = {
        {"name", SM_JSON_TEXT, true, 1, SM_BUS_NAME_MAX, AT(name)},
        {"type", SM_JSON_TEXT, true, 1, 16, AT(type)},
        {"device", SM_JSON_TEXT, false, 1, 255, AT(device)},
        {"chips", SM_JSON_ARRAY, false, 1, SM_BUS_CHIPS_MAX, AT(chips)},
        {"hz", SM_JSON_UINT, false, 1000, 100000000, AT(hz)},
        {"baud", SM_JSON_UINT, false, 1200, 115200, AT(baud)},
        {"parity", SM_JSON_TEXT, false, 1, 8, AT(parity)},
        {"stop_bits", SM_JSON_UINT, false, 1, 2, AT(stop_bits)},
        {0}};
#undef AT
    struct wanted w = {.parity = "even", .hz = 1000000, .baud = 9600, .stop_bits = 1};
    if (sm_json_read(v, where, fields, false, &w, err) < 0)
        return SM_ERR_INVALID;
    if (!name_valid(w.name))
        return sm_json_fail(err, "%s.name: letters, digits, '.', '_' and '-' only", where);
    if (sm_bus_config_find(c, w.name))
        return sm_json_fail(err, "%s.name: there is a bus %s already", where, w.name);
    struct sm_opened_bus *o = c->opened[c->count] = calloc(1, sizeof *o);
    if (!o)
        return sm_json_fail(err, "%s: no memory", where);
    bool simulated = !strcmp(w.type, "simulated");
    if ((simulated ? simulate(o, &w, where, clock, err) : open_device(o, &w, where, err)) < 0)
        return SM_ERR_INVALID;
    c->bus[c->count++] = simulated ? &o->sim.bus : &o->posix.bus;
    return 0;
}

int sm_bus_config_open(struct sm_bus_config *c, const json_t *buses, const struct sm_clock *clock,
                       struct sm_json_error *err)
{
    char where[32];
    memset(c, 0, sizeof *c);
    if (json_array_size(buses) > SM_BUS_CONFIG_MAX)
        return sm_json_fail(err, "buses: there are more than %u", SM_BUS_CONFIG_MAX);
    for (size_t i = 0; i < json_array_size(buses); i++) {
        snprintf(where, sizeof where, "buses[%zu]", i);
        if (open_bus(c, json_array_get(buses, i), where, clock, err) < 0)
            return SM_ERR_INVALID;
    }
    return 0;
}

void sm_bus_config_close(struct sm_bus_config *c)
{
    for (size_t i = 0; i < SM_BUS_CONFIG_MAX; i++) {
        struct sm_opened_bus *o = c->opened[i];
        if (o && !o->simulated)
            sm_bus_close(&o->posix);
        if (o)
            free(o->chips);
        free(o);
    }
    memset(c, 0, sizeof *c);
}

const struct sm_bus *sm_bus_config_find(const struct sm_bus_config *c, const char *name)
{
    for (size_t i = 0; i < c->count; i++)
        if (!strcmp(c->bus[i]->name, name))
            return c->bus[i];
    return NULL;
}
