/* Sockets: what libuv does not do, or not as it is wanted here. Codes as of fe_os_code. */
#ifndef FE_GROUND_OS_SOCKET_H
#define FE_GROUND_OS_SOCKET_H

#include "ground/base/addr.h"

struct sockaddr;
struct sockaddr_storage;

enum {
    FE_SOCKET_MODE = 0660, /* of a unix socket, less the umask: its owner and its group connect */
};

/* Which file a unix socket is: another one of that name is another one's. */
struct fe_socket_file {
    uint64_t device;
    uint64_t inode; /* 0: there is none */
};

/* Addresses in the form of the system. Returns the length. */
unsigned fe_addr_to_sockaddr(const struct fe_addr *addr, struct sockaddr_storage *storage);

/* The reverse, of `len` bytes. A unix socket without a path has an empty one. FLATEND_EADDR when it
 * is of another family. */
int fe_addr_from_sockaddr(struct fe_addr *addr, const struct sockaddr *from,
                          unsigned len) FE_MUST_USE;

/* A socket that listens, not blocking: FLATEND_EADDRINUSE, FLATEND_EACCESS, FLATEND_ENOENT,
 * FLATEND_EADDR; `err` says why, without the address. The unspecified IPv6 address listens on both
 * families, and on IPv4 only where there is no IPv6.
 * A unix socket's file gets `mode` less the umask, before anything can connect. One that is there
 * is replaced if nothing listens on it; any other file, and a symbolic link, is FLATEND_EADDRINUSE
 * and stays. `file` is for fe_socket_unlink. */
int fe_socket_listen(const struct fe_addr *addr, unsigned mode, struct fe_socket_file *file,
                     struct flatend_error *err) FE_MUST_USE;

/* Removes the file of a unix socket, unless another one has taken its place. */
void fe_socket_unlink(const struct fe_addr *addr, const struct fe_socket_file *file);

/* The next client's socket, not blocking, and its address; over a unix socket that has no path, as
 * the client could choose any bytes for it. FLATEND_EAGAIN: no client waits. FLATEND_ELIMIT,
 * FLATEND_ENOMEM: it goes on waiting. FLATEND_ECLOSED: that one was lost, ask again. */
int fe_socket_accept(int listening, struct fe_addr *peer) FE_MUST_USE;

/* The address that it is bound to. */
int fe_socket_addr(int fd, struct fe_addr *addr) FE_MUST_USE;

/* Makes the peer see a reset (RST) when it is closed, and not an ordinary end. Should this fail, as
 * on unix sockets, it sees the latter. */
void fe_socket_reset_on_close(int fd);

/* Has the peer's system asked, from a minute of silence on, whether it still knows the connection.
 * Nothing, on unix sockets, which need it not. */
void fe_socket_keep_alive(int fd);

/* Acknowledges what was received now, and not in 40 ms or with the next bytes that are sent: a peer
 * with Nagle's algorithm (RFC 896) sends its next few bytes only then. Linux forgets that it was
 * told so. Nothing, on unix sockets. */
void fe_socket_acknowledge(int fd);

/* Bytes, and the FIN, that the peer's system has not acknowledged; of a unix socket, about as many
 * as the peer has not read, and 0 only when it has read all. What the system does not say counts as
 * acknowledged. */
uint64_t fe_socket_n_unacked(int fd);

/* The addresses of a host name, at most `cap` of them, with port 0, in the order in which they are
 * best tried (RFC 6724). Blocks. FLATEND_ENOENT: no such host; FLATEND_EUNREACHABLE: no answer, or
 * another fault of the moment; FLATEND_ENOMEM. `err` says why, without the name. */
int fe_host_lookup(const char *name, struct fe_addr *addrs, size_t cap, size_t *n,
                   struct flatend_error *err) FE_MUST_USE;

#endif
