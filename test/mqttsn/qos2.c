/* The explorer: runs the real client against a gateway from the start, again and again, each time
 * with other faults.
 *
 * Before a datagram is delivered there is a choice: nothing happens to it, it is lost, comes twice,
 * comes after the next one, or comes seconds later, when the exchange it belongs to is long over;
 * or one side restarts first. A run is a list of choices that are not "nothing", each with the
 * number of its datagram, and that is its id; from a run's length follow the runs with one fault
 * more. In a clean session no copy is late twice: a CONNECT that comes after more than some seconds
 * cannot be told from that of a client which begins anew.
 *
 * Rules, at the end of each run, which must come:
 *   - a message that the client was told is published was given to the broker; once, unless the
 * result said `again` (only after a new session, so never here)
 *   - none was given twice, whatever the result, but for a copy of a message of a client that has
 *     begun anew since
 *   - each message of the gateway reached the application; once, while the client did not restart:
 *     it keeps nothing on disk, so after a restart one may come again, or in a clean session not at
 *     all.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sandmote/mqttsn_client.h>
#include "qos2.h"

enum choice { NOTHING, LOST, TWICE, AFTER_NEXT, LATE, PEER_RESTARTS, CLIENT_RESTARTS, CHOICES };
static const char letters[] = ".ltnLpc";

#define LATE_MS    2000u /* all faults together stay below Tretry: no copy lives longer */
#define END_MS     3600000u
#define QUEUE      64u
#define FAULTS     4u
#define MOST_STEPS 2000u

struct fault {
    unsigned step;
    enum choice choice;
};

struct datagram {
    uint64_t at_ms;
    bool up, late;
    uint8_t len, bytes[40];
};

struct world {
    struct sm_mqttsn sn;
    struct sm_mqttsn_gateway gateway[1];
    struct sm_mqttsn_topic topics[3];
    char names[3 * 8];
    struct sm_mqttsn_request requests[2];
    uint8_t payloads[2 * 4], inbox[64];
    const struct qos2_peer *ops;
    void *peer;
    uint64_t now_ms;
    struct datagram queue[QUEUE];
    unsigned queued, step, restarts;
    unsigned sent, up_done[QOS2_MESSAGES],
        down[QOS2_MESSAGES]; /* up_done: 1 acknowledged, 2 failed */
    int token, control, subscription;
    bool again[QOS2_MESSAGES], subscribed, tells, overflow;
};

static void begin_client(struct world *w)
{
    const struct sm_mqttsn_address at = {1, {'A'}};
    const struct sm_mqttsn_config cfg = {.client_id = "pot",
                                         .seed = 77 + 1000 * w->restarts,
                                         .gateways = w->gateway,
                                         .ngateways = 1,
                                         .topics = w->topics,
                                         .ntopics = 3,
                                         .names = w->names,
                                         .name_size = 8,
                                         .requests = w->requests,
                                         .nrequests = 2,
                                         .payloads = w->payloads,
                                         .payload_size = 4,
                                         .inbox = w->inbox,
                                         .inbox_size = sizeof w->inbox};
    sm_mqttsn_init(&w->sn, &cfg);
    sm_mqttsn_add_gateway(&w->sn, &at);
    w->control = w->token = w->subscription = 0;
    w->subscribed = !w->ops->clean;
    if (w->sent > 0 && w->up_done[w->sent - 1] == 0)
        w->up_done[w->sent - 1] = 2; /* nobody knows how it ended */
}

static void connect_client(struct world *w)
{
    const struct sm_mqttsn_connect how = {.clean = w->ops->clean, .keepalive_s = 600};
    struct sm_mqttsn_result r;
    if (w->control && sm_mqttsn_take(&w->sn, w->control, &r) == 0)
        w->control = 0;
    if (!w->control && sm_mqttsn_state(&w->sn) == SM_MQTTSN_DISCONNECTED)
        w->control = sm_mqttsn_connect(&w->sn, &how, w->now_ms);
}

static void subscribe(struct world *w)
{
    struct sm_mqttsn_result r;
    if (w->subscribed)
        return;
    if (w->subscription > 0 && sm_mqttsn_take(&w->sn, w->subscription, &r) == 0) {
        w->subscription = 0;
        w->subscribed = !r.err;
        if (w->subscribed)
            w->ops->subscribed(w->peer);
    } else if (w->subscription <= 0) {
        w->subscription =
            sm_mqttsn_subscribe_topic(&w->sn, SM_MQTTSN_TOPIC_PREDEFINED, QOS2_DOWN, 2);
    }
}

