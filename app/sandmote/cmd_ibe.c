/* sandmote ibe: wildcard encryption on files, with nothing but this tool.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <posix/json_read.h>
#include <posix/system.h>

#include "cli.h"
#include "ibe_files.h"
#include "trust_plan.h"

struct args {
    const char *params, *master, *key, *tree, *out, *identity, *resource, *purpose, *at, *from,
        *until, *slots, *leaves, *seed, *signature;
    bool expired;
    int n;       /* arguments behind the sub-command */
    char **argv; /* from the first of them */
};

/* What every command but revoke needs. */
struct desk {
    const struct args *a;
    struct sm_ibe_params params;
    struct sm_ibe_rng rng;
};

static bool desk_rng(struct desk *d)
{
    uint8_t secret[32];
    bool good = sm_posix_entropy.fill(NULL, secret, sizeof secret) == 0 &&
                sm_ibe_rng_init(&d->rng, &sm_posix_entropy, secret, sizeof secret, 0) == 0;
    sm_wipe(secret, sizeof secret);
    if (!good)
        cli_say("ibe: no random numbers from the system");
    return good;
}

static bool needs(const char *value, const char *what)
{
    if (!value)
        cli_say("ibe: %s is missing", what);
    return value != NULL;
}

/* ---- Patterns from options ------------------------------------------------------------------- */

static bool set_name(struct sm_ibe_pattern *p, const char *option, const char *name,
                     int (*set)(struct sm_ibe_pattern *, const char *, size_t,
                                struct sm_ibe_detail *))
{
    struct sm_ibe_detail d;
    int err = set(p, name, strlen(name), &d);
    if (err == SM_ERR_MALFORMED)
        cli_say("ibe: --%s %s: at byte %u: %s", option, name, d.offset, d.rule);
    else if (err)
        cli_say("ibe: --%s: %s", option, sm_strerror(err));
    return err == 0;
}

static bool set_purpose(struct sm_ibe_pattern *p, const char *purpose)
{
    static const char *const names[] = {"encrypt", "sign", "configure"};
    for (unsigned i = 0; i < 3; i++)
        if (strcmp(purpose, names[i]) == 0)
            return sm_ibe_name_purpose(p, (enum sm_ibe_purpose)(i + 1)) == 0;
    cli_say("ibe: --purpose is encrypt, sign or configure, not %s", purpose);
    return false;
}

/* All but node and time. */
static bool make_pattern(const struct desk *d, struct sm_ibe_pattern *p, const char *purpose)
{
    if (!needs(d->a->identity, "--identity NAME, as in /entity/Loc1/Alice,") ||
        !needs(d->a->resource, "--resource NAME, as in /resources/device01/BME280/temperature,"))
        return false;
    return sm_ibe_pattern_init(p, d->params.slots) == 0 && set_purpose(p, purpose) &&
           set_name(p, "identity", d->a->identity, sm_ibe_name_identity) &&
           set_name(p, "resource", d->a->resource, sm_ibe_name_resource);
}

static bool read_time(const char *option, const char *text, uint64_t *out)
{
    if (trust_time_read(text, out))
        return true;
    cli_say("ibe: --%s: a time is YYYY-MM-DD or seconds since 1970", option);
    return false;
}

/* The hour of --at, or of now, in the slots of time, if there are any. */
static bool set_hour(struct sm_ibe_pattern *p, uint64_t at_s)
{
    struct sm_ibe_time t;
    if (p->slots <= SM_IBE_SLOT_TIME)
        return true;
    if (sm_ibe_time_of(at_s, &t) == 0 && sm_ibe_name_time(p, &t) == 0)
        return true;
    cli_say("ibe: --at: beyond the year 9999");
    return false;
}

static bool at_time(const struct args *a, uint64_t *at_s)
{
    *at_s = (uint64_t)time(NULL);
    return !a->at || read_time("at", a->at, at_s);
}

/* ---- setup ----------------------------------------------------------------------------------- */

