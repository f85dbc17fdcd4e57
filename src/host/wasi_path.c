/* Paths of WASI: walked here, name by name, from a directory that the module holds.
 *
 * The walk keeps the directories it went through open, each opened by its name in the one before
 * and never through a link; ".." goes back to the one before. So it cannot come out above where it
 * began, not even while somebody moves directories about. A symbolic link is read, and its text
 * takes its place in what is left of the path; an absolute one is refused. What remains is a
 * directory and one name in it, which is "." or a name that the port does not follow.
 *
 * A slash behind the last name says that it is a directory. The port never sees one: each call
 * knows what its slash means.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "wasi_calls.h"

enum { FOLLOW = 1 }; /* lookupflags */
enum { CREAT = 1, DIRECTORY = 2, EXCL = 4, TRUNC = 8, OFLAGS = 15 };

struct walk {
    struct sm_wasi *w;
    uint32_t depth, links;
    int dir[SM_WASI_DEPTH_MAX + 1]; /* the first is the descriptor's own */
    char name[SM_WASI_NAME_MAX + 1];
    bool slash, last;                /* a slash came behind the name; nothing else did */
    bool follow;                     /* a link as the last name too; one before a slash always is */
    char rest[2 * SM_WASI_PATH_MAX]; /* terminated */
};

/* ---- Text of a path -------------------------------------------------------------------------- */

/* A path in the module's memory, copied and terminated. 0, an enum sm_wasi_errno, or SM_ERR_ARG. */
static int copy_path(struct sm_wasm_inst *inst, uint32_t addr, uint32_t len,
                     char out[SM_WASI_PATH_MAX + 1])
{
    const uint8_t *p = sm_wasm_mem(inst, addr, len);

    if (p == NULL)
        return SM_ERR_ARG;
    if (len > SM_WASI_PATH_MAX)
        return SM_WASI_NAMETOOLONG;
    if (sm_wasm_utf8(p, len) < len)
        return SM_WASI_ILSEQ;
    if (len == 0 || memchr(p, 0, len) != NULL)
        return len == 0 ? SM_WASI_NOENT : SM_WASI_INVAL;
    memcpy(out, p, len);
    out[len] = 0;
    return 0;
}

/* ---- The walk -------------------------------------------------------------------------------- */

static const struct sm_wasi_files *files_of(const struct walk *k)
{
    return k->w->port->files;
}

static int here(const struct walk *k)
{
    return k->dir[k->depth];
}

static void leave(struct walk *k)
{
    while (k->depth > 0)
        files_of(k)->close(files_of(k)->ctx, k->dir[k->depth--]);
}

/* The next name of what is left, and whether slashes or more names follow. */
static int take_name(struct walk *k)
{
    size_t len = strcspn(k->rest, "/"), slashes = strspn(k->rest + len, "/");

    if (len > SM_WASI_NAME_MAX)
        return SM_WASI_NAMETOOLONG;
    memcpy(k->name, k->rest, len);
    k->name[len] = 0;
    k->slash = slashes > 0;
    k->last = k->rest[len + slashes] == 0;
    memmove(k->rest, k->rest + len + slashes, strlen(k->rest + len + slashes) + 1);
    return 0;
}

/* Put the text of the link that the name is in front of what is left. 0; INVAL when it is none. */
static int take_link(struct walk *k)
{
    const size_t room = sizeof k->rest, left = strlen(k->rest), slash = k->slash ? 1 : 0;
    char text[SM_WASI_PATH_MAX];
    int n = files_of(k)->link_text(files_of(k)->ctx, here(k), k->name, text, sizeof text);

    if (n < 0)
        return -n;
    if (++k->links > SM_WASI_LINKS_MAX)
        return SM_WASI_LOOP;
    if (n == 0)
        return SM_WASI_NOENT;
    if ((size_t)n > sizeof text || (size_t)n + slash + left + 1 > room)
        return SM_WASI_NAMETOOLONG;
    if (text[0] == '/')
        return SM_WASI_NOTCAPABLE;
    memmove(k->rest + (size_t)n + slash, k->rest, left + 1);
    memcpy(k->rest, text, (size_t)n);
    if (slash)
        k->rest[n] = '/';
    return memchr(text, 0, (size_t)n) == NULL ? 0 : SM_WASI_INVAL;
}

