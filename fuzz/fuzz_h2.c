/* Any bytes as a client's, behind the preface, cut as the first byte says: nothing but whole
 * exchanges reaches the handler, each ends once, no body is longer than announced, and what waits
 * is bounded. The client reads everything, or from the second byte's lowest bit on nothing. */
#include <stdlib.h>

#include "http_owner.h"
#include "web/http/h2/connection.h"

enum { HEADER_MAX = 1024, INPUT_MAX = 64 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct client {
    struct fe_chain out;
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

static const struct fe_http_owner_ops owner_ops = {
    .on_exchange = on_exchange,
    .flush = flush,
    .set_reading = set_reading,
    .close = close_connection,
    .now_ms = now_ms,
    .written = written,
    .is_all_acked = is_all_acked,
    .date = date,
    .on_abuse = on_abuse,
};

static void feed(struct client *client, struct fe_http_server *server, struct fe_view data,
                 bool reads)
{
    const struct fe_h2_server *inside = FE_CONTAINER_OF(server, struct fe_h2_server, base);

    fe_http_server_feed(server, data);
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
    struct client client = {.wants_run = false};
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
    fe_timers_init(&timers);
    fe_chain_init(&client.out, NULL);
    server = fe_h2_server_new(&setup, &counters);
    check(server != NULL);
    piece = data[0] == 0 ? size : data[0];
    feed(&client, server, FE_VIEW_LIT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), true);
    for (size_t at = 2; at < size; at += piece) {
        size_t n = size - at < piece ? size - at : piece;

        feed(&client, server, fe_view_of(data + at, n), (data[1] & 1) == 0);
    }
    fe_http_server_free(server);
    check(client.n_running == 0);
    fe_chain_deinit(&client.out);
    fe_timers_deinit(&timers);
    return 0;
}
