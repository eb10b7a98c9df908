#include "mesh/rpc/call.h"

#include "ground/base/assert.h"

enum { REPLAY_VIEWS = FE_CALL_REPLAY_MAX / FE_BLOCK_SIZE + 2 };

static const struct fe_stream_ops stream_ops;

/* What was sent of the body can be forgotten: there will be no retry. */
static void drop_replay(struct fe_call *call)
{
    call->is_replayable = false;
    call->n_replayed = 0;
    fe_chain_deinit(&call->replay);
}

static void unhold(struct fe_call *call)
{
    if (fe_list_is_linked(&call->held)) {
        fe_list_remove(&call->held);
        FE_ASSERT(call->registry->n_held > 0, "calls that wait are counted");
        call->registry->n_held--;
    }
}

/* Waits for a provider to be ready. FLATEND_ELIMIT: too many calls do. */
static int hold(struct fe_call *call)
{
    struct fe_registry *registry = call->registry;

    if (registry->n_held == FE_CALLS_HELD_MAX) {
        return FLATEND_ELIMIT;
    }
    fe_list_push_back(&registry->held, &call->held);
    registry->n_held++;
    return 0;
}

static void end(struct fe_call *call)
{
    if (fe_list_is_linked(&call->link)) {
        fe_list_remove(&call->link);
        FE_ASSERT(call->registry->n_calls > 0, "calls that run are counted");
        call->registry->n_calls--;
    }
    unhold(call);
    fe_timer_stop(call->timers, &call->timer);
    drop_replay(call);
    call->stream = NULL;
    call->state = FE_CALL_ENDED;
    FE_CHECK(fe_call_check(call));
}

static void fail(struct fe_call *call, int code)
{
    FE_ASSERT(code < 0 && call->state != FE_CALL_ENDED, "a call fails once, and for a reason");
    end(call);
    call->ops->on_reset(call, code);
}

/* What the present attempt tells about its provider: once, when it is over. */
static void report(struct fe_call *call, int code)
{
    if (call->state != FE_CALL_ENDED && call->stream != NULL) {
        fe_registry_report(call->registry, fe_stream_peer(call->stream), code);
    }
}

/* `handled` 0 says the least: a provider that failed otherwise may have done something. */
static void note_failure(struct fe_call *call, int code)
{
    if (call->code == FLATEND_ENOPROVIDER || code != FLATEND_EUNHANDLED) {
        call->code = code;
    }
}

static struct fe_peer *next_provider(struct fe_call *call)
{
    const struct fe_call_request *request = &call->request;

    if (request->provider != 0) {
        struct fe_peer *peer = call->n_tried > 0 || call->head_min > 0
                                   ? NULL
                                   : fe_registry_find(call->registry, request->provider);

        return peer == NULL || peer->is_held ? NULL : peer;
    }
    if (call->n_tried == FE_CALL_ATTEMPTS_MAX) {
        return NULL;
    }
    return fe_registry_choose_for_head(call->registry, request->services, request->n_services,
                                       call->tried, call->n_tried, call->head_min);
}

/* Whether one that is not ready yet will do. */
static bool may_wait(const struct fe_call *call)
{
    const struct fe_call_request *request = &call->request;

    if (request->provider != 0) {
        const struct fe_peer *peer = fe_registry_find(call->registry, request->provider);

        return call->n_tried == 0 && peer != NULL && peer->is_held;
    }
    return call->n_tried < FE_CALL_ATTEMPTS_MAX &&
           fe_registry_is_held(call->registry, request->services, request->n_services, call->tried,
                               call->n_tried);
}

/* Opens the stream at the first provider that takes it, or waits for one that may. No callbacks.
 *
 * One that cannot be sent the head is not counted as tried: nothing was sent, and what is asked for
 * from then on is a connection that takes more, of which there are three kinds. */
static int open_stream(struct fe_call *call)
{
    const struct fe_call_request *request = &call->request;
    const struct fe_stream_request head = {request->services, request->n_services, request->headers,
                                           request->n_headers};
    struct fe_peer *peer;

    while ((peer = next_provider(call)) != NULL) {
        int code;

        FE_ASSERT(call->n_tried < FE_CALL_ATTEMPTS_MAX, "attempts are bounded");
        code = fe_stream_open(peer, &head, &stream_ops, call, &call->stream);
        if (code == FLATEND_ETOOBIG) {
            FE_ASSERT(peer->sender->head_max >= call->head_min,
                      "one that takes more was asked for");
            call->head_min = peer->sender->head_max + 1;
            continue;
        }
        call->tried[call->n_tried++] = peer->handle;
        if (code == 0) {
            return 0;
        }
        note_failure(call, code);
    }
    if (may_wait(call)) {
        return hold(call);
    }
    return call->head_min > 0 && call->code == FLATEND_ENOPROVIDER ? FLATEND_ETOOBIG : call->code;
}

