/* Errors: one negative enum for every library, one meaning each.
 *
 * A function that can fail returns int: 0 or a count when good, one of these when not.
 * Checks of outside bytes say more in a detail struct of their own (offset and rule).
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDMOTE_ERROR_H
#define SANDMOTE_ERROR_H

#define SM_ERRORS(X)                                                                               \
    X(ARG, -1, "the caller broke a precondition")                                                  \
    X(STATE, -2, "not possible in this state")                                                     \
    X(MEMORY, -3, "the memory handed over is too small")                                           \
    X(LIMIT, -4, "above a limit set by the host or the format")                                    \
    X(MALFORMED, -5, "bytes do not follow the format")                                             \
    X(INVALID, -6, "well formed, but breaks a rule")                                               \
    X(UNSUPPORTED, -7, "from a newer format, or a part not built in")                              \
    X(NOT_FOUND, -8, "no such thing")                                                              \
    X(IO, -9, "the port reported a failed read, write or erase")                                   \
    X(FULL, -10, "no room left on the flash")                                                      \
    X(CORRUPT, -11, "stored bytes do not match their hash or checksum")                            \
    X(SIGNATURE, -12, "the signature does not verify")                                             \
    X(KEY, -13, "no trusted key may sign this")                                                    \
    X(DENIED, -14, "not granted")                                                                  \
    X(ROLLBACK, -15, "older than what may run")                                                    \
    X(LINK, -16, "an import is missing or has another type")                                       \
    X(TRAP, -17, "the module trapped")                                                             \
    X(EPOCH, -18, "interrupted at its deadline")                                                   \
    X(BUSY, -19, "held by another process")                                                        \
    X(EXPIRED, -20, "past its expiry")                                                             \
    X(EXIT, -21, "the module ended itself")

enum sm_err {
    SM_OK = 0,
#define X(name, value, text) SM_ERR_##name = value,
    SM_ERRORS(X)
#undef X
};

/* A constant English sentence part for an error; "unknown error" for anything else. */
const char *sm_strerror(int err);

#endif
