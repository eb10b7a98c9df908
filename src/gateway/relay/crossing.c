#include <stdlib.h>

#include "gateway/relay/crossing_internal.h"

/* From here on the other side is told what was taken: less than a side may always have under way,
 * so that none waits for ever, and more than a piece. */
enum { TAKEN_MIN = FE_CROSSING_BYTES_MIN / 2 };

/* ---- batches -------------------------------------------------------------------------------- */

/* Blocks change threads: they come from malloc, not from a pool. */
static void batch_init(struct fe_crossing_batch *batch)
{
    *batch = (struct fe_crossing_batch){0};
    fe_chain_init(&batch->bytes, NULL);
}

static void batch_move(struct fe_crossing_batch *to, struct fe_crossing_batch *from)
{
    fe_chain_move(&to->bytes, &from->bytes);
    to->n_taken += from->n_taken;
    to->head = from->head != NULL ? from->head : to->head;
    to->problem = from->problem != NULL ? from->problem : to->problem;
    to->trailers = from->trailers != NULL ? from->trailers : to->trailers;
    to->wants_body |= from->wants_body;
    to->is_end |= from->is_end;
    to->is_tunnel |= from->is_tunnel;
    to->is_last |= from->is_last;
    to->is_abort |= from->is_abort;
    batch_init(from);
}

/* ---- sides ---------------------------------------------------------------------------------- */

void fe_crossing_side_init(struct fe_crossing_side *side, void (*on_task)(struct fe_task *task),
                           void (*on_turn)(struct fe_deferred *deferred))
{
    batch_init(&side->out);
    batch_init(&side->in);
    batch_init(&side->in_transit);
    fe_task_init(&side->task, on_task);
    fe_deferred_init(&side->turn, on_turn);
}

static void uncount(struct fe_crossing *crossing, size_t n)
{
    (void)atomic_fetch_sub_explicit(&crossing->channel->n_held, n, memory_order_relaxed);
}

static void side_deinit(struct fe_crossing *crossing, struct fe_crossing_side *side)
{
    uncount(crossing, side->out.bytes.len + side->in.bytes.len + side->in_transit.bytes.len);
    fe_chain_deinit(&side->out.bytes);
    fe_chain_deinit(&side->in.bytes);
    fe_chain_deinit(&side->in_transit.bytes);
}

static size_t room_of(const struct fe_crossing *crossing, const struct fe_crossing_side *side)
{
    const size_t n_held = atomic_load_explicit(&crossing->channel->n_held, memory_order_relaxed);
    const size_t max =
        n_held < FE_CROSSING_CHANNEL_MAX ? FE_CROSSING_BYTES_MAX : FE_CROSSING_BYTES_MIN;

    return side->n_in_flight < max ? max - side->n_in_flight : 0;
}

ssize_t fe_crossing_write(struct fe_crossing *crossing, struct fe_crossing_side *side,
                          struct fe_view data)
{
    const size_t room = room_of(crossing, side);
    const size_t n = data.len < room ? data.len : room;

    if (n > 0 && fe_chain_append(&side->out.bytes, data.ptr, n) != 0) {
        return FLATEND_ENOMEM;
    }
    (void)atomic_fetch_add_explicit(&crossing->channel->n_held, n, memory_order_relaxed);
    side->n_in_flight += n;
    side->is_blocked = n < data.len;
    return (ssize_t)n;
}

bool fe_crossing_is_writable(const struct fe_crossing *crossing,
                             const struct fe_crossing_side *side)
{
    return side->is_blocked && room_of(crossing, side) > 0;
}

void fe_crossing_consume(struct fe_crossing *crossing, struct fe_crossing_side *side, size_t n)
{
    fe_chain_consume(&side->in.bytes, n);
    uncount(crossing, n);
    side->out.n_taken += n;
}

bool fe_crossing_is_dirty(const struct fe_crossing_side *side)
{
    const struct fe_crossing_batch *const out = &side->out;

    return out->bytes.len > 0 || out->head != NULL || out->problem != NULL || out->wants_body ||
           out->is_end || out->is_last || out->is_abort || out->n_taken >= TAKEN_MIN;
}

void fe_crossing_send(struct fe_crossing *crossing, struct fe_crossing_side *side,
                      const struct fe_crossing_executor *to)
{
    fe_mutex_lock(&crossing->lock);
    batch_move(&side->in_transit, &side->out);
    if (!side->is_posted) {
        side->is_posted = true;
        to->post(to->to, &side->task);
    }
    fe_mutex_unlock(&crossing->lock);
}

void fe_crossing_receive(struct fe_crossing *crossing, struct fe_crossing_side *side,
                         struct fe_crossing_side *from)
{
    fe_mutex_lock(&crossing->lock);
    from->is_posted = false;
    batch_move(&side->in, &from->in_transit);
    fe_mutex_unlock(&crossing->lock);
    side->n_in_flight -= side->in.n_taken;
    side->in.n_taken = 0;
}

/* ---- what is copied ------------------------------------------------------------------------- */

int fe_crossing_copy_view(struct fe_view *copy, struct fe_view view, struct fe_arena *arena)
{
    const char *const text = fe_arena_copy(arena, view);

    if (text == NULL) {
        return FLATEND_ENOMEM;
    }
    *copy = fe_view_of(text, view.len);
    return 0;
}

int fe_crossing_copy_fields(struct fe_fields *copy, const struct fe_fields *fields,
                            struct fe_arena *arena)
{
    int code = 0;

    *copy = (struct fe_fields){0};
    for (size_t i = 0; code == 0 && i < fields->n; i++) {
        struct fe_field field = {0};

        code = fe_crossing_copy_view(&field.name, fields->items[i].name, arena);
        if (code == 0) {
            code = fe_crossing_copy_view(&field.value, fields->items[i].value, arena);
        }
        if (code == 0) {
            code = fe_fields_add(copy, arena, field.name, field.value);
        }
    }
    return code;
}

/* ---- life ----------------------------------------------------------------------------------- */

void fe_crossing_free(struct fe_crossing *crossing)
{
    side_deinit(crossing, &crossing->near);
    side_deinit(crossing, &crossing->far);
    fe_arena_deinit(&crossing->request_arena);
    fe_arena_deinit(&crossing->far_ex.arena);
    fe_mutex_deinit(&crossing->lock);
    free(crossing);
}

static void post_to(void *to, struct fe_task *task)
{
    fe_task_post(to, task);
}

static void defer_on(void *to, struct fe_deferred *deferred)
{
    fe_worker_defer(to, deferred);
}

struct fe_crossing_executor fe_crossing_executor_of(struct fe_worker *worker)
{
    return (struct fe_crossing_executor){post_to, defer_on, worker};
}
