/* Files of `sandmote ibe`. SPDX-License-Identifier: Apache-2.0 */
#include "ibe_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <posix/file.h>

#include "cli.h"

bool ibe_say(const char *path, int err)
{
    const char *why = sm_strerror(err);
    switch (err) {
    case SM_ERR_KEY: why = "is of other parameters; give those that it was made with"; break;
    case SM_ERR_INVALID: why = "is damaged or was made wrongly: its points do not fit"; break;
    case SM_ERR_MALFORMED: why = "is damaged, or cut short, or another kind of file"; break;
    case SM_ERR_UNSUPPORTED: why = "is another kind of file, or of a newer version"; break;
    case SM_ERR_IO: why = "no random numbers from the system"; break;
    }
    cli_say("%s: %s", path, why);
    return false;
}

bool ibe_secret_write(const char *path, const void *bytes, size_t len)
{
    struct sm_file_why why;
    if (cli_there(path)) {
        cli_say("%s: exists, and a key is never overwritten", path);
        return false;
    }
    if (sm_file_write(path, bytes, len, 0600, &why) == 0)
        return true;
    cli_say("%s", why.text);
    return false;
}

bool ibe_params_read(const char *path, struct sm_ibe_params *params)
{
    uint8_t *bytes;
    size_t len;
    if (!path) {
        cli_say("ibe: --params FILE is missing: the parameters that `ibe setup` made");
        return false;
    }
    if (!cli_read(path, &bytes, &len))
        return false;
    int err = sm_ibe_params_decode(params, bytes, len);
    free(bytes);
    if (err)
        return ibe_say(path, err);
    if (params->slots == SM_IBE_PLAN_SLOTS || params->slots == SM_IBE_SLOT_TIME)
        return true;
    cli_say("%s: has %u slots; names need 11, names and time 16", path, params->slots);
    return false;
}

bool ibe_master_read(const char *path, const struct sm_ibe_params *params,
                     struct sm_ibe_master *master)
{
    uint8_t *bytes;
    size_t len;
    if (!path) {
        cli_say("ibe: --master FILE is missing: the master key that `ibe setup` made");
        return false;
    }
    if (!cli_read(path, &bytes, &len))
        return false;
    int err = sm_ibe_master_decode(master, params, bytes, len);
    sm_wipe(bytes, len);
    free(bytes);
    return err ? ibe_say(path, err) : true;
}

/* ---- Key rings: a byte, then each key behind its length ---------------------------------------
 */

struct sm_ibe_key *ibe_ring_add(struct ibe_ring *ring)
{
    if (ring->n == ring->room) {
        unsigned room = ring->room ? 2 * ring->room : 8;
        struct sm_ibe_key *more = calloc(room, sizeof *more);
        if (!more) {
            cli_say("ibe: no memory");
            return NULL;
        }
        if (ring->n > 0)
            memcpy(more, ring->key, ring->n * sizeof *more);
        unsigned n = ring->n;
        ibe_ring_free(ring);
        *ring = (struct ibe_ring){more, n, room};
    }
    return &ring->key[ring->n++];
}

