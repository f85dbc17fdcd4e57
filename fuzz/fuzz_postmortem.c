/* Fuzz target: post-mortems. What decodes stays inside its bytes, and encodes to what decodes to
 * the same again.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <sandmote/postmortem.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct sm_postmortem pm, again;
    uint8_t bytes[SM_POSTMORTEM_MAX];

    if (sm_postmortem_decode(&pm, data, len) != 0)
        return 0;
    uint32_t n = sm_postmortem_encode(&pm, bytes);
    if (n != len || memcmp(bytes, data, n) != 0 || sm_postmortem_decode(&again, bytes, n) != 0)
        abort();
    return 0;
}
