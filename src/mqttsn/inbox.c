/* Messages that came and were not fetched yet, one behind the other in the caller's memory.
 *
 * A message is a head (length, topic, type, flags) and its payload. Taking one out moves those
 * behind it up: the memory is small and without holes, and payloads are in one piece for who looks
 * at them.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "client.h"

#define RETAIN 0x80u
#define DUP    0x40u

static unsigned get_16(const uint8_t *at)
{
    return (unsigned)at[0] | (unsigned)at[1] << 8;
}

static void put_16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
}

bool sm_inbox_put(struct sm_mqttsn *sn, const struct sm_mqttsn_packet *p, uint16_t topic)
{
    if (sn->cfg.inbox_size - sn->inbox_used < SM_MQTTSN_INBOX_HEAD + (uint32_t)p->len)
        return false;
    uint8_t *head = sn->cfg.inbox + sn->inbox_used;
    put_16(head, p->len);
    put_16(head + 2, topic);
    head[4] = p->topic_type;
    head[5] = (uint8_t)((p->qos > 0 ? (unsigned)p->qos : 0u) | (p->retain ? RETAIN : 0u) |
                        (p->dup ? DUP : 0u));
    if (p->len)
        memcpy(head + SM_MQTTSN_INBOX_HEAD, p->data, p->len);
    sn->inbox_used += SM_MQTTSN_INBOX_HEAD + (uint32_t)p->len;
    return true;
}

static void describe(const struct sm_mqttsn *sn, uint32_t at, struct sm_mqttsn_message *m)
{
    const uint8_t *head = sn->cfg.inbox + at;
    memset(m, 0, sizeof *m);
    m->at = at;
    m->len = get_16(head);
    m->data = head + SM_MQTTSN_INBOX_HEAD;
    m->topic = (uint16_t)get_16(head + 2);
    m->topic_type = head[4];
    m->qos = head[5] & 3;
    m->retain = head[5] & RETAIN;
    m->dup = head[5] & DUP;
    if (m->topic_type == SM_MQTTSN_TOPIC_NORMAL)
        m->name = sm_mqttsn_topic_name(sn, m->topic, &m->name_len);
}

static bool is_of(const struct sm_mqttsn *sn, const struct sm_mqttsn_message *m, unsigned type,
                  uint16_t topic)
{
    if (topic == 0)
        return true;
    if (m->topic_type != type)
        return false;
    if (m->topic == topic)
        return true;
    size_t len;
    const char *filter = m->name ? sm_mqttsn_topic_name(sn, topic, &len) : NULL;
    return filter && sm_mqttsn_filter_matches((const uint8_t *)filter, len,
                                              (const uint8_t *)m->name, m->name_len);
}

int sm_mqttsn_peek(const struct sm_mqttsn *sn, enum sm_mqttsn_topic_type type, uint16_t topic,
                   struct sm_mqttsn_message *message)
{
    for (uint32_t at = 0; at < sn->inbox_used;
         at += SM_MQTTSN_INBOX_HEAD + get_16(sn->cfg.inbox + at)) {
        describe(sn, at, message);
        if (is_of(sn, message, type, topic))
            return 0;
    }
    memset(message, 0, sizeof *message);
    return SM_ERR_NOT_FOUND;
}

void sm_mqttsn_consume(struct sm_mqttsn *sn, const struct sm_mqttsn_message *message)
{
    uint32_t at = message->at, next = at + SM_MQTTSN_INBOX_HEAD + (uint32_t)message->len;
    if (next > sn->inbox_used)
        return;
    memmove(sn->cfg.inbox + at, sn->cfg.inbox + next, sn->inbox_used - next);
    sn->inbox_used -= next - at;
}

bool sm_inbox_has(const struct sm_mqttsn *sn, uint16_t number)
{
    for (uint32_t at = 0; at < sn->inbox_used;
         at += SM_MQTTSN_INBOX_HEAD + get_16(sn->cfg.inbox + at)) {
        const uint8_t *head = sn->cfg.inbox + at;
        if (head[4] == SM_MQTTSN_TOPIC_NORMAL && get_16(head + 2) == number)
            return true;
    }
    return false;
}
