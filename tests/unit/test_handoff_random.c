/* A hand-off between threads at random: what either side does next, and what goes wrong. The node's
 * thread, a handler's, those that read and write what was kept, and one that takes events (unless a
 * callback gets them) are each stopped wherever they take or leave a lock, while the others go on
 * (support/interleave.h); the node's worker is played, too. What has to hold, whatever the order:
 *
 * - bytes come out in the order in which they went in, all of them unless something went wrong;
 * - after FLATEND_EAGAIN exactly one event follows, and none without; who waits is woken;
 * - a request is told first and once, its end at most once, a call's end once and nothing behind
 * it;
 * - nothing is told once it was left;
 * - one task at most is under way, and the node's thread is woken for it;
 * - what waits is bounded, and counted; what was lent is given back once, with no lock held;
 * - all is freed once, by the node's thread, or by the one that leaves last. */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mesh/async/handoff.h"
#include "support/counting.h"
#include "support/fault.h"
#include "support/interleave.h"
#include "support/played_worker.h"
#include "support/promise.h"

enum {
    N_SEEDS = 1500,
    N_ACTS = 300,   /* at random, before each thread does what is left to do */
    N_RESTS = 2000, /* the same in turns: one that hangs fails */
    N_TYPES = FLATEND_EVENT_TIMER + 1,
    N_EVENTS = 4, /* taken at once */
    PATIENCE = 20,
    RESTLESS_SCALE = 17, /* many times what may wait */
    PIECE_MAX = 300000,
};

enum { NODE, TAKER, HANDLER, READER, WRITER, N_THREADS };

/* How the application has it. */
enum kind {
    HANDLED, /* a handler, that may keep it */
    KEPT,    /* a request that was kept by a handler on the node's thread */
    QUEUED,  /* a request of a service with a queue */
    CALLED,  /* a call with a queue */
    WAITED,  /* a call for which its owner waits */
    N_KINDS,
};

struct world {
    uint64_t seed;
    struct interleave interleave;
    struct fe_rng_seeded seeded;
    struct fe_rng rng;
    enum kind kind;
    unsigned scale;   /* bits of a random size */
    bool is_unlucky;  /* things may go wrong */
    bool is_rough;    /* one has */
    bool is_tight;    /* other hand-offs of the node hold all that they may */
    bool is_patient;  /* all is read before it is finished */
    bool is_eager;    /* a call's response may end before its request does */
    bool is_talk;     /* each piece that comes is answered before the next one */
    bool is_restless; /* what was told to wait looks again before it is told */
    bool is_ending;   /* no misfortunes any more, and each does what it can */
    bool is_lost;     /* what was kept is never finished */
    struct fe_handoff_env env;
    struct flatend_queue *queue;
    bool has_callback;     /* nothing is taken */
    int fd;                /* readable while there is something to take */
    struct fe_handoff *io; /* NULL once it is freed */
    const pthread_mutex_t *lock;
    struct played_worker worker;
    /* The node's side. */
    bool has_stream;
    bool has_begun;     /* the first task of a call has come */
    bool has_responded; /* a call has its head */
    bool is_closing;
    bool is_abandoned;
    bool is_detached;
    bool is_held; /* on_data took less than it was given */
    bool has_end;
    bool has_finished; /* all that was written was sent, and the end */
    size_t accepts;    /* what the stream takes before it says that it is full */
    size_t n_in;       /* the whole body that comes */
    size_t n_offered;
    size_t n_sent;
    unsigned n_extra; /* holders whose calls have not begun */
    /* The application's. */
    bool is_handling; /* the handler has not returned */
    bool is_keeping;
    bool is_kept;
    bool is_leaving; /* nothing is told once the lock is left */
    bool has_left;
    bool has_read_end;
    bool has_written_all;
    size_t n_out; /* the whole body that goes */
    size_t n_read;
    size_t n_written;
    int n_lent;
    struct promise readable;
    struct promise writable;
    unsigned n_told[N_TYPES];
    struct flatend_event events[N_EVENTS]; /* of a callback one, that it is about to get */
    size_t n_taking;
    size_t n_calls; /* of the callback */
    int patience;   /* of one that waits for events */
};

static struct world *playing; /* for what is given no argument */

