#include "support/talk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const char old_expected[] = "responder: HELLO port 9000:\n"
                                   "initiator: HELLO port 9001: echo pipe\n"
                                   "responder: FIND_NODE 3\n"
                                   "responder: REQUEST 40000001: echo pipe, accept=*/* empty=\n"
                                   "responder: DATA 40000001 5000\n"
                                   "responder: END 40000001:\n"
                                   "initiator: NODES 3: 9000 9001\n"
                                   "initiator: FIND_NODE 2\n"
                                   "initiator: RESPONSE 40000001 handled, type=text\n"
                                   "initiator: DATA 40000001 5000\n"
                                   "initiator: END 40000001:\n"
                                   "initiator: RESPONSE 7 unhandled,\n"
                                   "responder: NODES 2:\n";

static const char secure_expected[] = "responder: HELLO port 9000 proven:\n"
                                      "initiator: HELLO port 9001 proven: echo pipe\n"
                                      "responder: FIND_NODE 1\n"
                                      "responder: REQUEST 1: echo pipe, accept=*/* empty=\n"
                                      "responder: DATA 1 5000\n"
                                      "responder: END 1:\n"
                                      "initiator: NODES 1: 9000 9001\n"
                                      "initiator: FIND_NODE 1\n"
                                      "initiator: RESPONSE 1 handled, type=text\n"
                                      "initiator: DATA 1 5000\n"
                                      "initiator: END 1: sum=9\n"
                                      "initiator: RESPONSE 7 unhandled,\n"
                                      "initiator: WINDOW 1 5000\n"
                                      "initiator: WINDOW 0 5000\n"
                                      "initiator: RESET 9: 1 enough\n"
                                      "initiator: SERVICES echo=100 pipe=7\n"
                                      "initiator: GOAWAY 1: 0 bye\n"
                                      "responder: NODES 1:\n"
                                      "responder: REQUEST 3: echo,\n"
                                      "responder: END 3:\n"
                                      "responder: REQUEST 5: #300 echo, #260=#33000 a=b\n"
                                      "responder: DATA 5 5000\n"
                                      "responder: END 5: #260=#33000 a=b\n"
                                      "initiator: PONG 123456789abcdef0\n";

const char *talk_expected(bool is_old)
{
    return is_old ? old_expected : secure_expected;
}

void talk_init(struct talk *talk, uint64_t seed, bool is_old)
{
    talk->trace[0] = '\0';
    talk->len = 0;
    if (is_old) {
        pair_init_old(&talk->pair, seed);
    } else {
        pair_init(&talk->pair, seed);
    }
}

void talk_deinit(struct talk *talk)
{
    pair_deinit(&talk->pair);
}

size_t talk_whole(void *arg, size_t left)
{
    (void)arg;
    return left;
}

static void say(struct talk *talk, const char *format, ...) FLATEND_PRINTF(2, 3);
static void say(struct talk *talk, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    talk->len +=
        (size_t)vsnprintf(talk->trace + talk->len, TALK_TRACE_MAX - talk->len, format, args);
    va_end(args);
    assert_true(talk->len < TALK_TRACE_MAX);
}

/* Long ones by their length; they are all of one letter. */
static void say_text(struct talk *talk, struct fe_view text)
{
    if (text.len < 100) {
        say(talk, "%.*s", (int)text.len, (const char *)text.ptr);
        return;
    }
    for (size_t i = 0; i < text.len; i++) {
        assert_int_equal(text.ptr[i], 'x');
    }
    say(talk, "#%zu", text.len);
}

static void say_names(struct talk *talk, struct fe_names names)
{
    struct fe_view name;

    while (fe_names_next(&names, &name)) {
        say(talk, " ");
        say_text(talk, name);
    }
}

static void say_headers(struct talk *talk, struct fe_headers headers)
{
    struct fe_header h;

    while (fe_headers_next(&headers, &h)) {
        say(talk, " ");
        say_text(talk, h.name);
        say(talk, "=");
        say_text(talk, h.value);
    }
}

