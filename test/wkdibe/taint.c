/* For valgrind's memcheck (test/bls/taint.sh): entropy, the device's secret, master keys, keys and
 * what is shared are marked as undefined, so that it reports every branch and every address that
 * depends on one. What goes out is marked as defined first: parameters, ciphertexts, signatures,
 * sealed messages; what else is public stands in taint.supp. With an argument, a branch on a secret
 * is made, to see it reported.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <valgrind/memcheck.h>
#include <sandmote/wkdibe_session.h>

#define SECRET(object) VALGRIND_MAKE_MEM_UNDEFINED(&(object), sizeof(object))
#define PUBLIC(object) VALGRIND_MAKE_MEM_DEFINED(&(object), sizeof(object))

static struct sm_ibe_rng rng;
static struct sm_ibe_params params;
static struct sm_ibe_master master;
static struct sm_ibe_key wild, key;
static uint8_t seed = 1;

static int fill(void *ctx, void *buf, size_t len)
{
    (void)ctx;
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)buf)[i] = (uint8_t)(seed++ * 151);
    VALGRIND_MAKE_MEM_UNDEFINED(buf, len);
    return 0;
}

static int bad(int result, const char *what)
{
    if (result < 0)
        printf("%s: %d\n", what, result);
    return result < 0;
}

static struct sm_ibe_pattern pattern(const char *text)
{
    struct sm_ibe_pattern p;
    (void)!sm_ibe_pattern_init(&p, (unsigned)strlen(text));
    for (unsigned i = 0; text[i]; i++)
        (void)!(text[i] == '*' ? sm_ibe_pattern_set_wild(&p, i)
                               : sm_ibe_pattern_set(&p, i, 1, text + i, 1));
    return p;
}

static int keys(void)
{
    static const struct sm_entropy entropy = {NULL, fill};
    uint8_t secret[32] = {2};
    struct sm_ibe_pattern from = pattern("a**"), to = pattern("ab*");
    int failed = 0;
    SECRET(secret);
    failed |= bad(sm_ibe_rng_init(&rng, &entropy, secret, sizeof secret, 0), "rng");
    failed |= bad(sm_ibe_setup(&params, &master, 3, (const uint8_t[32]){3}, &rng), "setup");
    PUBLIC(params);
    PUBLIC(master.params_id);
    failed |= bad(sm_ibe_keygen(&wild, &params, &master, &from, true, &rng), "keygen");
    failed |= bad(sm_ibe_delegate(&key, &params, &wild, &to, true, &rng), "delegate");
    return failed;
}

static int secrets(void)
{
    uint8_t ct[SM_IBE_CIPHERTEXT(2) + SM_IBE_CCA_EXTRA], sent[32], got[32];
    uint8_t sig[SM_IBE_SIGNATURE_SIZE];
    struct sm_ibe_pattern q = pattern("*bc"), as = pattern("abc");
    struct sm_ibe_target target;
    int failed = bad(sm_ibe_target_init(&target, &params, &q), "target");
    int n = sm_ibe_encaps(sent, ct, sizeof ct, &params, &target, &rng);
    PUBLIC(ct);
    failed |= bad(n, "encaps");
    failed |= bad(sm_ibe_decaps(got, &params, &key, &q, ct, (size_t)n), "decaps");
    bool same = sm_ct_equal(sent, got, sizeof got);
    n = sm_ibe_encaps_cca(sent, ct, sizeof ct, &params, &target, &rng);
    PUBLIC(ct);
    failed |= bad(sm_ibe_decaps_cca(got, &params, &wild, &q, ct, (size_t)n), "cca");
    same &= sm_ct_equal(sent, got, sizeof got);
    PUBLIC(same);
    failed |= bad(sm_ibe_sign(sig, &params, &key, &as, "m", 1, &rng), "sign");
    PUBLIC(sig);
    failed |= bad(sm_ibe_verify(&params, &as, "m", 1, sig), "verify");
    return failed | !same;
}

/* Keys from outside are secret but for what they say of themselves and a1. */
static int decode(void)
{
    uint8_t bytes[SM_IBE_KEY_MAX];
    static struct sm_ibe_master master_again;
    static struct sm_ibe_key again;
    int n = sm_ibe_key_encode(&wild, bytes, sizeof bytes);
    size_t points = SM_IBE_G1_SIZE * (2 + sm_ibe_pattern_wilds(&wild.pattern));
    if (n < 0)
        return bad(n, "encode");
    VALGRIND_MAKE_MEM_DEFINED(bytes, (size_t)n - points);
    int results[3] = {sm_ibe_key_decode(&again, &params, bytes, (size_t)n)};
    results[1] = sm_ibe_master_encode(&master, bytes, sizeof bytes);
    results[2] = sm_ibe_master_decode(&master_again, &params, bytes, SM_IBE_MASTER_SIZE);
    PUBLIC(results);
    return bad(results[0], "key") | bad(results[1], "encode") | bad(results[2], "master");
}

static int session(void)
{
    static const struct sm_ibe_key *const keys_of[] = {&key};
    struct sm_ibe_sender sender;
    struct sm_ibe_receiver receiver = {0};
    struct sm_ibe_pattern q = pattern("ab*");
    uint8_t header[512], sealed[64], text[8];
    int n = sm_ibe_sender_open(&sender, header, sizeof header, &params, &q, 1, &rng);
    PUBLIC(header);
    PUBLIC(sender.session.id);
    int failed = bad(n, "open");
    failed |= bad(sm_ibe_receiver_open(&receiver, &params, keys_of, 1, header, (size_t)n), "take");
    PUBLIC(receiver.received[0].session.id);
    n = sm_ibe_seal(&sender, sealed, sizeof sealed, NULL, 0, "21.5", 4);
    PUBLIC(sealed);
    failed |= bad(sm_ibe_open(&receiver, text, sizeof text, NULL, 0, sealed, (size_t)n), "message");
    return failed;
}

int main(int argc, char **argv)
{
    (void)argv;
    int failed = keys();
    if (argc > 1 && (master.msk.bytes[95] & 1))
        puts("odd");
    failed |= secrets();
    failed |= decode();
    failed |= session();
    if (failed || VALGRIND_COUNT_ERRORS)
        return 1;
    return RUNNING_ON_VALGRIND ? 0 : 2;
}
