/* Sessions: headers that give a key to everyone who may have it, and messages under that key.
 * Owns nothing.
 *
 * The seed of a session is drawn for its header, wrapped for each node of the cover (kem.c), and
 * forgotten. Its context is the hash of the header up to the ciphertexts: version, parameters,
 * epoch, pattern, size of the cover. A ciphertext opens with its own context alone, the key follows
 * from seed and context, and both are associated data of every message. Other nodes' ciphertexts
 * are not in it, so whoever spoils them does not harm those who do not need them.
 *
 * A key has one sender, which counts its messages; the count is the nonce, and no interface sets
 * it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <sandmote/wkdibe_session.h>
#include <string.h>
#include "ibe.h"
#include "session.h"

#define HEAD         41u /* version, parameters, epoch */
#define NODE         4u
#define MESSAGE_HEAD (1u + SM_IBE_SESSION_ID + 8u)
#define SEQUENCE_END (1ull << 32)
#define WINDOW       64u

/* ---- Both sides ------------------------------------------------------------------------------ */

int sm_wkdibe_session_make(struct sm_ibe_session *s, const struct ibe_seed *seed)
{
    static const char info[] = "SANDMOTE-IBE-V1-SESSION";
    uint8_t both[SM_IBE_SESSION_ID + SM_AEAD_KEY_SIZE];
    int err = sm_hkdf(both, sizeof both, seed->bytes, IBE_SEED_SIZE, seed->context, SM_SHA256_SIZE,
                      info, sizeof info - 1);
    memcpy(s->id, both, SM_IBE_SESSION_ID);
    memcpy(s->key, both + SM_IBE_SESSION_ID, SM_AEAD_KEY_SIZE);
    memcpy(s->context, seed->context, SM_SHA256_SIZE);
    sm_wipe(both, sizeof both);
    sm_wkdibe_burn();
    return err;
}

/* What a message is bound to: the header, the message's own head, and a hash of what the caller
 * adds. */
struct bound {
    uint8_t context[SM_SHA256_SIZE], head[MESSAGE_HEAD], aad[SM_SHA256_SIZE];
};

static void bind(struct bound *b, const struct sm_ibe_session *s, uint64_t sequence,
                 const void *aad, size_t aad_len)
{
    memcpy(b->context, s->context, SM_SHA256_SIZE);
    b->head[0] = IBE_MESSAGE;
    memcpy(b->head + 1, s->id, SM_IBE_SESSION_ID);
    ibe_put64(b->head + 1 + SM_IBE_SESSION_ID, sequence);
    sm_sha256(aad, aad_len, b->aad);
}

static void nonce_of(uint8_t nonce[SM_AEAD_NONCE_SIZE], uint64_t sequence)
{
    memset(nonce, 0, SM_AEAD_NONCE_SIZE);
    ibe_put64(nonce + SM_AEAD_NONCE_SIZE - 8, sequence);
}

/* The pattern of a header's ciphertext for a node; 0 stands for no tree. */
static int target_of(struct sm_ibe_target *target, const struct sm_ibe_params *params,
                     const struct sm_ibe_pattern *pattern, uint32_t node)
{
    struct sm_ibe_pattern to = *pattern;
    int err = node ? sm_ibe_name_node(&to, node) : 0;
    return err ? err : sm_ibe_target_init(target, params, &to);
}

/* ---- Sending --------------------------------------------------------------------------------- */

/* A header under way. */
struct writer {
    uint8_t *out;
    size_t size, at;
    const struct sm_ibe_params *params;
    const struct sm_ibe_pattern *pattern;
    struct ibe_seed seed;
};

static int write_head(struct writer *w, uint64_t epoch, unsigned nnodes)
{
    if (w->size < HEAD)
        return SM_ERR_MEMORY;
    w->out[0] = IBE_HEADER;
    memcpy(w->out + 1, w->params->id, SM_SHA256_SIZE);
    ibe_put64(w->out + 33, epoch);
    int n = sm_ibe_pattern_encode(w->pattern, w->out + HEAD, w->size - HEAD);
    if (n < 0)
        return n;
    w->at = HEAD + (size_t)n;
    if (w->size - w->at < NODE)
        return SM_ERR_MEMORY;
    ibe_put32(w->out + w->at, nnodes);
    w->at += NODE;
    sm_sha256(w->out, w->at, w->seed.context);
    return 0;
}

/* The first target costs a point of the whole pattern; from one node to the next only that slot
 * changes. */
