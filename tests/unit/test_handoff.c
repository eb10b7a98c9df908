/* A hand-off under random calls of both sides, beside a model of what has to hold:
 *
 * - bytes come out in the order in which they went in, in both directions, all of them;
 * - a call says FLATEND_EAGAIN only if there is nothing to read, or no space to write;
 * - after it exactly one event follows, once the call would not say so any more, and none without;
 * - the end is told behind the last byte, and a reset once;
 * - what waits is counted, and nothing is left of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ground/base/rng.h"
#include "mesh/async/handoff.h"

enum { N_SEEDS = 150, N_STEPS = 400, PIECE_MAX = 40000, N_EVENTS = 8 };

struct rig {
    struct fe_worker *worker;
    struct fe_handoff_env env;
    struct flatend_queue *queue;
    struct fe_handoff io;
    struct fe_task stop;
    struct fe_rng_seeded seeded;
    struct fe_rng rng;
    unsigned commands; /* that have come */
    bool is_released;
    /* the model */
    uint32_t n_in;   /* bytes given to on_data */
    uint32_t n_read; /* of them, read */
    uint32_t n_written;
    uint32_t n_sent;
    size_t accepts; /* what the stream takes before it says that it is full */
    bool has_end;
    bool has_ended; /* a read has said 0 */
    int code;
    bool is_held; /* on_data took less than it was given */
    bool owes_readable;
    bool owes_writable;
    bool owes_reset;
    uint32_t in_then; /* n_in when the read said FLATEND_EAGAIN */
};

static unsigned n_lent; /* copies that were not given back */

static uint32_t below(struct rig *rig, uint32_t n)
{
    return fe_rng_below(&rig->rng, n);
}

static uint8_t byte_at(uint32_t at)
{
    return (uint8_t)(at * 7 + at / 251);
}

static const uint8_t *bytes_from(uint32_t at, size_t n)
{
    static uint8_t bytes[2 * FE_HANDOFF_OUT_MAX];

    for (size_t i = 0; i < n; i++) {
        bytes[i] = byte_at(at + (uint32_t)i);
    }
    return bytes;
}

/* ---- the node's side ---- */

static ssize_t accept_bytes(void *arg, struct fe_view data)
{
    struct rig *rig = arg;
    size_t n = data.len < rig->accepts ? data.len : rig->accepts;

    for (size_t i = 0; i < n; i++) {
        assert_int_equal(data.ptr[i], byte_at(rig->n_sent + (uint32_t)i));
    }
    rig->n_sent += (uint32_t)n;
    rig->accepts -= n;
    return (ssize_t)n;
}

static void pump(struct rig *rig, unsigned commands)
{
    rig->commands |= commands;
    if (rig->code == 0) {
        assert_int_equal(fe_handoff_send(&rig->io, accept_bytes, rig), 0);
    }
    fe_handoff_check(&rig->io);
}

static void on_task(struct fe_task *task)
{
    struct rig *rig = FE_CONTAINER_OF(task, struct rig, io.task);
    unsigned commands = fe_handoff_receive(&rig->io);

    if ((commands & FE_HANDOFF_RESUME) != 0) {
        rig->is_held = false;
    }
    rig->is_released = (commands & FE_HANDOFF_RELEASE) != 0;
    pump(rig, commands);
}

static void on_stop(struct fe_task *task)
{
    fe_worker_stop(FE_CONTAINER_OF(task, struct rig, stop)->worker);
}

/* One turn of the node's thread: what was posted is received. */
static void turn(struct rig *rig)
{
    fe_task_init(&rig->stop, on_stop);
    fe_task_post(rig->worker, &rig->stop);
    fe_worker_run(rig->worker);
}

static void receive_data(struct rig *rig)
{
    const size_t n = 1 + below(rig, PIECE_MAX);
    size_t taken;

    if (rig->has_end || rig->is_held || rig->code != 0) {
        return;
    }
    taken = fe_handoff_on_data(&rig->io, fe_view_of(bytes_from(rig->n_in, n), n));
    assert_true(taken <= n);
    rig->n_in += (uint32_t)taken;
    rig->is_held = taken < n;
}

static void receive_end(struct rig *rig)
{
    if (!rig->is_held && rig->code == 0 && !rig->has_end) {
        rig->has_end = true;
        fe_handoff_on_end(&rig->io);
    }
}

