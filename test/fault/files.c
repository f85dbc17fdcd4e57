/* files: the device's flash file on a disk that loses power, and under a kernel whose calls fail.
 *
 * Stories of modules (test/device/story.h) are lived by the real supervisor over the real
 * port/posix/flash_file.c. At each sync the process ends, and every outcome of the writes since the
 * last one (disk.h) is a file that a new process opens: it must run a verified module, whatever was
 * acknowledged must be there, and the story must end as it has to. Then, in a story each, every
 * call fails once, in each way.
 *
 *     files            a part, in seconds
 *     files --full     every outcome of up to 12 writes, every call
 *     files --replay ID
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <posix/file.h>
#include <posix/flash_file.h>
#include "disk.h"
#include "story.h"

#define MAKING STORIES /* the story before them all: there is no file yet */

static const struct sm_flash_file_cfg shapes[] = {
    {4096, 20, 8, 0xff, false}, /* as sandmoted has it */
    {512, 62, 1, 0x00, false},
};
#define SHAPES (sizeof shapes / sizeof *shapes)

/* Numbers that children of this process add to. */
struct counts {
    uint64_t syncs, outcomes, sampled, whole_stories, failed_calls;
    unsigned most_pieces;
    char id[64]; /* of what is being tried */
};

static struct {
    bool full;
    /* What --replay wants; -1: everything. */
    long story, shape, sync, outcome, fault, call;
    bool outcome_sampled;

    struct rig *rig;
    struct flash_sim nowhere; /* what the rig is over until it gets its file */
    struct world world;
    unsigned at_story, at_shape, at_sync;
    struct counts *n;
    char dir[32], path[64], crashed[64];
} g;

static bool wanted(long filter, unsigned is)
{
    return filter < 0 || filter == (long)is;
}

static const char *story_name(unsigned story)
{
    return story == MAKING ? "the file is made" : stories[story].name;
}

/* ---- One process ----------------------------------------------------------------------------- */

/* What a new process does first; 0 or an error with its sentence. */
static int open_file(struct sm_flash_file *f, const char *path, struct sm_flash_file_why *why)
{
    int err = sm_flash_file_open(f, path, &shapes[g.at_shape], why);

    g.rig->cfg.flash = &f->flash;
    return err;
}

static void must(bool holds, const char *what, const char *more)
{
    if (holds)
        return;
    fprintf(stderr, "files: %s: %s\n", what, more);
    _exit(1);
}

static void must_open(struct sm_flash_file *f, const char *path)
{
    struct sm_flash_file_why why = {""};

    must(open_file(f, path, &why) == 0, "the flash file does not open", why.text);
}

/* Live the story on the file that is open. */
static void live(struct world *w)
{
    if (g.at_story == MAKING)
        story_begin(g.rig, &stories[0]);
    else
        story_session(g.rig, w);
}

/* The new process goes on with the story until it has ended. */
static void live_to_the_end(struct world *w)
{
    if (g.at_story == MAKING) {
        story_begin_again(g.rig);
        return;
    }
    for (unsigned clean = 0; clean < 3; clean++)
        story_session(g.rig, w);
    story_check_end(g.rig, w);
}

/* A new process finds the file that lies there: nothing acknowledged is gone, and a verified
 * module runs. */
static void check_file(const char *path, const struct sm_record *acked, bool to_the_end)
{
    struct sm_flash_file f;
    struct world w = g.world;
    const struct sm_record *now = &g.rig->records[0];

    must_open(&f, path);
    must(rig_boot(g.rig) == 0, "the device does not start", sm_device_reason(&g.rig->dev));
    must(now->seq >= acked->seq, "an acknowledged record is gone", path);
    must(now->seq != acked->seq || acked->seq == 0 ||
             (now->active == acked->active && now->floor == acked->floor &&
              memcmp(now->slot, acked->slot, sizeof now->slot) == 0),
         "an acknowledged record is another one", path);
    must(now->floor >= acked->floor, "the floor has sunk", path);
    if (g.at_story != MAKING || (acked->seq > 0 && acked->active != SM_STORE_NO_SLOT)) {
        rig_run(g.rig, 20);
        story_check(g.rig, &w);
    }
    if (to_the_end)
        live_to_the_end(&w);
    sm_flash_file_close(&f);
}

/* ---- Power cuts ------------------------------------------------------------------------------ */

static uint64_t enumerable(uint64_t limit)
{
    uint64_t n = disk_rename_pending() ? 2 : 1;

    for (unsigned i = 0; i < disk_pending(); i++) {
        n *= DISK_FATES;
        if (n > limit)
            return 0;
    }
    return n;
}

