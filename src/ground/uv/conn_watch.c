/* Whether a peer that has ended its direction is still there: it may only have said all that it has
 * to say, and wait for our answer; or it is gone.
 *
 * Behind the FIN nothing is read, and libuv looks at a socket only while it reads or writes. So a
 * second descriptor of the socket waits for what the system says unasked: an error (RST), or that
 * both directions are over (a unix socket whose peer has closed it). */
#include <stdlib.h>

#include "ground/base/assert.h"
#include "ground/os/fd.h"
#include "ground/os/socket.h"
#include "ground/uv/conn_internal.h"

/* Lives until libuv has closed the handle, which may be after the connection. */
struct fe_conn_watch {
    uv_poll_t poll;
    int fd;
    struct fe_conn *conn; /* NULL: that has ended */
};

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

/* Nothing but the end is waited for (urgent data, which nothing here reads, counts as such). */
static void on_event(uv_poll_t *poll, int status, int events)
{
    struct fe_conn_watch *const watch = poll->data;

    (void)status;
    (void)events;
    if (watch->conn != NULL) {
        fe_conn_end(watch->conn, fe_uv_code(UV_ECONNRESET));
    }
}

/* The second descriptor goes with the first: only when both are closed does the peer see an end. */
void fe_conn_watch_stop(struct fe_conn *conn)
{
    struct fe_conn_watch *const watch = conn->watch;

    if (watch == NULL) {
        return;
    }
    conn->watch = NULL;
    watch->conn = NULL;
    uv_close((uv_handle_t *)&watch->poll, on_closed);
    fe_fd_close(watch->fd);
}

static struct fe_conn_watch *watch_new(struct fe_conn *conn, int fd)
{
    struct fe_conn_watch *const watch = malloc(sizeof(*watch));

    if (watch == NULL) {
        return NULL;
    }
    watch->conn = conn;
    watch->fd = fe_fd_duplicate(fd);
    if (watch->fd < 0) {
        free(watch);
        return NULL;
    }
    if (uv_poll_init(conn->worker->loop, &watch->poll, watch->fd) != 0) {
        fe_fd_close(watch->fd);
        free(watch);
        return NULL;
    }
    watch->poll.data = watch;
    return watch;
}

/* Without memory or descriptors for it, the next write finds out. */
void fe_conn_watch_start(struct fe_conn *conn)
{
    uv_os_fd_t fd;

    FE_ASSERT(conn->is_eof && conn->watch == NULL, "a peer ends its direction once");
    if (uv_fileno(&conn->handle, &fd) != 0) {
        return;
    }
    fe_socket_keep_alive(fd);
    conn->watch = watch_new(conn, fd);
    if (conn->watch != NULL && uv_poll_start(&conn->watch->poll, UV_PRIORITIZED, on_event) != 0) {
        fe_conn_watch_stop(conn);
    }
}
