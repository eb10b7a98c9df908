/* Private to src/ground/uv: from the listener to the connection. */
#ifndef FE_GROUND_UV_ACCEPT_H
#define FE_GROUND_UV_ACCEPT_H

#include "ground/uv/conn.h"

/* Whether fe_conn_accept was called. */
bool fe_conn_is_accepted(const struct fe_conn *conn);

/* Invariants. */
void fe_conn_check(const struct fe_conn *conn);

#endif
