/* Happy path: look up, dial, TLS handshake, request, response, close; then the caller is told.
 *
 * Failure modes: an address that does not answer has the next one tried beside it (dialer.h); from
 * the handshake on, whatever fails is the result. Every phase has a deadline. Canceled: the
 * connection is closed and only on_gone follows. */
#include "gateway/certs/fetch.h"

#include <stdio.h>
#include <stdlib.h>

#include "ground/base/assert.h"
#include "ground/base/list.h"
#include "ground/uv/conn.h"
#include "ground/uv/dialer.h"
#include "ground/uv/resolve.h"
#include "web/http/h1/client_decoder.h"
#include "web/tls/tls.h"

enum {
    HOST_MAX = 255,
    AUTHORITY_MAX = HOST_MAX + 8, /* "[host]:65535" */
    HTTPS_PORT = 443,
    /* A head of FE_H1_CLIENT_HEAD_MAX, the array of its fields, and trailers. */
    ARENA_MAX = 64 * 1024,
};

/*   LOOKING_UP ─▶ DIALING ─▶ TALKING ─▶ CLOSING: the result is known */
enum fetch_state {
    LOOKING_UP,
    DIALING,
    TALKING,
    CLOSING,
};

struct fe_fetch {
    struct fe_worker *worker;
    struct fe_tls_trust *trust;
    enum fetch_state state;
    char host[HOST_MAX + 1];
    uint16_t port;
    struct fe_resolution *resolution; /* LOOKING_UP */
    struct fe_dialer *dialer;         /* NULL: it has ended */
    struct fe_conn *conn;
    struct fe_tls *tls;
    struct fe_chain plain; /* of the request: not encrypted yet */
    struct fe_arena arena; /* of the response's head */
    struct fe_h1_client_decoder decoder;
    struct fe_buf body;
    bool has_response;
    struct flatend_error err; /* unless there is a response */
    struct fe_timer timer;
    uint64_t deadline_ms;
    fe_fetch_fn fn; /* NULL: canceled */
    void *arg;
    void (*on_gone)(void *arg); /* of the cancellation */
    void *gone_arg;
};

/* ---- the end -------------------------------------------------------------------------------- */

static void free_fetch(struct fe_fetch *fetch)
{
    fe_tls_free(fetch->tls);
    fe_chain_deinit(&fetch->plain);
    fe_h1_client_decoder_deinit(&fetch->decoder);
    fe_arena_deinit(&fetch->arena);
    fe_buf_deinit(&fetch->body);
    free(fetch);
}

static void end(struct fe_fetch *fetch)
{
    FE_ASSERT(fetch->state == CLOSING && fetch->conn == NULL && fetch->dialer == NULL,
              "a fetch ends without a connection");
    fe_timer_stop(fe_worker_timers(fetch->worker), &fetch->timer);
    if (fetch->fn == NULL) {
        fetch->on_gone(fetch->gone_arg);
    } else if (fetch->has_response) {
        fetch->fn(fetch->arg, &fetch->decoder.response, fe_buf_view(&fetch->body), NULL);
    } else {
        fetch->fn(fetch->arg, NULL, (struct fe_view){NULL, 0}, &fetch->err);
    }
    free_fetch(fetch);
}

/* The result is known: what is open closes, and then it is told. */
static void finish(struct fe_fetch *fetch)
{
    FE_ASSERT(fetch->state != CLOSING, "the result is known once");
    fetch->state = CLOSING;
    if (fetch->conn != NULL) {
        fe_conn_close(fetch->conn);
    } else if (fetch->dialer != NULL) {
        fe_dialer_cancel(fetch->dialer);
    } else {
        end(fetch);
    }
}

static void fail(struct fe_fetch *fetch, int code, const char *what)
{
    if (fetch->state != CLOSING) {
        (void)fe_err_set(&fetch->err, code, "%s: %s", fetch->host, what);
        finish(fetch);
    }
}

/* ---- talking -------------------------------------------------------------------------------- */

