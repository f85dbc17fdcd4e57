/* Updates over MQTT-SN: the daemon's link, both clients, and their memory.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTED_MQTTSN_H
#define SANDMOTED_MQTTSN_H

#include <posix/sn_link.h>
#include <sandmote/blocks_mqttsn.h>

#include "config.h"
#include "core.h"

#define MQTTSN_TOPIC 256u

struct mqttsn {
    const struct config_mqttsn *cfg;
    struct sm_sn_link *link;
    struct sm_mqttsn sn;
    struct sm_blocks_cfg blocks_cfg;
    struct sm_blocks blocks;
    struct core_loan dump;
    struct sm_blocks_mqttsn_cfg carrier_cfg;
    struct sm_blocks_mqttsn carrier;
    char up[MQTTSN_TOPIC], down[MQTTSN_TOPIC];
    enum sm_mqttsn_state state; /* that was logged last */
    uint32_t tenths;            /* of a module, logged last */
    struct sm_mqttsn_gateway gateways[CONFIG_GATEWAYS_MAX];
    struct sm_mqttsn_topic topics[2];
    char names[2 * MQTTSN_TOPIC];
    struct sm_mqttsn_request requests[4];
    uint8_t payloads[4 * SM_BLOCKS_MOST], message[SM_BLOCKS_MOST];
    uint8_t inbox[SM_BLOCKS_WINDOW * (SM_BLOCKS_MOST + SM_MQTTSN_INBOX_HEAD)];
    uint8_t buf[SM_BLOCKS_WINDOW * SM_BLOCKS_MOST];
};

/* Open the link as the configuration says. 0, or an error with a sentence in *why. m stays where it
 * is; end it in both cases. */
int mqttsn_start(struct mqttsn *m, const struct config *c, struct sm_device *device,
                 struct sm_file_why *why);
void mqttsn_stop(struct mqttsn *m);

/* Go on: the milliseconds after which it wants to be called again, besides whenever the link's
 * descriptors are ready. */
uint32_t mqttsn_step(struct mqttsn *m, uint64_t now_ms);

#endif
