/* Sensors of the IIO subsystem.
 *
 * A channel has either one file with the value (in_NAME_input) or its raw number, with an offset
 * and a scale beside it or none: (raw + offset) * scale. Offset and scale may be files of the
 * channel or of its type (in_accel_scale for in_accel_x_raw).
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "iio.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NUMBER_MAX 64u

struct sm_iio_channel {
    const char *name, *type; /* of the files; the type where it differs */
    struct sm_capability capability;
    double factor; /* from the kernel's unit to ours */
};

/* Milli-degrees, milli-percent, kilopascal, millivolt, milliampere, m/s^2, percent. */
static const struct sm_iio_channel channels[] = {
    {"temp", NULL, {"temperature", SM_UNIT_CELSIUS, -3, -273150, 2000000}, 1},
    {"humidityrelative", NULL, {"humidity", SM_UNIT_HUMIDITY, -3, 0, 100000}, 1},
    {"pressure", NULL, {"pressure", SM_UNIT_PASCAL, -3, 0, INT32_MAX}, 1e6},
    {"concentration_co2", NULL, {"co2", SM_UNIT_PPM, 0, 0, 1000000}, 1e4},
    {"concentration_voc", NULL, {"voc", SM_UNIT_PPB, 0, 0, 1000000000}, 1e7},
    {"accel_x", "accel", {"x", SM_UNIT_GRAVITY, -3, -1000000, 1000000}, 1e3 / 9.80665},
    {"accel_y", "accel", {"y", SM_UNIT_GRAVITY, -3, -1000000, 1000000}, 1e3 / 9.80665},
    {"accel_z", "accel", {"z", SM_UNIT_GRAVITY, -3, -1000000, 1000000}, 1e3 / 9.80665},
    {"illuminance", NULL, {"illuminance", SM_UNIT_LUX, -3, 0, INT32_MAX}, 1e3},
    {"voltage0", "voltage", {"voltage0", SM_UNIT_VOLT, -3, INT32_MIN, INT32_MAX}, 1},
    {"voltage1", "voltage", {"voltage1", SM_UNIT_VOLT, -3, INT32_MIN, INT32_MAX}, 1},
    {"current0", "current", {"current0", SM_UNIT_AMPERE, -3, INT32_MIN, INT32_MAX}, 1},
};
#define CHANNELS (sizeof channels / sizeof channels[0])

/* ---- Files ----------------------------------------------------------------------------------- */

static void path_of(const struct sm_iio *iio, const char *name, const char *what,
                    char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/in_%s_%s", iio->folder, name, what);
}

static bool there(const struct sm_iio *iio, const char *name, const char *what)
{
    char path[PATH_MAX];
    path_of(iio, name, what, path);
    return access(path, R_OK) == 0;
}

/* A file with one number. SM_ERR_NOT_FOUND when there is none, SM_ERR_IO when the kernel could not
 * give it (the chip does not answer), SM_ERR_INVALID when it is not a number. */
static int read_number(const struct sm_iio *iio, const char *name, const char *what, double *number)
{
    char path[PATH_MAX], text[NUMBER_MAX], *end;
    path_of(iio, name, what, path);
    FILE *f = fopen(path, "re");
    if (!f)
        return errno == ENOENT ? SM_ERR_NOT_FOUND : SM_ERR_IO;
    size_t n = fread(text, 1, sizeof text - 1, f);
    bool failed = ferror(f);
    fclose(f);
    if (failed)
        return SM_ERR_IO;
    text[n] = 0;
    *number = strtod(text, &end);
    return end == text || end[strspn(end, "\n")] || !isfinite(*number) ? SM_ERR_INVALID : 0;
}

/* A number of the channel, of its type, or what stands for it. */
static int read_either(const struct sm_iio *iio, const struct sm_iio_channel *ch, const char *what,
                       double otherwise, double *number)
{
    int err = read_number(iio, ch->name, what, number);
    if (err == SM_ERR_NOT_FOUND && ch->type)
        err = read_number(iio, ch->type, what, number);
    if (err == SM_ERR_NOT_FOUND) {
        *number = otherwise;
        err = 0;
    }
    return err;
}

static int read_channel(const struct sm_iio *iio, const struct sm_iio_channel *ch, double *value)
{
    double raw, offset, scale;
    int err = read_number(iio, ch->name, "input", value);
    if (err != SM_ERR_NOT_FOUND)
        return err;
    err = read_number(iio, ch->name, "raw", &raw);
    if (!err)
        err = read_either(iio, ch, "offset", 0, &offset);
    if (!err)
        err = read_either(iio, ch, "scale", 1, &scale);
    if (!err)
        *value = (raw + offset) * scale;
    return err;
}

/* ---- The driver ------------------------------------------------------------------------------ */

static int sample(struct sm_sensor *s, int32_t *values)
{
    const struct sm_iio *iio = s->ctx;
    int32_t all[SM_SENSOR_CAPABILITIES];
    for (unsigned i = 0; i < iio->driver.capabilities; i++) {
        const struct sm_capability *c = &iio->capability[i];
        double value;
        int err = read_channel(iio, iio->channel[i], &value);
        if (err)
            return err;
        value = round(value * iio->channel[i]->factor);
        if (!(value >= c->min && value <= c->max))
            return SM_ERR_INVALID;
        all[i] = (int32_t)value;
    }
    memcpy(values, all, iio->driver.capabilities * sizeof all[0]);
    return 0;
}

static int start(struct sm_sensor *s)
{
    int32_t values[SM_SENSOR_CAPABILITIES];
    return sample(s, values);
}

/* The chip's name, where it is one that can be shown. */
static void read_model(struct sm_iio *iio)
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    char path[PATH_MAX];
    strcpy(iio->model, "IIO");
    snprintf(path, sizeof path, "%s/name", iio->folder);
    FILE *f = fopen(path, "re");
    if (!f)
        return;
    char text[sizeof iio->model] = "";
    if (fgets(text, sizeof text, f)) {
        text[strcspn(text, "\n")] = 0;
        if (text[0] && text[strspn(text, good)] == 0)
            strcpy(iio->model, text);
    }
    fclose(f);
}

int sm_iio_open(struct sm_iio *iio, const char *folder, struct sm_file_why *why)
{
    struct stat st;
    memset(iio, 0, sizeof *iio);
    if (strlen(folder) >= sizeof iio->folder) {
        snprintf(why->text, sizeof why->text, "%.400s: the path is too long", folder);
        return SM_ERR_INVALID;
    }
    strcpy(iio->folder, folder);
    if (stat(folder, &st) < 0 || !S_ISDIR(st.st_mode)) {
        snprintf(why->text, sizeof why->text, "%.400s: no such folder", folder);
        return SM_ERR_NOT_FOUND;
    }
    unsigned n = 0;
    for (unsigned i = 0; i < CHANNELS && n < SM_SENSOR_CAPABILITIES; i++)
        if (there(iio, channels[i].name, "input") || there(iio, channels[i].name, "raw")) {
            iio->channel[n] = &channels[i];
            iio->capability[n++] = channels[i].capability;
        }
    if (n == 0) {
        snprintf(why->text, sizeof why->text, "%.400s: no channel there that is known", folder);
        return SM_ERR_INVALID;
    }
    read_model(iio);
    iio->driver = (struct sm_sensor_driver){.model = iio->model,
                                            .bus = SM_BUS_NONE,
                                            .capabilities = (uint8_t)n,
                                            .capability = iio->capability,
                                            .start = start,
                                            .sample = sample};
    return 0;
}
