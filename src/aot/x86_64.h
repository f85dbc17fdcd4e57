/* x86-64, System V. SPDX-License-Identifier: Apache-2.0 */

/* A field of the context that never changes. The asm reads memory behind the compiler's back, so
 * stores to linear memory do not make it be loaded again. */
#define CONST_PTR(type, field)                                                                     \
    ({                                                                                             \
        type v_;                                                                                   \
        __asm__("mov %c2(%1), %0" : "=r"(v_) : "r"(c), "i"(offsetof(ctx, field)));                 \
        v_;                                                                                        \
    })
#define CONST_U32(field)                                                                           \
    ({                                                                                             \
        uint32_t v_;                                                                               \
        __asm__("mov %c2(%1), %0" : "=r"(v_) : "r"(c), "i"(offsetof(ctx, field)));                 \
        v_;                                                                                        \
    })
#define CONST_AT(type, base, i)                                                                    \
    ({                                                                                             \
        type v_;                                                                                   \
        __asm__("mov %c2(%1), %0" : "=r"(v_) : "r"(base), "i"((i) * sizeof(void *)));              \
        v_;                                                                                        \
    })

/* Yields keep every register, so they are no calls to the compiler: no register is saved around
 * them, and a function without other calls stays a leaf. */
#define SITE(kind, info, at, why, args)                                                            \
    __asm__ volatile("call sm_yield\n\t.long %c0, %c1"                                             \
                     :                                                                             \
                     : "i"(at), "i"((kind) << SM_SITE_SHIFT | (info)), "D"(c), "a"(why), "d"(args) \
                     : "memory", "cc")
#define SITE_PLAIN(kind, info, at)                                                                 \
    __asm__ volatile("call sm_yield\n\t.long %c0, %c1"                                             \
                     :                                                                             \
                     : "i"(at), "i"((kind) << SM_SITE_SHIFT | (info)), "D"(c)                      \
                     : "memory", "cc")

/* Whether the epoch has reached the deadline. */
#define EXPIRED(epoch, deadline)                                                                   \
    ({                                                                                             \
        int e_;                                                                                    \
        __asm__ volatile("cmpl %2, %1" : "=@ccns"(e_) : "m"(*(epoch)), "r"(deadline));             \
        e_;                                                                                        \
    })
#define STACK_LOW()                                                                                \
    ({                                                                                             \
        int e_;                                                                                    \
        __asm__ volatile("cmp %1, %%rsp" : "=@ccb"(e_) : "m"(c->limit));                           \
        e_;                                                                                        \
    })

/* Call a host function on the host's stack; callee is its place in the context. */
#define HOST_CALL(callee, words)                                                                   \
    ({                                                                                             \
        int r_;                                                                                    \
        uint32_t *d_ = (words);                                                                    \
        void *a_ = ((struct sm_native_callee *)((char *)c + (callee)))->ctx, *sp_;                 \
        /* Asking for words ties this to the frame, in which the stack pointer does not move. */   \
        __asm__("mov %%rsp, %0" : "=r"(sp_) : "r"(d_));                                            \
        __asm__ volatile("mov %c[inst](%[c]), %%rsi\n\tmov %c[hsp](%[c]), %%rsp\n\t"               \
                         "call *%c[host](%[c])\n\tmov %[sp], %%rsp"                                \
                         : "=&a"(r_), "+D"(a_), "+d"(d_)                                           \
                         : [sp] "r"(sp_), [c] "r"(c), [hsp] "i"(offsetof(ctx, host_sp)),           \
                           [inst] "i"(offsetof(ctx, inst)), [host] "i"(callee)                     \
                         : "rsi", "rcx", "r8", "r9", "r10", "r11", "xmm0", "xmm1", "xmm2", "xmm3", \
                           "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",       \
                           "xmm12", "xmm13", "xmm14", "xmm15", "memory", "cc");                    \
        r_;                                                                                        \
    })

#define FLOAT_REGISTER "x"
/* A limit that is as good and may be cheaper to compare with. */
#define LESS_OR_EQUAL(limit) (limit)

#define SM_OFF_HOST_SP 72
#define SM_OFF_WHY     100
#define SM_OFF_SITE    104
#define SM_OFF_ARGS    112
#define SM_OFF_SP      120
_Static_assert(offsetof(ctx, host_sp) == SM_OFF_HOST_SP && offsetof(ctx, why) == SM_OFF_WHY &&
                   offsetof(ctx, site) == SM_OFF_SITE && offsetof(ctx, args) == SM_OFF_ARGS &&
                   offsetof(ctx, sp) == SM_OFF_SP,
               "the assembler lines below count on it");

