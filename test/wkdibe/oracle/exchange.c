/* The scheme by command: reads lines of words from stdin, all bytes in hex, and answers each with a
 * line. For oracle.mjs, which does the same with other implementations of the curve.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <posix/json_read.h>
#include <posix/system.h>
#include <sandmote/wkdibe.h>
#include "bls12_381.h"

#define WORDS 5
#define BYTES 4096

static struct sm_ibe_params params;
static struct sm_ibe_master master;
static struct sm_ibe_rng rng;

struct word {
    uint8_t bytes[BYTES];
    size_t len;
};
static struct word word[WORDS];

static void require(int result)
{
    if (result >= 0)
        return;
    printf("error %d\n", result);
    exit(1);
}

static void print(const uint8_t *bytes, int len)
{
    char hex[2 * BYTES + 1];
    require(len);
    sm_hex_encode(bytes, (size_t)len, hex);
    printf(" %s", hex);
}

static struct sm_ibe_pattern pattern_of(const struct word *w)
{
    struct sm_ibe_pattern p;
    require(sm_ibe_pattern_decode(&p, w->bytes, w->len) == (int)w->len ? 0 : SM_ERR_MALFORMED);
    return p;
}

/* The last one is kept: reading a key takes as long as opening with it. */
static struct sm_ibe_key key_of(const struct word *w)
{
    static struct word last;
    static struct sm_ibe_key key;
    if (last.len != w->len || memcmp(last.bytes, w->bytes, w->len) != 0)
        require(sm_ibe_key_decode(&key, &params, w->bytes, w->len));
    last = *w;
    return key;
}

static void print_key(const struct sm_ibe_key *key)
{
    uint8_t bytes[SM_IBE_KEY_MAX];
    print(bytes, sm_ibe_key_encode(key, bytes, sizeof bytes));
}

static struct sm_bls_scalar scalar_of(const struct word *w)
{
    struct sm_bls_scalar k;
    require(w->len == SM_BLS_SCALAR_SIZE ? 0 : SM_ERR_MALFORMED);
    require(sm_bls_scalar_decode(&k, w->bytes));
    return k;
}

/* ---- The curve ------------------------------------------------------------------------------- */

/* pair A B: A and B times the generators, and their pairing. */
static void do_pair(void)
{
    uint8_t bytes[SM_BLS_GT_SIZE];
    struct sm_bls_scalar a = scalar_of(&word[1]), b = scalar_of(&word[2]);
    struct sm_bls_g1 p;
    struct sm_bls_g2 q;
    struct sm_bls_gt e;
    sm_bls_g1_generator(&p);
    sm_bls_g1_mul(&p, &p, &a);
    sm_bls_g2_mul_generator(&q, &b);
    sm_bls_pairing(&e, &p, &q);
    sm_bls_g1_encode(bytes, &p);
    print(bytes, SM_BLS_G1_SIZE);
    sm_bls_g2_encode(bytes, &q);
    print(bytes, SM_BLS_G2_SIZE);
    sm_bls_gt_encode(bytes, &e);
    print(bytes, SM_BLS_GT_SIZE);
}

/* ---- The scheme ------------------------------------------------------------------------------ */

/* setup SLOTS SEED */
static void do_setup(void)
{
    uint8_t bytes[SM_IBE_PARAMS_SIZE];
    require(sm_ibe_setup(&params, &master, word[1].bytes[0], word[2].bytes, &rng));
    print(bytes, sm_ibe_params_encode(&params, bytes, sizeof bytes));
    print(bytes, sm_ibe_master_encode(&master, bytes, sizeof bytes));
}

/* load PARAMS MASTER */
static void do_load(void)
{
    require(sm_ibe_params_decode(&params, word[1].bytes, word[1].len));
    require(sm_ibe_master_decode(&master, &params, word[2].bytes, word[2].len));
}

/* value SLOT TYPE BYTES: the pattern of so many slots with this value in the last. */
static void do_value(void)
{
    struct sm_ibe_pattern p;
    uint8_t bytes[SM_IBE_PATTERN_MAX];
    unsigned slot = word[1].bytes[0];
    require(sm_ibe_pattern_init(&p, slot + 1));
    require(sm_ibe_pattern_set(&p, slot, word[2].bytes[0], word[3].bytes, word[3].len));
    print(bytes, sm_ibe_pattern_encode(&p, bytes, sizeof bytes));
}

