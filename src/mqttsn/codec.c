/* Messages of MQTT-SN from and to octets.
 *
 * One table says which fields a type has, in the order of the wire; decode and encode both walk it,
 * so neither can know a layout that the other does not. A cursor with a bound carries all access to
 * the octets: reading past the end leaves 0 and marks the cursor, and is looked at once, at the
 * end.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <sandmote/mqttsn.h>

#define DUP        0x80u
#define QOS        0x60u
#define QOS_SHIFT  5
#define RETAIN     0x10u
#define WILL       0x08u
#define CLEAN      0x04u
#define TOPIC_TYPE 0x03u

#define LONG_FORM 0x01u /* the first octet of a length of three */

/* The fields of a type, or NULL for a reserved one. */
static const char *fields_of(unsigned type)
{
    static const char fields[][6] = {
#define X(name, octet, fields) [octet] = "=" fields,
        SM_MQTTSN_TYPES(X)
#undef X
    };
    if (type >= sizeof fields / sizeof fields[0] || fields[type][0] == 0)
        return NULL;
    return fields[type] + 1;
}

/* The flags that mean something in a type. */
static unsigned flags_of(unsigned type)
{
    switch (type) {
    case SM_MQTTSN_CONNECT: return WILL | CLEAN;
    case SM_MQTTSN_WILLTOPIC:
    case SM_MQTTSN_WILLTOPICUPD: return QOS | RETAIN;
    case SM_MQTTSN_PUBLISH: return DUP | QOS | RETAIN | TOPIC_TYPE;
    case SM_MQTTSN_SUBSCRIBE: return DUP | QOS | TOPIC_TYPE;
    case SM_MQTTSN_SUBACK: return QOS;
    case SM_MQTTSN_UNSUBSCRIBE: return TOPIC_TYPE;
    default: return 0;
    }
}

/* Rules between fields, the same for what comes and what goes. */
static bool makes_sense(const struct sm_mqttsn_packet *p)
{
    unsigned flags = flags_of(p->type);
    if ((flags & TOPIC_TYPE) && p->topic_type > SM_MQTTSN_TOPIC_SHORT)
        return false;
    if ((flags & QOS) && (p->qos < -1 || p->qos > 2))
        return false;
    if ((flags & QOS) &&
        p->qos == -1) /* a refusal grants nothing, and some gateways leave octets of chance there */
        return (p->type == SM_MQTTSN_PUBLISH && p->topic_type != SM_MQTTSN_TOPIC_NORMAL) ||
               (p->type == SM_MQTTSN_SUBACK && p->code != SM_MQTTSN_ACCEPTED);
    if (p->type == SM_MQTTSN_CONNECT || p->type == SM_MQTTSN_PINGREQ)
        return p->len <= SM_MQTTSN_CLIENT_ID_MAX;
    return true;
}

struct reader {
    const uint8_t *at, *end;
    bool short_of; /* something was missing */
};

static uint8_t take(struct reader *r)
{
    if (r->at < r->end)
        return *r->at++;
    r->short_of = true;
    return 0;
}

static uint16_t take_16(struct reader *r)
{
    unsigned high = take(r);
    return (uint16_t)(high << 8 | take(r));
}

static void take_rest(struct reader *r, struct sm_mqttsn_packet *p, unsigned least)
{
    p->len = (uint16_t)(r->end - r->at);
    p->data = p->len ? r->at : NULL;
    r->at = r->end;
    if (p->len < least)
        r->short_of = true;
}

static void take_flags(struct reader *r, struct sm_mqttsn_packet *p)
{
    unsigned flags = take(r) & flags_of(p->type), qos = (flags & QOS) >> QOS_SHIFT;
    p->dup = flags & DUP;
    p->qos = qos == 3 ? -1 : (int8_t)qos;
    p->retain = flags & RETAIN;
    p->will = flags & WILL;
    p->clean = flags & CLEAN;
    p->topic_type = flags & TOPIC_TYPE;
}

static void take_field(struct reader *r, struct sm_mqttsn_packet *p, char field)
{
    switch (field) {
    case 'f': take_flags(r, p); break;
    case 'i': p->topic_id = take_16(r); break;
    case 'm': p->msg_id = take_16(r); break;
    case 'c': p->code = take(r); break;
    case 'p': p->protocol = take(r); break;
    case 'g': p->gateway_id = take(r); break;
    case 'r': p->radius = take(r); break;
    case 'o':
        if (r->at == r->end)
            break;
        /* fall through */
    case 'd': p->duration_s = take_16(r); break;
    case '*': take_rest(r, p, 0); break;
    case '+': take_rest(r, p, 1); break;
    case 'w':
        if (r->at == r->end)
            break;
        take_flags(r, p);
        take_rest(r, p, 1);
        break;
    default: /* 't' */
        if (p->topic_type == SM_MQTTSN_TOPIC_NORMAL)
            take_rest(r, p, 1);
        else
            p->topic_id = take_16(r);
    }
}

int sm_mqttsn_length(const uint8_t *bytes, size_t len)
{
    if (len == 0)
        return 0;
    if (bytes[0] != LONG_FORM)
        return bytes[0] >= 2 ? bytes[0] : SM_ERR_MALFORMED;
    if (len < 3)
        return 0;
    int says = bytes[1] << 8 | bytes[2];
    return says >= 4 ? says : SM_ERR_MALFORMED;
}

