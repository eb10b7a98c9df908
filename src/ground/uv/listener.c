#include <stdlib.h>

#include "ground/base/assert.h"
#include "ground/base/shortage.h"
#include "ground/os/fd.h"
#include "ground/os/socket.h"
#include "ground/uv/accept.h"
#include "ground/uv/loop.h"

enum {
    ACCEPTS_A_TURN = 16,   /* so that a flood of connections does not keep the others waiting */
    ACCEPT_PAUSE_MS = 100, /* when descriptors or memory are used up */
};

/* The socket is accepted from here and not with uv_listen: libuv answers EMFILE by accepting and
 * closing, or without a spare descriptor by trying again for ever. */
struct fe_listener {
    uv_poll_t poll;
    int fd;
    struct fe_worker *worker;
    const struct fe_listener_ops *ops;
    void *owner;
    struct fe_addr addr;
    struct fe_socket_file file; /* ours to remove; none of a duplicate */
    struct fe_timer resume;     /* armed while accepting is paused */
    bool is_closing;
};

static void on_ready(uv_poll_t *poll, int status, int events);

static void on_resume(struct fe_timer *timer)
{
    struct fe_listener *listener = FE_CONTAINER_OF(timer, struct fe_listener, resume);

    (void)uv_poll_start(&listener->poll, UV_READABLE, on_ready);
}

/* What waits in the backlog is still there after the pause. If even the timer cannot be had, the
 * listener goes on polling: it costs time, and serves. */
static void pause_accepting(struct fe_listener *listener)
{
    uint64_t now = fe_worker_now(listener->worker);

    if (fe_timer_start(&listener->worker->timers, &listener->resume, now + ACCEPT_PAUSE_MS) == 0) {
        (void)uv_poll_stop(&listener->poll);
    }
}

static void hand_over(struct fe_listener *listener, int fd, const struct fe_addr *peer)
{
    struct fe_conn *conn;

    if (listener->ops->on_socket != NULL) {
        listener->ops->on_socket(listener->owner, fd, peer);
        return;
    }
    if (fe_conn_adopt(listener->worker, fd, peer, &conn) != 0) {
        fe_fd_close(fd);
        return;
    }
    listener->ops->on_accept(listener->owner, conn);
    if (!fe_conn_is_accepted(conn)) {
        fe_conn_close(conn);
    }
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct fe_listener *listener = poll->data;

    (void)status;
    (void)events;
    for (unsigned i = 0; i < ACCEPTS_A_TURN && !listener->is_closing; i++) {
        struct fe_addr peer;
        const int fd = fe_socket_accept(listener->fd, &peer);

        if (fd >= 0) {
            fe_shortage_pass(listener->worker->descriptors, fe_worker_now(listener->worker));
            hand_over(listener, fd, &peer);
        } else if (fd == FLATEND_EAGAIN) {
            return;
        } else if (fd != FLATEND_ECLOSED) {
            fe_shortage_hit(listener->worker->descriptors, fe_worker_now(listener->worker));
            pause_accepting(listener);
            return;
        }
    }
}

static void remove_file(const struct fe_addr *addr, const struct fe_socket_file *file)
{
    if (addr->family == FE_UNIX) {
        fe_socket_unlink(addr, file);
    }
}

int fe_listener_try(const struct fe_addr *addr)
{
    struct fe_socket_file file;
    const int fd = fe_socket_listen(addr, FE_SOCKET_MODE, &file, NULL);

    if (fd < 0) {
        return fd;
    }
    remove_file(addr, &file);
    fe_fd_close(fd);
    return 0;
}

static void on_discarded(uv_handle_t *handle)
{
    struct fe_listener *listener = handle->data;

    free(listener);
}

/* On failure the listener is gone: at once, or as soon as the loop is done with its handle. */
static int start_listener(struct fe_listener *listener)
{
    int code = fe_socket_addr(listener->fd, &listener->addr);

    if (code == 0) {
        code = uv_poll_init(listener->worker->loop, &listener->poll, listener->fd);
        code = code == 0 ? 0 : fe_uv_code(code);
    }
    if (code != 0) {
        free(listener);
        return code;
    }
    listener->poll.data = listener;
    code = uv_poll_start(&listener->poll, UV_READABLE, on_ready);
    if (code != 0) {
        uv_close((uv_handle_t *)&listener->poll, on_discarded);
        return fe_uv_code(code);
    }
    return 0;
}

int fe_listener_adopt(struct fe_worker *worker, int fd, const struct fe_listener_ops *ops,
                      void *owner, struct fe_listener **out)
{
    struct fe_listener *listener = calloc(1, sizeof(*listener));
    int code;

    *out = NULL;
    if (listener == NULL) {
        return FLATEND_ENOMEM;
    }
    listener->worker = worker;
    listener->ops = ops;
    listener->owner = owner;
    listener->fd = fd;
    fe_timer_init(&listener->resume, on_resume);
    code = start_listener(listener);
    if (code == 0) {
        *out = listener;
    }
    return code;
}

int fe_listener_open(struct fe_worker *worker, const struct fe_addr *addr,
                     const struct fe_listener_ops *ops, void *owner, struct fe_listener **out,
                     struct flatend_error *err)
{
    struct flatend_error reason;
    struct fe_socket_file file;
    char text[FE_ADDR_TEXT_MAX];
    const int fd = fe_socket_listen(addr, FE_SOCKET_MODE, &file, &reason);
    int code;

    *out = NULL;
    if (fd < 0) {
        return fe_err_set(err, fd, "listen on %s: %.100s", fe_addr_format(addr, text), reason.text);
    }
    code = fe_listener_adopt(worker, fd, ops, owner, out);
    if (code != 0) {
        remove_file(addr, &file);
        fe_fd_close(fd);
        return fe_err_set(err, code, "listen on %s: %s", fe_addr_format(addr, text),
                          flatend_strerror(code));
    }
    (*out)->file = file;
    return 0;
}

int fe_listener_duplicate(const struct fe_listener *listener)
{
    return fe_fd_duplicate(listener->fd);
}

void fe_listener_addr(const struct fe_listener *listener, struct fe_addr *addr)
{
    *addr = listener->addr;
}

static void on_closed(uv_handle_t *handle)
{
    struct fe_listener *listener = handle->data;

    listener->ops->on_close(listener->owner);
    free(listener);
}

void fe_listener_close(struct fe_listener *listener)
{
    if (listener->is_closing) {
        return;
    }
    listener->is_closing = true;
    fe_timer_stop(&listener->worker->timers, &listener->resume);
    /* No more clients find it, and those that wait for being accepted see it closed. */
    remove_file(&listener->addr, &listener->file);
    uv_close((uv_handle_t *)&listener->poll, on_closed);
    /* libuv has stopped watching it: the descriptor's number may be reused from here on. */
    fe_fd_close(listener->fd);
}
