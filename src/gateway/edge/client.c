/* The life of a client.
 *
 * Happy path: in clear text the server is made at once; where TLS is expected, when the handshake
 * is done. The server's output waits in `plain` and is encrypted at the end of each turn, as long
 * as the connection accepts it: a client that does not read blocks the writer, with TLS or without.
 *
 * Failure modes: a handshake takes too long or fails: the client is told what TLS has to say, and
 * closed. A request in clear text where TLS is expected: it is answered in clear text, with 400.
 * What is neither is closed. */
#include "gateway/edge/client.h"

#include <stdlib.h>

#include "ground/base/assert.h"
#include "web/http/h1/server.h"
#include "web/http/h2/server.h"
#include "web/http/problem.h"

/* Encrypted output is a stage more: what waits there is in addition to the server's own. */
enum { LOW_WATER = FE_HTTP_OUT_HIGH_WATER / 4 };

/* ---- what the HTTP server asks for ---------------------------------------------------------- */

static void refuse_cleartext(const struct fe_backend *backend, struct fe_exchange *ex)
{
    (void)backend;
    fe_problem_respond(ex, 400, "this address serves HTTPS only: use https://");
}

static const struct fe_backend_ops cleartext_ops = {.start = refuse_cleartext};
static const struct fe_backend cleartext = {&cleartext_ops};

/* A CA's challenge is answered whatever else is served there. */
static const struct fe_backend *backend_for(const struct fe_client *client,
                                            const struct fe_request *request)
{
    const struct fe_http_listener *listener = client->listener;
    const struct fe_snapshot_http *http = &listener->snapshot->http[listener->setup.http];

    if (client->is_cleartext) {
        return &cleartext;
    }
    if (fe_acme_answers_have(listener->setup.answers, request)) {
        return &listener->answers.backend;
    }
    return listener->config->n_targets > 0 ? &http->redirect.backend : &http->dispatch.backend;
}

static void on_exchange(void *owner, struct fe_exchange *ex)
{
    const struct fe_client *client = owner;

    /* Held by the exchange, and given back with it: the listener may be given another one. */
    FE_ASSERT(client->listener->snapshot != NULL, "a listener with clients is open");
    ex->snapshot = fe_refcount_ref(&client->listener->snapshot->refs);
    client->listener->setup.stats->exchanges++;
    ex->filters = client->listener->config->filters;
    fe_backend_start(backend_for(client, &ex->request), ex);
}

static void flush(void *owner)
{
    fe_conn_flush(((struct fe_client *)owner)->conn);
}

static void set_reading(void *owner, bool reading)
{
    struct fe_client *client = owner;

    if (reading) {
        fe_conn_resume(client->conn);
    } else {
        fe_conn_pause(client->conn);
    }
}

/* Encrypts what the connection has room for. After the last response: sends close_notify. */
static void pump(struct fe_client *client)
{
    if (client->tls == NULL) {
        return;
    }
    if (fe_tls_pump(client->tls, &client->plain) != 0) {
        fe_conn_abort(client->conn);
        return;
    }
    if (client->is_finishing && client->plain.len == 0) {
        fe_tls_close(client->tls);
        fe_conn_finish(client->conn);
    }
}

static void close_client(void *owner, bool reset)
{
    struct fe_client *client = owner;

    client->is_finishing = true;
    if (reset) {
        fe_conn_abort(client->conn);
    } else if (client->tls != NULL) {
        pump(client);
    } else {
        fe_conn_finish(client->conn);
    }
}

static uint64_t now_ms(void *owner)
{
    return fe_worker_now(((struct fe_client *)owner)->listener->setup.worker);
}

static uint64_t written(void *owner)
{
    return fe_conn_n_acked(((struct fe_client *)owner)->conn);
}

static uint64_t queued(void *owner)
{
    const struct fe_client *client = owner;

    return fe_conn_n_written(client->conn) + fe_conn_out(client->conn)->len + client->plain.len;
}

static uint64_t waited_ms(void *owner)
{
    return fe_conn_waited_ms(((struct fe_client *)owner)->conn);
}

static bool is_all_acked(void *owner)
{
    const struct fe_client *client = owner;

    return client->plain.len == 0 && fe_conn_is_all_acked(client->conn);
}

