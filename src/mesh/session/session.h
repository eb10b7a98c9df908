/* The encrypted session between two nodes: bytes in, events out; requests in, bytes out.
 *
 * The session opens no socket and reads no clock. What arrives is fed, and taken out event by
 * event; what is sent is appended to the connection's output chain. A session uses one dialect; the
 * rooms above `struct fe_event` and `struct fe_sender` are independent of it.
 */
#ifndef FE_MESH_SESSION_SESSION_H
#define FE_MESH_SESSION_SESSION_H

#include "ground/base/buf.h"
#include "ground/base/chain.h"
#include "ground/base/rng.h"
#include "mesh/crypto/crypto.h"
#include "mesh/session/secure_keys.h"
#include "mesh/session/trust.h"

enum {
    /* The largest record accepted (ciphertext with tag) of an old peer. Go peers send at most
     * 4,096; Node.js peers have no limit of their own, their largest packet is a request with all
     * its headers. */
    FE_SESSION_RECORD_MAX = 256 * 1024,
    /* Body bytes that may wait in a connection's output before `space` is 0. */
    FE_SESSION_OUT_MAX = 256 * 1024,
    /* FindNode requests that may be unanswered at the same time. */
    FE_SESSION_PENDING_MAX = 16,
    /* Pings of the peer that are answered between two flushes: one is what an honest peer sends in
     * seconds. */
    FE_SESSION_PINGS_MAX = 32,
};

/* What a node says of itself; borrowed by its sessions, and outlives them. */
struct fe_self {
    bool is_anonymous;
    struct fe_id id;                  /* unless anonymous */
    struct flatend_secret_key secret; /* unless anonymous */
    const struct fe_view *services; /* may be replaced while sessions live: fe_mesh_set_services */
    size_t n_services;              /* at most 255 */
    const struct fe_trust *trust;   /* NULL: every peer is allowed */
    bool is_old_only;               /* old dialect only: for tests */
    bool is_go_like;                /* and asked which kind, it answers as a Go node: for tests */
    uint32_t masked_features;       /* not announced, and not used: for tests */
};

/* A large head that arrives in pieces: `size` is 0 while there is none that is incomplete. */
struct fe_session_head {
    struct fe_buf
        bytes;     /* the pieces so far; a complete head's until the next event is asked for */
    uint32_t size; /* of all pieces */
    uint32_t stream;
    unsigned n_pieces;
    uint8_t type; /* enum fe_secure_type: what the pieces are together */
};

enum fe_session_state {
    FE_SESSION_KEYS,      /* waiting for the peer's ephemeral key */
    FE_SESSION_HANDSHAKE, /* keys agreed, waiting for the peer's Handshake */
    FE_SESSION_OPEN,      /* the peer's Handshake was accepted */
    FE_SESSION_FAILED,    /* a fault was returned; only deinit is left */
};

