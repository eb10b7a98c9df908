#include "support/sim.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/seeds.h"

enum { SIM_NAMES_MAX = 4, SIM_NAME_ADDRS_MAX = 4 };

/* What a server of names would say at the moment. */
struct sim_name {
    char host[32];
    struct fe_addr addrs[SIM_NAME_ADDRS_MAX];
    size_t n_addrs;
};

struct sim_look_up {
    struct fe_list node;
    struct sim *sim;
    struct fe_name *name;
    char host[32];
    struct fe_timer timer;
};

struct sim {
    uint64_t now_ms;
    struct fe_timers timers;
    struct fe_rng_seeded seeded;
    struct fe_rng rng;
    struct fe_pool pool;
    struct fe_list conns;
    size_t n_conns;
    bool is_held;
    unsigned dead_after_ms;
    int reconnect_attempts;
    struct sim_name names[SIM_NAMES_MAX];
    size_t n_names;
    struct fe_list look_ups;
    struct sim_node *nodes;
    size_t n_nodes;
};

/* One end of a connection. What it has sent and its peer has not read yet is in the peer's inbox.
 */
struct sim_end {
    struct sim_conn *conn;
    struct sim_node *node;
    struct fe_link *link; /* NULL: before the accept, and after on_close */
    struct fe_chain out;
    struct fe_chain inbox;
    struct fe_timer arrival; /* of what is in the inbox */
    struct fe_timer end;     /* on_close is due */
    int end_code;
    bool is_reading;
    bool is_draining; /* closed once `out` is empty */
};

struct sim_conn {
    struct fe_list node;
    struct sim *sim;
    struct fe_timer open; /* the dial succeeds or fails */
    struct fe_addr addr;  /* dialed */
    unsigned latency_ms;
    struct sim_end ends[2]; /* the dialer's and the acceptor's */
};

static void start_timer(struct sim *sim, struct fe_timer *timer, uint64_t delay_ms)
{
    if (fe_timer_start(&sim->timers, timer, sim->now_ms + delay_ms) != 0) {
        abort();
    }
}

static struct sim_end *peer_of(struct sim_end *end)
{
    return &end->conn->ends[end == &end->conn->ends[0]];
}

/* Nothing gets from one end to the other. */
static bool is_parted(const struct sim_conn *conn)
{
    const struct sim_node *b = conn->ends[1].node;

    return conn->sim->is_held || (b != NULL && conn->ends[0].node->side != b->side);
}

/* ---- the ends of a connection ---- */

static void free_conn_if_over(struct sim_conn *conn)
{
    struct sim *sim = conn->sim;

    if (conn->ends[0].link != NULL || conn->ends[1].link != NULL) {
        return;
    }
    for (int i = 0; i < 2; i++) {
        fe_timer_stop(&sim->timers, &conn->ends[i].arrival);
        fe_timer_stop(&sim->timers, &conn->ends[i].end);
        fe_chain_deinit(&conn->ends[i].out);
        fe_chain_deinit(&conn->ends[i].inbox);
    }
    fe_timer_stop(&sim->timers, &conn->open);
    fe_list_remove(&conn->node);
    sim->n_conns--;
    free(conn);
}

/* on_close comes in `delay_ms`, unless it is due already. */
static void end_deferred(struct sim_end *end, int code, uint64_t delay_ms)
{
    if (end->link != NULL && !fe_timer_is_armed(&end->end)) {
        end->end_code = code;
        start_timer(end->conn->sim, &end->end, delay_ms);
    }
}

static void on_end(struct fe_timer *timer)
{
    struct sim_end *end = FE_CONTAINER_OF(timer, struct sim_end, end);
    struct fe_link *link = end->link;

    end->link = NULL;
    fe_link_on_close(link, end->end_code);
    if (end->conn->sim->is_held || !is_parted(end->conn)) {
        end_deferred(peer_of(end), FLATEND_ECLOSED, end->conn->latency_ms);
    }
    free_conn_if_over(end->conn);
}

/* ---- bytes ---- */

