/* The buses of a Linux host. There is no hardware: i2c-dev and spidev are played at ioctl(2), where
 * each message is checked and handed to a simulated bus; the serial line is a real one, a
 * pseudo-terminal with the simulated transmitter at its other end.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <linux/i2c-dev.h>
#include <linux/i2c.h>
#include <linux/spi/spidev.h>
#include <pty.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>
#include <posix/bus.h>
#include <sandmote/drivers.h>
#include "drive.h"

/* ---- The kernel, played ---------------------------------------------------------------------- */

static struct kernel {
    const struct sm_bus *bus; /* behind the adapter */
    unsigned long can;
    int error; /* that each transfer fails with */
    int less;  /* that it says it did less than it was asked */
    uint8_t mode;
    unsigned modes;
    struct i2c_msg message[2]; /* of the last transfer */
    unsigned messages;
    struct spi_ioc_transfer spi;
} kernel;

int __real_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);

static int failed(int error)
{
    errno = error;
    return -1;
}

static int play_i2c(const struct i2c_rdwr_ioctl_data *t)
{
    const struct i2c_msg *m = t->msgs;
    assert_in_range(t->nmsgs, 1, 2);
    memcpy(kernel.message, m, t->nmsgs * sizeof *m);
    kernel.messages = t->nmsgs;
    if (kernel.error)
        return failed(kernel.error);
    bool reads = m[t->nmsgs - 1].flags & I2C_M_RD, writes = !(m[0].flags & I2C_M_RD);
    int err = kernel.bus->transfer.i2c(
        kernel.bus->ctx, (uint8_t)m[0].addr, writes ? m[0].buf : NULL, writes ? m[0].len : 0,
        reads ? m[t->nmsgs - 1].buf : NULL, reads ? m[t->nmsgs - 1].len : 0);
    return err == SM_ERR_NOT_FOUND ? failed(ENXIO)
           : err                   ? failed(EIO)
                                   : (int)t->nmsgs - kernel.less;
}

static int play_spi(const struct spi_ioc_transfer *t)
{
    kernel.spi = *t;
    if (kernel.error)
        return failed(kernel.error);
    int err = kernel.bus->transfer.spi(kernel.bus->ctx, 2, kernel.mode,
                                       (const uint8_t *)(uintptr_t)t->tx_buf,
                                       (uint8_t *)(uintptr_t)t->rx_buf, t->len);
    return err ? failed(EIO) : (int)t->len - kernel.less;
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
    va_list args;
    va_start(args, request);
    void *p = va_arg(args, void *);
    va_end(args);
    switch (request) {
    case I2C_FUNCS: *(unsigned long *)p = kernel.can; return kernel.can ? 0 : failed(ENOTTY);
    case I2C_RDWR: return play_i2c(p);
    case SPI_IOC_WR_MODE:
        kernel.mode = *(uint8_t *)p;
        kernel.modes++;
        return kernel.error ? failed(kernel.error) : 0;
    case SPI_IOC_MESSAGE(1): return play_spi(p);
    default: return __real_ioctl(fd, request, p);
    }
}

/* ---- A bench with device files --------------------------------------------------------------- */

struct host {
    struct bench bench;
    struct sm_posix_bus bus;
    struct sm_file_why why;
    char folder[64], device[96];
};

static int setup(void **state)
{
    struct host *h = calloc(1, sizeof *h);
    strcpy(h->folder, "/tmp/sandmote-bus-XXXXXX");
    kernel = (struct kernel){.bus = &h->bench.bus.bus, .can = I2C_FUNC_I2C | I2C_FUNC_SMBUS_EMUL};
    *state = h;
    return h && mkdtemp(h->folder) ? 0 : -1;
}

static void device_file(struct host *h, const char *name)
{
    snprintf(h->device, sizeof h->device, "%s/%s", h->folder, name);
    int fd = open(h->device, O_CREAT | O_RDWR, 0600);
    assert_true(fd >= 0);
    close(fd);
}

static int teardown(void **state)
{
    struct host *h = *state;
    sm_bus_close(&h->bus);
    unlink(h->device);
    rmdir(h->folder);
    free(h);
    return 0;
}

