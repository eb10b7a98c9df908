/* An exchange without a connection: a handler's test plays the client and sees what was answered.
 *
 * It fails the test when the handler breaks the contract of web/http/exchange.h: two heads, a body
 * before the head or beyond the announced length, a call after the end. The exchange's arena dies
 * with the exchange, so that the address sanitizer sees what still reads it. */
#ifndef TESTS_SUPPORT_FAKE_CLIENT_H
#define TESTS_SUPPORT_FAKE_CLIENT_H

#include "ground/base/buf.h"
#include "web/http/exchange.h"

enum { FAKE_FIELDS_MAX = 16 };

enum fake_state {
    FAKE_RUNNING,
    FAKE_ENDED,
    FAKE_ABORTED, /* by the handler */
    FAKE_GONE,    /* by the client */
};

struct fake_client {
    struct fe_exchange ex;
    struct fe_field request_fields[FAKE_FIELDS_MAX];
    size_t window;     /* body bytes that the client still takes; SIZE_MAX: any number */
    int respond_code;  /* what the next `respond` returns; not 0: it fails */
    bool is_forgetful; /* keeps neither fields nor body: allocates nothing */

    enum fake_state state;
    int status; /* 0: no head yet */
    uint64_t content_length;
    struct fe_arena arena; /* the response's */
    struct fe_fields fields;
    struct fe_buf body;
    size_t n_writes;
    bool was_resumed;
};

/* A request without body; the client takes everything. `path` may have a query. */
void fake_client_init(struct fake_client *fake, const char *method, const char *path);
void fake_client_add(struct fake_client *fake, const char *name, const char *value);
void fake_client_deinit(struct fake_client *fake);

/* The client takes `window` more bytes. */
void fake_client_take(struct fake_client *fake, size_t window);

/* The client is gone. */
void fake_client_leave(struct fake_client *fake);

/* The value of a field of the response, in memory of the fake; NULL: there is none. */
const char *fake_client_field(struct fake_client *fake, const char *name);

#endif
