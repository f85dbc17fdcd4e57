/* MQTT 3.1.1, the client's side: packets as a struct, from and to a stream. No I/O.
 *
 * The gateway's own codec because acknowledgements to the broker must wait until a message is safe:
 * libmosquitto 2.0 sends PUBACK and PUBREC before it calls its user (DESIGN.md, Gateway).
 *
 * Source of all layouts: MQTT Version 3.1.1, OASIS standard, chapters 2 and 3.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_GATEWAY_MQTT_H
#define SM_GATEWAY_MQTT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sandmote/error.h>

enum mqtt_type {
    MQTT_CONNECT = 1,
    MQTT_CONNACK,
    MQTT_PUBLISH,
    MQTT_PUBACK,
    MQTT_PUBREC,
    MQTT_PUBREL,
    MQTT_PUBCOMP,
    MQTT_SUBSCRIBE,
    MQTT_SUBACK,
    MQTT_UNSUBSCRIBE,
    MQTT_UNSUBACK,
    MQTT_PINGREQ,
    MQTT_PINGRESP,
    MQTT_DISCONNECT
};

#define MQTT_REFUSED 0x80u /* return code of a SUBACK */

/* A packet that a broker sends, or a client but for CONNECT. What its type does not have is 0. */
struct mqtt_packet {
    uint8_t type; /* enum mqtt_type */
    uint8_t qos;  /* PUBLISH; SUBSCRIBE: the one asked for */
    bool dup, retain;
    bool session; /* CONNACK: the broker has a session of before */
    uint8_t code; /* CONNACK, SUBACK */
    uint16_t id;  /* all but PUBLISH of QoS 0 and those without fields */
    uint16_t topic_len;
    uint32_t len;
    const uint8_t *topic; /* PUBLISH: name; SUBSCRIBE, UNSUBSCRIBE: one filter */
    const uint8_t *data;  /* PUBLISH: payload */
};

/* What a connection begins with. Texts of a NULL pointer are left out. */
struct mqtt_connect {
    const char *client_id, *user, *password;
    const uint8_t *will_topic, *will_data;
    uint16_t will_topic_len, will_len, keepalive_s;
    uint8_t will_qos;
    bool will_retain, clean;
};

/* Read the packet at the head of a stream, as a broker sends it to a client: CONNACK, PUBLISH, the
 * acknowledgements, PUBREL, SUBACK of one filter, UNSUBACK, PINGRESP. Pointers go into bytes.
 *
 * The number of octets that it takes; 0: not all of it is there; or
 *   SM_ERR_MALFORMED  no broker sends this; the connection is of no more use
 *   SM_ERR_LIMIT      longer than max octets */
int mqtt_decode(struct mqtt_packet *p, const uint8_t *bytes, size_t len, size_t max);

/* Octets that mqtt_encode() writes, or SM_ERR_ARG when p is nothing that a client sends, or
 * SM_ERR_LIMIT. */
int mqtt_size(const struct mqtt_packet *p);

/* Write p to out, which has mqtt_size(p) octets. Returns their number. */
int mqtt_encode(const struct mqtt_packet *p, uint8_t *out);

/* The same for CONNECT. SM_ERR_LIMIT when a text has more than 65535 octets. */
int mqtt_connect_size(const struct mqtt_connect *c);
int mqtt_connect_encode(const struct mqtt_connect *c, uint8_t *out);

#endif
