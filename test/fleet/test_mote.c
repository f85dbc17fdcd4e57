/* A microcontroller is updated: Cortex-M4 firmware in QEMU whose second UART is a noisy serial line
 * to a forwarder, then sandmote-gateway, Mosquitto and sandmote-fleet. test/firmware/mote.sh builds
 * the firmware and starts this with its path.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include <curl/curl.h>

#include "bridge.h"
#include "fleet_fixture.h"
#include "field.h"

#define FLASH_FILE  (16u << 20)
#define COMMISSION  (1u << 20) /* offset of struct commission in it (mote.c) */
#define MAGIC       0x65746f6du
#define TRY_MS      20
#define BYTES_OF_IT 6000u

static const char *firmware;
static struct fleet_fixture fx;
static struct field field;
static struct gateway gateway;
static struct bridge bridge;
static struct module v1, v2;
static pid_t board;

/* A module that does nothing, of so many bytes more: (func (export "sensor_tick")). */
static void make(struct module *out, uint64_t sequence, size_t padding)
{
    static const uint8_t code[] = {
        0,  'a', 's', 'm', 1,   0,   0,   0,   1,   4,   1,   0x60, 0, 0, 3,  2, 1, 0, 7, 15,  1,
        11, 's', 'e', 'n', 's', 'o', 'r', '_', 't', 'i', 'c', 'k',  0, 0, 10, 4, 1, 2, 0, 0x0b};
    static uint8_t raw[MODULE_ROOM];
    size_t n = padding + 2, len = sizeof code;
    const uint8_t section[] = {0, (uint8_t)((n & 0x7f) | 0x80), (uint8_t)(n >> 7), 1, 'p'};
    memcpy(raw, code, sizeof code);
    memcpy(raw + len, section, sizeof section);
    len += sizeof section;
    for (size_t i = 0; i < padding; i++)
        raw[len++] = (uint8_t)(i * 29 + i / 253 + sequence);
    sm_manifest_defaults(&out->m);
    strcpy(out->m.fleet, "plant-7");
    strcpy(out->m.name, "app");
    snprintf(out->m.version, sizeof out->m.version, "%u.0", (unsigned)sequence);
    out->m.sequence = sequence;
    out->m.classes = 1u << SM_CLASS_MCU;
    out->m.memory_bytes = 0;
    out->m.stack_bytes = 256;
    out->m.period_ms = 50;
    module_pack(out, raw, len);
    module_sign(&fx.signer, out);
    struct reply r = module_upload(&fx, out, 201);
    reply_free(&r);
}

/* The flash as it leaves the factory: blank, with the signer's key beside it. */
static void commission(void)
{
    char path[128];
    const uint32_t magic = MAGIC;
    uint8_t *blank = malloc(COMMISSION);
    memset(blank, 0xff, COMMISSION);
    snprintf(path, sizeof path, "%s/mote.flash", fx.dir);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0 && ftruncate(fd, FLASH_FILE) == 0);
    assert_int_equal(write(fd, blank, COMMISSION), COMMISSION);
    assert_int_equal(write(fd, &magic, sizeof magic), sizeof magic);
    assert_int_equal(write(fd, fx.signer.public_key, 32), 32);
    close(fd);
    free(blank);
}

static void power_on(void)
{
    char memory[192], log[160];
    snprintf(memory, sizeof memory,
             "memory-backend-file,id=nor,size=16M,mem-path=%s/mote.flash,share=on", fx.dir);
    snprintf(log, sizeof log, "file:%s/mote.log", fx.dir);
    board = fork();
    if (board == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execlp("qemu-system-arm", "qemu-system-arm", "-M", "mps2-an386,memory-backend=nor",
               "-display", "none", "-monitor", "none", "-object", memory, "-serial", log, "-serial",
               bridge.device, "-semihosting", "-kernel", firmware, (char *)NULL);
        _exit(127);
    }
}

static void power_off(void)
{
    kill(board, SIGKILL);
    waitpid(board, NULL, 0);
    board = 0;
}

static int start(void **state)
{
    (void)state;
    fleet_prepare(&fx);
    memset(&field, 0, sizeof field);
    memset(&gateway, 0, sizeof gateway);
    assert_true(field_setup(&field));
    gateway_start(&gateway, &field, "gateway1", NULL);
    fleet_behind_broker(&fx, field.broker_port, "", 3600);
    fleet_start(&fx);
    make(&v1, 1, 0);
    make(&v2, 2, BYTES_OF_IT);
    fleet_enrol(&fx, "mote-1", "stable");
    bridge_serial(&bridge, gateway.port, 3);
    commission();
    return 0;
}

static int finish(void **state)
{
    (void)state;
    if (board)
        power_off();
    bridge_stop(&bridge);
    gateway_stop(&gateway, SIGKILL);
    fleet_teardown(&fx);
    field_teardown(&field);
    return 0;
}

static void board_says(const char *what, int seconds)
{
    for (int i = 0; i < seconds * 1000 / TRY_MS; i++) {
        char *log = fleet_file(&fx, "mote.log");
        bool said = strstr(log, what) != NULL;
        free(log);
        if (said)
            return;
        usleep(TRY_MS * 1000);
    }
    char *log = fleet_file(&fx, "mote.log");
    fail_msg("the board did not say \"%s\": %s", what, log);
}

static void a_microcontroller_is_updated_over_a_noisy_line_and_a_power_cut(void **state)
{
    (void)state;
    fleet_assign(&fx, "stable", &v1, NULL);
    fleet_write(&fx, "mote.log", "", 0);
    power_on();
    board_says("COMMITTED 1", 60);
    fleet_expect_action(&fx, "mote-1", "finished", 20);
    fleet_assign(&fx, "stable", &v2, NULL);
    usleep(700000);
    power_off(); /* in the middle of it, or just before or after: whatever it is */
    power_on();
    board_says("mote: on", 20);
    fleet_expect_action(&fx, "mote-1", "finished", 20);
    fleet_expect_event(&fx, "COMMITTED", "app", "");
    struct reply r = get_as(&fx, AS_OPERATOR, "/api/v1/devices/mote-1", 200);
    assert_json_text(r.json, "modules.0.sha256", v2.sha256);
    assert_json_text(r.json, "attributes.class", "mcu");
    reply_free(&r);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_microcontroller_is_updated_over_a_noisy_line_and_a_power_cut, start, finish),
    };
    if (argc != 2) {
        fprintf(stderr, "usage: test_mote FIRMWARE.elf\n");
        return 64;
    }
    firmware = argv[1];
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    curl_global_cleanup();
    return failed;
}
