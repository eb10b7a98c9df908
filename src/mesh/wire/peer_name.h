/* The one name of a peer in log lines and errors: "10.0.0.2:9000 (key 1f3a9c2e)". */
#ifndef FE_MESH_WIRE_PEER_NAME_H
#define FE_MESH_WIRE_PEER_NAME_H

#include "mesh/wire/id.h"

enum {
    FE_KEY_DIGITS = 8, /* of 64: enough to tell the keys of a mesh apart, and to search for one */
    FE_PEER_NAME_MAX = FE_ADDR_TEXT_MAX + FE_KEY_DIGITS + 7,
};

/* The address, and the first digits of the key that the peer has proven for this session; NULL: it
 * has proven none, and is called by its address alone. Returns `buf`. */
const char *fe_peer_name(const struct fe_addr *addr, const uint8_t *proven_key,
                         char buf[FE_PEER_NAME_MAX]);

/* Only the digits; empty without a key. Returns `buf`. */
const char *fe_peer_name_key(const uint8_t *proven_key, char buf[FE_KEY_DIGITS + 1]);

#endif
