#include "support/meeting.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { PATIENCE = 20 };

void meeting_init(struct meeting *meeting, uint64_t seed)
{
    *meeting = (struct meeting){0};
    pair_init(&meeting->pair, seed);
}

void meeting_deinit(struct meeting *meeting)
{
    pair_deinit(&meeting->pair);
}

struct fe_trust *meeting_trust(struct meeting *meeting, int side)
{
    meeting->pair.sides[side].self.trust = &meeting->trust[side];
    return &meeting->trust[side];
}

struct listener {
    struct meeting *meeting;
    int side;
};

static void on_event(void *arg, const struct fe_event *event)
{
    const struct listener *listener = arg;

    if (event->type == FE_EVENT_HANDSHAKE) {
        listener->meeting->n_handshakes[listener->side]++;
        listener->meeting->is_proven[listener->side] = event->u.handshake.is_proven;
    }
}

static void deliver(struct meeting *meeting, int to, enum meeting_message message, uint8_t *bytes,
                    size_t len)
{
    struct listener listener = {meeting, to};

    if (meeting->tamper != NULL) {
        meeting->tamper(meeting->arg, message, bytes, len);
    }
    if (meeting->code[to] == 0) {
        meeting->code[to] = pair_feed(&meeting->pair, to, fe_view_of(bytes, len), on_event,
                                      &listener, &meeting->err[to]);
    }
}

/* All that a side has written travels as one message. */
static bool carry(struct meeting *meeting, int from, unsigned *n_messages)
{
    struct pair_side *side = &meeting->pair.sides[from];
    uint8_t *bytes;
    size_t len;

    assert_int_equal(fe_session_flush(&side->session), 0);
    len = side->out.len;
    if (len == 0) {
        return false;
    }
    bytes = malloc(len);
    assert_non_null(bytes);
    assert_int_equal(fe_chain_read(&side->out, bytes, len), len);
    deliver(meeting, 1 - from, *n_messages < MEETING_LATER ? *n_messages : MEETING_LATER, bytes,
            len);
    (*n_messages)++;
    free(bytes);
    return true;
}

void meeting_run(struct meeting *meeting)
{
    unsigned n_messages = 0;
    bool is_moving = true;

    assert_int_equal(pair_start(&meeting->pair), 0);
    fe_session_pin(&meeting->pair.sides[PAIR_INITIATOR].session, meeting->pin);
    while (is_moving && n_messages < PATIENCE) {
        is_moving = carry(meeting, PAIR_INITIATOR, &n_messages);
        is_moving |= carry(meeting, PAIR_RESPONDER, &n_messages);
    }
    assert_false(is_moving);
}

static void expect_open(const struct meeting *meeting, bool is_secure)
{
    for (int i = 0; i < 2; i++) {
        meeting_expect_fault(meeting, i, 0, "");
        assert_int_equal(meeting->pair.sides[i].session.state, FE_SESSION_OPEN);
        assert_int_equal(fe_sender_is_secure(&meeting->pair.sides[i].session.sender), is_secure);
        assert_int_equal(meeting->n_handshakes[i], 1);
        assert_int_equal(meeting->is_proven[i],
                         is_secure && !meeting->pair.sides[1 - i].self.is_anonymous);
    }
}

void meeting_expect_secure(const struct meeting *meeting)
{
    expect_open(meeting, true);
}

void meeting_expect_old(const struct meeting *meeting)
{
    expect_open(meeting, false);
}

void meeting_expect_fault(const struct meeting *meeting, int side, int code, const char *text)
{
    assert_string_equal(meeting->err[side].text, text);
    assert_int_equal(meeting->code[side], code);
    assert_int_equal(meeting->err[side].code, code);
    assert_int_equal(meeting->pair.sides[side].session.state == FE_SESSION_FAILED, code != 0);
}
