/* A peer that has the keys of a secure session and may say anything. The input is a row of
 * plaintexts, each behind two bytes: their sum is its length, the lowest bit of the first says
 * whether the record is cut in two. An odd first byte of the input makes the session the initiator;
 * with its second bit set the first plaintext is the answer to its Handshake, else the hands are
 * shaken already. */
#include <stdlib.h>

#include "mesh/session/session.h"

enum { PLAINTEXT_MAX = 65536, IS_INITIATOR = 1, IS_UNANSWERED = 2 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct side {
    struct fe_self self;
    struct fe_chain out;
    struct fe_session session;
};

struct target {
    struct fe_rng_seeded seeded;
    struct fe_rng rng;
    struct side sides[2]; /* the one that is tried, and a peer to shake hands with */
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

static void read_names(struct fe_names names)
{
    struct fe_view name;

    while (fe_names_next(&names, &name)) {
        read_all(name);
    }
}

static void read_headers(struct fe_headers headers)
{
    struct fe_header header;

    while (fe_headers_next(&headers, &header)) {
        read_all(header.name);
        read_all(header.value);
    }
}

static void read_offers(struct fe_offers offers)
{
    struct fe_offer offer;

    while (fe_offers_next(&offers, &offer)) {
        read_all(offer.name);
    }
}

static void answer(struct fe_sender *sender, uint32_t stream)
{
    const struct fe_header header = {FE_VIEW_LIT("a"), FE_VIEW_LIT("b")};

    if (sender->ops->response(sender, stream, true, &header, 1) != 0 ||
        sender->ops->data(sender, stream, FE_VIEW_LIT("body")) != 0 ||
        sender->ops->end(sender, stream, NULL, 0) != 0) {
        abort();
    }
}

static void touch(struct target *target, const struct fe_event *event)
{
    struct fe_sender *sender = &target->sides[0].session.sender;

    switch (event->type) {
    case FE_EVENT_HANDSHAKE:
        read_names(event->u.handshake.services);
        break;
    case FE_EVENT_REQUEST:
        read_names(event->u.request.services);
        read_headers(event->u.request.headers);
        answer(sender, event->stream);
        break;
    case FE_EVENT_RESPONSE:
        read_headers(event->u.response.headers);
        break;
    case FE_EVENT_DATA:
        read_all(event->u.data);
        break;
    case FE_EVENT_END:
        read_headers(event->u.trailers);
        break;
    case FE_EVENT_RESET:
        read_all(event->u.reset.text);
        break;
    case FE_EVENT_GOAWAY:
        read_all(event->u.goaway.text);
        break;
    case FE_EVENT_SERVICES:
        read_offers(event->u.offers);
        break;
    case FE_EVENT_FIND_NODE:
        if (sender->ops->nodes(sender, event->token, NULL, 0) != 0) {
            abort();
        }
        break;
    case FE_EVENT_KIND:
    case FE_EVENT_NODES:
    case FE_EVENT_WINDOW:
    case FE_EVENT_PONG:
        break;
    }
}

static void feed(struct target *target, const uint8_t *bytes, size_t len)
{
    struct fe_session *session = &target->sides[0].session;
    uint8_t *copy = malloc(len > 0 ? len : 1);
    struct flatend_error err;
    struct fe_event event;
    int code;

    if (copy == NULL) {
        abort();
    }
    memcpy(copy, bytes, len);
    fe_session_feed(session, copy, len);
    while ((code = fe_session_next(session, &event, &err)) > 0) {
        touch(target, &event);
    }
    target->is_closed = code < 0;
    free(copy);
    if (fe_session_flush(session) != 0) {
        abort();
    }
    fe_chain_consume(&target->sides[0].out, SIZE_MAX);
}

/* One record under the key that the session opens with. */
static void say(struct target *target, struct fe_view plaintext, bool is_cut)
{
    static uint8_t record[4 + PLAINTEXT_MAX + FE_AEAD_TAG_LEN];
    const uint8_t nonce[FE_AEAD_NONCE_LEN] = {
        [6] = (uint8_t)(target->n_sealed >> 8), [7] = (uint8_t)target->n_sealed};
    size_t len = plaintext.len + FE_AEAD_TAG_LEN;
    size_t first = is_cut ? len / 2 : 4 + len;

    record[0] = (uint8_t)(len >> 24);
    record[1] = (uint8_t)(len >> 16);
    record[2] = (uint8_t)(len >> 8);
    record[3] = (uint8_t)len;
    if (fe_aead_seal(target->peer, nonce, fe_view_of(record, 4), &plaintext, 1, record + 4) != 0) {
        abort();
    }
    target->n_sealed++;
    feed(target, record, first);
    if (!target->is_closed && is_cut) {
        feed(target, record + first, 4 + len - first);
    }
}

static void side_init(struct target *target, struct side *side, bool is_initiator)
{
    fe_chain_init(&side->out, NULL);
    side->self.is_anonymous = true;
    if (fe_session_init(&side->session, is_initiator, &side->self, &target->rng, &side->out) != 0) {
        abort();
    }
}

/* Carries what one side has sent to the other. */
static void carry(struct target *target, int from)
{
    uint8_t bytes[4096];
    struct side *to = &target->sides[1 - from];
    struct fe_event event;
    struct flatend_error err;
    size_t n = fe_chain_read(&target->sides[from].out, bytes, sizeof(bytes));
    int code;

    fe_session_feed(&to->session, bytes, n);
    while ((code = fe_session_next(&to->session, &event, &err)) > 0) {
    }
    if (code < 0) {
        abort();
    }
}

static void shake(struct target *target, bool is_initiator, bool is_unanswered)
{
    struct fe_session *session = &target->sides[0].session;
    int initiator = is_initiator ? 0 : 1;
    uint32_t token;

    carry(target, initiator);     /* its key */
    carry(target, 1 - initiator); /* the other's */
    if (!(is_initiator && is_unanswered)) {
        carry(target, initiator);
        carry(target, 1 - initiator);
        /* So that an answer to it can be right. */
        if (session->sender.ops->find_node(&session->sender, session->ephemeral_public, &token) !=
            0) {
            abort();
        }
    }
    fe_chain_consume(&target->sides[0].out, SIZE_MAX);
    target->n_sealed = session->received;
    target->peer = fe_aead_new(session->open_key, true);
    if (target->peer == NULL) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fe_view rest = {data, size < PLAINTEXT_MAX ? size : PLAINTEXT_MAX};
    struct target target = {.n_sealed = 0};

    if (size == 0) {
        return 0;
    }
    target.rng = fe_rng_from_seed(&target.seeded, 1);
    side_init(&target, &target.sides[0], (data[0] & IS_INITIATOR) != 0);
    side_init(&target, &target.sides[1], (data[0] & IS_INITIATOR) == 0);
    shake(&target, (data[0] & IS_INITIATOR) != 0, (data[0] & IS_UNANSWERED) != 0);
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
    for (int i = 0; i < 2; i++) {
        fe_session_deinit(&target.sides[i].session);
        fe_chain_deinit(&target.sides[i].out);
    }
    return 0;
}