static uint32_t below(struct world *world, uint32_t n)
{
    return fe_rng_below(&world->rng, n);
}

static size_t at_most(size_t n, size_t max)
{
    return n < max ? n : max;
}

static size_t random_size(struct world *world, size_t max)
{
    return at_most(1 + below(world, 1U << below(world, world->scale + 1)), max);
}

static bool is_call(const struct world *world)
{
    return world->kind == CALLED || world->kind == WAITED;
}

static bool is_acting(const struct world *world, unsigned thread)
{
    return interleave_is_acting(&world->interleave, thread);
}

/* ---- what is told --------------------------------------------------------------------------- */

static unsigned n_ends(const struct world *world)
{
    return world->n_told[FLATEND_EVENT_CANCELED] + world->n_told[FLATEND_EVENT_DEADLINE] +
           world->n_told[FLATEND_EVENT_FAILED] + world->n_told[FLATEND_EVENT_END];
}

static void tell(struct world *world, const struct flatend_event *event)
{
    assert_ptr_equal(event->arg, world);
    assert_false(world->has_left);
    assert_in_range(event->type, FLATEND_EVENT_REQUEST, FLATEND_EVENT_FAILED);
    world->n_told[event->type]++;
    switch (event->type) {
    case FLATEND_EVENT_READABLE:
        promise_keep(&world->readable);
        return;
    case FLATEND_EVENT_WRITABLE:
        promise_keep(&world->writable);
        return;
    case FLATEND_EVENT_REQUEST:
        assert_int_equal(world->kind, QUEUED);
        assert_int_equal(n_ends(world), 0);
        world->is_kept = true;
        break;
    case FLATEND_EVENT_RESPONSE:
        assert_int_equal(n_ends(world), 0);
        break;
    case FLATEND_EVENT_CANCELED:
        assert_true(event->code < 0 && event->code != FLATEND_ETIMEDOUT);
        break;
    case FLATEND_EVENT_DEADLINE:
        assert_int_equal(event->code, FLATEND_ETIMEDOUT);
        break;
    default:
        break;
    }
    assert_int_equal(world->n_told[event->type], 1);
    assert_true(n_ends(world) <= 1);
}

static bool is_readable(struct world *world)
{
    if (world->has_callback) {
        return false;
    }

    struct pollfd fd = {.fd = world->fd, .events = POLLIN};

    return poll(&fd, 1, 0) == 1;
}

/* The linker makes these names (--wrap). */
void __real_fe_queue_take_one(struct flatend_queue *queue, struct flatend_event *event);
void __wrap_fe_queue_take_one(struct flatend_queue *queue, struct flatend_event *event);

void __wrap_fe_queue_take_one(struct flatend_queue *queue, struct flatend_event *event)
{
    __real_fe_queue_take_one(queue, event);
    if (playing->has_callback) {
        assert_int_equal(playing->interleave.thread, NODE);
        playing->events[0] = *event;
        playing->n_taking = 0;
    }
}

/* What it is called with is looked at already, when the queue was left for this call. */
static void on_event(void *arg, const struct flatend_event *event)
{
    struct world *world = arg;

    assert_int_equal(world->interleave.thread, NODE);
    assert_int_equal(world->interleave.n_held, 0);
    assert_int_equal(world->n_taking, 1);
    assert_memory_equal(event, &world->events[0], sizeof(*event));
    world->events[0].type = 0;
    world->n_calls++;
}

/* What was taken is looked at before any other thread runs. */
static void on_left(struct interleave *interleave, unsigned thread, const pthread_mutex_t *lock)
{
    struct world *const world = FE_CONTAINER_OF(interleave, struct world, interleave);

    if (thread == (world->has_callback ? NODE : TAKER)) {
        while (world->n_taking < N_EVENTS && world->events[world->n_taking].type != 0) {
            tell(world, &world->events[world->n_taking++]);
        }
    }
    if (lock != world->lock) {
        return;
    }
    if (thread == HANDLER && world->is_keeping && !world->is_kept) {
        world->is_kept = true;
        /* What has happened before is told at once: there may be no other turn. */
        assert_true(world->io->code == 0 || world->has_callback || is_readable(world) ||
                    n_ends(world) == 1);
    } else if (thread == READER) {
        promise_pass(&world->readable);
    } else if (thread == WRITER) {
        promise_pass(&world->writable);
        world->has_left = world->has_left || world->is_leaving;
    }
}

