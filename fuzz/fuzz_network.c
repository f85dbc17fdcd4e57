/* Fuzz target: network calls of two modules, in any order and with any arguments, while gateways
 * say anything, datagrams are lost and time goes by (test/host/air.h).
 *
 * The input is a list of steps of eight bytes: which module or event, which call, a byte for each
 * argument; a datagram takes as many bytes behind its step as it says. What must hold of every
 * datagram that is sent:
 *   - it is a message that is well formed (air.c)
 *   - what is registered, subscribed to or published to is granted to the module whose link it is
 *   - client ids begin with the device's prefix, and no two links that are up have the same
 * and of every link that it belongs to an instance that is there.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include "air.h"

enum { STEP = 8, TEXTS_AT = 1024, TEXT_ROOM = 80, CALLS = 18, GUESTS = 2 };

static const char *const texts[] = {
    "hall/door", "hall/light", "hall/#", "hall/+/x", "out/a",     "out/+",  "in/b", "cellar/door",
    "#",         "+/door",     "",       "gw1",      "gw2",       "all",    "WASM", "other-one",
    "hall",      "$SYS/x",     "hall//", "\xff",     "hall/\x01", "a b c ", "/",    "in/#"};
enum { TEXTS = sizeof texts / sizeof texts[0] };

static const char *const grants[GUESTS][8] = {
    {"topic/hall/#:ps", "topic/out/+:p", "rate/1000", NULL},
    {"topic/hall/door:p", "topic/in/#:s", "gateway/gw2/10000", "queue/6", "rate/1000", NULL}};

/* t a text, n a number, b a place for l bytes. */
static const struct {
    const char *name, *args;
} calls[CALLS] = {{"start", "n"},         {"stop", ""},        {"searchGW", "tnnbl"},
                  {"connect", "tntn"},    {"disconnect", ""},  {"register", "t"},
                  {"publish", "nnbl"},    {"subscribe", "nn"}, {"subscribeTo", "tn"},
                  {"unsubscribe", "n"},   {"hasMessage", "n"}, {"getMessage", "nbl"},
                  {"peekMessage", "nbl"}, {"sleep", "n"},      {"collect", ""},
                  {"awake", ""},          {"network", "b"},    {"lastError", ""}};

static void require(bool fact)
{
    if (!fact)
        abort();
}

/* ---- What must hold -------------------------------------------------------------------------- */

static bool granted(unsigned who, const char *name, size_t len, bool publish)
{
    struct sm_topic_grant g;

    for (const char *const *text = grants[who]; *text != NULL; text++)
        if (sm_topic_grant(*text, &g) && (publish ? g.publish : g.subscribe) &&
            sm_mqttsn_filter_covers(g.filter, g.len, (const uint8_t *)name, len))
            return true;
    return false;
}

/* The name that a gateway's id has for the session that publishes to it. */
static void check_publish(const struct sm_network_session *s, unsigned who, uint16_t id)
{
    const struct sm_mqttsn_config *c = &s->client.cfg;

    for (unsigned i = 0; i < c->ntopics; i++) {
        const struct sm_mqttsn_topic *t = &c->topics[i];
        if (t->flags != 0 && t->id == id && t->name_len > 0 &&
            granted(who, c->names + (size_t)i * c->name_size, t->name_len, true))
            return;
    }
    require(false);
}

static void check_sent(const struct air *a, const struct air_datagram *d)
{
    struct sm_mqttsn_packet p;
    unsigned who = 0;

    while (who < GUESTS && a->guest[who].session.link != d->link)
        who++;
    require(sm_mqttsn_decode(&p, d->bytes, d->len) == 0);
    if (who == GUESTS) { /* its last word */
        require(p.type == SM_MQTTSN_DISCONNECT);
        return;
    }
    const char *name = (const char *)p.data;
    if (p.type == SM_MQTTSN_REGISTER)
        require(granted(who, name, p.len, true) || granted(who, name, p.len, false));
    if (p.type == SM_MQTTSN_SUBSCRIBE && p.topic_type == SM_MQTTSN_TOPIC_NORMAL)
        require(granted(who, name, p.len, false));
    if (p.type == SM_MQTTSN_PUBLISH)
        check_publish(&a->guest[who].session, who, p.topic_id);
    if (p.type == SM_MQTTSN_CONNECT)
        require(p.len > 3 && p.len <= SM_MQTTSN_OWN_ID_MAX && memcmp(p.data, "d7-", 3) == 0);
}

