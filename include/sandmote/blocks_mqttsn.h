/* Updates in blocks over MQTT-SN: what joins the client of one (blocks.h) to that of the other
 * (mqttsn_client.h). It connects, registers the device's topic, subscribes to the server's, carries
 * messages with QoS 0 and, if it may, sleeps while there is nothing to ask.
 *
 * Nothing here does I/O or allocates: the owner carries the MQTT-SN client's datagrams.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_BLOCKS_MQTTSN_H
#define SANDMOTE_BLOCKS_MQTTSN_H

#include <sandmote/blocks.h>
#include <sandmote/mqttsn_client.h>

/* Borrowed for its life, with both clients. The MQTT-SN client must know a gateway or be able to
 * search one, have room for two topics, four requests and payloads of the messages' most bytes, and
 * serve nobody else. */
struct sm_blocks_mqttsn_cfg {
    struct sm_blocks *blocks;
    struct sm_mqttsn *sn;
    const char *up, *down; /* topic names: what the device publishes to and hears */
    uint8_t *message;      /* room for one of the blocks client's most bytes */
    uint16_t message_most;
    uint16_t keepalive_s; /* 0 = 30 */
    uint16_t sleep_s;     /* sleep when nothing is to be asked for so long; 0: never */
};

/* Fields are private. */
struct sm_blocks_mqttsn {
    const struct sm_blocks_mqttsn_cfg *cfg;
    int control, reg, sub;   /* tokens of what is under way; 0: nothing */
    uint16_t up, down;       /* numbers of the topics; 0: not known yet */
    uint64_t wake_ms;        /* asleep until then */
    uint64_t again_ms;       /* nothing is tried before: the last try failed */
    uint32_t sent, received; /* messages */
};

void sm_blocks_mqttsn_init(struct sm_blocks_mqttsn *c, const struct sm_blocks_mqttsn_cfg *cfg);

/* Go on: after each step of the device, whenever the MQTT-SN client was fed, and after the time
 * that this returns, in milliseconds. The MQTT-SN client may have datagrams to send then. */
uint32_t sm_blocks_mqttsn_step(struct sm_blocks_mqttsn *c, uint64_t now_ms);

#endif
