/* Modbus RTU, the asking side: registers of one unit on a serial line, without waiting.
 *
 * One exchange at a time on a line: begin it, then step it until it is done. Frames end with
 * silence, so that bytes that come late, from an earlier exchange or from nobody, are taken and
 * thrown away before anything is sent, and answers that are not to what was asked are thrown away
 * as well. (A late answer that comes after the next question to the same unit, with the same
 * function and length, looks like its answer: Modbus RTU has nothing to tell them by.)
 *
 * Source: MODBUS over Serial Line V1.02, 2.5; MODBUS Application Protocol V1.1b3, 6 and 7.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_MODBUS_H
#define SANDMOTE_MODBUS_H

#include <stdbool.h>
#include <stdint.h>
#include <sandmote/bus.h>

#define SM_MODBUS_REGISTERS 32u /* most in one exchange */
#define SM_MODBUS_FRAME     (9u + 2u * SM_MODBUS_REGISTERS)

#define SM_MODBUS_READ_HOLDING   3u
#define SM_MODBUS_READ_INPUT     4u
#define SM_MODBUS_WRITE_SINGLE   6u
#define SM_MODBUS_WRITE_MULTIPLE 16u

struct sm_modbus_timing {
    uint16_t silence_ms; /* 3.5 characters or more; 0: 6, which is right from 9600 baud on */
    uint16_t timeout_ms; /* for the answer; 0: 500 */
};

/* An exchange; private. */
struct sm_modbus {
    uint8_t frame[SM_MODBUS_FRAME], len;
    uint8_t unit, function, phase;
    bool strange, broken;   /* what was thrown away: frames, bytes */
    uint16_t first, second; /* register; how many, or the value of a single write */
    uint64_t since_ms;      /* the phase */
};

/* Begin to read `count` registers, 1 to SM_MODBUS_REGISTERS, from `first` on; function is
 * SM_MODBUS_READ_HOLDING or SM_MODBUS_READ_INPUT. SM_ERR_ARG when that is not so, and when unit is
 * not 1 to 247 or the registers pass 65535. */
int sm_modbus_read(struct sm_modbus *m, uint8_t unit, uint8_t function, uint16_t first,
                   uint8_t count);

/* Begin to write: with SM_MODBUS_WRITE_SINGLE, where count is 1, or SM_MODBUS_WRITE_MULTIPLE. Else
 * as above. */
int sm_modbus_write(struct sm_modbus *m, uint8_t unit, uint8_t function, uint16_t first,
                    const uint16_t *values, uint8_t count);

/* Go on. timing may be NULL. 0 when done, a positive number of milliseconds to call again after, or
 *   SM_ERR_NOT_FOUND    nobody answered
 *   SM_ERR_CORRUPT      bytes came, but no frame with a good checksum
 *   SM_ERR_INVALID      only frames that answer something else; exceptions 2 (address), 3 (value)
 *   SM_ERR_UNSUPPORTED  exception 1: the unit does not know the function
 *   SM_ERR_BUSY         exceptions 5 and 6; or the line is never silent
 *   SM_ERR_IO           other exceptions; the port failed
 * after which the exchange has ended. */
int sm_modbus_step(struct sm_modbus *m, const struct sm_bus *line,
                   const struct sm_modbus_timing *timing, uint64_t now_ms);

/* The i-th register of a reading that is done. */
uint16_t sm_modbus_register(const struct sm_modbus *m, unsigned i);

/* The checksum of a frame, sent low byte first. */
uint16_t sm_modbus_crc(const uint8_t *bytes, uint32_t len);

#endif
