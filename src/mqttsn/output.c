/* What goes, and when: replies first, then whatever is due of the exchanges.
 *
 * Each source builds the message that it wants to send now, or none. An exchange that has sent all
 * its tries in vain means that the gateway is lost; that is found here, where time passes.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "client.h"

#define NEVER UINT64_MAX

const char *sm_mqttsn_state_name(enum sm_mqttsn_state state)
{
    static const char names[][13] = {"disconnected", "connecting", "active",
                                     "asleep",       "awake",      "lost"};
    return (unsigned)state < sizeof names / sizeof names[0] ? names[state] : "";
}

/* The session can be used: neither sleeping nor on the way there. */
static bool usable(const struct sm_mqttsn *sn)
{
    bool ending = sn->ctl.step == SM_CONTROL_DISCONNECT ||
                  (sn->ctl.step == SM_CONTROL_SLEEP && sn->ctl.tries > 0);
    return sn->state == SM_MQTTSN_ACTIVE && !ending;
}

static uint64_t ping_ms(const struct sm_mqttsn *sn)
{
    return sn->sent_ms + sn->keepalive_s * 875u; /* seven eighths of it */
}

static void begin(struct sm_mqttsn_exchange *x, unsigned step, uint16_t target, uint16_t msg_id)
{
    if (x->target != target)
        x->rounds = 0;
    x->step = (uint8_t)step;
    x->tries = 0;
    x->target = target;
    x->msg_id = msg_id;
    x->due_ms = 0;
}

/* Whether to send now. */
static bool due(const struct sm_mqttsn_exchange *x, uint64_t now_ms)
{
    return x->step && now_ms >= x->due_ms;
}

static bool exhausted(const struct sm_mqttsn *sn, const struct sm_mqttsn_exchange *x)
{
    return x->tries > sn->cfg.retries;
}

static void sending(struct sm_mqttsn *sn, struct sm_mqttsn_exchange *x, uint64_t now_ms)
{
    if (x->tries++)
        sn->counts.retransmitted++;
    sm_exchange_wait(sn, x, now_ms);
}

/* Whether an exchange of the session sends now; without an answer to all tries the gateway is lost.
 */
static bool sends(struct sm_mqttsn *sn, struct sm_mqttsn_exchange *x, uint64_t now_ms)
{
    if (!due(x, now_ms))
        return false;
    if (exhausted(sn, x)) {
        sm_control_lost(sn, true, now_ms);
        return false;
    }
    sending(sn, x, now_ms);
    return true;
}

/* ---- Sources: each fills p and says whether there is something to send ---- */

static void put_will(const struct sm_mqttsn *sn, struct sm_mqttsn_packet *p, bool topic)
{
    if (!sn->will)
        return;
    p->qos = (int8_t)sn->will->qos;
    p->retain = sn->will->retain;
    p->data = topic ? sn->will->topic : sn->will->message;
    p->len = topic ? sn->will->topic_len : sn->will->message_len;
}

static bool from_replies(struct sm_mqttsn *sn, uint64_t now_ms, struct sm_mqttsn_packet *p)
{
    (void)now_ms;
    if (!sn->nreplies)
        return false;
    const struct sm_mqttsn_reply *r = &sn->replies[0];
    p->type = r->type;
    p->code = r->code;
    p->topic_id = r->topic_id;
    p->msg_id = r->msg_id;
    if (r->type == SM_MQTTSN_WILLTOPIC || r->type == SM_MQTTSN_WILLMSG)
        put_will(sn, p, r->type == SM_MQTTSN_WILLTOPIC);
    sn->nreplies--;
    memmove(sn->replies, sn->replies + 1, sn->nreplies * sizeof *sn->replies);
    return true;
}

static void put_own_id(const struct sm_mqttsn *sn, struct sm_mqttsn_packet *p)
{
    p->data = (const uint8_t *)sn->cfg.client_id;
    p->len = (uint16_t)strlen(sn->cfg.client_id);
}

