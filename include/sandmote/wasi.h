/* WASI preview 1 for modules: wasi_snapshot_preview1, every call of it (doc/wasi.md has the table).
 *
 * Grants, as capabilities of the manifest:
 *   wasi               the imports link: arguments, environment, clocks, random numbers, stdio
 *   file/<name>:r      the directory that the device calls <name> is preopened as "/<name>"
 *   file/<name>:rw     the same, and may be changed
 * <name> is empty or 1 to 32 of a-z 0-9 . _ - beginning with a letter or a digit; the empty one is
 * preopened as "/". Without "wasi" nothing links, and a module that was granted no directory has no
 * descriptor that a path could start from.
 *
 * Files: paths are walked here, one component after the other, each opened by the port relative to
 * a directory that is held open, without following links; links are read and walked here too. So
 * nothing above the directory that a path starts from is ever named to the host, whoever renames
 * what meanwhile. Calls on files are synchronous and bounded: at most SM_WASI_IO_MAX bytes a call,
 * SM_WASI_DEPTH_MAX directories and SM_WASI_LINKS_MAX links a path.
 *
 * Waits (poll_oneoff) suspend the module by a pending host call: sm_host_more.wake_ms says until
 * when. Pointers that leave the module's memory trap it, as everywhere.
 *
 * A device takes part by giving each application a struct sm_wasi (device.h); without, none of this
 * is linked into it. Class mcu has no WASI.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_WASI_H
#define SANDMOTE_WASI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sandmote/host.h>
#include <sandmote/port.h>

#define SM_WASI_FDS        64u    /* descriptors of one instance, stdio and directories included */
#define SM_WASI_IO_MAX     65536u /* bytes that one call reads or writes; the rest is for the next */
#define SM_WASI_IOVS_MAX   1024u  /* buffers in one call */
#define SM_WASI_RANDOM_MAX 65536u /* bytes of random_get, which must give all */
#define SM_WASI_PATH_MAX   1024u  /* bytes of a path */
#define SM_WASI_NAME_MAX   255u   /* and of each of its components */
#define SM_WASI_DEPTH_MAX  32u    /* directories deep */
#define SM_WASI_LINKS_MAX  16u    /* symbolic links followed on one path */
#define SM_WASI_SUBS_MAX   256u   /* subscriptions of one poll_oneoff */
#define SM_WASI_DIR_MAX    32u    /* bytes of a granted directory's name */

/* Error numbers of WASI: all that the calls and ports here give. */
enum sm_wasi_errno {
    SM_WASI_2BIG = 1,
    SM_WASI_ACCES = 2,
    SM_WASI_BADF = 8,
    SM_WASI_BUSY = 10,
    SM_WASI_DQUOT = 19,
    SM_WASI_EXIST = 20,
    SM_WASI_FBIG = 22,
    SM_WASI_ILSEQ = 25,
    SM_WASI_INVAL = 28,
    SM_WASI_IO = 29,
    SM_WASI_ISDIR = 31,
    SM_WASI_LOOP = 32,
    SM_WASI_MFILE = 33,
    SM_WASI_MLINK = 34,
    SM_WASI_NAMETOOLONG = 37,
    SM_WASI_NFILE = 41,
    SM_WASI_NOENT = 44,
    SM_WASI_NOMEM = 48,
    SM_WASI_NOSPC = 51,
    SM_WASI_NOTDIR = 54,
    SM_WASI_NOTEMPTY = 55,
    SM_WASI_NOTSOCK = 57,
    SM_WASI_NOTSUP = 58,
    SM_WASI_OVERFLOW = 61,
    SM_WASI_PERM = 63,
    SM_WASI_ROFS = 69,
    SM_WASI_SPIPE = 70,
    SM_WASI_TXTBSY = 74,
    SM_WASI_XDEV = 75,
    SM_WASI_NOTCAPABLE = 76
};

/* WASI's own numbers of file types. */
enum sm_wasi_filetype {
    SM_WASI_UNKNOWN = 0,
    SM_WASI_CHARACTER_DEVICE = 2,
    SM_WASI_DIRECTORY = 3,
    SM_WASI_REGULAR_FILE = 4,
    SM_WASI_SYMBOLIC_LINK = 7
};

enum sm_wasi_clock { SM_WASI_REALTIME = 0, SM_WASI_MONOTONIC = 1 };

struct sm_wasi_stat {
    uint64_t dev, ino, nlink, size;
    uint64_t atim, mtim, ctim; /* nanoseconds since 1970 */
    uint8_t type;              /* enum sm_wasi_filetype */
};

struct sm_wasi_entry {
    uint64_t next, ino; /* next: the cookie of what comes behind it */
    uint8_t type;
    uint8_t len;
    char name[SM_WASI_NAME_MAX + 1];
};

/* What to open a file for, as bits. */
enum sm_wasi_how {
    SM_WASI_READ = 1,
    SM_WASI_WRITE = 2,
    SM_WASI_CREATE = 4,
    SM_WASI_EXCLUSIVE = 8,
    SM_WASI_TRUNCATE = 16,
    SM_WASI_ONLY_DIRECTORY = 32
};

/* Which times to set, as bits: WASI's fstflags. */
enum sm_wasi_times {
    SM_WASI_ATIM = 1,
    SM_WASI_ATIM_NOW = 2,
    SM_WASI_MTIM = 4,
    SM_WASI_MTIM_NOW = 8
};