/* NAME and an ending. */
static bool file_name(const char *name, const char *ending, char path[CLI_PATH])
{
    if (snprintf(path, CLI_PATH, "%s.%s", name, ending) < CLI_PATH)
        return true;
    cli_say("ibe: the path is too long");
    return false;
}

static bool setup_numbers(const struct args *a, uint64_t *slots, uint64_t *leaves, uint8_t seed[32])
{
    *slots = SM_IBE_PLAN_SLOTS;
    *leaves = 64;
    if (a->slots && (!cli_number(a->slots, 16, slots) || (*slots != 11 && *slots != 16))) {
        cli_say("ibe: --slots: 16, or 11 for patterns without time");
        return false;
    }
    if (a->leaves && !cli_number(a->leaves, SM_IBE_TREE_LEAVES_MAX, leaves))
        *leaves = 3; /* which is refused with what is allowed */
    if ((a->seed ? sm_hex_decode(a->seed, seed, 32) : sm_posix_entropy.fill(NULL, seed, 32)) == 0)
        return true;
    cli_say("ibe: --seed: 64 hex digits");
    return false;
}

static bool setup_write(const struct desk *d, const struct sm_ibe_master *master,
                        const char *params_path, const char *master_path)
{
    uint8_t bytes[SM_IBE_PARAMS_SIZE];
    int n = sm_ibe_master_encode(master, bytes, sizeof bytes);
    bool good = n > 0 && ibe_secret_write(master_path, bytes, (size_t)n);
    n = sm_ibe_params_encode(&d->params, bytes, sizeof bytes);
    return good && n > 0 && cli_write(params_path, bytes, (size_t)n);
}

static int setup(struct desk *d)
{
    char params[CLI_PATH], master[CLI_PATH], tree[CLI_PATH], hex[2 * SM_SHA256_SIZE + 1];
    uint8_t seed[32];
    uint64_t slots, leaves;
    struct sm_ibe_master key;
    struct ibe_tree_file f;
    const char *name = d->a->out;
    if (!needs(name, "-o NAME, for NAME.params, NAME.master and NAME.tree,") ||
        !file_name(name, "params", params) || !file_name(name, "master", master) ||
        !file_name(name, "tree", tree) || !setup_numbers(d->a, &slots, &leaves, seed))
        return CLI_BAD;
    if (cli_there(params) || cli_there(tree)) {
        cli_say("%s: is there already, and is never overwritten",
                cli_there(params) ? params : tree);
        return CLI_BAD;
    }
    if (!ibe_tree_new(&f, tree, (uint32_t)leaves))
        return CLI_BAD;
    int err = sm_ibe_setup(&d->params, &key, (unsigned)slots, seed, &d->rng);
    bool good = err ? ibe_say("ibe", err) : setup_write(d, &key, params, master);
    sm_wipe(&key, sizeof key);
    good = good && ibe_tree_write(&f);
    ibe_tree_free(&f);
    if (!good)
        return CLI_BAD;
    sm_hex_encode(d->params.id, SM_SHA256_SIZE, hex);
    printf("parameters %s (public; %s)\nmaster key %s (keep it secret: it makes every key)\n"
           "principals %s (%u of them at most)\n",
           params, hex, master, tree, (unsigned)leaves);
    return CLI_GOOD;
}

/* ---- keygen ---------------------------------------------------------------------------------- */

/* Where and when the keys of one principal are good: a key for each pair. */
#define TIMES_MAX 64u
struct reach {
    uint32_t node[SM_IBE_TREE_PATH_MAX];
    struct sm_ibe_time time[TIMES_MAX];
    int nnodes, ntimes; /* 0 nodes: no tree */
};

