/* A module's side of WASI without a module: calls are made by name on an instance's memory, over
 * the files of this host in a folder of the test's own. Every handle that is open is counted.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_TEST_WASI_STAGE_H
#define SM_TEST_WASI_STAGE_H

#include <posix/wasi_files.h>
#include <sandmote/wasi.h>

enum { STAGE_PAGES = 2, STAGE_MEMORY = STAGE_PAGES * 65536, STAGE_LINES = 64 };

struct stage {
    struct sm_wasi wasi; /* first: files' context finds its way back */
    struct sm_wasi_port port;
    struct sm_wasi_files files, posix; /* counting, and what it counts */
    struct sm_wasi_dirs dirs;
    struct sm_wasi_dir dir[3];
    struct sm_manifest manifest;
    struct sm_host host;
    struct sm_host_port host_port;
    struct sm_wasm_module module;
    struct sm_wasm_store store;
    struct sm_wasm_inst *inst;
    struct sm_wasm_exec exec;
    uint32_t epoch;
    uint64_t now_ms;
    int open; /* handles */
    unsigned lines;
    char line[STAGE_LINES][SM_HOST_LOG_MAX + 1];
    char folder[64]; /* with in/ and out/; in/ is what "data" names */
    const char *const *args, *const *env;
    uint32_t nargs, nenv;
    void (*on_dir)(struct stage *s, const char *name); /* before a walk goes there */
    _Alignas(16) uint8_t image[4096], pool[STAGE_MEMORY + 8192];
    uint32_t stack[256];
    uint8_t *wasm;
};

/* With these capabilities, NULL behind the last. Asserts that all is well. */
void stage_open(struct stage *s, const char *const *capabilities);
/* Asserts that no handle is left open. */
void stage_close(struct stage *s);

/* The instance's memory. */
uint8_t *stage_at(struct stage *s, uint32_t addr);
uint32_t stage_u32(struct stage *s, uint32_t addr);
uint64_t stage_u64(struct stage *s, uint32_t addr);
/* A text into memory; its address. Each takes the next place from 0x8000 on, in turns. */
uint32_t stage_text(struct stage *s, const char *text);

/* A call by name with n words: what the host function returned when that is negative, else the
 * result, an enum sm_wasi_errno. */
int stage_call(struct stage *s, const char *name, unsigned n, const uint32_t *args);
#define CALL(s, name, ...)                                                                         \
    stage_call(s, name, sizeof(uint32_t[]){__VA_ARGS__} / 4, (uint32_t[]){__VA_ARGS__})

/* path_open from descriptor dir; the new descriptor, or a negated enum sm_wasi_errno. */
enum { AT_FOLLOW = 0x100, AT_CREATE = 1, AT_DIRECTORY = 2, AT_EXCLUSIVE = 4, AT_TRUNCATE = 8 };
int stage_path_open(struct stage *s, uint32_t dir, const char *path, unsigned how, uint64_t rights);
#define R_READ  (1ull << 1 | 1ull << 2 | 1ull << 5 | 1ull << 21)
#define R_WRITE (1ull << 6)
#define R_ALL   0x0fffffffull /* what no directory passes on whole */

/* fd_write and fd_read of one buffer: the count, or a negated enum sm_wasi_errno. */
int stage_write(struct stage *s, uint32_t fd, const char *text);
int stage_read(struct stage *s, uint32_t fd, char *text, uint32_t size);

/* In the folder on the host: 0 or fails the test. */
void stage_make(struct stage *s, const char *path, const char *text); /* NULL: a directory */
void stage_link(struct stage *s, const char *text, const char *path);
bool stage_there(struct stage *s, const char *path);

#endif
