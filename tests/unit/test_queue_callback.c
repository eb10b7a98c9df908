/* Queues with a callback: what it gets, when, on which thread, and until when. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ground/uv/task_queue.h"
#include "mesh/async/queue.h"
#include "support/latch.h"

enum {
    N_SOURCES = 3000, /* more than a turn's calls */
    TURN_MAX = 1024,
    N_RECORDED = 2 * N_SOURCES,
    N_THREADS = 8,
    N_POSTS = 2000,
};

struct rig {
    struct fe_worker *worker;
    struct flatend_queue *queue;
    struct fe_event_source sources[N_SOURCES];
    struct fe_task task;
    struct fe_task end_task;
    void (*in_turn)(struct rig *rig);
    void (*in_call)(struct rig *rig, const struct flatend_event *event); /* may be NULL */
    struct flatend_event told[N_RECORDED];
    size_t n_told;
    size_t n_told_before_task;
    size_t n_wanted; /* the loop ends when so much was told */
    bool is_calling;
    pthread_t thread; /* that runs the loop */
    struct latch entered;
    atomic_bool is_called; /* from the beginning of a call to its end */
};

static void record(void *arg, const struct flatend_event *event)
{
    struct rig *rig = arg;

    assert_false(rig->is_calling);
    assert_true(pthread_equal(rig->thread, pthread_self()));
    rig->is_calling = true;
    assert_true(rig->n_told < N_RECORDED);
    rig->told[rig->n_told++] = *event;
    if (rig->in_call != NULL) {
        rig->in_call(rig, event);
    }
    rig->is_calling = false;
    if (rig->n_told == rig->n_wanted) {
        fe_worker_stop(rig->worker);
    }
}

static int setup(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));

    assert_non_null(rig);
    assert_int_equal(fe_worker_new(&rig->worker, NULL), 0);
    assert_int_equal(flatend_queue_new_callback(record, rig, &rig->queue), 0);
    for (int i = 0; i < N_SOURCES; i++) {
        fe_event_source_init(&rig->sources[i]);
        fe_event_source_attach(&rig->sources[i], rig->queue, &rig->sources[i]);
    }
    rig->thread = pthread_self();
    latch_init(&rig->entered);
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
    latch_deinit(&rig->entered);
    free(rig);
    return 0;
}

static void on_end(struct fe_task *task)
{
    fe_worker_stop(FE_CONTAINER_OF(task, struct rig, end_task)->worker);
}

static void on_task(struct fe_task *task)
{
    struct rig *rig = FE_CONTAINER_OF(task, struct rig, task);

    rig->in_turn(rig);
    fe_task_post(rig->worker, &rig->end_task);
}

/* Runs `in_turn` in a turn of the worker's loop, on this thread, which ends with the next one. */
static void run(struct rig *rig, void (*in_turn)(struct rig *rig))
{
    rig->in_turn = in_turn;
    fe_worker_enter(rig->worker);
    fe_task_init(&rig->task, on_task);
    fe_task_init(&rig->end_task, on_end);
    fe_task_post(rig->worker, &rig->task);
    fe_worker_run(rig->worker);
    if (rig->queue != NULL) {
        fe_queue_check(rig->queue);
    }
}

static void post(struct rig *rig, int source, enum flatend_event_type type, int code)
{
    fe_event_post(&rig->sources[source], rig->worker, type, code);
}

/* Any thread. */
static void post_from_here(struct rig *rig, int source, enum flatend_event_type type, int code)
{
    if (fe_event_post_now(&rig->sources[source], rig->worker, type, code)) {
        fe_worker_wake(rig->worker);
    }
}

static void expect(const struct rig *rig, size_t i, int source, int type)
{
    assert_true(i < rig->n_told);
    assert_ptr_equal(rig->told[i].arg, &rig->sources[source]);
    assert_int_equal(rig->told[i].type, type);
}

/* Whether the queue, which the sources refer to, has not been freed. */
static bool is_open(struct rig *rig)
{
    struct fe_event_source probe;

    fe_event_source_init(&probe);
    if (!fe_event_source_begin(&probe, rig->sources[0].queue, NULL, rig->worker,
                               FLATEND_EVENT_REQUEST)) {
        return false;
    }
    fe_event_source_detach(&probe);
    return true;
}

/* ---- what is told --------------------------------------------------------------------------- */

