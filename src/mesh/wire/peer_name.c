#include "mesh/wire/peer_name.h"

#include <stdio.h>

const char *fe_peer_name_key(const uint8_t *proven_key, char buf[FE_KEY_DIGITS + 1])
{
    buf[0] = '\0';
    if (proven_key != NULL) {
        (void)snprintf(buf, FE_KEY_DIGITS + 1, "%02x%02x%02x%02x", proven_key[0], proven_key[1],
                       proven_key[2], proven_key[3]);
    }
    return buf;
}

const char *fe_peer_name(const struct fe_addr *addr, const uint8_t *proven_key,
                         char buf[FE_PEER_NAME_MAX])
{
    char text[FE_ADDR_TEXT_MAX];
    char key[FE_KEY_DIGITS + 1];

    (void)snprintf(buf, FE_PEER_NAME_MAX, proven_key != NULL ? "%s (key %s)" : "%s",
                   fe_addr_format(addr, text), fe_peer_name_key(proven_key, key));
    return buf;
}
