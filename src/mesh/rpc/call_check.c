/* What holds of a call between any two events: the diagram in call.h. */
#include "ground/base/assert.h"
#include "mesh/rpc/call.h"
#include "mesh/rpc/internal.h"

static void check_ended(const struct fe_call *call)
{
    FE_ASSERT(call->stream == NULL, "a call that has ended has no stream");
    FE_ASSERT(!call->is_replayable && call->replay.len == 0,
              "a call that has ended is not repeated");
    FE_ASSERT(!fe_timer_is_armed(&call->timer), "a call that has ended has no deadline");
}

static void check_waiting(const struct fe_call *call)
{
    FE_ASSERT(fe_timer_is_armed(&call->timer) == (call->request.deadline_ms != FE_TIME_NEVER),
              "the head of a response is waited for until the deadline");
    FE_ASSERT(call->is_replayable || call->replay.len == 0, "what is kept is kept for a retry");
    FE_ASSERT(call->stream == NULL || call->stream->in == FE_HALF_HEAD ||
                  call->stream->state != FE_STREAM_ACTIVE,
              "no response has begun");
}

static void check_responded(const struct fe_call *call)
{
    FE_ASSERT(!fe_timer_is_armed(&call->timer) || fe_call_is_old(call),
              "what follows a head is waited for only where its end may be missing");
    FE_ASSERT(!call->is_replayable || call->n_replayed < call->replay.len,
              "after a response only the rest of a retry is kept");
}

void fe_call_check(const struct fe_call *call)
{
    FE_ASSERT(call->n_replayed <= call->replay.len, "no more is sent again than was kept");
    FE_ASSERT(call->replay.len <= FE_CALL_REPLAY_MAX, "what is kept is little");
    FE_ASSERT(call->n_tried <= FE_CALL_ATTEMPTS_MAX, "attempts are bounded");
    FE_ASSERT(fe_list_is_linked(&call->link) == (call->state != FE_CALL_ENDED),
              "a call that runs is one of the registry's");
    if (call->state == FE_CALL_ENDED) {
        check_ended(call);
        return;
    }
    FE_ASSERT((call->stream == NULL) == fe_list_is_linked(&call->held),
              "a call that runs has a stream, or waits for a provider");
    if (call->stream == NULL) {
        FE_ASSERT(call->state == FE_CALL_WAITING, "a response needs a provider");
        check_waiting(call);
        return;
    }
    FE_ASSERT(fe_stream_owner(call->stream) == call, "a call's stream is its own");
    FE_ASSERT(call->n_tried > 0, "a call that runs has a provider");
    FE_ASSERT(call->body != FE_CALL_BODY_BLOCKED || fe_stream_is_blocked(call->stream) ||
                  call->stream->state != FE_STREAM_ACTIVE,
              "a writer that is owed on_writable will be called");
    if (call->state == FE_CALL_WAITING) {
        check_waiting(call);
    } else {
        check_responded(call);
    }
}