static struct fe_view date(void *owner)
{
    return fe_date_now(&((struct fe_client *)owner)->listener->date, now_ms(owner));
}

/* Lines that clients cause are limited together. */
static bool may_log(struct fe_client *client)
{
    struct fe_http_listener *listener = client->listener;

    return fe_log_limit_passes(&listener->client_lines, listener->setup.log, FLATEND_LOG_INFO,
                               "HTTP clients", now_ms(client));
}

static void on_abuse(void *owner, const char *what)
{
    struct fe_client *client = owner;

    if (may_log(client)) {
        fe_log(client->listener->setup.log, FLATEND_LOG_INFO,
               "Closing the HTTP connection from %s: %s.", client->remote, what);
    }
}

static void on_slow(void *owner, enum fe_http_slow what)
{
    struct fe_client *client = owner;
    struct fe_edge_stats *stats = client->listener->setup.stats;
    const bool is_reader = what == FE_HTTP_SLOW_READER;

    stats->slow_readers += is_reader ? 1 : 0;
    stats->slow_senders += is_reader ? 0 : 1;
    if (may_log(client)) {
        fe_log(client->listener->setup.log, FLATEND_LOG_INFO,
               "Cutting off the HTTP client %s: it %s more slowly than timeout.min_rate allows.",
               client->remote, is_reader ? "takes a response" : "sends a request body");
    }
}

static const struct fe_http_owner_ops server_ops = {
    .on_exchange = on_exchange,
    .flush = flush,
    .set_reading = set_reading,
    .close = close_client,
    .now_ms = now_ms,
    .written = written,
    .queued = queued,
    .waited_ms = waited_ms,
    .is_all_acked = is_all_acked,
    .date = date,
    .on_abuse = on_abuse,
    .on_slow = on_slow,
};

static struct fe_http_setup setup_of(struct fe_client *client)
{
    const struct fe_http_listener *listener = client->listener;
    const bool is_tls = client->tls != NULL;

    return (struct fe_http_setup){
        .limits = client->limits,
        .timers = fe_worker_timers(listener->setup.worker),
        .out = is_tls ? &client->plain : fe_conn_out(client->conn),
        .remote = fe_view_str(client->remote),
        .scheme = is_tls ? FE_VIEW_LIT("https") : FE_VIEW_LIT("http"),
        .has_tunnels = listener->setup.has_tunnels,
        .filters = client->filters,
        .ops = &server_ops,
        .owner = client,
    };
}

static int start_server(struct fe_client *client)
{
    const struct fe_http_setup setup = setup_of(client);
    const bool is_h2 = client->tls != NULL && fe_tls_protocol(client->tls) == FE_TLS_HTTP_2;

    FE_ASSERT(client->server == NULL, "a client has one server");
    client->server =
        is_h2 ? fe_h2_server_new(&setup, &client->listener->h2) : fe_h1_server_new(&setup);
    return client->server != NULL ? 0 : FLATEND_ENOMEM;
}

/* ---- clear text: which version -------------------------------------------------------------- */

/* FLATEND_ENOMEM: as before. */
static int change_to_h2(struct fe_client *client)
{
    const struct fe_http_setup setup = setup_of(client);
    struct fe_http_server *server = fe_h2_server_new(&setup, &client->listener->h2);

    FE_ASSERT(client->tls == NULL, "with TLS the version is known before");
    if (server == NULL) {
        return FLATEND_ENOMEM;
    }
    fe_http_server_free(client->server);
    client->server = server;
    return 0;
}

/* Which version it is shows with the first bytes; the server of HTTP/1.1 is there from the
 * beginning, for the time that they may take, and is given none of them until then. */
static void detect(struct fe_client *client, struct fe_view data)
{
    enum fe_http_detected detected = fe_http_detect(&client->detect, data);
    struct fe_view seen = fe_http_detect_seen(&client->detect);

    if (detected == FE_HTTP_DETECT_MORE && !client->is_finishing) {
        return;
    }
    client->is_detecting = false;
    if (detected == FE_HTTP_DETECT_HTTP_2 && !client->is_finishing && change_to_h2(client) != 0) {
        close_client(client, true);
        return;
    }
    if (seen.len > 0) {
        fe_http_server_feed(client->server, seen);
    }
    fe_http_server_feed(client->server, data);
}

