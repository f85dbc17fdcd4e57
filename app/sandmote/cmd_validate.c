/* sandmote validate: whether files are valid modules.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"
#include "module.h"

static int validate(int argc, char **argv)
{
    static const struct cli_option none[] = {{0}};
    int worst = CLI_GOOD;
    int files = cli_options(none, false, argc, argv);
    if (files < 1)
        return files == 0 ? cli_usage(&cli_validate, "name at least one file") : CLI_USAGE;
    for (int i = 1; i <= files; i++) {
        struct module m = {0};
        int status = module_load(&m, argv[i]);
        if (status == CLI_GOOD)
            printf("%s: valid\n", argv[i]);
        if (status == CLI_INVALID || worst == CLI_GOOD)
            worst = status;
        module_free(&m);
    }
    return worst;
}

const struct cli_command cli_validate = {
    .name = "validate",
    .arguments = "FILE...",
    .purpose = "Tell whether files are valid modules, and if not, where and why",
    .run = validate,
    .details = "The language is WebAssembly 2.0 without SIMD. The offset that is printed counts\n"
               "bytes in the file; the rule is in the specification's words.\n\n"
               "Exit status: 0 all are valid, 2 one is not, 1 one cannot be read.\n"};