static uint32_t mixed(uint64_t x)
{
    x = (x + 0x9e3779b97f4a7c15u) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 29) * 0x94d049bb133111ebu;
    return (uint32_t)(x >> 32) | 1;
}

/* The number-th outcome; sampled ones also have garbage in whole disk sectors. */
static void make_outcome(struct disk_outcome *o, uint64_t number, bool sampled)
{
    uint64_t rest = number;
    uint32_t seed = mixed(number * 64 + g.at_sync * 8 + g.at_story);

    o->seed = seed;
    o->renamed = sampled ? seed >> 30 & 1 : disk_rename_pending() && rest & 1;
    o->whole_sector = sampled && number & 1;
    if (!sampled && disk_rename_pending())
        rest >>= 1;
    for (unsigned i = 0; i < disk_pending(); i++) {
        o->fate[i] = (uint8_t)(sampled ? mixed(seed + i) / 8 % DISK_FATES : rest % DISK_FATES);
        rest /= DISK_FATES;
    }
}

static void try_outcomes(uint64_t count, bool sampled, unsigned whole_every,
                         const struct sm_record *acked)
{
    static struct disk_outcome o;

    for (uint64_t i = 0; i < count; i++) {
        if (!wanted(g.outcome, (unsigned)i) || (g.outcome >= 0 && g.outcome_sampled != sampled))
            continue;
        snprintf(g.n->id, sizeof g.n->id, "crash.%u.%u.%u.%c%llu", g.at_story, g.at_shape,
                 g.at_sync, sampled ? 's' : 'e', (unsigned long long)i);
        make_outcome(&o, i, sampled);
        disk_crash(&o, g.crashed);
        bool whole = i % whole_every == 0 || g.outcome >= 0;
        check_file(g.crashed, acked, whole);
        g.n->outcomes++;
        g.n->sampled += sampled;
        g.n->whole_stories += whole;
    }
}

/* Waits for a child, which has said what is wrong. */
static int outcome_of(pid_t pid)
{
    int status = 0;

    must(pid > 0 && waitpid(pid, &status, 0) == pid, "no child process", "");
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    if (code != 0 && code != 2) {
        fprintf(stderr, "files: failed in \"%s\", %u x %u; files --replay %s does it again\n",
                story_name(g.at_story), shapes[g.at_shape].sector_count,
                shapes[g.at_shape].sector_size, g.n->id);
        exit(1);
    }
    return code;
}

/* One line that is written over, for whoever waits. */
static void show_progress(void)
{
    if (g.full)
        fprintf(stderr, "\r  %s: sync %u, %u writes ", story_name(g.at_story), g.at_sync,
                disk_pending());
}

/* The disk is about to make the pieces certain: what if the power fails now? */
static void at_sync(void)
{
    unsigned sync = g.at_sync++;
    unsigned every = g.full ? 1 : 3;

    g.n->syncs++;
    if (disk_pending() > g.n->most_pieces)
        g.n->most_pieces = disk_pending();
    if (!wanted(g.sync, sync) || (g.sync < 0 && sync % every != 0))
        return;
    g.at_sync = sync;
    show_progress();
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        const struct sm_record acked = g.rig->records[0];
        uint64_t all = enumerable(g.full || g.outcome >= 0 ? 600000 : 300);
        disk_stop();
        try_outcomes(all, false, g.full ? 16 : 8, &acked);
        try_outcomes(all && !g.full ? 8 : g.full ? 2000 : 60, true, 8, &acked);
        _exit(0);
    }
    (void)outcome_of(pid);
    g.at_sync = sync + 1;
}

/* ---- A story on a file ----------------------------------------------------------------------- */

/* The file as the story finds it. */
static void prepare(void)
{
    char part[80];
    struct sm_flash_file f;

    snprintf(part, sizeof part, "%s.part", g.path);
    unlink(g.path);
    unlink(part);
    rig_init(g.rig, &g.nowhere);
    g.rig->cfg.store.applications = 1;
    if (g.at_story == MAKING)
        return;
    must_open(&f, g.path);
    story_begin(g.rig, &stories[g.at_story]);
    sm_flash_file_close(&f);
}

static void cut_power(void)
{
    struct sm_flash_file f;
    struct counts before = *g.n;

    g.at_sync = 0;
    prepare();
    disk_watch(g.path, at_sync);
    must_open(&f, g.path);
    live(&g.world);
    if (disk_pending() > 0)
        at_sync();
    sm_flash_file_close(&f);
    disk_stop();
    printf("  %-30s %u x %-5u %5llu syncs, %8llu outcomes\n", story_name(g.at_story),
           shapes[g.at_shape].sector_count, shapes[g.at_shape].sector_size,
           (unsigned long long)(g.n->syncs - before.syncs),
           (unsigned long long)(g.n->outcomes - before.outcomes));
}

