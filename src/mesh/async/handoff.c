/* The application's side of a hand-off. */
#include "mesh/async/handoff.h"

#include "ground/base/assert.h"

static void on_turn_end(struct fe_deferred *deferred)
{
    struct fe_handoff *handoff = FE_CONTAINER_OF(deferred, struct fe_handoff, wake);

    fe_mutex_lock(&handoff->lock);
    fe_cond_broadcast(&handoff->changed);
    fe_mutex_unlock(&handoff->lock);
}

int fe_handoff_env_init(struct fe_handoff_env *env, struct fe_worker *worker)
{
    env->worker = worker;
    atomic_init(&env->n_waiting, 0);
    return fe_pool_new_shared(&env->blocks);
}

void fe_handoff_env_deinit(struct fe_handoff_env *env)
{
    FE_ASSERT(atomic_load(&env->n_waiting) == 0, "what waited in hand-offs went with them");
    fe_pool_unref(env->blocks);
}

int fe_handoff_init(struct fe_handoff *handoff, struct fe_handoff_env *env,
                    void (*on_task)(struct fe_task *task))
{
    struct fe_pool *const pool = env->blocks;

    *handoff = (struct fe_handoff){.worker = env->worker,
                                   .env = env,
                                   .on_reset_event = FLATEND_EVENT_FAILED,
                                   .n_holders = 1,
                                   .in_max = FE_HANDOFF_IN_MAX};
    fe_task_init(&handoff->task, on_task);
    fe_deferred_init(&handoff->wake, on_turn_end);
    fe_event_source_init(&handoff->events);
    fe_chain_init(&handoff->in, pool);
    fe_chain_init(&handoff->out, pool);
    fe_chain_init(&handoff->sending, pool);
    return fe_mutex_cond_init(&handoff->lock, &handoff->changed);
}

void fe_handoff_clear(struct fe_handoff *handoff)
{
    FE_ASSERT(!handoff->is_posted, "a task that is under way has its hand-off");
    fe_event_source_detach(&handoff->events);
    fe_deferred_cancel(&handoff->wake);
    fe_handoff_count_less(handoff, handoff->in.len + fe_handoff_owned(&handoff->out) +
                                       fe_handoff_owned(&handoff->sending));
    fe_chain_deinit(&handoff->in);
    fe_chain_deinit(&handoff->out);
    fe_chain_deinit(&handoff->sending);
    handoff->in_max = FE_HANDOFF_IN_MAX;
    handoff->n_holders = 1;
    handoff->n_unsent = 0;
    handoff->commands = 0;
    handoff->code = 0;
    handoff->is_complete = false;
    handoff->owes_resume = false;
    handoff->owes_readable = false;
    handoff->owes_writable = false;
    handoff->is_discarding = false;
    handoff->is_posted = false;
    handoff->is_detached = false;
}

void fe_handoff_deinit(struct fe_handoff *handoff)
{
    fe_handoff_clear(handoff);
    fe_cond_deinit(&handoff->changed);
    fe_mutex_deinit(&handoff->lock);
}

static void lock(struct fe_handoff *handoff)
{
    fe_mutex_lock(&handoff->lock);
}

/* `wakes`: a task was posted, and the node's thread has to be woken for it. It would want the lock
 * at once, so that this comes last; nothing of the hand-off may be looked at behind it. */
static void unlock(struct fe_handoff *handoff, bool wakes)
{
    struct fe_worker *const worker = handoff->worker;

    fe_mutex_unlock(&handoff->lock);
    if (wakes) {
        fe_worker_wake(worker);
    }
}

/* Under the lock: detaching must not come between the check and the post. Says whether to wake. */
static bool post(struct fe_handoff *handoff)
{
    if (handoff->is_posted || handoff->is_detached) {
        return false;
    }
    handoff->is_posted = true;
    return fe_task_enqueue(handoff->worker, &handoff->task);
}

int fe_handoff_wait(struct fe_handoff *handoff)
{
    /* Once it is detached the worker may be gone, and nothing is waited for any more. */
    if (!handoff->is_detached && fe_worker_is_own_thread(handoff->worker)) {
        return FLATEND_ESTATE;
    }
    fe_cond_wait(&handoff->changed, &handoff->lock);
    return 0;
}

/* ---- reading -------------------------------------------------------------------------------- */

/* Where incoming bytes go: copied to `buf`, or in the block they have come in. */
struct reading {
    void *buf; /* NULL: not copied */
    size_t cap;
    struct fe_block *block;
    const void *data;
};

/* Under the lock; there are bytes. */
static size_t take_in(struct fe_handoff *handoff, struct reading *reading)
{
    struct fe_view view;

    if (reading->buf != NULL) {
        return fe_chain_read(&handoff->in, reading->buf, reading->cap);
    }
    reading->block = fe_chain_take(&handoff->in, &view);
    reading->data = view.ptr;
    return view.len;
}

