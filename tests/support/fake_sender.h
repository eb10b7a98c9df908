/* A session's sending side without a session: writes what is sent into a trace. With a `head_max`
 * it refuses requests with more bytes of headers.
 *
 *     request(1,echo) response(2) response(2,unhandled) data(1,hello) data(1,#2048) end(1)
 *
 * and, once it is secure:
 *
 *     end(1,first-trailer) reset(1,CANCEL) window(0,32768)
 */
#ifndef TESTS_SUPPORT_FAKE_SENDER_H
#define TESTS_SUPPORT_FAKE_SENDER_H

#include "mesh/wire/event.h"
#include "support/trace.h"

enum fake_sent {
    FAKE_SENT_REQUEST,
    FAKE_SENT_DATA,
    FAKE_SENT_END,
};

struct fake_sender {
    struct fe_sender sender;
    struct trace *trace;
    uint32_t next_stream; /* grows by 2 */
    size_t space;         /* what may be sent; data takes from it unless it is SIZE_MAX */
    int error;            /* not 0: what is to be sent next is not, and this is returned once */
    size_t n_sent;        /* packets of any kind */
    size_t n_granted;     /* by WINDOW to the connection */
    bool shows_headers;   /* of requests: request(1,echo,name=value) */
    /* Sees each request, piece of a body and end. May be NULL. */
    void (*on_sent)(struct fake_sender *fake, enum fake_sent what, uint32_t stream,
                    struct fe_view bytes);
    void *arg;
};

void fake_sender_init(struct fake_sender *fake, struct trace *trace, uint32_t first_stream);

/* Body bytes as the trace shows them: short text as it is, else "#length". */
const char *fake_body(struct fe_view bytes, char text[24]);

#endif
