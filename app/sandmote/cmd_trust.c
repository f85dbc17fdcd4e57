/* sandmote trust: key sets as files, from the plan to the last signature.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <posix/json_read.h>
#include <posix/keys.h>

#include "cli.h"
#include "trust_plan.h"

struct args {
    const char *after, *out, *key, *old, *new, *issued, *expires;
    bool stop;
    int n;       /* arguments behind the sub-command */
    char **argv; /* from the first of them */
};

enum { DAY_S = 86400 };

/* A set's time of issue becomes the least that its devices believe the time to be. */
static void warn_of_future(const char *name, uint64_t issued_s)
{
    if (issued_s > (uint64_t)time(NULL) + DAY_S)
        cli_say("warning: %s: is issued in the future: for devices that take it, keys expire as if "
                "it were then, and no statement from before counts",
                name);
}

/* ---- Making ---------------------------------------------------------------------------------- */

static bool stamp(const struct args *a, struct sm_keyset_plan *plan, const struct trust_file *after)
{
    plan->issued_s = (uint64_t)time(NULL);
    if (a->issued && !trust_time_read(a->issued, &plan->issued_s)) {
        cli_say("trust: --issued: a time is YYYY-MM-DD or seconds since 1970");
        return false;
    }
    if (a->expires && !trust_time_read(a->expires, &plan->expires_s)) {
        cli_say("trust: --expires: a time is YYYY-MM-DD, never or seconds since 1970");
        return false;
    }
    plan->version = after ? after->set.version + 1 : 1;
    if (after && strcmp(plan->fleet, after->set.fleet) != 0) {
        cli_say("%s: is of fleet %s, the plan of fleet %s", after->path, after->set.fleet,
                plan->fleet);
        return false;
    }
    if (plan->expires_s && plan->expires_s <= plan->issued_s)
        cli_say("warning: the set expires before it is issued");
    for (uint32_t i = 0; i < plan->nkeys; i++)
        if (plan->key[i].expires_s && plan->key[i].expires_s <= plan->issued_s)
            cli_say("warning: a %s's key expires before the set is issued",
                    sm_role_name(plan->key[i].role));
    warn_of_future(a->out, plan->issued_s);
    return true;
}

/* Write the set that a plan describes, without signatures, and show it. */
static int make(const struct args *a, struct sm_keyset_plan *plan, const struct trust_file *after)
{
    struct sm_manifest_detail why = {0};
    uint8_t *bytes = malloc(2 * SM_KEYSET_MAX);
    struct trust_file f;
    int status = CLI_BAD;
    if (!a->out)
        status = cli_usage(&cli_trust, "-o FILE is missing: where the set goes");
    else if (cli_there(a->out))
        cli_say("%s: exists, and a key set is never overwritten", a->out);
    else if (bytes && stamp(a, plan, after)) {
        int len = sm_keyset_make(plan, bytes, 2 * SM_KEYSET_MAX, &why);
        if (len < 0)
            cli_say("trust: no device would take this set: %s",
                    why.rule ? why.rule : sm_strerror(len));
        else if (cli_write(a->out, bytes, (size_t)len) && trust_read(a->out, &f)) {
            trust_print(&f, after);
            free(f.bytes);
            status = CLI_GOOD;
        }
    }
    free(bytes);
    return status;
}

/* What was revoked stays revoked: a plan need not repeat it. */
static void keep_revocations(struct sm_keyset_plan *plan, const struct sm_keyset *before)
{
    struct sm_revocation r;
    for (uint32_t i = 0; sm_keyset_revocation(before, i, &r); i++) {
        plan->revoked[plan->nrevoked].kind = r.kind;
        plan->revoked[plan->nrevoked].stop = r.stop;
        memcpy(plan->revoked[plan->nrevoked++].id, r.id, 32);
    }
}

static int commission(const struct args *a, struct sm_keyset_plan *plan,
                      const struct trust_file *after)
{
    if (after) {
        cli_say("trust: the first set comes after none; `sandmote trust propose` makes the next");
        return CLI_USAGE;
    }
    if (a->n != 1)
        return cli_usage(&cli_trust, "commission takes one plan");
    return trust_plan_read(a->argv[0], plan) ? make(a, plan, NULL) : CLI_BAD;
}

static int propose(const struct args *a, struct sm_keyset_plan *plan,
                   const struct trust_file *after)
{
    if (a->n != 1)
        return cli_usage(&cli_trust, "propose takes one plan");
    if (!trust_plan_read(a->argv[0], plan))
        return CLI_BAD;
    keep_revocations(plan, &after->set);
    return make(a, plan, after);
}

