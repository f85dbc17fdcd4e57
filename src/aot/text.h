/* Texts that every generated file begins with, as the build found them (CMakeLists.txt).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_AOT_TEXT_H
#define SM_AOT_TEXT_H

#include <stddef.h>

struct aot_text {
    const char *bytes;
    size_t len;
};
extern const struct aot_text aot_text_error, aot_text_wasm, aot_text_native_abi, aot_text_numeric,
    aot_text_numeric_c, aot_text_prelude, aot_text_x86_64, aot_text_aarch64, aot_text_thumb,
    aot_text_macros;

#endif
