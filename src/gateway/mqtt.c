/* MQTT 3.1.1 packets. Owns nothing: bytes in, struct out, and back.
 *
 * A fixed header is the type and flags, then the remaining length in 1 to 4 octets of 7 bits.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mqtt.h"

#include <string.h>

#define REMAINING_MAX 268435455u

static uint16_t read16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static uint8_t *write16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
    return at + 2;
}

/* ---- Decoding -------------------------------------------------------------------------------- */

/* The octets of the fixed header, 0 when more are needed. */
static int read_header(const uint8_t *bytes, size_t len, uint32_t *remaining)
{
    *remaining = 0;
    for (unsigned i = 0; i < 4; i++) {
        if (len < i + 2)
            return 0;
        *remaining |= (uint32_t)(bytes[i + 1] & 0x7f) << (7 * i);
        if (!(bytes[i + 1] & 0x80))
            return (int)i + 2;
    }
    return SM_ERR_MALFORMED;
}

static int read_publish(struct mqtt_packet *p, unsigned flags, const uint8_t *body, uint32_t len)
{
    p->qos = flags >> 1 & 3;
    p->dup = flags & 8;
    p->retain = flags & 1;
    uint32_t at = p->qos ? 4 : 2;
    if (p->qos == 3 || len < at)
        return SM_ERR_MALFORMED;
    p->topic_len = read16(body);
    p->topic = body + 2;
    if (!p->topic_len || len < at + p->topic_len)
        return SM_ERR_MALFORMED;
    if (p->qos)
        p->id = read16(body + 2 + p->topic_len);
    if (p->qos && !p->id)
        return SM_ERR_MALFORMED;
    p->data = body + at + p->topic_len;
    p->len = len - at - p->topic_len;
    return 0;
}

static int read_id(struct mqtt_packet *p, unsigned flags, unsigned want_flags, const uint8_t *body,
                   uint32_t len, uint32_t want)
{
    if (flags != want_flags || len != want)
        return SM_ERR_MALFORMED;
    p->id = read16(body);
    return p->id ? 0 : SM_ERR_MALFORMED;
}

static int read_body(struct mqtt_packet *p, unsigned flags, const uint8_t *body, uint32_t len)
{
    switch (p->type) {
    case MQTT_CONNACK:
        if (flags || len != 2 || body[0] > 1)
            return SM_ERR_MALFORMED;
        p->session = body[0];
        p->code = body[1];
        return 0;
    case MQTT_PUBLISH: return read_publish(p, flags, body, len);
    case MQTT_PUBREL: return read_id(p, flags, 2, body, len, 2);
    case MQTT_PUBACK:
    case MQTT_PUBREC:
    case MQTT_PUBCOMP:
    case MQTT_UNSUBACK: return read_id(p, flags, 0, body, len, 2);
    case MQTT_SUBACK:
        if (read_id(p, flags, 0, body, len, 3) < 0)
            return SM_ERR_MALFORMED;
        p->code = body[2];
        return p->code <= 2 || p->code == MQTT_REFUSED ? 0 : SM_ERR_MALFORMED;
    case MQTT_PINGRESP: return flags || len ? SM_ERR_MALFORMED : 0;
    default: return SM_ERR_MALFORMED;
    }
}

int mqtt_decode(struct mqtt_packet *p, const uint8_t *bytes, size_t len, size_t max)
{
    uint32_t remaining;
    memset(p, 0, sizeof *p);
    int head = read_header(bytes, len, &remaining);
    if (head <= 0)
        return head;
    if ((size_t)head + remaining > max)
        return SM_ERR_LIMIT;
    if (len - (size_t)head < remaining)
        return 0;
    p->type = bytes[0] >> 4;
    int err = read_body(p, bytes[0] & 15, bytes + head, remaining);
    return err < 0 ? err : head + (int)remaining;
}

/* ---- Encoding -------------------------------------------------------------------------------- */

static unsigned header_size(uint32_t remaining)
{
    return remaining < 128 ? 2 : remaining < 16384 ? 3 : remaining < 2097152 ? 4 : 5;
}

static uint8_t *write_header(uint8_t *at, unsigned first, uint32_t remaining)
{
    *at++ = (uint8_t)first;
    for (; remaining >= 128; remaining >>= 7)
        *at++ = (uint8_t)(remaining | 0x80);
    *at++ = (uint8_t)remaining;
    return at;
}