static size_t take_some(struct world *world, int timeout_ms)
{
    const size_t cap = 1 + below(world, N_EVENTS);
    ssize_t n;

    memset(world->events, 0, sizeof(world->events));
    world->n_taking = 0;
    n = flatend_queue_take(world->queue, world->events, cap, timeout_ms);
    assert_int_equal(n, world->n_taking);
    return world->n_taking;
}

/* At the end all of them, but only those that the application is woken for. */
static void take_events(struct world *world)
{
    if (world->has_callback) {
        return;
    }
    if (!world->is_ending) {
        (void)take_some(world, 0);
        return;
    }
    if (!is_readable(world) && below(world, 4) == 0) {
        world->patience = PATIENCE;
        (void)take_some(world, -1);
    }
    while (is_readable(world)) {
        assert_true(take_some(world, 0) > 0);
    }
}

/* One that waits is woken for what there is; after a while for nothing. */
static void look_after_taker(struct world *world)
{
    if (interleave_is_waiting(&world->interleave, TAKER)) {
        assert_false(is_readable(world));
        if (world->patience-- == 0) {
            flatend_queue_wake(world->queue);
        }
    }
}

/* ---- the node's side ------------------------------------------------------------------------ */

static void free_io(struct world *world)
{
    struct fe_handoff *const io = world->io;

    assert_non_null(io);
    assert_false(fe_list_is_linked(&io->task.link));
    world->io = NULL;
    fe_handoff_deinit(io);
    free(io);
}

static void give_up(struct world *world, int code)
{
    world->has_stream = false;
    fe_handoff_on_reset(world->io, code);
}

static ssize_t accept_bytes(void *arg, struct fe_view data)
{
    struct world *const world = arg;
    const size_t n = at_most(data.len, world->accepts);

    assert_true(counting_continues(fe_view_of(data.ptr, n), world->n_sent));
    world->n_sent += n;
    world->accepts -= n;
    return (ssize_t)n;
}

static void abandon(struct world *world)
{
    world->is_abandoned = fe_handoff_detach(world->io);
    world->is_detached = world->is_detached || world->is_abandoned;
}

/* As src/mesh/node/sending.c does for requests, and outgoing.c for calls, which end by themselves.
 */
static void pump(struct world *world, unsigned commands)
{
    if (world->has_stream && (commands & FE_HANDOFF_RESET) != 0) {
        give_up(world, FLATEND_ERESET);
    }
    if (world->has_stream && (commands & FE_HANDOFF_SEND_HEAD) != 0) {
        assert_int_equal(fe_handoff_send(world->io, accept_bytes, world), 0);
        if ((commands & FE_HANDOFF_FINISH) != 0 && world->io->sending.len == 0) {
            world->has_finished = true;
            world->has_stream = is_call(world);
        }
    }
    fe_handoff_check(world->io);
    if (world->has_stream || is_call(world)) {
        return;
    }
    if ((commands & FE_HANDOFF_RELEASE) != 0) {
        free_io(world);
    } else if ((commands & FE_HANDOFF_KEEP) != 0 && world->is_closing) {
        abandon(world);
    }
}

static void on_task_of_a_request(struct world *world, unsigned commands)
{
    if (commands == 0) {
        return;
    }
    if (world->is_abandoned) {
        free_io(world);
        return;
    }
    if (world->has_stream &&
        (commands & (FE_HANDOFF_RESUME | FE_HANDOFF_RELEASE)) == FE_HANDOFF_RESUME) {
        world->is_held = false;
    }
    pump(world, commands);
}

static void on_task_of_a_call(struct world *world, unsigned commands)
{
    if ((commands & FE_HANDOFF_RELEASE) != 0) {
        world->has_stream = false;
        free_io(world);
    } else if ((commands & FE_HANDOFF_SEND_HEAD) != 0) {
        world->is_held = world->is_held && (commands & FE_HANDOFF_RESUME) == 0;
        world->has_begun = true;
        pump(world, commands);
    }
}