/* Into flight goes what the window has room for. */
static void push(struct sim_end *end)
{
    struct sim_end *peer = peer_of(end);
    bool was_waiting = end->out.len > 0;

    while (end->out.len > 0 && peer->inbox.len < SIM_WINDOW) {
        struct fe_view front = fe_chain_front(&end->out);
        size_t n = front.len;

        if (fe_chain_append(&peer->inbox, front.ptr, n) != 0) {
            abort();
        }
        fe_chain_consume(&end->out, n);
    }
    if (peer->inbox.len > 0 && !is_parted(end->conn) && !fe_timer_is_armed(&peer->arrival)) {
        start_timer(end->conn->sim, &peer->arrival, end->conn->latency_ms);
    }
    if (was_waiting && end->out.len == 0 && end->is_draining) {
        end_deferred(end, 0, end->conn->latency_ms);
    }
}

static void read_some(struct sim_end *end)
{
    uint8_t piece[4096];
    size_t cap = 1 + fe_rng_below(&end->conn->sim->rng, sizeof(piece));
    size_t n = fe_chain_read(&end->inbox, piece, cap);

    fe_link_on_read(end->link, piece, n);
}

static void on_arrival(struct fe_timer *timer)
{
    struct sim_end *end = FE_CONTAINER_OF(timer, struct sim_end, arrival);
    struct sim_end *peer = peer_of(end);

    while (end->inbox.len > 0 && end->link != NULL && end->is_reading) {
        read_some(end);
    }
    if (peer->link != NULL && peer->out.len > 0) {
        push(peer);
        if (peer->out.len == 0 && !peer->is_draining) {
            fe_link_on_drain(peer->link);
        }
    }
}

/* ---- the transport ---- */

static struct sim_node *find_node(struct sim *sim, const struct fe_addr *addr)
{
    for (size_t i = 0; i < sim->n_nodes; i++) {
        struct fe_addr own = sim_addr(i);

        if (fe_addr_equal(addr, &own)) {
            return &sim->nodes[i];
        }
    }
    return NULL;
}

static bool is_up(const struct sim_node *node)
{
    return node != NULL && node->mesh != NULL && !node->self.is_anonymous;
}

static void on_open(struct fe_timer *timer)
{
    struct sim_conn *conn = FE_CONTAINER_OF(timer, struct sim_conn, open);
    struct sim_end *dialer = &conn->ends[0];
    struct sim_end *acceptor = &conn->ends[1];
    struct sim_node *target = find_node(conn->sim, &conn->addr);
    int code = FLATEND_EREFUSED;

    if (target != NULL && target->side != dialer->node->side) {
        code = FLATEND_EUNREACHABLE;
    } else if (is_up(target)) {
        acceptor->node = target;
        acceptor->link = fe_mesh_accept(target->mesh, acceptor);
        code = acceptor->link != NULL ? 0 : FLATEND_ECLOSED;
    }
    fe_link_on_open(dialer->link, code);
    if (code != 0) {
        end_deferred(dialer, code, 0);
    }
}

static void init_end(struct sim_end *end, struct sim_conn *conn)
{
    end->conn = conn;
    end->is_reading = true;
    fe_chain_init(&end->out, &conn->sim->pool);
    fe_chain_init(&end->inbox, &conn->sim->pool);
    fe_timer_init(&end->arrival, on_arrival);
    fe_timer_init(&end->end, on_end);
}

/* Which of them answers: those that are refused cost a round trip, those that are cut off a moment,
 * after which the next one is tried. */
static size_t choose(struct sim_node *node, const struct fe_addr *addrs, size_t n, unsigned *ms)
{
    *ms = 0;
    for (size_t i = 0; i + 1 < n; i++) {
        const struct sim_node *target = find_node(node->sim, &addrs[i]);

        if (target != NULL && target->side == node->side && is_up(target)) {
            return i;
        }
        *ms +=
            target != NULL && target->side != node->side ? SIM_STAGGER_MS : SIM_ROUND_TRIP_MAX_MS;
    }
    return n - 1;
}

