/* A POSIX timer on CLOCK_THREAD_CPUTIME_ID. While no module runs it is off, so an idle daemon is
 * not woken. The handler touches nothing but the counter. It has a stack of its own (SA_ONSTACK)
 * because native code's has no room for it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "epoch.h"

#include <signal.h>
#include <string.h>
#include <time.h>
#include <sandmote/error.h>

volatile uint32_t epoch_count;

static timer_t timer;
static struct itimerspec every;

static void count(int sig)
{
    int missed = timer_getoverrun(timer);
    (void)sig;
    epoch_count += 1 + (missed > 0 ? (uint32_t)missed : 0);
}

int epoch_init(uint32_t tick_ms)
{
    struct sigaction act = {.sa_handler = count, .sa_flags = SA_RESTART | SA_ONSTACK};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGVTALRM};
    sigemptyset(&act.sa_mask);
    every.it_interval.tv_sec = tick_ms / 1000;
    every.it_interval.tv_nsec = (long)(tick_ms % 1000) * 1000000;
    every.it_value = every.it_interval;
    if (sigaction(SIGVTALRM, &act, NULL) < 0 ||
        timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &timer) < 0)
        return SM_ERR_IO;
    return 0;
}

void epoch_run(void)
{
    timer_settime(timer, 0, &every, NULL);
}

void epoch_pause(void)
{
    static const struct itimerspec off;
    timer_settime(timer, 0, &off, NULL);
}
