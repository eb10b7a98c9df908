#include "support/pair.h"

#include <stdlib.h>

static void init_side(struct pair *pair, struct pair_side *side, uint16_t port)
{
    struct fe_self *self = &side->self;

    fe_chain_init(&side->out, NULL);
    fe_ed25519_keypair(&pair->rng, &self->secret);
    memcpy(self->id.public_key, fe_ed25519_public(&self->secret), FE_KEY_LEN);
    self->id.addr = (struct fe_ip_addr){.family = FE_IPV4, .ip = {127, 0, 0, 1}, .port = port};
    self->services = side->services;
}

void pair_init(struct pair *pair, uint64_t seed)
{
    struct pair_side *responder = &pair->sides[PAIR_RESPONDER];

    *pair = (struct pair){0};
    pair->rng = fe_rng_from_seed(&pair->seeded, seed);
    init_side(pair, &pair->sides[PAIR_INITIATOR], 9000);
    init_side(pair, responder, 9001);
    responder->services[0] = FE_VIEW_LIT("echo");
    responder->services[1] = FE_VIEW_LIT("pipe");
    responder->self.n_services = 2;
}

void pair_init_old(struct pair *pair, uint64_t seed)
{
    pair_init(pair, seed);
    pair->sides[PAIR_INITIATOR].self.is_old_only = true;
    pair->sides[PAIR_RESPONDER].self.is_old_only = true;
}

void pair_deinit(struct pair *pair)
{
    for (int i = 0; i < 2; i++) {
        if (pair->sides[i].is_open) {
            fe_session_deinit(&pair->sides[i].session);
        }
        fe_chain_deinit(&pair->sides[i].out);
    }
}

void pair_make_anonymous(struct pair *pair, int side)
{
    pair->sides[side].self.is_anonymous = true;
}

int pair_start(struct pair *pair)
{
    for (int i = 0; i < 2; i++) {
        struct pair_side *side = &pair->sides[i];
        int code = fe_session_init(&side->session, i == PAIR_INITIATOR, &side->self, &pair->rng,
                                   &side->out);

        if (code != 0) {
            return code;
        }
        side->is_open = true;
    }
    return 0;
}

/* Each piece lies in memory of its own, so that reading beyond it is seen by ASan. */
int pair_feed(struct pair *pair, int to, struct fe_view bytes, pair_event_fn on_event, void *arg,
              struct flatend_error *err)
{
    struct fe_session *session = &pair->sides[to].session;
    struct fe_event event;
    uint8_t *copy = malloc(bytes.len > 0 ? bytes.len : 1);
    int code;

    if (copy == NULL) {
        return FLATEND_ENOMEM;
    }
    if (bytes.len > 0) {
        memcpy(copy, bytes.ptr, bytes.len);
    }
    fe_session_feed(session, copy, bytes.len);
    while ((code = fe_session_next(session, &event, err)) > 0) {
        if (on_event != NULL) {
            on_event(arg, &event);
        }
    }
    free(copy);
    return code;
}

int pair_carry(struct pair *pair, int from, size_t piece, pair_event_fn on_event, void *arg,
               struct flatend_error *err)
{
    struct fe_chain *out = &pair->sides[from].out;
    int flushed = fe_session_flush(&pair->sides[from].session);

    if (flushed != 0) {
        return flushed;
    }
    while (out->len > 0) {
        struct fe_view front = fe_chain_front(out);
        size_t n = piece != 0 && piece < front.len ? piece : front.len;
        int code = pair_feed(pair, 1 - from, fe_view_of(front.ptr, n), on_event, arg, err);

        if (code != 0) {
            return code;
        }
        fe_chain_consume(out, n);
    }
    return 0;
}

int pair_open(struct pair *pair)
{
    struct flatend_error err;
    int code = pair_start(pair);

    while (code == 0 && (pair->sides[0].out.len > 0 || pair->sides[1].out.len > 0)) {
        code = pair_carry(pair, PAIR_INITIATOR, 0, NULL, NULL, &err);
        if (code == 0) {
            code = pair_carry(pair, PAIR_RESPONDER, 0, NULL, NULL, &err);
        }
    }
    return code;
}
