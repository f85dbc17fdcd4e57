/* Start-up and devices of QEMU's mps2-an386 (Arm MPS2 with the Cortex-M4 image, CMSDK devices).
 *
 * Owns the vector table, the memory set-up before sm_board_main(), UART0, SysTick, the watchdog and
 * the way out. File-scope state is what hardware forces on it: interrupt handlers take no
 * arguments.
 *
 * The watchdog's first turn is a non-maskable interrupt, which notes who resets the board and does
 * it; were that not to come through, the second turn resets it all the same, with no note.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "board.h"
#include <stdbool.h>
#include <string.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))

/* Armv7-M system control space */
#define SYST_CSR REGISTER(0xe000e010)
#define SYST_RVR REGISTER(0xe000e014)
#define SYST_CVR REGISTER(0xe000e018)
#define CPACR    REGISTER(0xe000ed88)
#define AIRCR    REGISTER(0xe000ed0c)
#define RESET    0x05fa0004u
#define CSR_ON   5u /* enabled, processor clock */
#define CSR_IRQ  2u

/* CMSDK UART */
#define UART0_DATA    REGISTER(0x40004000)
#define UART0_STATE   REGISTER(0x40004004)
#define UART0_CTRL    REGISTER(0x40004008)
#define UART0_BAUDDIV REGISTER(0x40004010)

#define UART1_DATA    REGISTER(0x40005000)
#define UART1_STATE   REGISTER(0x40005004)
#define UART1_CTRL    REGISTER(0x40005008)
#define UART1_BAUDDIV REGISTER(0x40005010)
#define UART_FULL     1u /* to be sent */
#define UART_THERE    2u /* received */

/* CMSDK watchdog */
#define WDOG_LOAD    REGISTER(0x40008000)
#define WDOG_CONTROL REGISTER(0x40008008)
#define WDOG_LOCK    REGISTER(0x40008c00)
#define WDOG_KEY     0x1acce551u
#define WDOG_ON      3u /* interrupt, then reset */

#define CLOCK_MHZ   25u /* SysTick, watchdog */
#define TURN        0x1000000u
#define STACK_PAINT 0xa5a5a5a5u

extern uint32_t sm_board_stack_low[], sm_board_stack_top[];
extern uint8_t sm_board_data_start[], sm_board_data_end[], sm_board_data_load[];
extern uint8_t sm_board_bss_start[], sm_board_bss_end[];

static struct {
    void (*fn)(void *ctx);
    void *ctx;
} tick;

#define BITTEN 0xb177e4edu
static struct {
    uint32_t bitten; /* BITTEN: the watchdog makes the reset that comes */
    volatile uint32_t called;
} kept __attribute__((section(".noinit")));

_Noreturn void sm_board_exit(int status)
{
    /* ADP_Stopped_ApplicationExit with the status, by the call SYS_EXIT_EXTENDED */
    const uint32_t block[2] = {0x20026, (uint32_t)status};
    register uint32_t call __asm__("r0") = 0x20;
    register const uint32_t *argument __asm__("r1") = block;
    __asm__ volatile("bkpt 0xab" : "+r"(call) : "r"(argument) : "memory");
    for (;;)
        ;
}

void sm_board_write(const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        while (UART0_STATE & 1)
            ;
        UART0_DATA = (uint8_t)bytes[i];
    }
}

void sm_board_print(const char *text)
{
    sm_board_write(text, strlen(text));
}

void sm_board_print_u32(uint32_t value)
{
    char digits[10];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    sm_board_write(digits + at, sizeof digits - at);
}

void sm_board_print_i32(int32_t value)
{
    if (value < 0)
        sm_board_print("-");
    sm_board_print_u32(value < 0 ? 0u - (uint32_t)value : (uint32_t)value);
}

void sm_board_line_start(void)
{
    UART1_BAUDDIV = 16;
    UART1_CTRL = 3; /* both ways */
}

void sm_board_line_write(const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        while (UART1_STATE & UART_FULL)
            ;
        UART1_DATA = bytes[i];
    }
}

bool sm_board_line_read(uint8_t *octet)
{
    if (!(UART1_STATE & UART_THERE))
        return false;
    *octet = (uint8_t)UART1_DATA;
    return true;
}

void sm_board_tick(void (*fn)(void *ctx), void *ctx, uint32_t period_us)
{
    SYST_CSR = 0;
    tick.fn = fn;
    tick.ctx = ctx;
    if (!fn)
        return;
    SYST_RVR = period_us * CLOCK_MHZ - 1;
    SYST_CVR = 0;
    SYST_CSR = CSR_ON | CSR_IRQ;
}

static void on_systick(void)
{
    if (tick.fn)
        tick.fn(tick.ctx);
}

void sm_board_watchdog(uint32_t period_us)
{
    WDOG_LOCK = WDOG_KEY;
    WDOG_CONTROL = 0;
    if (period_us) {
        WDOG_LOAD = period_us * CLOCK_MHZ;
        WDOG_CONTROL = WDOG_ON;
    }
    WDOG_LOCK = 0;
}

