/* How modules come in: begin, write, finish (include/sandmote/device.h has the rules).
 *
 * The slot not in use goes EMPTY/FAILED/COMMITTED -> RECEIVING -> TRIAL, or back to EMPTY with an
 * event. Its record is put before its bytes are touched and after they are complete, so no record
 * ever counts on bytes that are being changed.
 *
 * Resuming: while bytes come in, the record is put now and then with how many of them are certain,
 * always up to a sector border. What lies behind may be torn, so the writer erases it again.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "internal.h"
#include "text.h"

enum {
    CHANCES = 3,       /* deployments in which a module may fail */
    FREE_INSTALLS = 4, /* without a commit, before there are pauses */
    PAUSE_MS = 60000,
    PAUSE_MOST_MS = 3600000
};

static const struct sm_record *record_of(const struct sm_device *d, uint16_t index)
{
    return &d->store.records[index];
}

/* ---- Begin ----------------------------------------------------------------------------------- */

static bool text_fits(const char *s, size_t room)
{
    size_t len = 0;

    while (len < room && s[len] >= 0x21 && s[len] < 0x7f)
        len++;
    return s[len] == 0;
}

/* A place whose record nothing would miss: no module that runs or may, no floor, no news. A
 * download that somebody began and left does not keep a place. */
static bool is_free(const struct sm_record *r)
{
    if (r->name[0] == 0)
        return true;
    for (unsigned i = 0; i < 2; i++)
        if (r->slot[i].unreported != 0 || r->slot[i].state == SM_SLOT_COMMITTED ||
            r->slot[i].state == SM_SLOT_TRIAL || r->slot[i].state == SM_SLOT_STAGED)
            return false;
    return r->floor == 0;
}

/* The place of that name, or a free one among those of its kind. */
static int find_place(struct sm_device *d, const struct sm_install_request *req, uint16_t *index)
{
    const char *kind = sm_module_kind_name(req->plugin ? SM_KIND_PLUGIN : SM_KIND_APPLICATION);
    uint16_t applications = d->store.layout.applications;
    uint16_t end = req->plugin ? d->store.layout.modules : applications;

    if (sm_device_find(d, req->name, index) == 0)
        return sm_dev_is_plugin(d, *index) == req->plugin
                   ? 0
                   : sm_dev_say(d, SM_ERR_DENIED, "%s is the name of a module of another kind",
                                req->name);
    for (uint16_t i = req->plugin ? applications : 0; i < end; i++) {
        if (is_free(record_of(d, i))) {
            *index = i;
            return 0;
        }
    }
    return sm_dev_say(d, SM_ERR_LIMIT, "no place is left for a%s %s named %s",
                      req->plugin ? "" : "n", kind, req->name);
}

/* The slot to receive into: not the active one; without one, where nothing committed lies. */
static unsigned free_slot(const struct sm_record *r)
{
    if (r->active != SM_STORE_NO_SLOT)
        return !r->active;
    if (r->slot[1].state == SM_SLOT_RECEIVING)
        return 1;
    return r->slot[0].state == SM_SLOT_COMMITTED;
}

static int check_request(struct sm_device *d, const struct sm_install_request *req)
{
    if (d->install.open)
        return sm_dev_say(d, SM_ERR_BUSY, "another installation is under way");
    if (req->name == NULL || req->action == NULL || req->name[0] == 0 || req->len == 0 ||
        !text_fits(req->name, SM_NAME_MAX) || !text_fits(req->action, SM_STORE_ACTION - 1) ||
        (req->set && req->action[0] == 0))
        return sm_dev_say(d, SM_ERR_ARG, "a name, deployment or length is out of range");
    if (req->plugin && d->cfg->plugins == NULL)
        return sm_dev_say(d, SM_ERR_DENIED, "this device runs no plugins");
    uint32_t slot = req->plugin ? d->store.layout.plugin_size : d->store.layout.slot_size;
    if (req->len > slot - SM_SLOT_MODULE)
        return sm_dev_say(d, SM_ERR_LIMIT, "%u bytes do not fit the slot of %u", (unsigned)req->len,
                          (unsigned)slot);
    return 0;
}

