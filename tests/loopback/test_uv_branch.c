/* A worker on a thread of its own: what runs on it, and how it ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ground/uv/branch.h"
#include "support/gate.h"

enum { N_ROUNDS = 200 };

struct place {
    struct fe_worker *home;
    struct fe_branch branch;
    pthread_t home_thread;
    pthread_t branch_thread;
    struct fe_mail work; /* to the branch */
    struct fe_mail more;
    size_t n_work;
    size_t n_more;
    size_t n_ended;
};

static void on_ended(void *arg)
{
    struct place *const place = arg;

    assert_true(pthread_equal(pthread_self(), place->home_thread));
    assert_null(place->branch.worker);
    place->n_ended++;
    fe_worker_stop(place->home);
}

/* The branch has all it wanted to do. */
static void on_work(struct fe_mail *mail)
{
    struct place *const place = FE_CONTAINER_OF(mail, struct place, work);

    place->branch_thread = pthread_self();
    place->n_work++;
    fe_branch_finish(&place->branch);
}

static void on_more(struct fe_mail *mail)
{
    struct place *const place = FE_CONTAINER_OF(mail, struct place, more);

    assert_true(pthread_equal(pthread_self(), place->branch_thread));
    place->n_more++;
}

static void place_init(struct place *place)
{
    memset(place, 0, sizeof(*place));
    place->home_thread = pthread_self();
    assert_int_equal(fe_worker_new(&place->home, NULL), 0);
    assert_int_equal(fe_branch_init(&place->branch, place->home, on_ended, place), 0);
    fe_mail_init(&place->work, on_work);
    fe_mail_init(&place->more, on_more);
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
    assert_int_equal(fe_branch_start(&place.branch), 0);
    fe_mail_post(place.branch.worker, &place.work);
    fe_worker_run(place.home);
    assert_int_equal(place.n_work, 1);
    assert_int_equal(place.n_ended, 1);
    assert_false(pthread_equal(place.branch_thread, place.home_thread));
    place_deinit(&place);
}

static void test_mail_from_before_the_start(void **state)
{
    static struct place place;

    (void)state;
    place_init(&place);
    fe_mail_post(place.branch.worker, &place.work);
    assert_int_equal(fe_branch_start(&place.branch), 0);
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
    fe_branch_deinit(&place.branch);
    assert_null(place.branch.worker);
    assert_int_equal(place.n_ended, 0);
    place_deinit(&place);
}

/* ---- mail after the branch has finished --------------------------------------------------- */

struct late {
    struct place place;
    struct fe_mail finish; /* to the branch */
    struct fe_mail then;   /* to home, where it comes before the branch's end */
    struct gate has_finished;
};

static void on_finish(struct fe_mail *mail)
{
    struct late *const late = FE_CONTAINER_OF(mail, struct late, finish);

    late->place.branch_thread = pthread_self();
    fe_mail_post(late->place.home, &late->then);
    fe_branch_finish(&late->place.branch);
    gate_pass(&late->has_finished);
}

static void on_then(struct fe_mail *mail)
{
    struct late *const late = FE_CONTAINER_OF(mail, struct late, then);

    gate_wait(&late->has_finished, 1);
    assert_int_equal(late->place.n_ended, 0);
    fe_mail_post(late->place.branch.worker, &late->place.more);
}

static void test_mail_after_the_finish_is_run(void **state)
{
    static struct late late;

    (void)state;
    for (int i = 0; i < N_ROUNDS; i++) {
        place_init(&late.place);
        gate_init(&late.has_finished);
        fe_mail_init(&late.finish, on_finish);
        fe_mail_init(&late.then, on_then);
        assert_int_equal(fe_branch_start(&late.place.branch), 0);
        fe_mail_post(late.place.branch.worker, &late.finish);
        fe_worker_run(late.place.home);
        assert_int_equal(late.place.n_ended, 1);
        assert_int_equal(late.place.n_more, 1);
        place_deinit(&late.place);
        gate_deinit(&late.has_finished);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life),
        cmocka_unit_test(test_mail_from_before_the_start),
        cmocka_unit_test(test_never_started),
        cmocka_unit_test(test_mail_after_the_finish_is_run),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
