/* All that a start does with an image before its code runs. SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_WASM_WALK_H
#define TEST_WASM_WALK_H

#include <stddef.h>
#include <stdint.h>

/* Open, list, ask for every type, name and global, instantiate. 0, or the first error. */
int walk_image(const void *image, size_t image_len, const uint8_t *wasm, size_t wasm_len);

#endif
