/* A core dump of a trapped execution, as a WebAssembly module.
 *
 * Source: WebAssembly tool conventions, Coredump.md: custom sections "core", "coremodules",
 * "coreinstances" and "corestack", then the memory, globals and data of the instance. It is valid
 * as a module, though not to be run. A custom section "sandmote.postmortem" has the device's note
 * (doc/SPEC-postmortem.md) where there is one.
 *
 * Values that are in native code's registers are marked as missing, and operands of instructions,
 * which the engine keeps nowhere by themselves, are left out. Of the memory, zeros are left out.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_POSIX_COREDUMP_H
#define SM_POSIX_COREDUMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sandmote/wasm.h>
#include "cursor.h"

#define SM_COREDUMP_NOTE   "sandmote.postmortem"
#define SM_COREDUMP_SEALED "sandmote.sealed" /* a dump within the dump: sealed.h */
#define SM_COREDUMP_FRAMES 64u               /* most frames: the innermost */
#define SM_COREDUMP_LEAST  262144u           /* least limit of its size */

struct sm_coredump {
    const struct sm_wasm_exec *exec; /* TRAPPED, PAUSED, PENDING, or one that stands nowhere */
    const struct sm_wasm_inst *inst; /* whose memory and globals are dumped */
    const char *name;                /* of the module */
    const uint8_t *note;             /* or NULL */
    size_t note_len;
    bool memory;   /* with what is in memory, which may be secret */
    size_t limit;  /* most bytes, at least SM_COREDUMP_LEAST; memory is cut to it, frames are not */
    void *scratch; /* as for sm_wasm_backtrace() */
    size_t scratch_len;
};

#define SM_COREDUMP_MISSING 0x01 /* a value that is not known, in place of a type */

/* *out is the caller's to free. 0 or SM_ERR_MEMORY. */
int sm_coredump_make(const struct sm_coredump *c, uint8_t **out, size_t *len);

/* ---- Reading --------------------------------------------------------------------------------- */

/* A core dump of whatever maker, as far as it is read here; points into its bytes. */
struct sm_core {
    struct sm_wasm_name name; /* of the program */
    const uint8_t *note;      /* of a device, or NULL */
    size_t note_len;
    const uint8_t *sealed; /* what only one reader can open, or NULL */
    size_t sealed_len;
    uint64_t memory_bytes, data_bytes; /* declared, and those that are there */
    uint32_t globals;
    bool stack; /* there is one */
    uint32_t frames_left;
    struct sm_cursor frames;
};
struct sm_core_frame {
    uint32_t inst, func;
    uint32_t code_offset; /* from the start of the function's body; 0 unknown */
    uint32_t locals_left;
    struct sm_cursor values;
};

/* Whether bytes may be a core dump: a module with a section "core" or "corestack". 0, or, *c
 * undefined, SM_ERR_NOT_FOUND, SM_ERR_MALFORMED. */
int sm_core_open(struct sm_core *c, const uint8_t *bytes, size_t len);
/* The frames of its first thread, innermost first. 0, SM_ERR_NOT_FOUND past the last,
 * SM_ERR_MALFORMED. */
int sm_core_next_frame(struct sm_core *c, struct sm_core_frame *out);
/* The locals of a frame. 0; SM_ERR_STATE with one that is missing; SM_ERR_NOT_FOUND past the last.
 */
int sm_core_next_local(struct sm_core_frame *f, struct sm_wasm_global *out);

#endif
