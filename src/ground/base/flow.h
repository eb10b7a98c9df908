/* The contract of flowing bytes. Exchange, filter, crossing, call, stream and hand-off pass bodies
 * on in both directions; all of them say the same words and mean the same by them.
 *
 *        upstream: has bytes                                downstream: wants them
 *              │                                                     │
 *              │ ── write(bytes) ─────────────────▶ on_data(bytes) ─▶ │
 *              │ ◀── n of them were accepted             n were taken │
 *              │ ◀──────────────── on_writable         resume() ◀── │
 *              │ ── finish(trailers) ───────────▶ on_end(trailers) ─▶ │
 *              │ ── reset(code) ───────────────────▶ on_reset(code) ─▶ │
 *              │ ◀── on_reset(code) ───────────────── reset(code) ◀── │
 *
 * Calls. `write` says how many bytes were accepted, or an error code, after which nothing of them
 * was. With fewer than all the writer waits for `on_writable`, which comes once, when there is
 * space again. `finish` completes one direction; nothing is written after it. `reset` ends both
 * directions: nothing of what was said counts any more.
 *
 * Events. `on_data` returns how many bytes were taken. With fewer than all nothing more comes until
 * `resume`; what was not taken comes again. `on_end` comes once, after all bytes were taken.
 * `on_reset` is the last event, and not an answer to one's own `reset`.
 *
 *     FLOWING ── on_data takes all ──▶ FLOWING        one direction, as its reader sees it
 *        │ ▲
 *        │ └── resume ── HELD                         HELD: nothing comes
 *        ├── on_data takes less ──▶ HELD
 *        ├── on_end ──▶ ENDED                         of this direction only: half-closed
 *        └── on_reset, reset ──▶ OVER                 of both
 *
 * Bytes are lent for the length of the call. No event comes from within a call, so that no call
 * finds its object gone when it returns; a call from within an event is allowed, and may end the
 * object, after which the event's return value means nothing. Nothing queues without a bound: a
 * reader that stops, stops the writer at the other end of the chain. The code of a reset is one of
 * include/flatend.h's; it says why to a log, and never more than why to the other side. */
#ifndef FE_GROUND_BASE_FLOW_H
#define FE_GROUND_BASE_FLOW_H

#include "ground/base/assert.h"
#include "ground/base/view.h"

/* What an on_data that was given `data` returned. */
static inline size_t fe_flow_taken(struct fe_view data, size_t n)
{
    FE_ASSERT(n <= data.len, "a reader takes no more than it was given");
    return n;
}

#endif