int sm_mqttsn_decode(struct sm_mqttsn_packet *p, const uint8_t *bytes, size_t len)
{
    memset(p, 0, sizeof *p);
    int says = sm_mqttsn_length(bytes, len);
    if (says <= 0 || (size_t)says != len)
        return SM_ERR_MALFORMED;
    struct reader r = {bytes + (bytes[0] == LONG_FORM ? 3 : 1), bytes + len, false};
    p->type = take(&r);
    const char *field = fields_of(p->type);
    if (!field) {
        p->type = 0;
        return SM_ERR_UNSUPPORTED;
    }
    for (; *field; field++)
        take_field(&r, p, *field);
    if (!r.short_of && r.at == r.end && makes_sense(p))
        return 0;
    memset(p, 0, sizeof *p);
    return SM_ERR_MALFORMED;
}

struct writer {
    uint8_t *at, *end;
    size_t len; /* of all that was put, also what did not fit */
};

static void put(struct writer *w, unsigned octet)
{
    if (w->at < w->end)
        *w->at++ = (uint8_t)octet;
    w->len++;
}

static void put_16(struct writer *w, unsigned value)
{
    put(w, value >> 8);
    put(w, value & 0xff);
}

static void put_rest(struct writer *w, const struct sm_mqttsn_packet *p)
{
    if (p->len > 0 && (size_t)(w->end - w->at) >= p->len) {
        memcpy(w->at, p->data, p->len);
        w->at += p->len;
    }
    w->len += p->len;
}

static void put_flags(struct writer *w, const struct sm_mqttsn_packet *p)
{
    unsigned flags = (p->dup ? DUP : 0u) | ((unsigned)p->qos & 3u) << QOS_SHIFT |
                     (p->retain ? RETAIN : 0u) | (p->will ? WILL : 0u) | (p->clean ? CLEAN : 0u) |
                     p->topic_type;
    put(w, flags & flags_of(p->type));
}

static void put_field(struct writer *w, const struct sm_mqttsn_packet *p, char field)
{
    switch (field) {
    case 'f': put_flags(w, p); break;
    case 'i': put_16(w, p->topic_id); break;
    case 'm': put_16(w, p->msg_id); break;
    case 'c': put(w, p->code); break;
    case 'p': put(w, p->protocol); break;
    case 'g': put(w, p->gateway_id); break;
    case 'r': put(w, p->radius); break;
    case 'o':
        if (p->duration_s)
            put_16(w, p->duration_s);
        break;
    case 'd': put_16(w, p->duration_s); break;
    case '*':
    case '+': put_rest(w, p); break;
    case 'w':
        if (p->len == 0)
            break;
        put_flags(w, p);
        put_rest(w, p);
        break;
    default: /* 't' */
        if (p->topic_type == SM_MQTTSN_TOPIC_NORMAL)
            put_rest(w, p);
        else
            put_16(w, p->topic_id);
    }
}

static bool needs_octets(const struct sm_mqttsn_packet *p, const char *fields)
{
    for (; *fields; fields++)
        if (*fields == '+' || (*fields == 't' && p->topic_type == SM_MQTTSN_TOPIC_NORMAL))
            return true;
    return false;
}

static void put_message(struct writer *w, const struct sm_mqttsn_packet *p, const char *fields)
{
    put(w, p->type);
    for (; *fields; fields++)
        put_field(w, p, *fields);
}

int sm_mqttsn_encode(const struct sm_mqttsn_packet *p, uint8_t *out, size_t size)
{
    const char *fields = fields_of(p->type);
    if (!fields)
        return SM_ERR_ARG;
    if (!makes_sense(p) || (p->len == 0 && needs_octets(p, fields)))
        return SM_ERR_ARG;
    struct writer measure = {NULL, NULL, 0};
    put_message(&measure, p, fields);
    size_t len = measure.len + (measure.len + 1 <= 255 ? 1 : 3);
    if (len > SM_MQTTSN_MAX)
        return SM_ERR_LIMIT;
    if (len > size)
        return SM_ERR_MEMORY;
    struct writer w = {out, out + size, 0};
    if (len > 255) {
        put(&w, LONG_FORM);
        put_16(&w, (unsigned)len);
    } else {
        put(&w, (unsigned)len);
    }
    put_message(&w, p, fields);
    return (int)len;
}

bool sm_mqttsn_is_wrapped(const uint8_t *bytes, size_t len)
{
    return len >= 2 && bytes[1] == SM_MQTTSN_ENCAPSULATED && bytes[0] != LONG_FORM;
}

int sm_mqttsn_unwrap(struct sm_mqttsn_wrapped *w, const uint8_t *bytes, size_t len)
{
    memset(w, 0, sizeof *w);
    if (!sm_mqttsn_is_wrapped(bytes, len) || bytes[0] < 4 || bytes[0] >= len)
        return SM_ERR_MALFORMED;
    size_t head = bytes[0];
    if (sm_mqttsn_is_wrapped(bytes + head, len - head))
        return SM_ERR_MALFORMED;
    w->radius = bytes[2] & 3;
    w->node = bytes + 3;
    w->node_len = (uint8_t)(head - 3);
    w->message = bytes + head;
    w->len = len - head;
    return 0;
}

int sm_mqttsn_wrap(const struct sm_mqttsn_wrapped *w, uint8_t *out, size_t size)
{
    size_t head = 3u + w->node_len;
    if (w->node_len == 0 || w->node_len > SM_MQTTSN_NODE_ID_MAX || w->radius > 3 || w->len == 0 ||
        w->len > SM_MQTTSN_MAX)
        return SM_ERR_ARG;
    if (head + w->len > size)
        return SM_ERR_MEMORY;
    if (out + head != w->message)
        memcpy(out + head, w->message, w->len);
    out[0] = (uint8_t)head;
    out[1] = SM_MQTTSN_ENCAPSULATED;
    out[2] = w->radius;
    memcpy(out + 3, w->node, w->node_len);
    return (int)(head + w->len);
}
