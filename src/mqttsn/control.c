/* The connection: which gateway, and the moves between states.
 *
 *   DISCONNECTED --connect()--> CONNECTING --CONNACK--> ACTIVE --sleep(), DISCONNECT--> ASLEEP
 *   ASLEEP --awake() or the time--> AWAKE --PINGRESP--> ASLEEP
 *   ASLEEP --connect()--> CONNECTING --CONNACK--> ACTIVE
 *   ACTIVE, ASLEEP, AWAKE --nobody answers, or DISCONNECT--> LOST --CONNACK--> ACTIVE
 *   CONNECTING --no gateway takes us--> DISCONNECTED;   any --disconnect()--> DISCONNECTED
 *
 * The caller's wishes (keep-alive, clean, will, to sleep) outlive a lost connection; so does what
 * it publishes, until every gateway has been tried once in vain. A gateway that did not answer
 * comes last in the next attempt.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "client.h"

#define ADVERTISEMENTS 3u /* Nadv: so many missed, and a gateway is forgotten */

bool sm_has_session(const struct sm_mqttsn *sn)
{
    return sn->state == SM_MQTTSN_ACTIVE || sn->state == SM_MQTTSN_ASLEEP ||
           sn->state == SM_MQTTSN_AWAKE;
}

/* ---- Gateways ---- */

bool sm_gateway_known(const struct sm_mqttsn *sn)
{
    for (unsigned i = 0; i < sn->cfg.ngateways; i++)
        if (sn->cfg.gateways[i].address.len)
            return true;
    return false;
}

struct sm_mqttsn_gateway *sm_gateway_first(struct sm_mqttsn *sn, uint64_t now_ms)
{
    struct sm_mqttsn_gateway *first = NULL;
    for (unsigned i = 0; i < sn->cfg.ngateways; i++) {
        struct sm_mqttsn_gateway *g = &sn->cfg.gateways[i];
        if (g->advertised && !g->fixed && now_ms >= g->until_ms)
            g->address.len = 0;
        if (g->address.len && (!first || g->failed < first->failed))
            first = g;
    }
    return first;
}

static struct sm_mqttsn_gateway *find(struct sm_mqttsn *sn, const struct sm_mqttsn_address *at)
{
    for (unsigned i = 0; i < sn->cfg.ngateways; i++)
        if (sn->cfg.gateways[i].address.len &&
            sm_mqttsn_address_same(&sn->cfg.gateways[i].address, at))
            return &sn->cfg.gateways[i];
    return NULL;
}

/* A place for another gateway: a free one, or that of a found one which failed, longest ago. */
static struct sm_mqttsn_gateway *room(struct sm_mqttsn *sn)
{
    struct sm_mqttsn_gateway *oldest = NULL;
    for (unsigned i = 0; i < sn->cfg.ngateways; i++) {
        struct sm_mqttsn_gateway *g = &sn->cfg.gateways[i];
        if (g->address.len == 0)
            return g;
        if (!g->fixed && g->failed && (!oldest || g->failed < oldest->failed))
            oldest = g;
    }
    return oldest;
}

struct sm_mqttsn_gateway *sm_gateway_place(struct sm_mqttsn *sn, const struct sm_mqttsn_address *at)
{
    struct sm_mqttsn_gateway *g = find(sn, at);
    if (g || !(g = room(sn)))
        return g;
    memset(g, 0, sizeof *g);
    g->address = *at;
    return g;
}

static unsigned gateways(const struct sm_mqttsn *sn)
{
    unsigned n = 0;
    for (unsigned i = 0; i < sn->cfg.ngateways; i++)
        n += sn->cfg.gateways[i].address.len > 0;
    return n;
}

static void failed_here(struct sm_mqttsn *sn)
{
    struct sm_mqttsn_gateway *g = find(sn, &sn->gateway);
    if (g)
        g->failed = ++sn->failures;
}

