/* What the tests of the scheme share: luck by a seed, and short ways to patterns and keys.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_WKDIBE_WORLD_H
#define TEST_WKDIBE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sandmote/wkdibe.h>
#include <string.h>

/* splitmix64 */
uint64_t draw(uint64_t *seed);

/* Entropy that a seed decides: a fixed one gives the same bytes again and again. */
struct luck {
    uint64_t seed;
    bool stuck, fails;
};
struct world {
    struct luck luck;
    struct sm_entropy entropy;
    struct sm_ibe_rng rng;
    struct sm_ibe_params params;
    struct sm_ibe_master master;
};

/* Parameters of so many slots, and their master key. */
void world_init(struct world *w, unsigned slots);

/* A pattern from text, a character a slot: '-' NULL, '*' WILD, anything else a value. */
struct sm_ibe_pattern pattern(const char *text);

void keygen(struct world *w, struct sm_ibe_key *key, const char *pattern, bool signs);

/* Encapsulate to a pattern: the ciphertext's length. */
size_t encaps(struct world *w, const char *to, uint8_t secret[SM_IBE_SECRET_SIZE], uint8_t *out,
              bool cca);

/* Whether SANDMOTE_TEST_FULL is set: then nothing is left out. */
bool test_full(void);

#endif
