/* Event queues: what is told, in which order, and who is woken for it. */
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ground/uv/task_queue.h"
#include "mesh/async/queue.h"

enum { N_SOURCES = 4, N_EVENTS = 32 };

struct rig {
    struct fe_worker *worker;
    struct flatend_queue *queue;
    struct fe_event_source sources[N_SOURCES];
    struct fe_task task;
    void (*in_turn)(struct rig *rig);
    atomic_bool is_over; /* for threads that take */
};

static int setup(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));

    assert_non_null(rig);
    assert_int_equal(fe_worker_new(&rig->worker, NULL), 0);
    assert_int_equal(flatend_queue_new(&rig->queue), 0);
    for (int i = 0; i < N_SOURCES; i++) {
        fe_event_source_init(&rig->sources[i]);
        fe_event_source_attach(&rig->sources[i], rig->queue, &rig->sources[i]);
    }
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;

    for (int i = 0; i < N_SOURCES; i++) {
        fe_event_source_detach(&rig->sources[i]);
    }
    flatend_queue_free(rig->queue);
    fe_worker_free(rig->worker, NULL, NULL);
    free(rig);
    return 0;
}

static void stop(struct fe_task *task)
{
    struct rig *rig = FE_CONTAINER_OF(task, struct rig, task);

    fe_worker_stop(rig->worker);
}

static void on_task(struct fe_task *task)
{
    struct rig *rig = FE_CONTAINER_OF(task, struct rig, task);

    rig->in_turn(rig);
    /* In the next turn, so that this one has an end. */
    fe_task_init(&rig->task, stop);
    fe_task_post(rig->worker, &rig->task);
}

/* Runs `in_turn` in a turn of the worker's loop, on this thread. */
static void run(struct rig *rig, void (*in_turn)(struct rig *rig))
{
    rig->in_turn = in_turn;
    fe_task_init(&rig->task, on_task);
    fe_task_post(rig->worker, &rig->task);
    fe_worker_run(rig->worker);
    fe_queue_check(rig->queue);
}

/* The same once the queue is freed. */
static void run_without_queue(struct rig *rig, void (*in_turn)(struct rig *rig))
{
    rig->in_turn = in_turn;
    fe_task_init(&rig->task, on_task);
    fe_task_post(rig->worker, &rig->task);
    fe_worker_run(rig->worker);
}

static void post(struct rig *rig, int source, enum flatend_event_type type, int code)
{
    fe_event_post(&rig->sources[source], rig->worker, type, code);
}

static size_t take(struct rig *rig, struct flatend_event *events, size_t cap)
{
    ssize_t n = flatend_queue_take(rig->queue, events, cap, 0);

    fe_queue_check(rig->queue);
    assert_true(n >= 0);
    return (size_t)n;
}

static void expect(const struct rig *rig, const struct flatend_event *event, int source, int type)
{
    assert_ptr_equal(event->arg, &rig->sources[source]);
    assert_int_equal(event->type, type);
}

static bool is_readable(struct rig *rig)
{
    struct pollfd fd = {.fd = flatend_queue_fd(rig->queue), .events = POLLIN};

    assert_true(fd.fd >= 0);
    return poll(&fd, 1, 0) == 1;
}

/* ---- what is told --------------------------------------------------------------------------- */

static void post_several(struct rig *rig)
{
    post(rig, 1, FLATEND_EVENT_END, 0);
    post(rig, 0, FLATEND_EVENT_FAILED, FLATEND_ERESET);
    post(rig, 1, FLATEND_EVENT_READABLE, 0);
    post(rig, 1, FLATEND_EVENT_READABLE, 0);
}

static void it_tells_source_by_source_and_each_event_once(void **state)
{
    struct rig *rig = *state;
    struct flatend_event events[N_EVENTS];

    run(rig, post_several);
    assert_int_equal(take(rig, events, N_EVENTS), 3);
    expect(rig, &events[0], 1, FLATEND_EVENT_READABLE);
    assert_int_equal(events[0].code, 0);
    expect(rig, &events[1], 1, FLATEND_EVENT_END);
    expect(rig, &events[2], 0, FLATEND_EVENT_FAILED);
    assert_int_equal(events[2].code, FLATEND_ERESET);
    assert_int_equal(take(rig, events, N_EVENTS), 0);
}

