/* What a connection writes: once a turn of the loop, as much as the socket takes; the rest when it
 * takes more; behind the last of it the FIN, if fe_conn_finish was called.
 *
 * A turn writes TURN_MAX bytes of large outputs, in turns of their own: each a share, the next ones
 * first in the next turn. So a short answer waits for so much, however many downloads there are. */
#include "ground/base/assert.h"
#include "ground/os/socket.h"
#include "ground/uv/conn_internal.h"

enum {
    LOW_WATER_DIVISOR = 4,
    IOVECS_MAX = 64, /* blocks a write: 1 MiB, more than a socket's buffer takes */
    /* What large outputs may write in a turn together, some milliseconds; and each of them, when
     * they are many. */
    TURN_MAX = 2 * 1024 * 1024,
    SHARE_MIN = 64 * 1024,
};

static void on_shutdown(uv_shutdown_t *request, int status)
{
    struct fe_conn *conn = request->data;

    if (conn->state == FE_CONN_CLOSING) {
        return;
    }
    if (status != 0) {
        fe_conn_end(conn, fe_uv_code(status));
    } else if (conn->is_eof) {
        fe_conn_end(conn, 0);
    }
}

static void send_fin(struct fe_conn *conn)
{
    int code;

    conn->state = FE_CONN_FINISHED;
    conn->request.shutdown.data = conn;
    code = uv_shutdown(&conn->request.shutdown, &conn->stream, on_shutdown);
    if (code != 0) {
        fe_conn_end(conn, fe_uv_code(code));
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

    conn->waited_ms = fe_conn_waited_ms(conn);
    conn->n_waiting = 0;
    if (conn->state == FE_CONN_CLOSING) {
        return;
    }
    if (status != 0) {
        fe_conn_end(conn, fe_uv_code(status));
        return;
    }
    note_written(conn, n);
    fe_conn_flush(conn); /* when it is its turn */
    FE_CHECK(fe_conn_check(conn));
}

/* The socket takes no more now. Handing libuv the first block is how we learn when it does again;
 * the block stays in the chain until then. */
static void wait_writable(struct fe_conn *conn)
{
    struct fe_view front = fe_chain_front(&conn->out);
    uv_buf_t buf = uv_buf_init((char *)(uintptr_t)front.ptr, (unsigned)front.len);
    int code;

    if (conn->drain == FE_CONN_DRAIN_NONE) {
        conn->drain = FE_CONN_DRAIN_AT_EMPTY;
    }
    conn->request.write.data = conn;
    conn->n_waiting = front.len;
    conn->blocked_ms = fe_worker_now(conn->worker);
    code = uv_write(&conn->request.write, &conn->stream, &buf, 1, on_written);
    if (code != 0) {
        conn->n_waiting = 0;
        fe_conn_end(conn, fe_uv_code(code));
    }
}

/* The first bytes of the output, about `max` of them: how many buffers. */
static size_t gather(const struct fe_conn *conn, size_t max, uv_buf_t bufs[IOVECS_MAX])
{
    struct fe_view views[IOVECS_MAX];
    const size_t n = fe_chain_peek(&conn->out, views, IOVECS_MAX);
    size_t n_bytes = 0;
    size_t i;

    for (i = 0; i < n && n_bytes < max; i++) {
        bufs[i] = uv_buf_init((char *)(uintptr_t)views[i].ptr, (unsigned)views[i].len);
        n_bytes += views[i].len;
    }
    return i;
}

/* Writes until everything is gone, or about `max` bytes are, or the socket takes no more: false. */
static bool write_now(struct fe_conn *conn, size_t max)
{
    const uint64_t before = conn->n_written;

    while (conn->out.len > 0 && conn->n_written - before < max) {
        uv_buf_t bufs[IOVECS_MAX];
        const size_t n = gather(conn, max - (size_t)(conn->n_written - before), bufs);
        int code = uv_try_write(&conn->stream, bufs, (unsigned)n);

        if (code == UV_EAGAIN) {
            return false;
        }
        if (code < 0) {
            fe_conn_end(conn, fe_uv_code(code));
            return false;
        }
        note_written(conn, (size_t)code);
    }
    return true;
}

static bool is_drained(const struct fe_conn *conn)
{
    switch (conn->drain) {
    case FE_CONN_DRAIN_AT_EMPTY:
        return conn->out.len == 0;
    case FE_CONN_DRAIN_AT_LOW:
        return conn->out.len <= conn->high_water / LOW_WATER_DIVISOR;
    case FE_CONN_DRAIN_NONE:
        break;
    }
    return false;
}

/* At most about `max` bytes; what is left then waits for the next turn. */
static void write_out(struct fe_conn *conn, size_t max)
{
    bool is_blocked;

    if ((conn->state != FE_CONN_OPEN && conn->state != FE_CONN_FINISHING) || conn->n_waiting > 0) {
        return;
    }
    if (conn->ops != NULL && conn->ops->on_flush != NULL) {
        conn->ops->on_flush(conn->owner);
        if (conn->state == FE_CONN_CLOSING) {
            return;
        }
    }
    if (conn->out.len >= conn->high_water) {
        conn->drain = FE_CONN_DRAIN_AT_LOW;
    }
    is_blocked = !write_now(conn, max);
    if (conn->state == FE_CONN_CLOSING) {
        return;
    }
    if (is_blocked) {
        wait_writable(conn);
    } else if (conn->out.len > 0) {
        fe_conn_flush(conn);
    }
    if (conn->state == FE_CONN_FINISHING && conn->out.len == 0) {
        send_fin(conn);
    }
    if (conn->state == FE_CONN_OPEN && is_drained(conn)) {
        /* libuv may still hold the last of it: an owner that fills the output again before that
         * must get on_drain once more. */
        conn->drain = conn->n_waiting > 0 ? FE_CONN_DRAIN_AT_EMPTY : FE_CONN_DRAIN_NONE;
        conn->ops->on_drain(conn->owner);
    }
}

static struct fe_conn *conn_of(struct fe_list *link)
{
    return FE_CONTAINER_OF(link, struct fe_conn, flush);
}

/* Short ones at once; how many are left in `large`. */
static size_t write_short(struct fe_list *due, struct fe_list *large)
{
    struct fe_list *link;
    size_t n = 0;

    while ((link = fe_list_pop_front(due)) != NULL) {
        struct fe_conn *conn = conn_of(link);

        if (conn->out.len > SHARE_MIN) {
            fe_list_push_back(large, link);
            n++;
            continue;
        }
        write_out(conn, SHARE_MIN);
        FE_CHECK(fe_conn_check(conn));
    }
    return n;
}

static void write_large(struct fe_list *large, size_t n_large)
{
    const size_t share = TURN_MAX / n_large > SHARE_MIN ? TURN_MAX / n_large : SHARE_MIN;
    struct fe_list *link;
    size_t n_written = 0;

    while (n_written < TURN_MAX && (link = fe_list_pop_front(large)) != NULL) {
        struct fe_conn *conn = conn_of(link);
        const size_t len = conn->out.len;

        write_out(conn, share); /* its owner may append meanwhile, and nothing else changes */
        n_written += len < share ? len : share;
        FE_CHECK(fe_conn_check(conn));
    }
}

void fe_conn_flush_all(struct fe_worker *worker)
{
    struct fe_list due;
    struct fe_list large;
    size_t n_large;

    fe_list_init(&due);
    fe_list_init(&large);
    fe_list_move(&due, &worker->flush);
    n_large = write_short(&due, &large);
    if (n_large > 0) {
        write_large(&large, n_large);
        /* Those that had no turn are the first of the next. */
        fe_list_move(&large, &worker->flush);
        fe_list_move(&worker->flush, &large);
    }
}

void fe_conn_flush(struct fe_conn *conn)
{
    if (conn->state != FE_CONN_CLOSING && !fe_list_is_linked(&conn->flush)) {
        fe_list_push_back(&conn->worker->flush, &conn->flush);
    }
}

void fe_conn_write_now(struct fe_conn *conn)
{
    if ((conn->state == FE_CONN_OPEN || conn->state == FE_CONN_FINISHING) && conn->n_waiting == 0) {
        (void)write_now(conn, SIZE_MAX);
    }
}

void fe_conn_finish(struct fe_conn *conn)
{
    if (conn->state == FE_CONN_CONNECTING) {
        fe_conn_end(conn, 0);
    } else if (conn->state == FE_CONN_OPEN) {
        conn->state = FE_CONN_FINISHING;
        fe_conn_flush(conn);
    }
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

static uint64_t n_unacked(const struct fe_conn *conn)
{
    uv_os_fd_t fd;

    return uv_fileno(&conn->handle, &fd) == 0 ? fe_socket_n_unacked(fd) : 0;
}

void fe_conn_acknowledge(const struct fe_conn *conn)
{
    uv_os_fd_t fd;

    if (uv_fileno(&conn->handle, &fd) == 0) {
        fe_socket_acknowledge(fd);
    }
}

uint64_t fe_conn_n_acked(const struct fe_conn *conn)
{
    const uint64_t n = n_unacked(conn);

    return conn->n_written > n ? conn->n_written - n : 0; /* `n` is about right, or has the FIN */
}

uint64_t fe_conn_waited_ms(const struct fe_conn *conn)
{
    return conn->waited_ms +
           (conn->n_waiting > 0 ? fe_worker_now(conn->worker) - conn->blocked_ms : 0);
}

uint64_t fe_conn_n_written(const struct fe_conn *conn)
{
    return conn->n_written;
}

bool fe_conn_is_all_acked(const struct fe_conn *conn)
{
    return conn->out.len == 0 && n_unacked(conn) == 0;
}