/* ---- what TLS tells ------------------------------------------------------------------------- */

static void stop_handshake_timer(struct fe_client *client)
{
    fe_timer_stop(fe_worker_timers(client->listener->setup.worker), &client->handshake);
}

static void tls_on_open(void *owner)
{
    struct fe_client *client = owner;

    if (fe_tls_protocol(client->tls) == FE_TLS_ACME) {
        /* RFC 8737 §3: no more is said on such a connection. The timer sees to its end. */
        close_client(client, false);
        return;
    }
    stop_handshake_timer(client);
    client->listener->setup.stats->handshakes++;
    if (start_server(client) != 0) {
        fe_conn_abort(client->conn);
    }
}

static void tls_on_read(void *owner, uint8_t *data, size_t len)
{
    struct fe_client *client = owner;

    if (client->server != NULL) {
        fe_http_server_feed(client->server, fe_view_of(data, len));
    }
}

static void end_client(struct fe_client *client)
{
    if (client->server == NULL) {
        fe_conn_close(client->conn);
    } else if (!client->has_ended) {
        client->has_ended = true;
        fe_http_server_on_eof(client->server);
    }
}

static void tls_on_eof(void *owner)
{
    end_client(owner);
}

static const struct fe_tls_ops tls_ops = {
    .on_open = tls_on_open,
    .on_read = tls_on_read,
    .on_eof = tls_on_eof,
};

/* Whatever is left to say about it is said; then there is nothing to wait for. */
static void fail_tls(struct fe_client *client, const struct flatend_error *err)
{
    fe_log(client->listener->setup.log, FLATEND_LOG_DEBUG,
           "Closing the HTTP connection from %s: %s.", client->remote, err->text);
    client->listener->setup.stats->tls_failures++;
    fe_conn_write_now(client->conn);
    fe_conn_close(client->conn);
}

static void feed_tls(struct fe_client *client, struct fe_view data)
{
    struct flatend_error err;

    if (fe_tls_feed(client->tls, data, &err) != 0) {
        fail_tls(client, &err);
    } else if (fe_conn_out(client->conn)->len > 0) {
        fe_conn_flush(client->conn);
    }
}

/* The first bytes say whether the client knows what it connected to. */
static void begin(struct fe_client *client, struct fe_view data)
{
    struct fe_http_listener *listener = client->listener;

    FE_ASSERT(data.len > 0 && listener->setup.store != NULL, "TLS begins with a byte");
    switch (fe_tls_detect(data.ptr[0])) {
    case FE_TLS_DETECT_TLS:
        client->tls =
            fe_tls_server_new(listener->setup.store, fe_conn_out(client->conn), &tls_ops, client);
        if (client->tls == NULL) {
            fe_conn_close(client->conn);
            return;
        }
        fe_conn_set_high_water(client->conn, FE_TLS_OUT_MAX);
        feed_tls(client, data);
        break;
    case FE_TLS_DETECT_HTTP:
        client->is_cleartext = true;
        stop_handshake_timer(client);
        if (start_server(client) != 0) {
            fe_conn_close(client->conn);
            return;
        }
        fe_http_server_feed(client->server, data);
        break;
    case FE_TLS_DETECT_NEITHER:
        fe_conn_close(client->conn);
        break;
    }
}

static void on_handshake_timeout(struct fe_timer *timer)
{
    struct fe_client *client = FE_CONTAINER_OF(timer, struct fe_client, handshake);

    fe_conn_close(client->conn);
}

/* ---- what the connection tells -------------------------------------------------------------- */

static void on_read(void *owner, uint8_t *data, size_t len)
{
    struct fe_client *client = owner;
    const struct fe_view view = fe_view_of(data, len);

    client->listener->setup.stats->bytes_received += len;
    if (client->tls != NULL) {
        feed_tls(client, view);
    } else if (client->is_detecting) {
        detect(client, view);
    } else if (client->server != NULL) {
        fe_http_server_feed(client->server, view);
    } else {
        begin(client, view);
    }
}

