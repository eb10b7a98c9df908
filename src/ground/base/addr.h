/* Socket addresses as values, and their text. */
#ifndef FE_GROUND_BASE_ADDR_H
#define FE_GROUND_BASE_ADDR_H

#include "ground/base/err.h"
#include "ground/base/view.h"

enum { FE_ADDR_TEXT_MAX = 64 }; /* "[ipv6]:port" with its NUL */

enum fe_family { FE_IPV4 = 4, FE_IPV6 = 6 };

struct fe_addr {
    enum fe_family family;
    uint8_t ip[16]; /* IPv4: the first 4 bytes */
    uint16_t port;
};

/* Parses "127.0.0.1:9000", "[::1]:9000", ":9000" (the IPv6 unspecified address, which listens on
 * both families) and "localhost:9000" (127.0.0.1). Other names are FLATEND_ENOENT: a caller that
 * resolves names uses fe_addr_split. FLATEND_EADDR for what is no address. */
int fe_addr_parse(struct fe_addr *addr, const char *text, struct flatend_error *err) FE_MUST_USE;

/* Splits "host:port"; the host (without brackets) may be empty. FLATEND_EADDR. */
int fe_addr_split(const char *text, struct fe_view *host, uint16_t *port,
                  struct flatend_error *err) FE_MUST_USE;

/* "127.0.0.1:9000", "[::]:3000"; an IPv4-mapped address as IPv4. Returns `buf`. */
const char *fe_addr_format(const struct fe_addr *addr, char buf[FE_ADDR_TEXT_MAX]);

/* Only the host, without brackets. */
const char *fe_addr_format_host(const struct fe_addr *addr, char buf[FE_ADDR_TEXT_MAX]);

bool fe_addr_equal(const struct fe_addr *a, const struct fe_addr *b); /* mapped IPv4 equals IPv4 */
bool fe_addr_is_unspecified(const struct fe_addr *addr);
bool fe_addr_is_loopback(const struct fe_addr *addr);

#endif
