/* Two sessions joined through memory. */
#ifndef TESTS_SUPPORT_PAIR_H
#define TESTS_SUPPORT_PAIR_H

#include "mesh/session/session.h"

enum { PAIR_INITIATOR, PAIR_RESPONDER };

struct pair_side {
    struct fe_self self;
    struct fe_view services[4];
    struct fe_chain out;
    struct fe_session session;
    bool is_open; /* the session is initialised */
};

struct pair {
    struct fe_rng_seeded seeded;
    struct fe_rng rng;
    struct pair_side sides[2];
};

/* Two nodes with identities; the initiator offers no service, the responder "echo" and "pipe". The
 * same seed makes the same bytes. Nothing is started. */
void pair_init(struct pair *pair, uint64_t seed);
/* The same with two nodes that know nothing of the secure session. */
void pair_init_old(struct pair *pair, uint64_t seed);
void pair_deinit(struct pair *pair);

/* Makes a side anonymous; before pair_start. */
void pair_make_anonymous(struct pair *pair, int side);

/* Starts both sessions. FLATEND_ENOMEM. */
int pair_start(struct pair *pair) FE_MUST_USE;

/* Moves everything that `from` has sent (its record that is being filled included) into the other
 * side, in pieces of `piece` bytes (0: all at once), each in memory of exactly its size, and hands
 * each event to `on_event`. Returns 0, or the other side's fault. */
typedef void (*pair_event_fn)(void *arg, const struct fe_event *event);
int pair_carry(struct pair *pair, int from, size_t piece, pair_event_fn on_event, void *arg,
               struct flatend_error *err) FE_MUST_USE;

/* Starts, and carries until both are open. 0 or the first fault. */
int pair_open(struct pair *pair) FE_MUST_USE;

/* Feeds bytes to a side as they stand; returns as fe_session_next, after the last event. */
int pair_feed(struct pair *pair, int to, struct fe_view bytes, pair_event_fn on_event, void *arg,
              struct flatend_error *err) FE_MUST_USE;

static inline struct fe_sender *pair_sender(struct pair *pair, int side)
{
    return &pair->sides[side].session.sender;
}

#endif
