/* A worker on a thread of its own: what runs on it, and how it ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ground/uv/worker_thread.h"
#include "support/latch.h"

enum { N_ROUNDS = 200 };

struct place {
    struct fe_worker *home;
    struct fe_worker_thread worker_thread;
    pthread_t home_thread;
    pthread_t branch_thread;
    struct fe_task work; /* to the worker thread */
    struct fe_task more;
    size_t n_work;
    size_t n_more;
    size_t n_ended;
};

static void on_ended(void *arg)
{
    struct place *const place = arg;

    assert_true(pthread_equal(pthread_self(), place->home_thread));
    assert_null(place->worker_thread.worker);
    place->n_ended++;
    fe_worker_stop(place->home);
}

/* The worker thread has all it wanted to do. */
static void on_work(struct fe_task *task)
{
    struct place *const place = FE_CONTAINER_OF(task, struct place, work);

    place->branch_thread = pthread_self();
    place->n_work++;
    fe_worker_thread_finish(&place->worker_thread);
}

static void on_more(struct fe_task *task)
{
    struct place *const place = FE_CONTAINER_OF(task, struct place, more);

    assert_true(pthread_equal(pthread_self(), place->branch_thread));
    place->n_more++;
}

static void place_init(struct place *place)
{
    memset(place, 0, sizeof(*place));
    place->home_thread = pthread_self();
    assert_int_equal(fe_worker_new(&place->home, NULL), 0);
    assert_int_equal(fe_worker_thread_init(&place->worker_thread, place->home, on_ended, place), 0);
    fe_task_init(&place->work, on_work);
    fe_task_init(&place->more, on_more);
}

static void place_deinit(struct place *place)
{
    fe_worker_free(place->home, NULL, NULL);
}

/* What on_work has written is read here: the thread has been joined. */
static void test_life(void **state)
{
    static struct place place;

    (void)state;
    place_init(&place);
    assert_int_equal(fe_worker_thread_start(&place.worker_thread), 0);
    fe_task_post(place.worker_thread.worker, &place.work);
    fe_worker_run(place.home);
    assert_int_equal(place.n_work, 1);
    assert_int_equal(place.n_ended, 1);
    assert_false(pthread_equal(place.branch_thread, place.home_thread));
    place_deinit(&place);
}

static void test_task_from_before_the_start(void **state)
{
    static struct place place;

    (void)state;
    place_init(&place);
    fe_task_post(place.worker_thread.worker, &place.work);
    assert_int_equal(fe_worker_thread_start(&place.worker_thread), 0);
    fe_worker_run(place.home);
    assert_int_equal(place.n_work, 1);
    assert_int_equal(place.n_ended, 1);
    place_deinit(&place);
}

static void test_never_started(void **state)
{
    static struct place place;

    (void)state;
    place_init(&place);
    fe_worker_thread_deinit(&place.worker_thread);
    assert_null(place.worker_thread.worker);
    assert_int_equal(place.n_ended, 0);
    place_deinit(&place);
}

/* ---- task after the worker thread has finished ---------------------------------------------- */

struct late {
    struct place place;
    struct fe_task finish; /* to the worker thread */
    struct fe_task then;   /* to home, where it comes before the worker thread's end */
    struct latch has_finished;
};

static void on_finish(struct fe_task *task)
{
    struct late *const late = FE_CONTAINER_OF(task, struct late, finish);

    late->place.branch_thread = pthread_self();
    fe_task_post(late->place.home, &late->then);
    fe_worker_thread_finish(&late->place.worker_thread);
    latch_count(&late->has_finished);
}

static void on_then(struct fe_task *task)
{
    struct late *const late = FE_CONTAINER_OF(task, struct late, then);

    latch_wait(&late->has_finished, 1);
    assert_int_equal(late->place.n_ended, 0);
    fe_task_post(late->place.worker_thread.worker, &late->place.more);
}

static void test_task_after_the_finish_is_run(void **state)
{
    static struct late late;

    (void)state;
    for (int i = 0; i < N_ROUNDS; i++) {
        place_init(&late.place);
        latch_init(&late.has_finished);
        fe_task_init(&late.finish, on_finish);
        fe_task_init(&late.then, on_then);
        assert_int_equal(fe_worker_thread_start(&late.place.worker_thread), 0);
        fe_task_post(late.place.worker_thread.worker, &late.finish);
        fe_worker_run(late.place.home);
        assert_int_equal(late.place.n_ended, 1);
        assert_int_equal(late.place.n_more, 1);
        place_deinit(&late.place);
        latch_deinit(&late.has_finished);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life),
        cmocka_unit_test(test_task_from_before_the_start),
        cmocka_unit_test(test_never_started),
        cmocka_unit_test(test_task_after_the_finish_is_run),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
