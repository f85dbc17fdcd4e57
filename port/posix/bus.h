/* Buses of a Linux host: i2c-dev, spidev and serial lines.
 *
 * The kernel's drivers do the transfers; a call returns when it is over, which on a bus that hangs
 * is after the adapter's own timeout (a second on most).
 *
 * Each function that fails leaves one sentence in why->text. Devices that are not there, or not
 * what they should be, are SM_ERR_NOT_FOUND and SM_ERR_INVALID; everything else is SM_ERR_IO.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_POSIX_BUS_H
#define SM_POSIX_BUS_H

#include <limits.h>
#include <sandmote/bus.h>
#include <posix/file.h>

#define SM_SPI_SELECTS 8u

/* An open bus; stays in place while anybody uses `bus`. Private but for that. */
struct sm_posix_bus {
    struct sm_bus bus;
    char device[PATH_MAX];
    uint32_t speed;
    int fd[SM_SPI_SELECTS];       /* the first alone but for SPI; -1: not open */
    uint8_t mode[SM_SPI_SELECTS]; /* of SPI, as last set */
};

/* An I2C adapter, as in "/dev/i2c-1". It must do plain transfers (I2C_FUNC_I2C): SMBus-only
 * adapters are refused. name is borrowed. */
int sm_bus_open_i2c(struct sm_posix_bus *b, const char *name, const char *device,
                    struct sm_file_why *why);

/* An SPI controller, as in "/dev/spidev0": select line n is the device file "/dev/spidev0.n",
 * opened when it is first used, so that its errors are those of transfers. speed is in Hz. At most
 * SM_SPI_SELECTS select lines. */
int sm_bus_open_spi(struct sm_posix_bus *b, const char *name, const char *device, uint32_t speed,
                    struct sm_file_why *why);

enum sm_parity { SM_PARITY_NONE, SM_PARITY_EVEN, SM_PARITY_ODD };

/* A serial line, as in "/dev/ttyUSB0": 8 data bits, no flow control, one stop bit (two without
 * parity when `stop_bits` is 2). baud is one of 1200, 2400, 4800, 9600, 19200, 38400, 57600,
 * 115200. The line is taken for this process alone. */
int sm_bus_open_serial(struct sm_posix_bus *b, const char *name, const char *device, uint32_t baud,
                       enum sm_parity parity, unsigned stop_bits, struct sm_file_why *why);

/* Close what is open; for a struct that was opened, or zero. */
void sm_bus_close(struct sm_posix_bus *b);

#endif
