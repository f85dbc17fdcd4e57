/* A watchdog over the process, and whom it found hanging: for services of systemd, or of whatever
 * else sets NOTIFY_SOCKET and WATCHDOG_USEC and ends what does not answer with SIGABRT.
 *
 * The process tells at least twice in WATCHDOG_USEC microseconds that it is alive. When SIGABRT
 * comes, from outside or by abort(), a handler writes to a file whom the device was calling; the
 * next process finds it there. Nothing is written while all is well, and no other end leaves
 * anything: a process that is killed, or a power cut, blames nobody.
 *
 * One a process: the handler has to find it. SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_POSIX_WATCHDOG_H
#define SM_POSIX_WATCHDOG_H

#include <stdint.h>
#include <sandmote/error.h>

struct sm_watchdog {
    volatile uint32_t called; /* for sm_device_cfg.called: what the last process left, or 0 */

    /* Private. */
    int file, socket;
    uint32_t every_ms; /* 0: nobody waits for signs of life */
    uint64_t due_ms;
};

/* path: the file, which is made when it is needed. *w stays where it is until it is closed.
 *
 * 0, or SM_ERR_IO (the file cannot be read and written; nothing is held). */
int sm_watchdog_open(struct sm_watchdog *w, const char *path);

/* What the last process left is on record, and is forgotten. */
void sm_watchdog_forget(struct sm_watchdog *w);

/* All is well: first that the process has started, then, when it is time to, that it is alive. The
 * milliseconds after which this wants to be called again at the latest; UINT32_MAX: never. */
uint32_t sm_watchdog_feed(struct sm_watchdog *w, uint64_t now_ms);

void sm_watchdog_close(struct sm_watchdog *w);

#endif
