/* The client's topics: names and filters with the gateway's ids, and subscriptions.
 *
 * A topic's place in the table is the number that the application uses; ids come and go with
 * sessions. Names that only the gateway told (for what a wildcard matched) make room for others
 * when no message of theirs waits in the inbox; what the application named stays.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "client.h"

struct sm_mqttsn_topic *sm_topic_at(struct sm_mqttsn *sn, uint16_t number)
{
    if (number == 0 || number > sn->cfg.ntopics || !sn->cfg.topics[number - 1].flags)
        return NULL;
    return &sn->cfg.topics[number - 1];
}

char *sm_topic_name(const struct sm_mqttsn *sn, uint16_t number)
{
    return sn->cfg.names + (size_t)(number - 1) * sn->cfg.name_size;
}

const char *sm_mqttsn_topic_name(const struct sm_mqttsn *sn, uint16_t topic, size_t *len)
{
    *len = 0;
    if (topic == 0 || topic > sn->cfg.ntopics || sn->cfg.topics[topic - 1].name_len == 0)
        return NULL;
    *len = sn->cfg.topics[topic - 1].name_len;
    return sm_topic_name(sn, topic);
}

uint16_t sm_topic_find(const struct sm_mqttsn *sn, const uint8_t *name, size_t len)
{
    for (uint16_t n = 1; n <= sn->cfg.ntopics; n++) {
        const struct sm_mqttsn_topic *t = &sn->cfg.topics[n - 1];
        if (t->flags && t->name_len == len && len > 0 && !memcmp(sm_topic_name(sn, n), name, len))
            return n;
    }
    return 0;
}

uint16_t sm_topic_find_id(const struct sm_mqttsn *sn, unsigned type, uint16_t id)
{
    for (uint16_t n = 1; n <= sn->cfg.ntopics; n++) {
        const struct sm_mqttsn_topic *t = &sn->cfg.topics[n - 1];
        if (t->flags && t->type == type && t->id == id && !(t->flags & SM_TOPIC_WILD))
            return n;
    }
    return 0;
}

/* Whether a request under way is about a topic. */
static bool asked_about(struct sm_mqttsn *sn, uint16_t number)
{
    for (unsigned i = 0; i < sn->cfg.nrequests; i++) {
        const struct sm_mqttsn_request *r = sm_request_at(sn, i);
        bool numbered = r->kind != SM_REQUEST_PUBLISH || r->topic_type == SM_MQTTSN_TOPIC_NORMAL;
        if (r->state != SM_REQUEST_FREE && numbered && r->topic == number)
            return true;
    }
    return false;
}

static uint16_t room(struct sm_mqttsn *sn)
{
    for (uint16_t n = 1; n <= sn->cfg.ntopics; n++)
        if (!sn->cfg.topics[n - 1].flags)
            return n;
    for (uint16_t n = 1; n <= sn->cfg.ntopics; n++)
        if (!(sn->cfg.topics[n - 1].flags & (SM_TOPIC_KEPT | SM_TOPIC_WANTED | SM_TOPIC_LEAVING)) &&
            !sm_inbox_has(sn, n) && !asked_about(sn, n))
            return n;
    return 0;
}

static uint16_t make(struct sm_mqttsn *sn, unsigned type, uint16_t id)
{
    uint16_t number = room(sn);
    if (!number)
        return 0;
    struct sm_mqttsn_topic *t = &sn->cfg.topics[number - 1];
    memset(t, 0, sizeof *t);
    t->id = id;
    t->type = (uint8_t)type;
    t->flags = SM_TOPIC_USED;
    return number;
}

uint16_t sm_topic_name_add(struct sm_mqttsn *sn, const uint8_t *name, size_t len)
{
    uint16_t number = sm_topic_find(sn, name, len);
    if (number || len > sn->cfg.name_size)
        return number;
    number = make(sn, SM_MQTTSN_TOPIC_NORMAL, 0);
    if (!number)
        return 0;
    memcpy(sm_topic_name(sn, number), name, len);
    sn->cfg.topics[number - 1].name_len = (uint16_t)len;
    if (sm_mqttsn_filter_wild(name, len))
        sn->cfg.topics[number - 1].flags |= SM_TOPIC_WILD;
    return number;
}

uint16_t sm_topic_id_add(struct sm_mqttsn *sn, unsigned type, uint16_t id)
{
    uint16_t number = sm_topic_find_id(sn, type, id);
    return number ? number : make(sn, type, id);
}

bool sm_topic_id_reserved(uint16_t id)
{
    return id == 0 || id == 0xffff;
}

void sm_topic_set_id(struct sm_mqttsn *sn, uint16_t number, uint16_t id)
{
    uint16_t other = sm_topic_find_id(sn, SM_MQTTSN_TOPIC_NORMAL, id);
    if (other)
        sn->cfg.topics[other - 1].id = 0;
    sn->cfg.topics[number - 1].id = id;
}

void sm_topics_unknown(struct sm_mqttsn *sn)
{
    for (unsigned i = 0; i < sn->cfg.ntopics; i++) {
        struct sm_mqttsn_topic *t = &sn->cfg.topics[i];
        t->flags &= (uint8_t)~SM_TOPIC_SUBSCRIBED;
        if (t->type == SM_MQTTSN_TOPIC_NORMAL)
            t->id = 0;
    }
}

void sm_topics_unsubscribed(struct sm_mqttsn *sn)
{
    for (unsigned i = 0; i < sn->cfg.ntopics; i++)
        sn->cfg.topics[i].flags &=
            (uint8_t) ~(SM_TOPIC_WANTED | SM_TOPIC_SUBSCRIBED | SM_TOPIC_LEAVING);
}

uint16_t sm_topic_public(struct sm_mqttsn *sn, uint16_t number)
{
    const struct sm_mqttsn_topic *t = sm_topic_at(sn, number);
    return t && t->type != SM_MQTTSN_TOPIC_NORMAL ? t->id : number;
}
