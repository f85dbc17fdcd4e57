/* What the large module's sources need of a C library. SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_BENCH_STRING_H
#define SANDMOTE_BENCH_STRING_H

#include <stddef.h>

void *memcpy(void *to, const void *from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int value, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);

#endif
