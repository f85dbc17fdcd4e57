/* Keys in PKCS#11 tokens (token.h).
 *
 * One session for each key that is open. The module is loaded for as long, and not finalised when
 * another part of the process initialised it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "token.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <p11-kit/pkcs11.h>

#include "file.h"

#define PIN_MAX   128u
#define SLOTS_MAX 64u

struct uri {
    char token[33], object[128], module[1024], pin_file[1024], pin[PIN_MAX];
    bool has_pin;
};

struct token {
    void *module;
    CK_FUNCTION_LIST *f;
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE key;
    bool initialised, open;
};

/* ---- The URI --------------------------------------------------------------------------------- */

bool sm_token_named(const char *text)
{
    return strncmp(text, "pkcs11:", 7) == 0;
}

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 87 : -1;
}

/* len characters, percent-decoded; false when they do not fit or are not well-formed. */
static bool decode(const char *in, size_t len, char *out, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++, n++) {
        if (n + 1 >= size)
            return false;
        out[n] = in[i];
        if (in[i] != '%')
            continue;
        if (len - i < 3 || hex(in[i + 1]) < 0 || hex(in[i + 2]) < 0)
            return false;
        out[n] = (char)(hex(in[i + 1]) << 4 | hex(in[i + 2]));
        i += 2;
    }
    out[n] = 0;
    return true;
}

static bool take(struct uri *u, const char *name, size_t name_len, const char *value, size_t len)
{
    const struct {
        const char *name;
        char *out;
        size_t size;
    } known[] = {{"token", u->token, sizeof u->token},
                 {"object", u->object, sizeof u->object},
                 {"module-path", u->module, sizeof u->module},
                 {"pin-value", u->pin, sizeof u->pin},
                 {"pin-source", u->pin_file, sizeof u->pin_file}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strlen(known[i].name) == name_len && memcmp(known[i].name, name, name_len) == 0) {
            u->has_pin = u->has_pin || known[i].out == u->pin;
            return decode(value, len, known[i].out, known[i].size);
        }
    return false;
}

static int read_pin(struct uri *u, struct sm_keys_why *why)
{
    struct sm_file_why file;
    uint8_t *bytes;
    size_t len;
    const char *path = strncmp(u->pin_file, "file:", 5) ? u->pin_file : u->pin_file + 5;
    if (u->has_pin || !u->pin_file[0])
        return 0;
    int err = sm_file_read(path, PIN_MAX - 1, &bytes, &len, &file);
    if (err)
        return sm_keys_fail(why, SM_ERR_IO, "pin-source: %.400s", file.text);
    len = strcspn((const char *)bytes, "\r\n");
    memcpy(u->pin, bytes, len);
    u->pin[len] = 0;
    u->has_pin = true;
    sm_wipe(bytes, len);
    free(bytes);
    return 0;
}

static int read_uri(const char *text, struct uri *u, struct sm_keys_why *why)
{
    memset(u, 0, sizeof *u);
    for (const char *p = text + 7; *p;) {
        size_t len = strcspn(p, ";?&"), name = strcspn(p, "=");
        if (name >= len || !take(u, p, name, p + name + 1, len - name - 1))
            return sm_keys_fail(why, SM_ERR_ARG, "pkcs11 URI: \"%.*s\" is not understood",
                                (int)(name < len ? name : len), p);
        p += len + (p[len] != 0);
    }
    if (!u->token[0] || !u->object[0] || !u->module[0])
        return sm_keys_fail(why, SM_ERR_ARG, "pkcs11 URI: %s is missing",
                            !u->token[0]    ? "token="
                            : !u->object[0] ? "object="
                                            : "module-path=");
    return read_pin(u, why);
}

/* ---- The module ------------------------------------------------------------------------------ */

static int failed(struct sm_keys_why *why, const char *what, CK_RV rv)
{
    if (rv == CKR_PIN_INCORRECT || rv == CKR_PIN_LEN_RANGE)
        return sm_keys_fail(why, SM_ERR_DENIED, "the token's PIN is wrong");
    if (rv == CKR_PIN_LOCKED)
        return sm_keys_fail(why, SM_ERR_DENIED,
                            "the token's PIN is locked after too many wrong ones");
    return sm_keys_fail(why, SM_ERR_IO, "the token's module: %s failed with code 0x%lx", what,
                        (unsigned long)rv);
}

