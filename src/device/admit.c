/* What a module may be and ask for on this device. Every refusal names what was too much.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "internal.h"
#include "text.h"

static uint64_t memory_limit(const struct sm_device *d)
{
    return d->cfg->memory_bytes ? d->cfg->memory_bytes : sm_class_limits(d->cfg->cls)->memory_bytes;
}

struct sm_wasm_limits sm_dev_limits(const struct sm_device *d, const struct sm_manifest *m)
{
    uint64_t most = memory_limit(d);

    return (struct sm_wasm_limits){.memory_bytes = m->memory_bytes < most ? m->memory_bytes : most,
                                   .table_entries =
                                       d->cfg->table_entries ? d->cfg->table_entries : 4096};
}

/* Every requested capability that the device does not allow, as far as the room goes. */
static int check_capabilities(struct sm_device *d, const struct sm_manifest *m)
{
    char list[SM_DEVICE_REASON] = "";
    unsigned over = 0;

    for (uint32_t i = 0; i < m->capabilities; i++) {
        if (sm_host_granted(d->cfg->capabilities, d->cfg->ncapabilities, m->capability[i]))
            continue;
        size_t len = strlen(list);
        sm_text(list + len, sizeof list - len, "%s%s", over++ ? ", " : "", m->capability[i]);
    }
    return over ? sm_dev_say(d, SM_ERR_DENIED, "not granted here: %s", list) : 0;
}

static int check_sizes(struct sm_device *d, const struct sm_manifest *m, uint16_t index)
{
    uint64_t most = memory_limit(d);
    uint32_t ms = d->cfg->health_ms_max ? d->cfg->health_ms_max : 600000;
    uint32_t ticks = d->cfg->good_ticks_max ? d->cfg->good_ticks_max : 100;

    uint32_t late = d->cfg->late_ticks_max ? d->cfg->late_ticks_max : 1000;

    if (m->memory_bytes > most)
        return sm_dev_say(d, SM_ERR_LIMIT, "needs %llu bytes of memory, this device gives %llu",
                          (unsigned long long)m->memory_bytes, (unsigned long long)most);
    if (m->stack_bytes >= d->apps[index].pool_size)
        return sm_dev_say(d, SM_ERR_LIMIT, "needs %u bytes of stack, its pool has %llu in all",
                          (unsigned)m->stack_bytes, (unsigned long long)d->apps[index].pool_size);
    if (m->timeout_ms > ms || m->good_ticks > ticks)
        return sm_dev_say(
            d, SM_ERR_LIMIT, "wants a trial of %u ms and %u ticks, this device allows %u and %u",
            (unsigned)m->timeout_ms, (unsigned)m->good_ticks, (unsigned)ms, (unsigned)ticks);
    /* Any number is fewer than for ever. */
    if (m->late_ticks > late || (m->late_ticks == 0 && d->cfg->late_ticks_max > 0))
        return sm_dev_say(d, SM_ERR_LIMIT, "wants to be late %u times, this device allows %u",
                          (unsigned)m->late_ticks, (unsigned)late);
    return 0;
}

/* Whether a part of the host that capabilities need is there, whatever else they ask of it. */
static int check_part(struct sm_device *d, const char *capability, enum sm_host_part part,
                      struct sm_host_more *more)
{
    bool never = part == SM_HOST_WASI && d->cfg->cls == SM_CLASS_MCU;

    if (part == SM_HOST_ITSELF || (!never && sm_host_more_of(more, part) != NULL))
        return 0;
    return sm_dev_say(d, SM_ERR_DENIED, "asks for %s: %s %s has no %s", capability,
                      never ? "class" : "this device of class", sm_class_name(d->cfg->cls),
                      part == SM_HOST_WASI ? "WASI" : "network");
}

/* What WASI and the network are asked for, where there are any, and for directories that are there.
 */
static int check_more(struct sm_device *d, const struct sm_manifest *m, uint16_t index)
{
    struct sm_host_more *more = d->apps[index].host.more;
    int err = 0;

    for (uint32_t i = 0; i < m->capabilities && !err; i++)
        err = check_part(d, m->capability[i], sm_host_part_of(m->capability[i]), more);
    for (; more != NULL && !err; more = more->next) {
        int lacks = more->check(more, m);
        if (lacks >= 0)
            err =
                sm_dev_say(d, SM_ERR_DENIED, "asks for %s: %s", m->capability[lacks], more->lacks);
    }
    return err;
}

int sm_dev_admit(struct sm_device *d, const struct sm_manifest *m, uint16_t index)
{
    const struct sm_device_cfg *c = d->cfg;

    if ((m->kind == SM_KIND_PLUGIN) != sm_dev_is_plugin(d, index))
        return sm_dev_say(d, SM_ERR_DENIED, "is of kind %s, and was not offered as one",
                          sm_module_kind_name(m->kind));
    if (strcmp(m->fleet, c->fleet) != 0)
        return sm_dev_say(d, SM_ERR_DENIED, "is for fleet %s, this device is of fleet %s", m->fleet,
                          c->fleet);
    if (!(m->classes >> c->cls & 1))
        return sm_dev_say(d, SM_ERR_DENIED, "is not for class %s", sm_class_name(c->cls));
    if (m->interface > SM_HOST_INTERFACE)
        return sm_dev_say(d, SM_ERR_UNSUPPORTED, "needs host interface %u, this device has %u",
                          (unsigned)m->interface, SM_HOST_INTERFACE);
    int err = check_sizes(d, m, index);
    if (!err)
        err = check_capabilities(d, m);
    if (!err && m->kind == SM_KIND_PLUGIN)
        return d->cfg->plugins->ops->admit(d, &m->sensor, index);
    return err ? err : check_more(d, m, index);
}

