/* C -> machine code -> native image.
 *
 * The compiler and linker are the target's. The linker script gathers code and constants in one
 * section; data that could be written, a symbol that nobody defines, or an address that would have
 * to be adjusted where the code lies, and there is no image.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <sandmote/crypto.h>
#include "../wasm/native.h"
#include "elf.h"
#include "gen.h"

#define CODE_ALIGN 4096u /* a page: aarch64 addresses its constants by pages */
#define OPTION_MAX 1024  /* characters of --cc, of --optimize */
#define WORDS_MAX  (2 * OPTION_MAX)
#define DIR_MAX    256

struct build {
    struct gen g;
    const struct aot_options *options;
    const uint8_t *sha256;
    char dir[DIR_MAX];
    char *message;
    size_t message_size;
    uint8_t *file;
    size_t file_len;
    struct elf elf;
};

__attribute__((format(printf, 3, 4))) static int say(struct build *b, int err, const char *format,
                                                     ...)
{
    va_list ap;

    va_start(ap, format);
    vsnprintf(b->message, b->message_size, format, ap);
    va_end(ap);
    return err;
}

/* ---- Targets --------------------------------------------------------------------------------- */

static const struct target {
    enum sm_native_target id;
    const char *short_name, *cc, *flags;
} targets[] = {
    {SM_NATIVE_X86_64, "x86_64", "gcc",
     "-m64 -mno-red-zone -maccumulate-outgoing-args -fcf-protection=none"},
    {SM_NATIVE_AARCH64, "aarch64", "aarch64-linux-gnu-gcc", "-mno-outline-atomics"},
    {SM_NATIVE_CORTEX_M4F, "cortex-m4f", "arm-none-eabi-gcc",
     "-mcpu=cortex-m4 -mthumb -mfloat-abi=hard -mfpu=fpv4-sp-d16"},
    {SM_NATIVE_CORTEX_M4, "cortex-m4", "arm-none-eabi-gcc",
     "-mcpu=cortex-m4 -mthumb -mfloat-abi=soft"},
};

enum sm_native_target aot_target(const char *triple)
{
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        if (strcmp(triple, sm_native_target_name(targets[i].id)) == 0 ||
            strcmp(triple, targets[i].short_name) == 0) {
            return targets[i].id;
        }
    }
    return (enum sm_native_target)0;
}

static const struct target *target_of(enum sm_native_target id)
{
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        if (targets[i].id == id) {
            return &targets[i];
        }
    }
    return NULL;
}

/* ---- The compiler ---------------------------------------------------------------------------- */

static const char script[] =
    "ENTRY(sm_enter)\n"
    "SECTIONS {\n"
    " .code 0 : { KEEP(*(.sm.head)) *(.text .text.*) *(.rodata .rodata.*) *(.got .got.*) }\n"
    " .dynsym : { *(.dynsym) } .dynstr : { *(.dynstr) } .hash : { *(.hash) }\n"
    " .gnu.hash : { *(.gnu.hash) } .dynamic : { *(.dynamic) }\n"
    " .rela.dyn : { *(.rela.*) } .rel.dyn : { *(.rel.*) }\n"
    " .written : { *(.data .data.* .bss .bss.* COMMON .data.rel.ro .data.rel.ro.*) }\n"
    " ASSERT(SIZEOF(.written) == 0, \"the code has data of its own\")\n"
    " /DISCARD/ : { *(.comment .note.* .eh_frame .eh_frame_hdr .ARM.exidx* .ARM.attributes"
    " .interp) }\n"
    "}\n";

static const char flags[] =
    "-std=gnu11 -ffreestanding -fbuiltin -fpie -fvisibility=hidden -ffunction-sections "
    "-fno-stack-protector -fno-asynchronous-unwind-tables -fno-unwind-tables "
    "-fno-strict-aliasing -fwrapv -ffp-contract=off -fno-math-errno -fstack-usage";

static void split(char *text, const char **words, unsigned *n)
{
    for (char *w = strtok(text, " "); w != NULL && *n < WORDS_MAX - 48; w = strtok(NULL, " ")) {
        words[(*n)++] = w;
    }
}

static bool fits(char out[OPTION_MAX], const char *text)
{
    return snprintf(out, OPTION_MAX, "%s", text) < OPTION_MAX;
}

