/* Sockets: what libuv does not do, or not as it is wanted here. Codes as of fe_os_code. */
#ifndef FE_GROUND_OS_SOCKET_H
#define FE_GROUND_OS_SOCKET_H

#include "ground/base/addr.h"

struct sockaddr;
struct sockaddr_storage;

/* Addresses in the form of the system. Returns the length. */
unsigned fe_addr_to_sockaddr(const struct fe_addr *addr, struct sockaddr_storage *storage);

/* FLATEND_EADDR when it is of another family. */
int fe_addr_from_sockaddr(struct fe_addr *addr, const struct sockaddr *from) FE_MUST_USE;

/* A socket that listens, not blocking: FLATEND_EADDRINUSE, FLATEND_EACCESS, FLATEND_EADDR; `err`
 * says why, without the address. The unspecified IPv6 address listens on both families, and on IPv4
 * only where there is no IPv6. */
int fe_socket_listen(const struct fe_addr *addr, struct flatend_error *err) FE_MUST_USE;

/* The next client's socket, not blocking, and its address. FLATEND_EAGAIN: no client waits.
 * FLATEND_ELIMIT, FLATEND_ENOMEM: it goes on waiting. FLATEND_ECLOSED: that one was lost, ask
 * again. */
int fe_socket_accept(int listening, struct fe_addr *peer) FE_MUST_USE;

/* The address that it is bound to. */
int fe_socket_addr(int fd, struct fe_addr *addr) FE_MUST_USE;

/* Makes the peer see a reset (RST) when it is closed, and not an ordinary end. Should this fail, it
 * sees the latter. */
void fe_socket_reset_on_close(int fd);

/* Bytes, and the FIN, that the peer's system has not acknowledged. What the system does not say
 * counts as acknowledged. */
uint64_t fe_socket_n_unacked(int fd);

/* The first address of a host name, with port 0. Blocks. FLATEND_EADDR, FLATEND_ENOMEM; `err` says
 * why, without the name. */
int fe_host_lookup(const char *name, struct fe_addr *addr, struct flatend_error *err) FE_MUST_USE;

#endif
