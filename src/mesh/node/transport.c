/* The mesh's transport: its links over the connections and listeners of the uv room. */
#include <stdlib.h>

#include "ground/base/assert.h"
#include "ground/uv/dialer.h"
#include "ground/uv/resolve.h"
#include "mesh/node/internal.h"

/* One connection: what the mesh holds as `io`. */
struct io {
    struct flatend_node *node;
    struct fe_link *link;
    struct fe_dialer *dialer; /* while it is dialed */
    struct fe_conn *conn;     /* from then on */
    bool is_eof;
    bool is_closing; /* the mesh has closed it, and wants on_close only */
};

/* ---- connections ---- */

static void on_read(void *owner, uint8_t *data, size_t len)
{
    struct io *io = owner;

    if (!io->is_closing) {
        fe_link_on_read(io->link, data, len);
    }
}

/* A peer that sends no more is gone: sessions are never half-closed. */
static void on_eof(void *owner)
{
    struct io *io = owner;

    io->is_eof = true;
    fe_conn_close(io->conn);
}

static void on_flush(void *owner)
{
    struct io *io = owner;

    fe_link_on_flush(io->link);
}

static void on_drain(void *owner)
{
    struct io *io = owner;

    if (!io->is_closing) {
        fe_link_on_drain(io->link);
    }
}

static void on_close(void *owner, int code)
{
    struct io *io = owner;
    struct fe_link *link = io->link;

    if (code == 0 && io->is_eof) {
        code = FLATEND_ECLOSED;
    }
    fe_link_on_close(link, code);
    free(io);
}

static const struct fe_conn_ops conn_ops = {
    .on_read = on_read,
    .on_eof = on_eof,
    .on_drain = on_drain,
    .on_flush = on_flush,
    .on_close = on_close,
};

static struct io *io_new(struct flatend_node *node)
{
    struct io *io = calloc(1, sizeof(*io));

    if (io != NULL) {
        io->node = node;
    }
    return io;
}

static void on_dialed(void *arg, struct fe_conn *conn, int code)
{
    struct io *io = arg;
    struct fe_link *link = io->link;

    io->dialer = NULL;
    if (code == 0) {
        io->conn = conn;
        fe_conn_hand_over(conn, &conn_ops, io);
        fe_link_on_open(link, 0);
        return;
    }
    if (!io->is_closing) {
        fe_link_on_open(link, code);
    }
    fe_link_on_close(link, code == FLATEND_ECANCELED ? 0 : code);
    free(io);
}

static int transport_dial(void *arg, struct fe_link *link, const struct fe_addr *addrs, size_t n,
                          void **out)
{
    struct flatend_node *node = arg;
    struct io *io = io_new(node);
    int code;

    if (io == NULL) {
        return FLATEND_ENOMEM;
    }
    io->link = link;
    code = fe_dialer_start(node->worker, addrs, n, on_dialed, io, &io->dialer);
    if (code != 0) {
        free(io);
        return code;
    }
    *out = io;
    return 0;
}

static void on_resolved(void *arg, const struct fe_addr *addrs, size_t n,
                        const struct flatend_error *err)
{
    _Static_assert((int)FE_RESOLVE_MAX <= (int)FE_TRANSPORT_ADDRS_MAX, "all of them are dialed");

    fe_name_on_resolved(arg, addrs, n, err);
}

static int transport_look_up(void *arg, struct fe_name *name, const char *host, void **lookup)
{
    struct flatend_node *node = arg;
    struct fe_resolution *resolution = NULL;
    const int code = fe_resolve(node->worker, host, on_resolved, name, &resolution, NULL);

    *lookup = resolution;
    return code;
}

static void transport_cancel_look_up(void *lookup)
{
    fe_resolve_cancel(lookup);
}

static struct fe_chain *transport_out(void *io)
{
    return fe_conn_out(((struct io *)io)->conn);
}

