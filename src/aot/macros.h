/* What generated functions are made of; the target's file comes before. A function has c, its
 * context; those that need them mem, size, epoch and deadline. at is an operator's offset in the
 * module.
 *
 * SPDX-License-Identifier: Apache-2.0 */

#define TRAP(which, at)                                                                            \
    do {                                                                                           \
        SITE_PLAIN(SM_SITE_TRAP, SM_TRAP_##which, at);                                             \
        __builtin_unreachable();                                                                   \
    } while (0)

/* A deadline that was moved while this function stood still comes later than the one it knows, and
 * a yield before the deadline just goes on. */
#define EPOCH(at)                                                                                  \
    do {                                                                                           \
        if (UNLIKELY(EXPIRED(epoch, deadline))) {                                                  \
            SITE_PLAIN(SM_SITE_EPOCH, 0, at);                                                      \
            deadline = c->deadline;                                                                \
            SIZE_AGAIN;                                                                            \
        }                                                                                          \
    } while (0)
#define STACK(at)                                                                                  \
    do {                                                                                           \
        if (UNLIKELY(STACK_LOW())) {                                                               \
            TRAP(STACK, at);                                                                       \
        }                                                                                          \
    } while (0)

/* ---- Memory. An access at a needs that many bytes from there, its offset included. There are
 * never fewer than SM_MIN_MEMORY bytes; NEAR is for accesses that need no more than that, so the
 * subtractions below do not wrap. In a module that never grows its memory, that much is nearly
 * always all there is: the first comparison is with a constant, which compilers often know the
 * answer to, and what another instance may have grown is looked at only behind it. */
#if UINTPTR_MAX > 0xffffffff
typedef uint64_t msize;
#else
typedef uint32_t msize;
#endif
typedef msize __attribute__((may_alias)) msize_in_memory;
#define SIZE_NOW() (*(const msize_in_memory *)&CONST_PTR(struct sm_wasm_memory *, memory)->size)
/* Read where it stands, not ahead of a branch that is seldom taken. */
#define SIZE_HERE()                                                                                \
    (*(const volatile msize_in_memory *)&CONST_PTR(struct sm_wasm_memory *, memory)->size)
#if !SM_CHECKED
#define SIZE_AGAIN ((void)0)
#define NEAR(a, need, at)
#define FAR(a, need, at)
#elif SM_FIXED
#define SIZE_AGAIN ((void)0)
#define NEAR(a, need, at)                                                                          \
    if (UNLIKELY((a) > LESS_OR_EQUAL(SM_MIN_MEMORY - (need))) &&                                   \
        UNLIKELY((msize)(a) > SIZE_HERE() - (msize)(need))) {                                      \
        TRAP(MEMORY, at);                                                                          \
    }
#define FAR(a, need, at)                                                                           \
    if (UNLIKELY((uint64_t)(a) + (need) > SIZE_HERE())) {                                          \
        TRAP(MEMORY, at);                                                                          \
    }
#else
#define SIZE_AGAIN (size = SIZE_NOW())
#define NEAR(a, need, at)                                                                          \
    if (UNLIKELY((msize)(a) > size - (msize)(need))) {                                             \
        TRAP(MEMORY, at);                                                                          \
    }
#define FAR(a, need, at)                                                                           \
    if (UNLIKELY((uint64_t)(a) + (need) > size)) {                                                 \
        TRAP(MEMORY, at);                                                                          \
    }
#endif
#define AT(type, a, offset) (*(type *)(mem + (uintptr_t)(uint32_t)(a) + (offset)))

/* ---- Globals and words. */
#define OWN_GLOBAL(i)      (CONST_PTR(struct sm_wasm_global *, own_globals)[i].value)
#define IMPORTED_GLOBAL(i) (CONST_PTR(struct sm_wasm_global **, globals)[i]->value)
#define TABLE_OF(i)        CONST_AT(struct sm_wasm_table *, CONST_PTR(struct sm_wasm_table **, tables), i)

/* ---- Calls. */
#define HOST(i, words, type, at)                                                                   \
    do {                                                                                           \
        int r_ = HOST_CALL(offsetof(ctx, imports) + (i) * sizeof(struct sm_native_callee), words); \
        if (UNLIKELY(r_ != 0)) {                                                                   \
            SITE(SM_SITE_CALL, type, at, r_, words);                                               \
        }                                                                                          \
        SIZE_AGAIN;                                                                                \
    } while (0)
#define WORK(words, at)                                                                            \
    do {                                                                                           \
        int r_;                                                                                    \
        while (UNLIKELY((r_ = HOST_CALL(offsetof(ctx, work), words)) != 0)) {                      \
            SITE(SM_SITE_WORK, 0, at, r_, words);                                                  \
        }                                                                                          \
        SIZE_AGAIN;                                                                                \
    } while (0)
#define INDIRECT(words) SITE(SM_SITE_INDIRECT, 0, 0, 0, words)

#define FUNCS CONST_PTR(const struct fn *, funcs)

/* The function in a table's entry i, of the module itself and of that type. */
#define OWN_ENTRY(table, i, type_, x)                                                              \
    LIKELY((i) < (table)->size &&                                                                  \
           ((x) = (table)->entries[i] - 1 - CONST_U32(ref_base)) < SM_NFUNCS &&                    \
           FUNCS[x].type == (type_))
#define ENTRY_CODE(x) ((const char *)FUNCS + FUNCS[x].code)
INLINE struct sm_wasm_table *table_at(ctx *c, uint32_t index)
{
    return CONST_PTR(struct sm_wasm_table **, tables)[index];
}

/* The open interval of what converts to an integer. */
#define SM_I32_S_LOW_32  -2147483904.0f /* the next float below -2^31 */
#define SM_I32_S_HIGH_32 2147483648.0f
#define SM_I32_S_LOW_64  -2147483649.0
#define SM_I32_S_HIGH_64 2147483648.0
#define SM_I32_U_LOW_32  -1.0f
#define SM_I32_U_HIGH_32 4294967296.0f
#define SM_I32_U_LOW_64  -1.0
#define SM_I32_U_HIGH_64 4294967296.0
#define SM_I64_S_LOW_32  -9223373136366403584.0f
#define SM_I64_S_HIGH_32 9223372036854775808.0f
#define SM_I64_S_LOW_64  -9223372036854777856.0
#define SM_I64_S_HIGH_64 9223372036854775808.0
#define SM_I64_U_LOW_32  -1.0f
#define SM_I64_U_HIGH_32 18446744073709551616.0f
#define SM_I64_U_LOW_64  -1.0
#define SM_I64_U_HIGH_64 18446744073709551616.0

/* gcc takes a demoted promotion for the value itself, which a signalling NaN is not. */
#define PROMOTE(v)                                                                                 \
    ({                                                                                             \
        double d_ = (v);                                                                           \
        __asm__("" : "+" FLOAT_REGISTER(d_));                                                      \
        d_;                                                                                        \
    })

/* ---- Operators that trap. */
#define DIV_S(type, min, a, b, at)                                                                 \
    ({                                                                                             \
        type a_ = (type)(a), b_ = (type)(b);                                                       \
        if (UNLIKELY(b_ == 0)) {                                                                   \
            TRAP(DIV_ZERO, at);                                                                    \
        }                                                                                          \
        if (UNLIKELY(b_ == -1 && a_ == (min))) {                                                   \
            TRAP(OVERFLOW, at);                                                                    \
        }                                                                                          \
        a_ / b_;                                                                                   \
    })
#define REM_S(type, a, b, at)                                                                      \
    ({                                                                                             \
        type a_ = (type)(a), b_ = (type)(b);                                                       \
        if (UNLIKELY(b_ == 0)) {                                                                   \
            TRAP(DIV_ZERO, at);                                                                    \
        }                                                                                          \
        b_ == -1 ? 0 : a_ % b_;                                                                    \
    })
#define DIV_U(a, b, at)                                                                            \
    ({                                                                                             \
        if (UNLIKELY((b) == 0)) {                                                                  \
            TRAP(DIV_ZERO, at);                                                                    \
        }                                                                                          \
        (a) / (b);                                                                                 \
    })
#define REM_U(a, b, at)                                                                            \
    ({                                                                                             \
        if (UNLIKELY((b) == 0)) {                                                                  \
            TRAP(DIV_ZERO, at);                                                                    \
        }                                                                                          \
        (a) % (b);                                                                                 \
    })
#define TRUNC(type, v, low, high, at)                                                              \
    ({                                                                                             \
        if (UNLIKELY(!((v) > (low) && (v) < (high)))) {                                            \
            if ((v) != (v)) {                                                                      \
                TRAP(CONVERSION, at);                                                              \
            }                                                                                      \
            TRAP(OVERFLOW, at);                                                                    \
        }                                                                                          \
        (type)(v);                                                                                 \
    })
#define SATURATE(type, v, low, high, min, max)                                                     \
    ((v) != (v) ? 0 : (v) <= (low) ? (min) : (v) >= (high) ? (max) : (type)(v))
