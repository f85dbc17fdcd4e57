/* Counting on the emulated Cortex-M4: the board's timer. SPDX-License-Identifier: Apache-2.0 */
#include "board.h"
#include "port.h"

const uint32_t port_moments = 48;

uint32_t port_count(void (*fn)(void *ctx), void *ctx)
{
    return sm_board_count(fn, ctx);
}

uint32_t port_count_after(void (*fn)(void *ctx), void (*alarm)(void *ctx), void *ctx,
                          uint32_t delay)
{
    return sm_board_count_after(fn, alarm, ctx, delay);
}

void port_print(const char *text)
{
    sm_board_print(text);
}

void port_print_u32(uint32_t value)
{
    sm_board_print_u32(value);
}

int sm_board_main(void)
{
    return bench_main();
}
