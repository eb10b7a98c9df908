#include "support/rig.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the transport ---- */

static struct rig_conn *add_conn(struct rig *rig, const struct fe_addr *addr)
{
    struct rig_conn *conn = &rig->conns[rig->n_conns++];

    assert(rig->n_conns <= RIG_CONNS_MAX);
    *conn = (struct rig_conn){.rig = rig, .addr = *addr, .is_reading = true};
    fe_chain_init(&conn->out, NULL);
    fe_chain_init(&conn->sent, NULL);
    return conn;
}

static int on_dial(void *arg, struct fe_link *link, const struct fe_addr *addrs, size_t n,
                   void **io)
{
    struct rig *rig = arg;
    struct rig_conn *conn;

    if (rig->dial_code != 0) {
        return rig->dial_code;
    }
    conn = add_conn(rig, addrs);
    conn->link = link;
    memcpy(conn->addrs, addrs, n * sizeof(*addrs));
    conn->n_addrs = n;
    *io = conn;
    return 0;
}

static struct fe_chain *on_out(void *io)
{
    return &((struct rig_conn *)io)->out;
}

static void on_flush(void *io)
{
    struct rig_conn *conn = io;

    assert(conn->link != NULL || conn->out.len == 0);
    if (conn->link != NULL) {
        fe_link_on_flush(conn->link);
    }
}

static void on_set_reading(void *io, bool reading)
{
    ((struct rig_conn *)io)->is_reading = reading;
}

static void on_peer_addr(void *io, struct fe_addr *addr)
{
    *addr = ((struct rig_conn *)io)->addr;
}

static void on_close(void *io, bool drain)
{
    struct rig_conn *conn = io;

    assert(conn->n_closes == 0 || (conn->is_drained && !drain)); /* only ever harder */
    conn->n_closes++;
    conn->is_drained = drain;
    if (drain && conn->link != NULL) {
        fe_link_on_flush(conn->link); /* the output is written before the end */
    }
}

static uint64_t on_n_sent(void *io)
{
    return ((struct rig_conn *)io)->n_sent;
}

static int on_look_up(void *arg, struct fe_name *name, const char *host, void **lookup)
{
    struct rig *rig = arg;
    struct rig_look_up *look_up;

    if (rig->look_up_code != 0) {
        return rig->look_up_code;
    }
    look_up = &rig->look_ups[rig->n_look_ups++];
    assert(rig->n_look_ups <= RIG_LOOK_UPS_MAX && strlen(host) < sizeof(look_up->host));
    *look_up = (struct rig_look_up){.name = name};
    memcpy(look_up->host, host, strlen(host) + 1);
    *lookup = look_up;
    return 0;
}

static void on_cancel_look_up(void *lookup)
{
    struct rig_look_up *look_up = lookup;

    assert(look_up->name != NULL);
    look_up->name = NULL;
    look_up->is_canceled = true;
}

static const struct fe_transport_ops transport_ops = {
    .n_sent = on_n_sent,
    .dial = on_dial,
    .out = on_out,
    .flush = on_flush,
    .set_reading = on_set_reading,
    .peer_addr = on_peer_addr,
    .look_up = on_look_up,
    .cancel_look_up = on_cancel_look_up,
    .close = on_close,
};

/* ---- the mesh's owner ---- */

static void on_log(void *arg, enum flatend_log_level level, const char *line)
{
    struct rig *rig = arg;
    size_t len = strlen(line);

    (void)level;
    if (len + 2 <= RIG_TRACE_MAX - rig->trace_len) {
        memcpy(rig->trace + rig->trace_len, line, len);
        rig->trace_len += len;
        rig->trace[rig->trace_len++] = '\n';
        rig->trace[rig->trace_len] = '\0';
    }
}

static void on_request(void *arg, struct fe_peer *peer, struct fe_stream *stream,
                       struct fe_names services, struct fe_headers headers)
{
    struct rig *rig = arg;

