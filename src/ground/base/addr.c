#include "ground/base/addr.h"

#include <stdio.h>

#include "ground/base/ascii.h"
#include "ground/base/assert.h"
#include "ground/base/ip.h"

enum {
    PORT_DIGITS_MAX = 5,
    HOST_MAX = 253, /* the longest DNS name (RFC 1035 §2.3.4), */
    LABEL_MAX = 63, /* and the longest of its labels */
    QUOTED_MAX = 100,
};

#define UNIX_PREFIX FE_VIEW_LIT("unix:")

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

bool fe_addr_is_unix_text(const char *text)
{
    return fe_view_has_prefix(fe_view_str(text), UNIX_PREFIX);
}

static int parse_path(struct fe_addr *addr, const char *text, struct flatend_error *err)
{
    const struct fe_view path = fe_view_skip(fe_view_str(text), UNIX_PREFIX.len);

    if (path.len == 0) {
        return fe_err_set(err, FLATEND_EADDR, "'%s': no path (expected unix:/path)", text);
    }
    if (path.len > FE_UNIX_PATH_MAX) {
        return fe_err_set(err, FLATEND_EADDR, "the path of a unix socket is longer than %d bytes",
                          FE_UNIX_PATH_MAX);
    }
    *addr = (struct fe_addr){.family = FE_UNIX};
    memcpy(addr->path, path.ptr, path.len + 1);
    return 0;
}

int fe_addr_parse(struct fe_addr *addr, const char *text, struct flatend_error *err)
{
    struct fe_view host = {0};
    int code;

    if (fe_addr_is_unix_text(text)) {
        return parse_path(addr, text, err);
    }
    code = fe_addr_split(text, &host, &addr->port, err);
    if (code != 0) {
        return code;
    }
    code = parse_host(addr, host, text[0] == '[');
    if (code == FLATEND_EADDR) {
        return fe_err_set(err, code, "'%s': not an IPv6 address between the brackets", text);
    }
    if (code == FLATEND_ENOENT) {
        return fe_err_set(err, code, "'%s': a name, not an IP address", text);
    }
    return code;
}

static bool is_label_char(uint8_t c)
{
    return fe_ascii_is_alphanumeric(c) || c == '-' || c == '_';
}

int fe_addr_check_host(struct fe_view host, struct flatend_error *err)
{
    size_t label = 0;
    bool is_valid = host.len > 0 && host.len <= HOST_MAX;

    for (size_t i = 0; is_valid && i < host.len; i++) {
        if (host.ptr[i] == '.') {
            is_valid = label > 0;
            label = 0;
        } else {
            is_valid = is_label_char(host.ptr[i]) && ++label <= LABEL_MAX;
        }
    }
    return is_valid ? 0
                    : fe_err_set(err, FLATEND_EADDR, "'%.*s': not a host name",
                                 (int)(host.len < QUOTED_MAX ? host.len : QUOTED_MAX),
                                 (const char *)host.ptr);
}

static struct fe_view ip_view(enum fe_family family, const uint8_t ip[FE_IPV6_LEN])
{
    FE_ASSERT(family == FE_IPV4 || family == FE_IPV6, "only an address of TCP has an IP");
    if (family == FE_IPV4) {
        return fe_view_of(ip, FE_IPV4_LEN);
    }
    if (memcmp(ip, mapped_prefix, sizeof(mapped_prefix)) == 0) {
        return fe_view_of(ip + sizeof(mapped_prefix), FE_IPV4_LEN);
    }
    return fe_view_of(ip, FE_IPV6_LEN);
}

/* The address with IPv4 told apart from IPv6: 4 or 16 bytes; none of a unix socket. */
static struct fe_view plain_ip(const struct fe_addr *addr)
{
    return addr->family == FE_UNIX ? fe_view_of(NULL, 0) : ip_view(addr->family, addr->ip);
}

/* ---- conversion ----------------------------------------------------------------------------- */

struct fe_addr fe_addr_of_ip(const struct fe_ip_addr *addr)
{
    struct fe_addr made = {.family = addr->family, .port = addr->port};

