/* The exchange as the backend sees it: what it says becomes HTTP/1.1. */

#include "ground/base/assert.h"
#include "ground/base/list.h"
#include "web/http/h1/connection.h"

static struct fe_h1_server *server_of(struct fe_exchange *ex)
{
    struct fe_h1_server *server = FE_CONTAINER_OF(ex, struct fe_h1_server, ex);

    FE_ASSERT(fe_h1_has_exchange(server), "an exchange that is over has no calls");
    return server;
}

/* RFC 9112 §6.3: what frames the body, as the head announces it. */
static enum fe_h1_framing announced_framing(const struct fe_h1_server *server,
                                            const struct fe_response *response)
{
    if (response->status == 204 || response->status == 304) {
        return FE_H1_FRAMING_NONE;
    }
    if (response->content_length != FE_BODY_UNKNOWN) { /* that of 205 is known */
        return FE_H1_FRAMING_LENGTH;
    }
    return server->ex.request.version == 10 ? FE_H1_FRAMING_CLOSE : FE_H1_FRAMING_CHUNKS;
}

/* Will the rest of the request be read, so that another one can follow? A client that waits for
 * 100 (Continue) in vain may or may not send its body. */
static bool is_request_readable(const struct fe_h1_server *server)
{
    uint64_t length = server->ex.request.content_length;

    if (server->owes_continue || (server->ex.is_failed && server->body != FE_H1_BODY_DONE)) {
        return false;
    }
    return server->body != FE_H1_BODY_NOT_STARTED || length == FE_BODY_UNKNOWN ||
           length <= FE_H1_DISCARD_MAX;
}

static int respond(struct fe_exchange *ex, const struct fe_response *given)
{
    struct fe_h1_server *server = server_of(ex);
    const struct fe_response response = fe_response_as_sent(given);
    enum fe_h1_framing announced = announced_framing(server, &response);
    enum fe_h1_framing framing =
        fe_response_has_content(&response, ex->request.method) ? announced : FE_H1_FRAMING_NONE;
    bool must_close = server->must_close || server->is_draining || framing == FE_H1_FRAMING_CLOSE ||
                      !server->decoder.head.keep_alive || !is_request_readable(server) ||
                      fe_h1_has_read_all(server);
    struct fe_h1_response head = {.message = &response,
                                  .framing = announced,
                                  .close = must_close,
                                  .keep_alive = !must_close && ex->request.version == 10,
                                  .date = server->ops->date(server->owner)};
    int code;

    code = fe_h1_encode_head(server->out, &head);
    if (code != 0) {
        return code;
    }
    server->framing = framing;
    server->left = framing == FE_H1_FRAMING_LENGTH ? response.content_length : 0;
    server->must_close = must_close;
    fe_h1_update(server);
    return 0;
}

/* RFC 9110 §7.8. From here on the bytes are those of the protocol that the client has asked for. */
static int tunnel(struct fe_exchange *ex, const struct fe_response *response)
{
    struct fe_h1_server *server = server_of(ex);
    struct fe_h1_response head = {.message = response,
                                  .framing = FE_H1_FRAMING_NONE,
                                  .upgrade = ex->request.upgrade,
                                  .date = server->ops->date(server->owner)};
    int code = fe_h1_encode_head(server->out, &head);

    if (code != 0) {
        return code;
    }
    server->phase = FE_H1_TUNNEL;
    server->framing = FE_H1_FRAMING_CLOSE;
    server->body = FE_H1_BODY_NOT_STARTED;
    server->owes_fin = false;
    fe_h1_update(server);
    return 0;
}

static ssize_t write_chunks(struct fe_chain *out, struct fe_view data)
{
    size_t done = 0;

    while (done < data.len) {
        size_t n = data.len - done < FE_H1_CHUNK_MAX ? data.len - done : FE_H1_CHUNK_MAX;
        int code = fe_h1_encode_chunk(out, fe_view_of(data.ptr + done, n));

        if (code != 0) {
            return code;
        }
        done += n;
    }
    return (ssize_t)done;
}

static ssize_t write_body(struct fe_exchange *ex, struct fe_view data)
{
    struct fe_h1_server *server = server_of(ex);
    size_t room = server->out->len < FE_H1_OUT_MAX ? FE_H1_OUT_MAX - server->out->len : 0;
    size_t want = data.len;
    ssize_t n;

    if (server->framing == FE_H1_FRAMING_NONE) {
        return (ssize_t)want;
    }
    if (server->framing == FE_H1_FRAMING_LENGTH && want > server->left) {
        return FLATEND_ETOOBIG;
    }
    if (data.len > room) {
        data.len = room;
    }
    if (server->framing == FE_H1_FRAMING_CHUNKS) {
        n = write_chunks(server->out, data);
    } else {
        int code = data.len > 0 ? fe_chain_append(server->out, data.ptr, data.len) : 0;
        n = code != 0 ? code : (ssize_t)data.len;
    }
    if (n < 0) {
        return n;
    }
    server->is_blocked = (size_t)n < want;
    server->left -= server->framing == FE_H1_FRAMING_LENGTH ? (uint64_t)n : 0;
    if (server->phase == FE_H1_TUNNEL && n > 0) {
        fe_h1_tunnel_touch(server);
    }
    fe_h1_update(server);
    return n;
}

static void reset(struct fe_exchange *ex, int code)
{
    (void)code; /* HTTP/1.1 has no words for it */
    fe_h1_reset(server_of(ex));
}

static void finish(struct fe_exchange *ex, const struct fe_fields *trailers)
{
    struct fe_h1_server *server = server_of(ex);
    bool is_short = server->framing == FE_H1_FRAMING_LENGTH && server->left > 0;

    if (server->phase == FE_H1_TUNNEL) {
        fe_h1_tunnel_finish(server);
        return;
    }
    if (is_short || (server->framing == FE_H1_FRAMING_CHUNKS &&
                     fe_h1_encode_last_chunk(server->out, trailers) != 0)) {
        fe_h1_reset(server);
        return;
    }
    if (server->must_close || server->is_draining) {
        fe_h1_finish(server);
        return;
    }
    server->phase = FE_H1_DISCARD;
    server->n_dropped = 0;
    if (!server->is_running) {
        fe_h1_discard(server);
        if (fe_h1_has_input(server)) {
            fe_h1_schedule_run(server);
        }
        if (ex->snapshot != NULL) {
            server->ops->flush(server->owner); /* the turn's end gives it back */
        }
    }
    fe_h1_update(server);
}

static void resume(struct fe_exchange *ex)
{
    struct fe_h1_server *server = server_of(ex);

    if (server->body == FE_H1_BODY_DONE) {
        return;
    }
    /* Without memory for it the client goes on by itself, after a while (RFC 9110 §10.1.1). */
    if (server->owes_continue && !fe_exchange_has_sent_head(ex) &&
        fe_h1_encode_continue(server->out) == 0) {
        server->owes_continue = false;
    }
    server->body = FE_H1_BODY_FLOWING;
    if (fe_h1_has_input(server) || server->has_eof || server->decoder.state == FE_H1_DONE) {
        fe_h1_schedule_run(server);
    }
    fe_h1_update(server);
}

static void defer(struct fe_exchange *ex)
{
    struct fe_h1_server *server = server_of(ex);

    fe_h1_schedule_run(server);
    fe_h1_update(server);
}

const struct fe_exchange_ops fe_h1_exchange_ops = {
    .respond = respond,
    .write = write_body,
    .finish = finish,
    .reset = reset,
    .resume = resume,
    .tunnel = tunnel,
    .defer = defer,
};