static bool is_replaying(const struct fe_call *call)
{
    return call->n_replayed < call->replay.len;
}

/* Sends again what earlier streams had been given, as far as there is space. No callbacks. */
static int replay(struct fe_call *call)
{
    struct fe_view views[REPLAY_VIEWS];
    size_t n_views = fe_chain_peek(&call->replay, views, REPLAY_VIEWS);
    size_t skip = call->n_replayed;

    FE_ASSERT(skip <= call->replay.len, "no more is sent again than was kept");
    for (size_t i = 0; i < n_views; i++) {
        struct fe_view rest;
        ssize_t n;

        if (skip >= views[i].len) {
            skip -= views[i].len;
            continue;
        }
        rest = fe_view_skip(views[i], skip);
        skip = 0;
        n = fe_stream_write(call->stream, rest);
        if (n < 0) {
            return (int)n;
        }
        call->n_replayed += (size_t)n;
        if ((size_t)n < rest.len) {
            return 0;
        }
    }
    if (call->body == FE_CALL_BODY_FINISHED) {
        return fe_stream_finish(call->stream, call->trailers, call->n_trailers);
    }
    return 0;
}

static void on_writable(struct fe_stream *stream)
{
    struct fe_call *call = fe_stream_owner(stream);

    if (is_replaying(call)) {
        int code = replay(call);

        if (code != 0) {
            fe_stream_reset(stream, FE_REASON_CANCEL);
            fail(call, code);
            return;
        }
        if (is_replaying(call)) {
            return;
        }
        if (call->state == FE_CALL_RESPONDED) {
            drop_replay(call);
        }
    }
    if (call->body == FE_CALL_BODY_BLOCKED) {
        call->body = FE_CALL_BODY_OPEN;
        call->ops->on_writable(call);
    }
}

static void retry(struct fe_call *call)
{
    int code;

    FE_ASSERT(call->state == FE_CALL_WAITING && call->is_replayable,
              "a request is repeated only whole, and before its response");
    call->stream = NULL;
    call->n_replayed = 0;
    code = open_stream(call);
    if (code != 0) {
        fail(call, code);
        return;
    }
    if (call->stream == NULL) {
        return;
    }
    code = replay(call);
    if (code != 0) {
        fe_stream_reset(call->stream, FE_REASON_CANCEL);
        fail(call, code);
        return;
    }
    if (!is_replaying(call) && call->body == FE_CALL_BODY_BLOCKED) {
        call->body = FE_CALL_BODY_OPEN;
        call->ops->on_writable(call);
    }
}

bool fe_call_is_old(const struct fe_call *call)
{
    return fe_stream_peer(call->stream)->is_old;
}

/* Looks after a while whether anything has followed the head. Without memory for it nobody does. */
static int watch_silence(struct fe_call *call)
{
    const struct fe_registry *registry = call->registry;

    if (!fe_call_is_old(call) || registry->now_ms == NULL) {
        return 0;
    }
    return fe_timer_start(call->timers, &call->timer,
                          registry->now_ms(registry->now_arg) + FE_CALL_SILENCE_MS);
}

static void on_response(struct fe_stream *stream, struct fe_headers headers)
{
    struct fe_call *call = fe_stream_owner(stream);

    FE_ASSERT(call->state == FE_CALL_WAITING, "a response has one head");
    call->state = FE_CALL_RESPONDED;
    fe_timer_stop(call->timers, &call->timer);
    (void)watch_silence(call);
    if (!is_replaying(call)) {
        drop_replay(call);
    }
    FE_CHECK(fe_call_check(call));
    call->ops->on_response(call, headers);
}

static size_t on_data(struct fe_stream *stream, struct fe_view data)
{
    struct fe_call *call = fe_stream_owner(stream);

    FE_ASSERT(call->state == FE_CALL_RESPONDED, "a body comes behind its head");
    FE_CHECK(fe_call_check(call));
    return call->ops->on_data(call, data);
}

