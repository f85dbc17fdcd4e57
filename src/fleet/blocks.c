/* Updates in blocks on the server (blocks.h). SPDX-License-Identifier: Apache-2.0 */
#include "blocks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <posix/ddi.h>
#include <posix/log.h>
#include <sandmote/blocks.h>

#define DEVICES             4096u /* whose fetches are remembered; a power of two */
#define BURST               64u
#define DEVICES_OF_ONE_LOOK 256u
#define NEWS_AGAIN_MS       30000
#define NOTES_BYTES         (64u << 20) /* of all that come in parts; the stalest gives way */

_Static_assert(SM_FLEET_NATIVE_FILE <= SM_FLEET_NAME_MAX + 1, "a route has room for its name");
_Static_assert(SM_BLOCKS_NOTES_MOST == SM_FLEET_POSTMORTEM_MAX, "what a device may send");

/* A post-mortem that comes in parts, known by number, length and CRC; number 0: none does. There is
 * room for what has come, and none once all of it is stored. */
struct note {
    uint32_t number, length, crc, have, room;
    uint8_t *bytes;
    int64_t at_ms; /* the last part */
};

/* What a device fetches. Two devices with one place take turns: each finds its object again by the
 * tag. */
struct fetch {
    char device[SM_FLEET_NAME_MAX + 1];
    uint32_t tag; /* of the object, if there is one */
    bool any;
    struct sm_fleet_route route; /* how to get it: a module's or native image's file, a key set */
    uint8_t *bytes;              /* or it itself: a statement is another one each time; a claim */
    size_t len;
    uint32_t budget; /* messages */
    int64_t since_ms;
    struct note note;
};

struct sm_fleet_blocks {
    const struct sm_fleet_blocks_cfg *cfg;
    uint64_t last_action; /* that was told of */
    int64_t again_ms;     /* when all that are pending were, once more */
    uint32_t note_bytes;  /* room of all notes */
    struct fetch fetch[DEVICES];
};

/* A message being answered. */
struct talk {
    int64_t now_ms;
    struct sm_fleet_blocks *b;
    struct sm_fleet *f;
    const char *device;
    struct fetch *fetch;
    const struct sm_blocks_msg *m;
};

/* ---- Requests -------------------------------------------------------------------------------- */

/* The request as it would come over HTTPS, with this body. */
static void handle_bytes(struct talk *t, struct sm_fleet_route route, struct sm_bytes body,
                         struct sm_fleet_answer *a)
{
    struct sm_fleet_request q = {.route = route, .who = t->device, .base_url = "", .body = body};
    sm_fleet_answer_init(a);
    sm_fleet_handle(t->f, &q, a);
}

/* The same with JSON, which is given away. */
static void handle(struct talk *t, struct sm_fleet_route route, json_t *body,
                   struct sm_fleet_answer *a)
{
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    handle_bytes(t, route, (struct sm_bytes){(const uint8_t *)text, text ? strlen(text) : 0}, a);
    free(text);
}

static void answer(struct talk *t, const struct sm_blocks_msg *m)
{
    uint8_t out[SM_BLOCKS_MOST];
    int len = sm_blocks_encode(m, out, sizeof out);
    if (len > 0)
        t->b->cfg->send(t->b->cfg->send_ctx, t->device, out, (size_t)len);
    else
        sm_log(SM_LOG_ERROR, "device %s: no message can say what it asks for", t->device);
}

static void answer_plain(struct talk *t, enum sm_blocks_kind kind, uint32_t token)
{
    answer(t, &(struct sm_blocks_msg){.kind = (uint8_t)kind, .token = token});
}

/* ---- What a device tells --------------------------------------------------------------------- */