static bool reach_time(const struct args *a, unsigned slots, struct reach *r, uint64_t *until)
{
    uint64_t from = (uint64_t)time(NULL);
    *until = 0;
    r->ntimes = 1;
    r->time[0] = (struct sm_ibe_time){0};
    if (!a->until)
        return !a->from || needs(NULL, "--until TIME, for the end of --from,");
    if ((a->from && !read_time("from", a->from, &from)) || !read_time("until", a->until, until))
        return false;
    if (slots <= SM_IBE_SLOT_TIME) {
        cli_say("ibe: these parameters have no slots for time (setup --slots 16)");
        return false;
    }
    r->ntimes = sm_ibe_time_cover(from, *until, r->time, TIMES_MAX);
    if (r->ntimes <= 0)
        cli_say("ibe: --until: %s",
                r->ntimes == 0 ? "is not after the begin" : "is too far away; up to some years");
    return r->ntimes > 0;
}

/* Bytes of the principal's name: without a star at the end, because delegates share the leaf of
 * whoever delegated to them. 0 after saying why it is none. */
static size_t principal(const char *identity)
{
    size_t len = strlen(identity);
    if (len > 2 && strcmp(identity + len - 2, "/*") == 0)
        len -= 2;
    if (!memchr(identity, '*', len))
        return len;
    cli_say(
        "ibe: --identity %s: a leaf of the tree is one principal's: * may stand at the end only",
        identity);
    return 0;
}

/* The leaf that a principal has or gets, after all whose time has come were revoked: who was
 * admitted until then gets another one. Keys must not seem to last longer than the leaf. -1 after
 * saying why. */
static int leaf_of(const struct args *a, struct ibe_tree_file *f, size_t len, uint64_t until)
{
    sm_ibe_tree_expire(&f->tree, (uint64_t)time(NULL));
    int leaf = sm_ibe_tree_admit(&f->tree, a->identity, len, until);
    if (leaf == SM_ERR_STATE)
        leaf = sm_ibe_tree_find(&f->tree, a->identity, len);
    if (leaf < 0) {
        cli_say("%s: no leaf is left; make new parameters with more --leaves", f->path);
        return -1;
    }
    uint64_t ends = f->tree.leaf[leaf].expires_s;
    if (ends && (until == 0 || until > ends)) {
        cli_say("%s: %.*s was admitted for a shorter time; revoke it first", f->path, (int)len,
                a->identity);
        return -1;
    }
    return leaf;
}

/* A leaf for the principal; kept before any key of it is out. */
static bool reach_tree(const struct args *a, struct reach *r, uint64_t until)
{
    struct ibe_tree_file f;
    size_t len = a->tree ? principal(a->identity) : 0;
    if (!a->tree)
        return true;
    if (len == 0 || !ibe_tree_read(&f, a->tree))
        return false;
    int leaf = leaf_of(a, &f, len, until);
    bool good = leaf >= 0 && ibe_tree_write(&f);
    if (good)
        r->nnodes = sm_ibe_tree_path(&f.tree, (uint32_t)leaf, r->node);
    ibe_tree_free(&f);
    return good;
}

static bool add_keys(struct desk *d, const struct sm_ibe_master *master, struct sm_ibe_pattern *p,
                     bool signs, const struct reach *r, struct ibe_ring *ring)
{
    int nodes = r->nnodes ? r->nnodes : 1, err = 0;
    for (int i = 0; !err && i < nodes * r->ntimes; i++) {
        struct sm_ibe_key *key = ibe_ring_add(ring);
        if (!key)
            return false;
        if (r->nnodes)
            err = sm_ibe_name_node(p, r->node[i % nodes]);
        if (!err && p->slots > SM_IBE_SLOT_TIME)
            err = sm_ibe_name_time(p, &r->time[i / nodes]);
        if (!err)
            err = sm_ibe_keygen(key, &d->params, master, p, signs, &d->rng);
    }
    return err ? ibe_say("ibe", err) : true;
}

/* What would leave a leaf without keys, or keys that nobody can take back. */
static bool may_keygen(const struct args *a, bool signs)
{
    if (signs && a->tree)
        cli_say("ibe: keys that sign are not revoked by the tree; give them an --until");
    else if (cli_there(a->out))
        cli_say("%s: exists, and a key is never overwritten", a->out);
    else
        return true;
    return false;
}

