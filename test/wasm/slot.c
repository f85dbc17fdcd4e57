/* Slot files for tests of the engine. SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "slot.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SCRATCH_BYTES (16u << 20)
#define POOL_BYTES    (5ull << 30)

/* For the memory sanitizer's eyes: never written. */
#if defined(__has_feature)
#if __has_feature(memory_sanitizer)
#include <sanitizer/msan_interface.h>
#define FRESH(bytes, len) __msan_allocated_memory(bytes, len)
#endif
#endif
#ifndef FRESH
#define FRESH(bytes, len) ((void)0)
#endif

static void die(const char *what)
{
    perror(what);
    exit(1);
}

uint8_t *read_file(const char *path, size_t *len)
{
    FILE *f = fopen(path, "rb");
    uint8_t *bytes;

    if (f == NULL || fseek(f, 0, SEEK_END) != 0) {
        die(path);
    }
    *len = (size_t)ftell(f);
    rewind(f);
    bytes = malloc(*len + 1);
    if (fread(bytes, 1, *len, f) != *len) {
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

static void map(struct slot *s)
{
    size_t image_at = (s->wasm_len + 7) & ~(size_t)7;
    int fd = memfd_create("slot", 0);

    s->map_len = image_at + s->image_len;
    if (fd < 0 || ftruncate(fd, (off_t)s->map_len) != 0 ||
        pwrite(fd, s->wasm, s->wasm_len, 0) != (ssize_t)s->wasm_len ||
        pwrite(fd, s->image, s->image_len, (off_t)image_at) != (ssize_t)s->image_len) {
        die("slot file");
    }
    s->map = mmap(NULL, s->map_len, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (s->map == MAP_FAILED ||
        sm_wasm_open(&s->module, s->map + image_at, s->image_len, s->map, s->wasm_len) != 0) {
        die("a fresh image does not open");
    }
}

int64_t slot_make(struct slot *s, const uint8_t *wasm, size_t len, struct sm_wasm_diag *diag)
{
    struct sm_wasm_sink sink = {s, sink_write};
    void *scratch = malloc(SCRATCH_BYTES);
    int64_t size;

    FRESH(scratch, SCRATCH_BYTES);
    *s = (struct slot){.wasm_len = len};
    s->wasm = malloc(len + 1);
    memcpy(s->wasm, wasm, len);
    size = sm_wasm_translate(s->wasm, len, &sink, scratch, SCRATCH_BYTES, diag);
    free(scratch);
    if (size >= 0) {
        map(s);
    }
    return size;
}

void slot_map_again(const struct slot *from, struct slot *to)
{
    *to = (struct slot){.wasm_len = from->wasm_len, .image_len = from->image_len};
    to->wasm = malloc(from->wasm_len + 1);
    to->image = malloc(from->image_len);
    memcpy(to->wasm, from->wasm, from->wasm_len);
    memcpy(to->image, from->image, from->image_len);
    map(to);
}

void slot_free(struct slot *s)
{
    if (s->map != NULL) {
        munmap(s->map, s->map_len);
    }
    free(s->wasm);
    free(s->image);
}

void room_take(struct room *r, const struct slot *s)
{
    (void)s;
    *r = (struct room){.pool.size = POOL_BYTES,
                       .limits = {.memory_bytes = 4ull << 30, .table_entries = 10u << 20}};
    r->pool.base = mmap(NULL, POOL_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (r->pool.base == MAP_FAILED) {
        die("pool");
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