struct fe_session {
    struct fe_sender sender;
    enum fe_session_state state;
    bool is_initiator;
    bool is_refused; /* the peer does not let us in, and trying again would not help */
    const struct fe_self *self;
    const struct fe_rng *rng;
    struct fe_chain *out;
    /* private to src/mesh/session */
    uint8_t ephemeral_secret[FE_KEY_LEN];
    uint8_t ephemeral_public[FE_KEY_LEN];
    struct fe_secure_transcript transcript; /* in HELLO; wiped when it is over */
    const uint8_t *pin;                     /* NULL: any peer */
    struct fe_aead *seal;                   /* NULL until the keys are agreed */
    struct fe_aead *open;
    uint8_t seal_key[FE_AEAD_KEY_LEN]; /* of the secure session: the next ones come from them */
    uint8_t open_key[FE_AEAD_KEY_LEN];
    uint64_t sent;     /* records sealed with this key: the next nonce */
    uint64_t received; /* records opened with this key: the next nonce */
    struct fe_buf in;  /* a record that arrived in pieces */
    uint8_t *fed;      /* what was fed and not yet looked at */
    size_t fed_len;
    bool has_peer_id; /* false once open: the peer is anonymous */
    struct fe_id peer_id;
    struct fe_id nodes[FE_NODES_MAX];
    uint32_t next_seq;
    uint32_t next_stream;
    uint32_t pending[FE_SESSION_PENDING_MAX]; /* seqs of our FindNodes; 0: free */
    uint32_t handshake_seq;                   /* seq of our Handshake; 0 once answered */
    unsigned n_repeats_left; /* Handshakes that an old peer may repeat: the owner says how many */
    bool is_id_mapped;       /* an old peer's IPv4 address came as IPv6: only Go peers do that */
    enum fe_old_kind kind;   /* of an old peer, once it is told */
    uint32_t kind_seq;       /* of the question that only Go peers answer; 0: none waits */
    uint32_t kind_token;     /* of the one behind it, which all answer; 0: none waits */
    /* Only in a secure session. */
    struct fe_view packets; /* of the record that was opened last: what was not yet looked at */
    uint32_t ended;         /* the stream whose END is the next event; 0: none */
    uint32_t peer_stream;   /* the newest stream of the peer; 0: none yet */
    unsigned n_pings;       /* answered since the last flush */
    struct fe_session_head head;
    bool has_heads;       /* both sides have FE_SECURE_FEATURE_HEADS */
    bool is_cut;          /* a large head could not be sent whole: the connection is lost */
    size_t plaintext_max; /* of a record that we send */
    uint8_t *record_buf;  /* the record that is being filled; NULL while there is none */
    size_t record_len;
    size_t last_packet; /* where it starts in `record_buf`, if anything is filled */
};

/* Starts a session whose output goes to `out`: the initiator's key is appended at once, an
 * acceptor's is made, from `rng`, which is borrowed, when the peer's has come. FLATEND_ENOMEM;
 * nothing to deinit then. */
int fe_session_init(struct fe_session *session, bool is_initiator, const struct fe_self *self,
                    const struct fe_rng *rng, struct fe_chain *out) FE_MUST_USE;

/* The key that the peer must prove: borrowed; NULL: any. Before the first feed. */
void fe_session_pin(struct fe_session *session, const uint8_t key[FE_KEY_LEN]);

/* The output is about to be written: seals the record that is being filled. Nothing that was asked
 * of the sender is sure to be in the output before. FLATEND_ENOMEM: the connection is lost; also
 * because earlier a part of a large head was sent, and the rest was not. */
int fe_session_flush(struct fe_session *session) FE_MUST_USE;

/* Wipes keys, frees. Any state. */
void fe_session_deinit(struct fe_session *session);

/* Hands over bytes that arrived. They are decrypted in place, and must stay where they are until
 * fe_session_next has returned 0 or a fault; call it until then before feeding again. */
void fe_session_feed(struct fe_session *session, uint8_t *data, size_t len);

/* The next event: 1, or 0 when more bytes are needed, or a fault of the peer or of ours. After a
 * fault the connection is to be closed; `err` says why. Answers that the protocol itself wants
 * (the responder's key, its Handshake) are appended to the output on the way.
 *
 * FLATEND_EPROTO, FLATEND_EDECRYPT, FLATEND_ESIGNATURE, FLATEND_EKEY: the peer's. FLATEND_EDENIED:
 * we do not let the peer in, or (session->is_refused) the peer us; what tells the other side why is
 * in the output and should still be sent. FLATEND_ENOMEM, FLATEND_ETOOBIG (a Handshake of ours that
 * fits no record): ours. FLATEND_ESTATE: asked again after a fault. */
int fe_session_next(struct fe_session *session, struct fe_event *event,
                    struct flatend_error *err) FE_MUST_USE;

/* Every invariant; between calls. */
void fe_session_check(const struct fe_session *session);

#endif