static int keygen(struct desk *d)
{
    const struct args *a = d->a;
    const char *purpose = a->purpose ? a->purpose : "encrypt";
    bool signs = strcmp(purpose, "sign") == 0;
    struct sm_ibe_master master;
    struct sm_ibe_pattern p;
    struct ibe_ring ring = {0};
    struct reach r = {.nnodes = 0};
    uint64_t until;
    if (!needs(a->out, "-o FILE, for the keys,") || !make_pattern(d, &p, purpose) ||
        !reach_time(a, d->params.slots, &r, &until) ||
        !ibe_master_read(a->master, &d->params, &master))
        return CLI_BAD;
    bool good = may_keygen(a, signs) && reach_tree(a, &r, until);
    good = good && add_keys(d, &master, &p, signs, &r, &ring) && ibe_ring_write(a->out, &ring);
    sm_wipe(&master, sizeof master);
    if (good)
        printf("%u key%s %s (secret)\n", ring.n, ring.n == 1 ? "" : "s", a->out);
    ibe_ring_free(&ring);
    return good ? CLI_GOOD : CLI_BAD;
}

/* ---- delegate -------------------------------------------------------------------------------- */

static int delegate(struct desk *d)
{
    const struct args *a = d->a;
    struct ibe_ring from, to = {0};
    int err = 0;
    if (!needs(a->out, "-o FILE, for the keys,") || !ibe_ring_read(a->key, &d->params, &from))
        return CLI_BAD;
    bool good = true;
    for (unsigned i = 0; good && i < from.n; i++) {
        struct sm_ibe_pattern p = from.key[i].pattern;
        struct sm_ibe_key *key = ibe_ring_add(&to);
        good = key &&
               (!a->identity || set_name(&p, "identity", a->identity, sm_ibe_name_identity)) &&
               (!a->resource || set_name(&p, "resource", a->resource, sm_ibe_name_resource));
        if (good)
            err = sm_ibe_delegate(key, &d->params, &from.key[i], &p, from.key[i].signs, &d->rng);
        if (good && err == SM_ERR_DENIED)
            cli_say("%s: does not hold that: only where its names have * may others be put",
                    a->key);
        else if (good && err)
            ibe_say("ibe", err);
        good = good && !err;
    }
    good = good && ibe_ring_write(a->out, &to);
    if (good)
        printf("%u key%s %s (secret)\n", to.n, to.n == 1 ? "" : "s", a->out);
    ibe_ring_free(&from);
    ibe_ring_free(&to);
    return good ? CLI_GOOD : CLI_BAD;
}

/* ---- encrypt: a byte, the header's length, the header, one message ----------------------------
 */

static uint64_t clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* The header to out; its length. With a tree: who has expired is revoked first, and the tree with
 * its new epoch is kept before anything is sent. */
static int write_header(struct desk *d, const struct sm_ibe_pattern *to, struct ibe_tree_file *f,
                        struct sm_ibe_sender *sender, uint8_t *out, size_t size)
{
    if (!f)
        return sm_ibe_sender_open(sender, out, size, &d->params, to, clock_ns(), &d->rng);
    uint32_t *nodes = calloc(f->tree.nleaves, sizeof *nodes);
    if (!nodes)
        return SM_ERR_MEMORY;
    sm_ibe_tree_expire(&f->tree, (uint64_t)time(NULL));
    int n = sm_ibe_sender_open_tree(sender, out, size, &d->params, to, &f->tree, nodes,
                                    f->tree.nleaves, &d->rng);
    free(nodes);
    if (n > 0 && !ibe_tree_write(f))
        return SM_ERR_STATE; /* said already */
    return n;
}

