/* An exchange without a protocol: writes down what the handler asks of it.
 *
 *     respond(200,#5,content-type=text/plain) write(hello) write(#70000) end abort resume
 *
 * and behind an end with trailers: trailer(name=value).
 */
#ifndef TESTS_SUPPORT_FAKE_EXCHANGE_H
#define TESTS_SUPPORT_FAKE_EXCHANGE_H

#include "support/trace.h"
#include "web/http/exchange.h"

struct fake_exchange {
    struct fe_exchange ex;
    struct trace *trace;
    size_t room;    /* bytes that writes still accept; SIZE_MAX: any number */
    int error;      /* not 0: what the next respond or write returns, once */
    bool is_over;   /* ended or aborted, a tunnel in both directions: no call may come any more */
    bool has_ended; /* ended, that is */
    int status;     /* of the response */
    size_t n_trailers;
    bool wants_body; /* resume was called, and since then everything offered was taken */
    bool wants_turn; /* defer was called */
    bool is_blocked; /* a write took less than it was given: on_writable is owed */
    /* Sees the bytes that a write takes. May be NULL. */
    void (*on_written)(struct fake_exchange *fake, struct fe_view data);
    void *arg;
};

/* A GET of "/" without body. */
void fake_exchange_init(struct fake_exchange *fake, struct trace *trace);
void fake_exchange_deinit(struct fake_exchange *fake);

/* As the protocol would: body bytes (returns how many were taken), the end of the body, space for
 * `room` more bytes, a client that goes away. */
size_t fake_exchange_body(struct fake_exchange *fake, const char *text);
size_t fake_exchange_body_view(struct fake_exchange *fake, struct fe_view data);
void fake_exchange_body_end(struct fake_exchange *fake);
void fake_exchange_body_end_with(struct fake_exchange *fake, const struct fe_fields *trailers);
void fake_exchange_writable(struct fake_exchange *fake, size_t room);
void fake_exchange_abort(struct fake_exchange *fake);
void fake_exchange_turn(struct fake_exchange *fake); /* that a filter has asked for */

#endif
