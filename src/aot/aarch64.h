/* aarch64, AAPCS64. SPDX-License-Identifier: Apache-2.0 */

/* Fields that never change, as in x86_64.h. */
#define CONST_PTR(type, field)                                                                     \
    ({                                                                                             \
        type v_;                                                                                   \
        __asm__("ldr %x0, [%x1, %2]" : "=r"(v_) : "r"(c), "i"(offsetof(ctx, field)));              \
        v_;                                                                                        \
    })
#define CONST_U32(field)                                                                           \
    ({                                                                                             \
        uint32_t v_;                                                                               \
        __asm__("ldr %w0, [%x1, %2]" : "=r"(v_) : "r"(c), "i"(offsetof(ctx, field)));              \
        v_;                                                                                        \
    })
#define CONST_AT(type, base, i) ((type const *)(base))[i]

/* By a jump, with the way back in x16, as in thumb.h. */
#define YIELD_TO_ENGINE "adr x16, 0f\n\tb sm_yield\n0:\t.long %c[at]\n\t.long %c[info]"
#define SITE(kind, info_, at_, why, args)                                                          \
    do {                                                                                           \
        register ctx *x0_ __asm__("x0") = c;                                                       \
        register int32_t x1_ __asm__("x1") = (why);                                                \
        register uint32_t *x2_ __asm__("x2") = (args);                                             \
        __asm__ volatile(YIELD_TO_ENGINE                                                           \
                         :                                                                         \
                         : "r"(x0_), "r"(x1_),                                                     \
                           "r"(x2_), [at] "i"(at_), [info] "i"((kind) << SM_SITE_SHIFT | (info_))  \
                         : "x16", "memory", "cc");                                                 \
    } while (0)
#define SITE_PLAIN(kind, info_, at_)                                                               \
    do {                                                                                           \
        register ctx *x0_ __asm__("x0") = c;                                                       \
        __asm__ volatile(YIELD_TO_ENGINE                                                           \
                         :                                                                         \
                         : "r"(x0_), [at] "i"(at_), [info] "i"((kind) << SM_SITE_SHIFT | (info_))  \
                         : "x16", "memory", "cc");                                                 \
    } while (0)

#define EXPIRED(epoch, deadline)                                                                   \
    ({                                                                                             \
        int e_;                                                                                    \
        __asm__ volatile("cmp %w1, %w2" : "=@ccpl"(e_) : "r"(*(epoch)), "r"(deadline));            \
        e_;                                                                                        \
    })
#define STACK_LOW()                                                                                \
    ({                                                                                             \
        void *sp_;                                                                                 \
        __asm__ volatile("mov %0, sp" : "=r"(sp_));                                                \
        sp_ < c->limit;                                                                            \
    })
#define FLOAT_REGISTER "w"
/* A limit that is as good and cheaper to compare with: twelve bits above twelve zeros. */
#define LESS_OR_EQUAL(limit)                                                                       \
    ((uint32_t)(limit) < 4096 || (uint32_t)(limit) >= 1u << 24 ? (uint32_t)(limit)                 \
                                                               : (uint32_t)(limit) & ~0xfffu)

