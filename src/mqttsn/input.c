/* What comes: each message either fits the moment and moves something, or is counted.
 *
 * Replies wait in a short list for sm_mqttsn_poll(); when that is full nothing more is looked at,
 * as if it had been lost on the way. A message is taken into the inbox before it is acknowledged.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <sandmote/mqttsn_frame.h>
#include "client.h"

#define INFO_DELAY_MS 5000u /* Tgwinfo */

bool sm_reply(struct sm_mqttsn *sn, const struct sm_mqttsn_reply *reply)
{
    if (sn->nreplies == SM_MQTTSN_REPLIES)
        return false;
    sn->replies[sn->nreplies++] = *reply;
    return true;
}

static void acknowledge(struct sm_mqttsn *sn, unsigned type, const struct sm_mqttsn_packet *p,
                        unsigned code)
{
    sm_reply(sn, &(struct sm_mqttsn_reply){.type = (uint8_t)type,
                                           .code = (uint8_t)code,
                                           .topic_id = p->topic_id,
                                           .msg_id = p->msg_id});
}

/* ---- Gateways and searches ---- */

static bool on_gwinfo(struct sm_mqttsn *sn, const struct sm_mqttsn_packet *p,
                      const struct sm_mqttsn_address *from, uint64_t now_ms)
{
    struct sm_mqttsn_address at = *from;
    if (p->len) { /* another client speaks of it */
        if (p->data[0] == 0 || p->data[0] + 1u != p->len || p->data[0] > SM_MQTTSN_ADDRESS_MAX)
            return false;
        memset(&at, 0, sizeof at);
        at.len = p->data[0];
        memcpy(at.bytes, p->data + 1, at.len);
    }
    if (at.len == 0)
        return false;
    sn->info.step = 0;
    sm_gateway_learn(sn, &at, p->gateway_id, 0, now_ms);
    return true;
}

static bool on_searchgw(struct sm_mqttsn *sn, uint64_t now_ms)
{
    if (sn->ctl.step == SM_CONTROL_DELAY) { /* somebody else's serves us as well */
        sn->ctl.step = SM_CONTROL_SEARCH;
        sn->ctl.tries = 1;
        sm_exchange_wait(sn, &sn->ctl, now_ms);
    } else if (sn->cfg.answer_searches && sn->ctl.step != SM_CONTROL_SEARCH && !sn->info.step &&
               sm_gateway_known(sn)) {
        sn->info.step = 1;
        sn->info.due_ms = now_ms + sm_random_below(sn, INFO_DELAY_MS);
    }
    return true;
}

/* ---- The connection ---- */

static bool on_disconnect(struct sm_mqttsn *sn, uint64_t now_ms)
{
    if (sn->ctl.step == SM_CONTROL_DISCONNECT) {
        sn->state = SM_MQTTSN_DISCONNECTED;
        sn->ctl.step = SM_CONTROL_NONE;
        sm_control_end(sn, 0);
    } else if (sn->ctl.step == SM_CONTROL_SLEEP && sn->ctl.tries) {
        sm_control_asleep(sn, now_ms);
    } else if (sn->ctl.step == SM_CONTROL_CONNECT) {
        sm_control_refused(sn, SM_MQTTSN_NOT_SUPPORTED, now_ms);
    } else if (sn->state == SM_MQTTSN_ACTIVE || sn->state == SM_MQTTSN_AWAKE) {
        sm_control_lost(sn, false, now_ms);
    } else {
        return false; /* asleep: the answer to a DISCONNECT that was sent twice */
    }
    return true;
}

static bool on_connack(struct sm_mqttsn *sn, const struct sm_mqttsn_packet *p, uint64_t now_ms)
{
    if (sn->ctl.step != SM_CONTROL_CONNECT || !sn->ctl.tries)
        return false;
    if (p->code == SM_MQTTSN_ACCEPTED)
        sm_control_connected(sn, now_ms);
    else
        sm_control_refused(sn, p->code, now_ms);
    return true;
}

