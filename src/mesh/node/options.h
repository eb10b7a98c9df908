/* The options of a node, checked and copied. */
#ifndef FE_MESH_NODE_OPTIONS_H
#define FE_MESH_NODE_OPTIONS_H

#include <stdatomic.h>

#include "ground/base/addr.h"
#include "ground/base/arena.h"
#include "ground/base/log.h"
#include "ground/base/map.h"
#include "mesh/async/queue.h"
#include "mesh/session/trust.h"

enum {
    FE_SERVICE_NAME_MAX = 255, /* its length is one byte in a Handshake */
    /* All names with their lengths: what a Handshake with an ID and its extension leave of a record
     * (docs/PROTOCOL.md §1.1: 4,075 bytes of packet; §1.2: 1 + 51 bytes of ID, 1 of count, 64 of
     * signature; §2.1: FE_SECURE_EXTENSION_SENT_MAX). */
    FE_SERVICE_NAMES_MAX = 4075 - 117 - 256,
    FE_BIND_ADDRS_MAX = 64,
    FE_HANDLER_THREADS_MAX = 4096,
    /* Keys and rules of a node: searched one by one when a peer connects. */
    FE_TRUST_ENTRIES_MAX = 4096,
    FE_MESH_SECRET_MAX = 4096,
};

struct fe_service {
    struct fe_map_node by_name; /* its key is the name */
    const char *name;
    flatend_handler handler;
    void *arg;
    struct fe_event_source queue; /* which its requests are told to, or none: the handler is run */
    bool is_inline;
    bool is_streaming;  /* starts with the head */
    bool is_heap;       /* added while the node ran: freed with its last reference */
    atomic_uint n_refs; /* of the node, and of each request that it serves */
};

struct fe_settings {
    struct fe_arena arena;
    bool is_anonymous;
    struct flatend_secret_key secret_key;
    bool has_public_addr;
    struct fe_ip_addr public_addr; /* with a host name: its port */
    const char *public_host;       /* NULL: `public_addr` is all of it */
    struct fe_addr *bind_addrs;
    size_t n_bind_addrs;
    struct fe_service *services;
    struct fe_view *service_names;
    size_t n_services;
    struct fe_trust trust; /* what it points to lives in the arena */
    unsigned dead_after_ms;
    int reconnect_attempts;
    double reconnect_backoff_factor;
    unsigned reconnect_backoff_min_ms;
    unsigned reconnect_backoff_max_ms;
    unsigned handler_threads;
    unsigned shutdown_timeout_ms;
    unsigned start_timeout_ms;
    bool start_needs_peer;
    struct fe_log log;
    struct uv_loop_s *loop;
};

/* FLATEND_EINVAL, FLATEND_EADDR, FLATEND_EKEY, FLATEND_ENOMEM: `error` names the option. The host
 * names of `bind_addrs` are looked up, which may take a while. Nothing to deinit on failure. */
int fe_settings_init(struct fe_settings *settings, const struct flatend_options *options,
                     struct flatend_error *error) FE_MUST_USE;

/* The options as this library has them, whichever version they are of: what the application's does
 * not have is as by default. FLATEND_EINVAL: this library does not know all that is set. */
int fe_options_read(const struct flatend_options *options, struct flatend_options *known,
                    struct flatend_error *error) FE_MUST_USE;

/* One service, as it comes from outside: FLATEND_EINVAL, `error` says why. */
int fe_service_check(const struct flatend_service *service,
                     struct flatend_error *error) FE_MUST_USE;

/* Fills in all but the name. */
void fe_service_init(struct fe_service *service, const struct flatend_service *from);

/* The trust settings: their part of fe_settings_init. */
int fe_settings_copy_trust(struct fe_settings *settings, const struct flatend_options *options,
                           struct flatend_error *error) FE_MUST_USE;

/* Whether any node may connect and provide any service. */
bool fe_settings_trust_all(const struct fe_settings *settings);

/* Wipes the secrets. */
void fe_settings_deinit(struct fe_settings *settings);

#endif
