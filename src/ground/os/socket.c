#include "ground/os/socket.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "ground/base/ascii.h"
#include "ground/base/assert.h"
#include "ground/os/error.h"
#include "ground/os/fd.h"
#include "ground/os/socket_internal.h"

/* ---- addresses ------------------------------------------------------------------------------ */

unsigned fe_addr_to_sockaddr(const struct fe_addr *addr, struct sockaddr_storage *storage)
{
    memset(storage, 0, sizeof(*storage));
    if (addr->family == FE_UNIX) {
        struct sockaddr_un *un = (struct sockaddr_un *)storage;
        const size_t len = strlen(addr->path);

        FE_ASSERT(len < sizeof(un->sun_path), "a path fits into the address of a socket");
        un->sun_family = AF_UNIX;
        memcpy(un->sun_path, addr->path, len + 1);
        return (unsigned)(offsetof(struct sockaddr_un, sun_path) + len + 1);
    }
    if (addr->family == FE_IPV4) {
        struct sockaddr_in *in = (struct sockaddr_in *)storage;

        in->sin_family = AF_INET;
        in->sin_port = htons(addr->port);
        memcpy(&in->sin_addr, addr->ip, sizeof(in->sin_addr));
        return sizeof(*in);
    }
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)storage;

    FE_ASSERT(addr->family == FE_IPV6, "an address is of a family that is known");
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(addr->port);
    memcpy(&in6->sin6_addr, addr->ip, sizeof(in6->sin6_addr));
    return sizeof(*in6);
}

/* The name of one that has none has no bytes at all, and an abstract one begins with a NUL. */
static void from_unix(struct fe_addr *addr, const struct sockaddr *from, unsigned len)
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)(const void *)from;
    const size_t start = offsetof(struct sockaddr_un, sun_path);
    const size_t n = len > start ? strnlen(un->sun_path, len - start) : 0;

    addr->family = FE_UNIX;
    memcpy(addr->path, un->sun_path, n < sizeof(addr->path) ? n : sizeof(addr->path) - 1);
}

int fe_addr_from_sockaddr(struct fe_addr *addr, const struct sockaddr *from, unsigned len)
{
    memset(addr, 0, sizeof(*addr));
    if (len < sizeof(from->sa_family)) {
        return FLATEND_EADDR;
    }
    if (from->sa_family == AF_UNIX) {
        from_unix(addr, from, len);
        return 0;
    }
    if (from->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)from;

        addr->family = FE_IPV4;
        addr->port = ntohs(in->sin_port);
        memcpy(addr->ip, &in->sin_addr, sizeof(in->sin_addr));
        return 0;
    }
    if (from->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)from;

        addr->family = FE_IPV6;
        addr->port = ntohs(in6->sin6_port);
        memcpy(addr->ip, &in6->sin6_addr, sizeof(in6->sin6_addr));
        return 0;
    }
    return FLATEND_EADDR;
}

int fe_socket_addr(int fd, struct fe_addr *addr)
{
    struct sockaddr_storage storage = {.ss_family = AF_UNSPEC};
    socklen_t len = sizeof(storage);

    if (getsockname(fd, (struct sockaddr *)&storage, &len) != 0) {
        return fe_os_last_code();
    }
    return fe_addr_from_sockaddr(addr, (struct sockaddr *)&storage, len);
}

/* ---- listening ------------------------------------------------------------------------------ */

/* In the words of the system, as a part of a sentence. */
static int fail(struct flatend_error *err)
{
    const int code = fe_os_last_code();

    (void)fe_err_set(err, code, "%s", fe_os_last_reason());
    if (err != NULL) {
        err->text[0] = (char)fe_ascii_lower((uint8_t)err->text[0]);
    }
    return code;
}

/* What accepted connections inherit: the system holds so many bytes that it cannot send yet, and
 * not megabytes for each client that does not read. Together these would use up its memory for TCP,
 * and then every connection of the machine is slow. */
static void bound_unsent(int fd)
{
    const int n = 128 * 1024;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &n, sizeof(n));
}

static int listen_ip(int fd, const struct fe_addr *addr)
{
    struct sockaddr_storage storage;
    const socklen_t len = fe_addr_to_sockaddr(addr, &storage);
    const int on = 1;
    const int off = 0;

    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        (addr->family == FE_IPV6 &&
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) != 0) ||
        bind(fd, (struct sockaddr *)&storage, len) != 0) {
        return -1;
    }
    bound_unsent(fd);
    return listen(fd, FE_SOCKET_BACKLOG);
}

static int family_of(const struct fe_addr *addr)
{
    switch (addr->family) {
    case FE_UNIX:
        return AF_UNIX;
    case FE_IPV4:
        return AF_INET;
    case FE_IPV6:
        break;
    }
    return AF_INET6;
}

int fe_socket_listen(const struct fe_addr *addr, unsigned mode, struct fe_socket_file *file,
                     struct flatend_error *err)
{
    const struct fe_addr any_ipv4 = {.family = FE_IPV4, .port = addr->port};
    const int family = family_of(addr);
    const int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int code;

