/* Anchors as PEM, pins as curl takes them. SPDX-License-Identifier: Apache-2.0 */
#include "server_trust.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

static void write_pins(struct sm_server_trust *t, const struct sm_keyset *set)
{
    unsigned char text[45];
    for (uint32_t i = 0; i < set->npins; i++) {
        size_t used = strlen(t->pin);
        EVP_EncodeBlock(text, sm_keyset_pin(set, i), SM_SHA256_SIZE);
        snprintf(t->pin + used, sizeof t->pin - used, "%ssha256//%s", used ? ";" : "", text);
    }
}

static bool write_anchors(BIO *bio, const struct sm_keyset *set)
{
    const uint8_t *der;
    uint32_t len;
    for (uint32_t i = 0; (der = sm_keyset_anchor(set, i, &len)) != NULL; i++)
        if (PEM_write_bio(bio, "CERTIFICATE", "", der, (long)len) <= 0)
            return false;
    return true;
}

int sm_server_trust(struct sm_server_trust *t, const struct sm_keyset *set)
{
    char *text;
    memset(t, 0, sizeof *t);
    if (!set)
        return 0;
    if (set->nanchors) {
        BIO *bio = BIO_new(BIO_s_mem());
        if (bio && write_anchors(bio, set)) {
            long len = BIO_get_mem_data(bio, &text);
            t->ca_pem = strndup(text, (size_t)len);
        }
        BIO_free(bio);
        if (!t->ca_pem)
            return SM_ERR_MEMORY;
    }
    write_pins(t, set);
    return 0;
}

void sm_server_trust_free(struct sm_server_trust *t)
{
    free(t->ca_pem);
    t->ca_pem = NULL;
}