/* It counts as told when the server took it, or never will; trouble of our own does not. */
static int acknowledge(struct talk *t, struct sm_fleet_answer *a)
{
    unsigned status = a->status;
    const char *why = json_string_value(json_object_get(a->json, "error"));
    if (status >= 400 && status < 500)
        sm_log(SM_LOG_WARN, "device %s: what it tells is not taken: %s", t->device, why ? why : "");
    sm_fleet_answer_free(a);
    if (status >= 500)
        return SM_ERR_IO;
    answer_plain(t, SM_BLOCKS_ACK, t->m->token);
    return 0;
}

static int take_report(struct talk *t)
{
    const struct sm_blocks_msg *m = t->m;
    char name[SM_NAME_MAX + 1], version[SM_VERSION_MAX + 1], detail[SM_BLOCKS_TEXT + 1];
    struct sm_fleet_answer a;
    sm_blocks_copy(m->name, name, sizeof name);
    sm_blocks_copy(m->version, version, sizeof version);
    sm_blocks_copy(m->detail, detail, sizeof detail);
    struct sm_event e = {.kind = (enum sm_event_kind)m->event,
                         .id = m->id,
                         .name = name,
                         .version = version,
                         .detail = detail,
                         .sequence = m->sequence,
                         .sha = m->sha};
    json_t *events = json_array();
    json_array_append_new(events, sm_ddi_event(&e, "", m->uptime_ms));
    handle(t, (struct sm_fleet_route){.op = SM_FLEET_DDI_EVENTS}, events, &a);
    return acknowledge(t, &a);
}

static int take_result(struct talk *t)
{
    const struct sm_blocks_msg *m = t->m;
    char action[SM_STORE_ACTION], detail[SM_BLOCKS_TEXT + 1];
    struct sm_fleet_route route = {.op = SM_FLEET_DDI_FEEDBACK};
    struct sm_fleet_answer a;
    sm_blocks_copy(m->action, action, sizeof action);
    sm_blocks_copy(m->detail, detail, sizeof detail);
    char *text = sm_ddi_write_feedback(action, (enum sm_ddi_outcome)m->outcome, detail);
    json_t *body = text ? json_loads(text, 0, NULL) : NULL;
    free(text);
    if (sm_fleet_number(action, &route.action) < 0)
        route.action = 0; /* no action has this number */
    handle(t, route, body, &a);
    return acknowledge(t, &a);
}

static int take_state(struct talk *t)
{
    const struct sm_blocks_msg *m = t->m;
    char name[SM_NAME_MAX + 1], cls[17];
    struct sm_slot slot = {.sequence = m->sequence};
    struct sm_fleet_answer a;
    json_t *data = json_object();
    sm_blocks_copy(m->cls, cls, sizeof cls);
    sm_blocks_copy(m->name, name, sizeof name);
    sm_blocks_copy(m->version, slot.version, sizeof slot.version);
    memcpy(slot.module_sha, m->sha, sizeof slot.module_sha);
    json_object_set_new(data, "class", json_string(cls));
    if (m->keys)
        json_object_set_new(data, "keyset", json_sprintf("%u", (unsigned)m->keys));
    if (m->seconds)
        json_object_set_new(data, "postmortems_lost", json_sprintf("%u", (unsigned)m->seconds));
    if (m->flags & SM_BLOCKS_GOLDEN)
        json_object_set_new(data, "golden", json_string("runs"));
    if (m->flags & (SM_BLOCKS_RUNS | SM_BLOCKS_REMOVED))
        sm_ddi_add_module(data, m->flags & SM_BLOCKS_REMOVED, name, &slot);
    const char *mode = m->flags & SM_BLOCKS_FIRST ? "replace" : "merge";
    handle(t, (struct sm_fleet_route){.op = SM_FLEET_DDI_CONFIG},
           json_pack("{s:s, s:o}", "mode", mode, "data", data), &a);
    return acknowledge(t, &a);
}

/* ---- Post-mortems ---------------------------------------------------------------------------- */

static void drop_bytes(struct sm_fleet_blocks *b, struct note *n)
{
    free(n->bytes);
    n->bytes = NULL;
    b->note_bytes -= n->room;
    n->room = 0;
}

