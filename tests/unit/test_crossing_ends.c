/* Every end at every point of an exchange that goes by crossing: the client or the provider goes,
 * time is up, the client's protocol refuses. Whatever comes, the exchange ends once, and the
 * crossing with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/crossings.h"

/* ---- an exchange, step by step -------------------------------------------------------------- */

static void serve(struct crossings *crossings)
{
    crossings->fake.room = 2; /* from some point on, bytes wait for the client */
    crossings->fake.ex.request.query = FE_VIEW_LIT("x=1");
    crossings_add_field(crossings, "accept", "application/json");
    crossings_serve_post(crossings, 6);
}

static void near_tasks(struct crossings *crossings)
{
    crossings_run_tasks(&crossings->near);
}

static void near_deferred(struct crossings *crossings)
{
    crossings_run_deferred(&crossings->near);
}

static void far_tasks(struct crossings *crossings)
{
    crossings_run_tasks(&crossings->far);
}

static void far_deferred(struct crossings *crossings)
{
    crossings_run_deferred(&crossings->far);
}

static void body(struct crossings *crossings)
{
    if (crossings->fake.wants_body && !crossings->fake.is_over) {
        (void)fake_exchange_body(&crossings->fake, "abcdef");
    }
}

static void body_end(struct crossings *crossings)
{
    if (crossings->fake.wants_body && !crossings->fake.is_over) {
        fake_exchange_body_end(&crossings->fake);
    }
}

static bool has_been_asked(const struct crossings *crossings)
{
    return crossings->provider.sender.next_stream > CROSSINGS_STREAM;
}

static void respond(struct crossings *crossings)
{
    if (has_been_asked(crossings)) {
        crossings_respond(crossings, (struct fe_headers){.bytes = FE_VIEW_LIT("\1A\0\1b"), .n = 1});
    }
}

static void data(struct crossings *crossings)
{
    if (has_been_asked(crossings)) {
        crossings_data(crossings, FE_VIEW_LIT("hello"));
    }
}

static void end(struct crossings *crossings)
{
    if (has_been_asked(crossings)) {
        crossings_end(crossings);
    }
}

static void read_some(struct crossings *crossings)
{
    if (crossings->fake.is_blocked && !crossings->fake.is_over) {
        fake_exchange_writable(&crossings->fake, 2);
    }
}

static void read_all(struct crossings *crossings)
{
    crossings->fake.room = SIZE_MAX;
    if (crossings->fake.is_blocked && !crossings->fake.is_over) {
        fake_exchange_writable(&crossings->fake, SIZE_MAX);
    }
}

typedef void (*step)(struct crossings *crossings);

static const step steps[] = {
    serve,         near_deferred, far_tasks,    far_deferred, near_tasks,    body,
    near_deferred, far_tasks,     far_deferred, body_end,     near_deferred, far_tasks,
    far_deferred,  respond,       far_deferred, near_tasks,   data,          far_deferred,
    near_tasks,    near_deferred, data,         end,          far_deferred,  near_tasks,
    read_some,     near_deferred, read_all,     far_tasks,
};

enum { N_STEPS = sizeof(steps) / sizeof(steps[0]) };

static void whole_exchange(void **state)
{
    static struct crossings crossings;

    (void)state;
    crossings_init(&crossings, false);
    for (size_t i = 0; i < N_STEPS; i++) {
        steps[i](&crossings);
    }
    trace_expect(&crossings.service, "request(100,echo) data(100,abcdef) end(100)");
    trace_expect(&crossings.client,
                 "resume respond(200,a=b) write(he) write() write(ll) write(ohello) end");
    crossings_settle(&crossings);
    crossings_deinit(&crossings);
}

/* ---- what may happen ------------------------------------------------------------------------ */

static void client_goes(struct crossings *crossings)
{
    if (!crossings->fake.is_over && crossings->fake.ex.backend != NULL) {
        crossings_leave(crossings);
    }
}

static void provider_goes(struct crossings *crossings)
{
    crossings_lose(crossings);
}

static void provider_gives_up(struct crossings *crossings)
{
    const struct fe_event event = {
        .type = FE_EVENT_RESPONSE, .stream = CROSSINGS_STREAM, .u.response = {.handled = false}};

    if (has_been_asked(crossings) && !crossings->provider.peer.is_closed &&
        fe_peer_on_event(&crossings->provider.peer, &event, NULL) != 0) {
        crossings_lose(crossings);
    }
}

static void time_is_up(struct crossings *crossings)
{
    crossings_pass(crossings, 2 * (uint64_t)CROSSINGS_TIMEOUT_MS);
}

static void protocol_fails(struct crossings *crossings)
{
    crossings->fake.error = FLATEND_ENOMEM;
}

static void provider_is_secure(struct crossings *crossings)
{
    crossings->provider.sender.space = 0;
}

static const step events[] = {
    client_goes, provider_goes, provider_gives_up, time_is_up, protocol_fails, provider_is_secure,
};

enum { N_EVENTS = sizeof(events) / sizeof(events[0]) };

/* One event before step i, another before step j. The client reads on, as long as it is there. */
static void play(size_t i, step first, size_t j, step second)
{
    static struct crossings crossings;

    crossings_init(&crossings, false);
    crossings.client.is_off = true;
    crossings.service.is_off = true;
    for (size_t at = 0; at < N_STEPS; at++) {
        if (at == i) {
            first(&crossings);
        }
        if (at == j) {
            second(&crossings);
        }
        steps[at](&crossings);
    }
    crossings_settle(&crossings);
    read_all(&crossings);
    crossings_settle(&crossings);
    if (!crossings.fake.is_over) { /* the client waits for a response that will not come */
        time_is_up(&crossings);
        crossings_settle(&crossings);
    }
    if (!crossings.fake.is_over) {
        client_goes(&crossings);
        crossings_settle(&crossings);
    }
    assert_int_equal(crossings.n_empty, 1);
    crossings_deinit(&crossings);
}

