/* How sessions begin, move, sleep and end: CONNECT with its will, PINGREQ, DISCONNECT.
 *
 * Who is who. With DTLS the proven identity says it. On plain UDP nothing is proven, so a client's
 * IP address (and node behind a forwarder) is its identity: another port of it may go on with the
 * session, another address only when the session has no living client. Whether it lives is asked
 * (PINGREQ, c->moving); a client asleep cannot answer, so its session stays where it is until its
 * sleep is over, unless it may move (move.c).
 *
 *   CONNECT --will--> CONNECTING (WILLTOPICREQ, WILLMSGREQ) --own connection--> ACTIVE
 *   CONNECT --------> CONNECTING when it has a connection of its own, else ACTIVE at once
 *   ACTIVE --DISCONNECT(d)--> ASLEEP --PINGREQ(id)--> AWAKE --queue empty, PINGRESP--> ASLEEP
 *   ASLEEP, AWAKE --CONNECT without CleanSession and Will--> ACTIVE: it only says that it is awake.
 *       With one of these it has lost its memory in its sleep, and begins as anybody does
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>

#include "core.h"

#define SAY_MS 1000u
#define LATE_MS                                                                                    \
    3000u /* a CONNECT like the last one may be its copy, come late: a session is not wiped twice  \
           */
#define LOOKED_AT   64u
#define PATIENCE_MS 5000u /* without the broker; then clients are told of congestion */

static void refuse(struct gw *g, const struct gw_addr *to, uint8_t code)
{
    g->figures.refused++;
    gw_reply(g, to, &(struct sm_mqttsn_packet){.type = SM_MQTTSN_CONNACK, .code = code});
}

/* Not more than one line a second, for strangers can make many. */
static bool may_say(const struct gw *g, struct gw_said *said)
{
    if (said->at_ms && g->now_ms - said->at_ms < SAY_MS) {
        said->unsaid++;
        return false;
    }
    said->at_ms = g->now_ms;
    return true;
}

static const char *printable(const uint8_t *id, size_t size, char out[SM_MQTTSN_CLIENT_ID_MAX + 1])
{
    size_t len = 0;
    for (; len < size && len < SM_MQTTSN_CLIENT_ID_MAX; len++)
        out[len] = (char)(id[len] > ' ' && id[len] < 0x7f ? id[len] : '?');
    out[len] = 0;
    return out;
}

static const char *ip_text(const struct gw_addr *a, char out[INET6_ADDRSTRLEN])
{
    inet_ntop(AF_INET6, a->ip, out, INET6_ADDRSTRLEN);
    return strncmp(out, "::ffff:", 7) ? out : out + 7;
}

/* For people who look for the reason. */
static void say_refused(struct gw *g, const struct gw_addr *from, const struct sm_mqttsn_packet *p,
                        const char *why)
{
    char id[SM_MQTTSN_CLIENT_ID_MAX + 1], ip[INET6_ADDRSTRLEN];
    if (!may_say(g, &g->said_refused))
        return;
    gw_notef(g, "client %s at %s, port %u, is refused: %s; %u others were before it",
             printable(p->data, p->len, id), ip_text(from, ip), from->port, why,
             g->said_refused.unsaid);
    g->said_refused.unsaid = 0;
}

/* Before the session moves. Other ports of the same address are not worth a line. */
static void say_moved(struct gw *g, const struct gw_client *c, const struct gw_addr *to)
{
    char id[SM_MQTTSN_CLIENT_ID_MAX + 1], ip[INET6_ADDRSTRLEN], new_ip[INET6_ADDRSTRLEN];
    static const struct gw_addr nowhere;
    g->figures.takeovers++;
    if (!memcmp(c->addr.ip, to->ip, sizeof to->ip) ||
        !memcmp(c->addr.ip, nowhere.ip, sizeof nowhere.ip) || !may_say(g, &g->said_moved))
        return;
    gw_notef(g, "client %s moves from %s to %s; %u others were before it",
             printable((const uint8_t *)c->id, c->id_len, id), ip_text(&c->addr, ip),
             ip_text(to, new_ip), g->said_moved.unsaid);
    g->said_moved.unsaid = 0;
}

