/* The module that is measured: reads a BME280 in each of the ways that there are.
 *
 * setup() leaves the sensor on, measuring by itself (one read is one burst on the bus), and asked
 * anew at each read. The reads take a number of rounds and return the sum of what was read, so that
 * no work can be left out; a failed read gives its code.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <sandmote.h>

#define ID "BME280"

static int all; /* handle "*" */

SM_EXPORT("setup") int setup(int unused)
{
    (void)unused;
    if (!wasi_sn_turnOn(ID) || !wasi_sn_config(ID, "normal_mode", 1) ||
        !wasi_sn_config(ID, "SampRate", 0))
        return wasi_sn_lastError();
    all = wasi_sn_open(ID, "*");
    return all > 0;
}

/* A main function that only returns. */
SM_EXPORT("nothing") int nothing(int unused)
{
    return unused;
}

SM_EXPORT("reads by handle") int by_handle(int rounds)
{
    int32_t value[3];
    int sum = 0;

    while (rounds-- > 0) {
        int got = wasi_sn_get(all, value, sizeof value);
        if (got < 0)
            return got;
        sum += value[0];
    }
    return sum;
}

SM_EXPORT("reads by name") int by_name(int rounds)
{
    int32_t value;
    int sum = 0;

    while (rounds-- > 0) {
        if (!wasi_sn_read(ID, "temperature", &value, sizeof value))
            return wasi_sn_lastError();
        sum += value;
    }
    return sum;
}