static int start(struct build *b, const char **words)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        int log = chdir(b->dir) != 0 ? -1 : open("log", O_WRONLY | O_CREAT | O_TRUNC, 0666);

        if (log < 0) {
            _exit(126);
        }
        dup2(log, 1);
        dup2(log, 2);
        execvp(words[0], (char *const *)(uintptr_t)words);
        fprintf(stderr, "%s: %s\n", words[0], strerror(errno));
        _exit(127);
    }
    if (pid < 0 || waitpid(pid, &status, 0) < 0) {
        return -1;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static char *path(struct build *b, const char *name)
{
    static char text[DIR_MAX + 32];

    snprintf(text, sizeof(text), "%s/%s", b->dir, name);
    return text;
}

static uint8_t *read_all(const char *name, size_t *len)
{
    FILE *f = fopen(name, "rb");
    uint8_t *bytes;

    *len = 0;
    if (f == NULL) {
        return NULL;
    }
    fseek(f, 0, SEEK_END);
    *len = (size_t)ftell(f);
    rewind(f);
    bytes = aot_alloc(*len + 1, 1);
    *len = fread(bytes, 1, *len, f);
    fclose(f);
    return bytes;
}

static int compiler_failed(struct build *b, const char *cc)
{
    size_t len;
    char *log = (char *)read_all(path(b, "log"), &len);

    say(b, SM_ERR_IO, "%s failed: %.*s", cc, (int)(len > 1500 ? 1500 : len),
        log == NULL ? "" : log);
    free(log);
    return SM_ERR_IO;
}

static int compile(struct build *b)
{
    const struct target *t = target_of(b->options->target);
    const char *words[WORDS_MAX];
    char common[sizeof(flags)], own[160], cc[OPTION_MAX], optimize[OPTION_MAX];
    unsigned n = 0;
    bool clang;

    snprintf(own, sizeof(own), "%s", t->flags);
    if (!fits(cc, b->options->cc != NULL ? b->options->cc : t->cc) ||
        !fits(optimize,
              b->options->optimize != NULL ? b->options->optimize : "-O3 -fno-tree-vectorize")) {
        return say(b, SM_ERR_ARG, "the compiler's command has more than %d characters",
                   OPTION_MAX - 1);
    }
    memcpy(common, flags, sizeof(flags));
    clang = strstr(cc, "clang") != NULL;
    if (clang && b->options->guarded) {
        return say(
            b, SM_ERR_UNSUPPORTED,
            "clang drops loads whose value nobody needs, and with them their faults: use gcc, "
            "or --checks");
    }
    split(cc, words, &n);
    split(common, words, &n);
    if (clang) {
        words[n++] = "-ffp-exception-behavior=strict";
        words[n++] = "-m64";
        words[n++] = "-mno-red-zone";
    } else {
        split(own, words, &n);
        words[n++] = "-fsignaling-nans";                   /* or x * 1 would not make a NaN quiet */
        words[n++] = "-fno-tree-loop-distribute-patterns"; /* no calls of memset */
    }
    split(optimize, words, &n);
    if (b->options->guarded) { /* accesses trap: each must stay, in its place */
        words[n++] = "-g1";
        words[n++] = "-gdwarf-4";
        words[n++] = "-fexceptions";
        words[n++] = "-fnon-call-exceptions";
        words[n++] = "-fno-delete-dead-exceptions";
    }
    words[n++] = "code.c";
    words[n++] = "-o";
    words[n++] = "code.elf";
    words[n++] = "-nostdlib";
    words[n++] = "-pie";
    words[n++] = "-Wl,-T,script,--no-dynamic-linker,-z,defs,--gc-sections,--build-id=none";
    words[n++] = "-lgcc";
    words[n] = NULL;
    return start(b, words) == 0 ? 0 : compiler_failed(b, words[0]);
}

/* ---- The image ------------------------------------------------------------------------------- */

static int order(const void *a, const void *b)
{
    const struct line_row *x = a, *y = b;

    if (x->address != y->address) {
        return x->address < y->address ? -1 : 1;
    }
    return x->line == 0 ? -1 : y->line == 0; /* the end of one function before the next */
}

/* The access at or before an offset: an instruction that takes an operand from memory may stand for
 * the operator behind the load. */
static uint32_t access_before(const struct gen *g, uint32_t offset)
{
    uint32_t low = 0, high = g->naccesses;

    while (high - low > 1) {
        uint32_t mid = low + (high - low) / 2;

        if (g->accesses[mid] <= offset) {
            low = mid;
        } else {
            high = mid;
        }
    }
    return high == 0 || g->accesses[low] > offset ? 0 : g->accesses[low];
}

/* The line table as pairs of code and module offset, one for each change. */
static long places(struct build *b, struct sm_native_place **out)
{
    struct line_row *rows;
    long n = b->options->guarded ? elf_lines(&b->elf, &rows) : 0, kept = 0;

    *out = NULL;
    if (n <= 0) {
        return n;
    }
    qsort(rows, (size_t)n, sizeof(*rows), order);
    *out = aot_alloc((size_t)n, sizeof(**out));
    for (long i = 0; i < n; i++) {
        uint32_t offset = access_before(&b->g, rows[i].line);

        if (kept > 0 && (*out)[kept - 1].code == rows[i].address) {
            (*out)[kept - 1].offset = offset;
        } else if (kept == 0 || (*out)[kept - 1].offset != offset) {
            (*out)[kept++] = (struct sm_native_place){rows[i].address, offset};
        }
    }
    free(rows);
    return kept;
}

static bool is_empty(struct build *b, const char *section)
{
    struct elf_section s;

    return !elf_section(&b->elf, section, &s) || s.size == 0;
}

static int header(struct build *b, struct sm_native_header *h, const struct elf_section *code)
{
    uint32_t layout, funcs = 0, thunks = 0;

    *h = (struct sm_native_header){.magic = SM_NATIVE_MAGIC,
                                   .format = SM_NATIVE_FORMAT,
                                   .target = b->options->target,
                                   .flags = b->options->guarded ? SM_NATIVE_GUARDED : 0,
                                   .wasm_len = b->g.m->wasm_len,
                                   .code = CODE_ALIGN,
                                   .code_len = (uint32_t)code->size,
                                   .nfuncs = b->g.h->nfuncs,
                                   .ntypes = b->g.h->ntypes,
                                   .min_memory = b->g.min_memory,
                                   .many_words = b->g.many_words};
    memcpy(h->module_sha256, b->sha256, 32);
    if (!elf_symbol(&b->elf, "sm_enter", &h->enter) ||
        !elf_symbol(&b->elf, "sm_resume", &h->resume) ||
        !elf_symbol(&b->elf, "sm_leave", &h->leave) || !elf_symbol(&b->elf, "sm_layout", &layout) ||
        !elf_symbol(&b->elf, "sm_funcs", &funcs) || !elf_symbol(&b->elf, "sm_thunks", &thunks) ||
        layout + 4 > code->size) {
        return say(b, SM_ERR_CORRUPT, "the linker's file lacks what it must have");
    }
    h->funcs = funcs;
    h->thunks = thunks;
    memcpy(&h->layout, code->bytes + layout, 4);
    return 0;
}

static void hash(const void *image, size_t len, uint8_t out[SM_SHA256_SIZE])
{
    const size_t at = offsetof(struct sm_native_header, sha256);
    struct sm_sha256 s;

    sm_sha256_init(&s);
    sm_sha256_update(&s, image, at);
    sm_sha256_update(&s, (const uint8_t *)image + at + SM_SHA256_SIZE, len - at - SM_SHA256_SIZE);
    sm_sha256_final(&s, out);
}

int aot_check_hash(struct sm_native *n)
{
    const struct sm_native_header *h = (const void *)n->image;
    uint8_t found[SM_SHA256_SIZE];

    hash(h, h->size, found);
    if (memcmp(found, h->sha256, sizeof(found)) == 0) {
        return 0;
    }
    n->info.refused = "changed since it was made: its hash is not the one in its header";
    return SM_ERR_CORRUPT;
}

static int pack(struct build *b, uint8_t **image, size_t *image_len)
{
    struct elf_section code;
    struct sm_native_header h;
    struct sm_native_place *map;
    long nmap;
    int err;

    b->file = read_all(path(b, "code.elf"), &b->file_len);
    if (b->file == NULL || !elf_open(&b->elf, b->file, b->file_len) ||
        !elf_section(&b->elf, ".code", &code)) {
        return say(b, SM_ERR_CORRUPT, "the linker's file cannot be read");
    }
    if (!is_empty(b, ".rela.dyn") || !is_empty(b, ".rel.dyn") || !is_empty(b, ".rela.plt") ||
        !is_empty(b, ".rel.plt") || !is_empty(b, ".written")) {
        return say(b, SM_ERR_UNSUPPORTED, "the compiler made code that depends on where it lies");
    }
    if ((err = header(b, &h, &code)) != 0 ||
        (err = aot_frames(&b->g, path(b, ""), &h.stack_bytes, &h.frame_bytes)) != 0) {
        return err == SM_ERR_IO ? say(b, err, "the compiler did not say how large frames are")
                                : err;
    }
    nmap = places(b, &map);
    if (nmap < 0) {
        return say(b, SM_ERR_CORRUPT, "the compiler's line table cannot be read");
    }
    h.map = (uint32_t)(CODE_ALIGN + (code.size + 7) / 8 * 8);
    h.nmap = (uint32_t)nmap;
    h.size = h.map + h.nmap * (uint32_t)sizeof(*map);
    *image = aot_alloc(h.size, 1);
    *image_len = h.size;
    memcpy(*image, &h, sizeof(h));
    memcpy(*image + h.code, code.bytes, code.size);
    if (nmap > 0) {
        memcpy(*image + h.map, map, h.nmap * sizeof(*map));
    }
    hash(*image, h.size, *image + offsetof(struct sm_native_header, sha256));
    free(map);
    return 0;
}

/* ---- The whole way --------------------------------------------------------------------------- */

static int write_files(struct build *b)
{
    FILE *f = fopen(path(b, "script"), "w");

    if (f == NULL || fputs(script, f) < 0 || fclose(f) != 0) {
        return say(b, SM_ERR_IO, "cannot write in %s: %s", b->dir, strerror(errno));
    }
    f = fopen(path(b, "code.c"), "w");
    if (f == NULL) {
        return say(b, SM_ERR_IO, "cannot write in %s: %s", b->dir, strerror(errno));
    }
    aot_write(&b->g, f);
    if (fclose(f) != 0) {
        return say(b, SM_ERR_IO, "cannot write in %s: %s", b->dir, strerror(errno));
    }
    if (b->options->keep_c != NULL) {
        size_t len;
        uint8_t *text = read_all(path(b, "code.c"), &len);

        f = fopen(b->options->keep_c, "w");
        if (f == NULL || fwrite(text, 1, len, f) != len || fclose(f) != 0) {
            return say(b, SM_ERR_IO, "cannot write %s: %s", b->options->keep_c, strerror(errno));
        }
        free(text);
    }
    return 0;
}

static void clean_up(struct build *b)
{
    static const char *const names[] = {"script",  "code.c",           "code.elf",
                                        "code.su", "code.elf-code.su", "log"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        unlink(path(b, names[i]));
    }
    rmdir(b->dir);
    free(b->file);
}

int aot_build(const struct sm_wasm_module *m, const uint8_t sha256[32],
              const struct aot_options *options, uint8_t **image, size_t *image_len, char *message,
              size_t message_size)
{
    struct build b = {
        .options = options, .sha256 = sha256, .message = message, .message_size = message_size};
    const char *tmp = getenv("TMPDIR");
    int err;

    *image = NULL;
    if (target_of(options->target) == NULL) {
        return say(&b, SM_ERR_ARG, "unknown target");
    }
    if (options->guarded && options->target >= SM_NATIVE_CORTEX_M4F) {
        return say(&b, SM_ERR_ARG, "guard pages need a 64-bit target");
    }
    if (snprintf(b.dir, sizeof(b.dir), "%s/sandmote-XXXXXX", tmp != NULL ? tmp : "/tmp") >=
        (int)sizeof(b.dir)) {
        return say(&b, SM_ERR_IO, "the folder for temporary files, TMPDIR, has too long a name");
    }
    if (mkdtemp(b.dir) == NULL) {
        return say(&b, SM_ERR_IO, "cannot make a folder in %s: %s", b.dir, strerror(errno));
    }
    aot_open(&b.g, m, options);
    err = write_files(&b);
    err = err != 0 ? err : compile(&b);
    err = err != 0 ? err : pack(&b, image, image_len);
    aot_close(&b.g);
    clean_up(&b);
    return err;
}
