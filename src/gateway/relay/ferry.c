#include <stdlib.h>

#include "gateway/relay/ferry_internal.h"

/* From here on the other side is told what was taken: less than a side may always have under way,
 * so that none waits for ever, and more than a piece. */
enum { TAKEN_MIN = FE_FERRY_BYTES_MIN / 2 };

/* ---- parcels ------------------------------------------------------------------------------ */

/* Blocks change threads: they come from malloc, not from a pool. */
static void parcel_init(struct fe_parcel *parcel)
{
    *parcel = (struct fe_parcel){0};
    fe_chain_init(&parcel->bytes, NULL);
}

static void parcel_move(struct fe_parcel *to, struct fe_parcel *from)
{
    fe_chain_move(&to->bytes, &from->bytes);
    to->n_taken += from->n_taken;
    to->head = from->head != NULL ? from->head : to->head;
    to->trailers = from->trailers != NULL ? from->trailers : to->trailers;
    to->wants_body |= from->wants_body;
    to->is_end |= from->is_end;
    to->is_abort |= from->is_abort;
    parcel_init(from);
}

/* ---- sides -------------------------------------------------------------------------------- */

void fe_ferry_side_init(struct fe_ferry_side *side, void (*on_mail)(struct fe_mail *mail),
                        void (*on_turn)(struct fe_later *later))
{
    parcel_init(&side->out);
    parcel_init(&side->in);
    parcel_init(&side->crossing);
    fe_mail_init(&side->mail, on_mail);
    fe_later_init(&side->turn, on_turn);
}

static void give_back(struct fe_ferry *ferry, size_t n)
{
    (void)atomic_fetch_sub_explicit(&ferry->line->n_held, n, memory_order_relaxed);
}

static void side_deinit(struct fe_ferry *ferry, struct fe_ferry_side *side)
{
    give_back(ferry, side->out.bytes.len + side->in.bytes.len + side->crossing.bytes.len);
    fe_chain_deinit(&side->out.bytes);
    fe_chain_deinit(&side->in.bytes);
    fe_chain_deinit(&side->crossing.bytes);
}

static size_t room_of(const struct fe_ferry *ferry, const struct fe_ferry_side *side)
{
    const size_t n_held = atomic_load_explicit(&ferry->line->n_held, memory_order_relaxed);
    const size_t max = n_held < FE_FERRY_LINE_MAX ? FE_FERRY_BYTES_MAX : FE_FERRY_BYTES_MIN;

    return side->n_under_way < max ? max - side->n_under_way : 0;
}

ssize_t fe_ferry_accept(struct fe_ferry *ferry, struct fe_ferry_side *side, struct fe_view data)
{
    const size_t room = room_of(ferry, side);
    const size_t n = data.len < room ? data.len : room;

    if (n > 0 && fe_chain_append(&side->out.bytes, data.ptr, n) != 0) {
        return FLATEND_ENOMEM;
    }
    (void)atomic_fetch_add_explicit(&ferry->line->n_held, n, memory_order_relaxed);
    side->n_under_way += n;
    side->is_full = n < data.len;
    return (ssize_t)n;
}

bool fe_ferry_has_room_again(const struct fe_ferry *ferry, const struct fe_ferry_side *side)
{
    return side->is_full && room_of(ferry, side) > 0;
}

void fe_ferry_use(struct fe_ferry *ferry, struct fe_ferry_side *side, size_t n)
{
    fe_chain_consume(&side->in.bytes, n);
    give_back(ferry, n);
    side->out.n_taken += n;
}

bool fe_ferry_has_news(const struct fe_ferry_side *side)
{
    const struct fe_parcel *const out = &side->out;

    return out->bytes.len > 0 || out->head != NULL || out->wants_body || out->is_end ||
           out->is_abort || out->n_taken >= TAKEN_MIN;
}

void fe_ferry_send(struct fe_ferry *ferry, struct fe_ferry_side *side,
                   const struct fe_ferry_port *to)
{
    (void)pthread_mutex_lock(&ferry->lock);
    parcel_move(&side->crossing, &side->out);
    if (!side->is_posted) {
        side->is_posted = true;
        to->post(to->to, &side->mail);
    }
    (void)pthread_mutex_unlock(&ferry->lock);
}

void fe_ferry_receive(struct fe_ferry *ferry, struct fe_ferry_side *side,
                      struct fe_ferry_side *from)
{
    (void)pthread_mutex_lock(&ferry->lock);
    from->is_posted = false;
    parcel_move(&side->in, &from->crossing);
    (void)pthread_mutex_unlock(&ferry->lock);
    side->n_under_way -= side->in.n_taken;
    side->in.n_taken = 0;
}

/* ---- what is copied ----------------------------------------------------------------------- */

int fe_ferry_copy_view(struct fe_view *copy, struct fe_view view, struct fe_arena *arena)
{
    const char *const text = fe_arena_copy(arena, view);

    if (text == NULL) {
        return FLATEND_ENOMEM;
    }
    *copy = fe_view_of(text, view.len);
    return 0;
}

int fe_ferry_copy_fields(struct fe_fields *copy, const struct fe_fields *fields,
                         struct fe_arena *arena)
{
    int code = 0;

    *copy = (struct fe_fields){0};
    for (size_t i = 0; code == 0 && i < fields->n; i++) {
        struct fe_field field = {0};

        code = fe_ferry_copy_view(&field.name, fields->items[i].name, arena);
        if (code == 0) {
            code = fe_ferry_copy_view(&field.value, fields->items[i].value, arena);
        }
        if (code == 0) {
            code = fe_fields_add(copy, arena, field.name, field.value);
        }
    }
    return code;
}

/* ---- life --------------------------------------------------------------------------------- */

void fe_ferry_free(struct fe_ferry *ferry)
{
    side_deinit(ferry, &ferry->near);
    side_deinit(ferry, &ferry->far);
    fe_arena_deinit(&ferry->asked);
    fe_arena_deinit(&ferry->far_ex.arena);
    (void)pthread_mutex_destroy(&ferry->lock);
    free(ferry);
}

static void post_to(void *to, struct fe_mail *mail)
{
    fe_mail_post(to, mail);
}

static void later_on(void *to, struct fe_later *later)
{
    fe_worker_later(to, later);
}

struct fe_ferry_port fe_ferry_port_of(struct fe_worker *worker)
{
    return (struct fe_ferry_port){post_to, later_on, worker};
}
