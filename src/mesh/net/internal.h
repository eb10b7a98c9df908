/* The inside of the mesh, for src/mesh only.
 *
 *     mesh.c       the node: what it holds, accepting, closing
 *     join.c       from the first addresses to on_joined
 *     accept.c     which connections there is room for
 *     link.c       one connection, from open to gone
 *     handshake.c  the peer of a connection tells its identity and its services
 *     stranger.c   how many connections without a proof an address may have
 *     budget.c     how much of what costs more than it is worth a peer may ask
 *     output.c     what waits for peers that do not read
 *     old_peer.c   what old peers need: which they are, when they are ready, which nodes to name
 *     keepalive.c  whether it is still there
 *     goaway.c     announcing the end of requests, and receiving that
 *     dial.c       an address that is dialed, and dialed again when it is lost
 *     name.c       a host name, and what addresses it has at the moment
 *     self.c       requests to services of this node's own
 *     discover.c   asking the mesh for the nodes nearest to this one
 *     peer_info.c  what is known of peers, as plain values; what was counted; news of them
 *     rtt.c        the round-trip time of a link
 *     check.c      the invariants of all these
 *
 * A link points to its dial and a dial to its link while both are alive. Links die in
 * fe_link_on_close and nowhere else; dials in dial.c. Whatever completes for the application
 * (on_joined, on_closed) does so from the mesh's own timer, so never from within one of its calls.
 */
#ifndef FE_MESH_NET_INTERNAL_H
#define FE_MESH_NET_INTERNAL_H

#include "ground/base/list.h"
#include "ground/base/log_limit.h"
#include "mesh/kad/lookup.h"
#include "mesh/net/budget.h"
#include "mesh/net/mesh.h"
#include "mesh/net/rtt.h"
#include "mesh/net/self.h"
#include "mesh/net/stats.h"
#include "mesh/net/stranger.h"
#include "mesh/wire/peer_name.h"

enum {
    FE_MESH_ANSWER_MS = 5000,    /* from our FindNode to its answer */
    FE_MESH_DISCOVER_MS = 30000, /* one discovery, whatever peers do */
    FE_MESH_LINGER_MS = 2000,    /* a closing link may still send what it holds */
    FE_MESH_DIAL_LINGER_MS = 50, /* a dial of a mesh that drains may still connect */
    FE_MESH_HOLD_MS = 1000,      /* an old peer that does not say that it is ready is, by then */
    FE_MESH_LOOK_MS = 200,       /* an old node that starts looks for nodes by then */
    /* From a rejection to the next attempt. The result will rarely differ, but an attacker on the
       path can forge a rejection, which must not separate two nodes permanently. */
    FE_MESH_REFUSED_MS = 60000,
    /* Between two look-ups of a name, and how long one is waited for: what comes later is for the
     * next attempt. A peer that has connected waits as long for our first bytes, a Go node for 3 s.
     */
    FE_MESH_LOOK_UP_MS = 5000,
    FE_MESH_LOOK_UP_WAIT_MS = 2000,
    FE_MESH_LOOK_UP_JITTER_MS = 250,
    FE_MESH_LOOK_UPS_MAX = 8, /* at once: each may hold a thread of the transport's */
    FE_MESH_OWN_ADDRS_MAX = 8,
    FE_MESH_LOG_MS = 30000, /* between two lines about an address that does not come back */
    /* After FE_MESH_ATTEMPTS the interval is no shorter than this, whatever the options say: what
     * is repeated for ever must not keep a processor busy. */
    FE_MESH_INTERVAL_MIN_MS = 100,
    /* After a loss an address is dialed at once, but no more often than this (or the longest
     * interval): a peer that accepts and hangs up must not be dialed in a loop. */
    FE_MESH_AT_ONCE_MS = 1000,
    /* Output that may wait on one link. Bodies stop long before (FE_SESSION_OUT_MAX); this is the
     * heads that may be sent behind them, of which the first fills the output, with room for what
     * frames them. A peer that makes us answer more than that does not read its answers. */
    FE_MESH_OUT_MAX =
        FE_SESSION_OUT_MAX + 2 * FE_HEAD_MAX + FE_PEER_QUEUED_HEADS_MAX * FE_PEER_QUEUED_HEAD_SIZE,
    /* The same of all links together; and how long nothing of one may leave. */
    FE_MESH_OUT_ALL_MAX = 128 * 1024 * 1024,
    FE_MESH_UNREAD_MS = 30000,
    FE_MESH_SERVICES_TEXT_MAX = 256, /* of the services a log line names */
};

