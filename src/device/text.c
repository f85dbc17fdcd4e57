/* Building one-line texts. SPDX-License-Identifier: Apache-2.0 */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include "text.h"

struct out {
    char *at;
    size_t left; /* the terminating zero included */
};

static void bytes(struct out *o, const char *p, size_t len)
{
    for (; len > 0 && o->left > 1; len--, p++, o->left--)
        *o->at++ = *p >= 0x20 && *p < 0x7f ? *p : '?';
    *o->at = 0;
}

static void number(struct out *o, unsigned long long v, unsigned base)
{
    char digits[20]; /* 2^64 has twenty decimal digits */
    size_t n = sizeof digits;

    do
        digits[--n] = "0123456789abcdef"[v % base];
    while ((v /= base) > 0);
    bytes(o, digits + n, sizeof digits - n);
}

/* One conversion, *f behind its '%'. Returns where it ends. */
static const char *convert(struct out *o, const char *f, va_list *args)
{
    if (strncmp(f, ".*s", 3) == 0) {
        int len = va_arg(*args, int);
        bytes(o, va_arg(*args, const char *), (size_t)len);
        return f + 3;
    }
    if (strncmp(f, "llu", 3) == 0) {
        number(o, va_arg(*args, unsigned long long), 10);
        return f + 3;
    }
    if (*f == 's') {
        const char *s = va_arg(*args, const char *);
        bytes(o, s, strlen(s));
    } else if (*f == 'u') {
        number(o, va_arg(*args, unsigned), 10);
    } else if (*f == 'x') {
        bytes(o, "0x", 2);
        number(o, va_arg(*args, unsigned), 16);
    }
    return f + 1;
}

void sm_text_args(char *room, size_t size, const char *format, va_list args)
{
    struct out o = {room, size};
    va_list copy;

    va_copy(copy, args);
    room[0] = 0;
    while (*format != 0) {
        if (*format == '%') {
            format = convert(&o, format + 1, &copy);
        } else {
            bytes(&o, format, 1);
            format++;
        }
    }
    va_end(copy);
}

void sm_text(char *room, size_t size, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    sm_text_args(room, size, format, args);
    va_end(args);
}
