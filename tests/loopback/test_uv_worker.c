/* What a worker does besides connections: task, timers, names. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

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

/* ---- names ---- */

struct answer {
    struct fe_worker *worker;
    struct flatend_error err;
    struct fe_addr addr;
};

static void on_resolved(void *arg, const struct fe_addr *addrs, size_t n,
                        const struct flatend_error *err)
{
    struct answer *answer = arg;

    answer->err = *err;
    if (n > 0) {
        answer->addr = addrs[0];
    }
    fe_worker_stop(answer->worker);
}

static void test_resolve(void **state)
{
    struct answer answer = {.err.code = 1};
    struct flatend_error err;
    struct fe_addr now;

    (void)state;
    assert_int_equal(fe_worker_new(&answer.worker, NULL), 0);
    assert_int_equal(fe_resolve(answer.worker, ":9", on_resolved, &answer, &err), FLATEND_EADDR);
    assert_int_equal(fe_resolve(answer.worker, "localhost:9", on_resolved, &answer, &err), 0);
    assert_int_equal(answer.err.code, 1);
    fe_worker_run(answer.worker);
    assert_int_equal(answer.err.code, 0);
    assert_int_equal(answer.addr.port, 9);
    assert_true(fe_addr_is_loopback(&answer.addr));
    assert_int_equal(fe_resolve_now("localhost:9", &now, &err), 0);
    assert_true(fe_addr_is_loopback(&now) && now.port == 9);
    assert_int_equal(fe_resolve_now("localhost", &now, &err), FLATEND_EADDR);
    fe_worker_free(answer.worker, NULL, NULL);
}

/* No name has an empty label: no server needs to be asked for this one. */
static void test_resolve_failure_names_the_name(void **state)
{
    struct answer answer = {0};
    struct flatend_error err;
    struct fe_addr now;

    (void)state;
    assert_int_equal(fe_worker_new(&answer.worker, NULL), 0);
    assert_int_equal(fe_resolve(answer.worker, "a..b:9", on_resolved, &answer, &err), 0);
    fe_worker_run(answer.worker);
    assert_int_not_equal(answer.err.code, 0);
    assert_string_equal(answer.err.text, "look up 'a..b:9': no such host");
    assert_int_equal(fe_resolve_now("a..b:9", &now, &err), FLATEND_EADDR);
    assert_non_null(strstr(err.text, "look up 'a..b:9': "));
    fe_worker_free(answer.worker, NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tasks_run_in_order),
        cmocka_unit_test(test_timers_run),
        cmocka_unit_test(test_resolve),
        cmocka_unit_test(test_resolve_failure_names_the_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