static int write_node(struct writer *w, struct sm_ibe_target *target, uint32_t node, bool first)
{
    int err = 0;
    if (first) {
        err = target_of(target, w->params, w->pattern, node);
    } else {
        struct sm_ibe_pattern to = *w->pattern;
        err = sm_ibe_name_node(&to, node);
        if (!err)
            err = sm_ibe_target_adjust(target, w->params, SM_IBE_SLOT_NODE, &to);
    }
    if (err)
        return err;
    if (node) {
        if (w->size - w->at < NODE)
            return SM_ERR_MEMORY;
        ibe_put32(w->out + w->at, node);
        w->at += NODE;
    }
    int n = sm_wkdibe_wrap(w->out + w->at, w->size - w->at, w->params, target, &w->seed);
    if (n < 0)
        return n;
    w->at += (size_t)n;
    return 0;
}

static int open_session(struct sm_ibe_sender *sender, struct writer *w, uint64_t epoch,
                        const uint32_t *nodes, unsigned nnodes, struct sm_ibe_rng *rng)
{
    struct sm_ibe_target target;
    int err = w->pattern->slots == w->params->slots ? 0 : SM_ERR_ARG;
    memset(sender, 0, sizeof *sender);
    if (!err)
        err = write_head(w, epoch, nnodes);
    if (!err)
        err = sm_wkdibe_random_bytes(w->seed.bytes, rng, "session", w->pattern);
    if (!err && nnodes == 0)
        err = write_node(w, &target, 0, true);
    for (unsigned i = 0; !err && i < nnodes; i++)
        err = write_node(w, &target, nodes[i], i == 0);
    if (!err) {
        sender->epoch = epoch;
        err = sm_wkdibe_session_make(&sender->session, &w->seed);
    }
    sm_wipe(&w->seed, sizeof w->seed);
    if (err)
        sm_wipe(sender, sizeof *sender);
    return err ? err : (int)w->at;
}

int sm_ibe_sender_open(struct sm_ibe_sender *sender, uint8_t *header, size_t size,
                       const struct sm_ibe_params *params, const struct sm_ibe_pattern *pattern,
                       uint64_t epoch, struct sm_ibe_rng *rng)
{
    struct writer w = {.out = header, .size = size, .params = params, .pattern = pattern};
    return open_session(sender, &w, epoch, NULL, 0, rng);
}

int sm_ibe_sender_open_tree(struct sm_ibe_sender *sender, uint8_t *header, size_t size,
                            const struct sm_ibe_params *params,
                            const struct sm_ibe_pattern *pattern, struct sm_ibe_tree *tree,
                            uint32_t *nodes, unsigned max_nodes, struct sm_ibe_rng *rng)
{
    struct writer w = {.out = header, .size = size, .params = params, .pattern = pattern};
    if (pattern->slots <= SM_IBE_SLOT_NODE ||
        sm_ibe_pattern_kind(pattern, SM_IBE_SLOT_NODE) != SM_IBE_NULL)
        return SM_ERR_ARG;
    int n = sm_ibe_tree_cover(tree, nodes, max_nodes);
    if (n <= 0)
        return n ? n : SM_ERR_NOT_FOUND;
    tree->epoch++; /* also when it fails below: an epoch is never tried twice */
    int len = open_session(sender, &w, tree->epoch, nodes, (unsigned)n, rng);
    if (len < 0)
        return len;
    tree->stale = false;
    sender->tree = tree;
    return len;
}

int sm_ibe_seal(struct sm_ibe_sender *sender, uint8_t *out, size_t size, const void *aad,
                size_t aad_len, const void *msg, size_t len)
{
    struct bound b;
    uint8_t nonce[SM_AEAD_NONCE_SIZE];
    if (sender->tree && (sender->tree->stale || sender->tree->epoch != sender->epoch))
        return SM_ERR_STATE;
    if (sender->sequence >= SEQUENCE_END || len > INT32_MAX - SM_IBE_SEAL_OVERHEAD)
        return SM_ERR_LIMIT;
    if (size < len + SM_IBE_SEAL_OVERHEAD)
        return SM_ERR_MEMORY;
    bind(&b, &sender->session, sender->sequence, aad, aad_len);
    nonce_of(nonce, sender->sequence);
    sender->sequence++; /* before it is used: a failure costs a number, not a nonce */
    memcpy(out, b.head, MESSAGE_HEAD);
    int err = sm_aead_seal(out + MESSAGE_HEAD, sender->session.key, nonce, &b, sizeof b, msg, len);
    return err ? err : (int)(len + SM_IBE_SEAL_OVERHEAD);
}

