/* What a worker does besides connections: task, timers, names. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ground/os/thread.h"
#include "ground/uv/resolve.h"
#include "ground/uv/task_queue.h"

/* ---- task and timers ---- */

struct letter {
    struct fe_task task;
    struct fe_worker *worker;
    size_t *n_received;
    size_t number;
    size_t last;
};

enum { N_LETTERS = 10000 };

static void on_letter(struct fe_task *task)
{
    struct letter *letter = FE_CONTAINER_OF(task, struct letter, task);

    assert_int_equal(*letter->n_received, letter->number);
    if (++*letter->n_received == letter->last) {
        fe_worker_stop(letter->worker);
    }
}

static void *post_all(void *arg)
{
    struct letter *letters = arg;

    for (size_t i = 0; i < N_LETTERS; i++) {
        fe_task_post(letters[i].worker, &letters[i].task);
    }
    return NULL;
}

static void test_tasks_run_in_order(void **state)
{
    struct letter *letters = calloc(N_LETTERS, sizeof(*letters));
    struct fe_worker *worker;
    size_t n_received = 0;
    pthread_t thread;

    (void)state;
    assert_non_null(letters);
    assert_int_equal(fe_worker_new(&worker, NULL), 0);
    for (size_t i = 0; i < N_LETTERS; i++) {
        letters[i] = (struct letter){
            .worker = worker, .n_received = &n_received, .number = i, .last = N_LETTERS};
        fe_task_init(&letters[i].task, on_letter);
    }
    assert_int_equal(pthread_create(&thread, NULL, post_all, letters), 0);
    fe_worker_run(worker);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(n_received, N_LETTERS);
    fe_worker_free(worker, NULL, NULL);
    free(letters);
}

struct clock {
    struct fe_timer timer;
    struct fe_worker *worker;
    uint64_t due_ms;
    int n_ticks;
};

static void on_tick(struct fe_timer *timer)
{
    struct clock *clock = FE_CONTAINER_OF(timer, struct clock, timer);
    uint64_t now = fe_worker_now(clock->worker);

    assert_true(now >= clock->due_ms);
    if (++clock->n_ticks == 3) {
        fe_worker_stop(clock->worker);
        return;
    }
    clock->due_ms = now + 2;
    assert_int_equal(fe_timer_start(fe_worker_timers(clock->worker), timer, clock->due_ms), 0);
}

static void test_timers_run(void **state)
{
    struct clock clock = {0};

    (void)state;
    assert_int_equal(fe_worker_new(&clock.worker, NULL), 0);
    fe_timer_init(&clock.timer, on_tick);
    clock.due_ms = fe_worker_now(clock.worker) + 1;
    assert_int_equal(fe_timer_start(fe_worker_timers(clock.worker), &clock.timer, clock.due_ms), 0);
    fe_worker_run(clock.worker);
    assert_int_equal(clock.n_ticks, 3);
    fe_worker_free(clock.worker, NULL, NULL);
}

/* ---- more than one turn may take ---- */

struct chunks {
    struct fe_deferred deferred;
    struct fe_task task; /* runs in each turn, before what is deferred */
    struct fe_worker *worker;
    int n_turns;
    int n_done;
    int n_stop; /* the loop is stopped when so many are done */
};

enum { N_CHUNKS = 5 };

static void on_turn(struct fe_task *task)
{
    FE_CONTAINER_OF(task, struct chunks, task)->n_turns++;
}

static void on_chunk(struct fe_deferred *deferred)
{
    struct chunks *chunks = FE_CONTAINER_OF(deferred, struct chunks, deferred);

    if (++chunks->n_done == chunks->n_stop) {
        fe_worker_stop(chunks->worker);
    }
    if (chunks->n_done < N_CHUNKS) {
        fe_worker_defer_next(chunks->worker, deferred);
    }
}

/* One a turn, and the loop waits for nothing between them. */
static void test_the_rest_is_done_in_the_next_turn(void **state)
{
    struct chunks chunks = {.n_stop = N_CHUNKS};

    (void)state;
    assert_int_equal(fe_worker_new(&chunks.worker, NULL), 0);
    fe_deferred_init(&chunks.deferred, on_chunk);
    fe_worker_defer(chunks.worker, &chunks.deferred);
    fe_worker_run(chunks.worker);
    assert_int_equal(chunks.n_done, N_CHUNKS);
    fe_worker_free(chunks.worker, NULL, NULL);
}

static void on_chunk_and_task(struct fe_deferred *deferred)
{
    struct chunks *chunks = FE_CONTAINER_OF(deferred, struct chunks, deferred);

    assert_int_equal(chunks->n_turns, chunks->n_done);
    fe_task_post(chunks->worker, &chunks->task);
    on_chunk(deferred);
}

