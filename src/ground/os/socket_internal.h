/* Private to src/ground/os: listening on unix sockets (socket_unix.c) for socket.c. */
#ifndef FE_GROUND_OS_SOCKET_INTERNAL_H
#define FE_GROUND_OS_SOCKET_INTERNAL_H

#include "ground/os/socket.h"

enum { FE_SOCKET_BACKLOG = 1024 /* the system cuts it to its own maximum (somaxconn) */ };

/* Binds `fd` to the address, which is a path, and listens: 0, or -1 with errno. */
int fe_unix_listen(int fd, const struct fe_addr *addr, unsigned mode, struct fe_socket_file *file);

#endif
