/* kill: the real daemon under the real server, killed with SIGKILL at random moments.
 *
 * A life is a device of its own: good releases and bad ones one after the other, from the making of
 * its flash file on, and in each the daemon is started and killed over and over. After each kill a
 * copy of the flash is looked at, with no help of the supervisor: what may run has its hash and a
 * good signature, records and floor have not gone back, a committed version stays. Then the daemon
 * is left alone, and the release has to end as it should, told to the server once.
 *
 *     kill [--rounds N] [--seed S]     20 kills, seed 1
 *     kill --life SEED                 one life again, as a failure says
 *
 * When a process is killed is in the seed; where it then is hangs on the machine.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>
#include <curl/curl.h>
#include <posix/file.h>
#include <posix/flash_file.h>
#include <sandmote/crypto.h>
#include <sandmote/keyset.h>
#include <sandmote/store.h>
#include "device_fixture.h"

#define PADDING 40000u /* bytes: several sectors */

enum { RELEASES = 5, KILLS_A_RELEASE = 5, WAIT_S = 30 };

/* Whether a release is good; the bad ones trap in their first call. */
static const bool good[RELEASES + 1] = {false, true, true, false, true, true};

struct view {
    uint64_t seq, floor, active; /* active: the sequence that is committed, 0 none */
    unsigned boots_left;         /* of a trial that is under way; 255: there is none */
};

static struct {
    struct fleet_fixture fx;
    struct device_fixture dev;
    struct module release[RELEASES + 1];
    uint32_t random;
    unsigned life_seed, round, kills, lives, running, trials, torn;
    struct view seen;
} g;

static uint32_t next(uint32_t below)
{
    g.random ^= g.random << 13;
    g.random ^= g.random >> 17;
    g.random ^= g.random << 5;
    return g.random % below;
}

static void must(bool holds, const char *what)
{
    if (holds)
        return;
    char *log = g.dev.log[0] ? fleet_file(&g.fx, g.dev.log) : NULL;
    fprintf(stderr, "\nkill: %s, after kill %u; kill --life %u begins this life again\n", what,
            g.kills, g.life_seed);
    fprintf(stderr, "flash and logs are in %s; the last log:\n%s", g.fx.dir, log ? log : "");
    exit(1);
}

/* ---- What lies in the flash ------------------------------------------------------------------ */

/* False when there is no flash file yet. */
static bool copy_flash(char copy[128])
{
    char path[128];
    struct sm_file_why why;
    uint8_t *bytes;
    size_t len;

    snprintf(path, sizeof path, "%s/%s.flash", g.fx.dir, g.dev.name);
    snprintf(copy, 128, "%s/copy", g.fx.dir);
    if (access(path, F_OK) != 0)
        return false;
    must(sm_file_read(path, 1u << 24, &bytes, &len, &why) == 0, "the flash file cannot be read");
    must(sm_file_write(copy, bytes, len, 0600, &why) == 0, "no copy of the flash file");
    free(bytes);
    return true;
}

/* The bytes of a slot that may run are what its record says, and signed. */
static void check_slot(const struct sm_store *s, unsigned slot)
{
    const struct sm_slot *r = &s->records[0].slot[slot];
    uint8_t sha[SM_SHA256_SIZE];
    const uint8_t *sig =
        sm_store_map(s, 0, slot, SM_SLOT_SIGNATURE, SM_SLOT_MODULE + r->module_len);

    if (r->state != SM_SLOT_TRIAL && r->state != SM_SLOT_COMMITTED)
        return;
    must(sig != NULL, "a slot that may run cannot be read");
    sm_sha256(sig + SM_SLOT_MODULE, r->module_len, sha);
    must(memcmp(sha, r->module_sha, sizeof sha) == 0, "a slot that may run is not whole");
    must(sm_ed25519_verify(g.fx.signer.public_key, sig + SM_SLOT_MODULE, r->module_len, sig) == 0,
         "a slot that may run is not signed");
    if (r->state == SM_SLOT_TRIAL)
        g.seen.boots_left = s->records[0].boots_left;
}

