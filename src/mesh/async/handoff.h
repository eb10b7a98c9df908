/* Two bodies between the application's threads (a handler, a caller, who has kept a request) and
 * the node's thread, which never waits. Both directions are bounded: the application's side waits,
 * or is told FLATEND_EAGAIN and gets an event, when the other does not keep up; the node's side
 * takes less and is told to resume. The words are those of ground/base/flow.h: the node's side
 * passes on the events of a stream or call, the application's calls become commands that the node's
 * thread carries out.
 *
 *     application's side                             node's side           stream or call
 *     write ───────▶ out ──────▶ sending ──────────▶ send ───────────────▶ write
 *      EAGAIN ◀────── n_unsent < FE_HANDOFF_OUT_MAX ◀┘ ◀────────────────── on_writable
 *     FINISH, RESET ───────────▶ commands ─────────▶ receive, collect ───▶ finish, reset
 *     read ◀──────── in ◀────────────────────────── on_data ◀──────────── on_data
 *      0, code ◀──── is_complete, code ◀──────────── on_end, on_reset ◀─── on_end, on_reset
 *     RESUME ──────────────────▶ commands ─────────▶ receive ────────────▶ resume
 *     RELEASE: the last one. Once it was received, and the stream is gone, all is freed.
 *
 * The application's side posts one task: at most one is in flight, however many commands it
 * carries, and the node's thread collects all of them together.
 *
 * Waiting is a loop around what does not wait: what a blocked thread is woken by is what posts the
 * events. In each direction:
 *
 *     FREE ── the call says FLATEND_EAGAIN ──▶ OWED ── news of the node's ──▶ FREE, one event */
#ifndef FE_MESH_ASYNC_HANDOFF_H
#define FE_MESH_ASYNC_HANDOFF_H

#include <stdatomic.h>

#include "ground/base/chain.h"
#include "ground/os/thread.h"
#include "ground/uv/task_queue.h"
#include "mesh/async/queue.h"

enum {
    /* Bytes that wait before the peer is held back: for a reader that has not begun (there may be a
     * thousand, FE_POOL_QUEUE_MAX), and for one that reads (no more than there are threads). It is
     * woken at once for half of that, for fewer at the end of the turn: waking a thread costs more
     * than to receive a record, and a fast sender would wake it for each. */
    FE_HANDOFF_IN_MAX = 128 * 1024,
    FE_HANDOFF_IN_READ_MAX = 512 * 1024,
    /* Bytes that wait for the network before a writer is held back. One write of more than that is
     * taken whole by a writer that does not wait, if nothing is before it. */
    FE_HANDOFF_OUT_MAX = 256 * 1024,
    /* What waits in all hand-offs of a node together before each of them is given no more than
     * FE_HANDOFF_SMALL, in either direction: many slow clients do not add up. */
    FE_HANDOFF_ALL_MAX = 64 * 1024 * 1024,
    FE_HANDOFF_SMALL = 16 * 1024,
};

/* What the hand-offs of a node share. */
struct fe_handoff_env {
    struct fe_worker *worker;
    struct fe_pool *blocks;  /* shared by the threads */
    atomic_size_t n_waiting; /* bytes in all of them, without those that were lent */
};

/* `worker` may be NULL, and set once there is one. FLATEND_ENOMEM. */
int fe_handoff_env_init(struct fe_handoff_env *env, struct fe_worker *worker) FE_MUST_USE;
/* When all hand-offs are freed or detached. */
void fe_handoff_env_deinit(struct fe_handoff_env *env);

/* What the application's side asks of the node's. All but RESUME stay once asked. */
enum fe_handoff_command {
    FE_HANDOFF_SEND_HEAD = 1 << 0, /* send the head */
    FE_HANDOFF_FINISH = 1 << 1,    /* the outgoing body is complete */
    FE_HANDOFF_RESET = 1 << 2,     /* give the stream up, in both directions */
    FE_HANDOFF_RELEASE = 1 << 3,   /* the application's side has gone: free everything */
    FE_HANDOFF_RESUME = 1 << 4,    /* there is space for incoming bytes again */
    FE_HANDOFF_KEEP = 1 << 5,      /* the handler has returned, and somebody else has its request */
};

