/* Modules as files, named by their SHA-256, and how parts of them are sent.
 *
 * A module's bytes lie in <data>/objects/<sha256> and never change, so any cache may carry them;
 * the database only knows their names. They are written in full and synced before the database
 * mentions them. Signatures are 64 bytes and lie in the database.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <posix/file.h>
#include <posix/log.h>

#include "server.h"

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

int sm_fleet_artifact_store(const struct sm_fleet *f, const char *sha256, struct sm_bytes module)
{
    char path[PATH_MAX];
    struct sm_file_why why;
    object_path(f, sha256, path);
    int err = sm_file_write(path, module.at, module.len, 0600, &why);
    if (err)
        sm_log(SM_LOG_ERROR, "%s", why.text);
    return err;
}

/* Opens the object; it must still have the size that the database knows. */
static int open_object(const struct sm_fleet *f, const struct sm_fleet_module *m)
{
    char path[PATH_MAX];
    struct stat st;
    object_path(f, m->sha256, path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, &st) == 0 && (uint64_t)st.st_size == m->size)
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

/* GET .../artifacts/{sha256}/{name}.wasm or {name}.wasm.sig: only what was assigned to this device
 * at some time; others may not look at it. */
void sm_fleet_ddi_artifact(struct sm_fleet *f, const struct sm_fleet_request *q,
                           struct sm_fleet_answer *a)
{
    struct sm_fleet_module m;
    int err = sm_fleet_db_action_module(&f->db, q->who, q->route.sha256, &m);
    if (err && err != SM_ERR_NOT_FOUND) {
        sm_fleet_fail(a, err);
        return;
    }
    bool module = !err && has_suffix(q->route.file, m.name, ".wasm");
    bool signature = !err && has_suffix(q->route.file, m.name, ".wasm.sig");
    if (!module && !signature) {
        sm_fleet_refuse(a, 404, "no such artifact is assigned to this device");
        return;
    }
    a->size = module ? m.size : sizeof m.signature;
    snprintf(a->etag, sizeof a->etag, "\"%s\"", module ? m.sha256 : m.sig_sha256);
    if (!select_part(q, a))
        return;
    if (module) {
        a->file = open_object(f, &m);
        if (a->file < 0)
            sm_fleet_fail(a, SM_ERR_IO);
    } else {
        memcpy(a->bytes, m.signature, sizeof a->bytes);
        a->has_bytes = true;
    }
}
