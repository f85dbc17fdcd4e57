/* WASI preview 1: the list of calls, and those that are about no descriptor.
 *
 * An instance begins with sm_wasi_begin() (descriptors are opened, texts fetched) and ends with
 * sm_wasi_end(). proc_exit() is a trap with SM_ERR_EXIT; what that means is for whoever runs the
 * module to say (device.h).
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "internal.h"
#include "wasi_calls.h"

/* ---- Grants ---------------------------------------------------------------------------------- */

int sm_wasi_directory(const char *capability, char name[SM_WASI_DIR_MAX + 1], bool *write)
{
    if (strncmp(capability, "file/", 5) != 0)
        return SM_ERR_INVALID;
    const char *begin = capability + 5;
    size_t len = strcspn(begin, ":");

    *write = strcmp(begin + len, ":rw") == 0;
    if (len > SM_WASI_DIR_MAX || (!*write && strcmp(begin + len, ":r") != 0))
        return SM_ERR_INVALID;
    memcpy(name, begin, len);
    name[len] = 0;
    return len == 0 || sm_name_valid(name) ? 0 : SM_ERR_INVALID;
}

/* ---- Arguments and environment --------------------------------------------------------------- */

static uint32_t text_bytes(const char *const *texts, uint32_t n)
{
    size_t sum = 0;

    for (uint32_t i = 0; i < n; i++)
        sum += strlen(texts[i]) + 1;
    return (uint32_t)sum;
}

static int put_sizes(struct sm_wasm_inst *inst, const uint32_t *args, const char *const *texts,
                     uint32_t n)
{
    int err = sm_wasi_store(inst, args[0], n, 4);

    return err ? err : sm_wasi_store(inst, args[1], text_bytes(texts, n), 4);
}

/* Pointers to args[0], the texts one after the other to args[1]. */
static int put_texts(struct sm_wasm_inst *inst, const uint32_t *args, const char *const *texts,
                     uint32_t n)
{
    uint32_t at = args[1];
    uint8_t *pointers = sm_wasm_mem(inst, args[0], 4 * n);

    if (pointers == NULL || sm_wasm_mem(inst, at, text_bytes(texts, n)) == NULL)
        return SM_ERR_ARG;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t len = (uint32_t)strlen(texts[i]) + 1;
        memcpy(sm_wasm_mem(inst, at, len), texts[i], len);
        sm_wasi_put(pointers + 4 * i, at, 4);
        at += len;
    }
    return 0;
}

static int args_sizes_get(void *ctx, struct sm_wasm_inst *inst, uint32_t *args)
{
    const struct sm_wasi *w = ctx;

    return sm_wasi_done(args, put_sizes(inst, args, w->texts.args, w->texts.nargs));
}

static int args_get(void *ctx, struct sm_wasm_inst *inst, uint32_t *args)
{
    const struct sm_wasi *w = ctx;

    return sm_wasi_done(args, put_texts(inst, args, w->texts.args, w->texts.nargs));
}

static int environ_sizes_get(void *ctx, struct sm_wasm_inst *inst, uint32_t *args)
{
    const struct sm_wasi *w = ctx;

    return sm_wasi_done(args, put_sizes(inst, args, w->texts.env, w->texts.nenv));
}

static int environ_get(void *ctx, struct sm_wasm_inst *inst, uint32_t *args)
{
    const struct sm_wasi *w = ctx;

    return sm_wasi_done(args, put_texts(inst, args, w->texts.env, w->texts.nenv));
}

/* ---- Output ---------------------------------------------------------------------------------- */

static void end_line(struct sm_wasi *w, struct sm_wasi_line *line)
{
    sm_host_log(w->host, line->text, line->len);
    line->len = 0;
}

static void end_lines(struct sm_wasi *w)
{
    for (unsigned i = 0; i < 2; i++)
        if (w->line[i].len > 0)
            end_line(w, &w->line[i]);
}

void sm_wasi_print(struct sm_wasi *w, unsigned which, const char *text, uint32_t len)
{
    struct sm_wasi_line *line = &w->line[which];

    if (w->port->stdio != NULL) {
        w->port->stdio(w->port->ctx, 1 + (int)which, text, len);
        return;
    }
    for (uint32_t i = 0; i < len; i++)
        if (text[i] == '\n')
            end_line(w, line);
        else if (line->len < sizeof line->text) /* what is too long for a line is left out */
            line->text[line->len++] = text[i];
}