/* Bytes of the application's, and how they are given back. */
struct fe_loan {
    const void *data;
    size_t len;
    void (*release)(void *arg);
    void *arg;
};

struct fe_handoff {
    struct fe_worker *worker;
    struct fe_handoff_env *env; /* under `lock`; NULL once it is detached */
    struct fe_task task;
    struct fe_mutex lock;
    struct fe_cond changed;
    enum flatend_event_type on_reset_event; /* what the application is told of a reset */
    /* under `lock` */
    struct fe_event_source events;
    unsigned n_holders; /* on the application's side: RELEASE is commanded when the last one goes */
    struct fe_chain in;
    struct fe_chain out;
    size_t in_max;   /* FE_HANDOFF_IN_MAX, once it is read FE_HANDOFF_IN_READ_MAX */
    size_t n_unsent; /* in `out` and in `sending` */
    unsigned commands;
    int code;           /* why the stream is gone, once it is */
    bool is_complete;   /* everything incoming is in `in` */
    bool owes_resume;   /* bytes were refused: RESUME is due when there is space */
    bool owes_readable; /* a read said FLATEND_EAGAIN */
    bool owes_writable; /* a write said so */
    bool is_discarding; /* writes are discarded */
    bool is_posted;     /* the task is in flight */
    bool is_detached;   /* the node is closed: no tasks are posted */
    /* the node's thread only */
    struct fe_deferred wake; /* of a reader, for what has come in this turn */
    struct fe_chain sending;
};

/* `on_task` runs on the worker of `env`, which lives until the hand-off is freed or detached. One
 * holder. FLATEND_ENOMEM. */
int fe_handoff_init(struct fe_handoff *handoff, struct fe_handoff_env *env,
                    void (*on_task)(struct fe_task *task)) FE_MUST_USE;
void fe_handoff_deinit(struct fe_handoff *handoff);

/* As after init, for reuse. No other thread may use it. */
void fe_handoff_clear(struct fe_handoff *handoff);

/* ---- the application's side ---- */

/* How many bytes, 0 at the end, why there is no more, or FLATEND_EAGAIN: an event follows. */
ssize_t fe_handoff_try_read(struct fe_handoff *handoff, void *buf, size_t cap) FE_MUST_USE;

/* Takes all of it, or says why the stream is gone, or FLATEND_EAGAIN: an event follows. */
int fe_handoff_try_write(struct fe_handoff *handoff, const void *data, size_t len) FE_MUST_USE;

/* The same, but they wait instead of FLATEND_EAGAIN. */
ssize_t fe_handoff_read(struct fe_handoff *handoff, void *buf, size_t cap) FE_MUST_USE;
int fe_handoff_write(struct fe_handoff *handoff, const void *data, size_t len) FE_MUST_USE;

/* Without copying. Reads a block as it has come, to be given back with fe_block_release (NULL, but
 * for a result of more than 0); writes bytes that stay where they are, all at once, until `release`
 * is called: on any thread, without a lock of ours, and not before 0 is certain. Fewer than
 * FE_CHAIN_LEND_MIN are copied all the same. `waits`: instead of FLATEND_EAGAIN. */
ssize_t fe_handoff_take(struct fe_handoff *handoff, bool waits, struct fe_block **block,
                        const void **data) FE_MUST_USE;
int fe_handoff_lend(struct fe_handoff *handoff, bool waits, const struct fe_loan *loan) FE_MUST_USE;

void fe_handoff_command(struct fe_handoff *handoff, unsigned commands);

/* One holder more, from one that stays. */
void fe_handoff_hold(struct fe_handoff *handoff);

/* The same, for a holder that does not wait: from now on `queue` (may be NULL) gets the events. */
void fe_handoff_keep(struct fe_handoff *handoff, unsigned commands, struct flatend_queue *queue,
                     void *arg);

/* One holder less, whose last call it is: commands what it says, and with the last holder RELEASE,
 * so that the node's thread frees everything. `ends`: no events from now on. False: it was the
 * last, and the node is closed: the caller frees. */
bool fe_handoff_leave(struct fe_handoff *handoff, unsigned commands, bool ends) FE_MUST_USE;