static int sim_dial(void *arg, struct fe_link *link, const struct fe_addr *addrs, size_t n,
                    void **io)
{
    struct sim_node *node = arg;
    struct sim *sim = node->sim;
    unsigned passed_ms;
    const struct fe_addr *addr = &addrs[choose(node, addrs, n, &passed_ms)];
    struct sim_node *target = find_node(sim, addr);
    bool is_cut = target != NULL && target->side != node->side;
    struct sim_conn *conn = calloc(1, sizeof(*conn));

    if (conn == NULL) {
        return FLATEND_ENOMEM;
    }
    conn->sim = sim;
    conn->addr = *addr;
    conn->latency_ms =
        SIM_LATENCY_MIN_MS + fe_rng_below(&sim->rng, SIM_LATENCY_MAX_MS - SIM_LATENCY_MIN_MS + 1);
    init_end(&conn->ends[0], conn);
    init_end(&conn->ends[1], conn);
    conn->ends[0].node = node;
    conn->ends[0].link = link;
    fe_timer_init(&conn->open, on_open);
    fe_list_push_back(&sim->conns, &conn->node);
    sim->n_conns++;
    start_timer(sim, &conn->open,
                passed_ms + (is_cut ? SIM_DIAL_TIMEOUT_MS : 2 * conn->latency_ms));
    *io = &conn->ends[0];
    return 0;
}

static struct fe_chain *sim_out(void *io)
{
    struct sim_end *end = io;

    return &end->out;
}

static void sim_flush(void *io)
{
    struct sim_end *end = io;

    fe_link_on_flush(end->link);
    if (!fe_timer_is_armed(&end->end)) {
        push(end);
    }
}

static void sim_set_reading(void *io, bool reading)
{
    struct sim_end *end = io;

    end->is_reading = reading;
    if (reading && end->inbox.len > 0 && !is_parted(end->conn) &&
        !fe_timer_is_armed(&end->arrival)) {
        start_timer(end->conn->sim, &end->arrival, 0);
    }
}

static void sim_peer_addr(void *io, struct fe_addr *addr)
{
    struct sim_end *end = io;

    *addr = sim_addr(peer_of(end)->node->index);
    if (end == &end->conn->ends[1]) {
        addr->port = 50000; /* a dialer's port is not the one that it listens on */
    }
}

static void sim_close(void *io, bool drain)
{
    struct sim_end *end = io;

    fe_timer_stop(&end->conn->sim->timers, &end->conn->open);
    if (drain) {
        fe_link_on_flush(end->link);
    }
    if (drain && end->out.len > 0) {
        end->is_draining = true;
        push(end);
        return;
    }
    if (drain) {
        end_deferred(end, 0, end->conn->latency_ms);
        return;
    }
    fe_chain_consume(&end->out, end->out.len);
    fe_timer_stop(&end->conn->sim->timers, &end->end);
    end_deferred(end, 0, 0);
}

/* ---- names ---- */

static struct sim_name *find_name(struct sim *sim, const char *host)
{
    for (size_t i = 0; i < sim->n_names; i++) {
        if (strcmp(sim->names[i].host, host) == 0) {
            return &sim->names[i];
        }
    }
    return NULL;
}

static void free_look_up(struct sim_look_up *look_up)
{
    fe_timer_stop(&look_up->sim->timers, &look_up->timer);
    fe_list_remove(&look_up->node);
    free(look_up);
}

static void on_looked_up(struct fe_timer *timer)
{
    struct sim_look_up *look_up = FE_CONTAINER_OF(timer, struct sim_look_up, timer);
    const struct sim_name *found = find_name(look_up->sim, look_up->host);
    struct fe_name *name = look_up->name;
    const struct flatend_error err = {FLATEND_ENOENT, "no such host"};

    free_look_up(look_up);
    fe_name_on_resolved(name, found != NULL ? found->addrs : NULL,
                        found != NULL ? found->n_addrs : 0, &err);
}

