/* Native images for tests. SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "native.h"
#include <sandmote/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "aot.h"

static bool wanted, guarded;

bool native_mode(const char *word)
{
    wanted = strcmp(word, "none") != 0;
    guarded = strcmp(word, "guard") == 0;
    return !wanted || guarded || strcmp(word, "checks") == 0;
}

bool native_wanted(void)
{
    return wanted;
}

bool native_guarded(void)
{
    return guarded;
}

static void die(const char *what)
{
    fprintf(stderr, "native images: %s\n", what);
    exit(1);
}

/* A file that exists is whole: it is written under another name first. */
static void keep(const char *path, const uint8_t *image, size_t len)
{
    char name[512];
    FILE *f;

    snprintf(name, sizeof(name), "%s.%d", path, (int)getpid());
    f = fopen(name, "wb");
    if (f == NULL || fwrite(image, 1, len, f) != len || fclose(f) != 0 || rename(name, path) != 0) {
        die("the cache cannot be written");
    }
}

static void compile(const struct sm_wasm_module *m, const uint8_t sha256[32], const char *path)
{
    struct aot_options options = {.target = sm_native_this_target(),
                                  .guarded = guarded,
                                  .unroll = 48,
                                  .optimize = "-O1",
                                  .cc = "gcc -Wall -Wextra -Werror"};
    char message[2048] = "";
    uint8_t *image;
    size_t len;

    if (aot_build(m, sha256, &options, &image, &len, message, sizeof(message)) != 0) {
        die(message);
    }
    keep(path, image, len);
    free(image);
}

/* A folder for this run alone. */
static char own_cache[] = "/tmp/sandmote-test-XXXXXX";

static void remove_own_cache(void)
{
    char command[64];

    snprintf(command, sizeof(command), "rm -rf %s", own_cache);
    if (system(command) != 0) {
        fprintf(stderr, "native images: %s stays\n", own_cache);
    }
}

static const char *folder(const char *cache)
{
    static bool made;

    if (cache != NULL) {
        return cache;
    }
    if (!made) {
        if (mkdtemp(own_cache) == NULL) {
            die("no folder for them");
        }
        atexit(remove_own_cache);
        made = true;
    }
    return own_cache;
}

static void file_of(const struct sm_wasm_module *m, const char *cache, uint8_t sha256[32],
                    char *path, size_t size)
{
    int n = snprintf(path, size, "%s/%u%c", folder(cache), SM_NATIVE_FORMAT, guarded ? 'g' : 'c');

    sm_sha256(m->wasm, m->wasm_len, sha256);
    for (int i = 0; i < 12; i++) {
        n += snprintf(path + n, size - (size_t)n, "%02x", sha256[i]);
    }
    if (access(path, R_OK) != 0) {
        compile(m, sha256, path);
    }
}

void native_cache(const struct sm_wasm_module *m, const char *cache)
{
    uint8_t sha256[32];
    char path[512];

    file_of(m, cache, sha256, path, sizeof(path));
}

void native_make(struct native_bound *b, const struct sm_wasm_module *m, const char *cache)
{
    uint8_t sha256[32];
    char path[512];

    *b = (struct native_bound){0};
    file_of(m, cache, sha256, path, sizeof(path));
    b->map = (void *)(uintptr_t)sm_guard_map_code(path, &b->map_len);
    if (b->map == NULL) {
        die("an image cannot be mapped");
    }
    if (sm_native_open(&b->native, b->map, b->map_len, sha256) != 0) {
        die(b->native.info.refused);
    }
    if (guarded && sm_guard_reserve(&b->guard, 4ull << 30) != 0) {
        die("no address space");
    }
}

int native_bind(struct native_bound *b, struct sm_wasm_inst *inst)
{
    size_t len = sm_native_state_bytes(&b->native, sm_wasm_inst_module(inst));
    int err;

    b->state = malloc(len);
    err = sm_native_bind(inst, &b->native, b->state, len);
    if (sm_guard_stack() != 0 || (guarded && sm_guard_watch(&b->guard, inst) != 0)) {
        die("signals");
    }
    return err;
}

void native_ready(struct native_bound *b, struct sm_wasm_inst *inst)
{
    if (b->guard.region.base != NULL && sm_guard_watch(&b->guard, inst) != 0) {
        die("signals");
    }
}

void native_free(struct native_bound *b)
{
    if (b->map != NULL) {
        munmap(b->map, b->map_len);
    }
    sm_guard_free(&b->guard);
    free(b->state);
}