/* The gateway asks for the will while CONNECT is under way; that is sent again when it does not go
 * on. The octet of an answer is the one after its question's. */
static bool on_will_request(struct sm_mqttsn *sn, unsigned question, uint64_t now_ms)
{
    if (sn->ctl.step != SM_CONTROL_CONNECT || !sn->ctl.tries || !sn->will)
        return false;
    sm_exchange_wait(sn, &sn->ctl, now_ms);
    return sm_reply(sn, &(struct sm_mqttsn_reply){.type = (uint8_t)(question + 1)});
}

static bool on_will_response(struct sm_mqttsn *sn, unsigned step, uint8_t code)
{
    if (sn->wll.step != step || !sn->wll.tries)
        return false;
    if (step == SM_STEP_WILL_TOPIC && code == SM_MQTTSN_ACCEPTED && sn->will) {
        sn->wll.step = SM_STEP_WILL_MSG;
        sn->wll.tries = 0;
        sn->wll.due_ms = 0;
        return true;
    }
    sm_exchange_end(sn, &sn->wll, code);
    return true;
}

static bool on_pingresp(struct sm_mqttsn *sn, uint64_t now_ms)
{
    if (sn->ctl.step == SM_CONTROL_AWAKE && sn->ctl.tries)
        sm_control_asleep(sn, now_ms);
    else if (sn->ping.step)
        sn->ping.step = 0;
    else
        return false;
    return true;
}

/* ---- Topics ---- */

/* Whether a message answers what an exchange has sent. Inlined four times it would take twice the
 * flash. */
__attribute__((noinline)) static bool answers(const struct sm_mqttsn_packet *p,
                                              const struct sm_mqttsn_exchange *x, unsigned step)
{
    return x->step == step && x->tries && x->msg_id == p->msg_id;
}

/* The gateway has no room now: ask again later, some times. Whether that will be. */
static bool later(struct sm_mqttsn *sn, struct sm_mqttsn_exchange *x, uint8_t code, uint64_t now_ms)
{
    if (code != SM_MQTTSN_CONGESTION || x->rounds >= sn->cfg.retries)
        return false;
    x->rounds++;
    x->tries = 0;
    x->due_ms = now_ms + sn->cfg.wait_ms;
    return true;
}

static bool on_regack(struct sm_mqttsn *sn, const struct sm_mqttsn_packet *p, uint64_t now_ms)
{
    if (!answers(p, &sn->reg, SM_STEP_REGISTER))
        return false;
    uint16_t number = sn->reg.target;
    uint8_t code = p->code;
    if (code == SM_MQTTSN_ACCEPTED && sm_topic_id_reserved(p->topic_id))
        code = SM_MQTTSN_NOT_SUPPORTED;
    if (later(sn, &sn->reg, code, now_ms))
        return true;
    sn->reg.step = sn->reg.rounds = 0;
    if (code == SM_MQTTSN_ACCEPTED) {
        sm_topic_set_id(sn, number, p->topic_id);
    } else {
        sm_topic_at(sn, number)->flags &= (uint8_t)~SM_TOPIC_KEPT;
        sm_requests_end_topic(sn, SM_REQUEST_PUBLISH, number, code);
    }
    sm_requests_end_topic(sn, SM_REQUEST_REGISTER, number, code);
    return true;
}

static bool on_suback(struct sm_mqttsn *sn, const struct sm_mqttsn_packet *p, uint64_t now_ms)
{
    if (!answers(p, &sn->sub, SM_STEP_SUBSCRIBE))
        return false;
    if (later(sn, &sn->sub, p->code, now_ms))
        return true;
    struct sm_mqttsn_topic *t = sm_topic_at(sn, sn->sub.target);
    sn->sub.step = sn->sub.rounds = 0;
    if (p->code == SM_MQTTSN_ACCEPTED) {
        t->flags |= SM_TOPIC_SUBSCRIBED;
        t->qos = (uint8_t)p->qos;
        if (t->name_len && !(t->flags & SM_TOPIC_WILD) && !sm_topic_id_reserved(p->topic_id))
            sm_topic_set_id(sn, sn->sub.target, p->topic_id);
    } else {
        t->flags &= (uint8_t)~SM_TOPIC_WANTED;
    }
    sm_requests_end_topic(sn, SM_REQUEST_SUBSCRIBE, sn->sub.target, p->code);
    return true;
}

