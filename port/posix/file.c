/* Whole files. SPDX-License-Identifier: Apache-2.0 */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

__attribute__((format(printf, 3, 4))) static int fail(struct sm_file_why *why, int err,
                                                      const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(why->text, sizeof why->text, format, args);
    va_end(args);
    return err;
}

static int fail_errno(struct sm_file_why *why, const char *path, const char *what)
{
    int code = errno;
    int err = code == ENOENT ? SM_ERR_NOT_FOUND : SM_ERR_IO;
    if (code == ENOSPC || code == EDQUOT)
        err = SM_ERR_FULL;
    return fail(why, err, "%s: cannot %s: %s", path, what, strerror(code));
}

/* Read size bytes and see that the file ends there. */
static int read_all(int fd, uint8_t *bytes, size_t size, const char *path, struct sm_file_why *why)
{
    size_t got = 0;
    while (got <= size) { /* one byte more than size would fit: the buffer has room for it */
        ssize_t n = read(fd, bytes + got, size + 1 - got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_errno(why, path, "read");
        if (n == 0)
            break;
        got += (size_t)n;
    }
    if (got != size)
        return fail(why, SM_ERR_IO, "%s: changed while it was read", path);
    return 0;
}

static int read_fd(int fd, const char *path, size_t max, uint8_t **bytes, size_t *len,
                   struct sm_file_why *why)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return fail_errno(why, path, "read");
    if (!S_ISREG(st.st_mode))
        return fail(why, SM_ERR_IO, "%s: is not a regular file", path);
    if ((uint64_t)st.st_size > max)
        return fail(why, SM_ERR_LIMIT, "%s: has %lld bytes, more than %zu", path,
                    (long long)st.st_size, max);
    size_t size = (size_t)st.st_size;
    uint8_t *buf = malloc(size + 1);
    if (!buf)
        return fail(why, SM_ERR_IO, "%s: no memory for %zu bytes", path, size);
    int err = read_all(fd, buf, size, path, why);
    if (err < 0) {
        free(buf);
        return err;
    }
    buf[size] = 0;
    *bytes = buf;
    *len = size;
    return 0;
}

int sm_file_read(const char *path, size_t max, uint8_t **bytes, size_t *len,
                 struct sm_file_why *why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail_errno(why, path, "open");
    int err = read_fd(fd, path, max, bytes, len, why);
    close(fd);
    return err;
}

static int write_all(int fd, const char *bytes, size_t len)
{
    while (len) {
        ssize_t n = write(fd, bytes, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        bytes += n;
        len -= (size_t)n;
    }
    return 0;
}

/* The rename is durable once the folder is. */
static int sync_folder(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) + 1 : 0;
    if (n >= sizeof folder)
        return -1;
    memcpy(folder, path, n);
    folder[n] = 0;
    int fd = open(n ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    int r = fsync(fd);
    close(fd);
    return r;
}

int sm_file_write(const char *path, const void *bytes, size_t len, mode_t mode,
                  struct sm_file_why *why)
{
    char part[PATH_MAX];
    if ((size_t)snprintf(part, sizeof part, "%s.part", path) >= sizeof part)
        return fail(why, SM_ERR_IO, "%s: the path is too long", path);
    unlink(part); /* of a writer that was killed */
    int fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return fail_errno(why, part, "create");
    int bad = write_all(fd, bytes, len) < 0 || fsync(fd) < 0;
    int err = bad ? fail_errno(why, part, "write") : 0;
    if (close(fd) < 0 && !bad)
        err = fail_errno(why, part, "write");
    if (!err && (rename(part, path) < 0 || sync_folder(path) < 0))
        err = fail_errno(why, path, "write");
    if (err)
        unlink(part);
    return err == SM_ERR_NOT_FOUND ? SM_ERR_IO : err;
}

int sm_file_beside(const char *file, const char *path, char *out, size_t size)
{
    const char *slash = strrchr(file, '/');
    int folder = path[0] == '/' || !slash ? 0 : (int)(slash - file) + 1;
    int n = snprintf(out, size, "%.*s%s", folder, file, path);
    return n < 0 || (size_t)n >= size ? SM_ERR_LIMIT : 0;
}
