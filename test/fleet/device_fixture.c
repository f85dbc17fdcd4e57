/* A real device for the tests. SPDX-License-Identifier: Apache-2.0 */
#include "device_fixture.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define TRY_MS 20

void device_configure(struct device_fixture *d, const struct fleet_fixture *fx, const char *name,
                      const char *url, const char *more)
{
    char text[2048], file[64];
    memset(d, 0, sizeof *d);
    d->fx = fx;
    snprintf(d->name, sizeof d->name, "%s", name);
    snprintf(d->log, sizeof d->log, "%s.log", name);
    snprintf(file, sizeof file, "%s.json", name);
    int n = snprintf(text, sizeof text,
                     "{\"device\":\"%s\",\"fleet\":\"plant-7\",\"class\":\"edge\","
                     "\"memory_bytes\":1048576,\"signers\":[\"signer.pub.pem\"],"
                     "\"capabilities\":[\"log\"],"
                     "\"flash\":{\"file\":\"%s.flash\",\"slot_bytes\":%d},"
                     "\"server\":{\"url\":\"%s\",\"ca\":\"ca.pem\",\"token_file\":\"%s.token\","
                     "\"first_poll_seconds\":0,\"retry_seconds\":1,\"retry_max_seconds\":1%s}}",
                     name, name, SLOT_BYTES, url, name, more);
    fleet_write(fx, file, text, (size_t)n);
    snprintf(file, sizeof file, "%s.token", name);
    fleet_write(fx, file, DEVICE_TOKEN "\n", strlen(DEVICE_TOKEN) + 1);
}

void device_start(struct device_fixture *d)
{
    char config[128], log[128];
    snprintf(config, sizeof config, "%s/%s.json", d->fx->dir, d->name);
    snprintf(log, sizeof log, "%s/%s", d->fx->dir, d->log);
    int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
    d->pid = fork();
    if (d->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* whatever ends the test, nothing is left running */
        dup2(fd, STDERR_FILENO);
        execl(SANDMOTED, "sandmoted", "--config", config, (char *)NULL);
        _exit(127);
    }
    close(fd);
}

int device_stop(struct device_fixture *d, int sig)
{
    int status = 0;
    kill(d->pid, sig);
    waitpid(d->pid, &status, 0);
    d->pid = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool device_runs(struct device_fixture *d)
{
    return waitpid(d->pid, NULL, WNOHANG) == 0;
}

int device_said(struct device_fixture *d, const char *text)
{
    int n = 0;
    char *log = fleet_file(d->fx, d->log);
    for (char *p = log; (p = strstr(p, text)); p++)
        n++;
    free(log);
    return n;
}

void device_says(struct device_fixture *d, const char *text, int seconds)
{
    for (int i = 0; i < seconds * 1000 / TRY_MS; i++) {
        if (device_said(d, text))
            return;
        usleep(TRY_MS * 1000);
    }
    char *log = fleet_file(d->fx, d->log);
    fail_msg("%s did not say \"%s\":\n%s", d->name, text, log);
}

/* ---- Modules --------------------------------------------------------------------------------- */

/* (import "sandmote" "log" (func (param i32 i32))) (memory 1) (data (i32.const 0) "version ?")
 * (func (export "sensor_tick") BODY) */
static const uint8_t head[] = {
    0, 'a', 's', 'm',  1,   0,    0,    0,                 /* */
    1, 9,   2,   0x60, 2,   0x7f, 0x7f, 0,   0x60, 0,   0, /* types */
    2, 16,  1,   8,    's', 'a',  'n',  'd', 'm',  'o', 't', 'e', 3,   'l', 'o', 'g', 0,
    0, 3,   2,   1,    1, /* one function */
    5, 3,   1,   0,    1, /* one page */
    7, 15,  1,   11,   's', 'e',  'n',  's', 'o',  'r', '_', 't', 'i', 'c', 'k', 0,   1};
static const uint8_t logging[] = {10, 10, 1, 8, 0, 0x41, 0, 0x41, 9, 0x10, 0, 0x0b};
static const uint8_t reaching[] = {10,   13,   1, 11,   0,    0x41, 0x80,
                                   0x80, /* i32.load of 65536 */
                                   0x04, 0x28, 2, 0x00, 0x1a, 0x01, 0x0b};
static const uint8_t spinning[] = {10,   15, 1,    13,   0,    0x41, 0,    0x41, 9, /* logs, then */
                                   0x10, 0,  0x03, 0x40, 0x0c, 0,    0x0b, 0x0b};
static const uint8_t trapping[] = {10, 5, 1, 3, 0, 0x00, 0x0b};

static void build(const struct fleet_fixture *fx, struct module *out, int version, size_t padding,
                  const uint8_t *code, size_t code_len)
{
    static uint8_t raw[MODULE_ROOM];
    size_t len = 0;
    memcpy(raw, head, sizeof head);
    memcpy(raw + sizeof head, code, code_len);
    len = sizeof head + code_len;
    const uint8_t data[] = {11,
                            15,
                            1,
                            0,
                            0x41,
                            0,
                            0x0b,
                            9,
                            'v',
                            'e',
                            'r',
                            's',
                            'i',
                            'o',
                            'n',
                            ' ',
                            (uint8_t)('0' + version)};
    memcpy(raw + len, data, sizeof data);
    len += sizeof data;
    if (padding) { /* a custom section "p" whose length takes three bytes */
        size_t n = padding + 2;
        const uint8_t section[] = {0,
                                   (uint8_t)((n & 0x7f) | 0x80),
                                   (uint8_t)((n >> 7 & 0x7f) | 0x80),
                                   (uint8_t)(n >> 14),
                                   1,
                                   'p'};
        memcpy(raw + len, section, sizeof section);
        len += sizeof section;
        for (size_t i = 0; i < padding; i++)
            raw[len++] = (uint8_t)(i * 31 + i / 251 + (size_t)version);
    }
    sm_manifest_defaults(&out->m);
    strcpy(out->m.fleet, "plant-7");
    strcpy(out->m.name, "app");
    snprintf(out->m.version, sizeof out->m.version, "%d.0", version);
    out->m.sequence = (uint64_t)version;
    out->m.classes = 1u << SM_CLASS_EDGE;
    out->m.memory_bytes = 65536;
    out->m.stack_bytes = 4096;
    out->m.period_ms = 50;
    out->m.capabilities = 1;
    strcpy(out->m.capability[0], "log");
    module_pack(out, raw, len);
    module_sign(&fx->signer, out);
}

void app_make(const struct fleet_fixture *fx, struct module *out, int version, size_t padding)
{
    build(fx, out, version, padding, logging, sizeof logging);
}

void app_make_reaching(const struct fleet_fixture *fx, struct module *out, int version)
{
    build(fx, out, version, 0, reaching, sizeof reaching);
}

void app_make_spinning(const struct fleet_fixture *fx, struct module *out, int version)
{
    build(fx, out, version, 0, spinning, sizeof spinning);
}

void app_make_trapping(const struct fleet_fixture *fx, struct module *out, int version)
{
    build(fx, out, version, 0, trapping, sizeof trapping);
}
