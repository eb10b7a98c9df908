/* A node's identity and address (docs/PROTOCOL.md §1.2, "ID"). */
#ifndef FE_MESH_WIRE_ID_H
#define FE_MESH_WIRE_ID_H

#include "ground/base/addr.h"

enum { FE_KEY_LEN = 32, FE_SIGNATURE_LEN = 64 };

struct fe_id {
    uint8_t public_key[FE_KEY_LEN];
    struct fe_ip_addr addr; /* the wire knows no other */
};

#endif
