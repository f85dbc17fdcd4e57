/* Firmware: BLS12-381 on the microcontroller itself gives the bytes that it gives everywhere.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "../bls/digest.h"
#include "board.h"
#include "bls12_381.h"

int sm_board_main(void)
{
    uint8_t digest[SM_SHA256_SIZE];
    bls_digest(digest);
    int status = memcmp(digest, bls_digest_expected, sizeof digest) != 0;
    sm_board_print(status ? "FAIL  another digest\n"
                          : "ok    the digest of pairings, points and powers\n");
    sm_board_print("stack used by all of that: ");
    sm_board_print_u32(sm_board_stack_used());
    sm_board_print(" bytes\n");
    return status || sm_board_stack_used() > SM_BLS_STACK + 4096;
}