/* What the application does: connect, publish one message after the other, take what comes. */
static void application(struct world *w)
{
    struct sm_mqttsn_result r;
    struct sm_mqttsn_message m;
    connect_client(w);
    subscribe(w);
    if (w->token && sm_mqttsn_take(&w->sn, w->token, &r) == 0) {
        w->token = 0;
        w->up_done[w->sent - 1] = r.err ? 2 : 1;
        w->again[w->sent - 1] = r.again;
    }
    if (!w->token && w->sent < QOS2_MESSAGES && sm_mqttsn_state(&w->sn) == SM_MQTTSN_ACTIVE) {
        uint8_t number = (uint8_t)w->sent;
        int token =
            sm_mqttsn_publish(&w->sn, SM_MQTTSN_TOPIC_PREDEFINED, QOS2_UP, 2, false, &number, 1);
        if (token > 0) {
            w->token = token;
            w->sent++;
        }
    }
    while (sm_mqttsn_peek(&w->sn, SM_MQTTSN_TOPIC_PREDEFINED, 0, &m) == 0) {
        if (m.len == 1 && m.data[0] < QOS2_MESSAGES)
            w->down[m.data[0]]++;
        sm_mqttsn_consume(&w->sn, &m);
    }
}

static void tell(const struct world *w, const char *what, const struct datagram *d)
{
    struct sm_mqttsn_packet p;
    if (!w->tells)
        return;
    printf("%4u %8.3f s  %s", w->step, (double)w->now_ms / 1000, what);
    if (d && sm_mqttsn_decode(&p, d->bytes, d->len) == 0)
        printf(" %s %s%s msg %u", d->up ? "client:" : "gateway:", sm_mqttsn_type_name(p.type),
               p.dup ? " dup" : "", p.msg_id);
    printf("\n");
}

static void enqueue(struct world *w, bool up, const uint8_t *bytes, size_t len, uint64_t at_ms)
{
    if (w->queued == QUEUE || len > sizeof w->queue[0].bytes) {
        w->overflow = true;
        return;
    }
    struct datagram *d = &w->queue[w->queued++];
    *d = (struct datagram){.at_ms = at_ms, .up = up, .len = (uint8_t)len};
    memcpy(d->bytes, bytes, len);
}

static void collect(struct world *w)
{
    uint8_t out[64];
    struct sm_mqttsn_address to;
    int n;
    for (int i = 0; i < 2; i++) { /* what poll ends, the application goes on with */
        application(w);
        while ((n = sm_mqttsn_poll(&w->sn, w->now_ms, out, sizeof out, &to)) > 0)
            enqueue(w, true, out, (size_t)n, w->now_ms);
    }
    while ((n = w->ops->poll(w->peer, out, sizeof out, w->now_ms)) > 0)
        enqueue(w, false, out, (size_t)n, w->now_ms);
}

static void deliver(struct world *w, const struct datagram *d)
{
    const struct sm_mqttsn_address from = {1, {'A'}};
    tell(w, "delivered", d);
    if (d->up)
        w->ops->feed(w->peer, d->bytes, d->len, w->now_ms);
    else
        sm_mqttsn_feed(&w->sn, d->bytes, d->len, &from, w->now_ms);
    collect(w);
}

static unsigned due_first(const struct world *w)
{
    unsigned first = QUEUE;
    for (unsigned i = 0; i < w->queued; i++)
        if (w->queue[i].at_ms <= w->now_ms &&
            (first == QUEUE || w->queue[i].at_ms < w->queue[first].at_ms))
            first = i;
    return first;
}

static void remove_at(struct world *w, unsigned i)
{
    w->queued--;
    memmove(&w->queue[i], &w->queue[i + 1], (w->queued - i) * sizeof w->queue[0]);
}

static void one_datagram(struct world *w, unsigned i, enum choice choice)
{
    struct datagram d = w->queue[i];
    remove_at(w, i);
    if (choice == LATE && d.late && w->ops->clean)
        choice = NOTHING;
    switch (choice) {
    case LOST: tell(w, "lost", &d); break;
    case TWICE:
        deliver(w, &d);
        deliver(w, &d);
        break;
    case AFTER_NEXT: {
        tell(w, "after the next", &d);
        unsigned next = due_first(w);
        if (next < QUEUE) {
            struct datagram other = w->queue[next];
            remove_at(w, next);
            deliver(w, &other);
        }
        deliver(w, &d);
        break;
    }
    case LATE:
        tell(w, "will come again:", &d);
        enqueue(w, d.up, d.bytes, d.len, w->now_ms + LATE_MS);
        w->queue[w->queued - 1].late = true;
        deliver(w, &d);
        break;
    case PEER_RESTARTS:
        tell(w, "the gateway restarts", NULL);
        w->ops->restart(w->peer, w->now_ms);
        deliver(w, &d);
        break;
    case CLIENT_RESTARTS:
        tell(w, "the client restarts", NULL);
        w->restarts++;
        begin_client(w);
        deliver(w, &d);
        break;
    default: deliver(w, &d);
    }
}

