/* Firmware: the TMP105's driver over real bus transactions, with the chip that QEMU has.
 *
 * It prints each new temperature; whoever plays the temperature (sensor.sh) reads that. -55 degrees
 * end it. Exit status 0 when all checks held.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <sandmote/sensor.h>
#include "board.h"
#include "sbcon.h"

#define ADDRESS 0x48u
#define THE_END (-55000)
#define POLLS   2000000000u

enum { RESOLUTION };

static int check(const char *what, bool holds)
{
    sm_board_print(holds ? "ok    " : "FAIL  ");
    sm_board_print(what);
    sm_board_print("\n");
    return holds ? 0 : 1;
}

/* The emulated chip needs no time: the steps follow each other at once. */
static int start(struct sm_sensor *s)
{
    int got = 1;
    s->state.align = 0;
    for (s->step = 0; got > 0 && s->step < 10; s->step++)
        got = s->driver->start(s);
    return got;
}

static int set(struct sm_sensor *s, int64_t value)
{
    int got = 1;
    for (s->step = 0; got > 0 && s->step < 10; s->step++)
        got = s->driver->set(s, RESOLUTION, value);
    return got;
}

static int32_t sample(struct sm_sensor *s)
{
    int32_t value;
    s->step = 0;
    int err = s->driver->sample(s, &value);
    return err ? err * 1000000 : value;
}

static void print_temperature(int32_t value)
{
    sm_board_print("temperature ");
    sm_board_print_i32(value);
    sm_board_print("\n");
}

/* 21.9375 degrees are played, and stay. */
static int check_resolution(struct sm_sensor *s)
{
    static const int32_t wish[] = {21500, 21750, 21875, 21938};
    int64_t bits = 0;
    int failures = 0;
    for (int64_t n = 9; n <= 12; n++) {
        failures += check("its resolution is set", set(s, n) == 0);
        failures += check("it is what the chip says",
                          s->driver->get(s, RESOLUTION, &bits) == 0 && bits == n);
        failures += check("values are cut to it", sample(s) == wish[n - 9]);
    }
    return failures;
}

int sm_board_main(void)
{
    struct sm_sbcon connector;
    sm_sbcon_init(&connector, "i2c", SM_SBCON_SHIELD, 100000);
    struct sm_sensor s = {
        .id = "room", .driver = &sm_driver_tmp105, .bus = &connector.bus, .address = ADDRESS + 1};
    int failures = check("nobody is at the next address", start(&s) == SM_ERR_NOT_FOUND);
    s.address = ADDRESS;
    failures += check("the chip is found", start(&s) == 0);
    int32_t last = -1000000, now = last;
    for (uint32_t i = 0; failures == 0 && now != THE_END && i < POLLS; i++) {
        now = sample(&s);
        if (now == last)
            continue;
        last = now;
        if (now == 21938)
            failures += check_resolution(&s);
        print_temperature(now); /* the next one is played then */
    }
    s.driver->stop(&s);
    failures += check("the end was played", now == THE_END);
    sm_board_print(failures ? "sensor failed\n" : "sensor passed\n");
    return failures ? 1 : 0;
}
