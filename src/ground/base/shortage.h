/* Something of the system's that has run out: one line of the log says so, and one when it is over,
 * however often it is asked for meanwhile. Any thread, at once with others. */
#ifndef FE_GROUND_BASE_SHORTAGE_H
#define FE_GROUND_BASE_SHORTAGE_H

#include <stdatomic.h>

#include "ground/base/log.h"

/* It is over when there was enough for so long: while it comes and goes, nothing is said. */
enum { FE_SHORTAGE_CALM_MS = 5000 };

struct fe_shortage {
    const struct fe_log *log; /* outlives it */
    const char *what;         /* "descriptors" */
    const char *effect;       /* what waits, and what to do about it */
    atomic_bool is_on;
    _Atomic uint64_t since_ms;
    _Atomic uint64_t last_ms;
};

void fe_shortage_init(struct fe_shortage *shortage, const struct fe_log *log, const char *what,
                      const char *effect);

/* There was none left. `shortage` may be NULL here and below: nobody is told. */
void fe_shortage_hit(struct fe_shortage *shortage, uint64_t now_ms);

/* The slow part of fe_shortage_pass. */
void fe_shortage_look(struct fe_shortage *shortage, uint64_t now_ms);

/* There was enough. */
static inline void fe_shortage_pass(struct fe_shortage *shortage, uint64_t now_ms)
{
    if (shortage != NULL && atomic_load_explicit(&shortage->is_on, memory_order_relaxed)) {
        fe_shortage_look(shortage, now_ms);
    }
}

#endif
