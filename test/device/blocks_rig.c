/* A server for updates in blocks and the way to it (blocks_rig.h). SPDX-License-Identifier:
 * Apache-2.0 */
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "blocks_rig.h"

struct field field;

static uint32_t random_number(void)
{
    field.rng = field.rng * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(field.rng >> 33);
}

static bool happens(unsigned percent)
{
    return random_number() % 100 < percent;
}

static int fill(void *ctx, void *buf, size_t len)
{
    (void)ctx;
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)buf)[i] = (uint8_t)random_number();
    return 0;
}

/* ---- The way --------------------------------------------------------------------------------- */

static void enqueue(const uint8_t *bytes, size_t len, bool to_device)
{
    if (field.down || happens(field.lost)) {
        field.lost_blocks += bytes[0] == SM_BLOCKS_BLOCK;
        return;
    }
    for (unsigned i = 0; i < FIELD_MESSAGES; i++) {
        struct field_message *q = &field.queue[i];
        if (q->len != 0)
            continue;
        q->at_ms = rig->now_ms + field.delay_ms;
        if (happens(field.late))
            q->at_ms += 1 + random_number() % field.late_ms;
        q->to_device = to_device;
        memcpy(q->bytes, bytes, len);
        q->len = (uint16_t)(happens(field.cut) ? 1 + random_number() % len : len);
        return;
    }
    fail_msg("more messages are under way than there is room for");
}

static void carry(const uint8_t *bytes, size_t len, bool to_device)
{
    enqueue(bytes, len, to_device);
    if (happens(field.doubled))
        enqueue(bytes, len, to_device);
}

void field_send(const struct sm_blocks_msg *m)
{
    uint8_t bytes[SM_BLOCKS_MOST];
    int len = sm_blocks_encode(m, bytes, sizeof bytes);

    assert_true(len > 0);
    carry(bytes, (size_t)len, true);
}

/* ---- The server ------------------------------------------------------------------------------ */

static void answer_poll(const struct sm_blocks_msg *q)
{
    assert_int_equal(q->format, SM_BLOCKS_FORMAT);
    field_send(&(struct sm_blocks_msg){
        .kind = SM_BLOCKS_STATUS,
        .token = q->token,
        .seconds = field.poll_s,
        .keys = field.keys ? field.keys_version : 0,
        .flags = (uint8_t)((field.set ? SM_BLOCKS_SET : 0) | (field.states ? SM_BLOCKS_STATES : 0) |
                           (field.takes_notes ? SM_BLOCKS_NOTES : 0)),
        .count = field.count,
        .action = sm_blocks_text(field.action)});
}

static void answer_none(uint32_t token)
{
    field_send(&(struct sm_blocks_msg){.kind = SM_BLOCKS_NONE, .token = token});
}

static void answer_small(const struct sm_blocks_msg *q, const uint8_t *bytes, size_t len)
{
    uint8_t sha[SM_SHA256_SIZE];

    sm_sha256(bytes, len, sha);
    field_send(&(struct sm_blocks_msg){.kind = SM_BLOCKS_OFFER,
                                       .token = q->token,
                                       .what = q->what,
                                       .number = q->number,
                                       .length = (uint32_t)len,
                                       .sha = sha});
}

static void answer_ask(const struct sm_blocks_msg *q)
{
    char action[SM_STORE_ACTION];

    sm_blocks_copy(q->action, action, sizeof action);
    if (q->what == SM_BLOCKS_KEYS && field.keys) {
        answer_small(q, field.keys->bytes, field.keys->len);
    } else if (q->what == SM_BLOCKS_CURRENT && field.statement) {
        struct sm_statement_plan p = *field.statement;
        p.answers = true;
        memcpy(p.nonce, q->nonce, sizeof p.nonce);
        field.statement_len = rig_statement(&p, false, field.statement_bytes);
        answer_small(q, field.statement_bytes, field.statement_len);
    } else if (q->what == SM_BLOCKS_CLAIM) {
        field.claims_asked++;
        assert_int_equal(q->number, RIG_TARGET);
        if (field.silent_on_claim)
            return;
        if (field.native && !memcmp(q->nonce, field.native->says.module_sha, SM_STATEMENT_NONCE))
            answer_small(q, field.native->claim, field.native->claim_len);
        else
            answer_none(q->token);
    } else if (q->what == SM_BLOCKS_MODULE && !field.has_none && !strcmp(action, field.action) &&
               q->number < field.count) {
        const struct module *m = field.module[q->number];
        field_send(
            &(struct sm_blocks_msg){.kind = SM_BLOCKS_OFFER,
                                    .token = q->token,
                                    .what = q->what,
                                    .number = q->number,
                                    .flags = (uint8_t)((m->plugin ? SM_BLOCKS_PLUGIN : 0) |
                                                       (field.unsigned_ ? SM_BLOCKS_UNSIGNED : 0)),
                                    .length = m->len + field.wrong_length,
                                    .signature = m->sig,
                                    .sha = m->sha,
                                    .name = sm_blocks_text(m->name),
                                    .version = sm_blocks_text("1.0")});
    } else {
        answer_none(q->token);
    }
}