volatile uint32_t *sm_board_called(void)
{
    return &kept.called;
}

_Noreturn void sm_board_restart(void)
{
    __asm__ volatile("dsb" : : : "memory");
    AIRCR = RESET;
    __asm__ volatile("dsb" : : : "memory");
    for (;;)
        ;
}

static _Noreturn void on_watchdog(void)
{
    kept.bitten = BITTEN;
    sm_board_restart();
}

static void count_turn(void *ctx)
{
    volatile uint32_t *turns = ctx;
    ++*turns;
}

/* SysTick has 24 bits and counts down; its interrupt, a few instructions in 16 million, counts how
 * often it went round. */
static uint64_t ticks_of(void (*fn)(void *ctx), void *ctx)
{
    volatile uint32_t turns = 0;
    uint32_t before, ticks;
    tick.fn = count_turn;
    tick.ctx = (void *)&turns;
    SYST_RVR = TURN - 1;
    SYST_CVR = 0;
    SYST_CSR = CSR_ON | CSR_IRQ;
    uint32_t start = SYST_CVR;
    fn(ctx);
    do { /* both from the same turn */
        before = turns;
        ticks = SYST_CVR;
    } while (before != turns);
    SYST_CSR = 0;
    tick.fn = NULL;
    return (uint64_t)before * TURN + start - ticks;
}

static void nothing(void *ctx)
{
    (void)ctx;
}

uint32_t sm_board_count(void (*fn)(void *ctx), void *ctx)
{
    uint64_t ticks = ticks_of(fn, ctx), empty = ticks_of(nothing, NULL);
    return (uint32_t)((ticks - empty) * 40 / 32);
}

struct alarm {
    void (*fn)(void *ctx);
    void *ctx;
    volatile bool rung;
};

/* Goes off once, then the timer measures what comes after. */
static void on_alarm(void *ctx)
{
    struct alarm *alarm = ctx;
    tick.fn = NULL;
    alarm->fn(alarm->ctx);
    alarm->rung = true;
    SYST_RVR = TURN - 1;
    SYST_CVR = 0;
    SYST_CSR = CSR_ON;
}

uint32_t sm_board_count_after(void (*fn)(void *ctx), void (*alarm)(void *ctx), void *ctx,
                              uint32_t delay)
{
    struct alarm set = {alarm, ctx, false};
    tick.fn = on_alarm;
    tick.ctx = &set;
    SYST_RVR = (uint32_t)((uint64_t)delay * 32 / 40);
    SYST_CVR = 0;
    SYST_CSR = CSR_ON | CSR_IRQ;
    fn(ctx);
    uint32_t left = SYST_CVR;
    SYST_CSR = 0;
    tick.fn = NULL;
    return set.rung ? (uint32_t)((uint64_t)(TURN - 1 - left) * 40 / 32) : 0;
}

uint32_t sm_board_stack_used(void)
{
    const uint32_t *low = sm_board_stack_low;
    while (low < sm_board_stack_top && *low == STACK_PAINT)
        low++;
    return (uint32_t)((sm_board_stack_top - low) * sizeof *low);
}

/* Paints what is below the stack pointer; word by word itself, as a call would overwrite the frame
 * that it returns to. */
static void paint_stack(void)
{
    uint32_t *sp;
    __asm__ volatile("mov %0, sp" : "=r"(sp));
    for (volatile uint32_t *p = sm_board_stack_low; p < sp; p++)
        *p = STACK_PAINT;
}

_Noreturn void sm_board_reset(void)
{
    paint_stack();
    if (kept.bitten != BITTEN)
        kept.called = 0;
    kept.bitten = 0;
    CPACR |= 0xfu << 20; /* full access to the FPU */
    __asm__ volatile("dsb\n\tisb" : : : "memory");
    memcpy(sm_board_data_start, sm_board_data_load,
           (size_t)(sm_board_data_end - sm_board_data_start));
    memset(sm_board_bss_start, 0, (size_t)(sm_board_bss_end - sm_board_bss_start));
    UART0_BAUDDIV = 16;
    UART0_CTRL = 1;
    sm_board_exit(sm_board_main());
}

static _Noreturn void on_fault(void)
{
    sm_board_print("fault: the processor stopped the program\n");
    sm_board_exit(70);
}

/* The stack pointer, reset, and the Armv7-M exceptions up to SysTick. */
__attribute__((section(".vectors"), used)) static const void *const vectors[16] = {
    sm_board_stack_top, sm_board_reset, on_watchdog, /* NMI */
    on_fault,                                        /* HardFault */
    on_fault,                                        /* MemManage */
    on_fault,                                        /* BusFault */
    on_fault,                                        /* UsageFault */
    [11] = on_fault,                                 /* SVCall */
    [12] = on_fault,                                 /* debug monitor */
    [14] = on_fault,                                 /* PendSV */
    [15] = on_systick,
};
