/* The operator's commands: each asks the server once and prints its answer for people, or as the
 * JSON it is.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <fleet/route.h>
#include <posix/file.h>
#include <posix/json_read.h>
#include <sandmote/crypto.h>

#include "fleet_cli.h"

#define MODULE_MAX (1u << 30)
#define SHORT_SHA  12 /* digits shown of a hash */

static const char *text_of(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text ? text : "-";
}

static long long number_of(const json_t *o, const char *key)
{
    return (long long)json_integer_value(json_object_get(o, key));
}

/* Prints the whole answer as JSON when that was asked for. */
static bool print_json(const struct fleet_options *o, const json_t *answer)
{
    if (!o->json)
        return false;
    json_dumpf(answer, stdout, JSON_INDENT(2));
    putchar('\n');
    fflush(stdout);
    return true;
}

/* ---- Modules --------------------------------------------------------------------------------- */

/* What a plugin drives, and what a module requires. */
static void print_company(const json_t *m)
{
    const json_t *sensor = json_object_get(m, "sensor"), *r;
    size_t i;
    if (sensor)
        printf("  %s: a %s on %s at 0x%02llx", text_of(sensor, "id"), text_of(sensor, "model"),
               text_of(sensor, "bus"), (unsigned long long)number_of(sensor, "address"));
    if (json_is_true(json_object_get(m, "removes")))
        printf("  removes it");
    json_array_foreach(json_object_get(m, "requires"), i, r)
    {
        printf("%s%s %lld", i ? ", " : "  requires ", text_of(r, "name"), number_of(r, "least"));
        if (json_object_get(r, "most"))
            printf(" to %lld", number_of(r, "most"));
        else
            printf(" or newer");
    }
}

static void print_module(const json_t *m)
{
    printf("%-20s %-10s %-11s sequence %-4lld fleet %-12s %7lld bytes  ", text_of(m, "name"),
           text_of(m, "version"), text_of(m, "kind"), number_of(m, "sequence"), text_of(m, "fleet"),
           number_of(m, "size"));
    size_t i;
    json_t *class;
    json_array_foreach(json_object_get(m, "classes"), i, class)
    {
        printf("%s%s", i ? "," : "", json_string_value(class));
    }
    printf("  %.*s", SHORT_SHA, text_of(m, "sha256"));
    print_company(m);
    putchar('\n');
}

static int load(const char *path, size_t max, uint8_t **bytes, size_t *len)
{
    struct sm_file_why why;
    return sm_file_read(path, max, bytes, len, &why) < 0 ? fleet_say(FLEET_REFUSED, "%s", why.text)
                                                         : FLEET_GOOD;
}

static void print_native(const json_t *n)
{
    printf("%-20s %-10s native for target %-3lld %7lld bytes  module %.*s  %.*s\n",
           text_of(n, "name"), text_of(n, "version"), number_of(n, "target"), number_of(n, "size"),
           SHORT_SHA, text_of(n, "module"), SHORT_SHA, text_of(n, "sha256"));
}

static void print_keys(const json_t *k)
{
    printf("key set %-4lld fleet %-12s %7lld bytes  %.*s\n", number_of(k, "version"),
           text_of(k, "fleet"), number_of(k, "size"), SHORT_SHA, text_of(k, "sha256"));
}

/* What can be uploaded: a file, as a rule with its signature beside it. */
struct upload_kind {
    const char *part, *path;
    void (*print)(const json_t *answer);
    bool alone;
};

static int upload_one(const struct fleet_options *o, const struct upload_kind *kind,
                      const char *path)
{
    char sig_path[4096];
    uint8_t *file = NULL, *sig = NULL;
    struct fleet_upload u = {.part = kind->part};
    json_t *answer;
    snprintf(sig_path, sizeof sig_path, "%s.sig", path);
    int code = load(path, MODULE_MAX, &file, &u.file_len);
    if (code == FLEET_GOOD && !kind->alone)
        code = load(sig_path, 4096, &sig, &u.signature_len);
    u.file = file;
    u.signature = sig;
    if (code == FLEET_GOOD)
        code = fleet_ask(o, "POST", kind->path, NULL, &u, &answer);
    if (code == FLEET_GOOD) {
        if (!print_json(o, answer))
            kind->print(answer);
        json_decref(answer);
    }
    free(file);
    free(sig);
    return code;
}

