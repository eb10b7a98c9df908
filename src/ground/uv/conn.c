/* A connection from its socket to its end, and what it reads; what it writes: conn_write.c. */
#include "ground/uv/conn.h"

#include <stdlib.h>

#include "ground/base/assert.h"
#include "ground/base/shortage.h"
#include "ground/os/fd.h"
#include "ground/os/socket.h"
#include "ground/uv/conn_internal.h"

enum { HIGH_WATER = 256 * 1024 };

/* From the diagram in conn_internal.h. */
void fe_conn_check(const struct fe_conn *conn)
{
    FE_ASSERT(conn->state == FE_CONN_OPEN || conn->state == FE_CONN_CLOSING || conn->ops != NULL,
              "only what has an owner connects or finishes");
    FE_ASSERT(conn->state != FE_CONN_CLOSING || !fe_list_is_linked(&conn->flush),
              "nothing is written to a connection that closes");
    FE_ASSERT(conn->state != FE_CONN_CONNECTING || conn->n_waiting == 0,
              "nothing is written before the connection is there");
    FE_ASSERT(conn->state != FE_CONN_FINISHED || conn->n_waiting == 0,
              "nothing is written behind the FIN");
    FE_ASSERT(conn->state == FE_CONN_CLOSING || conn->n_waiting <= conn->out.len,
              "what is being written stays in the output");
    FE_ASSERT(conn->n_waiting == 0 || conn->drain != FE_CONN_DRAIN_NONE ||
                  conn->state != FE_CONN_OPEN,
              "a writer that waits for the socket is called back");
    FE_ASSERT(conn->watch == NULL || (conn->is_eof && conn->state != FE_CONN_CLOSING),
              "only a peer that has ended its direction is watched");
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct fe_conn *conn = handle->data;

    if (conn->ops != NULL) {
        conn->ops->on_close(conn->owner, conn->close_code);
    }
    fe_chain_deinit(&conn->out);
    free(conn->dialed_path);
    free(conn);
}

void fe_conn_end(struct fe_conn *conn, int code)
{
    if (conn->state == FE_CONN_CLOSING) {
        return;
    }
    conn->state = FE_CONN_CLOSING;
    conn->close_code = code;
    fe_list_remove(&conn->flush);
    fe_conn_watch_stop(conn);
    uv_close(&conn->handle, on_handle_closed);
    FE_CHECK(fe_conn_check(conn));
}

/* ---- reading ---- */

/* libuv reads as long as the buffer is filled, up to 32 times: a sender that is fast would have all
 * of a turn. One buffer is its share of a turn; without one, libuv stops until the next. */
static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct fe_conn *conn = handle->data;
    struct fe_worker *worker = conn->worker;

    (void)suggested;
    *buf = conn->full_turn == worker->n_turns
               ? uv_buf_init(NULL, 0)
               : uv_buf_init((char *)worker->read_buf, sizeof(worker->read_buf));
}

static void on_eof(struct fe_conn *conn)
{
    conn->is_eof = true;
    (void)uv_read_stop(&conn->stream);
    conn->ops->on_eof(conn->owner);
    if (conn->state == FE_CONN_FINISHED) {
        fe_conn_end(conn, 0);
    } else if (conn->state == FE_CONN_OPEN) {
        fe_conn_watch_start(conn); /* the owner has more to say */
    }
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct fe_conn *conn = stream->data;

    if (n > 0) {
        if ((size_t)n == buf->len) {
            conn->full_turn = conn->worker->n_turns;
        }
        conn->ops->on_read(conn->owner, (uint8_t *)buf->base, (size_t)n);
    } else if (n == UV_ENOBUFS) {
        return; /* on_alloc */
    } else if (n == UV_EOF) {
        on_eof(conn);
    } else if (n < 0) {
        fe_conn_end(conn, fe_uv_code((int)n));
    }
    FE_CHECK(fe_conn_check(conn));
}

static void start_reading(struct fe_conn *conn)
{
    int code;

    if (conn->is_paused || conn->is_eof || conn->state == FE_CONN_CONNECTING ||
        conn->state == FE_CONN_CLOSING) {
        return;
    }
    code = uv_read_start(&conn->stream, on_alloc, on_read);
    if (code != 0 && code != UV_EALREADY) {
        fe_conn_end(conn, fe_uv_code(code));
    }
}

void fe_conn_pause(struct fe_conn *conn)
{
    if (!conn->is_paused) {
        conn->is_paused = true;
        (void)uv_read_stop(&conn->stream);
    }
}

void fe_conn_resume(struct fe_conn *conn)
{
    if (conn->is_paused) {
        conn->is_paused = false;
        start_reading(conn);
    }
}

/* ---- opening ---- */

static bool is_unix(const struct fe_conn *conn)
{
    return conn->peer.family == FE_UNIX;
}

static void set_nodelay(struct fe_conn *conn)
{
    if (!is_unix(conn)) {
        (void)uv_tcp_nodelay(&conn->tcp, 1);
    }
}

static struct fe_conn *conn_new(struct fe_worker *worker, const struct fe_addr *peer)
{
    struct fe_ip_addr address = {.family = FE_UNIX};
    struct fe_conn *conn = calloc(1, sizeof(*conn));
    const bool is_pipe = !fe_addr_to_ip(peer, &address);

