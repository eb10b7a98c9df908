/* A crossing whose two sides the test runs, in whatever order it likes: a fake exchange on the near
 * one, a fake provider of "echo" on the far one. Nothing here aborts when memory runs out, so the
 * fault layer runs it too. */
#ifndef TESTS_SUPPORT_CROSSINGS_H
#define TESTS_SUPPORT_CROSSINGS_H

#include "gateway/relay/crossing.h"
#include "gateway/relay/service.h"
#include "support/fake_exchange.h"
#include "support/fake_peer.h"

enum {
    CROSSINGS_STREAM = 100, /* of the first request */
    CROSSINGS_TIMEOUT_MS = 1000,
};

/* What a worker has for it. */
struct crossings_side {
    struct fe_list tasks;
    struct fe_list deferreds;
};

struct crossings {
    struct trace client;  /* what the fake exchange is asked for */
    struct trace service; /* what the provider gets */
    bool is_direct;       /* no crossing: the service's backend, to compare with */
    size_t n_more_params; /* of the route, "a" and so on, beside "id" */
    /* The near side. */
    struct crossings_side near;
    struct fake_exchange fake;
    struct fe_crossing_channel channel;
    struct fe_crossing_backend crossing_backend;
    size_t n_others;              /* bytes that other crossings of the line hold */
    bool has_crossed;             /* no filter has answered before */
    size_t n_empty;               /* calls of on_empty */
    struct fe_crossing *crossing; /* there while line.n_crossings > 0 */
    /* The far side. */
    struct crossings_side far;
    struct fe_rng_seeded seeded;
    struct fe_registry registry;
    struct fe_timers timers;
    struct fe_pool pool;
    uint64_t now_ms;
    struct fe_mesh_access mesh;
    struct fe_service_backend service_backend;
    struct fake_peer provider;
    struct fe_view services[1];
    struct fe_config_route route; /* its limits and nocache: by filters, as the gateway has it */
    struct fe_arena filter_arena;
    struct crossings_lent *lent;
};

/* `is_secure`: the provider has windows and takes trailers. */
void crossings_init(struct crossings *crossings, bool is_secure);
/* From now on other crossings hold as much as all of the line may. */
void crossings_fill_channel(struct crossings *crossings);
/* The exchange and the crossing must be over. */
void crossings_deinit(struct crossings *crossings);

/* A field of the request. */
void crossings_add_field(struct crossings *crossings, const char *name, const char *value);

/* Serves the exchange, with a parameter "id", from 192.0.2.1:5000. Whatever the crossing may
 * not keep is gone afterwards. */
void crossings_serve(struct crossings *crossings);
/* As a POST with a body of this length. */
void crossings_serve_post(struct crossings *crossings, uint64_t length);

/* As a worker does: the tasks that are there; what is to be done later, until nothing is; both. */
void crossings_run_tasks(struct crossings_side *side);
void crossings_run_deferred(struct crossings_side *side);
void crossings_run(struct crossings_side *side);
/* Both sides until they have nothing to do. */
void crossings_settle(struct crossings *crossings);
bool crossings_is_idle(const struct crossings *crossings);

/* The client goes away, and with it whatever its protocol has for the exchange. */
void crossings_leave(struct crossings *crossings);

/* The provider: a head with encoded headers, in memory that is gone afterwards; bytes; the end; and
 * its connection is lost. Nothing happens once it is. */
void crossings_respond(struct crossings *crossings, struct fe_headers headers);
void crossings_data(struct crossings *crossings, struct fe_view data);
void crossings_end(struct crossings *crossings);
void crossings_lose(struct crossings *crossings);

/* Lets time pass on the far side. */
void crossings_pass(struct crossings *crossings, uint64_t ms);

/* Bytes that a crossing holds towards the service and towards the client; memory blocks likewise.
 */
size_t crossings_held_up(const struct crossings *crossings);
size_t crossings_held_down(const struct crossings *crossings);
size_t crossings_blocks(const struct crossings *crossings);

#endif
