/* Options and messages.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <posix/file.h>
#include <posix/token.h>

void cli_say(const char *format, ...)
{
    va_list args;
    fflush(stdout); /* so that both streams come out in the order they were written */
    fputs("sandmote: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

int cli_usage(const struct cli_command *command, const char *format, ...)
{
    va_list args;
    char text[1024];
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    cli_say("%s: %s", command->name, text);
    fprintf(stderr, "usage: sandmote %s %s\n", command->name, command->arguments);
    fprintf(stderr, "`sandmote help %s` says more\n", command->name);
    return CLI_USAGE;
}

void cli_print_text(FILE *out, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)bytes[i];
        /* Control characters, and those of U+0080 to U+009F in UTF-8. */
        bool steers = c < 0x20 || c == 0x7f ||
                      (c >= 0x80 && c < 0xa0 && i > 0 && (unsigned char)bytes[i - 1] == 0xc2);
        fprintf(out, steers ? "\\%02x" : "%c", c);
    }
}

bool cli_number(const char *text, uint64_t max, uint64_t *out)
{
    int base = text[0] == '0' && (text[1] == 'x' || text[1] == 'X') ? 16 : 10;
    const char *digits = base == 16 ? text + 2 : text;
    const char *allowed = base == 16 ? "0123456789abcdefABCDEF" : "0123456789";
    if (!*digits || strspn(digits, allowed) != strlen(digits))
        return false;
    errno = 0;
    unsigned long long n = strtoull(digits, NULL, base);
    *out = n;
    return errno == 0 && n <= max;
}

bool cli_read(const char *path, uint8_t **bytes, size_t *len)
{
    struct sm_file_why why;
    if (sm_file_read(path, UINT32_MAX, bytes, len, &why) == 0)
        return true;
    cli_say("%s", why.text);
    return false;
}

bool cli_there(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

bool cli_signature_path(const char *path, char out[CLI_PATH])
{
    if (snprintf(out, CLI_PATH, "%s.sig", path) < CLI_PATH)
        return true;
    cli_say("the path is too long");
    return false;
}

bool cli_write(const char *path, const void *bytes, size_t len)
{
    struct sm_file_why why;
    struct stat st;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) { /* a rename would take its place */
        cli_say("%s: is there and is not a regular file", path);
        return false;
    }
    if (sm_file_write(path, bytes, len, 0644, &why) == 0)
        return true;
    cli_say("%s", why.text);
    return false;
}

/* ---- Options ----------------------------------------------------------------------------------
 */

/* Length of the name as it is said. */
static size_t name_len(const struct cli_option *option)
{
    return strcspn(option->name, ".");
}

static bool repeats(const struct cli_option *option)
{
    return option->name[name_len(option)] == '.';
}

/* The option that an argument names, and the value after its '=', if any. */
static const struct cli_option *named(const struct cli_option *options, const char *arg,
                                      const char **value)
{
    const char *name = arg + (arg[1] == '-' ? 2 : 1);
    size_t len = strcspn(name, "=");
    *value = name[len] == '=' ? name + len + 1 : NULL;
    for (; options->name; options++)
        if (name_len(options) == len && memcmp(options->name, name, len) == 0 &&
            (arg[1] == '-') == (len > 1))
            return options;
    return NULL;
}

static int unknown(const struct cli_option *options, const char *command, const char *arg)
{
    char known[256] = "";
    for (; options->name; options++) {
        size_t len = strlen(known);
        snprintf(known + len, sizeof known - len, " %s%s", name_len(options) > 1 ? "--" : "-",
                 options->name);
    }
    cli_say("%s: unknown option %s; known are%s", command, arg, *known ? known : " none");
    return CLI_USAGE_ERROR;
}

/* NULL, or what is wrong: a second value would hide the first. */
static const char *take(const struct cli_option *option, const char *value)
{
    const char **at = option->value;
    for (int i = 1; at && *at && repeats(option) && i < CLI_VALUES_MAX; i++)
        at++;
    if (at ? *at != NULL : *option->flag)
        return repeats(option) ? "is said too often" : "is said twice";
    if (!option->value && value)
        return "takes no value";
    if (option->value && !value)
        return "needs a value";
    if (option->value && !*value && !option->flag)
        return "needs a value that is not empty";
    if (option->value)
        *at = value;
    if (option->flag)
        *option->flag = true;
    return NULL;
}

int cli_options(const struct cli_option *options, bool leading, int argc, char **argv)
{
    int kept = 0, i = 1;
    for (; i < argc; i++) {
        const char *arg = argv[i], *value;
        if (arg[0] != '-' || arg[1] == 0) {
            if (leading)
                break;
            argv[++kept] = argv[i];
            continue;
        }
        if (strcmp(arg, "--") == 0) {
            i++;
            break;
        }
        const struct cli_option *option = named(options, arg, &value);
        if (!option)
            return unknown(options, argv[0], arg);
        if (option->value && !value && i + 1 < argc)
            value = argv[++i];
        const char *wrong = take(option, value);
        if (wrong) {
            int len = (int)name_len(option);
            cli_say("%s: %s%.*s %s", argv[0], len > 1 ? "--" : "-", len, option->name, wrong);
            return CLI_USAGE_ERROR;
        }
    }
    for (; i < argc; i++)
        argv[++kept] = argv[i];
    return kept;
}

bool cli_private_key(const char *name, struct sm_keys_private *key)
{
    struct sm_keys_why why;
    int err = sm_token_named(name) ? sm_token_open(name, key, &why)
                                   : sm_keys_load_private(name, key, &why);
    if (err)
        cli_say("%s", why.text);
    return err == 0;
}