/* The copy's records, by the store itself. */
static void look_at(const char *copy)
{
    const struct sm_store_cfg layout = {.applications = 1,
                                        .slot_size = SLOT_BYTES,
                                        .keys_size = SM_KEYSET_MAX,
                                        .journal_size = JOURNAL_BYTES};
    struct sm_flash shape = {
        .sector_size = 4096, .sector_count = 1, .program_size = 8, .erased = 0xff};
    struct sm_layout l;
    struct sm_flash_file f;
    struct sm_flash_file_why why;
    struct sm_store s;
    struct sm_record r;
    uint64_t need;

    (void)sm_store_layout(&l, &shape, &layout, &need);
    const struct sm_flash_file_cfg cfg = {4096, (uint32_t)(need / 4096), 8, 0xff, false};
    must(sm_flash_file_open(&f, copy, &cfg, &why) == 0, "the flash file does not open");
    must(sm_store_mount(&s, &f.flash, &layout, &r) == 0, "the store does not mount");
    g.torn += s.health.damaged > 0;
    uint64_t active = r.active == SM_STORE_NO_SLOT ? 0 : r.slot[r.active].sequence;
    must(r.seq >= g.seen.seq && r.floor >= g.seen.floor, "a record has gone back");
    must(active >= g.seen.active, "a committed version is gone");
    must(active == 0 || good[active], "a bad version is committed");
    g.seen = (struct view){r.seq, r.floor, active, 255};
    for (unsigned slot = 0; slot < 2; slot++)
        check_slot(&s, slot);
    g.trials += g.seen.boots_left != 255;
    sm_flash_file_close(&f);
}

/* ---- Kills ----------------------------------------------------------------------------------- */

/* A moment to kill at: any, or soon after something that the daemon says, if it comes to that. */
static void wait_for_moment(void)
{
    static const char *const signs[] = {"STARTED app",   "fetching app", "fetching app",
                                        "INSTALLED app", "TRIAL app",    "COMMITTED app"};
    const unsigned any = next(3);

    if (any == 0) {
        usleep(next(300000));
        return;
    }
    const char *sign = signs[next(sizeof signs / sizeof *signs)];
    for (unsigned i = 0; i < 1000 && !device_said(&g.dev, sign); i++)
        usleep(500);
    g.running += device_said(&g.dev, "[app] version") > 0;
    usleep(next(any == 1 ? 3000 : 60000));
}

/* In the log: what is good, and no older than what was committed at the start. */
static void check_log(uint64_t committed)
{
    for (unsigned version = 1; version <= RELEASES; version++) {
        char text[32];
        snprintf(text, sizeof text, "[app] version %u", version);
        bool may = good[version] && version >= committed;
        must(may || device_said(&g.dev, text) == 0, "a version ran that may not");
    }
}

static void start_and_kill(void)
{
    const uint64_t before = g.seen.active;
    char copy[128];

    device_start(&g.dev);
    wait_for_moment();
    must(device_stop(&g.dev, SIGKILL) == 128 + SIGKILL, "the daemon has ended by itself");
    g.kills++;
    if (copy_flash(copy))
        look_at(copy);
    check_log(before);
    if (isatty(2))
        fprintf(stderr, "\r  %u kills ", g.kills);
}

/* A trial bears three starts, cut ones included: its last is left alone. */
static void kill_often(unsigned version)
{
    for (unsigned i = 0; i < KILLS_A_RELEASE; i++) {
        start_and_kill();
        if (good[version] && g.seen.boots_left <= 1)
            break;
    }
}

/* ---- The end of a release -------------------------------------------------------------------- */

static unsigned told(unsigned version, const char *event)
{
    char path[96], text[16];
    unsigned n = 0;

    snprintf(path, sizeof path, "/api/v1/events?device=%s", g.dev.name);
    snprintf(text, sizeof text, "%u.0", version);
    struct reply r = get_as(&g.fx, AS_OPERATOR, path, 200);
    const json_t *events = json_at(r.json, "events"), *e;
    size_t i;
    json_array_foreach(events, i, e) n +=
        strcmp(json_string_value(json_object_get(e, "version")), text) == 0 &&
        strcmp(json_string_value(json_object_get(e, "event")), event) == 0;
    reply_free(&r);
    return n;
}

