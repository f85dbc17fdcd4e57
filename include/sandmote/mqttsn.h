/* MQTT-SN 1.2: messages as a struct, from and to datagrams. Client and gateway use the same codec.
 *
 * Source of all layouts: MQTT-SN Protocol Specification 1.2, 14 November 2013, section 5; names of
 * fields are its own. Integers are big-endian on the wire.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_MQTTSN_H
#define SANDMOTE_MQTTSN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sandmote/error.h>

/* Message types: name, octet, fields. A letter a field, in the order of the wire:
 *   f flags      i topic id       m message id    c return code   p protocol id (1)
 *   g gateway id r radius         d duration      o duration, may be missing
 *   * octets, may be none         + octets, at least one
 *   w flags and octets, or neither (a will's topic; without: no will)
 *   t octets, or a topic id, as the topic id type in the flags says */
#define SM_MQTTSN_TYPES(X)                                                                         \
    X(ADVERTISE, 0x00, "gd")                                                                       \
    X(SEARCHGW, 0x01, "r")                                                                         \
    X(GWINFO, 0x02, "g*")                                                                          \
    X(CONNECT, 0x04, "fpd+")                                                                       \
    X(CONNACK, 0x05, "c")                                                                          \
    X(WILLTOPICREQ, 0x06, "")                                                                      \
    X(WILLTOPIC, 0x07, "w")                                                                        \
    X(WILLMSGREQ, 0x08, "")                                                                        \
    X(WILLMSG, 0x09, "*")                                                                          \
    X(REGISTER, 0x0a, "im+")                                                                       \
    X(REGACK, 0x0b, "imc")                                                                         \
    X(PUBLISH, 0x0c, "fim*")                                                                       \
    X(PUBACK, 0x0d, "imc")                                                                         \
    X(PUBCOMP, 0x0e, "m")                                                                          \
    X(PUBREC, 0x0f, "m")                                                                           \
    X(PUBREL, 0x10, "m")                                                                           \
    X(SUBSCRIBE, 0x12, "fmt")                                                                      \
    X(SUBACK, 0x13, "fimc")                                                                        \
    X(UNSUBSCRIBE, 0x14, "fmt")                                                                    \
    X(UNSUBACK, 0x15, "m")                                                                         \
    X(PINGREQ, 0x16, "*")                                                                          \
    X(PINGRESP, 0x17, "")                                                                          \
    X(DISCONNECT, 0x18, "o")                                                                       \
    X(WILLTOPICUPD, 0x1a, "w")                                                                     \
    X(WILLTOPICRESP, 0x1b, "c")                                                                    \
    X(WILLMSGUPD, 0x1c, "*")                                                                       \
    X(WILLMSGRESP, 0x1d, "c")

enum sm_mqttsn_type {
#define X(name, octet, fields) SM_MQTTSN_##name = octet,
    SM_MQTTSN_TYPES(X)
#undef X
        SM_MQTTSN_ENCAPSULATED = 0xfe /* by a forwarder; only sm_mqttsn_unwrap() takes it */
};

/* Return codes. Others are reserved; a receiver takes each that is not 0 for a refusal. */
enum sm_mqttsn_code {
    SM_MQTTSN_ACCEPTED = 0,
    SM_MQTTSN_CONGESTION = 1,
    SM_MQTTSN_INVALID_TOPIC = 2,
    SM_MQTTSN_NOT_SUPPORTED = 3
};

enum sm_mqttsn_topic_type {
    SM_MQTTSN_TOPIC_NORMAL = 0,     /* an id from a REGACK or SUBACK; in SUBSCRIBE and UNSUBSCRIBE
                                       a name or filter */
    SM_MQTTSN_TOPIC_PREDEFINED = 1, /* an id that both sides know beforehand */
    SM_MQTTSN_TOPIC_SHORT = 2 /* a name of two octets, the first one the high byte of the id */
};

#define SM_MQTTSN_PROTOCOL_ID   1u
#define SM_MQTTSN_CLIENT_ID_MAX 64u    /* octets that decode takes; the specification says 23 */
#define SM_MQTTSN_MAX           65535u /* octets of a message */
#define SM_MQTTSN_NODE_ID_MAX   252u   /* octets of a wireless node's id, from a forwarder */

/* A message. What its type does not have (see SM_MQTTSN_TYPES) is 0 after decoding and ignored when
 * encoding. */