static void on_task(struct fe_task *task)
{
    struct world *const world = playing;
    unsigned commands;

    assert_ptr_equal(task, &world->io->task);
    commands = fe_handoff_receive(world->io); /* none: it may be gone */
    if (is_call(world)) {
        on_task_of_a_call(world, commands);
    } else {
        on_task_of_a_request(world, commands);
    }
}

static void receive_data(struct world *world)
{
    static uint8_t bytes[PIECE_MAX];
    const size_t n = random_size(world, at_most(world->n_in - world->n_offered, PIECE_MAX));
    size_t n_taken;

    if (n == 0 || world->is_held ||
        (world->is_talk && !world->is_rough && world->n_sent < world->n_offered)) {
        return;
    }
    counting_fill(bytes, n, world->n_offered);
    world->is_held = true; /* until the other side resumes, which it may before this returns */
    n_taken = fe_handoff_on_data(world->io, fe_view_of(bytes, n));
    assert_true(n_taken <= n);
    world->n_offered += n_taken;
    world->is_held = n_taken < n;
}

static void receive_end(struct world *world)
{
    if (world->n_offered < world->n_in || world->is_held || world->has_end ||
        (is_call(world) && !world->is_eager && !world->has_finished)) {
        return;
    }
    world->has_end = true;
    fe_handoff_on_end(world->io);
    if (is_call(world)) {
        world->has_stream = false;
        fe_handoff_discard(world->io);
        fe_handoff_post(world->io, FLATEND_EVENT_END);
    }
}

static void become_writable(struct world *world, size_t accepts)
{
    world->accepts = accepts;
    pump(world, fe_handoff_collect(world->io));
}

static void reset(struct world *world)
{
    static const int codes[] = {FLATEND_ERESET, FLATEND_ECLOSED, FLATEND_ETIMEDOUT};

    give_up(world, codes[below(world, 3)]);
    if (!is_call(world)) {
        pump(world, fe_handoff_collect(world->io));
    }
}

/* As close.c. */
static void close_node(struct world *world)
{
    unsigned commands;

    world->is_closing = true;
    if (is_call(world)) {
        world->has_stream = false;
        world->is_detached = true;
        (void)fe_handoff_detach(world->io);
        return;
    }
    if (world->has_stream) {
        give_up(world, FLATEND_ECANCELED);
    }
    commands = fe_handoff_collect(world->io);
    if ((commands & FE_HANDOFF_RELEASE) != 0) {
        free_io(world);
    } else if ((commands & FE_HANDOFF_KEEP) != 0) {
        abandon(world);
    }
}

static void leave(struct world *world, unsigned commands, bool ends)
{
    if (!fe_handoff_leave(world->io, commands, ends)) {
        free_io(world);
    }
}

/* A call on behalf of the request has begun. */
static void let_go(struct world *world)
{
    if (world->n_extra > 0) {
        world->n_extra--;
        leave(world, 0, false);
    }
}

static void misfortune(struct world *world)
{
    if (!world->is_unlucky || below(world, 12) != 0) {
        return;
    }
    world->is_rough = true;
    switch (below(world, 3)) {
    case 0:
        close_node(world);
        break;
    case 1:
        (void)fe_fault_arm(1);
        if (world->has_stream) {
            receive_data(world);
        }
        break;
    default:
        if (world->has_stream) {
            reset(world);
        }
        break;
    }
}

static bool is_gone(const struct world *world)
{
    return world->io == NULL || world->is_detached || (is_call(world) && !world->has_begun);
}

static void respond(struct world *world)
{
    if (is_call(world) && !world->has_responded) {
        world->has_responded = true;
        fe_handoff_post(world->io, FLATEND_EVENT_RESPONSE);
    }
}

static void use_stream(struct world *world)
{
    if (!world->has_stream) {
        return;
    }
    switch (below(world, 6)) {
    case 0:
    case 1:
        respond(world);
        receive_data(world);
        break;
    case 2:
        respond(world);
        receive_end(world);
        break;
    default:
        become_writable(world, random_size(world, PIECE_MAX));
        break;
    }
}