/* Where a timer rests that must always have a place in the heap: later than any time, far from
 * overflowing. */
#define FE_MESH_FAR_AHEAD_MS (FE_TIME_NEVER / 2)

/* What a PING is about. */
enum {
    FE_PING_KEEPALIVE,
    FE_PING_GOAWAY,
    FE_PING_MEASURE, /* only the time that its answer takes */
};

/* ---- link.c --------------------------------------------------------------------------------- */

/*            on_open             Handshake
 *   DIALING ──────────▶ HANDSHAKE ─────────────▶ READY
 *     │     accepted ───▶ │                      │
 *     └───────────────────┼──────────────────────┘
 *                         ├── the mesh drains ──▶ DRAINING ──┐
 *                         ├── a fault, a deadline, or now ───┴─▶ CLOSING
 *                         ▼                                       │
 *                     on_close ◀──────────────────────────────────┘     (freed)
 */
enum fe_link_state {
    FE_LINK_DIALING,   /* no session yet */
    FE_LINK_HANDSHAKE, /* session and peer exist; waiting for the Handshake */
    FE_LINK_READY,     /* the peer's Handshake was accepted; it is in the registry */
    FE_LINK_DRAINING,  /* we have ended it; what it holds is still sent */
    FE_LINK_CLOSING,   /* we have ended it; waiting for on_close */
};

/* Our GOAWAY on a link. */
enum fe_goaway_state {
    FE_GOAWAY_NONE,
    FE_GOAWAY_SENT,  /* requests that the peer sent before it knew may still come */
    FE_GOAWAY_ACKED, /* the peer has seen it: none will */
};

/* What is known of an old peer; without meaning for others. */
struct fe_old_peer {
    enum fe_old_kind kind;
    bool has_looked;      /* it has sent FindNode since its last Handshake */
    bool is_asked;        /* which kind it is of */
    bool is_spare;        /* another link leads to this node: no requests over this one */
    bool is_introduced;   /* our second Handshake, with an ID, was sent */
    struct fe_timer hold; /* while requests to it wait */
    bool has_question;    /* its FindNode waits for its kind to be known */
    uint32_t token;
    uint8_t target[FE_KEY_LEN];
    uint64_t order; /* among links, by when they became ready */
    uint64_t told;  /* links of an order up to this it has been told of */
};

struct fe_link {
    struct fe_list node; /* in mesh->links */
    struct fe_mesh *mesh;
    struct fe_dial *dial; /* NULL: accepted, or not wanted any more */
    void *io;
    enum fe_link_state state;
    struct fe_addr addr;       /* dialed, or the connection came from */
    struct fe_timer timer;     /* bounds every state but READY and CLOSING */
    struct fe_timer keepalive; /* READY: next check of the peer */
    uint64_t last_read_ms;     /* of the last byte received */
    uint64_t last_ping_ms;     /* of the last keep-alive ping */
    uint64_t opened_ms;        /* when the connection was made */
    uint64_t n_received;       /* bytes */
    struct fe_budget budget;
    struct fe_stranger stranger; /* counts if it was accepted, until it has proven itself */
    struct {
        unsigned n_checks; /* in which nothing of the output had left; 0: there was none */
        uint64_t n_sent;   /* bytes that had left then: output.c */
    } unread;
    struct fe_rtt rtt;
    enum fe_goaway_state goaway;
    bool has_goaway;  /* received from the peer: no new requests are sent to it */
    bool has_session; /* from HANDSHAKE on, until the end: `session` and `peer` are initialised */
    struct fe_session session;
    struct fe_peer peer;
    bool is_held;             /* nothing is read until our own name is known */
    bool is_broken;           /* output was lost: to be closed at the end of this turn */
    bool is_up;               /* the mesh's owner was told of the peer */
    bool is_in_peer_call;     /* a call into the peer runs, and settles it on its way out */
    struct fe_list unsettled; /* in mesh->unsettled */
    struct fe_buf services;   /* as announced last, "a b c", for the log */
    struct fe_old_peer old;
};

/* A link on the mesh's list whose deadline runs; NULL: out of memory. Freed by link.c, but for one
 * whose connection never began. */