/* Go into the directory of that name. */
static int enter(struct walk *k)
{
    if (k->depth == SM_WASI_DEPTH_MAX)
        return SM_WASI_NAMETOOLONG;
    int dir = files_of(k)->dir(files_of(k)->ctx, here(k), k->name);
    if (dir == -SM_WASI_NOTDIR || dir == -SM_WASI_LOOP) {
        int err = take_link(k);
        return err == SM_WASI_INVAL ? SM_WASI_NOTDIR : err;
    }
    if (dir < 0)
        return -dir;
    k->dir[++k->depth] = dir;
    return 0;
}

static int go_back(struct walk *k)
{
    if (k->depth == 0)
        return SM_WASI_NOTCAPABLE;
    files_of(k)->close(files_of(k)->ctx, k->dir[k->depth--]);
    return 0;
}

/* One name further. *there when the walk is at its end: a directory and a name. */
static int step(struct walk *k, bool *there)
{
    int err = take_name(k);

    if (err)
        return err;
    if (strcmp(k->name, "..") == 0) {
        err = go_back(k);
        memcpy(k->name, ".", 2);
    }
    if (strcmp(k->name, ".") == 0) {
        *there = k->last;
        return err;
    }
    if (!k->last)
        return enter(k);
    *there = true;
    if (!k->follow)
        return 0;
    err = take_link(k);
    if (err == SM_WASI_INVAL || err == SM_WASI_NOENT)
        return 0; /* no link: whether it is there is for the call to find */
    *there = false;
    return err;
}

/* Where a path leads to: leave() when done with it, also after an error. */
static int walk(struct walk *k, struct sm_wasi *w, const struct sm_wasi_fd *from, const char *path,
                bool follow)
{
    bool there = false;
    int err = 0;

    k->w = w;
    k->depth = k->links = 0;
    k->dir[0] = from->handle;
    k->follow = follow || path[strlen(path) - 1] == '/';
    if (path[0] == '/')
        return SM_WASI_NOTCAPABLE;
    memcpy(k->rest, path, strlen(path) + 1);
    while (!err && !there)
        err = step(k, &there);
    return err;
}

/* Begin a call on a path: the descriptor with its rights, the path, the walk. */
static int find(struct walk *k, struct sm_wasi *w, struct sm_wasm_inst *inst, uint32_t fd,
                uint64_t rights, const uint32_t path[2], bool follow)
{
    char text[SM_WASI_PATH_MAX + 1];
    int err;
    const struct sm_wasi_fd *from = sm_wasi_fd(w, fd, 0, &err);

    k->depth = 0;
    if (from == NULL)
        return err;
    if (from->kind != SM_FD_DIR)
        return SM_WASI_NOTDIR;
    if ((from->rights & rights) != rights)
        return SM_WASI_NOTCAPABLE;
    err = copy_path(inst, path[0], path[1], text);
    return err ? err : walk(k, w, from, text, follow);
}

static bool is_dot(const struct walk *k)
{
    return strcmp(k->name, ".") == 0;
}

static int stat_name(const struct walk *k, struct sm_wasi_stat *s)
{
    int err = -files_of(k)->stat_at(files_of(k)->ctx, here(k), k->name, s);

    return !err && k->slash && s->type != SM_WASI_DIRECTORY ? SM_WASI_NOTDIR : err;
}

/* ---- Opening --------------------------------------------------------------------------------- */

