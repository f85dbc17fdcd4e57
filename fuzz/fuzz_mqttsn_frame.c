/* Fuzz target: serial lines. The input comes as octets of a line, framed and raw; a message from it
 * fits the buffer, and the frame made of it gives it back. The input as a message comes through.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <sandmote/mqttsn_frame.h>

#define BUFFER 300u

static void require(bool fact)
{
    if (!fact)
        abort();
}

static size_t first(const uint8_t *line, size_t len, bool raw, uint8_t *buffer, size_t size)
{
    struct sm_mqttsn_deframer d;
    size_t used, n;
    sm_mqttsn_deframer_init(&d, raw, buffer, size);
    for (size_t at = 0; at < len; at += used) {
        n = sm_mqttsn_deframe(&d, line + at, len - at, &used, 0);
        require(n <= size && used > 0 && used <= len - at);
        if (n)
            return n;
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static uint8_t frame[1u << 17], again[1u << 17];
    uint8_t buffer[BUFFER];
    (void)first(data, len, true, buffer, sizeof buffer);
    size_t n = first(data, len, false, buffer, sizeof buffer);
    if (n) {
        int m = sm_mqttsn_frame(buffer, n, frame, sizeof frame);
        require(m > 0 && first(frame, (size_t)m, false, again, sizeof again) == n);
        require(memcmp(again, buffer, n) == 0);
    }
    int m = sm_mqttsn_frame(data, len, frame, sizeof frame);
    if (len >= 2 && m > 0) {
        require(first(frame, (size_t)m, false, again, sizeof again) == len);
        require(memcmp(again, data, len) == 0);
    }
    return 0;
}