/* What has to be told about a topic: 0, or a step of the exchange. */
static unsigned untold(const struct sm_mqttsn_topic *t)
{
    if (t->flags & SM_TOPIC_LEAVING)
        return SM_STEP_UNSUBSCRIBE;
    bool wished = (t->flags & (SM_TOPIC_WANTED | SM_TOPIC_SUBSCRIBED)) == SM_TOPIC_WANTED;
    return wished ? SM_STEP_SUBSCRIBE : 0;
}

/* Something that has to be done before we sleep. */
static bool work_left(const struct sm_mqttsn *sn)
{
    if (sn->reg.step || sn->sub.step || sn->pub.step || sn->wll.step)
        return true;
    for (unsigned i = 0; i < sn->cfg.nrequests; i++)
        if (sm_request_open(&sn->cfg.requests[i]))
            return true;
    for (unsigned i = 0; i < sn->cfg.ntopics; i++)
        if (untold(&sn->cfg.topics[i]))
            return true;
    return false;
}

/* What the connection does without sending: time passes, and tries end. */
static void control_time(struct sm_mqttsn *sn, uint64_t now_ms)
{
    if (sn->state == SM_MQTTSN_ASLEEP && !sn->ctl.step && now_ms >= sn->asleep_ms) {
        sn->state = SM_MQTTSN_AWAKE;
        sm_control_begin(sn, SM_CONTROL_AWAKE, now_ms);
    }
    if (sn->state == SM_MQTTSN_ACTIVE && !sn->ctl.step && sn->sleep_s)
        sm_control_begin(sn, SM_CONTROL_SLEEP, now_ms);
    if (!due(&sn->ctl, now_ms))
        return;
    bool in_vain = exhausted(sn, &sn->ctl) || (sn->ctl.step == SM_CONTROL_SEARCH &&
                                               sn->state == SM_MQTTSN_LOST && sn->ctl.tries);
    if (sn->ctl.step == SM_CONTROL_DELAY)
        sn->ctl.step = SM_CONTROL_SEARCH;
    else if (sn->ctl.step == SM_CONTROL_PAUSE && sn->searched)
        sm_control_begin(sn, SM_CONTROL_DELAY, now_ms);
    else if (sn->ctl.step == SM_CONTROL_PAUSE)
        sm_control_connect(sn, now_ms);
    else if (in_vain)
        sm_control_unanswered(sn, now_ms);
}

static bool from_control(struct sm_mqttsn *sn, uint64_t now_ms, struct sm_mqttsn_packet *p)
{
    control_time(sn, now_ms);
    if (!due(&sn->ctl, now_ms))
        return false;
    switch (sn->ctl.step) {
    case SM_CONTROL_SEARCH:
        p->type = SM_MQTTSN_SEARCHGW;
        p->radius = sn->radius;
        break;
    case SM_CONTROL_CONNECT:
        p->type = SM_MQTTSN_CONNECT;
        p->protocol = SM_MQTTSN_PROTOCOL_ID;
        /* What is under way goes on in the session that this connection began. */
        p->clean = sn->clean && !sn->wakes && !sm_mqttsn_address_same(&sn->session, &sn->gateway);
        p->will = sn->will && !sn->wakes;
        p->duration_s = sn->keepalive_s;
        put_own_id(sn, p);
        break;
    case SM_CONTROL_SLEEP:
        if (!sn->ctl.tries && sn->state == SM_MQTTSN_ACTIVE && work_left(sn))
            return false;
        p->duration_s = sn->sleep_s;
        /* fall through */
    case SM_CONTROL_DISCONNECT: p->type = SM_MQTTSN_DISCONNECT; break;
    case SM_CONTROL_AWAKE:
        p->type = SM_MQTTSN_PINGREQ;
        put_own_id(sn, p);
        break;
    default: return false;
    }
    sending(sn, &sn->ctl, now_ms);
    if (sn->ctl.step == SM_CONTROL_SEARCH) { /* each interval twice the one before */
        unsigned doubled = sn->ctl.tries < 9 ? sn->ctl.tries - 1u : 8u;
        sn->ctl.due_ms = now_ms + ((uint64_t)sn->cfg.retry_ms << doubled);
    }
    return true;
}

