/* Names of what sensors are made of.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <sandmote/sensor.h>

const char *sm_unit_text(unsigned unit)
{
    static const char *const text[] = {
#define X(name, value, text) [value] = text,
        SM_UNITS(X)
#undef X
    };

    return unit < SM_UNIT_COUNT ? text[unit] : NULL;
}

const char *sm_bus_kind_name(unsigned kind)
{
    static const char *const name[SM_BUS_KINDS] = {"none", "i2c", "spi", "serial"};

    return kind < SM_BUS_KINDS ? name[kind] : NULL;
}
