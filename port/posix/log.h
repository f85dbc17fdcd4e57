/* Log lines of the daemon and the server: one event a line on stderr.
 *
 *   2026-03-01T12:00:00.123Z info  text
 *
 * Control characters are replaced, so that what a stranger sent cannot forge a line.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_POSIX_LOG_H
#define SM_POSIX_LOG_H

#include <stddef.h>
#include <stdint.h>

enum sm_log_level { SM_LOG_INFO, SM_LOG_WARN, SM_LOG_ERROR };

void sm_log(enum sm_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A moment (milliseconds since 1970) as "2026-03-01T12:00:00.123Z". */
#define SM_TIME_TEXT 32u
void sm_time_text(int64_t ms, char out[SM_TIME_TEXT]);

/* Milliseconds since 1970 by the system's clock. */
int64_t sm_time_now_ms(void);

#endif