#define SM_WASI_END UINT64_MAX /* instead of an offset: append */

/* The files of a platform. A handle is a number from 0 on. Every name is one component of a path:
 * 1 to SM_WASI_NAME_MAX bytes without '/', never ".."; "." only where said. No function may follow
 * a symbolic link, nor wait for anything but the disk. All return 0 or a count or a handle, or a
 * negated enum sm_wasi_errno. */
struct sm_wasi_files {
    void *ctx;
    /* The directory that the device calls so. write: it will be changed. */
    int (*root)(void *ctx, const char *name, bool write);
    /* A directory in a directory, for walking on; NOTDIR or LOOP when it is something else. */
    int (*dir)(void *ctx, int dir, const char *name);
    void (*close)(void *ctx, int handle);
    /* Text of a link, at most size bytes and not terminated: its whole length; INVAL: no link. */
    int (*link_text)(void *ctx, int dir, const char *name, char *text, size_t size);
    /* name may be ".". how: enum sm_wasi_how. Regular files and directories only; *type says which.
     */
    int (*open)(void *ctx, int dir, const char *name, unsigned how, uint8_t *type);
    int (*stat)(void *ctx, int handle, struct sm_wasi_stat *out);
    int (*stat_at)(void *ctx, int dir, const char *name, struct sm_wasi_stat *out); /* or "." */
    /* which: enum sm_wasi_times. name NULL: of the handle itself; may be ".". */
    int (*set_times)(void *ctx, int handle, const char *name, uint64_t atim, uint64_t mtim,
                     unsigned which);
    int (*set_size)(void *ctx, int handle, uint64_t size);
    int (*read)(void *ctx, int handle, void *buf, uint32_t len, uint64_t off);
    int (*write)(void *ctx, int handle, const void *buf, uint32_t len, uint64_t off);
    int (*sync)(void *ctx, int handle, bool data_only);
    /* The entry of a directory at a cookie, 0 for the first: 1, or 0 past the last. */
    int (*entry)(void *ctx, int dir, uint64_t cookie, struct sm_wasi_entry *out);
    int (*make_dir)(void *ctx, int dir, const char *name);
    int (*remove)(void *ctx, int dir, const char *name, bool directory);
    int (*rename)(void *ctx, int dir, const char *name, int to, const char *to_name);
    int (*link)(void *ctx, int dir, const char *name, int to, const char *to_name);
    int (*symlink)(void *ctx, const char *text, int dir, const char *name);
};

/* Arguments, the program's name first, and "NAME=value" of the environment; terminated texts. */
struct sm_wasi_texts {
    const char *const *args, *const *env;
    uint32_t nargs, nenv;
};

/* What the platform gives. Borrowed for the life of every struct sm_wasi. */
struct sm_wasi_port {
    void *ctx;
    /* Nanoseconds: since 1970, or monotonic. 0, or SM_ERR_IO when the clock is not set. */
    int (*clock)(void *ctx, enum sm_wasi_clock id, uint64_t *ns);
    uint64_t resolution_ns; /* of both */
    struct sm_entropy entropy;
    /* Of the module of that name, valid until its instance ends. NULL: the name and nothing else.
     */
    void (*texts)(void *ctx, const char *module, struct sm_wasi_texts *out);
    /* What was written to stdout (fd 1) or stderr (2). NULL: lines of it go to the log. */
    void (*stdio)(void *ctx, int fd, const void *bytes, uint32_t len);
    const struct sm_wasi_files *files; /* NULL: none */
    uint64_t file_max;                 /* most bytes of a file; 0: what the platform allows */
};

/* A descriptor; private. */
struct sm_wasi_fd {
    uint64_t rights, inheriting; /* WASI's bits */
    uint64_t offset;
    int32_t handle;
    uint16_t flags;  /* WASI's fdflags */
    uint8_t kind;    /* 0: free */
    uint8_t preopen; /* 1 + index of the capability that granted it, or 0 */
};

/* A line of stdout or stderr that has not ended; private. */
struct sm_wasi_line {
    uint32_t len;
    char text[SM_HOST_LOG_MAX];
};

/* A poll_oneoff that waits; private. */
struct sm_wasi_wait {
    uint32_t subs, events, n, count; /* its arguments */
    uint64_t start_ns[2];            /* both clocks, when it began */
    uint64_t delay_ns;               /* until the first of its clocks */
};

/* One instance's side: about 3 KB. Fields are private. */
struct sm_wasi {
    struct sm_host_more more; /* first */
    const struct sm_wasi_port *port;
    struct sm_host *host;
    struct sm_wasi_texts texts;
    const char *name; /* stands for the arguments of a platform without texts */
    struct sm_wasi_line line[2];
    struct sm_wasi_wait wait;
    struct sm_wasi_fd fd[SM_WASI_FDS];
};

/* Prepare for a platform; the first instance comes with sm_host_begin() of a host whose `more` is
 * &wasi->more. */
void sm_wasi_init(struct sm_wasi *wasi, const struct sm_wasi_port *port);

/* The directory's name in a capability "file/<name>:r" or ":rw": 0 and a copy, or SM_ERR_INVALID.
 */
int sm_wasi_directory(const char *capability, char name[SM_WASI_DIR_MAX + 1], bool *write);

#endif
