/* Buses of a Linux host.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "bus.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/i2c-dev.h>
#include <linux/i2c.h>
#include <linux/spi/spidev.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

/* i2c-dev takes no longer messages. */
#define MESSAGE_MAX 8192u
#define NO_MODE     0xffu

static int fail(struct sm_file_why *why, int err, const char *device, const char *what)
{
    snprintf(why->text, sizeof why->text, "%.400s: %s", device, what);
    return err;
}

static int init(struct sm_posix_bus *b, const char *name, enum sm_bus_kind kind, const char *device,
                struct sm_file_why *why)
{
    memset(b, 0, sizeof *b);
    b->bus.name = name;
    b->bus.kind = kind;
    b->bus.ctx = b;
    memset(b->fd, -1, sizeof b->fd);
    memset(b->mode, NO_MODE, sizeof b->mode);
    if (strlen(device) >= sizeof b->device - 4) /* ".255" follows for SPI */
        return fail(why, SM_ERR_INVALID, device, "the path is too long");
    strcpy(b->device, device);
    return 0;
}

static int open_device(struct sm_posix_bus *b, int flags, struct sm_file_why *why)
{
    b->fd[0] = open(b->device, O_RDWR | O_CLOEXEC | flags);
    if (b->fd[0] >= 0)
        return 0;
    return fail(why, errno == ENOENT ? SM_ERR_NOT_FOUND : SM_ERR_IO, b->device, strerror(errno));
}

void sm_bus_close(struct sm_posix_bus *b)
{
    if (b->bus.kind == SM_BUS_NONE)
        return;
    for (unsigned i = 0; i < SM_SPI_SELECTS; i++)
        if (b->fd[i] >= 0)
            close(b->fd[i]);
    memset(b, 0, sizeof *b);
}

static int refuse(struct sm_posix_bus *b, struct sm_file_why *why, int err, const char *what)
{
    (void)fail(why, err, b->device, what);
    sm_bus_close(b);
    return err;
}

/* ---- I2C ------------------------------------------------------------------------------------- */

/* As the kernel's documentation has them (i2c/fault-codes): adapters differ in how they say that
 * nobody acknowledged. */
static int i2c_error(int error)
{
    switch (error) {
    case ENXIO:
    case EREMOTEIO: return SM_ERR_NOT_FOUND;
    case EAGAIN: /* another master was faster */
    case EBUSY:
    case ETIMEDOUT: return SM_ERR_BUSY;
    default: return SM_ERR_IO;
    }
}

static int i2c(void *ctx, uint8_t address, const uint8_t *out, uint32_t out_len, uint8_t *in,
               uint32_t in_len)
{
    const struct sm_posix_bus *b = ctx;
    struct i2c_msg message[2];
    struct i2c_rdwr_ioctl_data transfer = {message, 0};
    if (out_len > MESSAGE_MAX || in_len > MESSAGE_MAX)
        return SM_ERR_IO;
    if (out_len > 0 || in_len == 0) /* nothing at all: the address alone, to write */
        message[transfer.nmsgs++] =
            (struct i2c_msg){address, 0, (uint16_t)out_len, (uint8_t *)(uintptr_t)out};
    if (in_len > 0)
        message[transfer.nmsgs++] = (struct i2c_msg){address, I2C_M_RD, (uint16_t)in_len, in};
    int done = ioctl(b->fd[0], I2C_RDWR, &transfer);
    if (done < 0)
        return i2c_error(errno);
    return done == (int)transfer.nmsgs ? 0 : SM_ERR_IO;
}

int sm_bus_open_i2c(struct sm_posix_bus *b, const char *name, const char *device,
                    struct sm_file_why *why)
{
    unsigned long can = 0;
    int err = init(b, name, SM_BUS_I2C, device, why);
    if (!err)
        err = open_device(b, 0, why);
    if (err)
        return err;
    if (ioctl(b->fd[0], I2C_FUNCS, &can) < 0)
        return refuse(b, why, SM_ERR_INVALID, "is no I2C adapter");
    if (!(can & I2C_FUNC_I2C))
        return refuse(b, why, SM_ERR_INVALID, "does SMBus only, no plain I2C transfers");
    b->bus.transfer.i2c = i2c;
    return 0;
}

/* ---- SPI ------------------------------------------------------------------------------------- */

/* The file of a select line, in the mode that is wanted. */
static int select_line(struct sm_posix_bus *b, uint8_t select, uint8_t mode)
{
    char path[PATH_MAX + 4];
    if (select >= SM_SPI_SELECTS)
        return SM_ERR_NOT_FOUND;
    if (b->fd[select] < 0) {
        snprintf(path, sizeof path, "%s.%u", b->device, select);
        b->fd[select] = open(path, O_RDWR | O_CLOEXEC);
        if (b->fd[select] < 0)
            return errno == ENOENT ? SM_ERR_NOT_FOUND : SM_ERR_IO;
    }
    if (b->mode[select] == mode)
        return 0;
    if (ioctl(b->fd[select], SPI_IOC_WR_MODE, &mode) < 0)
        return SM_ERR_IO;
    b->mode[select] = mode;
    return 0;
}