/* Where a plan has a key, as a root or for a role; or NULL. */
static uint8_t *place_of(struct sm_keyset_plan *plan, const uint8_t key[32])
{
    for (uint32_t i = 0; i < plan->nroots; i++)
        if (memcmp(plan->root[i], key, 32) == 0)
            return plan->root[i];
    for (uint32_t i = 0; i < plan->nkeys; i++)
        if (memcmp(plan->key[i].key, key, 32) == 0)
            return plan->key[i].key;
    return NULL;
}

static int rotate(const struct args *a, struct sm_keyset_plan *plan, const struct trust_file *after)
{
    uint8_t old[32], new[32];
    sm_keyset_plan(&after->set, plan);
    if (a->n != 0 || !a->old || !a->new) {
        cli_say("trust: rotate takes --old KEY and --new KEY");
        return CLI_USAGE;
    }
    if (!trust_key_read(a->old, old) || !trust_key_read(a->new, new))
        return CLI_BAD;
    uint8_t *place = place_of(plan, old);
    if (!place) {
        cli_say("%s: is no key of set %u", a->old, after->set.version);
        return CLI_BAD;
    }
    if (place_of(plan, new)) {
        cli_say("%s: is in set %u already", a->new, after->set.version);
        return CLI_BAD;
    }
    memcpy(place, new, 32);
    return make(a, plan, after);
}

/* The key is in the set no more. Roots are replaced and not just taken away: their number is a
 * decision of its own. */
static bool remove_key(struct sm_keyset_plan *plan, const char *name, const uint8_t key[32])
{
    for (uint32_t i = 0; i < plan->nroots; i++) {
        if (memcmp(plan->root[i], key, 32) != 0)
            continue;
        cli_say("%s: is a root; give it a successor with `sandmote trust rotate` or a plan with "
                "`propose`",
                name);
        return false;
    }
    for (uint32_t i = 0; i < plan->nkeys; i++)
        if (memcmp(plan->key[i].key, key, 32) == 0)
            plan->key[i] = plan->key[--plan->nkeys];
    return true;
}

/* "module:HEX" or a .wasm file is a module, anything else a key. */
static bool revoke_one(struct sm_keyset_plan *plan, const char *name, bool stop)
{
    uint8_t id[32], *bytes;
    size_t len, n = strlen(name);
    uint32_t kind = SM_REVOKED_MODULE;
    if (strncmp(name, "module:", 7) == 0) {
        if (n != 7 + 64 || sm_hex_decode(name + 7, id, 32) < 0) {
            cli_say("%s: must be module: and the module's SHA-256 in lower case hex", name);
            return false;
        }
    } else if (n > 5 && strcmp(name + n - 5, ".wasm") == 0) {
        if (!cli_read(name, &bytes, &len))
            return false;
        sm_sha256(bytes, len, id);
        free(bytes);
    } else {
        kind = SM_REVOKED_KEY;
        if (!trust_key_read(name, id) || !remove_key(plan, name, id))
            return false;
    }
    uint32_t i = 0;
    while (i < plan->nrevoked && memcmp(plan->revoked[i].id, id, 32) != 0)
        i++;
    if (i == SM_KEYSET_REVOKED_MAX) {
        cli_say("trust: a set revokes at most %u keys and modules", SM_KEYSET_REVOKED_MAX);
        return false;
    }
    plan->nrevoked += i == plan->nrevoked;
    plan->revoked[i].kind = kind;
    plan->revoked[i].stop |= stop; /* what is stopped stays so, whatever is said of it later */
    memcpy(plan->revoked[i].id, id, 32);
    return true;
}

static int revoke(const struct args *a, struct sm_keyset_plan *plan, const struct trust_file *after)
{
    sm_keyset_plan(&after->set, plan);
    if (a->n == 0) {
        cli_say("trust: revoke takes keys and modules");
        return CLI_USAGE;
    }
    for (int i = 0; i < a->n; i++)
        if (!revoke_one(plan, a->argv[i], a->stop))
            return CLI_BAD;
    return make(a, plan, after);
}

/* ---- Signing and looking --------------------------------------------------------------------- */

static bool is_root(const struct sm_keyset *set, const uint8_t key[32])
{
    for (uint32_t i = 0; i < set->nroots; i++)
        if (memcmp(sm_keyset_root(set, i), key, 32) == 0)
            return true;
    return false;
}