static int check_record(struct sm_device *d, uint16_t index, unsigned slot,
                        const struct sm_install_request *req)
{
    const struct sm_record *r = record_of(d, index);

    if (sm_dev_trial_slot(d, index) != SM_STORE_NO_SLOT)
        return sm_dev_say(d, SM_ERR_BUSY, "a trial of %s is under way", req->name);
    if (sm_dev_leads(d, index) || sm_dev_passed_slot(d, index) != SM_STORE_NO_SLOT)
        return sm_dev_say(d, SM_ERR_BUSY, "the set of %s is not on flash as a whole", req->name);
    if (r->slot[slot].state == SM_SLOT_STAGED && req->set &&
        memcmp(r->slot[slot].module_sha, req->sha, sizeof req->sha) == 0 &&
        strcmp(r->slot[slot].action, req->action) == 0)
        return sm_dev_say(d, SM_ERR_STATE, "this module is staged already");
    if (r->active != SM_STORE_NO_SLOT &&
        memcmp(r->slot[r->active].module_sha, req->sha, sizeof req->sha) == 0)
        return sm_dev_say(d, SM_ERR_STATE, "this module is installed and committed");
    if (sm_dev_failed_before(r, req->sha, req->action))
        return sm_dev_say(d, SM_ERR_DENIED, "this module failed in this deployment before");
    if (sm_dev_failures(r, req->sha) >= CHANCES)
        return sm_dev_say(d, SM_ERR_DENIED, "this module failed in %u deployments", CHANCES);
    if ((r->slot[slot].unreported & ~d->apps[index].acked[slot]) != 0)
        return sm_dev_say(d, SM_ERR_BUSY, "the outcome of %s %s is not reported yet", r->name,
                          r->slot[slot].version);
    return 0;
}

/* Installations that come to nothing wear the flash and cost the time of their trials; whoever has
 * the server decides how many are offered. So after some the next ones have to wait, longer and
 * longer, until one is committed. To go on with the one that was begun last costs nothing. */
static int check_pace(struct sm_device *d, uint16_t index, unsigned slot,
                      const struct sm_install_request *req)
{
    struct sm_device_app *app = &d->apps[index];
    const struct sm_slot *s = &record_of(d, index)->slot[slot];
    unsigned most = d->cfg->free_installs ? d->cfg->free_installs : FREE_INSTALLS;
    uint64_t pause = 0;

    if (s->state == SM_SLOT_RECEIVING && memcmp(s->module_sha, req->sha, sizeof req->sha) == 0 &&
        strcmp(s->action, req->action) == 0)
        return 0;
    if (app->installs >= most)
        pause =
            app->installs - most < 6 ? (uint64_t)PAUSE_MS << (app->installs - most) : PAUSE_MOST_MS;
    if (d->now_ms - app->install_ms < pause)
        return sm_dev_say(
            d, SM_ERR_BUSY, "after %u installations without a commit the next has to wait %u s",
            (unsigned)app->installs, (unsigned)((app->install_ms + pause - d->now_ms) / 1000) + 1);
    app->installs += app->installs < UINT16_MAX - 1;
    app->install_ms = d->now_ms;
    return 0;
}

static bool continues(const struct sm_device *d, uint16_t index, unsigned slot,
                      const struct sm_install_request *req)
{
    const struct sm_slot *s = &record_of(d, index)->slot[slot];
    const uint8_t *sig =
        sm_store_map(&d->store, index, slot, SM_SLOT_SIGNATURE, SM_SIGNATURE_BYTES);

    return s->state == SM_SLOT_RECEIVING && s->received > 0 && s->module_len == req->len &&
           sm_store_checkpoint(&d->store, s->received) == s->received && sig != NULL &&
           memcmp(s->module_sha, req->sha, sizeof req->sha) == 0 &&
           memcmp(sig, req->signature, SM_SIGNATURE_BYTES) == 0;
}

static void describe_slot(struct sm_slot *s, const struct sm_install_request *req, uint64_t install,
                          uint32_t received)
{
    memset(s, 0, sizeof *s);
    s->state = SM_SLOT_RECEIVING;
    s->install = install;
    s->module_len = req->len;
    s->received = received;
    memcpy(s->module_sha, req->sha, sizeof req->sha);
    sm_text(s->action, sizeof s->action, "%s", req->action);
}

/* Put the record that frees the slot for these bytes. */
static int put_receiving(struct sm_device *d, uint16_t index, unsigned slot,
                         const struct sm_install_request *req, uint32_t received)
{
    struct sm_record next;
    const struct sm_record *r = record_of(d, index);

    sm_dev_change(d, index, &next);
    if (strcmp(r->name, req->name) != 0) {
        memset(&next, 0, sizeof next);
        next.active = SM_STORE_NO_SLOT;
        sm_text(next.name, sizeof next.name, "%s", req->name);
        sm_text(next.fleet, sizeof next.fleet, "%s", d->cfg->fleet);
    }
    next.set = 0;
    for (unsigned i = 0; i < 2; i++)
        if (next.slot[i].state == SM_SLOT_STAGED) /* of a set that is incomplete from now on */
            next.slot[i].state = SM_SLOT_EMPTY;
    describe_slot(&next.slot[slot], req,
                  received ? r->slot[slot].install : sm_store_next_install(&d->store), received);
    return sm_dev_put(d, index, &next);
}

