#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ground/uv/accept.h"
#include "ground/uv/loop.h"

enum {
    BACKLOG = 1024,        /* the system cuts it to its own maximum (somaxconn) */
    ACCEPTS_A_TURN = 64,   /* so that a flood of connections does not keep the others waiting */
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
    struct fe_timer resume; /* armed while accepting is paused */
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

static void hand_over(struct fe_listener *listener, int fd, const struct sockaddr *from)
{
    struct fe_conn *conn;
    struct fe_addr peer;

    if (fe_addr_from_sockaddr(&peer, from) != 0) {
        (void)close(fd);
        return;
    }
    if (listener->ops->on_socket != NULL) {
        listener->ops->on_socket(listener->owner, fd, &peer);
        return;
    }
    if (fe_conn_adopt(listener->worker, fd, &peer, &conn) != 0) {
        (void)close(fd);
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
        struct sockaddr_storage from;
        socklen_t len = sizeof(from);
        int fd =
            accept4(listener->fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            hand_over(listener, fd, (struct sockaddr *)&from);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            pause_accepting(listener);
            return;
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return;
        }
        /* Else the one connection was lost before it was accepted (accept(2)): the next. */
    }
}

static int bind_socket(int fd, const struct fe_addr *addr)
{
    struct sockaddr_storage storage;
    socklen_t len = fe_addr_to_sockaddr(addr, &storage);
    int on = 1;
    int off = 0;

    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        (addr->family == FE_IPV6 &&
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) != 0) ||
        bind(fd, (struct sockaddr *)&storage, len) != 0 || listen(fd, BACKLOG) != 0) {
        return -errno;
    }
    return 0;
}

/* A listening socket, or a negative errno. On a machine without IPv6 the unspecified address, which
 * means all interfaces, is IPv4's. */
static int open_socket(const struct fe_addr *addr)
{
    const struct fe_addr any_ipv4 = {.family = FE_IPV4, .port = addr->port};
    int family = addr->family == FE_IPV4 ? AF_INET : AF_INET6;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int rv;

    if (fd < 0) {
        bool no_ipv6 = errno == EAFNOSUPPORT && family == AF_INET6;

        return no_ipv6 && fe_addr_is_unspecified(addr) ? open_socket(&any_ipv4) : -errno;
    }
    rv = bind_socket(fd, addr);
    if (rv != 0) {
        (void)close(fd);
        return rv;
    }
    return fd;
}

int fe_listener_try(const struct fe_addr *addr)
{
    int rv = open_socket(addr);

    if (rv < 0) {
        return fe_uv_code(rv);
    }
    (void)close(rv);
    return 0;
}

static int start_listener(struct fe_listener *listener)
{
    struct sockaddr_storage storage;
    socklen_t len = sizeof(storage);
    int rv;

    if (getsockname(listener->fd, (struct sockaddr *)&storage, &len) != 0) {
        return -errno;
    }
    if (fe_addr_from_sockaddr(&listener->addr, (struct sockaddr *)&storage) != 0) {
        return UV_EAFNOSUPPORT;
    }
    rv = uv_poll_init(listener->worker->loop, &listener->poll, listener->fd);
    if (rv == 0) {
        listener->poll.data = listener;
        rv = uv_poll_start(&listener->poll, UV_READABLE, on_ready);
    }
    return rv;
}

int fe_listener_adopt(struct fe_worker *worker, int fd, const struct fe_listener_ops *ops,
                      void *owner, struct fe_listener **out)
{
    struct fe_listener *listener = calloc(1, sizeof(*listener));
    int rv;

    *out = NULL;
    if (listener == NULL) {
        return FLATEND_ENOMEM;
    }
    listener->worker = worker;
    listener->ops = ops;
    listener->owner = owner;
    listener->fd = fd;
    fe_timer_init(&listener->resume, on_resume);
    rv = start_listener(listener);
    if (rv != 0) {
        free(listener);
        return fe_uv_code(rv);
    }
    *out = listener;
    return 0;
}

int fe_listener_open(struct fe_worker *worker, const struct fe_addr *addr,
                     const struct fe_listener_ops *ops, void *owner, struct fe_listener **out,
                     struct flatend_error *err)
{
    char text[FE_ADDR_TEXT_MAX];
    int fd = open_socket(addr);
    int code;

    *out = NULL;
    if (fd < 0) {
        return fe_err_set(err, fe_uv_code(fd), "listen on %s: %s", fe_addr_format(addr, text),
                          uv_strerror(fd));
    }
    code = fe_listener_adopt(worker, fd, ops, owner, out);
    if (code != 0) {
        (void)close(fd);
        return fe_err_set(err, code, "listen on %s: %s", fe_addr_format(addr, text),
                          flatend_strerror(code));
    }
    return 0;
}

int fe_listener_duplicate(const struct fe_listener *listener)
{
    int fd = fcntl(listener->fd, F_DUPFD_CLOEXEC, 0);

    return fd >= 0 ? fd : fe_uv_code(-errno);
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
    uv_close((uv_handle_t *)&listener->poll, on_closed);
    /* libuv has stopped watching it: nobody else can be given this descriptor too early. */
    (void)close(listener->fd);
}