static bool add_signature(const struct sm_keys_private *key, const struct trust_file *f)
{
    size_t size = f->len + 2 * SM_KEYSET_OVERHEAD;
    uint8_t sig[SM_KEYS_SIGNATURE_SIZE], *out = malloc(size);
    struct sm_keys_why why;
    bool good = false;
    int n = out ? sm_keyset_to_sign(f->bytes, f->len, key->public_key, out, size) : SM_ERR_MEMORY;
    if (n < 0)
        cli_say("%s: %s", f->path, sm_strerror(n));
    else if (sm_keys_sign(key, out, (size_t)n, sig, &why) != 0)
        cli_say("%s", why.text);
    else if (sm_ed25519_verify(key->public_key, out, (size_t)n, sig) != 0)
        cli_say("%s: not signed: what the token made does not verify with its public key", f->path);
    else if ((n = sm_keyset_add_signature(f->bytes, f->len, key->public_key, sig, out, size)) < 0)
        cli_say("%s: %s", f->path, sm_strerror(n));
    else
        good = cli_write(f->path, out, (size_t)n);
    free(out);
    return good;
}

static int sign(const struct args *a, const struct trust_file *f, const struct trust_file *after)
{
    struct sm_keys_private key;
    struct trust_file again;
    int status = CLI_BAD;
    if (!a->key) {
        cli_say("trust: sign takes --key, a root's private key");
        return CLI_USAGE;
    }
    if (after &&
        (f->set.version != after->set.version + 1 || strcmp(f->set.fleet, after->set.fleet) != 0)) {
        cli_say("%s: is set %u of fleet %s, and does not come after set %u of fleet %s", f->path,
                f->set.version, f->set.fleet, after->set.version, after->set.fleet);
        return CLI_BAD;
    }
    warn_of_future(f->path, f->set.issued_s);
    if (!cli_private_key(a->key, &key))
        return CLI_BAD;
    if (!is_root(&f->set, key.public_key) && !(after && is_root(&after->set, key.public_key)))
        cli_say("%s: is no root of set %u%s", a->key, f->set.version,
                after ? " or of the one before"
                      : "; if it is one of the set before, name that with --after");
    else if (add_signature(&key, f) && trust_read(f->path, &again)) {
        trust_print_signatures(&again, after);
        free(again.bytes);
        status = CLI_GOOD;
    }
    sm_keys_free(&key);
    return status;
}

static int show(const struct args *a, const struct trust_file *f, const struct trust_file *after)
{
    (void)a;
    trust_print(f, after);
    return CLI_GOOD;
}

static int check(const struct args *a, const struct trust_file *f, const struct trust_file *after)
{
    size_t room = f->len + SM_KEYSET_OVERHEAD;
    void *work = malloc(room);
    struct sm_keyset set;
    struct sm_manifest_detail why = {0};
    (void)a;
    int err = work ? sm_keyset_accept(&set, f->bytes, f->len, after ? &after->set : NULL, work,
                                      room, &why)
                   : SM_ERR_MEMORY;
    free(work);
    if (err) {
        cli_say("%s: no device takes it%s: %s", f->path,
                after ? " that has the one before" : " as its first",
                why.rule ? why.rule : sm_strerror(err));
        return CLI_BAD;
    }
    warn_of_future(f->path, set.issued_s);
    printf("%s: good: key set %u of fleet %s\n", f->path, set.version, set.fleet);
    return CLI_GOOD;
}

/* ---- The command ----------------------------------------------------------------------------- */

static const struct sub {
    const char *name;
    bool needs_after;
    int (*make)(const struct args *, struct sm_keyset_plan *, const struct trust_file *after);
    int (*use)(const struct args *, const struct trust_file *, const struct trust_file *after);
} subs[] = {
    {"commission", false, commission, NULL},
    {"propose", true, propose, NULL},
    {"rotate", true, rotate, NULL},
    {"revoke", true, revoke, NULL},
    {"sign", false, NULL, sign},
    {"show", false, NULL, show},
    {"check", false, NULL, check},
};

/* An option that is said and means nothing here; or NULL. */
static const char *beyond(const struct sub *s, const struct args *a)
{
    const struct {
        const char *option;
        bool said, fits;
    } all[] = {
        {"-o", a->out, s->make},
        {"--issued", a->issued, s->make},
        {"--expires", a->expires, s->make},
        {"--old", a->old, s->make == rotate},
        {"--new", a->new, s->make == rotate},
        {"--stop", a->stop, s->make == revoke},
        {"--key", a->key, s->use == sign},
    };

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (all[i].said && !all[i].fits)
            return all[i].option;
    return NULL;
}

static int run_make(const struct sub *s, const struct args *a, const struct trust_file *after)
{
    struct sm_keyset_plan *plan = calloc(1, sizeof *plan);
    int status = plan ? s->make(a, plan, after) : CLI_BAD;
    free(plan);
    return status;
}

