/* An exchange by crossing while each allocation fails in turn: it is answered or aborted, and the
 * crossing comes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/crossings.h"
#include "support/fault.h"

/* So long that each copy is an allocation of its own: more than half a chunk of an arena. */
enum { LONG = 2500 };

static char text[LONG + 1];

/* One header named "a", encoded. */
static struct fe_headers long_header(uint8_t bytes[4 + LONG])
{
    const uint8_t start[] = {1, 'a', LONG >> 8, LONG & 0xff};

    memcpy(bytes, start, sizeof(start));
    memcpy(bytes + sizeof(start), text, LONG);
    return (struct fe_headers){.bytes = fe_view_of(bytes, 4 + LONG), .n = 1};
}

/* Between two steps of one side: the other one has run, or has not. */
typedef void (*between_fn)(struct crossings *crossings);

static void dawdle(struct crossings *crossings)
{
    (void)crossings;
}

static void send_body(struct crossings *crossings, between_fn between)
{
    struct fe_field field = {FE_VIEW_LIT("up"), fe_view_str(text)};
    const struct fe_fields trailers = {&field, 1, 1};
    struct fake_exchange *const fake = &crossings->fake;

    if (fake->is_over || !fake->wants_body) {
        return;
    }
    if (fake_exchange_body(fake, "hello") != 5) {
        assert_true(fake->is_over); /* there is room for it */
    } else if (!fake->is_over) {
        between(crossings);
        if (!fake->is_over && fake->wants_body) {
            fake_exchange_body_end_with(fake, &trailers);
        }
    }
    crossings_settle(crossings);
}

static void reply(struct crossings *crossings, between_fn between)
{
    uint8_t bytes[4 + LONG];
    const struct fe_headers header = long_header(bytes);
    const struct fe_event end = {
        .type = FE_EVENT_END, .stream = CROSSINGS_STREAM, .u.trailers = header};
    struct fe_peer *const peer = &crossings->provider.peer;

    if (crossings->provider.sender.n_sent == 0) {
        return; /* it was never asked */
    }
    crossings_respond(crossings, header);
    between(crossings);
    crossings_data(crossings, FE_VIEW_LIT("hello"));
    between(crossings);
    if (!peer->is_closed && fe_peer_on_event(peer, &end, NULL) != 0) {
        fe_peer_close(peer, FLATEND_ENOMEM);
    }
    crossings_settle(crossings);
}

/* What the provider is told, and whether it hears of it, is not the crossing's. */
static void exchange(struct crossings *crossings, between_fn between)
{
    crossings_serve_post(crossings, FE_BODY_UNKNOWN);
    if (crossings->fake.is_over) {
        return;
    }
    crossings_settle(crossings);
    send_body(crossings, between);
    crossings->fake.room = 1; /* the rest has to wait */
    reply(crossings, between);
    crossings->fake.room = SIZE_MAX;
    if (!crossings->fake.is_over && crossings->fake.is_blocked) {
        fake_exchange_writable(&crossings->fake, SIZE_MAX);
    }
    crossings_settle(crossings);
}

static void each_is_answered_or_aborted(between_fn between)
{
    static struct crossings crossings;
    size_t nth;

    memset(text, 'x', LONG);
    for (nth = 1;; nth++) {
        crossings_init(&crossings, true);
        crossings.client.is_off = true;
        crossings.service.is_off = true;
        crossings_add_field(&crossings, "a", text);
        if (!fe_fault_arm(nth)) {
            break;
        }
        exchange(&crossings, between);
        if (!fe_fault_disarm()) {
            assert_true(crossings.fake.has_ended);
        }
        assert_true(crossings.fake.is_over);
        if (crossings.fake.has_ended && crossings.fake.status == 200) {
            assert_int_equal(crossings.fake.n_trailers, 1); /* whole or not at all */
        }
        crossings_lose(&crossings);
        crossings_settle(&crossings);
        crossings_deinit(&crossings);
    }
    crossings.fake.is_over = true; /* the last one was not served */
    crossings_deinit(&crossings);
    assert_true(nth > 15);
}

static void in_turn(void **state)
{
    (void)state;
    each_is_answered_or_aborted(crossings_settle);
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
