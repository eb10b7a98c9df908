#include "ground/base/shortage.h"

enum { MS_PER_S = 1000 };

void fe_shortage_init(struct fe_shortage *shortage, const struct fe_log *log, const char *what,
                      const char *effect)
{
    shortage->log = log;
    shortage->what = what;
    shortage->effect = effect;
    atomic_init(&shortage->is_on, false);
    atomic_init(&shortage->since_ms, 0);
    atomic_init(&shortage->last_ms, 0);
}

void fe_shortage_hit(struct fe_shortage *shortage, uint64_t now_ms)
{
    if (shortage == NULL) {
        return;
    }
    atomic_store_explicit(&shortage->last_ms, now_ms, memory_order_relaxed);
    if (!atomic_exchange(&shortage->is_on, true)) {
        atomic_store_explicit(&shortage->since_ms, now_ms, memory_order_relaxed);
        fe_log(shortage->log, FLATEND_LOG_WARN, "Out of %s: %s.", shortage->what, shortage->effect);
    }
}

/* Clocks of several threads may differ by a turn of their loops. */
void fe_shortage_look(struct fe_shortage *shortage, uint64_t now_ms)
{
    const uint64_t last_ms = atomic_load_explicit(&shortage->last_ms, memory_order_relaxed);
    const uint64_t since_ms = atomic_load_explicit(&shortage->since_ms, memory_order_relaxed);

    if (now_ms >= last_ms + FE_SHORTAGE_CALM_MS && atomic_exchange(&shortage->is_on, false)) {
        fe_log(shortage->log, FLATEND_LOG_WARN, "Enough %s again: they were short for %llu s.",
               shortage->what, (unsigned long long)((last_ms - since_ms) / MS_PER_S));
    }
}