int64_t sm_device_install_begin(struct sm_device *d, const struct sm_install_request *req)
{
    struct sm_device_install *in = &d->install;
    uint16_t index;
    int err = check_request(d, req);

    if (err)
        return err;
    err = find_place(d, req, &index);
    if (err)
        return err;
    unsigned slot = free_slot(record_of(d, index));
    err = check_record(d, index, slot, req);
    if (!err)
        err = check_pace(d, index, slot, req);
    if (err)
        return err;
    uint32_t received =
        continues(d, index, slot, req) ? record_of(d, index)->slot[slot].received : 0;
    err = put_receiving(d, index, slot, req, received);
    if (err)
        return err;
    *in = (struct sm_device_install){
        .open = true, .set = req->set, .index = index, .slot = (uint8_t)slot, .written = received};
    sm_slot_writer_init(&in->writer, &d->store, index, slot,
                        received ? SM_SLOT_MODULE + received : SM_SLOT_SIGNATURE, true);
    if (received == 0)
        err = sm_slot_write(&in->writer, req->signature, SM_SIGNATURE_BYTES);
    if (err) {
        in->open = false;
        return sm_dev_say(d, err, "the slot cannot be written: %s", sm_strerror(err));
    }
    return received;
}

/* ---- End ------------------------------------------------------------------------------------- */

/* Discard the slot, and keep why for the server; what the module is called, if its signature was
 * good (m). The reason is already said. */
static int discard(struct sm_device *d, enum sm_event_kind kind, int error,
                   const struct sm_manifest *m)
{
    struct sm_device_install *in = &d->install;
    struct sm_record next;
    struct sm_slot *s = &next.slot[in->slot];

    in->open = false;
    sm_dev_change(d, in->index, &next);
    if (kind == SM_EVENT_REFUSED)
        sm_dev_remember_failure(&next, in->slot);
    s->state = SM_SLOT_EMPTY;
    s->received = 0;
    s->image_len = 0;
    s->error = error;
    sm_text(s->detail, sizeof s->detail, "%s", d->reason);
    if (m != NULL) {
        sm_text(s->version, sizeof s->version, "%s", m->version);
        s->sequence = m->sequence;
    }
    sm_dev_note(&next, in->slot, kind);
    int err = sm_dev_put(d, in->index, &next);
    if (err)
        return err;
    sm_dev_emit(d, in->index, in->slot, kind);
    return error;
}

int sm_device_install_abort(struct sm_device *d, int error, const char *why)
{
    if (!d->install.open)
        return sm_dev_say(d, SM_ERR_STATE, "no installation is under way");
    sm_dev_say(d, 0, "%s", why);
    int err = discard(d, error ? SM_EVENT_REFUSED : SM_EVENT_DOWNLOAD_FAILED, error, NULL);
    return err == error ? 0 : err;
}

/* Bytes that are certain: put them on record. */
static int checkpoint(struct sm_device *d)
{
    const struct sm_device_install *in = &d->install;
    uint32_t certain = sm_store_checkpoint(&d->store, in->written);
    struct sm_record next;

    if (certain <= record_of(d, in->index)->slot[in->slot].received)
        return 0;
    sm_dev_change(d, in->index, &next);
    next.slot[in->slot].received = certain;
    return sm_dev_put(d, in->index, &next);
}

void sm_device_install_suspend(struct sm_device *d)
{
    if (d->install.open)
        (void)checkpoint(d); /* else the next begin goes on from further back */
    d->install.open = false;
}

/* ---- Write ----------------------------------------------------------------------------------- */

int sm_device_install_write(struct sm_device *d, const void *bytes, uint32_t len)
{
    struct sm_device_install *in = &d->install;

    if (!in->open)
        return sm_dev_say(d, SM_ERR_STATE, "no installation is under way");
    const struct sm_slot *s = &record_of(d, in->index)->slot[in->slot];
    if (len > s->module_len - in->written) {
        sm_dev_say(d, 0, "more than the %u bytes announced", (unsigned)s->module_len);
        return discard(d, SM_EVENT_DOWNLOAD_FAILED, SM_ERR_LIMIT, NULL);
    }
    int err = sm_slot_write(&in->writer, bytes, len);
    if (err) {
        in->open = false;
        return sm_dev_say(d, err, "the slot cannot be written: %s", sm_strerror(err));
    }
    in->written += len;
    if (in->written - s->received < d->store.layout.checkpoint_size)
        return 0;
    err = checkpoint(d);
    in->open = err == 0;
    return err;
}

