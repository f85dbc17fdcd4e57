/* The update client's decisions. One transfer is under way at a time; when it has ended its answer
 * is taken, and choose() looks for the most urgent thing that can be done next.
 *
 * The fate of each module of a deployment follows from what the device says to
 * sm_device_install_begin(): it is committed (good), it failed in this deployment (bad), it is on
 * trial or its outcome is not reported yet (open), or it is wanted. So nothing has to be kept here
 * across a restart.
 *
 * A module of a set is open, too, while it is staged. Once all that are open are staged, the device
 * is told to start the set; once one is bad, to drop it, and the set's others are bad for that.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "update_client.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sandmote/offer.h>

#include "log.h"

#define ANSWER_MAX  262144u /* bytes of a base resource or a deployment */
#define REPLY_MAX   65536u  /* of an answer that nobody reads */
#define WAIT_MAX_MS 60000u  /* time is looked at again at least this often */

/* ---- Time ------------------------------------------------------------------------------------ */

/* A time between (100 - percent) and (100 + percent) percent of ms. */
static uint64_t jitter(const struct sm_update *u, uint64_t ms, unsigned percent)
{
    uint32_t random = 0;
    if (u->cfg->entropy->fill(u->cfg->entropy->ctx, &random, sizeof random) < 0)
        return ms; /* better all at once than not at all */
    uint64_t span = ms * 2 * percent / 100;
    return ms - span / 2 + span * random / UINT32_MAX;
}

/* The server, or the way to it, failed: leave it alone for a while. */
static void back_off(struct sm_update *u, const char *what)
{
    const struct sm_transfer_result *r = &u->transfer.result;
    uint64_t pause = u->cfg->retry_s * 1000ull;
    uint32_t doublings = u->failures < 16 ? u->failures : 16;
    pause <<= doublings;
    if (pause > u->cfg->retry_max_s * 1000ull)
        pause = u->cfg->retry_max_s * 1000ull;
    pause = jitter(u, pause, 50);
    if (pause < r->retry_after_s * 1000ull)
        pause = jitter(u, r->retry_after_s * 1100ull, 9);
    u->failures++;
    u->retry_ms = u->now_ms + pause;
    sm_log(SM_LOG_WARN, "server %s: %s: %s; again in %llu s", u->cfg->server, what, r->text,
           (unsigned long long)(pause + 999) / 1000);
}

/* An answer that was HTTP as it should be, but not what it should say. */
static void back_off_from_answer(struct sm_update *u, const char *what, const char *why)
{
    snprintf(u->transfer.result.text, sizeof u->transfer.result.text, "its answer: %.200s", why);
    back_off(u, what);
}

/* ---- Requests -------------------------------------------------------------------------------- */

static void request(struct sm_update *u, enum sm_update_work work, const char *method,
                    const char *url, char *json)
{
    free(u->body);
    u->body = json;
    u->work = work;
    bool read = work == SM_UPDATE_POLL || work == SM_UPDATE_DEPLOYMENT || work == SM_UPDATE_KEYS ||
                work == SM_UPDATE_CURRENT;
    struct sm_transfer_request req = {.method = method,
                                      .url = url,
                                      .json = json,
                                      .max = read ? ANSWER_MAX : REPLY_MAX,
                                      .deadline_s = u->cfg->request_s};
    sm_transfer_start(&u->transfer, &req);
}

static void ask_base(struct sm_update *u)
{
    char url[SM_DDI_URL];
    snprintf(url, sizeof url, "%s/%s/controller/v1/%s", u->cfg->server, u->cfg->tenant,
             u->cfg->device_id);
    request(u, SM_UPDATE_POLL, "GET", url, NULL);
}

/* The server has these events, or never will. */
static void mark_told(struct sm_update *u)
{
    for (size_t i = 0; i < u->told_count; i++)
        sm_device_event_done(u->cfg->device, u->told[i]);
    u->told_count = 0;
}

/* The events that wait, at most a batch of them; false when there are none. */
static bool tell_events(struct sm_update *u)
{
    struct sm_event e;
    json_t *array = json_array();
    u->told_count = 0;
    for (uint32_t i = 0; i < SM_UPDATE_BATCH && !sm_device_event_at(u->cfg->device, i, &e); i++) {
        u->told[u->told_count++] = e.id;
        json_array_append_new(array, sm_ddi_event(&e, u->cfg->server, u->now_ms - u->start_ms));
    }
    bool tell = u->told_count && u->base.events[0];
    char *text = tell ? json_dumps(array, JSON_COMPACT) : NULL;
    json_decref(array);
    if (text)
        request(u, SM_UPDATE_EVENTS, "POST", u->base.events, text);
    else if (!tell)
        mark_told(u); /* a server without that link hears of it by feedback alone */
    return text != NULL;
}

