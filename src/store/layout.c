/* Dividing the flash into regions (doc/SPEC-store.md, "Regions").
 *
 * Regions follow each other without gaps from offset 0, records first: their place depends on
 * nothing that a configuration can get wrong, so records of another layout are found and refused.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "codec.h"

static uint64_t round_up(uint64_t n, uint32_t unit)
{
    return (n + unit - 1) / unit * unit;
}

static bool geometry_fits(const struct sm_flash *f)
{
    return f->program_size >= 1 && f->program_size <= 32 &&
           (f->program_size & (f->program_size - 1)) == 0 && f->sector_size >= 64 &&
           f->sector_size % 64 == 0 && f->sector_count >= 1 &&
           (uint64_t)f->sector_size * f->sector_count <= UINT32_MAX &&
           (f->erased == 0xff || f->erased == 0x00);
}

static bool cfg_fits(const struct sm_store_cfg *c)
{
    return c->applications >= 1 && (uint32_t)c->applications + c->plugins <= SM_STORE_MODULES_MAX &&
           c->slot_size > SM_SLOT_MODULE && (c->plugins == 0 || c->plugin_size > SM_SLOT_MODULE);
}

/* A slot's size: module and image have sectors of their own, so there are two at least. */
static uint64_t slot_size(uint32_t size, uint32_t sector)
{
    uint64_t rounded = round_up(size, sector);

    return rounded < 2ull * sector ? 2ull * sector : rounded;
}

/* Takes `size` bytes, in whole sectors, from *at on. Offsets are kept in 64 bits until the total
 * is known to fit. */
static struct sm_region take(uint64_t *at, uint64_t size, uint32_t sector)
{
    uint64_t rounded = round_up(size, sector);
    struct sm_region r = {(uint32_t)*at, (uint32_t)rounded};

    *at += rounded;
    return r;
}

/* Everything that decides where bytes lie goes into the id, but for the journal: it is the last and
 * known by its own marks. */
static uint32_t layout_id(const struct sm_layout *l, const struct sm_flash *f)
{
    uint8_t b[48];
    const uint32_t words[] = {f->sector_size,  f->sector_count, f->program_size, f->erased,
                              l->applications, l->modules,      l->log[0].size,  l->keys[0].size,
                              l->golden.size,  l->slot_size,    l->plugin_size,  SM_RECORD_SIZE};

    _Static_assert(sizeof words == sizeof b, "each word has its room");
    for (unsigned i = 0; i < sizeof words / sizeof *words; i++)
        put_u32(b + 4 * i, words[i]);
    return sm_crc32c(0, b, sizeof b);
}

int sm_store_layout(struct sm_layout *out, const struct sm_flash *flash,
                    const struct sm_store_cfg *cfg, uint64_t *need)
{
    uint32_t sector = flash->sector_size;
    uint64_t at = 0;

    if (!geometry_fits(flash) || !cfg_fits(cfg))
        return SM_ERR_ARG;
    out->applications = cfg->applications;
    out->modules = (uint16_t)(cfg->applications + cfg->plugins);
    /* A put takes two places: each record is written twice. One record is the key set's. */
    uint32_t puts = out->modules + 1u + (cfg->log_records ? cfg->log_records : 4u);
    uint64_t log_size = round_up((uint64_t)puts * 2 * SM_RECORD_SIZE, sector);
    uint64_t slot = slot_size(cfg->slot_size, sector);
    uint64_t plugin = cfg->plugins ? slot_size(cfg->plugin_size, sector) : 0;
    out->slot_size = (uint32_t)slot;
    out->plugin_size = (uint32_t)plugin;
    out->log[0] = take(&at, log_size, sector);
    out->log[1] = take(&at, log_size, sector);
    out->keys[0] = take(&at, cfg->keys_size ? cfg->keys_size : 1, sector);
    out->keys[1] = take(&at, cfg->keys_size ? cfg->keys_size : 1, sector);
    out->golden = take(&at, cfg->golden_size, sector);
    out->slots = take(&at, slot * 2 * cfg->applications, sector);
    out->plugins = take(&at, plugin * 2 * cfg->plugins, sector);
    out->journal = take(&at, cfg->journal_size, sector);
    out->places = (uint32_t)(log_size / SM_RECORD_SIZE);
    out->checkpoint_size = cfg->checkpoint_size ? cfg->checkpoint_size : out->slot_size / 8;
    out->id = layout_id(out, flash);
    if (need)
        *need = at;
    return at <= (uint64_t)sector * flash->sector_count ? 0 : SM_ERR_FULL;
}