/* keygen PATTERN SIGNS */
static void do_keygen(void)
{
    struct sm_ibe_pattern p = pattern_of(&word[1]);
    struct sm_ibe_key key;
    require(sm_ibe_keygen(&key, &params, &master, &p, word[2].bytes[0], &rng));
    print_key(&key);
}

/* delegate KEY PATTERN SIGNS */
static void do_delegate(void)
{
    struct sm_ibe_key from = key_of(&word[1]), key;
    struct sm_ibe_pattern p = pattern_of(&word[2]);
    require(sm_ibe_delegate(&key, &params, &from, &p, word[3].bytes[0], &rng));
    print_key(&key);
}

/* encaps PATTERN CCA */
static void do_encaps(void)
{
    struct sm_ibe_pattern p = pattern_of(&word[1]);
    struct sm_ibe_target target;
    uint8_t secret[32], out[SM_IBE_CIPHERTEXT_MAX + SM_IBE_CCA_EXTRA];
    require(sm_ibe_target_init(&target, &params, &p));
    int n = (word[2].bytes[0] ? sm_ibe_encaps_cca : sm_ibe_encaps)(secret, out, sizeof out, &params,
                                                                   &target, &rng);
    print(secret, n < 0 ? n : 32);
    print(out, n);
}

/* decaps KEY PATTERN CIPHERTEXT CCA: the secret, or "no" */
static void do_decaps(void)
{
    struct sm_ibe_key key = key_of(&word[1]);
    struct sm_ibe_pattern p = pattern_of(&word[2]);
    uint8_t secret[32];
    int err = (word[4].bytes[0] ? sm_ibe_decaps_cca : sm_ibe_decaps)(secret, &params, &key, &p,
                                                                     word[3].bytes, word[3].len);
    if (err)
        printf(" no");
    else
        print(secret, 32);
}

/* sign KEY PATTERN MESSAGE */
static void do_sign(void)
{
    struct sm_ibe_key key = key_of(&word[1]);
    struct sm_ibe_pattern p = pattern_of(&word[2]);
    uint8_t sig[SM_IBE_SIGNATURE_SIZE];
    require(sm_ibe_sign(sig, &params, &key, &p, word[3].bytes, word[3].len, &rng));
    print(sig, sizeof sig);
}

/* verify PATTERN MESSAGE SIGNATURE: yes or no */
static void do_verify(void)
{
    struct sm_ibe_pattern p = pattern_of(&word[1]);
    require(word[3].len == SM_IBE_SIGNATURE_SIZE ? 0 : SM_ERR_MALFORMED);
    int err = sm_ibe_verify(&params, &p, word[2].bytes, word[2].len, word[3].bytes);
    printf(err ? " no" : " yes");
}

static const struct {
    const char *name;
    void (*run)(void);
} commands[] = {
    {"pair", do_pair},     {"setup", do_setup},       {"load", do_load},     {"value", do_value},
    {"keygen", do_keygen}, {"delegate", do_delegate}, {"encaps", do_encaps}, {"decaps", do_decaps},
    {"sign", do_sign},     {"verify", do_verify},
};

static void run(char *line)
{
    const char *name = strtok(line, " \n");
    for (unsigned i = 1; i < WORDS; i++) {
        const char *hex = strtok(NULL, " \n");
        size_t len = hex ? strlen(hex) / 2 : 0;
        word[i].len = len;
        require(len > BYTES || (hex && sm_hex_decode(hex, word[i].bytes, len)) ? SM_ERR_MALFORMED
                                                                               : 0);
    }
    for (unsigned i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (name && strcmp(name, commands[i].name) == 0) {
            printf("ok");
            commands[i].run();
            putchar('\n');
            fflush(stdout);
            return;
        }
    require(SM_ERR_NOT_FOUND);
}

int main(void)
{
    static char line[2 * BYTES * WORDS];
    require(sm_ibe_rng_init(&rng, &sm_posix_entropy, "not a secret: a test", 20, 0));
    while (fgets(line, sizeof line, stdin))
        run(line);
    return 0;
}
