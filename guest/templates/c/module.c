#include <wasi_sn.h>

/* Called once a period. */
SM_EXPORT("sensor_tick") void sensor_tick(void)
{
    struct sm_line line;
    int32_t temperature;

    sm_line_begin(&line);
    if (read("BME280", "temperature", &temperature, sizeof temperature)) {
        sm_line_milli(&line, temperature);
        sm_line_text(&line, " C");
    } else {
        sm_line_text(&line, "no temperature");
    }
    sm_line_log(&line);
}

/* Asked while an update is on trial: 0 is well. */
SM_EXPORT("health") int32_t health(void)
{
    return 0;
}
