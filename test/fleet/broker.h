/* A real Mosquitto on loopback. SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_FLEET_BROKER_H
#define TEST_FLEET_BROKER_H

#include "fleet_fixture.h"

struct broker {
    unsigned port;
    pid_t pid;
};

/* Start it on a free port, or again on the one it had; its files lie in the fixture's folder. */
void broker_start(struct broker *b, const struct fleet_fixture *fx);
void broker_stop(struct broker *b);
/* The server's configuration says where it is, with these further keys of "mqtt". Before
 * fleet_start(). */
void broker_configure(const struct broker *b, const struct fleet_fixture *fx, const char *more);

#endif