static int sim_look_up(void *arg, struct fe_name *name, const char *host, void **lookup)
{
    struct sim_node *node = arg;
    struct sim *sim = node->sim;
    struct sim_look_up *look_up = calloc(1, sizeof(*look_up));

    if (look_up == NULL) {
        return FLATEND_ENOMEM;
    }
    look_up->sim = sim;
    look_up->name = name;
    (void)snprintf(look_up->host, sizeof(look_up->host), "%s", host);
    fe_timer_init(&look_up->timer, on_looked_up);
    fe_list_push_back(&sim->look_ups, &look_up->node);
    start_timer(sim, &look_up->timer, 1 + fe_rng_below(&sim->rng, SIM_LATENCY_MAX_MS));
    node->n_look_ups++;
    *lookup = look_up;
    return 0;
}

static void sim_cancel_look_up(void *lookup)
{
    free_look_up(lookup);
}

void sim_name(struct sim *sim, const char *host, const size_t *indices, size_t n)
{
    struct sim_name *name = find_name(sim, host);

    if (name == NULL) {
        assert(sim->n_names < SIM_NAMES_MAX && strlen(host) < sizeof(name->host));
        name = &sim->names[sim->n_names++];
        memcpy(name->host, host, strlen(host) + 1);
    }
    assert(n <= SIM_NAME_ADDRS_MAX);
    for (size_t i = 0; i < n; i++) {
        name->addrs[i] = sim_addr(indices[i]);
    }
    name->n_addrs = n;
}

static const struct fe_transport_ops transport_ops = {
    .dial = sim_dial,
    .out = sim_out,
    .flush = sim_flush,
    .set_reading = sim_set_reading,
    .peer_addr = sim_peer_addr,
    .look_up = sim_look_up,
    .cancel_look_up = sim_cancel_look_up,
    .close = sim_close,
};

/* ---- nodes ---- */

static void on_log(void *arg, enum flatend_log_level level, const char *line)
{
    struct sim_node *node = arg;

    (void)level;
    if (fe_buf_printf(&node->trace, "%6llu %s\n", (unsigned long long)node->sim->now_ms, line) !=
        0) {
        abort();
    }
}

static void on_request(void *arg, struct fe_peer *peer, struct fe_stream *stream,
                       struct fe_names services, struct fe_headers headers)
{
    struct sim_node *node = arg;

    (void)peer;
    (void)services;
    node->n_requests++;
    if (node->on_request != NULL) {
        node->on_request(node, stream, headers);
    }
}

static void on_drained(void *arg)
{
    struct sim_node *node = arg;

    node->n_drained++;
}

static void on_joined(void *arg, const struct fe_join_result *result)
{
    struct sim_node *node = arg;

    node->n_joined++;
    node->n_connected = result->n_connected;
}

static void on_closed(void *arg)
{
    struct sim_node *node = arg;

    node->n_closed++;
    fe_mesh_free(node->mesh);
    node->mesh = NULL;
}

static const struct fe_mesh_ops mesh_ops = {
    .on_request = on_request,
    .on_joined = on_joined,
    .on_drained = on_drained,
    .on_closed = on_closed,
};

static uint64_t read_clock(void *arg)
{
    return sim_now(arg);
}

static void init_node(struct sim *sim, size_t index)
{
    struct sim_node *node = &sim->nodes[index];
    const struct fe_addr addr = sim_addr(index);

    node->sim = sim;
    node->index = index;
    fe_ed25519_keypair(&sim->rng, &node->self.secret);
    memcpy(node->self.id.public_key, fe_ed25519_public(&node->self.secret), FE_KEY_LEN);
    (void)fe_addr_to_ip(&addr, &node->self.id.addr);
    node->services[0] = FE_VIEW_LIT("node");
    node->self.services = node->services;
    node->self.n_services = 1;
    fe_buf_init(&node->trace, SIM_TRACE_MAX);
}

struct sim *sim_new(size_t n_nodes, uint64_t seed)
{
    struct sim *sim = calloc(1, sizeof(*sim));

    assert(sim != NULL);
    fe_timers_init(&sim->timers);
    sim->rng = fe_rng_from_seed(&sim->seeded, seed);
    fe_pool_init(&sim->pool);
    fe_list_init(&sim->conns);
    fe_list_init(&sim->look_ups);
    sim->reconnect_attempts = FLATEND_RECONNECT_UNSET;
    sim->n_nodes = n_nodes;
    sim->nodes = calloc(n_nodes, sizeof(*sim->nodes));
    assert(sim->nodes != NULL);
    for (size_t i = 0; i < n_nodes; i++) {
        init_node(sim, i);
    }
    return sim;
}