/* Data arrives in packets of any size: only the sum counts, and that the bytes are in order. */
static void say_data(struct talk *talk, const char *who, const struct fe_event *event)
{
    char line[64];
    unsigned n_before = 0;
    int len = snprintf(line, sizeof(line), "%s: DATA %x ", who, (unsigned)event->stream);
    char *last = strrchr(talk->trace, ':');

    last = last != NULL ? last - strlen(who) : NULL;
    if (last != NULL && strncmp(last, line, (size_t)len) == 0) {
        n_before = (unsigned)strtoul(last + len, NULL, 10);
        talk->len = (size_t)(last - talk->trace);
    }
    for (size_t i = 0; i < event->u.data.len; i++) {
        assert_int_equal(event->u.data.ptr[i], (n_before + i) & 255);
    }
    say(talk, "%s%u\n", line, n_before + (unsigned)event->u.data.len);
}

static void say_offers(struct talk *talk, struct fe_offers offers)
{
    struct fe_offer offer;

    while (fe_offers_next(&offers, &offer)) {
        say(talk, " %.*s=%u", (int)offer.name.len, (const char *)offer.name.ptr,
            (unsigned)offer.weight);
    }
}

/* What only a full sender's peer says. */
static void say_secure_event(struct talk *talk, const char *who, const struct fe_event *event)
{
    switch (event->type) {
    case FE_EVENT_RESET:
        say(talk, "%s: RESET %x: %u %.*s", who, (unsigned)event->stream,
            (unsigned)event->u.reset.reason, (int)event->u.reset.text.len,
            (const char *)event->u.reset.text.ptr);
        break;
    case FE_EVENT_WINDOW:
        say(talk, "%s: WINDOW %x %u", who, (unsigned)event->stream, (unsigned)event->u.increment);
        break;
    case FE_EVENT_SERVICES:
        say(talk, "%s: SERVICES", who);
        say_offers(talk, event->u.offers);
        break;
    case FE_EVENT_GOAWAY:
        say(talk, "%s: GOAWAY %x: %u %.*s", who, (unsigned)event->u.goaway.last,
            (unsigned)event->u.goaway.reason, (int)event->u.goaway.text.len,
            (const char *)event->u.goaway.text.ptr);
        break;
    case FE_EVENT_PONG:
        say(talk, "%s: PONG %llx", who, (unsigned long long)event->u.ping);
        break;
    default:
        fail_msg("event %d", (int)event->type);
    }
}

static void say_event(struct talk *talk, const char *who, const struct fe_event *event)
{
    switch (event->type) {
    case FE_EVENT_HANDSHAKE:
        say(talk, "%s: HELLO port %u%s:", who, (unsigned)event->u.handshake.id->addr.port,
            event->u.handshake.is_proven ? " proven" : "");
        say_names(talk, event->u.handshake.services);
        break;
    case FE_EVENT_REQUEST:
        say(talk, "%s: REQUEST %x:", who, (unsigned)event->stream);
        say_names(talk, event->u.request.services);
        say(talk, ",");
        say_headers(talk, event->u.request.headers);
        break;
    case FE_EVENT_RESPONSE:
        say(talk, "%s: RESPONSE %x %s,", who, (unsigned)event->stream,
            event->u.response.handled ? "handled" : "unhandled");
        say_headers(talk, event->u.response.headers);
        break;
    case FE_EVENT_DATA:
        say_data(talk, who, event);
        return;
    case FE_EVENT_END:
        say(talk, "%s: END %x:", who, (unsigned)event->stream);
        say_headers(talk, event->u.trailers);
        break;
    case FE_EVENT_FIND_NODE:
        say(talk, "%s: FIND_NODE %u", who, (unsigned)event->token);
        break;
    case FE_EVENT_NODES:
        say(talk, "%s: NODES %u:", who, (unsigned)event->token);
        for (size_t i = 0; i < event->u.nodes.n; i++) {
            say(talk, " %u", (unsigned)event->u.nodes.ids[i].addr.port);
        }
        break;
    default:
        say_secure_event(talk, who, event);
        break;
    }
    say(talk, "\n");
}