static struct host *with_i2c(void **state, const struct sm_sim_model *model,
                             const struct sm_sensor_driver *driver, uint8_t address)
{
    struct host *h = *state;
    device_file(h, "i2c-1");
    bench_init(&h->bench, model, driver, address);
    if (sm_bus_open_i2c(&h->bus, "i2c-1", h->device, &h->why) != 0)
        fail_msg("%s", h->why.text);
    h->bench.sensor.bus = &h->bus.bus;
    return h;
}

/* ---- I2C ------------------------------------------------------------------------------------- */

static int transfer(struct host *h, const uint8_t *out, uint32_t out_len, uint8_t *in,
                    uint32_t in_len)
{
    return h->bus.bus.transfer.i2c(h->bus.bus.ctx, 0x48, out, out_len, in, in_len);
}

static void assert_message(unsigned i, unsigned flags, unsigned len, const void *buf)
{
    assert_int_equal(kernel.message[i].addr, 0x48);
    assert_int_equal(kernel.message[i].flags, flags);
    assert_int_equal(kernel.message[i].len, len);
    assert_ptr_equal(kernel.message[i].buf, buf);
}

static void i2c_messages_are_what_the_kernel_wants(void **state)
{
    struct host *h = with_i2c(state, &sm_sim_tmp105, &sm_driver_tmp105, 0x48);
    const uint8_t out[2] = {1, 0x60};
    uint8_t in[2];
    assert_int_equal(transfer(h, out, 2, NULL, 0), 0);
    assert_int_equal(kernel.messages, 1);
    assert_message(0, 0, 2, out);
    assert_int_equal(transfer(h, out, 1, in, 1), 0); /* one transfer: a repeated start between */
    assert_int_equal(kernel.messages, 2);
    assert_message(0, 0, 1, out);
    assert_message(1, I2C_M_RD, 1, in);
    assert_int_equal(in[0], 0x60);
    assert_int_equal(transfer(h, NULL, 0, in, 2), 0);
    assert_int_equal(kernel.messages, 1);
    assert_message(0, I2C_M_RD, 2, in);
    assert_int_equal(transfer(h, NULL, 0, NULL, 0), 0);
    assert_int_equal(kernel.messages, 1);
    assert_message(0, 0, 0, NULL);
    assert_int_equal(transfer(h, NULL, 0, in, 8193), SM_ERR_IO);
}

static void i2c_errors_have_one_meaning_each(void **state)
{
    static const int errors[][2] = {{ENXIO, SM_ERR_NOT_FOUND}, {EREMOTEIO, SM_ERR_NOT_FOUND},
                                    {EAGAIN, SM_ERR_BUSY},     {EBUSY, SM_ERR_BUSY},
                                    {ETIMEDOUT, SM_ERR_BUSY},  {EIO, SM_ERR_IO},
                                    {ENODEV, SM_ERR_IO}};
    struct host *h = with_i2c(state, &sm_sim_tmp105, &sm_driver_tmp105, 0x48);
    for (unsigned i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        kernel.error = errors[i][0];
        assert_int_equal(transfer(h, NULL, 0, NULL, 0), errors[i][1]);
    }
    kernel.error = 0;
    kernel.less = 1;
    assert_int_equal(transfer(h, NULL, 0, NULL, 0), SM_ERR_IO);
}

static void a_bme280_is_driven_through_i2c_dev(void **state)
{
    struct host *h = with_i2c(state, &sm_sim_bme280, &sm_driver_bme280, 0x76);
    int32_t v[3];
    bench_play(&h->bench, "temperature", 12340);
    assert_int_equal(bench_start(&h->bench), 0);
    assert_int_equal(bench_sample(&h->bench, v), 0);
    assert_in_range(v[0], 12330, 12350);
    bench_break(&h->bench, SM_SIM_NACK);
    assert_int_equal(bench_sample(&h->bench, v), SM_ERR_NOT_FOUND);
}