static bool seal_file(struct desk *d, const struct sm_ibe_pattern *to, struct ibe_tree_file *f,
                      const uint8_t *msg, size_t len)
{
    struct sm_ibe_sender sender;
    size_t head =
        SM_IBE_HEADER_SIZE(SM_IBE_SLOTS_MAX, sm_ibe_pattern_wilds(to), f ? f->tree.nleaves : 1);
    size_t size = 5 + head + len + SM_IBE_SEAL_OVERHEAD;
    uint8_t *out = malloc(size);
    int n = out ? write_header(d, to, f, &sender, out + 5, head) : SM_ERR_MEMORY, sealed = 0;
    if (n > 0) {
        out[0] = IBE_FILE_SEALED;
        for (unsigned i = 0; i < 4; i++)
            out[1 + i] = (uint8_t)(n >> (24 - 8 * i));
        sealed = sm_ibe_seal(&sender, out + 5 + n, size - 5 - (size_t)n, NULL, 0, msg, len);
    }
    sm_wipe(&sender, sizeof sender);
    bool good = n > 0 && sealed > 0 && cli_write(d->a->out, out, 5 + (size_t)n + (size_t)sealed);
    if (n == SM_ERR_NOT_FOUND)
        cli_say("%s: everybody is revoked: nobody could read it", d->a->tree);
    else if (n < 0 && n != SM_ERR_STATE)
        ibe_say("ibe", n);
    else if (sealed < 0)
        ibe_say(d->a->argv[0], sealed);
    if (good)
        printf("%s: header %d bytes, message %d bytes\n", d->a->out, n, sealed);
    free(out);
    return good;
}

static int encrypt(struct desk *d)
{
    const struct args *a = d->a;
    struct sm_ibe_pattern to;
    struct ibe_tree_file f;
    uint8_t *msg;
    size_t len;
    uint64_t at;
    if (a->n != 1)
        return cli_usage(&cli_ibe, "encrypt takes one file");
    if (a->purpose && strcmp(a->purpose, "sign") == 0) {
        cli_say("ibe: --purpose sign: keys that sign are not to open anything");
        return CLI_BAD;
    }
    if (!needs(a->out, "-o FILE, for what is sealed,") ||
        !make_pattern(d, &to, a->purpose ? a->purpose : "encrypt") || !at_time(a, &at) ||
        !set_hour(&to, at) || !cli_read(a->argv[0], &msg, &len))
        return CLI_BAD;
    bool good = !a->tree || ibe_tree_read(&f, a->tree);
    if (good) {
        good = seal_file(d, &to, a->tree ? &f : NULL, msg, len);
        if (a->tree)
            ibe_tree_free(&f);
    }
    sm_wipe(msg, len);
    free(msg);
    return good ? CLI_GOOD : CLI_BAD;
}

/* ---- decrypt --------------------------------------------------------------------------------- */

static bool open_header(const struct desk *d, const struct ibe_ring *ring,
                        struct sm_ibe_receiver *r, const uint8_t *header, size_t len)
{
    const struct sm_ibe_key **keys = calloc(ring->n, sizeof *keys);
    int err = keys ? 0 : SM_ERR_MEMORY;
    for (unsigned i = 0; keys && i < ring->n; i++)
        keys[i] = &ring->key[i];
    if (!err)
        err = sm_ibe_receiver_open(r, &d->params, keys, ring->n, header, len);
    free(keys);
    if (err == SM_ERR_DENIED)
        cli_say("%s: no key of %s opens it: it is for another identity, resource or hour, or the "
                "principal was revoked before it was sealed",
                d->a->argv[0], d->a->key);
    else if (err)
        ibe_say(d->a->argv[0], err);
    return err == 0;
}