/* The oldest post-mortem that the server does not have. A server without the link gets none: they
 * wait for one that has it, and the oldest make room for newer ones. */
static bool tell_postmortem(struct sm_update *u)
{
    char url[SM_DDI_URL + 16];
    struct sm_journal_note note;
    size_t len;
    if (!u->base.postmortems[0] ||
        sm_device_note_at(u->cfg->device, u->postmortem_number, &note) != 0)
        return false;
    free(u->postmortem);
    u->postmortem = NULL;
    if (!u->cfg->core || u->cfg->core(u->cfg->core_ctx, &note, &u->postmortem, &len) != 0) {
        len = note.len;
        u->postmortem = malloc(len);
        if (!u->postmortem)
            return false;
        memcpy(u->postmortem, note.bytes, len);
    }
    u->telling_number = note.number;
    u->work = SM_UPDATE_POSTMORTEM;
    snprintf(url, sizeof url, "%s/%u", u->base.postmortems, (unsigned)note.number);
    struct sm_transfer_request req = {.method = "POST",
                                      .url = url,
                                      .bytes = u->postmortem,
                                      .len = len,
                                      .max = REPLY_MAX,
                                      .deadline_s = u->cfg->request_s};
    sm_transfer_start(&u->transfer, &req);
    return true;
}

/* The server has it, or never will; said in RAM too, for a flash that cannot be written. */
static void mark_postmortem(struct sm_update *u)
{
    u->postmortem_number = u->telling_number;
    if (sm_device_note_done(u->cfg->device, u->postmortem_number) < 0)
        sm_log(SM_LOG_WARN, "%s", sm_device_reason(u->cfg->device));
}

