/* WASI against any calls on any memory: calls by number with arguments made from the input, over a
 * small file system in memory that knows what must never be asked of it.
 *
 * Two directories are granted, one for reading. The port aborts when a name is no single name, when
 * a handle is not open, or when something is changed through what came from the directory for
 * reading. Results must be error numbers of WASI, traps those of pointers and exits, and in the end
 * nothing is open.
 *
 * Input: bytes of memory up to the first 0xff 0xff, then calls: a number, then one to five bytes
 * for each argument.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <sandmote/wasi.h>

#define CHECK(what)                                                                                \
    do {                                                                                           \
        if (!(what))                                                                               \
            abort();                                                                               \
    } while (0)

enum { NODES = 32, HANDLES = 128, NONE = 255, MEMORY = 65536, PATHS = 512, CALLS = 64 };

/* ---- A file system -----------------------------------------------------------------------------
 */

struct node {
    uint8_t type, parent; /* type 0: free */
    char name[32], text[32];
    uint64_t size;
};

struct disk {
    struct node node[NODES];
    struct handle {
        uint8_t node; /* NONE: closed */
        bool read_only, writes;
    } handle[HANDLES];
    unsigned open, asked;
};

/* 0 and 1 are what is granted, 2 is outside of both. */
static void make_disk(struct disk *d)
{
    static const struct {
        uint8_t type, parent;
        const char *name, *text;
    } nodes[] = {
        {SM_WASI_DIRECTORY, NONE, "rw", ""},
        {SM_WASI_DIRECTORY, NONE, "ro", ""},
        {SM_WASI_REGULAR_FILE, NONE, "secret", ""},
        {SM_WASI_DIRECTORY, 0, "d", ""},
        {SM_WASI_REGULAR_FILE, 3, "f", ""},
        {SM_WASI_SYMBOLIC_LINK, 0, "l", "d/f"},
        {SM_WASI_SYMBOLIC_LINK, 0, "out", "../ro"},
        {SM_WASI_SYMBOLIC_LINK, 0, "abs", "/secret"},
        {SM_WASI_SYMBOLIC_LINK, 0, "loop", "loop/x"},
        {SM_WASI_SYMBOLIC_LINK, 3, "up", "../d/"},
        {SM_WASI_DIRECTORY, 1, "d", ""},
        {SM_WASI_REGULAR_FILE, 10, "f", ""},
        {SM_WASI_SYMBOLIC_LINK, 1, "l", "d/f"},
    };

    memset(d, 0, sizeof *d);
    for (unsigned i = 0; i < sizeof nodes / sizeof *nodes; i++) {
        d->node[i].type = nodes[i].type;
        d->node[i].parent = nodes[i].parent;
        strcpy(d->node[i].name, nodes[i].name);
        strcpy(d->node[i].text, nodes[i].text);
    }
    for (unsigned i = 0; i < HANDLES; i++)
        d->handle[i].node = NONE;
}

static struct handle *handle_of(struct disk *d, int handle)
{
    CHECK(handle >= 0 && handle < HANDLES && d->handle[handle].node != NONE);
    d->asked++;
    return &d->handle[handle];
}

static void check_name(const char *name, bool may_be_dot)
{
    size_t len = strlen(name);

    CHECK(len >= 1 && len <= SM_WASI_NAME_MAX && strchr(name, '/') == NULL);
    CHECK(strcmp(name, "..") != 0 && (may_be_dot || strcmp(name, ".") != 0));
}

static int find(struct disk *d, int dir, const char *name, bool may_be_dot)
{
    uint8_t in = handle_of(d, dir)->node;

    check_name(name, may_be_dot);
    CHECK(d->node[in].type == SM_WASI_DIRECTORY);
    if (strcmp(name, ".") == 0)
        return in;
    for (int i = 0; i < NODES; i++)
        if (d->node[i].type != 0 && d->node[i].parent == in && strcmp(d->node[i].name, name) == 0)
            return i;
    return -SM_WASI_NOENT;
}

