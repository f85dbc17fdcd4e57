/* Firmware: wildcard encryption on the microcontroller itself gives the bytes that it gives
 * everywhere, on the stack that its header allows.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <sandmote/wkdibe.h>
#include <string.h>
#include "../wkdibe/digest.h"
#include "board.h"

int sm_board_main(void)
{
    uint8_t digest[SM_SHA256_SIZE];
    int status = ibe_digest(digest) || memcmp(digest, ibe_digest_expected, sizeof digest) != 0;
    sm_board_print(status ? "FAIL  another digest\n"
                          : "ok    the digest of keys, ciphertexts and signatures\n");
    sm_board_print("stack used by all of that: ");
    sm_board_print_u32(sm_board_stack_used());
    sm_board_print(" bytes\n");
    return status || sm_board_stack_used() > SM_IBE_STACK + 2048;
}
