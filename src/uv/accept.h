/* Private to src/uv: from the listener to the connection. */
#ifndef FE_UV_ACCEPT_H
#define FE_UV_ACCEPT_H

#include "uv/conn.h"

/* Wraps an accepted socket, which it closes with the connection; on failure the caller does.
 * FLATEND_ENOMEM, FLATEND_EIO. */
int fe_conn_adopt(struct fe_worker *worker, int fd, const struct fe_addr *peer,
                  struct fe_conn **conn) FE_MUST_USE;

/* Whether fe_conn_accept was called. */
bool fe_conn_is_taken(const struct fe_conn *conn);

#endif
