/* Which peers a node trusts (docs/PROTOCOL.md §2.5): decided during the handshake, before a peer
 * can do anything. Immutable while sessions borrow it. */
#ifndef FE_MESH_SESSION_TRUST_H
#define FE_MESH_SESSION_TRUST_H

#include "ground/base/err.h"
#include "mesh/wire/event.h"

/* A service that only these keys may provide. */
struct fe_trust_rule {
    struct fe_view service;
    const uint8_t (*keys)[FE_KEY_LEN];
    size_t n_keys;
};

struct fe_trust {
    bool has_secret; /* implies require_secure */
    uint8_t secret[FE_KEY_LEN];
    bool require_secure;                  /* no old peers */
    const uint8_t (*allowed)[FE_KEY_LEN]; /* keys that may connect; implies require_secure */
    size_t n_allowed;                     /* 0: all keys */
    const struct fe_trust_rule *rules;
    size_t n_rules;
};

bool fe_trust_wants_secure(const struct fe_trust *trust);

/* Whether the node with this proven key may be a peer at all; NULL: it is anonymous.
 * FLATEND_EDENIED, `err` says why in words that may be told to the peer. */
int fe_trust_check_key(const struct fe_trust *trust, const uint8_t *key,
                       struct flatend_error *err) FE_MUST_USE;

/* Whether it may provide this service. `key` is NULL if none was proven for this session:
 * anonymous, or an old peer. */
int fe_trust_check_service(const struct fe_trust *trust, const uint8_t *key, struct fe_view service,
                           struct flatend_error *err) FE_MUST_USE;

/* The same for all of them; `trust` may be NULL. */
int fe_trust_check_services(const struct fe_trust *trust, const uint8_t *key,
                            struct fe_names services, struct flatend_error *err) FE_MUST_USE;

#endif
