/* A provider that the test plays, on a real socket: an anonymous node that does with its session
 * whatever the test likes. Blocking; whatever takes longer than 20 seconds fails the test. */
#ifndef TESTS_SUPPORT_PROVIDER_H
#define TESTS_SUPPORT_PROVIDER_H

#include "mesh/session/session.h"

struct provider {
    int fd;
    struct fe_rng_seeded seeded;
    struct fe_rng rng;
    struct fe_self self;
    struct fe_view service;
    struct fe_chain out;
    struct fe_session session;
    uint32_t stream;   /* of the last request */
    size_t n_requests; /* received so far */
    size_t n_ends;     /* requests whose body has ended */
    bool has_nodes;    /* the answer to the last FindNode has come */
    uint32_t look_token;
    size_t n_looks; /* FindNode answered so far */
};

/* Connects to "host:port" and offers one service; returns when the other side knows. */
void provider_join(struct provider *provider, const char *addr, const char *service);

/* The same as what `self` says it is, besides anonymous and its service. */
void provider_join_as(struct provider *provider, const char *addr, const char *service,
                      const struct fe_self *self);

/* Sends a request without headers, and waits for the end of its response. */
void provider_ask(struct provider *provider, const char *service);

/* Sends a request with this one header, whose body has not ended. */
void provider_begin(struct provider *provider, const char *service, const char *name,
                    const char *value);

/* Closes the connection, at once. */
void provider_leave(struct provider *provider);

/* Waits for the next request, whose stream is then `stream`; for the end of all their bodies. */
void provider_wait_request(struct provider *provider);
void provider_wait_ends(struct provider *provider);

/* Waits for the next FindNode, which it answers. */
void provider_wait_look(struct provider *provider);

/* Answers on `stream`: a head with this one header (NULL: none), bytes, the end. */
void provider_respond(struct provider *provider, bool handled, const char *name, const char *value);
void provider_data(struct provider *provider, const char *text);
void provider_end(struct provider *provider);

/* Sends a record with this plaintext. */
void provider_send_record(struct provider *provider, const uint8_t *plaintext, size_t len);

/* The same in a secure session, with packets of its dialect. */
void provider_send_packets(struct provider *provider, struct fe_view packets);

/* Sends bytes that are no record. */
void provider_send_raw(struct provider *provider, const void *data, size_t len);

/* Waits until the other side has closed the connection. */
void provider_wait_closed(struct provider *provider);

#endif