static void node_act(struct world *world)
{
    switch (below(world, 8)) {
    case 0:
        world->worker.is_woken =
            world->worker.is_woken || below(world, 4) == 0; /* for something else */
        break;
    case 1:
    case 2:
        played_worker_run_tasks(&world->worker);
        break;
    case 3:
        played_worker_end_turn(&world->worker);
        break;
    case 4:
        if (world->io != NULL) {
            let_go(world);
        }
        break;
    case 5:
        if (!is_gone(world) && !world->is_closing) {
            misfortune(world);
        }
        break;
    default:
        if (!is_gone(world)) {
            use_stream(world);
        }
        break;
    }
}

static void node_rest(struct world *world)
{
    look_after_taker(world);
    played_worker_run_tasks(&world->worker);
    if (!is_gone(world) && world->has_stream) {
        respond(world);
        receive_data(world);
    }
    if (!is_gone(world) && world->has_stream) {
        receive_end(world);
    }
    if (!is_gone(world) && world->has_stream) {
        become_writable(world, SIZE_MAX);
    }
    if (world->io != NULL) {
        let_go(world);
    }
    played_worker_end_turn(&world->worker);
}

/* ---- the application's side ----------------------------------------------------------------- */

/* A wait has an end only if the node's thread can go on. */
static bool may_wait(const struct world *world)
{
    return !is_acting(world, NODE);
}

static ssize_t read_copied(struct world *world, bool waits)
{
    static uint8_t bytes[PIECE_MAX];
    const size_t cap = random_size(world, PIECE_MAX);
    const ssize_t n =
        waits ? fe_handoff_read(world->io, bytes, cap) : fe_handoff_try_read(world->io, bytes, cap);

    if (n > 0) {
        assert_true((size_t)n <= cap);
        assert_true(counting_continues(fe_view_of(bytes, (size_t)n), world->n_read));
    }
    return n;
}

static ssize_t read_block(struct world *world, bool waits)
{
    struct fe_block *block;
    const void *data;
    const ssize_t n = fe_handoff_take(world->io, waits, &block, &data);

    assert_int_equal(n > 0, block != NULL);
    if (n > 0) {
        assert_true(counting_continues(fe_view_of(data, (size_t)n), world->n_read));
        fe_block_release(block);
    }
    return n;
}

static ssize_t read_some(struct world *world, bool waits)
{
    const ssize_t n = below(world, 2) == 0 ? read_copied(world, waits) : read_block(world, waits);

    if (n > 0) {
        world->n_read += (size_t)n;
    } else if (n == 0) {
        assert_true(world->has_end);
        assert_int_equal(world->n_read, world->n_in);
        world->has_read_end = true;
    } else if (n != FLATEND_EAGAIN) {
        assert_true(world->is_rough);
        world->has_read_end = true;
    }
    return n;
}

static void release(void *arg)
{
    playing->n_lent--;
    assert_int_equal(playing->interleave.n_held, 0);
    free(arg);
}

/* What is lent is a copy, which is freed once: not at all would be a leak. */
static int lend(struct world *world, bool waits, struct fe_view bytes)
{
    uint8_t *const copy = malloc(bytes.len);
    const struct fe_loan loan = {copy, bytes.len, release, copy};
    int code;

    if (copy == NULL) {
        return FLATEND_ENOMEM;
    }
    memcpy(copy, bytes.ptr, bytes.len);
    world->n_lent++;
    code = fe_handoff_lend(world->io, waits, &loan);
    if (code != 0) {
        release(copy);
    }
    return code;
}

/* How much may be written: in a conversation as much as was read. */
static size_t n_to_write(const struct world *world)
{
    const size_t n = world->is_talk && !world->has_read_end ? world->n_read : world->n_out;

    return at_most(n - world->n_written, PIECE_MAX);
}

static int write_some(struct world *world, bool waits)
{
    static uint8_t bytes[2][PIECE_MAX]; /* a handler that waits may be within, too */
    uint8_t *const piece = bytes[waits ? 1 : 0];
    const size_t n = random_size(world, n_to_write(world));
    int code;

    counting_fill(piece, n, world->n_written);
    if (n > 0 && below(world, 2) == 0) {
        code = lend(world, waits, fe_view_of(piece, n));
    } else if (waits) {
        code = fe_handoff_write(world->io, piece, n);
    } else {
        code = fe_handoff_try_write(world->io, piece, n);
    }
    world->n_written += code == 0 ? n : 0;
    if (code != 0 && code != FLATEND_EAGAIN) {
        assert_true(world->is_rough);
        world->has_written_all = true;
    } else if (world->n_written == world->n_out) {
        world->has_written_all = true;
    }
    return code;
}