static void take(struct fe_fetch *fetch, enum fe_h1_client_event event)
{
    if (event == FE_H1_CLIENT_ON_END) {
        fetch->has_response = true;
        finish(fetch);
    } else if (event == FE_H1_CLIENT_ON_FAULT) {
        fail(fetch, fetch->decoder.code, fetch->decoder.reason);
    }
}

static void on_plain(void *owner, uint8_t *data, size_t len)
{
    struct fe_fetch *fetch = owner;
    struct fe_view in = fe_view_of(data, len);
    enum fe_h1_client_event event;

    if (fetch->state != TALKING) {
        return;
    }
    do {
        event = fe_h1_client_decoder_feed(&fetch->decoder, &in);
        if (event == FE_H1_CLIENT_ON_BODY) {
            const struct fe_view body = fetch->decoder.body;
            const int code = fe_buf_append(&fetch->body, body.ptr, body.len);

            if (code != 0) {
                fail(fetch, code, code == FLATEND_ETOOBIG ? "response too long" : "out of memory");
                return;
            }
        }
    } while (event == FE_H1_CLIENT_ON_BODY || event == FE_H1_CLIENT_ON_HEAD);
    take(fetch, event);
}

/* Only TLS can say that a response which has no length is whole (RFC 9112 §9.8). */
static void on_plain_eof(void *owner)
{
    struct fe_fetch *fetch = owner;

    if (fetch->state == TALKING) {
        take(fetch, fe_h1_client_decoder_eof(&fetch->decoder));
    }
}

static void pump(struct fe_fetch *fetch)
{
    if (fetch->state != TALKING) {
        return;
    }
    if (fe_tls_pump(fetch->tls, &fetch->plain) != 0) {
        fail(fetch, FLATEND_ENOMEM, "out of memory");
        return;
    }
    fe_conn_flush(fetch->conn);
}

static void on_tls_open(void *owner)
{
    (void)owner; /* the request follows when all that was read has been fed */
}

static const struct fe_tls_ops tls_ops = {
    .on_open = on_tls_open,
    .on_read = on_plain,
    .on_eof = on_plain_eof,
};

/* The connection is there: our part of the TLS handshake. */
static void start_talking(struct fe_fetch *fetch)
{
    FE_ASSERT(fetch->tls == NULL, "a connection has one TLS");
    fetch->tls =
        fe_tls_client_new(fetch->trust, fetch->host, fe_conn_out(fetch->conn), &tls_ops, fetch);
    fetch->state = TALKING;
    if (fetch->tls == NULL) {
        fail(fetch, FLATEND_ENOMEM, "out of memory");
        return;
    }
    if (fe_timer_start(fe_worker_timers(fetch->worker), &fetch->timer, fetch->deadline_ms) != 0) {
        fail(fetch, FLATEND_ENOMEM, "out of memory");
        return;
    }
    fe_conn_flush(fetch->conn);
}

static void on_read(void *owner, uint8_t *data, size_t len)
{
    struct fe_fetch *fetch = owner;
    struct flatend_error err = {0};
    int code;

    if (fetch->state != TALKING) {
        return;
    }
    code = fe_tls_feed(fetch->tls, fe_view_of(data, len), &err);
    if (code != 0) {
        fail(fetch, code, err.text);
        return;
    }
    pump(fetch);
}

static void on_eof(void *owner)
{
    fail(owner, FLATEND_ECLOSED, "the connection was closed before the response was complete");
}

static void on_drain(void *owner)
{
    pump(owner);
}

static void on_close(void *owner, int code)
{
    struct fe_fetch *fetch = owner;

    fetch->conn = NULL;
    fe_tls_free(fetch->tls);
    fetch->tls = NULL;
    if (fetch->state == CLOSING) {
        end(fetch);
    } else {
        code = code != 0 ? code : FLATEND_ECLOSED;
        fail(fetch, code, flatend_strerror(code));
    }
}

