#include "mesh/node/handoff.h"

static void on_turn_end(struct fe_later *later);

int fe_handoff_init(struct fe_handoff *handoff, struct fe_worker *worker,
                    void (*on_mail)(struct fe_mail *mail))
{
    *handoff = (struct fe_handoff){.worker = worker, .in_max = FE_HANDOFF_IN_MAX};
    fe_mail_init(&handoff->mail, on_mail);
    fe_later_init(&handoff->wake, on_turn_end);
    /* Blocks travel between threads: they come from malloc, not from a pool. */
    fe_chain_init(&handoff->in, NULL);
    fe_chain_init(&handoff->out, NULL);
    fe_chain_init(&handoff->sending, NULL);
    if (pthread_mutex_init(&handoff->lock, NULL) != 0) {
        return FLATEND_ENOMEM;
    }
    if (pthread_cond_init(&handoff->changed, NULL) != 0) {
        (void)pthread_mutex_destroy(&handoff->lock);
        return FLATEND_ENOMEM;
    }
    return 0;
}

void fe_handoff_reset(struct fe_handoff *handoff)
{
    fe_later_cancel(&handoff->wake);
    fe_chain_deinit(&handoff->in);
    fe_chain_deinit(&handoff->out);
    fe_chain_deinit(&handoff->sending);
    handoff->in_max = FE_HANDOFF_IN_MAX;
    handoff->n_unsent = 0;
    handoff->wishes = 0;
    handoff->code = 0;
    handoff->is_complete = false;
    handoff->is_full = false;
    handoff->is_muted = false;
    handoff->is_posted = false;
    handoff->is_detached = false;
}

void fe_handoff_set_pool(struct fe_handoff *handoff, struct fe_pool *pool)
{
    fe_chain_init(&handoff->in, pool);
    fe_chain_init(&handoff->out, pool);
    fe_chain_init(&handoff->sending, pool);
}

void fe_handoff_deinit(struct fe_handoff *handoff)
{
    fe_handoff_reset(handoff);
    (void)pthread_cond_destroy(&handoff->changed);
    (void)pthread_mutex_destroy(&handoff->lock);
}

static void lock(struct fe_handoff *handoff)
{
    (void)pthread_mutex_lock(&handoff->lock);
}

static void unlock(struct fe_handoff *handoff)
{
    (void)pthread_mutex_unlock(&handoff->lock);
}

static void wake(struct fe_handoff *handoff)
{
    (void)pthread_cond_broadcast(&handoff->changed);
}

/* ---- the blocking side ---- */

/* Under the lock: detaching must not come between the check and the post. */
static void post(struct fe_handoff *handoff)
{
    if (!handoff->is_posted && !handoff->is_detached) {
        handoff->is_posted = true;
        fe_mail_post(handoff->worker, &handoff->mail);
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
        (void)pthread_cond_wait(&handoff->changed, &handoff->lock);
    }
    if (handoff->in.len > 0) {
        n = (ssize_t)fe_chain_read(&handoff->in, buf, cap);
    } else {
        n = handoff->is_complete ? 0 : handoff->code;
    }
    if (handoff->is_full && handoff->in.len <= handoff->in_max / 2) {
        handoff->is_full = false;
        handoff->wishes |= FE_WISH_RESUME;
        post(handoff);
    }
    unlock(handoff);
    return n;
}