static void post_several(struct rig *rig)
{
    post(rig, 1, FLATEND_EVENT_END, 0);
    post(rig, 0, FLATEND_EVENT_FAILED, FLATEND_ERESET);
    post(rig, 1, FLATEND_EVENT_READABLE, 0);
    post(rig, 1, FLATEND_EVENT_READABLE, 0);
    assert_int_equal(rig->n_told, 0); /* not before the turn ends */
    if (rig->queue != NULL) {
        fe_queue_check(rig->queue);
    }
}

static void it_tells_source_by_source_and_each_event_once(void **state)
{
    struct rig *rig = *state;

    run(rig, post_several);
    assert_int_equal(rig->n_told, 3);
    expect(rig, 0, 1, FLATEND_EVENT_READABLE);
    expect(rig, 1, 1, FLATEND_EVENT_END);
    expect(rig, 2, 0, FLATEND_EVENT_FAILED);
    assert_int_equal(rig->told[2].code, FLATEND_ERESET);
    rig->n_told = 0;
    run(rig, post_several); /* and again */
    assert_int_equal(rig->n_told, 3);
}

static void post_and_withdraw(struct rig *rig)
{
    post_several(rig);
    fe_event_withdraw(&rig->sources[1], FLATEND_EVENT_READABLE);
    fe_event_source_detach(&rig->sources[0]);
}

static void it_does_not_tell_what_is_withdrawn_or_detached(void **state)
{
    struct rig *rig = *state;

    run(rig, post_and_withdraw);
    assert_int_equal(rig->n_told, 1);
    expect(rig, 0, 1, FLATEND_EVENT_END);
}

static void it_is_not_taken_from(void **state)
{
    struct rig *rig = *state;
    struct flatend_event event;

    assert_int_equal(flatend_queue_take(rig->queue, &event, 1, -1), FLATEND_ESTATE);
    assert_int_equal(flatend_queue_fd(rig->queue), FLATEND_ESTATE);
    flatend_queue_wake(rig->queue);
    run(rig, post_several);
    assert_int_equal(rig->n_told, 3);
}

static void it_needs_a_function(void **state)
{
    struct rig *rig = *state;
    struct flatend_queue *queue = rig->queue;

    assert_int_equal(flatend_queue_new_callback(NULL, rig, &queue), FLATEND_EINVAL);
    assert_null(queue);
    assert_int_equal(flatend_queue_new_callback(record, rig, NULL), FLATEND_EINVAL);
}

/* ---- turns ---------------------------------------------------------------------------------- */

static void on_between(struct fe_task *task)
{
    struct rig *rig = FE_CONTAINER_OF(task, struct rig, end_task);

    rig->n_told_before_task = rig->n_told;
}

static void post_many(struct rig *rig)
{
    fe_task_init(&rig->end_task, on_between); /* in the next turn */
    for (int i = 0; i < N_SOURCES; i++) {
        post(rig, i, FLATEND_EVENT_READABLE, 0);
    }
}

/* What else comes to the worker is served between. */
static void a_turn_has_a_bounded_number_of_calls(void **state)
{
    struct rig *rig = *state;

    rig->n_wanted = N_SOURCES;
    run(rig, post_many);
    assert_int_equal(rig->n_told, N_SOURCES);
    assert_int_equal(rig->n_told_before_task, TURN_MAX);
    for (int i = 0; i < N_SOURCES; i++) {
        expect(rig, (size_t)i, i, FLATEND_EVENT_READABLE);
    }
}

static void post_to_others(struct rig *rig, const struct flatend_event *event)
{
    struct fe_event_source *const source = event->arg;

    fe_queue_check(rig->queue); /* the lock is free */
    if (event->type == FLATEND_EVENT_END) {
        post(rig, 2, FLATEND_EVENT_WRITABLE, 0);
        fe_event_source_detach(source);
    }
}

static void the_callback_may_do_what_it_likes(void **state)
{
    struct rig *rig = *state;

    rig->in_call = post_to_others;
    run(rig, post_several);
    assert_int_equal(rig->n_told, 4);
    expect(rig, 3, 2, FLATEND_EVENT_WRITABLE);
}

static void on_last(struct fe_task *task)
{
    struct rig *rig = FE_CONTAINER_OF(task, struct rig, task);

    post(rig, 0, FLATEND_EVENT_DRAINED, 0);
    post_from_here(rig, 0, FLATEND_EVENT_CLOSED, 0);
    assert_int_equal(rig->n_told, 0);
    fe_worker_stop(rig->worker); /* there is no other turn, and this one has no end */
}

