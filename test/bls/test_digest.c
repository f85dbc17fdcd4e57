/* SPDX-License-Identifier: Apache-2.0 */
#include "common.h"
#include "digest.h"

static void everything_is_the_same_on_every_machine(void **state)
{
    (void)state;
    uint8_t digest[SM_SHA256_SIZE];
    bls_digest(digest);
    assert_memory_equal(digest, bls_digest_expected, sizeof digest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_the_same_on_every_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