static void receive_reset(struct rig *rig)
{
    if (rig->code == 0) {
        rig->code = FLATEND_ERESET;
        rig->owes_reset = true;
    }
    fe_handoff_on_reset(&rig->io, FLATEND_ERESET);
}

/* ---- the application's side ---- */

static void expect_bytes(const struct rig *rig, const uint8_t *bytes, ssize_t n)
{
    for (ssize_t i = 0; i < n; i++) {
        assert_int_equal(bytes[i], byte_at(rig->n_read + (uint32_t)i));
    }
}

/* Copied, or in the block in which they came. */
static ssize_t read_some(struct rig *rig)
{
    static uint8_t buf[PIECE_MAX];
    const size_t cap = 1 + below(rig, PIECE_MAX);
    struct fe_block *block;
    const void *data;
    ssize_t n;

    if (below(rig, 2) == 0) {
        n = fe_handoff_try_read(&rig->io, buf, cap);
        assert_true(n <= (ssize_t)cap);
        expect_bytes(rig, buf, n);
        return n;
    }
    n = fe_handoff_take(&rig->io, false, &block, &data);
    assert_int_equal(n > 0, block != NULL);
    expect_bytes(rig, data, n);
    if (n > 0) {
        fe_block_release(block);
    }
    return n;
}

static void try_read(struct rig *rig)
{
    const ssize_t n = read_some(rig);

    if (n > 0) {
        rig->n_read += (uint32_t)n;
        assert_true(rig->n_read <= rig->n_in);
        return;
    }
    assert_int_equal(rig->n_read, rig->n_in);
    if (n == 0) {
        assert_true(rig->has_end);
        rig->has_ended = true;
    } else if (n == FLATEND_EAGAIN) {
        assert_false(rig->has_end);
        assert_int_equal(rig->code, 0);
        rig->owes_readable = true;
        rig->in_then = rig->n_in;
    } else {
        assert_int_equal(n, rig->code);
    }
}

static void release(void *arg)
{
    free(arg);
    n_lent--;
}

/* A copy is lent, which is freed once: not at all would be a leak. */
static int lend(struct rig *rig, size_t n)
{
    uint8_t *copy = malloc(n);
    const struct fe_loan loan = {copy, n, release, copy};
    int code;

    assert_non_null(copy);
    memcpy(copy, bytes_from(rig->n_written, n), n);
    n_lent++;
    code = fe_handoff_lend(&rig->io, false, &loan);
    if (code != 0) {
        release(copy);
    }
    return code;
}

static void try_write(struct rig *rig)
{
    const size_t n = 1 + below(rig, below(rig, 20) == 0 ? 2 * FE_HANDOFF_OUT_MAX : PIECE_MAX);
    const size_t waiting = rig->n_written - rig->n_sent;
    const bool lends = below(rig, 2) == 0;
    const bool is_copied = !lends || n < FE_CHAIN_LEND_MIN;
    const int code =
        lends ? lend(rig, n) : fe_handoff_try_write(&rig->io, bytes_from(rig->n_written, n), n);

    if (code == 0) {
        assert_int_equal(rig->code, 0);
        assert_true(waiting < FE_HANDOFF_OUT_MAX);
        assert_true(!is_copied || waiting <= FE_HANDOFF_OUT_MAX / 2 ||
                    waiting + n <= FE_HANDOFF_OUT_MAX);
        rig->n_written += (uint32_t)n;
    } else if (code == FLATEND_EAGAIN) {
        assert_true(
            waiting >= FE_HANDOFF_OUT_MAX ||
            (is_copied && waiting > FE_HANDOFF_OUT_MAX / 2 && waiting + n > FE_HANDOFF_OUT_MAX));
        rig->owes_writable = true;
    } else {
        assert_int_equal(code, rig->code);
    }
}

/* What would have been said by now. */
static void expect_owed(struct rig *rig, int type)
{
    switch (type) {
    case FLATEND_EVENT_READABLE:
        assert_true(rig->owes_readable);
        assert_true(rig->n_in > rig->in_then || rig->has_end || rig->code != 0);
        rig->owes_readable = false;
        break;
    case FLATEND_EVENT_WRITABLE:
        assert_true(rig->owes_writable);
        rig->owes_writable = false;
        break;
    case FLATEND_EVENT_CANCELED:
        assert_true(rig->owes_reset);
        rig->owes_reset = false;
        break;
    default:
        fail_msg("an event of type %d", type);
    }
}