/* A topic without an id that a request needs. */
static uint16_t wants_id(struct sm_mqttsn *sn)
{
    for (unsigned i = 0; i < sn->cfg.nrequests; i++) {
        const struct sm_mqttsn_request *r = &sn->cfg.requests[i];
        bool named = r->kind == SM_REQUEST_REGISTER ||
                     (r->kind == SM_REQUEST_PUBLISH && r->topic_type == SM_MQTTSN_TOPIC_NORMAL);
        bool released =
            sn->pub.step == SM_STEP_PUBREL && sn->pub.target == i; /* needs none any more */
        if (sm_request_open(r) && named && !released && sm_topic_at(sn, r->topic)->id == 0)
            return r->topic;
    }
    return 0;
}

static bool from_register(struct sm_mqttsn *sn, uint64_t now_ms, struct sm_mqttsn_packet *p)
{
    if (!usable(sn))
        return false;
    uint16_t number = sn->reg.step ? 0 : wants_id(sn);
    if (number)
        begin(&sn->reg, SM_STEP_REGISTER, number, sm_new_msg_id(sn));
    if (!sends(sn, &sn->reg, now_ms))
        return false;
    p->type = SM_MQTTSN_REGISTER;
    p->msg_id = sn->reg.msg_id;
    p->data = (const uint8_t *)sm_topic_name(sn, sn->reg.target);
    p->len = sm_topic_at(sn, sn->reg.target)->name_len;
    return true;
}

static void next_subscription(struct sm_mqttsn *sn)
{
    for (uint16_t n = 1; n <= sn->cfg.ntopics && !sn->sub.step; n++) {
        unsigned step = untold(&sn->cfg.topics[n - 1]);
        if (step)
            begin(&sn->sub, step, n, sm_new_msg_id(sn));
    }
}

static bool from_subscribe(struct sm_mqttsn *sn, uint64_t now_ms, struct sm_mqttsn_packet *p)
{
    if (!usable(sn))
        return false;
    next_subscription(sn);
    if (!sends(sn, &sn->sub, now_ms))
        return false;
    const struct sm_mqttsn_topic *t = sm_topic_at(sn, sn->sub.target);
    bool subscribes = sn->sub.step == SM_STEP_SUBSCRIBE;
    p->type = subscribes ? SM_MQTTSN_SUBSCRIBE : SM_MQTTSN_UNSUBSCRIBE;
    p->dup = sn->sub.tries > 1;
    p->qos = subscribes ? (int8_t)t->qos : 0;
    p->msg_id = sn->sub.msg_id;
    p->topic_type = t->type;
    p->topic_id = t->id;
    if (t->type == SM_MQTTSN_TOPIC_NORMAL) {
        p->data = (const uint8_t *)sm_topic_name(sn, sn->sub.target);
        p->len = t->name_len;
    }
    return true;
}

/* The gateway's id of a request's topic; 0: it has none yet. */
static uint16_t wire_id(struct sm_mqttsn *sn, const struct sm_mqttsn_request *r)
{
    return r->topic_type == SM_MQTTSN_TOPIC_NORMAL ? sm_topic_at(sn, r->topic)->id : r->topic;
}

static void put_publish(struct sm_mqttsn *sn, struct sm_mqttsn_request *r,
                        struct sm_mqttsn_packet *p)
{
    p->type = SM_MQTTSN_PUBLISH;
    p->dup = r->state == SM_REQUEST_SENT;
    p->qos = r->qos;
    p->retain = r->retain;
    p->topic_type = r->topic_type;
    p->topic_id = wire_id(sn, r);
    p->msg_id = r->msg_id;
    p->data = sn->cfg.payloads + (size_t)(r - sn->cfg.requests) * sn->cfg.payload_size;
    p->len = r->len;
}

