/* Any bytes as a client's, behind the preface, cut as the first byte says: nothing but whole
 * exchanges reaches the handler, each ends once, no body is longer than announced, and what waits
 * is bounded. The client reads everything, or from the second byte's lowest bit on nothing; the
 * rest of that byte says what becomes of a request for a tunnel. */
#include <stdlib.h>

#include "http_owner.h"
#include "web/http/h2/connection.h"

enum { HEADER_MAX = 1024, INPUT_MAX = 64 * 1024, HELD_MAX = 16 };

/* Of the second byte. */
enum {
    IS_UNREAD = 0x01,
    TUNNELS = 0x02,    /* are offered, and who asks for one gets it */
    ENDS_FIRST = 0x04, /* the handler ends its direction at once */
    IS_SLOW = 0x08,    /* it takes half of what it is offered */
    IS_DEAF = 0x10,    /* it asks for nothing */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct client {
    struct fe_chain out;
    uint8_t mode;
    struct fe_exchange *held[HELD_MAX]; /* tunnels whose handler has not taken all */
    size_t n_held;
    size_t n_running;
    bool wants_run;
    bool is_closed;
};

static void check(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* How much of an announced body is still to come is kept where the server does not look. */
static size_t on_data(struct fe_exchange *ex, struct fe_view data)
{
    check(data.len > 0 && data.len <= ex->request.content_length);
    if (ex->request.content_length != FE_BODY_UNKNOWN) {
        ex->request.content_length -= data.len;
    }
    return data.len;
}

static void on_end(struct fe_exchange *ex, const struct fe_fields *trailers)
{
    struct client *client = ex->state;
    struct fe_response response = {.status = 200, .content_length = FE_BODY_UNKNOWN};

    check(ex->request.content_length == FE_BODY_UNKNOWN || ex->request.content_length == 0);
    client->n_running--;
    check(fe_exchange_respond(ex, &response) == 0);
    check(fe_exchange_write(ex, ex->request.path) == (ssize_t)ex->request.path.len);
    fe_exchange_finish(ex, trailers);
}

static void on_writable(struct fe_exchange *ex)
{
    (void)ex;
    check(false); /* this handler never writes more than is taken */
}

static void on_reset(struct fe_exchange *ex, int code)
{
    (void)code;
    ((struct client *)ex->state)->n_running--;
}

/* ---- tunnels -------------------------------------------------------------------------------- */

/* It is to be asked for the rest; false: there are too many of them. */
static bool hold(struct client *client, struct fe_exchange *ex)
{
    if (client->n_held == HELD_MAX) {
        return false;
    }
    client->held[client->n_held++] = ex;
    return true;
}

static void forget(struct client *client, const struct fe_exchange *ex)
{
    for (size_t i = 0; i < client->n_held; i++) {
        if (client->held[i] == ex) {
            client->held[i] = client->held[--client->n_held];
            return;
        }
    }
}

static void go_on(struct client *client)
{
    while (client->n_held > 0) {
        fe_exchange_resume(client->held[--client->n_held]);
    }
}

/* Echoes, unless it has ended before. */
static size_t tunnel_on_data(struct fe_exchange *ex, struct fe_view data)
{
    struct client *client = ex->state;
    size_t n = data.len;

    check(data.len > 0);
    if ((client->mode & IS_SLOW) != 0 && data.len > 1 && hold(client, ex)) {
        n = data.len / 2;
    }
    if (ex->phase == FE_EXCHANGE_TUNNEL) {
        const ssize_t written = fe_exchange_write(ex, fe_view_of(data.ptr, n));

        check(written >= 0);
        if ((size_t)written < n) {
            forget(client, ex); /* on_writable goes on */
        }
        n = (size_t)written;
    }
    return n;
}

static void tunnel_on_end(struct fe_exchange *ex, const struct fe_fields *trailers)
{
    struct client *client = ex->state;

    (void)trailers;
    client->n_running--;
    forget(client, ex);
    if (!fe_exchange_is_over(ex)) {
        fe_exchange_finish(ex, NULL);
    }
    check(fe_exchange_is_over(ex));
}

static void tunnel_on_writable(struct fe_exchange *ex)
{
    check(ex->phase == FE_EXCHANGE_TUNNEL);
    fe_exchange_resume(ex);
}

static void tunnel_on_reset(struct fe_exchange *ex, int code)
{
    forget(ex->state, ex);
    on_reset(ex, code);
}

static const struct fe_backend_ops tunnel_ops = {NULL, tunnel_on_data, tunnel_on_end,
                                                 tunnel_on_writable, tunnel_on_reset};
static const struct fe_backend tunnel_backend = {&tunnel_ops};

static void open_tunnel(struct client *client, struct fe_exchange *ex)
{
    const struct fe_response response = {.status = 200, .content_length = FE_BODY_UNKNOWN};

    ex->backend = &tunnel_backend;
    check(fe_exchange_tunnel(ex, &response) == 0);
    check(fe_exchange_write(ex, FE_VIEW_LIT("hi")) == 2);
    if ((client->mode & ENDS_FIRST) != 0) {
        fe_exchange_finish(ex, NULL);
    }
    if ((client->mode & IS_DEAF) == 0 && ((client->mode & IS_SLOW) == 0 || !hold(client, ex))) {
        fe_exchange_resume(ex);
    }
}

static const struct fe_backend_ops handler_ops = {NULL, on_data, on_end, on_writable, on_reset};
static const struct fe_backend backend = {&handler_ops};

static void on_exchange(void *owner, struct fe_exchange *ex)
{
    struct client *client = owner;

    check(!client->is_closed);
    check(ex->request.path.len > 0 && ex->request.method_text.len > 0);
    check(ex->request.fields.n <= FE_FIELDS_MAX);
    client->n_running++;
    ex->state = client;
    check(ex->request.upgrade.len == 0 || (client->mode & TUNNELS) != 0);
    if (ex->request.upgrade.len > 0) {
        open_tunnel(client, ex);
        return;
    }
    ex->backend = &backend;
    fe_exchange_resume(ex);
}

static void flush(void *owner)
{
    ((struct client *)owner)->wants_run = true;
}

static void close_connection(void *owner, bool reset)
{
    (void)reset;
    ((struct client *)owner)->is_closed = true;
}

static void on_abuse(void *owner, const char *what)
{
    (void)owner;
    (void)what;
}

static void on_slow(void *owner, enum fe_http_slow what)
{
    (void)owner;
    (void)what;
}

static const struct fe_http_owner_ops owner_ops = {
    .on_exchange = on_exchange,
    .flush = flush,
    .set_reading = set_reading,
    .close = close_connection,
    .now_ms = now_ms,
    .written = written,
    .queued = written,
    .waited_ms = written,
    .on_slow = on_slow,
    .is_all_acked = is_all_acked,
    .date = date,
    .on_abuse = on_abuse,
};

static void feed(struct client *client, struct fe_http_server *server, struct fe_view data)
{
    const struct fe_h2_server *inside = FE_CONTAINER_OF(server, struct fe_h2_server, base);
    const bool reads = (client->mode & IS_UNREAD) == 0;

    fe_http_server_feed(server, data);
    go_on(client);
    for (int i = 0; client->wants_run && i < 1000; i++) {
        client->wants_run = false;
        fe_http_server_run(server);
        if (reads) {
            fe_chain_consume(&client->out, client->out.len);
            fe_http_server_on_drain(server);
        }
    }
    check(!client->wants_run);
    check(inside->n_streams <= FE_H2_STREAMS_MAX);
    check(inside->n_held <= FE_H2_HELD_MAX + FE_H2_CONNECTION_WINDOW);
    check(inside->n_heads <= FE_H2_HEADS_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct fe_http_limits limits = {.header_max = HEADER_MAX};
    struct fe_h2_counters counters = {0};
    struct client client = {.mode = 0};
    struct fe_timers timers;
    struct fe_http_server *server;
    struct fe_http_setup setup = {
        .limits = &limits,
        .timers = &timers,
        .out = &client.out,
        .scheme = FE_VIEW_LIT("http"),
        .ops = &owner_ops,
        .owner = &client,
    };
    size_t piece;

    if (size < 3 || size > INPUT_MAX) {
        return 0;
    }
    setup.has_tunnels = (data[1] & TUNNELS) != 0;
    fe_timers_init(&timers);
    fe_chain_init(&client.out, NULL);
    server = fe_h2_server_new(&setup, &counters);
    check(server != NULL);
    piece = data[0] == 0 ? size : data[0];
    feed(&client, server, FE_VIEW_LIT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
    client.mode = data[1];
    for (size_t at = 2; at < size; at += piece) {
        size_t n = size - at < piece ? size - at : piece;

        feed(&client, server, fe_view_of(data + at, n));
    }
    fe_http_server_free(server);
    check(client.n_running == 0);
    fe_chain_deinit(&client.out);
    fe_timers_deinit(&timers);
    return 0;
}