static bool same_sender(const struct gw_client *c, const struct gw_addr *from, const char *identity)
{
    if (c->identity || identity)
        return c->identity && identity && !strcmp(c->identity, identity);
    return !memcmp(c->addr.ip, from->ip, sizeof from->ip) && c->addr.node_len == from->node_len &&
           !memcmp(c->addr.node, from->node, sizeof from->node);
}

/* A session without a client: nothing more is sent to where it was. */
static void leave_address(struct gw *g, struct gw_client *c)
{
    gw_client_moved(g, c, &(struct gw_addr){0});
}

/* Whether a sender that is not the session's may have it; answers when not. */
static bool may_take_over(struct gw *g, struct gw_client *c, const struct gw_addr *from,
                          const char *identity, const struct sm_mqttsn_packet *p)
{
    bool alive = c->state != GW_DISCONNECTED && c->state != GW_LOST;
    if (c->identity) {
        say_refused(g, from, p, "the session is another identity's");
        refuse(g, from, SM_MQTTSN_NOT_SUPPORTED);
        return false;
    }
    if (identity || !alive)
        return true;
    if (c->state == GW_ASLEEP) {
        if (gw_visit(g, c, from, p))
            return false;
        say_refused(g, from, p, "it sleeps, at another address");
        refuse(g, from, SM_MQTTSN_CONGESTION);
    } else if (!c->moving) {
        gw_send_simple(g, c, SM_MQTTSN_PINGREQ, 0);
        c->asked = c->moving = true;
        c->sent_ms = g->now_ms;
        gw_client_due(g, c, g->now_ms + GW_PROBE_MS);
    }
    return false;
}

void gw_probe_over(struct gw *g, struct gw_client *c)
{
    c->moving = false;
    if (c->asked)
        gw_client_lost(g, c);
}

/* Another client speaks from this address, so the one that had it is gone. */
static void clear_address(struct gw *g, const struct gw_addr *from, const struct gw_client *but)
{
    struct gw_client *old = gw_client_by_addr(g, from);
    if (!old || old == but)
        return;
    uint32_t index = old->index;
    if (old->state == GW_DISCONNECTED || old->state == GW_LOST)
        leave_address(g, old);
    else
        gw_client_lost(g, old);
    if (g->clients[index])
        leave_address(g, g->clients[index]);
}

static void accept_it(struct gw *g, struct gw_client *c)
{
    if (!c->told)
        gw_send_code(g, c, SM_MQTTSN_CONNACK, SM_MQTTSN_ACCEPTED);
    c->told = false;
}

void gw_connected(struct gw *g, struct gw_client *c, uint8_t code)
{
    if (code != SM_MQTTSN_ACCEPTED) {
        g->figures.refused++;
        gw_send_code(g, c, SM_MQTTSN_CONNACK, code);
        gw_client_free(g, c);
        return;
    }
    g->figures.connects++;
    gw_client_state(g, c, GW_ACTIVE);
    c->untouched = true;
    c->woken = false;
    gw_client_save(g, c);
    accept_it(g, c);
    gw_pump(g, c);
}

static void open_own(struct gw *g, struct gw_client *c)
{
    c->will_step = 0;
    gw_client_state(g, c, GW_CONNECTING);
    if (c->link) {
        gw_link_again(g, c->link);
        return;
    }
    gw_flows_clear(g, c);
    c->link = gw_link_new(g, c->index, 0);
    gw_subscriptions_move(g, c);
}

/* Without a link to the broker nobody is accepted; a short loss is not worth the five minutes that
 * "congestion" makes clients wait. */
static void broker_missing(struct gw *g, struct gw_client *c)
{
    if (g->now_ms - g->shared[0]->since_ms >= PATIENCE_MS)
        gw_send_code(g, c, SM_MQTTSN_CONNACK, SM_MQTTSN_CONGESTION);
    if (c->clean)
        gw_client_free(g, c);
    else
        gw_client_state(g, c, GW_DISCONNECTED);
}

