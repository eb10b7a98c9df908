/* A connection that has become a tunnel (RFC 9110 §7.8): raw bytes, until both directions have
 * ended.
 *
 * Happy path: what comes is given to the backend as it resumes; the client's FIN is its on_end;
 * what it writes goes out as it is, and its finish is our FIN. When both have ended the connection
 * is done.
 *
 * The owner takes a connection for done when it has seen both FINs. So as long as a backend that
 * has ended its direction has not taken all of the client's bytes, one of them has to wait: the
 * client's is not read, or ours, if that has come already, is not sent.
 *
 * Failure modes: no byte in either direction for too long: the backend hears on_reset, the client
 * sees RST. The client does not read: the write timeout, as ever. */
#include "web/http/h1/connection.h"

void fe_h1_tunnel_touch(struct fe_h1_server *server)
{
    server->read_ms =
        fe_deadline(server->ops->now_ms(server->owner), server->limits->tunnel_idle_ms);
}

void fe_h1_tunnel_finish(struct fe_h1_server *server)
{
    if (fe_exchange_is_over(&server->ex)) {
        fe_h1_finish(server);
        return;
    }
    server->is_blocked = false; /* what was not accepted is not said any more */
    server->ops->flush(server->owner);
    server->owes_fin = server->has_eof;
    if (server->owes_fin) {
        fe_h1_schedule_run(server); /* perhaps there is nothing left to read */
    } else {
        server->ops->close(server->owner, false); /* our direction; what comes is still fed */
    }
    fe_h1_tunnel_touch(server);
    fe_h1_update(server);
}

static bool deliver(struct fe_h1_server *server)
{
    struct fe_view data = fe_h1_input(server);
    size_t n;

    server->body = FE_H1_BODY_PAUSED;
    n = fe_exchange_deliver_data(&server->ex, data);
    if (server->phase != FE_H1_TUNNEL) {
        return true;
    }
    fe_h1_consume(server, n);
    if (n > 0) {
        fe_h1_tunnel_touch(server);
    }
    if (n == data.len) {
        server->body = FE_H1_BODY_FLOWING;
    } else if (server->body == FE_H1_BODY_FLOWING) {
        server->run_ms = server->ops->now_ms(server->owner); /* asked from within: no circles */
        return false;
    }
    return true;
}

static bool deliver_end(struct fe_h1_server *server)
{
    server->body = FE_H1_BODY_DONE;
    fe_exchange_deliver_end(&server->ex, NULL);
    if (server->phase == FE_H1_TUNNEL && fe_exchange_is_over(&server->ex)) {
        server->phase = FE_H1_LINGER; /* our direction has ended before */
        if (server->owes_fin) {
            fe_h1_finish(server);
        }
    }
    return true;
}

bool fe_h1_tunnel_is_paused(const struct fe_h1_server *server)
{
    return server->ex.phase == FE_EXCHANGE_TUNNEL_READ && !server->owes_fin && server->held.len > 0;
}

/* The client's FIN is next, and may be told: a backend that has ended its own direction need not
 * ask, it has nothing more to ask for. */
static bool is_end_due(const struct fe_h1_server *server)
{
    return server->has_eof && server->body != FE_H1_BODY_DONE && !fe_h1_has_input(server) &&
           (server->body == FE_H1_BODY_FLOWING || server->ex.phase == FE_EXCHANGE_TUNNEL_READ);
}

bool fe_h1_tunnel_step(struct fe_h1_server *server)
{
    if (server->is_blocked && server->out->len <= FE_HTTP_OUT_HIGH_WATER) {
        server->is_blocked = false;
        fe_exchange_deliver_writable(&server->ex);
        return true;
    }
    if (server->body == FE_H1_BODY_FLOWING && fe_h1_has_input(server)) {
        return deliver(server);
    }
    return is_end_due(server) && deliver_end(server);
}
