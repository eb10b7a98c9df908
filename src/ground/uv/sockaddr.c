#include <netinet/in.h>
#include <string.h>

#include "ground/base/addr.h"
#include "ground/uv/loop.h"

unsigned fe_addr_to_sockaddr(const struct fe_addr *addr, struct sockaddr_storage *storage)
{
    memset(storage, 0, sizeof(*storage));
    if (addr->family == FE_IPV4) {
        struct sockaddr_in *in = (struct sockaddr_in *)storage;

        in->sin_family = AF_INET;
        in->sin_port = htons(addr->port);
        memcpy(&in->sin_addr, addr->ip, sizeof(in->sin_addr));
        return sizeof(*in);
    }
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)storage;

    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(addr->port);
    memcpy(&in6->sin6_addr, addr->ip, sizeof(in6->sin6_addr));
    return sizeof(*in6);
}

int fe_addr_from_sockaddr(struct fe_addr *addr, const struct sockaddr *from)
{
    memset(addr, 0, sizeof(*addr));
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

int fe_uv_code(int status)
{
    switch (status) {
    case 0:
        return FLATEND_OK;
    case UV_ENOMEM:
    case UV_ENOBUFS:
        return FLATEND_ENOMEM;
    case UV_EMFILE:
    case UV_ENFILE:
        return FLATEND_ELIMIT;
    case UV_EOF:
    case UV_ECONNRESET:
    case UV_ECONNABORTED:
    case UV_EPIPE:
    case UV_ENOTCONN:
        return FLATEND_ECLOSED;
    case UV_ECANCELED:
        return FLATEND_ECANCELED;
    case UV_ETIMEDOUT:
        return FLATEND_ETIMEDOUT;
    case UV_ECONNREFUSED:
        return FLATEND_EREFUSED;
    case UV_ENETUNREACH:
    case UV_EHOSTUNREACH:
    case UV_ENETDOWN:
        return FLATEND_EUNREACHABLE;
    case UV_EADDRINUSE:
        return FLATEND_EADDRINUSE;
    case UV_EADDRNOTAVAIL:
    case UV_EAFNOSUPPORT:
        return FLATEND_EADDR;
    case UV_EACCES:
    case UV_EPERM:
        return FLATEND_EACCESS;
    case UV_EAI_NONAME:
    case UV_EAI_NODATA:
        return FLATEND_ENOENT;
    default:
        return FLATEND_EIO;
    }
}