static void check(struct air *a, unsigned *seen)
{
    const struct sm_network_session *one = &a->guest[0].session, *two = &a->guest[1].session;

    if (a->sent - *seen > AIR_HEARD)
        *seen = a->sent - AIR_HEARD;
    for (; *seen < a->sent; ++*seen)
        check_sent(a, &a->heard[*seen % AIR_HEARD]);
    for (unsigned i = 0; i < GUESTS; i++)
        require(a->guest[i].session.link < 0 || a->guest[i].inst != NULL);
    require(a->links == (unsigned)(one->link >= 0) + (two->link >= 0));
    if (one->link >= 0 && two->link >= 0 &&
        sm_mqttsn_state(&one->client) != SM_MQTTSN_DISCONNECTED &&
        sm_mqttsn_state(&two->client) != SM_MQTTSN_DISCONNECTED)
        require(strcmp(one->client_id, two->client_id) != 0);
}

/* ---- Steps ----------------------------------------------------------------------------------- */

static uint32_t number(uint8_t byte)
{
    static const uint32_t edge[] = {10000,      65535,      65536, 0x7fffffff,
                                    0x80000000, UINT32_MAX, 600,   256};

    return byte < 248 ? byte % 32 : edge[byte - 248];
}

static uint32_t argument(char kind, uint8_t byte)
{
    switch (kind) {
    case 't':
        return byte < 240   ? TEXTS_AT + byte % TEXTS * TEXT_ROOM
               : byte < 250 ? MEMORY - byte + 240
                            : number(byte);
    case 'b': return byte < 250 ? AT_BUF : number(byte);
    case 'l': return byte < 250 ? byte : number(byte);
    default: return number(byte);
    }
}

static void step_guest(struct air *a, unsigned who, const uint8_t *in)
{
    struct air_guest *g = &a->guest[who];
    uint32_t args[5] = {0};
    unsigned call = in[1] % CALLS;

    if (g->inst == NULL)
        air_guest(a, who, grants[who]);
    else if (g->session.more.waiting)
        return;
    for (unsigned i = 0; i < TEXTS; i++)
        strcpy((char *)air_memory(g) + TEXTS_AT + i * TEXT_ROOM, texts[i]);
    for (unsigned i = 0; calls[call].args[i] != 0; i++)
        args[i] = argument(calls[call].args[i], in[2 + i]);
    if (air_begin(g, calls[call].name, args) == TRAPPED)
        air_end(g);
}

/* Bytes of a datagram from anybody, behind the step: how many. */
static size_t inject(struct air *a, const uint8_t *in, size_t left)
{
    size_t len = in[1] < left ? in[1] : left;

    air_inject(a, a->guest[in[2] % GUESTS].session.link, in[3] % 3, in + STEP, len);
    return len;
}

static void wake(struct air *a)
{
    (void)sm_network_step(&a->network);
    for (unsigned i = 0; i < GUESTS; i++) {
        struct air_guest *g = &a->guest[i];
        if (g->inst != NULL && sm_host_wake_ms(&g->host) == 0)
            require(sm_host_wake(&g->host, &g->exec, g->inst) == 0 && sm_wasm_run(&g->exec) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *in, size_t size)
{
    static struct air a;
    unsigned seen = 0;

    air_init(&a);
    for (unsigned i = 0; i < GUESTS; i++)
        air_guest(&a, i, grants[i]);
    for (; size >= STEP; in += STEP, size -= STEP) {
        size_t more = 0;
        switch (in[0] % 16) {
        case 0: more = inject(&a, in, size - STEP); break;
        case 1: a.now_ms += (uint32_t)(in[1] | in[2] << 8) * (in[3] & 1 ? 100 : 1); break;
        case 2: a.lose = in[1] % 8; break;
        case 3: a.gateway[in[1] & 1].silent = in[2] & 1; break;
        case 4: a.gateway[in[1] & 1].code = in[2] % 5; break;
        case 5: air_end(&a.guest[in[1] & 1]); break;
        default: step_guest(&a, in[0] >> 7, in); break;
        }
        wake(&a);
        check(&a, &seen);
        in += more;
        size -= more;
    }
    return 0;
}