static unsigned how_to_open(uint32_t oflags, uint64_t rights, bool slash)
{
    bool writes = (rights & (SM_RIGHT_WRITE | SM_RIGHT_ALLOCATE | SM_RIGHT_SET_SIZE)) != 0;

    return (writes || (oflags & TRUNC) ? SM_WASI_WRITE : 0u) |
           (!writes || (rights & (SM_RIGHT_READ | SM_RIGHT_READDIR)) ? SM_WASI_READ : 0u) |
           (oflags & CREAT ? SM_WASI_CREATE : 0u) | (oflags & EXCL ? SM_WASI_EXCLUSIVE : 0u) |
           (oflags & TRUNC ? SM_WASI_TRUNCATE : 0u) |
           (oflags & DIRECTORY || slash ? SM_WASI_ONLY_DIRECTORY : 0u);
}

/* args of path_open: fd, lookupflags, path, length, oflags, rights (i64), inheriting (i64),
 * fdflags, where the number goes. */
static int open_at(struct walk *k, const uint32_t *args, const struct sm_wasi_fd *from,
                   struct sm_wasi_fd *f)
{
    uint64_t rights = sm_wasi_u64(args + 5), inheriting = sm_wasi_u64(args + 7);
    uint8_t type;

    if (k->slash && (args[4] & CREAT))
        return SM_WASI_ISDIR;
    int handle = files_of(k)->open(files_of(k)->ctx, here(k), k->name,
                                   how_to_open(args[4], rights, k->slash), &type);
    if (handle < 0)
        return -handle;
    uint8_t kind = type == SM_WASI_DIRECTORY ? SM_FD_DIR : SM_FD_FILE;
    *f = (struct sm_wasi_fd){.kind = kind,
                             .handle = handle,
                             .rights = rights & sm_wasi_rights_of(kind),
                             .inheriting = inheriting & from->inheriting,
                             .flags = (uint16_t)args[9]};
    return 0;
}

static int check_open(const struct sm_wasi_fd *from, const uint32_t *args)
{
    uint64_t wanted = sm_wasi_u64(args + 5) | sm_wasi_u64(args + 7);

    if (args[4] > OFLAGS || args[9] > SM_FDFLAGS ||
        (args[4] & (CREAT | DIRECTORY)) == (CREAT | DIRECTORY))
        return SM_WASI_INVAL;
    return wanted & ~from->inheriting ? SM_WASI_NOTCAPABLE : 0;
}

int sm_wasi_path_open(void *ctx, struct sm_wasm_inst *inst, uint32_t *args)
{
    struct sm_wasi *w = ctx;
    uint64_t rights = SM_RIGHT_OPEN | (args[4] & CREAT ? SM_RIGHT_CREATE : 0) |
                      (args[4] & TRUNC ? SM_RIGHT_PATH_SET_SIZE : 0);
    struct sm_wasi_fd *f = sm_wasi_free_fd(w);
    struct walk k;

    if (sm_wasm_mem(inst, args[10], 4) == NULL)
        return SM_ERR_ARG;
    int err = find(&k, w, inst, args[0], rights, args + 2, args[1] & FOLLOW);
    if (!err)
        err = check_open(&w->fd[args[0]], args);
    if (!err && f == NULL)
        err = SM_WASI_MFILE;
    if (!err)
        err = open_at(&k, args, &w->fd[args[0]], f);
    leave(&k);
    if (!err)
        err = sm_wasi_store(inst, args[10], (uint64_t)(f - w->fd), 4);
    return sm_wasi_done(args, err);
}

/* ---- What is at a path ----------------------------------------------------------------------- */

int sm_wasi_path_filestat_get(void *ctx, struct sm_wasm_inst *inst, uint32_t *args)
{
    struct sm_wasi_stat s;
    struct walk k;
    int err = find(&k, ctx, inst, args[0], SM_RIGHT_PATH_STAT, args + 2, args[1] & FOLLOW);

    if (!err)
        err = stat_name(&k, &s);
    leave(&k);
    if (!err)
        err = sm_wasi_put_stat(inst, args[4], &s);
    return sm_wasi_done(args, err);
}

