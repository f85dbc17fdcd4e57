/* Says when the air gets humid and when it is dry again, by the paper's calls: the example in C.
 * The same in Rust and AssemblyScript beside it, log lines included.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <wasi_sn.h>

#define HUMID_ABOVE 60000 /* thousandths of a per cent */
#define DRY_BELOW   55000

enum state { UNKNOWN, DRY, HUMID, SENSOR_LOST };

static enum state state;

/* Between the thresholds it stays as it was. */
static enum state judge(int32_t humidity)
{
    if (humidity > HUMID_ABOVE)
        return HUMID;
    if (humidity < DRY_BELOW || state != HUMID)
        return DRY;
    return HUMID;
}

static void report(int32_t humidity, int32_t temperature)
{
    struct sm_line line;

    sm_line_begin(&line);
    sm_line_text(&line, "climate: ");
    sm_line_milli(&line, humidity);
    sm_line_text(&line, " %RH at ");
    sm_line_milli(&line, temperature);
    sm_line_text(&line, state == HUMID ? " C: humid" : " C: dry");
    sm_line_log(&line);
}

static void report_loss(int code)
{
    struct sm_line line;

    sm_line_begin(&line);
    sm_line_text(&line, "climate: no value, error ");
    sm_line_int(&line, code);
    sm_line_log(&line);
}

SM_EXPORT("sensor_tick") void sensor_tick(void)
{
    enum state before = state;
    int32_t humidity, temperature;

    if (before == UNKNOWN) {
        turnOn("BME280");
        config("BME280", "SampRate", 1000000000); /* ns */
    }
    if (read("BME280", "humidity", &humidity, sizeof humidity) &&
        read("BME280", "temperature", &temperature, sizeof temperature)) {
        state = judge(humidity);
        if (state != before)
            report(humidity, temperature);
    } else {
        state = SENSOR_LOST;
        if (state != before)
            report_loss(wasi_sn_lastError());
    }
}

SM_EXPORT("health") int32_t health(void)
{
    return state == DRY || state == HUMID ? 0 : 1;
}
