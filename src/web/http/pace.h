/* How fast a client takes, or sends, counted only for as long as it is waited for.
 *
 * The time of waiting is cut into steps, FE_PACE_STEPS of which make up the grace. A client is too
 * slow when the steps behind it fill the grace, and the bytes of these are less than the rate
 * allows: so no client is too slow before it was waited for as long as the grace, one that is
 * slower than the rate from then on is found out within a step, and one that has been fast before
 * within the grace and a step. Time in which nothing waits for the client does not pass here, and
 * bytes that move in it count in the client's favor.
 *
 * Reads no clock. The caller looks once a step (fe_pace_step_ms), and says what has happened since;
 * one look completes one step at most, so that a clock that jumps, or a process that was stopped,
 * does not make clients slow. */
#ifndef FE_WEB_HTTP_PACE_H
#define FE_WEB_HTTP_PACE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "ground/base/err.h"

enum { FE_PACE_STEPS = 6 };

struct fe_pace_limit {
    uint64_t min_rate; /* bytes a second; 0: none */
    uint64_t grace_ms; /* at least 1 */
};

/* Zero at the beginning. */
struct fe_pace {
    uint32_t waited_ms;            /* of the step that is not complete */
    uint32_t n_bytes;              /* in it; as many as fit */
    uint32_t steps[FE_PACE_STEPS]; /* bytes in the last ones */
    uint8_t n_steps;
    uint8_t next; /* the oldest of them, once they are all there */
};

/* How long a step is: at least 1. */
uint64_t fe_pace_step_ms(uint64_t grace_ms);

/* Since the last call the client was waited for so long, and has moved so many bytes. True: it is
 * too slow. */
bool fe_pace_add(struct fe_pace *pace, const struct fe_pace_limit *limit, uint64_t waited_ms,
                 uint64_t n_bytes) FE_MUST_USE;

/* For the next client, or the next body: almost always there is nothing to be forgotten. */
static inline void fe_pace_reset(struct fe_pace *pace)
{
    if (pace->waited_ms > 0 || pace->n_bytes > 0 || pace->n_steps > 0) {
        *pace = (struct fe_pace){0};
    }
}

#endif
