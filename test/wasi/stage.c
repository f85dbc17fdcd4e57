/* A module's side of WASI without a module.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* nftw */
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include <posix/file.h>
#include <posix/system.h>
#include "stage.h"

/* ---- The port: the host's files, counted ------------------------------------------------------
 */

static struct stage *of(void *ctx)
{
    return ctx;
}

static int counted(struct stage *s, int handle)
{
    s->open += handle >= 0;
    return handle;
}

static int root(void *ctx, const char *name, bool write)
{
    return counted(ctx, of(ctx)->posix.root(of(ctx)->posix.ctx, name, write));
}

static int dir(void *ctx, int from, const char *name)
{
    if (of(ctx)->on_dir != NULL)
        of(ctx)->on_dir(ctx, name);
    return counted(ctx, of(ctx)->posix.dir(NULL, from, name));
}

static void close_handle(void *ctx, int handle)
{
    of(ctx)->open--;
    of(ctx)->posix.close(NULL, handle);
}

static int open_file(void *ctx, int from, const char *name, unsigned how, uint8_t *type)
{
    return counted(ctx, of(ctx)->posix.open(NULL, from, name, how, type));
}

static int clock_ns(void *ctx, enum sm_wasi_clock id, uint64_t *ns)
{
    *ns = (of(ctx)->now_ms + (id == SM_WASI_REALTIME ? 1000000 : 0)) * 1000000;
    return 0;
}

static uint64_t now_ms(void *ctx)
{
    return of(ctx)->now_ms;
}

static void texts(void *ctx, const char *module, struct sm_wasi_texts *out)
{
    (void)module;
    if (of(ctx)->nargs > 0)
        *out = (struct sm_wasi_texts){of(ctx)->args, of(ctx)->env, of(ctx)->nargs, of(ctx)->nenv};
}

static void log_line(void *ctx, const char *module, const char *line)
{
    struct stage *s = ctx;

    (void)module;
    if (s->lines < STAGE_LINES)
        strcpy(s->line[s->lines], line);
    s->lines++;
}

/* ---- The instance ------------------------------------------------------------------------------
 */

static int keep_image(void *ctx, uint32_t off, const void *bytes, uint32_t len)
{
    struct stage *s = ctx;

    memcpy(s->image + off, bytes, len);
    return 0;
}

static void instantiate(struct stage *s)
{
    struct sm_file_why why;
    struct sm_wasm_sink sink = {s, keep_image};
    static _Alignas(8) uint8_t scratch[65536];
    struct sm_wasm_limits limits = {.memory_bytes = STAGE_MEMORY, .table_entries = 16};
    struct sm_wasm_linker linker = {&s->host, sm_host_resolve};
    struct sm_wasm_pool pool = {.base = s->pool, .size = sizeof s->pool};
    size_t len;
    uint32_t which;

    assert_int_equal(sm_file_read(WASM_DIR "/calls.wasm", 4096, &s->wasm, &len, &why), 0);
    int64_t image = sm_wasm_translate(s->wasm, len, &sink, scratch, sizeof scratch, NULL);
    assert_true(image > 0);
    assert_int_equal(sm_wasm_open(&s->module, s->image, (size_t)image, s->wasm, len), 0);
    assert_int_equal(
        sm_wasm_instantiate(&s->inst, &s->store, &s->module, &limits, &linker, &pool, &which), 0);
    sm_wasm_exec_init(&s->exec, s->stack, sizeof s->stack / 4, 16, &s->epoch);
}

