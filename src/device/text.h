/* One-line texts in fixed room, without the C library's printf.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_DEVICE_TEXT_H
#define SANDMOTE_DEVICE_TEXT_H

#include <stdarg.h>
#include <stddef.h>

/* Conversions: %s, %u, %x (with 0x before it), %llu, and %.*s. What is not printable ASCII becomes
 * '?', what does not fit is cut off; room ends with a zero. size is at least 1. */
void sm_text(char *room, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void sm_text_args(char *room, size_t size, const char *format, va_list args);

#endif