static uint8_t *write_text(uint8_t *at, const void *text, size_t len)
{
    at = write16(at, (unsigned)len);
    memcpy(at, text, len);
    return at + len;
}

/* What follows the fixed header, in octets; or negative. */
static int64_t body_size(const struct mqtt_packet *p)
{
    switch (p->type) {
    case MQTT_PUBLISH:
        return p->qos > 2 ? SM_ERR_ARG : 2ll + p->topic_len + (p->qos ? 2 : 0) + p->len;
    case MQTT_PUBACK:
    case MQTT_PUBREC:
    case MQTT_PUBREL:
    case MQTT_PUBCOMP: return 2;
    case MQTT_SUBSCRIBE: return 5ll + p->topic_len;
    case MQTT_UNSUBSCRIBE: return 4ll + p->topic_len;
    case MQTT_PINGREQ:
    case MQTT_DISCONNECT: return 0;
    default: return SM_ERR_ARG;
    }
}

int mqtt_size(const struct mqtt_packet *p)
{
    int64_t body = body_size(p);
    if (body < 0 || body > REMAINING_MAX)
        return body < 0 ? SM_ERR_ARG : SM_ERR_LIMIT;
    return (int)(header_size((uint32_t)body) + body);
}

static unsigned first_octet(const struct mqtt_packet *p)
{
    unsigned flags =
        p->type == MQTT_PUBLISH ? (p->dup ? 8u : 0u) | (unsigned)p->qos << 1 | (p->retain ? 1u : 0u)
        : p->type == MQTT_PUBREL || p->type == MQTT_SUBSCRIBE || p->type == MQTT_UNSUBSCRIBE ? 2u
                                                                                             : 0u;
    return (unsigned)p->type << 4 | flags;
}

int mqtt_encode(const struct mqtt_packet *p, uint8_t *out)
{
    uint8_t *at = write_header(out, first_octet(p), (uint32_t)body_size(p));
    switch (p->type) {
    case MQTT_PUBLISH:
        at = write_text(at, p->topic, p->topic_len);
        if (p->qos)
            at = write16(at, p->id);
        if (p->len)
            memcpy(at, p->data, p->len);
        at += p->len;
        break;
    case MQTT_SUBSCRIBE:
        at = write_text(write16(at, p->id), p->topic, p->topic_len);
        *at++ = p->qos;
        break;
    case MQTT_UNSUBSCRIBE: at = write_text(write16(at, p->id), p->topic, p->topic_len); break;
    case MQTT_PINGREQ:
    case MQTT_DISCONNECT: break;
    default: at = write16(at, p->id);
    }
    return (int)(at - out);
}

static int64_t connect_body(const struct mqtt_connect *c)
{
    const char *texts[] = {c->client_id, c->user, c->password};
    int64_t size = 10 + (c->will_topic ? 4ll + c->will_topic_len + c->will_len : 0);
    for (unsigned i = 0; i < 3; i++) {
        size_t len = texts[i] ? strlen(texts[i]) : 0;
        if (len > UINT16_MAX)
            return SM_ERR_LIMIT;
        size += texts[i] || i == 0 ? 2 + (int64_t)len : 0;
    }
    return size;
}

int mqtt_connect_size(const struct mqtt_connect *c)
{
    int64_t body = connect_body(c);
    return body < 0 ? (int)body : (int)(header_size((uint32_t)body) + body);
}

int mqtt_connect_encode(const struct mqtt_connect *c, uint8_t *out)
{
    uint8_t *at = write_header(out, MQTT_CONNECT << 4, (uint32_t)connect_body(c));
    at = write_text(at, "MQTT", 4);
    *at++ = 4; /* the level of 3.1.1 */
    *at++ = (uint8_t)((c->user ? 0x80 : 0) | (c->password ? 0x40 : 0) | (c->clean ? 2 : 0) |
                      (c->will_topic ? 4 | c->will_qos << 3 | (c->will_retain ? 0x20 : 0) : 0));
    at = write16(at, c->keepalive_s);
    at = write_text(at, c->client_id ? c->client_id : "", c->client_id ? strlen(c->client_id) : 0);
    if (c->will_topic) {
        at = write_text(at, c->will_topic, c->will_topic_len);
        at = write_text(at, c->will_data ? (const void *)c->will_data : "", c->will_len);
    }
    if (c->user)
        at = write_text(at, c->user, strlen(c->user));
    if (c->password)
        at = write_text(at, c->password, strlen(c->password));
    return (int)(at - out);
}