static const struct fe_conn_ops conn_ops = {
    .on_read = on_read,
    .on_eof = on_eof,
    .on_drain = on_drain,
    .on_close = on_close,
};

/* ---- dialing -------------------------------------------------------------------------------- */

static void on_timeout(struct fe_timer *timer)
{
    struct fe_fetch *fetch = FE_CONTAINER_OF(timer, struct fe_fetch, timer);

    fail(fetch, FLATEND_ETIMEDOUT, flatend_strerror(FLATEND_ETIMEDOUT));
}

static void on_dialed(void *arg, struct fe_conn *conn, int code)
{
    struct fe_fetch *fetch = arg;

    fetch->dialer = NULL;
    if (fetch->state == CLOSING) {
        end(fetch);
    } else if (code != 0) {
        fail(fetch, code, flatend_strerror(code));
    } else {
        fetch->conn = conn;
        fe_conn_hand_over(conn, &conn_ops, fetch);
        start_talking(fetch);
    }
}

static void dial(struct fe_fetch *fetch, const struct fe_addr *addrs, size_t n)
{
    uint64_t deadline_ms = fe_worker_now(fetch->worker) + FE_FETCH_DIAL_TIMEOUT_MS;
    int code;

    if (deadline_ms > fetch->deadline_ms) {
        deadline_ms = fetch->deadline_ms;
    }
    fetch->state = DIALING;
    code = fe_timer_start(fe_worker_timers(fetch->worker), &fetch->timer, deadline_ms);
    if (code == 0) {
        code = fe_dialer_start(fetch->worker, addrs, n, on_dialed, fetch, &fetch->dialer);
    }
    if (code != 0) {
        fail(fetch, code, flatend_strerror(code));
    }
}

static void on_resolved(void *arg, const struct fe_addr *found, size_t n,
                        const struct flatend_error *err)
{
    struct fe_fetch *fetch = arg;
    struct fe_addr addrs[FE_RESOLVE_MAX];

    FE_ASSERT(fetch->state == LOOKING_UP, "a name is looked up once");
    fetch->resolution = NULL;
    if (n == 0) {
        fetch->err = *err;
        finish(fetch);
        return;
    }
    FE_ASSERT(n <= FE_RESOLVE_MAX, "addresses have a limit");
    memcpy(addrs, found, n * sizeof(*addrs));
    for (size_t i = 0; i < n; i++) {
        addrs[i].port = fetch->port;
    }
    dial(fetch, addrs, n);
}

/* ---- the beginning -------------------------------------------------------------------------- */

/* https://host[:port]path: the host without brackets, its port, both as they stand, and the rest.
 */
static int split_url(struct fe_fetch *fetch, const char *url, struct fe_view *authority,
                     const char **path, struct flatend_error *err)
{
    char host_port[AUTHORITY_MAX + 1];
    static const char scheme[] = "https://";
    const size_t skip = sizeof(scheme) - 1;
    struct fe_view name;
    size_t len;
    int code;

    *authority = fe_view_of(NULL, 0);
    *path = "";
    if (strncmp(url, scheme, skip) != 0) {
        return fe_err_set(err, FLATEND_EADDR, "'%.100s': not an https URL", url);
    }
    len = strcspn(url + skip, "/?#");
    if (len > HOST_MAX || memchr(url + skip, '@', len) != NULL) {
        return fe_err_set(err, FLATEND_EADDR, "'%.100s': no valid host", url);
    }
    *authority = fe_view_of(url + skip, len);
    *path = url + skip + len;
    snprintf(host_port, AUTHORITY_MAX + 1, "%.*s:%d", (int)len, url + skip, HTTPS_PORT);
    code = fe_addr_split(host_port, &name, &fetch->port, err);
    if (code != 0) { /* it has a port of its own */
        snprintf(host_port, AUTHORITY_MAX + 1, "%.*s", (int)len, url + skip);
        code = fe_addr_split(host_port, &name, &fetch->port, err);
    }
    if (code == 0 && name.len == 0) {
        code = fe_err_set(err, FLATEND_EADDR, "'%.100s': no host name", url);
    }
    if (code == 0) {
        memcpy(fetch->host, name.ptr, name.len);
        fetch->host[name.len] = '\0';
    }
    return code;
}

