/* What the caller asks of the client, and how it ended.
 *
 * A request has a place in the caller's memory until its result is taken; its token is that place
 * and a generation, so an old token is none. Connect, disconnect, sleep, awake and search share one
 * place of the client's own: they work with the memory full, and only one makes sense at a time.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "client.h"

#define DEFAULT_RETRY_MS  10000u
#define DEFAULT_RETRIES   3u
#define DEFAULT_WAIT_MS   360000u
#define DEFAULT_SEARCH_MS 5000u
#define DEFAULT_KEEPALIVE 30u

#define CONTROL 255u /* the place of connect and the like, in tokens */

bool sm_mqttsn_address_same(const struct sm_mqttsn_address *a, const struct sm_mqttsn_address *b)
{
    return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

uint32_t sm_random_below(struct sm_mqttsn *sn, uint32_t bound)
{
    uint32_t x = sn->random; /* xorshift: delays and first ids need to differ, not to be secret */
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    sn->random = x;
    return bound ? x % bound : 0;
}

static bool id_in_use(const struct sm_mqttsn_exchange *x, uint16_t id)
{
    return x->step && x->msg_id == id;
}

uint16_t sm_new_msg_id(struct sm_mqttsn *sn)
{
    do
        sn->next_msg_id++;
    while (sn->next_msg_id == 0 || id_in_use(&sn->reg, sn->next_msg_id) ||
           id_in_use(&sn->sub, sn->next_msg_id) || id_in_use(&sn->pub, sn->next_msg_id));
    return sn->next_msg_id;
}

static bool complete(const struct sm_mqttsn_config *cfg)
{
    size_t id = cfg->client_id ? strlen(cfg->client_id) : 0;
    return id >= 1 && id <= SM_MQTTSN_OWN_ID_MAX && cfg->gateways && cfg->ngateways &&
           cfg->topics && cfg->ntopics && cfg->names && cfg->name_size && cfg->requests &&
           cfg->nrequests && cfg->nrequests < CONTROL && (cfg->payloads || !cfg->payload_size) &&
           (cfg->inbox || !cfg->inbox_size);
}

int sm_mqttsn_init(struct sm_mqttsn *sn, const struct sm_mqttsn_config *cfg)
{
    if (!complete(cfg))
        return SM_ERR_ARG;
    memset(sn, 0, sizeof *sn);
    sn->cfg = *cfg;
    if (!cfg->retry_ms)
        sn->cfg.retry_ms = DEFAULT_RETRY_MS;
    if (!cfg->retries)
        sn->cfg.retries = DEFAULT_RETRIES;
    if (!cfg->wait_ms)
        sn->cfg.wait_ms = DEFAULT_WAIT_MS;
    if (!cfg->search_ms)
        sn->cfg.search_ms = DEFAULT_SEARCH_MS;
    memset(cfg->gateways, 0, cfg->ngateways * sizeof *cfg->gateways);
    memset(cfg->topics, 0, cfg->ntopics * sizeof *cfg->topics);
    memset(cfg->requests, 0, cfg->nrequests * sizeof *cfg->requests);
    sn->random = cfg->seed ? cfg->seed : 1;
    sn->next_msg_id = (uint16_t)sm_random_below(sn, 0x10000);
    return 0;
}

enum sm_mqttsn_state sm_mqttsn_state(const struct sm_mqttsn *sn)
{
    return (enum sm_mqttsn_state)sn->state;
}

const struct sm_mqttsn_counts *sm_mqttsn_counts(const struct sm_mqttsn *sn)
{
    return &sn->counts;
}

const struct sm_mqttsn_address *sm_mqttsn_gateway(const struct sm_mqttsn *sn)
{
    return sn->gateway.len ? &sn->gateway : NULL;
}

/* ---- Requests ---- */

struct sm_mqttsn_request *sm_request_at(struct sm_mqttsn *sn, unsigned i)
{
    return i == CONTROL ? &sn->control : &sn->cfg.requests[i];
}

bool sm_request_open(const struct sm_mqttsn_request *r)
{
    return r->state == SM_REQUEST_WAITING || r->state == SM_REQUEST_SENT;
}

void sm_request_end(struct sm_mqttsn_request *r, int how)
{
    if (!sm_request_open(r))
        return;
    r->how = (int16_t)how;
    r->state = r->forgotten ? SM_REQUEST_FREE : SM_REQUEST_DONE;
}

void sm_exchange_wait(const struct sm_mqttsn *sn, struct sm_mqttsn_exchange *x, uint64_t now_ms)
{
    x->due_ms = now_ms + sn->cfg.retry_ms;
}

void sm_exchange_end(struct sm_mqttsn *sn, struct sm_mqttsn_exchange *x, int how)
{
    x->step = x->rounds = 0;
    sm_request_end(sm_request_at(sn, x->target), how);
}

void sm_requests_end_topic(struct sm_mqttsn *sn, unsigned kind, uint16_t number, int how)
{
    for (unsigned i = 0; i < sn->cfg.nrequests; i++) {
        struct sm_mqttsn_request *r = sm_request_at(sn, i);
        bool of_type = kind != SM_REQUEST_PUBLISH || r->topic_type == SM_MQTTSN_TOPIC_NORMAL;
        if (r->kind == kind && r->topic == number && of_type)
            sm_request_end(r, how);
    }
}

void sm_requests_end_all(struct sm_mqttsn *sn, int how)
{
    for (unsigned i = 0; i < sn->cfg.nrequests; i++)
        sm_request_end(sm_request_at(sn, i), how);
    sn->reg.step = sn->sub.step = sn->pub.step = sn->wll.step = 0;
}

/* How long ago a request was made, in requests. */
static unsigned age(const struct sm_mqttsn *sn, const struct sm_mqttsn_request *r)
{
    return (uint16_t)(sn->generation - r->generation);
}

struct sm_mqttsn_request *sm_request_next_publish(struct sm_mqttsn *sn, bool acknowledged)
{
    struct sm_mqttsn_request *oldest = NULL;
    for (unsigned i = 0; i < sn->cfg.nrequests; i++) {
        struct sm_mqttsn_request *r = sm_request_at(sn, i);
        if (r->kind == SM_REQUEST_PUBLISH && sm_request_open(r) && (r->qos > 0) == acknowledged &&
            (!oldest || age(sn, r) > age(sn, oldest)))
            oldest = r;
    }
    return oldest;
}

static int token_of(const struct sm_mqttsn *sn, const struct sm_mqttsn_request *r)
{
    unsigned place = r == &sn->control ? CONTROL : (unsigned)(r - sn->cfg.requests);
    return (int)((unsigned)r->generation << 8 | place);
}

static void begin(struct sm_mqttsn *sn, struct sm_mqttsn_request *r, unsigned kind)
{
    memset(r, 0, sizeof *r);
    if (++sn->generation == 0)
        sn->generation = 1;
    r->generation = sn->generation;
    r->kind = (uint8_t)kind;
    r->state = SM_REQUEST_WAITING;
}

static struct sm_mqttsn_request *free_request(struct sm_mqttsn *sn)
{
    for (unsigned i = 0; i < sn->cfg.nrequests; i++)
        if (sn->cfg.requests[i].state == SM_REQUEST_FREE)
            return &sn->cfg.requests[i];
    return NULL;
}

static struct sm_mqttsn_request *by_token(struct sm_mqttsn *sn, int token)
{
    unsigned place = (unsigned)token & 0xff;
    if (token <= 0 || (place != CONTROL && place >= sn->cfg.nrequests))
        return NULL;
    struct sm_mqttsn_request *r = sm_request_at(sn, place);
    return r->state != SM_REQUEST_FREE && !r->forgotten && token_of(sn, r) == token ? r : NULL;
}

/* A return code as an enum sm_err. */
static int code_error(int code)
{
    switch (code) {
    case SM_MQTTSN_CONGESTION: return SM_ERR_BUSY;
    case SM_MQTTSN_INVALID_TOPIC: return SM_ERR_INVALID;
    default: return SM_ERR_UNSUPPORTED;
    }
}

int sm_mqttsn_take(struct sm_mqttsn *sn, int token, struct sm_mqttsn_result *result)
{
    memset(result, 0, sizeof *result);
    struct sm_mqttsn_request *r = by_token(sn, token);
    if (!r)
        return SM_ERR_ARG;
    if (r->state != SM_REQUEST_DONE)
        return SM_ERR_BUSY;
    result->err = r->how > 0 ? code_error(r->how) : r->how;
    result->code = r->how > 0 ? (uint8_t)r->how : 0;
    result->again = r->again;
    if (r->kind == SM_REQUEST_REGISTER || r->kind == SM_REQUEST_SUBSCRIBE)
        result->topic = sm_topic_public(sn, r->topic);
    if (r->kind == SM_REQUEST_SUBSCRIBE && r->how == 0)
        result->qos = sm_topic_at(sn, r->topic)->qos;
    r->state = SM_REQUEST_FREE;
    return 0;
}

void sm_mqttsn_forget(struct sm_mqttsn *sn, int token)
{
    struct sm_mqttsn_request *r = by_token(sn, token);
    if (!r)
        return;
    r->forgotten = true;
    if (r->state == SM_REQUEST_DONE)
        r->state = SM_REQUEST_FREE;
}

/* ---- The connection ---- */

/* The caller's place for these is free; what the client does by itself gives way. */
static bool control_free(const struct sm_mqttsn *sn)
{
    return sn->control.state == SM_REQUEST_FREE ||
           (sn->control.state != SM_REQUEST_DONE && sn->control.forgotten);
}

static int control_request(struct sm_mqttsn *sn)
{
    begin(sn, &sn->control, SM_REQUEST_CONTROL);
    return token_of(sn, &sn->control);
}

int sm_mqttsn_add_gateway(struct sm_mqttsn *sn, const struct sm_mqttsn_address *address)
{
    if (address->len == 0 || address->len > SM_MQTTSN_ADDRESS_MAX)
        return SM_ERR_ARG;
    struct sm_mqttsn_gateway *g = sm_gateway_place(sn, address);
    if (!g)
        return SM_ERR_LIMIT;
    g->fixed = true;
    return 0;
}

int sm_mqttsn_search(struct sm_mqttsn *sn, uint8_t radius, uint64_t now_ms)
{
    if (sn->state != SM_MQTTSN_DISCONNECTED)
        return SM_ERR_STATE;
    if (!control_free(sn) || sn->ctl.step)
        return SM_ERR_BUSY;
    sn->radius = radius;
    int token = control_request(sn);
    sm_control_begin(sn, SM_CONTROL_DELAY, now_ms);
    return token;
}

static int will_valid(const struct sm_mqttsn_will *will)
{
    return !will || (will->qos <= 2 && sm_mqttsn_name_valid(will->topic, will->topic_len));
}

int sm_mqttsn_connect(struct sm_mqttsn *sn, const struct sm_mqttsn_connect *how, uint64_t now_ms)
{
    if (!will_valid(how->will))
        return SM_ERR_ARG;
    bool wakes = sn->state == SM_MQTTSN_ASLEEP;
    if (sn->state != SM_MQTTSN_DISCONNECTED && sn->state != SM_MQTTSN_LOST && !wakes)
        return SM_ERR_STATE;
    if (!control_free(sn))
        return SM_ERR_BUSY;
    int token = control_request(sn);
    sn->keepalive_s = how->keepalive_s ? how->keepalive_s : DEFAULT_KEEPALIVE;
    sn->sleep_s = 0;
    sn->tried = sn->code = 0;
    sn->backoff_ms = 0;
    sn->wakes = wakes;
    if (!wakes) {
        sn->clean = how->clean;
        sn->will = how->will;
        if (how->clean) {
            sm_topics_unsubscribed(sn);
            sn->session.len = 0;
        }
    }
    sn->state = SM_MQTTSN_CONNECTING;
    sn->ctl.rounds = 0;
    if (wakes)
        sm_control_begin(sn, SM_CONTROL_CONNECT, now_ms);
    else
        sm_control_connect(sn, now_ms);
    return token;
}

int sm_mqttsn_disconnect(struct sm_mqttsn *sn, uint64_t now_ms)
{
    if (!control_free(sn))
        return SM_ERR_BUSY;
    int token = control_request(sn);
    sm_requests_end_all(sn, SM_ERR_STATE);
    sn->ping.step = 0;
    sn->sleep_s = 0;
    if (sm_has_session(sn)) {
        sm_control_begin(sn, SM_CONTROL_DISCONNECT, now_ms);
        return token;
    }
    /* Perhaps the gateway has accepted, and we do not know yet. */
    if (sn->ctl.step == SM_CONTROL_CONNECT && sn->ctl.tries)
        sm_reply(sn, &(struct sm_mqttsn_reply){.type = SM_MQTTSN_DISCONNECT});
    sn->state = SM_MQTTSN_DISCONNECTED;
    sn->ctl.step = SM_CONTROL_NONE;
    sm_control_end(sn, 0);
    return token;
}

int sm_mqttsn_sleep(struct sm_mqttsn *sn, uint16_t duration_s, uint64_t now_ms)
{
    if (duration_s == 0)
        return SM_ERR_ARG;
    if (sn->state != SM_MQTTSN_ACTIVE && sn->state != SM_MQTTSN_ASLEEP)
        return SM_ERR_STATE;
    if (!control_free(sn) || (sn->ctl.step && sn->ctl.step != SM_CONTROL_SLEEP))
        return SM_ERR_BUSY;
    sn->sleep_s = duration_s;
    int token = control_request(sn);
    sm_control_begin(sn, SM_CONTROL_SLEEP, now_ms);
    return token;
}

int sm_mqttsn_awake(struct sm_mqttsn *sn, uint64_t now_ms)
{
    bool under_way = sn->state == SM_MQTTSN_AWAKE; /* by the client itself; the caller joins */
    if (sn->state != SM_MQTTSN_ASLEEP && !under_way)
        return SM_ERR_STATE;
    if (!control_free(sn) || (sn->ctl.step && !under_way))
        return SM_ERR_BUSY;
    int token = control_request(sn);
    if (!under_way)
        sm_control_begin(sn, SM_CONTROL_AWAKE, now_ms);
    sn->state = SM_MQTTSN_AWAKE;
    return token;
}

/* ---- Topics and messages ---- */

/* Whether a new exchange may begin: not once the connection is being ended. */
static bool may_ask(const struct sm_mqttsn *sn)
{
    return sn->state == SM_MQTTSN_ACTIVE && sn->ctl.step == SM_CONTROL_NONE;
}

int sm_mqttsn_register(struct sm_mqttsn *sn, const char *name, size_t len)
{
    if (!sm_mqttsn_name_valid((const uint8_t *)name, len))
        return SM_ERR_ARG;
    if (!may_ask(sn))
        return SM_ERR_STATE;
    struct sm_mqttsn_request *r = free_request(sn);
    uint16_t number = r ? sm_topic_name_add(sn, (const uint8_t *)name, len) : 0;
    if (!number)
        return SM_ERR_LIMIT;
    struct sm_mqttsn_topic *t = sm_topic_at(sn, number);
    t->flags |= SM_TOPIC_KEPT;
    begin(sn, r, SM_REQUEST_REGISTER);
    r->topic = number;
    int token = token_of(sn, r);
    if (t->id)
        sm_request_end(r, 0);
    return token;
}

static bool publishable(struct sm_mqttsn *sn, unsigned type, uint16_t topic)
{
    switch (type) {
    case SM_MQTTSN_TOPIC_NORMAL: {
        const struct sm_mqttsn_topic *t = sm_topic_at(sn, topic);
        return t && t->type == SM_MQTTSN_TOPIC_NORMAL && !(t->flags & SM_TOPIC_WILD);
    }
    case SM_MQTTSN_TOPIC_PREDEFINED: return !sm_topic_id_reserved(topic);
    case SM_MQTTSN_TOPIC_SHORT: {
        const uint8_t name[2] = {(uint8_t)(topic >> 8), (uint8_t)topic};
        return sm_mqttsn_name_valid(name, 2);
    }
    default: return false;
    }
}

int sm_mqttsn_publish(struct sm_mqttsn *sn, enum sm_mqttsn_topic_type type, uint16_t topic, int qos,
                      bool retain, const void *data, size_t len)
{
    if (qos < -1 || qos > 2 || !publishable(sn, type, topic) ||
        (qos == -1 && type == SM_MQTTSN_TOPIC_NORMAL))
        return SM_ERR_ARG;
    if (qos == -1 ? !sm_gateway_known(sn) : !may_ask(sn))
        return SM_ERR_STATE;
    struct sm_mqttsn_request *r = free_request(sn);
    if (!r || len > sn->cfg.payload_size)
        return SM_ERR_LIMIT;
    begin(sn, r, SM_REQUEST_PUBLISH);
    r->topic_type = (uint8_t)type;
    r->topic = topic;
    r->qos = (int8_t)qos;
    r->retain = retain;
    r->len = (uint16_t)len;
    if (len)
        memcpy(sn->cfg.payloads + (size_t)(r - sn->cfg.requests) * sn->cfg.payload_size, data, len);
    return token_of(sn, r);
}

/* A wish for a subscription, or for its end, and who waits for it. */
static int wish(struct sm_mqttsn *sn, uint16_t number, unsigned kind, uint8_t qos)
{
    struct sm_mqttsn_request *r = free_request(sn);
    if (!r)
        return SM_ERR_LIMIT;
    struct sm_mqttsn_topic *t = sm_topic_at(sn, number);
    t->flags &= (uint8_t) ~(SM_TOPIC_WANTED | SM_TOPIC_LEAVING | SM_TOPIC_SUBSCRIBED);
    t->flags |= kind == SM_REQUEST_SUBSCRIBE ? SM_TOPIC_WANTED : SM_TOPIC_LEAVING;
    t->qos = qos;
    /* Whoever waited for the wish of before has been overtaken. */
    sm_requests_end_topic(
        sn, kind == SM_REQUEST_SUBSCRIBE ? SM_REQUEST_UNSUBSCRIBE : SM_REQUEST_SUBSCRIBE, number,
        SM_ERR_STATE);
    if (sn->sub.target == number)
        sn->sub.step = 0;
    begin(sn, r, kind);
    r->topic = number;
    return token_of(sn, r);
}

int sm_mqttsn_subscribe(struct sm_mqttsn *sn, const char *filter, size_t len, uint8_t qos)
{
    if (qos > 2 || !sm_mqttsn_filter_valid((const uint8_t *)filter, len))
        return SM_ERR_ARG;
    if (!may_ask(sn))
        return SM_ERR_STATE;
    if (!free_request(sn))
        return SM_ERR_LIMIT;
    uint16_t number = sm_topic_name_add(sn, (const uint8_t *)filter, len);
    return number ? wish(sn, number, SM_REQUEST_SUBSCRIBE, qos) : SM_ERR_LIMIT;
}

int sm_mqttsn_subscribe_topic(struct sm_mqttsn *sn, enum sm_mqttsn_topic_type type, uint16_t topic,
                              uint8_t qos)
{
    const struct sm_mqttsn_topic *t = sm_topic_at(sn, topic);
    bool named = type == SM_MQTTSN_TOPIC_NORMAL;
    if (qos > 2 || (named ? !t || t->type != type : !publishable(sn, type, topic)))
        return SM_ERR_ARG;
    if (!may_ask(sn))
        return SM_ERR_STATE;
    if (!free_request(sn))
        return SM_ERR_LIMIT;
    uint16_t number = named ? topic : sm_topic_id_add(sn, type, topic);
    return number ? wish(sn, number, SM_REQUEST_SUBSCRIBE, qos) : SM_ERR_LIMIT;
}

int sm_mqttsn_unsubscribe(struct sm_mqttsn *sn, enum sm_mqttsn_topic_type type, uint16_t topic)
{
    const struct sm_mqttsn_topic *t = sm_topic_at(sn, topic);
    bool named = type == SM_MQTTSN_TOPIC_NORMAL;
    uint16_t number = !named ? sm_topic_find_id(sn, type, topic) : t && t->type == type ? topic : 0;
    if (!number)
        return SM_ERR_ARG;
    return may_ask(sn) ? wish(sn, number, SM_REQUEST_UNSUBSCRIBE, 0) : SM_ERR_STATE;
}

int sm_mqttsn_update_will(struct sm_mqttsn *sn, const struct sm_mqttsn_will *will)
{
    if (!will_valid(will))
        return SM_ERR_ARG;
    if (!may_ask(sn))
        return SM_ERR_STATE;
    if (sn->wll.step)
        return SM_ERR_BUSY;
    struct sm_mqttsn_request *r = free_request(sn);
    if (!r)
        return SM_ERR_LIMIT;
    sn->will = will;
    begin(sn, r, SM_REQUEST_WILL);
    sn->wll = (struct sm_mqttsn_exchange){.step = SM_STEP_WILL_TOPIC,
                                          .target = (uint16_t)(r - sn->cfg.requests)};
    return token_of(sn, r);
}