/* ---- Headers --------------------------------------------------------------------------------- */

/* A header taken apart. */
struct header {
    struct sm_ibe_pattern pattern;
    uint64_t epoch;
    uint32_t nnodes; /* 0: no tree */
    uint8_t context[SM_SHA256_SIZE];
    const uint8_t *first;
    size_t each; /* bytes of a node's part, its number included */
};

/* Nodes ascend, so none comes twice. */
static bool nodes_in_order(const struct header *h)
{
    const uint8_t *at = h->first;
    for (uint32_t i = 0, last = 0; i < h->nnodes; i++, at += h->each) {
        uint32_t node = ibe_get32(at);
        if (node <= last || node >= 2 * SM_IBE_TREE_LEAVES_MAX)
            return false;
        last = node;
    }
    return true;
}

static int read_header(struct header *h, const uint8_t *bytes, size_t len)
{
    if (len == 0)
        return SM_ERR_MALFORMED;
    if (bytes[0] != IBE_HEADER)
        return SM_ERR_UNSUPPORTED;
    if (len < HEAD)
        return SM_ERR_MALFORMED;
    h->epoch = ibe_get64(bytes + 33);
    int n = sm_ibe_pattern_decode(&h->pattern, bytes + HEAD, len - HEAD);
    if (n < 0)
        return n;
    size_t at = HEAD + (size_t)n;
    if (len - at < NODE)
        return SM_ERR_MALFORMED;
    h->nnodes = ibe_get32(bytes + at);
    at += NODE;
    sm_sha256(bytes, at, h->context);
    h->first = bytes + at;
    h->each = SM_IBE_CIPHERTEXT(sm_ibe_pattern_wilds(&h->pattern)) + IBE_SEED_SIZE +
              (h->nnodes ? NODE : 0);
    if (h->nnodes > SM_IBE_TREE_LEAVES_MAX || len - at != h->each * (h->nnodes ? h->nnodes : 1))
        return SM_ERR_MALFORMED;
    if (h->nnodes && (h->pattern.slots <= SM_IBE_SLOT_NODE ||
                      h->pattern.kind[SM_IBE_SLOT_NODE] != SM_IBE_NULL || !nodes_in_order(h)))
        return SM_ERR_INVALID;
    return 0;
}

int sm_ibe_header_read(const uint8_t *header, size_t len, struct sm_ibe_pattern *pattern,
                       uint64_t *epoch)
{
    struct header h;
    int err = read_header(&h, header, len);
    if (err)
        return err;
    *pattern = h.pattern;
    *epoch = h.epoch;
    return 0;
}

/* ---- Receiving ------------------------------------------------------------------------------- */

/* The key and the node's part that fit each other: *target for that node, and the part. */
static const struct sm_ibe_key *find(const struct header *h, const struct sm_ibe_params *params,
                                     const struct sm_ibe_key *const *keys, unsigned nkeys,
                                     const uint8_t **part, uint32_t *node)
{
    for (uint32_t i = 0; i < (h->nnodes ? h->nnodes : 1); i++) {
        struct sm_ibe_pattern to = h->pattern;
        *part = h->first + i * h->each;
        *node = h->nnodes ? ibe_get32(*part) : 0;
        if (h->nnodes && sm_ibe_name_node(&to, *node) != 0)
            return NULL;
        for (unsigned k = 0; k < nkeys; k++)
            if (memcmp(keys[k]->params_id, params->id, SM_SHA256_SIZE) == 0 &&
                sm_ibe_pattern_match(&keys[k]->pattern, &to))
                return keys[k];
    }
    return NULL;
}

/* The seed of a header, wholly checked. */
static int take_seed(struct ibe_seed *seed, const struct header *h,
                     const struct sm_ibe_params *params, const struct sm_ibe_key *const *keys,
                     unsigned nkeys)
{
    const uint8_t *part;
    uint32_t node;
    uint8_t good = 0;
    struct sm_ibe_target target;
    const struct sm_ibe_key *key = find(h, params, keys, nkeys, &part, &node);
    if (!key)
        return SM_ERR_DENIED;
    memcpy(seed->context, h->context, SM_SHA256_SIZE);
    int err = target_of(&target, params, &h->pattern, node);
    if (!err)
        err = sm_wkdibe_unwrap(seed, &good, params, key, &target, part + (node ? NODE : 0),
                               h->each - (node ? NODE : 0));
    if (!err && !good)
        err = SM_ERR_INVALID;
    return err;
}

