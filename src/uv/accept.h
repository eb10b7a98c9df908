/* Private to src/uv: from the listener to the connection. */
#ifndef FE_UV_ACCEPT_H
#define FE_UV_ACCEPT_H

#include "uv/conn.h"

/* Whether fe_conn_accept was called. */
bool fe_conn_is_taken(const struct fe_conn *conn);

#endif