void sm_gateway_learn(struct sm_mqttsn *sn, const struct sm_mqttsn_address *at, uint8_t id,
                      uint32_t advertised_ms, uint64_t now_ms)
{
    bool news = !find(sn, at);
    struct sm_mqttsn_gateway *g = sm_gateway_place(sn, at);
    if (!g)
        return;
    g->id = id;
    if (advertised_ms) {
        g->advertised = true;
        g->until_ms = now_ms + (uint64_t)ADVERTISEMENTS * advertised_ms;
    }
    bool searching = sn->ctl.step == SM_CONTROL_DELAY || sn->ctl.step == SM_CONTROL_SEARCH;
    if (searching && sn->state == SM_MQTTSN_DISCONNECTED) {
        sn->ctl.step = SM_CONTROL_NONE;
        sm_control_end(sn, 0);
    } else if (searching || (news && sn->ctl.step == SM_CONTROL_PAUSE)) {
        sm_control_connect(sn, now_ms);
    }
}

/* ---- Moves ---- */

void sm_control_end(struct sm_mqttsn *sn, int how)
{
    sm_request_end(&sn->control, how);
}

void sm_control_begin(struct sm_mqttsn *sn, enum sm_control_step step, uint64_t now_ms)
{
    sn->ctl.step = (uint8_t)step;
    sn->ctl.tries = 0;
    sn->ctl.due_ms = now_ms;
    if (step == SM_CONTROL_DELAY) {
        sn->ctl.due_ms += sm_random_below(sn, sn->cfg.search_ms);
        sn->searched = true;
    }
}

void sm_control_connect(struct sm_mqttsn *sn, uint64_t now_ms)
{
    const struct sm_mqttsn_gateway *g = sm_gateway_first(sn, now_ms);
    if (!g) {
        sm_control_begin(sn, SM_CONTROL_DELAY, now_ms);
        return;
    }
    sn->gateway = g->address;
    sn->nreplies = 0;
    sm_control_begin(sn, SM_CONTROL_CONNECT, now_ms);
}

static void pause(struct sm_mqttsn *sn, uint32_t ms, uint64_t now_ms)
{
    sm_control_begin(sn, SM_CONTROL_PAUSE, now_ms + ms + sm_random_below(sn, ms / 2));
}

/* Each pause in a row is twice the one before. */
static void pause_longer(struct sm_mqttsn *sn, uint64_t now_ms)
{
    uint32_t ms = sn->backoff_ms ? sn->backoff_ms : sn->cfg.retry_ms / 2;
    sn->backoff_ms = ms > sn->cfg.wait_ms / 2 ? sn->cfg.wait_ms : 2 * ms;
    pause(sn, sn->backoff_ms, now_ms);
}

static void disconnected(struct sm_mqttsn *sn, int how)
{
    sn->state = SM_MQTTSN_DISCONNECTED;
    sn->ctl.step = SM_CONTROL_NONE;
    sm_requests_end_all(sn, SM_ERR_STATE);
    sm_control_end(sn, how);
}

/* What was under way when the connection ended. A gateway that still has our session knows the
 * message id and goes on where it was; for any other the message begins anew, and its subscriber
 * may see it twice. */
static void resume_publish(struct sm_mqttsn *sn, bool same_session, uint64_t now_ms)
{
    if (same_session) {
        if (sn->pub.step == SM_STEP_PUBLISH)
            sn->pub.step = 0; /* begins again with the id it has, once its topic has one */
        sn->pub.tries = 0;
        sn->pub.due_ms = now_ms;
        return;
    }
    sn->pub.step = 0;
    for (unsigned i = 0; i < sn->cfg.nrequests; i++) {
        struct sm_mqttsn_request *r = sm_request_at(sn, i);
        if (r->state == SM_REQUEST_SENT) {
            r->state = SM_REQUEST_WAITING;
            r->again = true;
        }
    }
}

