/* What the tests of BLS12-381 share: bytes from hex digits, numbers from a seed, published files.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_BLS_COMMON_H
#define TEST_BLS_COMMON_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "bls12_381.h"

#if defined(__SANITIZE_ADDRESS__)
#define UNDER_SANITIZERS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNDER_SANITIZERS 1
#endif
#endif
#ifndef UNDER_SANITIZERS
#define UNDER_SANITIZERS 0
#endif

/* What is slow is done in part: under sanitizers, and where limbs are not the machine's. */
static inline size_t part_of(size_t all)
{
    bool full = getenv("SANDMOTE_TEST_FULL") != NULL;
    return full || (!UNDER_SANITIZERS && SM_BLS_LIMB_BITS == 64) ? all : all / 25;
}

static inline size_t from_hex(uint8_t *out, size_t max, const char *hex)
{
    size_t len = strcspn(hex, ":\n\"") / 2;
    assert_true(len <= max);
    for (size_t i = 0; i < len; i++) {
        char digits[3] = {hex[2 * i], hex[2 * i + 1], 0};
        out[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return len;
}

/* The same numbers on every machine (xorshift64). */
static inline void fill(uint8_t *out, size_t len, uint64_t *seed)
{
    for (size_t i = 0; i < len; i++) {
        *seed ^= *seed << 13;
        *seed ^= *seed >> 7;
        *seed ^= *seed << 17;
        out[i] = (uint8_t)(*seed >> 32);
    }
}

static inline struct sm_bls_scalar any_scalar(uint64_t *seed)
{
    struct sm_bls_scalar s;
    uint8_t bytes[64];
    fill(bytes, sizeof bytes, seed);
    sm_bls_scalar_reduce(&s, bytes, sizeof bytes);
    return s;
}

static inline struct sm_bls_g1 any_g1(uint64_t *seed)
{
    struct sm_bls_g1 p;
    uint8_t bytes[16];
    fill(bytes, sizeof bytes, seed);
    assert_int_equal(sm_bls_hash_to_g1(&p, bytes, sizeof bytes, "test", 4), 0);
    return p;
}

static inline struct sm_bls_g2 any_g2(uint64_t *seed)
{
    struct sm_bls_g2 p;
    struct sm_bls_scalar k = any_scalar(seed);
    sm_bls_g2_mul_generator(&p, &k);
    return p;
}

/* A published file, or NULL after saying what is skipped. The caller frees it. */
static inline char *published(const char *name, size_t *len)
{
    const char *places[] = {getenv("SANDMOTE_TEST_DATA"), SM_SOURCE_DIR "/../shared/data",
                            SM_SOURCE_DIR "/build/test-data"};
    char path[512];
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        snprintf(path, sizeof path, "%s/bls12-381/%s", places[i] ? places[i] : "", name);
        FILE *file = fopen(path, "rb");
        if (!file)
            continue;
        char *text = malloc(4000000);
        assert_non_null(text);
        *len = fread(text, 1, 3999999, file);
        text[*len] = 0;
        fclose(file);
        return text;
    }
    print_message("skipped: no bls12-381/%s (set SANDMOTE_TEST_DATA, or run ./dev test-data)\n",
                  name);
    return NULL;
}

#endif