    (void)peer;
    (void)services;
    (void)headers;
    rig->n_requests++;
    if (rig->on_request != NULL) {
        rig->on_request(rig, stream);
    }
}

static void on_drained(void *arg)
{
    ((struct rig *)arg)->n_drained++;
}

static void on_joined(void *arg, const struct fe_join_result *result)
{
    struct rig *rig = arg;

    rig->n_joined++;
    rig->n_connected = result->n_connected;
    rig->n_waiting = result->n_waiting;
    rig->join_error = result->error;
}

static void on_closed(void *arg)
{
    ((struct rig *)arg)->n_closed++;
}

static const struct fe_mesh_ops mesh_ops = {
    .on_request = on_request,
    .on_joined = on_joined,
    .on_drained = on_drained,
    .on_closed = on_closed,
};

static uint64_t read_clock(void *arg)
{
    return ((struct rig *)arg)->now_ms;
}

void rig_make_self(struct rig *rig, struct fe_self *self, uint8_t number)
{
    *self = (struct fe_self){0};
    fe_ed25519_keypair(&rig->rng, &self->secret);
    memcpy(self->id.public_key, fe_ed25519_public(&self->secret), FE_KEY_LEN);
    self->id.addr = (struct fe_ip_addr){.family = FE_IPV4, .ip = {10, 0, 0, number}, .port = 9000};
    self->services = rig->services;
    self->n_services = 1;
}

void rig_prepare(struct rig *rig, uint64_t seed)
{
    *rig = (struct rig){0};
    rig->rng = fe_rng_from_seed(&rig->seeded, seed);
    fe_timers_init(&rig->timers);
    rig->services[0] = FE_VIEW_LIT("svc");
    rig_make_self(rig, &rig->self, 1);
    rig->config = (struct fe_mesh_config){
        .self = rig->self,
        .reconnect_attempts = 8,
        .reconnect_backoff_factor = 1.25,
        .reconnect_backoff_min_ms = 500,
        .reconnect_backoff_max_ms = 1000,
        .join_timeout_ms = 60000,
    };
}

int rig_start(struct rig *rig)
{
    struct fe_transport transport = {.ops = &transport_ops, .arg = rig};
    struct fe_log log = {.fn = on_log, .arg = rig, .level = FLATEND_LOG_INFO};
    const struct fe_mesh_env env = {
        .transport = transport,
        .timers = &rig->timers,
        .now_ms = read_clock,
        .now_arg = rig,
        .rng = &rig->rng,
        .log = &log,
    };

    rig->mesh = fe_mesh_new(&rig->config, &env, &mesh_ops, rig);
    if (rig->mesh == NULL) {
        fe_timers_deinit(&rig->timers);
        return FLATEND_ENOMEM;
    }
    return 0;
}

int rig_init(struct rig *rig, uint64_t seed)
{
    rig_prepare(rig, seed);
    return rig_start(rig);
}

void rig_deinit(struct rig *rig)
{
    fe_mesh_close(rig->mesh, false);
    for (size_t i = 0; i < rig->n_conns; i++) {
        rig_lose(&rig->conns[i], 0);
    }
    rig_run(rig, 1);
    assert(rig->n_closed == 1);
    fe_mesh_free(rig->mesh);
    for (size_t i = 0; i < rig->n_conns; i++) {
        struct rig_conn *conn = &rig->conns[i];

        if (conn->has_session) {
            fe_session_deinit(&conn->session);
        }
        fe_chain_deinit(&conn->out);
        fe_chain_deinit(&conn->sent);
    }
    fe_timers_deinit(&rig->timers);
}

/* ---- names ---- */

static struct rig_look_up *take_look_up(struct rig *rig, const char *host)
{
    struct rig_look_up *look_up;

    assert(rig->n_look_ups > 0);
    look_up = &rig->look_ups[rig->n_look_ups - 1];
    assert(look_up->name != NULL && strcmp(look_up->host, host) == 0);
    return look_up;
}

