/* Firmware: the compact crypto on the microcontroller itself, against published vectors. Prints a
 * line a check and the cost of a verification; the exit status is 0 when all held.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <sandmote/crypto.h>
#include <string.h>
#include "../crypto/ed25519_vectors.h"
#include "board.h"

#define VECTORS (sizeof ed25519_vectors / sizeof ed25519_vectors[0])

static int check(const char *what, const char *name, bool holds)
{
    sm_board_print(holds ? "ok    " : "FAIL  ");
    sm_board_print(what);
    sm_board_print(name);
    sm_board_print("\n");
    return holds ? 0 : 1;
}

/* FIPS 180-4 example: "abc" */
static int sha256_hashes_abc(void)
{
    static const uint8_t expected[SM_SHA256_SIZE] = {
        0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
        0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
        0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
    uint8_t hash[SM_SHA256_SIZE];
    sm_sha256("abc", 3, hash);
    return check("sha256 of ", "abc", memcmp(hash, expected, sizeof hash) == 0);
}

static bool verifies(const struct ed25519_vector *v)
{
    return sm_ed25519_verify(v->pub, v->msg, v->len, v->sig) == 0;
}

/* One bit off in turn in R, in S, and in the key; then S + L, the other name of the same S. */
static int refuses_mutations(const struct ed25519_vector *good)
{
    static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,       0xd6,
                                      0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10};
    int failures = 0;
    struct ed25519_vector v = *good;
    v.sig[3] ^= 4;
    failures += check("refused with another R: ", v.name, !verifies(&v));
    v = *good;
    v.sig[40] ^= 1;
    failures += check("refused with another S: ", v.name, !verifies(&v));
    v = *good;
    v.pub[0] ^= 1;
    failures += check("refused with another key: ", v.name, !verifies(&v));
    v = *good;
    for (unsigned i = 0, carry = 0; i < 32; i++) {
        carry += v.sig[32 + i] + order[i];
        v.sig[32 + i] = (uint8_t)carry;
        carry >>= 8;
    }
    failures += check("refused with S + L: ", v.name, !verifies(&v));
    return failures;
}

static int refuses_another_message(const struct ed25519_vector *good)
{
    struct ed25519_vector v = *good;
    v.len--;
    return check("refused one byte short: ", v.name, !verifies(&v));
}

static void verify_for_count(void *ctx)
{
    (void)verifies(ctx);
}

struct hash_job {
    const uint8_t *bytes;
    size_t len;
};

static void hash_for_count(void *ctx)
{
    const struct hash_job *job = ctx;
    uint8_t hash[SM_SHA256_SIZE];
    sm_sha256(job->bytes, job->len, hash);
}

static void report_count(const char *what, void (*fn)(void *ctx), void *ctx)
{
    sm_board_print(what);
    sm_board_print_u32(sm_board_count(fn, ctx));
    sm_board_print(" instructions\n");
}

static void report_costs(void)
{
    struct ed25519_vector empty = ed25519_vectors[0], longest = ed25519_vectors[0];
    for (unsigned i = 0; i < VECTORS; i++)
        if (ed25519_vectors[i].len > longest.len)
            longest = ed25519_vectors[i];
    report_count("cost  ed25519 over 0 bytes: ", verify_for_count, &empty);
    report_count("cost  ed25519 over 1023 bytes: ", verify_for_count, &longest);
    struct hash_job flash = {(const uint8_t *)(uintptr_t)64, 16384};
    report_count("cost  sha256 over 16384 bytes: ", hash_for_count, &flash);
}

/* What the crypto and its callers here added to the stack in use before them. */
static int stays_within_its_stack(uint32_t used_before)
{
    uint32_t used = sm_board_stack_used() - used_before;
    sm_board_print("cost  stack: ");
    sm_board_print_u32(used);
    sm_board_print(" bytes\n");
    return check("stack within ", "SM_CRYPTO_STACK", used <= SM_CRYPTO_STACK);
}

int sm_board_main(void)
{
    uint32_t stack_before = sm_board_stack_used();
    int failures = sha256_hashes_abc();
    for (unsigned i = 0; i < VECTORS; i++) {
        const struct ed25519_vector *v = &ed25519_vectors[i];
        failures += check("accepted: ", v->name, verifies(v));
        failures += refuses_mutations(v);
        if (v->len > 0)
            failures += refuses_another_message(v);
    }
    report_costs();
    failures += stays_within_its_stack(stack_before);
    sm_board_print(failures ? "selftest failed\n" : "selftest passed\n");
    return failures ? 1 : 0;
}
