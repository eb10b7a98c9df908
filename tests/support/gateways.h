/* A gateway on a thread of its own, for tests with real sockets. */
#ifndef TESTS_SUPPORT_GATEWAYS_H
#define TESTS_SUPPORT_GATEWAYS_H

#include "gateway/server/gateway.h"
#include "ground/uv/task_queue.h"
#include "support/http_client.h"
#include "support/nodes.h"

struct gateway {
    pthread_t thread;
    struct fe_worker *worker;
    struct fe_gateway *gateway;
    struct fe_task stop_task;
    struct journal journal; /* what it logs */
    const char *toml;
    struct http_client ballast;  /* keeps the first of two workers busy */
    uint16_t port;               /* of the first HTTP address */
    char addr[FE_ADDR_TEXT_MAX]; /* of the node */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_ready; /* under `lock` */
};

/* Gateways have one worker; from this call on `n`. With more than one the first has a client
 * already: so the first one of a test comes to another, which reaches the mesh by crossing. */
void gateway_use_workers(unsigned n);

/* Starts a gateway with this configuration, which names no addresses: the node listens on a free
 * port of 127.0.0.1; the text is expected to begin within the first [[http]], whose `addr` is
 * given.
 */
void gateway_start(struct gateway *gateway, const char *toml);

/* A configuration as gateway_start reads one. */
struct fe_config *gateway_config(const char *toml);

/* From now on it serves by this one; returns when its own worker does, and the others will. */
void gateway_replace(struct gateway *gateway, struct fe_config *config);

/* Asks it to stop, once more if it was asked before. */
void gateway_stop(struct gateway *gateway);

/* Waits until it has stopped. */
void gateway_join(struct gateway *gateway);

#endif
