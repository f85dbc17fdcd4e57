/* closure: every state that a device's flash can come to, and every boot from it (doc/fault.md).
 *
 * Each geometry is explored by a process of its own.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "explore.h"

enum { JOBS_MAX = 64 };

static const char usage[] =
    "usage: closure [OPTION...] [GEOMETRY...]\n"
    "  --quick        what fits a test run: a part of the inputs to the end on all geometries but "
    "four, and\n"
    "                 there the first states of key sets (1), of sets (13) and of all inputs "
    "(14);\n"
    "                 of 3 a part\n"
    "  --only N,N,... only these inputs\n"
    "  Of these, one or several together:\n"
    "  --main         good updates, bad ones, the operator's return, floors, hangs\n"
    "  --firmware     new firmware, with good and bad updates and the operator's return\n"
    "  --offers       a server that offers nothing, the last again, an older one, or part of one\n"
    "  --hangs        hangs, and starts after the watchdog's reset that know of it\n"
    "  --sick         modules that spin or are sick, and a server that hears no report\n"
    "  --late         modules that trap when they are committed, or always, and long uptimes\n"
    "  --again        what was there or failed, once more in another deployment\n"
    "  --keys         a device with key sets, and inputs about them\n"
    "  --plugin       a device with a plugin, and inputs about it and sets with it\n"
    "  --drivers      of these the inputs about the plugin alone, which come to an end\n"
    "  --sets         those about sets, which do too\n"
    "  --stated       and a server that says what is current\n"
    "  --journal      the journal alone\n"
    "  And:\n"
    "  --states N     only the first N states\n"
    "  --pairs N      pairs of flashes with equal keys to compare, at most; 1000\n"
    "  --jobs N       geometries at a time\n"
    "  --done FILE    skip geometries that FILE says were explored, and add those that are\n"
    "  --progress     tell how far it is\n"
    "  --inputs       list the inputs\n"
    "  --replay ID    go the path to a state or a failure again, and tell what happens\n";

static struct explore_limits limits = {.pairs = 1000};
static const char *done_file;
static bool is_quick;

static void print_result(unsigned geometry, const struct explore_result *r)
{
    const struct geometry *g = &geometries[geometry];

    printf(
        "%2u: sector %5u, unit %2u, erased %02x: %llu states%s, %llu edges, %.0f %% of them alike, "
        "%llu boots, depth %u, %llu pairs, %llu of mounts; good update in %u boots, return in %u, "
        "after %s in %u\n",
        geometry, (unsigned)g->sector, (unsigned)g->unit, g->erased, (unsigned long long)r->states,
        r->closed ? "" : " (not all explored)", (unsigned long long)r->edges,
        100.0 * (double)r->passed / (double)r->edges, (unsigned long long)r->boots, r->depth,
        (unsigned long long)r->pairs, (unsigned long long)r->joins, r->clean[0], r->clean[1],
        r->setting == WITH_DRIVER ? "a bad driver" : "hangs", r->clean[2]);
    if (r->by_chance)
        printf("    %llu of the states came up by chance, when pairs were compared\n",
               (unsigned long long)r->by_chance);
    if (r->failed)
        printf("    BROKEN: %s\n    replay: %s\n", r->what, r->id);
    if (r->other[0])
        printf("    the other: %s\n", r->other);
}

/* Quick: good, absent and bad updates to the end, on one flash with all the pairs; on three others,
 * in their place, the beginning of key sets, of a plugin, and of everything. */
static struct explore_limits quick(unsigned geometry)
{
    struct explore_limits l = limits;

    if (geometry == 1) {
        l.setting = WITH_KEY_SETS;
        l.inputs = keys_inputs;
        l.states = 200;
    } else if (geometry == 13) {
        l.setting = WITH_DRIVER;
        l.inputs = plugin_inputs;
        l.states = 60;
        l.pairs = 300;
    } else if (geometry == 14) {
        l.inputs = common_inputs;
        l.states = 60;
        l.pairs = 300;
    } else {
        l.inputs = core_inputs;
        l.pairs = geometry == 0 ? limits.pairs : 50;
        l.states = geometry == 3 ? 1000 : 0; /* of 88,000, in sectors smaller than records */
    }
    return l;
}

static int one(unsigned geometry)
{
    static struct explore_result r;
    struct explore_limits l = is_quick ? quick(geometry) : limits;

    explore(geometry, &l, &r);
    print_result(geometry, &r);
    fflush(stdout);
    FILE *f = done_file && r.closed && !r.failed ? fopen(done_file, "a") : NULL;
    if (f) {
        fprintf(f, "%u %llu %llu\n", geometry, (unsigned long long)r.states,
                (unsigned long long)r.edges);
        fclose(f);
    }
    return r.failed;
}

static bool is_done(unsigned geometry)
{
    unsigned long long states, edges;
    unsigned done;
    bool found = false;
    FILE *f = done_file ? fopen(done_file, "r") : NULL;

    while (f && !found && fscanf(f, "%u %llu %llu", &done, &states, &edges) == 3)
        found = done == geometry;
    if (found)
        printf("%2u: explored before: %llu states, %llu edges\n", geometry, states, edges);
    if (f)
        fclose(f);
    return found;
}

