/* Modules translated for tests of the engine. SPDX-License-Identifier: Apache-2.0 */
#include "slot.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

void slot_die(const char *what)
{
    perror(what);
    exit(1);
}

uint8_t *read_file(const char *path, size_t *len)
{
    FILE *f = fopen(path, "rb");
    uint8_t *bytes;

    if (f == NULL || fseek(f, 0, SEEK_END) != 0) {
        slot_die(path);
    }
    *len = (size_t)ftell(f);
    rewind(f);
    bytes = malloc(*len + 1);
    if (fread(bytes, 1, *len, f) != *len) {
        slot_die(path);
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
    void *scratch = malloc(slot_scratch);
    int64_t size;

    FRESH(scratch, slot_scratch);
    *s = (struct slot){.wasm_len = len};
    s->wasm = malloc(len + 1);
    memcpy(s->wasm, wasm, len);
    size = sm_wasm_translate(s->wasm, len, &sink, scratch, slot_scratch, diag);
    free(scratch);
    if (size >= 0) {
        slot_place(s);
    }
    return size;
}

void slot_free(struct slot *s)
{
    slot_remove(s);
    free(s->wasm);
    free(s->image);
}
