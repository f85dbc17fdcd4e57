/* The emulated board: text out on UART0, an exit status, a tick, a watchdog, counts.
 *
 * One program runs on it, from sm_board_main() to sm_board_exit(); the state behind these functions
 * is the board's registers and one tick counter.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_BOARD_H
#define SM_BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The program: called once with the FPU on, data and bss set up, interrupts enabled and the tick
 * stopped. Its result is the exit status. */
int sm_board_main(void);

/* Ends the emulation with a status (semihosting). */
_Noreturn void sm_board_exit(int status);

/* Text on UART0, as it is and at once. */
void sm_board_write(const char *bytes, size_t len);
void sm_board_print(const char *text);
void sm_board_print_u32(uint32_t value);
void sm_board_print_i32(int32_t value);

/* A second line, on UART1: octets out as they are and at once; the next octet that came, or false.
 */
void sm_board_line_start(void);
void sm_board_line_write(const uint8_t *bytes, size_t len);
bool sm_board_line_read(uint8_t *octet);

/* Calls fn(ctx) from the SysTick interrupt each period_us microseconds, 1 to 500000, from now on;
 * a NULL fn stops it. */
void sm_board_tick(void (*fn)(void *ctx), void *ctx, uint32_t period_us);

/* Starts the watchdog, or feeds it: unless this is called again within period_us microseconds, at
 * most 170 seconds, the board is reset. 0 stops it. */
void sm_board_watchdog(uint32_t period_us);

/* A word for sm_device_cfg.called: what it holds outlives a reset by the watchdog; after any other
 * start it is 0. */
volatile uint32_t *sm_board_called(void);

/* Resets the processor. RAM keeps what it holds until a start sets it up. */
_Noreturn void sm_board_restart(void);

/* Instructions that fn(ctx) executes. A count only under `-icount shift=5` (32 ns an instruction);
 * otherwise host time in units of 32 ns. Uses the tick's timer, which must be
 * stopped. */
uint32_t sm_board_count(void (*fn)(void *ctx), void *ctx);

/* Calls alarm(ctx) from the interrupt once fn(ctx) has executed about `delay` instructions, at most
 * 20 million: the instructions from there to the end of fn, or 0 when fn ended before. Counts as
 * sm_board_count() does, up to 20 million. */
uint32_t sm_board_count_after(void (*fn)(void *ctx), void (*alarm)(void *ctx), void *ctx,
                              uint32_t delay);

/* Bytes of stack that were used at the deepest moment since reset. */
uint32_t sm_board_stack_used(void);

#endif
