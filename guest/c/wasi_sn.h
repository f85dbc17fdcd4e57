/* The paper's names for the sensor calls (WASI-SN, section 4.1, Table 2), so that its Listing 2
 * compiles as printed: sandmote_sensor.h says what each does. wasi_sn_network.h has those of the
 * network.
 *
 * With a C library read() is the library's, and here wasi_sn_read() remains.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_GUEST_WASI_SN_H
#define SANDMOTE_GUEST_WASI_SN_H

#include "sandmote_sensor.h"

static inline int getSensors(char *buf, int len)
{
    return wasi_sn_getSensors(buf, len);
}

static inline bool turnOn(const char *sensor)
{
    return wasi_sn_turnOn(sensor);
}

static inline bool turnOff(const char *sensor)
{
    return wasi_sn_turnOff(sensor);
}

static inline bool config(const char *sensor, const char *attribute, int value)
{
    return wasi_sn_config(sensor, attribute, value);
}

#ifndef __wasi__
static inline bool read(const char *sensor, const char *name, void *buf, int len)
{
    return wasi_sn_read(sensor, name, buf, len);
}
#endif

#endif
