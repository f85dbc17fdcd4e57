/* Where slots and pools lie on the microcontroller: slots stay on the heap; pools are in one piece
 * of memory, each of them all that is left until its instance is made, and all given back together.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "slot.h"

#define ROOM_BYTES   (10u << 20)
#define GROWTH_PAGES 40u /* of a module that asks for memory; of another's memory 8 */

const size_t slot_scratch = 1u << 20;

static struct {
    _Alignas(8) uint8_t bytes[ROOM_BYTES];
    size_t used;
    unsigned rooms;
} all;

void slot_place(struct slot *s)
{
    if (sm_wasm_open(&s->module, s->image, s->image_len, s->wasm, s->wasm_len) != 0) {
        slot_die("a fresh image does not open");
    }
}

void slot_remove(struct slot *s)
{
    (void)s;
}

void room_take(struct room *r, const struct slot *s)
{
    struct sm_wasm_memory_type t;
    uint64_t pages;

    (void)sm_wasm_memory_type(&s->module, &t); /* all zero when there is none */
    pages = t.min + (t.asks ? GROWTH_PAGES : t.has_max ? 8 : 0);
    *r = (struct room){.pool = {.base = all.bytes + all.used, .size = ROOM_BYTES - all.used},
                       .limits = {.memory_bytes = pages * SM_WASM_PAGE, .table_entries = 1024}};
    all.rooms++;
}

void room_keep(struct room *r)
{
    r->pool.size = r->pool.used;
    all.used += (r->pool.used + 7) & ~(size_t)7;
}

void room_free(struct room *r)
{
    if (r->pool.base != NULL && --all.rooms == 0) {
        all.used = 0;
    }
}
