/* A module translated into a slot file: [module, padded to 8][image], mapped read-only.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_WASM_SLOT_H
#define TEST_WASM_SLOT_H

#include <sandmote/wasm.h>

struct slot {
    struct sm_wasm_module module;
    uint8_t *map;
    size_t map_len;
    uint8_t *wasm, *image; /* copies in RAM, for tests that change them */
    size_t wasm_len, image_len;
};

/* Says what failed, and why, and ends the program. */
void slot_die(const char *what);

/* The whole file; ends the program when it cannot be read. */
uint8_t *read_file(const char *path, size_t *len);

/* Translate the module and map its slot. The image's size or sm_wasm_translate()'s error. */
int64_t slot_make(struct slot *s, const uint8_t *wasm, size_t len, struct sm_wasm_diag *diag);

/* A second mapping of the same slot contents, at another address. */
void slot_map_again(const struct slot *from, struct slot *to);

void slot_free(struct slot *s);

/* What differs between machines is place.c's: how much memory a translation gets; to put a slot
 * where it is run from, read-only if possible; and that undone.  */
extern const size_t slot_scratch;
void slot_place(struct slot *s);
void slot_remove(struct slot *s);

/* What the machine can give one of many instances of the slot's module: address space that becomes
 * real when it is touched, or what there is of RAM. */
struct room {
    struct sm_wasm_pool pool;
    struct sm_wasm_limits limits;
};
void room_take(struct room *r, const struct slot *s);
/* After the instantiation: give back what it did not use, where that costs something. */
void room_keep(struct room *r);
void room_free(struct room *r);

#endif
