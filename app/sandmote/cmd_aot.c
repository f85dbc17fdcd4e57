/* sandmote aot: a module's native image.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <sandmote/crypto.h>

#include "aot.h"
#include "cli.h"
#include "module.h"

#define MESSAGE_BYTES 2048
#define GUARD         4096u /* bytes of an OS page */
#define UNROLL        100   /* operators of a loop's copies together */

struct aot_arguments {
    const char *target, *out, *cc, *keep_c, *optimize, *unroll, *memory;
    bool checks, no_epoch;
};

static int read_options(const struct aot_arguments *a, struct aot_options *options)
{
    uint64_t n = UNROLL;
    options->target = a->target ? aot_target(a->target) : sm_native_this_target();
    if (!options->target)
        return cli_usage(&cli_aot, "no target is called \"%s\"", a->target ? a->target : "");
    if (a->unroll && !cli_number(a->unroll, 10000, &n))
        return cli_usage(&cli_aot, "--unroll: \"%s\" is not a number of operators, 0 to 10000",
                         a->unroll);
    options->unroll = (unsigned)n;
    if (a->memory &&
        (!cli_number(a->memory, 1ull << 32, &options->memory_bytes) || options->memory_bytes == 0))
        return cli_usage(&cli_aot, "--memory: \"%s\" is not a number of bytes, 1 to 4294967296",
                         a->memory);
    options->guarded = !a->checks && options->target < SM_NATIVE_CORTEX_M4F;
    options->no_epoch = a->no_epoch;
    options->cc = a->cc;
    options->keep_c = a->keep_c;
    options->optimize = a->optimize;
    return CLI_GOOD;
}

/* What the manifest says of memory is what devices give. Guard pages end a memory at multiples of
 * GUARD bytes: where it ends elsewhere, or can, the code compares. */
static int fit_memory(const char *path, const struct module *module, struct aot_options *options)
{
    struct sm_wasm_memory_type t;
    struct sm_manifest manifest;
    struct sm_manifest_detail why;
    int err = sm_manifest_read(&manifest, module->bytes, module->len, &why);
    if (err && err != SM_ERR_NOT_FOUND) {
        module_say_manifest(path, err, &why);
        return CLI_BAD;
    }
    bool none = sm_wasm_memory_type(&module->wasm, &t) != 0;
    if (options->memory_bytes && (none || !err)) {
        cli_say("%s: --memory: %s", path,
                none ? "the module has no memory"
                     : "its manifest says memory_bytes, which is what devices give");
        return CLI_USAGE;
    }
    if (none)
        return CLI_GOOD;
    if (!err)
        options->memory_bytes = manifest.memory_bytes;
    uint64_t given = options->memory_bytes ? options->memory_bytes : UINT64_MAX;
    bool in_part = given < (uint64_t)t.min * t.page_bytes;
    if (t.page_bytes == 1 || (in_part && given % GUARD != 0))
        options->guarded = false;
    return CLI_GOOD;
}

static int build(const struct aot_arguments *a, struct aot_options *options, const char *path)
{
    struct module module = {0};
    uint8_t sha256[SM_SHA256_SIZE], *image;
    char message[MESSAGE_BYTES] = "";
    size_t len;
    int status = module_load(&module, path);
    if (status == CLI_GOOD)
        status = fit_memory(path, &module, options);
    if (status == CLI_GOOD) {
        sm_sha256(module.bytes, module.len, sha256);
        int err = aot_build(&module.wasm, sha256, options, &image, &len, message, sizeof message);
        if (err)
            cli_say("%s: %s", path, message[0] ? message : sm_strerror(err));
        status = err || !cli_write(a->out, image, len) ? CLI_BAD : CLI_GOOD;
        free(image);
    }
    module_free(&module);
    return status;
}

static int aot_command(int argc, char **argv)
{
    struct aot_arguments a = {0};
    const struct cli_option table[] = {{"target", &a.target, NULL},
                                       {"o", &a.out, NULL},
                                       {"cc", &a.cc, NULL},
                                       {"optimize", &a.optimize, NULL},
                                       {"unroll", &a.unroll, NULL},
                                       {"keep-c", &a.keep_c, NULL},
                                       {"memory", &a.memory, NULL},
                                       {"checks", NULL, &a.checks},
                                       {"no-epoch", NULL, &a.no_epoch},
                                       {0}};
    struct aot_options options = {0};
    int n = cli_options(table, false, argc, argv);
    if (n < 0)
        return CLI_USAGE;
    if (n != 1 || !a.out)
        return cli_usage(&cli_aot, a.out ? "name one module" : "-o is missing: name the image");
    int status = read_options(&a, &options);
    return status == CLI_GOOD ? build(&a, &options, argv[1]) : status;
}

const struct cli_command cli_aot = {
    .name = "aot",
    .arguments = "[--target TRIPLE] [--checks] [--memory BYTES] [--cc COMMAND]\n"
                 "                    [--optimize OPTIONS] [--unroll N] [--keep-c FILE.c] "
                 "[--no-epoch]\n                    FILE.wasm -o FILE",
    .purpose = "Compile a module to a native image",
    .run = aot_command,
    .details =
        "The module becomes C, the target's compiler makes machine code of it, and that is packed\n"
        "with the module's hash. `sandmote run --native` runs it. See doc/aot.md.\n\n"
        "  --target     x86_64-linux-gnu, aarch64-linux-gnu, thumbv7em-none-eabihf (Cortex-M4F)\n"
        "               or thumbv7em-none-eabi (Cortex-M4); this machine's when absent\n"
        "  --checks     compare addresses with the memory's size; without it 64-bit targets rely\n"
        "               on guard pages. Cortex-M always compares, and so does code for a memory "
        "that\n"
        "               does not end at a multiple of 4096 bytes, by its manifest or its page "
        "size\n"
        "  --memory     for a module without a manifest: bytes that it is given, where they end "
        "inside\n"
        "               its declared pages\n"
        "  --cc         another compiler than the target's gcc, with options of its own\n"
        "  --optimize   the compiler's optimisation options; -O3 without vector\n"
        "               instructions when absent\n"
        "  --unroll     operators up to which short loops are written several times; 0 for never\n"
        "  --keep-c     keep the C file\n"
        "  --no-epoch   no epoch checks: only to measure what they cost, nothing stops a loop\n"};
