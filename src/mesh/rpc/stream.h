/* A stream: one request and its response over a peer connection, each a body of bytes that flows as
 * ground/base/flow.h says.
 *
 *                 open/accept                both directions are complete
 *     (none) ───────────────────▶  ACTIVE  ─────────────────────────────────▶ (none)
 *                                    │     fe_stream_reset
 *                                    ├───────────────────────────────────────▶ (none)
 *                                    │     connection lost, reset by the peer,
 *                                    └──── protocol fault, `handled` 0 ──────▶ on_reset(code)
 *
 * A local stream is complete with the end of its response: the rest of the request is not sent, and
 * on_end is the last event. A remote stream is complete with the end of our response: the rest of
 * the request is discarded, and no event comes after fe_stream_finish. So exactly one of these ends
 * a stream: on_end (local) or fe_stream_finish (remote), on_reset, fe_stream_reset. After it, and
 * within this on_end or on_reset, the stream is gone; only its owner and its peer can be asked for
 * until the event returns.
 *
 * All events come from within fe_peer_on_event, fe_peer_on_writable, fe_peer_close or
 * fe_stream_resume, never from within the calls that send. (A reader that resumes is the one
 * that is called: it has to expect on_data and on_end, and to find its stream gone.) Every call
 * below may be made from within an event, of this stream or another.
 *
 * With a secure peer each direction has a window, which consumed bytes open again, and a canceled
 * stream is RESET. The side that ends a response while the request is open, and the side that
 * receives it, send RESET with FE_REASON_NONE, which is no failure then. The old dialect has
 * neither: a slow reader holds back the whole connection. */
#ifndef FE_MESH_RPC_STREAM_H
#define FE_MESH_RPC_STREAM_H

#include "ground/base/chain.h"
#include "ground/base/list.h"
#include "ground/base/map.h"
#include "mesh/wire/event.h"

struct fe_peer;
struct fe_stream;

struct fe_stream_ops {
    /* The response's head (local streams; `handled` 0 arrives as on_reset(FLATEND_EUNHANDLED)).
     */
    void (*on_response)(struct fe_stream *stream, struct fe_headers headers);
    /* Body bytes; returns how many were taken. Fewer than all: nothing more comes until resume,
     * which may be called from in here. The view lives until this returns, also if the stream is
     * canceled in here. */
    size_t (*on_data)(struct fe_stream *stream, struct fe_view data);
    /* The peer's body is complete, with what came behind it, which lives until this returns; comes
     * after all of it was taken. */
    void (*on_end)(struct fe_stream *stream, struct fe_headers trailers);
    /* Once, when there is space again after fe_stream_write took less than it was given. */
    void (*on_writable)(struct fe_stream *stream);
    /* Both directions are over before they were complete; `code` is never 0. */
    void (*on_reset)(struct fe_stream *stream, int code);
};

/* The head of a request: a provider of any of the services will do. Looked at only within
 * the call. */
struct fe_stream_request {
    const struct fe_view *services;
    size_t n_services;
    const struct fe_header *headers;
    size_t n_headers;
};

/* Sends a request on `peer` and returns its stream. FLATEND_ETOOBIG: the headers do not fit the
 * dialect, FLATEND_ELIMIT: the peer's limit of open streams is reached, or it does not read its
 * output, FLATEND_ENOMEM, FLATEND_ECLOSED; no stream then. */
int fe_stream_open(struct fe_peer *peer, const struct fe_stream_request *request,
                   const struct fe_stream_ops *ops, void *owner,
                   struct fe_stream **stream) FE_MUST_USE;

/* Takes over a stream that on_request handed out. */
void fe_stream_accept(struct fe_stream *stream, const struct fe_stream_ops *ops, void *owner);

/* The response's head, once, before any write (remote streams). FLATEND_ETOOBIG: nothing was
 * sent and a smaller head may be tried. FLATEND_ELIMIT: the same; the peer does not read its
 * output, in which large heads wait already. FLATEND_ENOMEM. */
int fe_stream_respond(struct fe_stream *stream, const struct fe_header *headers,
                      size_t n_headers) FE_MUST_USE;

/* Sends body bytes: returns how many were accepted (0 ≤ n ≤ len) or FLATEND_ENOMEM. Once the peer's
 * response has ended everything is accepted and dropped. */
ssize_t fe_stream_write(struct fe_stream *stream, struct fe_view data) FE_MUST_USE;

/* Our body is complete; trailers may be NULL if there are none. Nothing may be written after it. A
 * remote stream ends with this: with 0 it is gone, and on_reset does not follow even if it was due.
 * FLATEND_ETOOBIG: the trailers do not fit the dialect; FLATEND_ELIMIT: as for fe_stream_respond;
 * nothing was sent. Old peers get none. */
int fe_stream_finish(struct fe_stream *stream, const struct fe_header *trailers,
                     size_t n_trailers) FE_MUST_USE;

/* Ready to take more: delivers what waits (from within this call). */
void fe_stream_resume(struct fe_stream *stream);

/* Resets the stream in both directions, as far as the dialect can express that; late packets of the
 * peer are discarded. No event follows; the stream is gone.
 *
 * A secure peer receives the reason, unless both directions had ended, and its owner gets
 * fe_reason_code of it: only FE_REASON_REFUSED, before the head, means that nothing was done and
 * that the request may go elsewhere.
 *
 * An old peer does not receive the reason. A request's body just ends, since the old dialect has no
 * reset. A response becomes `handled` 0, which the requester sees as a failure (in this
 * implementation also after the head: on_reset(FLATEND_ERESET)). Before the head that means that
 * nothing was done, and the request may go elsewhere: respond first if something was. */
void fe_stream_reset(struct fe_stream *stream, enum fe_reason reason);

/* Whether anything of the peer's body has come, its end included. */
bool fe_stream_has_begun(const struct fe_stream *stream);

/* Body bytes so far. */
uint64_t fe_stream_n_received(const struct fe_stream *stream);
uint64_t fe_stream_n_sent(const struct fe_stream *stream);

void *fe_stream_owner(const struct fe_stream *stream);
struct fe_peer *fe_stream_peer(const struct fe_stream *stream);

#endif