static bool on_unsuback(struct sm_mqttsn *sn, const struct sm_mqttsn_packet *p)
{
    if (!answers(p, &sn->sub, SM_STEP_UNSUBSCRIBE))
        return false;
    sn->sub.step = 0;
    sm_topic_at(sn, sn->sub.target)->flags &= (uint8_t)~SM_TOPIC_LEAVING;
    sm_requests_end_topic(sn, SM_REQUEST_UNSUBSCRIBE, sn->sub.target, 0);
    return true;
}

static bool on_register(struct sm_mqttsn *sn, const struct sm_mqttsn_packet *p)
{
    unsigned code = SM_MQTTSN_ACCEPTED;
    uint16_t number = 0;
    if (sm_topic_id_reserved(p->topic_id))
        code = SM_MQTTSN_INVALID_TOPIC;
    else if (p->len > sn->cfg.name_size || !sm_mqttsn_name_valid(p->data, p->len))
        code = SM_MQTTSN_NOT_SUPPORTED;
    else if ((number = sm_topic_name_add(sn, p->data, p->len)) == 0)
        code = SM_MQTTSN_CONGESTION;
    else
        sm_topic_set_id(sn, number, p->topic_id);
    acknowledge(sn, SM_MQTTSN_REGACK, p, code);
    return true;
}

/* ---- Messages ---- */

static struct sm_mqttsn_received *received(struct sm_mqttsn *sn, uint16_t msg_id)
{
    for (unsigned i = 0; i < sn->nreceived; i++)
        if (sn->received[i].msg_id == msg_id)
            return &sn->received[i];
    return NULL;
}

/* A gateway has one message of QoS 2 on the way, so of several ids it gave up the oldest. */
static void remember(struct sm_mqttsn *sn, uint16_t msg_id, uint16_t crc)
{
    struct sm_mqttsn_received *r = received(sn, msg_id);
    if (!r && sn->nreceived == SM_MQTTSN_RECEIVED) {
        memmove(sn->received, sn->received + 1, (SM_MQTTSN_RECEIVED - 1) * sizeof *sn->received);
        sn->nreceived--;
    }
    if (!r)
        r = &sn->received[sn->nreceived++];
    *r = (struct sm_mqttsn_received){.msg_id = msg_id, .crc = crc};
}

/* Whether a message of QoS 2 was here before. One not released is acknowledged again. One that is
 * released can only be a copy that was late on the way, or another message with the same id, from a
 * gateway that has few: a copy has the same content, and comes soon. It is dropped without an
 * answer, so that what was no copy after all comes again when it is not taken for one any more. */
static bool duplicate(struct sm_mqttsn *sn, const struct sm_mqttsn_packet *p, uint16_t crc,
                      uint64_t now_ms)
{
    const struct sm_mqttsn_received *r = received(sn, p->msg_id);
    if (!r || (r->until_ms && (r->crc != crc || now_ms >= r->until_ms)))
        return false;
    sn->counts.duplicates++;
    if (!r->until_ms)
        acknowledge(sn, SM_MQTTSN_PUBREC, p, 0);
    return true;
}