static int upload_all(const struct fleet_options *o, const struct upload_kind *kind, int argc,
                      char **argv)
{
    int code = FLEET_GOOD;
    for (int i = 0; code == FLEET_GOOD && i < argc; i++)
        code = upload_one(o, kind, argv[i]);
    return code;
}

int fleet_upload(const struct fleet_options *o, int argc, char **argv)
{
    static const struct upload_kind kind = {"module", "/api/v1/modules", print_module, false};
    return upload_all(o, &kind, argc, argv);
}

int fleet_upload_native(const struct fleet_options *o, int argc, char **argv)
{
    static const struct upload_kind kind = {"image", "/api/v1/natives", print_native, false};
    return upload_all(o, &kind, argc, argv);
}

int fleet_upload_keys(const struct fleet_options *o, int argc, char **argv)
{
    static const struct upload_kind kind = {"keys", "/api/v1/keys", print_keys, true};
    return upload_all(o, &kind, argc, argv);
}

/* Ask for a list and print each of its elements. */
static int list(const struct fleet_options *o, const char *path, const char *name,
                void (*print)(const json_t *))
{
    json_t *answer, *each;
    size_t i;
    int code = fleet_ask(o, "GET", path, NULL, NULL, &answer);
    if (code != FLEET_GOOD)
        return code;
    if (!print_json(o, answer))
        json_array_foreach(json_object_get(answer, name), i, each)
        {
            print(each);
        }
    json_decref(answer);
    return FLEET_GOOD;
}

int fleet_modules(const struct fleet_options *o, int argc, char **argv)
{
    (void)argc, (void)argv;
    return list(o, "/api/v1/modules", "modules", print_module);
}

int fleet_natives(const struct fleet_options *o, int argc, char **argv)
{
    (void)argc, (void)argv;
    return list(o, "/api/v1/natives", "natives", print_native);
}

int fleet_keys(const struct fleet_options *o, int argc, char **argv)
{
    (void)argc, (void)argv;
    return list(o, "/api/v1/keys", "keys", print_keys);
}

/* ---- Channels -------------------------------------------------------------------------------- */

/* The hash that an argument of assign means: itself, or that of the file it names. */
static int sha_of(const char *argument, char sha[SM_FLEET_SHA_TEXT])
{
    uint8_t *bytes, hash[SM_SHA256_SIZE];
    size_t len;
    if (sm_fleet_sha_valid(argument)) {
        strcpy(sha, argument);
        return FLEET_GOOD;
    }
    int code = load(argument, MODULE_MAX, &bytes, &len);
    if (code != FLEET_GOOD)
        return code;
    sm_sha256(bytes, len, hash);
    sm_hex_encode(hash, sizeof hash, sha);
    free(bytes);
    return FLEET_GOOD;
}

int fleet_assign(const struct fleet_options *o, int argc, char **argv)
{
    char path[256], sha[SM_FLEET_SHA_TEXT];
    json_t *modules = json_array(), *answer;
    json_t *body = json_pack("{s:o}", "modules", modules);
    int code = FLEET_GOOD;
    if (!sm_fleet_name_valid(argv[0]))
        code = fleet_say(FLEET_USAGE, "%s: not a name for a channel", argv[0]);
    for (int i = 1; code == FLEET_GOOD && i < argc; i++) {
        code = sha_of(argv[i], sha);
        json_array_append_new(modules, json_string(sha));
    }
    snprintf(path, sizeof path, "/api/v1/channels/%.64s", argv[0]);
    if (code == FLEET_GOOD)
        code = fleet_ask(o, "PUT", path, body, NULL, &answer);
    if (code == FLEET_GOOD) {
        if (!print_json(o, answer))
            printf("channel %s: %lld devices to update\n", argv[0], number_of(answer, "actions"));
        json_decref(answer);
    }
    json_decref(body);
    return code;
}