    FE_ASSERT(addr->family != FE_UNIX, "an address of TCP has an IP");
    memcpy(made.ip, addr->ip, sizeof(addr->ip));
    return made;
}

bool fe_addr_to_ip(const struct fe_addr *addr, struct fe_ip_addr *ip)
{
    if (addr->family == FE_UNIX) {
        return false;
    }
    *ip = (struct fe_ip_addr){.family = addr->family, .port = addr->port};
    memcpy(ip->ip, addr->ip, sizeof(ip->ip));
    return true;
}

/* ---- text ----------------------------------------------------------------------------------- */

static const char *format_host(struct fe_view ip, char buf[FE_IP_TEXT_MAX])
{
    return ip.len == FE_IPV4_LEN ? fe_ipv4_format(ip.ptr, buf) : fe_ipv6_format(ip.ptr, buf);
}

static const char *format_ip(struct fe_view ip, uint16_t port, char buf[FE_ADDR_TEXT_MAX])
{
    const bool is_bracketed = ip.len == FE_IPV6_LEN;
    char host[FE_IP_TEXT_MAX];

    (void)snprintf(buf, FE_ADDR_TEXT_MAX, "%s%s%s:%u", is_bracketed ? "[" : "",
                   format_host(ip, host), is_bracketed ? "]" : "", (unsigned)port);
    return buf;
}

const char *fe_addr_format(const struct fe_addr *addr, char buf[FE_ADDR_TEXT_MAX])
{
    if (addr->family == FE_UNIX) {
        (void)snprintf(buf, FE_ADDR_TEXT_MAX, "unix:%s", addr->path);
        return buf;
    }
    return format_ip(plain_ip(addr), addr->port, buf);
}

const char *fe_ip_addr_format_host(const struct fe_ip_addr *addr, char buf[FE_ADDR_TEXT_MAX])
{
    return format_host(ip_view(addr->family, addr->ip), buf);
}

/* ---- questions ------------------------------------------------------------------------------ */

bool fe_addr_equal(const struct fe_addr *a, const struct fe_addr *b)
{
    if (a->family == FE_UNIX || b->family == FE_UNIX) {
        return a->family == b->family && strcmp(a->path, b->path) == 0;
    }
    return a->port == b->port && fe_view_equal(plain_ip(a), plain_ip(b));
}

static bool is_zero(struct fe_view ip)
{
    for (size_t i = 0; i < ip.len; i++) {
        if (ip.ptr[i] != 0) {
            return false;
        }
    }
    return ip.len > 0;
}

bool fe_addr_covers(const struct fe_addr *a, const struct fe_addr *b)
{
    if (a->family == FE_UNIX || b->family == FE_UNIX) {
        return fe_addr_equal(a, b);
    }
    if (a->port != b->port || a->port == 0) {
        return false;
    }
    return fe_addr_equal(a, b) || (fe_addr_is_unspecified(a) && plain_ip(a).len >= plain_ip(b).len);
}

bool fe_addr_overlaps(const struct fe_addr *a, const struct fe_addr *b)
{
    return fe_addr_covers(a, b) || fe_addr_covers(b, a);
}

bool fe_addr_is_unspecified(const struct fe_addr *addr)
{
    return is_zero(plain_ip(addr));
}

bool fe_ip_addr_is_unspecified(const struct fe_ip_addr *addr)
{
    return is_zero(ip_view(addr->family, addr->ip));
}

bool fe_addr_is_loopback(const struct fe_addr *addr)
{
    static const uint8_t ipv6_loopback[FE_IPV6_LEN] = {[15] = 1};
    const struct fe_view ip = plain_ip(addr);

    if (addr->family == FE_UNIX) {
        return true;
    }
    if (ip.len == FE_IPV4_LEN) {
        return ip.ptr[0] == 127;
    }
    return memcmp(ip.ptr, ipv6_loopback, sizeof(ipv6_loopback)) == 0;
}

bool fe_addr_has_any_port(const struct fe_addr *addr)
{
    return addr->family != FE_UNIX && addr->port == 0;
}