int sm_wasi_path_filestat_set_times(void *ctx, struct sm_wasm_inst *inst, uint32_t *args)
{
    struct sm_wasi_stat s;
    struct walk k;
    int err = find(&k, ctx, inst, args[0], SM_RIGHT_PATH_SET_TIMES, args + 2, args[1] & FOLLOW);

    if (!err && !sm_wasi_times_good(args[8]))
        err = SM_WASI_INVAL;
    if (!err)
        err = stat_name(&k, &s);
    if (!err)
        err = -files_of(&k)->set_times(files_of(&k)->ctx, here(&k), k.name, sm_wasi_u64(args + 4),
                                       sm_wasi_u64(args + 6), args[8]);
    leave(&k);
    return sm_wasi_done(args, err);
}

int sm_wasi_path_readlink(void *ctx, struct sm_wasm_inst *inst, uint32_t *args)
{
    struct walk k;
    char *out = sm_wasm_mem(inst, args[3], args[4]);
    uint32_t room = args[4] < SM_WASI_PATH_MAX ? args[4] : SM_WASI_PATH_MAX;
    char text[SM_WASI_PATH_MAX];
    int n = 0;

    if (out == NULL)
        return SM_ERR_ARG;
    int err = find(&k, ctx, inst, args[0], SM_RIGHT_READLINK, args + 1, false);
    if (!err && is_dot(&k))
        err = SM_WASI_INVAL;
    if (!err) {
        n = files_of(&k)->link_text(files_of(&k)->ctx, here(&k), k.name, text, sizeof text);
        err = n < 0 ? -n : 0;
    }
    leave(&k);
    if (err)
        return sm_wasi_done(args, err);
    if ((uint32_t)n > room)
        n = (int)room;
    memcpy(out, text, (size_t)n);
    return sm_wasi_done(args, sm_wasi_store(inst, args[5], (uint32_t)n, 4));
}

/* ---- Making and removing --------------------------------------------------------------------- */

/* A walk to something that is made or removed: the last name is never followed. */
static int find_entry(struct walk *k, struct sm_wasi *w, struct sm_wasm_inst *inst, uint32_t fd,
                      uint64_t rights, const uint32_t path[2])
{
    int err;
    const uint8_t *p = sm_wasm_mem(inst, path[0], path[1]);
    uint32_t trimmed[2] = {path[0], path[1]};

    k->depth = 0;
    if (p == NULL)
        return SM_ERR_ARG;
    /* Walked without its slashes, or they would make it follow. */
    while (trimmed[1] > 1 && p[trimmed[1] - 1] == '/')
        trimmed[1]--;
    err = find(k, w, inst, fd, rights, trimmed, false);
    k->slash = trimmed[1] != path[1];
    return err;
}

int sm_wasi_path_create_directory(void *ctx, struct sm_wasm_inst *inst, uint32_t *args)
{
    struct walk k;
    int err = find_entry(&k, ctx, inst, args[0], SM_RIGHT_MAKE_DIR, args + 1);

    if (!err)
        err = is_dot(&k) ? SM_WASI_EXIST
                         : -files_of(&k)->make_dir(files_of(&k)->ctx, here(&k), k.name);
    leave(&k);
    return sm_wasi_done(args, err);
}

int sm_wasi_path_remove_directory(void *ctx, struct sm_wasm_inst *inst, uint32_t *args)
{
    struct walk k;
    int err = find_entry(&k, ctx, inst, args[0], SM_RIGHT_REMOVE_DIR, args + 1);

    if (!err)
        err = is_dot(&k) ? SM_WASI_INVAL
                         : -files_of(&k)->remove(files_of(&k)->ctx, here(&k), k.name, true);
    leave(&k);
    return sm_wasi_done(args, err);
}

