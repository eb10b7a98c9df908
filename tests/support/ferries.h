/* A ferry whose two sides the test runs, in whatever order it likes: a fake exchange on the near
 * one, a fake provider of "echo" on the far one. Nothing here aborts when memory runs out, so the
 * fault layer runs it too. */
#ifndef TESTS_SUPPORT_FERRIES_H
#define TESTS_SUPPORT_FERRIES_H

#include "gateway/relay/ferry.h"
#include "support/fake_exchange.h"
#include "support/fake_peer.h"

enum {
    FERRIES_STREAM = 100, /* of the first request */
    FERRIES_TIMEOUT_MS = 1000,
};

/* What a worker has for it. */
struct ferries_side {
    struct fe_list mails;
    struct fe_list laters;
};

struct ferries {
    struct trace client;  /* what the fake exchange is asked for */
    struct trace service; /* what the provider gets */
    bool is_direct;       /* no ferry: fe_service_serve, to compare with */
    /* The near side. */
    struct ferries_side near;
    struct fake_exchange fake;
    struct fe_ferry_line line;
    size_t n_others;        /* bytes that other ferries of the line hold */
    size_t n_empty;         /* calls of on_empty */
    struct fe_ferry *ferry; /* there while line.n_ferries > 0 */
    /* The far side. */
    struct ferries_side far;
    struct fe_rng_seeded seeded;
    struct fe_registry registry;
    struct fe_timers timers;
    struct fe_pool pool;
    uint64_t now_ms;
    struct fe_mesh_access mesh;
    struct fake_peer provider;
    struct fe_view services[1];
    struct fe_config_route route;
    struct ferries_lent *lent;
};

/* `is_full`: the provider has windows and takes trailers. */
void ferries_init(struct ferries *ferries, bool is_full);
/* From now on other ferries hold as much as all of the line may. */
void ferries_fill_line(struct ferries *ferries);
/* The exchange and the ferry must be over. */
void ferries_deinit(struct ferries *ferries);

/* A field of the request. */
void ferries_add_field(struct ferries *ferries, const char *name, const char *value);

/* Serves the exchange, with a parameter "id", from 192.0.2.1:5000. Whatever fe_ferry_serve may not
 * keep is gone afterwards. */
void ferries_serve(struct ferries *ferries);
/* As a POST with a body of this length. */
void ferries_serve_post(struct ferries *ferries, uint64_t length);

/* As a worker does: the mails that are there; what is to be done later, until nothing is; both. */
void ferries_run_mails(struct ferries_side *side);
void ferries_run_laters(struct ferries_side *side);
void ferries_run(struct ferries_side *side);
/* Both sides until they have nothing to do. */
void ferries_settle(struct ferries *ferries);
bool ferries_is_idle(const struct ferries *ferries);

/* The client goes away, and with it whatever its protocol has for the exchange. */
void ferries_leave(struct ferries *ferries);

/* The provider: a head with encoded headers, in memory that is gone afterwards; bytes; the end; and
 * its connection is lost. Nothing happens once it is. */
void ferries_respond(struct ferries *ferries, struct fe_headers headers);
void ferries_data(struct ferries *ferries, struct fe_view data);
void ferries_end(struct ferries *ferries);
void ferries_lose(struct ferries *ferries);

/* Lets time pass on the far side. */
void ferries_pass(struct ferries *ferries, uint64_t ms);

/* Bytes that a ferry holds towards the service and towards the client; memory blocks likewise. */
size_t ferries_held_up(const struct ferries *ferries);
size_t ferries_held_down(const struct ferries *ferries);
size_t ferries_blocks(const struct ferries *ferries);

#endif