static void take_events(struct rig *rig)
{
    struct flatend_event events[N_EVENTS];
    const ssize_t n = flatend_queue_take(rig->queue, events, N_EVENTS, 0);

    for (ssize_t i = 0; i < n; i++) {
        assert_ptr_equal(events[i].arg, rig);
        expect_owed(rig, events[i].type);
    }
    /* What is owed still would be said again. */
    assert_false(rig->owes_readable &&
                 (rig->n_in > rig->in_then || rig->has_end || rig->code != 0));
    assert_false(rig->owes_writable && (rig->n_written == rig->n_sent || rig->code != 0));
    assert_false(rig->owes_reset);
}

/* ---- a run ---- */

static void step(struct rig *rig)
{
    switch (below(rig, 100)) {
    case 0:
        receive_reset(rig);
        break;
    case 1:
    case 2:
        receive_end(rig);
        break;
    default:
        switch (below(rig, 6)) {
        case 0:
            receive_data(rig);
            break;
        case 1:
            try_read(rig);
            break;
        case 2:
            try_write(rig);
            break;
        case 3:
            rig->accepts = below(rig, 2 * PIECE_MAX);
            pump(rig, fe_handoff_collect(&rig->io));
            break;
        case 4:
            turn(rig);
            break;
        default:
            take_events(rig);
            break;
        }
        break;
    }
    fe_handoff_check(&rig->io);
    fe_queue_check(rig->queue);
}

static void run(uint64_t seed)
{
    struct rig rig = {0};

    rig.rng = fe_rng_from_seed(&rig.seeded, seed);
    assert_int_equal(fe_worker_new(&rig.worker, NULL), 0);
    assert_int_equal(flatend_queue_new(&rig.queue), 0);
    assert_int_equal(fe_handoff_env_init(&rig.env, rig.worker), 0);
    assert_int_equal(fe_handoff_init(&rig.io, &rig.env, on_task), 0);
    rig.io.on_reset_event = FLATEND_EVENT_CANCELED;
    fe_handoff_keep(&rig.io, 0, rig.queue, &rig);
    for (int i = 0; i < N_STEPS; i++) {
        step(&rig);
    }
    turn(&rig);
    take_events(&rig);
    /* Nothing comes behind the holders' last call. */
    assert_true(fe_handoff_leave(&rig.io, FE_HANDOFF_FINISH, true));
    assert_true(fe_handoff_leave(&rig.io, 0, false));
    receive_reset(&rig);
    rig.owes_reset = false;
    rig.owes_readable = false;
    rig.owes_writable = false;
    take_events(&rig);
    turn(&rig);
    assert_true(rig.is_released);
    assert_true((rig.commands & FE_HANDOFF_FINISH) != 0);
    fe_handoff_deinit(&rig.io);
    assert_int_equal(n_lent, 0);
    fe_handoff_env_deinit(&rig.env);
    flatend_queue_free(rig.queue);
    fe_worker_free(rig.worker, NULL, NULL);
}

static void random_calls(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= N_SEEDS; seed++) {
        run(seed);
    }
}

/* ---- the last call of a holder ---- */

static void open_kept(struct rig *rig)
{
    memset(rig, 0, sizeof(*rig));
    assert_int_equal(fe_worker_new(&rig->worker, NULL), 0);
    assert_int_equal(flatend_queue_new(&rig->queue), 0);
    assert_int_equal(fe_handoff_env_init(&rig->env, rig->worker), 0);
    assert_int_equal(fe_handoff_init(&rig->io, &rig->env, on_task), 0);
    rig->io.on_reset_event = FLATEND_EVENT_CANCELED;
    fe_handoff_keep(&rig->io, 0, rig->queue, rig);
}

static void close_released(struct rig *rig)
{
    turn(rig);
    assert_true(rig->is_released);
    fe_handoff_deinit(&rig->io);
    fe_handoff_env_deinit(&rig->env);
    flatend_queue_free(rig->queue);
    fe_worker_free(rig->worker, NULL, NULL);
}

/* Whoever leaves on the node's thread has done there what it commands: no task is posted for it,
 * and what is released is released by the task of the other one. */