void sim_free(struct sim *sim)
{
    for (size_t i = 0; i < sim->n_nodes; i++) {
        if (sim->nodes[i].mesh != NULL) {
            sim_stop(sim, i);
        }
    }
    sim_run(sim, 2 * SIM_LATENCY_MAX_MS + 2);
    assert(sim->n_conns == 0);
    assert(fe_list_is_empty(&sim->look_ups));
    for (size_t i = 0; i < sim->n_nodes; i++) {
        fe_buf_deinit(&sim->nodes[i].trace);
    }
    free(sim->nodes);
    fe_timers_deinit(&sim->timers);
    fe_pool_deinit(&sim->pool);
    free(sim);
}

struct sim_node *sim_node(struct sim *sim, size_t index)
{
    assert(index < sim->n_nodes);
    return &sim->nodes[index];
}

struct fe_addr sim_addr(size_t index)
{
    return (struct fe_addr){
        .family = FE_IPV4, .ip = {10, 0, (uint8_t)(index >> 8), (uint8_t)index}, .port = 9000};
}

uint64_t sim_now(const struct sim *sim)
{
    return sim->now_ms;
}

const struct fe_rng *sim_rng(const struct sim *sim)
{
    return &sim->rng;
}

struct fe_timers *sim_timers(struct sim *sim)
{
    return &sim->timers;
}

struct fe_pool *sim_pool(struct sim *sim)
{
    return &sim->pool;
}

void sim_make_old(struct sim *sim, size_t index)
{
    sim_node(sim, index)->self.is_old_only = true;
}

void sim_watch(struct sim *sim, unsigned dead_after_ms)
{
    sim->dead_after_ms = dead_after_ms;
}

void sim_limit_attempts(struct sim *sim, int n)
{
    sim->reconnect_attempts = n;
}

void sim_make_anonymous(struct sim *sim, size_t index)
{
    sim_node(sim, index)->self.is_anonymous = true;
}

void sim_start(struct sim *sim, size_t index)
{
    struct sim_node *node = sim_node(sim, index);
    struct fe_mesh_config config = {
        .self = node->self,
        .dead_after_ms = sim->dead_after_ms,
        .public_host = fe_view_str(node->public_host != NULL ? node->public_host : ""),
        .reconnect_attempts = sim->reconnect_attempts,
        .reconnect_backoff_factor = 1.25,
        .reconnect_backoff_min_ms = 500,
        .reconnect_backoff_max_ms = 1000,
        .join_timeout_ms = 5000,
    };
    struct fe_transport transport = {.ops = &transport_ops, .arg = node};
    struct fe_log log = {.fn = on_log, .arg = node, .level = FLATEND_LOG_INFO};
    const struct fe_mesh_env env = {
        .transport = transport,
        .timers = &sim->timers,
        .now_ms = read_clock,
        .now_arg = sim,
        .pool = &sim->pool,
        .rng = &sim->rng,
        .log = &log,
    };

    config.self.is_go_like = true; /* towards old ones: they are told of all nodes */
    assert(node->mesh == NULL);
    node->mesh = fe_mesh_new(&config, &env, &mesh_ops, node);
    assert(node->mesh != NULL);
    node->n_starts++;
}

void sim_join(struct sim *sim, size_t index, size_t bootstrap)
{
    struct sim_node *node = sim_node(sim, index);
    struct fe_addr addr = sim_addr(bootstrap);

    if (join_addrs(node->mesh, &addr, 1) != 0) {
        abort();
    }
    node->n_joins++;
}

void sim_join_by_name(struct sim *sim, size_t index, const char *host)
{
    struct sim_node *node = sim_node(sim, index);
    const struct fe_seed seed = {.addr.port = 9000, .host = fe_view_str(host)};

    if (fe_mesh_join(node->mesh, &seed, 1) != 0) {
        abort();
    }
    node->n_joins++;
}

