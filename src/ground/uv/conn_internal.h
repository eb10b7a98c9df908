/* Private to src/ground/uv/conn*.c: what a connection is made of.
 *
 * Opening, reading and closing: conn.c. Writing, and the FIN behind it: conn_write.c. A
 * peer whose FIN has come: conn_watch.c. */
#ifndef FE_GROUND_UV_CONN_INTERNAL_H
#define FE_GROUND_UV_CONN_INTERNAL_H

#include "ground/uv/accept.h"
#include "ground/uv/conn.h"
#include "ground/uv/loop.h"

/*   dial ──▶ CONNECTING ──▶ OPEN ──▶ FINISHING ──▶ FINISHED
 *                 │           │          │             │        finish: write what is left, then
 * FIN └───────────┴──────────┴─────────────┴──▶ CLOSING ──▶ on_close, freed
 */
enum fe_conn_state {
    FE_CONN_CONNECTING,
    FE_CONN_OPEN,
    FE_CONN_FINISHING, /* fe_conn_finish was called: output, then FIN, still to be sent */
    FE_CONN_FINISHED,  /* our FIN is sent */
    FE_CONN_CLOSING,
};

/* When on_drain is due. */
enum fe_conn_drain {
    FE_CONN_DRAIN_NONE,
    FE_CONN_DRAIN_AT_EMPTY, /* a write was partial */
    FE_CONN_DRAIN_AT_LOW,   /* the output had reached the high-water mark */
};

struct fe_conn {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe; /* over a unix socket */
    };
    union {
        uv_connect_t connect;
        uv_write_t write;
        uv_shutdown_t shutdown;
    } request; /* one at a time, in this order */
    struct fe_worker *worker;
    const struct fe_conn_ops *ops; /* NULL: no owner yet */
    void *owner;
    struct fe_ip_addr peer; /* FE_UNIX: `dialed_path`, or a client without a name */
    char *dialed_path;
    struct fe_chain out;
    struct fe_list flush; /* in the worker's list */
    size_t high_water;
    size_t n_waiting; /* bytes at the front of `out` that libuv is writing */
    uint64_t n_written;
    uint64_t blocked_ms; /* since when the socket takes no more, if n_waiting > 0 */
    uint64_t waited_ms;  /* before that, in all */
    uint64_t full_turn;  /* in which it has filled the read buffer; 0: in none */
    int close_code;
    enum fe_conn_state state;
    enum fe_conn_drain drain;
    bool is_paused;
    bool is_eof;                 /* the peer's FIN has come */
    struct fe_conn_watch *watch; /* from there on, while the owner has not finished; or NULL */
};

/* The only way to the end; the first reason counts. */
void fe_conn_end(struct fe_conn *conn, int code);

/* Behind the peer's FIN: ends the connection when the peer turns out to be gone (conn_watch.c). */
void fe_conn_watch_start(struct fe_conn *conn);
void fe_conn_watch_stop(struct fe_conn *conn);

#endif