static bool open_file(const struct desk *d, const struct ibe_ring *ring, const uint8_t *bytes,
                      size_t len)
{
    struct sm_ibe_receiver r = {0};
    if (len < 5 || bytes[0] != IBE_FILE_SEALED)
        return ibe_say(d->a->argv[0], SM_ERR_MALFORMED);
    size_t head =
        (size_t)bytes[1] << 24 | (size_t)bytes[2] << 16 | (size_t)bytes[3] << 8 | bytes[4];
    if (head > len - 5)
        return ibe_say(d->a->argv[0], SM_ERR_MALFORMED);
    if (!open_header(d, ring, &r, bytes + 5, head))
        return false;
    uint8_t *out = malloc(len);
    int n =
        out ? sm_ibe_open(&r, out, len, NULL, 0, bytes + 5 + head, len - 5 - head) : SM_ERR_MEMORY;
    sm_wipe(&r, sizeof r);
    if (n == SM_ERR_SIGNATURE || n == SM_ERR_NOT_FOUND)
        cli_say("%s: was changed after it was sealed", d->a->argv[0]);
    else if (n < 0)
        ibe_say(d->a->argv[0], n);
    bool good = n >= 0 && cli_write(d->a->out, out, (size_t)n);
    if (out)
        sm_wipe(out, len);
    free(out);
    return good;
}

static int decrypt(struct desk *d)
{
    struct ibe_ring ring;
    uint8_t *bytes;
    size_t len;
    if (d->a->n != 1)
        return cli_usage(&cli_ibe, "decrypt takes one file");
    if (!needs(d->a->out, "-o FILE, for what is opened,") ||
        !ibe_ring_read(d->a->key, &d->params, &ring))
        return CLI_BAD;
    bool good = cli_read(d->a->argv[0], &bytes, &len);
    if (good) {
        good = open_file(d, &ring, bytes, len);
        free(bytes);
    }
    ibe_ring_free(&ring);
    return good ? CLI_GOOD : CLI_BAD;
}

/* ---- sign, verify: a byte, the second, the signature ------------------------------------------
 */

#define SIGNATURE_FILE (9u + SM_IBE_SIGNATURE_SIZE)

static bool signature_path(const struct args *a, char path[CLI_PATH])
{
    if (!a->signature)
        return file_name(a->argv[0], "ibe-sig", path);
    return snprintf(path, CLI_PATH, "%s", a->signature) < CLI_PATH;
}

static const struct sm_ibe_key *signer(const struct ibe_ring *ring, const struct sm_ibe_pattern *as)
{
    for (unsigned i = 0; i < ring->n; i++)
        if (ring->key[i].signs && sm_ibe_pattern_match(&ring->key[i].pattern, as))
            return &ring->key[i];
    return NULL;
}

static bool sign_file(struct desk *d, const struct sm_ibe_pattern *as, uint64_t at,
                      const uint8_t *msg, size_t len)
{
    struct ibe_ring ring;
    char path[CLI_PATH];
    uint8_t out[SIGNATURE_FILE] = {IBE_FILE_SIGNATURE};
    if (!signature_path(d->a, path) || !ibe_ring_read(d->a->key, &d->params, &ring))
        return false;
    const struct sm_ibe_key *key = signer(&ring, as);
    int err = key ? sm_ibe_sign(out + 9, &d->params, key, as, msg, len, &d->rng) : SM_ERR_DENIED;
    ibe_ring_free(&ring);
    if (err == SM_ERR_DENIED)
        cli_say("%s: no key for that: it must be made with --purpose sign, and for this identity, "
                "resource and hour",
                d->a->key);
    else if (err)
        ibe_say("ibe", err);
    if (err)
        return false;
    for (unsigned i = 0; i < 8; i++)
        out[1 + i] = (uint8_t)(at >> (56 - 8 * i));
    if (!cli_write(path, out, sizeof out))
        return false;
    printf("signature  %s\n", path);
    return true;
}

