/* A peer on a fake sender, and owners of streams that write down what is called:
 *
 *     on_request(2,echo) on_response(1) on_data(1,hello) on_end(1) on_writable(1)
 *     on_reset(1,ERESET)
 *     want_read(0)
 */
#ifndef TESTS_SUPPORT_FAKE_PEER_H
#define TESTS_SUPPORT_FAKE_PEER_H

#include "mesh/rpc/peer.h"
#include "support/fake_sender.h"

enum fake_callback {
    FAKE_ON_RESPONSE,
    FAKE_ON_DATA,
    FAKE_ON_END,
    FAKE_ON_WRITABLE,
    FAKE_ON_RESET,
};

enum { FAKE_OPEN = 1 };

/* Owns at most one stream. */
struct fake_owner {
    struct trace *trace;
    struct fe_stream *stream; /* NULL: none, or it is over */
    uint32_t id;
    bool is_remote;
    int code;                   /* of on_reset, 0 once it is complete; FAKE_OPEN before */
    struct fe_headers trailers; /* of on_end, within it */
    size_t appetite;            /* bytes that on_data takes at most in one call */
    /* Runs at the end of each callback, to call back into the stream or others. May be NULL. */
    void (*hook)(struct fake_owner *owner, enum fake_callback callback);
    void *arg;
};

struct fake_peer {
    struct fe_peer peer;
    struct fake_sender sender;
    struct fe_pool pool;
    struct trace *trace;
    struct fake_owner *acceptor; /* takes the next request; NULL: it is not accepted */
    struct flatend_error err;    /* of the last feed that failed */
    size_t n_outputs;            /* calls of on_output */
};

/* The peer's handles and names are left to the test. Ids of ours start at `first_stream`. */
void fake_peer_init(struct fake_peer *fake, struct trace *trace, uint32_t first_stream);

/* The same with a peer that has windows, and has said HELLO. */
void fake_peer_init_secure(struct fake_peer *fake, struct trace *trace, uint32_t first_stream,
                           const struct fe_flow *flow);

/* Closes the peer if the test has not. */
void fake_peer_deinit(struct fake_peer *fake);

/* Takes everything, calls nothing back. */
void fake_owner_init(struct fake_owner *owner, struct trace *trace);

/* Opens a stream to the service "echo". */
int fake_open(struct fake_peer *fake, struct fake_owner *owner);

/* Opens streams that nothing happens to, so that the peer has load. The trace does not show them,
 * and the next id is the one that it would have been. */
void fake_load(struct fake_peer *fake, unsigned n);

/* fe_stream_write of text; fe_stream_reset, after which the owner has no stream. */
ssize_t fake_write(struct fake_owner *owner, const char *text);
void fake_cancel(struct fake_owner *owner);
void fake_reset(struct fake_owner *owner, enum fe_reason reason);

/* fe_stream_finish; the owner of a request of the peer's has no stream after it. */
int fake_finish(struct fake_owner *owner, const struct fe_header *trailers, size_t n_trailers);

/* Events; each returns what fe_peer_on_event does. */
int feed_request(struct fake_peer *fake, uint32_t stream);
/* With a head of so many bytes, in the long form. */
int feed_large_request(struct fake_peer *fake, uint32_t stream, size_t len);
int feed_response(struct fake_peer *fake, uint32_t stream, bool handled);
int feed_data(struct fake_peer *fake, uint32_t stream, const char *text);
int feed_bytes(struct fake_peer *fake, uint32_t stream, size_t len);
int feed_end(struct fake_peer *fake, uint32_t stream);
/* `trailers`: encoded, n_trailers of them. */
int feed_end_with(struct fake_peer *fake, uint32_t stream, struct fe_view trailers,
                  uint16_t n_trailers);
int feed_reset(struct fake_peer *fake, uint32_t stream, uint32_t reason);
int feed_window(struct fake_peer *fake, uint32_t stream, uint32_t increment);
int feed_goaway(struct fake_peer *fake, uint32_t last);

#endif
