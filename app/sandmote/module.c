/* Module files for the commands that need the engine.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "module.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <sandmote/claim.h>

#include "claim.h"
#include "cli.h"
#include "values.h"

#define CALL 0x10 /* the instruction */

/* An image that grows as the translator writes it. */
struct image {
    uint8_t *bytes;
    size_t len, room;
};

static int write_image(void *ctx, uint32_t off, const void *bytes, uint32_t len)
{
    struct image *image = ctx;
    size_t end = (size_t)off + len;
    if (end > image->room) {
        size_t room = 2 * end + 4096;
        uint8_t *grown = realloc(image->bytes, room);
        if (!grown)
            return SM_ERR_MEMORY;
        image->bytes = grown;
        image->room = room;
    }
    memcpy(image->bytes + off, bytes, len);
    if (end > image->len)
        image->len = end;
    return 0;
}

void *module_scratch(const struct module *m, size_t *len)
{
    /* Eight times the largest function and eight bytes a function would do: the whole module is
     * the bound for both, and what is not touched costs nothing. */
    *len = 32 * m->len + (1u << 20);
    return malloc(*len);
}

static bool begins(const uint8_t *bytes, size_t len, const char *with)
{
    size_t n = strlen(with);
    return len >= n && memcmp(bytes, with, n) == 0;
}

bool module_has_magic(const uint8_t *bytes, size_t len)
{
    return len >= 4 && memcmp(bytes, "\0asm", 4) == 0;
}

const char *module_looks_like(const uint8_t *bytes, size_t len)
{
    struct sm_native_claim claim;
    struct sm_manifest_detail unused;
    if (len == 0)
        return "is empty";
    if (claim_is_native(bytes, len))
        return "a native image, not a module: `sandmote run --native IMAGE MODULE.wasm`";
    if (len <= SM_CLAIM_MAX && sm_claim_read(&claim, bytes, len, &unused) == 0)
        return "a claim about a native image, not a module: `sandmote inspect` shows it";
    if (begins(bytes, len, "-----BEGIN "))
        return "a PEM file, not a module: `sandmote key show` shows a key";
    if (begins(bytes, len, "(module") || begins(bytes, len, ";;"))
        return "WebAssembly as text: `wat2wasm` makes a module of it";
    if (len == SM_ED25519_SIG_SIZE)
        return "not a module; it has as many bytes as a signature: `sandmote verify`";
    return "not a module: WebAssembly begins with the bytes 00 61 73 6d";
}

static int say_invalid(const char *path, int err, const struct sm_wasm_diag *diag)
{
    if (err == SM_ERR_MEMORY)
        cli_say("%s: no memory to translate it (offset 0x%" PRIx32 ")", path, diag->offset);
    else
        cli_say("%s: %s at offset 0x%" PRIx32 " (%" PRIu32 "): %s", path,
                err == SM_ERR_LIMIT ? "beyond a limit of the engine" : "not a valid module",
                diag->offset, diag->offset, diag->rule);
    return err == SM_ERR_MEMORY ? CLI_BAD : CLI_INVALID;
}

int module_load(struct module *m, const char *path)
{
    struct image image = {0};
    struct sm_wasm_sink sink = {&image, write_image};
    struct sm_wasm_diag diag = {0, ""};
    size_t scratch_len;
    if (!cli_read(path, &m->bytes, &m->len))
        return CLI_BAD;
    if (!module_has_magic(m->bytes, m->len)) {
        cli_say("%s: %s", path, module_looks_like(m->bytes, m->len));
        return CLI_INVALID;
    }
    void *scratch = module_scratch(m, &scratch_len);
    int64_t len = SM_ERR_MEMORY;
    if (scratch)
        len = sm_wasm_translate(m->bytes, m->len, &sink, scratch, scratch_len, &diag);
    free(scratch);
    m->image = image.bytes;
    m->image_len = image.len;
    if (len < 0)
        return say_invalid(path, (int)len, &diag);
    int err = sm_wasm_open(&m->wasm, m->image, m->image_len, m->bytes, m->len);
    if (err) {
        cli_say("%s: the image that was just made does not open: %s", path, sm_strerror(err));
        return CLI_BAD;
    }
    return CLI_GOOD;
}

void module_free(struct module *m)
{
    free(m->bytes);
    free(m->image);
    memset(m, 0, sizeof *m);
}

static void print_types(FILE *out, const uint8_t *types, uint32_t count)
{
    fputc('(', out);
    for (uint32_t i = 0; i < count; i++)
        fprintf(out, "%s%s", i ? " " : "", value_type_name(types[i]));
    fputc(')', out);
}

void module_print_type(FILE *out, const struct sm_wasm_functype *type)
{
    print_types(out, type->params, type->nparams);
    fputs(" -> ", out);
    print_types(out, type->results, type->nresults);
}

const char *module_kind_name(enum sm_wasm_kind kind)
{
    static const char *const names[] = {"function", "table", "memory", "global"};
    return names[kind];
}

void module_say_manifest(const char *path, int err, const struct sm_manifest_detail *detail)
{
    const char *name = sm_manifest_key_name(detail->key);
    char key[64] = "", place[32] = "", range[64] = "";
    uint64_t min, max;
    if (err == SM_ERR_UNSUPPORTED) {
        cli_say("%s: a manifest of format %" PRIu64
                ", from the future (this tool knows format %u): "
                "use a newer sandmote",
                path, detail->value, SM_MANIFEST_FORMAT);
        return;
    }
    if (name)
        snprintf(key, sizeof key, ", key %s", name);
    else if (detail->key)
        snprintf(key, sizeof key, ", key %" PRIu32, detail->key);
    if (detail->offset) /* no manifest begins at 0: there is no file to point into yet */
        snprintf(place, sizeof place, ", offset 0x%" PRIx32, detail->offset);
    if (err == SM_ERR_INVALID && sm_manifest_range(detail->key, &min, &max) == 0)
        snprintf(range, sizeof range, " (%" PRIu64 " to %" PRIu64 ")", min, max);
    cli_say("%s: manifest%s%s: %s%s", path, key, place, detail->rule, range);
}

/* The function that a call instruction at an offset calls, when that is an import. */
static bool called(const struct module *m, size_t at, struct sm_wasm_import *out)
{
    struct sm_wasm_cursor c;
    uint32_t func = 0;
    if (!at || at >= m->len || m->bytes[at] != CALL)
        return false;
    for (unsigned shift = 0; shift < 32; shift += 7) {
        if (++at == m->len)
            return false;
        func |= (uint32_t)(m->bytes[at] & 0x7f) << shift;
        if (!(m->bytes[at] & 0x80))
            break;
    }
    sm_wasm_imports(&c, &m->wasm);
    while (sm_wasm_next_import(&c, out) == 0)
        if (out->kind == SM_WASM_FUNC && func-- == 0)
            return true;
    return false;
}

void module_host_text(const struct module *m, uint32_t offset, int err, char out[MODULE_HOST_TEXT])
{
    struct sm_wasm_import import;
    size_t n = 0;
    *out = 0;
    if (called(m, offset, &import))
        n = (size_t)snprintf(out, 72, "%.*s.%.*s", (int)import.module.len, import.module.bytes,
                             (int)import.field.len, import.field.bytes);
    n = n < 72 ? n : 71;
    for (size_t i = 0; i < n; i++)
        out[i] = out[i] > ' ' && out[i] < 0x7f ? out[i] : '?';
    snprintf(out + n, MODULE_HOST_TEXT - n, "%s%s", n ? ": " : "",
             err == SM_ERR_ARG ? "a pointer outside the module's memory" : sm_strerror(err));
}