/* Waits for space and fills it: how many bytes, or a code. */
static ssize_t write_some(struct fe_handoff *handoff, const void *data, size_t len)
{
    size_t n = len;
    int rv = 0;

    lock(handoff);
    while (handoff->n_unsent >= FE_HANDOFF_OUT_MAX && handoff->code == 0) {
        (void)pthread_cond_wait(&handoff->changed, &handoff->lock);
    }
    if (handoff->code != 0) {
        rv = handoff->code;
    } else if (!handoff->is_muted) {
        if (n > FE_HANDOFF_OUT_MAX - handoff->n_unsent) {
            n = FE_HANDOFF_OUT_MAX - handoff->n_unsent;
        }
        rv = fe_chain_append(&handoff->out, data, n);
        if (rv == 0) {
            handoff->n_unsent += n;
            handoff->wishes |= FE_WISH_HEAD;
            post(handoff);
        }
    }
    unlock(handoff);
    return rv != 0 ? rv : (ssize_t)n;
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

void fe_handoff_wish(struct fe_handoff *handoff, unsigned wishes)
{
    lock(handoff);
    handoff->wishes |= wishes;
    post(handoff);
    unlock(handoff);
}

bool fe_handoff_leave(struct fe_handoff *handoff)
{
    bool is_detached;

    lock(handoff);
    is_detached = handoff->is_detached;
    if (!is_detached) {
        handoff->wishes |= FE_WISH_LEAVE;
        post(handoff);
    }
    while (is_detached && handoff->is_posted) {
        (void)pthread_cond_wait(&handoff->changed, &handoff->lock);
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
    unsigned wishes;

    lock(handoff);
    handoff->is_posted = false;
    wishes = handoff->wishes;
    handoff->wishes &= ~(unsigned)FE_WISH_RESUME;
    fe_chain_move(&handoff->sending, &handoff->out);
    if (handoff->is_detached && (wishes & FE_WISH_LEAVE) == 0) {
        wishes = 0;
        wake(handoff); /* fe_handoff_leave may wait for this mail */
    }
    unlock(handoff);
    return wishes;
}

unsigned fe_handoff_collect(struct fe_handoff *handoff)
{
    unsigned wishes;

    lock(handoff);
    wishes = handoff->wishes & ~(unsigned)FE_WISH_RESUME;
    if (handoff->is_posted) {
        wishes &= ~(unsigned)FE_WISH_LEAVE;
    }
    fe_chain_move(&handoff->sending, &handoff->out);
    unlock(handoff);
    return wishes;
}

int fe_handoff_send(struct fe_handoff *handoff, ssize_t (*write)(void *to, struct fe_view data),
                    void *to)
{
    size_t n_sent = 0;
    int rv = 0;

    while (handoff->sending.len > 0) {
        struct fe_view front = fe_chain_front(&handoff->sending);
        ssize_t n = write(to, front);

        if (n < 0) {
            rv = (int)n;
            break;
        }
        fe_chain_consume(&handoff->sending, (size_t)n);
        n_sent += (size_t)n;
        if ((size_t)n < front.len) {
            break;
        }
    }
    if (n_sent > 0) {
        lock(handoff);
        handoff->n_unsent -= n_sent;
        wake(handoff);
        unlock(handoff);
    }
    return rv;
}

static void on_turn_end(struct fe_later *later)
{
    struct fe_handoff *handoff = FE_CONTAINER_OF(later, struct fe_handoff, wake);

    lock(handoff);
    wake(handoff);
    unlock(handoff);
}

size_t fe_handoff_offer(struct fe_handoff *handoff, struct fe_view data)
{
    size_t n = data.len;

    lock(handoff);
    if (handoff->code == 0) {
        if (n > handoff->in_max - handoff->in.len) {
            n = handoff->in_max - handoff->in.len;
        }
        handoff->code = fe_chain_append(&handoff->in, data.ptr, n);
        handoff->is_full = n < data.len;
        if (handoff->in.len >= handoff->in_max / 2 || handoff->code != 0) {
            wake(handoff);
        } else {
            fe_worker_later(handoff->worker, &handoff->wake);
        }
    }
    unlock(handoff);
    return n;
}

void fe_handoff_complete(struct fe_handoff *handoff)
{
    lock(handoff);
    /* After a failure something is missing: the reader must not take it for the whole. */
    handoff->is_complete = handoff->code == 0;
    wake(handoff);
    unlock(handoff);
}

void fe_handoff_mute(struct fe_handoff *handoff)
{
    lock(handoff);
    handoff->is_muted = true;
    handoff->n_unsent = 0;
    fe_chain_deinit(&handoff->out);
    fe_chain_deinit(&handoff->sending);
    wake(handoff);
    unlock(handoff);
}

void fe_handoff_fail(struct fe_handoff *handoff, int code)
{
    lock(handoff);
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
