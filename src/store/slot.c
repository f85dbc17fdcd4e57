/* Slots: where they lie, and writing them.
 *
 * A slot is [64-byte signature][module bytes][blank to the next sector border][image]. The image
 * has sectors of its own, so that it can be made anew when the engine changes without touching
 * the module. Sectors are erased when the writer enters them, always: one that only reads as blank
 * may come from an erase that was cut short.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "codec.h"

struct sm_region sm_store_slot(const struct sm_store *s, uint16_t index, unsigned slot)
{
    const struct sm_layout *l = &s->layout;
    bool app = index < l->applications;
    if (index == l->modules)
        return l->keys[slot];
    uint32_t size = app ? l->slot_size : l->plugin_size;
    uint32_t first = app ? l->slots.off : l->plugins.off;
    uint32_t number = 2u * (app ? index : index - l->applications) + slot;

    return (struct sm_region){first + number * size, size};
}

uint32_t sm_store_image_off(const struct sm_store *s, uint32_t module_len)
{
    uint32_t sector = s->flash->sector_size;
    uint64_t end = (uint64_t)SM_SLOT_MODULE + module_len + sector - 1;

    return (uint32_t)(end / sector * sector);
}

uint32_t sm_store_checkpoint(const struct sm_store *s, uint32_t bytes)
{
    uint32_t sector = s->flash->sector_size;
    uint64_t border = ((uint64_t)SM_SLOT_MODULE + bytes) / sector * sector;

    return border > SM_SLOT_MODULE ? (uint32_t)(border - SM_SLOT_MODULE) : 0;
}

const uint8_t *sm_store_map(const struct sm_store *s, uint16_t index, unsigned slot, uint32_t off,
                            uint32_t len)
{
    struct sm_region r = sm_store_slot(s, index, slot);

    if (off > r.size || len > r.size - off)
        return NULL;
    return s->flash->map(s->flash->ctx, r.off + off, len);
}

void sm_slot_writer_init(struct sm_slot_writer *w, struct sm_store *s, uint16_t index,
                         unsigned slot, uint32_t off, bool erase)
{
    struct sm_region r = sm_store_slot(s, index, slot);

    memset(w, 0, sizeof *w);
    w->store = s;
    w->pos = r.off + off;
    w->end = r.off + r.size;
    w->erased = erase ? w->pos / s->flash->sector_size * s->flash->sector_size : w->end;
}

/* Program whole units, none past the sector that has been erased, and compare. */
static int program(struct sm_slot_writer *w, const uint8_t *bytes, uint32_t len)
{
    struct sm_store *s = w->store;
    const struct sm_flash *f = s->flash;
    int err = f->program(f->ctx, w->pos, bytes, len);
    const uint8_t *back = err ? NULL : f->map(f->ctx, w->pos, len);

    s->health.programs += len;
    if (!err && (back == NULL || memcmp(back, bytes, len) != 0))
        err = SM_ERR_IO;
    if (err)
        s->health.fault = err;
    else
        w->pos += len;
    return err;
}

/* Erase a sector, and see that it is: programming over old bytes would spoil both. */
int sm_store_erase(struct sm_store *s, uint32_t off)
{
    const struct sm_flash *f = s->flash;
    int err = f->erase(f->ctx, off);
    const uint8_t *p = err ? NULL : f->map(f->ctx, off, f->sector_size);

    s->health.erases++;
    if (!err && (p == NULL || !sm_blank(f, p, f->sector_size)))
        err = SM_ERR_IO;
    if (err)
        s->health.fault = err;
    return err;
}

static int enter_sector(struct sm_slot_writer *w)
{
    int err = sm_store_erase(w->store, w->erased);

    if (!err)
        w->erased += w->store->flash->sector_size;
    return err;
}

/* len bytes, a multiple of the program unit. */
static int write_units(struct sm_slot_writer *w, const uint8_t *bytes, uint32_t len)
{
    int err = 0;

    while (len > 0 && !err) {
        if (w->pos == w->erased || w->pos - w->pos % w->store->flash->sector_size == w->erased)
            err = enter_sector(w);
        if (err)
            break;
        uint32_t n = w->erased - w->pos < len ? w->erased - w->pos : len;
        err = program(w, bytes, n);
        bytes += n;
        len -= n;
    }
    return err;
}

int sm_slot_write(struct sm_slot_writer *w, const void *bytes, uint32_t len)
{
    const uint8_t *p = bytes;
    uint32_t unit = w->store->flash->program_size;
    int err = 0;

    if (len > w->end - w->pos - w->fill)
        return SM_ERR_FULL;
    if (w->fill > 0) {
        uint32_t n = unit - w->fill < len ? unit - w->fill : len;
        memcpy(w->unit + w->fill, p, n);
        w->fill += n;
        p += n;
        len -= n;
        if (w->fill < unit)
            return 0;
        w->fill = 0;
        err = write_units(w, w->unit, unit);
    }
    uint32_t whole = len / unit * unit;
    if (!err)
        err = write_units(w, p, whole);
    if (err)
        return err;
    memcpy(w->unit, p + whole, len - whole);
    w->fill = len - whole;
    return 0;
}

int sm_slot_flush(struct sm_slot_writer *w)
{
    uint32_t unit = w->store->flash->program_size;

    if (w->fill == 0)
        return 0;
    memset(w->unit + w->fill, w->store->flash->erased, unit - w->fill);
    w->fill = 0;
    return write_units(w, w->unit, unit);
}

uint32_t sm_slot_writer_tell(const struct sm_slot_writer *w)
{
    return w->pos + w->fill;
}
