/* What runs on the emulated board under a real Linux kernel: the buses of port/posix on the
 * kernel's own drivers, with chips that QEMU has. It prints a line for each thing tried, and "board
 * passed" or "board failed" at the end.
 *
 *   board I2C-DEVICE SPI-DEVICE SERIAL-DEVICE
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <posix/bus.h>
#include <posix/iio.h>
#include <sandmote/drivers.h>

#define IIO_FOLDER "/sys/bus/iio/devices"

static int failures;

static void check(const char *what, bool holds)
{
    printf("%s  %s\n", holds ? "ok  " : "FAIL", what);
    fflush(stdout);
    failures += holds ? 0 : 1;
}

static void wait_ms(int ms)
{
    usleep((useconds_t)ms * 1000);
}

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static int start(struct sm_sensor *s)
{
    int got = 1;
    memset(&s->state, 0, sizeof s->state);
    for (s->step = 0; got > 0; s->step++) {
        s->now_ms = now_ms();
        got = s->driver->start(s);
        if (got > 0)
            wait_ms(got);
    }
    return got;
}

static int sample(struct sm_sensor *s, int32_t *values)
{
    int got = 1;
    for (s->step = 0; got > 0; s->step++) {
        s->now_ms = now_ms();
        got = s->driver->sample(s, values);
        if (got > 0)
            wait_ms(got);
    }
    return got;
}

/* ---- I2C ------------------------------------------------------------------------------------- */

/* Until whoever plays the temperature has played it. */
static bool reaches(struct sm_sensor *s, int32_t wish)
{
    int32_t value = 0;
    printf("play  %" PRId32 "\n", wish);
    fflush(stdout);
    for (int i = 0; i < 600; i++) {
        if (sample(s, &value) == 0 && value == wish)
            return true;
        wait_ms(100);
    }
    return false;
}

/* QEMU's i.MX adapter raises no interrupt when nobody acknowledges, so that the kernel, which would
 * say ENXIO, gives up after a while. */
static bool nobody(int err)
{
    return err == SM_ERR_NOT_FOUND || err == SM_ERR_BUSY;
}

static void try_i2c(const char *device)
{
    struct sm_posix_bus bus;
    struct sm_file_why why = {""};
    const uint8_t bytes[1] = {0};
    int err = sm_bus_open_i2c(&bus, "i2c", device, &why);
    check(err ? why.text : "i2c-dev opens, and the adapter does plain transfers", err == 0);
    if (err)
        return;
    struct sm_sensor s = {
        .id = "room", .driver = &sm_driver_tmp105, .bus = &bus.bus, .address = 0x49};
    check("nobody at 0x49 is no sensor", nobody(start(&s)));
    check("a write to nobody is refused",
          nobody(bus.bus.transfer.i2c(&bus, 0x49, bytes, 1, NULL, 0)));
    s.address = 0x48;
    check("the TMP105 starts", start(&s) == 0);
    check("its 21.5 degrees are read", reaches(&s, 21500));
    check("its -40 degrees are read", reaches(&s, -40000));
    s.step = 0;
    check("its resolution is set", s.driver->set(&s, 0, 9) > 0);
    check("a value is cut to it: 30.9", reaches(&s, 30500));
    sm_bus_close(&bus);
}

/* ---- The kernel's sensors -------------------------------------------------------------------- */

static void try_iio(void)
{
    struct sm_iio iio;
    struct sm_file_why why = {""};
    struct sm_sensor s = {.id = "air", .driver = &iio.driver, .ctx = &iio};
    int32_t v[SM_SENSOR_CAPABILITIES];
    int err = sm_iio_open(&iio, IIO_FOLDER "/iio:device0", &why);
    check(err ? why.text : "a sensor that the kernel drives is found", err == 0);
    if (err)
        return;
    printf("      model %s\n", iio.driver.model);
    err = start(&s);
    if (!err)
        err = sample(&s, v);
    check(err ? sm_strerror(err) : "it measures", err == 0);
    for (unsigned i = 0; !err && i < iio.driver.capabilities; i++)
        printf("      %s %" PRId32 " (10^%d %s)\n", iio.capability[i].name, v[i],
               iio.capability[i].scale, sm_unit_text(iio.capability[i].unit));
}

/* ---- SPI ------------------------------------------------------------------------------------- */

/* The flash chip of the board tells its number in mode 0 and mode 3. */
static void try_spi(const char *device)
{
    static const uint8_t ask[4] = {0x9f};
    struct sm_posix_bus bus;
    struct sm_file_why why = {""};
    uint8_t in[4];
    check("spidev opens", sm_bus_open_spi(&bus, "spi", device, 1000000, &why) == 0);
    for (uint8_t mode = 0; mode < 4; mode += 3) {
        memset(in, 0, sizeof in);
        int err = bus.bus.transfer.spi(&bus, 0, mode, ask, in, sizeof in);
        printf("      mode %u: error %d, %02x %02x %02x\n", mode, err, in[1], in[2], in[3]);
        check("a chip of SST tells its number", err == 0 && in[1] == 0xbf && in[2] == 0x25);
    }
    check("a select line that is not there is not found",
          bus.bus.transfer.spi(&bus, 7, 0, ask, in, sizeof in) == SM_ERR_NOT_FOUND);
    sm_bus_close(&bus);
}

/* ---- A serial line --------------------------------------------------------------------------- */

static void try_serial(const char *device)
{
    struct sm_posix_bus bus;
    struct sm_file_why why = {""};
    const struct sm_modbus_map map = {SM_MODBUS_READ_INPUT, -1, 1, 2, 0x103, {10, 5000}};
    struct sm_sensor s = {.id = "line",
                          .driver = &sm_driver_modbus,
                          .bus = &bus.bus,
                          .address = 1,
                          .ctx = (void *)(uintptr_t)&map};
    int32_t v[2] = {0};
    int err = sm_bus_open_serial(&bus, "rtu", device, 9600, SM_PARITY_NONE, 1, &why);
    check(err ? why.text : "the serial line opens", err == 0);
    if (err)
        return;
    err = start(&s);
    check(err ? sm_strerror(err) : "the transmitter answers", err == 0);
    for (int i = 0; !err && i < 10; i++)
        err = sample(&s, v);
    check("ten readings are what it measures", err == 0 && v[0] == -20500 && v[1] == 54600);
    s.address = 2;
    check("nobody at unit 2 is not found", start(&s) == SM_ERR_NOT_FOUND);
    sm_bus_close(&bus);
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 64;
    try_i2c(argv[1]);
    try_iio();
    try_spi(argv[2]);
    try_serial(argv[3]);
    printf(failures ? "board failed\n" : "board passed\n");
    return failures ? 1 : 0;
}