static int write_request(struct fe_fetch *fetch, const struct fe_fetch_request *request,
                         struct fe_view authority, const char *path)
{
    struct fe_buf head;
    int code;

    fe_buf_init(&head, 4096);
    /* RFC 8555 §6.1: a User-Agent; the connection is for one request. */
    code = fe_buf_printf(&head,
                         "%s %s%s HTTP/1.1\r\n"
                         "Host: %.*s\r\n"
                         "User-Agent: flatend/%s\r\n"
                         "Accept: %s\r\n"
                         "Connection: close\r\n",
                         request->method, path[0] == '/' ? "" : "/", path, (int)authority.len,
                         (const char *)authority.ptr, flatend_version(),
                         request->accept != NULL ? request->accept : "*/*");
    if (code == 0 && request->content_type != NULL) {
        code = fe_buf_printf(&head, "Content-Type: %s\r\nContent-Length: %zu\r\n",
                             request->content_type, request->body.len);
    }
    if (code == 0) {
        code = fe_buf_append(&head, "\r\n", 2);
    }
    if (code == 0) {
        code = fe_chain_append(&fetch->plain, head.data, head.len);
    }
    fe_buf_deinit(&head);
    return code != 0 ? code : fe_chain_append(&fetch->plain, request->body.ptr, request->body.len);
}

static int prepare(struct fe_fetch *fetch, const struct fe_fetch_request *request,
                   struct flatend_error *err)
{
    struct fe_view authority;
    const char *path;
    int code = split_url(fetch, request->url, &authority, &path, err);

    if (code != 0) {
        return code;
    }
    code = write_request(fetch, request, authority, path);
    return code == 0 ? 0 : fe_err_set(err, code, "%s: %s", fetch->host, flatend_strerror(code));
}

int fe_fetch_start(struct fe_worker *worker, struct fe_tls_trust *trust,
                   const struct fe_fetch_request *request, struct fe_fetch **fetch,
                   struct flatend_error *err)
{
    struct fe_fetch *made = calloc(1, sizeof(*made));
    int code;

    *fetch = NULL;
    if (made == NULL) {
        return fe_err_code(err, FLATEND_ENOMEM);
    }
    made->worker = worker;
    made->trust = trust;
    made->fn = request->fn;
    made->arg = request->arg;
    made->deadline_ms = fe_worker_now(worker) + FE_FETCH_TIMEOUT_MS;
    fe_timer_init(&made->timer, on_timeout);
    fe_chain_init(&made->plain, fe_worker_pool(worker));
    fe_arena_init(&made->arena, ARENA_MAX);
    fe_h1_client_decoder_init(&made->decoder, &made->arena, strcmp(request->method, "HEAD") == 0);
    fe_buf_init(&made->body, request->body_max);
    code = prepare(made, request, err);
    if (code == 0) {
        code = fe_resolve(worker, made->host, on_resolved, made, &made->resolution, err);
    }
    if (code != 0) {
        free_fetch(made);
        return code;
    }
    *fetch = made;
    return 0;
}

void fe_fetch_cancel(struct fe_fetch *fetch, void (*on_gone)(void *arg), void *arg)
{
    FE_ASSERT(fetch->fn != NULL, "a fetch is canceled once");
    fetch->fn = NULL;
    fetch->on_gone = on_gone;
    fetch->gone_arg = arg;
    fe_timer_stop(fe_worker_timers(fetch->worker), &fetch->timer);
    if (fetch->state == LOOKING_UP) {
        fe_resolve_cancel(fetch->resolution);
        free_fetch(fetch);
        on_gone(arg);
    } else if (fetch->state != CLOSING) {
        finish(fetch);
    }
}