static void check_change(struct disk *d, int handle)
{
    CHECK(!handle_of(d, handle)->read_only);
}

static int hand_out(struct disk *d, uint8_t node, bool read_only, bool writes)
{
    CHECK(d->node[node].type != 0);
    for (int i = 0; i < HANDLES; i++) {
        if (d->handle[i].node != NONE)
            continue;
        d->handle[i] = (struct handle){node, read_only, writes};
        d->open++;
        return i;
    }
    return -SM_WASI_NFILE;
}

static int add(struct disk *d, int dir, const char *name, uint8_t type)
{
    check_change(d, dir);
    if (find(d, dir, name, false) >= 0)
        return -SM_WASI_EXIST;
    if (strlen(name) >= sizeof d->node[0].name)
        return -SM_WASI_NAMETOOLONG;
    for (int i = 0; i < NODES; i++) {
        if (d->node[i].type != 0)
            continue;
        d->node[i] = (struct node){.type = type, .parent = d->handle[dir].node};
        strcpy(d->node[i].name, name);
        return i;
    }
    return -SM_WASI_NOSPC;
}

/* ---- The port ----------------------------------------------------------------------------------
 */

static int root(void *ctx, const char *name, bool write)
{
    if (strcmp(name, "rw") == 0)
        return hand_out(ctx, 0, false, false);
    CHECK(strcmp(name, "ro") == 0 && !write);
    return hand_out(ctx, 1, true, false);
}

static int dir(void *ctx, int from, const char *name)
{
    struct disk *d = ctx;
    int node = find(d, from, name, false);

    if (node < 0)
        return node;
    if (d->node[node].type != SM_WASI_DIRECTORY)
        return -SM_WASI_NOTDIR;
    return hand_out(d, (uint8_t)node, d->handle[from].read_only, false);
}

static void close_handle(void *ctx, int handle)
{
    handle_of(ctx, handle)->node = NONE;
    ((struct disk *)ctx)->open--;
}

static int link_text(void *ctx, int from, const char *name, char *text, size_t size)
{
    struct disk *d = ctx;
    int node = find(d, from, name, false);

    if (node < 0)
        return node;
    if (d->node[node].type != SM_WASI_SYMBOLIC_LINK)
        return -SM_WASI_INVAL;
    size_t len = strlen(d->node[node].text);
    memcpy(text, d->node[node].text, len < size ? len : size);
    return (int)len;
}

static int open_file(void *ctx, int from, const char *name, unsigned how, uint8_t *type)
{
    struct disk *d = ctx;
    int node = find(d, from, name, true);
    bool writes = (how & SM_WASI_WRITE) != 0;

    CHECK(!d->handle[from].read_only ||
          !(how & (SM_WASI_WRITE | SM_WASI_CREATE | SM_WASI_TRUNCATE)));
    CHECK(how & (SM_WASI_READ | SM_WASI_WRITE));
    if (node == -SM_WASI_NOENT && (how & SM_WASI_CREATE))
        node = add(d, from, name, SM_WASI_REGULAR_FILE);
    else if (node >= 0 && (how & SM_WASI_EXCLUSIVE))
        return -SM_WASI_EXIST;
    if (node < 0)
        return node;
    *type = d->node[node].type;
    if (*type == SM_WASI_SYMBOLIC_LINK)
        return -SM_WASI_LOOP;
    if (*type == SM_WASI_DIRECTORY ? writes : (how & SM_WASI_ONLY_DIRECTORY) != 0)
        return *type == SM_WASI_DIRECTORY ? -SM_WASI_ISDIR : -SM_WASI_NOTDIR;
    return hand_out(d, (uint8_t)node, d->handle[from].read_only, writes);
}

