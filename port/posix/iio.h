/* Sensors that a Linux kernel drives itself, through the files of its IIO subsystem.
 *
 * A folder such as /sys/bus/iio/devices/iio:device0 becomes a sensor: each channel there that is
 * known becomes a capability with the name, unit and scale that the drivers of sm_sensor give it,
 * so that modules cannot tell who drives a chip. The kernel measures while a file is read, which
 * may take it some ten milliseconds.
 *
 * Source: Linux, Documentation/ABI/testing/sysfs-bus-iio.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_POSIX_IIO_H
#define SM_POSIX_IIO_H

#include <limits.h>
#include <sandmote/sensor.h>
#include <posix/file.h>

/* A folder with the driver that was made for it. Private but for `driver`. */
struct sm_iio {
    struct sm_sensor_driver driver; /* of sensors with this struct as ctx and no bus */
    char folder[PATH_MAX - 64];
    char model[SM_SENSOR_NAME_MAX + 1];
    struct sm_capability capability[SM_SENSOR_CAPABILITIES];
    const struct sm_iio_channel *channel[SM_SENSOR_CAPABILITIES];
};

/* Look into a folder; `iio` stays in place while a sensor uses it. 0, or, with a sentence in why,
 * SM_ERR_NOT_FOUND (no such folder), SM_ERR_INVALID (no channel there that is known, or the path
 * is too long). */
int sm_iio_open(struct sm_iio *iio, const char *folder, struct sm_file_why *why);

#endif