static int load(struct token *t, const char *path, struct sm_keys_why *why)
{
    CK_RV (*get)(CK_FUNCTION_LIST **);
    t->module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    void *symbol = t->module ? dlsym(t->module, "C_GetFunctionList") : NULL;
    if (!symbol)
        return sm_keys_fail(why, SM_ERR_IO, "module-path: %.300s",
                            t->module ? "no PKCS#11 module" : dlerror());
    memcpy(&get, &symbol, sizeof get); /* ISO C knows no such conversion, POSIX promises it */
    CK_RV rv = get(&t->f);
    if (rv != CKR_OK)
        return failed(why, "C_GetFunctionList", rv);
    rv = t->f->C_Initialize(NULL);
    t->initialised = rv == CKR_OK;
    return rv == CKR_OK || rv == CKR_CRYPTOKI_ALREADY_INITIALIZED ? 0
                                                                  : failed(why, "C_Initialize", rv);
}

/* Labels of tokens are filled up with spaces. */
static bool labelled(const CK_TOKEN_INFO *info, const char *label)
{
    size_t len = strlen(label);
    for (size_t i = 0; i < sizeof info->label; i++)
        if (info->label[i] != (i < len ? (unsigned char)label[i] : ' '))
            return false;
    return true;
}

static int open_session(struct token *t, const struct uri *u, bool writing, struct sm_keys_why *why)
{
    CK_SLOT_ID slots[SLOTS_MAX];
    CK_ULONG count = SLOTS_MAX, i;
    CK_TOKEN_INFO info;
    CK_RV rv = t->f->C_GetSlotList(CK_TRUE, slots, &count);
    if (rv != CKR_OK)
        return failed(why, "C_GetSlotList", rv);
    for (i = 0; i < count; i++)
        if (t->f->C_GetTokenInfo(slots[i], &info) == CKR_OK && labelled(&info, u->token))
            break;
    if (i == count)
        return sm_keys_fail(why, SM_ERR_NOT_FOUND, "no token is labelled \"%s\"", u->token);
    rv = t->f->C_OpenSession(slots[i], CKF_SERIAL_SESSION | (writing ? CKF_RW_SESSION : 0), NULL,
                             NULL, &t->session);
    if (rv != CKR_OK)
        return failed(why, "C_OpenSession", rv);
    t->open = true;
    if (!u->has_pin)
        return sm_keys_fail(why, SM_ERR_DENIED,
                            "the token wants a PIN: name its file with pin-source=file:PATH");
    rv = t->f->C_Login(t->session, CKU_USER, (CK_UTF8CHAR *)u->pin, strlen(u->pin));
    return rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN ? 0 : failed(why, "C_Login", rv);
}

/* The only Ed25519 object of a class with a label: how many there are, at most two counted. */
static CK_ULONG find(struct token *t, CK_OBJECT_CLASS class, const char *label,
                     CK_OBJECT_HANDLE *out)
{
    CK_KEY_TYPE type = CKK_EC_EDWARDS;
    CK_ATTRIBUTE want[] = {{CKA_CLASS, &class, sizeof class},
                           {CKA_KEY_TYPE, &type, sizeof type},
                           {CKA_LABEL, (void *)label, strlen(label)}};
    CK_OBJECT_HANDLE found[2];
    CK_ULONG count = 0;
    if (t->f->C_FindObjectsInit(t->session, want, 3) != CKR_OK)
        return 0;
    if (t->f->C_FindObjects(t->session, found, 2, &count) != CKR_OK)
        count = 0;
    t->f->C_FindObjectsFinal(t->session);
    if (count > 0)
        *out = found[0];
    return count;
}

/* The point of a public key: 32 bytes, in an OCTET STRING or bare. */
static int read_public(struct token *t, CK_OBJECT_HANDLE object, uint8_t key[SM_KEYS_PUBLIC_SIZE],
                       struct sm_keys_why *why)
{
    uint8_t point[64];
    CK_ATTRIBUTE get = {CKA_EC_POINT, point, sizeof point};
    CK_RV rv = t->f->C_GetAttributeValue(t->session, object, &get, 1);
    if (rv != CKR_OK)
        return failed(why, "C_GetAttributeValue", rv);
    bool wrapped = get.ulValueLen == 34 && point[0] == 4 && point[1] == 32;
    if (!wrapped && get.ulValueLen != 32)
        return sm_keys_fail(why, SM_ERR_KEY, "the token's key is not an Ed25519 key");
    memcpy(key, point + (wrapped ? 2 : 0), SM_KEYS_PUBLIC_SIZE);
    return 0;
}

static void drop(void *token)
{
    struct token *t = token;
    if (t->open)
        t->f->C_CloseSession(t->session);
    if (t->initialised)
        t->f->C_Finalize(NULL);
    if (t->module)
        dlclose(t->module);
    free(t);
}

