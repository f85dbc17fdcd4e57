/* Translates a module on the host, for firmware that executes the image from flash:
 * translate MODULE.wasm IMAGE. An image is the same whatever processor makes it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <sandmote/wasm.h>

#define SCRATCH_BYTES (4u << 20)

static uint8_t *read_file(const char *path, size_t *len)
{
    FILE *f = fopen(path, "rb");
    uint8_t *bytes = NULL;
    long size;

    if (f && fseek(f, 0, SEEK_END) == 0 && (size = ftell(f)) > 0) {
        rewind(f);
        bytes = malloc((size_t)size);
        *len = bytes ? fread(bytes, 1, (size_t)size, f) : 0;
    }
    if (f)
        fclose(f);
    return bytes;
}

static int write_at(void *ctx, uint32_t off, const void *bytes, uint32_t len)
{
    FILE *f = ctx;

    if (fseek(f, (long)off, SEEK_SET) != 0 || fwrite(bytes, 1, len, f) != len)
        return SM_ERR_IO;
    return 0;
}

int main(int argc, char **argv)
{
    struct sm_wasm_diag diag = {0, ""};
    void *scratch = malloc(SCRATCH_BYTES);
    uint8_t *wasm;
    size_t len = 0;
    int64_t size;
    FILE *out;

    if (argc != 3) {
        fprintf(stderr, "usage: translate MODULE.wasm IMAGE\n");
        return 64;
    }
    wasm = read_file(argv[1], &len);
    out = fopen(argv[2], "wb");
    if (!wasm || !out || !scratch) {
        perror("translate");
        return 2;
    }
    const struct sm_wasm_sink sink = {out, write_at};
    size = sm_wasm_translate(wasm, len, &sink, scratch, SCRATCH_BYTES, &diag);
    if (size < 0)
        fprintf(stderr, "translate: %s: offset %u: %s\n", argv[1], (unsigned)diag.offset,
                diag.rule);
    free(wasm);
    free(scratch);
    return fclose(out) != 0 || size < 0;
}
