/* The life of an entrance.
 *
 * Happy path: the first gate, on the gateway's own thread, opens the sockets; the others get
 * duplicates, and open by mail. They close the same way; the last one that has closes the entrance.
 *
 * Failure modes: an address cannot be had: the caller closes what is open. A further gate cannot be
 * opened, or not all of it: a line in the log, and the others let everybody in. */
#include "gateway/edge/entrance.h"

#include <stdlib.h>
#include <unistd.h>

enum {
    PRIVILEGED_PORT = 1024,
    SLACK_DIVISOR = 8, /* how much more than the fewest a shard may have that keeps a client */
};

/* ---- who comes in ------------------------------------------------------------------------- */

static size_t load_of(struct fe_shard *shard)
{
    return atomic_load_explicit(&shard->load, memory_order_relaxed);
}

static struct fe_shard *choose(const struct fe_gate *gate)
{
    const struct fe_entrance_setup *const setup = &gate->entrance->setup;
    struct fe_shard *fewest = &setup->shards[0];
    size_t load = load_of(fewest);
    size_t slack;

    for (size_t i = 1; i < setup->n_shards; i++) {
        const size_t other = load_of(&setup->shards[i]);

        if (other < load) {
            fewest = &setup->shards[i];
            load = other;
        }
    }
    slack = load / SLACK_DIVISOR;
    return slack > 0 && load_of(gate->shard) <= load + slack ? gate->shard : fewest;
}

static void on_socket(void *owner, int fd, const struct fe_addr *peer)
{
    const struct fe_door *const door = owner;

    fe_shard_take(choose(door->gate), door->gate->shard, door->http, fd, peer);
}

/* ---- the end ------------------------------------------------------------------------------ */

static bool is_first(const struct fe_gate *gate)
{
    return gate == gate->entrance->gates;
}

/* On the gateway's thread. */
static void count_closed(struct fe_entrance *entrance)
{
    if (--entrance->n_open == 0) {
        entrance->setup.on_closed(entrance->setup.closed_arg);
    }
}

static void on_closed_mail(struct fe_mail *mail)
{
    count_closed(FE_CONTAINER_OF(mail, struct fe_gate, closed_mail)->entrance);
}

static void finish_if_closed(struct fe_gate *gate)
{
    if (!gate->is_closing || gate->n_open > 0) {
        return;
    }
    if (is_first(gate)) {
        count_closed(gate->entrance);
    } else {
        fe_mail_post(gate->shard->setup.home, &gate->closed_mail);
    }
}

static void on_listener_closed(void *owner)
{
    struct fe_door *const door = owner;

    door->gate->n_open--;
    finish_if_closed(door->gate);
}

static void close_door(struct fe_door *door)
{
    if (door->listener != NULL) {
        fe_listener_close(door->listener);
        door->listener = NULL;
    }
}

static void close_gate(struct fe_gate *gate)
{
    gate->is_closing = true;
    for (size_t i = 0; i < gate->n_doors; i++) {
        close_door(&gate->doors[i]);
    }
    finish_if_closed(gate);
}

static void on_close_mail(struct fe_mail *mail)
{
    close_gate(FE_CONTAINER_OF(mail, struct fe_gate, close_mail));
}

void fe_entrance_close(struct fe_entrance *entrance)
{
    for (size_t i = 1; i < entrance->n_gates; i++) {
        fe_mail_post(entrance->gates[i].shard->worker, &entrance->gates[i].close_mail);
    }
    close_gate(&entrance->gates[0]);
}

void fe_entrance_deinit(struct fe_entrance *entrance)
{
    for (size_t i = 0; i < entrance->n_gates; i++) {
        free(entrance->gates[i].doors);
    }
}

/* ---- the first gate ----------------------------------------------------------------------- */

static const struct fe_listener_ops listener_ops = {
    .on_socket = on_socket,
    .on_close = on_listener_closed,
};

static void log_open(const struct fe_entrance *entrance, const struct fe_config_http *config,
                     const struct fe_listener *listener)
{
    const struct fe_log *const log = entrance->setup.log;
    char text[FE_ADDR_TEXT_MAX];
    struct fe_addr bound;

    fe_listener_addr(listener, &bound);
    (void)fe_addr_format(&bound, text);
    if (config->n_targets > 0) {
        fe_log(log, FLATEND_LOG_INFO, "Redirecting HTTP requests on '%s' to HTTPS.", text);
    } else {
        fe_log(log, FLATEND_LOG_INFO, "Listening for %s requests on '%s'.",
               config->https != FE_HTTPS_OFF ? "HTTPS" : "HTTP", text);
    }
}

static int open_door(struct fe_gate *gate, size_t http, const struct fe_addr *addr,
                     struct flatend_error *err)
{
    struct fe_door *const door = &gate->doors[gate->n_doors];
    int code;

    *door = (struct fe_door){.gate = gate, .http = http, .fd = -1};
    code = fe_listener_open(gate->shard->worker, addr, &listener_ops, door, &door->listener, err);
    if (code == FLATEND_EACCESS && addr->port < PRIVILEGED_PORT) {
        const struct flatend_error reason = *err;

        (void)fe_err_set(err, code,
                         "%.120s: ports below 1024 need root or the capability "
                         "CAP_NET_BIND_SERVICE",
                         reason.text);
    }
    if (code != 0) {
        return code;
    }
    gate->n_doors++;
    gate->n_open++;
    log_open(gate->entrance, &gate->entrance->setup.config->http[http], door->listener);
    return 0;
}

