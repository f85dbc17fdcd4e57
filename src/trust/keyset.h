/* What the writer of key sets shares with the reader. SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_TRUST_KEYSET_H
#define SM_TRUST_KEYSET_H

#include <sandmote/keyset.h>
#include "cose.h"

#define SM_KEYSET_TYPE "application/vnd.sandmote.keys+cose"

#endif
