/* Publishes the humidity once a period, fetches what was said to it meanwhile, and sleeps until the
 * next: the example of the network in C. The same in Rust and AssemblyScript beside it, log lines
 * included.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <sandmote_network.h>
#include <sandmote_sensor.h>

#define SLEEP_S 600
#ifndef FIELD_QOS
#define FIELD_QOS 1
#endif

static int topic; /* 0: there is no connection */
static int said;
static int32_t health_code = WASI_SN_STATE;

/* Told once, not each period. */
static void note(const char *what, int code)
{
    struct sm_line line;

    if (code == health_code)
        return;
    health_code = code;
    sm_line_begin(&line);
    sm_line_text(&line, "field: ");
    sm_line_text(&line, what);
    if (code) {
        sm_line_text(&line, ", error ");
        sm_line_int(&line, code);
    }
    sm_line_log(&line);
}

/* The next period begins anew. */
static bool fail(const char *what)
{
    note(what, wasi_sn_lastError());
    wasi_sn_stop();
    topic = 0;
    return false;
}

static bool begin(void)
{
    if (topic)
        return wasi_sn_awake() || fail("not awake");
    if (wasi_sn_start(0) < 0 || !wasi_sn_connect("", 60, "", 0))
        return fail("not connected");
    said = wasi_sn_subscribeTo("field/say", 1);
    topic = said < 0 ? said : wasi_sn_register("field/humidity");
    return topic > 0 || fail("no topic");
}

static bool send(void)
{
    struct sm_line line;
    int32_t humidity;

    if (!wasi_sn_read("BME280", "humidity", &humidity, sizeof humidity)) {
        note("no humidity", wasi_sn_lastError());
        return true;
    }
    sm_line_begin(&line);
    sm_line_fixed(&line, humidity, -3);
    if (!wasi_sn_publish(topic, FIELD_QOS, line.text, (int)line.len))
        return fail("not published");
    note("published", 0);
    return true;
}

static void listen(void)
{
    struct sm_line line;
    char text[64];
    int len;

    while (wasi_sn_hasMessage(said)) {
        len = wasi_sn_getMessage(said, text, sizeof text);
        if (len < 0)
            return;
        sm_line_begin(&line);
        sm_line_text(&line, "field: told ");
        for (int i = 0; i < len; i++)
            sm_line_char(&line, text[i]);
        sm_line_log(&line);
    }
}

SM_EXPORT("sensor_tick") void sensor_tick(void)
{
    if (!begin() || !send())
        return;
    listen();
    if (!wasi_sn_sleep(SLEEP_S))
        fail("not asleep");
}

SM_EXPORT("health") int32_t health(void)
{
    return health_code != 0;
}
