/* Logs all that a sensor measures, whatever it is, by handles: the example in C. The same in Rust
 * and AssemblyScript beside it, log lines included.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <sandmote.h>

#define SENSOR   "BME280"
#define CHANNELS 8
#define INTERVAL 200000000 /* ns */

static int all;        /* handle of one measurement of everything granted */
static unsigned count; /* capabilities in it */
static struct channel {
    uint8_t unit;
    int8_t scale;
} channels[CHANNELS];

static void log_number(const char *text, int64_t value)
{
    struct sm_line line;

    sm_line_begin(&line);
    sm_line_text(&line, text);
    sm_line_fixed(&line, value, 0);
    sm_line_log(&line);
}

static int set_interval(void)
{
    int rate = wasi_sn_open(SENSOR, "SampRate");
    int64_t interval = 0;
    int code = rate;

    if (rate > 0)
        code = wasi_sn_set(rate, INTERVAL);
    if (code == 0)
        code = wasi_sn_get(rate, &interval, sizeof interval);
    if (code > 0)
        log_number("logger: SampRate ", interval);
    return code < 0 ? code : 0;
}

/* One typed record of a capability, which also says how to print those of the bursts. 0 or a code;
 * what was not granted is not in the bursts. */
static int describe(const char *name)
{
    struct wasi_sn_sample sample;
    struct sm_line line;
    int handle = wasi_sn_open(SENSOR, name);
    int code = handle > 0 ? wasi_sn_sample(handle, &sample) : handle;

    if (code == WASI_SN_DENIED || count == CHANNELS)
        return 0;
    if (code < 0)
        return code;
    channels[count].unit = sample.unit;
    channels[count].scale = sample.scale;
    count++;
    sm_line_begin(&line);
    sm_line_text(&line, "logger: ");
    sm_line_text(&line, name);
    sm_line_text(&line, " is ");
    sm_line_value(&line, sample.value, sample.scale, sample.unit);
    sm_line_log(&line);
    return 0;
}

static int describe_all(void)
{
    char names[128] = {0}, *name = names;
    int code = 0;

    count = 0;
    if (!wasi_sn_read(SENSOR, "capabilities", names, sizeof names - 1))
        return wasi_sn_lastError();
    for (; *name && code == 0; name++) {
        code = describe(name);
        while (*name)
            name++;
    }
    return code;
}

/* Tried again at the next tick when it fails. */
static bool start(void)
{
    int code = set_interval();

    if (code == 0)
        code = describe_all();
    if (code == 0)
        code = all = wasi_sn_open(SENSOR, "*");
    if (code < 0)
        log_number("logger: cannot start, error ", code);
    return code > 0;
}

static void burst(void)
{
    int32_t values[CHANNELS];
    struct sm_line line;
    int bytes = wasi_sn_get(all, values, sizeof values);

    if (bytes != (int)(count * sizeof values[0])) {
        log_number("logger: no measurement, error ", bytes);
        return;
    }
    sm_line_begin(&line);
    sm_line_text(&line, "logger:");
    for (unsigned i = 0; i < count; i++) {
        sm_line_char(&line, ' ');
        sm_line_value(&line, values[i], channels[i].scale, channels[i].unit);
    }
    sm_line_log(&line);
}

SM_EXPORT("sensor_tick") void sensor_tick(void)
{
    if (all > 0 || start())
        burst();
}

SM_EXPORT("health") int32_t health(void)
{
    return all > 0 && count > 0 ? 0 : 1;
}
