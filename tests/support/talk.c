#include "support/talk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

const char talk_expected[] = "responder: HELLO port 9000:\n"
                             "initiator: HELLO port 9001: echo pipe\n"
                             "responder: FIND_NODE 3\n"
                             "responder: REQUEST 40000001: echo pipe, accept=*/* empty=\n"
                             "responder: DATA 40000001 5000\n"
                             "responder: END 40000001\n"
                             "initiator: NODES 3: 9000 9001\n"
                             "initiator: FIND_NODE 2\n"
                             "initiator: RESPONSE 40000001 handled, type=text\n"
                             "initiator: DATA 40000001 5000\n"
                             "initiator: END 40000001\n"
                             "initiator: RESPONSE 7 unhandled,\n"
                             "responder: NODES 2:\n";

void talk_init(struct talk *talk, uint64_t seed)
{
    talk->trace[0] = '\0';
    talk->len = 0;
    pair_init(&talk->pair, seed);
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

static void say_names(struct talk *talk, struct fe_names names)
{
    struct fe_view name;

    while (fe_names_next(&names, &name)) {
        say(talk, " %.*s", (int)name.len, (const char *)name.ptr);
    }
}

static void say_headers(struct talk *talk, struct fe_headers headers)
{
    struct fe_header h;

    while (fe_headers_next(&headers, &h)) {
        say(talk, " %.*s=%.*s", (int)h.name.len, (const char *)h.name.ptr, (int)h.value.len,
            (const char *)h.value.ptr);
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

static void say_event(struct talk *talk, const char *who, const struct fe_event *event)
{
    switch (event->type) {
    case FE_EVENT_HELLO:
        say(talk, "%s: HELLO port %u:", who, (unsigned)event->u.hello.id->addr.port);
        say_names(talk, event->u.hello.services);
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
        say(talk, "%s: END %x", who, (unsigned)event->stream);
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
        say(talk, "%s: event %d", who, (int)event->type);
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

    while (out->len > 0) {
        struct fe_view front = fe_chain_front(out);
        size_t n = cut(arg, front.len);
        int rv =
            pair_feed(&talk->pair, 1 - from, front.ptr, n,
                      from == PAIR_INITIATOR ? on_responder_event : on_initiator_event, talk, err);

        if (rv != 0) {
            return rv;
        }
        fe_chain_consume(out, n);
    }
    return 0;
}

static int carry_all(struct talk *talk, talk_cut_fn cut, void *arg, struct flatend_error *err)
{
    int rv = 0;

    while (rv == 0 && (talk->pair.sides[0].out.len > 0 || talk->pair.sides[1].out.len > 0)) {
        rv = carry(talk, PAIR_INITIATOR, cut, arg, err);
        if (rv == 0) {
            rv = carry(talk, PAIR_RESPONDER, cut, arg, err);
        }
    }
    return rv;
}

static int send_body(struct fe_sender *sender, uint32_t stream)
{
    uint8_t body[TALK_BODY_LEN];
    int rv;

    for (size_t i = 0; i < sizeof(body); i++) {
        body[i] = (uint8_t)i;
    }
    rv = sender->ops->data(sender, stream, fe_view_of(body, sizeof(body)));
    return rv == 0 ? sender->ops->end(sender, stream, NULL, 0) : rv;
}

static int ask(struct talk *talk)
{
    struct fe_sender *sender = pair_sender(&talk->pair, PAIR_INITIATOR);
    const struct fe_view services[] = {FE_VIEW_LIT("echo"), FE_VIEW_LIT("pipe")};
    const struct fe_header headers[] = {{FE_VIEW_LIT("accept"), FE_VIEW_LIT("*/*")},
                                        {FE_VIEW_LIT("empty"), {0}}};
    uint32_t stream = sender->ops->next_stream(sender);
    uint32_t token;
    int rv = sender->ops->find_node(sender, talk->pair.sides[0].self.id.public_key, &token);

    if (rv == 0) {
        rv = sender->ops->request(sender, stream, services, 2, headers, 2);
    }
    return rv == 0 ? send_body(sender, stream) : rv;
}

static int answer(struct talk *talk)
{
    struct fe_sender *sender = pair_sender(&talk->pair, PAIR_RESPONDER);
    const struct fe_id ids[] = {talk->pair.sides[0].self.id, talk->pair.sides[1].self.id};
    const struct fe_header type = {FE_VIEW_LIT("type"), FE_VIEW_LIT("text")};
    uint32_t token;
    int rv = sender->ops->nodes(sender, 3, ids, 2);

    if (rv == 0) {
        rv = sender->ops->find_node(sender, ids[0].public_key, &token);
    }
    if (rv == 0) {
        rv = sender->ops->response(sender, 0x40000001, true, &type, 1);
    }
    if (rv == 0) {
        rv = send_body(sender, 0x40000001);
    }
    return rv == 0 ? sender->ops->response(sender, 7, false, NULL, 0) : rv;
}

int talk_run(struct talk *talk, talk_cut_fn cut, void *arg, struct flatend_error *err)
{
    struct fe_sender *initiator = pair_sender(&talk->pair, PAIR_INITIATOR);
    int rv = pair_start(&talk->pair);

    if (rv == 0) {
        rv = carry_all(talk, cut, arg, err);
    }
    if (rv == 0) {
        rv = ask(talk);
    }
    if (rv == 0) {
        rv = carry_all(talk, cut, arg, err);
    }
    if (rv == 0) {
        rv = answer(talk);
    }
    if (rv == 0) {
        rv = carry_all(talk, cut, arg, err);
    }
    if (rv == 0) {
        rv = initiator->ops->nodes(initiator, 2, NULL, 0);
    }
    return rv == 0 ? carry_all(talk, cut, arg, err) : rv;
}
