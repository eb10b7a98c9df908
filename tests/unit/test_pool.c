/* The threads that handlers run on: how many there are, and that every job is run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ground/uv/task_queue.h"
#include "mesh/async/pool.h"
#include "support/latch.h"

enum { N_JOBS = 40, MANY = 5000 };

struct rig;

struct job {
    struct fe_job job;
    struct rig *rig;
};

struct rig {
    struct fe_worker *worker;
    struct fe_handler_pool pool;
    struct job jobs[MANY];
    size_t n_pushed;
    size_t n_jobs;
    struct latch entered;
    atomic_size_t n_run;
    bool waits; /* a job ends when so many have begun */
    int n_wanted;
    struct latch pushed; /* and no job ends before all are pushed */
    int last_code;
    struct fe_task task;
    struct fe_timer look;
};

static void run(struct fe_job *job)
{
    struct rig *rig = FE_CONTAINER_OF(job, struct job, job)->rig;

    latch_wait(&rig->pushed, 1);
    if (rig->waits) {
        latch_count(&rig->entered);
        latch_wait(&rig->entered, rig->n_wanted);
    }
    atomic_fetch_add(&rig->n_run, 1);
}

/* Until all have run: looks every millisecond, as the pool's own timer needs the loop to go on. */
static void look(struct fe_timer *timer)
{
    struct rig *rig = FE_CONTAINER_OF(timer, struct rig, look);

    if (atomic_load(&rig->n_run) == rig->n_pushed) {
        fe_handler_pool_leave(&rig->pool);
        fe_worker_stop(rig->worker);
        return;
    }
    assert_int_equal(
        fe_timer_start(fe_worker_timers(rig->worker), timer, fe_worker_now(rig->worker) + 1), 0);
}

static void push_all(struct fe_task *task)
{
    struct rig *rig = FE_CONTAINER_OF(task, struct rig, task);

    for (size_t i = 0; i < rig->n_jobs; i++) {
        struct job *job = &rig->jobs[i];

        job->rig = rig;
        job->job.run = run;
        fe_list_init(&job->job.link);
        rig->last_code = fe_handler_pool_push(&rig->pool, rig->worker, &job->job);
        rig->n_pushed += rig->last_code == 0;
    }
    latch_count(&rig->pushed);
    look(&rig->look);
}

static struct rig *rig_new(unsigned n_max, size_t n_jobs)
{
    struct rig *rig = calloc(1, sizeof(*rig));

    assert_non_null(rig);
    assert_int_equal(fe_worker_new(&rig->worker, NULL), 0);
    assert_int_equal(fe_handler_pool_init(&rig->pool, n_max), 0);
    latch_init(&rig->entered);
    latch_init(&rig->pushed);
    fe_timer_init(&rig->look, look);
    rig->n_jobs = n_jobs;
    return rig;
}

static void rig_run(struct rig *rig)
{
    fe_task_init(&rig->task, push_all);
    fe_task_post(rig->worker, &rig->task);
    fe_worker_run(rig->worker);
}

static void rig_free(struct rig *rig)
{
    fe_handler_pool_deinit(&rig->pool);
    fe_worker_free(rig->worker, NULL, NULL);
    latch_deinit(&rig->entered);
    latch_deinit(&rig->pushed);
    free(rig);
}

static unsigned n_threads(struct rig *rig)
{
    unsigned n;

    fe_mutex_lock(&rig->pool.lock);
    n = rig->pool.n_threads;
    fe_mutex_unlock(&rig->pool.lock);
    return n;
}

static void every_job_is_run(void **state)
{
    struct rig *rig = rig_new(8, 1000);

    (void)state;
    rig_run(rig);
    assert_int_equal(rig->n_pushed, 1000);
    assert_int_equal(atomic_load(&rig->n_run), 1000);
    assert_in_range(n_threads(rig), 1, 8);
    rig_free(rig);
}

/* Jobs that block each other until all have begun: the threads come. */
static void threads_are_added_while_jobs_wait(void **state)
{
    struct rig *rig = rig_new(N_JOBS, N_JOBS);

    (void)state;
    rig->waits = true;
    rig->n_wanted = N_JOBS;
    rig_run(rig);
    assert_int_equal(atomic_load(&rig->n_run), N_JOBS);
    assert_int_equal(n_threads(rig), N_JOBS);
    /* And woken, now that they are there. */
    rig->n_wanted = 2 * N_JOBS;
    rig_run(rig);
    assert_int_equal(atomic_load(&rig->n_run), 2 * N_JOBS);
    assert_int_equal(n_threads(rig), N_JOBS);
    rig_free(rig);
}

static void one_thread_is_enough_if_there_may_be_no_more(void **state)
{
    struct rig *rig = rig_new(1, 500);

    (void)state;
    rig_run(rig);
    assert_int_equal(atomic_load(&rig->n_run), 500);
    assert_int_equal(n_threads(rig), 1);
    rig_free(rig);
}

static void a_full_queue_refuses(void **state)
{
    struct rig *rig = rig_new(1, MANY);

    (void)state;
    rig_run(rig);
    assert_in_range(rig->n_pushed, FE_POOL_QUEUE_MAX, FE_POOL_QUEUE_MAX + 1); /* one may run */
    assert_int_equal(rig->last_code, FLATEND_ELIMIT);
    rig_free(rig);
}

/* All threads have ended, and the next job has one all the same: its slot is used again. */
static void idle_threads_end_and_come_again(void **state)
{
    struct rig *rig = rig_new(1, 1);

    (void)state;
    rig->pool.idle_ms = 1;
    for (size_t i = 1; i <= 3; i++) {
        rig_run(rig);
        assert_int_equal(atomic_load(&rig->n_run), i);
        while (n_threads(rig) > 0) {
            fe_thread_yield();
        }
    }
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_job_is_run),
        cmocka_unit_test(threads_are_added_while_jobs_wait),
        cmocka_unit_test(one_thread_is_enough_if_there_may_be_no_more),
        cmocka_unit_test(a_full_queue_refuses),
        cmocka_unit_test(idle_threads_end_and_come_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