struct fe_link *fe_link_new(struct fe_mesh *mesh);
void fe_link_free(struct fe_link *link);
/* FLATEND_ENOMEM, FLATEND_EIO. */
int fe_link_start_session(struct fe_link *link, bool is_initiator) FE_MUST_USE;

/* Dials for `dial`, whose link it becomes. A code: there is no link. */
int fe_link_dial(struct fe_dial *dial, const struct fe_addr *addrs, size_t n) FE_MUST_USE;

/* Somebody has dialed us, and has sent no Handshake yet. */
bool fe_link_is_stranger(const struct fe_link *link);

/* Our own name is known: the handshake goes on. */
void fe_link_release(struct fe_link *link);

/* Ends a link that is on mesh->links, without a log line. Idempotent; what was to drain may be
 * closed at once later. */
void fe_link_close(struct fe_link *link, bool drain);

/* Tells the owners of streams that are over. */
void fe_link_settle(struct fe_link *link);

/* A fault, of the peer or of ours: one line in the log, and the link is closed. */
void fe_link_fail(struct fe_link *link, int code, const struct flatend_error *err);

/* Something was appended to the output. */
void fe_link_flush(struct fe_link *link);

/* ---- handshake.c ---------------------------------------------------------------------------- */

/* The peer's Handshake. A fault is returned: the link is to be closed. */
int fe_link_on_handshake(struct fe_link *link, const struct fe_event *event,
                         struct flatend_error *err) FE_MUST_USE;

/* What the peer offers from now on. */
int fe_link_on_services(struct fe_link *link, struct fe_offers offers,
                        struct flatend_error *err) FE_MUST_USE;

/* Where the peer is: the address that was dialed, else the one that it advertises, else the one
 * that the connection came from. */
struct fe_addr fe_link_addr(const struct fe_link *link);

/* A node that listens on all interfaces does not know its address; the connection does
 * (docs/PROTOCOL.md §1.4): completes what such a node says, but for the port. */
void fe_link_complete_addr(const struct fe_link *link, struct fe_ip_addr *addr);

/* Whether a line that a peer can cause may be written now. */
bool fe_link_may_log(const struct fe_link *link, enum flatend_log_level level);

/* What the peer is called in every line: mesh/wire/peer_name.h. Returns `buf`. */
const char *fe_link_name(const struct fe_link *link, char buf[FE_PEER_NAME_MAX]);

/* A line for the node's user, as nodes have always written it: `before`, the peer's address,
 * `after`, "Services: [a b]". Behind that, in brackets, stand the first digits of its key, and
 * where it came from if its address names another host. */
void fe_link_log(const struct fe_link *link, const char *before, const char *after);

/* Whether the link is ready and the peer has this key. */
bool fe_link_has_key(const struct fe_link *link, const uint8_t key[FE_KEY_LEN]);

/* ---- peer_info.c ---------------------------------------------------------------------------- */

/* What a link has counted, added to what all have. */
void fe_link_add_stats(const struct fe_link *link, struct fe_node_stats *stats);

/* Tells the mesh's owner: of the peer of a link that is ready, or was; of a dial that ends. */
void fe_link_tell(struct fe_link *link, enum fe_mesh_news news);
void fe_dial_tell_given_up(const struct fe_dial *dial);

/* ---- old_peer.c ----------------------------------------------------------------------------- */

void fe_old_peer_init(struct fe_link *link);

/* A Handshake, the first or a further one: requests to an old peer wait until it is ready. */
int fe_old_peer_on_handshake(struct fe_link *link) FE_MUST_USE;

int fe_old_peer_on_find_node(struct fe_link *link, const struct fe_event *event) FE_MUST_USE;
int fe_old_peer_on_kind(struct fe_link *link, enum fe_old_kind kind) FE_MUST_USE;

/* Bytes have come. */
void fe_old_peer_on_read(struct fe_link *link);

/* The link ends, or its memory does: what waits for the peer goes elsewhere. */
void fe_old_peer_stop(struct fe_link *link);

/* ---- keepalive.c ---------------------------------------------------------------------------- */

/* The link is READY, or no longer. Old peers cannot be asked, and are not watched. */
void fe_keepalive_start(struct fe_link *link);
void fe_keepalive_stop(struct fe_link *link);

/* ---- output.c ------------------------------------------------------------------------------- */

void fe_output_init(struct fe_mesh *mesh);
void fe_output_stop(struct fe_mesh *mesh);

/* The output of a link is about to be written. A link may be closed by this, also another one. */
void fe_output_on_flush(struct fe_link *link);

