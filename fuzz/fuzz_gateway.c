/* Clients, time and the broker against the whole gateway: several steps an input.
 *
 * A step is an octet that says what happens and to whom, and for bytes another one with their
 * number. Client 0 is connected with a kept session and subscribed before the first step, so that
 * most messages mean something. Some inputs have a store, over restarts too. At the end the figures
 * must add up and nothing may be left.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "desk.h"

static void must(int good)
{
    if (!good)
        abort();
}

/* An answer to the last message that a peer was sent, with its ids: chance would not find them. */
static void agree(struct desk *d, unsigned peer, uint8_t type)
{
    struct sm_mqttsn_packet p;
    struct desk_peer *from = &d->peer[peer];
    if (from->count)
        from->taken = from->count - 1;
    if (desk_take(d, peer, &p) < 0)
        return;
    desk_send(d, peer,
              &(struct sm_mqttsn_packet){.type = type, .topic_id = p.topic_id, .msg_id = p.msg_id});
}

static size_t step(struct desk *d, const uint8_t *at, size_t left)
{
    static const uint8_t answers[] = {SM_MQTTSN_REGACK, SM_MQTTSN_PUBACK, SM_MQTTSN_PUBREC,
                                      SM_MQTTSN_PUBCOMP};
    static const char *const topics[] = {"a/b", "ab", "a", "$SYS/x"};
    unsigned peer = at[0] >> 5 & 3, what = at[0] & 15;
    size_t len = left > 1 ? at[1] : 0;
    if (len > left - (left > 1 ? 2 : 1))
        len = left - (left > 1 ? 2 : 1);
    if (what == 6) { /* nobody has heard yet what the gateway wishes */
        gw_input(d->g, &d->peer[peer].addr, NULL, at + 2 - (left < 2), len, d->now_ms);
        return 2 + len;
    }
    if (what < 6) {
        desk_bytes(d, peer, at + 2 - (left < 2), len);
        return 2 + len;
    }
    if (what == 7) {
        desk_broker_bytes(d, at + 2 - (left < 2), len);
        return 2 + len;
    }
    if (what < 12)
        agree(d, peer, answers[what - 8]);
    else if (what == 12)
        desk_publish(d, topics[peer], at[0] >> 4 & 8, at[0] >> 4 & 1 ? 1 : 0, at[0] >> 7);
    else if (what == 13)
        desk_publish(d, topics[peer], 8, 2, false);
    else if (what == 14)
        desk_pass(d, 100ull << (peer * 4));
    else if (peer == 3)
        desk_break(d);
    else if (peer == 2 && d->stores && at[0] & 0x10)
        desk_restart(d);
    else if (peer == 2)
        d->holds ? desk_release(d) : (void)(d->holds = true);
    else
        d->silent = peer == 1;
    return 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct gw_prefix all[] = {{{0}, 0}};
    static const struct gw_predefined predefined[] = {{1, "pre/1"}, {2, "pre/2"}};
    static struct desk d;
    unsigned steps = 0;
    desk_config(&d);
    d.cfg.search = d.cfg.forwarders = d.cfg.without_connection = d.cfg.moves =
        (struct gw_prefixes){all, 1};
    d.cfg.predefined = predefined;
    d.cfg.predefined_count = 2;
    d.cfg.max_topics = 4;
    d.cfg.max_filters = 4;
    d.cfg.buffer_messages = 4;
    d.cfg.session_s = 100;
    d.cfg.qos2_window = 2; /* and others wait */
    d.cfg.max_clients = MEMORY_CLIENTS;
    d.stores = d.store.cuts = size && data[0] & 0x08;
    d.rule.own_connection = size && data[0] & 0x10; /* of the first step too */
    desk_begin(&d);
    desk_connect(&d, 0, "c0", false, 60);
    desk_subscribe(&d, 0, "a/#", 2);
    for (size_t at = 0; at < size && steps < 200; steps++)
        at += step(&d, data + at, size - at);
    const struct gw_figures *f = gw_figures(d.g);
    must(f->clients <= MEMORY_CLIENTS);
    must(f->active + f->asleep <= f->clients && f->waiting <= 4 * f->clients);
    must(f->links >= 1 && f->links <= 8 + f->clients + f->connects + f->refused);
    desk_end(&d);
    return 0;
}
