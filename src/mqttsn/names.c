/* What types and return codes are called. Apart, so that devices that never say it go without.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <sandmote/mqttsn.h>

const char *sm_mqttsn_type_name(unsigned type)
{
    switch (type) {
#define X(name, octet, fields)                                                                     \
    case octet: return #name;
        SM_MQTTSN_TYPES(X)
#undef X
    default: return "reserved";
    }
}

const char *sm_mqttsn_code_name(unsigned code)
{
    static const char *const names[] = {"accepted", "congestion", "invalid topic id",
                                        "not supported"};
    return code < sizeof names / sizeof names[0] ? names[code] : "reserved";
}