void rig_resolve(struct rig *rig, const char *host, const struct fe_addr *addrs, size_t n)
{
    const struct flatend_error err = {FLATEND_ENOENT, "no such host"};
    struct rig_look_up *look_up = take_look_up(rig, host);
    struct fe_name *name = look_up->name;

    look_up->name = NULL;
    fe_name_on_resolved(name, addrs, n, &err);
}

void rig_fail_look_up(struct rig *rig, const char *host)
{
    const struct flatend_error err = {FLATEND_EUNREACHABLE, "no answer"};
    struct rig_look_up *look_up = take_look_up(rig, host);
    struct fe_name *name = look_up->name;

    look_up->name = NULL;
    fe_name_on_resolved(name, NULL, 0, &err);
}

/* ---- the far end ---- */

static int start_session(struct rig_conn *conn, bool is_initiator, const struct fe_self *self)
{
    int code = fe_session_init(&conn->session, is_initiator, self, &conn->rig->rng, &conn->sent);

    conn->has_session = code == 0;
    return code;
}

struct rig_conn *rig_accept(struct rig *rig, const struct fe_self *self)
{
    const struct fe_addr from = {.family = FE_IPV4, .ip = {10, 9, 9, 9}, .port = 50000};

    return rig_accept_from(rig, self, &from);
}

struct rig_conn *rig_accept_from(struct rig *rig, const struct fe_self *self,
                                 const struct fe_addr *from)
{
    struct rig_conn *conn = add_conn(rig, from);

    conn->link = fe_mesh_accept(rig->mesh, conn);
    if (conn->link == NULL || start_session(conn, true, self) != 0) {
        return NULL;
    }
    return conn;
}

struct rig_conn *rig_conn(struct rig *rig, size_t index)
{
    assert(index < rig->n_conns);
    return &rig->conns[index];
}

int rig_open(struct rig_conn *conn, const struct fe_self *self)
{
    int code = start_session(conn, false, self);

    if (code == 0) {
        fe_link_on_open(conn->link, 0);
    }
    return code;
}

void rig_refuse(struct rig_conn *conn)
{
    fe_link_on_open(conn->link, FLATEND_EREFUSED);
    rig_lose(conn, FLATEND_EREFUSED);
}

static void note_goaway(struct rig_conn *conn, const struct fe_event *event)
{
    struct fe_view text = event->u.goaway.text;

    conn->n_goaways++;
    conn->goaway_reason = event->u.goaway.reason;
    memcpy(conn->goaway_text, text.ptr, text.len);
    conn->goaway_text[text.len] = '\0';
}

static void note_offers(struct rig_conn *conn, struct fe_offers offers)
{
    struct fe_offer offer;
    size_t len = 0;

    conn->n_offers++;
    while (fe_offers_next(&offers, &offer) && offer.name.len + 2 <= sizeof(conn->offers) - len) {
        memcpy(conn->offers + len, offer.name.ptr, offer.name.len);
        len += offer.name.len;
        conn->offers[len++] = ' ';
    }
    conn->offers[len] = '\0';
}

static void note_event(struct rig_conn *conn, const struct fe_event *event)
{
    switch (event->type) {
    case FE_EVENT_HANDSHAKE:
        conn->n_handshakes++;
        break;
    case FE_EVENT_FIND_NODE:
        conn->find_token = event->token;
        memcpy(conn->find_target, event->u.target, FE_KEY_LEN);
        break;
    case FE_EVENT_NODES:
        conn->has_nodes = true;
        conn->n_nodes = event->u.nodes.n;
        memcpy(conn->nodes, event->u.nodes.ids, event->u.nodes.n * sizeof(conn->nodes[0]));
        break;
    case FE_EVENT_RESPONSE:
        conn->n_unhandled += !event->u.response.handled;
        break;
    case FE_EVENT_REQUEST:
        conn->stream = event->stream;
        break;
    case FE_EVENT_RESET:
        conn->n_refused += event->u.reset.reason == FE_REASON_REFUSED;
        break;
    case FE_EVENT_PONG:
        conn->n_pongs++;
        break;
    case FE_EVENT_GOAWAY:
        note_goaway(conn, event);
        break;
    case FE_EVENT_SERVICES:
        note_offers(conn, event->u.offers);
        break;
    default:
        break;
    }
}