void sim_stop(struct sim *sim, size_t index)
{
    struct sim_node *node = sim_node(sim, index);

    fe_mesh_close(node->mesh, false);
    while (node->mesh != NULL) {
        sim_run(sim, 1);
    }
}

void sim_run(struct sim *sim, uint64_t ms)
{
    uint64_t until = sim->now_ms + ms;

    while (fe_timers_next(&sim->timers) <= until) {
        uint64_t next = fe_timers_next(&sim->timers);

        sim->now_ms = next > sim->now_ms ? next : sim->now_ms;
        fe_timers_run(&sim->timers, sim->now_ms);
    }
    sim->now_ms = until;
}

/* ---- what goes wrong ---- */

static void break_conn(struct sim_conn *conn)
{
    for (int i = 0; i < 2; i++) {
        end_deferred(&conn->ends[i], FLATEND_ERESET, conn->latency_ms);
    }
}

void sim_partition(struct sim *sim, size_t index, int side)
{
    struct sim_node *node = sim_node(sim, index);

    node->side = side;
    FE_LIST_FOREACH (link, next, &sim->conns) {
        struct sim_conn *conn = FE_CONTAINER_OF(link, struct sim_conn, node);
        const struct sim_node *a = conn->ends[0].node;
        const struct sim_node *b = conn->ends[1].node;

        if (b != NULL && a->side != b->side) {
            break_conn(conn);
        }
    }
}

bool sim_break_one(struct sim *sim)
{
    struct fe_list *at = &sim->conns;

    if (sim->n_conns == 0) {
        return false;
    }
    for (uint32_t i = fe_rng_below(&sim->rng, (uint32_t)sim->n_conns) + 1; i > 0; i--) {
        at = at->next;
    }
    break_conn(FE_CONTAINER_OF(at, struct sim_conn, node));
    return true;
}

/* Bytes that wait set out, or stay where they are. */
static void let_pass(struct sim *sim)
{
    FE_LIST_FOREACH (link, next, &sim->conns) {
        struct sim_conn *conn = FE_CONTAINER_OF(link, struct sim_conn, node);

        for (int i = 0; i < 2; i++) {
            struct sim_end *end = &conn->ends[i];

            if (is_parted(conn)) {
                fe_timer_stop(&sim->timers, &end->arrival);
            } else if (end->inbox.len > 0 && !fe_timer_is_armed(&end->arrival)) {
                start_timer(sim, &end->arrival, conn->latency_ms);
            }
        }
    }
}

void sim_hold(struct sim *sim, bool hold)
{
    sim->is_held = hold;
    let_pass(sim);
}

void sim_cut(struct sim *sim, size_t index, int side)
{
    sim_node(sim, index)->side = side;
    FE_LIST_FOREACH (link, next, &sim->conns) {
        struct sim_conn *conn = FE_CONTAINER_OF(link, struct sim_conn, node);

        if (!is_parted(conn) && conn->ends[1].node != NULL) {
            for (int i = 0; i < 2; i++) {
                if (conn->ends[i].link == NULL) {
                    end_deferred(peer_of(&conn->ends[i]), FLATEND_ERESET, conn->latency_ms);
                }
            }
        }
    }
    let_pass(sim);
}

/* ---- what is asserted ---- */

bool sim_is_linked(const struct sim *sim, size_t a, size_t b)
{
    return fe_mesh_find_link(sim->nodes[a].mesh, sim->nodes[b].self.id.public_key) != NULL;
}

size_t sim_n_peers(const struct sim *sim, size_t index)
{
    size_t n = 0;

    for (size_t i = 0; i < sim->n_nodes; i++) {
        n += i != index && sim_is_linked(sim, index, i);
    }
    return n;
}

size_t sim_count(const struct sim *sim, size_t index, const char *text)
{
    const struct fe_buf *trace = &sim->nodes[index].trace;
    size_t text_len = strlen(text);
    size_t n = 0;

    for (size_t i = 0; i + text_len <= trace->len; i++) {
        n += memcmp(trace->data + i, text, text_len) == 0;
    }
    return n;
}