static void leaving_on_the_nodes_thread_posts_nothing(void **state)
{
    struct rig rig;
    int code;

    (void)state;
    open_kept(&rig);
    assert_int_equal(fe_handoff_leave_here(&rig.io, FE_HANDOFF_KEEP), FE_HANDOFF_KEEP);
    assert_false(rig.io.is_posted);
    assert_true(fe_handoff_end(&rig.io, FE_HANDOFF_FINISH, &code));
    assert_int_equal(code, 0);
    assert_true(rig.io.is_posted);
    close_released(&rig);
    assert_int_equal(rig.commands, FE_HANDOFF_KEEP | FE_HANDOFF_FINISH | FE_HANDOFF_RELEASE);
    /* The other way around, with something that was written meanwhile. */
    open_kept(&rig);
    rig.accepts = 1;
    assert_int_equal(fe_handoff_try_write(&rig.io, bytes_from(0, 1), 1), 0);
    assert_true(fe_handoff_end(&rig.io, FE_HANDOFF_FINISH, &code));
    assert_int_equal(fe_handoff_leave_here(&rig.io, FE_HANDOFF_KEEP),
                     FE_HANDOFF_KEEP | FE_HANDOFF_SEND_HEAD | FE_HANDOFF_FINISH);
    assert_int_equal(rig.io.sending.len, 1);
    close_released(&rig);
    assert_int_equal(rig.n_sent, 1);
}

/* It is told why nobody gets what it wrote, which is not finished then. */
static void what_is_gone_cannot_be_finished(void **state)
{
    struct rig rig;
    int code = 0;

    (void)state;
    open_kept(&rig);
    fe_handoff_on_reset(&rig.io, FLATEND_ETIMEDOUT);
    assert_true(fe_handoff_end(&rig.io, FE_HANDOFF_FINISH, &code));
    assert_int_equal(code, FLATEND_ETIMEDOUT);
    assert_true(fe_handoff_leave(&rig.io, 0, false));
    rig.code = code;
    close_released(&rig);
    assert_int_equal(rig.commands, FE_HANDOFF_RESET | FE_HANDOFF_RELEASE);
}

/* ---- many at once ---- */

enum { N_MANY = 600 };

static void ignore_task(struct fe_task *task)
{
    (void)fe_handoff_receive(FE_CONTAINER_OF(task, struct fe_handoff, task));
}

/* Writers and senders that nobody reads: together they hold what a node may, and little more. */
static void what_waits_in_all_is_bounded(void **state)
{
    struct fe_handoff *ios = calloc(N_MANY, sizeof(*ios));
    struct fe_handoff_env env;
    struct fe_worker *worker;
    static const uint8_t piece[FE_HANDOFF_SMALL];

    (void)state;
    assert_non_null(ios);
    assert_int_equal(fe_worker_new(&worker, NULL), 0);
    assert_int_equal(fe_handoff_env_init(&env, worker), 0);
    for (int i = 0; i < N_MANY; i++) {
        assert_int_equal(fe_handoff_init(&ios[i], &env, ignore_task), 0);
        ios[i].is_posted = true; /* no task: nobody receives */
        while (fe_handoff_try_write(&ios[i], piece, sizeof(piece)) == 0) {
        }
        while (fe_handoff_on_data(&ios[i], fe_view_of(piece, sizeof(piece))) == sizeof(piece)) {
        }
        assert_true(ios[i].n_unsent >= FE_HANDOFF_SMALL && ios[i].in.len >= FE_HANDOFF_SMALL);
    }
    assert_true(atomic_load(&env.n_waiting) >= FE_HANDOFF_ALL_MAX);
    assert_true(atomic_load(&env.n_waiting) <=
                FE_HANDOFF_ALL_MAX + FE_HANDOFF_OUT_MAX + N_MANY * 2 * FE_HANDOFF_SMALL);
    for (int i = 0; i < N_MANY; i++) {
        ios[i].is_posted = false;
        fe_handoff_deinit(&ios[i]);
    }
    fe_handoff_env_deinit(&env);
    fe_worker_free(worker, NULL, NULL);
    free(ios);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_calls),
        cmocka_unit_test(leaving_on_the_nodes_thread_posts_nothing),
        cmocka_unit_test(what_is_gone_cannot_be_finished),
        cmocka_unit_test(what_waits_in_all_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
