/* The epoch of a host: counts the processor time that modules take, so that a busy machine does not
 * interrupt a module that had no chance to run.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTED_EPOCH_H
#define SANDMOTED_EPOCH_H

#include <stdint.h>

/* Advanced by a signal of this thread's processor-time timer, while it runs. */
extern volatile uint32_t epoch_count;

/* Make the timer for the calling thread: it counts up every tick_ms. 0 or SM_ERR_IO. */
int epoch_init(uint32_t tick_ms);

/* Count from here, and stop: around every call that may run a module. */
void epoch_run(void);
void epoch_pause(void);

#endif