int sm_wkdibe_receiver_expects(const struct sm_ibe_receiver *receiver, uint64_t epoch,
                               const uint8_t header_hash[SM_SHA256_SIZE])
{
    const struct sm_ibe_received *newest = &receiver->received[0];
    if (newest->open && memcmp(newest->header_hash, header_hash, SM_SHA256_SIZE) == 0)
        return 0; /* kept publications come again and again; the window stays as it is */
    return epoch > receiver->epoch ? 1 : SM_ERR_ROLLBACK;
}

int sm_wkdibe_receiver_take(struct sm_ibe_receiver *receiver, uint64_t epoch,
                            const uint8_t header_hash[SM_SHA256_SIZE], const struct ibe_seed *seed)
{
    struct sm_ibe_received new = {.open = true};
    memcpy(new.header_hash, header_hash, SM_SHA256_SIZE);
    int err = sm_wkdibe_session_make(&new.session, seed);
    if (!err) {
        receiver->received[1] = receiver->received[0];
        receiver->received[0] = new;
        receiver->epoch = epoch;
    }
    sm_wipe(&new, sizeof new);
    return err;
}

int sm_ibe_receiver_open(struct sm_ibe_receiver *receiver, const struct sm_ibe_params *params,
                         const struct sm_ibe_key *const *keys, unsigned nkeys,
                         const uint8_t *header, size_t len)
{
    uint8_t hash[SM_SHA256_SIZE];
    struct header h;
    struct ibe_seed seed;
    int err = read_header(&h, header, len);
    if (err)
        return err;
    if (memcmp(header + 1, params->id, SM_SHA256_SIZE) != 0)
        return SM_ERR_KEY;
    if (h.pattern.slots != params->slots)
        return SM_ERR_INVALID;
    sm_sha256(header, len, hash);
    int expected = sm_wkdibe_receiver_expects(receiver, h.epoch, hash);
    if (expected <= 0)
        return expected;
    err = take_seed(&seed, &h, params, keys, nkeys);
    if (!err)
        err = sm_wkdibe_receiver_take(receiver, h.epoch, hash, &seed);
    sm_wipe(&seed, sizeof seed);
    return err;
}

/* Whether a number is new to the window. */
static bool is_new(const struct sm_ibe_received *s, uint64_t sequence)
{
    if (sequence >= s->next)
        return true;
    uint64_t back = s->next - 1 - sequence;
    return back < WINDOW && !(s->seen >> back & 1);
}

static void note(struct sm_ibe_received *s, uint64_t sequence)
{
    if (sequence >= s->next) {
        uint64_t ahead = sequence + 1 - s->next;
        s->seen = ahead < WINDOW ? s->seen << ahead : 0;
        s->next = sequence + 1;
    }
    s->seen |= 1ull << (s->next - 1 - sequence);
}

int sm_ibe_open(struct sm_ibe_receiver *receiver, uint8_t *out, size_t size, const void *aad,
                size_t aad_len, const uint8_t *message, size_t len)
{
    struct sm_ibe_received *s = NULL;
    struct bound b;
    uint8_t nonce[SM_AEAD_NONCE_SIZE];
    if (len < SM_IBE_SEAL_OVERHEAD || len > INT32_MAX || message[0] != IBE_MESSAGE)
        return SM_ERR_MALFORMED;
    for (unsigned i = 0; i < 2 && !s; i++)
        if (receiver->received[i].open &&
            memcmp(message + 1, receiver->received[i].session.id, SM_IBE_SESSION_ID) == 0)
            s = &receiver->received[i];
    if (!s)
        return SM_ERR_NOT_FOUND;
    uint64_t sequence = ibe_get64(message + 1 + SM_IBE_SESSION_ID);
    if (sequence >= SEQUENCE_END)
        return SM_ERR_MALFORMED;
    if (!is_new(s, sequence))
        return SM_ERR_ROLLBACK;
    if (size < len - SM_IBE_SEAL_OVERHEAD)
        return SM_ERR_MEMORY;
    bind(&b, &s->session, sequence, aad, aad_len);
    nonce_of(nonce, sequence);
    int err = sm_aead_open(out, s->session.key, nonce, &b, sizeof b, message + MESSAGE_HEAD,
                           len - MESSAGE_HEAD);
    if (err)
        return err;
    note(s, sequence); /* only now: a forged number must not move the window */
    return (int)(len - SM_IBE_SEAL_OVERHEAD);
}