static void begin(struct gw *g, struct gw_client *c, const struct sm_mqttsn_packet *p)
{
    if (p->will) {
        gw_client_state(g, c, GW_CONNECTING);
        c->will_step = 1;
        gw_send_simple(g, c, SM_MQTTSN_WILLTOPICREQ, 0);
    } else if (c->link || c->rule->own_connection || c->will) {
        open_own(g, c);
    } else if (!gw_ready(g)) {
        broker_missing(g, c);
    } else {
        gw_connected(g, c, SM_MQTTSN_ACCEPTED);
    }
}

/* A CONNECT with the flags of the last one that comes within LATE_MS of it, or of what came of it.
 */
static bool late(const struct gw *g, const struct gw_client *c, const struct sm_mqttsn_packet *p)
{
    return g->now_ms - c->since_ms < LATE_MS && c->clean == p->clean && c->wants_will == p->will &&
           c->keepalive_s == p->duration_s;
}

/* What a retransmitted CONNECT gets, when its answer was lost; false when it is a new one. */
static bool answer_again(struct gw *g, struct gw_client *c, const struct gw_addr *from,
                         const struct sm_mqttsn_packet *p)
{
    if (memcmp(&c->addr, from, sizeof *from) != 0)
        return false;
    if (c->state == GW_CONNECTING && c->wants_will == p->will) {
        if (c->will_step)
            gw_send_simple(g, c, c->will_step == 1 ? SM_MQTTSN_WILLTOPICREQ : SM_MQTTSN_WILLMSGREQ,
                           0);
        return true;
    }
    bool like = c->woken ? !p->clean && !p->will : c->wants_will == p->will;
    if (c->state != GW_ACTIVE || !((c->untouched && like) || late(g, c, p)))
        return false;
    if (c->untouched) /* this one may have copies too */
        c->since_ms = g->now_ms;
    gw_send_code(g, c, SM_MQTTSN_CONNACK, SM_MQTTSN_ACCEPTED);
    return true;
}

/* The session as this CONNECT wants it. */
static void take_on(struct gw *g, struct gw_client *c, const char *identity,
                    const struct sm_mqttsn_packet *p)
{
    if (p->clean) {
        gw_client_wipe(g, c);
        gw_client_forget_will(g, c);
        if (c->link)
            gw_link_end(g, c->link);
        c->link = NULL;
    }
    gw_queue_rewind(g, c);
    c->clean = p->clean;
    c->wants_will = p->will;
    c->keepalive_s = p->duration_s;
    if (!c->identity && identity) {
        c->identity = gw_alloc(strlen(identity) + 1);
        strcpy(c->identity, identity);
    }
    c->proven |= identity != NULL;
    for (unsigned i = 0; i < c->ntopics; i++) /* to be sent anew before it is used (6.10) */
        c->topics[i].known = false;
}

/* A session that would not be missed: nothing came since its CONNECT, from an address that proved
 * nothing, and a kept one has nothing from an earlier connection either. */
static bool idle(const struct gw_client *c)
{
    return !c->proven && (c->untouched || c->state == GW_CONNECTING) && gw_client_empty(c);
}

/* Room for one more. Whoever spoofs addresses could fill the table with sessions that nobody uses:
 * so when it is full, of some looked at by chance the oldest goes that has said nothing since it
 * connected. */
static bool make_room(struct gw *g)
{
    struct gw_client *worst = NULL;
    if (g->figures.clients < g->cfg.max_clients)
        return true;
    for (unsigned i = 0; i < LOOKED_AT; i++) {
        uint32_t at = ((uint32_t)gw_random16(g) << 16 | gw_random16(g)) % g->clients_used;
        struct gw_client *c = g->clients[at];
        if (c && idle(c) && (!worst || c->heard_ms < worst->heard_ms))
            worst = c;
    }
    if (!worst)
        return false;
    g->figures.lost++;
    gw_client_free(g, worst);
    return true;
}

static void wake(struct gw *g, struct gw_client *c, uint16_t keepalive_s)
{
    c->keepalive_s = keepalive_s;
    gw_client_state(g, c, GW_ACTIVE);
    c->untouched = c->woken = true;
    gw_client_save(g, c);
    accept_it(g, c);
    gw_pump(g, c);
}

