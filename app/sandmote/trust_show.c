/* What a key set says, for people.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include <posix/json_read.h>
#include <openssl/evp.h>

#include "cli.h"
#include "trust_plan.h"

static void print_hex(const char *before, const uint8_t *bytes)
{
    char hex[65];
    sm_hex_encode(bytes, 32, hex);
    printf("%s%s", before, hex);
}

static bool has_signed(const struct trust_file *f, const uint8_t *key)
{
    const uint8_t *signer;
    for (uint32_t i = 0; (signer = sm_keyset_signed_by(f->bytes, f->len, i)) != NULL; i++)
        if (memcmp(signer, key, 32) == 0)
            return true;
    return false;
}

static void print_scope(const struct sm_vendor_scope *s)
{
    printf("\n            plugins for %.*s on %.*s", (int)s->model_len, s->model, (int)s->bus_len,
           s->bus);
    for (uint32_t i = 0; i < s->addresses; i++)
        printf("%s0x%" PRIx32, i ? ", " : " at ", s->address[i]);
    for (uint32_t i = 0; i < s->capabilities; i++)
        printf("%s%.*s", i ? ", " : ", with ", (int)s->capability_len[i], s->capability[i]);
}

static void print_keys(const struct sm_keyset *set)
{
    struct sm_keyset_key k;
    uint32_t cursor = 0;
    char expires[TRUST_TIME_TEXT];
    while (sm_keyset_next_key(set, &cursor, &k)) {
        printf("%-11s", sm_role_name(k.role));
        print_hex(" ed25519:", k.key);
        trust_time_write(k.expires_s, expires);
        if (k.expires_s)
            printf(", until %s", expires);
        if (k.role == SM_ROLE_VENDOR)
            print_scope(&k.scope);
        putchar('\n');
    }
}

static void print_revoked(const struct sm_keyset *set)
{
    struct sm_revocation r;
    for (uint32_t i = 0; sm_keyset_revocation(set, i, &r); i++) {
        print_hex(r.kind == SM_REVOKED_KEY ? "revoked     ed25519:" : "revoked     module ", r.id);
        puts(r.stop ? ", and what is installed of it stops" : ", for anything new");
    }
}

static void print_server(const struct sm_keyset *set)
{
    uint8_t sha[32], text[48];
    uint32_t len;
    for (uint32_t i = 0; i < set->nanchors; i++) {
        const uint8_t *der = sm_keyset_anchor(set, i, &len);
        sm_sha256(der, len, sha);
        print_hex("anchor      certificate with sha256 ", sha);
        putchar('\n');
    }
    for (uint32_t i = 0; i < set->npins; i++) {
        EVP_EncodeBlock(text, sm_keyset_pin(set, i), 32);
        printf("pin         sha256//%s\n", text);
    }
}

static void print_count(const struct trust_file *f, const struct sm_keyset *set)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < set->nroots; i++)
        n += has_signed(f, sm_keyset_root(set, i));
    printf("signed      by %" PRIu32 " of the %" PRIu32 " roots of set %" PRIu32 ", %" PRIu32
           " must%s\n",
           n, set->nroots, set->version, set->threshold, n < set->threshold ? ": not enough" : "");
}

void trust_print_signatures(const struct trust_file *f, const struct trust_file *after)
{
    if (after)
        print_count(f, &after->set);
    print_count(f, &f->set);
}

void trust_print(const struct trust_file *f, const struct trust_file *after)
{
    const struct sm_keyset *set = &f->set;
    char text[TRUST_TIME_TEXT];
    uint8_t sha[32];
    printf("key set     %" PRIu32 " of fleet %s\n", set->version, set->fleet);
    sm_sha256(f->bytes, f->len, sha);
    print_hex("sha256      ", sha);
    printf(" (%zu bytes)\n", f->len);
    trust_time_write(set->issued_s, text);
    printf("issued      %s\n", text);
    trust_time_write(set->expires_s, text);
    printf("expires     %s\n", text);
    for (uint32_t i = 0; i < set->nroots; i++) {
        print_hex("root        ed25519:", sm_keyset_root(set, i));
        puts(has_signed(f, sm_keyset_root(set, i)) ? ", signed" : "");
    }
    print_keys(set);
    print_revoked(set);
    print_server(set);
    trust_print_signatures(f, after);
}