    *file = (struct fe_socket_file){0};

    if (fd < 0) {
        const bool no_ipv6 = errno == EAFNOSUPPORT && family == AF_INET6;

        return no_ipv6 && fe_addr_is_unspecified(addr)
                   ? fe_socket_listen(&any_ipv4, mode, file, err)
                   : fail(err);
    }
    code = family == AF_UNIX ? fe_unix_listen(fd, addr, mode, file) : listen_ip(fd, addr);
    if (code != 0) {
        fe_fd_close(fd);
        return fail(err);
    }
    return fd;
}

int fe_socket_accept(int listening, struct fe_addr *peer)
{
    struct sockaddr_storage from = {.ss_family = AF_UNSPEC};
    socklen_t len = sizeof(from);
    int fd = accept4(listening, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

    /* An application may close its standard output while a node runs. */
    fd = fd >= 0 ? fe_fd_off_standard(fd) : fe_os_last_code();
    if (fd < 0) {
        const int code = fd;

        return code == FLATEND_EAGAIN || code == FLATEND_ELIMIT || code == FLATEND_ENOMEM
                   ? code
                   : FLATEND_ECLOSED; /* the one connection was lost before that (accept(2)) */
    }
    if (fe_addr_from_sockaddr(peer, (struct sockaddr *)&from, len) != 0) {
        fe_fd_close(fd);
        return FLATEND_ECLOSED;
    }
    if (peer->family == FE_UNIX) {
        *peer = (struct fe_addr){.family = FE_UNIX};
    }
    return fd;
}

/* ---- connections ---------------------------------------------------------------------------- */

void fe_socket_reset_on_close(int fd)
{
    const struct linger reset = {.l_onoff = 1};

    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
}

/* A system forgets a half-closed connection that nothing holds any more after a minute. */
void fe_socket_keep_alive(int fd)
{
    const int on = 1;
    const int idle_s = 60;
    const int interval_s = 15;
    const int n_probes = 4;

    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof(interval_s));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &n_probes, sizeof(n_probes));
}

void fe_socket_acknowledge(int fd)
{
    const int on = 1;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
}

uint64_t fe_socket_n_unacked(int fd)
{
    int n = 0;

    (void)ioctl(fd, SIOCOUTQ, &n);
    FE_ASSERT(n >= 0, "a socket's buffer holds no less than nothing");
    return (uint64_t)n;
}

/* ---- names ---------------------------------------------------------------------------------- */

/* What is temporary, and what is not: a name that does not exist may do so later, too. */
static int fail_lookup(int reason, struct flatend_error *err)
{
    switch (reason) {
    case EAI_SYSTEM:
        return fail(err);
    case EAI_MEMORY:
        return fe_err_code(err, FLATEND_ENOMEM);
    case EAI_NONAME:
    case EAI_NODATA:
        return fe_err_set(err, FLATEND_ENOENT, "no such host");
    default:
        (void)fe_err_set(err, FLATEND_EUNREACHABLE, "%s", gai_strerror(reason));
        if (err != NULL) {
            err->text[0] = (char)fe_ascii_lower((uint8_t)err->text[0]);
        }
        return FLATEND_EUNREACHABLE;
    }
}

/* RFC 6761 §6.3: this machine, whatever a server of names would say. */
static size_t localhost_addrs(struct fe_addr *addrs, size_t cap)
{
    static const struct fe_addr loopback[] = {
        {.family = FE_IPV4, .ip = {127, 0, 0, 1}},
        {.family = FE_IPV6, .ip = {[15] = 1}},
    };
    size_t n = 0;

    for (; n < cap && n < sizeof(loopback) / sizeof(loopback[0]); n++) {
        addrs[n] = loopback[n];
    }
    return n;
}

static size_t copy_found(const struct addrinfo *found, struct fe_addr *addrs, size_t cap)
{
    size_t n = 0;

    for (const struct addrinfo *info = found; info != NULL && n < cap; info = info->ai_next) {
        if (fe_addr_from_sockaddr(&addrs[n], info->ai_addr, info->ai_addrlen) == 0) {
            addrs[n++].port = 0;
        }
    }
    return n;
}

int fe_host_lookup(const char *name, struct fe_addr *addrs, size_t cap, size_t *n,
                   struct flatend_error *err)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int reason;

    *n = 0;
    if (fe_view_equal_nocase(fe_view_str(name), FE_VIEW_LIT("localhost"))) {
        *n = localhost_addrs(addrs, cap);
        return 0;
    }
    reason = getaddrinfo(name, NULL, &hints, &found);
    if (reason != 0) {
        return fail_lookup(reason, err);
    }
    *n = copy_found(found, addrs, cap);
    freeaddrinfo(found);
    return *n > 0 ? 0 : fail_lookup(EAI_NODATA, err);
}
