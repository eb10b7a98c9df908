/* The addresses of all [[http]], and which shard serves who comes in.
 *
 * The shards accept from sockets that they share, so that one which is busy lets nobody wait whom
 * another could let in. The client goes to the shard with the fewest, of several the first: few
 * clients sit where the mesh is. From eight clients a shard on, who accepts keeps the client unless
 * it has more than an eighth beyond that: handing over costs a wake-up. (With sockets of each
 * shard's own, by SO_REUSEPORT, clients would wait for a busy shard beside an idle one, and a
 * second gateway could be started on the same address by mistake.) */
#ifndef FE_GATEWAY_EDGE_ENTRANCE_H
#define FE_GATEWAY_EDGE_ENTRANCE_H

#include "gateway/edge/shard.h"

enum {
    /* Shards that accept. Each connection wakes all of them that are idle, and only one gets it. */
    FE_GATES_MAX = 4,
};

/* All of it outlives the entrance. */
struct fe_entrance_setup {
    const struct fe_config *config;
    struct fe_shard *shards;
    size_t n_shards;
    const struct fe_log *log;
    void (*on_closed)(void *arg); /* on the gateway's thread */
    void *closed_arg;
};

/* One address at one shard. */
struct fe_door {
    struct fe_gate *gate;
    size_t http; /* the index of its [[http]] */
    int fd;      /* until there is a listener, which then owns it */
    struct fe_listener *listener;
};

/* All addresses at one shard, whose thread it belongs to once it is open. */
struct fe_gate {
    struct fe_entrance *entrance;
    struct fe_shard *shard;
    struct fe_door *doors;
    size_t n_doors;
    size_t n_open; /* of them */
    bool is_closing;
    struct fe_mail open_mail;
    struct fe_mail close_mail;
    struct fe_mail closed_mail; /* to the gateway's thread */
};

struct fe_entrance {
    struct fe_entrance_setup setup;
    struct fe_gate gates[FE_GATES_MAX];
    size_t n_gates;
    size_t n_open; /* of them, as the gateway's thread knows */
};

/* Listens on every address. On failure `err` names the address; what was opened is closed by
 * fe_entrance_close, as after a success. A further shard that cannot accept is only logged. The
 * entrance must not move. */
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
