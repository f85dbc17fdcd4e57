/* SPDX-License-Identifier: Apache-2.0 */
#include "ibe_world.h"
#include "digest.h"

static void the_scheme_s_bytes_are_the_same_on_every_machine(void **state)
{
    (void)state;
    uint8_t digest[SM_SHA256_SIZE];
    assert_int_equal(ibe_digest(digest), 0);
    assert_memory_equal(digest, ibe_digest_expected, sizeof digest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_scheme_s_bytes_are_the_same_on_every_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