static void keep(struct world *world)
{
    world->is_keeping = true; /* others may have it before this returns */
    fe_handoff_keep(world->io, FE_HANDOFF_SEND_HEAD, world->queue, world);
}

static void return_from_handler(struct world *world)
{
    world->is_handling = false;
    leave(world, world->is_kept ? FE_HANDOFF_KEEP : FE_HANDOFF_SEND_HEAD | FE_HANDOFF_FINISH,
          false);
}

/* The handler has the request alone: it waits. */
static void handle(struct world *world)
{
    if (!may_wait(world)) {
        return;
    }
    if (!world->has_read_end && (world->is_talk ? n_to_write(world) == 0 : below(world, 2) == 0)) {
        (void)read_some(world, true);
    } else if (!world->has_written_all) {
        (void)write_some(world, true);
    } else if (world->has_read_end || !world->is_patient) {
        return_from_handler(world);
    }
}

static void handler_act(struct world *world)
{
    if (!world->is_handling) {
        return;
    }
    if (!world->is_kept) {
        if (below(world, 8) == 0) {
            keep(world);
        } else {
            handle(world);
        }
    } else if (world->is_ending || below(world, 4) == 0) {
        return_from_handler(world);
    }
}

static bool has_kept(const struct world *world)
{
    return world->io != NULL && world->is_kept && !world->is_leaving;
}

/* One that was told to wait may look again all the same. */
static bool looks_again(struct world *world, const struct promise *promise)
{
    return !promise->is_owed || (!world->is_ending && (world->is_restless || below(world, 4) == 0));
}

static void reader_act(struct world *world)
{
    if (!has_kept(world) || world->has_read_end || !looks_again(world, &world->readable)) {
        return;
    }
    if (world->kind != WAITED) {
        promise_begin_call(&world->readable);
        promise_end_call(&world->readable, read_some(world, false) == FLATEND_EAGAIN);
    } else if (may_wait(world) && !is_acting(world, WRITER)) {
        (void)read_some(world, true); /* what comes may be the answer to what is written */
    }
}

/* At the end every thread has had its turn: what happened before was told. */
static void check_told(const struct world *world)
{
    if (world->kind == WAITED) {
        return;
    }
    if (world->is_ending && (world->io->code != 0 || (is_call(world) && world->has_end))) {
        assert_true(world->io->code == 0 || world->n_told[FLATEND_EVENT_END] == 0);
        assert_int_equal(n_ends(world), 1);
    }
    assert_true(!is_call(world) || n_ends(world) == 0 ||
                world->n_told[FLATEND_EVENT_RESPONSE] == 1 || world->io->code != 0);
}

static void finish(struct world *world)
{
    const bool fails = !is_call(world) && world->is_unlucky && below(world, 8) == 0;
    int code = 0;

    check_told(world);
    world->is_rough = world->is_rough || fails;
    world->is_leaving = true;
    if (is_call(world) || fails) {
        leave(world, fails ? FE_HANDOFF_RESET : 0, true);
    } else if (!fe_handoff_end(world->io, FE_HANDOFF_SEND_HEAD | FE_HANDOFF_FINISH, &code)) {
        free_io(world);
    }
    assert_true(code == 0 || world->is_rough);
}

/* The call's body is whole; it is closed once its response was read, or earlier. */
static bool must_stay(struct world *world)
{
    if (is_call(world) && !world->has_finished && (world->is_patient || below(world, 2) == 0)) {
        fe_handoff_command(world->io, FE_HANDOFF_FINISH);
    }
    return is_acting(world, READER) || (world->is_patient && !world->has_read_end);
}

static void write_more(struct world *world)
{
    if (!looks_again(world, &world->writable) || (n_to_write(world) == 0 && world->n_out > 0)) {
        return;
    }
    if (world->kind != WAITED) {
        promise_begin_call(&world->writable);
        promise_end_call(&world->writable, write_some(world, false) == FLATEND_EAGAIN);
    } else if (may_wait(world)) {
        (void)write_some(world, true);
    }
}

