/* Sensors without hardware. SPDX-License-Identifier: Apache-2.0 */
#include "virtual_sensor.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NUMBER_MAX 31u /* bytes of a file */

static int start(struct sm_sensor *s)
{
    (void)s;
    return 0;
}

/* The bytes of a file, one more than there may be at most, or -1. What could be waited for, like a
 * pipe, is no file: everything else on the device would wait too. */
static ssize_t read_bytes(const char *path, char text[NUMBER_MAX + 1])
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t n = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? read(fd, text, NUMBER_MAX + 1) : -1;
    close(fd);
    return n;
}

static int read_file(const char *path, int32_t *value)
{
    char text[NUMBER_MAX + 2], *end;
    ssize_t len = read_bytes(path, text);
    if (len < 0 || len > (ssize_t)NUMBER_MAX)
        return SM_ERR_IO;
    text[len] = 0;
    long n = strtol(text, &end, 10);
    bool good = end != text && (*end == 0 || *end == '\n') && n >= INT32_MIN && n <= INT32_MAX;
    *value = (int32_t)n;
    return good ? 0 : SM_ERR_IO;
}

static int sample(struct sm_sensor *s, int32_t *values)
{
    const struct sm_virtual_sensor *v = s->ctx;
    int err = 0;
    for (unsigned i = 0; i < v->driver.capabilities && !err; i++) {
        values[i] = v->source[i].value;
        if (v->source[i].file)
            err = read_file(v->source[i].file, &values[i]);
    }
    return err;
}

static uint8_t unit_of(const char *name)
{
    static const struct {
        const char *name;
        uint8_t unit;
    } units[] = {{"temperature", SM_UNIT_CELSIUS},
                 {"humidity", SM_UNIT_HUMIDITY},
                 {"pressure", SM_UNIT_PASCAL}};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (strcmp(units[i].name, name) == 0)
            return units[i].unit;
    return SM_UNIT_NONE;
}

int sm_virtual_sensor_add(struct sm_virtual_sensor *v, const char *name, const char *file,
                          int32_t value)
{
    unsigned n = v->driver.capabilities;
    for (unsigned i = 0; i < n; i++)
        if (strcmp(v->capability[i].name, name) == 0)
            return SM_ERR_STATE;
    if (n == SM_SENSOR_CAPABILITIES)
        return SM_ERR_LIMIT;
    v->capability[n] = (struct sm_capability){name, unit_of(name), -3, INT32_MIN, INT32_MAX};
    v->source[n] = (struct sm_virtual_source){file, value};
    v->driver.model = "virtual";
    v->driver.capabilities = (uint8_t)(n + 1);
    v->driver.capability = v->capability;
    v->driver.start = start;
    v->driver.sample = sample;
    return 0;
}