static void files_that_are_no_adapter_are_refused(void **state)
{
    struct host *h = *state;
    assert_int_equal(sm_bus_open_i2c(&h->bus, "i2c", "/nonexistent/i2c-1", &h->why),
                     SM_ERR_NOT_FOUND);
    assert_string_equal(h->why.text, "/nonexistent/i2c-1: No such file or directory");
    device_file(h, "i2c-1");
    kernel.can = 0;
    assert_int_equal(sm_bus_open_i2c(&h->bus, "i2c", h->device, &h->why), SM_ERR_INVALID);
    assert_non_null(strstr(h->why.text, "is no I2C adapter"));
    kernel.can = I2C_FUNC_SMBUS_EMUL;
    assert_int_equal(sm_bus_open_i2c(&h->bus, "i2c", h->device, &h->why), SM_ERR_INVALID);
    assert_non_null(strstr(h->why.text, "does SMBus only"));
    char path[PATH_MAX + 8];
    memset(path, 'x', sizeof path);
    path[sizeof path - 1] = 0;
    assert_int_equal(sm_bus_open_i2c(&h->bus, "i2c", path, &h->why), SM_ERR_INVALID);
}

/* ---- SPI ------------------------------------------------------------------------------------- */

static void an_adxl345_is_driven_through_spidev(void **state)
{
    struct host *h = *state;
    char base[96];
    int32_t v[3];
    device_file(h, "spidev0.2");
    snprintf(base, sizeof base, "%s/spidev0", h->folder);
    bench_init(&h->bench, &sm_sim_adxl345, &sm_driver_adxl345, 2);
    assert_int_equal(sm_bus_open_spi(&h->bus, "spi-0", base, 1000000, &h->why), 0);
    h->bench.sensor.bus = &h->bus.bus;
    assert_int_equal(bench_start(&h->bench), 0);
    assert_int_equal(bench_sample(&h->bench, v), 0);
    assert_in_range(v[2], 996, 1004);
    assert_int_equal(kernel.mode, 3);
    assert_int_equal(kernel.modes, 1); /* set once */
    assert_int_equal(kernel.spi.len, 13);
    assert_int_equal(kernel.spi.speed_hz, 1000000);
    assert_int_equal(kernel.spi.bits_per_word, 8);
    assert_int_equal(kernel.spi.cs_change, 0);
    kernel.error = EIO;
    assert_int_equal(bench_sample(&h->bench, v), SM_ERR_IO);
    kernel.error = 0;
    kernel.less = 1;
    assert_int_equal(bench_sample(&h->bench, v), SM_ERR_IO);
}

static void a_select_line_without_a_file_is_not_found(void **state)
{
    struct host *h = *state;
    uint8_t byte = 0;
    assert_int_equal(sm_bus_open_spi(&h->bus, "spi-0", "/nonexistent/spidev0", 1000, &h->why), 0);
    assert_int_equal(h->bus.bus.transfer.spi(&h->bus, 0, 3, &byte, &byte, 1), SM_ERR_NOT_FOUND);
    assert_int_equal(h->bus.bus.transfer.spi(&h->bus, 8, 3, &byte, &byte, 1), SM_ERR_NOT_FOUND);
}

/* ---- Serial lines ---------------------------------------------------------------------------- */

