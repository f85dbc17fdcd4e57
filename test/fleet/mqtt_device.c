/* A device over MQTT for the tests. SPDX-License-Identifier: Apache-2.0 */
#include "mqtt_device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>
#include <mosquitto.h>
#include <sandmote/blocks.h>
#include <posix/system.h>
#include "rig.h"

static struct {
    struct flash_sim flash;
    struct sm_trust trust;
    struct sm_trust_key key;
    struct sm_blocks_cfg cfg;
    struct sm_blocks blocks;
    uint8_t buf[2048];
    struct mosquitto *client;
    char up[128], down[128];
    unsigned lost, luck;
} d;

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static bool gets_lost(void)
{
    d.luck = d.luck * 1103515245u + 12345u;
    return d.luck / 65536 % 100 < d.lost;
}

static void on_message(struct mosquitto *client, void *ctx, const struct mosquitto_message *m)
{
    (void)client, (void)ctx;
    if (!gets_lost())
        (void)sm_blocks_input(&d.blocks, m->payload, (size_t)m->payloadlen, now_ms());
}

static void on_connect(struct mosquitto *client, void *ctx, int code)
{
    (void)ctx;
    assert_int_equal(code, 0);
    mosquitto_subscribe(client, NULL, d.down, 0);
}

static void boot(void)
{
    rig->now_ms = now_ms();
    assert_int_equal(rig_boot(rig), 0);
    assert_int_equal(sm_blocks_init(&d.blocks, &d.cfg, now_ms()), 0);
}

void mqtt_device_begin(const char *id, const uint8_t signer[32], unsigned port)
{
    memset(&d, 0, sizeof d);
    if (!rig) /* once a program */
        rig_once(NULL);
    sim_init(&d.flash, 1024, 320, 8, 0xff);
    rig_init(rig, &d.flash);
    sm_trust_init(&d.trust, &d.key, 1);
    assert_int_equal(sm_trust_add(&d.trust, SM_ROLE_SIGNER, "plant-7", signer), 0);
    rig->cfg.trust = &d.trust;
    rig->cfg.fleet = "plant-7";
    rig->cfg.cls = SM_CLASS_EDGE;
    rig->cfg.store.slot_size = 60000;
    rig->cfg.store.journal_size = 4096;
    d.cfg = (struct sm_blocks_cfg){.device = &rig->dev,
                                   .fleet = "plant-7",
                                   .cls = "edge",
                                   .entropy = &sm_posix_entropy,
                                   .buf = d.buf,
                                   .buf_len = sizeof d.buf,
                                   .message_most = SM_BLOCKS_LEAST,
                                   .retry_ms = 150,
                                   .retry_most_ms = 1000,
                                   .poll_least_s = 1};
    snprintf(d.up, sizeof d.up, "sandmote/%s/up", id);
    snprintf(d.down, sizeof d.down, "sandmote/%s/down", id);
    mosquitto_lib_init();
    d.client = mosquitto_new(NULL, true, NULL);
    mosquitto_connect_callback_set(d.client, on_connect);
    mosquitto_message_callback_set(d.client, on_message);
    assert_int_equal(mosquitto_connect(d.client, "127.0.0.1", (int)port, 30), 0);
    boot();
}

void mqtt_device_restart(void)
{
    boot();
}

void mqtt_device_end(void)
{
    mosquitto_disconnect(d.client);
    mosquitto_destroy(d.client);
    mosquitto_lib_cleanup();
    sim_free(&d.flash);
}

static void step(void)
{
    uint8_t out[SM_BLOCKS_MOST];
    uint32_t wait;
    size_t len;
    if (mosquitto_loop(d.client, 5, 1) != MOSQ_ERR_SUCCESS) {
        usleep(20000);
        (void)mosquitto_reconnect(d.client);
    }
    rig->now_ms = now_ms();
    rig->nevents = 0;
    (void)sm_device_step(&rig->dev, rig->now_ms);
    while ((len = sm_blocks_step(&d.blocks, now_ms(), out, sizeof out, &wait)) > 0)
        if (!gets_lost())
            (void)mosquitto_publish(d.client, NULL, d.up, (int)len, out, 0, false);
}

void mqtt_device_run(uint32_t ms)
{
    uint64_t end = now_ms() + ms;
    while (now_ms() < end)
        step();
}

bool mqtt_device_runs(uint64_t sequence, unsigned lost, uint32_t ms)
{
    uint64_t end = now_ms() + ms;
    const struct sm_record *r = &rig->records[0];
    d.lost = lost;
    while (now_ms() < end) {
        step();
        if (r->active < 2 && r->slot[r->active].sequence == sequence)
            return true;
    }
    return false;
}

bool mqtt_device_has(uint32_t bytes, uint32_t ms)
{
    uint64_t end = now_ms() + ms;
    while (now_ms() < end) {
        const char *name;
        uint32_t have, length;
        step();
        if (sm_blocks_progress(&d.blocks, &name, &have, &length) && have >= bytes)
            return true;
    }
    return false;
}

uint32_t mqtt_device_blocks(void)
{
    return d.blocks.counts.blocks;
}

uint32_t mqtt_device_unasked(void)
{
    return d.blocks.counts.unasked;
}

void mqtt_device_send(const char *topic, const void *bytes, int len)
{
    (void)mosquitto_publish(d.client, NULL, topic, len, bytes, 0, false);
}
