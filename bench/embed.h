/* Files as constants: EMBED(name, "file") makes name[] up to name_end[], aligned to 8 bytes, which
 * on the microcontroller lie in flash.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_BENCH_EMBED_H
#define SANDMOTE_BENCH_EMBED_H

#include <stdint.h>

#define EMBED(name, file)                                                                          \
    __asm__(".section .rodata." #name ",\"a\"\n"                                                   \
            ".balign 8\n.global " #name "\n" #name ":\n.incbin \"" file "\"\n"                     \
            ".global " #name "_end\n" #name "_end:\n.previous\n");                                 \
    extern const uint8_t name[], name##_end[]

/* The same for code, executed where it lies. */
#define EMBED_CODE(name, file)                                                                     \
    __asm__(".section .text." #name ",\"ax\"\n"                                                    \
            ".balign 16\n.global " #name "\n" #name ":\n.incbin \"" file "\"\n"                    \
            ".global " #name "_end\n" #name "_end:\n.previous\n");                                 \
    extern const uint8_t name[], name##_end[]

/* name_wasm and name_image, of STEM.wasm and STEM.image. */
#define EMBED_MODULE(name, stem)                                                                   \
    EMBED(name##_wasm, stem ".wasm");                                                              \
    EMBED(name##_image, stem ".image")

/* What struct bench_engine is given of it. */
#define EMBEDDED_MODULE(name)                                                                      \
    .wasm = name##_wasm, .wasm_end = name##_wasm_end, .image = name##_image,                       \
    .image_end = name##_image_end

#endif