static bool is_whole(const struct fe_call *call)
{
    return call->n_expected == UINT64_MAX || call->n_expected == fe_stream_n_received(call->stream);
}

/* The stream is gone, and so is the call: its owner may free it in here. */
static void on_end(struct fe_stream *stream, struct fe_headers trailers)
{
    struct fe_call *call = fe_stream_owner(stream);

    FE_ASSERT(call->state == FE_CALL_RESPONDED, "a response has a head");
    report(call, is_whole(call) ? 0 : FLATEND_ERESET);
    end(call);
    call->ops->on_end(call, trailers);
}

static bool may_retry(const struct fe_call *call, int code)
{
    return call->state == FE_CALL_WAITING && call->is_replayable &&
           (code == FLATEND_EUNHANDLED || call->request.is_idempotent);
}

static void on_reset(struct fe_stream *stream, int code)
{
    struct fe_call *call = fe_stream_owner(stream);

    report(call, code);
    note_failure(call, code);
    if (may_retry(call, code)) {
        retry(call);
    } else {
        fail(call, call->code);
    }
}

static const struct fe_stream_ops stream_ops = {
    .on_response = on_response,
    .on_data = on_data,
    .on_end = on_end,
    .on_writable = on_writable,
    .on_reset = on_reset,
};

static void reset_stream(struct fe_call *call, enum fe_reason reason)
{
    if (call->stream != NULL) {
        fe_stream_reset(call->stream, reason);
    }
}

/* Nothing has followed the head, and nothing will. */
static void end_silent(struct fe_call *call)
{
    int code = call->n_expected == UINT64_MAX || call->n_expected == 0 ? 0 : FLATEND_ERESET;

    report(call, code);
    reset_stream(call, FE_REASON_NONE);
    if (code != 0) {
        fail(call, code);
        return;
    }
    end(call);
    call->ops->on_end(call, (struct fe_headers){0});
}

/* An answer to anything shows that what was sent before has come. So it is asked for something. */
static void on_silence(struct fe_call *call)
{
    static const uint8_t any[FE_KEY_LEN];
    struct fe_peer *peer = fe_stream_peer(call->stream);
    uint32_t token;

    if (fe_stream_has_begun(call->stream)) {
        return;
    }
    if (call->is_silent && peer->n_events > call->n_events) {
        end_silent(call);
        return;
    }
    if (!call->is_silent) {
        call->is_silent = true;
        call->n_events = peer->n_events;
        /* If it cannot be asked, because many others ask, theirs is as good. */
        if (peer->sender->ops->find_node(peer->sender, any, &token) == 0) {
            peer->ops->on_output(peer);
        }
    }
    (void)watch_silence(call);
}

static void on_timer(struct fe_timer *timer)
{
    struct fe_call *call = FE_CONTAINER_OF(timer, struct fe_call, timer);

    if (call->state == FE_CALL_RESPONDED) {
        on_silence(call);
        return;
    }
    FE_ASSERT(call->state == FE_CALL_WAITING, "the deadline is for the head of a response");
    report(call, FLATEND_ETIMEDOUT);
    reset_stream(call, FE_REASON_TIMEOUT);
    fail(call, FLATEND_ETIMEDOUT);
}

static void enlist(struct fe_call *call)
{
    struct fe_registry *registry = call->registry;

    fe_list_push_back(&registry->calls, &call->link);
    registry->n_calls++;
    registry->n_calls_started++;
}

int fe_call_start(struct fe_call *call, const struct fe_call_env *env,
                  const struct fe_call_request *request, const struct fe_call_ops *ops, void *owner)
{
    int code = 0;

    FE_ASSERT(request->n_services > 0, "a request is for a service");
    FE_ASSERT(ops->on_end != NULL && ops->on_reset != NULL, "a call has an owner");
    *call = (struct fe_call){
        .ops = ops,
        .owner = owner,
        .request = *request,
        .registry = env->registry,
        .timers = env->timers,
        .is_replayable = true,
        .n_expected = UINT64_MAX,
        .code = FLATEND_ENOPROVIDER,
        .state = FE_CALL_WAITING,
        .body = FE_CALL_BODY_OPEN,
    };
    fe_list_init(&call->link);
    fe_list_init(&call->held);
    fe_timer_init(&call->timer, on_timer);
    fe_chain_init(&call->replay, env->pool);
    if (request->deadline_ms != FE_TIME_NEVER) {
        code = fe_timer_start(env->timers, &call->timer, request->deadline_ms);
    }
    if (code == 0) {
        code = open_stream(call);
    }
    if (code != 0) {
        end(call);
        return code;
    }
    enlist(call);
    FE_CHECK(fe_call_check(call));
    return 0;
}