static void print_channel(const json_t *c)
{
    printf("%-20s %4lld devices  ", text_of(c, "name"), number_of(c, "devices"));
    const json_t *modules = json_object_get(c, "modules"), *m;
    size_t i;
    json_array_foreach(modules, i, m)
    {
        printf("%s%s %s", i ? ", " : "", text_of(m, "name"), text_of(m, "version"));
    }
    printf("%s\n", json_array_size(modules) ? "" : "no modules yet");
}

int fleet_channels(const struct fleet_options *o, int argc, char **argv)
{
    (void)argc, (void)argv;
    return list(o, "/api/v1/channels", "channels", print_channel);
}

/* ---- Devices --------------------------------------------------------------------------------- */

int fleet_enrol(const struct fleet_options *o, int argc, char **argv)
{
    char path[256], token[129], hex[65];
    json_t *answer;
    (void)argc;
    if (!sm_fleet_name_valid(argv[0]))
        return fleet_say(FLEET_USAGE, "%s: not a name for a device", argv[0]);
    if (!o->device_token && !o->channel)
        return fleet_say(FLEET_USAGE, "enrol needs --device-token FILE or --channel CHANNEL");
    json_t *body = json_object();
    int code = FLEET_GOOD;
    if (o->device_token && access(o->device_token, F_OK) < 0)
        code = fleet_make_token(o->device_token, hex);
    if (code == FLEET_GOOD && o->device_token)
        code = fleet_read_token(o->device_token, token, sizeof token);
    if (code == FLEET_GOOD && o->device_token)
        json_object_set_new(body, "token", json_string(token));
    if (o->channel)
        json_object_set_new(body, "channel", json_string(o->channel));
    snprintf(path, sizeof path, "/api/v1/devices/%.64s", argv[0]);
    if (code == FLEET_GOOD)
        code = fleet_ask(o, "PUT", path, body, NULL, &answer);
    if (code == FLEET_GOOD) {
        if (!print_json(o, answer))
            printf("device %s%s%s\n", argv[0], o->channel ? ", channel " : "",
                   o->channel ? o->channel : "");
        json_decref(answer);
    }
    json_decref(body);
    return code;
}

static void print_device(const json_t *d)
{
    const json_t *action = json_object_get(d, "action"), *m;
    size_t i;
    printf("%-16s channel %-10s seen %-24s  ", text_of(d, "id"), text_of(d, "channel"),
           text_of(d, "last_seen_at"));
    json_array_foreach(json_object_get(d, "modules"), i, m)
    {
        printf("%s%s %s%s", i ? ", " : "", text_of(m, "name"), text_of(m, "version"),
               strcmp(text_of(m, "kind"), "plugin") ? "" : " (plugin)");
    }
    if (json_is_string(json_object_get(d, "keyset")))
        printf("  key set %s", text_of(d, "keyset"));
    if (json_is_object(action))
        printf("  (action %lld %s%s%s)", number_of(action, "id"), text_of(action, "state"),
               *text_of(action, "detail") ? ": " : "", text_of(action, "detail"));
    putchar('\n');
}

int fleet_devices(const struct fleet_options *o, int argc, char **argv)
{
    char path[256];
    json_t *answer;
    if (argc == 0)
        return list(o, "/api/v1/devices", "devices", print_device);
    if (!sm_fleet_name_valid(argv[0]))
        return fleet_say(FLEET_USAGE, "%s: not a name of a device", argv[0]);
    snprintf(path, sizeof path, "/api/v1/devices/%.64s", argv[0]);
    int code = fleet_ask(o, "GET", path, NULL, NULL, &answer);
    if (code != FLEET_GOOD)
        return code;
    if (!print_json(o, answer))
        print_device(answer);
    json_decref(answer);
    return FLEET_GOOD;
}

/* ---- Events ---------------------------------------------------------------------------------- */