int sm_wasi_path_unlink_file(void *ctx, struct sm_wasm_inst *inst, uint32_t *args)
{
    struct sm_wasi_stat s;
    struct walk k;
    int err = find_entry(&k, ctx, inst, args[0], SM_RIGHT_UNLINK, args + 1);

    if (!err && (k.slash || is_dot(&k))) {
        err = stat_name(&k, &s);
        err = err ? err : SM_WASI_ISDIR;
    }
    if (!err)
        err = -files_of(&k)->remove(files_of(&k)->ctx, here(&k), k.name, false);
    leave(&k);
    return sm_wasi_done(args, err);
}

/* Two paths at once: args of rename are fd, path, length, fd, path, length. */
static int rename_paths(struct walk *from, struct walk *to)
{
    struct sm_wasi_stat s;

    if (is_dot(from) || is_dot(to))
        return SM_WASI_BUSY;
    if (from->slash || to->slash) { /* only a directory is named so */
        from->slash = true;
        int err = stat_name(from, &s);
        if (err)
            return err;
    }
    return -files_of(from)->rename(files_of(from)->ctx, here(from), from->name, here(to), to->name);
}

int sm_wasi_path_rename(void *ctx, struct sm_wasm_inst *inst, uint32_t *args)
{
    struct walk from, to = {.depth = 0};
    int err = find_entry(&from, ctx, inst, args[0], SM_RIGHT_RENAME_SOURCE, args + 1);

    if (!err)
        err = find_entry(&to, ctx, inst, args[3], SM_RIGHT_RENAME_TARGET, args + 4);
    if (!err)
        err = rename_paths(&from, &to);
    leave(&to);
    leave(&from);
    return sm_wasi_done(args, err);
}

/* What is to be made at a name with a slash behind it cannot be: it would not be a directory. */
static int refuse_slash(const struct walk *k)
{
    struct sm_wasi_stat s;

    if (is_dot(k))
        return SM_WASI_EXIST;
    if (!k->slash)
        return 0;
    int err = stat_name(k, &s);
    return err ? err : SM_WASI_EXIST;
}

static int link_paths(struct walk *from, struct walk *to)
{
    struct sm_wasi_stat s;
    int err = is_dot(from) ? SM_WASI_PERM : refuse_slash(to);

    if (!err && from->slash)
        err = stat_name(from, &s);
    return err ? err
               : -files_of(from)->link(files_of(from)->ctx, here(from), from->name, here(to),
                                       to->name);
}

/* args: fd, lookupflags, path, length, fd, path, length. A link is not followed. */
int sm_wasi_path_link(void *ctx, struct sm_wasm_inst *inst, uint32_t *args)
{
    struct walk from = {.depth = 0}, to = {.depth = 0};
    int err = args[1] & FOLLOW ? SM_WASI_INVAL : 0;

    if (!err)
        err = find_entry(&from, ctx, inst, args[0], SM_RIGHT_LINK_SOURCE, args + 2);
    if (!err)
        err = find_entry(&to, ctx, inst, args[4], SM_RIGHT_LINK_TARGET, args + 5);
    if (!err)
        err = link_paths(&from, &to);
    leave(&to);
    leave(&from);
    return sm_wasi_done(args, err);
}

/* args: text, length, fd, path, length. An absolute text would lead out for everybody else. */
int sm_wasi_path_symlink(void *ctx, struct sm_wasm_inst *inst, uint32_t *args)
{
    char text[SM_WASI_PATH_MAX + 1];
    struct walk k = {.depth = 0};
    int err = copy_path(inst, args[0], args[1], text);

    if (!err && text[0] == '/')
        err = SM_WASI_NOTCAPABLE;
    if (!err)
        err = find_entry(&k, ctx, inst, args[2], SM_RIGHT_SYMLINK, args + 3);
    if (!err)
        err = refuse_slash(&k);
    if (!err)
        err = -files_of(&k)->symlink(files_of(&k)->ctx, text, here(&k), k.name);
    leave(&k);
    return sm_wasi_done(args, err);
}