/* ---- goaway.c ------------------------------------------------------------------------------- */

/* The mesh drains: sends GOAWAY on this link, or closes it if no Handshake has arrived. */
void fe_goaway_send(struct fe_link *link);

/* The reply to a ping: perhaps to the one behind our GOAWAY. */
void fe_goaway_on_pong(struct fe_link *link, uint64_t token);

/* GOAWAY from the peer. */
void fe_goaway_on_goaway(struct fe_link *link, const struct fe_event *event);

/* Whether a request that arrives now is accepted. */
bool fe_goaway_accepts_requests(const struct fe_link *link);

/* Calls on_drained if it is due. */
void fe_goaway_report_drained(struct fe_mesh *mesh);

/* ---- name.c --------------------------------------------------------------------------------- */

/* A host name. Known is what the last look-up has said; it is looked up again when it is asked for,
 * but not before FE_MESH_LOOK_UP_MS have passed since the last time.
 *
 *          ask                  there is room            resolved
 *   KNOWN ────▶ (QUEUED) ─────────────────▶ RUNNING ──────────────▶ KNOWN
 *                  └── not for too long ─────▶ late: not waited for ──▶ KNOWN
 */
struct fe_name {
    struct fe_list node; /* in mesh->names */
    struct fe_mesh *mesh;
    unsigned n_refs;
    bool is_running;
    bool is_queued; /* for one of the others to end */
    bool is_late;   /* running or queued, and not waited for any more */
    bool was_asked;
    uint64_t asked_ms; /* when the last look-up began */
    void *lookup;
    struct fe_timer deadline;
    struct fe_addr addrs[FE_TRANSPORT_ADDRS_MAX];
    size_t n_addrs;
    struct flatend_error err; /* why there are none; or no others */
    char host[];
};

/* The name in the mesh's list, made if need be. NULL: out of memory. */
struct fe_name *fe_name_ref(struct fe_mesh *mesh, struct fe_view host);
void fe_name_unref(struct fe_name *name);

/* Looks it up if it is time. Whether that has to be waited for: fe_dial_on_name, and the end of
 * link->is_held, come later. */
bool fe_name_ask(struct fe_name *name);

/* Whether it is being waited for. */
bool fe_name_is_awaited(const struct fe_name *name);

/* When it can be asked again. */
uint64_t fe_name_due_ms(const struct fe_name *name);

/* ---- dial.c --------------------------------------------------------------------------------- */

/* Where an address given to fe_mesh_join stands in the count of join.c. */
enum fe_seed_state {
    FE_SEED_UNTRIED,
    FE_SEED_TRIED,    /* failed once, is tried again */
    FE_SEED_RESOLVED, /* answered, or given up; or the address is not one that join was given */
};

/*   new              the link is ready
 *  ─────▶ DIALING ─────────────────────▶ CONNECTED
 *          │   ▲ timer, and the name      │
 *          │   │  (LOOKING_UP) is known   │
 *     lost ▼   │             lost         │
 *         WAITING ◀───────────────────────┘ at once, the first time
 *          │ no attempt left, not to be kept, the mesh drains or closes
 *          ▼
 *       (freed)
 */
enum fe_dial_state {
    FE_DIAL_LOOKING_UP, /* its name, or our own */
    FE_DIAL_DIALING,
    FE_DIAL_CONNECTED,
    FE_DIAL_WAITING,
};

struct fe_dial {
    struct fe_list node; /* in mesh->dials */
    struct fe_mesh *mesh;
    struct fe_name *name;       /* NULL: `addr` is all of it */
    struct fe_addr addr;        /* of a name: its port, and what was dialed last */
    struct fe_addr passed_over; /* of a name: an address that was there, but not the peer */
    struct fe_link *link;       /* DIALING, CONNECTED */
    enum fe_dial_state state;
    enum fe_seed_state seed;
    bool is_configured;    /* given to join */
    bool is_persistent;    /* dialed again when lost: it is configured, or has answered once */
    bool is_refused;       /* one side rejected the other: retried after a minute */
    bool is_refused_by_us; /* this one did */
    bool is_own;           /* the name leads to this node itself */
    bool is_pinned;        /* only the node with this key will do */
    uint8_t key[FE_KEY_LEN];
    bool is_proven;               /* of the peer that was there last, and its key */
    uint8_t last_key[FE_KEY_LEN]; /* zero: there was none, or it has none */
    unsigned n_attempts;          /* to dial it again, since it was lost or dialed first */
    unsigned n_waits;             /* of them, not at once */
    bool is_away;                 /* an attempt to dial it has failed since it was there */
    bool was_at_once;             /* after an earlier loss, */
    uint64_t at_once_ms;          /* then */
    uint64_t logged_ms;           /* the last line about it, after FE_MESH_ATTEMPTS */
    struct flatend_error why;     /* the last attempt has failed; code 0: none has */
    struct fe_timer timer;
};