static void on_initiator_event(void *arg, const struct fe_event *event)
{
    say_event(arg, "initiator", event);
}

static void on_responder_event(void *arg, const struct fe_event *event)
{
    say_event(arg, "responder", event);
}

static int carry(struct talk *talk, int from, talk_cut_fn cut, void *arg, struct flatend_error *err)
{
    struct fe_chain *out = &talk->pair.sides[from].out;
    int flushed = fe_session_flush(&talk->pair.sides[from].session);

    if (flushed != 0) {
        return flushed;
    }
    while (out->len > 0) {
        struct fe_view front = fe_chain_front(out);
        size_t n = cut(arg, front.len);
        int code =
            pair_feed(&talk->pair, 1 - from, fe_view_of(front.ptr, n),
                      from == PAIR_INITIATOR ? on_responder_event : on_initiator_event, talk, err);

        if (code != 0) {
            return code;
        }
        fe_chain_consume(out, n);
    }
    return 0;
}

static int carry_all(struct talk *talk, talk_cut_fn cut, void *arg, struct flatend_error *err)
{
    int code;

    do {
        code = carry(talk, PAIR_INITIATOR, cut, arg, err);
        if (code == 0) {
            code = carry(talk, PAIR_RESPONDER, cut, arg, err);
        }
    } while (code == 0 && (talk->pair.sides[0].out.len > 0 || talk->pair.sides[1].out.len > 0 ||
                           talk->pair.sides[0].session.record_len > 0));
    return code;
}

static int send_body(struct fe_sender *sender, uint32_t stream, const struct fe_header *trailer)
{
    uint8_t body[TALK_BODY_LEN];
    int code;

    for (size_t i = 0; i < sizeof(body); i++) {
        body[i] = (uint8_t)i;
    }
    code = sender->ops->data(sender, stream, fe_view_of(body, sizeof(body)));
    return code == 0 ? sender->ops->end(sender, stream, trailer, trailer != NULL) : code;
}

static int ask(struct talk *talk)
{
    struct fe_sender *sender = pair_sender(&talk->pair, PAIR_INITIATOR);
    const struct fe_view services[] = {FE_VIEW_LIT("echo"), FE_VIEW_LIT("pipe")};
    const struct fe_header headers[] = {{FE_VIEW_LIT("accept"), FE_VIEW_LIT("*/*")},
                                        {FE_VIEW_LIT("empty"), {0}}};
    uint32_t token;
    int code;

    talk->stream = sender->ops->next_stream(sender);
    code = sender->ops->find_node(sender, talk->pair.sides[0].self.id.public_key, &token);

    if (code == 0) {
        code = sender->ops->request(sender, talk->stream, services, 2, headers, 2);
    }
    return code == 0 ? send_body(sender, talk->stream, NULL) : code;
}

static int answer(struct talk *talk)
{
    struct fe_sender *sender = pair_sender(&talk->pair, PAIR_RESPONDER);
    const struct fe_id ids[] = {talk->pair.sides[0].self.id, talk->pair.sides[1].self.id};
    const struct fe_header type = {FE_VIEW_LIT("type"), FE_VIEW_LIT("text")};
    const struct fe_header sum = {FE_VIEW_LIT("sum"), FE_VIEW_LIT("9")};
    uint32_t token;
    int code = sender->ops->nodes(sender, fe_sender_is_secure(sender) ? 1 : 3, ids, 2);

    if (code == 0) {
        code = sender->ops->find_node(sender, ids[0].public_key, &token);
    }
    if (code == 0) {
        code = sender->ops->response(sender, talk->stream, true, &type, 1);
    }
    if (code == 0) {
        code = send_body(sender, talk->stream, fe_sender_is_secure(sender) ? &sum : NULL);
    }
    return code == 0 ? sender->ops->response(sender, 7, false, NULL, 0) : code;
}

