#include "ground/uv/conn.h"

#include <stdlib.h>

#include "ground/base/assert.h"
#include "ground/os/socket.h"
#include "ground/uv/accept.h"
#include "ground/uv/loop.h"

enum {
    HIGH_WATER = 256 * 1024,
    LOW_WATER_DIVISOR = 4,
    IOVECS_MAX = 64, /* blocks a write: 1 MiB, more than a socket's buffer takes */
};

/*   dial ──▶ CONNECTING ──▶ OPEN ──▶ FINISHING ──▶ FINISHED
 *                 │           │          │             │        finish: write what is left, then
 * FIN └───────────┴──────────┴─────────────┴──▶ CLOSING ──▶ on_close, freed
 */
enum state {
    CONNECTING,
    OPEN,
    FINISHING, /* fe_conn_finish was called: output, then FIN, still to be sent */
    FINISHED,  /* our FIN is sent */
    CLOSING,
};

/* When on_drain is due. */
enum drain {
    DRAIN_NONE,
    DRAIN_AT_EMPTY, /* a write was partial */
    DRAIN_AT_LOW,   /* the output had reached the high-water mark */
};

struct fe_conn {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe; /* over a unix socket */
    };
    union {
        uv_connect_t connect;
        uv_write_t write;
        uv_shutdown_t shutdown;
    } request; /* one at a time, in this order */
    struct fe_worker *worker;
    const struct fe_conn_ops *ops; /* NULL: no owner yet */
    void *owner;
    struct fe_ip_addr peer; /* FE_UNIX: `dialed_path`, or a client without a name */
    char *dialed_path;
    struct fe_chain out;
    struct fe_list flush; /* in the worker's list */
    size_t high_water;
    size_t n_waiting; /* bytes at the front of `out` that libuv is writing */
    uint64_t n_written;
    int close_code;
    enum state state;
    enum drain drain;
    bool is_paused;
    bool is_eof; /* the peer's FIN has come */
};