static bool on_publish(struct sm_mqttsn *sn, const struct sm_mqttsn_packet *p, uint64_t now_ms)
{
    uint16_t topic = p->topic_id;
    if (p->topic_type == SM_MQTTSN_TOPIC_NORMAL) {
        topic = sm_topic_id_reserved(topic)
                    ? 0
                    : sm_topic_find_id(sn, SM_MQTTSN_TOPIC_NORMAL, p->topic_id);
        if (!topic) {
            acknowledge(sn, SM_MQTTSN_PUBACK, p, SM_MQTTSN_INVALID_TOPIC);
            return false;
        }
    }
    uint16_t crc = p->qos == 2 ? sm_mqttsn_crc(p->data, p->len) : 0;
    if (p->qos == 2 && duplicate(sn, p, crc, now_ms))
        return true;
    if (!sm_inbox_put(sn, p, topic)) { /* of QoS 1 and 2: not acknowledged, so it comes again */
        sn->counts.dropped++;
        return true;
    }
    if (p->qos == 1)
        acknowledge(sn, SM_MQTTSN_PUBACK, p, SM_MQTTSN_ACCEPTED);
    if (p->qos == 2) {
        remember(sn, p->msg_id, crc);
        acknowledge(sn, SM_MQTTSN_PUBREC, p, 0);
    }
    return true;
}

static bool on_pubrel(struct sm_mqttsn *sn, const struct sm_mqttsn_packet *p, uint64_t now_ms)
{
    struct sm_mqttsn_received *r = received(sn, p->msg_id);
    if (r && !r->until_ms)
        r->until_ms = now_ms + sn->cfg.retry_ms;
    acknowledge(sn, SM_MQTTSN_PUBCOMP, p, 0);
    return true;
}

static void forget_topic_id(struct sm_mqttsn *sn, unsigned type, uint16_t number)
{
    struct sm_mqttsn_topic *t = sm_topic_at(sn, number);
    if (type == SM_MQTTSN_TOPIC_NORMAL && t)
        t->id = 0;
}

/* A refusal of what is under way. What had an id that the gateway does not know (any more) gets a
 * new one and goes again, as a new message: this one was not taken. */
static void refused(struct sm_mqttsn *sn, uint8_t code, uint64_t now_ms)
{
    struct sm_mqttsn_request *r = sm_request_at(sn, sn->pub.target);
    bool named = r->topic_type == SM_MQTTSN_TOPIC_NORMAL;
    r->state = SM_REQUEST_WAITING;
    if (code == SM_MQTTSN_INVALID_TOPIC)
        forget_topic_id(sn, r->topic_type, r->topic);
    if (later(sn, &sn->pub, code, now_ms)) {
        sn->pub.msg_id = sm_new_msg_id(sn);
    } else if (code == SM_MQTTSN_INVALID_TOPIC && named && sn->pub.rounds < sn->cfg.retries) {
        sn->pub.rounds++;
        sn->pub.step = 0;
    } else {
        sm_exchange_end(sn, &sn->pub, code);
    }
}

static bool on_puback(struct sm_mqttsn *sn, const struct sm_mqttsn_packet *p, uint64_t now_ms)
{
    if (!answers(p, &sn->pub,
                 SM_STEP_PUBLISH)) { /* perhaps of a message of QoS 0, which is done already */
        if (p->code == SM_MQTTSN_INVALID_TOPIC && !sm_topic_id_reserved(p->topic_id))
            forget_topic_id(sn, SM_MQTTSN_TOPIC_NORMAL,
                            sm_topic_find_id(sn, SM_MQTTSN_TOPIC_NORMAL, p->topic_id));
        return p->code != SM_MQTTSN_ACCEPTED;
    }
    if (p->code != SM_MQTTSN_ACCEPTED) {
        refused(sn, p->code, now_ms);
        return true;
    }
    if (sm_request_at(sn, sn->pub.target)->qos != 1)
        return false;
    sm_exchange_end(sn, &sn->pub, 0);
    return true;
}

static bool on_pubrec(struct sm_mqttsn *sn, const struct sm_mqttsn_packet *p, uint64_t now_ms)
{
    if (!sn->pub.step || p->msg_id != sn->pub.msg_id || sm_request_at(sn, sn->pub.target)->qos != 2)
        return false;
    if (sn->pub.step == SM_STEP_PUBLISH) {
        sn->pub.step = SM_STEP_PUBREL;
        sn->pub.tries = 0;
        sn->pub.due_ms = now_ms;
    }
    return true;
}

