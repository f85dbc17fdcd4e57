/* The head of every generated C file, behind the engine's own headers (wasm.h, native_abi.h,
 * numeric.h) and before the target's file. Defined by the generator: SM_NFUNCS, SM_CHECKED
 * (explicit bounds checks).
 *
 * SPDX-License-Identifier: Apache-2.0 */
#define LIKELY(x)   __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define UNUSED      __attribute__((unused)) /* what a module does not read is left to the compiler */
#define INLINE      static inline __attribute__((always_inline))
#define SM_STR_(x)  #x
#define SM_STR(x)   SM_STR_(x)
typedef struct sm_native_ctx ctx;

/* Memory accesses: of any type, at any address. */
#define UNALIGNED __attribute__((may_alias, aligned(1)))
typedef int8_t UNALIGNED m_s8;
typedef uint8_t UNALIGNED m_u8;
typedef int16_t UNALIGNED m_s16;
typedef uint16_t UNALIGNED m_u16;
typedef int32_t UNALIGNED m_s32;
typedef uint32_t UNALIGNED m_u32;
typedef uint64_t UNALIGNED m_u64;
typedef float UNALIGNED m_f32;
typedef double UNALIGNED m_f64;
typedef uint32_t __attribute__((may_alias)) word;
typedef uint64_t __attribute__((may_alias, aligned(4))) word64;
typedef float __attribute__((may_alias)) wordf;
typedef double __attribute__((may_alias, aligned(4))) wordd;

struct fn {
    int32_t code;
    uint32_t type;
};
extern const struct fn sm_funcs[];