/* ---- Code ------------------------------------------------------------------------------------ */

static bool has_type(const struct sm_wasm_module *module, uint32_t func, bool gives_i32)
{
    struct sm_wasm_functype t;

    if (sm_wasm_functype(module, func, &t) != 0 || t.nparams != 0)
        return false;
    return gives_i32 ? t.nresults == 1 && t.results[0] == SM_WASM_I32 : t.nresults == 0;
}

static int find_entry(struct sm_device *d, const struct sm_wasm_module *module,
                      const struct sm_manifest *m, uint32_t *entry)
{
    if (sm_wasm_export_find(module, m->entry, SM_WASM_FUNC, entry) != 0)
        return sm_dev_say(d, SM_ERR_NOT_FOUND, "does not export its entry %s", m->entry);
    if (!has_type(module, *entry, false))
        return sm_dev_say(d, SM_ERR_INVALID, "its entry %s takes or returns values", m->entry);
    return 0;
}

int sm_dev_find_calls(struct sm_device *d, const struct sm_wasm_module *module,
                      const struct sm_manifest *m, uint32_t *entry, uint32_t *health,
                      bool *has_health)
{
    int err = m->kind == SM_KIND_PLUGIN ? 0 : find_entry(d, module, m, entry);

    if (err)
        return err;
    *has_health = sm_wasm_export_find(module, "health", SM_WASM_FUNC, health) == 0;
    if (*has_health && !has_type(module, *health, true))
        return sm_dev_say(d, SM_ERR_INVALID, "its health is not a function () -> i32");
    return 0;
}

/* Pages are whole in the module; the manifest may give the last one in part. */
static int check_memory(struct sm_device *d, const struct sm_wasm_module *module,
                        const struct sm_manifest *m)
{
    struct sm_wasm_memory_type t;
    unsigned long long limit = sm_dev_limits(d, m).memory_bytes;

    if (sm_wasm_memory_type(module, &t) != 0)
        return 0;
    if (t.min > 0 && (uint64_t)(t.min - 1) * t.page_bytes >= limit)
        return sm_dev_say(d, SM_ERR_LIMIT, "declares %llu bytes of memory, its manifest says %llu",
                          (unsigned long long)t.min * t.page_bytes, limit);
    if (t.data_end > limit)
        return sm_dev_say(d, SM_ERR_LIMIT,
                          "its initial data ends at %llu, its manifest says %llu "
                          "bytes of memory",
                          (unsigned long long)t.data_end, limit);
    return 0;
}

static int say_import(struct sm_device *d, int err, const struct sm_wasm_module *module,
                      uint32_t which)
{
    struct sm_wasm_cursor c;
    struct sm_wasm_import i;

    sm_wasm_imports(&c, module);
    do {
        if (sm_wasm_next_import(&c, &i) != 0)
            return sm_dev_say(d, err, "an import: %s", sm_strerror(err));
    } while (which-- > 0);
    return sm_dev_say(d, err, "imports %.*s.%.*s: %s", (int)i.module.len, i.module.bytes,
                      (int)i.field.len, i.field.bytes, sm_strerror(err));
}

/* Lay it out in scratch. */
static int check_layout(struct sm_device *d, const struct sm_wasm_module *module,
                        const struct sm_manifest *m, const struct sm_wasm_linker *linker)
{
    struct sm_wasm_limits limits = sm_dev_limits(d, m);
    struct sm_wasm_pool pool = {.base = d->cfg->scratch, .size = d->cfg->scratch_len};
    struct sm_wasm_store store = {0};
    struct sm_wasm_inst *inst;
    uint32_t which;
    int err = sm_wasm_instantiate(&inst, &store, module, &limits, linker, &pool, &which);

    switch (err) {
    case SM_ERR_LINK:
    case SM_ERR_DENIED: return say_import(d, err, module, which);
    case SM_ERR_CORRUPT: return err;
    case SM_ERR_LIMIT:
        return sm_dev_say(d, err, "its tables have more than %u entries",
                          (unsigned)limits.table_entries);
    case SM_ERR_TRAP:
        return sm_dev_say(d, SM_ERR_INVALID, "its initial data does not fit: %s",
                          sm_wasm_trap_text((enum sm_wasm_trap)which));
    default:
        return 0; /* SM_ERR_MEMORY too: scratch is not its pool, and all else has been looked at */
    }
}

static int check_plugin(struct sm_device *d, const struct sm_wasm_module *module,
                        const struct sm_manifest *m, uint16_t index, struct sm_host *host)
{
    const struct sm_plugin_ops *ops = d->cfg->plugins->ops;
    struct sm_device_plugin p;
    const struct sm_wasm_linker linker = {&p, ops->resolve};

    ops->bind(d, index, &m->sensor, host, &p);
    int err = ops->find_functions(d, module, &m->sensor, &p);
    return err ? err : check_layout(d, module, m, &linker);
}

int sm_dev_admit_code(struct sm_device *d, const struct sm_wasm_module *module,
                      const struct sm_manifest *m, uint16_t index)
{
    struct sm_host host = {0};
    const struct sm_wasm_linker linker = {&host, sm_host_resolve};
    uint32_t entry, health;
    bool has_health;
    int err = sm_dev_find_calls(d, module, m, &entry, &health, &has_health);

    if (!err)
        err = check_memory(d, module, m);
    if (err)
        return err;
    if (m->kind == SM_KIND_APPLICATION)
        host.more = d->apps[0].host.more; /* what links is the same for all */
    sm_host_init(&host, d->cfg->host, m, d->start_ms);
    return m->kind == SM_KIND_PLUGIN ? check_plugin(d, module, m, index, &host)
                                     : check_layout(d, module, m, &linker);
}
