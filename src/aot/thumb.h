/* Thumb-2 on ARMv7E-M, with or without its floating-point unit. SPDX-License-Identifier: Apache-2.0
 */

/* Fields that never change, as in x86_64.h. */
#define CONST_PTR(type, field)                                                                     \
    ({                                                                                             \
        type v_;                                                                                   \
        __asm__("ldr %0, [%1, #%c2]" : "=r"(v_) : "r"(c), "i"(offsetof(ctx, field)));              \
        v_;                                                                                        \
    })
#define CONST_U32(field)        CONST_PTR(uint32_t, field)
#define CONST_AT(type, base, i) ((type const *)(base))[i]

/* By a jump, with the way back in r12: a function that only yields stays a leaf. */
#define YIELD_TO_ENGINE "adr.w r12, 0f\n\tb.w sm_yield\n0:\t.long %c[at]\n\t.long %c[info]"
#define SITE(kind, info_, at_, why, args)                                                          \
    do {                                                                                           \
        register ctx *c0_ __asm__("r0") = c;                                                       \
        register int32_t r1_ __asm__("r1") = (why);                                                \
        register uint32_t *r2_ __asm__("r2") = (args);                                             \
        __asm__ volatile(YIELD_TO_ENGINE                                                           \
                         :                                                                         \
                         : "r"(c0_), "r"(r1_),                                                     \
                           "r"(r2_), [at] "i"(at_), [info] "i"((kind) << SM_SITE_SHIFT | (info_))  \
                         : "r12", "memory", "cc");                                                 \
    } while (0)
#define SITE_PLAIN(kind, info_, at_)                                                               \
    do {                                                                                           \
        register ctx *c0_ __asm__("r0") = c;                                                       \
        __asm__ volatile(YIELD_TO_ENGINE                                                           \
                         :                                                                         \
                         : "r"(c0_), [at] "i"(at_), [info] "i"((kind) << SM_SITE_SHIFT | (info_))  \
                         : "r12", "memory", "cc");                                                 \
    } while (0)

#define EXPIRED(epoch, deadline)                                                                   \
    ({                                                                                             \
        int e_;                                                                                    \
        __asm__ volatile("cmp %1, %2" : "=@ccpl"(e_) : "r"(*(epoch)), "r"(deadline));              \
        e_;                                                                                        \
    })
#define STACK_LOW()                                                                                \
    ({                                                                                             \
        void *sp_;                                                                                 \
        __asm__ volatile("mov %0, sp" : "=r"(sp_));                                                \
        sp_ < c->limit;                                                                            \
    })
#define FLOAT_REGISTER "r"
/* A limit that is as good and cheaper to compare with: eight bits anywhere fit an instruction. */
#define LESS_OR_EQUAL(limit)                                                                       \
    ((uint32_t)(limit) < 256 ? (uint32_t)(limit)                                                   \
                             : (uint32_t)(limit)&0xff000000u >> __builtin_clz((uint32_t)(limit)))

#ifdef __ARM_FP
#define CALL_CLOBBERS_FLOATS                                                                       \
    , "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "s12", "s13",      \
        "s14", "s15"
#define PUSH_ALL_FLOATS "vpush {d0-d15}\n"
#define POP_ALL_FLOATS  "vpop {d0-d15}\n"
#define PUSH_FLOATS     "vpush {d8-d15}\n"
#define POP_FLOATS      "vpop {d8-d15}\n"
#define SM_PUSHED       104
#else
#define CALL_CLOBBERS_FLOATS
#define PUSH_ALL_FLOATS
#define POP_ALL_FLOATS
#define PUSH_FLOATS
#define POP_FLOATS
#define SM_PUSHED 40
#endif