static uint64_t real_ns(void *ctx)
{
    struct timespec t;
    (void)ctx;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* What arrives at the far end goes to the simulated line, and its answers back. */
static void pump(struct host *h, int far)
{
    struct sm_bus *line = &h->bench.bus.bus;
    uint8_t bytes[64];
    ssize_t n = read(far, bytes, sizeof bytes);
    if (n > 0)
        assert_true(line->transfer.serial(line->ctx, bytes, (uint32_t)n, NULL, 0) >= 0);
    int got = line->transfer.serial(line->ctx, NULL, 0, bytes, sizeof bytes);
    assert_true(got >= 0);
    assert_int_equal(write(far, bytes, (size_t)got), got);
}

static int sample_over(struct host *h, int far, int32_t *v)
{
    struct sm_sensor *s = &h->bench.sensor;
    int got = 1;
    for (s->step = 0; got > 0; s->step++) {
        s->now_ms = real_ns(NULL) / 1000000;
        got = s->driver->sample(s, v);
        for (int ms = 0; ms < got; ms++) {
            usleep(1000);
            if (far >= 0)
                pump(h, far);
        }
    }
    return got;
}

static void a_transmitter_is_read_over_a_real_terminal(void **state)
{
    struct host *h = *state;
    int far, near;
    char path[64];
    int32_t v[2];
    struct termios t;
    bench_init(&h->bench, &sm_sim_modbus, &sm_driver_modbus, 1);
    h->bench.clock.now_ns = real_ns;
    assert_int_equal(openpty(&far, &near, path, NULL, NULL), 0);
    fcntl(far, F_SETFL, O_NONBLOCK);
    if (sm_bus_open_serial(&h->bus, "tty", path, 9600, SM_PARITY_NONE, 1, &h->why) != 0)
        fail_msg("%s", h->why.text);
    assert_int_equal(tcgetattr(near, &t), 0);
    assert_int_equal(t.c_lflag & (ICANON | ECHO | ISIG), 0);
    assert_int_equal(t.c_iflag & (ICRNL | INLCR | IXON | ISTRIP), 0);
    assert_int_equal(t.c_oflag & OPOST, 0);
    assert_int_equal(cfgetospeed(&t), B9600);
    h->bench.sensor.bus = &h->bus.bus;
    /* long, so that a busy machine is not taken for a silent transmitter */
    struct sm_modbus_map map = {SM_MODBUS_READ_INPUT, -1, 1, 2, 0, {0, 10000}};
    h->bench.sensor.ctx = &map;
    bench_play(&h->bench, "temperature", 33300);
    bench_play(&h->bench, "humidity", 27700);
    assert_int_equal(sample_over(h, far, v), 0);
    assert_int_equal(v[0], 33300);
    assert_int_equal(v[1], 27700);
    map.timing.timeout_ms = 200;
    bench_break(&h->bench, SM_SIM_BAD_CRC);
    assert_int_equal(sample_over(h, far, v), SM_ERR_CORRUPT);
    bench_break(&h->bench, SM_SIM_NACK);
    assert_int_equal(sample_over(h, far, v), SM_ERR_NOT_FOUND);
    bench_mend(&h->bench);
    map.timing.timeout_ms = 10000;
    for (int32_t t10 = 0; t10 < 20; t10++) { /* 0x0d, 0x11 and the like are bytes */
        bench_play(&h->bench, "temperature", t10 * 2570);
        assert_int_equal(sample_over(h, far, v), 0);
        assert_int_equal(v[0], t10 * 2570 / 100 * 100);
    }
    close(far);
    assert_true(sample_over(h, -1, v) < 0); /* the other end hung up */
    close(near);
}

static void lines_that_cannot_be_are_refused(void **state)
{
    struct host *h = *state;
    device_file(h, "tty");
    assert_int_equal(
        sm_bus_open_serial(&h->bus, "tty", "/nonexistent", 9600, SM_PARITY_NONE, 1, &h->why),
        SM_ERR_NOT_FOUND);
    assert_int_equal(
        sm_bus_open_serial(&h->bus, "tty", h->device, 9601, SM_PARITY_NONE, 1, &h->why),
        SM_ERR_INVALID);
    assert_int_equal(
        sm_bus_open_serial(&h->bus, "tty", h->device, 9600, SM_PARITY_NONE, 3, &h->why),
        SM_ERR_INVALID);
    assert_int_equal(
        sm_bus_open_serial(&h->bus, "tty", h->device, 9600, SM_PARITY_EVEN, 1, &h->why),
        SM_ERR_INVALID);
    assert_non_null(strstr(h->why.text, "is no serial line"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define ON_HOST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        ON_HOST(i2c_messages_are_what_the_kernel_wants),
        ON_HOST(i2c_errors_have_one_meaning_each),
        ON_HOST(a_bme280_is_driven_through_i2c_dev),
        ON_HOST(files_that_are_no_adapter_are_refused),
        ON_HOST(an_adxl345_is_driven_through_spidev),
        ON_HOST(a_select_line_without_a_file_is_not_found),
        ON_HOST(a_transmitter_is_read_over_a_real_terminal),
        ON_HOST(lines_that_cannot_be_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