static int run_use(const struct sub *s, const struct args *a, const struct trust_file *after)
{
    struct trust_file f;
    if (a->n != 1)
        return cli_usage(&cli_trust, "%s takes one key set", s->name);
    if (!trust_read(a->argv[0], &f))
        return CLI_BAD;
    int status = s->use(a, &f, after);
    free(f.bytes);
    return status;
}

static int run(const struct args *a, const char *name)
{
    const struct sub *s = NULL;
    struct trust_file after = {.bytes = NULL};
    for (size_t i = 0; i < sizeof subs / sizeof subs[0]; i++)
        if (strcmp(subs[i].name, name) == 0)
            s = &subs[i];
    if (!s)
        return cli_usage(&cli_trust, "there is no `trust %s`", name);
    if (beyond(s, a))
        return cli_usage(&cli_trust, "%s takes no %s", s->name, beyond(s, a));
    if (s->needs_after && !a->after)
        return cli_usage(&cli_trust, "%s takes --after, the key set before", name);
    if (a->after && !trust_read(a->after, &after))
        return CLI_BAD;
    const struct trust_file *before = a->after ? &after : NULL;
    int status = s->make ? run_make(s, a, before) : run_use(s, a, before);
    free(after.bytes);
    return status;
}

static int trust(int argc, char **argv)
{
    struct args a = {0};
    const struct cli_option options[] = {
        {"after", &a.after, NULL},     {"o", &a.out, NULL},     {"key", &a.key, NULL},
        {"old", &a.old, NULL},         {"new", &a.new, NULL},   {"issued", &a.issued, NULL},
        {"expires", &a.expires, NULL}, {"stop", NULL, &a.stop}, {0}};
    int n = cli_options(options, false, argc, argv);
    if (n == CLI_USAGE_ERROR)
        return CLI_USAGE;
    if (n < 1)
        return cli_usage(&cli_trust, "say what to do");
    a.n = n - 1;
    a.argv = argv + 2;
    return run(&a, argv[1]);
}

const struct cli_command cli_trust = {
    .name = "trust",
    .arguments = "commission|propose|rotate|revoke|sign|show|check [OPTION...] FILE...",
    .purpose = "Make, sign and show key sets: whom devices believe",
    .run = trust,
    .details =
        "  commission PLAN.json -o SET         the first set of a fleet\n"
        "  propose --after SET PLAN.json -o NEXT   the next one; what was revoked stays so\n"
        "  rotate --after SET --old KEY --new KEY -o NEXT    one key gives way to another\n"
        "  revoke --after SET [--stop] KEY|MODULE... -o NEXT   a key that is not to sign any "
        "more,\n"
        "                   a module that is not to run: FILE.wasm or module:SHA256; with --stop\n"
        "                   also where it runs already\n"
        "  sign --key KEY [--after SET] NEXT   adds a root's signature, in place; roots do this\n"
        "                   one after the other, each on a machine of their own\n"
        "  show [--after SET] NEXT             what it says and who has signed\n"
        "  check [--after SET] NEXT            whether a device takes it, after SET or as its "
        "first\n"
        "\n"
        "  --expires TIME   YYYY-MM-DD or never; default: as in the plan or in the set before\n"
        "  --issued TIME    default: now\n"
        "\n"
        "The next set needs the signatures of enough roots of the set before and of its own. Keys\n"
        "are PEM files, certificates (X.509), files of 32 bytes, ed25519:HEX, or keys in a token,\n"
        "which `sign` can use too:\n"
        "  'pkcs11:token=fleet;object=root1?module-path=/usr/lib/...so&pin-source=file:PIN'\n"
        "A plan is JSON:\n"
        "  {\"fleet\": \"plant-7\", \"threshold\": 2, \"expires\": \"2030-01-01\",\n"
        "   \"roots\": [\"root1.pub.pem\", \"root2.crt\", \"ed25519:d75a...\"],\n"
        "   \"keys\": [{\"role\": \"signer\", \"key\": \"signer.pub.pem\", \"expires\": "
        "\"2028-01-01\"},\n"
        "            {\"role\": \"vendor\", \"key\": \"vendor.pub.pem\", \"model\": \"BME280\",\n"
        "             \"bus\": \"i2c-1\", \"addresses\": [\"0x76\"], \"capabilities\": "
        "[\"i2c/*\"]}],\n"
        "   \"anchors\": [\"ca.pem\"], \"pins\": [\"server.pem\", \"sha256//...\"]}\n"
        "Roles are signer, vendor, builder, requester and server; anchors and pins are what the\n"
        "fleet's server is known by, old and new side by side while it changes.\n"};
