/* Which frames a client may send on which stream, by what it has sent itself (RFC 9113 §5.1,
 * §5.1.1).
 *
 * nghttp2 forgets a stream that is closed, and ignores what still comes on it. That is right where
 * the server has reset it, as frames may have been on their way. But a client that has ended a
 * stream itself, or has left its id out, is at fault with another one. Its own frames say which:
 * they come in order. So this is told of each frame's header, and keeps the ids of the streams that
 * the client may still send on. One thread's. */
#ifndef FE_WEB_HTTP_H2_SEQUENCE_H
#define FE_WEB_HTTP_H2_SEQUENCE_H

#include "ground/base/err.h"

enum {
    /* Streams that the client has not ended: those that run (FE_H2_STREAMS_MAX), and as many that
     * the server has reset. Beyond, the older half is forgotten, and all is let pass there. */
    FE_H2_UNENDED_MAX = 2048,
};

/* What a client did wrong. Static text. */
struct fe_h2_fault {
    uint32_t code; /* of RFC 9113 §7; 0: nothing */
    const char *why;
};

struct fe_h2_sequence {
    uint32_t last;     /* the highest id so far */
    uint32_t floor;    /* of ids up to here that are not in `unended` nothing is known */
    uint32_t gap_from; /* ids that were left out, the last of several such; gap_to is 0: none */
    uint32_t gap_to;
    uint32_t *unended; /* ids in order */
    size_t n_unended;
    size_t cap;
};

/* All zeros is a valid beginning. */
void fe_h2_sequence_deinit(struct fe_h2_sequence *sequence);

/* A header section begins: of a request, or the trailers'. `ends`: END_STREAM. Ids of our own and
 * 0 are nghttp2's to judge, and those that were never used in the two below. */
struct fe_h2_fault fe_h2_sequence_on_headers(struct fe_h2_sequence *sequence, uint32_t id,
                                             bool ends) FE_MUST_USE;
struct fe_h2_fault fe_h2_sequence_on_data(struct fe_h2_sequence *sequence, uint32_t id,
                                          bool ends) FE_MUST_USE;
void fe_h2_sequence_on_reset(struct fe_h2_sequence *sequence, uint32_t id);

/* Gives back memory that is not needed now. */
void fe_h2_sequence_trim(struct fe_h2_sequence *sequence);

#endif
