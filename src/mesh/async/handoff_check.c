/* What holds of a hand-off whenever its lock is free and the node's side does nothing with it. */
#include "ground/base/assert.h"
#include "mesh/async/handoff.h"

enum { COMMANDS = 2 * FE_HANDOFF_KEEP - 1 }; /* all of them */

static void check_outgoing(const struct fe_handoff *handoff)
{
    FE_ASSERT(handoff->n_unsent == handoff->out.len + handoff->sending.len,
              "bytes that were written and not sent are counted");
    FE_ASSERT(!handoff->is_discarding || handoff->n_unsent == 0, "what is not wanted is not kept");
}

static void check_incoming(const struct fe_handoff *handoff)
{
    FE_ASSERT(handoff->in_max == FE_HANDOFF_IN_MAX || handoff->in_max == FE_HANDOFF_IN_READ_MAX,
              "a reader has read, or not");
    FE_ASSERT(handoff->in.len <= handoff->in_max, "a peer is held back by what is not read");
    FE_ASSERT(!handoff->owes_resume || handoff->in.len > FE_HANDOFF_SMALL / 2 || handoff->code != 0,
              "a reader that has space has asked for more");
}

void fe_handoff_check(struct fe_handoff *handoff)
{
    fe_mutex_lock(&handoff->lock);
    FE_ASSERT(handoff->code <= 0, "a stream is over for a reason");
    FE_ASSERT((handoff->commands & ~(unsigned)COMMANDS) == 0, "commands are those that there are");
    check_outgoing(handoff);
    check_incoming(handoff);
    fe_mutex_unlock(&handoff->lock);
}
