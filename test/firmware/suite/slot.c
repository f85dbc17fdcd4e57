/* slot.h on the microcontroller: slots on the heap; pools in one piece of memory, each of them all
 * that is left until its instance is made, and all given back together.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "slot.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCRATCH_BYTES (1u << 20)
#define ROOM_BYTES    (10u << 20)
#define GROWTH_PAGES  40u /* of a module that asks for memory; of another's memory 8 */

static struct {
    _Alignas(8) uint8_t bytes[ROOM_BYTES];
    size_t used;
    unsigned rooms;
} all;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void *need(size_t bytes)
{
    void *p = malloc(bytes);

    if (p == NULL) {
        die("heap");
    }
    return p;
}

uint8_t *read_file(const char *path, size_t *len)
{
    FILE *f = fopen(path, "rb");
    uint8_t *bytes;

    if (f == NULL || fseek(f, 0, SEEK_END) != 0) {
        die(path);
    }
    *len = (size_t)ftell(f);
    bytes = need(*len + 1);
    if (fseek(f, 0, SEEK_SET) != 0 || fread(bytes, 1, *len, f) != *len) {
        die(path);
    }
    fclose(f);
    return bytes;
}

static int sink_write(void *ctx, uint32_t off, const void *bytes, uint32_t len)
{
    struct slot *s = ctx;

    if (off + len > s->image_len) {
        s->image_len = off + len;
        s->image = realloc(s->image, s->image_len);
    }
    memcpy(s->image + off, bytes, len);
    return 0;
}

int64_t slot_make(struct slot *s, const uint8_t *wasm, size_t len, struct sm_wasm_diag *diag)
{
    struct sm_wasm_sink sink = {s, sink_write};
    void *scratch = need(SCRATCH_BYTES);
    int64_t size;

    *s = (struct slot){.wasm_len = len};
    size = sm_wasm_translate(wasm, len, &sink, scratch, SCRATCH_BYTES, diag);
    free(scratch);
    if (size >= 0) {
        s->wasm = need(len + 1);
        memcpy(s->wasm, wasm, len);
        if (sm_wasm_open(&s->module, s->image, s->image_len, s->wasm, len) != 0) {
            die("a fresh image does not open");
        }
    }
    return size;
}

void slot_free(struct slot *s)
{
    free(s->wasm);
    free(s->image);
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
