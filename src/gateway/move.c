/* Sleepers on plain UDP that come back from another address.
 *
 * A client asleep cannot be asked whether it is still where it was, so this goes the other way
 * round: within one of the prefixes of cfg.moves, whoever says its id at a new address is sent a
 * REGISTER whose ids are random, and has the session when the REGACK has them too: it receives
 * there. Until then the session stays as it is, where it is, and what else comes from there is not
 * looked at. A CONNECT is answered first (CONNACK), because clients do not look at a REGISTER
 * before they are connected.
 *
 * Such a visit is open for VISIT_MS, one of a client at a time. A wrong answer spoils it for the
 * rest of that time, so guessing 30 bits takes longer than sessions last.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "core.h"

#define VISIT_MS 10000u

static struct gw_client *host_of(struct gw *g, const struct gw_visit *v)
{
    struct gw_client *c = g->clients[v->client];
    return c && c->serial == v->serial && c->state == GW_ASLEEP ? c : NULL;
}

static bool is_open(const struct gw *g, const struct gw_visit *v)
{
    return v->until_ms > g->now_ms;
}

static struct gw_visit *visit_at(struct gw *g, const struct gw_addr *from)
{
    if (g->visits_until_ms <= g->now_ms)
        return NULL;
    for (unsigned i = 0; i < GW_VISITS; i++)
        if (is_open(g, &g->visits[i]) && !memcmp(&g->visits[i].addr, from, sizeof *from))
            return &g->visits[i];
    return NULL;
}

/* Whether one prefix has both. */
static bool within(const struct gw *g, const struct gw_addr *a, const struct gw_addr *b)
{
    for (size_t i = 0; i < g->cfg.moves.count; i++) {
        struct gw_prefixes one = {&g->cfg.moves.list[i], 1};
        if (gw_in_prefixes(&one, a) && gw_in_prefixes(&one, b))
            return true;
    }
    return false;
}

/* The client's visit, or room for one; NULL: another address has it, or there is no room. */
static struct gw_visit *visit_of(struct gw *g, const struct gw_client *c,
                                 const struct gw_addr *from)
{
    struct gw_visit *room = NULL;
    for (unsigned i = 0; i < GW_VISITS; i++) {
        struct gw_visit *v = &g->visits[i];
        bool here = !memcmp(&v->addr, from, sizeof *from);
        bool its = v->client == c->index && v->serial == c->serial;
        if (!is_open(g, v))
            room = v;
        else if (its && here)
            return v->spoiled ? NULL : v;
        else if (its || here)
            return NULL;
    }
    return room;
}

static void ask(struct gw *g, const struct gw_visit *v)
{
    g->figures.challenged++;
    gw_reply(g, &v->addr,
             &(struct sm_mqttsn_packet){.type = SM_MQTTSN_REGISTER,
                                        .topic_id = v->topic_id,
                                        .msg_id = v->msg_id,
                                        .data = (const uint8_t *)"$",
                                        .len = 1});
}

bool gw_visit(struct gw *g, struct gw_client *c, const struct gw_addr *from,
              const struct sm_mqttsn_packet *p)
{
    if (c->state != GW_ASLEEP || c->identity || c->addr.node_len != from->node_len ||
        memcmp(c->addr.node, from->node, sizeof from->node) != 0 || !within(g, &c->addr, from))
        return false;
    struct gw_visit *v = visit_of(g, c, from);
    if (!v)
        return false;
    if (!is_open(g, v))
        *v = (struct gw_visit){.addr = *from,
                               .client = c->index,
                               .serial = c->serial,
                               .until_ms = g->now_ms + VISIT_MS,
                               .topic_id = gw_topic_free_id(g, c),
                               .msg_id = gw_random16(g)};
    g->visits_until_ms = g->now_ms + VISIT_MS;
    v->connects = p->type == SM_MQTTSN_CONNECT;
    v->clean = v->connects && p->clean;
    v->will = v->connects && p->will;
    v->keepalive_s = p->duration_s;
    if (v->connects)
        gw_reply(g, from, &(struct sm_mqttsn_packet){.type = SM_MQTTSN_CONNACK});
    ask(g, v);
    return true;
}

bool gw_visit_answered(struct gw *g, const struct gw_client *there, const struct gw_addr *from,
                       const struct sm_mqttsn_packet *p)
{
    struct gw_visit *v = visit_at(g, from);
    if (!v)
        return false;
    if (p->type != SM_MQTTSN_REGACK) {
        g->figures.unexpected += !there;
        return !there;
    }
    if (there && there->reg_msg && there->reg_msg == p->msg_id)
        return false;
    struct gw_visit won = *v;
    struct gw_client *c = host_of(g, v);
    bool right = !v->spoiled && v->msg_id == p->msg_id && v->topic_id == p->topic_id;
    if (!c || !right) {
        v->spoiled = true;
        return true;
    }
    v->until_ms = 0;
    gw_visited(g, c, &won);
    return true;
}
