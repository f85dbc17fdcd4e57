/* "dtls" of the daemon's configuration, which links to gateways have. SPDX-License-Identifier:
 * Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <posix/file.h>
#include <posix/log.h>

#include "config.h"

#define SECRET_MAX 256u

/* What is being read, for errors. */
struct reading {
    struct config_dtls *d;
    const char *where, *path;
    struct sm_json_error *err;
};

__attribute__((format(printf, 2, 3))) static int fail(struct reading *r, const char *format, ...)
{
    va_list args;
    size_t at = (size_t)snprintf(r->err->text, sizeof r->err->text, "%s", r->where);
    va_start(args, format);
    vsnprintf(r->err->text + at, sizeof r->err->text - at, format, args);
    va_end(args);
    return SM_ERR_INVALID;
}

/* The pre-shared key is a line of hex in its file. */
static int read_psk(struct reading *r, const char *name)
{
    struct config_dtls *d = r->d;
    char file[PATH_MAX];
    struct sm_file_why why;
    uint8_t *text;
    size_t len;
    if (sm_file_beside(r->path, name, file, sizeof file) < 0)
        return fail(r, ".psk_file: the path is too long");
    if (sm_file_read(file, SECRET_MAX, &text, &len, &why) < 0)
        return fail(r, ".psk_file: %.300s", why.text);
    size_t n = strcspn((char *)text, "\r\n");
    text[n] = 0;
    bool good = n % 2 == 0 && n / 2 >= 16 && n / 2 <= sizeof d->psk &&
                sm_hex_decode((char *)text, d->psk, n / 2) == 0;
    sm_wipe(text, len);
    free(text);
    d->how.key = d->psk;
    d->how.key_len = n / 2;
    return good ? 0 : fail(r, ".psk_file: must have 16 to 64 bytes in lower case hex");
}

int config_read_dtls(struct config_dtls *d, const char *where, const char *path, const json_t *v,
                     struct sm_json_error *err)
{
    struct dtls {
        const char *identity, *psk_file, *ca, *name, *certificate, *key;
    } in = {0};
#define AT(member) SM_JSON_AT(struct dtls, member)
    const struct sm_json_field fields[] = {
        {"identity", SM_JSON_TEXT, false, 1, 128, AT(identity)},
        {"psk_file", SM_JSON_TEXT, false, 1, PATH_MAX - 1, AT(psk_file)},
        {"ca", SM_JSON_TEXT, false, 1, PATH_MAX - 1, AT(ca)},
        {"name", SM_JSON_TEXT, false, 1, 255, AT(name)},
        {"certificate", SM_JSON_TEXT, false, 1, PATH_MAX - 1, AT(certificate)},
        {"key", SM_JSON_TEXT, false, 1, PATH_MAX - 1, AT(key)},
        {0}};
#undef AT
    struct reading r = {d, where, path, err};
    if (sm_json_read(v, where, fields, false, &in, err) < 0)
        return SM_ERR_INVALID;
    bool psk = in.identity && in.psk_file && !in.ca && !in.name && !in.certificate && !in.key;
    bool certificates =
        in.ca && in.name && !in.identity && !in.psk_file && !in.certificate == !in.key;
    if (psk == certificates)
        return fail(&r, ": identity and psk_file; or ca and name, with certificate and key if the "
                        "gateway wants them");
    d->there = true;
    d->how.identity = in.identity;
    d->how.name = in.name;
    if (psk)
        return read_psk(&r, in.psk_file);
    if (sm_file_beside(path, in.ca, d->ca, sizeof d->ca) < 0 ||
        (in.certificate &&
         (sm_file_beside(path, in.certificate, d->certificate, sizeof d->certificate) < 0 ||
          sm_file_beside(path, in.key, d->key, sizeof d->key) < 0)))
        return fail(&r, ": a path is too long");
    d->how.ca = d->ca;
    d->how.certificate = in.certificate ? d->certificate : NULL;
    d->how.private_key = in.key ? d->key : NULL;
    return 0;
}
