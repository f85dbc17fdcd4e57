/* Firmware: the RAM that a module with one sensor takes, from the registry to the end of its main
 * function. Prints "what TAB bytes" a line; status 1 when the module does not run.
 *
 * Built with -DMODULE="stem" (embed.h) of a module that exports "main".
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "board.h"
#include "device.h"
#include "embed.h"

#define PAINT 0x5a5a5a5au

EMBED_MODULE(module, MODULE);

static struct bench_device device;

static void line(const char *what, uint32_t bytes)
{
    sm_board_print(what);
    sm_board_print("\t");
    sm_board_print_u32(bytes);
    sm_board_print("\n");
}

static uint32_t stack_words_used(void)
{
    uint32_t n = DEVICE_WORDS;

    while (n > 0 && device.stack[n - 1] == PAINT)
        n--;
    return n;
}

int sm_board_main(void)
{
    uint32_t before = sm_board_stack_used(), result, linear;

    device.engine = (struct bench_engine){EMBEDDED_MODULE(module)};
    for (uint32_t i = 0; i < DEVICE_WORDS; i++)
        device.stack[i] = PAINT;
    if (bench_device_start(&device) != 0 || bench_device_call(&device, "main", 0, &result) != 0 ||
        device.chip.transfers == 0)
        return 1;
    linear = (uint32_t)sm_wasm_inst_memory(device.engine.inst)->capacity;
    line("sensor and registry", sizeof device.sensor + sizeof device.sensors);
    line("host, view of the sensor", sizeof device.host + sizeof device.views);
    line("manifest", sizeof device.grants);
    line("module, store, execution, instance",
         (uint32_t)(sizeof device.engine.module + sizeof device.engine.store +
                    sizeof device.engine.exec + device.engine.pool.used - linear));
    line("linear memory", linear);
    line("value stack", stack_words_used() * 4);
    line("C stack, that of the simulated chip included", sm_board_stack_used() - before);
    return 0;
}