static void next_publish(struct sm_mqttsn *sn)
{
    struct sm_mqttsn_request *r = sm_request_next_publish(sn, true);
    if (!r || !wire_id(sn, r))
        return;
    if (r->state == SM_REQUEST_WAITING)
        r->msg_id = sm_new_msg_id(sn);
    begin(&sn->pub, SM_STEP_PUBLISH, (uint16_t)(r - sn->cfg.requests), r->msg_id);
}

static bool from_publish(struct sm_mqttsn *sn, uint64_t now_ms, struct sm_mqttsn_packet *p)
{
    if (!usable(sn))
        return false;
    if (!sn->pub.step)
        next_publish(sn);
    struct sm_mqttsn_request *r = sm_request_at(sn, sn->pub.target);
    if (sn->pub.step == SM_STEP_PUBLISH && !wire_id(sn, r))
        sn->pub.step = 0; /* the gateway gave its id to another name meanwhile */
    if (!sends(sn, &sn->pub, now_ms))
        return false;
    p->type = SM_MQTTSN_PUBREL;
    p->msg_id = sn->pub.msg_id;
    if (sn->pub.step == SM_STEP_PUBLISH) {
        r->msg_id = sn->pub.msg_id;
        put_publish(sn, r, p);
        r->state = SM_REQUEST_SENT;
    }
    return true;
}

/* QoS 0 and -1; sent is done, see sm_mqttsn_poll(). */
static bool from_unacknowledged(struct sm_mqttsn *sn, uint64_t now_ms, struct sm_mqttsn_packet *p)
{
    struct sm_mqttsn_request *r = sm_request_next_publish(sn, false);
    if (!r || !(r->qos == -1 || usable(sn)) || !wire_id(sn, r))
        return false;
    if (r->qos == -1 && sn->gateway.len == 0) {
        const struct sm_mqttsn_gateway *g = sm_gateway_first(sn, now_ms);
        if (!g)
            return false;
        sn->gateway = g->address;
    }
    put_publish(sn, r, p);
    return true;
}

static bool from_will(struct sm_mqttsn *sn, uint64_t now_ms, struct sm_mqttsn_packet *p)
{
    if (!usable(sn) || !due(&sn->wll, now_ms))
        return false;
    if (exhausted(sn, &sn->wll)) { /* some gateways do not know these; it is not lost for that */
        sm_exchange_end(sn, &sn->wll, SM_ERR_NOT_FOUND);
        return false;
    }
    bool topic = sn->wll.step == SM_STEP_WILL_TOPIC;
    p->type = topic ? SM_MQTTSN_WILLTOPICUPD : SM_MQTTSN_WILLMSGUPD;
    put_will(sn, p, topic);
    sending(sn, &sn->wll, now_ms);
    return true;
}

static bool from_keepalive(struct sm_mqttsn *sn, uint64_t now_ms, struct sm_mqttsn_packet *p)
{
    if (!usable(sn))
        return false;
    if (!sn->ping.step && now_ms >= ping_ms(sn))
        begin(&sn->ping, 1, 0, 0);
    if (!sends(sn, &sn->ping, now_ms))
        return false;
    p->type = SM_MQTTSN_PINGREQ;
    return true;
}

/* Another client searches, and we know a gateway. */
static bool from_info(struct sm_mqttsn *sn, uint64_t now_ms, struct sm_mqttsn_packet *p,
                      uint8_t *work)
{
    if (!due(&sn->info, now_ms))
        return false;
    sn->info.step = 0;
    const struct sm_mqttsn_gateway *g = sm_gateway_first(sn, now_ms);
    if (!g)
        return false;
    work[0] = g->address.len;
    memcpy(work + 1, g->address.bytes, g->address.len);
    p->type = SM_MQTTSN_GWINFO;
    p->gateway_id = g->id;
    p->data = work;
    p->len = (uint16_t)(g->address.len + 1);
    return true;
}

/* ---- All of them ---- */