/* What blocks with this tag are of. */
static const uint8_t *object(uint32_t tag, size_t *len)
{
    uint8_t sha[SM_SHA256_SIZE];

    for (unsigned i = 0; i < field.count; i++) {
        *len = field.module[i]->len;
        if (sm_blocks_tag(field.module[i]->sha) == tag)
            return field.module[i]->bytes;
    }
    if (field.keys) {
        *len = field.keys->len;
        sm_sha256(field.keys->bytes, *len, sha);
        if (sm_blocks_tag(sha) == tag)
            return field.keys->bytes;
    }
    if (field.native) {
        *len = field.native->claim_len;
        sm_sha256(field.native->claim, *len, sha);
        if (sm_blocks_tag(sha) == tag)
            return field.native->claim;
        *len = sizeof field.native->image;
        if (sm_blocks_tag(field.native->says.image_sha) == tag)
            return field.native_gone ? NULL : field.native->image;
    }
    *len = field.statement_len;
    sm_sha256(field.statement_bytes, *len, sha);
    return sm_blocks_tag(sha) == tag ? field.statement_bytes : NULL;
}

static void send_block(const struct sm_blocks_msg *q, uint32_t n, const uint8_t *bytes, size_t len)
{
    uint64_t from = (uint64_t)n * q->size;
    uint8_t junk[SM_BLOCKS_MOST] = {0};
    size_t part = from < len ? len - (size_t)from : field.beyond ? q->size : 0;

    if (part == 0)
        return;
    field.sent_blocks++;
    if (n > 0 && n == field.loses) {
        field.loses = 0;
        return;
    }
    for (unsigned i = 0; i <= field.echo; i++)
        field_send(
            &(struct sm_blocks_msg){.kind = SM_BLOCKS_BLOCK,
                                    .tag = q->tag,
                                    .number = n,
                                    .bytes = from < len ? bytes + from : junk,
                                    .bytes_len = (uint16_t)(part < q->size ? part : q->size)});
}

static void answer_want(const struct sm_blocks_msg *q)
{
    size_t len;
    const uint8_t *bytes = object(q->tag, &len);

    assert_true(q->size + SM_BLOCKS_HEAD <= field.cfg.message_most);
    if (field.silent_on_want)
        return;
    if (!bytes) {
        answer_none(q->tag);
        return;
    }
    for (unsigned i = 0; i < 32; i++) {
        if (!(q->mask >> i & 1))
            continue;
        field.asked_blocks++;
        send_block(q, q->first + i, bytes, len);
        if (field.beyond)
            send_block(q, (uint32_t)(len / q->size) + 1 + i, bytes, len);
    }
}

static void answer_report(const struct sm_blocks_msg *q)
{
    unsigned i = 0;

    while (i < field.nevents && (field.event[i].id != q->id || field.event[i].kind != q->event))
        i++;
    if (i == field.nevents) {
        assert_true(field.nevents < FIELD_EVENTS);
        field.event[field.nevents].id = q->id;
        field.event[field.nevents++].kind = q->event;
    }
    field.event[i].times++;
    field_send(&(struct sm_blocks_msg){.kind = SM_BLOCKS_ACK, .token = q->token});
}

static void answer_result(const struct sm_blocks_msg *q)
{
    sm_blocks_copy(q->action, field.result_of, sizeof field.result_of);
    sm_blocks_copy(q->detail, field.why, sizeof field.why);
    field.outcome = q->outcome;
    field.results++;
    if (!strcmp(field.result_of, field.action)) {
        field.action = "";
        field.count = 0;
    }
    field_send(&(struct sm_blocks_msg){.kind = SM_BLOCKS_ACK, .token = q->token});
}

static void answer_from(uint32_t token, uint32_t first)
{
    field_send(&(struct sm_blocks_msg){.kind = SM_BLOCKS_FROM, .token = token, .first = first});
}

