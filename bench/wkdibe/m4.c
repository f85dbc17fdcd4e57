/* Each operation on the emulated Cortex-M4: instructions, and bytes of stack below the caller.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "board.h"
#include <stddef.h>
#include "operations.h"

enum { PAINTED = 24 * 1024, PAINT = 0xa5 };

/* How far fn went below this frame. Painting starts a little lower, where only fn gets. */
static uint32_t stack_of(void (*fn)(void *ctx))
{
    volatile uint8_t *top = (volatile uint8_t *)__builtin_frame_address(0) - 64;
    for (uint32_t i = 0; i < PAINTED; i++)
        top[-(int)i] = PAINT;
    fn(NULL);
    for (uint32_t i = PAINTED; i > 0; i--)
        if (top[-(int)(i - 1)] != PAINT)
            return i + 64;
    return 0;
}

static void count(const struct operation *o)
{
    for (; o->name; o++) {
        sm_board_print_u32(sm_board_count(o->run, NULL));
        sm_board_print(" ");
        sm_board_print_u32(stack_of(o->run));
        sm_board_print(" ");
        sm_board_print(o->name);
        sm_board_print("\n");
    }
}

int sm_board_main(void)
{
    prepare();
    scheme_prepare();
    count(operations);
    count(scheme_operations);
    return 0;
}
