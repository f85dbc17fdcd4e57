/* A real sandmoted process on loopback. SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_FLEET_DEVICE_FIXTURE_H
#define TEST_FLEET_DEVICE_FIXTURE_H

#include "fleet_fixture.h"

#define SLOT_BYTES    131072
#define JOURNAL_BYTES 16384 /* the daemon's default */

struct device_fixture {
    const struct fleet_fixture *fx;
    char name[32];
    char log[48];     /* the log file's name in the fixture's folder */
    char server[512]; /* what the configuration says of the server, beyond the usual */
    pid_t pid;
};

/* Write NAME.json for a device of plant-7, class edge, that asks the server at url. more: keys of
 * the "server" object, each with a comma before it. */
void device_configure(struct device_fixture *d, const struct fleet_fixture *fx, const char *name,
                      const char *url, const char *more);

/* Start it; its log begins anew. */
void device_start(struct device_fixture *d);
/* Send a signal and wait for the end: exit status or 128 + signal. */
int device_stop(struct device_fixture *d, int sig);
bool device_runs(struct device_fixture *d);

/* Wait until a text is in the log; fails the test after so many seconds. */
void device_says(struct device_fixture *d, const char *text, int seconds);
/* How often a text is in the log. */
int device_said(struct device_fixture *d, const char *text);

/* An application that logs its version with every call, 20 times a second, with so many bytes of
 * padding; committed after three calls. */
void app_make(const struct fleet_fixture *fx, struct module *out, int version, size_t padding);
/* The same, but its entry traps. */
void app_make_trapping(const struct fleet_fixture *fx, struct module *out, int version);
/* The same, but after that its entry does not return. */
void app_make_spinning(const struct fleet_fixture *fx, struct module *out, int version);
/* The same, but its entry reads beyond its memory. */
void app_make_reaching(const struct fleet_fixture *fx, struct module *out, int version);

#endif