static int put_stat(const struct disk *d, int node, struct sm_wasi_stat *out)
{
    if (node < 0)
        return node;
    *out = (struct sm_wasi_stat){
        .ino = (uint64_t)node, .size = d->node[node].size, .type = d->node[node].type};
    return 0;
}

static int stat_handle(void *ctx, int handle, struct sm_wasi_stat *out)
{
    return put_stat(ctx, handle_of(ctx, handle)->node, out);
}

static int stat_at(void *ctx, int from, const char *name, struct sm_wasi_stat *out)
{
    return put_stat(ctx, find(ctx, from, name, true), out);
}

static int set_times(void *ctx, int handle, const char *name, uint64_t atim, uint64_t mtim,
                     unsigned which)
{
    (void)atim, (void)mtim;
    CHECK(which < 16 && (which & 3) != 3 && (which & 12) != 12);
    check_change(ctx, handle);
    int node = name != NULL ? find(ctx, handle, name, true) : 0;
    return node < 0 ? node : 0;
}

static struct node *file_of(struct disk *d, int handle)
{
    struct node *n = &d->node[handle_of(d, handle)->node];

    CHECK(n->type == SM_WASI_REGULAR_FILE || n->type == 0); /* 0: it was removed meanwhile */
    return n;
}

static int set_size(void *ctx, int handle, uint64_t size)
{
    check_change(ctx, handle);
    CHECK(handle_of(ctx, handle)->writes && size <= 4096);
    file_of(ctx, handle)->size = size;
    return 0;
}

static int read_at(void *ctx, int handle, void *buf, uint32_t len, uint64_t off)
{
    uint64_t size = file_of(ctx, handle)->size;

    CHECK(len >= 1 && len <= SM_WASI_IO_MAX && off >> 63 == 0);
    if (off >= size)
        return 0;
    len = len < size - off ? len : (uint32_t)(size - off);
    memset(buf, 0x2e, len);
    return (int)len;
}

static int write_at(void *ctx, int handle, const void *buf, uint32_t len, uint64_t off)
{
    struct node *n = file_of(ctx, handle);
    static uint8_t read[SM_WASI_IO_MAX];

    check_change(ctx, handle);
    CHECK(handle_of(ctx, handle)->writes && len >= 1 && len <= SM_WASI_IO_MAX);
    memcpy(read, buf, len); /* all of it can be */
    off = off == SM_WASI_END ? n->size : off;
    CHECK(off + len <= 4096); /* file_max */
    n->size = off + len > n->size ? off + len : n->size;
    return (int)len;
}

static int sync_handle(void *ctx, int handle, bool data_only)
{
    (void)data_only;
    handle_of(ctx, handle);
    return 0;
}

static int entry(void *ctx, int from, uint64_t cookie, struct sm_wasi_entry *out)
{
    struct disk *d = ctx;
    uint8_t in = handle_of(d, from)->node;

    for (; cookie < NODES; cookie++) {
        const struct node *n = &d->node[cookie];
        if (n->type == 0 || n->parent != in)
            continue;
        *out = (struct sm_wasi_entry){
            .next = cookie + 1, .ino = cookie, .type = n->type, .len = (uint8_t)strlen(n->name)};
        strcpy(out->name, n->name);
        return 1;
    }
    return 0;
}

static int make_dir(void *ctx, int from, const char *name)
{
    int node = add(ctx, from, name, SM_WASI_DIRECTORY);

    return node < 0 ? node : 0;
}

static int remove_name(void *ctx, int from, const char *name, bool directory)
{
    struct disk *d = ctx;
    int node = find(d, from, name, false);

    check_change(d, from);
    if (node < 0)
        return node;
    if (directory != (d->node[node].type == SM_WASI_DIRECTORY))
        return directory ? -SM_WASI_NOTDIR : -SM_WASI_ISDIR;
    for (unsigned i = 0; i < NODES && directory; i++)
        if (d->node[i].type != 0 && d->node[i].parent == node)
            return -SM_WASI_NOTEMPTY;
    for (unsigned i = 0; i < HANDLES && directory; i++)
        if (d->handle[i].node == node)
            return -SM_WASI_BUSY;
    d->node[node].type = 0;
    d->node[node].parent = NONE;
    return 0;
}

