/* Modules and native images as files, named by their SHA-256, and how parts of them are sent.
 *
 * A file's bytes lie in <data>/objects/<sha256> and never change, so any cache may carry them; the
 * database only knows their names. They are written in full and synced before the database mentions
 * them. Signatures are short and lie in the database.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <openssl/evp.h>
#include <posix/file.h>
#include <posix/log.h>

#include "server.h"

void sm_fleet_sha256_text(struct sm_bytes b, char out[SM_FLEET_SHA_TEXT])
{
    uint8_t hash[SM_SHA256_SIZE];
    sm_sha256(b.at, b.len, hash);
    sm_hex_encode(hash, sizeof hash, out);
}

void sm_fleet_sha1_text(struct sm_bytes b, char out[41])
{
    uint8_t hash[20] = {0};
    if (EVP_Digest(b.at, b.len, hash, NULL, EVP_sha1(), NULL) == 1)
        sm_hex_encode(hash, sizeof hash, out);
    else
        out[0] = 0;
}

static void object_path(const struct sm_fleet *f, const char *sha256, char out[PATH_MAX])
{
    /* config.c keeps 128 bytes free behind the data folder's path */
    snprintf(out, PATH_MAX, "%.*s/objects/%s", PATH_MAX - 128, f->cfg.data, sha256);
}

int sm_fleet_artifacts_init(const struct sm_fleet *f)
{
    char path[PATH_MAX];
    object_path(f, "", path);
    if ((mkdir(f->cfg.data, 0700) < 0 && errno != EEXIST) ||
        (mkdir(path, 0700) < 0 && errno != EEXIST)) {
        sm_log(SM_LOG_ERROR, "%s: cannot make this folder: %s", path, strerror(errno));
        return SM_ERR_IO;
    }
    return 0;
}

int sm_fleet_artifact_store(const struct sm_fleet *f, const char *sha256, struct sm_bytes bytes)
{
    char path[PATH_MAX];
    struct sm_file_why why;
    object_path(f, sha256, path);
    int err = sm_file_write(path, bytes.at, bytes.len, 0600, &why);
    if (err)
        sm_log(SM_LOG_ERROR, "%s", why.text);
    return err;
}

/* Opens the object; it must still have the size that the database knows. */
static int open_object(const struct sm_fleet *f, const char *sha256, uint64_t size)
{
    char path[PATH_MAX];
    struct stat st;
    object_path(f, sha256, path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, &st) == 0 && (uint64_t)st.st_size == size)
        return fd;
    sm_log(SM_LOG_ERROR, "%s: is missing or has another size than when it was stored", path);
    if (fd >= 0)
        close(fd);
    return -1;
}

/* Settles conditions and range; false when the answer is complete without a representation. */
static bool select_part(const struct sm_fleet_request *q, struct sm_fleet_answer *a)
{
    const char *range = q->range;
    if (q->if_match && !sm_fleet_etag_in(q->if_match, a->etag)) {
        sm_fleet_refuse(a, 412, "If-Match: the artifact is another one");
        return false;
    }
    if (sm_fleet_etag_in(q->if_none_match, a->etag)) {
        a->status = 304;
        return false;
    }
    if (q->if_range && !sm_fleet_etag_in(q->if_range, a->etag))
        range = NULL; /* another representation than the client has a part of: all is sent */
    switch (sm_fleet_range(range, a->size, &a->first, &a->len)) {
    case SM_RANGE_ALL:
        a->status = 200;
        a->first = 0;
        a->len = a->size;
        return true;
    case SM_RANGE_PART: a->status = 206; return true;
    case SM_RANGE_UNSATISFIABLE: break;
    }
    uint64_t size = a->size;
    sm_fleet_refuse(a, 416, "Range: the artifact has %llu bytes", (unsigned long long)size);
    a->size = size;
    return false;
}

static bool has_suffix(const char *text, const char *name, const char *suffix)
{
    size_t n = strlen(name);
    return !strncmp(text, name, n) && !strcmp(text + n, suffix);
}

/* What an artifact is: bytes of an object, or a signature. */
struct artifact {
    const char *sha256; /* of the object; NULL: it is a signature */
    const char *etag;
    const uint8_t *signature;
    uint64_t size;
};

static bool find_in_module(const struct sm_fleet_module *m, const char *file, struct artifact *out)
{
    if (has_suffix(file, m->name, ".wasm"))
        *out = (struct artifact){m->sha256, m->sha256, NULL, m->size};
    else if (has_suffix(file, m->name, ".wasm.sig"))
        *out = (struct artifact){NULL, m->sig_sha256, m->signature, sizeof m->signature};
    else
        return false;
    return true;
}

static bool find_in_native(const struct sm_fleet_native *n, const char *file, struct artifact *out)
{
    char name[SM_FLEET_NATIVE_FILE];
    sm_fleet_native_file(n, name);
    if (has_suffix(file, name, ""))
        *out = (struct artifact){n->sha256, n->sha256, NULL, n->size};
    else if (has_suffix(file, name, ".sig"))
        *out = (struct artifact){NULL, n->sig_sha256, n->claim, n->claim_len};
    else
        return false;
    return true;
}

void sm_fleet_send_bytes(const struct sm_fleet_request *q, const void *bytes, size_t len,
                         const char *sha256, struct sm_fleet_answer *a)
{
    a->size = len;
    snprintf(a->etag, sizeof a->etag, "\"%s\"", sha256);
    if (!select_part(q, a))
        return;
    a->bytes = malloc(len);
    if (a->bytes)
        memcpy(a->bytes, bytes, len);
    else
        sm_fleet_fail(a, SM_ERR_MEMORY);
}

static void send_artifact(struct sm_fleet *f, const struct sm_fleet_request *q,
                          const struct artifact *what, struct sm_fleet_answer *a)
{
    if (!what->sha256) {
        sm_fleet_send_bytes(q, what->signature, (size_t)what->size, what->etag, a);
        return;
    }
    a->size = what->size;
    snprintf(a->etag, sizeof a->etag, "\"%s\"", what->etag);
    if (!select_part(q, a))
        return;
    a->file = open_object(f, what->sha256, what->size);
    if (a->file < 0)
        sm_fleet_fail(a, SM_ERR_IO);
}

/* GET .../artifacts/{sha256}/{file}, the file of that hash or its signature (.sig): a module
 * assigned to this device at some time, or a native image of one; others may not look at it. */
void sm_fleet_ddi_artifact(struct sm_fleet *f, const struct sm_fleet_request *q,
                           struct sm_fleet_answer *a)
{
    struct sm_fleet_module m;
    struct sm_fleet_native n;
    struct artifact what;
    bool found = false;
    int err = sm_fleet_db_action_module(&f->db, q->who, q->route.sha256, &m);
    if (!err)
        found = find_in_module(&m, q->route.file, &what);
    else if (err == SM_ERR_NOT_FOUND) {
        err = sm_fleet_db_native(&f->db, q->route.sha256, &n);
        if (!err)
            err = sm_fleet_db_action_module(&f->db, q->who, n.module, &m);
        found = !err && find_in_native(&n, q->route.file, &what);
    }
    if (err && err != SM_ERR_NOT_FOUND)
        sm_fleet_fail(a, err);
    else if (!found)
        sm_fleet_refuse(a, 404, "no such artifact is assigned to this device");
    else
        send_artifact(f, q, &what, a);
}