static void print_event(const json_t *e)
{
    printf("%lld %s %-16s %-16s %s %s (sequence %lld, %.*s)%s%s\n", number_of(e, "id"),
           text_of(e, "received_at"), text_of(e, "device"), text_of(e, "event"),
           text_of(e, "module"), *text_of(e, "version") ? text_of(e, "version") : "-",
           number_of(e, "sequence"), SHORT_SHA, text_of(e, "sha256"),
           *text_of(e, "detail") ? ": " : "", text_of(e, "detail"));
}

/* Ask for what came after *after, print it, and move *after on. what is the list's name. */
static int list_once(const struct fleet_options *o, const char *what, void (*print)(const json_t *),
                     uint64_t *after)
{
    char path[320];
    json_t *answer;
    snprintf(path, sizeof path, "/api/v1/%s?after=%llu&limit=%s%s%s", what,
             (unsigned long long)*after, o->limit ? o->limit : "1000", o->device ? "&device=" : "",
             o->device ? o->device : "");
    int code = fleet_ask(o, "GET", path, NULL, NULL, &answer);
    if (code != FLEET_GOOD)
        return code;
    const json_t *events = json_object_get(answer, what);
    size_t n = json_array_size(events);
    if ((n || !o->follow) && !print_json(o, answer))
        for (size_t i = 0; i < n; i++)
            print(json_array_get(events, i));
    if (n)
        *after = (uint64_t)number_of(json_array_get(events, n - 1), "id");
    fflush(stdout);
    json_decref(answer);
    return FLEET_GOOD;
}

/* --after, --limit and --device. */
static int check_list_options(const struct fleet_options *o, uint64_t *after)
{
    uint64_t limit;
    *after = 0;
    if ((o->after && sm_fleet_number(o->after, after) < 0) ||
        (o->limit && sm_fleet_number(o->limit, &limit) < 0))
        return fleet_say(FLEET_USAGE, "--after and --limit need whole numbers");
    if (o->device && !sm_fleet_name_valid(o->device))
        return fleet_say(FLEET_USAGE, "%s: not a name of a device", o->device);
    return FLEET_GOOD;
}

int fleet_events(const struct fleet_options *o, int argc, char **argv)
{
    uint64_t after;
    (void)argc, (void)argv;
    int code = check_list_options(o, &after);
    if (code == FLEET_GOOD)
        code = list_once(o, "events", print_event, &after);
    while (o->follow && code == FLEET_GOOD) {
        sleep(1);
        code = list_once(o, "events", print_event, &after);
    }
    return code;
}

/* ---- Post-mortems ---------------------------------------------------------------------------- */

static void print_postmortem(const json_t *p)
{
    printf("%lld %s %-16s %s %s %s (sequence %lld, %.*s): %s, %lld bytes\n", number_of(p, "id"),
           text_of(p, "received_at"), text_of(p, "device"), text_of(p, "event"),
           text_of(p, "module"), text_of(p, "version"), number_of(p, "sequence"), SHORT_SHA,
           text_of(p, "sha256"), text_of(p, "detail"), number_of(p, "size"));
}

int fleet_postmortems(const struct fleet_options *o, int argc, char **argv)
{
    uint64_t after;
    (void)argc, (void)argv;
    int code = check_list_options(o, &after);
    return code == FLEET_GOOD ? list_once(o, "postmortems", print_postmortem, &after) : code;
}

int fleet_postmortem(const struct fleet_options *o, int argc, char **argv)
{
    char path[64];
    struct sm_file_why why;
    uint64_t number;
    uint8_t *bytes;
    size_t len;
    (void)argc;
    if (sm_fleet_number(argv[0], &number) < 0)
        return fleet_say(FLEET_USAGE, "%s: not a number of a post-mortem", argv[0]);
    snprintf(path, sizeof path, "/api/v1/postmortems/%llu", (unsigned long long)number);
    int code = fleet_fetch(o, path, &bytes, &len);
    if (code != FLEET_GOOD)
        return code;
    if (sm_file_write(argv[1], bytes, len, 0600, &why) < 0)
        code = fleet_say(FLEET_REFUSED, "%s", why.text);
    free(bytes);
    return code;
}