static void on_eof(void *owner)
{
    end_client(owner);
}

/* What has left since the last time: not more than a turn's output is missing. */
static void count_sent(struct fe_client *client)
{
    uint64_t n_written = fe_conn_n_written(client->conn);

    FE_ASSERT(n_written >= client->n_sent, "what was sent stays sent");
    client->listener->setup.stats->bytes_sent += n_written - client->n_sent;
    client->n_sent = n_written;
}

static void on_flush(void *owner)
{
    struct fe_client *client = owner;

    count_sent(client);
    if (client->server != NULL) {
        fe_http_server_run(client->server);
    }
    pump(client);
}

static void on_drain(void *owner)
{
    struct fe_client *client = owner;

    pump(client);
    if (client->tls != NULL && fe_conn_out(client->conn)->len > 0) {
        fe_conn_flush(client->conn);
    }
    if (client->server != NULL && client->plain.len <= LOW_WATER) {
        fe_http_server_on_drain(client->server);
    }
}

static void on_close(void *owner, int code)
{
    struct fe_client *client = owner;
    struct fe_http_listener *listener = client->listener;

    (void)code; /* clients come and go */
    count_sent(client);
    stop_handshake_timer(client);
    fe_http_server_free(client->server);
    fe_tls_free(client->tls);
    fe_chain_deinit(&client->plain);
    fe_list_remove(&client->link);
    fe_snapshot_unref(client->snapshot);
    free(client);
    fe_http_listener_on_gone(listener);
}

static const struct fe_conn_ops conn_ops = {
    .on_read = on_read,
    .on_eof = on_eof,
    .on_flush = on_flush,
    .on_drain = on_drain,
    .on_close = on_close,
};

/* ---- life ----------------------------------------------------------------------------------- */

/* The server, or the time in which TLS has to come about; 0: no limit. */
static int start(struct fe_client *client)
{
    const struct fe_http_listener *listener = client->listener;
    const uint64_t limit_ms = client->limits->read_header_ms;

    if (listener->setup.store == NULL) {
        client->is_detecting = true;
        return start_server(client);
    }
    if (limit_ms == 0) {
        return 0;
    }
    return fe_timer_start(fe_worker_timers(listener->setup.worker), &client->handshake,
                          fe_worker_now(listener->setup.worker) + limit_ms);
}

int fe_client_open(struct fe_http_listener *listener, struct fe_conn *conn)
{
    struct fe_client *client = calloc(1, sizeof(*client));
    struct fe_addr addr;

    if (client == NULL) {
        return FLATEND_ENOMEM;
    }
    client->listener = listener;
    client->conn = conn;
    fe_conn_peer_addr(conn, &addr);
    (void)fe_addr_format(&addr, client->remote);
    fe_chain_init(&client->plain, fe_worker_pool(listener->setup.worker));
    fe_timer_init(&client->handshake, on_handshake_timeout);
    client->snapshot = fe_snapshot_ref(listener->snapshot);
    client->limits = &client->snapshot->http[listener->setup.http].limits;
    client->filters = listener->config->filters;
    if (start(client) != 0) {
        fe_snapshot_unref(client->snapshot);
        free(client);
        return FLATEND_ENOMEM;
    }
    fe_list_push_back(&listener->clients, &client->link);
    fe_conn_set_high_water(conn, FE_HTTP_OUT_HIGH_WATER);
    fe_conn_accept(conn, &conn_ops, client);
    return 0;
}

void fe_client_drain(struct fe_client *client)
{
    bool was_finishing = client->is_finishing;
    bool has_output = client->plain.len > 0 || fe_conn_out(client->conn)->len > 0;

    if (client->server == NULL) {
        fe_conn_close(client->conn);
        return;
    }
    fe_http_server_drain(client->server);
    /* One that has just had its last answer is given the time to read it: closing on what it may
     * still send would reset the connection (RFC 9112 §9.6). An idle one need not be waited for. */
    if (!was_finishing && client->is_finishing && !has_output) {
        on_flush(client);
        fe_conn_write_now(client->conn); /* close_notify */
        fe_conn_close(client->conn);
    }
}

void fe_client_abort(struct fe_client *client)
{
    fe_conn_abort(client->conn);
}