static void any_two_events_at_any_time(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_STEPS; i++) {
        for (size_t j = i; j < N_STEPS; j++) {
            for (size_t pair = 0; pair < N_EVENTS * N_EVENTS; pair++) {
                play(i, events[pair / N_EVENTS], j, events[pair % N_EVENTS]);
            }
        }
    }
}

/* ---- some of them, with what is seen -------------------------------------------------------- */

static void run_steps(struct crossings *crossings, size_t n)
{
    crossings_init(crossings, false);
    for (size_t i = 0; i < n; i++) {
        steps[i](crossings);
    }
}

static void client_that_is_gone_before_anybody_knew(void **state)
{
    static struct crossings crossings;

    (void)state;
    run_steps(&crossings, 1);
    crossings_leave(&crossings);
    crossings_settle(&crossings);
    trace_expect(&crossings.client, "");
    trace_expect(&crossings.service, "");
    assert_int_equal(crossings.n_empty, 1);
    crossings_deinit(&crossings);
}

/* The service's end is known to the near side while the client takes nothing, then all. */
static void end_waits_for_the_client(void **state)
{
    static struct crossings crossings;

    (void)state;
    crossings_init(&crossings, false);
    serve(&crossings);
    crossings.fake.room = 0;
    crossings_settle(&crossings);
    respond(&crossings);
    data(&crossings);
    end(&crossings);
    crossings_settle(&crossings);
    trace_expect(&crossings.client, "resume respond(200,a=b) write()");
    assert_int_equal(crossings.channel.n_crossings, 1);
    assert_int_equal(crossings.provider.peer.n_streams, 0);
    read_all(&crossings);
    trace_expect(&crossings.client, "write(hello) end");
    assert_int_equal(crossings.n_empty, 1);
    crossings_settle(&crossings);
    crossings_deinit(&crossings);
}

/* The whole response is there when the client's protocol has no memory for it. */
static void respond_fails_after_the_end(void **state)
{
    static struct crossings crossings;

    (void)state;
    run_steps(&crossings, 5);
    trace_expect(&crossings.client, "resume");
    respond(&crossings);
    data(&crossings);
    end(&crossings);
    crossings.fake.room = SIZE_MAX;
    crossings.fake.error = FLATEND_ENOMEM;
    crossings_settle(&crossings);
    crossings.client.text[crossings.client.len] = '\0';
    assert_non_null(strstr(crossings.client.text, "respond(503"));
    assert_true(crossings.fake.has_ended);
    assert_int_equal(crossings.n_empty, 1);
    crossings_deinit(&crossings);
}

static void write_fails_after_the_end(void **state)
{
    static struct crossings crossings;

    (void)state;
    run_steps(&crossings, 16);
    trace_expect(&crossings.client, "resume respond(200,a=b)");
    data(&crossings);
    end(&crossings);
    crossings.fake.error = FLATEND_ENOMEM;
    crossings_settle(&crossings);
    trace_expect(&crossings.client, "abort");
    assert_int_equal(crossings.n_empty, 1);
    crossings_deinit(&crossings);
}

/* The client's side is over when the last batch is on its way; its own task still waits at the far
 * side, which frees the crossing. */
static void last_task_frees_the_crossing(void **state)
{
    static struct crossings crossings;

    (void)state;
    run_steps(&crossings, 21);
    end(&crossings);
    far_deferred(&crossings);
    crossings_leave(&crossings);
    near_deferred(&crossings); /* it has left, and says so */
    assert_false(fe_list_is_empty(&crossings.far.tasks));
    near_tasks(&crossings);
    assert_int_equal(crossings.n_empty, 1);
    assert_false(fe_list_is_empty(&crossings.far.tasks));
    far_tasks(&crossings);
    crossings_deinit(&crossings);
}

static void on_zero(struct fe_refcount *refs)
{
    (void)refs;
    fail();
}

/* The far side uses the route as long as it answers, even if the client has left long ago. */
static void snapshot_is_held_for_the_far_side(void **state)
{
    static struct crossings crossings;
    struct fe_refcount refs;

    (void)state;
    crossings_init(&crossings, true);
    fe_refcount_init(&refs, on_zero);
    crossings.fake.ex.snapshot = &refs;
    crossings_serve(&crossings);
    assert_int_equal(refs.n, 2);
    crossings_settle(&crossings);
    crossings_leave(&crossings);
    crossings_run(&crossings.near);
    assert_int_equal(refs.n, 2);
    crossings_run(&crossings.far);
    assert_int_equal(refs.n, 2);
    crossings_run(&crossings.near);
    assert_int_equal(refs.n, 1);
    assert_int_equal(crossings.n_empty, 1);
    crossings_deinit(&crossings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_exchange),
        cmocka_unit_test(any_two_events_at_any_time),
        cmocka_unit_test(client_that_is_gone_before_anybody_knew),
        cmocka_unit_test(end_waits_for_the_client),
        cmocka_unit_test(respond_fails_after_the_end),
        cmocka_unit_test(write_fails_after_the_end),
        cmocka_unit_test(last_task_frees_the_crossing),
        cmocka_unit_test(snapshot_is_held_for_the_far_side),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