/* Keeps what was sent for a retry, as long as that is little. Without memory there is no retry. */
static void keep(struct fe_call *call, struct fe_view sent)
{
    if (!call->is_replayable || call->state != FE_CALL_WAITING) {
        return;
    }
    FE_ASSERT(call->n_replayed == call->replay.len, "what is kept was sent");
    if (sent.len > FE_CALL_REPLAY_MAX - call->replay.len ||
        fe_chain_append(&call->replay, sent.ptr, sent.len) != 0) {
        drop_replay(call);
        return;
    }
    call->n_replayed += sent.len;
}

ssize_t fe_call_write(struct fe_call *call, struct fe_view data)
{
    ssize_t n = 0;

    if (call->state == FE_CALL_ENDED) {
        return (ssize_t)data.len;
    }
    FE_ASSERT(call->body != FE_CALL_BODY_FINISHED, "nothing is written behind the end of a body");
    if (call->stream != NULL && !is_replaying(call)) {
        n = fe_stream_write(call->stream, data);
        if (n < 0) {
            return n;
        }
        if (n > 0) {
            keep(call, fe_view_of(data.ptr, (size_t)n));
        }
    }
    if ((size_t)n < data.len) {
        call->body = FE_CALL_BODY_BLOCKED;
    }
    FE_CHECK(fe_call_check(call));
    return n;
}

int fe_call_finish(struct fe_call *call, const struct fe_header *trailers, size_t n_trailers)
{
    int code = 0;

    if (call->state == FE_CALL_ENDED) {
        return 0;
    }
    FE_ASSERT(call->body != FE_CALL_BODY_FINISHED, "nothing is written behind the end of a body");
    if (call->stream != NULL && !is_replaying(call)) {
        code = fe_stream_finish(call->stream, trailers, n_trailers);
    }
    if (code == 0) {
        call->body = FE_CALL_BODY_FINISHED;
        call->trailers = trailers;
        call->n_trailers = n_trailers;
    }
    FE_CHECK(fe_call_check(call));
    return code;
}

void fe_call_resume(struct fe_call *call)
{
    if (call->state == FE_CALL_RESPONDED) {
        fe_stream_resume(call->stream);
    }
}

void fe_call_expect(struct fe_call *call, uint64_t n)
{
    FE_ASSERT(call->state == FE_CALL_RESPONDED, "a length is announced by a head");
    call->n_expected = n;
}

/* What a call that is given up says of its provider: that it did not answer in time, or had begun
 * to. Whoever gives up before knows neither. */
static void report_reset(struct fe_call *call, enum fe_reason reason)
{
    if (reason == FE_REASON_TIMEOUT) {
        report(call, FLATEND_ETIMEDOUT);
    } else if (call->state == FE_CALL_RESPONDED) {
        report(call, 0);
    }
}

void fe_call_reset(struct fe_call *call, enum fe_reason reason)
{
    if (call->state == FE_CALL_ENDED) {
        return;
    }
    report_reset(call, reason);
    reset_stream(call, reason);
    end(call);
}

void fe_call_reject(struct fe_call *call, enum fe_reason reason)
{
    if (call->state == FE_CALL_ENDED) {
        return;
    }
    report(call, FLATEND_ERESET);
    reset_stream(call, reason);
    end(call);
}

void fe_calls_resume(struct fe_registry *registry)
{
    struct fe_list waiting;
    struct fe_list *node;

    fe_list_init(&waiting);
    while ((node = fe_list_pop_front(&registry->held)) != NULL) {
        fe_list_push_back(&waiting, node); /* those that wait again come to the registry's list */
    }
    while ((node = fe_list_pop_front(&waiting)) != NULL) {
        struct fe_call *call = FE_CONTAINER_OF(node, struct fe_call, held);

        FE_ASSERT(registry->n_held > 0, "calls that wait are counted");
        registry->n_held--;
        retry(call);
    }
}