void sm_control_connected(struct sm_mqttsn *sn, uint64_t now_ms)
{
    bool same = sm_mqttsn_address_same(&sn->session, &sn->gateway);
    struct sm_mqttsn_gateway *g = find(sn, &sn->gateway);
    if (g)
        g->failed = 0;
    if (!sn->wakes) {
        sm_topics_unknown(sn);
        resume_publish(sn, same, now_ms);
        if (!same)
            sn->nreceived = 0;
    }
    sn->wakes = false;
    sn->session = sn->gateway;
    sn->state = SM_MQTTSN_ACTIVE;
    sn->active_ms = now_ms;
    sn->tried = sn->missed = sn->code = 0;
    sn->ctl.step = SM_CONTROL_NONE;
    sn->ctl.rounds = 0;
    sn->ping.step = 0;
    sm_control_end(sn, 0);
}

/* One gateway did not take us (code, or 0 when it did not answer): the next one, until all have
 * been tried. */
void sm_control_refused(struct sm_mqttsn *sn, uint8_t code, uint64_t now_ms)
{
    failed_here(sn);
    sn->wakes = false;
    if (sn->code != SM_MQTTSN_CONGESTION)
        sn->code = code;
    if (++sn->tried < gateways(sn)) {
        sm_control_connect(sn, now_ms);
        return;
    }
    code = sn->code;
    sn->tried = sn->code = 0;
    if (code == SM_MQTTSN_CONGESTION && sn->ctl.rounds < sn->cfg.retries) {
        sn->ctl.rounds++;
        pause(sn, sn->cfg.wait_ms, now_ms);
    } else if (sn->state == SM_MQTTSN_CONNECTING) {
        disconnected(sn, code ? code : SM_ERR_NOT_FOUND);
    } else {
        sm_requests_end_all(sn, SM_ERR_NOT_FOUND);
        pause_longer(sn, now_ms);
    }
}

/* The connection there was is over: nobody answered (failed), or the gateway said so. */
void sm_control_lost(struct sm_mqttsn *sn, bool failed, uint64_t now_ms)
{
    if (failed)
        failed_here(sn);
    sm_control_end(sn, SM_ERR_NOT_FOUND);
    sn->state = SM_MQTTSN_LOST;
    sn->counts.reconnects++;
    sn->reg.step = sn->sub.step = sn->ping.step = 0;
    if (sn->wll.step)
        sm_exchange_end(sn, &sn->wll, SM_ERR_NOT_FOUND);
    sn->tried = sn->code = 0;
    sn->wakes = false;
    /* One that takes us and sends us away at once shall not keep us busy. */
    if (now_ms - sn->active_ms < sn->cfg.retry_ms) {
        pause_longer(sn, now_ms);
        return;
    }
    sn->backoff_ms = 0;
    sm_control_connect(sn, now_ms);
}

static void asleep_again(struct sm_mqttsn *sn, uint32_t ms, int how, uint64_t now_ms)
{
    sn->state = SM_MQTTSN_ASLEEP;
    sn->ctl.step = SM_CONTROL_NONE;
    sn->asleep_ms = now_ms + ms;
    sm_control_end(sn, how);
}

void sm_control_asleep(struct sm_mqttsn *sn, uint64_t now_ms)
{
    sn->missed = 0;
    sn->ping.step = 0;
    asleep_again(sn, sn->sleep_s * 875u, 0, now_ms); /* seven eighths of it */
}

void sm_control_unanswered(struct sm_mqttsn *sn, uint64_t now_ms)
{
    switch (sn->ctl.step) {
    case SM_CONTROL_SEARCH:
        if (sn->state != SM_MQTTSN_LOST)
            disconnected(sn, SM_ERR_NOT_FOUND);
        else if (sm_gateway_known(sn))
            sm_control_connect(sn, now_ms);
        else
            pause_longer(sn, now_ms);
        break;
    case SM_CONTROL_CONNECT: sm_control_refused(sn, 0, now_ms); break;
    case SM_CONTROL_DISCONNECT: disconnected(sn, SM_ERR_NOT_FOUND); break;
    case SM_CONTROL_AWAKE:
        if (++sn->missed < 2) {
            asleep_again(sn, sn->sleep_s * 125u, SM_ERR_NOT_FOUND, now_ms);
            break;
        }
        /* fall through */
    default: sm_control_lost(sn, true, now_ms);
    }
}
