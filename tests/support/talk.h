/* A conversation of two sessions that has everything in it: Handshakes, FindNode both ways, a
 * request with a body, a response with a body; in the secure dialect also what the old one has not:
 * windows, trailers, RESET, SERVICES, pings, GOAWAY. */
#ifndef TESTS_SUPPORT_TALK_H
#define TESTS_SUPPORT_TALK_H

#include "support/pair.h"

enum { TALK_BODY_LEN = 5000, TALK_TRACE_MAX = 4096 };

/* What was seen, one line an event; adjacent Data packets are one line. */
struct talk {
    struct pair pair;
    uint32_t stream; /* of the initiator's request */
    char trace[TALK_TRACE_MAX];
    size_t len;
};

void talk_init(struct talk *talk, uint64_t seed, bool is_old);
void talk_deinit(struct talk *talk);

/* Runs the conversation. Bytes travel in pieces as `cut` says: how many of the `left` ones next.
 * 0 or the first error of either side. */
typedef size_t (*talk_cut_fn)(void *arg, size_t left);
int talk_run(struct talk *talk, talk_cut_fn cut, void *arg, struct flatend_error *err) FE_MUST_USE;

/* All at once. */
size_t talk_whole(void *arg, size_t left);

/* The trace of a conversation in which nothing goes wrong. */
const char *talk_expected(bool is_old);

#endif