void ibe_ring_free(struct ibe_ring *ring)
{
    if (ring->key)
        sm_wipe(ring->key, ring->n * sizeof *ring->key);
    free(ring->key);
    *ring = (struct ibe_ring){0};
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int take_keys(struct ibe_ring *ring, const struct sm_ibe_params *params,
                     const uint8_t *bytes, size_t len)
{
    if (len < 1 || bytes[0] != IBE_FILE_RING)
        return SM_ERR_MALFORMED;
    for (size_t at = 1; at < len;) {
        if (len - at < 4 || len - at - 4 < get32(bytes + at))
            return SM_ERR_MALFORMED;
        size_t n = get32(bytes + at);
        struct sm_ibe_key *key = ibe_ring_add(ring);
        int err = key ? sm_ibe_key_decode(key, params, bytes + at + 4, n) : SM_ERR_MEMORY;
        if (err)
            return err;
        at += 4 + n;
    }
    return ring->n > 0 ? 0 : SM_ERR_MALFORMED;
}

bool ibe_ring_read(const char *path, const struct sm_ibe_params *params, struct ibe_ring *ring)
{
    uint8_t *bytes;
    size_t len;
    *ring = (struct ibe_ring){0};
    if (!path) {
        cli_say("ibe: --key FILE is missing: the keys that `ibe keygen` or `ibe delegate` made");
        return false;
    }
    if (!cli_read(path, &bytes, &len))
        return false;
    int err = take_keys(ring, params, bytes, len);
    sm_wipe(bytes, len);
    free(bytes);
    if (!err)
        return true;
    ibe_ring_free(ring);
    return ibe_say(path, err);
}

bool ibe_ring_write(const char *path, const struct ibe_ring *ring)
{
    size_t size = 1 + (size_t)ring->n * (4 + SM_IBE_KEY_MAX), at = 1;
    uint8_t *bytes = malloc(size);
    int n = bytes ? 0 : SM_ERR_MEMORY;
    if (bytes)
        bytes[0] = IBE_FILE_RING;
    for (unsigned i = 0; n >= 0 && i < ring->n; i++) {
        n = sm_ibe_key_encode(&ring->key[i], bytes + at + 4, size - at - 4);
        for (unsigned k = 0; n >= 0 && k < 4; k++)
            bytes[at + k] = (uint8_t)(n >> (24 - 8 * k));
        at += 4 + (size_t)(n > 0 ? n : 0);
    }
    bool good = n >= 0 ? ibe_secret_write(path, bytes, at) : ibe_say(path, n);
    if (bytes)
        sm_wipe(bytes, size);
    free(bytes);
    return good;
}

/* ---- Trees ----------------------------------------------------------------------------------- */

static bool tree_room(struct ibe_tree_file *f, const char *path, uint32_t nleaves)
{
    *f = (struct ibe_tree_file){.path = path, .lock = -1};
    f->leaf = calloc(nleaves, sizeof *f->leaf);
    f->marks = calloc(1, SM_IBE_TREE_MARKS(nleaves));
    if (f->leaf && f->marks)
        return true;
    ibe_tree_free(f);
    cli_say("ibe: no memory");
    return false;
}

bool ibe_tree_new(struct ibe_tree_file *f, const char *path, uint32_t nleaves)
{
    if (!tree_room(f, path, nleaves))
        return false;
    if (sm_ibe_tree_init(&f->tree, nleaves, f->leaf, f->marks) == 0)
        return true;
    cli_say("ibe: --leaves: a power of two up to %u, not %u", SM_IBE_TREE_LEAVES_MAX, nleaves);
    ibe_tree_free(f);
    return false;
}

/* Whether a path still is the file that was opened: writing puts another one in its place. */
static bool still_there(int fd, const char *path)
{
    struct stat mine, there;
    return fstat(fd, &mine) == 0 && stat(path, &there) == 0 && mine.st_dev == there.st_dev &&
           mine.st_ino == there.st_ino;
}

/* Waits for whoever has the tree, and opens it again when that wrote it. -1 after saying why. */
static int tree_lock(const char *path)
{
    for (;;) {
        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), r = -1;
        while (fd >= 0 && (r = flock(fd, LOCK_EX)) < 0 && errno == EINTR)
            continue;
        if (r < 0) {
            cli_say("%s: cannot be %s: %s", path, fd < 0 ? "opened" : "locked", strerror(errno));
            if (fd >= 0)
                close(fd);
            return -1;
        }
        if (still_there(fd, path))
            return fd;
        close(fd);
    }
}

bool ibe_tree_read(struct ibe_tree_file *f, const char *path)
{
    uint8_t *bytes;
    size_t len;
    int err = SM_ERR_MEMORY, lock = tree_lock(path);
    if (lock < 0)
        return false;
    if (!cli_read(path, &bytes, &len)) {
        close(lock);
        return false;
    }
    bool room = tree_room(f, path, SM_IBE_TREE_LEAVES_MAX);
    f->lock = lock;
    if (room)
        err = sm_ibe_tree_decode(&f->tree, f->leaf, f->marks, SM_IBE_TREE_LEAVES_MAX, bytes, len);
    free(bytes);
    if (!err)
        return true;
    ibe_tree_free(f);
    return ibe_say(path, err);
}

bool ibe_tree_write(const struct ibe_tree_file *f)
{
    size_t size = SM_IBE_TREE_SIZE(f->tree.nleaves);
    uint8_t *bytes = malloc(size);
    int n = bytes ? sm_ibe_tree_encode(&f->tree, bytes, size) : SM_ERR_MEMORY;
    bool good = n < 0 ? ibe_say(f->path, n) : cli_write(f->path, bytes, (size_t)n);
    free(bytes);
    return good;
}

void ibe_tree_free(struct ibe_tree_file *f)
{
    free(f->leaf);
    free(f->marks);
    if (f->lock >= 0)
        close(f->lock);
    f->lock = -1;
    f->leaf = NULL;
    f->marks = NULL;
}