/* Another one than this that nothing came of for longest, or NULL. */
static struct note *stalest(struct sm_fleet_blocks *b, const struct note *but)
{
    struct note *found = NULL;
    for (size_t i = 0; i < DEVICES; i++) {
        struct note *n = &b->fetch[i].note;
        if (n != but && n->room && (!found || n->at_ms < found->at_ms))
            found = n;
    }
    return found;
}

/* Room for so many bytes, and some more if more are to come. */
static int make_room(struct sm_fleet_blocks *b, struct note *n, uint32_t bytes)
{
    uint32_t room = bytes > n->length / 2 ? n->length : 2 * bytes;
    struct note *other;
    if (bytes <= n->room)
        return 0;
    while (b->note_bytes - n->room + room > NOTES_BYTES && (other = stalest(b, n))) {
        drop_bytes(b, other);
        other->number = 0;
    }
    uint8_t *more = realloc(n->bytes, room);
    if (!more)
        return SM_ERR_MEMORY;
    b->note_bytes += room - n->room;
    n->bytes = more;
    n->room = room;
    return 0;
}

/* All parts are there: stored, perhaps for the second time. What is damaged comes again. */
static int store_note(struct talk *t, struct note *n)
{
    struct sm_fleet_answer a;
    if (sm_crc32c(0, n->bytes, n->length) != n->crc) {
        n->number = 0;
        answer_plain(t, SM_BLOCKS_NONE, t->m->token);
        return 0;
    }
    handle_bytes(t, (struct sm_fleet_route){.op = SM_FLEET_DDI_POSTMORTEM, .action = n->number},
                 (struct sm_bytes){n->bytes, n->length}, &a);
    int err = acknowledge(t, &a);
    if (!err)
        drop_bytes(t->b, n);
    return err;
}

/* A part: the next one, or the last one again, whose acknowledgement was lost. A device that begins
 * anew is told how far it was. */
static int take_note(struct talk *t)
{
    const struct sm_blocks_msg *m = t->m;
    struct note *n = &t->fetch->note;
    uint32_t end = m->first + m->bytes_len;
    if (end > m->length)
        return SM_ERR_MALFORMED;
    bool same = n->number == m->number && n->length == m->length && n->crc == m->tag;
    if (!same && m->first > 0) {
        answer_plain(t, SM_BLOCKS_NONE, m->token);
        return 0;
    }
    if (!same) {
        drop_bytes(t->b, n);
        *n = (struct note){.number = m->number, .length = m->length, .crc = m->tag};
    }
    n->at_ms = t->now_ms;
    bool stored = n->have == n->length && !n->bytes;
    if (stored || (n->have != m->first && n->have != end)) {
        answer(t, &(struct sm_blocks_msg){
                      .kind = SM_BLOCKS_FROM, .token = m->token, .first = n->have});
        return 0;
    }
    int err = make_room(t->b, n, end);
    if (err)
        return err;
    memcpy(n->bytes + m->first, m->bytes, m->bytes_len);
    n->have = end;
    if (end == m->length)
        return store_note(t, n);
    answer_plain(t, SM_BLOCKS_ACK, m->token);
    return 0;
}

/* ---- What is there for it -------------------------------------------------------------------- */

/* The modules of its open action; none: *action is 0. */
static int open_action(struct talk *t, uint64_t *action, struct sm_fleet_module *m, size_t *count)
{
    struct sm_fleet_db *db = &t->f->db;
    *count = 0;
    int err = sm_fleet_db_action(db, t->device, action);
    if (err || *action == 0)
        return err;
    err = sm_fleet_db_action_modules(db, t->device, *action, sm_time_now_ms(), m,
                                     SM_FLEET_MODULES_MAX, count);
    if (err == SM_ERR_NOT_FOUND) /* closed meanwhile */
        *action = 0;
    return err == SM_ERR_NOT_FOUND ? 0 : err;
}

