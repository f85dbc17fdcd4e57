/* Log lines. SPDX-License-Identifier: Apache-2.0 */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 2048

int64_t sm_time_now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void sm_time_text(int64_t ms, char out[SM_TIME_TEXT])
{
    time_t s = (time_t)(ms / 1000);
    struct tm tm;
    char day[24] = "1970-01-01T00:00:00";
    if (gmtime_r(&s, &tm))
        strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out, SM_TIME_TEXT, "%s.%03dZ", day, (int)(ms % 1000));
}

void sm_log(enum sm_log_level level, const char *format, ...)
{
    static const char *const names[] = {"info ", "warn ", "error"};
    char line[LINE_MAX_BYTES], when[SM_TIME_TEXT];
    sm_time_text(sm_time_now_ms(), when);
    int head = snprintf(line, sizeof line, "%s %s ", when, names[level]);
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line + head, sizeof line - (size_t)head, format, args);
    va_end(args);
    size_t len = (size_t)head + (size_t)(n < 0 ? 0 : n);
    if (len > sizeof line - 2)
        len = sizeof line - 2;
    for (size_t i = (size_t)head; i < len; i++)
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
            line[i] = '?';
    line[len] = '\n';
    /* One write a line: lines of several processes in one file do not mix. */
    if (write(STDERR_FILENO, line, len + 1) < 0)
        return; /* nowhere left to complain */
}