static void it_keeps_what_there_is_no_room_for(void **state)
{
    struct rig *rig = *state;
    struct flatend_event event;

    run(rig, post_several);
    assert_int_equal(take(rig, &event, 1), 1);
    expect(rig, &event, 1, FLATEND_EVENT_READABLE);
    assert_int_equal(take(rig, &event, 1), 1);
    expect(rig, &event, 1, FLATEND_EVENT_END);
    assert_int_equal(take(rig, &event, 1), 1);
    expect(rig, &event, 0, FLATEND_EVENT_FAILED);
    assert_int_equal(take(rig, &event, 1), 0);
}

static void it_forgets_what_is_detached(void **state)
{
    struct rig *rig = *state;
    struct flatend_event events[N_EVENTS];

    run(rig, post_several);
    fe_event_source_detach(&rig->sources[1]);
    assert_int_equal(take(rig, events, N_EVENTS), 1);
    expect(rig, &events[0], 0, FLATEND_EVENT_FAILED);
}

static void it_refuses_to_take_nothing(void **state)
{
    struct rig *rig = *state;
    struct flatend_event event;

    assert_int_equal(flatend_queue_take(rig->queue, &event, 0, 0), FLATEND_EINVAL);
    assert_int_equal(flatend_queue_take(rig->queue, NULL, 1, 0), FLATEND_EINVAL);
}

/* ---- the descriptor ------------------------------------------------------------------------- */

static void the_descriptor_is_readable_while_something_waits(void **state)
{
    struct rig *rig = *state;
    struct flatend_event events[N_EVENTS];

    assert_false(is_readable(rig));
    run(rig, post_several);
    assert_true(is_readable(rig));
    assert_int_equal(take(rig, events, 1), 1);
    assert_true(is_readable(rig));
    assert_int_equal(take(rig, events, N_EVENTS), 2);
    assert_false(is_readable(rig));
    run(rig, post_several);
    assert_true(is_readable(rig));
}

static void what_is_detached_makes_no_descriptor_readable(void **state)
{
    struct rig *rig = *state;

    assert_false(is_readable(rig));
    run(rig, post_several);
    assert_true(is_readable(rig));
    fe_event_source_detach(&rig->sources[0]);
    assert_true(is_readable(rig));
    fe_event_source_detach(&rig->sources[1]);
    assert_false(is_readable(rig));
    fe_queue_check(rig->queue);
}

static void a_descriptor_that_comes_late_is_readable_at_once(void **state)
{
    struct rig *rig = *state;

    run(rig, post_several);
    assert_true(is_readable(rig));
}

static void waking_makes_the_descriptor_readable_until_it_is_seen(void **state)
{
    struct rig *rig = *state;
    struct flatend_event event;

    assert_false(is_readable(rig));
    flatend_queue_wake(rig->queue);
    assert_true(is_readable(rig));
    assert_int_equal(take(rig, &event, 1), 0);
    assert_false(is_readable(rig));
}

/* ---- threads that wait ---------------------------------------------------------------------- */

struct taker {
    struct rig *rig;
    size_t n_wanted; /* 0: one call, whatever it returns */
    struct flatend_event events[N_EVENTS];
    size_t n;
};

static void *wait_and_take(void *arg)
{
    struct taker *taker = arg;

    do {
        ssize_t n = flatend_queue_take(taker->rig->queue, taker->events + taker->n,
                                       N_EVENTS - taker->n, -1);

        assert_true(n >= 0);
        taker->n += (size_t)n;
    } while (taker->n < taker->n_wanted);
    return NULL;
}

static void a_thread_that_waits_gets_what_is_posted(void **state)
{
    struct rig *rig = *state;
    struct taker taker = {.rig = rig, .n_wanted = 3};
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, wait_and_take, &taker), 0);
    run(rig, post_several);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(taker.n, 3);
}

static void post_and_look(struct rig *rig)
{
    post_several(rig);
    assert_false(is_readable(rig));
}

static void takers_are_woken_at_the_end_of_the_turn(void **state)
{
    struct rig *rig = *state;

    assert_false(is_readable(rig));
    run(rig, post_and_look);
    assert_true(is_readable(rig));
}

static void a_thread_that_waits_can_be_woken(void **state)
{
    struct rig *rig = *state;
    struct taker taker = {.rig = rig};
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, wait_and_take, &taker), 0);
    flatend_queue_wake(rig->queue);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(taker.n, 0);
}

static void waiting_ends_when_time_is_up(void **state)
{
    struct rig *rig = *state;
    struct flatend_event event;

    assert_int_equal(flatend_queue_take(rig->queue, &event, 1, 1), 0);
}

/* ---- sources that come and go --------------------------------------------------------------- */

