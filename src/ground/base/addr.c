#include "ground/base/addr.h"

#include <stdio.h>

#include "ground/base/ip.h"

enum { PORT_DIGITS_MAX = 5, HOST_MAX = 253 /* the longest DNS name (RFC 1035 §2.3.4) */ };

static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

static int parse_port(struct fe_view digits, uint16_t *port)
{
    unsigned value = 0;

    if (digits.len == 0 || digits.len > PORT_DIGITS_MAX) {
        return FLATEND_EADDR;
    }
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.ptr[i] < '0' || digits.ptr[i] > '9') {
            return FLATEND_EADDR;
        }
        value = value * 10 + (unsigned)(digits.ptr[i] - '0');
    }
    if (value > UINT16_MAX) {
        return FLATEND_EADDR;
    }
    *port = (uint16_t)value;
    return 0;
}

int fe_addr_split(const char *text, struct fe_view *host, uint16_t *port, struct flatend_error *err)
{
    const char *colon = strrchr(text, ':');
    size_t len;

    if (colon == NULL) {
        return fe_err_set(err, FLATEND_EADDR, "'%s': no port (expected host:port)", text);
    }
    if (parse_port(fe_view_str(colon + 1), port) != 0) {
        return fe_err_set(err, FLATEND_EADDR, "'%s': the port is not a number from 0 to 65535",
                          text);
    }
    len = (size_t)(colon - text);
    if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
        *host = fe_view_of(text + 1, len - 2);
    } else if (memchr(text, ':', len) != NULL || memchr(text, '[', len) != NULL) {
        return fe_err_set(err, FLATEND_EADDR, "'%s': an IPv6 address is written [address]:port",
                          text);
    } else {
        *host = fe_view_of(text, len);
    }
    if (host->len > HOST_MAX) {
        return fe_err_set(err, FLATEND_EADDR, "the host name is longer than %d bytes", HOST_MAX);
    }
    return 0;
}

static int parse_host(struct fe_addr *addr, struct fe_view host, bool is_bracketed)
{
    static const uint8_t loopback[4] = {127, 0, 0, 1};

    memset(addr->ip, 0, sizeof(addr->ip));
    addr->family = FE_IPV6;
    if (is_bracketed) {
        return fe_ipv6_parse(host, addr->ip) ? 0 : FLATEND_EADDR;
    }
    if (host.len == 0) {
        return 0;
    }
    addr->family = FE_IPV4;
    if (fe_ipv4_parse(host, addr->ip)) {
        return 0;
    }
    if (!fe_view_equal_nocase(host, FE_VIEW_LIT("localhost"))) {
        return FLATEND_ENOENT;
    }
    memcpy(addr->ip, loopback, sizeof(loopback));
    return 0;
}

int fe_addr_parse(struct fe_addr *addr, const char *text, struct flatend_error *err)
{
    struct fe_view host = {0};
    int rv = fe_addr_split(text, &host, &addr->port, err);

    if (rv != 0) {
        return rv;
    }
    rv = parse_host(addr, host, text[0] == '[');
    if (rv == FLATEND_EADDR) {
        return fe_err_set(err, rv, "'%s': not an IPv6 address between the brackets", text);
    }
    if (rv == FLATEND_ENOENT) {
        return fe_err_set(err, rv, "'%s': a name, not an IP address", text);
    }
    return rv;
}

static bool is_mapped(const struct fe_addr *addr)
{
    return addr->family == FE_IPV6 && memcmp(addr->ip, mapped_prefix, sizeof(mapped_prefix)) == 0;
}

/* The address with IPv4 told apart from IPv6: 4 or 16 bytes. */
static struct fe_view plain_ip(const struct fe_addr *addr)
{
    if (is_mapped(addr)) {
        return fe_view_of(addr->ip + sizeof(mapped_prefix), 4);
    }
    return fe_view_of(addr->ip, addr->family == FE_IPV4 ? 4 : 16);
}

const char *fe_addr_format_host(const struct fe_addr *addr, char buf[FE_ADDR_TEXT_MAX])
{
    struct fe_view ip = plain_ip(addr);

    return ip.len == FE_IPV4_LEN ? fe_ipv4_format(ip.ptr, buf) : fe_ipv6_format(ip.ptr, buf);
}

const char *fe_addr_format(const struct fe_addr *addr, char buf[FE_ADDR_TEXT_MAX])
{
    char host[FE_ADDR_TEXT_MAX];
    bool is_bracketed = plain_ip(addr).len == 16;

    fe_addr_format_host(addr, host);
    snprintf(buf, FE_ADDR_TEXT_MAX, "%s%.48s%s:%u", is_bracketed ? "[" : "", host,
             is_bracketed ? "]" : "", (unsigned)addr->port);
    return buf;
}

bool fe_addr_equal(const struct fe_addr *a, const struct fe_addr *b)
{
    return a->port == b->port && fe_view_equal(plain_ip(a), plain_ip(b));
}

bool fe_addr_is_unspecified(const struct fe_addr *addr)
{
    struct fe_view ip = plain_ip(addr);

    for (size_t i = 0; i < ip.len; i++) {
        if (ip.ptr[i] != 0) {
            return false;
        }
    }
    return true;
}

bool fe_addr_is_loopback(const struct fe_addr *addr)
{
    static const uint8_t ipv6_loopback[16] = {[15] = 1};
    struct fe_view ip = plain_ip(addr);

    if (ip.len == 4) {
        return ip.ptr[0] == 127;
    }
    return memcmp(ip.ptr, ipv6_loopback, sizeof(ipv6_loopback)) == 0;
}
