/* Every end at every point of an exchange that goes by ferry: the client or the provider goes, time
 * is up, the client's protocol refuses. Whatever comes, the exchange ends once, and the ferry with
 * it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/ferries.h"

/* ---- an exchange, step by step ------------------------------------------------------------ */

static void serve(struct ferries *ferries)
{
    ferries->fake.room = 2; /* from some point on, bytes wait for the client */
    ferries->fake.ex.request.query = FE_VIEW_LIT("x=1");
    ferries_add_field(ferries, "accept", "application/json");
    ferries_serve_post(ferries, 6);
}

static void near_mails(struct ferries *ferries)
{
    ferries_run_mails(&ferries->near);
}

static void near_laters(struct ferries *ferries)
{
    ferries_run_laters(&ferries->near);
}

static void far_mails(struct ferries *ferries)
{
    ferries_run_mails(&ferries->far);
}

static void far_laters(struct ferries *ferries)
{
    ferries_run_laters(&ferries->far);
}

static void body(struct ferries *ferries)
{
    if (ferries->fake.wants_body && !ferries->fake.is_over) {
        (void)fake_exchange_body(&ferries->fake, "abcdef");
    }
}

static void body_end(struct ferries *ferries)
{
    if (ferries->fake.wants_body && !ferries->fake.is_over) {
        fake_exchange_body_end(&ferries->fake);
    }
}

static bool has_been_asked(const struct ferries *ferries)
{
    return ferries->provider.sender.next_stream > FERRIES_STREAM;
}

static void respond(struct ferries *ferries)
{
    if (has_been_asked(ferries)) {
        ferries_respond(ferries, (struct fe_headers){FE_VIEW_LIT("\1A\0\1b"), 1});
    }
}

static void data(struct ferries *ferries)
{
    if (has_been_asked(ferries)) {
        ferries_data(ferries, FE_VIEW_LIT("hello"));
    }
}

static void end(struct ferries *ferries)
{
    if (has_been_asked(ferries)) {
        ferries_end(ferries);
    }
}

static void read_some(struct ferries *ferries)
{
    if (ferries->fake.is_blocked && !ferries->fake.is_over) {
        fake_exchange_writable(&ferries->fake, 2);
    }
}

static void read_all(struct ferries *ferries)
{
    ferries->fake.room = SIZE_MAX;
    if (ferries->fake.is_blocked && !ferries->fake.is_over) {
        fake_exchange_writable(&ferries->fake, SIZE_MAX);
    }
}

typedef void (*step)(struct ferries *ferries);

static const step steps[] = {
    serve,      near_laters, far_mails,  far_laters,  near_mails,  body,        near_laters,
    far_mails,  far_laters,  body_end,   near_laters, far_mails,   far_laters,  respond,
    far_laters, near_mails,  data,       far_laters,  near_mails,  near_laters, data,
    end,        far_laters,  near_mails, read_some,   near_laters, read_all,    far_mails,
};

enum { N_STEPS = sizeof(steps) / sizeof(steps[0]) };

static void whole_exchange(void **state)
{
    static struct ferries ferries;

    (void)state;
    ferries_init(&ferries, false);
    for (size_t i = 0; i < N_STEPS; i++) {
        steps[i](&ferries);
    }
    trace_expect(&ferries.service, "request(100,echo) data(100,abcdef) end(100)");
    trace_expect(&ferries.client,
                 "resume respond(200,a=b) write(he) write() write(ll) write(ohello) end");
    ferries_settle(&ferries);
    ferries_deinit(&ferries);
}

/* ---- what may happen ---------------------------------------------------------------------- */

static void client_goes(struct ferries *ferries)
{
    if (!ferries->fake.is_over && ferries->fake.ex.handler_ops != NULL) {
        ferries_leave(ferries);
    }
}

static void provider_goes(struct ferries *ferries)
{
    ferries_lose(ferries);
}

static void provider_gives_up(struct ferries *ferries)
{
    const struct fe_event event = {
        .type = FE_EVENT_RESPONSE, .stream = FERRIES_STREAM, .u.response = {.handled = false}};

    if (has_been_asked(ferries) && !ferries->provider.peer.is_closed &&
        fe_peer_on_event(&ferries->provider.peer, &event, NULL) != 0) {
        ferries_lose(ferries);
    }
}

static void time_is_up(struct ferries *ferries)
{
    ferries_pass(ferries, 2 * (uint64_t)FERRIES_TIMEOUT_MS);
}

static void protocol_fails(struct ferries *ferries)
{
    ferries->fake.error = FLATEND_ENOMEM;
}

static void provider_is_full(struct ferries *ferries)
{
    ferries->provider.sender.space = 0;
}

