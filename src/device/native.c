/* Native images: how one comes in beside a module, and how an instance gets it.
 *
 * It lies at the slot's end, its claim in the last sectors and the image's bytes in the sectors
 * before: a place that depends on nothing that is known later. No record mentions it, because it
 * needs none: the claim is signed, names the module and the image by their hashes, and is checked
 * in full before each start with the keys that are trusted then. Whatever is found wrong costs
 * speed and nothing else, and is told. What overwrites it, an image of the engine that grew, a
 * download that was cut, makes it one that does not check.
 *
 *   slot:  signature, module | image | ... | native image | claim
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "internal.h"
#include "text.h"

#define LENGTH_BYTES 2u /* before the claim: how long it is; 0 or more than there can be: none */

static uint32_t sector(const struct sm_device *d)
{
    return d->store.flash->sector_size;
}

/* Bytes in whole sectors. */
static uint64_t sectors(const struct sm_device *d, uint32_t bytes)
{
    return ((uint64_t)bytes + sector(d) - 1) / sector(d) * sector(d);
}

/* Where the claim begins, or 0 when the slot is too small for one. */
static uint32_t claim_off(const struct sm_device *d)
{
    uint64_t room = sectors(d, LENGTH_BYTES + SM_CLAIM_MAX);

    return room < d->store.layout.slot_size ? d->store.layout.slot_size - (uint32_t)room : 0;
}

/* The same of the image. */
static uint32_t image_off(const struct sm_device *d, uint32_t len)
{
    uint64_t room = sectors(d, len);

    return room < claim_off(d) ? claim_off(d) - (uint32_t)room : 0;
}

/* ---- Coming in ------------------------------------------------------------------------------- */

static const struct sm_slot *receiving(const struct sm_device *d)
{
    return &d->store.records[d->install.index].slot[d->install.slot];
}

static int write_claim(struct sm_device *d, const uint8_t *claim, size_t len)
{
    const struct sm_device_install *in = &d->install;
    const uint8_t head[LENGTH_BYTES] = {(uint8_t)len, (uint8_t)(len >> 8)};
    struct sm_slot_writer w;

    sm_slot_writer_init(&w, &d->store, in->index, in->slot, claim_off(d), true);
    int err = sm_slot_write(&w, head, sizeof head);
    if (!err && len > 0)
        err = sm_slot_write(&w, claim, (uint32_t)len);
    return err ? err : sm_slot_flush(&w);
}

/* The claim is good and about this module, for this device, and there is room. */
static int admit(struct sm_device *d, const uint8_t *bytes, size_t len,
                 struct sm_native_claim *claim)
{
    struct sm_manifest_detail why = {0, 0, 0, NULL};
    const struct sm_slot *s = receiving(d);

    if (d->cfg->native == NULL)
        return sm_dev_say(d, SM_ERR_UNSUPPORTED, "native images are refused here");
    int err = sm_trust_verify_native(sm_dev_trust(d), bytes, len, d->cfg->fleet, claim, &why);
    if (err)
        return sm_dev_say(d, err, "its claim: %s", why.rule ? why.rule : sm_strerror(err));
    if (memcmp(claim->module_sha, s->module_sha, sizeof claim->module_sha) != 0)
        return sm_dev_say(d, SM_ERR_DENIED, "its claim is about another module");
    if (claim->target != d->cfg->native->target)
        return sm_dev_say(d, SM_ERR_UNSUPPORTED, "it is for target %u, this device is %u",
                          (unsigned)claim->target, (unsigned)d->cfg->native->target);
    if (image_off(d, claim->image_len) < sm_store_image_off(&d->store, s->module_len) + sector(d))
        return sm_dev_say(d, SM_ERR_FULL, "%u bytes do not fit the slot behind the module",
                          (unsigned)claim->image_len);
    return 0;
}

static bool same(const struct sm_native_claim *a, const struct sm_native_claim *b)
{
    return a->image_len == b->image_len && memcmp(a->image_sha, b->image_sha, SM_SHA256_SIZE) == 0;
}

int64_t sm_device_native_begin(struct sm_device *d, const uint8_t *claim, size_t len)
{
    struct sm_device_install *in = &d->install;
    struct sm_native_claim wanted;

    if (!in->open || in->written != receiving(d)->module_len)
        return sm_dev_say(d, SM_ERR_STATE, "no module is there completely");
    int err = admit(d, claim, len, &wanted);
    if (!err && in->native_open && same(&wanted, &in->claim))
        return in->native_written; /* the writer stands there */
    in->native_open = false;
    if (err)
        return err;
    in->claim = wanted;
    err = write_claim(d, claim, len);
    if (err)
        return sm_dev_say(d, err, "the slot cannot be written: %s", sm_strerror(err));
    in->native_open = true;
    in->native_written = 0;
    sm_slot_writer_init(&in->native_writer, &d->store, in->index, in->slot,
                        image_off(d, in->claim.image_len), true);
    return 0;
}

int sm_device_native_write(struct sm_device *d, const void *bytes, uint32_t len)
{
    struct sm_device_install *in = &d->install;

    if (!in->open || !in->native_open)
        return sm_dev_say(d, SM_ERR_STATE, "no native image is under way");
    if (len > in->claim.image_len - in->native_written)
        return sm_dev_say(d, SM_ERR_LIMIT, "more than the %u bytes claimed",
                          (unsigned)in->claim.image_len);
    int err = sm_slot_write(&in->native_writer, bytes, len);
    if (err) {
        in->native_open = false;
        return sm_dev_say(d, err, "the slot cannot be written: %s", sm_strerror(err));
    }
    in->native_written += len;
    return 0;
}

