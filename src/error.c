/* Names of the errors. SPDX-License-Identifier: Apache-2.0 */
#include <sandmote/error.h>

const char *sm_strerror(int err)
{
    switch (err) {
    case SM_OK: return "success";
#define X(name, value, text)                                                                       \
    case value: return text;
        SM_ERRORS(X)
#undef X
    default: return "unknown error";
    }
}
