/* Whatever is taken for an image: opened, listed, instantiated, without running its code.
 *
 * The first byte chooses: a module of the differential test's generator whose image is patched by
 * the rest (three bytes an edit: where, and what to add), or, from 128 on, the rest as module and
 * image with only the header's identity put right.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <sandmote/wasm.h>
#include "../src/wasm/image.h"
#include "../test/wasm/walk.h"
#include "../test/wasm/generate.h"

#define IMAGE_BYTES (1u << 20)
#define BASES       128u

static uint8_t *wasm, *fresh, *scratch;
static struct base {
    uint8_t *wasm, *image;
    size_t wasm_len;
    uint32_t image_len;
} bases[BASES];

static int sink_write(void *ctx, uint32_t off, const void *bytes, uint32_t len)
{
    (void)ctx;
    memcpy(fresh + off, bytes, len);
    return 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    wasm = malloc(GENERATE_MAX);
    fresh = malloc(IMAGE_BYTES);
    scratch = malloc(IMAGE_BYTES);
    return 0;
}

static const struct base *base(uint8_t which)
{
    struct base *b = &bases[which];
    struct sm_wasm_sink sink = {NULL, sink_write};

    if (b->image == NULL) {
        b->wasm_len = generate_module(which, wasm);
        b->image_len =
            (uint32_t)sm_wasm_translate(wasm, b->wasm_len, &sink, scratch, IMAGE_BYTES, NULL);
        b->wasm = malloc(b->wasm_len);
        b->image = malloc(b->image_len);
        memcpy(b->wasm, wasm, b->wasm_len);
        memcpy(b->image, fresh, b->image_len);
    }
    return b;
}

/* Copies of exactly their size, so that a byte beyond is noticed. */
static void try(const uint8_t *module, size_t module_len, const uint8_t *image, size_t image_len)
{
    uint8_t *m = malloc(module_len + 1), *i = aligned_alloc(8, (image_len + 7) & ~(size_t)7);

    memcpy(m, module, module_len);
    memcpy(i, image, image_len);
    walk_image(i, image_len, m, module_len);
    free(m);
    free(i);
}

static void patched(uint8_t which, const uint8_t *data, size_t size)
{
    const struct base *b = base(which);

    memcpy(fresh, b->image, b->image_len);
    for (; size >= 3; data += 3, size -= 3) {
        uint32_t at = ((uint32_t)data[0] << 8 | data[1]) % b->image_len;

        fresh[at] = (uint8_t)(fresh[at] + data[2]);
    }
    ((struct sm_image *)(void *)fresh)->magic = SM_IMAGE_MAGIC;
    ((struct sm_image *)(void *)fresh)->build = SM_WASM_BUILD;
    try(b->wasm, b->wasm_len, fresh, b->image_len);
}

static void arbitrary(const uint8_t *data, size_t size)
{
    size_t module_len = size > 2 ? (size_t)data[0] << 8 | data[1] : 0;
    struct sm_image *h = (void *)fresh;

    if (size < 2 + module_len + SM_WASM_HEADER || size > IMAGE_BYTES) {
        return;
    }
    data += 2;
    size -= 2 + module_len;
    memcpy(fresh, data + module_len, size);
    h->magic = SM_IMAGE_MAGIC;
    h->build = SM_WASM_BUILD;
    h->size = (uint32_t)size;
    h->wasm_len = (uint32_t)module_len;
    try(data, module_len, fresh, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0 && data[0] < BASES) {
        patched(data[0], data + 1, size - 1);
    } else if (size > 0) {
        arbitrary(data + 1, size - 1);
    }
    return 0;
}
