/* One mesh on a transport in memory, whose peers the test plays: it moves the bytes, opens and
 * breaks connections, and lets time pass. Nothing here aborts when memory runs out, so the fault
 * layer runs it too. */
#ifndef TESTS_SUPPORT_RIG_H
#define TESTS_SUPPORT_RIG_H

#include "mesh/net/internal.h"

enum {
    RIG_CONNS_MAX = 80,
    RIG_LOOK_UPS_MAX = 64,
    RIG_TRACE_MAX = 16 * 1024,
    RIG_OFFERS_TEXT_MAX = 256,
};

/* A host name that the mesh has looked up. */
struct rig_look_up {
    struct fe_name *name; /* NULL: it was answered, or canceled */
    char host[64];
    bool is_canceled;
};

/* One connection of the mesh; the far end of it is the test's. */
struct rig_conn {
    struct rig *rig;
    struct fe_link *link; /* NULL: over */
    struct fe_addr addr;  /* dialed by the mesh, or where the peer comes from */
    struct fe_addr addrs[FE_TRANSPORT_ADDRS_MAX]; /* all that were dialed; the test takes a side */
    size_t n_addrs;
    struct fe_chain out; /* from the mesh */
    uint64_t n_sent;     /* bytes of it that have left */
    bool is_reading;
    unsigned n_closes; /* calls of the transport's close */
    bool is_drained;   /* by the last of them */
    /* the far end */
    bool has_session;
    struct fe_session session;
    struct fe_chain sent; /* to the mesh */
    unsigned n_handshakes;
    uint32_t find_token; /* of the mesh's last FindNode; 0: none */
    uint8_t find_target[FE_KEY_LEN];
    struct fe_id nodes[FE_NODES_MAX]; /* the answer to our FindNode */
    size_t n_nodes;
    bool has_nodes;
    unsigned n_unhandled; /* requests of ours answered with `handled` 0 */
    unsigned n_refused;   /* requests of ours that were reset because nothing was done */
    uint32_t stream;      /* of the mesh's last request; 0: none */
    unsigned n_pongs;     /* answers to our pings */
    unsigned n_goaways;
    uint32_t goaway_reason; /* of the last one */
    char goaway_text[FE_REASON_TEXT_MAX + 1];
    unsigned n_offers;                /* SERVICES received */
    char offers[RIG_OFFERS_TEXT_MAX]; /* the last ones: "a b " */
};

struct rig {
    uint64_t now_ms;
    struct fe_timers timers;
    struct fe_rng_seeded seeded;
    struct fe_rng rng;
    struct fe_self self;
    struct fe_view services[1];
    struct fe_mesh_config config;
    struct fe_mesh *mesh;
    struct rig_conn conns[RIG_CONNS_MAX];
    size_t n_conns;
    struct rig_look_up look_ups[RIG_LOOK_UPS_MAX];
    size_t n_look_ups;
    int look_up_code; /* what the transport's look_up returns */
    int dial_code;    /* what the transport's dial returns */
    size_t piece;     /* bytes reach the mesh in pieces of this size; 0: all at once */
    char trace[RIG_TRACE_MAX];
    char expected[RIG_TRACE_MAX]; /* of rig_with_key */
    size_t trace_len;
    unsigned n_joined;
    size_t n_connected; /* this and the next two: as on_joined said */
    size_t n_waiting;
    struct flatend_error join_error;
    unsigned n_drained;
    unsigned n_closed;
    unsigned n_requests;
    /* Within the mesh's on_request; NULL: no request is accepted. */
    void (*on_request)(struct rig *rig, struct fe_stream *stream);
    void *arg; /* the test's */
};

/* A mesh with an identity at 10.0.0.1:9000 that offers "svc" and logs everything above debug.
 * FLATEND_ENOMEM. */
int rig_init(struct rig *rig, uint64_t seed) FE_MUST_USE;

/* Between rig_prepare and rig_start the configuration may be changed; rig_init does both. */
void rig_prepare(struct rig *rig, uint64_t seed);
int rig_start(struct rig *rig) FE_MUST_USE;

/* Breaks what is open, closes the mesh if that was not done, frees it. */
void rig_deinit(struct rig *rig);

/* The last look-up, which was of this name, has found these addresses; none: no such host. Or it
 * has found nothing out. */
void rig_resolve(struct rig *rig, const char *host, const struct fe_addr *addrs, size_t n);
void rig_fail_look_up(struct rig *rig, const char *host);

/* A node for the far end to be, "10.0.0.NUMBER:9000". */
void rig_make_self(struct rig *rig, struct fe_self *self, uint8_t number);

/* A peer connects. NULL: the mesh does not want it. */
struct rig_conn *rig_accept(struct rig *rig, const struct fe_self *self);
/* The same, from that address. */
struct rig_conn *rig_accept_from(struct rig *rig, const struct fe_self *self,
                                 const struct fe_addr *from);

/* The mesh's `index`-th connection since the start. */
struct rig_conn *rig_conn(struct rig *rig, size_t index);

/* A connection that the mesh dials is there, with `self` at its far end. FLATEND_ENOMEM. */
int rig_open(struct rig_conn *conn, const struct fe_self *self) FE_MUST_USE;

/* It cannot be dialed. */
void rig_refuse(struct rig_conn *conn);

/* Moves bytes both ways until there are none. 0, or a fault that the far end has seen. */
int rig_carry(struct rig_conn *conn) FE_MUST_USE;

/* The same in one direction: what the far end has sent; what the mesh has, which returns as
 * rig_carry does. */
void rig_carry_to_mesh(struct rig_conn *conn);
int rig_carry_from_mesh(struct rig_conn *conn) FE_MUST_USE;

/* Bytes to the mesh as they stand. */
void rig_feed(struct rig_conn *conn, const void *bytes, size_t len);

/* The connection is over: the mesh's on_close. */
void rig_lose(struct rig_conn *conn, int code);

/* Reports on_close for all that the mesh has closed. */
void rig_reap(struct rig *rig);

/* Lets `ms` milliseconds pass. */
void rig_run(struct rig *rig, uint64_t ms);

bool rig_has_logged(const struct rig *rig, const char *text);
void rig_forget_log(struct rig *rig);

/* `text` with the first digits of the node's key in place of each '@', until the next call. */
const char *rig_with_key(struct rig *rig, const struct fe_self *self, const char *text);

static inline struct fe_sender *rig_sender(struct rig_conn *conn)
{
    return &conn->session.sender;
}

#endif
