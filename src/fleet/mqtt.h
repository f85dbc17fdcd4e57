/* Devices behind an MQTT broker: their messages (blocks.h) to and from topics, in a thread of its
 * own with its own connections to the database.
 *
 * A device's id is the part of its topic, <prefix>/<device>/up: the broker must let each publish to
 * its own only. libmosquitto connects again by itself, later and later.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_FLEET_MQTT_H
#define SM_FLEET_MQTT_H

#include "server.h"

struct sm_fleet_mqtt;

/* Begin, as cfg.mqtt says; cfg is that of a server whose database is at db_path. It must not change
 * any more. NULL when that failed, which is logged; a broker that is not there is no failure. */
struct sm_fleet_mqtt *sm_fleet_mqtt_start(const struct sm_fleet_config *cfg, const char *db_path);
/* Waits for the thread. NULL is allowed. */
void sm_fleet_mqtt_stop(struct sm_fleet_mqtt *m);

#endif