/* ---- Clocks, random numbers, the process ----------------------------------------------------- */

static int clock_res_get(void *ctx, struct sm_wasm_inst *inst, uint32_t *args)
{
    const struct sm_wasi *w = ctx;

    if (args[0] > SM_WASI_MONOTONIC)
        return sm_wasi_done(args, SM_WASI_INVAL);
    return sm_wasi_done(args, sm_wasi_store(inst, args[1], w->port->resolution_ns, 8));
}

static int clock_time_get(void *ctx, struct sm_wasm_inst *inst, uint32_t *args)
{
    const struct sm_wasi *w = ctx;
    uint64_t ns;

    if (args[0] > SM_WASI_MONOTONIC)
        return sm_wasi_done(args, SM_WASI_INVAL);
    if (w->port->clock(w->port->ctx, (enum sm_wasi_clock)args[0], &ns) != 0)
        return sm_wasi_done(args, SM_WASI_IO);
    return sm_wasi_done(args, sm_wasi_store(inst, args[3], ns, 8));
}

static int random_get(void *ctx, struct sm_wasm_inst *inst, uint32_t *args)
{
    const struct sm_wasi *w = ctx;
    void *buf = sm_wasm_mem(inst, args[0], args[1]);

    if (buf == NULL)
        return SM_ERR_ARG;
    if (args[1] > SM_WASI_RANDOM_MAX)
        return sm_wasi_done(args, SM_WASI_INVAL);
    return sm_wasi_done(args,
                        w->port->entropy.fill(w->port->entropy.ctx, buf, args[1]) ? SM_WASI_IO : 0);
}

static int proc_exit(void *ctx, struct sm_wasm_inst *inst, uint32_t *args)
{
    struct sm_wasi *w = ctx;

    (void)inst;
    end_lines(w);
    w->more.exited = true;
    w->more.exit_code = args[0];
    return SM_ERR_EXIT;
}

static int proc_raise(void *ctx, struct sm_wasm_inst *inst, uint32_t *args)
{
    (void)ctx, (void)inst;
    return sm_wasi_done(args, SM_WASI_NOTSUP);
}

static int sched_yield(void *ctx, struct sm_wasm_inst *inst, uint32_t *args)
{
    (void)ctx, (void)inst;
    return sm_wasi_done(args, 0);
}

/* ---- Life of an instance --------------------------------------------------------------------- */

static int check(struct sm_host_more *more, const struct sm_manifest *grants)
{
    struct sm_wasi *w = (struct sm_wasi *)more;
    const struct sm_wasi_files *f = w->port->files;
    char name[SM_WASI_DIR_MAX + 1];
    bool write;

    for (uint32_t i = 0; i < grants->capabilities; i++) {
        if (strncmp(grants->capability[i], "file/", 5) != 0)
            continue;
        int err = sm_wasi_directory(grants->capability[i], name, &write);
        int dir = err || f == NULL ? -1 : f->root(f->ctx, name, write);
        if (dir < 0)
            return (int)i;
        f->close(f->ctx, dir);
    }
    return -1;
}

static void end(struct sm_host_more *more)
{
    struct sm_wasi *w = (struct sm_wasi *)more;

    if (w->host != NULL)
        end_lines(w);
    sm_wasi_close_all(w);
    w->more.waiting = w->more.exited = false;
    w->host = NULL;
}

static int begin(struct sm_host_more *more, struct sm_host *host)
{
    struct sm_wasi *w = (struct sm_wasi *)more;

    w->host = host;
    w->name = host->grants->name;
    w->texts = (struct sm_wasi_texts){.args = &w->name, .nargs = 1};
    if (w->port->texts != NULL)
        w->port->texts(w->port->ctx, w->name, &w->texts);
    int err = sm_wasi_open_all(w);
    if (err)
        end(more);
    return err;
}

/* ---- The list -------------------------------------------------------------------------------- */

#define WASI "wasi_snapshot_preview1"

