/* Links every device library whole, so that nothing in them can need an operating system: what the
 * linker does not find is an error. Running it proves only that so much fits and starts.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "board.h"

int sm_board_main(void)
{
    sm_board_print("everything is linked\n");
    return 0;
}