static int read_back(struct sm_device *d)
{
    struct sm_device_install *in = &d->install;
    uint32_t len = in->claim.image_len;

    if (in->native_written != len)
        return sm_dev_say(d, SM_ERR_CORRUPT, "%u of %u bytes came", (unsigned)in->native_written,
                          (unsigned)len);
    int err = sm_slot_flush(&in->native_writer);
    const uint8_t *image = sm_store_map(&d->store, in->index, in->slot, image_off(d, len), len);
    if (err || image == NULL)
        return sm_dev_say(d, SM_ERR_IO, "the slot cannot be written");
    err = sm_claim_check(&in->claim, receiving(d)->module_sha, image, len);
    return err ? sm_dev_say(d, err, "the bytes received are not those claimed") : 0;
}

int sm_device_native_end(struct sm_device *d, const char *why)
{
    struct sm_device_install *in = &d->install;
    int err = 0;

    if (!in->open)
        return sm_dev_say(d, SM_ERR_STATE, "no installation is under way");
    if (why == NULL) {
        if (!in->native_open)
            return sm_dev_say(d, SM_ERR_STATE, "no native image is under way");
        err = read_back(d);
        if (err)
            why = d->reason;
    }
    if (why != NULL) {
        sm_text(in->native_why, sizeof in->native_why, "%s", why);
        if (in->native_open)
            (void)write_claim(d, NULL, 0); /* else the start finds that it does not check */
    }
    in->native_open = false;
    return err;
}

/* ---- Start ----------------------------------------------------------------------------------- */

/* The claim in a slot, when there is one about this module. What lies there otherwise belongs to
 * nobody, and is no news. */
static const uint8_t *find_claim(const struct sm_device *d, uint16_t index, unsigned slot,
                                 uint32_t *len)
{
    const uint8_t *sha = d->store.records[index].slot[slot].module_sha;
    const uint8_t *p =
        sm_store_map(&d->store, index, slot, claim_off(d), LENGTH_BYTES + SM_CLAIM_MAX);
    struct sm_native_claim claim;
    struct sm_manifest_detail unused;

    if (claim_off(d) == 0 || p == NULL)
        return NULL;
    *len = p[0] | (uint32_t)p[1] << 8;
    if (*len > SM_CLAIM_MAX || sm_claim_read(&claim, p + LENGTH_BYTES, *len, &unused) != 0 ||
        memcmp(claim.module_sha, sha, sizeof claim.module_sha) != 0)
        return NULL;
    return p + LENGTH_BYTES;
}

/* The image that the claim is about, all of it verified; or NULL, said. */
static const uint8_t *verified_image(struct sm_device *d, uint16_t index, unsigned slot,
                                     const uint8_t *bytes, uint32_t len,
                                     struct sm_native_claim *claim)
{
    const struct sm_slot *s = &d->store.records[index].slot[slot];
    struct sm_manifest_detail why = {0, 0, 0, NULL};
    int err = sm_trust_verify_native(sm_dev_trust(d), bytes, len, d->cfg->fleet, claim, &why);

    if (err) {
        sm_dev_say(d, err, "its claim: %s", why.rule ? why.rule : sm_strerror(err));
        return NULL;
    }
    uint32_t off = image_off(d, claim->image_len);
    if (claim->target != d->cfg->native->target) {
        sm_dev_say(d, SM_ERR_UNSUPPORTED, "it is for target %u", (unsigned)claim->target);
        return NULL;
    }
    if (off < s->image_off + s->image_len) {
        sm_dev_say(d, SM_ERR_FULL, "the slot has no room for it behind module and image");
        return NULL;
    }
    const uint8_t *image = sm_store_map(&d->store, index, slot, off, claim->image_len);
    if (image == NULL || sm_claim_check(claim, s->module_sha, image, claim->image_len) != 0) {
        sm_dev_say(d, SM_ERR_CORRUPT, "its bytes in the slot are not those claimed");
        return NULL;
    }
    return image;
}

/* Why it is interpreted, for the server too: once for each reason, so that a device that starts
 * often does not write each time. */
static void tell(struct sm_device *d, uint16_t index, unsigned slot)
{
    char why[SM_STORE_DETAIL];
    struct sm_record next;

    sm_text(why, sizeof why, "%s", d->reason);
    sm_dev_change(d, index, &next);
    if (strcmp(next.slot[slot].detail, why) != 0) {
        memcpy(next.slot[slot].detail, why, sizeof why);
        sm_dev_note(&next, slot, SM_EVENT_NATIVE_REFUSED);
        if (sm_dev_put(d, index, &next) == 0) {
            sm_dev_emit(d, index, slot, SM_EVENT_NATIVE_REFUSED);
            return;
        }
    }
    sm_dev_emit_passing(d, index, slot, SM_EVENT_NATIVE_REFUSED, why);
}

bool sm_dev_bind_native(struct sm_device *d, uint16_t index, unsigned slot,
                        struct sm_wasm_pool *pool)
{
    const struct sm_device_native *native = d->cfg->native;
    struct sm_native_claim claim;
    const char *why = "";
    uint32_t len;

    if (native == NULL)
        return false;
    const uint8_t *bytes = find_claim(d, index, slot, &len);
    if (bytes == NULL)
        return false;
    const uint8_t *image = verified_image(d, index, slot, bytes, len, &claim);
    if (image != NULL) {
        const struct sm_device_app *app = &d->apps[index];
        struct sm_device_native_job job = {
            index, app->inst, image, claim.image_len, claim.module_sha, app->manifest.stack_bytes,
            pool,  &why};
        int err = native->bind(native->ctx, &job);
        if (err == 0)
            return true;
        sm_dev_say(d, err, "it cannot run here: %s", *why ? why : sm_strerror(err));
    }
    tell(d, index, slot);
    return false;
}
