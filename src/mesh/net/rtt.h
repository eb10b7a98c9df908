/* The round-trip time to a peer, from its answers to our pings.
 *
 * Pings are answered in the order in which they were sent, so that the first answer belongs to the
 * ping that waits longest; those that were sent meanwhile are not measured. */
#ifndef FE_MESH_NET_RTT_H
#define FE_MESH_NET_RTT_H

#include <stdbool.h>
#include <stdint.h>

struct fe_rtt {
    uint64_t sent_ms;     /* of the ping that is measured */
    uint32_t smoothed_us; /* as in RFC 6298 §2: an eighth of each new one */
    uint32_t min_us;
    uint32_t n_waiting; /* pings without an answer */
    bool is_measuring;
    bool is_known;
};

enum { FE_RTT_MAX_MS = 3600 * 1000 }; /* far beyond any; in microseconds it fits 32 bits */

static inline void fe_rtt_on_ping(struct fe_rtt *rtt, uint64_t now_ms)
{
    if (rtt->n_waiting++ == 0) {
        rtt->sent_ms = now_ms;
        rtt->is_measuring = true;
    }
}

/* An answer that belongs to no ping is ignored. */
void fe_rtt_on_pong(struct fe_rtt *rtt, uint64_t now_ms);

#endif
