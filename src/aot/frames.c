/* How much stack lies between two looks at its end: the sum of frames along calls, of which the
 * compiler says how large each is (-fstack-usage).
 *
 * A function that looks (scan.c) may have made its frame before or after; one that does not is part
 * of its caller's sum. Functions that the compiler inlined have no frame; what it split off from
 * one (f7.part.0) counts with it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include "gen.h"

struct frames {
    struct gen *g;
    uint32_t *own; /* of each function */
    uint64_t *need;
    uint32_t others; /* the largest of thunks and slow ways */
};

/* "code.c:12:13:f7.part.0\t48\tstatic" */
static void line(struct frames *f, char *text)
{
    char *tab = strchr(text, '\t'), *name;
    unsigned long bytes, func;

    if (tab == NULL) {
        return;
    }
    *tab = '\0';
    name = strrchr(text, ':');
    bytes = strtoul(tab + 1, NULL, 10);
    if (name == NULL) {
        return;
    }
    func = strtoul(name + 2, NULL, 10);
    if (name[1] == 'f' && name[2] >= '0' && name[2] <= '9' && func < f->g->h->nfuncs) {
        f->own[func] += (uint32_t)bytes;
    } else if (bytes > f->others) {
        f->others = (uint32_t)bytes;
    }
}

/* Functions are visited callees first: without a look there is no cycle. */
static uint64_t need(struct frames *f, uint32_t func)
{
    const struct func_info *info = &f->g->info[func];
    uint64_t most = 0;

    if (f->need[func] != 0) {
        return f->need[func];
    }
    for (uint32_t i = 0; i < info->ncalls; i++) {
        uint32_t callee = info->calls[i];
        uint64_t more = f->g->info[callee].checked ? f->own[callee] : need(f, callee);

        most = more > most ? more : most;
    }
    return f->need[func] = f->own[func] + most + 1;
}

int aot_frames(struct gen *g, const char *dir, uint32_t *stack_bytes, uint32_t *frame_bytes)
{
    struct frames f = {.g = g,
                       .own = aot_alloc(g->h->nfuncs, sizeof(uint32_t)),
                       .need = aot_alloc(g->h->nfuncs, sizeof(uint64_t))};
    static const char *const names[] = {"code.su", "code.elf-code.su"};
    uint64_t most = 0;
    char text[512];
    FILE *in = NULL;

    for (unsigned i = 0; i < 2 && in == NULL; i++) {
        snprintf(text, sizeof(text), "%s%s", dir, names[i]);
        in = fopen(text, "r");
    }
    if (in == NULL) {
        return SM_ERR_IO;
    }
    while (fgets(text, sizeof(text), in) != NULL) {
        line(&f, text);
    }
    fclose(in);
    for (uint32_t i = g->h->nfunc_imports; i < g->h->nfuncs; i++) {
        uint64_t n = need(&f, i);

        most = n > most ? n : most;
        *frame_bytes = f.own[i] > *frame_bytes ? f.own[i] : *frame_bytes;
    }
    free(f.own);
    free(f.need);
    most = (most + f.others + 64 + 15) / 16 * 16; /* and return addresses */
    *stack_bytes = most > 0x7fffffff ? 0x7fffffff : (uint32_t)most;
    return 0;
}
