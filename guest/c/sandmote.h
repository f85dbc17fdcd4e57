/* What a module author includes: the host interface for C on wasm32, sensors (sandmote_sensor.h)
 * among it.
 *
 * Headers, no library: every import names its module and field itself, so a source file that
 * includes this builds with any clang that knows wasm32 (sandmote.cmake has the flags). An import
 * that is never called is not in the module.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_GUEST_H
#define SANDMOTE_GUEST_H

#include <stddef.h>
#include <stdint.h>

#define SM_IMPORT(module, name) __attribute__((import_module(module), import_name(name)))
#define SM_EXPORT(name)         __attribute__((export_name(name)))

/* ---- Module "sandmote" ----------------------------------------------------------------------- */

/* Write one line to the device's log: printable ASCII without an end of line, of which 160 bytes
 * are kept. Lines that come too fast are dropped and counted. Capability "log". */
SM_IMPORT("sandmote", "log") void sm_log(const char *text, uint32_t len);

/* Milliseconds since this instance of the module was made; never goes back. No capability. */
SM_IMPORT("sandmote", "uptime_ms") int64_t sm_uptime_ms(void);

#ifndef __wasi__
/* ---- What clang calls by itself, where there is no C library; left out when it does not -------
 */

__attribute__((weak)) void *memset(void *to, int c, size_t n)
{
    for (unsigned char *p = to; n; n--)
        *p++ = (unsigned char)c;
    return to;
}

__attribute__((weak)) void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
    const unsigned char *q = from;

    for (unsigned char *p = to; n; n--)
        *p++ = *q++;
    return to;
}
#endif

/* ---- Lines: text put together without a C library -------------------------------------------- */

#define SM_LINE_MAX 96u

/* Kept out of line: inlined at each use they would be a good part of a small module. */
#define SM_OUT_OF_LINE static inline __attribute__((noinline))

/* What does not fit is cut off. Start with sm_line_begin(). */
struct sm_line {
    uint32_t len;
    char text[SM_LINE_MAX];
};

static inline void sm_line_begin(struct sm_line *line)
{
    line->len = 0;
}

SM_OUT_OF_LINE void sm_line_char(struct sm_line *line, char c)
{
    if (line->len < SM_LINE_MAX)
        line->text[line->len++] = c;
}

SM_OUT_OF_LINE void sm_line_text(struct sm_line *line, const char *text)
{
    while (*text)
        sm_line_char(line, *text++);
}

SM_OUT_OF_LINE void sm_line_uint(struct sm_line *line, uint32_t value)
{
    char digits[10];
    uint32_t n = 0;

    do {
        digits[n++] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    while (n)
        sm_line_char(line, digits[--n]);
}

static inline void sm_line_int(struct sm_line *line, int32_t value)
{
    if (value < 0)
        sm_line_char(line, '-');
    sm_line_uint(line, value < 0 ? 0u - (uint32_t)value : (uint32_t)value);
}

/* Thousandths with one decimal place, cut towards zero: 21560 becomes 21.5. */
static inline void sm_line_milli(struct sm_line *line, int32_t value)
{
    uint32_t size = value < 0 ? 0u - (uint32_t)value : (uint32_t)value;

    if (value < 0)
        sm_line_char(line, '-');
    sm_line_uint(line, size / 1000);
    sm_line_char(line, '.');
    sm_line_char(line, (char)('0' + size / 100 % 10));
}

static inline void sm_line_log(const struct sm_line *line)
{
    sm_log(line->text, line->len);
}

#include "sandmote_sensor.h"

#endif
