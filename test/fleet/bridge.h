/* Ways between a device and its gateway that lose things, each a process of its own.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_FLEET_BRIDGE_H
#define TEST_FLEET_BRIDGE_H

#include <sys/types.h>

struct bridge {
    pid_t pid;
    unsigned port;   /* where the device finds its gateway */
    char device[64]; /* or the serial line that it opens */
};

/* A UDP port in front of a gateway's; percent of datagrams get lost, doubled and late, each way. */
void bridge_udp(struct bridge *b, unsigned gateway_port, unsigned lost, unsigned doubled,
                unsigned late);
/* A serial line to a forwarder in front of it; of 10,000 bytes so many are wrong, each way. */
void bridge_serial(struct bridge *b, unsigned gateway_port, unsigned wrong);
void bridge_stop(struct bridge *b);

#endif