void gw_on_connect(struct gw *g, const struct gw_addr *from, const char *identity,
                   const struct sm_mqttsn_packet *p, size_t len)
{
    struct gw_client *c = gw_client_by_id(g, p->data, p->len);
    if (c && answer_again(g, c, from, p))
        return;
    if (!gw_take_token(g, from))
        return;
    const struct gw_rule *rule = gw_rule_for(g, identity, p->data, p->len);
    if (p->protocol != SM_MQTTSN_PROTOCOL_ID || !rule || memchr(p->data, 0, p->len)) {
        say_refused(g, from, p, rule ? "its CONNECT is not MQTT-SN 1.2" : "no rule fits it");
        refuse(g, from, SM_MQTTSN_NOT_SUPPORTED);
        return;
    }
    if (!c && !make_room(g)) {
        say_refused(g, from, p, "there are limits.clients already");
        refuse(g, from, SM_MQTTSN_CONGESTION);
        return;
    }
    if (c && !same_sender(c, from, identity) && !may_take_over(g, c, from, identity, p))
        return;
    clear_address(g, from, c);
    bool moved = c && memcmp(&c->addr, from, sizeof *from) != 0;
    if (!c)
        c = gw_client_new(g, from, p->data, p->len);
    if (moved) {
        say_moved(g, c, from);
        gw_client_moved(g, c, from);
    }
    c->told = false;
    if (!c->received)
        c->received = (uint32_t)len;
    c->heard_ms = g->now_ms;
    c->rule = rule;
    if (identity)
        c->proven = true;
    bool sleeps = c->state == GW_ASLEEP || c->state == GW_AWAKE;
    if (sleeps && ((!p->clean && !p->will) || late(g, c, p))) {
        wake(g, c, p->duration_s);
        return;
    }
    take_on(g, c, identity, p);
    begin(g, c, p);
}

/* ---- Wills ----------------------------------------------------------------------------------- */

static struct gw_will *will_of(struct gw_client *c)
{
    if (!c->will)
        c->will = gw_alloc(sizeof *c->will);
    return c->will;
}

/* False: the topic is none that this client may publish to. */
static bool set_will_topic(struct gw *g, struct gw_client *c, const struct sm_mqttsn_packet *p)
{
    if (!sm_mqttsn_name_valid(p->data, p->len) || !gw_may_publish(c, p->data, p->len)) {
        g->figures.denied++;
        return false;
    }
    struct gw_will *w = will_of(c);
    gw_name_drop(g, w->topic);
    w->topic = gw_name(g, p->data, p->len);
    w->qos = (uint8_t)(p->qos < 0 ? 0 : p->qos);
    w->retain = p->retain;
    return true;
}

static void set_will_data(struct gw_client *c, const struct sm_mqttsn_packet *p)
{
    struct gw_will *w = will_of(c);
    free(w->data);
    w->data = gw_alloc(p->len);
    if (p->len)
        memcpy(w->data, p->data, p->len);
    w->len = p->len;
}

void gw_on_will(struct gw *g, struct gw_client *c, const struct sm_mqttsn_packet *p)
{
    if (p->type == SM_MQTTSN_WILLTOPIC && c->will_step) {
        if (!p->len) { /* no will after all */
            gw_client_forget_will(g, c);
            c->wants_will = false;
            c->will_step = 0;
            begin(g, c, &(struct sm_mqttsn_packet){0});
        } else if (!set_will_topic(g, c, p)) {
            gw_connected(g, c, SM_MQTTSN_NOT_SUPPORTED);
        } else {
            c->will_step = 2;
            gw_send_simple(g, c, SM_MQTTSN_WILLMSGREQ, 0);
        }
    } else if (p->type == SM_MQTTSN_WILLMSG && c->will_step == 2) {
        set_will_data(c, p);
        open_own(g, c);
    } else {
        g->figures.unexpected++;
    }
}

