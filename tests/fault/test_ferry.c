/* An exchange by ferry while each allocation fails in turn: it is answered or aborted, and the
 * ferry comes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/fault.h"
#include "support/ferries.h"

/* So long that each copy is an allocation of its own: more than half a chunk of an arena. */
enum { LONG = 2500 };

static char text[LONG + 1];

/* One header named "a", encoded. */
static struct fe_headers long_header(uint8_t bytes[4 + LONG])
{
    const uint8_t start[] = {1, 'a', LONG >> 8, LONG & 0xff};

    memcpy(bytes, start, sizeof(start));
    memcpy(bytes + sizeof(start), text, LONG);
    return (struct fe_headers){fe_view_of(bytes, 4 + LONG), 1};
}

/* Between two steps of one side: the other one has run, or has not. */
typedef void (*between_fn)(struct ferries *ferries);

static void dawdle(struct ferries *ferries)
{
    (void)ferries;
}

static void send_body(struct ferries *ferries, between_fn between)
{
    struct fe_field field = {FE_VIEW_LIT("up"), fe_view_str(text)};
    const struct fe_fields trailers = {&field, 1, 1};
    struct fake_exchange *const fake = &ferries->fake;

    if (fake->is_over || !fake->wants_body) {
        return;
    }
    if (fake_exchange_body(fake, "hello") != 5) {
        assert_true(fake->is_over); /* there is room for it */
    } else if (!fake->is_over) {
        between(ferries);
        if (!fake->is_over && fake->wants_body) {
            fake_exchange_body_end_with(fake, &trailers);
        }
    }
    ferries_settle(ferries);
}

static void reply(struct ferries *ferries, between_fn between)
{
    uint8_t bytes[4 + LONG];
    const struct fe_headers header = long_header(bytes);
    const struct fe_event end = {
        .type = FE_EVENT_END, .stream = FERRIES_STREAM, .u.trailers = header};
    struct fe_peer *const peer = &ferries->provider.peer;

    if (ferries->provider.sender.n_sent == 0) {
        return; /* it was never asked */
    }
    ferries_respond(ferries, header);
    between(ferries);
    ferries_data(ferries, FE_VIEW_LIT("hello"));
    between(ferries);
    if (!peer->is_closed && fe_peer_on_event(peer, &end, NULL) != 0) {
        fe_peer_close(peer, FLATEND_ENOMEM);
    }
    ferries_settle(ferries);
}

/* What the provider is told, and whether it hears of it, is not the ferry's. */
static void exchange(struct ferries *ferries, between_fn between)
{
    ferries_serve_post(ferries, FE_BODY_UNKNOWN);
    if (ferries->fake.is_over) {
        return;
    }
    ferries_settle(ferries);
    send_body(ferries, between);
    ferries->fake.room = 1; /* the rest has to wait */
    reply(ferries, between);
    ferries->fake.room = SIZE_MAX;
    if (!ferries->fake.is_over && ferries->fake.is_blocked) {
        fake_exchange_writable(&ferries->fake, SIZE_MAX);
    }
    ferries_settle(ferries);
}

static void each_is_answered_or_aborted(between_fn between)
{
    static struct ferries ferries;
    size_t nth;

    memset(text, 'x', LONG);
    for (nth = 1;; nth++) {
        ferries_init(&ferries, true);
        ferries.client.is_off = true;
        ferries.service.is_off = true;
        ferries_add_field(&ferries, "a", text);
        if (!fe_fault_arm(nth)) {
            break;
        }
        exchange(&ferries, between);
        if (!fe_fault_disarm()) {
            assert_true(ferries.fake.has_ended);
        }
        assert_true(ferries.fake.is_over);
        if (ferries.fake.has_ended && ferries.fake.status == 200) {
            assert_int_equal(ferries.fake.n_trailers, 1); /* whole or not at all */
        }
        ferries_lose(&ferries);
        ferries_settle(&ferries);
        ferries_deinit(&ferries);
    }
    ferries.fake.is_over = true; /* the last one was not served */
    ferries_deinit(&ferries);
    assert_true(nth > 15);
}

static void in_turn(void **state)
{
    (void)state;
    each_is_answered_or_aborted(ferries_settle);
}

static void all_at_once(void **state)
{
    (void)state;
    each_is_answered_or_aborted(dawdle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_turn),
        cmocka_unit_test(all_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
