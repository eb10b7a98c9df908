/* Private to gateway/ferry*.c: what a ferry is made of.
 *
 *     ferry.c         what both sides do: parcels that cross
 *     ferry_near.c    the handler of the client's exchange
 *     ferry_far.c     the exchange that the service answers
 *
 * Life: made by the near side. The far side is over when its exchange is, and says so with its last
 * parcel, after which it forgets the ferry. The near side is over when its own exchange is too; it
 * frees the ferry then, or leaves that to a mail that is still on its way to the far side. */
#ifndef FE_GATEWAY_RELAY_FERRY_INTERNAL_H
#define FE_GATEWAY_RELAY_FERRY_INTERNAL_H

#include <pthread.h>

#include "gateway/relay/ferry.h"
#include "ground/base/chain.h"

/* What one side has to say. Heads and trailers stay in the memory of the side that sent them. */
struct fe_parcel {
    struct fe_chain bytes;
    size_t n_taken;                   /* bytes of the other side's that are taken */
    const struct fe_response *head;   /* from the far side */
    const struct fe_fields *trailers; /* with `is_end` */
    bool wants_body;                  /* from the far side: its handler has asked for the body */
    bool is_end;                      /* of the bytes */
    bool is_abort;                    /* the exchange is over before its end */
};

struct fe_ferry_side {
    /* Its own thread's. */
    struct fe_parcel out; /* leaves at the end of this turn */
    struct fe_parcel in;  /* has come, and is used up as far as it goes */
    struct fe_later turn;
    size_t n_under_way; /* bytes that the other side has not taken */
    bool is_full;       /* fewer bytes were accepted than there were */
    /* Under the ferry's lock: what crosses from this side, and the mail that brings it. */
    struct fe_parcel crossing;
    struct fe_mail mail;
    bool is_posted;
};

struct fe_ferry {
    struct fe_ferry_line *line;
    pthread_mutex_t lock;
    struct fe_ferry_side near;
    struct fe_ferry_side far;
    bool has_left; /* under `lock`: the near side; the mail to the far side frees the ferry */

    /* The near side's. */
    struct fe_exchange *ex; /* NULL: it is over */
    struct fe_arena asked;  /* what the far side reads of it: request, trailers */
    bool has_last;          /* the far side is over */

    /* The far side's; filled in by the near side before the first mail. */
    struct fe_exchange far_ex; /* its arena is also that of the response that the near side reads */
    const struct fe_config_route *route;
    struct fe_match match;
    struct fe_view remote;
    bool has_begun;
    bool has_asked;  /* for the body */
    bool wants_body; /* the handler takes more of it */
    bool is_over;
};

/* The far side's answers. */
extern const struct fe_exchange_ops fe_ferry_far_ops;

/* On the far side: what the near one has sent. */
void fe_ferry_far_on_mail(struct fe_mail *mail);
void fe_ferry_far_on_turn(struct fe_later *later);

/* ---- ferry.c ------------------------------------------------------------------------------ */

/* Of a ferry that is zero. */
void fe_ferry_side_init(struct fe_ferry_side *side, void (*on_mail)(struct fe_mail *mail),
                        void (*on_turn)(struct fe_later *later));

/* Accepts bytes for the other side: how many, or FLATEND_ENOMEM. */
ssize_t fe_ferry_accept(struct fe_ferry *ferry, struct fe_ferry_side *side, struct fe_view data);

/* Fewer bytes were accepted than there were, and now there is room. */
bool fe_ferry_has_room_again(const struct fe_ferry *ferry, const struct fe_ferry_side *side);

/* The first `n` bytes of what has come are used up. */
void fe_ferry_use(struct fe_ferry *ferry, struct fe_ferry_side *side, size_t n);

/* Whether there is anything that is worth a mail of its own. */
bool fe_ferry_has_news(const struct fe_ferry_side *side);

/* Sends what the side has to say to the other one, which is reached by `to`. After the last parcel
 * nothing of the ferry may be looked at. */
void fe_ferry_send(struct fe_ferry *ferry, struct fe_ferry_side *side,
                   const struct fe_ferry_port *to);

/* What has crossed from `from` is in `side->in`. */
void fe_ferry_receive(struct fe_ferry *ferry, struct fe_ferry_side *side,
                      struct fe_ferry_side *from);

/* `fields` with all their bytes. FLATEND_ENOMEM. */
int fe_ferry_copy_fields(struct fe_fields *copy, const struct fe_fields *fields,
                         struct fe_arena *arena) FE_MUST_USE;
int fe_ferry_copy_view(struct fe_view *copy, struct fe_view view,
                       struct fe_arena *arena) FE_MUST_USE;

void fe_ferry_free(struct fe_ferry *ferry);

#endif
