#include "gateway/entrance.h"

#include <stdlib.h>

enum { PRIVILEGED_PORT = 1024 };

static size_t load_of(struct fe_shard *shard)
{
    return atomic_load_explicit(&shard->load, memory_order_relaxed);
}

static void on_socket(void *owner, int fd, const struct fe_addr *peer)
{
    const struct fe_door *const door = owner;
    const struct fe_entrance_setup *const setup = &door->entrance->setup;
    struct fe_shard *chosen = &setup->shards[0];

    for (size_t i = 1; i < setup->n_shards; i++) {
        if (load_of(&setup->shards[i]) < load_of(chosen)) {
            chosen = &setup->shards[i];
        }
    }
    fe_shard_take(chosen, door->index, fd, peer);
}

/* ---- the end ------------------------------------------------------------------------------ */

static bool has_branch(const struct fe_entrance *entrance)
{
    return entrance->worker != entrance->setup.home;
}

/* On the gateway's thread. */
static void on_ended(void *arg)
{
    struct fe_entrance *const entrance = arg;

    entrance->setup.on_closed(entrance->setup.closed_arg);
}

static void finish_if_empty(struct fe_entrance *entrance)
{
    if (!entrance->is_closing || entrance->n_open > 0) {
        return;
    }
    if (has_branch(entrance)) {
        fe_branch_finish(&entrance->branch);
    } else {
        on_ended(entrance);
    }
}

static void on_socket_closed(void *owner)
{
    struct fe_entrance *const entrance = ((struct fe_door *)owner)->entrance;

    entrance->n_open--;
    finish_if_empty(entrance);
}

static void close_door(struct fe_door *door)
{
    for (size_t i = 0; i < door->n_sockets; i++) {
        fe_listener_close(door->sockets[i]);
    }
    door->n_sockets = 0;
}

static void close_doors(struct fe_entrance *entrance)
{
    entrance->is_closing = true;
    for (size_t i = 0; i < entrance->n_doors; i++) {
        close_door(&entrance->doors[i]);
    }
    finish_if_empty(entrance);
}

static void on_close_mail(struct fe_mail *mail)
{
    close_doors(FE_CONTAINER_OF(mail, struct fe_entrance, close_mail));
}

void fe_entrance_close(struct fe_entrance *entrance)
{
    if (has_branch(entrance)) {
        fe_mail_post(entrance->worker, &entrance->close_mail);
    } else {
        close_doors(entrance);
    }
}

void fe_entrance_deinit(struct fe_entrance *entrance)
{
    for (size_t i = 0; i < entrance->n_doors; i++) {
        free(entrance->doors[i].sockets);
    }
    free(entrance->doors);
}

/* ---- the start ---------------------------------------------------------------------------- */

static const struct fe_listener_ops socket_ops = {
    .on_socket = on_socket,
    .on_close = on_socket_closed,
};

static void log_open(const struct fe_door *door, const struct fe_listener *socket)
{
    const struct fe_log *const log = door->entrance->setup.log;
    char text[FE_ADDR_TEXT_MAX];
    struct fe_addr bound;

    fe_listener_addr(socket, &bound);
    (void)fe_addr_format(&bound, text);
    if (door->config->n_targets > 0) {
        fe_log(log, FLATEND_LOG_INFO, "Redirecting HTTP requests on '%s' to HTTPS.", text);
    } else {
        fe_log(log, FLATEND_LOG_INFO, "Listening for %s requests on '%s'.",
               door->config->https != FE_HTTPS_OFF ? "HTTPS" : "HTTP", text);
    }
}

static int open_socket(struct fe_door *door, const struct fe_addr *addr, struct flatend_error *err)
{
    struct fe_entrance *const entrance = door->entrance;
    struct fe_listener **const socket = &door->sockets[door->n_sockets];
    int code = fe_listener_open(entrance->worker, addr, &socket_ops, door, socket, err);

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
    door->n_sockets++;
    entrance->n_open++;
    log_open(door, *socket);
    return 0;
}

static int open_door(struct fe_door *door, struct flatend_error *err)
{
    int code = 0;

    door->sockets = calloc(door->config->n_addrs, sizeof(struct fe_listener *));
    if (door->sockets == NULL) {
        return fe_err_code(err, FLATEND_ENOMEM);
    }
    for (size_t i = 0; code == 0 && i < door->config->n_addrs; i++) {
        code = open_socket(door, &door->config->addrs[i], err);
    }
    return code;
}

/* A redirect that nobody asked for: somebody else may be using that port. */
static bool is_optional(const struct fe_config_http *http)
{
    return http->n_targets > 0 && !http->targets[0]->has_redirect;
}

static int open_doors(struct fe_entrance *entrance, struct flatend_error *err)
{
    const struct fe_config *const config = entrance->setup.config;
    int code = 0;

    for (size_t i = 0; code == 0 && i < config->n_http; i++) {
        struct fe_door *const door = &entrance->doors[entrance->n_doors++];

        *door = (struct fe_door){.entrance = entrance, .config = &config->http[i], .index = i};
        code = open_door(door, err);
        if (code != 0 && is_optional(door->config)) {
            fe_log(entrance->setup.log, FLATEND_LOG_WARN, "Nothing redirects HTTP to HTTPS: %s.",
                   err->text);
            close_door(door);
            code = 0;
        }
    }
    return code;
}

/* Without a thread the sockets are closed here, for which the loop is run. */
static void take_back(struct fe_entrance *entrance)
{
    for (size_t i = 0; i < entrance->n_doors; i++) {
        close_door(&entrance->doors[i]);
    }
    fe_branch_deinit(&entrance->branch);
    entrance->worker = entrance->setup.home;
}

/* The doors are opened before the thread starts, so that what fails is known here. */
static int open_on_branch(struct fe_entrance *entrance, struct flatend_error *err)
{
    int code = fe_branch_init(&entrance->branch, entrance->setup.home, on_ended, entrance);
    int rv;

    if (code != 0) {
        return fe_err_set(err, code, "listen: %s", flatend_strerror(code));
    }
    entrance->worker = entrance->branch.worker;
    code = open_doors(entrance, err);
    rv = fe_branch_start(&entrance->branch);
    if (rv != 0) {
        take_back(entrance);
        code = fe_err_set(err, rv, "listen: %s", flatend_strerror(rv));
    }
    return code;
}

int fe_entrance_open(struct fe_entrance *entrance, const struct fe_entrance_setup *setup,
                     struct flatend_error *err)
{
    *entrance = (struct fe_entrance){.setup = *setup, .worker = setup->home};
    fe_mail_init(&entrance->close_mail, on_close_mail);
    entrance->doors = calloc(setup->config->n_http + 1, sizeof(*entrance->doors));
    if (entrance->doors == NULL) {
        return fe_err_set(err, FLATEND_ENOMEM, "listen: %s", flatend_strerror(FLATEND_ENOMEM));
    }
    return setup->n_shards > 1 ? open_on_branch(entrance, err) : open_doors(entrance, err);
}

/* ---- looking ------------------------------------------------------------------------------ */

int fe_entrance_addr(const struct fe_entrance *entrance, size_t index, struct fe_addr *addr)
{
    for (size_t i = 0; i < entrance->n_doors; i++) {
        const struct fe_door *const door = &entrance->doors[i];

        if (index < door->n_sockets) {
            fe_listener_addr(door->sockets[index], addr);
            return 0;
        }
        index -= door->n_sockets;
    }
    return FLATEND_ENOENT;
}
