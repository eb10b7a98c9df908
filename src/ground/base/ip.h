/* The text of IP addresses, without the system: RFC 4291 §2.2 and RFC 5952. */
#ifndef FE_GROUND_BASE_IP_H
#define FE_GROUND_BASE_IP_H

#include "ground/base/view.h"

enum {
    FE_IPV4_LEN = 4,
    FE_IPV6_LEN = 16,
    FE_IP_TEXT_MAX = 46, /* with its NUL; an IPv4 address within an IPv6 one is the longest */
};

/* "192.0.2.7": four numbers without leading zeros. False: `ip` may have changed. */
bool fe_ipv4_parse(struct fe_view text, uint8_t ip[FE_IPV4_LEN]);

/* "2001:db8::7", "::ffff:192.0.2.7"; no zone, no brackets. False: `ip` may have changed. */
bool fe_ipv6_parse(struct fe_view text, uint8_t ip[FE_IPV6_LEN]);

/* Return `text`. */
const char *fe_ipv4_format(const uint8_t ip[FE_IPV4_LEN], char text[FE_IP_TEXT_MAX]);
const char *fe_ipv6_format(const uint8_t ip[FE_IPV6_LEN], char text[FE_IP_TEXT_MAX]);

#endif