/* The same, without events from now on, for a holder that has written all. `code` 0, or why the
 * stream is gone: then it is reset, whatever is commanded. */
bool fe_handoff_end(struct fe_handoff *handoff, unsigned commands, int *code) FE_MUST_USE;

/* Waits for news of the node's side. Under the lock. FLATEND_ESTATE: this is the thread that would
 * have to bring them. */
int fe_handoff_wait(struct fe_handoff *handoff) FE_MUST_USE;

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

/* A holder has left that was on the node's thread, which does at once what is commanded: no task.
 * Returns the same as fe_handoff_collect. */
unsigned fe_handoff_leave_here(struct fe_handoff *handoff, unsigned commands) FE_MUST_USE;

/* While nobody else has it: body to be sent, without a bound; body that has come, likewise; and
 * what is commanded once the task is posted. FLATEND_ENOMEM. */
int fe_handoff_load_out(struct fe_handoff *handoff, const void *data, size_t len) FE_MUST_USE;
int fe_handoff_load_loan(struct fe_handoff *handoff, const struct fe_loan *loan) FE_MUST_USE;
int fe_handoff_load_in(struct fe_handoff *handoff, struct fe_view data) FE_MUST_USE;

/* Sends what it can of `sending` through `write`, which returns how much it accepted or a code.
 * Lets a blocked writer go on. Zero, or the code. */
int fe_handoff_send(struct fe_handoff *handoff, ssize_t (*write)(void *to, struct fe_view data),
                    void *to) FE_MUST_USE;

/* Which event tells of the code there is. Under the lock. */
enum flatend_event_type fe_handoff_reset_event(const struct fe_handoff *handoff);

/* Something that only its owner knows of has changed: whoever waits looks again. Under the lock. */
void fe_handoff_wake(struct fe_handoff *handoff);

/* An event that only its owner knows of. None comes behind a reset. */
void fe_handoff_post(struct fe_handoff *handoff, enum flatend_event_type type);

/* Incoming bytes: returns how many were taken. Fewer than all: the command RESUME follows. Without
 * memory it is as if the stream were reset: they are dropped, as they are after any reset. */
size_t fe_handoff_on_data(struct fe_handoff *handoff, struct fe_view data);

/* The incoming body is complete. After a reset nothing changes: something is missing. */
void fe_handoff_on_end(struct fe_handoff *handoff);

/* Discards everything written from now on. */
void fe_handoff_discard(struct fe_handoff *handoff);

/* The stream is over before it was complete; the first code stays, and is told. Nothing changes if
 * it was complete, and what is written is discarded. */
void fe_handoff_on_reset(struct fe_handoff *handoff, int code);

/* Every invariant. To be called by the node's side. */
void fe_handoff_check(struct fe_handoff *handoff);

/* No task can be posted from now on; what was posted will still be received. False: RELEASE was
 * commanded before, and will come by task. */
bool fe_handoff_detach(struct fe_handoff *handoff);

/* ---- private to handoff*.c: under the lock ---- */

/* Bytes that wait in any direction are counted for the node, unless it is gone. */
static inline void fe_handoff_count_more(struct fe_handoff *handoff, size_t n)
{
    if (handoff->env != NULL && n > 0) {
        atomic_fetch_add_explicit(&handoff->env->n_waiting, n, memory_order_relaxed);
    }
}

static inline void fe_handoff_count_less(struct fe_handoff *handoff, size_t n)
{
    if (handoff->env != NULL && n > 0) {
        atomic_fetch_sub_explicit(&handoff->env->n_waiting, n, memory_order_relaxed);
    }
}

/* What of a chain is the node's memory. */
static inline size_t fe_handoff_owned(const struct fe_chain *chain)
{
    return chain->len - chain->n_lent;
}

/* How much of `most` may wait now. */
static inline size_t fe_handoff_bound(const struct fe_handoff *handoff, size_t most)
{
    const bool is_tight =
        handoff->env != NULL &&
        atomic_load_explicit(&handoff->env->n_waiting, memory_order_relaxed) >= FE_HANDOFF_ALL_MAX;

    return is_tight && most > FE_HANDOFF_SMALL ? FE_HANDOFF_SMALL : most;
}

#endif