static bool verify_file(struct desk *d, struct sm_ibe_pattern *as, const uint8_t *msg, size_t len)
{
    char path[CLI_PATH], when[TRUST_TIME_TEXT];
    uint8_t *sig;
    size_t size;
    uint64_t at = 0;
    if (!signature_path(d->a, path) || !cli_read(path, &sig, &size))
        return false;
    if (size != SIGNATURE_FILE || sig[0] != IBE_FILE_SIGNATURE) {
        free(sig);
        return ibe_say(path, SM_ERR_MALFORMED);
    }
    for (unsigned i = 0; i < 8; i++)
        at = at << 8 | sig[1 + i];
    at -= at % 3600;
    int err =
        set_hour(as, at) ? sm_ibe_verify(&d->params, as, msg, len, sig + 9) : SM_ERR_SIGNATURE;
    free(sig);
    if (err) {
        cli_say("%s: not signed as %s for %s, or changed since", d->a->argv[0], d->a->identity,
                d->a->resource);
        return false;
    }
    trust_time_write(at, when);
    printf("signed as %s for %s", d->a->identity, d->a->resource);
    if (d->params.slots > SM_IBE_SLOT_TIME)
        printf(", by a key for the hour of %s", when);
    printf("\n");
    return true;
}

static int sign_or_verify(struct desk *d, bool sign)
{
    struct sm_ibe_pattern as;
    uint8_t *msg;
    size_t len;
    uint64_t at;
    if (d->a->n != 1)
        return cli_usage(&cli_ibe, "%s takes one file", sign ? "sign" : "verify");
    if (!make_pattern(d, &as, "sign") || !at_time(d->a, &at))
        return CLI_BAD;
    if (sm_ibe_pattern_wilds(&as) > 0) {
        cli_say("ibe: a signature is made as one identity for one resource: no * here");
        return CLI_BAD;
    }
    if (!cli_read(d->a->argv[0], &msg, &len))
        return CLI_BAD;
    bool good =
        sign ? set_hour(&as, at) && sign_file(d, &as, at, msg, len) : verify_file(d, &as, msg, len);
    free(msg);
    return good ? CLI_GOOD : CLI_BAD;
}

static int sign(struct desk *d)
{
    return sign_or_verify(d, true);
}

static int verify(struct desk *d)
{
    return sign_or_verify(d, false);
}

/* ---- revoke ---------------------------------------------------------------------------------- */

static bool revoke_one(struct ibe_tree_file *f, const char *identity)
{
    int leaf = sm_ibe_tree_find(&f->tree, identity, strlen(identity));
    if (leaf >= 0 && sm_ibe_tree_revoke(&f->tree, (uint32_t)leaf) == 0)
        return true;
    cli_say("%s: has no principal %s, or it is revoked already; names are written as in keygen",
            f->path, identity);
    return false;
}

static int revoke(struct desk *d)
{
    const struct args *a = d->a;
    struct ibe_tree_file f;
    unsigned n = (unsigned)a->n;
    bool good = true;
    if (a->n == 0 && !a->expired)
        return cli_usage(&cli_ibe, "say whom to revoke");
    if (!needs(a->tree, "--tree FILE, that `ibe setup` made,") || !ibe_tree_read(&f, a->tree))
        return CLI_BAD;
    for (int i = 0; good && i < a->n; i++)
        good = revoke_one(&f, a->argv[i]);
    if (good && a->expired)
        n += sm_ibe_tree_expire(&f.tree, (uint64_t)time(NULL));
    good = good && ibe_tree_write(&f);
    ibe_tree_free(&f);
    if (good)
        printf("%u revoked; what is encrypted from now on is not for them. What they have read, "
               "or can read already, stays so\n",
               n);
    return good ? CLI_GOOD : CLI_BAD;
}

/* ---- The command ----------------------------------------------------------------------------- */

static const struct sub {
    const char *name;
    int (*run)(struct desk *d);
    bool reads_params;
    int most; /* arguments */
} subs[] = {
    {"setup", setup, false, 0},      {"keygen", keygen, true, 0},
    {"delegate", delegate, true, 0}, {"encrypt", encrypt, true, 1},
    {"decrypt", decrypt, true, 1},   {"sign", sign, true, 1},
    {"verify", verify, true, 1},     {"revoke", revoke, false, CLI_VALUES_MAX},
};

