/* What a key set says of the fleet's server, in the form that TLS libraries take.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef SM_POSIX_SERVER_TRUST_H
#define SM_POSIX_SERVER_TRUST_H

#include <sandmote/keyset.h>

#define SM_SERVER_TRUST_PIN (SM_KEYSET_PINS_MAX * 54u)

struct sm_server_trust {
    char *ca_pem;                  /* certificates, one after the other; NULL: the set names none */
    char pin[SM_SERVER_TRUST_PIN]; /* "sha256//...;sha256//..."; "": the set names none */
};

/* set may be NULL: nothing is named. 0, or SM_ERR_MEMORY with nothing to free. */
int sm_server_trust(struct sm_server_trust *t, const struct sm_keyset *set);
void sm_server_trust_free(struct sm_server_trust *t);

#endif