/* All addresses of one [[http]]. */
static int open_doors(struct fe_gate *gate, size_t http, struct flatend_error *err)
{
    const struct fe_config_http *const config = &gate->entrance->setup.config->http[http];
    int code = 0;

    for (size_t i = 0; code == 0 && i < config->n_addrs; i++) {
        code = open_door(gate, http, &config->addrs[i], err);
    }
    return code;
}

/* A redirect that nobody asked for: somebody else may be using that port. */
static bool is_optional(const struct fe_config_http *http)
{
    return http->n_targets > 0 && !http->targets[0]->has_redirect;
}

static int open_first(struct fe_gate *gate, struct flatend_error *err)
{
    const struct fe_entrance_setup *const setup = &gate->entrance->setup;
    int code = 0;

    for (size_t i = 0; code == 0 && i < setup->config->n_http; i++) {
        const size_t n_before = gate->n_doors;

        code = open_doors(gate, i, err);
        if (code != 0 && is_optional(&setup->config->http[i])) {
            fe_log(setup->log, FLATEND_LOG_WARN, "Nothing redirects HTTP to HTTPS: %s.", err->text);
            for (size_t k = n_before; k < gate->n_doors; k++) {
                close_door(&gate->doors[k]);
            }
            code = 0;
        }
    }
    return code;
}

/* ---- further gates ------------------------------------------------------------------------ */

static void log_closed(const struct fe_gate *gate, int code)
{
    fe_log(gate->entrance->setup.log, FLATEND_LOG_WARN,
           "Worker %zu of %zu accepts nobody itself: %s.",
           (size_t)(gate - gate->entrance->gates) + 1, gate->entrance->setup.n_shards,
           flatend_strerror(code));
}

static void on_open_mail(struct fe_mail *mail)
{
    struct fe_gate *const gate = FE_CONTAINER_OF(mail, struct fe_gate, open_mail);

    for (size_t i = 0; i < gate->n_doors; i++) {
        struct fe_door *const door = &gate->doors[i];
        int code =
            fe_listener_adopt(gate->shard->worker, door->fd, &listener_ops, door, &door->listener);

        if (code == 0) {
            gate->n_open++;
        } else {
            (void)close(door->fd);
            log_closed(gate, code);
        }
        door->fd = -1;
    }
}

/* Those of the first gate that are open. */
static int duplicate_doors(struct fe_gate *gate, const struct fe_gate *first)
{
    for (size_t i = 0; i < first->n_doors; i++) {
        const struct fe_door *const door = &first->doors[i];
        int fd;

        if (door->listener == NULL) {
            continue;
        }
        fd = fe_listener_duplicate(door->listener);
        if (fd < 0) {
            return fd;
        }
        gate->doors[gate->n_doors++] = (struct fe_door){.gate = gate, .http = door->http, .fd = fd};
    }
    return 0;
}

/* What was duplicated is the gate's in any case: it opens, so that it can be closed. */
static void open_further(struct fe_gate *gate)
{
    int code = duplicate_doors(gate, &gate->entrance->gates[0]);

    if (code != 0) {
        log_closed(gate, code);
    }
    fe_mail_post(gate->shard->worker, &gate->open_mail);
}

/* ---- the start ---------------------------------------------------------------------------- */

static int gate_init(struct fe_gate *gate, struct fe_entrance *entrance, struct fe_shard *shard)
{
    const struct fe_config *const config = entrance->setup.config;
    size_t n_addrs = 0;

    for (size_t i = 0; i < config->n_http; i++) {
        n_addrs += config->http[i].n_addrs;
    }
    *gate = (struct fe_gate){.entrance = entrance, .shard = shard};
    fe_mail_init(&gate->open_mail, on_open_mail);
    fe_mail_init(&gate->close_mail, on_close_mail);
    fe_mail_init(&gate->closed_mail, on_closed_mail);
    gate->doors = calloc(n_addrs + 1, sizeof(*gate->doors));
    return gate->doors != NULL ? 0 : FLATEND_ENOMEM;
}

int fe_entrance_open(struct fe_entrance *entrance, const struct fe_entrance_setup *setup,
                     struct flatend_error *err)
{
    const size_t n_gates = setup->n_shards < FE_GATES_MAX ? setup->n_shards : FE_GATES_MAX;
    int code = 0;

    *entrance = (struct fe_entrance){.setup = *setup};
    for (size_t i = 0; code == 0 && i < n_gates; i++) {
        struct fe_gate *const gate = &entrance->gates[i];

        code = gate_init(gate, entrance, &setup->shards[i]);
        entrance->n_gates++;
        entrance->n_open++;
        if (code != 0) {
            (void)fe_err_set(err, code, "listen: %s", flatend_strerror(code));
        } else if (i == 0) {
            code = open_first(gate, err);
        } else {
            open_further(gate);
        }
    }
    return code;
}

/* ---- looking ------------------------------------------------------------------------------ */

int fe_entrance_addr(const struct fe_entrance *entrance, size_t index, struct fe_addr *addr)
{
    const struct fe_gate *const gate = &entrance->gates[0];

    for (size_t i = 0; i < gate->n_doors; i++) {
        if (gate->doors[i].listener != NULL && index-- == 0) {
            fe_listener_addr(gate->doors[i].listener, addr);
            return 0;
        }
    }
    return FLATEND_ENOENT;
}
