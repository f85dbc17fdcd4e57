/* Buses that sensors hang on, as a port gives them: I2C, SPI, a serial line.
 *
 * A transfer is short (some hundred bytes at bus speed) and done when it returns. Nothing waits for
 * a sensor to measure: drivers ask to be called again (sensor.h).
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_BUS_H
#define SANDMOTE_BUS_H

#include <stdint.h>
#include <sandmote/error.h>

#define SM_BUS_NAME_MAX 16u /* bytes of text */

enum sm_bus_kind { SM_BUS_NONE, SM_BUS_I2C, SM_BUS_SPI, SM_BUS_SERIAL, SM_BUS_KINDS };

/* Errors of every transfer: 0, or, with the bytes to read undefined,
 *   SM_ERR_NOT_FOUND  nobody acknowledged the address (I2C)
 *   SM_ERR_BUSY       the bus is held, by another master or by a chip that hangs
 *   SM_ERR_IO         the transfer broke off */
struct sm_bus {
    const char *name; /* "i2c-1"; what grants, bindings and settings call it */
    enum sm_bus_kind kind;
    void *ctx;
    union {
        /* Write out_len bytes to a 7-bit address, then, by a repeated start, read in_len. One of
         * the two may be 0; both 0 asks whether somebody acknowledges. */
        int (*i2c)(void *ctx, uint8_t address, const uint8_t *out, uint32_t out_len, uint8_t *in,
                   uint32_t in_len);
        /* Exchange len bytes with the chip of a select line. in may be NULL; mode is 0 to 3 (clock
         * polarity and phase). */
        int (*spi)(void *ctx, uint8_t select, uint8_t mode, const uint8_t *out, uint8_t *in,
                   uint32_t len);
        /* Send out_len bytes, then take what has arrived, at most in_len, without waiting. Returns
         * how many were taken, or an error. */
        int (*serial)(void *ctx, const uint8_t *out, uint32_t out_len, uint8_t *in,
                      uint32_t in_len);
    } transfer;
};

/* "i2c", "spi", "serial", "none"; NULL for anything else. */
const char *sm_bus_kind_name(unsigned kind);

#endif