enum { N_ROUNDS = 3000 };

static void begin_one(struct rig *rig)
{
    struct fe_event_source *source = &rig->sources[0];

    assert_true(
        fe_event_source_begin(source, rig->queue, source, rig->worker, FLATEND_EVENT_REQUEST));
    assert_false(is_readable(rig));
}

static void refuse_to_begin(struct rig *rig)
{
    struct fe_event_source source;

    fe_event_source_init(&source);
    assert_false(fe_event_source_begin(&source, rig->sources[1].queue, NULL, rig->worker,
                                       FLATEND_EVENT_REQUEST));
    assert_null(source.queue);
    fe_event_source_detach(&source);
}

static void a_source_may_begin_with_an_event(void **state)
{
    struct rig *rig = *state;
    struct flatend_event event;

    fe_event_source_detach(&rig->sources[0]);
    assert_false(is_readable(rig));
    run(rig, begin_one);
    assert_true(is_readable(rig));
    assert_int_equal(take(rig, &event, 1), 1);
    expect(rig, &event, 0, FLATEND_EVENT_REQUEST);
    flatend_queue_free(rig->queue);
    run_without_queue(rig, refuse_to_begin);
    assert_int_equal(flatend_queue_new(&rig->queue), 0);
}

static void *take_until_woken(void *arg)
{
    struct rig *rig = arg;
    struct flatend_event event;

    do {
        assert_true(flatend_queue_take(rig->queue, &event, 1, 0) >= 0);
    } while (!atomic_load(&rig->is_over));
    return NULL;
}

static void begin_and_end_many(struct rig *rig)
{
    for (int i = 0; i < N_ROUNDS; i++) {
        struct fe_event_source *source = malloc(sizeof(*source));

        assert_non_null(source);
        fe_event_source_init(source);
        assert_true(
            fe_event_source_begin(source, rig->queue, NULL, rig->worker, FLATEND_EVENT_REQUEST));
        for (int j = 0; j < i % 8; j++) {
            fe_event_post(source, rig->worker, FLATEND_EVENT_READABLE, 0);
        }
        fe_event_source_detach(source);
        free(source);
    }
}

/* Memory may be freed as soon as its source is detached, while another thread takes its last event:
 * for AddressSanitizer and ThreadSanitizer to see. */
static void a_source_may_end_while_it_is_taken(void **state)
{
    struct rig *rig = *state;
    pthread_t threads[2];

    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, take_until_woken, rig), 0);
    }
    run(rig, begin_and_end_many);
    atomic_store(&rig->is_over, true);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
}

/* ---- the end -------------------------------------------------------------------------------- */

static void what_refers_to_a_freed_queue_tells_nobody(void **state)
{
    struct rig *rig = *state;

    run(rig, post_several);
    flatend_queue_free(rig->queue);
    for (int i = 0; i < N_SOURCES - 1; i++) {
        post(rig, i, FLATEND_EVENT_READABLE, 0);
        fe_event_source_detach(&rig->sources[i]);
    }
    assert_false(
        fe_event_post_now(&rig->sources[N_SOURCES - 1], rig->worker, FLATEND_EVENT_CLOSED, 0));
    fe_event_source_detach(&rig->sources[N_SOURCES - 1]); /* and with it the queue */
    assert_int_equal(flatend_queue_new(&rig->queue), 0);
}

static void post_and_free(struct rig *rig)
{
    post_several(rig);
    flatend_queue_free(rig->queue);
    assert_int_equal(flatend_queue_new(&rig->queue), 0);
}

static void a_queue_may_be_freed_before_the_turn_ends(void **state)
{
    run(*state, post_and_free);
}

/* ---- events of peers ------------------------------------------------------------------------ */

static struct fe_event_records records;

static void post_peer(struct rig *rig, uint64_t handle)
{
    fe_event_post_peer(&rig->sources[0], rig->worker,
                       handle % 2 == 0 ? FLATEND_EVENT_PEER_UP : FLATEND_EVENT_PEER_DOWN,
                       &(struct flatend_provider){.handle = handle});
}

static void give_records(struct rig *rig)
{
    records = (struct fe_event_records){.n = 0};
    fe_list_init(&records.list);
    rig->sources[0].records = &records;
}

static void expect_peer(const struct flatend_event *event, uint64_t handle)
{
    assert_int_equal(event->type,
                     handle % 2 == 0 ? FLATEND_EVENT_PEER_UP : FLATEND_EVENT_PEER_DOWN);
    assert_int_equal(event->peer.handle, handle);
}