static int rename_name(void *ctx, int from, const char *name, int to, const char *to_name)
{
    struct disk *d = ctx;
    int node = find(d, from, name, false);

    check_change(d, from);
    check_change(d, to);
    if (node < 0)
        return node;
    if (find(d, to, to_name, false) >= 0 || strlen(to_name) >= sizeof d->node[0].name)
        return -SM_WASI_EXIST;
    strcpy(d->node[node].name, to_name);
    return 0;
}

static int link_name(void *ctx, int from, const char *name, int to, const char *to_name)
{
    int node = find(ctx, from, name, false);

    check_change(ctx, from); /* or what is for reading gets a name to write to */
    return node < 0 ? node : make_dir(ctx, to, to_name);
}

static int symlink_name(void *ctx, const char *text, int from, const char *name)
{
    struct disk *d = ctx;

    CHECK(text[0] != '/' && text[0] != 0);
    if (strlen(text) >= sizeof d->node[0].text)
        return -SM_WASI_NAMETOOLONG;
    int node = add(d, from, name, SM_WASI_SYMBOLIC_LINK);
    if (node >= 0)
        strcpy(d->node[node].text, text);
    return node < 0 ? node : 0;
}

static int clock_ns(void *ctx, enum sm_wasi_clock id, uint64_t *ns)
{
    (void)ctx;
    CHECK(id <= SM_WASI_MONOTONIC);
    *ns = 1000;
    return 0;
}

static int fill(void *ctx, void *buf, size_t len)
{
    (void)ctx;
    CHECK(len <= SM_WASI_RANDOM_MAX);
    memset(buf, 0x2e, len);
    return 0;
}

static uint64_t now_ms(void *ctx)
{
    (void)ctx;
    return 1;
}

static void log_line(void *ctx, const char *module, const char *line)
{
    (void)ctx, (void)module;
    CHECK(strlen(line) <= SM_HOST_LOG_MAX);
}

/* ---- Calls -------------------------------------------------------------------------------------
 */

/* How the arguments of a call are made: d a descriptor, p a path and its length, R rights, w any
 * word; "" words as its type has them. */
static const struct {
    const char *name, *shape;
} calls[] = {
    {"path_open", "dwpwRRww"},
    {"path_filestat_get", "dwpw"},
    {"path_filestat_set_times", "dwpwwwww"},
    {"path_create_directory", "dp"},
    {"path_remove_directory", "dp"},
    {"path_unlink_file", "dp"},
    {"path_rename", "dpdp"},
    {"path_link", "dwpdp"},
    {"path_symlink", "pdp"},
    {"path_readlink", "dpwww"},
    {"fd_read", ""},
    {"fd_write", ""},
    {"fd_pread", ""},
    {"fd_pwrite", ""},
    {"fd_seek", ""},
    {"fd_tell", ""},
    {"fd_close", ""},
    {"fd_renumber", ""},
    {"fd_readdir", ""},
    {"fd_fdstat_get", ""},
    {"fd_fdstat_set_flags", ""},
    {"fd_fdstat_set_rights", ""},
    {"fd_filestat_get", ""},
    {"fd_filestat_set_size", ""},
    {"fd_filestat_set_times", ""},
    {"fd_sync", ""},
    {"fd_datasync", ""},
    {"fd_advise", ""},
    {"fd_allocate", ""},
    {"fd_prestat_get", ""},
    {"fd_prestat_dir_name", ""},
    {"poll_oneoff", ""},
    {"args_get", ""},
    {"args_sizes_get", ""},
    {"environ_get", ""},
    {"environ_sizes_get", ""},
    {"clock_res_get", ""},
    {"clock_time_get", ""},
    {"random_get", ""},
    {"sched_yield", ""},
    {"proc_exit", ""},
    {"proc_raise", ""},
    {"sock_accept", ""},
    {"sock_recv", ""},
    {"sock_send", ""},
    {"sock_shutdown", ""},
};

