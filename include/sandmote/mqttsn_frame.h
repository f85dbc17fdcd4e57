/* MQTT-SN over serial lines: frames, so that a receiver knows where a message begins whatever the
 * line did to the octets before.
 *
 * A frame is the message and its CRC-16/X.25 (low octet first), COBS-encoded, between two zero
 * octets; the one before ends whatever noise came first. A frame that is damaged, or longer than
 * the receiver's buffer, is dropped as a whole, and the message is sent again by the protocol
 * above. SPEC.md, "MQTT-SN on serial lines".
 *
 * Raw is what some other tools do: the messages themselves, each telling its length, and a pause of
 * 100 ms after which a message that is not complete is given up.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_MQTTSN_FRAME_H
#define SANDMOTE_MQTTSN_FRAME_H

#include <sandmote/mqttsn.h>

/* Octets of the frame of a message of len octets, at most. */
#define SM_MQTTSN_FRAME_SIZE(len) ((len) + 2u + ((len) + 2u) / 254u + 1u + 2u)

/* CRC-16/X.25: reflected polynomial 0x8408, begun with and finally xored with 0xffff. */
uint16_t sm_mqttsn_crc(const uint8_t *bytes, size_t len);

/* The frame of a message, into out, which does not overlap it. Its length, or SM_ERR_MEMORY when
 * size is below SM_MQTTSN_FRAME_SIZE(len). */
int sm_mqttsn_frame(const uint8_t *message, size_t len, uint8_t *out, size_t size);

/* The receiving side; private but for the counters. */
struct sm_mqttsn_deframer {
    uint8_t *buffer; /* borrowed */
    size_t size, used;
    bool raw, spoiled; /* spoiled: what comes until the next zero is thrown away */
    uint64_t last_ms;
    uint32_t damaged; /* frames dropped: checksum, encoding, length */
};

/* Begin. Frames are at most size - 1 octets, so messages of SM_MQTTSN_FRAME_SIZE(len) <= size fit.
 */
void sm_mqttsn_deframer_init(struct sm_mqttsn_deframer *d, bool raw, uint8_t *buffer, size_t size);

/* Take octets that came, until a message is complete: its length; it is at the begin of the buffer
 * until the next call. 0: all taken, and no message yet. *used is how many octets were taken; call
 * again with the rest. now_ms matters only to raw lines. */
size_t sm_mqttsn_deframe(struct sm_mqttsn_deframer *d, const uint8_t *bytes, size_t len,
                         size_t *used, uint64_t now_ms);

#endif
