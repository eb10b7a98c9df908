/* A peer that has the keys and may say anything. The input is a row of plaintexts, each behind two
 * bytes: their sum is its length, the lowest bit of the first says whether the record
 * is cut in two. They are sealed as a real peer would, so that the fuzzer gets behind the
 * encryption; an odd first byte of the input makes the session the initiator. */
#include <stdlib.h>

#include "mesh/session/session.h"

enum { RECORD_MAX = 65536 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct target {
    struct fe_rng_seeded seeded;
    struct fe_rng rng;
    struct fe_self self;
    struct fe_chain out;
    struct fe_session session;
    struct fe_aead *peer;
    uint64_t n_sealed;
    bool is_closed; /* the session found a fault */
};

static void read_all(struct fe_view bytes)
{
    volatile uint8_t sum = 0;

    for (size_t i = 0; i < bytes.len; i++) {
        sum = (uint8_t)(sum + bytes.ptr[i]);
    }
}

static void touch(struct target *target, struct fe_event *event)
{
    struct fe_sender *sender = &target->session.sender;
    struct fe_header header;
    struct fe_view name;
    uint32_t token;

    switch (event->type) {
    case FE_EVENT_HANDSHAKE:
        while (fe_names_next(&event->u.handshake.services, &name)) {
            read_all(name);
        }
        /* So that answers to it can be right: the first is seq 3 (initiator) or 2. */
        (void)!sender->ops->find_node(sender, target->self.id.public_key, &token);
        break;
    case FE_EVENT_REQUEST:
        while (fe_names_next(&event->u.request.services, &name)) {
            read_all(name);
        }
        while (fe_headers_next(&event->u.request.headers, &header)) {
            read_all(header.name);
            read_all(header.value);
        }
        break;
    case FE_EVENT_RESPONSE:
        while (fe_headers_next(&event->u.response.headers, &header)) {
            read_all(header.name);
            read_all(header.value);
        }
        break;
    case FE_EVENT_DATA:
        read_all(event->u.data);
        break;
    case FE_EVENT_FIND_NODE:
        (void)!sender->ops->nodes(sender, event->token, NULL, 0);
        break;
    default:
        break;
    }
    fe_chain_consume(&target->out, SIZE_MAX);
}

static void feed(struct target *target, const uint8_t *bytes, size_t len)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);
    struct fe_event event;
    struct flatend_error err;
    int code;

    if (copy == NULL) {
        abort();
    }
    memcpy(copy, bytes, len);
    fe_session_feed(&target->session, copy, len);
    while ((code = fe_session_next(&target->session, &event, &err)) > 0) {
        touch(target, &event);
    }
    target->is_closed = code < 0;
    free(copy);
}

static void agree(struct target *target)
{
    uint8_t secret[FE_KEY_LEN], public_key[FE_KEY_LEN], shared[FE_KEY_LEN], key[FE_KEY_LEN];

    fe_x25519_keypair(&target->rng, secret, public_key);
    feed(target, public_key, sizeof(public_key));
    if (fe_x25519(secret, target->session.ephemeral_public, shared) != 0) {
        abort();
    }
    fe_hash(fe_view_of(shared, sizeof(shared)), key);
    target->peer = fe_aead_new(key, true);
    if (target->peer == NULL) {
        abort();
    }
}

static void say(struct target *target, struct fe_view plaintext, bool is_cut)
{
    static uint8_t record[4 + RECORD_MAX + FE_AEAD_TAG_LEN];
    uint8_t nonce[FE_AEAD_NONCE_LEN] = {
        [6] = (uint8_t)(target->n_sealed >> 8), [7] = (uint8_t)target->n_sealed};
    size_t len = plaintext.len + FE_AEAD_TAG_LEN;
    size_t first = is_cut ? len / 2 : 4 + len;

    record[0] = (uint8_t)(len >> 24);
    record[1] = (uint8_t)(len >> 16);
    record[2] = (uint8_t)(len >> 8);
    record[3] = (uint8_t)len;
    if (fe_aead_seal(target->peer, nonce, (struct fe_view){0}, &plaintext, 1, record + 4) != 0) {
        abort();
    }
    target->n_sealed++;
    feed(target, record, first);
    if (!target->is_closed && is_cut) {
        feed(target, record + first, 4 + len - first);
    }
}

static void target_init(struct target *target, bool is_initiator)
{
    *target = (struct target){0};
    target->rng = fe_rng_from_seed(&target->seeded, 1);
    fe_chain_init(&target->out, NULL);
    target->self.is_anonymous = true;
    if (fe_session_init(&target->session, is_initiator, &target->self, &target->rng,
                        &target->out) != 0) {
        abort();
    }
    agree(target);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fe_view rest = {data, size < RECORD_MAX ? size : RECORD_MAX};
    struct target target;

    if (size == 0) {
        return 0;
    }
    target_init(&target, data[0] & 1);
    rest = fe_view_skip(rest, 1);
    while (rest.len >= 2 && !target.is_closed) {
        size_t len = (size_t)rest.ptr[0] + rest.ptr[1];
        bool is_cut = rest.ptr[0] & 1;

        rest = fe_view_skip(rest, 2);
        len = len < rest.len ? len : rest.len;
        say(&target, fe_view_of(rest.ptr, len), is_cut);
        rest = fe_view_skip(rest, len);
    }
    fe_aead_free(target.peer);
    fe_session_deinit(&target.session);
    fe_chain_deinit(&target.out);
    return 0;
}
