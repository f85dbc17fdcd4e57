/* Types of values in slots. SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_WKDIBE_NAMES_H
#define SM_WKDIBE_NAMES_H

enum {
    IBE_TYPE_PURPOSE = 1,
    IBE_TYPE_IDENTITY,
    IBE_TYPE_RESOURCE,
    IBE_TYPE_NODE,
    IBE_TYPE_YEAR, /* and, one more each, the levels below it */
};

#endif