static void post_peers(struct rig *rig)
{
    post(rig, 0, FLATEND_EVENT_CLOSED, 0);
    for (uint64_t handle = 1; handle <= 3; handle++) {
        post_peer(rig, handle);
    }
    post(rig, 1, FLATEND_EVENT_READABLE, 0);
}

static void events_of_peers_are_each_their_own(void **state)
{
    struct rig *rig = *state;
    struct flatend_event events[N_EVENTS];

    give_records(rig);
    run(rig, post_peers);
    assert_true(is_readable(rig));
    assert_int_equal(take(rig, events, 2), 2);
    assert_int_equal(take(rig, events + 2, N_EVENTS - 2), 3);
    expect_peer(&events[0], 1);
    expect_peer(&events[1], 2);
    expect_peer(&events[2], 3);
    assert_int_equal(events[3].type, FLATEND_EVENT_CLOSED); /* the last one of its source */
    assert_int_equal(events[3].peer.handle, 0);
    expect(rig, &events[4], 1, FLATEND_EVENT_READABLE);
    assert_false(is_readable(rig));
}

static void post_too_many(struct rig *rig)
{
    for (uint64_t handle = 0; handle < FE_EVENT_RECORDS_MAX + 10; handle++) {
        post_peer(rig, handle);
    }
}

static void post_one_more(struct rig *rig)
{
    post_peer(rig, 77);
}

static void what_is_too_much_is_told(void **state)
{
    struct rig *rig = *state;
    struct flatend_event event;

    give_records(rig);
    run(rig, post_too_many);
    assert_int_equal(take(rig, &event, 1), 1);
    run(rig, post_one_more); /* there is room, but not before it is known that some were lost */
    for (uint64_t handle = 1; handle < FE_EVENT_RECORDS_MAX; handle++) {
        assert_int_equal(take(rig, &event, 1), 1);
        expect_peer(&event, handle);
    }
    assert_int_equal(take(rig, &event, 1), 1);
    assert_int_equal(event.type, FLATEND_EVENT_PEERS_LOST);
    assert_int_equal(take(rig, &event, 1), 0);
    run(rig, post_one_more);
    assert_int_equal(take(rig, &event, 1), 1);
    expect_peer(&event, 77);
}

static void events_of_peers_are_freed_with_either_end(void **state)
{
    struct rig *rig = *state;
    struct flatend_event event;

    give_records(rig);
    run(rig, post_peers);
    fe_event_source_detach(&rig->sources[0]);
    fe_event_source_attach(&rig->sources[0], rig->queue, &rig->sources[0]);
    assert_int_equal(take(rig, &event, 1), 1);
    expect(rig, &event, 1, FLATEND_EVENT_READABLE);
    run(rig, post_too_many);
    flatend_queue_free(rig->queue);
    run_without_queue(rig, post_one_more);
    assert_int_equal(records.n, 0);
    assert_int_equal(flatend_queue_new(&rig->queue), 0);
}

int main(void)
{
#define QUEUE_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        QUEUE_TEST(it_tells_source_by_source_and_each_event_once),
        QUEUE_TEST(it_keeps_what_there_is_no_room_for),
        QUEUE_TEST(it_forgets_what_is_detached),
        QUEUE_TEST(it_refuses_to_take_nothing),
        QUEUE_TEST(the_descriptor_is_readable_while_something_waits),
        QUEUE_TEST(what_is_detached_makes_no_descriptor_readable),
        QUEUE_TEST(a_descriptor_that_comes_late_is_readable_at_once),
        QUEUE_TEST(waking_makes_the_descriptor_readable_until_it_is_seen),
        QUEUE_TEST(a_thread_that_waits_gets_what_is_posted),
        QUEUE_TEST(takers_are_woken_at_the_end_of_the_turn),
        QUEUE_TEST(a_thread_that_waits_can_be_woken),
        QUEUE_TEST(waiting_ends_when_time_is_up),
        QUEUE_TEST(a_source_may_begin_with_an_event),
        QUEUE_TEST(a_source_may_end_while_it_is_taken),
        QUEUE_TEST(what_refers_to_a_freed_queue_tells_nobody),
        QUEUE_TEST(a_queue_may_be_freed_before_the_turn_ends),
        QUEUE_TEST(events_of_peers_are_each_their_own),
        QUEUE_TEST(what_is_too_much_is_told),
        QUEUE_TEST(events_of_peers_are_freed_with_either_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
