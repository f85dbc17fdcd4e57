/* A gateway's side of QoS 2 by the book, for the explorer: what is disk is marked so, the rest is
 * gone after a restart.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <sandmote/mqttsn.h>
#include "qos2.h"

#define RETRY_MS 10000u
#define OUT      16u
#define IDS      32u

struct model {
    /* disk */
    bool clean, kept; /* a clean session, which is on disk once it has to do with QoS 2 */
    bool subscribed, opened;
    uint16_t seen[IDS]; /* ids of messages taken, the last ones; never taken again */
    unsigned nseen, delivered[QOS2_MESSAGES];
    unsigned next; /* the message that is on its way down */
    bool released; /* PUBREC came */
    /* memory */
    bool connected, sent;
    uint64_t due_ms;
    struct sm_mqttsn_packet out[OUT];
    unsigned nout;
};

static void *begin(void)
{
    struct model *m = calloc(1, sizeof *m);
    m->subscribed = m->opened = true;
    return m;
}

static void *begin_clean(void)
{
    struct model *m = calloc(1, sizeof *m);
    m->clean = true;
    return m;
}

static void subscribed(void *peer)
{
    ((struct model *)peer)->opened = true;
}

static void restart(void *peer, uint64_t now_ms)
{
    struct model *m = peer;
    m->connected &= m->kept;
    m->subscribed &= m->kept || !m->clean;
    m->sent = false;
    m->due_ms = now_ms;
    m->nout = 0;
}

static void say(struct model *m, uint8_t type, uint16_t msg_id)
{
    if (m->nout < OUT)
        m->out[m->nout++] = (struct sm_mqttsn_packet){.type = type, .msg_id = msg_id};
}

static bool seen(const struct model *m, uint16_t id)
{
    for (unsigned i = 0; i < IDS && i < m->nseen; i++)
        if (m->seen[i] == id)
            return true;
    return false;
}

static void take(struct model *m, const struct sm_mqttsn_packet *p)
{
    if (!seen(m, p->msg_id)) {
        m->seen[m->nseen++ % IDS] = p->msg_id;
        if (p->len == 1 && p->data[0] < QOS2_MESSAGES)
            m->delivered[p->data[0]]++;
    }
    say(m, SM_MQTTSN_PUBREC, p->msg_id);
}

static uint16_t down_id(const struct model *m)
{
    return (uint16_t)(100 + m->next);
}

static void feed(void *peer, const uint8_t *bytes, size_t len, uint64_t now_ms)
{
    struct model *m = peer;
    struct sm_mqttsn_packet p;
    if (sm_mqttsn_decode(&p, bytes, len) != 0)
        return;
    if (p.type == SM_MQTTSN_CONNECT) {
        if (p.clean && !m->connected)
            m->nseen = m->kept = m->subscribed = 0;
        m->connected = true;
        m->sent = false; /* begin again where the session is */
        m->due_ms = now_ms;
        say(m, SM_MQTTSN_CONNACK, 0);
        return;
    }
    if (!m->connected) {
        say(m, SM_MQTTSN_DISCONNECT, 0);
        return;
    }
    switch (p.type) {
    case SM_MQTTSN_PUBLISH:
        m->kept = m->clean;
        take(m, &p);
        break;
    case SM_MQTTSN_SUBSCRIBE:
        m->kept = m->clean;
        m->subscribed = true;
        m->due_ms = now_ms;
        say(m, SM_MQTTSN_SUBACK, p.msg_id);
        m->out[m->nout - 1].qos = 2;
        break;
    case SM_MQTTSN_PUBREL: say(m, SM_MQTTSN_PUBCOMP, p.msg_id); break;
    case SM_MQTTSN_PINGREQ: say(m, SM_MQTTSN_PINGRESP, 0); break;
    case SM_MQTTSN_PUBREC:
        if (m->next < QOS2_MESSAGES && p.msg_id == down_id(m) && !m->released) {
            m->released = true;
            m->sent = false;
            m->due_ms = now_ms;
        }
        break;
    case SM_MQTTSN_PUBCOMP:
        if (m->next < QOS2_MESSAGES && p.msg_id == down_id(m) && m->released) {
            m->next++;
            m->released = m->sent = false;
            m->due_ms = now_ms;
        }
        break;
    default: break;
    }
}

/* Whether there is something for the client. */
static bool sends(const struct model *m)
{
    return m->connected && m->subscribed && m->opened && m->next < QOS2_MESSAGES;
}

static int poll(void *peer, uint8_t *out, size_t size, uint64_t now_ms)
{
    struct model *m = peer;
    uint8_t number = (uint8_t)m->next;
    struct sm_mqttsn_packet p = {.type = m->released ? SM_MQTTSN_PUBREL : SM_MQTTSN_PUBLISH,
                                 .qos = 2,
                                 .dup = m->sent,
                                 .topic_type = SM_MQTTSN_TOPIC_PREDEFINED,
                                 .topic_id = QOS2_DOWN,
                                 .msg_id = down_id(m),
                                 .data = &number,
                                 .len = 1};
    if (m->nout) {
        p = m->out[0];
        memmove(m->out, m->out + 1, --m->nout * sizeof m->out[0]);
    } else if (!sends(m) || now_ms < m->due_ms) {
        return 0;
    } else {
        m->sent = true;
        m->due_ms = now_ms + RETRY_MS;
    }
    return sm_mqttsn_encode(&p, out, size);
}

static uint64_t deadline(void *peer)
{
    const struct model *m = peer;
    return sends(m) ? m->due_ms : UINT64_MAX;
}

static unsigned delivered(void *peer, unsigned n)
{
    return ((const struct model *)peer)->delivered[n];
}

static bool done(void *peer)
{
    return ((const struct model *)peer)->next == QOS2_MESSAGES;
}

const struct qos2_peer qos2_model = {.name = "model",
                                     .begin = begin,
                                     .end = free,
                                     .restart = restart,
                                     .feed = feed,
                                     .poll = poll,
                                     .deadline = deadline,
                                     .delivered = delivered,
                                     .done = done};

const struct qos2_peer qos2_model_clean = {.name = "model, clean session",
                                           .clean = true,
                                           .begin = begin_clean,
                                           .end = free,
                                           .restart = restart,
                                           .feed = feed,
                                           .poll = poll,
                                           .deadline = deadline,
                                           .delivered = delivered,
                                           .done = done,
                                           .subscribed = subscribed};