#define HOST_CALL(callee, words)                                                                   \
    ({                                                                                             \
        struct sm_native_callee *f_ = (struct sm_native_callee *)((char *)c + (callee));           \
        void *sp_;                                                                                 \
        register uint32_t *r2 __asm__("r2") = (words);                                             \
        __asm__("mov %0, sp" : "=r"(sp_) : "r"(r2));                                               \
        register void *r0 __asm__("r0") = f_->ctx;                                                 \
        register void *r1 __asm__("r1") = CONST_PTR(void *, inst);                                 \
        register sm_wasm_host_fn *r3 __asm__("r3") = f_->host;                                     \
        register void *r12 __asm__("r12") = c->host_sp;                                            \
        __asm__ volatile("mov sp, r12\n\tblx r3\n\tmov sp, %[sp]"                                  \
                         : "+r"(r0), "+r"(r1), "+r"(r2), "+r"(r3), "+r"(r12)                       \
                         : [sp] "r"(sp_)                                                           \
                         : "lr", "memory", "cc" CALL_CLOBBERS_FLOATS);                             \
        (int)(intptr_t)r0;                                                                         \
    })

#define SM_OFF_HOST_SP 36
#define SM_OFF_WHY     52
#define SM_OFF_SITE    56
#define SM_OFF_ARGS    60
#define SM_OFF_SP      64
_Static_assert(offsetof(ctx, host_sp) == SM_OFF_HOST_SP && offsetof(ctx, why) == SM_OFF_WHY &&
                   offsetof(ctx, site) == SM_OFF_SITE && offsetof(ctx, args) == SM_OFF_ARGS &&
                   offsetof(ctx, sp) == SM_OFF_SP,
               "the assembler lines below count on it");

__asm__(".pushsection .text.sm_enter,\"ax\"\n"
        ".syntax unified\n.thumb\n.balign 4\n"
        ".globl sm_enter, sm_resume, sm_leave, sm_yield\n"
        ".hidden sm_yield\n"
        ".thumb_func\n.type sm_enter, %function\n"
        "sm_enter:\n"
        "push {r3-r11, lr}\n" PUSH_FLOATS
        "ldr r12, [sp, #" SM_STR(SM_PUSHED) "]\n"
                                            "mov r4, sp\nstr r4, [r0, #" SM_STR(
                                                SM_OFF_HOST_SP) "]\n"
                                                                "mov sp, r12\npush {r0, r1}\n"
                                                                "mov r12, r1\nmov r1, r2\nmov r2, "
                                                                "r3\nblx r12\n"
                                                                "pop {r0, r1}\nmovs r1, #0\nb 1f\n"
                                                                ".thumb_func\n.type sm_yield, "
                                                                "%function\n"
                                                                "sm_yield:\n"
                                                                "str r1, [r0, #" SM_STR(SM_OFF_WHY) "]\nstr r2, [r0, #" SM_STR(
                                                                    SM_OFF_ARGS) "]\n"
                                                                                 "str r12, [r0, "
                                                                                 "#" SM_STR(
                                                                                     SM_OFF_SITE) "]\n"
                                                                                                  "push {r0-r12, lr}\n" PUSH_ALL_FLOATS
                                                                                                  "mov r1, sp\nstr r1, [r0, #" SM_STR(
                                                                                                      SM_OFF_SP) "]\n"
                                                                                                                 ".thumb_func\n.type sm_leave, %function\n"
                                                                                                                 "sm_leave:\n"
                                                                                                                 "movs r1, #1\n"
                                                                                                                 "1: ldr r2, [r0, #" SM_STR(
                                                                                                                     SM_OFF_HOST_SP) "]\nmov sp, r2\nmov r0, r1\n" POP_FLOATS
                                                                                                                                     "pop {r3-r11, pc}\n"
                                                                                                                                     ".thumb_func\n.type sm_resume, %function\n"
                                                                                                                                     "sm_resume:\n"
                                                                                                                                     "push {r3-r11, lr}\n" PUSH_FLOATS
                                                                                                                                     "mov r4, sp\nstr r4, [r0, #" SM_STR(
                                                                                                                                         SM_OFF_HOST_SP) "]\n"
                                                                                                                                                         "ldr r1, [r0, #" SM_STR(
                                                                                                                                                             SM_OFF_SP) "]\nmov sp, r1\n" POP_ALL_FLOATS
                                                                                                                                                                        "pop {r0-r12, lr}\nadd r12, r12, #9\nbx r12\n" /* behind the two words, in Thumb state */
                                                                                                                                                                        ".popsection\n");