#define HOST_CALL(callee, words)                                                                   \
    ({                                                                                             \
        struct sm_native_callee *f_ = (struct sm_native_callee *)((char *)c + (callee));           \
        void *sp_;                                                                                 \
        register uint32_t *x2 __asm__("x2") = (words);                                             \
        __asm__("mov %0, sp" : "=r"(sp_) : "r"(x2));                                               \
        register void *x0 __asm__("x0") = f_->ctx;                                                 \
        register void *x1 __asm__("x1") = CONST_PTR(void *, inst);                                 \
        register sm_wasm_host_fn *x9 __asm__("x9") = f_->host;                                     \
        register void *x10 __asm__("x10") = c->host_sp;                                            \
        __asm__ volatile("mov sp, x10\n\tblr x9\n\tmov sp, %[sp]"                                  \
                         : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x9), "+r"(x10)                       \
                         : [sp] "r"(sp_)                                                           \
                         : "x3", "x4", "x5", "x6", "x7", "x8", "x11", "x12", "x13", "x14", "x15",  \
                           "x16", "x17", "x18", "x30", "v0", "v1", "v2", "v3", "v4", "v5", "v6",   \
                           "v7", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24",    \
                           "v25", "v26", "v27", "v28", "v29", "v30", "v31", "memory", "cc");       \
        (int)(intptr_t)x0;                                                                         \
    })

#define SM_OFF_HOST_SP 72
#define SM_OFF_WHY     100
#define SM_OFF_SITE    104
#define SM_OFF_ARGS    112
#define SM_OFF_SP      120
_Static_assert(offsetof(ctx, host_sp) == SM_OFF_HOST_SP && offsetof(ctx, why) == SM_OFF_WHY &&
                   offsetof(ctx, site) == SM_OFF_SITE && offsetof(ctx, args) == SM_OFF_ARGS &&
                   offsetof(ctx, sp) == SM_OFF_SP,
               "the assembler lines below count on it");

#define SAVE_HOST                                                                                  \
    "stp x29, x30, [sp, #-160]!\n"                                                                 \
    "stp x19, x20, [sp, #16]\n"                                                                    \
    "stp x21, x22, [sp, #32]\n"                                                                    \
    "stp x23, x24, [sp, #48]\n"                                                                    \
    "stp x25, x26, [sp, #64]\n"                                                                    \
    "stp x27, x28, [sp, #80]\n"                                                                    \
    "stp d8, d9, [sp, #96]\n"                                                                      \
    "stp d10, d11, [sp, #112]\n"                                                                   \
    "stp d12, d13, [sp, #128]\n"                                                                   \
    "stp d14, d15, [sp, #144]\n"

__asm__(
    ".pushsection .text.sm_enter,\"ax\"\n"
    ".balign 16\n"
    ".globl sm_enter, sm_resume, sm_leave, sm_yield\n"
    ".hidden sm_yield\n"
    "sm_enter:\n" SAVE_HOST "mov x9, sp\nstr x9, [x0, #" SM_STR(
        SM_OFF_HOST_SP) "]\n"
                        "mov sp, x4\nstp x0, x0, [sp, #-16]!\n"
                        "mov x9, x1\nmov x1, x2\nmov x2, x3\nblr x9\n"
                        "ldr x0, [sp]\nmov w1, #0\nb 1f\n"
                        "sm_yield:\n"
                        "str w1, [x0, #" SM_STR(SM_OFF_WHY) "]\nstr x2, [x0, #" SM_STR(
                            SM_OFF_ARGS) "]\n"
                                         "str x16, [x0, #" SM_STR(
                                             SM_OFF_SITE) "]\n"
                                                          "sub sp, sp, #768\n"
                                                          "stp x0, x1, [sp, #0]\n"
                                                          "stp x2, x3, [sp, #16]\n"
                                                          "stp x4, x5, [sp, #32]\n"
                                                          "stp x6, x7, [sp, #48]\n"
                                                          "stp x8, x9, [sp, #64]\n"
                                                          "stp x10, x11, [sp, #80]\n"
                                                          "stp x12, x13, [sp, #96]\n"
                                                          "stp x14, x15, [sp, #112]\n"
                                                          "stp x16, x17, [sp, #128]\n"
                                                          "stp x18, x19, [sp, #144]\n"
                                                          "stp x20, x21, [sp, #160]\n"
                                                          "stp x22, x23, [sp, #176]\n"
                                                          "stp x24, x25, [sp, #192]\n"
                                                          "stp x26, x27, [sp, #208]\n"
                                                          "stp x28, x29, [sp, #224]\n"
                                                          "str x30, [sp, #240]\n"
                                                          "stp q0, q1, [sp, #256]\n"
                                                          "stp q2, q3, [sp, #288]\n"
                                                          "stp q4, q5, [sp, #320]\n"
                                                          "stp q6, q7, [sp, #352]\n"
                                                          "stp q8, q9, [sp, #384]\n"
                                                          "stp q10, q11, [sp, #416]\n"
                                                          "stp q12, q13, [sp, #448]\n"
                                                          "stp q14, q15, [sp, #480]\n"
                                                          "stp q16, q17, [sp, #512]\n"
                                                          "stp q18, q19, [sp, #544]\n"
                                                          "stp q20, q21, [sp, #576]\n"
                                                          "stp q22, q23, [sp, #608]\n"
                                                          "stp q24, q25, [sp, #640]\n"
                                                          "stp q26, q27, [sp, #672]\n"
                                                          "stp q28, q29, [sp, #704]\n"
                                                          "stp q30, q31, [sp, #736]\n"
                                                          "mov x9, sp\nstr x9, [x0, #" SM_STR(
                                                              SM_OFF_SP) "]\n"
                                                                         "sm_leave:\n"
                                                                         "mov w1, #1\n"
                                                                         "1: ldr x9, [x0, #" SM_STR(
                                                                             SM_OFF_HOST_SP) "]\nmo"
                                                                                             "v "
                                                                                             "sp, "
                                                                                             "x9\nm"
                                                                                             "ov "
                                                                                             "w0, "
                                                                                             "w1\n"
                                                                                             "ldp "
                                                                                             "x19, "
                                                                                             "x20, "
                                                                                             "[sp, "
                                                                                             "#16]"
                                                                                             "\n"
                                                                                             "ldp "
                                                                                             "x21, "
                                                                                             "x22, "
                                                                                             "[sp, "
                                                                                             "#32]"
                                                                                             "\n"
                                                                                             "ldp "
                                                                                             "x23, "
                                                                                             "x24, "
                                                                                             "[sp, "
                                                                                             "#48]"
                                                                                             "\n"
                                                                                             "ldp "
                                                                                             "x25, "
                                                                                             "x26, "
                                                                                             "[sp, "
                                                                                             "#64]"
                                                                                             "\n"
                                                                                             "ldp "
                                                                                             "x27, "
                                                                                             "x28, "
                                                                                             "[sp, "
                                                                                             "#80]"
                                                                                             "\n"
                                                                                             "ldp "
                                                                                             "d8, "
                                                                                             "d9, "
                                                                                             "[sp, "
                                                                                             "#96]"
                                                                                             "\n"
                                                                                             "ldp "
                                                                                             "d10, "
                                                                                             "d11, "
                                                                                             "[sp, "
                                                                                             "#112]"
                                                                                             "\n"
                                                                                             "ldp "
                                                                                             "d12, "
                                                                                             "d13, "
                                                                                             "[sp, "
                                                                                             "#128]"
                                                                                             "\n"
                                                                                             "ldp "
                                                                                             "d14, "
                                                                                             "d15, "
                                                                                             "[sp, "
                                                                                             "#144]"
                                                                                             "\n"
                                                                                             "ldp "
                                                                                             "x29, "
                                                                                             "x30, "
                                                                                             "[sp],"
                                                                                             " #"
                                                                                             "160\n"
                                                                                             "ret\n"
                                                                                             "sm_"
                                                                                             "resum"
                                                                                             "e:"
                                                                                             "\n" SAVE_HOST
                                                                                             "mov "
                                                                                             "x9, "
                                                                                             "sp\ns"
                                                                                             "tr "
                                                                                             "x9, "
                                                                                             "[x0, "
                                                                                             "#" SM_STR(
                                                                                                 SM_OFF_HOST_SP) "]\n"
                                                                                                                 "ldr x9, [x0, #" SM_STR(
                                                                                                                     SM_OFF_SP) "]\nmov sp, x9\n"
                                                                                                                                "ldp q0, q1, [sp, #256]\n"
                                                                                                                                "ldp q2, q3, [sp, #288]\n"
                                                                                                                                "ldp q4, q5, [sp, #320]\n"
                                                                                                                                "ldp q6, q7, [sp, #352]\n"
                                                                                                                                "ldp q8, q9, [sp, #384]\n"
                                                                                                                                "ldp q10, q11, [sp, #416]\n"
                                                                                                                                "ldp q12, q13, [sp, #448]\n"
                                                                                                                                "ldp q14, q15, [sp, #480]\n"
                                                                                                                                "ldp q16, q17, [sp, #512]\n"
                                                                                                                                "ldp q18, q19, [sp, #544]\n"
                                                                                                                                "ldp q20, q21, [sp, #576]\n"
                                                                                                                                "ldp q22, q23, [sp, #608]\n"
                                                                                                                                "ldp q24, q25, [sp, #640]\n"
                                                                                                                                "ldp q26, q27, [sp, #672]\n"
                                                                                                                                "ldp q28, q29, [sp, #704]\n"
                                                                                                                                "ldp q30, q31, [sp, #736]\n"
                                                                                                                                "ldp x0, x1, [sp, #0]\n"
                                                                                                                                "ldp x2, x3, [sp, #16]\n"
                                                                                                                                "ldp x4, x5, [sp, #32]\n"
                                                                                                                                "ldp x6, x7, [sp, #48]\n"
                                                                                                                                "ldp x8, x9, [sp, #64]\n"
                                                                                                                                "ldp x10, x11, [sp, #80]\n"
                                                                                                                                "ldp x12, x13, [sp, #96]\n"
                                                                                                                                "ldp x14, x15, [sp, #112]\n"
                                                                                                                                "ldp x16, x17, [sp, #128]\n"
                                                                                                                                "ldp x18, x19, [sp, #144]\n"
                                                                                                                                "ldp x20, x21, [sp, #160]\n"
                                                                                                                                "ldp x22, x23, [sp, #176]\n"
                                                                                                                                "ldp x24, x25, [sp, #192]\n"
                                                                                                                                "ldp x26, x27, [sp, #208]\n"
                                                                                                                                "ldp x28, x29, [sp, #224]\n"
                                                                                                                                "ldr x30, [sp, #240]\nadd sp, sp, #768\nadd x16, x16, #8\nbr x16\n"
                                                                                                                                ".popsection\n");