struct sm_mqttsn_packet {
    uint8_t type;        /* enum sm_mqttsn_type */
    uint8_t code;        /* enum sm_mqttsn_code, or a reserved one */
    int8_t qos;          /* 0, 1, 2; -1 in PUBLISH without a connection */
    uint8_t topic_type;  /* enum sm_mqttsn_topic_type */
    bool dup, retain;    /* PUBLISH, SUBSCRIBE; PUBLISH, WILLTOPIC, WILLTOPICUPD */
    bool will, clean;    /* CONNECT */
    uint8_t protocol;    /* CONNECT: anything, SM_MQTTSN_PROTOCOL_ID is what we speak */
    uint8_t gateway_id;  /* ADVERTISE, GWINFO */
    uint8_t radius;      /* SEARCHGW; 0: all of the network */
    uint16_t duration_s; /* ADVERTISE: until the next; CONNECT: keep-alive; DISCONNECT: sleep,
                            and 0: none */
    uint16_t topic_id;   /* any value; 0x0000 and 0xffff are reserved and never valid */
    uint16_t msg_id;     /* any value; not looked at with QoS 0 and -1 */
    const uint8_t
        *data;    /* CONNECT, PINGREQ: client id; REGISTER, SUBSCRIBE, UNSUBSCRIBE: topic
                     name, also a filter; PUBLISH: payload; WILLTOPIC and WILLTOPICUPD:
                     topic; WILLMSG, WILLMSGUPD: message; GWINFO: GwAdd, when a client says it */
    uint16_t len; /* of data; 0: missing or empty */
};

/* Read one message, which is all of bytes. p->data points into bytes.
 *
 * Both forms of the length are taken, whichever is shorter. 0, or
 *   SM_ERR_MALFORMED    a length that is 0, not len, below or above the type's; a client id of more
 *                       than SM_MQTTSN_CLIENT_ID_MAX octets; a topic id type of 3; QoS -1 with a
 *                       registered topic, in a will or in SUBSCRIBE
 *   SM_ERR_UNSUPPORTED  a reserved type, or a forwarder's
 * and then p is all zero. Flags that mean nothing in the type are not looked at. Text is not
 * checked: see sm_mqttsn_name_valid(). */
int sm_mqttsn_decode(struct sm_mqttsn_packet *p, const uint8_t *bytes, size_t len);

/* Write p to out, which does not overlap p->data, in the shorter form of the length. The number of
 * octets, or
 *   SM_ERR_ARG     p is nothing that decode would take
 *   SM_ERR_MEMORY  size is too small
 *   SM_ERR_LIMIT   above SM_MQTTSN_MAX
 * and then out holds nothing of use. */
int sm_mqttsn_encode(const struct sm_mqttsn_packet *p, uint8_t *out, size_t size);

/* The length that the message at bytes says it has, when len octets of it are there: for streams
 * without frames. 0: more octets are needed to tell; SM_ERR_MALFORMED: no message begins so. */
int sm_mqttsn_length(const uint8_t *bytes, size_t len);

/* A message as a forwarder wraps it (5.5). Pointers into the datagram. */
struct sm_mqttsn_wrapped {
    uint8_t radius;      /* 0 to 3; from gateway to forwarder */
    const uint8_t *node; /* the wireless node's id */
    uint8_t node_len;    /* 1 to SM_MQTTSN_NODE_ID_MAX */
    const uint8_t *message;
    size_t len;
};

/* Whether a datagram comes from a forwarder. */
bool sm_mqttsn_is_wrapped(const uint8_t *bytes, size_t len);

/* Take a forwarder's datagram apart. The message inside is not looked at, but is neither empty nor
 * wrapped again. 0 or SM_ERR_MALFORMED, and then w is all zero. */
int sm_mqttsn_unwrap(struct sm_mqttsn_wrapped *w, const uint8_t *bytes, size_t len);

/* Put w's head before w's message; out may overlap the message only where it would come to lie (at
 * out + 3 + w->node_len). The number of octets, SM_ERR_ARG (node_len, radius, an empty message) or
 * SM_ERR_MEMORY. */
int sm_mqttsn_wrap(const struct sm_mqttsn_wrapped *w, uint8_t *out, size_t size);

/* Names of types ("PUBLISH"; "reserved") and of return codes ("congestion"), for people. */
const char *sm_mqttsn_type_name(unsigned type);
const char *sm_mqttsn_code_name(unsigned code);

/* Topics, as MQTT 3.1.1 has them (4.7): UTF-8 of 1 to 65535 octets without U+0000 and surrogates.
 * A name has no wildcards; in a filter `+` is a whole level and `#` the whole last one. */
bool sm_mqttsn_name_valid(const uint8_t *text, size_t len);
bool sm_mqttsn_filter_valid(const uint8_t *text, size_t len);

/* Whether a valid filter has wildcards. */
bool sm_mqttsn_filter_wild(const uint8_t *filter, size_t len);

/* Whether a valid filter matches every name that another one matches. In doubt false: "+/#" is not
 * found to be all of "#". */
bool sm_mqttsn_filter_covers(const uint8_t *filter, size_t filter_len, const uint8_t *wanted,
                             size_t wanted_len);

/* Whether a valid filter matches a valid name, which is a filter that matches itself alone.
 * Wildcards in the first level do not match names that begin with `$`. */
static inline bool sm_mqttsn_filter_matches(const uint8_t *filter, size_t filter_len,
                                            const uint8_t *name, size_t name_len)
{
    return sm_mqttsn_filter_covers(filter, filter_len, name, name_len);
}

#endif