/* What the dial is called in the log: "10.0.0.2:9000", "gateway.internal:9000". */
enum { FE_DIAL_NAME_MAX = 256 + 8 };
const char *fe_dial_name(const struct fe_dial *dial, char buf[FE_DIAL_NAME_MAX]);

/* A name that it has waited for is known, or is not waited for any more. */
void fe_dial_on_name(struct fe_dial *dial);

/* What is at the other end is this node itself. */
void fe_dial_on_own(struct fe_dial *dial);

/* Starts to dial an address that discovery has heard of. A code: there is no dial. */
int fe_dial_new(struct fe_mesh *mesh, const struct fe_addr *addr,
                struct fe_dial **dial_out) FE_MUST_USE;

/* Starts to dial an address or name given to fe_mesh_join, and tries again if that fails.
 * FLATEND_ENOMEM:
 * there is no dial. */
int fe_dial_seed(struct fe_mesh *mesh, const struct fe_seed *seed) FE_MUST_USE;

/* Forgets the dial; its link, if there is one, lives on without it. */
void fe_dial_free(struct fe_dial *dial);

/* Gives the dial up for good, as fe_dial_free, and settles it if it is a seed. */
void fe_dial_give_up(struct fe_dial *dial);

/* Why this attempt fails: "connection refused", or what the peer has said. */
void fe_dial_note_failure(struct fe_dial *dial, int code, const char *text);

/* How loud a line about an attempt may be: LEVEL, or that of details once the log says less. */
enum flatend_log_level fe_dial_log_level(const struct fe_dial *dial, enum flatend_log_level level);

void fe_dial_on_ready(struct fe_dial *dial);
void fe_dial_on_lost(struct fe_dial *dial);

struct fe_dial *fe_dial_find(struct fe_mesh *mesh, const struct fe_addr *addr);

/* ---- discover.c ----------------------------------------------------------------------------- */

/* A node that is being asked. */
struct fe_discovery_query {
    struct fe_mesh *mesh;
    struct fe_link *link; /* NULL: this entry is free */
    uint8_t key[FE_KEY_LEN];
    bool is_sent; /* else it waits for the link to be ready */
    uint32_t token;
    struct fe_timer timer;
};

struct fe_discovery {
    bool is_running;
    struct fe_kad_lookup lookup;
    struct fe_discovery_query queries[FE_MESH_BOOTSTRAP_LINKS];
    struct fe_timer deadline;
    size_t n_discovered;
};

void fe_discovery_init(struct fe_mesh *mesh);

/* Asks the closest nodes we know, or adds them to the discovery that runs. fe_join_on_discovered
 * comes at its end, perhaps from within this call. */
void fe_discovery_start(struct fe_mesh *mesh);

/* Ends it without a word. */
void fe_discovery_stop(struct fe_mesh *mesh);

void fe_discovery_on_ready(struct fe_mesh *mesh, struct fe_link *link);
void fe_discovery_on_nodes(struct fe_mesh *mesh, struct fe_link *link, uint32_t token,
                           const struct fe_id *ids, size_t n);
void fe_discovery_on_lost(struct fe_mesh *mesh, struct fe_link *link);

/* ---- join.c --------------------------------------------------------------------------------- */

enum fe_join_state {
    FE_JOIN_NONE,
    FE_JOIN_RUNNING,
    FE_JOIN_COMPLETE, /* on_joined is due */
    FE_JOIN_REPORTED,
};

struct fe_join {
    enum fe_join_state state;
    size_t n_addrs;
    size_t n_untried;    /* neither answered nor failed even once */
    size_t n_unresolved; /* neither answered nor given up */
    size_t n_connected;
    bool is_discovery_due; /* an address has answered since the last discovery began */
    bool is_grace_over;    /* those that are not tried yet are not waited for any more */
    struct fe_timer grace;
    struct fe_timer deadline;
    struct flatend_error error; /* why an address has not answered: for on_joined */
};