static void writer_act(struct world *world)
{
    if (!has_kept(world)) {
        return;
    }
    if (!world->has_written_all) {
        write_more(world);
    } else if (!world->is_lost && !must_stay(world)) {
        finish(world);
    } else if (!is_call(world) && world->n_extra < 2 && !world->is_ending && below(world, 4) == 0) {
        fe_handoff_hold(world->io);
        world->n_extra++;
    }
}

/* ---- threads -------------------------------------------------------------------------------- */

static void act(struct interleave *interleave, unsigned thread)
{
    struct world *const world = FE_CONTAINER_OF(interleave, struct world, interleave);

    switch (thread) {
    case NODE:
        if (world->is_ending) {
            node_rest(world);
        } else {
            node_act(world);
        }
        break;
    case HANDLER:
        handler_act(world);
        break;
    case READER:
        reader_act(world);
        break;
    case WRITER:
        writer_act(world);
        break;
    default:
        take_events(world);
        break;
    }
}

/* Who takes events needs the queue's lock only. */
static bool may_act(struct interleave *interleave, unsigned thread)
{
    const struct world *const world = FE_CONTAINER_OF(interleave, struct world, interleave);

    return thread == TAKER && interleave->n_held == 1 &&
           interleave_is_held(interleave, world->lock);
}

/* ---- the test ------------------------------------------------------------------------------- */

static void check_held(const struct world *world)
{
    const struct fe_handoff *const io = world->io;
    const size_t n_others = world->is_tight ? FE_HANDOFF_ALL_MAX : 0;
    size_t n = 0;

    if (io != NULL) {
        assert_true(io->in.len <= FE_HANDOFF_IN_READ_MAX);
        assert_true(!world->is_tight || io->env == NULL || io->in.len <= FE_HANDOFF_SMALL);
        assert_true(io->n_unsent <= FE_HANDOFF_OUT_MAX + PIECE_MAX);
        n = io->env == NULL
                ? 0
                : io->in.len + fe_handoff_owned(&io->out) + fe_handoff_owned(&io->sending);
    }
    assert_int_equal(atomic_load(&world->env.n_waiting), n_others + n);
}

static void init_io(struct world *world)
{
    struct fe_handoff *const io = calloc(1, sizeof(*io));

    assert_non_null(io);
    assert_int_equal(fe_handoff_init(io, &world->env, on_task), 0);
    world->io = io;
    world->lock = &io->lock.native;
    world->has_stream = true;
    io->on_reset_event = is_call(world) ? FLATEND_EVENT_FAILED : FLATEND_EVENT_CANCELED;
    world->is_handling = world->kind == HANDLED;
    world->is_kept = is_call(world);
    if (world->kind == CALLED) {
        fe_event_source_attach(&io->events, world->queue, world);
    }
}

static void begin(struct world *world)
{
    world->interleave.thread = NODE;
    if (world->kind == KEPT) {
        fe_handoff_keep(world->io, 0, world->queue, world);
        world->is_kept = true;
        pump(world, fe_handoff_leave_here(world->io, FE_HANDOFF_KEEP));
    } else if (world->kind == QUEUED) {
        world->io->commands = FE_HANDOFF_KEEP;
        assert_true(fe_event_source_begin(&world->io->events, world->queue, world,
                                          played_worker_of(&world->worker), FLATEND_EVENT_REQUEST));
    } else if (is_call(world)) {
        world->io->commands = FE_HANDOFF_SEND_HEAD;
        world->io->is_posted = true;
        fe_list_push_back(&world->worker.tasks, &world->io->task.link);
        world->worker.is_woken = true;
    }
}

