/* A module file, validated and translated in memory.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_MODULE_H
#define SANDMOTE_MODULE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sandmote/manifest.h>
#include <sandmote/wasm.h>

/* Zero it before use; module_free() may be called on it at any time. */
struct module {
    uint8_t *bytes, *image;
    size_t len, image_len;
    struct sm_wasm_module wasm;
};

/* Whether a file begins as modules do. */
bool module_has_magic(const uint8_t *bytes, size_t len);
/* What a file is that does not: a phrase after "FILE: ", with what to do. */
const char *module_looks_like(const uint8_t *bytes, size_t len);

/* Read the file of that path and translate it. CLI_GOOD; or, after saying why, CLI_BAD when it
 * cannot be read and CLI_INVALID when it is not a valid module (bytes and len are there then). */
int module_load(struct module *m, const char *path);
void module_free(struct module *m);

/* Working memory for translating anything in the module, or NULL. The caller frees it. */
void *module_scratch(const struct module *m, size_t *len);

/* "(i32 i64) -> (f32)" */
void module_print_type(FILE *out, const struct sm_wasm_functype *type);

/* What a host function that failed was called as and why: "wasi_sn.publish: a pointer outside the
 * module's memory". offset: of the call in the file; 0 or another instruction: without the name. */
#define MODULE_HOST_TEXT 160
void module_host_text(const struct module *m, uint32_t offset, int err, char out[MODULE_HOST_TEXT]);

/* The name of an enum sm_wasm_kind. */
const char *module_kind_name(enum sm_wasm_kind kind);

/* Say on stderr what is wrong with a manifest: "FILE: manifest, KEY: RULE ...". */
void module_say_manifest(const char *path, int err, const struct sm_manifest_detail *detail);

#endif