static uint32_t latest_keys(struct talk *t, int *err)
{
    char fleet[SM_FLEET_MAX + 1];
    json_t *versions = json_object();
    sm_blocks_copy(t->m->fleet, fleet, sizeof fleet);
    *err = sm_fleet_db_keys_latest(&t->f->db, versions);
    uint32_t latest = (uint32_t)json_integer_value(json_object_get(versions, fleet));
    json_decref(versions);
    return latest;
}

static int take_poll(struct talk *t)
{
    struct sm_fleet_module modules[SM_FLEET_MODULES_MAX];
    uint64_t action;
    size_t count;
    bool set = false;
    char id[24] = "";
    int err = sm_fleet_db_device_seen(&t->f->db, t->device, sm_time_now_ms());
    if (!err)
        err = open_action(t, &action, modules, &count);
    if (!err && action)
        err = sm_fleet_db_action_is_set(&t->f->db, action, &set);
    if (err)
        return err;
    uint32_t keys = latest_keys(t, &err);
    if (err)
        return err;
    if (action)
        snprintf(id, sizeof id, "%llu", (unsigned long long)action);
    answer(t,
           &(struct sm_blocks_msg){.kind = SM_BLOCKS_STATUS,
                                   .token = t->m->token,
                                   .seconds = (uint32_t)t->f->cfg.poll_seconds,
                                   .keys = keys,
                                   .flags = (uint8_t)(SM_BLOCKS_NOTES | (set ? SM_BLOCKS_SET : 0) |
                                                      (t->f->cfg.states ? SM_BLOCKS_STATES : 0)),
                                   .count = (uint8_t)count,
                                   .action = sm_blocks_text(id)});
    return 0;
}

/* ---- What is fetched ------------------------------------------------------------------------- */

static void forget(struct fetch *f)
{
    free(f->bytes);
    f->bytes = NULL;
    f->any = false;
}

static struct sm_fleet_route module_file(const struct sm_fleet_module *m)
{
    struct sm_fleet_route route = {.op = SM_FLEET_DDI_ARTIFACT};
    memcpy(route.sha256, m->sha256, sizeof route.sha256);
    snprintf(route.file, sizeof route.file, "%s.wasm", m->name);
    return route;
}

static struct sm_fleet_route native_file(const struct sm_fleet_native *n)
{
    struct sm_fleet_route route = {.op = SM_FLEET_DDI_ARTIFACT};
    memcpy(route.sha256, n->sha256, sizeof route.sha256);
    sm_fleet_native_file(n, route.file);
    return route;
}

static void remember(struct fetch *f, const uint8_t *sha, struct sm_fleet_route route)
{
    forget(f);
    f->any = true;
    f->tag = sm_blocks_tag(sha);
    f->route = route;
}

static int offer_module(struct talk *t)
{
    struct sm_fleet_module modules[SM_FLEET_MODULES_MAX];
    uint64_t action, asked;
    size_t count;
    char id[SM_STORE_ACTION];
    uint8_t sha[SM_SHA256_SIZE];
    int err = open_action(t, &action, modules, &count);
    if (err)
        return err;
    sm_blocks_copy(t->m->action, id, sizeof id);
    if (sm_fleet_number(id, &asked) < 0 || asked != action || t->m->number >= count) {
        answer_plain(t, SM_BLOCKS_NONE, t->m->token);
        return 0;
    }
    const struct sm_fleet_module *m = &modules[t->m->number];
    sm_hex_decode(m->sha256, sha, sizeof sha);
    remember(t->fetch, sha, module_file(m));
    answer(t, &(struct sm_blocks_msg){.kind = SM_BLOCKS_OFFER,
                                      .token = t->m->token,
                                      .what = SM_BLOCKS_MODULE,
                                      .number = t->m->number,
                                      .flags = m->plugin ? SM_BLOCKS_PLUGIN : 0,
                                      .length = (uint32_t)m->size,
                                      .signature = m->signature,
                                      .sha = sha,
                                      .name = sm_blocks_text(m->name),
                                      .version = sm_blocks_text(m->version),
                                      .sequence = m->sequence});
    return 0;
}