/* Each geometry in a process of its own, some at a time. */
static int all(const unsigned *which, unsigned n, unsigned jobs)
{
    unsigned running = 0, failed = 0;
    int status;

    for (unsigned i = 0; i < n || running > 0;) {
        if (i < n && is_done(which[i])) {
            i++;
            continue;
        }
        if (i < n && running < jobs) {
            pid_t pid = fork();
            if (pid == 0)
                _exit(one(which[i]));
            running += pid > 0;
            failed += pid < 0;
            i++;
            continue;
        }
        if (wait(&status) > 0) {
            running--;
            failed += status != 0;
        }
    }
    return failed != 0;
}

static void print_inputs(void)
{
    char text[160];

    for (unsigned i = 0; i < ninputs; i++) {
        input_text(&inputs[i], text, sizeof text);
        printf("%2u: %s\n", i, text);
    }
}

/* Exit status 2: a wrong command line, which is no rule that is broken (mutants.sh). */
__attribute__((noreturn)) static void refuse(const char *text, const char *why)
{
    fprintf(stderr, "closure: %s: %s\n%s", text ? text : "the last option", why, usage);
    exit(2);
}

/* A whole number below limit, up to *end; all of the text when end is NULL. */
static unsigned number_to(const char *text, unsigned long limit, char **end)
{
    char *stop;

    if (text == NULL || *text < '0' || *text > '9')
        refuse(text, text ? "neither an option nor a number" : "wants a value");
    unsigned long n = strtoul(text, &stop, 10);
    if (end)
        *end = stop;
    else if (*stop)
        refuse(text, "not a number");
    if (n >= limit)
        refuse(text, "too high a number");
    return (unsigned)n;
}

static unsigned number(const char *text)
{
    return number_to(text, UINT32_MAX, NULL);
}

/* "0,2,5": as bits. */
static uint64_t list_of(const char *text)
{
    const char *p = text;
    uint64_t bits = 0;
    char *end;

    for (;; p = end + 1) {
        bits |= 1ull << number_to(p, ninputs, &end);
        if (*end == 0)
            return bits;
        if (*end != ',')
            refuse(text, "not a list of inputs");
    }
}

static const char *value(const char *text)
{
    if (text == NULL)
        refuse(text, "wants a value");
    return text;
}

/* An option for a group of inputs, and the device that they are for. */
static bool group(const char *option)
{
    static const struct {
        const char *option;
        enum setting setting;
        const uint64_t *inputs;
    } groups[] = {
        {"--main", ONE_APPLICATION, &main_inputs},
        {"--firmware", ONE_APPLICATION, &firmware_inputs},
        {"--offers", ONE_APPLICATION, &offer_inputs},
        {"--hangs", ONE_APPLICATION, &hang_inputs},
        {"--sick", ONE_APPLICATION, &sick_inputs},
        {"--late", ONE_APPLICATION, &late_inputs},
        {"--again", ONE_APPLICATION, &again_inputs},
        {"--keys", WITH_KEY_SETS, &keys_inputs},
        {"--plugin", WITH_DRIVER, &plugin_inputs},
        {"--drivers", WITH_DRIVER, &driver_inputs},
        {"--sets", WITH_DRIVER, &set_inputs},
        {"--stated", WITH_STATEMENTS, &stated_inputs},
        {"--journal", JOURNAL_ALONE, &note_inputs},
    };

    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        if (strcmp(option, groups[i].option) != 0)
            continue;
        if (limits.setting == ONE_APPLICATION)
            limits.setting = groups[i].setting;
        else if (groups[i].setting != limits.setting && groups[i].setting != ONE_APPLICATION)
            refuse(option, "a group for another device than those before");
        limits.inputs |= *groups[i].inputs;
        return true;
    }
    return false;
}

int main(int argc, char **argv)
{
    unsigned which[JOBS_MAX], n = 0, jobs = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--replay") == 0) {
            int how = explore_replay(value(argv[i + 1]));
            if (how == 2)
                refuse(argv[i + 1], "no path that this program knows");
            return how;
        }
        if (strcmp(argv[i], "--help") == 0) {
            fputs(usage, stdout);
            return 0;
        }
        if (strcmp(argv[i], "--inputs") == 0) {
            print_inputs();
            return 0;
        }
        if (group(argv[i]))
            continue;
        if (strcmp(argv[i], "--quick") == 0)
            is_quick = true;
        else if (strcmp(argv[i], "--only") == 0)
            limits.inputs = list_of(argv[++i]);
        else if (strcmp(argv[i], "--states") == 0)
            limits.states = number(argv[++i]);
        else if (strcmp(argv[i], "--pairs") == 0)
            limits.pairs = number(argv[++i]);
        else if (strcmp(argv[i], "--jobs") == 0)
            jobs = number(argv[++i]);
        else if (strcmp(argv[i], "--done") == 0)
            done_file = value(argv[++i]);
        else if (strcmp(argv[i], "--progress") == 0)
            limits.progress = true;
        else if (n < JOBS_MAX)
            which[n++] = number_to(argv[i], ngeometries, NULL);
    }
    if (limits.inputs == 0)
        limits.inputs = common_inputs;
    if (n == 0)
        for (; n < ngeometries; n++)
            which[n] = n;
    setvbuf(stdout, NULL, _IOLBF, 0);
    return all(which, n, jobs ? jobs : 1);
}
