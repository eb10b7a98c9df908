#include "mesh/async/handoff.h"

#include "ground/base/assert.h"

static void on_turn_end(struct fe_deferred *deferred);

int fe_handoff_init(struct fe_handoff *handoff, struct fe_worker *worker,
                    void (*on_task)(struct fe_task *task))
{
    *handoff = (struct fe_handoff){.worker = worker, .in_max = FE_HANDOFF_IN_MAX};
    fe_task_init(&handoff->task, on_task);
    fe_deferred_init(&handoff->wake, on_turn_end);
    /* Blocks travel between threads: they come from malloc, not from a pool. */
    fe_chain_init(&handoff->in, NULL);
    fe_chain_init(&handoff->out, NULL);
    fe_chain_init(&handoff->sending, NULL);
    if (fe_mutex_init(&handoff->lock) != 0) {
        return FLATEND_ENOMEM;
    }
    if (fe_cond_init(&handoff->changed) != 0) {
        fe_mutex_deinit(&handoff->lock);
        return FLATEND_ENOMEM;
    }
    return 0;
}

void fe_handoff_clear(struct fe_handoff *handoff)
{
    FE_ASSERT(!handoff->is_posted, "a task that is under way has its hand-off");
    fe_deferred_cancel(&handoff->wake);
    fe_chain_deinit(&handoff->in);
    fe_chain_deinit(&handoff->out);
    fe_chain_deinit(&handoff->sending);
    handoff->in_max = FE_HANDOFF_IN_MAX;
    handoff->n_unsent = 0;
    handoff->commands = 0;
    handoff->code = 0;
    handoff->is_complete = false;
    handoff->owes_resume = false;
    handoff->is_discarding = false;
    handoff->is_posted = false;
    handoff->is_detached = false;
}

void fe_handoff_set_pool(struct fe_handoff *handoff, struct fe_pool *pool)
{
    FE_ASSERT(handoff->in.len == 0 && handoff->out.len == 0 && handoff->sending.len == 0,
              "blocks go back to the pool that they are from");
    fe_chain_init(&handoff->in, pool);
    fe_chain_init(&handoff->out, pool);
    fe_chain_init(&handoff->sending, pool);
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

static void unlock(struct fe_handoff *handoff)
{
    fe_mutex_unlock(&handoff->lock);
}

static void wake(struct fe_handoff *handoff)
{
    fe_cond_broadcast(&handoff->changed);
}

/* ---- the blocking side ---- */

/* Under the lock: detaching must not come between the check and the post. */
static void post(struct fe_handoff *handoff)
{
    if (!handoff->is_posted && !handoff->is_detached) {
        handoff->is_posted = true;
        fe_task_post(handoff->worker, &handoff->task);
    }
}

ssize_t fe_handoff_read(struct fe_handoff *handoff, void *buf, size_t cap)
{
    ssize_t n;

    if (cap == 0) {
        return FLATEND_EINVAL;
    }
    lock(handoff);
    handoff->in_max = FE_HANDOFF_IN_READ_MAX;
    while (handoff->in.len == 0 && !handoff->is_complete && handoff->code == 0) {
        fe_cond_wait(&handoff->changed, &handoff->lock);
    }
    if (handoff->in.len > 0) {
        n = (ssize_t)fe_chain_read(&handoff->in, buf, cap);
    } else {
        n = handoff->is_complete ? 0 : handoff->code;
    }
    if (handoff->owes_resume && handoff->in.len <= handoff->in_max / 2) {
        handoff->owes_resume = false;
        handoff->commands |= FE_HANDOFF_RESUME;
        post(handoff);
    }
    unlock(handoff);
    return n;
}

/* Waits for space and fills it: how many bytes, or a code. */
static ssize_t write_some(struct fe_handoff *handoff, const void *data, size_t len)
{
    size_t n = len;
    int code = 0;

    lock(handoff);
    while (handoff->n_unsent >= FE_HANDOFF_OUT_MAX && handoff->code == 0) {
        fe_cond_wait(&handoff->changed, &handoff->lock);
    }
    if (handoff->code != 0) {
        code = handoff->code;
    } else if (!handoff->is_discarding) {
        FE_ASSERT(handoff->n_unsent <= FE_HANDOFF_OUT_MAX,
                  "a writer is held back by what is not sent");
        if (n > FE_HANDOFF_OUT_MAX - handoff->n_unsent) {
            n = FE_HANDOFF_OUT_MAX - handoff->n_unsent;
        }
        code = fe_chain_append(&handoff->out, data, n);
        if (code == 0) {
            handoff->n_unsent += n;
            handoff->commands |= FE_HANDOFF_SEND_HEAD;
            post(handoff);
        }
    }
    unlock(handoff);
    return code != 0 ? code : (ssize_t)n;
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

void fe_handoff_command(struct fe_handoff *handoff, unsigned commands)
{
    lock(handoff);
    handoff->commands |= commands;
    post(handoff);
    unlock(handoff);
}

bool fe_handoff_release(struct fe_handoff *handoff)
{
    bool is_detached;

    lock(handoff);
    is_detached = handoff->is_detached;
    if (!is_detached) {
        handoff->commands |= FE_HANDOFF_RELEASE;
        post(handoff);
    }
    while (is_detached && handoff->is_posted) {
        fe_cond_wait(&handoff->changed, &handoff->lock);
    }
    unlock(handoff);
    return !is_detached;
}

int fe_handoff_code(struct fe_handoff *handoff)
{
    int code;

    lock(handoff);
    code = handoff->code;
    unlock(handoff);
    return code;
}

bool fe_handoff_is_read(struct fe_handoff *handoff)
{
    bool is_read;

    lock(handoff);
    is_read = handoff->is_complete && handoff->in.len == 0;
    unlock(handoff);
    return is_read;
}

/* ---- the node's side ---- */

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
        wake(handoff); /* fe_handoff_release may wait for this task */
    }
    unlock(handoff);
    return commands;
}

