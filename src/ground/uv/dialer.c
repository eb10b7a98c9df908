/* Happy path: dial the first address, hand its connection over.
 *
 * Failure modes: an address is refused: the next one at once. It does not answer: the next one
 * beside it, after a moment; the first connection is taken, and the others are closed. None is
 * there: the code of the most telling failure. Without memory for the timer, addresses are tried
 * when those before them have failed. Whatever comes first, the dialer lives until its last
 * connection has closed. */
#include "ground/uv/dialer.h"

#include <stdlib.h>

#include "ground/base/assert.h"
#include "ground/base/list.h"

struct attempt {
    struct fe_dialer *dialer;
    struct fe_conn *conn; /* NULL: not dialed, closed, or handed over */
};

struct fe_dialer {
    struct fe_worker *worker;
    struct fe_timer stagger;
    fe_dialer_fn fn; /* NULL: it was called */
    void *arg;
    bool is_canceled;
    int code; /* of the attempts that have failed */
    size_t n;
    size_t n_tried;
    size_t n_open; /* attempts whose connection has not closed */
    struct attempt attempts[FE_DIALER_ADDRS_MAX];
    struct fe_addr addrs[];
};

/* That a network or a host is not there says less than what a host has said. */
static void note(struct fe_dialer *dialer, int code)
{
    if (dialer->code == 0 || dialer->code == FLATEND_EUNREACHABLE) {
        dialer->code = code;
    }
}

static void report(struct fe_dialer *dialer, struct fe_conn *conn, int code)
{
    fe_dialer_fn fn = dialer->fn;

    dialer->fn = NULL;
    fe_timer_stop(fe_worker_timers(dialer->worker), &dialer->stagger);
    fn(dialer->arg, conn, code);
}

/* All that was opened has closed, or was handed over. */
static void end_if_over(struct fe_dialer *dialer)
{
    if (dialer->n_open > 0) {
        return;
    }
    if (dialer->fn != NULL) {
        report(dialer, NULL, dialer->is_canceled ? FLATEND_ECANCELED : dialer->code);
    }
    free(dialer);
}

static void close_all(struct fe_dialer *dialer)
{
    for (size_t i = 0; i < dialer->n_tried; i++) {
        if (dialer->attempts[i].conn != NULL) {
            fe_conn_close(dialer->attempts[i].conn);
        }
    }
}

static void dial_next(struct fe_dialer *dialer);

static void on_open(void *owner, int code)
{
    struct attempt *attempt = owner;
    struct fe_dialer *dialer = attempt->dialer;
    struct fe_conn *conn = attempt->conn;

    if (dialer->fn == NULL || dialer->is_canceled) {
        return; /* it closes */
    }
    if (code != 0) {
        note(dialer, code);
        dial_next(dialer);
        return;
    }
    attempt->conn = NULL;
    dialer->n_open--;
    close_all(dialer);
    report(dialer, conn, 0);
    end_if_over(dialer);
}

static void on_read(void *owner, uint8_t *data, size_t len)
{
    (void)owner;
    (void)data;
    (void)len;
    FE_UNREACHABLE("what is read is the next owner's");
}

static void on_nothing(void *owner)
{
    (void)owner;
}

static void on_close(void *owner, int code)
{
    struct attempt *attempt = owner;
    struct fe_dialer *dialer = attempt->dialer;

    (void)code; /* on_open has said it */
    attempt->conn = NULL;
    FE_ASSERT(dialer->n_open > 0, "attempts that are open are counted");
    dialer->n_open--;
    end_if_over(dialer);
}

static const struct fe_conn_ops ops = {
    .on_open = on_open,
    .on_read = on_read,
    .on_eof = on_nothing,
    .on_drain = on_nothing,
    .on_close = on_close,
};

/* The next address that can be dialed at all. */
static void dial_next(struct fe_dialer *dialer)
{
    int code = -1;

    while (code != 0 && dialer->n_tried < dialer->n) {
        const size_t i = dialer->n_tried++;
        struct attempt *attempt = &dialer->attempts[i];

        attempt->dialer = dialer;
        code = fe_conn_dial(dialer->worker, &dialer->addrs[i], &ops, attempt, &attempt->conn);
        if (code == 0) {
            dialer->n_open++;
        } else {
            note(dialer, code);
        }
    }
    if (code == 0 && dialer->n_tried < dialer->n) {
        (void)!fe_timer_start(fe_worker_timers(dialer->worker), &dialer->stagger,
                              fe_worker_now(dialer->worker) + FE_DIALER_STAGGER_MS);
    }
}

static void on_stagger(struct fe_timer *timer)
{
    dial_next(FE_CONTAINER_OF(timer, struct fe_dialer, stagger));
}

int fe_dialer_start(struct fe_worker *worker, const struct fe_addr *addrs, size_t n,
                    fe_dialer_fn fn, void *arg, struct fe_dialer **out)
{
    struct fe_dialer *dialer;
    int code;

    FE_ASSERT(n > 0 && n <= FE_DIALER_ADDRS_MAX, "there is something to dial");
    *out = NULL;
    dialer = calloc(1, sizeof(*dialer) + n * sizeof(*addrs));
    if (dialer == NULL) {
        return FLATEND_ENOMEM;
    }
    dialer->worker = worker;
    dialer->fn = fn;
    dialer->arg = arg;
    dialer->n = n;
    memcpy(dialer->addrs, addrs, n * sizeof(*addrs));
    fe_timer_init(&dialer->stagger, on_stagger);
    dial_next(dialer);
    if (dialer->n_open == 0) {
        code = dialer->code;
        free(dialer);
        return code;
    }
    *out = dialer;
    return 0;
}

void fe_dialer_cancel(struct fe_dialer *dialer)
{
    FE_ASSERT(dialer->fn != NULL, "what has ended is not canceled");
    dialer->is_canceled = true;
    fe_timer_stop(fe_worker_timers(dialer->worker), &dialer->stagger);
    close_all(dialer);
}