__asm__(
    ".pushsection .text\n"
    ".balign 16\n"
    ".globl sm_enter, sm_resume, sm_leave\n"
    /* sm_enter(c, thunk, args, code, sp) */
    "sm_enter:\n"
    "push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15; sub $8, %rsp\n"
    "mov %rsp, " SM_STR(SM_OFF_HOST_SP) "(%rdi)\n"
                                        "mov %r8, %rsp; push %rdi; push %rdi\n"
                                        "mov %rsi, %rax; mov %rdx, %rsi; mov %rcx, %rdx; call "
                                        "*%rax\n"
                                        "pop %rdi; xor %eax, %eax; jmp 1f\n"
                                        /* From a fault: rdi is c. */
                                        "sm_leave:\n"
                                        "mov $1, %eax\n"
                                        "1: mov " SM_STR(SM_OFF_HOST_SP) "(%rdi), %rsp\n"
                                                                         "add $8, %rsp; pop %r15; "
                                                                         "pop %r14; pop %r13; pop "
                                                                         "%r12; pop %rbp; pop "
                                                                         "%rbx; ret\n"
                                                                         "sm_yield:\n"
                                                                         "mov %eax, " SM_STR(SM_OFF_WHY) "(%rdi); mov %rdx, " SM_STR(
                                                                             SM_OFF_ARGS) "(%rdi)\n"
                                                                                          "push "
                                                                                          "%rax; "
                                                                                          "push "
                                                                                          "%rbx; "
                                                                                          "push "
                                                                                          "%rcx; "
                                                                                          "push "
                                                                                          "%rdx; "
                                                                                          "push "
                                                                                          "%rbp; "
                                                                                          "push "
                                                                                          "%rsi; "
                                                                                          "push "
                                                                                          "%rdi; "
                                                                                          "push "
                                                                                          "%r8\n"
                                                                                          "push "
                                                                                          "%r9; "
                                                                                          "push "
                                                                                          "%r10; "
                                                                                          "push "
                                                                                          "%r11; "
                                                                                          "push "
                                                                                          "%r12; "
                                                                                          "push "
                                                                                          "%r13; "
                                                                                          "push "
                                                                                          "%r14; "
                                                                                          "push "
                                                                                          "%r15\n"
                                                                                          "mov "
                                                                                          "120(%"
                                                                                          "rsp), "
                                                                                          "%rax; "
                                                                                          "mov "
                                                                                          "%rax,"
                                                                                          " " SM_STR(
                                                                                              SM_OFF_SITE) "(%rdi); addq $8, 120(%rsp)\n"
                                                                                                           "sub $256, %rsp\n"
                                                                                                           "movups %xmm0, (%rsp); movups %xmm1, 16(%rsp); movups %xmm2, 32(%rsp)\n"
                                                                                                           "movups %xmm3, 48(%rsp); movups %xmm4, 64(%rsp); movups %xmm5, 80(%rsp)\n"
                                                                                                           "movups %xmm6, 96(%rsp); movups %xmm7, 112(%rsp); movups %xmm8, 128(%rsp)\n"
                                                                                                           "movups %xmm9, 144(%rsp); movups %xmm10, 160(%rsp); movups %xmm11, 176(%rsp)\n"
                                                                                                           "movups %xmm12, 192(%rsp); movups %xmm13, 208(%rsp); movups %xmm14, 224(%rsp)\n"
                                                                                                           "movups %xmm15, 240(%rsp)\n"
                                                                                                           "mov %rsp, " SM_STR(
                                                                                                               SM_OFF_SP) "(%rdi)\n"
                                                                                                                          "jmp sm_leave\n"
                                                                                                                          "sm_resume:\n"
                                                                                                                          "push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15; sub $8, %rsp\n"
                                                                                                                          "mov %rsp, " SM_STR(SM_OFF_HOST_SP) "(%rdi); mov " SM_STR(
                                                                                                                              SM_OFF_SP) "(%rdi), %rsp\n"
                                                                                                                                         "movups (%rsp), %xmm0; movups 16(%rsp), %xmm1; movups 32(%rsp), %xmm2\n"
                                                                                                                                         "movups 48(%rsp), %xmm3; movups 64(%rsp), %xmm4; movups 80(%rsp), %xmm5\n"
                                                                                                                                         "movups 96(%rsp), %xmm6; movups 112(%rsp), %xmm7; movups 128(%rsp), %xmm8\n"
                                                                                                                                         "movups 144(%rsp), %xmm9; movups 160(%rsp), %xmm10; movups 176(%rsp), %xmm11\n"
                                                                                                                                         "movups 192(%rsp), %xmm12; movups 208(%rsp), %xmm13; movups 224(%rsp), %xmm14\n"
                                                                                                                                         "movups 240(%rsp), %xmm15; add $256, %rsp\n"
                                                                                                                                         "pop %r15; pop %r14; pop %r13; pop %r12; pop %r11; pop %r10; pop %r9\n"
                                                                                                                                         "pop %r8; pop %rdi; pop %rsi; pop %rbp; pop %rdx; pop %rcx; pop %rbx; pop %rax; ret\n"
                                                                                                                                         ".popsection\n");
