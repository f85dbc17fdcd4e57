/* SPDX-License-Identifier: Apache-2.0 */
#include "ibe_world.h"
#include <stdlib.h>

uint64_t draw(uint64_t *seed)
{
    uint64_t z = *seed += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static int fill(void *ctx, void *buf, size_t len)
{
    struct luck *luck = ctx;
    uint64_t seed = luck->seed;
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)buf)[i] = (uint8_t)draw(&seed);
    if (!luck->stuck)
        luck->seed = seed;
    return luck->fails ? SM_ERR_IO : 0;
}

void world_init(struct world *w, unsigned slots)
{
    static const uint8_t seed[32] = "nothing up the sleeve";
    memset(w, 0, sizeof *w);
    w->luck.seed = slots;
    w->entropy = (struct sm_entropy){&w->luck, fill};
    assert_int_equal(sm_ibe_rng_init(&w->rng, &w->entropy, "a secret of the device", 22, 0), 0);
    assert_int_equal(sm_ibe_setup(&w->params, &w->master, slots, seed, &w->rng), 0);
}

struct sm_ibe_pattern pattern(const char *text)
{
    struct sm_ibe_pattern p;
    assert_int_equal(sm_ibe_pattern_init(&p, (unsigned)strlen(text)), 0);
    for (unsigned i = 0; text[i]; i++) {
        if (text[i] == '*')
            assert_int_equal(sm_ibe_pattern_set_wild(&p, i), 0);
        else if (text[i] != '-')
            assert_int_equal(sm_ibe_pattern_set(&p, i, 1, text + i, 1), 0);
    }
    return p;
}

void keygen(struct world *w, struct sm_ibe_key *key, const char *text, bool signs)
{
    struct sm_ibe_pattern p = pattern(text);
    assert_int_equal(sm_ibe_keygen(key, &w->params, &w->master, &p, signs, &w->rng), 0);
}

size_t encaps(struct world *w, const char *to, uint8_t secret[SM_IBE_SECRET_SIZE], uint8_t *out,
              bool cca)
{
    struct sm_ibe_pattern q = pattern(to);
    struct sm_ibe_target target;
    size_t size = SM_IBE_CIPHERTEXT(sm_ibe_pattern_wilds(&q)) + (cca ? SM_IBE_CCA_EXTRA : 0);
    assert_int_equal(sm_ibe_target_init(&target, &w->params, &q), 0);
    int n =
        (cca ? sm_ibe_encaps_cca : sm_ibe_encaps)(secret, out, size, &w->params, &target, &w->rng);
    assert_int_equal(n, size);
    return size;
}

bool test_full(void)
{
    const char *full = getenv("SANDMOTE_TEST_FULL");
    return full && *full;
}
