/* TCP connections and listeners on a worker.
 *
 * What is to be sent is appended to the connection's output chain; fe_conn_flush marks it, and all
 * that a turn of the loop has appended leaves in one write at its end. What arrives is handed over
 * in the worker's one read buffer, which on_read may change (decrypt in place) but not keep. */
#ifndef FE_GROUND_UV_CONN_H
#define FE_GROUND_UV_CONN_H

#include "ground/base/addr.h"
#include "ground/uv/worker.h"

struct fe_conn;
struct fe_listener;

struct fe_conn_ops {
    /* A dialed connection is there, or `code` says why not (on_close follows then). */
    void (*on_open)(void *owner, int code);
    void (*on_read)(void *owner, uint8_t *data, size_t len);
    /* The peer will send no more; our direction stays open. If the peer is gone altogether, that is
     * noticed (on_close, FLATEND_ECLOSED) when its system says so, asked by what is written or
     * after a minute of silence. */
    void (*on_eof)(void *owner);
    /* The output has fallen to the low-water mark (a quarter of what `fe_conn_set_high_water` set)
     * after it had been above the mark, or is empty after a partial write. */
    void (*on_drain)(void *owner);
    /* Optional: the output is about to be written, and what is appended now leaves with it. */
    void (*on_flush)(void *owner);
    /* Last of all, exactly once, never from within fe_conn_close: 0 after our close,
     * else what ended it. The connection is freed after it. */
    void (*on_close)(void *owner, int code);
};

/* Starts to connect. A non-zero return: no callback will come. */
int fe_conn_dial(struct fe_worker *worker, const struct fe_addr *addr,
                 const struct fe_conn_ops *ops, void *owner, struct fe_conn **conn) FE_MUST_USE;

/* Makes a connection of an accepted socket, which it closes with itself; on failure the caller
 * does. What follows is fe_conn_accept, or fe_conn_close. FLATEND_ENOMEM, FLATEND_EIO. */
int fe_conn_adopt(struct fe_worker *worker, int fd, const struct fe_addr *peer,
                  struct fe_conn **conn) FE_MUST_USE;

/* Takes over an accepted connection, within on_accept or after fe_conn_adopt, and starts reading.
 */
void fe_conn_accept(struct fe_conn *conn, const struct fe_conn_ops *ops, void *owner);

/* A dialed connection gets another owner: within on_open, or before. */
void fe_conn_hand_over(struct fe_conn *conn, const struct fe_conn_ops *ops, void *owner);

struct fe_chain *fe_conn_out(struct fe_conn *conn);
void fe_conn_set_high_water(struct fe_conn *conn, size_t bytes); /* default 256 KiB */

/* There is output: write it at the end of this turn. */
void fe_conn_flush(struct fe_conn *conn);

/* Writes now what the socket takes, for a connection that is closed next: all that a peer that
 * reads could still get. Calls nothing back. */
void fe_conn_write_now(struct fe_conn *conn);

/* Stops and restarts reading; both idempotent. */
void fe_conn_pause(struct fe_conn *conn);
void fe_conn_resume(struct fe_conn *conn);

/* Writes what is left, then ends our direction (FIN); on_close comes when the peer has ended its
 * own, or after fe_conn_close. */
void fe_conn_finish(struct fe_conn *conn);

/* Closes now, dropping output. on_close comes in a later turn. Idempotent. */
void fe_conn_close(struct fe_conn *conn);

/* As fe_conn_close, but the peer sees a reset (RST), so that it cannot take what it got for all. */
void fe_conn_abort(struct fe_conn *conn);

void fe_conn_peer_addr(const struct fe_conn *conn, struct fe_addr *addr);

/* Bytes that the peer's system has acknowledged so far: whether a slow reader makes progress. What
 * only fills the socket's buffer does not count; that is why this costs a system call. */
uint64_t fe_conn_n_acked(const struct fe_conn *conn);

/* Acknowledges what was read at once (fe_socket_acknowledge); this costs a system call. */
void fe_conn_acknowledge(const struct fe_conn *conn);

/* Bytes that the system has taken so far. */
uint64_t fe_conn_n_written(const struct fe_conn *conn);

/* For how long, altogether, output has waited for room in the socket's buffer, which only the peer
 * makes: ms. What could be written at once has not waited, nor has what was not flushed. */
uint64_t fe_conn_waited_ms(const struct fe_conn *conn);

/* Whether that is all: the output, and our FIN if it was sent. */
bool fe_conn_is_all_acked(const struct fe_conn *conn);

struct fe_listener_ops {
    /* Call fe_conn_accept before returning; else the connection is closed. */
    void (*on_accept)(void *owner, struct fe_conn *conn);
    void (*on_close)(void *owner);
    /* Optional, in place of on_accept: the socket as it is, to be made a connection on whichever
     * worker. It is the owner's to close from here on. */
    void (*on_socket)(void *owner, int fd, const struct fe_addr *peer);
};

/* Listens at once: FLATEND_EADDRINUSE, FLATEND_EACCESS, FLATEND_EADDR; `err` names the address.
 * Out of descriptors, it pauses accepting for 100 ms and goes on. */
int fe_listener_open(struct fe_worker *worker, const struct fe_addr *addr,
                     const struct fe_listener_ops *ops, void *owner, struct fe_listener **listener,
                     struct flatend_error *err) FE_MUST_USE;
/* One listening socket for several listeners: the first that accepts gets the connection. Negative:
 * a code, FLATEND_ELIMIT. Then, perhaps on another thread, a listener on it, which owns it; on
 * failure the caller does. */
int fe_listener_duplicate(const struct fe_listener *listener) FE_MUST_USE;
int fe_listener_adopt(struct fe_worker *worker, int fd, const struct fe_listener_ops *ops,
                      void *owner, struct fe_listener **listener) FE_MUST_USE;
/* Could one listen there now? The errors of fe_listener_open, or 0. */
int fe_listener_try(const struct fe_addr *addr) FE_MUST_USE;
void fe_listener_addr(const struct fe_listener *listener, struct fe_addr *addr);
void fe_listener_close(struct fe_listener *listener);

#endif