/* Of the native images of a module the one for this target, or the one with this tag. *found says
 * whether there is one. */
static int find_native(struct talk *t, const struct sm_fleet_module *m, uint32_t target,
                       const uint32_t *tag, struct sm_fleet_native *out, bool *found)
{
    struct sm_fleet_native n[SM_FLEET_NATIVES_MAX];
    uint8_t sha[SM_SHA256_SIZE];
    size_t count = 0;
    int err = sm_fleet_db_natives_of(&t->f->db, m->sha256, n, SM_FLEET_NATIVES_MAX, &count);
    *found = false;
    for (size_t i = 0; !err && !*found && i < count; i++) {
        sm_hex_decode(n[i].sha256, sha, sizeof sha);
        *found = tag ? sm_blocks_tag(sha) == *tag : n[i].target == target;
        *out = n[i];
    }
    return err;
}

/* The claim of the native image, for this target, of the module of its open action whose hash
 * begins so. */
static int offer_claim(struct talk *t)
{
    struct sm_fleet_module modules[SM_FLEET_MODULES_MAX];
    struct sm_fleet_native n = {.claim_len = 0};
    uint8_t sha[SM_SHA256_SIZE];
    uint64_t action;
    size_t count;
    bool found = false;
    int err = open_action(t, &action, modules, &count);
    for (size_t i = 0; !err && !found && i < count; i++) {
        sm_hex_decode(modules[i].sha256, sha, sizeof sha);
        if (memcmp(sha, t->m->nonce, SM_STATEMENT_NONCE) == 0)
            err = find_native(t, &modules[i], t->m->number, NULL, &n, &found);
    }
    if (err)
        return err;
    if (!found || n.claim_len == 0) {
        answer_plain(t, SM_BLOCKS_NONE, t->m->token);
        return 0;
    }
    uint8_t *bytes = malloc(n.claim_len);
    if (!bytes)
        return SM_ERR_MEMORY;
    memcpy(bytes, n.claim, n.claim_len);
    sm_sha256(bytes, n.claim_len, sha);
    remember(t->fetch, sha, native_file(&n));
    t->fetch->bytes = bytes;
    t->fetch->len = n.claim_len;
    answer(t, &(struct sm_blocks_msg){.kind = SM_BLOCKS_OFFER,
                                      .token = t->m->token,
                                      .what = SM_BLOCKS_CLAIM,
                                      .number = t->m->number,
                                      .length = n.claim_len,
                                      .sha = sha});
    return 0;
}

/* A key set or a statement: what HTTPS would answer with, and keep. */
static int offer_small(struct talk *t)
{
    struct sm_fleet_route route = {.op = SM_FLEET_DDI_KEYS, .action = t->m->number};
    struct sm_fleet_answer a;
    uint8_t sha[SM_SHA256_SIZE];
    sm_blocks_copy(t->m->fleet, route.file, sizeof route.file);
    if (t->m->what == SM_BLOCKS_CURRENT) {
        route.op = SM_FLEET_DDI_CURRENT;
        sm_hex_encode(t->m->nonce, SM_STATEMENT_NONCE, route.nonce);
    }
    handle(t, route, NULL, &a);
    unsigned status = a.status;
    if (status == 200 && a.bytes) {
        sm_sha256(a.bytes, a.len, sha);
        remember(t->fetch, sha, route);
        t->fetch->bytes = a.bytes;
        t->fetch->len = (size_t)a.len;
        a.bytes = NULL;
        answer(t, &(struct sm_blocks_msg){.kind = SM_BLOCKS_OFFER,
                                          .token = t->m->token,
                                          .what = t->m->what,
                                          .number = t->m->number,
                                          .length = (uint32_t)t->fetch->len,
                                          .sha = sha});
    } else if (status < 500) {
        answer_plain(t, SM_BLOCKS_NONE, t->m->token);
    }
    sm_fleet_answer_free(&a);
    return status >= 500 ? SM_ERR_IO : 0;
}