static int far_end_reads(struct rig_conn *conn)
{
    struct flatend_error err;
    struct fe_event event;
    uint8_t bytes[1024];
    size_t n;

    while ((n = fe_chain_read(&conn->out, bytes, sizeof(bytes))) > 0) {
        int code;

        conn->n_sent += n;
        fe_session_feed(&conn->session, bytes, n);
        while ((code = fe_session_next(&conn->session, &event, &err)) > 0) {
            note_event(conn, &event);
        }
        if (code < 0) {
            return code;
        }
    }
    return 0;
}

void rig_feed(struct rig_conn *conn, const void *bytes, size_t len)
{
    uint8_t *copy = malloc(len); /* of its own, so that ASan sees a read beyond it */

    if (copy != NULL) {
        memcpy(copy, bytes, len);
        fe_link_on_read(conn->link, copy, len);
    }
    free(copy);
}

static void mesh_reads(struct rig_conn *conn)
{
    size_t cap = conn->rig->piece > 0 ? conn->rig->piece : 1024;
    uint8_t bytes[1024];
    size_t n;

    while (conn->link != NULL && conn->is_reading &&
           (n = fe_chain_read(&conn->sent, bytes, cap)) > 0) {
        rig_feed(conn, bytes, n);
    }
}

void rig_carry_to_mesh(struct rig_conn *conn)
{
    (void)!fe_session_flush(&conn->session); /* after a fault there may still be what tells it */
    mesh_reads(conn);
}

int rig_carry_from_mesh(struct rig_conn *conn)
{
    int code = far_end_reads(conn);

    return code == 0 && conn->has_session ? fe_session_flush(&conn->session) : code;
}

int rig_carry(struct rig_conn *conn)
{
    do {
        int code = rig_carry_from_mesh(conn);

        if (code != 0) {
            return code;
        }
        mesh_reads(conn);
    } while (conn->out.len > 0 || (conn->sent.len > 0 && conn->link != NULL && conn->is_reading));
    return 0;
}

void rig_lose(struct rig_conn *conn, int code)
{
    struct fe_link *link = conn->link;

    if (link != NULL) {
        conn->link = NULL;
        fe_link_on_close(link, code);
    }
}

void rig_reap(struct rig *rig)
{
    for (size_t i = 0; i < rig->n_conns; i++) {
        if (rig->conns[i].n_closes > 0) {
            rig_lose(&rig->conns[i], 0);
        }
    }
}

void rig_run(struct rig *rig, uint64_t ms)
{
    uint64_t until = rig->now_ms + ms;

    while (fe_timers_next(&rig->timers) <= until) {
        uint64_t next = fe_timers_next(&rig->timers);

        rig->now_ms = next > rig->now_ms ? next : rig->now_ms;
        fe_timers_run(&rig->timers, rig->now_ms);
    }
    rig->now_ms = until;
}

bool rig_has_logged(const struct rig *rig, const char *text)
{
    return strstr(rig->trace, text) != NULL;
}

void rig_forget_log(struct rig *rig)
{
    rig->trace_len = 0;
    rig->trace[0] = '\0';
}

const char *rig_with_key(struct rig *rig, const struct fe_self *self, const char *text)
{
    const uint8_t *key = self->id.public_key;
    size_t len = 0;

    for (; *text != '\0' && len + 9 < RIG_TRACE_MAX; text++) {
        if (*text == '@') {
            len += (size_t)snprintf(rig->expected + len, 9, "%02x%02x%02x%02x", key[0], key[1],
                                    key[2], key[3]);
        } else {
            rig->expected[len++] = *text;
        }
    }
    rig->expected[len] = '\0';
    return rig->expected;
}