static bool on_pubcomp(struct sm_mqttsn *sn, const struct sm_mqttsn_packet *p)
{
    if (!answers(p, &sn->pub, SM_STEP_PUBREL))
        return false;
    sm_exchange_end(sn, &sn->pub, 0);
    return true;
}

/* ---- All of them ---- */

/* What the gateway of our session sends. */
static bool in_session(struct sm_mqttsn *sn, const struct sm_mqttsn_packet *p, uint64_t now_ms)
{
    /* A sleeper who is being told things is not given up. */
    if (sn->ctl.step == SM_CONTROL_AWAKE && sn->ctl.tries && p->type != SM_MQTTSN_PINGRESP)
        sm_exchange_wait(sn, &sn->ctl, now_ms);
    switch (p->type) {
    case SM_MQTTSN_REGISTER: return on_register(sn, p);
    case SM_MQTTSN_PUBLISH: return on_publish(sn, p, now_ms);
    case SM_MQTTSN_PUBREL: return on_pubrel(sn, p, now_ms);
    case SM_MQTTSN_REGACK: return on_regack(sn, p, now_ms);
    case SM_MQTTSN_SUBACK: return on_suback(sn, p, now_ms);
    case SM_MQTTSN_UNSUBACK: return on_unsuback(sn, p);
    case SM_MQTTSN_PUBACK: return on_puback(sn, p, now_ms);
    case SM_MQTTSN_PUBREC: return on_pubrec(sn, p, now_ms);
    case SM_MQTTSN_PUBCOMP: return on_pubcomp(sn, p);
    case SM_MQTTSN_PINGREQ: acknowledge(sn, SM_MQTTSN_PINGRESP, p, 0); return true;
    case SM_MQTTSN_PINGRESP: return on_pingresp(sn, now_ms);
    case SM_MQTTSN_WILLTOPICRESP: return on_will_response(sn, SM_STEP_WILL_TOPIC, p->code);
    case SM_MQTTSN_WILLMSGRESP: return on_will_response(sn, SM_STEP_WILL_MSG, p->code);
    default: return false; /* what only clients send */
    }
}

static bool on_message(struct sm_mqttsn *sn, const struct sm_mqttsn_packet *p,
                       const struct sm_mqttsn_address *from, uint64_t now_ms)
{
    switch (p->type) {
    case SM_MQTTSN_ADVERTISE:
        if (from->len)
            sm_gateway_learn(sn, from, p->gateway_id, p->duration_s * 1000u, now_ms);
        return from->len > 0;
    case SM_MQTTSN_GWINFO: return on_gwinfo(sn, p, from, now_ms);
    case SM_MQTTSN_SEARCHGW: return on_searchgw(sn, now_ms);
    default: break;
    }
    if (sn->gateway.len == 0 || !sm_mqttsn_address_same(&sn->gateway, from))
        return false;
    switch (p->type) {
    case SM_MQTTSN_CONNACK: return on_connack(sn, p, now_ms);
    case SM_MQTTSN_WILLTOPICREQ:
    case SM_MQTTSN_WILLMSGREQ: return on_will_request(sn, p->type, now_ms);
    case SM_MQTTSN_DISCONNECT: return on_disconnect(sn, now_ms);
    default: return sm_has_session(sn) && in_session(sn, p, now_ms);
    }
}

void sm_mqttsn_feed(struct sm_mqttsn *sn, const uint8_t *bytes, size_t len,
                    const struct sm_mqttsn_address *from, uint64_t now_ms)
{
    struct sm_mqttsn_packet p;
    sn->counts.received++;
    if (sm_mqttsn_decode(&p, bytes, len) != 0)
        sn->counts.malformed++;
    else if (sn->nreplies == SM_MQTTSN_REPLIES || !on_message(sn, &p, from, now_ms))
        sn->counts.unexpected++;
}
