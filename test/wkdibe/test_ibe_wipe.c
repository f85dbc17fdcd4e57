/* What operations leave below their caller's frame: nothing of keys, random numbers or what is
 * shared.
 *
 * Secrets are looked for as they are and in the form that the arithmetic has them in. Sanitizers
 * lay the stack out as they like, so it is not built with them.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "ibe_world.h"
#include <sandmote/wkdibe_session.h>
#include "bls12_381.h"

#define DEPTH 49152u
#define PIECE 16u

static struct world world;
static struct sm_ibe_key wild, key;
static struct sm_ibe_target target;
static struct sm_ibe_pattern to, as;
static uint8_t ct[SM_IBE_CIPHERTEXT(2) + SM_IBE_CCA_EXTRA], secret[32], sig[144], header[512];
static struct sm_ibe_sender sender;
static struct sm_ibe_receiver receiver;
static int header_len;

static int setup(void **state)
{
    (void)state;
    world_init(&world, 3);
    to = pattern("*bc");
    as = pattern("abc");
    keygen(&world, &wild, "a**", true);
    assert_int_equal(sm_ibe_target_init(&target, &world.params, &to), 0);
    return 0;
}

/* Whether a piece of a secret lies in the memory below this frame. */
__attribute__((noinline)) static bool below(const void *needle, size_t len)
{
    const volatile uint8_t *top = __builtin_frame_address(0);
    for (size_t from = 0; from + PIECE <= len; from += PIECE)
        for (const volatile uint8_t *at = top - DEPTH; at < top - PIECE; at++) {
            size_t n = 0;
            while (n < PIECE && at[n] == ((const uint8_t *)needle)[from + n])
                n++;
            if (n == PIECE)
                return true;
        }
    return false;
}

/* Zeros, so that what earlier operations left is not found. It calls nothing, so that below its few
 * words the stack is free. */
__attribute__((noinline)) static void clean(void)
{
    volatile uint8_t *top = __builtin_frame_address(0);
    for (volatile uint8_t *at = top - DEPTH; at < top - 256; at++)
        *at = 0;
}

static void expect_nothing_of_bytes(const void *bytes, size_t len, const char *what)
{
    if (below(bytes, len))
        fail_msg("%s lies on the stack", what);
}

typedef int operation(void);

/* The pieces of points in the arithmetic's form, made before, so that making them leaves no trace.
 */
static struct sm_bls_g1 needles[8];
static unsigned nneedles;

static void needle(const struct sm_ibe_g1 *p)
{
    sm_bls_g1_load(&needles[nneedles++], p->bytes);
}

static void expect_clean(operation *run, const char *what)
{
    clean();
    int result = run();
    assert_true(result >= 0);
    for (unsigned i = 0; i < nneedles; i++)
        if (below(&needles[i].x, sizeof needles[i].x) || below(&needles[i].y, sizeof needles[i].y))
            fail_msg("%s leaves point %u on the stack", what, i);
    expect_nothing_of_bytes(secret, sizeof secret, what);
    expect_nothing_of_bytes(world.rng.secret, sizeof world.rng.secret, what);
}

__attribute__((noinline)) static int do_nothing_well(void)
{
    struct sm_bls_g1 p[8];
    sm_bls_g1_load(&p[0], wild.a0.bytes);
    __asm__ volatile("" : : "r"(p) : "memory");
    return 0;
}

static int do_keygen(void)
{
    return sm_ibe_keygen(&key, &world.params, &world.master, &as, true, &world.rng);
}
static int do_delegate(void)
{
    return sm_ibe_delegate(&key, &world.params, &wild, &as, true, &world.rng);
}
static int do_encaps(void)
{
    return sm_ibe_encaps(secret, ct, sizeof ct, &world.params, &target, &world.rng);
}
static int do_decaps(void)
{
    return sm_ibe_decaps(secret, &world.params, &wild, &to, ct, SM_IBE_CIPHERTEXT(1));
}
static int do_encaps_cca(void)
{
    return sm_ibe_encaps_cca(secret, ct, sizeof ct, &world.params, &target, &world.rng);
}
static int do_decaps_cca(void)
{
    return sm_ibe_decaps_cca(secret, &world.params, &wild, &to, ct, SM_IBE_CIPHERTEXT(1) + 32);
}
static int do_sign(void)
{
    return sm_ibe_sign(sig, &world.params, &wild, &as, "m", 1, &world.rng);
}
static int do_encode(void)
{
    static uint8_t bytes[SM_IBE_KEY_MAX];
    return sm_ibe_key_encode(&wild, bytes, sizeof bytes);
}
static int do_send(void)
{
    header_len =
        sm_ibe_sender_open(&sender, header, sizeof header, &world.params, &to, 1, &world.rng);
    return header_len;
}
static int do_receive(void)
{
    static const struct sm_ibe_key *const keys[] = {&wild};
    memset(&receiver, 0, sizeof receiver);
    return sm_ibe_receiver_open(&receiver, &world.params, keys, 1, header, (size_t)header_len);
}

static void what_is_not_wiped_is_found(void **state)
{
    (void)state;
    nneedles = 0;
    needle(&wild.a0);
    clean();
    assert_int_equal(do_nothing_well(), 0);
    assert_true(below(&needles[0].x, sizeof needles[0].x));
    clean();
    assert_false(below(&needles[0].x, sizeof needles[0].x));
}

static void operations_leave_nothing_of_keys_or_secrets(void **state)
{
    (void)state;
    nneedles = 0;
    memset(secret, 0x77, sizeof secret);
    needle(&world.master.msk);
    needle(&wild.a0);
    needle(&wild.b[1]);
    needle(&wild.b[2]);
    needle(&wild.bs);
    expect_clean(do_keygen, "keygen");
    expect_clean(do_delegate, "delegate");
    expect_clean(do_encaps, "encaps");
    expect_clean(do_decaps, "decaps");
    expect_clean(do_encaps_cca, "encaps_cca");
    expect_clean(do_decaps_cca, "decaps_cca");
    expect_clean(do_sign, "sign");
    expect_clean(do_encode, "key_encode");
    memset(secret, 0x77, sizeof secret);
    expect_clean(do_send, "sender_open");
    expect_nothing_of_bytes(sender.session.key, 32, "the session's key");
    expect_clean(do_receive, "receiver_open");
    expect_nothing_of_bytes(receiver.received[0].session.key, 32, "the session's key");
    assert_memory_equal(receiver.received[0].session.key, sender.session.key, 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_wiped_is_found),
        cmocka_unit_test(operations_leave_nothing_of_keys_or_secrets),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
