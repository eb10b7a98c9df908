/* Endpoints as values, and their text: "host:port" over TCP, or "unix:/path" on this machine. */
#ifndef FE_GROUND_BASE_ADDR_H
#define FE_GROUND_BASE_ADDR_H

#include "ground/base/err.h"
#include "ground/base/view.h"

enum {
    FE_UNIX_PATH_MAX = 107, /* what a struct sockaddr_un takes, but for its NUL */
    FE_ADDR_TEXT_MAX = 120, /* "[ipv6]:port", "unix:path", with its NUL */
};

enum fe_family { FE_UNIX = 1, FE_IPV4 = 4, FE_IPV6 = 6 };

struct fe_addr {
    enum fe_family family;
    uint16_t port; /* FE_UNIX: 0 */
    union {
        uint8_t ip[16];                  /* FE_IPV4: the first 4 bytes */
        char path[FE_UNIX_PATH_MAX + 1]; /* FE_UNIX; empty: a client without a name */
    };
};

/* An address of TCP only, where many are held or where the wire knows no other. */
struct fe_ip_addr {
    enum fe_family family; /* FE_IPV4, FE_IPV6 */
    uint8_t ip[16];
    uint16_t port;
};

/* Parses "127.0.0.1:9000", "[::1]:9000", ":9000" (the IPv6 unspecified address, which listens on
 * both families), "localhost:9000" (127.0.0.1) and "unix:/run/x.sock" (the path as it is, at most
 * FE_UNIX_PATH_MAX bytes). Other names are FLATEND_ENOENT: a caller that resolves names uses
 * fe_addr_split. FLATEND_EADDR for what is no address. */
int fe_addr_parse(struct fe_addr *addr, const char *text, struct flatend_error *err) FE_MUST_USE;

/* Whether a text is meant to be "unix:/path". */
bool fe_addr_is_unix_text(const char *text);

/* Splits "host:port"; the host (without brackets) may be empty. FLATEND_EADDR. */
int fe_addr_split(const char *text, struct fe_view *host, uint16_t *port,
                  struct flatend_error *err) FE_MUST_USE;

/* Whether a text can be a host name (RFC 1123 §2.1): labels of letters, digits, '-' and '_', of 1
 * to 63 bytes, 253 in all; the last one may be followed by a dot. FLATEND_EADDR. */
int fe_addr_check_host(struct fe_view host, struct flatend_error *err) FE_MUST_USE;

/* "127.0.0.1:9000", "[::]:3000", "unix:/run/x.sock"; an IPv4-mapped address as IPv4. Returns `buf`.
 */
const char *fe_addr_format(const struct fe_addr *addr, char buf[FE_ADDR_TEXT_MAX]);

/* Only the host, without brackets. */
const char *fe_ip_addr_format_host(const struct fe_ip_addr *addr, char buf[FE_ADDR_TEXT_MAX]);

struct fe_addr fe_addr_of_ip(const struct fe_ip_addr *addr);

/* False, and `ip` as it was, for a unix socket. */
bool fe_addr_to_ip(const struct fe_addr *addr, struct fe_ip_addr *ip);

/* Mapped IPv4 equals IPv4; of two paths each byte counts. */
bool fe_addr_equal(const struct fe_addr *a, const struct fe_addr *b);

/* Whether what listens on `a` listens on `b`, too: an unspecified address on all of its family, the
 * one of IPv6 on both. Ports that the system chooses are never the same. */
bool fe_addr_covers(const struct fe_addr *a, const struct fe_addr *b);

/* Whether not both can be listened on. */
bool fe_addr_overlaps(const struct fe_addr *a, const struct fe_addr *b);

/* Whether it means all interfaces; a unix socket does not. */
bool fe_addr_is_unspecified(const struct fe_addr *addr);
bool fe_ip_addr_is_unspecified(const struct fe_ip_addr *addr);

/* Whether only this machine reaches it, as with any unix socket. */
bool fe_addr_is_loopback(const struct fe_addr *addr);

/* Whether the system chooses the port when it is listened on. */
bool fe_addr_has_any_port(const struct fe_addr *addr);

#endif