static void answer_note(const struct sm_blocks_msg *q)
{
    uint32_t end = q->first + q->bytes_len;
    bool known = field.note_number == q->number && field.note_crc == q->tag;

    assert_true(end <= q->length && q->length <= sizeof field.note);
    field.note_parts++;
    field.note_bytes += q->bytes_len;
    if (field.silent_on_note)
        return;
    if (field.stuck_on_note) {
        answer_from(q->token, 0);
        return;
    }
    if (!known && q->first == 0) {
        field.note_number = q->number;
        field.note_crc = q->tag;
        field.note_len = q->length;
        field.note_have = 0;
        known = true;
    }
    if (!known || (field.forgets_notes && q->first > 0)) {
        field.forgets_notes = false;
        field.note_number = 0;
        answer_none(q->token);
        return;
    }
    if (field.note_have != q->first && field.note_have != end) {
        answer_from(q->token, field.note_have);
        return;
    }
    field.notes += field.note_have < end && end == q->length;
    memcpy(field.note + q->first, q->bytes, q->bytes_len);
    field.note_have = end;
    field_send(&(struct sm_blocks_msg){.kind = SM_BLOCKS_ACK, .token = q->token});
}

static void serve(const uint8_t *bytes, size_t len)
{
    struct sm_blocks_msg q;

    if (sm_blocks_decode(&q, bytes, len) < 0)
        return;
    switch (q.kind) {
    case SM_BLOCKS_POLL: answer_poll(&q); break;
    case SM_BLOCKS_ASK:
        field.asks++;
        answer_ask(&q);
        break;
    case SM_BLOCKS_WANT: answer_want(&q); break;
    case SM_BLOCKS_REPORT: answer_report(&q); break;
    case SM_BLOCKS_RESULT: answer_result(&q); break;
    case SM_BLOCKS_NOTE: answer_note(&q); break;
    case SM_BLOCKS_STATE:
        field.states_told++;
        if (q.flags & SM_BLOCKS_RUNS)
            field.runs = q.sequence;
        field_send(&(struct sm_blocks_msg){.kind = SM_BLOCKS_ACK, .token = q.token});
        break;
    }
}

/* ---- Time ------------------------------------------------------------------------------------ */

/* The message that is due first, or NULL. */
static struct field_message *first_message(void)
{
    struct field_message *first = NULL;

    for (unsigned i = 0; i < FIELD_MESSAGES; i++)
        if (field.queue[i].len != 0 && (!first || field.queue[i].at_ms < first->at_ms))
            first = &field.queue[i];
    return first;
}

static void deliver(struct field_message *q)
{
    struct field_message m = *q;

    q->len = 0; /* before: power may fail */
    if (m.to_device)
        (void)sm_blocks_input(&field.blocks, m.bytes, m.len, rig->now_ms);
    else
        serve(m.bytes, m.len);
}

/* One step of everything; the milliseconds until the next. */
static uint32_t step(void)
{
    uint8_t out[SM_BLOCKS_MOST];
    rig->nevents = 0; /* nobody reads them: the server hears of them */
    uint32_t wait = sm_device_step(&rig->dev, rig->now_ms), wait_blocks;
    size_t len;

    while ((len = sm_blocks_step(&field.blocks, rig->now_ms, out, sizeof out, &wait_blocks)) > 0) {
        assert_true(len <= field.cfg.message_most);
        carry(out, len, false);
    }
    struct field_message *m = first_message();
    wait = wait < wait_blocks ? wait : wait_blocks;
    if (m && m->at_ms <= rig->now_ms) {
        deliver(m);
        return 0;
    }
    return m && m->at_ms - rig->now_ms < wait ? (uint32_t)(m->at_ms - rig->now_ms) : wait;
}

void field_run(uint32_t ms)
{
    uint64_t end = rig->now_ms + ms;

    while (rig->now_ms < end) {
        uint32_t wait = step();
        rig->now_ms += rig->now_ms + wait < end ? wait : end - rig->now_ms;
    }
}

void field_run_to_result(uint32_t ms)
{
    uint64_t end = rig->now_ms + ms;

    while (rig->now_ms < end && field.results == 0)
        field_run(200);
    if (field.results == 0)
        fail_msg("no result after %u ms: %s (asking %u)", ms, sm_device_reason(&rig->dev),
                 field.blocks.asking);
}

void field_init(uint64_t seed)
{
    memset(&field, 0, sizeof field);
    field.rng = seed;
    field.action = "";
    field.poll_s = 30;
    field.delay_ms = 20;
    field.late_ms = 200;
    field.entropy = (struct sm_entropy){NULL, fill};
    field.cfg = (struct sm_blocks_cfg){.device = &rig->dev,
                                       .fleet = "greenhouse",
                                       .cls = "gateway",
                                       .entropy = &field.entropy,
                                       .buf = field.buf,
                                       .buf_len = sizeof field.buf,
                                       .message_most = SM_BLOCKS_LEAST,
                                       .retry_ms = 300,
                                       .retry_most_ms = 5000,
                                       .poll_least_s = 1};
    field_boot();
}

void field_boot(void)
{
    assert_int_equal(sm_blocks_init(&field.blocks, &field.cfg, rig->now_ms), 0);
}
