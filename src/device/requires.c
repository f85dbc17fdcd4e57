/* Modules that need each other: an application its sensors' plugins, a plugin an application.
 *
 * A module's requirements stand in its manifest, by name and sequence. They are looked at whenever
 * a module is to take another's place, in both directions: nothing is committed that lacks what it
 * requires, or that takes away what another one requires. The manifests of the others are read from
 * their slots, into the scratch memory, which nobody else uses meanwhile.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "internal.h"

/* The slot that is in force at a place once a set is, or SM_STORE_NO_SLOT. */
static unsigned slot_in_force(const struct sm_device *d, uint16_t index, uint32_t set)
{
    const struct sm_record *r = &d->store.records[index];
    unsigned staged = sm_dev_staged_slot(r);

    return set != 0 && r->set == set && staged != SM_STORE_NO_SLOT ? staged : r->active;
}

bool sm_dev_slot_manifest(const struct sm_device *d, uint16_t index, unsigned slot,
                          struct sm_manifest *m)
{
    struct sm_manifest_detail detail;
    uint32_t len = d->store.records[index].slot[slot].module_len;
    const uint8_t *wasm = sm_store_map(&d->store, index, slot, SM_SLOT_MODULE, len);

    return wasm != NULL && sm_manifest_read(m, wasm, len, &detail) == 0;
}

/* The manifest of what is in force at a place, in the scratch memory; NULL when nothing is. */
static const struct sm_manifest *manifest_at(const struct sm_device *d, uint16_t index,
                                             uint32_t set)
{
    unsigned slot = slot_in_force(d, index, set);
    struct sm_manifest *m = d->cfg->scratch;

    return slot != SM_STORE_NO_SLOT && d->cfg->scratch_len >= sizeof *m &&
                   sm_dev_slot_manifest(d, index, slot, m)
               ? m
               : NULL;
}

static int say_missing(struct sm_device *d, const struct sm_requirement *r, const char *who,
                       unsigned long long have)
{
    if (r->most == INT64_MAX)
        return sm_dev_say(d, SM_ERR_DENIED, "%s requires %s of sequence %llu or more, not %llu",
                          who, r->name, (unsigned long long)r->least, have);
    return sm_dev_say(d, SM_ERR_DENIED, "%s requires %s of sequence %llu to %llu, not %llu", who,
                      r->name, (unsigned long long)r->least, (unsigned long long)r->most, have);
}

static bool met(const struct sm_requirement *r, uint64_t sequence)
{
    return sequence >= r->least && sequence <= r->most;
}

/* What a module requires, by what is in force. */
static int check_needs(struct sm_device *d, const struct sm_manifest *m, uint32_t set)
{
    for (uint32_t i = 0; i < m->requirements; i++) {
        const struct sm_requirement *r = &m->requires[i];
        uint16_t other;
        unsigned slot = sm_device_find(d, r->name, &other) == 0 ? slot_in_force(d, other, set)
                                                                : SM_STORE_NO_SLOT;
        uint64_t have = slot == SM_STORE_NO_SLOT ? 0 : d->store.records[other].slot[slot].sequence;
        if (!met(r, have))
            return say_missing(d, r, m->name, have);
    }
    return 0;
}

/* Others that require this one. A plugin that is removed is there for nobody. */
static int check_needed(struct sm_device *d, const struct sm_manifest *m, uint16_t index,
                        uint32_t set)
{
    bool removed = m->kind == SM_KIND_PLUGIN && m->sensor.values == 0;

    for (uint16_t i = 0; i < d->store.layout.modules; i++) {
        const struct sm_manifest *other = i == index ? NULL : manifest_at(d, i, set);
        for (uint32_t k = 0; other != NULL && k < other->requirements; k++) {
            const struct sm_requirement *r = &other->requires[k];
            if (strcmp(r->name, m->name) == 0 && (removed || !met(r, m->sequence)))
                return say_missing(d, r, other->name, removed ? 0 : m->sequence);
        }
    }
    return 0;
}

int sm_dev_check_company(struct sm_device *d, const struct sm_manifest *m, uint16_t index,
                         uint32_t set)
{
    int err = check_needs(d, m, set);

    return err ? err : check_needed(d, m, index, set);
}

int sm_dev_check_place(struct sm_device *d, const struct sm_manifest *m, uint16_t index)
{
    const struct sm_plugin_sensor *now = &m->sensor, *before;
    const struct sm_manifest *other = now->values > 0 ? manifest_at(d, index, 0) : NULL;

    if (other == NULL)
        return 0;
    before = &other->sensor;
    if (strcmp(before->model, now->model) == 0 && strcmp(before->bus, now->bus) == 0 &&
        before->address == now->address)
        return 0;
    return sm_dev_say(d, SM_ERR_DENIED, "drives %s %x on %s, the plugin of this name %s %x on %s",
                      now->model, (unsigned)now->address, now->bus, before->model,
                      (unsigned)before->address, before->bus);
}

bool sm_dev_may_return(struct sm_device *d, uint16_t index, unsigned slot)
{
    return sm_dev_usable(&d->store.records[index], slot) &&
           sm_dev_slot_manifest(d, index, slot, &d->work) &&
           sm_dev_check_company(d, &d->work, index, 0) == 0;
}