static const struct sm_host_function calls[] = {
    {WASI, "args_get", "ii:i", args_get},
    {WASI, "args_sizes_get", "ii:i", args_sizes_get},
    {WASI, "clock_res_get", "ii:i", clock_res_get},
    {WASI, "clock_time_get", "iIi:i", clock_time_get},
    {WASI, "environ_get", "ii:i", environ_get},
    {WASI, "environ_sizes_get", "ii:i", environ_sizes_get},
    {WASI, "fd_advise", "iIIi:i", sm_wasi_fd_advise},
    {WASI, "fd_allocate", "iII:i", sm_wasi_fd_allocate},
    {WASI, "fd_close", "i:i", sm_wasi_fd_close},
    {WASI, "fd_datasync", "i:i", sm_wasi_fd_datasync},
    {WASI, "fd_fdstat_get", "ii:i", sm_wasi_fd_fdstat_get},
    {WASI, "fd_fdstat_set_flags", "ii:i", sm_wasi_fd_fdstat_set_flags},
    {WASI, "fd_fdstat_set_rights", "iII:i", sm_wasi_fd_fdstat_set_rights},
    {WASI, "fd_filestat_get", "ii:i", sm_wasi_fd_filestat_get},
    {WASI, "fd_filestat_set_size", "iI:i", sm_wasi_fd_filestat_set_size},
    {WASI, "fd_filestat_set_times", "iIIi:i", sm_wasi_fd_filestat_set_times},
    {WASI, "fd_pread", "iiiIi:i", sm_wasi_fd_pread},
    {WASI, "fd_prestat_dir_name", "iii:i", sm_wasi_fd_prestat_dir_name},
    {WASI, "fd_prestat_get", "ii:i", sm_wasi_fd_prestat_get},
    {WASI, "fd_pwrite", "iiiIi:i", sm_wasi_fd_pwrite},
    {WASI, "fd_read", "iiii:i", sm_wasi_fd_read},
    {WASI, "fd_readdir", "iiiIi:i", sm_wasi_fd_readdir},
    {WASI, "fd_renumber", "ii:i", sm_wasi_fd_renumber},
    {WASI, "fd_seek", "iIii:i", sm_wasi_fd_seek},
    {WASI, "fd_sync", "i:i", sm_wasi_fd_sync},
    {WASI, "fd_tell", "ii:i", sm_wasi_fd_tell},
    {WASI, "fd_write", "iiii:i", sm_wasi_fd_write},
    {WASI, "path_create_directory", "iii:i", sm_wasi_path_create_directory},
    {WASI, "path_filestat_get", "iiiii:i", sm_wasi_path_filestat_get},
    {WASI, "path_filestat_set_times", "iiiiIIi:i", sm_wasi_path_filestat_set_times},
    {WASI, "path_link", "iiiiiii:i", sm_wasi_path_link},
    {WASI, "path_open", "iiiiiIIii:i", sm_wasi_path_open},
    {WASI, "path_readlink", "iiiiii:i", sm_wasi_path_readlink},
    {WASI, "path_remove_directory", "iii:i", sm_wasi_path_remove_directory},
    {WASI, "path_rename", "iiiiii:i", sm_wasi_path_rename},
    {WASI, "path_symlink", "iiiii:i", sm_wasi_path_symlink},
    {WASI, "path_unlink_file", "iii:i", sm_wasi_path_unlink_file},
    {WASI, "poll_oneoff", "iiii:i", sm_wasi_poll_oneoff},
    {WASI, "proc_exit", "i:", proc_exit},
    {WASI, "proc_raise", "i:i", proc_raise},
    {WASI, "random_get", "ii:i", random_get},
    {WASI, "sched_yield", ":i", sched_yield},
    {WASI, "sock_accept", "iii:i", sm_wasi_sock},
    {WASI, "sock_recv", "iiiiii:i", sm_wasi_sock},
    {WASI, "sock_send", "iiiii:i", sm_wasi_sock},
    {WASI, "sock_shutdown", "ii:i", sm_wasi_sock},
};

static int resolve(struct sm_host_more *more, const struct sm_host *host,
                   const struct sm_wasm_import *import, struct sm_wasm_extern *out)
{
    const struct sm_host_function *f = sm_host_find(calls, sizeof calls / sizeof *calls, import);

    if (f == NULL)
        return SM_ERR_NOT_FOUND;
    return sm_host_has(host, "wasi") ? sm_host_bind(out, f, more) : SM_ERR_DENIED;
}

void sm_wasi_init(struct sm_wasi *wasi, const struct sm_wasi_port *port)
{
    memset(wasi, 0, sizeof *wasi);
    wasi->port = port;
    wasi->more.part = SM_HOST_WASI;
    wasi->more.lacks = "there is no such directory";
    wasi->more.check = check;
    wasi->more.begin = begin;
    wasi->more.end = end;
    wasi->more.resolve = resolve;
    wasi->more.wake = sm_wasi_wake;
}