/* What the device is and which modules run, as the body of a configData request. */
static char *write_attributes(const struct sm_update *u)
{
    json_t *data = json_object();
    const struct sm_keyset *keys = sm_device_keys(u->cfg->device);
    json_object_set_new(data, "class", json_string(u->cfg->cls));
    if (keys)
        json_object_set_new(data, "keyset", json_sprintf("%u", (unsigned)keys->version));
    uint32_t lost = sm_device_notes_lost(u->cfg->device);
    if (lost > 0)
        json_object_set_new(data, "postmortems_lost", json_sprintf("%u", (unsigned)lost));
    if (sm_device_golden_runs(u->cfg->device))
        json_object_set_new(data, "golden", json_string("runs"));
    struct sm_app_info info;
    for (uint16_t i = 0; i < u->cfg->device->store.layout.modules; i++) {
        if (sm_device_app(u->cfg->device, i, &info) < 0)
            continue;
        const struct sm_slot *removal = sm_offer_removal(info.record);
        if (info.slot != SM_STORE_NO_SLOT)
            sm_ddi_add_module(data, false, info.record->name, &info.record->slot[info.slot]);
        else if (removal)
            sm_ddi_add_module(data, true, info.record->name, removal);
    }
    json_t *root = json_pack("{s:s, s:o}", "mode", "replace", "data", data);
    char *text = json_dumps(root, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(root);
    return text;
}

static bool tell_attributes(struct sm_update *u)
{
    char *text = write_attributes(u);
    if (!text || (u->attributes && !strcmp(text, u->attributes))) {
        free(text);
        return false;
    }
    request(u, SM_UPDATE_ATTRIBUTES, "PUT", u->base.config, text);
    return true;
}

/* ---- Key sets -------------------------------------------------------------------------------- */

/* What the server must show from now on: as the key set says, else as configured. */
static void know_server(struct sm_update *u)
{
    u->transfer_cfg = u->cfg->transfer;
    sm_server_trust_free(&u->server_trust);
    if (sm_server_trust(&u->server_trust, sm_device_keys(u->cfg->device)) < 0)
        sm_log(SM_LOG_ERROR, "no memory for the server's certificates: the configured ones stay");
    if (u->server_trust.ca_pem)
        u->transfer_cfg.ca_pem = u->server_trust.ca_pem;
    if (u->server_trust.pin[0])
        u->transfer_cfg.pin = u->server_trust.pin;
}

/* The version of the key set that the device can take from this server now; 0 for none. A device
 * whose set is damaged needs that one again. */
static uint32_t next_keys(const struct sm_update *u)
{
    uint32_t next = sm_offer_next_keys(u->cfg->device);
    return next <= u->base.keys_version && next != u->keys_refused ? next : 0;
}

static bool fetch_keys(struct sm_update *u)
{
    char url[SM_DDI_URL + SM_FLEET_MAX + 16];
    uint32_t next = next_keys(u);
    if (next == 0)
        return false;
    snprintf(url, sizeof url, "%s/%s/%u", u->base.keys, u->cfg->fleet, (unsigned)next);
    request(u, SM_UPDATE_KEYS, "GET", url, NULL);
    return true;
}

static bool fetch_current(struct sm_update *u)
{
    char url[SM_DDI_URL + SM_FLEET_MAX + 2 * SM_STATEMENT_NONCE + 3],
        nonce[2 * sizeof u->nonce + 1];
    if (u->asked_current || !u->base.current[0] || !sm_device_statement_wanted(u->cfg->device))
        return false;
    u->asked_current = true;
    if (u->cfg->entropy->fill(u->cfg->entropy->ctx, u->nonce, sizeof u->nonce) < 0)
        return false; /* without luck a replay could not be told */
    sm_hex_encode(u->nonce, sizeof u->nonce, nonce);
    snprintf(url, sizeof url, "%s/%s/%s", u->base.current, u->cfg->fleet, nonce);
    request(u, SM_UPDATE_CURRENT, "GET", url, NULL);
    return true;
}

/* ---- A module of the deployment -------------------------------------------------------------- */

__attribute__((format(printf, 3, 4))) static void
settle(struct sm_update *u, enum sm_update_fate fate, const char *format, ...)
{
    struct sm_update_chunk *c = &u->chunk[u->at];
    const struct sm_ddi_chunk *offer = &u->deployment.chunk[u->at];
    va_list args;
    va_start(args, format);
    vsnprintf(c->why, sizeof c->why, format, args);
    va_end(args);
    c->fate = fate;
    sm_log(fate == SM_FATE_GOOD ? SM_LOG_INFO : SM_LOG_WARN, "deployment %s: %s %s: %s",
           u->deployment.id, offer->name, offer->version, c->why);
}

static struct sm_install_request request_of(const struct sm_update *u)
{
    const struct sm_ddi_chunk *offer = &u->deployment.chunk[u->at];
    struct sm_install_request req = {.name = offer->name,
                                     .plugin = offer->plugin,
                                     .set = u->deployment.set,
                                     .len = offer->size,
                                     .action = u->deployment.id};
    memcpy(req.signature, u->chunk[u->at].signature, sizeof req.signature);
    memcpy(req.sha, offer->sha256, sizeof req.sha);
    return req;
}

/* Whether it is in its slot, verified, as one of the set of this deployment. */
static bool staged(struct sm_update *u, size_t at)
{
    u->at = at;
    struct sm_install_request req = request_of(u);
    return sm_offer_state(u->cfg->device, &req) == SM_OFFER_STAGED;
}

/* The device does not want it again in this deployment: say why, if the slot still knows. */
static void settle_failed(struct sm_update *u)
{
    struct sm_install_request req = request_of(u);
    const struct sm_slot *s = sm_offer_failed(u->cfg->device, &req);
    settle(u, SM_FATE_BAD, "%s", s && s->detail[0] ? s->detail : sm_device_reason(u->cfg->device));
}

/* Stop trying to have it: error is 0 when it did not come, else what is wrong with it. The device
 * keeps that as an event with the module's hash. */
static void give_up(struct sm_update *u, int error, const char *why)
{
    struct sm_install_request req = request_of(u);
    sm_offer_give_up(u->cfg->device, &req, error, why);
    settle(u, SM_FATE_BAD, "%s", why);
}

static int write_module(void *ctx, const void *bytes, size_t len)
{
    struct sm_update *u = ctx;
    return sm_device_install_write(u->cfg->device, bytes, (uint32_t)len);
}

static void fetch_module(struct sm_update *u, uint64_t first)
{
    const struct sm_ddi_chunk *offer = &u->deployment.chunk[u->at];
    struct sm_update_chunk *c = &u->chunk[u->at];
    struct sm_transfer_request req = {.method = "GET",
                                      .url = offer->module,
                                      .deadline_s = u->cfg->download_s,
                                      .file = true,
                                      .size = offer->size,
                                      .first = first,
                                      .etag = c->etag,
                                      .sink = write_module,
                                      .sink_ctx = u};
    if (c->offset >= 0 && (int64_t)first > c->offset)
        c->attempts = 0; /* the last go brought something */
    c->offset = (int64_t)first;
    u->work = SM_UPDATE_MODULE;
    sm_log(SM_LOG_INFO, "deployment %s: fetching %s %s, from byte %llu of %u", u->deployment.id,
           offer->name, offer->version, (unsigned long long)first, offer->size);
    sm_transfer_start(&u->transfer, &req);
}

static void fetch_signature(struct sm_update *u)
{
    const struct sm_ddi_chunk *offer = &u->deployment.chunk[u->at];
    if (!offer->signature[0]) {
        give_up(u, SM_ERR_SIGNATURE, "unsigned: the server offers no signature");
        return;
    }
    struct sm_transfer_request req = {.method = "GET",
                                      .url = offer->signature,
                                      .max = SM_SIGNATURE_BYTES,
                                      .deadline_s = u->cfg->request_s};
    u->work = SM_UPDATE_SIGNATURE;
    sm_transfer_start(&u->transfer, &req);
}

static void install(struct sm_update *u)
{
    struct sm_device *d = u->cfg->device;
    u->chunk[u->at].complete = false;
    int err = sm_device_install_finish(d);
    if (err == 0)
        return; /* on trial, staged, or done: the next look tells */
    if (err == SM_ERR_IO) {
        snprintf(u->transfer.result.text, sizeof u->transfer.result.text, "%s",
                 sm_device_reason(d));
        back_off(u, "module");
        return;
    }
    settle(u, SM_FATE_BAD, "%s", sm_device_reason(d));
}

/* ---- Its native image ------------------------------------------------------------------------ */

/* There is none to be had: the module does without, and the device tells why. */
static void do_without_native(struct sm_update *u, const char *why)
{
    const struct sm_ddi_chunk *offer = &u->deployment.chunk[u->at];
    sm_log(SM_LOG_WARN, "deployment %s: %s %s: without its native image: %s", u->deployment.id,
           offer->name, offer->version, why);
    sm_device_native_end(u->cfg->device, why);
    u->chunk[u->at].native_settled = true;
}

static void fetch_claim(struct sm_update *u)
{
    struct sm_transfer_request req = {.method = "GET",
                                      .url = u->deployment.chunk[u->at].claim,
                                      .max = SM_CLAIM_MAX,
                                      .deadline_s = u->cfg->request_s};
    u->work = SM_UPDATE_CLAIM;
    sm_transfer_start(&u->transfer, &req);
}

static int write_native(void *ctx, const void *bytes, size_t len)
{
    struct sm_update *u = ctx;
    return sm_device_native_write(u->cfg->device, bytes, (uint32_t)len);
}

static void fetch_native(struct sm_update *u)
{
    const struct sm_ddi_chunk *offer = &u->deployment.chunk[u->at];
    const struct sm_update_chunk *c = &u->chunk[u->at];
    struct sm_transfer_request req = {.method = "GET",
                                      .url = offer->native,
                                      .deadline_s = u->cfg->download_s,
                                      .file = true,
                                      .size = offer->native_size,
                                      .first = c->native_first,
                                      .etag = "", /* the claim's hash tells whether it is ours */
                                      .sink = write_native,
                                      .sink_ctx = u};
    u->work = SM_UPDATE_NATIVE;
    sm_log(SM_LOG_INFO, "deployment %s: fetching the native image of %s %s, from byte %u of %u",
           u->deployment.id, offer->name, offer->version, c->native_first, offer->native_size);
    sm_transfer_start(&u->transfer, &req);
}

/* The claim is there: the device says whether it wants the image. */
static void take_claim(struct sm_update *u)
{
    const struct sm_transfer_result *r = &u->transfer.result;
    struct sm_device *d = u->cfg->device;
    struct sm_update_chunk *c = &u->chunk[u->at];
    char why[SM_DEVICE_REASON];
    int64_t from = sm_device_native_begin(d, (const uint8_t *)r->body, r->len);
    if (from >= 0) {
        if (from > c->native_first)
            c->native_attempts = 0; /* the last go brought something */
        c->native_first = (uint32_t)from;
        c->claimed = true;
        return;
    }
    snprintf(why, sizeof why, "%s", sm_device_reason(d));
    do_without_native(u, why);
}

static void take_native(struct sm_update *u)
{
    char why[SM_DEVICE_REASON];
    u->chunk[u->at].native_settled = true;
    if (sm_device_native_end(u->cfg->device, NULL) == 0)
        return;
    snprintf(why, sizeof why, "%s", sm_device_reason(u->cfg->device));
    sm_log(SM_LOG_WARN, "deployment %s: without the native image: %s", u->deployment.id, why);
}

/* Claim or image did not come. From the claim on again later, unless that is hopeless: the device
 * then says from which byte on it wants the image. */
static void miss_native(struct sm_update *u)
{
    struct sm_transfer_result *r = &u->transfer.result;
    struct sm_update_chunk *c = &u->chunk[u->at];
    char why[SM_DEVICE_REASON];
    c->claimed = false;
    if (r->refused_by_sink)
        snprintf(r->text, sizeof r->text, "%s", sm_device_reason(u->cfg->device));
    if (!r->final && ++c->native_attempts < u->cfg->attempts) {
        back_off(u, "native image");
        return;
    }
    snprintf(why, sizeof why, "%.140s", r->text);
    do_without_native(u, why);
}

/* The module is there in full: first its native image, if one is wanted and offered, then finish.
 * true when a transfer began. */
static bool complete(struct sm_update *u)
{
    const struct sm_ddi_chunk *offer = &u->deployment.chunk[u->at];
    struct sm_update_chunk *c = &u->chunk[u->at];
    c->complete = true;
    if (offer->native[0] && !c->native_settled) {
        if (!c->claimed)
            fetch_claim(u);
        else if (c->native_first < offer->native_size)
            fetch_native(u);
        else
            take_native(u);
        if (!c->native_settled)
            return true;
    }
    install(u);
    return false;
}

/* Ask the device about this module, and do what it wants. true when a transfer began. */
static bool go_on_with(struct sm_update *u)
{
    const struct sm_ddi_chunk *offer = &u->deployment.chunk[u->at];
    struct sm_device *d = u->cfg->device;
    struct sm_install_request req = request_of(u);
    switch (sm_offer_state(d, &req)) {
    case SM_OFFER_COMMITTED: settle(u, SM_FATE_GOOD, "committed"); return false;
    case SM_OFFER_REMOVED: settle(u, SM_FATE_GOOD, "removed"); return false;
    case SM_OFFER_TRIAL:
    case SM_OFFER_STAGED: return false;
    case SM_OFFER_WANTED: break;
    }
    if (!u->chunk[u->at].signed_) {
        fetch_signature(u);
        return u->work != SM_UPDATE_NOTHING;
    }
    if (u->chunk[u->at].complete)
        return complete(u);
    int64_t from = sm_device_install_begin(d, &req);
    if (from >= 0 && from < offer->size) {
        fetch_module(u, (uint64_t)from);
        return true;
    }
    if (from >= 0)
        return complete(u);
    if (from == SM_ERR_STATE)
        settle(u, SM_FATE_GOOD, "committed");
    else if (from == SM_ERR_DENIED)
        settle_failed(u);
    else if (from == SM_ERR_IO) {
        snprintf(u->transfer.result.text, sizeof u->transfer.result.text, "%s",
                 sm_device_reason(d));
        back_off(u, "module");
    } else if (from != SM_ERR_BUSY)
        settle(u, SM_FATE_BAD, "%s", sm_device_reason(d));
    else if (!u->chunk[u->at].waits) {
        u->chunk[u->at].waits = true;
        sm_log(SM_LOG_INFO, "%s %s waits: %s", offer->name, offer->version, sm_device_reason(d));
    }
    return false;
}

/* ---- The deployment -------------------------------------------------------------------------- */

static void drop_deployment(struct sm_update *u)
{
    sm_device_install_suspend(u->cfg->device); /* one that waits for its native image */
    u->from[0] = u->broken[0] = 0;
    u->closed = false;
    memset(&u->deployment, 0, sizeof u->deployment);
    memset(u->chunk, 0, sizeof u->chunk);
    for (size_t i = 0; i < SM_DDI_CHUNKS_MAX; i++)
        u->chunk[i].offset = -1;
}

/* Success when every module is good; else what became of each of the others. */
static enum sm_ddi_outcome judge(const struct sm_update *u, char *detail, size_t size)
{
    enum sm_ddi_outcome outcome = SM_DDI_SUCCESS;
    size_t used = 0;
    detail[0] = 0;
    if (u->broken[0]) {
        snprintf(detail, size, "%s", u->broken);
        return SM_DDI_FAILURE;
    }
    for (size_t i = 0; i < u->deployment.count && used < size; i++) {
        if (u->chunk[i].fate == SM_FATE_BAD)
            outcome = SM_DDI_FAILURE;
        int n =
            snprintf(detail + used, size - used, "%s%s %s: %s", used ? "; " : "",
                     u->deployment.chunk[i].name, u->deployment.chunk[i].version, u->chunk[i].why);
        used += (size_t)n;
    }
    return outcome;
}

/* POST <deployment's link without its query>/feedback */
static void give_feedback(struct sm_update *u)
{
    char url[SM_DDI_URL + 16], detail[512];
    enum sm_ddi_outcome outcome = judge(u, detail, sizeof detail);
    snprintf(url, sizeof url, "%.*s/feedback", (int)strcspn(u->from, "?"), u->from);
    char *text = sm_ddi_write_feedback(u->deployment.id, outcome, detail);
    if (text)
        request(u, SM_UPDATE_FEEDBACK, "POST", url, text);
}

/* A module of a set that comes to nothing: what the device says of it, if the set failed on
 * trial, else why the set comes to nothing. */
static void settle_with_set(struct sm_update *u, const char *why)
{
    const struct sm_ddi_chunk *offer = &u->deployment.chunk[u->at];
    const struct sm_slot *s =
        sm_offer_slot(u->cfg->device, offer->name, offer->sha256, SM_SLOT_FAILED);
    bool told = s && !strcmp(s->action, u->deployment.id) && s->detail[0];
    settle(u, SM_FATE_BAD, "%s", told ? s->detail : why);
}

/* The set comes to nothing: so does each of its modules that is open. What is staged is dropped,
 * which is nothing any more when the set failed on trial. */
static void drop_set(struct sm_update *u, const char *why)
{
    if (sm_device_set_drop(u->cfg->device, u->deployment.id, why) < 0)
        sm_log(SM_LOG_WARN, "deployment %s: %s", u->deployment.id,
               sm_device_reason(u->cfg->device));
    for (u->at = 0; u->at < u->deployment.count; u->at++)
        if (u->chunk[u->at].fate == SM_FATE_OPEN)
            settle_with_set(u, why);
}

static void drop_strays(struct sm_update *u, const char *id)
{
    if (sm_offer_drop_strays(u->cfg->device, id) < 0)
        sm_log(SM_LOG_WARN, "modules of sets that were given up: %s",
               sm_device_reason(u->cfg->device));
}

/* Whether every module of the set that is not in force is staged. */
static bool set_is_there(struct sm_update *u)
{
    for (size_t i = 0; i < u->deployment.count; i++)
        if (u->chunk[i].fate == SM_FATE_OPEN && !staged(u, i))
            return false;
    return true;
}

/* All that are open are staged: on trial already (NOT_FOUND), or to be put there now. false when
 * the set comes to nothing. */
static bool start_set(struct sm_update *u)
{
    struct sm_device *d = u->cfg->device;
    int err = sm_device_set_start(d, u->deployment.id);
    if (err == 0) {
        sm_log(SM_LOG_INFO, "deployment %s: all of the set is there, and on trial",
               u->deployment.id);
    } else if (err == SM_ERR_IO) {
        snprintf(u->transfer.result.text, sizeof u->transfer.result.text, "%s",
                 sm_device_reason(d));
        back_off(u, "set");
    } else if (err != SM_ERR_NOT_FOUND) {
        char why[SM_DEVICE_REASON];
        snprintf(why, sizeof why, "%s", sm_device_reason(d));
        drop_set(u, why);
        return false;
    }
    return true;
}

/* The next thing to do for the deployment; true when a transfer began. */
static bool go_on_with_deployment(struct sm_update *u)
{
    bool open = false;
    if (u->closed || !u->from[0] || u->deployment.skip)
        return false;
    for (size_t i = 0; !u->broken[0] && i < u->deployment.count; i++) {
        u->at = i;
        if (u->chunk[i].fate == SM_FATE_OPEN && go_on_with(u))
            return true;
        if (u->now_ms < u->retry_ms)
            return false;
        if (u->deployment.set && u->chunk[i].fate == SM_FATE_BAD) {
            char why[SM_DEVICE_REASON];
            snprintf(why, sizeof why, "%s of its set: %.100s", u->deployment.chunk[i].name,
                     u->chunk[i].why);
            drop_set(u, why);
            open = false;
            break;
        }
        open = open || u->chunk[i].fate == SM_FATE_OPEN;
    }
    if (open && (!u->deployment.set || !set_is_there(u) || start_set(u)))
        return false;
    give_feedback(u);
    return u->work != SM_UPDATE_NOTHING;
}

/* ---- Answers --------------------------------------------------------------------------------- */

static void take_base(struct sm_update *u)
{
    struct sm_json_error why;
    const struct sm_transfer_result *r = &u->transfer.result;
    if (sm_ddi_read_base(u->cfg->server, u->cfg->fleet, r->body, r->len, &u->base, &why) < 0) {
        u->polled = false;
        back_off_from_answer(u, "poll", why.text);
        return;
    }
    u->polled = true;
    u->keys_refused = 0;
    u->asked_current = false;
    u->poll_ms = u->now_ms + jitter(u, u->base.sleep_s * 1000ull, 20);
    /* Another deployment, or one whose end the server did not hear of: look at it anew. */
    if (u->closed || strcmp(u->base.deployment, u->from) != 0 || u->deployment.skip)
        drop_deployment(u);
    if (!u->base.deployment[0])
        drop_strays(u, "");
}

/* The next key set. One that the device refuses, which it logs and reports, is not asked for again
 * before the next poll; nor are those behind it. */
static void take_keys(struct sm_update *u)
{
    const struct sm_transfer_result *r = &u->transfer.result;
    uint32_t wanted = next_keys(u);
    int err = sm_device_keys_offer(u->cfg->device, (const uint8_t *)r->body, r->len);
    if (err == 0) {
        sm_log(SM_LOG_INFO, "key set %u is in force", (unsigned)wanted);
        know_server(u);
        return;
    }
    sm_log(SM_LOG_WARN, "key set %u from %s: not taken: %s", (unsigned)wanted, u->cfg->server,
           sm_device_reason(u->cfg->device));
    u->keys_refused = wanted;
}

/* What is wrong with a statement the device reports once; the next poll asks for another. */
static void take_current(struct sm_update *u)
{
    const struct sm_transfer_result *r = &u->transfer.result;
    if (sm_device_statement(u->cfg->device, (const uint8_t *)r->body, r->len, u->nonce) < 0)
        sm_log(SM_LOG_WARN, "server %s: what it says is current is not believed: %s",
               u->cfg->server, sm_device_reason(u->cfg->device));
}

static void take_deployment(struct sm_update *u)
{
    struct sm_json_error why;
    const struct sm_transfer_result *r = &u->transfer.result;
    drop_deployment(u);
    int err = sm_ddi_read_deployment(u->cfg->server, u->cfg->native_target, r->body, r->len,
                                     &u->deployment, &why);
    if (err && !u->deployment.id[0]) {
        back_off_from_answer(u, "deployment", why.text);
        return;
    }
    strcpy(u->from, u->base.deployment);
    drop_strays(u, u->deployment.id);
    if (err)
        snprintf(u->broken, sizeof u->broken, "%.300s", why.text);
    sm_log(err ? SM_LOG_WARN : SM_LOG_INFO, "deployment %s: %s", u->deployment.id,
           err                  ? u->broken
           : u->deployment.skip ? "not now"
                                : "begins");
}

static void take_signature(struct sm_update *u)
{
    struct sm_update_chunk *c = &u->chunk[u->at];
    const struct sm_transfer_result *r = &u->transfer.result;
    if (r->len != SM_SIGNATURE_BYTES) {
        give_up(u, SM_ERR_SIGNATURE, "the signature does not have 64 bytes");
        return;
    }
    memcpy(c->signature, r->body, SM_SIGNATURE_BYTES);
    c->signed_ = true;
}

/* A file did not come. Try again later, unless that is hopeless or was tried often enough. */
static void miss_file(struct sm_update *u)
{
    struct sm_transfer_result *r = &u->transfer.result;
    struct sm_update_chunk *c = &u->chunk[u->at];
    const char *what = u->work == SM_UPDATE_MODULE ? "module" : "signature";
    if (r->refused_by_sink)
        snprintf(r->text, sizeof r->text, "%s", sm_device_reason(u->cfg->device));
    if (r->etag[0])
        strcpy(c->etag, r->etag);
    if (r->status == 412 || r->status == 416)
        c->etag[0] = 0; /* the server has another file: its hash will tell whether it is ours */
    if (r->final || ++c->attempts >= u->cfg->attempts) {
        char why[SM_DEVICE_REASON];
        snprintf(why, sizeof why, "%s: %.120s", what, r->text);
        give_up(u, 0, why);
        return;
    }
    sm_device_install_suspend(u->cfg->device);
    back_off(u, what);
}

static void keep_attributes(struct sm_update *u)
{
    free(u->attributes);
    u->attributes = u->body;
    u->body = NULL;
}

static void take_answer(struct sm_update *u)
{
    u->failures = 0;
    switch (u->work) {
    case SM_UPDATE_POLL: take_base(u); break;
    case SM_UPDATE_EVENTS: mark_told(u); break;
    case SM_UPDATE_POSTMORTEM: mark_postmortem(u); break;
    case SM_UPDATE_ATTRIBUTES: keep_attributes(u); break;
    case SM_UPDATE_KEYS: take_keys(u); break;
    case SM_UPDATE_CURRENT: take_current(u); break;
    case SM_UPDATE_DEPLOYMENT: take_deployment(u); break;
    case SM_UPDATE_SIGNATURE: take_signature(u); break;
    case SM_UPDATE_MODULE: u->chunk[u->at].complete = true; break;
    case SM_UPDATE_CLAIM: take_claim(u); break;
    case SM_UPDATE_NATIVE: take_native(u); break;
    case SM_UPDATE_FEEDBACK: u->closed = true; break;
    case SM_UPDATE_NOTHING: break;
    }
}

/* A refusal that will not change must not stand in the way of updates: what was refused counts as
 * told. The log has had the events before. */
static void take_refusal(struct sm_update *u)
{
    sm_log(SM_LOG_ERROR, "server %s: does not take this device's %s: %s", u->cfg->server,
           u->work == SM_UPDATE_EVENTS       ? "events"
           : u->work == SM_UPDATE_POSTMORTEM ? "post-mortem"
                                             : "attributes",
           u->transfer.result.text);
    if (u->work == SM_UPDATE_EVENTS)
        mark_told(u);
    else if (u->work == SM_UPDATE_POSTMORTEM)
        mark_postmortem(u);
    else
        keep_attributes(u);
}

static void take_failure(struct sm_update *u)
{
    static const char *const names[] = {[SM_UPDATE_POLL] = "poll",
                                        [SM_UPDATE_EVENTS] = "events",
                                        [SM_UPDATE_POSTMORTEM] = "post-mortem",
                                        [SM_UPDATE_ATTRIBUTES] = "attributes",
                                        [SM_UPDATE_KEYS] = "key set",
                                        [SM_UPDATE_CURRENT] = "statement",
                                        [SM_UPDATE_DEPLOYMENT] = "deployment",
                                        [SM_UPDATE_FEEDBACK] = "feedback"};
    const struct sm_transfer_result *r = &u->transfer.result;
    bool about_deployment = u->work == SM_UPDATE_FEEDBACK || u->work == SM_UPDATE_DEPLOYMENT;
    if (u->work == SM_UPDATE_SIGNATURE || u->work == SM_UPDATE_MODULE) {
        miss_file(u);
    } else if (u->work == SM_UPDATE_CLAIM || u->work == SM_UPDATE_NATIVE) {
        miss_native(u);
    } else if (r->final && (u->work == SM_UPDATE_EVENTS || u->work == SM_UPDATE_ATTRIBUTES ||
                            u->work == SM_UPDATE_POSTMORTEM)) {
        take_refusal(u);
    } else if (r->final && u->work == SM_UPDATE_KEYS) {
        sm_log(SM_LOG_WARN, "server %s: does not have the key set %u that this device needs: %s",
               u->cfg->server, (unsigned)next_keys(u), r->text);
        u->keys_refused = next_keys(u);
    } else if (r->final && u->work == SM_UPDATE_CURRENT) {
        sm_log(SM_LOG_WARN, "server %s: does not say what is current: %s", u->cfg->server, r->text);
    } else if (about_deployment && (r->status == 404 || r->status == 410)) {
        /* Closed or superseded meanwhile: the next poll tells what there is now. */
        u->closed = u->work == SM_UPDATE_FEEDBACK;
        u->base.deployment[0] = 0;
        u->poll_ms = u->now_ms + u->cfg->retry_s * 1000ull;
    } else {
        back_off(u, names[u->work]);
    }
}

/* ---- The step -------------------------------------------------------------------------------- */

/* Begin the most urgent thing that can be done now; true when a transfer began. */
static bool choose(struct sm_update *u)
{
    if (u->now_ms < u->retry_ms)
        return false;
    if (u->now_ms >= u->poll_ms) {
        ask_base(u);
        return true;
    }
    if (!u->polled)
        return false;
    if (tell_events(u) || tell_postmortem(u))
        return true;
    if (u->base.config[0] && tell_attributes(u))
        return true;
    if (fetch_keys(u) || fetch_current(u))
        return true;
    if (sm_device_statement_lacking(u->cfg->device))
        return false;
    if (u->base.deployment[0] && !u->from[0]) {
        request(u, SM_UPDATE_DEPLOYMENT, "GET", u->base.deployment, NULL);
        return true;
    }
    return go_on_with_deployment(u);
}

uint32_t sm_update_step(struct sm_update *u, uint64_t now_ms)
{
    u->now_ms = now_ms;
    if (u->work != SM_UPDATE_NOTHING) {
        if (!sm_transfer_done(&u->transfer))
            return WAIT_MAX_MS; /* the multi handle knows its own deadlines */
        if (u->transfer.result.err)
            take_failure(u);
        else
            take_answer(u);
        u->work = SM_UPDATE_NOTHING;
    }
    if (choose(u))
        return 0;
    uint64_t next = u->retry_ms > now_ms ? u->retry_ms : u->poll_ms;
    uint64_t wait = next > now_ms ? next - now_ms : 0;
    return wait < WAIT_MAX_MS ? (uint32_t)wait : WAIT_MAX_MS;
}

int sm_update_init(struct sm_update *u, const struct sm_update_cfg *cfg, CURLM *multi,
                   uint64_t now_ms)
{
    memset(u, 0, sizeof *u);
    u->cfg = cfg;
    u->now_ms = u->start_ms = now_ms;
    u->poll_ms = now_ms + jitter(u, cfg->first_s * 500ull, 100);
    drop_deployment(u);
    know_server(u);
    return sm_transfer_init(&u->transfer, multi, &u->transfer_cfg);
}

void sm_update_free(struct sm_update *u)
{
    sm_device_install_suspend(u->cfg->device);
    sm_transfer_free(&u->transfer);
    sm_server_trust_free(&u->server_trust);
    free(u->attributes);
    free(u->body);
    free(u->postmortem);
}