static const step events[] = {
    client_goes, provider_goes, provider_gives_up, time_is_up, protocol_fails, provider_is_full,
};

enum { N_EVENTS = sizeof(events) / sizeof(events[0]) };

/* One event before step i, another before step j. The client reads on, as long as it is there. */
static void play(size_t i, step first, size_t j, step second)
{
    static struct ferries ferries;

    ferries_init(&ferries, false);
    ferries.client.is_off = true;
    ferries.service.is_off = true;
    for (size_t at = 0; at < N_STEPS; at++) {
        if (at == i) {
            first(&ferries);
        }
        if (at == j) {
            second(&ferries);
        }
        steps[at](&ferries);
    }
    ferries_settle(&ferries);
    read_all(&ferries);
    ferries_settle(&ferries);
    if (!ferries.fake.is_over) { /* who waits for an answer that will not come */
        time_is_up(&ferries);
        ferries_settle(&ferries);
    }
    if (!ferries.fake.is_over) {
        client_goes(&ferries);
        ferries_settle(&ferries);
    }
    assert_int_equal(ferries.n_empty, 1);
    ferries_deinit(&ferries);
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

/* ---- some of them, with what is seen ------------------------------------------------------ */

static void run_steps(struct ferries *ferries, size_t n)
{
    ferries_init(ferries, false);
    for (size_t i = 0; i < n; i++) {
        steps[i](ferries);
    }
}

static void client_that_is_gone_before_anybody_knew(void **state)
{
    static struct ferries ferries;

    (void)state;
    run_steps(&ferries, 1);
    ferries_leave(&ferries);
    ferries_settle(&ferries);
    trace_expect(&ferries.client, "");
    trace_expect(&ferries.service, "");
    assert_int_equal(ferries.n_empty, 1);
    ferries_deinit(&ferries);
}

/* The service's end is known to the near side while the client takes nothing, then all. */
static void end_waits_for_the_client(void **state)
{
    static struct ferries ferries;

    (void)state;
    ferries_init(&ferries, false);
    serve(&ferries);
    ferries.fake.room = 0;
    ferries_settle(&ferries);
    respond(&ferries);
    data(&ferries);
    end(&ferries);
    ferries_settle(&ferries);
    trace_expect(&ferries.client, "resume respond(200,a=b) write()");
    assert_int_equal(ferries.line.n_ferries, 1);
    assert_int_equal(ferries.provider.peer.n_streams, 0);
    read_all(&ferries);
    trace_expect(&ferries.client, "write(hello) end");
    assert_int_equal(ferries.n_empty, 1);
    ferries_settle(&ferries);
    ferries_deinit(&ferries);
}

/* The whole response is there when the client's protocol has no memory for it. */
static void respond_fails_after_the_end(void **state)
{
    static struct ferries ferries;

    (void)state;
    run_steps(&ferries, 5);
    trace_expect(&ferries.client, "resume");
    respond(&ferries);
    data(&ferries);
    end(&ferries);
    ferries.fake.room = SIZE_MAX;
    ferries.fake.error = FLATEND_ENOMEM;
    ferries_settle(&ferries);
    ferries.client.text[ferries.client.len] = '\0';
    assert_non_null(strstr(ferries.client.text, "respond(503"));
    assert_true(ferries.fake.has_ended);
    assert_int_equal(ferries.n_empty, 1);
    ferries_deinit(&ferries);
}

static void write_fails_after_the_end(void **state)
{
    static struct ferries ferries;

    (void)state;
    run_steps(&ferries, 16);
    trace_expect(&ferries.client, "resume respond(200,a=b)");
    data(&ferries);
    end(&ferries);
    ferries.fake.error = FLATEND_ENOMEM;
    ferries_settle(&ferries);
    trace_expect(&ferries.client, "abort");
    assert_int_equal(ferries.n_empty, 1);
    ferries_deinit(&ferries);
}

/* The client's side is over when the last parcel is on its way; its own mail still waits at the far
 * side, which frees the ferry. */
static void last_mail_frees_the_ferry(void **state)
{
    static struct ferries ferries;

    (void)state;
    run_steps(&ferries, 21);
    end(&ferries);
    far_laters(&ferries);
    ferries_leave(&ferries);
    near_laters(&ferries); /* it has left, and says so */
    assert_false(fe_list_is_empty(&ferries.far.mails));
    near_mails(&ferries);
    assert_int_equal(ferries.n_empty, 1);
    assert_false(fe_list_is_empty(&ferries.far.mails));
    far_mails(&ferries);
    ferries_deinit(&ferries);
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
        cmocka_unit_test(last_mail_frees_the_ferry),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