/* After a restart, or when another device has the place: a module of the open action with this tag,
 * or a native image of one. */
static int find_again(struct talk *t)
{
    struct sm_fleet_module m[SM_FLEET_MODULES_MAX];
    uint64_t action;
    size_t count;
    uint8_t sha[SM_SHA256_SIZE];
    struct sm_fleet_native n;
    bool found;
    int err = open_action(t, &action, m, &count);
    for (size_t i = 0; !err && !t->fetch->any && i < count; i++) {
        sm_hex_decode(m[i].sha256, sha, sizeof sha);
        if (sm_blocks_tag(sha) == t->m->tag) {
            remember(t->fetch, sha, module_file(&m[i]));
            break;
        }
        err = find_native(t, &m[i], 0, &t->m->tag, &n, &found);
        if (err || !found)
            continue;
        sm_hex_decode(n.sha256, sha, sizeof sha);
        remember(t->fetch, sha, native_file(&n));
    }
    return err;
}

/* One block, from memory or from the file. False at the end, and when the budget is used up. */
static bool send_block(struct talk *t, const struct sm_fleet_answer *file, uint32_t n)
{
    uint8_t room[SM_BLOCKS_MOST];
    const uint8_t *bytes = t->fetch->bytes;
    uint64_t from = (uint64_t)n * t->m->size, size = bytes ? t->fetch->len : file->size;
    if (from >= size || t->fetch->budget == 0)
        return false;
    size_t len = size - from < t->m->size ? (size_t)(size - from) : t->m->size;
    if (!bytes && pread(file->file, room, len, (off_t)(file->first + from)) != (ssize_t)len)
        return false;
    t->fetch->budget--;
    answer(t, &(struct sm_blocks_msg){.kind = SM_BLOCKS_BLOCK,
                                      .tag = t->m->tag,
                                      .number = n,
                                      .bytes = bytes ? bytes + from : room,
                                      .bytes_len = (uint16_t)len});
    return true;
}

static int take_want(struct talk *t)
{
    struct sm_fleet_answer a;
    struct fetch *f = t->fetch;
    sm_fleet_answer_init(&a);
    if (!f->any || f->tag != t->m->tag) {
        forget(f);
        int err = find_again(t);
        if (err)
            return err;
    }
    if (f->any && !f->bytes)
        handle(t, f->route, NULL, &a);
    bool there = f->any && (f->bytes || a.file >= 0);
    unsigned status = a.status;
    for (uint32_t i = 0; there && i < SM_BLOCKS_WINDOW; i++)
        if (t->m->mask >> i & 1 && !send_block(t, &a, t->m->first + i))
            break;
    sm_fleet_answer_free(&a);
    if (!there && status >= 500)
        return SM_ERR_IO;
    if (!there)
        answer_plain(t, SM_BLOCKS_NONE, t->m->tag);
    return 0;
}

/* ---- Messages -------------------------------------------------------------------------------- */

static size_t index_of(const char *device)
{
    return sm_crc32c(0, device, strlen(device)) % DEVICES;
}

/* Where a device's fetch is remembered; whoever was there before gives way. */
static struct fetch *place_of(struct sm_fleet_blocks *b, const char *device)
{
    struct fetch *f = &b->fetch[index_of(device)];
    if (strcmp(f->device, device) == 0)
        return f;
    forget(f);
    drop_bytes(b, &f->note);
    *f = (struct fetch){.budget = BURST};
    snprintf(f->device, sizeof f->device, "%s", device);
    return f;
}

