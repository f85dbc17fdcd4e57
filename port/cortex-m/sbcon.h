/* I2C on the board: Arm's "serial bus connector", two lines that the program moves itself.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_SBCON_H
#define SM_SBCON_H

#include <stdbool.h>
#include <sandmote/bus.h>

#define SM_SBCON_SHIELD 0x4002a000u /* on the board's second shield; QEMU's bus "i2c" */

/* A connector; stays in place while anybody uses `bus`. */
struct sm_sbcon {
    struct sm_bus bus;
    volatile uint32_t
        *lines;        /* [0]: written bits go high, reads levels; [1]: written bits go low */
    uint32_t half_bit; /* turns of the loop that waits */
};

/* The connector at that address, with both lines high; speed is in Hz, about. name is borrowed. */
void sm_sbcon_init(struct sm_sbcon *c, const char *name, uint32_t address, uint32_t speed);

#endif
