/* Firmware: what the watchdog leaves of the word in which a device notes whom it calls.
 *
 * It starts four times: from power on, after the watchdog bit while somebody was called, after a
 * reset that the firmware asked for, and after a bite while nobody was. How far it is stands in the
 * board's PSRAM, which resets leave as it is. The exit status is 0 when all held.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "board.h"

enum { PERIOD_US = 2000, FEEDS = 5 };

#define STARTS   (*(volatile uint32_t *)0x21000000)
#define SOMEBODY 0xca110005u

static void expect(uint32_t word, const char *what)
{
    if (*sm_board_called() != word) {
        sm_board_print("FAIL  ");
        sm_board_print(what);
        sm_board_print("\n");
        sm_board_exit(1);
    }
    sm_board_print("ok    ");
    sm_board_print(what);
    sm_board_print("\n");
}

/* Longer than a period in all, and never in one piece. */
static void feed(void)
{
    for (unsigned i = 0; i < FEEDS; i++) {
        sm_board_watchdog(PERIOD_US);
        for (volatile uint32_t k = 0; k < 5000; k++)
            ;
    }
}

static _Noreturn void hang(uint32_t whom)
{
    *sm_board_called() = whom;
    feed();
    for (;;)
        ;
}

int sm_board_main(void)
{
    switch (++STARTS) {
    case 1: expect(0, "nobody is to blame after power on"); hang(SOMEBODY);
    case 2: expect(SOMEBODY, "whom the watchdog found hanging is known"); sm_board_restart();
    case 3: expect(0, "another reset blames nobody"); hang(0);
    case 4: expect(0, "nor does a watchdog that found nobody"); return 0;
    default: return 1;
    }
}
