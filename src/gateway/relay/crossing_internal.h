/* Private to gateway/relay/crossing*.c: what a crossing is made of.
 *
 *     crossing.c      what both sides do: batches that cross
 *     crossing_near.c the backend of the client's exchange
 *     crossing_far.c  the exchange that another backend answers
 *
 * Life: made by the near side. The far side is over when its exchange is, and says so with its last
 * batch, after which it forgets the crossing. The near side is over when its own exchange is too;
 * it frees the crossing then, or leaves that to a task that is still on its way to the far side. */
#ifndef FE_GATEWAY_RELAY_CROSSING_INTERNAL_H
#define FE_GATEWAY_RELAY_CROSSING_INTERNAL_H

#include "gateway/relay/crossing.h"
#include "ground/base/chain.h"
#include "ground/os/thread.h"
#include "web/http/router.h"

/* What one side has to say. Heads and trailers stay in the memory of the side that sent them. */
struct fe_crossing_batch {
    struct fe_chain bytes;
    size_t n_taken;                   /* bytes of the other side's that are taken */
    const struct fe_response *head;   /* from the far side */
    const struct fe_problem *problem; /* from the far side, in place of a response */
    const struct fe_fields *trailers; /* with `is_end` */
    bool wants_body;                  /* from the far side: its backend has asked for the body */
    bool is_end;                      /* of the bytes */
    bool is_tunnel;                   /* from the far side: the head is that of a tunnel */
    bool is_last;                     /* from the far side, which is over */
    bool is_abort;                    /* the exchange is over before its end */
};

struct fe_crossing_side {
    /* Its own thread's. */
    struct fe_crossing_batch out; /* leaves at the end of this turn */
    struct fe_crossing_batch in;  /* has come, and is used up as far as it goes */
    struct fe_deferred turn;
    size_t n_in_flight; /* bytes that the other side has not taken */
    bool is_blocked;    /* fewer bytes were accepted than there were */
    /* Under the crossing's lock: what crosses from this side, and the task that brings it. */
    struct fe_crossing_batch in_transit;
    struct fe_task task;
    bool is_posted;
};

struct fe_crossing {
    struct fe_crossing_channel *channel;
    struct fe_mutex lock;
    struct fe_crossing_side near;
    struct fe_crossing_side far;
    bool
        near_is_done; /* under `lock`: the near side; the task to the far side frees the crossing */

    /* The near side's. */
    struct fe_exchange *ex;        /* NULL: it is over */
    struct fe_refcount *snapshot;  /* of the exchange, kept until both sides are over */
    struct fe_arena request_arena; /* what the far side reads of it: request, trailers */
    bool far_is_done;              /* the far side is over */
    struct fe_list unread;         /* in the channel's, once the client is done with it */

    /* The far side's; filled in by the near side before the first task. */
    struct fe_exchange far_ex; /* its arena is also that of the response that the near side reads */
    struct fe_match match;
    bool has_begun;
    bool has_asked;  /* for the body */
    bool wants_body; /* the backend takes more of it */
    bool is_over;
};

/* The far side's answers. */
extern const struct fe_exchange_ops fe_crossing_far_ops;

/* On the far side: what the near one has sent. */
void fe_crossing_far_on_task(struct fe_task *task);
void fe_crossing_far_on_turn(struct fe_deferred *deferred);

/* ---- crossing.c ----------------------------------------------------------------------------- */

/* Of a crossing that is zero. */
void fe_crossing_side_init(struct fe_crossing_side *side, void (*on_task)(struct fe_task *task),
                           void (*on_turn)(struct fe_deferred *deferred));

/* Accepts bytes for the other side: how many, or FLATEND_ENOMEM. */
ssize_t fe_crossing_write(struct fe_crossing *crossing, struct fe_crossing_side *side,
                          struct fe_view data);

/* Fewer bytes were accepted than there were, and now there is room. */
bool fe_crossing_is_writable(const struct fe_crossing *crossing,
                             const struct fe_crossing_side *side);

/* The first `n` bytes of what has come are used up. */
void fe_crossing_consume(struct fe_crossing *crossing, struct fe_crossing_side *side, size_t n);

/* Whether there is anything that is worth a task of its own. */
bool fe_crossing_is_dirty(const struct fe_crossing_side *side);

/* Sends what the side has to say to the other one, which is reached by `to`. After the last batch
 * nothing of the crossing may be looked at. */
void fe_crossing_send(struct fe_crossing *crossing, struct fe_crossing_side *side,
                      const struct fe_crossing_executor *to);

/* What has crossed from `from` is in `side->in`. */
void fe_crossing_receive(struct fe_crossing *crossing, struct fe_crossing_side *side,
                         struct fe_crossing_side *from);

/* `fields` with all their bytes. FLATEND_ENOMEM. */
int fe_crossing_copy_fields(struct fe_fields *copy, const struct fe_fields *fields,
                            struct fe_arena *arena) FE_MUST_USE;
int fe_crossing_copy_view(struct fe_view *copy, struct fe_view view,
                          struct fe_arena *arena) FE_MUST_USE;

void fe_crossing_free(struct fe_crossing *crossing);

/* FE_CHECK: what holds on each side, on its thread, between two events. */
void fe_crossing_near_check(const struct fe_crossing *crossing);
void fe_crossing_far_check(const struct fe_crossing *crossing);

#endif
