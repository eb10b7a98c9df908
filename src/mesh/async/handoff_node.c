/* The node's side of a hand-off, on its worker. */
#include "ground/base/assert.h"
#include "mesh/async/handoff.h"

static void lock(struct fe_handoff *handoff)
{
    fe_mutex_lock(&handoff->lock);
}

static void unlock(struct fe_handoff *handoff)
{
    fe_mutex_unlock(&handoff->lock);
}

/* ---- telling the application's side: all under the lock -------------------------------------- */

void fe_handoff_wake(struct fe_handoff *handoff)
{
    fe_cond_broadcast(&handoff->changed);
}

static void tell_readable(struct fe_handoff *handoff)
{
    if (handoff->owes_readable) {
        handoff->owes_readable = false;
        fe_event_post(&handoff->events, handoff->worker, FLATEND_EVENT_READABLE, 0);
    }
}

/* Half of the space is free again, or nobody wants what would be in it: a writer that came back for
 * each byte would be woken for each. */
static void tell_writable(struct fe_handoff *handoff)
{
    if (handoff->owes_writable &&
        (handoff->n_unsent <= fe_handoff_bound(handoff, FE_HANDOFF_OUT_MAX) / 2 ||
         handoff->code != 0)) {
        handoff->owes_writable = false;
        fe_event_post(&handoff->events, handoff->worker, FLATEND_EVENT_WRITABLE, 0);
    }
}

enum flatend_event_type fe_handoff_reset_event(const struct fe_handoff *handoff)
{
    const bool is_deadline =
        handoff->on_reset_event == FLATEND_EVENT_CANCELED && handoff->code == FLATEND_ETIMEDOUT;

    return is_deadline ? FLATEND_EVENT_DEADLINE : handoff->on_reset_event;
}

/* A call whose response is complete cannot fail any more, whatever becomes of its node. */
static bool is_over(const struct fe_handoff *handoff)
{
    return handoff->code != 0 || (handoff->is_complete && handoff->is_discarding);
}

static void set_code(struct fe_handoff *handoff, int code)
{
    FE_ASSERT(code < 0, "a stream is over for a reason");
    if (is_over(handoff)) {
        return;
    }
    handoff->code = code;
    tell_readable(handoff);
    tell_writable(handoff);
    fe_event_post(&handoff->events, handoff->worker, fe_handoff_reset_event(handoff), code);
}

/* ---- commands ------------------------------------------------------------------------------- */

unsigned fe_handoff_receive(struct fe_handoff *handoff)
{
    unsigned commands;

    lock(handoff);
    handoff->is_posted = false;
    commands = handoff->commands;
    handoff->commands &= ~(unsigned)FE_HANDOFF_RESUME;
    fe_chain_move(&handoff->sending, &handoff->out);
    if (handoff->is_detached && (commands & FE_HANDOFF_RELEASE) == 0) {
        commands = 0;
    }
    unlock(handoff);
    return commands;
}

/* Under the lock. */
static unsigned collect(struct fe_handoff *handoff)
{
    unsigned commands = handoff->commands & ~(unsigned)FE_HANDOFF_RESUME;

    if (handoff->is_posted) {
        commands &= ~(unsigned)FE_HANDOFF_RELEASE;
    }
    fe_chain_move(&handoff->sending, &handoff->out);
    return commands;
}

unsigned fe_handoff_collect(struct fe_handoff *handoff)
{
    unsigned commands;

    lock(handoff);
    commands = collect(handoff);
    unlock(handoff);
    return commands;
}

unsigned fe_handoff_leave_here(struct fe_handoff *handoff, unsigned commands)
{
    lock(handoff);
    FE_ASSERT(handoff->n_holders > 0, "each holder leaves once");
    FE_ASSERT(!handoff->is_detached, "a node that closes waits for its own thread's handlers");
    handoff->commands |= commands;
    if (--handoff->n_holders == 0) {
        handoff->commands |= FE_HANDOFF_RELEASE;
    }
    commands = collect(handoff);
    unlock(handoff);
    return commands;
}

int fe_handoff_load_out(struct fe_handoff *handoff, const void *data, size_t len)
{
    int code = fe_chain_append(&handoff->sending, data, len);

    if (code == 0) {
        handoff->n_unsent += len;
        fe_handoff_count_more(handoff, len);
    }
    return code;
}

int fe_handoff_load_loan(struct fe_handoff *handoff, const struct fe_loan *loan)
{
    int code = fe_chain_lend(&handoff->sending, loan->data, loan->len, loan->release, loan->arg);

    if (code == 0) {
        handoff->n_unsent += loan->len;
    }
    return code;
}