/* ---- Finish ---------------------------------------------------------------------------------- */

static int check_order(struct sm_device *d, const struct sm_record *r, const struct sm_manifest *m)
{
    if (strcmp(m->name, r->name) != 0)
        return sm_dev_say(d, SM_ERR_DENIED, "is named %s, offered as %s", m->name, r->name);
    if (m->sequence < r->floor)
        return sm_dev_say(d, SM_ERR_ROLLBACK, "sequence %llu is below the security floor %llu",
                          (unsigned long long)m->sequence, (unsigned long long)r->floor);
    if (r->active != SM_STORE_NO_SLOT && m->sequence <= r->slot[r->active].sequence)
        return sm_dev_say(d, SM_ERR_ROLLBACK, "sequence %llu is not above %llu, which is committed",
                          (unsigned long long)m->sequence,
                          (unsigned long long)r->slot[r->active].sequence);
    return 0;
}

static int say_trust(struct sm_device *d, int err, const struct sm_manifest_detail *why)
{
    if (err == SM_ERR_SIGNATURE)
        return sm_dev_say(d, err, "the signature is of no key that this device trusts");
    if (err == SM_ERR_KEY)
        return sm_dev_say(d, err, "its key may not sign it: %s", why->rule);
    if (err == SM_ERR_UNSUPPORTED)
        return sm_dev_say(d, err, "its manifest has format %llu, this device knows %u",
                          (unsigned long long)why->value, SM_MANIFEST_FORMAT);
    return sm_dev_say(d, err, "its manifest: %s at %x", why->rule ? why->rule : sm_strerror(err),
                      (unsigned)why->offset);
}

/* Signature first: before that nothing of the bytes is looked at. *signed_by_us tells whether it
 * was good, and so whether d->work is what the module says of itself. */
static int verify(struct sm_device *d, const struct sm_record *r, unsigned slot, bool *signed_by_us)
{
    uint16_t index = d->install.index;
    uint32_t len = r->slot[slot].module_len;
    const uint8_t *sig =
        sm_store_map(&d->store, index, slot, SM_SLOT_SIGNATURE, SM_SLOT_MODULE + len);
    struct sm_manifest_detail why = {0, 0, 0, NULL};

    if (sig == NULL)
        return sm_dev_say(d, SM_ERR_IO, "the slot cannot be read");
    int err = sm_dev_check_keys(d, r->slot[slot].module_sha);
    if (err)
        return err;
    err = sm_trust_verify_module(sm_dev_trust(d), sig + SM_SLOT_MODULE, len, sig,
                                 SM_SIGNATURE_BYTES, &d->work, &why);
    if (err)
        return say_trust(d, err, &why);
    *signed_by_us = true;
    err = sm_dev_admit(d, &d->work, index);
    if (!err)
        err = sm_dev_check_current(d, &d->work);
    if (!err)
        err = check_order(d, r, &d->work);
    if (!err)
        err = sm_dev_check_place(d, &d->work, index);
    /* A member of a set is looked at beside the others, when all are there. */
    return err || d->install.set ? err : sm_dev_check_company(d, &d->work, index, 0);
}

/* What came is what was announced: hashed from the bytes that are on flash now. */
static int read_back(struct sm_device *d, const struct sm_slot *s)
{
    const struct sm_device_install *in = &d->install;
    uint8_t sha[SM_SHA256_SIZE];
    const uint8_t *wasm =
        sm_store_map(&d->store, in->index, in->slot, SM_SLOT_MODULE, s->module_len);

    if (wasm == NULL)
        return sm_dev_say(d, SM_ERR_IO, "the slot cannot be read");
    sm_sha256(wasm, s->module_len, sha);
    if (memcmp(sha, s->module_sha, sizeof sha) != 0)
        return sm_dev_say(d, SM_ERR_CORRUPT, "the bytes received do not have the hash announced");
    return 0;
}

static int translate(struct sm_device *d, struct sm_slot *s)
{
    const struct sm_device_install *in = &d->install;
    struct sm_wasm_module module;
    int err = sm_dev_make_image(d, in->index, in->slot, s);

    if (err)
        return err;
    const uint8_t *wasm =
        sm_store_map(&d->store, in->index, in->slot, SM_SLOT_MODULE, s->module_len);
    const uint8_t *image = sm_store_map(&d->store, in->index, in->slot, s->image_off, s->image_len);
    err = sm_wasm_open(&module, image, s->image_len, wasm, s->module_len);
    if (err)
        return sm_dev_say(d, err, "the image does not open: %s", sm_strerror(err));
    return sm_dev_admit_code(d, &module, &d->work, in->index);
}

