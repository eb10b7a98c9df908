/* Timers on a node, on its thread and by events; and their ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/latch.h"
#include "support/nodes.h"

enum { PATIENCE_MS = 20000, FOREVER_MS = 3600 * 1000, N_TIMERS = 100 };

static struct flatend_node *start_node(void)
{
    char addr[64];

    return nodes_listen(NULL, 0, addr);
}

static void count(void *arg)
{
    latch_count(arg);
}

static void a_timer_fires_once_or_again_and_again(void **state)
{
    struct flatend_node *node = start_node();
    struct flatend_timer *once;
    struct flatend_timer *periodic;
    struct latch first;
    struct latch many;

    (void)state;
    latch_init(&first);
    latch_init(&many);
    assert_int_equal(flatend_timer_start(node, 0, 0, count, &first, &once), 0);
    assert_int_equal(flatend_timer_start(node, 1, 1, count, &many, &periodic), 0);
    latch_wait(&first, 1);
    latch_wait(&many, 20);
    flatend_timer_stop(once);
    flatend_timer_stop(periodic);
    assert_int_equal(first.n, 1);
    /* Nothing fires after stop: the node's thread has been there again since. */
    assert_int_equal(flatend_timer_start(node, 20, 0, count, &first, &once), 0);
    int n = many.n;

    latch_wait(&first, 2);
    assert_int_equal(many.n, n);
    flatend_timer_stop(once);
    flatend_timer_stop(NULL);
    flatend_node_free(node);
    latch_deinit(&first);
    latch_deinit(&many);
}

struct own {
    struct flatend_node *node;
    struct flatend_timer *timer;
    struct latch set;
    struct latch done;
    int code;
};

static void stop_own(void *arg)
{
    struct own *own = arg;
    struct flatend_timer *other;

    latch_wait(&own->set, 1);
    own->code = flatend_timer_start(own->node, 0, 1, count, &own->done, &other);
    flatend_timer_stop(own->timer);
    if (own->code == 0) {
        flatend_timer_stop(other);
    }
    latch_count(&own->done);
}

static void a_timer_may_stop_itself_and_start_others(void **state)
{
    struct own own = {.node = start_node(), .code = -1};

    (void)state;
    latch_init(&own.set);
    latch_init(&own.done);
    assert_int_equal(flatend_timer_start(own.node, 0, 1, stop_own, &own, &own.timer), 0);
    latch_count(&own.set);
    latch_wait(&own.done, 1);
    assert_int_equal(own.code, 0);
    flatend_node_free(own.node);
    assert_int_equal(own.done.n, 1); /* neither it nor the other one again */
    latch_deinit(&own.set);
    latch_deinit(&own.done);
}

static void a_timer_may_be_an_event(void **state)
{
    struct flatend_node *node = start_node();
    struct flatend_timer *timer;
    struct flatend_queue *queue;
    struct flatend_event event;
    char tag;

    (void)state;
    assert_int_equal(flatend_queue_new(&queue), 0);
    assert_int_equal(flatend_timer_start_queued(node, 0, 1, queue, &tag, &timer), 0);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(flatend_queue_take(queue, &event, 1, PATIENCE_MS), 1);
        assert_int_equal(event.type, FLATEND_EVENT_TIMER);
        assert_ptr_equal(event.arg, &tag);
        assert_ptr_equal(event.node, node);
    }
    flatend_timer_stop(timer);
    assert_int_equal(flatend_queue_take(queue, &event, 1, 0), 0);
    flatend_node_free(node);
    flatend_queue_free(queue);
}

static void wrong_timers_are_refused(void **state)
{
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct flatend_node *node;
    struct flatend_timer *timer = (struct flatend_timer *)&options;
    struct flatend_queue *queue;

    (void)state;
    assert_int_equal(flatend_queue_new(&queue), 0);
    assert_int_equal(flatend_node_new(&options, &node, NULL), 0);
    assert_int_equal(flatend_timer_start(node, 0, 0, NULL, NULL, &timer), FLATEND_EINVAL);
    assert_int_equal(flatend_timer_start(node, 0, 0, count, NULL, NULL), FLATEND_EINVAL);
    assert_int_equal(flatend_timer_start_queued(node, 0, 0, NULL, NULL, &timer), FLATEND_EINVAL);
    assert_int_equal(flatend_timer_start(node, 0, 0, count, NULL, &timer), FLATEND_ESTATE);
    assert_null(timer);
    assert_int_equal(flatend_timer_start_queued(node, 0, 0, queue, NULL, &timer), FLATEND_ESTATE);
    assert_int_equal(flatend_node_start(node, NULL, 0, NULL), 0);
    flatend_node_shutdown(node);
    assert_int_equal(flatend_timer_start(node, 0, 0, count, NULL, &timer), FLATEND_ECANCELED);
    flatend_node_free(node);
    flatend_queue_free(queue);
}

