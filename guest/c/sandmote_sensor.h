/* Sensors for modules: the calls of "wasi_sn", since host interface version 2, for C on wasm32.
 *
 * Every name of a call begins with wasi_sn_ here; wasi_sn.h gives them the paper's plain names.
 * Texts end with a zero byte. A pointer that leaves the module's memory traps. The calls link when
 * the manifest asks for at least one capability "sensor/<sensor>/<name>:r", ":w" or ":rw"; what is
 * refused at a call is told, never trapped.
 *
 * Calls that read or set turn the sensor on when it is not, so wasi_sn_turnOn() may be left out.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_GUEST_SENSOR_H
#define SANDMOTE_GUEST_SENSOR_H

#include <stdbool.h>
#include <stdint.h>
#include "sandmote_code.h"

/* Of the attribute "state", which every sensor has and only the runtime sets. */
enum wasi_sn_state { WASI_SN_STOPPED, WASI_SN_ALIVE, WASI_SN_WORKING, WASI_SN_SLEEPING };

/* ---- The paper's five calls: true when done, else wasi_sn_lastError() says why not ------------
 */

/* The ids of all sensors of the device, each ended by a zero byte. Returns the bytes that all of
 * them take; only whole names that fit into len are written. */
SM_IMPORT("wasi_sn", "getSensors") int wasi_sn_getSensors(char *buf, int len);

SM_IMPORT("wasi_sn", "turnOn") bool wasi_sn_turnOn(const char *sensor);

/* This module needs it no more. The sensor itself is stopped when no other module does. */
SM_IMPORT("wasi_sn", "turnOff") bool wasi_sn_turnOff(const char *sensor);

/* Set an attribute; for one that several modules set, the sensor's rule says which value is in
 * force. "SampRate": nanoseconds between measurements, 0 to measure at each read. */
SM_IMPORT("wasi_sn", "config")
bool wasi_sn_config(const char *sensor, const char *attribute, int value);

/* Read into buf what `name` names, low byte first: a capability as an int32_t in 10^scale units
 * (21500 with scale -3 is 21.5), an attribute as an int32_t, or an int64_t from len 8 on.
 * "capabilities" and "attributes" are names, each ended by a zero byte; "state" is an
 * enum wasi_sn_state as an int32_t. buf is unchanged when the answer is false. */
SM_IMPORT("wasi_sn", "read")
bool wasi_sn_read(const char *sensor, const char *name, void *buf, int len);

/* ---- Handles: names are looked up once ---------------------------------------------------------
 */

/* A handle, above 0, or a code. `name` is a capability or an attribute, or "*" for all capabilities
 * granted, in the sensor's own order. */
SM_IMPORT("wasi_sn", "open") int wasi_sn_open(const char *sensor, const char *name);

/* Bytes written to buf, or a code. As wasi_sn_read(); for "*" an int32_t each, of one measurement.
 */
SM_IMPORT("wasi_sn", "get") int wasi_sn_get(int handle, void *buf, int len);

/* Set an attribute. 0 or a code. */
SM_IMPORT("wasi_sn", "set") int wasi_sn_set(int handle, int64_t value);

struct wasi_sn_sample {
    int64_t value;   /* in 10^scale units */
    int64_t time_ms; /* when it was measured, on the clock of sm_uptime_ms() */
    uint8_t unit;    /* see sm_unit_text() */
    int8_t scale;
    uint8_t zero[6];
};

/* Read a value with its unit and its time. 0 or a code. */
SM_IMPORT("wasi_sn", "sample") int wasi_sn_sample(int handle, struct wasi_sn_sample *out);

#define WASI_SN_READABLE 1u
#define WASI_SN_WRITABLE 2u

struct wasi_sn_info {
    int64_t min, max; /* what can be measured, or may be set */
    uint8_t unit;
    int8_t scale;
    uint8_t rights; /* of this module: WASI_SN_READABLE, WASI_SN_WRITABLE */
    uint8_t kind;   /* 0 a capability, 1 an attribute */
    uint8_t zero[4];
};

/* What a handle stands for. 0 or a code. */
SM_IMPORT("wasi_sn", "info") int wasi_sn_info(int handle, struct wasi_sn_info *out);

_Static_assert(sizeof(struct wasi_sn_sample) == 24 && sizeof(struct wasi_sn_info) == 24,
               "the layout that the host writes");

/* ---- Values as text
 * ------------------------------------------------------------------------------ */

/* The number of a unit is its place in this list; a newer host may know more. */
static inline const char *sm_unit_text(unsigned unit)
{
    /* Texts at a fixed distance: a table of pointers would need relocations for nothing. */
    static const char texts[][5] = {"",  "degC", "%RH", "Pa", "ppm", "ppb", "g",   "V",
                                    "A", "W",    "Hz",  "s",  "m",   "lx",  "bool"};

    return unit < sizeof texts / sizeof texts[0] ? texts[unit] : "?";
}

/* value * 10^scale with every digit that there is, scale from -19 on: 21560 with scale -3 becomes
 * 21.560. */
SM_OUT_OF_LINE void sm_line_fixed(struct sm_line *line, int64_t value, int scale)
{
    char digits[20]; /* 2^63 has 19 */
    uint64_t size = value < 0 ? 0u - (uint64_t)value : (uint64_t)value;
    int n = 0;

    do {
        digits[n++] = (char)('0' + size % 10);
        size /= 10;
    } while ((size || n <= -scale) && n < (int)sizeof digits);
    if (value < 0)
        sm_line_char(line, '-');
    while (n) {
        if (n-- == -scale)
            sm_line_char(line, '.');
        sm_line_char(line, digits[n]);
    }
    for (; scale > 0; scale--)
        sm_line_char(line, '0');
}

/* With its unit: "21.560 degC". */
static inline void sm_line_value(struct sm_line *line, int64_t value, int scale, unsigned unit)
{
    sm_line_fixed(line, value, scale);
    if (unit) {
        sm_line_char(line, ' ');
        sm_line_text(line, sm_unit_text(unit));
    }
}

#endif