struct input {
    const uint8_t *at, *end;
};

static uint8_t byte(struct input *in)
{
    return in->at < in->end ? *in->at++ : 0;
}

/* Where arguments like to point: each takes 16 bytes from PATHS on; a list of buffers follows. */
static const char *const paths[16] = {"d",       "d/f",    "l",          "out/d", "abs", "loop",
                                      "../ro/d", "d/up/f", "d/../d/./f", ".",     "..",  "d/",
                                      "new",     "new/x",  "l/",         "/d"};

/* Mostly small numbers and places in memory; also its end, and anything. */
static uint32_t word(struct input *in)
{
    uint8_t b = byte(in);
    uint32_t v = 0;

    if (b < 128)
        return b;
    if (b < 192)
        return (b - 128u) * 16;
    if (b < 208)
        return MEMORY - (b - 192u) * 4;
    if (b < 216)
        return 0x0fffffff; /* rights */
    for (unsigned i = 0; i < 4; i++)
        v = v << 8 | byte(in);
    return v;
}

/* Words of the next argument; how many. */
static unsigned argument(struct input *in, char shape, uint32_t *args)
{
    uint8_t b = byte(in);

    switch (shape) {
    case 'd': args[0] = b < 200 ? 3 + b % 4 : b; return 1; /* granted: 3 for reading, 4 for all */
    case 'p':
        if (b >= 200) {
            args[0] = word(in);
            args[1] = word(in);
        } else {
            args[0] = PATHS + 16u * (b % 16);
            args[1] = (uint32_t)strlen(paths[b % 16]);
        }
        return 2;
    case 'R':
        args[0] = b < 128 ? 1u << b % 30 | 1u << (b / 4) % 30 : b < 192 ? 0 : 0x0fffffff;
        args[1] = b == 255;
        return 2;
    default: args[0] = b < 128 ? b : word(in); return 1;
    }
}

static void one_call(struct sm_host *host, struct sm_wasm_inst *inst, struct input *in)
{
    unsigned which = byte(in) % (sizeof calls / sizeof *calls);
    const char *name = calls[which].name, *shape = calls[which].shape;
    struct sm_wasm_import import = {.module = {"wasi_snapshot_preview1", 22},
                                    .field = {name, (uint32_t)strlen(name)},
                                    .kind = SM_WASM_FUNC};
    struct sm_wasm_extern out;
    struct sm_wasm_exec idle = {0};
    uint32_t args[16] = {0}, n = 0;

    CHECK(sm_host_resolve(host, &import, &out) == 0);
    for (; *shape; shape++)
        n += argument(in, *shape, args + n);
    for (const char *type = n == 0 ? out.host_type : ":"; *type != ':'; type++) {
        args[n++] = word(in);
        if (*type == 'I')
            args[n++] = byte(in) & 1 ? word(in) : 0;
    }
    int err = out.host(out.host_ctx, inst, args);
    CHECK(err == 0 || err == SM_ERR_ARG || err == SM_ERR_EXIT || err == SM_WASM_PENDING);
    CHECK((err == SM_ERR_EXIT) == (strcmp(name, "proc_exit") == 0));
    CHECK(err != 0 || out.host_type[strlen(out.host_type) - 1] == ':' || args[0] <= 76);
    if (err == SM_WASM_PENDING) {
        CHECK(sm_host_wake_ms(host) != UINT64_MAX);
        (void)sm_host_wake(host, &idle, inst); /* nobody is pending: what it writes is the point */
        CHECK(sm_host_wake_ms(host) == UINT64_MAX);
    }
}

