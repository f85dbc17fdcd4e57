/* sandmote new: a folder with a module's source that builds at once, and the SDK that it needs.
 *
 * Files are made one by one in a folder that was not there before, so nothing is overwritten; what
 * was written before an error stays.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <posix/file.h>

#include "cli.h"
#include "templates.h"

#define PLACEHOLDER "@NAME@"
#define NAME_MAX    32 /* of a manifest */

/* The last part of a path is the module's name: what a manifest takes, and every build tool too. */
static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");
    if (len == 0 || len > NAME_MAX || name[len] || name[0] < 'a')
        return NULL;
    return name;
}

static bool make_folder(const char *path)
{
    if (mkdir(path, 0755) == 0)
        return true;
    if (errno == EEXIST)
        cli_say("%s: is there already; nothing was written", path);
    else
        cli_say("%s: cannot be made: %s", path, strerror(errno));
    return false;
}

/* The folders below `root` that a file's path names. */
static bool make_folders(char *path, size_t root)
{
    for (char *slash = strchr(path + root + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        bool there = cli_there(path) || make_folder(path);
        *slash = '/';
        if (!there)
            return false;
    }
    return true;
}

/* A template with the name in its places; the caller's to free. NULL when there is no memory. */
static char *fill_in(const struct template_file *file, const char *name, size_t *len)
{
    size_t name_len = strlen(name), hole_len = strlen(PLACEHOLDER);
    size_t room = file->len + file->len / hole_len * name_len + 1;
    const char *at = (const char *)file->bytes, *end = at + file->len;
    char *text = malloc(room), *to = text;
    while (text && at < end) {
        if ((size_t)(end - at) >= hole_len && memcmp(at, PLACEHOLDER, hole_len) == 0) {
            memcpy(to, name, name_len);
            to += name_len;
            at += hole_len;
        } else {
            *to++ = *at++;
        }
    }
    *len = text ? (size_t)(to - text) : 0;
    return text;
}

static bool write_file(const char *folder, const char *name, const struct template_file *file)
{
    struct sm_file_why why = {"no memory"};
    char path[CLI_PATH];
    size_t len, dot = strlen(file->path);
    if (snprintf(path, sizeof path, "%s/%s", folder, file->path) >= (int)sizeof path) {
        cli_say("%s: the path is too long", folder);
        return false;
    }
    bool script = dot > 3 && strcmp(file->path + dot - 3, ".sh") == 0;
    char *text = fill_in(file, name, &len);
    bool made = text && make_folders(path, strlen(folder));
    bool good = made && sm_file_write(path, text, len, script ? 0755 : 0644, &why) == 0;
    if (!good && (made || !text))
        cli_say("%s", why.text);
    free(text);
    return good;
}

static int write_project(const char *folder, const char *name, const char *lang, unsigned kind)
{
    if (!make_folder(folder))
        return CLI_BAD;
    for (const struct template_file *f = template_files; f->lang; f++)
        if (strcmp(f->lang, lang) == 0 && (f->kinds & kind) && !write_file(folder, name, f))
            return CLI_BAD;
    printf("%s: build it with %s/build.sh; %s/README.md says how to go on\n", folder, folder,
           folder);
    return CLI_GOOD;
}

static bool is_language(const char *lang)
{
    for (const struct template_file *f = template_files; f->lang; f++)
        if (strcmp(f->lang, lang) == 0)
            return true;
    return false;
}

static int new_project(int argc, char **argv)
{
    const char *lang = NULL;
    bool plugin = false;
    const struct cli_option options[] = {{"lang", &lang, NULL}, {"plugin", NULL, &plugin}, {0}};
    int n = cli_options(options, false, argc, argv);
    if (n == CLI_USAGE_ERROR)
        return CLI_USAGE;
    if (n != 1)
        return cli_usage(&cli_new, "name one module");
    if (!lang)
        return cli_usage(&cli_new, "--lang is missing: c, rust or as");
    if (!is_language(lang))
        return cli_usage(&cli_new, "--lang: \"%s\" is none of c, rust, as", lang);
    const char *name = name_of(argv[1]);
    if (!name)
        return cli_usage(&cli_new,
                         "\"%s\": a module's name has 1 to %d of a-z 0-9 - and begins with a "
                         "letter",
                         argv[1], NAME_MAX);
    return write_project(argv[1], name, lang, plugin ? TEMPLATE_PLUGIN : TEMPLATE_MODULE);
}

const struct cli_command cli_new = {
    .name = "new",
    .arguments = "--lang c|rust|as [--plugin] NAME",
    .purpose = "Make a folder with a module's source that builds at once",
    .run = new_project,
    .details =
        "NAME is the folder to make, which must not be there, and the module's name: 1 to 32 of\n"
        "a-z 0-9 -, beginning with a letter; before it may stand the path of another folder.\n\n"
        "  --lang    c, rust, or as (AssemblyScript)\n"
        "  --plugin  a vendor's plugin, which drives a sensor for modules, instead of a module\n\n"
        "The folder has a source, manifest.json, build.sh with the file of the language's own\n"
        "build tool, a README.md with the commands that come next, and the SDK, so it needs\n"
        "nothing else of Sandmote but the program `sandmote`.\n"};