void fe_join_init(struct fe_mesh *mesh);

/* An address has failed for the first time, and will be tried again. */
void fe_join_on_tried(struct fe_mesh *mesh);

/* A seed has failed, and why. */
void fe_join_on_failure(struct fe_mesh *mesh, const struct flatend_error *why);

/* An address that was away for a while is back: those that discovery had found may be lost. */
void fe_join_on_return(struct fe_mesh *mesh);

/* An address has answered, or is given up; `is_first`: with its first try. */
void fe_join_on_resolved(struct fe_mesh *mesh, bool is_first, bool is_connected);

/* The discovery has come to its end. */
void fe_join_on_discovered(struct fe_mesh *mesh);

/* The mesh drains or closes: join is complete with what there is. */
void fe_join_abort(struct fe_mesh *mesh);

/* Calls on_joined if it is due. */
void fe_join_report(struct fe_mesh *mesh);

/* ---- mesh.c --------------------------------------------------------------------------------- */

enum fe_mesh_state {
    FE_MESH_RUNNING,
    FE_MESH_DRAINING,
    FE_MESH_CLOSING,
    FE_MESH_CLOSED,
};

/* What to tell of fe_mesh_drain. */
enum fe_drain {
    FE_DRAIN_NONE,
    FE_DRAIN_RUNNING,
    FE_DRAIN_REPORTED,
};

struct fe_mesh {
    struct fe_mesh_config config;
    struct fe_transport transport;
    struct fe_timers *timers;
    uint64_t (*now_ms)(void *arg);
    void *now_arg;
    struct fe_pool *pool;
    struct fe_rng rng;
    struct fe_log log;
    struct fe_log_limit peer_lines; /* those that peers can cause */
    const struct fe_mesh_ops *ops;
    void *arg;
    enum fe_mesh_state state;
    enum fe_drain drain;
    struct fe_list links;
    size_t n_links;
    size_t links_max;                  /* FE_MESH_LINKS_MAX; fewer in tests */
    struct fe_strangers strangers;     /* accepted links without a Handshake */
    struct fe_strangers old_strangers; /* those with one of the old dialect */
    struct fe_list dials;
    struct fe_list names;
    size_t n_look_ups;                               /* that run */
    struct fe_name *public_name;                     /* NULL: our address is what it is */
    struct fe_addr own_addrs[FE_MESH_OWN_ADDRS_MAX]; /* that names were found to lead to us by */
    size_t n_own_addrs;
    struct fe_list unsettled; /* links whose peers are to be settled at the end of this turn */
    uint64_t n_ready;         /* links that have become ready, ever */
    bool is_resume_due;       /* calls that wait for a peer to be ready are to be looked at */
    struct fe_registry registry;
    struct fe_self_link self;   /* to our own services */
    struct fe_node_stats stats; /* of links that are gone, and of events */
    struct fe_kad_table table;
    struct fe_discovery discovery;
    struct fe_join join;
    struct fe_timer output_check; /* while output may wait */
    struct fe_timer wakeup;       /* always armed, mostly far ahead: so it never lacks memory */
    uint8_t map_seed[16];
};

/* Our public key; zero if we are anonymous. */
const uint8_t *fe_mesh_key(const struct fe_mesh *mesh);

/* At the end of this turn, from the timer: settles links, reports what is complete. */
void fe_mesh_wake(struct fe_mesh *mesh);

/* Starts `timer`, `delay_ms` from now. */
int fe_mesh_start_timer(struct fe_mesh *mesh, struct fe_timer *timer,
                        uint64_t delay_ms) FE_MUST_USE;

/* Our own name has been looked up: what peers are told from now on. */
void fe_mesh_on_public_name(struct fe_mesh *mesh);

/* The peer of a link that was ready is gone: so is its entry in the table, unless another link
 * leads to the same node. */
void fe_mesh_forget(struct fe_mesh *mesh, const struct fe_link *link);

/* A ready link to the node with this key, or NULL. */
struct fe_link *fe_mesh_find_link(struct fe_mesh *mesh, const uint8_t key[FE_KEY_LEN]);

/* ---- check.c -------------------------------------------------------------------------------- */

/* Every invariant of a link, and of what the mesh holds; between events. */
void fe_link_check(const struct fe_link *link);
void fe_mesh_check(const struct fe_mesh *mesh);

#endif