static int keep(void *ctx, uint32_t off, const void *bytes, uint32_t len)
{
    memcpy((uint8_t *)ctx + off, bytes, len);
    return 0;
}

static int64_t translate(const uint8_t *wasm, size_t len, uint8_t *image, uint8_t *scratch,
                         size_t scratch_len)
{
    struct sm_wasm_sink sink = {image, keep};
    int64_t n = sm_wasm_translate(wasm, len, &sink, scratch, scratch_len, NULL);

    CHECK(n > 0 && n <= 1024);
    return n;
}

/* An instance of (module (memory 1)), with paths where arguments like to point. */
static struct sm_wasm_inst *instance(struct sm_wasm_store *store, const uint8_t *memory, size_t len)
{
    static const uint8_t wasm[] = {0, 'a', 's', 'm', 1, 0, 0, 0, 5, 3, 1, 0, 1};
    static _Alignas(8) uint8_t image[1024], pool[MEMORY + 4096], scratch[4096];
    static struct sm_wasm_module module;
    static int64_t image_len;
    struct sm_wasm_limits limits = {.memory_bytes = MEMORY, .table_entries = 1};
    struct sm_wasm_linker linker = {NULL, NULL};
    struct sm_wasm_pool p = {.base = pool, .size = sizeof pool};
    struct sm_wasm_inst *inst;
    uint32_t which;

    if (image_len == 0)
        image_len = translate(wasm, sizeof wasm, image, scratch, sizeof scratch);
    CHECK(sm_wasm_open(&module, image, (size_t)image_len, wasm, sizeof wasm) == 0);
    CHECK(sm_wasm_instantiate(&inst, store, &module, &limits, &linker, &p, &which) == 0);
    uint8_t *base = sm_wasm_mem(inst, 0, 0);
    for (unsigned i = 0; i < 16; i++)
        memcpy(base + PATHS + 16 * i, paths[i], strlen(paths[i]));
    for (unsigned i = 0; i < 16; i++) { /* buffers behind them */
        base[PATHS + 256 + 8 * i + 1] = 16;
        base[PATHS + 256 + 8 * i + 4 + i % 2] = 20;
    }
    memcpy(base, memory, len < MEMORY ? len : MEMORY);
    return inst;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct disk disk;
    static struct sm_wasi wasi;
    static const struct sm_manifest grants = {
        .name = "m", .capabilities = 3, .capability = {"file/ro:r", "file/rw:rw", "wasi"}};
    const struct sm_wasi_files files = {
        &disk,    root,        dir,         close_handle, link_text,   open_file,   stat_handle,
        stat_at,  set_times,   set_size,    read_at,      write_at,    sync_handle, entry,
        make_dir, remove_name, rename_name, link_name,    symlink_name};
    const struct sm_wasi_port port = {.clock = clock_ns,
                                      .resolution_ns = 1,
                                      .entropy = {NULL, fill},
                                      .files = &files,
                                      .file_max = 4096};
    const struct sm_host_port host_port = {.log = log_line, .clock = {NULL, now_ms}};
    struct sm_wasm_store store = {0};
    struct sm_host host = {0};
    size_t memory = 0;

    while (memory + 2 <= size && (data[memory] != 0xff || data[memory + 1] != 0xff))
        memory++;
    if (memory + 2 > size)
        return -1;
    struct input in = {data + memory + 2, data + size};
    make_disk(&disk);
    sm_wasi_init(&wasi, &port);
    host.more = &wasi.more;
    sm_host_init(&host, &host_port, &grants, 0);
    CHECK(sm_host_begin(&host) == 0);
    struct sm_wasm_inst *inst = instance(&store, data, memory);
    for (unsigned i = 0; i < CALLS && in.at < in.end; i++) {
        disk.asked = 0;
        one_call(&host, inst, &in);
        CHECK(disk.asked < 70000); /* what one call asks of the platform is bounded */
    }
    sm_host_end(&host);
    CHECK(disk.open == 0);
    return 0;
}