/* It waits for its trial, or for its set. */
static int put_verified(struct sm_device *d, struct sm_record *next, unsigned slot)
{
    const char *why_not_native = d->install.native_why;
    struct sm_slot *s = &next->slot[slot];
    int err;

    s->state = d->install.set ? SM_SLOT_STAGED : SM_SLOT_TRIAL;
    s->received = s->module_len;
    next->boots_left = d->cfg->boots ? d->cfg->boots : 3;
    next->set = d->install.set ? sm_dev_set_number(d, s->action) : 0;
    next->trap_count = 0;
    memset(next->trap_time_s, 0, sizeof next->trap_time_s);
    sm_dev_note(next, slot, SM_EVENT_INSTALLED);
    if (!d->install.set)
        sm_dev_note(next, slot, SM_EVENT_TRIAL);
    if (*why_not_native) {
        sm_dev_note(next, slot, SM_EVENT_NATIVE_REFUSED);
        sm_text(s->detail, sizeof s->detail, "%s", why_not_native);
    }
    err = sm_dev_put(d, d->install.index, next);
    if (err)
        return err;
    sm_dev_new_trial(d, d->install.index, slot);
    sm_dev_emit(d, d->install.index, slot, SM_EVENT_INSTALLED);
    if (*why_not_native)
        sm_dev_emit(d, d->install.index, slot, SM_EVENT_NATIVE_REFUSED);
    return 0;
}

/* A release that removes a plugin: nothing of it is left to run, and the floor keeps what was there
 * before from coming back. */
static int put_removal(struct sm_device *d, struct sm_record *next, unsigned slot)
{
    struct sm_slot *s = &next->slot[slot];

    next->active = SM_STORE_NO_SLOT;
    next->trap_count = 0;
    memset(next->trap_time_s, 0, sizeof next->trap_time_s);
    if (next->slot[!slot].state == SM_SLOT_COMMITTED)
        next->slot[!slot].state = SM_SLOT_EMPTY;
    s->state = SM_SLOT_EMPTY;
    s->received = 0;
    if (d->work.sequence > next->floor)
        next->floor = d->work.sequence;
    sm_dev_note(next, slot, SM_EVENT_INSTALLED);
    sm_dev_note(next, slot, SM_EVENT_COMMITTED);
    int err = sm_dev_put(d, d->install.index, next);
    if (err)
        return err;
    sm_dev_emit(d, d->install.index, slot, SM_EVENT_INSTALLED);
    sm_dev_committed(d, d->install.index, slot);
    return 0;
}

int sm_device_install_finish(struct sm_device *d)
{
    struct sm_device_install *in = &d->install;
    struct sm_record next;
    struct sm_slot *s = &next.slot[in->slot];
    bool signed_by_us = false;

    if (!in->open)
        return sm_dev_say(d, SM_ERR_STATE, "no installation is under way");
    sm_dev_change(d, in->index, &next);
    if (in->written != s->module_len)
        return sm_dev_say(d, SM_ERR_STATE, "%u of %u bytes are there", (unsigned)in->written,
                          (unsigned)s->module_len);
    int err = sm_slot_flush(&in->writer);
    err = err ? sm_dev_say(d, err, "the slot cannot be written: %s", sm_strerror(err))
              : read_back(d, s);
    if (err == SM_ERR_CORRUPT)
        return discard(d, SM_EVENT_DOWNLOAD_FAILED, err, NULL);
    if (!err)
        err = verify(d, &next, in->slot, &signed_by_us);
    bool removes = !err && d->work.kind == SM_KIND_PLUGIN && d->work.sensor.values == 0;
    if (removes && in->set)
        err = sm_dev_say(d, SM_ERR_DENIED, "a release that removes is no member of a set");
    if (!err) {
        sm_text(s->version, sizeof s->version, "%s", d->work.version);
        s->sequence = d->work.sequence;
        s->floor = d->work.security_floor;
        err = removes ? 0 : translate(d, s);
    }
    if (err && err != SM_ERR_IO)
        return discard(d, SM_EVENT_REFUSED, err, signed_by_us ? &d->work : NULL);
    in->open = false;
    if (err)
        return err;
    return removes ? put_removal(d, &next, in->slot) : put_verified(d, &next, in->slot);
}
