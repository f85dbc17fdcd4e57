/* Fuzz target: boot records. The input says what lies in the record areas of a small flash; mount
 * must survive it, what it returns must be coherent, and a put after it must be found by the next
 * mount.
 *
 * The first byte chooses the flash. Then 9 bytes a record: its place, flags, number, generation,
 * copied count, module, and one byte of it (offset, value) to change. Flag bits: 0 the area, 1 the
 * checksum is made right after the change, 2 no change, 3 not blank but noise. So a short input
 * reaches every rule; whoever wants whole records of bytes repeats a place with other changes.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <sandmote/store.h>
#include "flash_sim.h"

static void require(bool fact)
{
    if (!fact)
        abort();
}

enum { OP = 9 };

static void seal(uint8_t *r)
{
    uint32_t crc = sm_crc32c(0, r, SM_RECORD_SIZE - 4);

    for (unsigned i = 0; i < 4; i++)
        r[SM_RECORD_SIZE - 4 + i] = (uint8_t)(crc >> 8 * i);
}

static void base_record(uint8_t *at, const uint8_t *op, const struct sm_layout *l)
{
    struct sm_record r = {.seq = op[2] + 1u, .floor = op[2], .active = SM_STORE_NO_SLOT};
    const struct sm_record_tag tag = {l->id, op[3] + 1u, op[4], op[5]};

    sm_record_encode(&r, &tag, at);
}

/* A second record at a place changes the one that is there. */
static void place_record(struct flash_sim *sim, const struct sm_layout *l, const uint8_t *op)
{
    uint8_t *at = sim->bytes + l->log[op[1] & 1].off + op[0] % l->places * SM_RECORD_SIZE;

    if (at[0] == sim->flash.erased)
        base_record(at, op, l);
    if (op[1] & 8)
        memset(at, op[8], SM_RECORD_SIZE);
    else if (!(op[1] & 4))
        at[(op[6] | op[7] << 8) % SM_RECORD_SIZE] = op[8];
    if (op[1] & 2)
        seal(at);
}

static void load(struct flash_sim *sim, const struct sm_layout *l, const uint8_t *data, size_t len)
{
    for (; len >= OP; data += OP, len -= OP)
        place_record(sim, l, data);
    memset(sim->programmed, 1, sim->size / sim->flash.program_size);
}

static void check_texts(const struct sm_record *r)
{
    require(memchr(r->name, 0, sizeof r->name) && memchr(r->fleet, 0, sizeof r->fleet));
    for (unsigned i = 0; i < 2; i++) {
        const struct sm_slot *s = &r->slot[i];
        require(s->state < SM_SLOT_STATES && s->received <= s->module_len);
        require(memchr(s->version, 0, sizeof s->version) &&
                memchr(s->action, 0, sizeof s->action) && memchr(s->detail, 0, sizeof s->detail));
    }
    require(r->active == SM_STORE_NO_SLOT || r->slot[r->active].state == SM_SLOT_COMMITTED);
}

static void check_store(struct flash_sim *sim, const struct sm_store_cfg *cfg)
{
    struct sm_store store;
    struct sm_record records[2], put;

    if (sm_store_mount(&store, &sim->flash, cfg, records) != 0)
        return;
    for (unsigned i = 0; i < 2; i++)
        check_texts(&records[i]);
    put = records[1];
    put.floor++;
    int err = sm_store_put(&store, 1, &put);
    if (err) { /* numbers at their end, which only a forged record can say */
        require(err == SM_ERR_LIMIT || err == SM_ERR_IO);
        return;
    }
    uint64_t floor[2] = {records[0].floor, put.floor};
    require(sm_store_mount(&store, &sim->flash, cfg, records) == 0);
    require(records[0].floor == floor[0] && records[1].floor == floor[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const struct {
        uint32_t sector, unit;
    } kinds[4] = {{2048, 8}, {4096, 32}, {256, 1}, {1024, 16}};
    struct flash_sim sim;
    struct sm_layout layout;
    const struct sm_store_cfg cfg = {.applications = 2, .slot_size = 100, .log_records = 1};

    if (len < 1)
        return 0;
    unsigned kind = data[0] & 3;
    sim_init(&sim, kinds[kind].sector, 65536 / kinds[kind].sector, kinds[kind].unit,
             data[0] & 4 ? 0 : 0xff);
    require(sm_store_layout(&layout, &sim.flash, &cfg, NULL) == 0);
    load(&sim, &layout, data + 1, len - 1);
    check_store(&sim, &cfg);
    sim_free(&sim);
    return 0;
}