void stage_open(struct stage *s, const char *const *capabilities)
{
    char folder[] = "/tmp/sandmote-wasi-XXXXXX";

    memset(s, 0, sizeof *s);
    assert_non_null(mkdtemp(folder));
    strcpy(s->folder, folder);
    stage_make(s, "in", NULL);
    stage_make(s, "out", NULL);
    static char in[80];
    snprintf(in, sizeof in, "%s/in", s->folder);
    s->dir[0] = (struct sm_wasi_dir){.name = "data", .path = in};
    s->dir[1] = (struct sm_wasi_dir){.name = "fixed", .path = in, .read_only = true};
    s->dir[2] = (struct sm_wasi_dir){.name = "", .path = in};
    s->dirs = (struct sm_wasi_dirs){s->dir, 3};
    s->posix = s->files = sm_wasi_posix_files(&s->dirs);
    s->files.ctx = s;
    s->files.root = root;
    s->files.dir = dir;
    s->files.close = close_handle;
    s->files.open = open_file;
    s->port = (struct sm_wasi_port){.ctx = s,
                                    .clock = clock_ns,
                                    .resolution_ns = 1000000,
                                    .entropy = sm_posix_entropy,
                                    .texts = texts,
                                    .files = &s->files};
    s->host_port = (struct sm_host_port){.ctx = s, .log = log_line, .clock = {s, now_ms}};
    for (; *capabilities != NULL; capabilities++)
        strcpy(s->manifest.capability[s->manifest.capabilities++], *capabilities);
    strcpy(s->manifest.name, "module");
    sm_wasi_init(&s->wasi, &s->port);
    s->host.more = &s->wasi.more;
    sm_host_init(&s->host, &s->host_port, &s->manifest, 0);
    assert_int_equal(sm_host_begin(&s->host), 0);
    instantiate(s);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

void stage_close(struct stage *s)
{
    sm_host_end(&s->host);
    assert_int_equal(s->open, 0);
    free(s->wasm);
    assert_int_equal(nftw(s->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

/* ---- Calls -------------------------------------------------------------------------------------
 */

uint8_t *stage_at(struct stage *s, uint32_t addr)
{
    return sm_wasm_mem(s->inst, addr, 0);
}

uint32_t stage_u32(struct stage *s, uint32_t addr)
{
    uint32_t v;

    memcpy(&v, stage_at(s, addr), 4);
    return v;
}

uint64_t stage_u64(struct stage *s, uint32_t addr)
{
    return stage_u32(s, addr) | (uint64_t)stage_u32(s, addr + 4) << 32;
}

uint32_t stage_text(struct stage *s, const char *text)
{
    static uint32_t turn;
    uint32_t addr = 0x8000 + turn++ % 4 * 0x1000;

    memcpy(stage_at(s, addr), text, strlen(text) + 1);
    return addr;
}

int stage_call(struct stage *s, const char *name, unsigned n, const uint32_t *args)
{
    struct sm_wasm_import import = {.module = {"wasi_snapshot_preview1", 22},
                                    .field = {name, (uint32_t)strlen(name)},
                                    .kind = SM_WASM_FUNC};
    struct sm_wasm_extern out;
    uint32_t words[16];

    assert_int_equal(sm_host_resolve(&s->host, &import, &out), 0);
    memcpy(words, args, n * sizeof *args);
    int err = out.host(out.host_ctx, s->inst, words);
    return err ? err : (int)words[0];
}

int stage_path_open(struct stage *s, uint32_t fd, const char *path, unsigned how, uint64_t rights)
{
    int err = CALL(s, "path_open", fd, how & AT_FOLLOW ? 1 : 0, stage_text(s, path),
                   (uint32_t)strlen(path), how & 0xff, (uint32_t)rights, 0, 0, 0, 0, 64);

    return err ? -err : (int)stage_u32(s, 64);
}

static uint32_t iovec(struct stage *s, uint32_t addr, uint32_t len)
{
    memcpy(stage_at(s, 128), &addr, 4);
    memcpy(stage_at(s, 132), &len, 4);
    return 128;
}

int stage_write(struct stage *s, uint32_t fd, const char *text)
{
    uint32_t iov = iovec(s, stage_text(s, text), (uint32_t)strlen(text));
    int err = CALL(s, "fd_write", fd, iov, 1, 64);

    return err ? -err : (int)stage_u32(s, 64);
}

int stage_read(struct stage *s, uint32_t fd, char *text, uint32_t size)
{
    uint32_t iov = iovec(s, 0xf000, size - 1);
    int err = CALL(s, "fd_read", fd, iov, 1, 64);

    if (err)
        return -err;
    memcpy(text, stage_at(s, 0xf000), stage_u32(s, 64));
    text[stage_u32(s, 64)] = 0;
    return (int)stage_u32(s, 64);
}

/* ---- The folder --------------------------------------------------------------------------------
 */

static void whole(struct stage *s, const char *path, char out[256])
{
    snprintf(out, 256, "%s/%s", s->folder, path);
}

void stage_make(struct stage *s, const char *path, const char *text)
{
    struct sm_file_why why;
    char full[256];

    whole(s, path, full);
    assert_int_equal(text ? sm_file_write(full, text, strlen(text), 0644, &why) : mkdir(full, 0755),
                     0);
}

void stage_link(struct stage *s, const char *text, const char *path)
{
    char full[256];

    whole(s, path, full);
    assert_int_equal(symlink(text, full), 0);
}

bool stage_there(struct stage *s, const char *path)
{
    struct stat st;
    char full[256];

    whole(s, path, full);
    return lstat(full, &st) == 0;
}