static void the_last_event_is_told_before_the_worker_ends(void **state)
{
    struct rig *rig = *state;

    fe_worker_enter(rig->worker);
    fe_task_init(&rig->task, on_last);
    fe_task_post(rig->worker, &rig->task);
    fe_worker_run(rig->worker);
    assert_int_equal(rig->n_told, 2);
    expect(rig, 1, 0, FLATEND_EVENT_CLOSED);
}

/* ---- from other threads --------------------------------------------------------------------- */

struct poster {
    struct rig *rig;
    int last; /* the source of its last event */
};

static void *post_now(void *arg)
{
    const struct poster *poster = arg;
    struct rig *rig = poster->rig;

    for (int i = 0; i < N_POSTS; i++) {
        post_from_here(rig, i, FLATEND_EVENT_CANCELED, FLATEND_ERESET);
    }
    post_from_here(rig, poster->last, FLATEND_EVENT_CLOSED, 0);
    return NULL;
}

static void what_other_threads_post_comes_on_the_workers(void **state)
{
    struct rig *rig = *state;
    struct poster poster = {rig, 0};
    pthread_t thread;

    fe_worker_enter(rig->worker);
    rig->n_wanted = N_POSTS + 1;
    assert_int_equal(pthread_create(&thread, NULL, post_now, &poster), 0);
    fe_worker_run(rig->worker);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(rig->n_told, N_POSTS + 1);
    for (int i = 0; i < N_POSTS + 1; i++) {
        assert_int_equal(rig->told[i].code,
                         rig->told[i].type == FLATEND_EVENT_CANCELED ? FLATEND_ERESET : 0);
    }
    fe_queue_check(rig->queue);
}

static void *run_worker(void *arg)
{
    struct rig *rig = arg;

    rig->thread = pthread_self();
    fe_worker_enter(rig->worker);
    latch_count(&rig->entered);
    fe_worker_run(rig->worker);
    return NULL;
}

static void count_last(struct rig *rig, const struct flatend_event *event)
{
    rig->n_told = 0; /* of so many not all are kept */
    if (event->type == FLATEND_EVENT_CLOSED) {
        latch_count(&rig->entered);
    }
}

/* Nothing that is posted while the callback runs, or is about to return, waits for something else
 * to happen. */
static void many_threads_post(void **state)
{
    struct rig *rig = *state;
    struct poster posters[N_THREADS];
    pthread_t threads[N_THREADS];
    pthread_t running;

    rig->in_call = count_last;
    rig->n_wanted = SIZE_MAX;
    assert_int_equal(pthread_create(&running, NULL, run_worker, rig), 0);
    latch_wait(&rig->entered, 1);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < N_THREADS; i++) {
            posters[i] = (struct poster){rig, i};
            assert_int_equal(pthread_create(&threads[i], NULL, post_now, &posters[i]), 0);
        }
        for (int i = 0; i < N_THREADS; i++) {
            assert_int_equal(pthread_join(threads[i], NULL), 0);
        }
        latch_wait(&rig->entered, 1 + (round + 1) * N_THREADS);
    }
    fe_task_init(&rig->end_task, on_end);
    fe_task_post(rig->worker, &rig->end_task);
    assert_int_equal(pthread_join(running, NULL), 0);
    fe_queue_check(rig->queue);
}

/* ---- the end -------------------------------------------------------------------------------- */

static void free_queue(struct rig *rig, const struct flatend_event *event)
{
    (void)event;
    flatend_queue_free(rig->queue);
    rig->queue = NULL;
}

static void nothing(struct rig *rig)
{
    (void)rig;
}

static void the_callback_may_free_its_queue(void **state)
{
    struct rig *rig = *state;

    rig->in_call = free_queue;
    run(rig, post_several);
    run(rig, nothing);
    assert_int_equal(rig->n_told, 1);
    assert_false(is_open(rig));
}

static void post_and_free(struct rig *rig)
{
    post_several(rig);
    free_queue(rig, NULL);
}

static void a_queue_may_be_freed_before_the_turn_ends(void **state)
{
    struct rig *rig = *state;

    run(rig, post_and_free);
    assert_int_equal(rig->n_told, 0);
}

/* It returns some time after it could have been waited for no longer. */
static void outlive(struct rig *rig, const struct flatend_event *event)
{
    (void)event;
    rig->is_called = true;
    latch_count(&rig->entered);
    while (is_open(rig)) {
        sched_yield();
    }
    for (int i = 0; i < 1000; i++) {
        sched_yield();
    }
    rig->is_called = false;
}