/* A clean session ends with its client, and what was under way with the session. */
static bool may_be_lost(const struct world *w)
{
    return w->ops->clean && w->restarts;
}

static bool finished(const struct world *w)
{
    for (unsigned i = 0; i < QOS2_MESSAGES; i++)
        if (!w->up_done[i] || (!w->down[i] && !may_be_lost(w)))
            return false;
    return w->ops->done(w->peer) && w->queued == 0;
}

static uint64_t next_time(const struct world *w)
{
    uint64_t at = sm_mqttsn_deadline(&w->sn), other = w->ops->deadline(w->peer);
    at = other < at ? other : at;
    for (unsigned i = 0; i < w->queued; i++)
        at = w->queue[i].at_ms < at ? w->queue[i].at_ms : at;
    return at;
}

static const char *verdict(const struct world *w)
{
    if (w->overflow)
        return "datagrams without end";
    for (unsigned i = 0; i < QOS2_MESSAGES; i++) {
        unsigned up = w->ops->delivered(w->peer, i);
        if (!w->up_done[i])
            return "a publish never ended";
        if (w->again[i])
            return "a session was lost that should have stayed";
        if (w->up_done[i] == 1 && up == 0)
            return "a published message was lost";
        if (up > 1 + (w->ops->clean ? w->restarts : 0))
            return "a published message was given to the broker twice";
        if (w->down[i] == 0 && !may_be_lost(w))
            return "a message for the client was lost";
        if (w->down[i] > 1 + w->restarts)
            return "a message reached the application twice";
    }
    return w->ops->done(w->peer) ? NULL : "the gateway never came to an end";
}

/* One run. Its number of datagrams in *steps. NULL, or the rule that it broke. */
static const char *run(const struct qos2_peer *ops, const struct fault *faults, unsigned n,
                       bool tells, unsigned *steps)
{
    static struct world w;
    memset(&w, 0, sizeof w);
    w.ops = ops;
    w.peer = ops->begin();
    w.now_ms = 1000;
    w.tells = tells;
    begin_client(&w);
    collect(&w);
    while (!finished(&w) && w.now_ms < END_MS && w.step < MOST_STEPS && !w.overflow) {
        unsigned i = due_first(&w);
        if (i == QUEUE) {
            uint64_t at = next_time(&w);
            w.now_ms = at > w.now_ms ? at : w.now_ms + 1;
            collect(&w);
            continue;
        }
        enum choice choice = NOTHING;
        for (unsigned f = 0; f < n; f++)
            if (faults[f].step == w.step)
                choice = faults[f].choice;
        w.step++;
        one_datagram(&w, i, choice);
    }
    const char *broke = verdict(&w);
    ops->end(w.peer);
    *steps = w.step;
    return broke;
}

static void print_id(const struct fault *faults, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        printf("%s%u%c", i ? "," : "", faults[i].step, letters[faults[i].choice]);
}

/* The runs that have one fault more than this one, behind all of its own. */
static int explore(const struct qos2_peer *ops, struct fault *faults, unsigned n, unsigned most,
                   unsigned long *runs)
{
    unsigned steps;
    const char *broke = run(ops, faults, n, false, &steps);
    ++*runs;
    if (broke) {
        printf("%s: %s; replay ", ops->name, broke);
        print_id(faults, n);
        printf("\n");
        return 1;
    }
    if (n == most)
        return 0;
    for (unsigned step = n ? faults[n - 1].step + 1 : 0; step < steps; step++)
        for (int choice = NOTHING + 1; choice < CHOICES; choice++) {
            faults[n] = (struct fault){step, (enum choice)choice};
            if (explore(ops, faults, n + 1, most, runs))
                return 1;
        }
    return 0;
}

int qos2_explore(const struct qos2_peer *peer, unsigned faults)
{
    struct fault list[FAULTS];
    unsigned long runs = 0;
    if (faults > FAULTS)
        faults = FAULTS;
    int failed = explore(peer, list, 0, faults, &runs);
    printf("%s: %lu runs with up to %u faults%s\n", peer->name, runs, faults,
           failed ? ", one bad" : "");
    return failed;
}

int qos2_replay(const struct qos2_peer *peer, const char *id)
{
    struct fault list[FAULTS];
    unsigned n = 0, steps;
    char letter;
    int used;
    while (n < FAULTS && sscanf(id, "%u%c%n", &list[n].step, &letter, &used) == 2) {
        const char *at = strchr(letters, letter);
        list[n++].choice = at ? (enum choice)(at - letters) : NOTHING;
        id += used;
        id += *id == ',';
    }
    const char *broke = run(peer, list, n, true, &steps);
    printf("%s\n", broke ? broke : "all rules kept");
    return broke != NULL;
}