/* What could not be written because the caller's buffer is too small never will. */
static void too_long(struct sm_mqttsn *sn, const struct sm_mqttsn_packet *p)
{
    switch (p->type) {
    case SM_MQTTSN_REGISTER:
        sn->reg.step = 0;
        sm_requests_end_topic(sn, SM_REQUEST_REGISTER, sn->reg.target, SM_ERR_MEMORY);
        sm_requests_end_topic(sn, SM_REQUEST_PUBLISH, sn->reg.target, SM_ERR_MEMORY);
        break;
    case SM_MQTTSN_SUBSCRIBE:
    case SM_MQTTSN_UNSUBSCRIBE:
        sn->sub.step = 0;
        sm_topic_at(sn, sn->sub.target)->flags &= (uint8_t) ~(SM_TOPIC_WANTED | SM_TOPIC_LEAVING);
        sm_requests_end_topic(sn, SM_REQUEST_SUBSCRIBE, sn->sub.target, SM_ERR_MEMORY);
        sm_requests_end_topic(sn, SM_REQUEST_UNSUBSCRIBE, sn->sub.target, SM_ERR_MEMORY);
        break;
    case SM_MQTTSN_PUBLISH: sm_exchange_end(sn, &sn->pub, SM_ERR_MEMORY); break;
    case SM_MQTTSN_WILLTOPICUPD:
    case SM_MQTTSN_WILLMSGUPD: sm_exchange_end(sn, &sn->wll, SM_ERR_MEMORY); break;
    default: break; /* short, or a will's, without which CONNECT is not answered */
    }
}

static bool is_for_all(unsigned type)
{
    return type == SM_MQTTSN_SEARCHGW || type == SM_MQTTSN_GWINFO;
}

int sm_mqttsn_poll(struct sm_mqttsn *sn, uint64_t now_ms, uint8_t *out, size_t size,
                   struct sm_mqttsn_address *to)
{
    typedef bool source(struct sm_mqttsn *, uint64_t, struct sm_mqttsn_packet *);
    static source *const sources[] = {from_replies,   from_control,  from_register,
                                      from_subscribe, from_publish,  from_unacknowledged,
                                      from_will,      from_keepalive};
    struct sm_mqttsn_packet p = {0};
    uint8_t work[1 + SM_MQTTSN_ADDRESS_MAX];
    bool some = false;
    for (unsigned i = 0; i < sizeof sources / sizeof sources[0] && !some; i++)
        some = sources[i](sn, now_ms, &p);
    if (!some && !from_info(sn, now_ms, &p, work))
        return 0;
    memset(to, 0, sizeof *to);
    int n = sm_mqttsn_encode(&p, out, size);
    if (p.type == SM_MQTTSN_PUBLISH && p.qos <= 0) {
        sm_request_end(sm_request_next_publish(sn, false), n < 0 ? SM_ERR_MEMORY : 0);
    } else if (n < 0) {
        too_long(sn, &p);
    }
    if (n < 0)
        return SM_ERR_MEMORY;
    if (!is_for_all(p.type)) {
        *to = sn->gateway;
        sn->sent_ms = now_ms;
    }
    sn->counts.sent++;
    return n;
}

static void sooner(uint64_t *at, const struct sm_mqttsn_exchange *x)
{
    if (x->step && x->due_ms < *at)
        *at = x->due_ms;
}

uint64_t sm_mqttsn_deadline(const struct sm_mqttsn *sn)
{
    uint64_t at = NEVER;
    bool held = sn->ctl.step == SM_CONTROL_SLEEP && !sn->ctl.tries; /* by work that is left */
    if (sn->state == SM_MQTTSN_ASLEEP && !sn->ctl.step)
        at = sn->asleep_ms;
    if (usable(sn) && !sn->ping.step)
        at = ping_ms(sn);
    sooner(&at, &sn->info);
    if (!held)
        sooner(&at, &sn->ctl);
    if (!usable(sn))
        return at;
    sooner(&at, &sn->ping);
    sooner(&at, &sn->reg);
    sooner(&at, &sn->sub);
    sooner(&at, &sn->pub);
    sooner(&at, &sn->wll);
    return at;
}
