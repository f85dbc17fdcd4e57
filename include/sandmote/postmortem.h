/* A post-mortem: what is known of a module's instance that trapped or was given up, small enough
 * for a note in the journal (journal.h). doc/SPEC-postmortem.md has the bytes. A pure codec.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_POSTMORTEM_H
#define SANDMOTE_POSTMORTEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sandmote/error.h>
#include <sandmote/wasm.h>

#define SM_POSTMORTEM_MAX      736u /* bytes */
#define SM_POSTMORTEM_FRAMES   8u
#define SM_POSTMORTEM_NAME     32u /* bytes of each text; what is longer is cut */
#define SM_POSTMORTEM_FUNCTION 64u
#define SM_POSTMORTEM_LOG      384u

/* What the instance was doing. */
enum sm_postmortem_phase { SM_PM_START, SM_PM_ENTRY, SM_PM_HEALTH, SM_PM_PHASES };

struct sm_postmortem_frame {
    uint32_t func;
    uint32_t offset; /* in the module's file; 0 unknown */
};

/* Texts are borrowed, without a terminating zero, and printable ASCII. */
struct sm_postmortem {
    uint8_t kind;  /* enum sm_event_kind: TRAP, EPOCH or HEALTH_FAILED */
    uint8_t trap;  /* enum sm_wasm_trap; 0 when it did not trap */
    uint8_t phase; /* enum sm_postmortem_phase */
    bool native, trial;
    int32_t host_error; /* of a host function, for SM_TRAP_HOST */
    uint32_t time_s;    /* device time */
    uint32_t good_ticks;
    uint32_t traps;   /* of this installation, this one included */
    uint64_t up_ms;   /* how long the instance lived */
    uint64_t install; /* as in the ids of events */
    uint64_t sequence;
    uint8_t sha[32]; /* of the module */
    struct sm_wasm_name name, version;
    struct sm_wasm_name function; /* of the innermost frame; may be empty */
    uint32_t depth;               /* frames that there were */
    uint32_t frames;              /* that are here: the innermost, at most SM_POSTMORTEM_FRAMES */
    struct sm_postmortem_frame frame[SM_POSTMORTEM_FRAMES];
    struct sm_wasm_name log; /* its last lines, each ended by a newline */
};

/* The bytes of *pm. Texts that are too long are cut, a log from its front; what is not printable
 * becomes '?'. out has SM_POSTMORTEM_MAX bytes. How many were written. */
uint32_t sm_postmortem_encode(const struct sm_postmortem *pm, uint8_t *out);

/* Texts of *pm point into the bytes. 0, or, *pm undefined, SM_ERR_UNSUPPORTED (a newer format) or
 * SM_ERR_MALFORMED. */
int sm_postmortem_decode(struct sm_postmortem *pm, const uint8_t *bytes, size_t len);

#endif
