/* Any bytes as a client's, through decoder and server, cut as the first byte says: nothing but
 * whole exchanges reaches the handler, each ends once, and the cuts do not change what is answered.
 * The rest of that byte says what becomes of a request for a tunnel, and whether the client ends
 * its direction. */
#include <stdlib.h>

#include "http_owner.h"
#include "web/http/h1/server.h"

enum { HEADER_MAX = 1024, OUTPUT_MAX = 64 * 1024 };

/* Of the first byte. */
enum {
    CUT = 0x0f,        /* one less than the bytes of a piece */
    TUNNELS = 0x10,    /* who asks for a tunnel gets one */
    ENDS_FIRST = 0x20, /* the handler ends its direction at once */
    IS_SLOW = 0x40,    /* it takes half of what it is offered */
    EOF_LAST = 0x80,   /* the client's FIN */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct client {
    struct fe_chain out;
    struct fe_timers timers;
    struct fe_exchange *ex;
    uint8_t mode;
    uint64_t n_body;
    bool is_held; /* the handler of a tunnel has not taken all */
    bool is_closed;
    char *text;
    size_t len;
};

static void check(bool holds)
{
    if (!holds) {
        abort();
    }
}

static size_t on_data(struct fe_exchange *ex, struct fe_view data)
{
    struct client *client = ex->state;

    check(client->ex == ex && data.len > 0);
    client->n_body += data.len;
    check(client->n_body <= ex->request.content_length);
    return data.len;
}

static void on_end(struct fe_exchange *ex, const struct fe_fields *trailers)
{
    struct client *client = ex->state;
    struct fe_response response = {.status = 200, .content_length = FE_BODY_UNKNOWN};

    check(client->ex == ex);
    check(ex->request.content_length == FE_BODY_UNKNOWN ||
          ex->request.content_length == client->n_body);
    client->ex = NULL;
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
    struct client *client = ex->state;

    check(client->ex == ex);
    client->ex = NULL;
}

/* ---- tunnels -------------------------------------------------------------------------------- */

/* Echoes, unless it has ended before. */
static size_t tunnel_on_data(struct fe_exchange *ex, struct fe_view data)
{
    struct client *client = ex->state;
    size_t n = (client->mode & IS_SLOW) != 0 ? (data.len + 1) / 2 : data.len;

    check(client->ex == ex && data.len > 0 && !client->is_held);
    if (ex->phase == FE_EXCHANGE_TUNNEL) {
        const ssize_t written = fe_exchange_write(ex, fe_view_of(data.ptr, n));

        check(written >= 0);
        n = (size_t)written;
    }
    client->is_held = n < data.len;
    return n;
}

static void tunnel_on_end(struct fe_exchange *ex, const struct fe_fields *trailers)
{
    struct client *client = ex->state;

    check(client->ex == ex && trailers->n == 0 && !client->is_held);
    client->ex = NULL;
    if (!fe_exchange_is_over(ex)) {
        fe_exchange_finish(ex, NULL);
    }
    check(fe_exchange_is_over(ex));
}

static void tunnel_on_writable(struct fe_exchange *ex)
{
    check(ex->phase == FE_EXCHANGE_TUNNEL);
}

static const struct fe_backend_ops tunnel_ops = {NULL, tunnel_on_data, tunnel_on_end,
                                                 tunnel_on_writable, on_reset};
static const struct fe_backend tunnel_backend = {&tunnel_ops};

static void open_tunnel(struct client *client)
{
    const struct fe_response response = {.status = 200, .content_length = FE_BODY_UNKNOWN};
    struct fe_exchange *ex = client->ex;

    ex->backend = &tunnel_backend;
    client->is_held = false;
    check(fe_exchange_tunnel(ex, &response) == 0);
    check(fe_exchange_write(ex, FE_VIEW_LIT("hi")) == 2);
    if ((client->mode & ENDS_FIRST) != 0) {
        fe_exchange_finish(ex, NULL);
    }
    if ((client->mode & IS_SLOW) != 0) {
        client->is_held = true; /* at first it takes nothing */
    } else {
        fe_exchange_resume(ex);
    }
}

static const struct fe_backend_ops handler_ops = {NULL, on_data, on_end, on_writable, on_reset};
static const struct fe_backend backend = {&handler_ops};

static void on_exchange(void *owner, struct fe_exchange *ex)
{
    struct client *client = owner;

    check(client->ex == NULL && !client->is_closed);
    check(ex->request.path.len > 0 && ex->request.method_text.len > 0);
    client->ex = ex;
    client->n_body = 0;
    ex->state = client;
    if ((client->mode & TUNNELS) != 0 && ex->request.upgrade.len > 0) {
        open_tunnel(client);
        return;
    }
    ex->backend = &backend;
    fe_exchange_resume(ex);
}

static void flush(void *owner)
{
    (void)owner;
}

static void close_connection(void *owner, bool reset)
{
    (void)reset;
    ((struct client *)owner)->is_closed = true;
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
};

/* Until nothing waits but what the client has not sent. */
static void settle(struct client *client, struct fe_http_server *server)
{
    do {
        if (client->ex != NULL && client->is_held) {
            client->is_held = false;
            fe_exchange_resume(client->ex);
        }
        fe_timers_run(&client->timers, NOW_MS);
        client->len +=
            fe_chain_read(&client->out, client->text + client->len, OUTPUT_MAX - client->len);
        fe_http_server_on_drain(server);
    } while (client->ex != NULL && client->is_held);
}

/* Feeds the bytes in pieces of `piece` and keeps what is answered. */
static void run(struct client *client, uint8_t mode, struct fe_view data, size_t piece)
{
    const struct fe_http_limits limits = {.header_max = HEADER_MAX};
    struct fe_http_server *server;

    *client = (struct client){.text = malloc(OUTPUT_MAX), .mode = mode};
    fe_timers_init(&client->timers);
    fe_chain_init(&client->out, NULL);
    server = fe_h1_server_new(&(struct fe_http_setup){
        .limits = &limits,
        .timers = &client->timers,
        .out = &client->out,
        .scheme = FE_VIEW_LIT("http"),
        .ops = &owner_ops,
        .owner = client,
    });
    check(client->text != NULL && server != NULL);
    for (size_t at = 0; at < data.len; at += piece) {
        size_t n = data.len - at < piece ? data.len - at : piece;

        fe_http_server_feed(server, fe_view_of(data.ptr + at, n));
        settle(client, server);
    }
    if ((mode & EOF_LAST) != 0) {
        fe_http_server_on_eof(server);
        settle(client, server);
        check(client->ex == NULL && client->is_closed);
    }
    fe_http_server_free(server);
    check(client->ex == NULL);
    fe_chain_deinit(&client->out);
    fe_timers_deinit(&client->timers);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct client whole;
    struct client cut;

    if (size < 2 || size > 16 * 1024) {
        return 0;
    }
    run(&whole, data[0], fe_view_of(data + 1, size - 1), size - 1);
    run(&cut, data[0], fe_view_of(data + 1, size - 1), 1 + (data[0] & CUT));
    /* Where the output is not bounded differently, the answers are the same. */
    check(whole.is_closed == cut.is_closed);
    if (whole.len == cut.len) {
        check(memcmp(whole.text, cut.text, whole.len) == 0);
    }
    free(whole.text);
    free(cut.text);
    return 0;
}
