/* Guard pages: a reserved range of addresses of which memory.grow makes more usable, and a signal
 * handler that turns a fault inside one into a trap.
 *
 * The list of watched memories is file-scope state because a signal handler has no argument to find
 * it by. It is only ever changed at start and end; a handler that runs meanwhile sees it before or
 * after.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "guard.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <ucontext.h>
#include <unistd.h>

#define SPACE_BYTES ((8ull << 30) + 65536) /* a 32-bit address, a 32-bit offset, the access */
#define STACK_BYTES (64u << 10)

static struct sm_guard *volatile watched;
static struct sigaction previous[2]; /* of SIGSEGV and SIGBUS */
static const int signals[2] = {SIGSEGV, SIGBUS};

static int commit(void *ctx, uint64_t bytes)
{
    struct sm_guard *g = ctx;

    if (bytes > g->region.size ||
        (bytes > 0 && mprotect(g->region.base, (size_t)bytes, PROT_READ | PROT_WRITE) != 0)) {
        return SM_ERR_MEMORY;
    }
    return 0;
}

int sm_guard_reserve(struct sm_guard *guard, uint64_t size)
{
#if UINTPTR_MAX > 0xffffffff
    void *p;

    *guard = (struct sm_guard){0};
    if (size > 4ull << 30) {
        return SM_ERR_MEMORY;
    }
    p = mmap(NULL, SPACE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) {
        return SM_ERR_MEMORY;
    }
    guard->region = (struct sm_wasm_region){
        .base = p, .size = size, .guarded = true, .commit = commit, .ctx = guard};
    return 0;
#else
    (void)size;
    *guard = (struct sm_guard){0};
    return SM_ERR_UNSUPPORTED;
#endif
}

/* Where the context stood, and the two registers that decide where it goes on. */
#if defined(__x86_64__)
#define CONTEXT_PC(u)       ((u)->uc_mcontext.gregs[REG_RIP])
#define CONTEXT_ARGUMENT(u) ((u)->uc_mcontext.gregs[REG_RDI])
#elif defined(__aarch64__)
#define CONTEXT_PC(u)       ((u)->uc_mcontext.pc)
#define CONTEXT_ARGUMENT(u) ((u)->uc_mcontext.regs[0])
#endif

#ifdef CONTEXT_PC
static bool make_trap(uintptr_t address, ucontext_t *u)
{
    uintptr_t pc, argument;

    for (struct sm_guard *g = watched; g != NULL; g = g->next) {
        if (address - (uintptr_t)g->region.base < SPACE_BYTES &&
            sm_native_fault(g->inst, (uintptr_t)CONTEXT_PC(u), &pc, &argument)) {
            CONTEXT_PC(u) = (__typeof__(CONTEXT_PC(u)))pc;
            CONTEXT_ARGUMENT(u) = (__typeof__(CONTEXT_ARGUMENT(u)))argument;
            return true;
        }
    }
    return false;
}

static void on_fault(int signal, siginfo_t *info, void *context)
{
    const struct sigaction *before = &previous[signal == signals[1]];

    if (make_trap((uintptr_t)info->si_addr, context)) {
        return;
    }
    if (before->sa_flags & SA_SIGINFO) {
        before->sa_sigaction(signal, info, context);
    } else if (before->sa_handler != SIG_DFL && before->sa_handler != SIG_IGN) {
        before->sa_handler(signal);
    } else { /* again, and then it ends the process as it would have */
        sigaction(signal, before, NULL);
    }
}
#endif

int sm_guard_watch(struct sm_guard *guard, struct sm_wasm_inst *inst)
{
#ifdef CONTEXT_PC
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};

    struct sigaction now;

    for (int i = 0; i < 2; i++) {
        if (sigaction(signals[i], NULL, &now) != 0) {
            return SM_ERR_IO;
        }
        if ((now.sa_flags & SA_SIGINFO) && now.sa_sigaction == on_fault) {
            continue;
        }
        previous[i] = now;
        if (sigaction(signals[i], &action, NULL) != 0) {
            return SM_ERR_IO;
        }
    }
#endif
    for (struct sm_guard *g = watched; g != NULL; g = g->next) {
        if (g == guard) {
            guard->inst = inst;
            return 0;
        }
    }
    guard->inst = inst;
    guard->next = watched;
    watched = guard;
    return 0;
}

int sm_guard_stack(void)
{
    stack_t stack = {.ss_size = STACK_BYTES}, old;

    if (sigaltstack(NULL, &old) == 0 && !(old.ss_flags & SS_DISABLE)) {
        return 0;
    }
    stack.ss_sp =
        mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return stack.ss_sp == MAP_FAILED || sigaltstack(&stack, NULL) != 0 ? SM_ERR_MEMORY : 0;
}

void sm_guard_free(struct sm_guard *guard)
{
    for (struct sm_guard *volatile *at = &watched; *at != NULL; at = &(*at)->next) {
        if (*at == guard) {
            *at = guard->next;
            break;
        }
    }
    if (guard->region.base != NULL) {
        munmap(guard->region.base, SPACE_BYTES);
    }
    *guard = (struct sm_guard){0};
}

const void *sm_guard_map_code(const char *path, size_t *len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    void *p = MAP_FAILED;

    if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0) {
        *len = (size_t)st.st_size;
        p = mmap(NULL, *len, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
    }
    if (fd >= 0) {
        int err = errno;

        close(fd);
        errno = err;
    }
    return p == MAP_FAILED ? NULL : p;
}