static int spi(void *ctx, uint8_t select, uint8_t mode, const uint8_t *out, uint8_t *in,
               uint32_t len)
{
    struct sm_posix_bus *b = ctx;
    struct spi_ioc_transfer transfer;
    int err = select_line(b, select, mode);
    if (err)
        return err;
    memset(&transfer, 0, sizeof transfer);
    transfer.tx_buf = (uintptr_t)out;
    transfer.rx_buf = (uintptr_t)in;
    transfer.len = len;
    transfer.speed_hz = b->speed;
    transfer.bits_per_word = 8;
    int done = ioctl(b->fd[select], SPI_IOC_MESSAGE(1), &transfer);
    if (done < 0)
        return errno == EBUSY ? SM_ERR_BUSY : SM_ERR_IO;
    return (uint32_t)done == len ? 0 : SM_ERR_IO;
}

int sm_bus_open_spi(struct sm_posix_bus *b, const char *name, const char *device, uint32_t speed,
                    struct sm_file_why *why)
{
    int err = init(b, name, SM_BUS_SPI, device, why);
    b->speed = speed;
    b->bus.transfer.spi = spi;
    return err;
}

/* ---- Serial lines ---------------------------------------------------------------------------- */

static int send(int fd, const uint8_t *out, uint32_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, out, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return errno == EAGAIN ? SM_ERR_BUSY : SM_ERR_IO;
        out += n;
        len -= (uint32_t)n;
    }
    return 0;
}

static int serial(void *ctx, const uint8_t *out, uint32_t out_len, uint8_t *in, uint32_t in_len)
{
    const struct sm_posix_bus *b = ctx;
    int err = send(b->fd[0], out, out_len);
    if (err || in_len == 0)
        return err;
    ssize_t n = read(b->fd[0], in, in_len);
    if (n >= 0)
        return (int)n;
    return errno == EAGAIN || errno == EINTR ? 0 : SM_ERR_IO;
}

static speed_t speed_of(uint32_t baud)
{
    static const struct {
        uint32_t baud;
        speed_t speed;
    } speeds[] = {{1200, B1200},   {2400, B2400},   {4800, B4800},   {9600, B9600},
                  {19200, B19200}, {38400, B38400}, {57600, B57600}, {115200, B115200}};

    for (unsigned i = 0; i < sizeof speeds / sizeof speeds[0]; i++)
        if (speeds[i].baud == baud)
            return speeds[i].speed;
    return B0;
}

/* Raw, without waiting: a read gives what is there. */
static int set_line(int fd, speed_t speed, enum sm_parity parity, unsigned stop_bits)
{
    struct termios t;
    if (tcgetattr(fd, &t) < 0)
        return SM_ERR_INVALID;
    cfmakeraw(&t);
    t.c_iflag &= (tcflag_t) ~(IXON | IXOFF | IXANY | INPCK);
    t.c_cflag &= (tcflag_t) ~(CSTOPB | CRTSCTS | PARENB | PARODD | CSIZE);
    t.c_cflag |= CS8 | CLOCAL | CREAD;
    if (parity != SM_PARITY_NONE)
        t.c_cflag |= PARENB | (parity == SM_PARITY_ODD ? PARODD : 0);
    if (parity !=
        SM_PARITY_NONE) /* a byte with wrong parity is dropped, so its frame is too short */
        t.c_iflag |= INPCK | IGNPAR;
    if (stop_bits == 2)
        t.c_cflag |= CSTOPB;
    t.c_cc[VMIN] = 0;
    t.c_cc[VTIME] = 0;
    cfsetispeed(&t, speed);
    cfsetospeed(&t, speed);
    return tcsetattr(fd, TCSANOW, &t) < 0 || ioctl(fd, TIOCEXCL) < 0 || tcflush(fd, TCIOFLUSH) < 0
               ? SM_ERR_IO
               : 0;
}

int sm_bus_open_serial(struct sm_posix_bus *b, const char *name, const char *device, uint32_t baud,
                       enum sm_parity parity, unsigned stop_bits, struct sm_file_why *why)
{
    speed_t speed = speed_of(baud);
    int err = init(b, name, SM_BUS_SERIAL, device, why);
    if (err)
        return err;
    if (speed == B0 || stop_bits < 1 || stop_bits > 2)
        return refuse(b, why, SM_ERR_INVALID, "not a speed or a number of stop bits that is known");
    err = open_device(b, O_NOCTTY | O_NONBLOCK, why);
    if (err)
        return err;
    err = set_line(b->fd[0], speed, parity, stop_bits);
    if (err)
        return refuse(b, why, err,
                      err == SM_ERR_INVALID ? "is no serial line" : "cannot be set as asked");
    b->speed = baud;
    b->bus.transfer.serial = serial;
    return 0;
}