/* Under the lock. */
static ssize_t read_some(struct fe_handoff *handoff, struct reading *reading, bool *wakes)
{
    ssize_t n;

    handoff->in_max = FE_HANDOFF_IN_READ_MAX;
    if (handoff->in.len > 0) {
        n = (ssize_t)take_in(handoff, reading);
        fe_handoff_count_less(handoff, (size_t)n);
    } else if (handoff->is_complete) {
        n = 0;
    } else {
        n = handoff->code != 0 ? handoff->code : FLATEND_EAGAIN;
    }
    if (handoff->owes_resume && handoff->in.len <= fe_handoff_bound(handoff, handoff->in_max) / 2) {
        handoff->owes_resume = false;
        handoff->commands |= FE_HANDOFF_RESUME;
        *wakes = post(handoff);
    }
    return n;
}

static ssize_t read_in(struct fe_handoff *handoff, bool waits, struct reading *reading)
{
    bool wakes = false;
    ssize_t n;

    lock(handoff);
    do {
        n = read_some(handoff, reading, &wakes);
    } while (n == FLATEND_EAGAIN && waits && (n = fe_handoff_wait(handoff)) == 0);
    if (n == FLATEND_EAGAIN) {
        handoff->owes_readable = true;
        fe_event_withdraw(&handoff->events, FLATEND_EVENT_READABLE);
    }
    unlock(handoff, wakes);
    return n;
}

static ssize_t copy_in(struct fe_handoff *handoff, bool waits, void *buf, size_t cap)
{
    struct reading reading = {.buf = buf, .cap = cap};

    return cap > 0 ? read_in(handoff, waits, &reading) : FLATEND_EINVAL;
}

ssize_t fe_handoff_try_read(struct fe_handoff *handoff, void *buf, size_t cap)
{
    return copy_in(handoff, false, buf, cap);
}

ssize_t fe_handoff_read(struct fe_handoff *handoff, void *buf, size_t cap)
{
    return copy_in(handoff, true, buf, cap);
}

ssize_t fe_handoff_take(struct fe_handoff *handoff, bool waits, struct fe_block **block,
                        const void **data)
{
    struct reading reading = {0};
    ssize_t n = read_in(handoff, waits, &reading);

    *block = reading.block;
    *data = reading.data;
    return n;
}

/* ---- writing -------------------------------------------------------------------------------- */

/* Under the lock. Without `release` it is no loan, and is copied. */
static int append(struct fe_handoff *handoff, const struct fe_loan *loan, bool *wakes)
{
    int code;

    if (loan->release == NULL) {
        code = fe_chain_append(&handoff->out, loan->data, loan->len);
    } else {
        code = fe_chain_lend(&handoff->out, loan->data, loan->len, loan->release, loan->arg);
    }
    if (code == 0) {
        handoff->n_unsent += loan->len;
        fe_handoff_count_more(handoff, loan->release == NULL ? loan->len : 0);
        handoff->commands |= FE_HANDOFF_SEND_HEAD;
        *wakes = post(handoff);
    }
    return code;
}

/* Under the lock: 0, or why nothing can be written. */
static int check_writable(struct fe_handoff *handoff)
{
    if (handoff->code != 0 || handoff->is_discarding) {
        return handoff->code;
    }
    return handoff->n_unsent >= fe_handoff_bound(handoff, FE_HANDOFF_OUT_MAX) ? FLATEND_EAGAIN : 0;
}

/* Under the lock: the writer is told when there is space. */
static void owe_writable(struct fe_handoff *handoff)
{
    handoff->owes_writable = true;
    fe_event_withdraw(&handoff->events, FLATEND_EVENT_WRITABLE);
}

int fe_handoff_try_write(struct fe_handoff *handoff, const void *data, size_t len)
{
    const struct fe_loan copied = {.data = data, .len = len};
    bool wakes = false;
    int code;

    lock(handoff);
    code = check_writable(handoff);
    /* Half of the space is when it is told of it: then there is enough for any length. */
    if (code == 0 && handoff->n_unsent > FE_HANDOFF_OUT_MAX / 2 &&
        len > FE_HANDOFF_OUT_MAX - handoff->n_unsent) {
        code = FLATEND_EAGAIN;
    }
    if (code == FLATEND_EAGAIN) {
        owe_writable(handoff);
    }
    if (code == 0 && !handoff->is_discarding) {
        code = append(handoff, &copied, &wakes);
    }
    unlock(handoff, wakes);
    return code;
}

