/* Updates in blocks over MQTT-SN (include/sandmote/blocks_mqttsn.h).
 *
 * The MQTT-SN client connects again by itself when it lost its gateway, and keeps both topics; what
 * is begun here is the first connection, and waking from a sleep that was begun here. A message
 * that cannot be sent now is as good as lost: it is asked again.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <sandmote/blocks_mqttsn.h>

enum { AGAIN_MS = 5000, WAIT_MOST_MS = 60000 };

void sm_blocks_mqttsn_init(struct sm_blocks_mqttsn *c, const struct sm_blocks_mqttsn_cfg *cfg)
{
    memset(c, 0, sizeof *c);
    c->cfg = cfg;
}

/* How a request ended: 0, SM_ERR_BUSY while it is under way, or why it failed; what was begun with
 * it may be tried again after a while. */
static int ended(struct sm_blocks_mqttsn *c, int *token, struct sm_mqttsn_result *r,
                 uint64_t now_ms)
{
    int err = sm_mqttsn_take(c->cfg->sn, *token, r);

    if (err == SM_ERR_BUSY)
        return err;
    *token = 0;
    err = err ? err : r->err;
    if (err)
        c->again_ms = now_ms + AGAIN_MS;
    return err;
}

/* A token, or 0 and a pause. */
static int begun(struct sm_blocks_mqttsn *c, int token, uint64_t now_ms)
{
    if (token > 0)
        return token;
    c->again_ms = now_ms + AGAIN_MS;
    return 0;
}

static void connect(struct sm_blocks_mqttsn *c, uint64_t now_ms)
{
    struct sm_mqttsn_connect how = {.clean = true, .keepalive_s = c->cfg->keepalive_s};

    c->control = begun(c, sm_mqttsn_connect(c->cfg->sn, &how, now_ms), now_ms);
}

/* Both topics are known; else the next thing to do for that is done. */
static bool have_topics(struct sm_blocks_mqttsn *c, uint64_t now_ms)
{
    struct sm_mqttsn *sn = c->cfg->sn;
    struct sm_mqttsn_result r;

    if (c->reg && ended(c, &c->reg, &r, now_ms) == 0)
        c->up = r.topic;
    if (c->sub && ended(c, &c->sub, &r, now_ms) == 0)
        c->down = r.topic;
    if (now_ms < c->again_ms)
        return false;
    if (c->up == 0 && c->reg == 0)
        c->reg = begun(c, sm_mqttsn_register(sn, c->cfg->up, strlen(c->cfg->up)), now_ms);
    if (c->down == 0 && c->sub == 0)
        c->sub = begun(c, sm_mqttsn_subscribe(sn, c->cfg->down, strlen(c->cfg->down), 0), now_ms);
    return c->up != 0 && c->down != 0;
}

static void take_messages(struct sm_blocks_mqttsn *c, uint64_t now_ms)
{
    struct sm_mqttsn_message m;

    while (sm_mqttsn_peek(c->cfg->sn, 0, 0, &m) == 0) {
        c->received++;
        (void)sm_blocks_input(c->cfg->blocks, m.data, m.len, now_ms);
        sm_mqttsn_consume(c->cfg->sn, &m);
    }
}

/* What the blocks client asks; the time until it wants to go on. */
static uint32_t send_messages(struct sm_blocks_mqttsn *c, uint64_t now_ms)
{
    uint32_t wait;
    size_t len;

    while ((len = sm_blocks_step(c->cfg->blocks, now_ms, c->cfg->message, c->cfg->message_most,
                                 &wait)) > 0) {
        int token = sm_mqttsn_publish(c->cfg->sn, SM_MQTTSN_TOPIC_NORMAL, c->up, 0, false,
                                      c->cfg->message, len);
        if (token > 0) {
            c->sent++;
            sm_mqttsn_forget(c->cfg->sn, token);
        }
    }
    return wait;
}

/* Nothing is to be asked for `wait`: sleep so long, if that is worth it. */
static void go_to_sleep(struct sm_blocks_mqttsn *c, uint32_t wait, uint64_t now_ms)
{
    uint32_t seconds = wait / 1000;

    if (c->cfg->sleep_s == 0 || seconds < c->cfg->sleep_s || !sm_blocks_idle(c->cfg->blocks))
        return;
    seconds = seconds < UINT16_MAX ? seconds : UINT16_MAX;
    c->control = begun(c, sm_mqttsn_sleep(c->cfg->sn, (uint16_t)seconds, now_ms), now_ms);
    c->wake_ms = now_ms + wait;
}

static uint32_t until(uint64_t ms, uint64_t now_ms)
{
    uint64_t wait = ms > now_ms ? ms - now_ms : 0;

    return wait < WAIT_MOST_MS ? (uint32_t)wait : WAIT_MOST_MS;
}

uint32_t sm_blocks_mqttsn_step(struct sm_blocks_mqttsn *c, uint64_t now_ms)
{
    struct sm_mqttsn_result r;
    enum sm_mqttsn_state state = sm_mqttsn_state(c->cfg->sn);

    take_messages(c, now_ms);
    if (c->control && ended(c, &c->control, &r, now_ms) == SM_ERR_BUSY)
        return WAIT_MOST_MS; /* the MQTT-SN client knows when it goes on */
    if (now_ms < c->again_ms)
        return until(c->again_ms, now_ms);
    if (state == SM_MQTTSN_ASLEEP && now_ms < c->wake_ms && c->cfg->blocks->poll_ms > now_ms)
        return until(c->wake_ms, now_ms);
    if (state == SM_MQTTSN_DISCONNECTED || state == SM_MQTTSN_ASLEEP) {
        connect(c, now_ms);
        return until(c->again_ms, now_ms);
    }
    if (state != SM_MQTTSN_ACTIVE || !have_topics(c, now_ms))
        return WAIT_MOST_MS;
    uint32_t wait = send_messages(c, now_ms);
    go_to_sleep(c, wait, now_ms);
    return wait;
}
