/* From a slot's bytes to a module that may run: hashes, image, open.
 *
 * Hashes are taken from the mapped bytes, the same that are executed afterwards, before every
 * start. An image that rotted or was made by another engine is made anew from the module, which
 * the signature vouched for; first the record stops counting on it, so that power failing in
 * between leaves no image that half checks out.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "internal.h"

static bool same(const uint8_t *a, const uint8_t *b)
{
    return memcmp(a, b, SM_SHA256_SIZE) == 0;
}

/* ---- Translation ----------------------------------------------------------------------------- */

/* The image's body is written as it comes, its header at the end: without one it does not open. */
struct image_sink {
    struct sm_device *d;
    uint16_t index;
    uint8_t slot;
    uint32_t off; /* of the image in the slot */
    struct sm_slot_writer body;
};

static int sink_write(void *ctx, uint32_t off, const void *bytes, uint32_t len)
{
    struct image_sink *k = ctx;

    if (off != 0)
        return sm_slot_write(&k->body, bytes, len);
    int err = sm_slot_flush(&k->body);
    if (err)
        return err;
    struct sm_slot_writer header;
    uint32_t sector = k->d->store.flash->sector_size;
    uint32_t body = sm_store_slot(&k->d->store, k->index, k->slot).off + k->off + SM_WASM_HEADER;
    /* The body's first byte had its sector erased: the header's too, if they share one. */
    bool blank = sm_slot_writer_tell(&k->body) != body && sector > SM_WASM_HEADER;
    sm_slot_writer_init(&header, &k->d->store, k->index, k->slot, k->off, !blank);
    err = sm_slot_write(&header, bytes, len);
    return err ? err : sm_slot_flush(&header);
}

static int say_diag(struct sm_device *d, int err, const struct sm_wasm_diag *diag)
{
    if (err == SM_ERR_FULL)
        return sm_dev_say(d, err, "module and image do not fit the slot");
    if (err == SM_ERR_IO || diag->rule == NULL)
        return sm_dev_say(d, err, "the image cannot be written: %s", sm_strerror(err));
    return sm_dev_say(d, err, "not a valid module: %s at %x", diag->rule, (unsigned)diag->offset);
}

int sm_dev_make_image(struct sm_device *d, uint16_t index, unsigned slot, struct sm_slot *s)
{
    struct image_sink k = {.d = d, .index = index, .slot = (uint8_t)slot};
    struct sm_wasm_sink sink = {&k, sink_write};
    struct sm_wasm_diag diag = {0, NULL};
    const uint8_t *wasm = sm_store_map(&d->store, index, slot, SM_SLOT_MODULE, s->module_len);

    k.off = sm_store_image_off(&d->store, s->module_len);
    if (wasm == NULL)
        return sm_dev_say(d, SM_ERR_IO, "the slot cannot be read");
    if (sm_store_map(&d->store, index, slot, k.off, SM_WASM_HEADER) == NULL)
        return say_diag(d, SM_ERR_FULL, &diag);
    sm_slot_writer_init(&k.body, &d->store, index, slot, k.off + SM_WASM_HEADER, true);
    int64_t len =
        sm_wasm_translate(wasm, s->module_len, &sink, d->cfg->scratch, d->cfg->scratch_len, &diag);
    if (len < 0)
        return say_diag(d, (int)len, &diag);
    const uint8_t *image = sm_store_map(&d->store, index, slot, k.off, (uint32_t)len);
    if (image == NULL)
        return sm_dev_say(d, SM_ERR_IO, "the slot cannot be read");
    s->image_off = k.off;
    s->image_len = (uint32_t)len;
    s->image_build = SM_WASM_BUILD;
    sm_sha256(image, (size_t)len, s->image_sha);
    return 0;
}

/* ---- Open ------------------------------------------------------------------------------------ */

/* What the bytes of a slot hash to; beside the hashes of its record they are compared twice. */
struct digests {
    uint8_t module[SM_SHA256_SIZE];
    uint8_t image[SM_SHA256_SIZE];
};

/* Whether there is an image of this engine that is as the record says; sets h->image if there is
 * one to read. */
static bool image_good(const struct sm_device *d, uint16_t index, unsigned slot,
                       const struct sm_slot *s, struct digests *h)
{
    if (s->image_len == 0 || s->image_build != SM_WASM_BUILD || s->image_off % 8 != 0)
        return false;
    const uint8_t *image = sm_store_map(&d->store, index, slot, s->image_off, s->image_len);

    if (image == NULL)
        return false;
    sm_sha256(image, s->image_len, h->image);
    return same(h->image, s->image_sha);
}

static int remake(struct sm_device *d, uint16_t index, unsigned slot)
{
    struct sm_record next;
    const struct sm_slot *s = &d->store.records[index].slot[slot];
    const char *why = s->image_build == SM_WASM_BUILD ? "its image was damaged" : "another engine";
    int err = 0;

    sm_dev_change(d, index, &next);
    if (next.slot[slot].image_len != 0) {
        next.slot[slot].image_len = 0;
        err = sm_dev_put(d, index, &next);
    }
    if (!err)
        err = sm_dev_make_image(d, index, slot, &next.slot[slot]);
    if (!err)
        err = sm_dev_put(d, index, &next);
    if (!err)
        sm_dev_emit_passing(d, index, slot, SM_EVENT_REPAIRED, why);
    return err;
}

/* Whether what a slot holds was verified when it came, and not given up since. */
static bool may_open(const struct sm_slot *s)
{
    return s->state == SM_SLOT_COMMITTED || s->state == SM_SLOT_TRIAL || s->state == SM_SLOT_STAGED;
}

int sm_dev_open_slot(struct sm_device *d, uint16_t index, unsigned slot, struct sm_wasm_module *m)
{
    const struct sm_slot *s = &d->store.records[index].slot[slot];

    /* Nobody asks for another one, unless an instruction was skipped (doc/attacks.md). */
    if (!may_open(s))
        return sm_dev_say(d, SM_ERR_STATE, "slot %s holds nothing that may run", slot ? "B" : "A");
    const uint8_t *wasm = sm_store_map(&d->store, index, slot, SM_SLOT_MODULE, s->module_len);

    if (wasm == NULL)
        return sm_dev_say(d, SM_ERR_IO, "the slot cannot be read");
    struct digests h;

    sm_sha256(wasm, s->module_len, h.module);
    if (!same(h.module, s->module_sha))
        return sm_dev_say(d, SM_ERR_CORRUPT,
                          "the module's bytes in slot %s do not match their "
                          "hash",
                          slot ? "B" : "A");
    int err = 0;

    if (!image_good(d, index, slot, s, &h)) {
        err = remake(d, index, slot);
        if (err)
            return err;
        err = image_good(d, index, slot, s, &h) ? 0 : SM_ERR_IO;
    }
    const uint8_t *image = sm_store_map(&d->store, index, slot, s->image_off, s->image_len);

    /* Both hashes again, so that no one skipped instruction opens bytes that have another. */
    if (!same(h.module, s->module_sha) || !same(h.image, s->image_sha))
        err = SM_ERR_CORRUPT;
    if (!err)
        err = image ? sm_wasm_open(m, image, s->image_len, wasm, s->module_len) : SM_ERR_IO;
    return err ? sm_dev_say(d, err, "the image does not open: %s", sm_strerror(err)) : 0;
}