/* MQTT 3.1.1 cannot change a will, so the client's connection is made anew with the other one. */
void gw_on_will_update(struct gw *g, struct gw_client *c, const struct sm_mqttsn_packet *p)
{
    bool topic = p->type == SM_MQTTSN_WILLTOPICUPD;
    uint8_t answer = topic ? SM_MQTTSN_WILLTOPICRESP : SM_MQTTSN_WILLMSGRESP;
    bool good = c->link && c->will && c->will->topic;
    if (good && topic && !p->len)
        gw_client_forget_will(g, c);
    else if (good && topic)
        good = set_will_topic(g, c, p);
    else if (good)
        set_will_data(c, p);
    if (good)
        gw_link_again(g, c->link);
    gw_send_code(g, c, answer, good ? SM_MQTTSN_ACCEPTED : SM_MQTTSN_NOT_SUPPORTED);
}

/* ---- Sleep and the end ----------------------------------------------------------------------- */

static void wake_briefly(struct gw *g, struct gw_client *c)
{
    gw_client_state(g, c, GW_AWAKE);
    gw_pump(g, c);
}

/* Whoever said CONNECT has its CONNACK. A will cannot be asked for after that, so such a client is
 * told to connect anew, and is then where its session is. */
void gw_visited(struct gw *g, struct gw_client *c, const struct gw_visit *v)
{
    struct sm_mqttsn_packet p = {.clean = v->clean, .will = v->will, .duration_s = v->keepalive_s};
    clear_address(g, &v->addr, c);
    say_moved(g, c, &v->addr);
    gw_client_moved(g, c, &v->addr);
    gw_client_proven(g, c);
    c->heard_ms = g->now_ms;
    c->silent = 0;
    c->asked = c->untouched = false;
    c->told = v->connects && !v->will;
    if (v->clean)
        take_on(g, c, NULL, &p);
    if (v->will) {
        gw_send_simple(g, c, SM_MQTTSN_DISCONNECT, 0);
        gw_client_lost(g, c);
    } else if (v->clean) {
        begin(g, c, &p);
    } else if (v->connects) {
        wake(g, c, v->keepalive_s);
    } else {
        wake_briefly(g, c);
    }
}

void gw_on_ping(struct gw *g, struct gw_client *c, const struct gw_addr *from, const char *identity,
                const struct sm_mqttsn_packet *p, size_t len)
{
    if (p->len) {
        struct gw_client *named = gw_client_by_id(g, p->data, p->len);
        c = named && same_sender(named, from, identity) ? named : NULL;
        if (named && !c && !identity && g->cfg.moves.count &&
            (!gw_take_token(g, from) || gw_visit(g, named, from, p)))
            return;
    }
    if (!c || c->state == GW_DISCONNECTED || c->state == GW_LOST || c->state == GW_CONNECTING) {
        g->figures.strangers++;
        if (gw_take_token(g, from))
            gw_reply(g, from, &(struct sm_mqttsn_packet){.type = SM_MQTTSN_DISCONNECT});
        return;
    }
    if (memcmp(&c->addr, from, sizeof *from) != 0) {
        clear_address(g, from, c);
        say_moved(g, c, from);
        gw_client_moved(g, c, from);
        c->proven = identity != NULL;
        c->received = (uint32_t)len;
    }
    c->heard_ms = g->now_ms;
    c->silent = 0;
    c->asked = c->untouched = false;
    if (c->state == GW_ASLEEP) {
        wake_briefly(g, c);
    } else if (c->state == GW_ACTIVE) {
        gw_send_simple(g, c, SM_MQTTSN_PINGRESP, 0);
        gw_pump(g, c);
    }
}

static void sleep_now(struct gw *g, struct gw_client *c, uint16_t seconds)
{
    c->sleep_s = seconds;
    gw_queue_rewind(g, c);
    gw_client_state(g, c, GW_ASLEEP);
    c->kept = true;
    gw_client_save(g, c);
    gw_queue_store(g, c);
}

void gw_on_disconnect(struct gw *g, struct gw_client *c, const struct sm_mqttsn_packet *p)
{
    bool sleeps = p->duration_s && c->state != GW_CONNECTING;
    gw_send_simple(g, c, SM_MQTTSN_DISCONNECT, 0);
    if (sleeps) {
        sleep_now(g, c, p->duration_s);
        return;
    }
    gw_client_parted(g, c, GW_DISCONNECTED);
}
