/* Two bodies between a thread that may block (a handler, a caller of flatend_push) and the node's
 * thread, which never waits. Both directions are bounded: the blocking side waits when the other
 * does not keep up, the node's side takes less and is told to resume. The words are those of
 * ground/base/flow.h: the node's side passes on the events of a stream or call, the blocking side's
 * calls become commands that the node's thread carries out.
 *
 *     blocking side                                  node's side           stream or call
 *     write ───────▶ out ──────▶ sending ──────────▶ send ───────────────▶ write
 *      waits ◀────── n_unsent < FE_HANDOFF_OUT_MAX ◀─┘ ◀────────────────── on_writable
 *     FINISH, RESET ───────────▶ commands ─────────▶ receive, collect ───▶ finish, reset
 *     read ◀──────── in ◀────────────────────────── on_data ◀──────────── on_data
 *      0, code ◀──── is_complete, code ◀──────────── on_end, on_reset ◀─── on_end, on_reset
 *     RESUME ──────────────────▶ commands ─────────▶ receive ────────────▶ resume
 *     RELEASE: the last one. Once it was received, and the stream is gone, all is freed.
 *
 * The blocking side posts one task: at most one is in flight, however many commands it carries, and
 * the node's thread collects all of them together. */
#ifndef FE_MESH_ASYNC_HANDOFF_H
#define FE_MESH_ASYNC_HANDOFF_H

#include "ground/base/chain.h"
#include "ground/os/thread.h"
#include "ground/uv/task_queue.h"

enum {
    /* Bytes that wait before the peer is held back: for a reader that has not begun (there may be a
     * thousand, FE_POOL_QUEUE_MAX), and for one that reads (no more than there are threads). It is
     * woken at once for half of that, for fewer at the end of the turn: waking a thread costs more
     * than to receive a record, and a fast sender would wake it for each. */
    FE_HANDOFF_IN_MAX = 128 * 1024,
    FE_HANDOFF_IN_READ_MAX = 512 * 1024,
    /* Bytes that wait for the network before a blocking writer is held back. */
    FE_HANDOFF_OUT_MAX = 256 * 1024,
};

/* What the blocking side asks of the node's. All but RESUME stay once asked. */
enum fe_handoff_command {
    FE_HANDOFF_SEND_HEAD = 1 << 0, /* send the head */
    FE_HANDOFF_FINISH = 1 << 1,    /* the outgoing body is complete */
    FE_HANDOFF_RESET = 1 << 2,     /* give the stream up, in both directions */
    FE_HANDOFF_RELEASE = 1 << 3,   /* the blocking side has gone: free everything */
    FE_HANDOFF_RESUME = 1 << 4,    /* there is space for incoming bytes again */
};

struct fe_handoff {
    struct fe_worker *worker;
    struct fe_task task;
    struct fe_mutex lock;
    struct fe_cond changed;
    /* under `lock` */
    struct fe_chain in;
    struct fe_chain out;
    size_t in_max;   /* FE_HANDOFF_IN_MAX, once it is read FE_HANDOFF_IN_READ_MAX */
    size_t n_unsent; /* in `out` and in `sending` */
    unsigned commands;
    int code;           /* why the stream is gone, once it is */
    bool is_complete;   /* everything incoming is in `in` */
    bool owes_resume;   /* bytes were refused: RESUME is due when there is space */
    bool is_discarding; /* writes are discarded */
    bool is_posted;     /* the task is in flight */
    bool is_detached;   /* the node is closed: no tasks are posted */
    /* the node's thread only */
    struct fe_deferred wake; /* of a reader, for what has come in this turn */
    struct fe_chain sending;
};

/* `on_task` runs on the worker. FLATEND_ENOMEM. */
int fe_handoff_init(struct fe_handoff *handoff, struct fe_worker *worker,
                    void (*on_task)(struct fe_task *task)) FE_MUST_USE;
void fe_handoff_deinit(struct fe_handoff *handoff);

/* As after init, for reuse. No other thread may use it. */
void fe_handoff_clear(struct fe_handoff *handoff);

/* Both sides are the node's thread: blocks may come from its pool. Only while nothing is in it. */
void fe_handoff_set_pool(struct fe_handoff *handoff, struct fe_pool *pool);

/* ---- the blocking side ---- */

/* How many bytes, 0 at the end, or why there is no more. */
ssize_t fe_handoff_read(struct fe_handoff *handoff, void *buf, size_t cap) FE_MUST_USE;

/* Waits for space. 0, or why the stream is gone. */
int fe_handoff_write(struct fe_handoff *handoff, const void *data, size_t len) FE_MUST_USE;

void fe_handoff_command(struct fe_handoff *handoff, unsigned commands);

/* The blocking side's last call: commands RELEASE, and the node's thread frees everything. False:
 * the node is closed, the caller frees. */
bool fe_handoff_release(struct fe_handoff *handoff) FE_MUST_USE;

int fe_handoff_code(struct fe_handoff *handoff);

/* Everything incoming is there, and was read. */
bool fe_handoff_is_read(struct fe_handoff *handoff);

/* ---- the node's side ---- */

/* To be called first when the task has come: what the other side commands, what it wrote is in
 * `sending` then. Zero: it may be gone, look no further. */
unsigned fe_handoff_receive(struct fe_handoff *handoff);

/* The same when something else has happened. RESUME is left for the task that brings it, and so is
 * RELEASE while a task is under way: the task is part of what RELEASE frees. */
unsigned fe_handoff_collect(struct fe_handoff *handoff);

/* Sends what it can of `sending` through `write`, which returns how much it accepted or a code.
 * Lets a blocked writer go on. Zero, or the code. */
int fe_handoff_send(struct fe_handoff *handoff, ssize_t (*write)(void *to, struct fe_view data),
                    void *to) FE_MUST_USE;

/* Incoming bytes: returns how many were taken. Fewer than all: the command RESUME follows. Without
 * memory it is as if the stream were reset: they are dropped, as they are after any reset. */
size_t fe_handoff_on_data(struct fe_handoff *handoff, struct fe_view data);

/* The incoming body is complete. After a reset nothing changes: something is missing. */
void fe_handoff_on_end(struct fe_handoff *handoff);

/* Discards everything written from now on. */
void fe_handoff_discard(struct fe_handoff *handoff);

/* The stream is over before it was complete; the first code stays. Wakes the waiting
 * thread. */
void fe_handoff_on_reset(struct fe_handoff *handoff, int code);

/* Every invariant. To be called by the node's side. */
void fe_handoff_check(struct fe_handoff *handoff);

/* No task can be posted from now on; what was posted will still be received. */
void fe_handoff_detach(struct fe_handoff *handoff);

#endif