/* The story while calls fail. A module whose image could not be made anew starts a little later;
 * on a disk that takes nothing any more it cannot, and the device has to say so. */
static void live_with(enum disk_fault fault)
{
    if (fault == DISK_EINTR || fault == DISK_SHORT || !stories[g.at_story].new_engine) {
        live(&g.world);
        return;
    }
    must(rig_boot(g.rig) == 0, "the device does not start", sm_device_reason(&g.rig->dev));
    rig_run(g.rig, 20000);
    must(rig_runs(g.rig, 0) == 2 || fault == DISK_DEAD, "nothing runs",
         sm_device_reason(&g.rig->dev));
    must(*sm_device_reason(&g.rig->dev) != 0 || rig_runs(g.rig, 0) == 2, "nothing runs", "unsaid");
}

/* In a child: the story with one call failing, and what a new process makes of it, when the power
 * failed at the end and when it did not. Exit status 2: there is no such call any more. */
static void fail_call(unsigned call, enum disk_fault fault)
{
    struct sm_flash_file f;
    struct sm_flash_file_why why = {""};

    disk_watch(g.path, NULL);
    disk_fail(call, fault);
    int err = open_file(&f, g.path, &why);
    bool harmless = fault == DISK_EINTR || fault == DISK_SHORT;
    must(err == 0 || strstr(why.text, g.path) != NULL, "no clear error", why.text);
    must(err == 0 || !harmless, "a harmless interruption is an error", why.text);
    if (err == 0) {
        if (g.at_story != MAKING)
            live_with(fault);
        else if (harmless)
            live(&g.world);
        must(!harmless || g.rig->dev.store.health.fault == 0,
             "a harmless interruption is a fault of the flash", "");
        sm_flash_file_close(&f);
    }
    if (call >= disk_calls())
        _exit(2);
    disk_stop();
    const struct sm_record acked = g.rig->records[0];
    disk_crash(NULL, g.crashed);
    check_file(g.crashed, &acked, true);
    g.rig->records[0] = acked;
    check_file(g.path, &acked, true);
    g.n->failed_calls++;
    _exit(0);
}

static void fail_calls(enum disk_fault fault)
{
    unsigned step = g.full || g.call >= 0 ? 1 : g.at_story == MAKING ? 3 : 17;
    int code = 0;

    for (unsigned call = g.call >= 0 ? (unsigned)g.call : fault % step; code == 0; call += step) {
        prepare();
        snprintf(g.n->id, sizeof g.n->id, "call.%u.%u.%u.%u", g.at_story, g.at_shape, fault, call);
        fflush(stdout);
        pid_t pid = fork();
        if (pid == 0)
            fail_call(call, fault);
        code = outcome_of(pid);
        if (g.call >= 0)
            break;
    }
}

/* ---- What the port promises ------------------------------------------------------------------ */

static bool on_the_disk(const char text[8])
{
    struct sm_flash_file f;

    disk_stop();
    disk_crash(NULL, g.crashed);
    must_open(&f, g.crashed);
    bool there = memcmp(f.flash.map(f.flash.ctx, 0, 8), text, 8) == 0;
    sm_flash_file_close(&f);
    return there;
}

/* A flash file whose first bytes were written and not synced. */
static void write_unsynced(struct sm_flash_file *f)
{
    prepare();
    must_open(f, g.path);
    disk_watch(g.path, NULL);
    disk_adopt(f->fd);
    must(f->flash.program(f->flash.ctx, 0, "16 bytes, half is", 16) == 0, "no program", "");
}

/* A sync that succeeds after one that failed covers what that one lost. */
static void sync_twice(void)
{
    struct sm_flash_file f;

    write_unsynced(&f);
    disk_fail(0, DISK_EIO);
    must(f.flash.sync(f.flash.ctx) == SM_ERR_IO, "a sync that failed is good", "");
    must(f.flash.sync(f.flash.ctx) == 0, "the next sync fails", "");
    must(on_the_disk("16 bytes"), "a good sync after a failed one", "has not written everything");
    sm_flash_file_close(&f);
}

/* What a killed process wrote last is on the disk before the next one acts on it. */
static void open_after_kill(void)
{
    struct sm_flash_file f;

    write_unsynced(&f);
    sm_flash_file_close(&f);
    must_open(&f, g.path);
    must(on_the_disk("16 bytes"), "what is read after opening", "is not on the disk");
    sm_flash_file_close(&f);
}