/* A request may be kept with a body that nobody reads, and there may be 100,000 of them. */
int fe_handoff_load_in(struct fe_handoff *handoff, struct fe_view data)
{
    int code = fe_chain_append_few(&handoff->in, data.ptr, data.len);

    if (code == 0) {
        fe_handoff_count_more(handoff, data.len);
    }
    return code;
}

int fe_handoff_send(struct fe_handoff *handoff, ssize_t (*write)(void *to, struct fe_view data),
                    void *to)
{
    const size_t n_owned = fe_handoff_owned(&handoff->sending);
    size_t n_sent = 0;
    int code = 0;

    while (handoff->sending.len > 0) {
        struct fe_view front = fe_chain_front(&handoff->sending);
        ssize_t n = write(to, front);

        if (n < 0) {
            code = (int)n;
            break;
        }
        FE_ASSERT((size_t)n <= front.len, "no more is accepted than was written");
        fe_chain_consume(&handoff->sending, (size_t)n);
        n_sent += (size_t)n;
        if ((size_t)n < front.len) {
            break;
        }
    }
    if (n_sent > 0) {
        lock(handoff);
        FE_ASSERT(n_sent <= handoff->n_unsent, "bytes that were written and not sent are counted");
        handoff->n_unsent -= n_sent;
        fe_handoff_count_less(handoff, n_owned - fe_handoff_owned(&handoff->sending));
        fe_handoff_wake(handoff);
        tell_writable(handoff);
        unlock(handoff);
    }
    return code;
}

/* ---- events --------------------------------------------------------------------------------- */

size_t fe_handoff_on_data(struct fe_handoff *handoff, struct fe_view data)
{
    size_t n = data.len;

    lock(handoff);
    if (handoff->code == 0) {
        const size_t bound = fe_handoff_bound(handoff, handoff->in_max);
        const size_t space = handoff->in.len < bound ? bound - handoff->in.len : 0;
        int code;

        n = n < space ? n : space;
        code = fe_handoff_load_in(handoff, fe_view_of(data.ptr, n));
        if (code != 0) {
            set_code(handoff, code);
        }
        handoff->owes_resume = n < data.len;
        tell_readable(handoff);
        if (handoff->in.len >= bound / 2 || code != 0) {
            fe_handoff_wake(handoff);
        } else {
            fe_worker_defer(handoff->worker, &handoff->wake);
        }
    }
    unlock(handoff);
    return n;
}

void fe_handoff_on_end(struct fe_handoff *handoff)
{
    lock(handoff);
    /* After a failure something is missing: the reader must not take it for the whole. */
    handoff->is_complete = handoff->code == 0;
    fe_handoff_wake(handoff);
    tell_readable(handoff);
    unlock(handoff);
}

void fe_handoff_discard(struct fe_handoff *handoff)
{
    struct fe_chain dropped; /* without the lock: what was lent is given back */

    fe_chain_init(&dropped, handoff->sending.pool);
    lock(handoff);
    handoff->is_discarding = true;
    handoff->n_unsent = 0;
    fe_chain_move(&dropped, &handoff->sending);
    fe_chain_move(&dropped, &handoff->out);
    fe_handoff_count_less(handoff, fe_handoff_owned(&dropped));
    fe_handoff_wake(handoff);
    tell_writable(handoff);
    unlock(handoff);
    fe_chain_deinit(&dropped);
}

void fe_handoff_on_reset(struct fe_handoff *handoff, int code)
{
    lock(handoff);
    set_code(handoff, code);
    fe_handoff_wake(handoff);
    unlock(handoff);
}

void fe_handoff_post(struct fe_handoff *handoff, enum flatend_event_type type)
{
    lock(handoff);
    if (handoff->code == 0) {
        fe_event_post(&handoff->events, handoff->worker, type, 0);
    }
    unlock(handoff);
}

bool fe_handoff_detach(struct fe_handoff *handoff)
{
    bool is_held;

    fe_deferred_cancel(&handoff->wake); /* another thread may free it: it is in no list of ours */
    lock(handoff);
    is_held = handoff->n_holders > 0;
    handoff->is_detached = is_held;
    if (is_held) {
        set_code(handoff, FLATEND_ECANCELED);
        /* All that ends with the node, which the application's side may outlive. */
        fe_handoff_count_less(handoff, handoff->in.len + fe_handoff_owned(&handoff->out) +
                                           fe_handoff_owned(&handoff->sending));
        handoff->env = NULL;
        fe_chain_leave_pool(&handoff->in);
        fe_chain_leave_pool(&handoff->out);
        fe_chain_leave_pool(&handoff->sending);
    }
    fe_handoff_wake(handoff);
    unlock(handoff);
    return is_held;
}