/* Waits for space and fills it: how many bytes, or a code. */
static ssize_t write_some(struct fe_handoff *handoff, const void *data, size_t len)
{
    struct fe_loan copied = {.data = data, .len = len};
    bool wakes = false;
    int code;

    lock(handoff);
    do {
        code = check_writable(handoff);
    } while (code == FLATEND_EAGAIN && (code = fe_handoff_wait(handoff)) == 0);
    if (code == 0 && !handoff->is_discarding) {
        if (copied.len > FE_HANDOFF_OUT_MAX - handoff->n_unsent) {
            copied.len = FE_HANDOFF_OUT_MAX - handoff->n_unsent;
        }
        code = append(handoff, &copied, &wakes);
    }
    unlock(handoff, wakes);
    return code != 0 ? code : (ssize_t)copied.len;
}

int fe_handoff_write(struct fe_handoff *handoff, const void *data, size_t len)
{
    const uint8_t *from = data;

    for (;;) {
        ssize_t n = write_some(handoff, from, len);

        if (n < 0) {
            return (int)n;
        }
        if ((size_t)n == len) {
            return 0;
        }
        from += n;
        len -= (size_t)n;
    }
}

static int copy_loan(struct fe_handoff *handoff, bool waits, const struct fe_loan *loan)
{
    int code = waits ? fe_handoff_write(handoff, loan->data, loan->len)
                     : fe_handoff_try_write(handoff, loan->data, loan->len);

    if (code == 0) {
        loan->release(loan->arg);
    }
    return code;
}

int fe_handoff_lend(struct fe_handoff *handoff, bool waits, const struct fe_loan *loan)
{
    bool is_discarded = false;
    bool wakes = false;
    int code;

    if (loan->len < FE_CHAIN_LEND_MIN) {
        return copy_loan(handoff, waits, loan);
    }
    lock(handoff);
    do {
        code = check_writable(handoff);
    } while (code == FLATEND_EAGAIN && waits && (code = fe_handoff_wait(handoff)) == 0);
    if (code == FLATEND_EAGAIN) {
        owe_writable(handoff);
    } else if (code == 0) {
        is_discarded = handoff->is_discarding;
        code = is_discarded ? 0 : append(handoff, loan, &wakes);
    }
    unlock(handoff, wakes);
    if (is_discarded) {
        loan->release(loan->arg);
    }
    return code;
}

/* ---- the rest ------------------------------------------------------------------------------- */

void fe_handoff_command(struct fe_handoff *handoff, unsigned commands)
{
    lock(handoff);
    handoff->commands |= commands;
    unlock(handoff, post(handoff));
}

void fe_handoff_hold(struct fe_handoff *handoff)
{
    lock(handoff);
    FE_ASSERT(handoff->n_holders > 0, "who gives a hand-off to another one has it");
    handoff->n_holders++;
    unlock(handoff, false);
}

void fe_handoff_keep(struct fe_handoff *handoff, unsigned commands, struct flatend_queue *queue,
                     void *arg)
{
    bool wakes = false;

    lock(handoff);
    FE_ASSERT(handoff->n_holders > 0, "who gives a hand-off to another one has it");
    handoff->n_holders++;
    handoff->commands |= commands;
    fe_event_source_attach(&handoff->events, queue, arg);
    if (handoff->code != 0) {
        wakes = fe_event_post_now(&handoff->events, handoff->worker,
                                  fe_handoff_reset_event(handoff), handoff->code);
    }
    unlock(handoff, wakes);
}

/* Leaves the lock. */
static bool leave(struct fe_handoff *handoff, unsigned commands, bool ends)
{
    bool is_freed = false;
    bool wakes = false;

    FE_ASSERT(handoff->n_holders > 0, "each holder leaves once");
    if (ends) {
        fe_event_source_detach(&handoff->events);
    }
    handoff->commands |= commands;
    if (--handoff->n_holders == 0) {
        /* A task that is under way has to find it. */
        is_freed = handoff->is_detached && !handoff->is_posted;
        handoff->commands |= is_freed ? 0U : FE_HANDOFF_RELEASE;
    }
    if (handoff->commands != 0) {
        wakes = post(handoff);
    }
    unlock(handoff, wakes);
    return !is_freed;
}

bool fe_handoff_leave(struct fe_handoff *handoff, unsigned commands, bool ends)
{
    lock(handoff);
    return leave(handoff, commands, ends);
}

bool fe_handoff_end(struct fe_handoff *handoff, unsigned commands, int *code)
{
    lock(handoff);
    *code = handoff->code;
    return leave(handoff, handoff->code == 0 ? commands : FE_HANDOFF_RESET, true);
}

int fe_handoff_code(struct fe_handoff *handoff)
{
    int code;

    lock(handoff);
    code = handoff->code;
    unlock(handoff, false);
    return code;
}

bool fe_handoff_is_read(struct fe_handoff *handoff)
{
    bool is_read;

    lock(handoff);
    is_read = handoff->is_complete && handoff->in.len == 0;
    unlock(handoff, false);
    return is_read;
}
