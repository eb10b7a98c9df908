/* The addresses of all [[http]]: who comes in is handed to the shard with the fewest clients, of
 * several the first.
 *
 * With more than one shard a thread of its own does nothing else, so that nobody waits for a shard
 * that is busy while another one is not. (Sockets of each shard's own, by SO_REUSEPORT, would do
 * without; but a few connections that live long are spread unevenly then, and a second gateway
 * could be started on the same address by mistake.) */
#ifndef FE_GATEWAY_ENTRANCE_H
#define FE_GATEWAY_ENTRANCE_H

#include "gateway/shard.h"

/* All of it outlives the entrance. */
struct fe_entrance_setup {
    const struct fe_config *config;
    struct fe_worker *home; /* the gateway's worker */
    struct fe_shard *shards;
    size_t n_shards;
    const struct fe_log *log;
    void (*on_closed)(void *arg); /* on the gateway's thread */
    void *closed_arg;
};

/* The addresses of one [[http]]. */
struct fe_door {
    struct fe_entrance *entrance;
    const struct fe_config_http *config;
    size_t index;                 /* of `config` */
    struct fe_listener **sockets; /* by address */
    size_t n_sockets;             /* that are open */
};

struct fe_entrance {
    struct fe_entrance_setup setup;
    struct fe_branch branch; /* with more than one shard */
    struct fe_worker *worker;
    struct fe_door *doors;
    size_t n_doors;
    /* The worker's thread. */
    size_t n_open; /* sockets that are not closed */
    bool is_closing;
    struct fe_mail close_mail;
};

/* Listens on every address. On failure `err` names the address; what was opened is closed by
 * fe_entrance_close, as after a success. The entrance must not move. */
int fe_entrance_open(struct fe_entrance *entrance, const struct fe_entrance_setup *setup,
                     struct flatend_error *err) FE_MUST_USE;

/* Lets nobody in any more. `on_closed` comes once after it, perhaps from within: whoever was let in
 * is with a shard then, or on the way there. */
void fe_entrance_close(struct fe_entrance *entrance);

/* After on_closed; also one of zeros. */
void fe_entrance_deinit(struct fe_entrance *entrance);

/* The `index`-th address, counted through all [[http]], as it is bound. FLATEND_ENOENT. */
int fe_entrance_addr(const struct fe_entrance *entrance, size_t index,
                     struct fe_addr *addr) FE_MUST_USE;

#endif
