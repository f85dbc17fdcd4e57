/* A device that has no HTTPS: the client of updates in blocks, over MQTT. Its flash is memory, its
 * clock the host's.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_FLEET_MQTT_DEVICE_H
#define TEST_FLEET_MQTT_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

/* A device of plant-7, class edge, that believes this key. */
void mqtt_device_begin(const char *id, const uint8_t signer[32], unsigned port);
/* It is off and on again: what is not on its flash is gone. */
void mqtt_device_restart(void);
void mqtt_device_end(void);
/* Let it run until it has the whole module or runs this sequence; false when that does not happen
 * in time. lost: percent of messages that get lost in each direction. */
bool mqtt_device_runs(uint64_t sequence, unsigned lost, uint32_t ms);
/* The same until so many bytes have come. */
bool mqtt_device_has(uint32_t bytes, uint32_t ms);
void mqtt_device_run(uint32_t ms);
/* Blocks that were of use, since it was on. */
uint32_t mqtt_device_blocks(void);
/* Messages that came and were the answer to nothing. */
uint32_t mqtt_device_unasked(void);
/* Bytes as if another device sent them. */
void mqtt_device_send(const char *topic, const void *bytes, int len);

#endif
