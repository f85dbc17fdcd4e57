/* sandmote: the tool of a module's author and of an operator, one command a file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cli.h"

static const struct cli_command *const commands[] = {
    &cli_new, &cli_key,        &cli_pack, &cli_sign,  &cli_verify, &cli_inspect, &cli_validate,
    &cli_run, &cli_postmortem, &cli_aot,  &cli_trust, &cli_ibe,    &cli_sn};
#define COMMANDS (sizeof commands / sizeof commands[0])

static const struct cli_command *find(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

static int overview(FILE *out)
{
    fputs("sandmote: signed WebAssembly modules for devices in the field\n\n", out);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(out, "  %-11s%s\n", commands[i]->name, commands[i]->purpose);
    fputs("  help       this page; `sandmote help COMMAND` for one command\n\n"
          "From source to device:\n"
          "  sandmote new --lang c app     or pack a module that is there:\n"
          "  sandmote key new fleet.pem\n"
          "  sandmote pack --manifest app.json app.wasm -o app-1.wasm\n"
          "  sandmote sign --key fleet.pem app-1.wasm\n"
          "  sandmote verify --key fleet.pub.pem app-1.wasm\n\n"
          "Exit status: 0 good, 1 bad or failed, 2 not a valid module, 3 trap, 4 interrupted by\n"
          "the epoch, 5 an import is missing, 64 wrong usage.\n",
          out);
    return CLI_GOOD;
}

static int help(int argc, char **argv)
{
    if (argc < 2)
        return overview(stdout);
    const struct cli_command *command = find(argv[1]);
    if (!command) {
        cli_say("no command is called \"%s\"; `sandmote help` lists them", argv[1]);
        return CLI_USAGE;
    }
    printf("usage: sandmote %s %s\n\n%s.\n\n%s", command->name, command->arguments,
           command->purpose, command->details);
    return CLI_GOOD;
}

static bool is_help(const char *arg)
{
    return !strcmp(arg, "--help") || !strcmp(arg, "-h");
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        overview(stderr);
        return CLI_USAGE;
    }
    if (!strcmp(argv[1], "help") || is_help(argv[1]))
        return help(argc - 1, argv + 1);
    const struct cli_command *command = find(argv[1]);
    if (!command) {
        cli_say("no command is called \"%s\"; `sandmote help` lists them", argv[1]);
        return CLI_USAGE;
    }
    if (argc > 2 && is_help(argv[2]))
        return help(2, argv);
    int status = command->run(argc - 1, argv + 1);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        cli_say("cannot write the output");
        return status == CLI_GOOD ? CLI_BAD : status;
    }
    return status;
}
