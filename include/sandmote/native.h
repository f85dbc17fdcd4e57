/* Native images: a module's functions as machine code, made by `sandmote aot`.
 *
 * A native image is an accelerator for one module and belongs to its hash. Everything else of the
 * module (types, data, linking) still comes from the engine's own image: an instance is made as
 * always (wasm.h), then sm_native_bind() makes it run the machine code. What imports, exports,
 * calls, traps, limits, epochs and pending host calls mean stays the same; an instance without a
 * native image is interpreted, and both kinds call each other. A function that the module neither
 * exports nor refers to has no way in of its own: called by index, it is interpreted.
 *
 * MACHINE CODE IS TRUSTED. The checks below find an image that does not belong here, not one that
 * was changed or made to do harm: a host lets nobody's image in but that of a builder it trusts,
 * and verifies signature and hash (claim.h) before it binds the image. The hash in the image's
 * header is for tools that run an image without a claim; nothing here computes it.
 *
 * Format: doc/SPEC-native.md.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_NATIVE_H
#define SANDMOTE_NATIVE_H

#include <sandmote/wasm.h>

#define SM_NATIVE_FORMAT 2u

enum sm_native_target {
    SM_NATIVE_X86_64 = 1,
    SM_NATIVE_AARCH64 = 2,
    SM_NATIVE_CORTEX_M4F = 3, /* Thumb-2, floats in registers (fpv4-sp-d16, hard) */
    SM_NATIVE_CORTEX_M4 = 4   /* Thumb-2, no floating-point unit */
};

/* The target of this build of the engine, 0 when there is none. */
enum sm_native_target sm_native_this_target(void);
/* "x86_64-linux-gnu" and so on; NULL for an unknown number. */
const char *sm_native_target_name(uint32_t target);

/* The image counts on guard pages: the memory must be a region with guarded set (wasm.h). */
#define SM_NATIVE_GUARDED 1u

struct sm_native_info {
    uint32_t target;      /* enum sm_native_target */
    uint32_t flags;       /* SM_NATIVE_GUARDED */
    uint32_t size;        /* of the whole image, bytes */
    uint32_t code_bytes;  /* of them machine code and its constants */
    uint32_t stack_bytes; /* of the value stack that a call needs before it may go deeper */
    uint32_t min_memory;  /* bytes of linear memory below which it does not run */
    uint8_t module_sha256[32];
    const char *refused; /* why, when it was: a constant phrase */
};

/* An opened image, borrowed for as long as any instance is bound to it. Fields are private. */
struct sm_native {
    const uint8_t *image;
    struct sm_native_info info;
    uint32_t state_bytes;
};

/* Look at an image. Its bytes are read in place, never written, and must be executable where they
 * lie: aligned to 4096 bytes (16 on a microcontroller), mapped or in flash. module_sha256 is the
 * hash of the module that it is to run; the caller has computed it of the bytes that it runs.
 * info.refused names the reason of a refusal.
 *
 * 0, or
 *   SM_ERR_CORRUPT      not a native image, truncated, or its offsets do not fit
 *   SM_ERR_UNSUPPORTED  another format, another engine's layout, or another target
 *   SM_ERR_DENIED       made of another module
 *   SM_ERR_ARG          badly aligned */
int sm_native_open(struct sm_native *n, const void *image, size_t len,
                   const uint8_t module_sha256[32]);

/* As sm_native_open(), without asking whether it could run here: for tools. */
int sm_native_read(struct sm_native *n, const void *image, size_t len);

/* RAM that one instance needs beside its pool, bytes. */
size_t sm_native_state_bytes(const struct sm_native *n, const struct sm_wasm_module *m);

/* Make an instance run the image's code, before its first call. state is sm_native_state_bytes() of
 * memory aligned to 8 bytes, borrowed for the instance's life.
 *
 * 0, or, with the instance interpreted as before,
 *   SM_ERR_CORRUPT  the image's tables are not those of this module
 *   SM_ERR_LIMIT    linear memory is smaller than info.min_memory, or not guarded as it must be
 *                   (one whose pages have one byte cannot be)
 *   SM_ERR_MEMORY   state is too small */
int sm_native_bind(struct sm_wasm_inst *inst, const struct sm_native *n, void *state,
                   size_t state_len);

/* For the handler of a memory fault at pc (guard pages, port/posix): whether the fault is one of
 * native code that runs in this instance or in another of its store, and where to go on: at
 * *resume_pc, with *argument as its only argument. The caller makes sure that the fault lies within
 * the instance's guarded region. */
bool sm_native_fault(struct sm_wasm_inst *inst, uintptr_t pc, uintptr_t *resume_pc,
                     uintptr_t *argument);

#endif