/* From the diagram above. */
void fe_conn_check(const struct fe_conn *conn)
{
    FE_ASSERT(conn->state == OPEN || conn->state == CLOSING || conn->ops != NULL,
              "only what has an owner connects or finishes");
    FE_ASSERT(conn->state != CLOSING || !fe_list_is_linked(&conn->flush),
              "nothing is written to a connection that closes");
    FE_ASSERT(conn->state != CONNECTING || conn->n_waiting == 0,
              "nothing is written before the connection is there");
    FE_ASSERT(conn->state != FINISHED || conn->n_waiting == 0, "nothing is written behind the FIN");
    FE_ASSERT(conn->state == CLOSING || conn->n_waiting <= conn->out.len,
              "what is being written stays in the output");
    FE_ASSERT(conn->n_waiting == 0 || conn->drain != DRAIN_NONE || conn->state != OPEN,
              "a writer that waits for the socket is called back");
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

/* The only way to the end; the first reason counts. */
static void end(struct fe_conn *conn, int code)
{
    if (conn->state == CLOSING) {
        return;
    }
    conn->state = CLOSING;
    conn->close_code = code;
    fe_list_remove(&conn->flush);
    uv_close(&conn->handle, on_handle_closed);
    FE_CHECK(fe_conn_check(conn));
}

/* ---- reading ---- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct fe_conn *conn = handle->data;

    (void)suggested;
    *buf = uv_buf_init((char *)conn->worker->read_buf, sizeof(conn->worker->read_buf));
}

static void on_eof(struct fe_conn *conn)
{
    conn->is_eof = true;
    (void)uv_read_stop(&conn->stream);
    conn->ops->on_eof(conn->owner);
    if (conn->state == FINISHED) {
        end(conn, 0);
    }
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct fe_conn *conn = stream->data;

    if (n > 0) {
        conn->ops->on_read(conn->owner, (uint8_t *)buf->base, (size_t)n);
    } else if (n == UV_EOF) {
        on_eof(conn);
    } else if (n < 0) {
        end(conn, fe_uv_code((int)n));
    }
    FE_CHECK(fe_conn_check(conn));
}

static void start_reading(struct fe_conn *conn)
{
    int code;

    if (conn->is_paused || conn->is_eof || conn->state == CONNECTING || conn->state == CLOSING) {
        return;
    }
    code = uv_read_start(&conn->stream, on_alloc, on_read);
    if (code != 0 && code != UV_EALREADY) {
        end(conn, fe_uv_code(code));
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

/* ---- writing ---- */

static void write_out(struct fe_conn *conn);

static void on_shutdown(uv_shutdown_t *request, int status)
{
    struct fe_conn *conn = request->data;

    if (conn->state == CLOSING) {
        return;
    }
    if (status != 0) {
        end(conn, fe_uv_code(status));
    } else if (conn->is_eof) {
        end(conn, 0);
    }
}

static void send_fin(struct fe_conn *conn)
{
    int code;

    conn->state = FINISHED;
    conn->request.shutdown.data = conn;
    code = uv_shutdown(&conn->request.shutdown, &conn->stream, on_shutdown);
    if (code != 0) {
        end(conn, fe_uv_code(code));
    }
}

static void note_written(struct fe_conn *conn, size_t n)
{
    FE_ASSERT(n <= conn->out.len, "no more is written than waited");
    fe_chain_consume(&conn->out, n);
    conn->n_written += n;
}

static void on_written(uv_write_t *request, int status)
{
    struct fe_conn *conn = request->data;
    size_t n = conn->n_waiting;

    conn->n_waiting = 0;
    if (conn->state == CLOSING) {
        return;
    }
    if (status != 0) {
        end(conn, fe_uv_code(status));
        return;
    }
    note_written(conn, n);
    write_out(conn);
    FE_CHECK(fe_conn_check(conn));
}

/* The socket takes no more now. Handing libuv the first block is how we learn when it does again;
 * the block stays in the chain until then. */
static void wait_writable(struct fe_conn *conn)
{
    struct fe_view front = fe_chain_front(&conn->out);
    uv_buf_t buf = uv_buf_init((char *)(uintptr_t)front.ptr, (unsigned)front.len);
    int code;

    if (conn->drain == DRAIN_NONE) {
        conn->drain = DRAIN_AT_EMPTY;
    }
    conn->request.write.data = conn;
    conn->n_waiting = front.len;
    code = uv_write(&conn->request.write, &conn->stream, &buf, 1, on_written);
    if (code != 0) {
        conn->n_waiting = 0;
        end(conn, fe_uv_code(code));
    }
}

/* Writes until everything is gone or the socket takes no more: true when everything is gone. */
static bool write_now(struct fe_conn *conn)
{
    while (conn->out.len > 0) {
        struct fe_view views[IOVECS_MAX];
        uv_buf_t bufs[IOVECS_MAX];
        size_t n = fe_chain_peek(&conn->out, views, IOVECS_MAX);
        int code;

        for (size_t i = 0; i < n; i++) {
            bufs[i] = uv_buf_init((char *)(uintptr_t)views[i].ptr, (unsigned)views[i].len);
        }
        code = uv_try_write(&conn->stream, bufs, (unsigned)n);
        if (code == UV_EAGAIN) {
            return false;
        }
        if (code < 0) {
            end(conn, fe_uv_code(code));
            return false;
        }
        note_written(conn, (size_t)code);
    }
    return true;
}

static bool is_drained(const struct fe_conn *conn)
{
    switch (conn->drain) {
    case DRAIN_AT_EMPTY:
        return conn->out.len == 0;
    case DRAIN_AT_LOW:
        return conn->out.len <= conn->high_water / LOW_WATER_DIVISOR;
    case DRAIN_NONE:
        break;
    }
    return false;
}

static void write_out(struct fe_conn *conn)
{
    if ((conn->state != OPEN && conn->state != FINISHING) || conn->n_waiting > 0) {
        return;
    }
    if (conn->ops != NULL && conn->ops->on_flush != NULL) {
        conn->ops->on_flush(conn->owner);
        if (conn->state == CLOSING) {
            return;
        }
    }
    if (conn->out.len >= conn->high_water) {
        conn->drain = DRAIN_AT_LOW;
    }
    if (!write_now(conn) && conn->state != CLOSING) {
        wait_writable(conn);
    }
    if (conn->state == FINISHING && conn->out.len == 0) {
        send_fin(conn);
    }
    if (conn->state == OPEN && is_drained(conn)) {
        /* libuv may still hold the last of it: an owner that fills the output again before that
         * must get on_drain once more. */
        conn->drain = conn->n_waiting > 0 ? DRAIN_AT_EMPTY : DRAIN_NONE;
        conn->ops->on_drain(conn->owner);
    }
}

void fe_conn_flush_all(struct fe_worker *worker)
{
    struct fe_list due;
    struct fe_list *link;

    fe_list_init(&due);
    fe_list_move(&due, &worker->flush);
    while ((link = fe_list_pop_front(&due)) != NULL) {
        struct fe_conn *conn = FE_CONTAINER_OF(link, struct fe_conn, flush);

        write_out(conn);
        FE_CHECK(fe_conn_check(conn));
    }
}

void fe_conn_flush(struct fe_conn *conn)
{
    if (conn->state != CLOSING && !fe_list_is_linked(&conn->flush)) {
        fe_list_push_back(&conn->worker->flush, &conn->flush);
    }
}

void fe_conn_write_now(struct fe_conn *conn)
{
    if ((conn->state == OPEN || conn->state == FINISHING) && conn->n_waiting == 0) {
        (void)write_now(conn);
    }
}

void fe_conn_finish(struct fe_conn *conn)
{
    if (conn->state == CONNECTING) {
        end(conn, 0);
    } else if (conn->state == OPEN) {
        conn->state = FINISHING;
        fe_conn_flush(conn);
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

    if (conn->state == CLOSING) {
        return;
    }
    if (status != 0) {
        int code = fe_uv_code(status);

        end(conn, code);
        conn->ops->on_open(conn->owner, code);
        return;
    }
    conn->state = OPEN;
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
    struct fe_conn *conn = conn_new(worker, addr);
    int code;

    *out = NULL;
    if (conn == NULL) {
        return FLATEND_ENOMEM;
    }
    conn->request.connect.data = conn;
    code = is_unix(conn) ? connect_unix(conn, addr) : connect_ip(conn, addr);
    if (code != 0) {
        end(conn, 0);
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
        end(conn, 0);
        return fe_uv_code(code);
    }
    conn->state = OPEN;
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

/* ---- ending ---- */

void fe_conn_close(struct fe_conn *conn)
{
    end(conn, 0);
}

void fe_conn_abort(struct fe_conn *conn)
{
    uv_os_fd_t fd;

    /* Not uv_tcp_close_reset, which refuses once a FIN was asked for. */
    if (conn->state != CLOSING && uv_fileno(&conn->handle, &fd) == 0) {
        fe_socket_reset_on_close(fd);
    }
    end(conn, 0);
}

/* ---- looking ---- */

struct fe_chain *fe_conn_out(struct fe_conn *conn)
{
    return &conn->out;
}

void fe_conn_set_high_water(struct fe_conn *conn, size_t bytes)
{
    conn->high_water = bytes;
}

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

static uint64_t n_unacked(const struct fe_conn *conn)
{
    uv_os_fd_t fd;

    return uv_fileno(&conn->handle, &fd) == 0 ? fe_socket_n_unacked(fd) : 0;
}

uint64_t fe_conn_n_acked(const struct fe_conn *conn)
{
    const uint64_t n = n_unacked(conn);

    return conn->n_written > n ? conn->n_written - n : 0; /* `n` is about right, or has the FIN */
}

uint64_t fe_conn_n_written(const struct fe_conn *conn)
{
    return conn->n_written;
}

bool fe_conn_is_all_acked(const struct fe_conn *conn)
{
    return conn->out.len == 0 && n_unacked(conn) == 0;
}
