/* A greenhouse heater's thermostat with hysteresis: the example that the demo updates in the field.
 *
 * thermostat-rs/ is the same module in Rust, behaviour and log lines included. Versions 1 and 2
 * differ in the thresholds alone, which is what an update in the field usually is.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <sandmote.h>

#if THERMOSTAT_VERSION == 1
#define RELEASE    "thermostat 1 (C): "
#define HEAT_BELOW 18000 /* thousandths of a degree Celsius */
#define STOP_ABOVE 22000
#elif THERMOSTAT_VERSION == 2
#define RELEASE    "thermostat 2 (C): "
#define HEAT_BELOW 20500
#define STOP_ABOVE 21500
#else
#error "build with -DTHERMOSTAT_VERSION=1 or 2"
#endif

enum state { UNKNOWN, OFF, HEATING, SENSOR_LOST };

static enum state state;

/* Between the thresholds the heater stays as it is; it is off until something else is known. */
static enum state decide(int32_t temperature)
{
    if (temperature < HEAT_BELOW)
        return HEATING;
    if (temperature > STOP_ABOVE || state != HEATING)
        return OFF;
    return HEATING;
}

static void report(int32_t temperature)
{
    struct sm_line line;

    sm_line_begin(&line);
    sm_line_text(&line, RELEASE);
    if (state == SENSOR_LOST) {
        sm_line_text(&line, "no temperature: heater off");
    } else {
        sm_line_milli(&line, temperature);
        sm_line_text(&line, state == HEATING ? " C: heater on" : " C: heater off");
    }
    sm_line_log(&line);
}

SM_EXPORT("sensor_tick") void sensor_tick(void)
{
    int32_t temperature = 0;
    enum state before = state;

    if (wasi_sn_read("BME280", "temperature", &temperature, sizeof temperature))
        state = decide(temperature);
    else
        state = SENSOR_LOST;
    if (state != before)
        report(temperature);
}

SM_EXPORT("health") int32_t health(void)
{
    return state == OFF || state == HEATING ? 0 : 1;
}