unsigned fe_handoff_collect(struct fe_handoff *handoff)
{
    unsigned commands;

    lock(handoff);
    commands = handoff->commands & ~(unsigned)FE_HANDOFF_RESUME;
    if (handoff->is_posted) {
        commands &= ~(unsigned)FE_HANDOFF_RELEASE;
    }
    fe_chain_move(&handoff->sending, &handoff->out);
    unlock(handoff);
    return commands;
}

int fe_handoff_send(struct fe_handoff *handoff, ssize_t (*write)(void *to, struct fe_view data),
                    void *to)
{
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
        wake(handoff);
        unlock(handoff);
    }
    return code;
}

static void on_turn_end(struct fe_deferred *deferred)
{
    struct fe_handoff *handoff = FE_CONTAINER_OF(deferred, struct fe_handoff, wake);

    lock(handoff);
    wake(handoff);
    unlock(handoff);
}

size_t fe_handoff_on_data(struct fe_handoff *handoff, struct fe_view data)
{
    size_t n = data.len;

    lock(handoff);
    if (handoff->code == 0) {
        FE_ASSERT(handoff->in.len <= handoff->in_max, "a peer is held back by what is not read");
        if (n > handoff->in_max - handoff->in.len) {
            n = handoff->in_max - handoff->in.len;
        }
        handoff->code = fe_chain_append(&handoff->in, data.ptr, n);
        handoff->owes_resume = n < data.len;
        if (handoff->in.len >= handoff->in_max / 2 || handoff->code != 0) {
            wake(handoff);
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
    wake(handoff);
    unlock(handoff);
}

void fe_handoff_discard(struct fe_handoff *handoff)
{
    lock(handoff);
    handoff->is_discarding = true;
    handoff->n_unsent = 0;
    fe_chain_deinit(&handoff->out);
    fe_chain_deinit(&handoff->sending);
    wake(handoff);
    unlock(handoff);
}

void fe_handoff_on_reset(struct fe_handoff *handoff, int code)
{
    lock(handoff);
    FE_ASSERT(code < 0, "a stream is over for a reason");
    if (handoff->code == 0) {
        handoff->code = code;
    }
    wake(handoff);
    unlock(handoff);
}

void fe_handoff_detach(struct fe_handoff *handoff)
{
    lock(handoff);
    handoff->is_detached = true;
    if (handoff->code == 0) {
        handoff->code = FLATEND_ECANCELED;
    }
    wake(handoff);
    unlock(handoff);
}
