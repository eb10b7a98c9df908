#include "web/http/exchange.h"

/* Filters are past: what flows is not a body. Of those that are left only their on_over is called.
 */
static void become_tunnel(struct fe_exchange *ex)
{
    if (ex->filters != NULL) {
        ex->filters = ex->filters->in_tunnel;
    }
    ex->phase = FE_EXCHANGE_TUNNEL;
    ex->sent = FE_EXCHANGE_TUNNEL;
}

int fe_exchange_tunnel(struct fe_exchange *ex, const struct fe_response *response)
{
    int code;

    FE_ASSERT(ex->phase == FE_EXCHANGE_OPEN, "a response has one head");
    if (ex->request.upgrade.len == 0 || ex->ops->tunnel == NULL) {
        return FLATEND_EINVAL;
    }
    ex->is_tunnel = true;
    code = fe_filters_respond(fe_exchange_stage(ex, FE_FILTER_respond), ex, response);
    if (code == 0) {
        become_tunnel(ex);
    } else {
        ex->is_tunnel = false;
    }
    return code;
}

static void move_to(struct fe_exchange *ex, enum fe_exchange_phase phase)
{
    ex->phase = phase;
    if (phase == FE_EXCHANGE_OVER) {
        fe_exchange_leave(ex, 0);
    } else {
        ex->sent = phase;
    }
}

void fe_exchange_finish_tunnel(struct fe_exchange *ex)
{
    FE_ASSERT(ex->phase != FE_EXCHANGE_TUNNEL_READ, "a direction ends once");
    move_to(ex, ex->phase == FE_EXCHANGE_TUNNEL ? FE_EXCHANGE_TUNNEL_READ : FE_EXCHANGE_OVER);
    ex->ops->finish(ex, NULL);
}

/* With both directions ended this is the backend's last event. */
void fe_exchange_end_tunnel(struct fe_exchange *ex)
{
    static const struct fe_fields none;

    FE_ASSERT(ex->phase != FE_EXCHANGE_TUNNEL_WRITE, "a direction ends once");
    move_to(ex, ex->phase == FE_EXCHANGE_TUNNEL ? FE_EXCHANGE_TUNNEL_WRITE : FE_EXCHANGE_OVER);
    ex->backend->ops->on_end(ex, &none);
}

/* ---- invariants ----------------------------------------------------------------------------- */

void fe_exchange_check(const struct fe_exchange *ex)
{
    FE_ASSERT(ex->sent <= ex->phase, "nothing is sent that was not given");
    FE_ASSERT(ex->phase == FE_EXCHANGE_OPEN || ex->phase == FE_EXCHANGE_OVER || ex->backend != NULL,
              "a response comes from a backend");
    FE_ASSERT(!fe_exchange_is_tunnel(ex) || (ex->is_tunnel && ex->sent == ex->phase),
              "nothing holds back a tunnel's phase");
    FE_ASSERT(!ex->is_tunnel || ex->sent != FE_EXCHANGE_RESPONDED,
              "an exchange is answered or becomes a tunnel");
    FE_ASSERT(!ex->is_tunnel || ex->request.upgrade.len > 0, "a tunnel was asked for");
    FE_ASSERT(ex->filters == NULL || ex->n_entered <= ex->filters->n,
              "a request passes each filter once");
    FE_ASSERT(ex->backend == NULL || ex->filters == NULL || !ex->filters->has_start ||
                  ex->n_filter_states == ex->filters->n,
              "filters that were passed have their state");
}
