#include "gateway/client.h"

#include <stdlib.h>

#include "http/h1_server.h"
#include "http/h2_server.h"

/* ---- what the HTTP server asks for -------------------------------------------------------- */

static void on_exchange(void *owner, struct fe_exchange *ex)
{
    struct fe_client *client = owner;
    const struct fe_http_listener *listener = client->listener;

    fe_dispatch(ex, listener->config, fe_view_str(client->remote), listener->mesh);
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

static void close_client(void *owner, bool reset)
{
    struct fe_client *client = owner;

    client->is_finishing = true;
    if (reset) {
        fe_conn_abort(client->conn);
    } else {
        fe_conn_finish(client->conn);
    }
}

static uint64_t now_ms(void *owner)
{
    return fe_worker_now(((struct fe_client *)owner)->listener->worker);
}

static uint64_t written(void *owner)
{
    return fe_conn_taken(((struct fe_client *)owner)->conn);
}

static bool has_taken_all(void *owner)
{
    return fe_conn_has_taken_all(((struct fe_client *)owner)->conn);
}

static struct fe_view date(void *owner)
{
    return fe_date_now(&((struct fe_client *)owner)->listener->date, now_ms(owner));
}

static void on_abuse(void *owner, const char *what)
{
    struct fe_client *client = owner;

    fe_log(client->listener->log, FLATEND_LOG_INFO, "Closing the HTTP connection of %s: %s.",
           client->remote, what);
}

static const struct fe_http_owner_ops server_ops = {
    .on_exchange = on_exchange,
    .flush = flush,
    .set_reading = set_reading,
    .close = close_client,
    .now_ms = now_ms,
    .written = written,
    .has_taken_all = has_taken_all,
    .date = date,
    .on_abuse = on_abuse,
};

/* ---- what the connection tells ------------------------------------------------------------ */

static struct fe_http_setup setup_of(struct fe_client *client)
{
    struct fe_http_listener *listener = client->listener;

    return (struct fe_http_setup){
        .limits = &listener->limits,
        .timers = fe_worker_timers(listener->worker),
        .out = fe_conn_out(client->conn),
        .scheme = FE_VIEW_LIT("http"),
        .ops = &server_ops,
        .owner = client,
    };
}

/* FLATEND_ENOMEM: as before. */
static int change_to_h2(struct fe_client *client)
{
    struct fe_http_setup setup = setup_of(client);
    struct fe_http_server *server = fe_h2_server_new(&setup, &client->listener->h2);

    if (server == NULL) {
        return FLATEND_ENOMEM;
    }
    fe_http_server_free(client->server);
    client->server = server;
    return 0;
}

/* Which version it is shows with the first bytes; the server of HTTP/1.1 is there from the
 * beginning, for the time that they may take, and is given none of them until then. */
static void sniff(struct fe_client *client, struct fe_view data)
{
    enum fe_http_sniffed sniffed = fe_http_sniff(&client->sniff, data);
    struct fe_view seen = fe_http_sniff_seen(&client->sniff);

    if (sniffed == FE_HTTP_SNIFF_MORE && !client->is_finishing) {
        return;
    }
    client->is_sniffing = false;
    if (sniffed == FE_HTTP_SNIFF_2 && !client->is_finishing && change_to_h2(client) != 0) {
        close_client(client, true);
        return;
    }
    if (seen.len > 0) {
        fe_http_server_feed(client->server, seen);
    }
    fe_http_server_feed(client->server, data);
}

static void on_read(void *owner, uint8_t *data, size_t len)
{
    struct fe_client *client = owner;

    if (client->is_sniffing) {
        sniff(client, fe_view_of(data, len));
    } else {
        fe_http_server_feed(client->server, fe_view_of(data, len));
    }
}

static void on_eof(void *owner)
{
    fe_http_server_on_eof(((struct fe_client *)owner)->server);
}

static void on_flush(void *owner)
{
    fe_http_server_run(((struct fe_client *)owner)->server);
}

static void on_drain(void *owner)
{
    fe_http_server_on_drain(((struct fe_client *)owner)->server);
}

static void on_close(void *owner, int code)
{
    struct fe_client *client = owner;
    struct fe_http_listener *listener = client->listener;

    (void)code; /* clients come and go */
    fe_http_server_free(client->server);
    fe_list_remove(&client->link);
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

/* ---- life --------------------------------------------------------------------------------- */

int fe_client_open(struct fe_http_listener *listener, struct fe_conn *conn)
{
    struct fe_client *client = calloc(1, sizeof(*client));
    struct fe_http_setup setup;
    struct fe_addr addr;

    if (client == NULL) {
        return FLATEND_ENOMEM;
    }
    client->listener = listener;
    client->conn = conn;
    fe_conn_peer_addr(conn, &addr);
    (void)fe_addr_format(&addr, client->remote);
    setup = setup_of(client);
    client->is_sniffing = true;
    client->server = fe_h1_server_new(&setup);
    if (client->server == NULL) {
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

    fe_http_server_drain(client->server);
    /* One that has just had its last answer is given the time to read it: closing on what it may
     * still send would reset the connection (RFC 9112 §9.6). An idle one need not be waited for. */
    if (!was_finishing && client->is_finishing && fe_conn_out(client->conn)->len == 0) {
        fe_conn_close(client->conn);
    }
}

void fe_client_abort(struct fe_client *client)
{
    fe_conn_abort(client->conn);
}
