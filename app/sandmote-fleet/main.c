/* sandmote-fleet: the management server, and the operator's commands to it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fleet_cli.h"

static const char usage[] =
    "usage: sandmote-fleet COMMAND [OPTIONS] [ARGUMENTS]\n"
    "\n"
    "The server:\n"
    "  serve --config FILE           run until SIGTERM or SIGINT\n"
    "  token FILE                    make an operator's token; prints its SHA-256 for the config\n"
    "\n"
    "Operators (each takes --server URL --ca FILE --token-file FILE; or the environment variables\n"
    "SANDMOTE_FLEET_SERVER, SANDMOTE_FLEET_CA and SANDMOTE_FLEET_TOKEN_FILE; --json prints the\n"
    "server's answer as it is):\n"
    "  upload MODULE.wasm...         with MODULE.wasm.sig beside each\n"
    "  modules                       what was uploaded\n"
    "  upload-native IMAGE...        native images of uploaded modules, with IMAGE.sig beside "
    "each\n"
    "  natives\n"
    "  upload-keys SET...            key sets (sandmote trust), in ascending order\n"
    "  keys\n"
    "  assign CHANNEL MODULE...      a file, or the SHA-256 of an uploaded module; every device "
    "of\n"
    "                                the channel is told to run exactly these versions\n"
    "  channels\n"
    "  enrol DEVICE --device-token FILE [--channel CHANNEL]\n"
    "                                make a device or change it; the file is made when missing\n"
    "  devices [DEVICE]              what runs where\n"
    "  events [--device DEVICE] [--after NUMBER] [--limit NUMBER] [--follow]\n"
    "  postmortems [--device DEVICE] [--after NUMBER] [--limit NUMBER]\n"
    "                                what traps left behind\n"
    "  postmortem NUMBER FILE        fetch one; `sandmote postmortem FILE` prints it\n"
    "\n"
    "Exit status: 0 done, 1 refused, 2 no answer from the server, 64 wrong usage.\n";

static const struct command {
    const char *name;
    fleet_command *run;
    int min, max; /* arguments */
} commands[] = {
    {"serve", fleet_serve, 0, 0},
    {"token", fleet_token, 1, 1},
    {"upload", fleet_upload, 1, 1000},
    {"modules", fleet_modules, 0, 0},
    {"upload-native", fleet_upload_native, 1, 1000},
    {"natives", fleet_natives, 0, 0},
    {"upload-keys", fleet_upload_keys, 1, 1000},
    {"keys", fleet_keys, 0, 0},
    {"assign", fleet_assign, 2, 1000},
    {"channels", fleet_channels, 0, 0},
    {"enrol", fleet_enrol, 1, 1},
    {"devices", fleet_devices, 0, 1},
    {"events", fleet_events, 0, 0},
    {"postmortems", fleet_postmortems, 0, 0},
    {"postmortem", fleet_postmortem, 2, 2},
};

int fleet_say(int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("sandmote-fleet: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return code;
}

static int wrong_usage(const char *what)
{
    return fleet_say(FLEET_USAGE, "%s; `sandmote-fleet help` says more", what);
}

/* 0, or FLEET_USAGE after getopt said what is wrong. */
static int read_options(int argc, char **argv, struct fleet_options *o)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},  {"server", required_argument, NULL, 's'},
        {"ca", required_argument, NULL, 'a'},      {"token-file", required_argument, NULL, 't'},
        {"channel", required_argument, NULL, 'h'}, {"device-token", required_argument, NULL, 'e'},
        {"device", required_argument, NULL, 'd'},  {"after", required_argument, NULL, 'n'},
        {"limit", required_argument, NULL, 'l'},   {"json", no_argument, NULL, 'j'},
        {"follow", no_argument, NULL, 'f'},        {NULL, 0, NULL, 0}};
    o->server = getenv("SANDMOTE_FLEET_SERVER");
    o->ca = getenv("SANDMOTE_FLEET_CA");
    o->token = getenv("SANDMOTE_FLEET_TOKEN_FILE");
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        const char **text = c == 'c'   ? &o->config
                            : c == 's' ? &o->server
                            : c == 'a' ? &o->ca
                            : c == 't' ? &o->token
                            : c == 'h' ? &o->channel
                            : c == 'e' ? &o->device_token
                            : c == 'd' ? &o->device
                            : c == 'n' ? &o->after
                            : c == 'l' ? &o->limit
                                       : NULL;
        if (text)
            *text = optarg;
        else if (c == 'j')
            o->json = true;
        else if (c == 'f')
            o->follow = true;
        else
            return wrong_usage("unknown option");
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct fleet_options o = {0};
    if (argc < 2)
        return wrong_usage("no command");
    if (!strcmp(argv[1], "help") || !strcmp(argv[1], "--help")) {
        fputs(usage, stdout);
        return FLEET_GOOD;
    }
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        const struct command *c = &commands[i];
        if (strcmp(argv[1], c->name) != 0)
            continue;
        if (read_options(argc - 1, argv + 1, &o))
            return FLEET_USAGE;
        int left = argc - 1 - optind;
        if (left < c->min || left > c->max)
            return fleet_say(FLEET_USAGE,
                             "%s: wrong number of arguments; `sandmote-fleet help` tells them",
                             c->name);
        return c->run(&o, left, argv + 1 + optind);
    }
    return fleet_say(FLEET_USAGE, "no command %s; `sandmote-fleet help` lists them", argv[1]);
}