/* Whether it may be answered now; each answer costs one. */
static bool pay(const struct sm_fleet_blocks *b, struct fetch *f, int64_t now_ms)
{
    int64_t earned = (now_ms - f->since_ms) * b->cfg->per_second / 1000;
    if (earned > 0 || now_ms < f->since_ms) {
        f->since_ms = now_ms;
        f->budget = earned > BURST - f->budget ? BURST : f->budget + (uint32_t)earned;
    }
    if (f->budget == 0)
        return false;
    f->budget--;
    return true;
}

int sm_fleet_blocks_input(struct sm_fleet_blocks *b, const char *device, const void *bytes,
                          size_t len, int64_t now_ms)
{
    struct sm_blocks_msg m;
    uint8_t token[32];
    int err = sm_blocks_decode(&m, bytes, len);
    if (err)
        return err;
    if (!sm_fleet_name_valid(device))
        return SM_ERR_NOT_FOUND;
    struct fetch *f = place_of(b, device);
    if (!pay(b, f, now_ms))
        return SM_ERR_LIMIT;
    err = sm_fleet_db_device_token(&b->cfg->fleet->db, device, token);
    if (err)
        return err;
    struct talk t = {now_ms, b, b->cfg->fleet, device, f, &m};
    switch (m.kind) {
    case SM_BLOCKS_POLL: return take_poll(&t);
    case SM_BLOCKS_ASK:
        return m.what == SM_BLOCKS_MODULE  ? offer_module(&t)
               : m.what == SM_BLOCKS_CLAIM ? offer_claim(&t)
                                           : offer_small(&t);
    case SM_BLOCKS_WANT: return take_want(&t);
    case SM_BLOCKS_REPORT: return take_report(&t);
    case SM_BLOCKS_RESULT: return take_result(&t);
    case SM_BLOCKS_STATE: return take_state(&t);
    case SM_BLOCKS_NOTE: return take_note(&t);
    default: return SM_ERR_UNSUPPORTED; /* a server's message */
    }
}

/* Whether a device has spoken to this server, as far as it is remembered. */
static bool has_spoken(const struct sm_fleet_blocks *b, const char *device)
{
    return strcmp(b->fetch[index_of(device)].device, device) == 0;
}

/* News of the pending actions behind *after. How many there were, or the database's errors. */
static int tell_news(struct sm_fleet_blocks *b, uint64_t *after, bool again)
{
    uint8_t news = SM_BLOCKS_NEWS;
    json_t *devices = json_array(), *device;
    size_t i;
    int err = sm_fleet_db_actions_after(&b->cfg->fleet->db, after, DEVICES_OF_ONE_LOOK, devices);
    json_array_foreach(devices, i, device) if (!again || has_spoken(b, json_string_value(device)))
        b->cfg->send(b->cfg->send_ctx, json_string_value(device), &news, sizeof news);
    int count = (int)json_array_size(devices);
    json_decref(devices);
    return err < 0 ? err : count;
}

int sm_fleet_blocks_news(struct sm_fleet_blocks *b, int64_t now_ms)
{
    int n = tell_news(b, &b->last_action, false);
    if (n < 0 || (now_ms >= b->again_ms && now_ms - b->again_ms < NEWS_AGAIN_MS))
        return n < 0 ? n : 0;
    b->again_ms = now_ms;
    uint64_t after = 0;
    do
        n = tell_news(b, &after, true);
    while (n == (int)DEVICES_OF_ONE_LOOK);
    return n < 0 ? n : 0;
}

/* ---- Life ------------------------------------------------------------------------------------ */

struct sm_fleet_blocks *sm_fleet_blocks_new(const struct sm_fleet_blocks_cfg *cfg)
{
    struct sm_fleet_blocks *b = calloc(1, sizeof *b);
    if (b)
        b->cfg = cfg;
    return b;
}

void sm_fleet_blocks_free(struct sm_fleet_blocks *b)
{
    for (size_t i = 0; b && i < DEVICES; i++) {
        forget(&b->fetch[i]);
        free(b->fetch[i].note.bytes);
    }
    free(b);
}