/* The state of the device's last action. */
static bool action_is(const char *state)
{
    char path[96];

    snprintf(path, sizeof path, "/api/v1/devices/%s", g.dev.name);
    struct reply r = get_as(&g.fx, AS_OPERATOR, path, 200);
    bool is = strcmp(json_string_value(json_at(r.json, "action.state")), state) == 0;
    reply_free(&r);
    return is;
}

static void end_well(unsigned version, unsigned runs)
{
    const char *event = good[version] ? "COMMITTED" : "ROLLED_BACK";
    const uint64_t before = g.seen.active;
    char text[32], copy[128];

    snprintf(text, sizeof text, "[app] version %u", runs);
    device_start(&g.dev);
    for (unsigned i = 0; i < WAIT_S * 20 && !action_is(good[version] ? "finished" : "failed"); i++)
        usleep(50000);
    must(action_is(good[version] ? "finished" : "failed"), "the server does not hear the end");
    must(told(version, event) == 1, "the outcome was not told once");
    must(told(version, "INSTALLED") == 1, "the installation was not told once");
    must(told(version, good[version] ? "ROLLED_BACK" : "COMMITTED") == 0,
         "another outcome was told");
    device_says(&g.dev, text, WAIT_S);
    must(device_stop(&g.dev, SIGTERM) == 0, "the daemon does not end well");
    must(copy_flash(copy), "there is no flash file");
    look_at(copy);
    must(g.seen.active == runs && g.seen.boots_left == 255, "another version is committed");
    check_log(before);
}

static void live(unsigned seed, unsigned kills)
{
    char name[32], channel[32];
    unsigned runs = 0;

    g.life_seed = seed;
    g.random = seed * 2654435761u | 1;
    g.seen = (struct view){.boots_left = 255};
    g.lives++;
    snprintf(name, sizeof name, "dev-%u", seed);
    snprintf(channel, sizeof channel, "life-%u", seed);
    device_configure(&g.dev, &g.fx, name, g.fx.url, "");
    fleet_enrol(&g.fx, name, channel);
    for (unsigned version = 1; version <= RELEASES; version++) {
        must(fleet_assign(&g.fx, channel, &g.release[version], NULL) == 1, "nothing was assigned");
        if (g.kills < kills)
            kill_often(version);
        runs = good[version] ? version : runs;
        end_well(version, runs);
    }
}

/* ---- All of it ------------------------------------------------------------------------------- */

static void set_up(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
    fleet_prepare(&g.fx);
    must(fleet_shell(&g.fx, "sed -i s/3725/1/ $DIR/fleet.json") == 0, "no configuration");
    fleet_start(&g.fx);
    for (unsigned v = 1; v <= RELEASES; v++) {
        if (good[v])
            app_make(&g.fx, &g.release[v], (int)v, v % 2 ? 0 : PADDING);
        else
            app_make_trapping(&g.fx, &g.release[v], (int)v);
        struct reply r = module_upload(&g.fx, &g.release[v], 201);
        reply_free(&r);
    }
}

int main(int argc, char **argv)
{
    unsigned rounds = 20, seed = 1;
    bool once = false;

    for (int i = 1; i < argc; i += 2) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        char *end;
        unsigned n = (unsigned)strtoul(value, &end, 10);
        bool some = strcmp(argv[i], "--rounds") == 0, life = strcmp(argv[i], "--life") == 0;
        if ((!some && !life && strcmp(argv[i], "--seed") != 0) || *value < '0' || *value > '9' ||
            *end || (some && n == 0)) {
            fprintf(stderr, "kill: %s %s\nusage: kill [--rounds N] [--seed S] | kill --life SEED\n",
                    argv[i], value);
            return 64;
        }
        once |= life;
        *(some ? &rounds : &seed) = n;
    }
    set_up();
    for (unsigned life = 0; life == 0 || (g.kills < rounds && !once); life++)
        live(seed + life, once ? UINT32_MAX : rounds);
    printf(
        "  %u kills in %u lives, seeds from %u: %u with a module running, %u in a trial, %u left "
        "torn records; each of the %u releases ended as it should, told once\n",
        g.kills, g.lives, seed, g.running, g.trials, g.torn, g.lives * RELEASES);
    fleet_teardown(&g.fx);
    return 0;
}