static void init(struct world *world, uint64_t seed)
{
    static const unsigned scales[] = {4, 4, 13, 13, 15, 19};

    memset(world, 0, sizeof(*world));
    world->seed = seed;
    world->rng = fe_rng_from_seed(&world->seeded, seed);
    world->interleave = (struct interleave){.rng = &world->rng,
                                            .n_threads = N_THREADS,
                                            .n_stopped_max = 1 + below(world, 3),
                                            .act = act,
                                            .may_act = may_act,
                                            .on_left = on_left};
    played_worker_init(&world->worker, &world->interleave, NODE);
    world->kind = (enum kind)below(world, N_KINDS);
    world->is_restless = below(world, 4) == 0;
    world->scale = world->is_restless ? RESTLESS_SCALE : scales[below(world, 6)];
    world->is_unlucky = below(world, 2) == 0;
    world->is_tight = world->is_restless || below(world, 4) == 0;
    world->is_patient = below(world, 3) != 0;
    world->is_eager = below(world, 3) == 0;
    world->is_lost = world->is_unlucky && world->kind != WAITED && below(world, 4) == 0;
    world->n_in = below(world, 4) == 0 ? 0 : below(world, 1U << (world->scale + 1));
    world->n_out = below(world, 1U << (world->scale + 1));
    world->is_talk = below(world, 4) == 0;
    if (world->is_talk) {
        world->n_out = world->n_in;
    }
    world->has_callback = below(world, 2) == 0;
    if (world->has_callback) {
        assert_int_equal(flatend_queue_new_callback(on_event, world, &world->queue), 0);
    } else {
        assert_int_equal(flatend_queue_new(&world->queue), 0);
        world->fd = flatend_queue_fd(world->queue);
        assert_true(world->fd >= 0);
    }
    assert_int_equal(fe_handoff_env_init(&world->env, played_worker_of(&world->worker)), 0);
    atomic_fetch_add(&world->env.n_waiting, world->is_tight ? FE_HANDOFF_ALL_MAX : 0);
    init_io(world);
}

/* What was kept and is never finished goes with its node: the last that is done with it. */
static void free_if_lost(struct world *world)
{
    if (world->is_lost && world->io != NULL && !world->is_handling && world->n_extra == 0) {
        world->is_rough = true;
        if (!world->is_closing) {
            close_node(world);
        } else if (world->is_abandoned && !world->io->is_posted) {
            free_io(world);
        } else if (is_call(world) && world->is_detached) {
            finish(world); /* a call's owner closes it, also after its node */
        }
    }
}

static void do_the_rest(struct world *world)
{
    world->is_ending = true;
    world->interleave.n_stopped_max = 0;
    for (int i = 0; i < N_RESTS && world->io != NULL; i++) {
        for (unsigned thread = 0; thread < N_THREADS; thread++) {
            interleave_act(&world->interleave, thread);
        }
        if (i > N_RESTS / 4) {
            world->interleave.thread = NODE;
            free_if_lost(world);
        }
        check_held(world);
    }
    assert_null(world->io);
}

static void run(uint64_t seed)
{
    static struct world world;

    init(&world, seed);
    playing = &world;
    begin(&world);
    interleave_begin(&world.interleave);
    for (uint32_t n = below(&world, N_ACTS); n > 0 && world.io != NULL; n--) {
        interleave_act(&world.interleave, below(&world, N_THREADS));
        check_held(&world);
    }
    (void)fe_fault_disarm();
    do_the_rest(&world);
    interleave_act(&world.interleave, TAKER);
    interleave_end(&world.interleave);
    world.interleave.thread = NODE;
    played_worker_run_tasks(&world.worker);
    played_worker_end_turn(&world.worker);
    assert_true(fe_list_is_empty(&world.worker.tasks));
    if (world.has_callback) {
        size_t n_told = 0;

        for (int type = 0; type < N_TYPES; type++) {
            n_told += world.n_told[type];
        }
        assert_int_equal(world.n_calls, n_told);
    }
    if (!world.is_rough && !(is_call(&world) && (world.is_eager || !world.is_patient))) {
        assert_int_equal(world.n_sent, world.n_out);
        assert_true(world.has_finished);
        assert_true(!world.is_patient || world.has_read_end);
    }
    assert_int_equal(world.n_lent, 0);
    atomic_fetch_sub(&world.env.n_waiting, world.is_tight ? FE_HANDOFF_ALL_MAX : 0);
    fe_handoff_env_deinit(&world.env);
    flatend_queue_free(world.queue);
    playing = NULL;
}

static void whatever_happens(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < N_SEEDS; seed++) {
        run(seed);
    }
}

static int say_which(void **state)
{
    (void)state;
    if (playing != NULL) {
        print_error("seed %llu\n", (unsigned long long)playing->seed);
    }
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(whatever_happens, say_which),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