/* A whole file (port/posix/file.h) is the old one or the new one, whichever call fails, and the new
 * one when that was said. */
static void replace_a_file(void)
{
    static const char *const text[] = {"the old one", "the new one, which is longer"};
    struct sm_file_why why;
    uint8_t *bytes;
    size_t len;

    for (unsigned fault = 0; fault < DISK_FAULTS; fault++) {
        for (unsigned call = 0, calls = 1; call < calls; call++) {
            must(sm_file_write(g.crashed, text[0], strlen(text[0]), 0600, &why) == 0, why.text, "");
            disk_watch(g.crashed, NULL);
            disk_fail(call, fault);
            int err = sm_file_write(g.crashed, text[1], strlen(text[1]), 0600, &why);
            calls = disk_calls();
            disk_stop();
            must(err == 0 || strstr(why.text, g.crashed) != NULL, "no clear error", why.text);
            must(sm_file_read(g.crashed, 100, &bytes, &len, &why) == 0, why.text, "");
            bool now = strcmp((char *)bytes, text[1]) == 0;
            must(now || (err != 0 && strcmp((char *)bytes, text[0]) == 0), "a file is neither",
                 (char *)bytes);
            free(bytes);
            g.n->failed_calls++;
        }
    }
}

/* ---- All of them ----------------------------------------------------------------------------- */

static void tell(void)
{
    world_init(&g.world, &stories[g.at_story == MAKING ? 0 : g.at_story]);
    const struct world at_first = g.world;
    if (g.call < 0)
        cut_power();
    for (unsigned fault = 0; fault < DISK_FAULTS && g.sync < 0; fault++) {
        g.world = at_first;
        if (wanted(g.fault, fault))
            fail_calls(fault);
    }
    world_free(&g.world);
}

static void set_up(void)
{
    /* A file system in memory, where there is one, takes the waiting out of syncs that are real. */
    snprintf(g.dir, sizeof g.dir, "%s/sandmote-files-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    must(mkdtemp(g.dir) != NULL, "no temporary folder", g.dir);
    snprintf(g.path, sizeof g.path, "%s/flash", g.dir);
    snprintf(g.crashed, sizeof g.crashed, "%s/crashed", g.dir);
    g.n = mmap(NULL, sizeof *g.n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    g.rig = aligned_alloc(64, (sizeof *g.rig + 63) / 64 * 64);
    must(g.n != MAP_FAILED && g.rig != NULL, "no memory", "");
    sim_init(&g.nowhere, 512, 1, 1, 0xff);
    rig_global_setup();
}

static void clean_up(void)
{
    char line[64];

    snprintf(line, sizeof line, "rm -rf %s", g.dir);
    must(system(line) == 0, "cannot remove", g.dir);
    sim_free(&g.nowhere);
    free(g.rig);
}

static bool parse_id(const char *id)
{
    char kind;

    if (sscanf(id, "call.%ld.%ld.%ld.%ld", &g.story, &g.shape, &g.fault, &g.call) == 4)
        return true;
    bool good =
        sscanf(id, "crash.%ld.%ld.%ld.%c%ld", &g.story, &g.shape, &g.sync, &kind, &g.outcome) == 5;
    g.outcome_sampled = good && kind == 's';
    return good;
}

int main(int argc, char **argv)
{
    g.story = g.shape = g.sync = g.outcome = g.fault = g.call = -1;
    g.full = argc == 2 && strcmp(argv[1], "--full") == 0;
    bool replay = argc == 3 && strcmp(argv[1], "--replay") == 0 && parse_id(argv[2]);
    if (argc > 1 && !g.full && !replay) {
        fprintf(stderr, "usage: files [--full | --replay ID]\n");
        return 64;
    }
    set_up();
    g.at_story = MAKING;
    sync_twice();
    open_after_kill();
    replace_a_file();
    for (g.at_story = 0; g.at_story <= STORIES; g.at_story++)
        for (g.at_shape = 0; g.at_shape < SHAPES; g.at_shape++)
            if (wanted(g.story, g.at_story) && wanted(g.shape, g.at_shape))
                tell();
    printf(
        "  %llu syncs of up to %u writes: %llu power cuts (%llu of them sampled), %llu stories to "
        "their end; %llu calls that failed\n",
        (unsigned long long)g.n->syncs, g.n->most_pieces, (unsigned long long)g.n->outcomes,
        (unsigned long long)g.n->sampled, (unsigned long long)g.n->whole_stories,
        (unsigned long long)g.n->failed_calls);
    clean_up();
    return 0;
}