static void another_thread_that_frees_it_waits_for_the_callback(void **state)
{
    struct rig *rig = *state;
    pthread_t running;

    rig->in_call = outlive;
    assert_int_equal(pthread_create(&running, NULL, run_worker, rig), 0);
    latch_wait(&rig->entered, 1);
    post_from_here(rig, 0, FLATEND_EVENT_CLOSED, 0);
    post_from_here(rig, 1, FLATEND_EVENT_CLOSED, 0);
    latch_wait(&rig->entered, 2);
    flatend_queue_free(rig->queue);
    assert_false(rig->is_called);
    rig->queue = NULL;
    fe_task_init(&rig->end_task, on_end);
    fe_task_post(rig->worker, &rig->end_task);
    assert_int_equal(pthread_join(running, NULL), 0);
    assert_int_equal(rig->n_told, 1);
}

/* ---- one node ------------------------------------------------------------------------------- */

static void it_is_for_one_node(void **state)
{
    struct rig *rig = *state;
    struct fe_fork_guard *one;
    struct fe_fork_guard *other;

    assert_int_equal(fe_fork_guard_new(&one, true), 0);
    assert_int_equal(fe_fork_guard_new(&other, true), 0);
    assert_int_equal(fe_queue_bind(rig->queue, one), 0);
    assert_int_equal(fe_queue_bind(rig->queue, one), 0);
    assert_int_equal(fe_queue_bind(rig->queue, other), FLATEND_EINVAL);
    fe_queue_unbind(rig->queue, other);
    assert_int_equal(fe_queue_bind(rig->queue, other), FLATEND_EINVAL);
    fe_queue_unbind(rig->queue, one);
    assert_int_equal(one->n_refs, 1);
    assert_int_equal(fe_queue_bind(rig->queue, other), 0);
    assert_int_equal(fe_queue_bind(rig->queue, one), FLATEND_EINVAL);
    /* Nothing else is there while the queue refers to it. */
    assert_int_equal(other->n_refs, 2);
    fe_fork_guard_unref(one);
    fe_fork_guard_unref(other);
}

static void it_forgets_its_node_with_its_end(void **state)
{
    struct fe_fork_guard *node;
    struct flatend_queue *queue;

    assert_int_equal(flatend_queue_new_callback(record, *state, &queue), 0);
    assert_int_equal(fe_fork_guard_new(&node, true), 0);
    assert_int_equal(fe_queue_bind(queue, node), 0);
    flatend_queue_free(queue);
    assert_int_equal(node->n_refs, 1);
    fe_fork_guard_unref(node);
}

static void others_are_for_any_number_of_them(void **state)
{
    struct fe_fork_guard *one;
    struct fe_fork_guard *other;
    struct flatend_queue *queue;

    (void)state;
    assert_int_equal(flatend_queue_new(&queue), 0);
    assert_int_equal(fe_fork_guard_new(&one, true), 0);
    assert_int_equal(fe_fork_guard_new(&other, true), 0);
    assert_int_equal(fe_queue_bind(queue, one), 0);
    assert_int_equal(fe_queue_bind(queue, other), 0);
    assert_int_equal(fe_queue_bind(NULL, one), 0);
    fe_queue_unbind(queue, one);
    fe_queue_unbind(NULL, one);
    fe_fork_guard_unref(one);
    fe_fork_guard_unref(other);
    flatend_queue_free(queue);
}

int main(void)
{
#define CALLBACK_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        CALLBACK_TEST(it_tells_source_by_source_and_each_event_once),
        CALLBACK_TEST(it_does_not_tell_what_is_withdrawn_or_detached),
        CALLBACK_TEST(it_is_not_taken_from),
        CALLBACK_TEST(it_needs_a_function),
        CALLBACK_TEST(a_turn_has_a_bounded_number_of_calls),
        CALLBACK_TEST(the_callback_may_do_what_it_likes),
        CALLBACK_TEST(the_last_event_is_told_before_the_worker_ends),
        CALLBACK_TEST(what_other_threads_post_comes_on_the_workers),
        CALLBACK_TEST(many_threads_post),
        CALLBACK_TEST(the_callback_may_free_its_queue),
        CALLBACK_TEST(a_queue_may_be_freed_before_the_turn_ends),
        CALLBACK_TEST(another_thread_that_frees_it_waits_for_the_callback),
        CALLBACK_TEST(it_is_for_one_node),
        CALLBACK_TEST(it_forgets_its_node_with_its_end),
        cmocka_unit_test(others_are_for_any_number_of_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