static void transport_flush(void *io)
{
    fe_conn_flush(((struct io *)io)->conn);
}

static void transport_set_reading(void *io, bool reading)
{
    struct fe_conn *conn = ((struct io *)io)->conn;

    if (reading) {
        fe_conn_resume(conn);
    } else {
        fe_conn_pause(conn);
    }
}

static void transport_acknowledge(void *io)
{
    fe_conn_acknowledge(((struct io *)io)->conn);
}

static void transport_peer_addr(void *io, struct fe_addr *addr)
{
    fe_conn_peer_addr(((struct io *)io)->conn, addr);
}

static uint64_t transport_n_sent(void *io)
{
    struct fe_conn *conn = ((struct io *)io)->conn;

    return conn != NULL ? fe_conn_n_written(conn) : 0;
}

static void transport_close(void *arg, bool drain)
{
    struct io *io = arg;

    FE_ASSERT(io->conn != NULL || io->dialer != NULL, "what is closed was opened");
    io->is_closing = true;
    if (io->dialer != NULL) {
        fe_dialer_cancel(io->dialer);
    } else if (drain) {
        fe_conn_finish(io->conn);
        fe_conn_resume(io->conn); /* to see the peer's end */
    } else {
        fe_conn_close(io->conn);
    }
}

static const struct fe_transport_ops transport_ops = {
    .dial = transport_dial,
    .out = transport_out,
    .flush = transport_flush,
    .set_reading = transport_set_reading,
    .acknowledge = transport_acknowledge,
    .peer_addr = transport_peer_addr,
    .n_sent = transport_n_sent,
    .look_up = transport_look_up,
    .cancel_look_up = transport_cancel_look_up,
    .close = transport_close,
};

struct fe_transport fe_node_transport(struct flatend_node *node)
{
    return (struct fe_transport){&transport_ops, node};
}

/* ---- listeners ---- */

static void on_accept(void *owner, struct fe_conn *conn)
{
    struct fe_node_listener *listener = owner;
    struct flatend_node *node = listener->node;
    struct io *io = io_new(node);

    if (io == NULL) {
        return;
    }
    io->conn = conn;
    io->link = fe_mesh_accept(node->mesh, io);
    if (io->link == NULL) {
        free(io);
        return;
    }
    fe_conn_accept(conn, &conn_ops, io);
}

static void on_listener_close(void *owner)
{
    struct fe_node_listener *listener = owner;

    listener->listener = NULL;
    FE_ASSERT(listener->node->n_listeners > 0, "listeners are counted");
    listener->node->n_listeners--;
    fe_node_check_closed(listener->node);
}

static const struct fe_listener_ops listener_ops = {
    .on_accept = on_accept,
    .on_close = on_listener_close,
};

int fe_node_listen(struct flatend_node *node, struct flatend_error *error)
{
    const struct fe_settings *settings = &node->settings;

    if (settings->n_bind_addrs == 0) {
        return 0;
    }
    node->listeners = calloc(settings->n_bind_addrs, sizeof(*node->listeners));
    if (node->listeners == NULL) {
        return fe_err_code(error, FLATEND_ENOMEM);
    }
    for (size_t i = 0; i < settings->n_bind_addrs; i++) {
        struct fe_node_listener *listener = &node->listeners[i];
        int code;

        listener->node = node;
        code = fe_listener_open(node->worker, &settings->bind_addrs[i], &listener_ops, listener,
                                &listener->listener, error);
        if (code != 0) {
            return code;
        }
        node->n_listeners++;
        fe_listener_addr(listener->listener, &listener->addr);
    }
    return 0;
}

void fe_node_stop_listening(struct flatend_node *node)
{
    for (size_t i = 0; node->listeners != NULL && i < node->settings.n_bind_addrs; i++) {
        if (node->listeners[i].listener != NULL) {
            fe_listener_close(node->listeners[i].listener);
        }
    }
}
