/* Comparing with and wiping of secrets, for both libraries. Verification has none: these are for
 * keys and authentication codes.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <sandmote/crypto.h>
#include <string.h>

bool sm_ct_equal(const void *a, const void *b, size_t len)
{
    const uint8_t *x = a, *y = b;
    uint32_t differ = 0;
    for (size_t i = 0; i < len; i++) {
        differ |= (uint32_t)(x[i] ^ y[i]);
        __asm__ volatile("" : "+r"(differ)); /* keeps the compiler from leaving the loop early */
    }
    return differ == 0;
}

void sm_wipe(void *p, size_t len)
{
    if (len == 0) /* p may be NULL */
        return;
    memset(p, 0, len);
    __asm__ volatile("" : : "r"(p) : "memory"); /* the zeros count as read */
}