/* Some are stopped after the node has shut down, some never. */
static void timers_end_with_their_node(void **state)
{
    struct flatend_node *node = start_node();
    struct flatend_timer *timers[N_TIMERS];
    struct flatend_queue *queue;
    struct latch fired;
    int n;

    (void)state;
    latch_init(&fired);
    assert_int_equal(flatend_queue_new(&queue), 0);
    for (int i = 0; i < N_TIMERS; i++) {
        int code = i % 2 == 0 ? flatend_timer_start(node, i % 3 == 0 ? 0 : FOREVER_MS, 1, count,
                                                    &fired, &timers[i])
                              : flatend_timer_start_queued(node, 0, 1, queue, NULL, &timers[i]);

        assert_int_equal(code, 0);
    }
    latch_wait(&fired, 2 * N_TIMERS);
    flatend_node_shutdown(node);
    n = fired.n;
    for (int i = 0; i < N_TIMERS; i += 5) {
        flatend_timer_stop(timers[i]);
    }
    assert_int_equal(fired.n, n);
    flatend_node_free(node);
    flatend_queue_free(queue);
    latch_deinit(&fired);
}

/* A timer finishes a request that was kept when the node was asked to close. */
struct late {
    struct flatend_context *ctx;
    struct flatend_timer *timer;
    struct latch kept;
};

static void keep(struct flatend_context *ctx, void *arg)
{
    struct late *late = arg;

    if (flatend_context_keep(ctx, NULL, NULL) == 0) {
        late->ctx = ctx;
        latch_count(&late->kept);
    }
}

static void answer(void *arg)
{
    struct late *late = arg;

    if (late->ctx != NULL && flatend_context_remaining_ms(late->ctx) > 0) {
        struct flatend_context *ctx = late->ctx;

        late->ctx = NULL;
        assert_int_equal(flatend_context_json(ctx, 200, "1", 1), 0);
    }
}

static void timers_run_on_while_the_node_drains(void **state)
{
    struct late late = {0};
    const struct flatend_service service = {
        .name = "late", .handler = keep, .arg = &late, .flags = FLATEND_SERVICE_INLINE};
    const char *name = "late";
    const struct flatend_request request = {.services = &name, .n_services = 1, .body = ""};
    char addr[64];
    struct flatend_node *server = nodes_listen(&service, 1, addr);
    struct flatend_node *client = nodes_join(NULL, 0, addr);
    struct flatend_stream *stream;
    int status = 0;

    (void)state;
    latch_init(&late.kept);
    assert_int_equal(flatend_push(client, &request, &stream, NULL), 0);
    latch_wait(&late.kept, 1);
    assert_int_equal(flatend_timer_start(server, 30, 30, answer, &late, &late.timer), 0);
    flatend_node_shutdown(server);
    assert_int_equal(flatend_stream_response(stream, &status, NULL, NULL), 0);
    assert_int_equal(status, 200);
    flatend_stream_close(stream);
    flatend_node_free(client);
    flatend_node_free(server);
    latch_deinit(&late.kept);
}

/* Threads that start and stop while the node goes. */
struct crowd {
    struct flatend_node *node;
    struct latch fired;
    struct latch running;
};

static void *start_and_stop(void *arg)
{
    struct crowd *crowd = arg;
    struct flatend_timer *timer;
    int code;

    latch_count(&crowd->running);
    while ((code = flatend_timer_start(crowd->node, 0, 1, count, &crowd->fired, &timer)) == 0) {
        flatend_timer_stop(timer);
    }
    assert_int_equal(code, FLATEND_ECANCELED);
    return NULL;
}

static void stopping_races_with_the_end(void **state)
{
    enum { N_THREADS = 8 };
    struct crowd crowd = {.node = start_node()};
    pthread_t threads[N_THREADS];

    (void)state;
    latch_init(&crowd.fired);
    latch_init(&crowd.running);
    for (int i = 0; i < N_THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, start_and_stop, &crowd), 0);
    }
    latch_wait(&crowd.running, N_THREADS);
    flatend_node_shutdown(crowd.node);
    for (int i = 0; i < N_THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    flatend_node_free(crowd.node);
    latch_deinit(&crowd.fired);
    latch_deinit(&crowd.running);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_timer_fires_once_or_again_and_again),
        cmocka_unit_test(a_timer_may_stop_itself_and_start_others),
        cmocka_unit_test(a_timer_may_be_an_event),
        cmocka_unit_test(wrong_timers_are_refused),
        cmocka_unit_test(timers_end_with_their_node),
        cmocka_unit_test(timers_run_on_while_the_node_drains),
        cmocka_unit_test(stopping_races_with_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