static void test_what_comes_between_is_not_kept_waiting(void **state)
{
    struct chunks chunks = {.n_stop = N_CHUNKS};

    (void)state;
    assert_int_equal(fe_worker_new(&chunks.worker, NULL), 0);
    fe_task_init(&chunks.task, on_turn);
    fe_deferred_init(&chunks.deferred, on_chunk_and_task);
    fe_worker_defer(chunks.worker, &chunks.deferred);
    fe_worker_run(chunks.worker);
    assert_int_equal(chunks.n_done, N_CHUNKS);
    assert_true(chunks.n_turns >= N_CHUNKS - 1);
    fe_worker_free(chunks.worker, NULL, NULL);
}

/* By the thread that has run it. */
static void test_a_worker_that_ends_leaves_nothing_undone(void **state)
{
    struct chunks chunks = {.n_stop = 2};

    (void)state;
    assert_int_equal(fe_worker_new(&chunks.worker, NULL), 0);
    fe_deferred_init(&chunks.deferred, on_chunk);
    fe_worker_defer(chunks.worker, &chunks.deferred);
    fe_worker_run(chunks.worker);
    assert_int_equal(chunks.n_done, N_CHUNKS);
    fe_worker_free(chunks.worker, NULL, NULL);
}

/* ---- names ---- */

struct answer {
    struct fe_worker *worker;
    struct fe_resolution *resolution;
    struct flatend_error err;
    struct fe_addr addrs[FE_RESOLVE_MAX];
    size_t n;
};

static void on_resolved(void *arg, const struct fe_addr *addrs, size_t n,
                        const struct flatend_error *err)
{
    struct answer *answer = arg;

    answer->err = *err;
    memcpy(answer->addrs, addrs, n * sizeof(*addrs));
    answer->n = n;
    fe_worker_stop(answer->worker);
}

static void start_look_up(struct answer *answer, const char *host)
{
    *answer = (struct answer){.err.code = 1};
    assert_int_equal(fe_worker_new(&answer->worker, NULL), 0);
    assert_int_equal(
        fe_resolve(answer->worker, host, on_resolved, answer, &answer->resolution, NULL), 0);
    assert_int_equal(answer->err.code, 1);
}

/* Both families of this machine, whatever its files or servers say. */
static void test_resolve(void **state)
{
    struct answer answer;
    struct flatend_error err;
    struct fe_addr now;

    (void)state;
    start_look_up(&answer, "LocalHost");
    fe_worker_run(answer.worker);
    assert_int_equal(answer.err.code, 0);
    assert_int_equal(answer.n, 2);
    assert_int_equal(answer.addrs[0].family, FE_IPV4);
    assert_int_equal(answer.addrs[1].family, FE_IPV6);
    for (size_t i = 0; i < 2; i++) {
        assert_true(fe_addr_is_loopback(&answer.addrs[i]) && answer.addrs[i].port == 0);
    }
    assert_int_equal(fe_resolve_now("localhost:9", &now, &err), 0);
    assert_true(fe_addr_is_loopback(&now) && now.port == 9);
    assert_int_equal(fe_resolve_now("localhost", &now, &err), FLATEND_EADDR);
    fe_worker_free(answer.worker, NULL, NULL);
}

/* No name has an empty label: no server needs to be asked for this one. */
static void test_resolve_failure_names_the_name(void **state)
{
    struct answer answer;
    struct flatend_error err;
    struct fe_addr now;

    (void)state;
    start_look_up(&answer, "a..b");
    fe_worker_run(answer.worker);
    assert_int_equal(answer.n, 0);
    assert_int_equal(answer.err.code, FLATEND_ENOENT);
    assert_string_equal(answer.err.text, "look up 'a..b': no such host");
    assert_int_equal(fe_resolve_now("a..b:9", &now, &err), FLATEND_EADDR);
    assert_non_null(strstr(err.text, "look up 'a..b:9': "));
    fe_worker_free(answer.worker, NULL, NULL);
}

/* A worker does not wait for a look-up that was canceled, whether it was complete or not. */
static void test_resolve_is_canceled(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        struct answer answer;

        start_look_up(&answer, i % 2 == 0 ? "localhost" : "a..b");
        for (int turn = 0; turn < i; turn++) {
            fe_thread_yield();
        }
        fe_resolve_cancel(answer.resolution);
        fe_worker_free(answer.worker, NULL, NULL);
        assert_int_equal(answer.err.code, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tasks_run_in_order),
        cmocka_unit_test(test_timers_run),
        cmocka_unit_test(test_the_rest_is_done_in_the_next_turn),
        cmocka_unit_test(test_what_comes_between_is_not_kept_waiting),
        cmocka_unit_test(test_a_worker_that_ends_leaves_nothing_undone),
        cmocka_unit_test(test_resolve),
        cmocka_unit_test(test_resolve_failure_names_the_name),
        cmocka_unit_test(test_resolve_is_canceled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