static int sign(void *token, const void *bytes, size_t len, uint8_t sig[SM_KEYS_SIGNATURE_SIZE],
                struct sm_keys_why *why)
{
    struct token *t = token;
    CK_MECHANISM eddsa = {CKM_EDDSA, NULL, 0};
    CK_ULONG sig_len = SM_KEYS_SIGNATURE_SIZE;
    CK_RV rv = t->f->C_SignInit(t->session, &eddsa, t->key);
    if (rv == CKR_OK)
        rv = t->f->C_Sign(t->session, (CK_BYTE *)bytes, len, sig, &sig_len);
    if (rv != CKR_OK)
        return failed(why, "signing", rv);
    return sig_len == SM_KEYS_SIGNATURE_SIZE
               ? 0
               : sm_keys_fail(why, SM_ERR_KEY, "the token made a signature of %lu bytes", sig_len);
}

/* ---- Keys ------------------------------------------------------------------------------------ */

static int find_pair(struct token *t, const struct uri *u, uint8_t public_key[SM_KEYS_PUBLIC_SIZE],
                     struct sm_keys_why *why)
{
    CK_OBJECT_HANDLE public;
    CK_ULONG n = find(t, CKO_PRIVATE_KEY, u->object, &t->key);
    if (n != 1)
        return sm_keys_fail(why, SM_ERR_NOT_FOUND,
                            "token \"%s\" has %s Ed25519 key labelled \"%s\"", u->token,
                            n ? "more than one" : "no", u->object);
    if (find(t, CKO_PUBLIC_KEY, u->object, &public) != 1)
        return sm_keys_fail(why, SM_ERR_NOT_FOUND, "token \"%s\" has no public half of key \"%s\"",
                            u->token, u->object);
    return read_public(t, public, public_key, why);
}

static int make_pair(struct token *t, const struct uri *u, uint8_t public_key[SM_KEYS_PUBLIC_SIZE],
                     struct sm_keys_why *why)
{
    /* The curve by name, a PrintableString; SoftHSM and most others take it. */
    static const uint8_t curve[] = "\x13\x0c"
                                   "edwards25519";
    CK_MECHANISM generate = {CKM_EC_EDWARDS_KEY_PAIR_GEN, NULL, 0};
    CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    CK_ATTRIBUTE public[] = {{CKA_TOKEN, &yes, sizeof yes},
                             {CKA_VERIFY, &yes, sizeof yes},
                             {CKA_LABEL, (void *)u->object, strlen(u->object)},
                             {CKA_EC_PARAMS, (void *)curve, sizeof curve - 1}};
    CK_ATTRIBUTE private[] = {
        {CKA_TOKEN, &yes, sizeof yes},     {CKA_PRIVATE, &yes, sizeof yes},
        {CKA_SENSITIVE, &yes, sizeof yes}, {CKA_EXTRACTABLE, &no, sizeof no},
        {CKA_SIGN, &yes, sizeof yes},      {CKA_LABEL, (void *)u->object, strlen(u->object)}};
    CK_OBJECT_HANDLE half;
    if (find(t, CKO_PRIVATE_KEY, u->object, &half) > 0)
        return sm_keys_fail(
            why, SM_ERR_STATE,
            "token \"%s\" has a key labelled \"%s\", and a key is never overwritten", u->token,
            u->object);
    CK_RV rv =
        t->f->C_GenerateKeyPair(t->session, &generate, public, 4, private, 6, &half, &t->key);
    return rv == CKR_OK ? read_public(t, half, public_key, why)
                        : failed(why, "C_GenerateKeyPair", rv);
}

static int open_key(const char *text, bool make, struct sm_keys_private *key,
                    struct sm_keys_why *why)
{
    struct uri u;
    struct token *t = calloc(1, sizeof *t);
    if (!t)
        return sm_keys_fail(why, SM_ERR_MEMORY, "no memory for a token");
    int err = read_uri(text, &u, why);
    if (!err)
        err = load(t, u.module, why);
    if (!err)
        err = open_session(t, &u, make, why);
    if (!err)
        err = (make ? make_pair : find_pair)(t, &u, key->public_key, why);
    sm_wipe(u.pin, sizeof u.pin);
    if (err) {
        drop(t);
        return err;
    }
    key->pkey = NULL;
    key->token = t;
    key->token_sign = sign;
    key->token_drop = drop;
    return 0;
}

int sm_token_open(const char *uri, struct sm_keys_private *key, struct sm_keys_why *why)
{
    return open_key(uri, false, key, why);
}

int sm_token_generate(const char *uri, struct sm_keys_private *key, struct sm_keys_why *why)
{
    return open_key(uri, true, key, why);
}