/* What the old dialect cannot say. */
static int say_more(struct talk *talk)
{
    struct fe_sender *sender = pair_sender(&talk->pair, PAIR_RESPONDER);
    const struct fe_offer offers[] = {{FE_VIEW_LIT("echo"), FE_WEIGHT_DEFAULT},
                                      {FE_VIEW_LIT("pipe"), 7}};
    int code = sender->ops->window(sender, talk->stream, TALK_BODY_LEN);

    if (code == 0) {
        code = sender->ops->window(sender, 0, TALK_BODY_LEN);
    }
    if (code == 0) {
        code = sender->ops->reset(sender, 9, FE_REASON_CANCEL, FE_VIEW_LIT("enough"));
    }
    if (code == 0) {
        code = sender->ops->services(sender, offers, 2);
    }
    return code == 0 ? sender->ops->goaway(sender, talk->stream, FE_REASON_NONE, FE_VIEW_LIT("bye"))
                     : code;
}

/* Heads that come in pieces, with names that no ordinary one can have. */
static int ask_at_length(struct talk *talk)
{
    static uint8_t xs[33000];
    struct fe_sender *sender = pair_sender(&talk->pair, PAIR_INITIATOR);
    const struct fe_view services[] = {fe_view_of(xs, 300), FE_VIEW_LIT("echo")};
    const struct fe_header headers[] = {{fe_view_of(xs, 260), fe_view_of(xs, sizeof(xs))},
                                        {FE_VIEW_LIT("a"), FE_VIEW_LIT("b")}};
    uint32_t stream = sender->ops->next_stream(sender);
    uint8_t body[TALK_BODY_LEN];
    int code;

    memset(xs, 'x', sizeof(xs));
    for (size_t i = 0; i < sizeof(body); i++) {
        body[i] = (uint8_t)i;
    }
    code = sender->ops->request(sender, stream, services, 2, headers, 2);
    if (code == 0) {
        code = sender->ops->data(sender, stream, fe_view_of(body, sizeof(body)));
    }
    return code == 0 ? sender->ops->end(sender, stream, headers, 2) : code;
}

static int ask_more(struct talk *talk)
{
    struct fe_sender *sender = pair_sender(&talk->pair, PAIR_INITIATOR);
    const struct fe_view echo = FE_VIEW_LIT("echo");
    uint32_t stream = sender->ops->next_stream(sender);
    int code = sender->ops->request(sender, stream, &echo, 1, NULL, 0);

    if (code == 0) {
        code = sender->ops->end(sender, stream, NULL, 0);
    }
    if (code == 0) {
        code = ask_at_length(talk);
    }
    return code == 0 ? sender->ops->ping(sender, 0x123456789abcdef0) : code;
}

int talk_run(struct talk *talk, talk_cut_fn cut, void *arg, struct flatend_error *err)
{
    struct fe_sender *initiator = pair_sender(&talk->pair, PAIR_INITIATOR);
    int code = pair_start(&talk->pair);

    if (code == 0) {
        code = carry_all(talk, cut, arg, err);
    }
    if (code == 0) {
        code = ask(talk);
    }
    if (code == 0) {
        code = carry_all(talk, cut, arg, err);
    }
    if (code == 0) {
        code = answer(talk);
    }
    if (code == 0 && fe_sender_is_secure(initiator)) {
        code = say_more(talk);
    }
    if (code == 0) {
        code = carry_all(talk, cut, arg, err);
    }
    if (code == 0) {
        code = initiator->ops->nodes(initiator, fe_sender_is_secure(initiator) ? 1 : 2, NULL, 0);
    }
    if (code == 0 && fe_sender_is_secure(initiator)) {
        code = ask_more(talk);
    }
    return code == 0 ? carry_all(talk, cut, arg, err) : code;
}