static int run(const struct args *a, const char *name)
{
    static struct desk d;
    d.a = a;
    for (size_t i = 0; i < sizeof subs / sizeof subs[0]; i++) {
        const struct sub *s = &subs[i];
        if (strcmp(s->name, name) != 0)
            continue;
        if (a->n > s->most)
            return cli_usage(&cli_ibe, "%s: too many arguments", name);
        if (!desk_rng(&d) || (s->reads_params && !ibe_params_read(a->params, &d.params)))
            return CLI_BAD;
        int status = s->run(&d);
        sm_wipe(&d.rng, sizeof d.rng);
        return status;
    }
    return cli_usage(&cli_ibe, "unknown: %s", name);
}

static int ibe(int argc, char **argv)
{
    struct args a = {0};
    const struct cli_option options[] = {{"params", &a.params, NULL},
                                         {"master", &a.master, NULL},
                                         {"key", &a.key, NULL},
                                         {"tree", &a.tree, NULL},
                                         {"o", &a.out, NULL},
                                         {"identity", &a.identity, NULL},
                                         {"resource", &a.resource, NULL},
                                         {"purpose", &a.purpose, NULL},
                                         {"at", &a.at, NULL},
                                         {"from", &a.from, NULL},
                                         {"until", &a.until, NULL},
                                         {"slots", &a.slots, NULL},
                                         {"leaves", &a.leaves, NULL},
                                         {"seed", &a.seed, NULL},
                                         {"signature", &a.signature, NULL},
                                         {"expired", NULL, &a.expired},
                                         {0}};
    int n = cli_options(options, false, argc, argv);
    if (n == CLI_USAGE_ERROR)
        return CLI_USAGE;
    if (n < 1)
        return cli_usage(&cli_ibe, "say what to do");
    a.n = n - 1;
    a.argv = argv + 2;
    return run(&a, argv[1]);
}

const struct cli_command cli_ibe = {
    .name = "ibe",
    .arguments = "setup|keygen|delegate|encrypt|decrypt|sign|verify|revoke [OPTION...] [FILE...]",
    .purpose = "Encrypt to everyone whom a pattern of names matches",
    .run = ibe,
    .details =
        "  setup [--slots 16|11] [--leaves 64] -o NAME    parameters, master key, principals' "
        "tree\n"
        "  keygen --params P --master M --identity I --resource R [--purpose encrypt|sign|\n"
        "         configure] [--tree T] [--from TIME] [--until TIME] -o KEYS\n"
        "  delegate --params P --key KEYS [--identity I] [--resource R] -o KEYS\n"
        "  encrypt --params P --identity I --resource R [--purpose encrypt|configure] [--tree T]\n"
        "         [--at TIME] FILE -o SEALED\n"
        "  decrypt --params P --key KEYS SEALED -o FILE\n"
        "  sign --params P --key KEYS --identity I --resource R [--signature SIG] FILE\n"
        "  verify --params P --identity I --resource R [--signature SIG] FILE\n"
        "  revoke --tree T [--expired] [IDENTITY...]\n"
        "\n"
        "An identity is /entity/LOCATION/REQUESTER/DELEGATE, a resource\n"
        "/resources/DEVICE/SENSOR/CAPABILITY; both may end earlier. * for a component is anything\n"
        "there, and at the end also everything after it. A key opens what is encrypted to the\n"
        "names that match its own, * on either side. Whoever has a key with * may delegate: put\n"
        "names in place of *, without the master key.\n"
        "\n"
        "Keys with --until open nothing that is encrypted for an hour after it; TIME is "
        "YYYY-MM-DD\n"
        "or seconds since 1970, UTC. Keys made with --tree are those of one principal, and open\n"
        "what is encrypted with --tree until `revoke` (of the name without the star at its end);\n"
        "the tree is the encrypting side's, as the master key is.\n"
        "\n"
        "A signature says that somebody with a key for the identity and the resource made it, and\n"
        "not who.\n",
};