    if (conn == NULL) {
        return NULL;
    }
    if ((is_pipe ? uv_pipe_init(worker->loop, &conn->pipe, 0)
                 : uv_tcp_init(worker->loop, &conn->tcp)) != 0) {
        free(conn);
        return NULL;
    }
    conn->handle.data = conn;
    conn->worker = worker;
    conn->peer = address;
    conn->high_water = HIGH_WATER;
    fe_chain_init(&conn->out, &worker->pool);
    fe_list_init(&conn->flush);
    return conn;
}

static void on_connected(uv_connect_t *request, int status)
{
    struct fe_conn *conn = request->data;

    if (conn->state == FE_CONN_CLOSING) {
        return;
    }
    if (status != 0) {
        int code = fe_uv_code(status);

        fe_conn_end(conn, code);
        conn->ops->on_open(conn->owner, code);
        return;
    }
    conn->state = FE_CONN_OPEN;
    set_nodelay(conn);
    if (conn->out.len > 0) {
        fe_conn_flush(conn);
    }
    start_reading(conn);
    conn->ops->on_open(conn->owner, 0);
    FE_CHECK(fe_conn_check(conn));
}

/* What cannot be reached over a unix socket is said by on_connected only. */
static int connect_unix(struct fe_conn *conn, const struct fe_addr *addr)
{
    conn->dialed_path = strdup(addr->path);
    if (conn->dialed_path == NULL) {
        return FLATEND_ENOMEM;
    }
    uv_pipe_connect(&conn->request.connect, &conn->pipe, addr->path, on_connected);
    return 0;
}

static int connect_ip(struct fe_conn *conn, const struct fe_addr *addr)
{
    struct sockaddr_storage storage;

    (void)fe_addr_to_sockaddr(addr, &storage);
    return fe_uv_code(uv_tcp_connect(&conn->request.connect, &conn->tcp,
                                     (struct sockaddr *)&storage, on_connected));
}

int fe_conn_dial(struct fe_worker *worker, const struct fe_addr *addr,
                 const struct fe_conn_ops *ops, void *owner, struct fe_conn **out)
{
    struct fe_conn *conn;
    int code = fe_fd_keep_standard(); /* libuv takes the lowest descriptor there is */

    *out = NULL;
    if (code != 0) {
        return code;
    }
    conn = conn_new(worker, addr);
    if (conn == NULL) {
        return FLATEND_ENOMEM;
    }
    conn->request.connect.data = conn;
    code = is_unix(conn) ? connect_unix(conn, addr) : connect_ip(conn, addr);
    if (code == FLATEND_ELIMIT) {
        fe_shortage_hit(worker->descriptors, fe_worker_now(worker));
    }
    if (code != 0) {
        fe_conn_end(conn, 0);
        return code;
    }
    conn->ops = ops;
    conn->owner = owner;
    *out = conn;
    return 0;
}

int fe_conn_adopt(struct fe_worker *worker, int fd, const struct fe_addr *peer,
                  struct fe_conn **out)
{
    struct fe_conn *conn = conn_new(worker, peer);
    int code;

    *out = NULL;
    if (conn == NULL) {
        return FLATEND_ENOMEM;
    }
    code = is_unix(conn) ? uv_pipe_open(&conn->pipe, fd) : uv_tcp_open(&conn->tcp, fd);
    if (code != 0) {
        fe_conn_end(conn, 0);
        return fe_uv_code(code);
    }
    conn->state = FE_CONN_OPEN;
    set_nodelay(conn);
    *out = conn;
    return 0;
}

bool fe_conn_is_accepted(const struct fe_conn *conn)
{
    return conn->ops != NULL;
}

void fe_conn_accept(struct fe_conn *conn, const struct fe_conn_ops *ops, void *owner)
{
    FE_ASSERT(conn->ops == NULL, "a connection is accepted once");
    conn->ops = ops;
    conn->owner = owner;
    start_reading(conn);
}

void fe_conn_hand_over(struct fe_conn *conn, const struct fe_conn_ops *ops, void *owner)
{
    FE_ASSERT(conn->ops != NULL && conn->state != FE_CONN_CLOSING, "what is handed over is there");
    conn->ops = ops;
    conn->owner = owner;
}

/* ---- ending ---- */

void fe_conn_close(struct fe_conn *conn)
{
    fe_conn_end(conn, 0);
}

void fe_conn_abort(struct fe_conn *conn)
{
    uv_os_fd_t fd;

    /* Not uv_tcp_close_reset, which refuses once a FIN was asked for. */
    if (conn->state != FE_CONN_CLOSING && uv_fileno(&conn->handle, &fd) == 0) {
        fe_socket_reset_on_close(fd);
    }
    fe_conn_end(conn, 0);
}

/* ---- looking ---- */

void fe_conn_peer_addr(const struct fe_conn *conn, struct fe_addr *addr)
{
    if (!is_unix(conn)) {
        *addr = fe_addr_of_ip(&conn->peer);
        return;
    }
    *addr = (struct fe_addr){.family = FE_UNIX};
    if (conn->dialed_path != NULL) {
        memcpy(addr->path, conn->dialed_path, strlen(conn->dialed_path) + 1);
    }
}
