/* Where slots and pools lie on Linux: slots in files that are mapped read-only, pools in address
 * space that becomes real when it is touched.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "slot.h"

#define POOL_BYTES (5ull << 30)

const size_t slot_scratch = 16u << 20;

void slot_place(struct slot *s)
{
    size_t image_at = (s->wasm_len + 7) & ~(size_t)7;
    int fd = memfd_create("slot", 0);

    s->map_len = image_at + s->image_len;
    if (fd < 0 || ftruncate(fd, (off_t)s->map_len) != 0 ||
        pwrite(fd, s->wasm, s->wasm_len, 0) != (ssize_t)s->wasm_len ||
        pwrite(fd, s->image, s->image_len, (off_t)image_at) != (ssize_t)s->image_len) {
        slot_die("slot file");
    }
    s->map = mmap(NULL, s->map_len, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (s->map == MAP_FAILED ||
        sm_wasm_open(&s->module, s->map + image_at, s->image_len, s->map, s->wasm_len) != 0) {
        slot_die("a fresh image does not open");
    }
}

void slot_map_again(const struct slot *from, struct slot *to)
{
    *to = (struct slot){.wasm_len = from->wasm_len, .image_len = from->image_len};
    to->wasm = malloc(from->wasm_len + 1);
    to->image = malloc(from->image_len);
    memcpy(to->wasm, from->wasm, from->wasm_len);
    memcpy(to->image, from->image, from->image_len);
    slot_place(to);
}

void slot_remove(struct slot *s)
{
    if (s->map != NULL) {
        munmap(s->map, s->map_len);
    }
}

void room_take(struct room *r, const struct slot *s)
{
    (void)s;
    *r = (struct room){.pool.size = POOL_BYTES,
                       .limits = {.memory_bytes = 4ull << 30, .table_entries = 10u << 20}};
    r->pool.base = mmap(NULL, POOL_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (r->pool.base == MAP_FAILED) {
        slot_die("pool");
    }
}

void room_keep(struct room *r)
{
    (void)r;
}

void room_free(struct room *r)
{
    if (r->pool.base != NULL) {
        munmap(r->pool.base, POOL_BYTES);
    }
}
