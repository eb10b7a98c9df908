#include "ground/base/ip.h"

#include <stdio.h>

#include "ground/base/assert.h"

enum { N_GROUPS = FE_IPV6_LEN / 2, GROUP_DIGITS_MAX = 4 };

/* ---- IPv4 ----------------------------------------------------------------------------------- */

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* The number at the front of `text`, which loses it. */
static bool take_octet(struct fe_view *text, uint8_t *octet)
{
    unsigned value = 0;
    size_t n = 0;

    while (n < text->len && n < 3 && is_digit(text->ptr[n])) {
        value = value * 10 + (unsigned)(text->ptr[n++] - '0');
    }
    if (n == 0 || value > UINT8_MAX || (n > 1 && text->ptr[0] == '0')) {
        return false;
    }
    *octet = (uint8_t)value;
    *text = fe_view_skip(*text, n);
    return true;
}

bool fe_ipv4_parse(struct fe_view text, uint8_t ip[FE_IPV4_LEN])
{
    for (size_t i = 0; i < FE_IPV4_LEN; i++) {
        if (i > 0) {
            if (text.len == 0 || text.ptr[0] != '.') {
                return false;
            }
            text = fe_view_skip(text, 1);
        }
        if (!take_octet(&text, &ip[i])) {
            return false;
        }
    }
    return text.len == 0;
}

const char *fe_ipv4_format(const uint8_t ip[FE_IPV4_LEN], char text[FE_IP_TEXT_MAX])
{
    (void)snprintf(text, FE_IP_TEXT_MAX, "%u.%u.%u.%u", ip[0], ip[1], ip[2], ip[3]);
    return text;
}

/* ---- IPv6 ----------------------------------------------------------------------------------- */

static int digit_of(uint8_t c)
{
    if (is_digit(c)) {
        return c - '0';
    }
    c |= 0x20; /* capitals are digits, too */
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The 16 bits at the front of `text`, which loses them. */
static bool take_group(struct fe_view *text, uint8_t group[2])
{
    unsigned value = 0;
    size_t n = 0;

    while (n < text->len && n < GROUP_DIGITS_MAX && digit_of(text->ptr[n]) >= 0) {
        value = value << 4 | (unsigned)digit_of(text->ptr[n++]);
    }
    group[0] = (uint8_t)(value >> 8);
    group[1] = (uint8_t)value;
    *text = fe_view_skip(*text, n);
    return n > 0;
}

/* Whether the rest may be an IPv4 address: no group is a part of it. */
static bool is_dotted(struct fe_view text)
{
    return text.len > 0 && memchr(text.ptr, '.', text.len) != NULL &&
           memchr(text.ptr, ':', text.len) == NULL;
}

/* Groups with colons between them: how many bytes they make, up to "::" or the end; 0 if they make
 * none. What is left is `text`. */
static size_t take_groups(struct fe_view *text, uint8_t *bytes, size_t cap)
{
    size_t n = 0;

    for (;;) {
        if (is_dotted(*text)) {
            const bool is_good = cap - n >= FE_IPV4_LEN && fe_ipv4_parse(*text, bytes + n);

            *text = is_good ? fe_view_skip(*text, text->len) : *text;
            return is_good ? n + FE_IPV4_LEN : 0;
        }
        if (cap - n < 2 || !take_group(text, bytes + n)) {
            return 0;
        }
        n += 2;
        FE_ASSERT(n <= cap, "groups fit into the address");
        if (text->len == 0 || text->ptr[0] != ':' || fe_view_has_prefix(*text, FE_VIEW_LIT("::"))) {
            return n;
        }
        *text = fe_view_skip(*text, 1);
    }
}

bool fe_ipv6_parse(struct fe_view text, uint8_t ip[FE_IPV6_LEN])
{
    uint8_t tail[FE_IPV6_LEN];
    size_t n_head = 0;
    size_t n_tail = 0;

    if (!fe_view_has_prefix(text, FE_VIEW_LIT("::"))) {
        n_head = take_groups(&text, ip, FE_IPV6_LEN);
        if (n_head == 0) {
            return false;
        }
    }
    if (text.len == 0) {
        return n_head == FE_IPV6_LEN;
    }
    if (n_head == FE_IPV6_LEN || !fe_view_has_prefix(text, FE_VIEW_LIT("::"))) {
        return false;
    }
    text = fe_view_skip(text, 2);
    if (text.len > 0) {
        /* "::" is at least one group of zeros. */
        n_tail = take_groups(&text, tail, FE_IPV6_LEN - n_head - 2);
        if (n_tail == 0 || text.len > 0) {
            return false;
        }
    }
    memset(ip + n_head, 0, FE_IPV6_LEN - n_head);
    if (n_tail > 0) {
        memcpy(ip + FE_IPV6_LEN - n_tail, tail, n_tail);
    }
    return true;
}

static unsigned group_at(const uint8_t ip[FE_IPV6_LEN], size_t i)
{
    return (unsigned)ip[2 * i] << 8 | ip[2 * i + 1];
}

/* The longest run of zeros, the first of several: two groups at least (RFC 5952 §4.2). */
static size_t longest_zeros(const uint8_t ip[FE_IPV6_LEN], size_t *at)
{
    size_t longest = 1;

    *at = N_GROUPS;
    for (size_t i = 0; i < N_GROUPS; i++) {
        size_t n = 0;

        while (i + n < N_GROUPS && group_at(ip, i + n) == 0) {
            n++;
        }
        if (n > longest) {
            longest = n;
            *at = i;
        }
        i += n;
    }
    return *at < N_GROUPS ? longest : 0;
}

const char *fe_ipv6_format(const uint8_t ip[FE_IPV6_LEN], char text[FE_IP_TEXT_MAX])
{
    size_t zeros_at;
    const size_t n_zeros = longest_zeros(ip, &zeros_at);
    size_t len = 0;

    for (size_t i = 0; i < N_GROUPS;) {
        if (i == zeros_at) {
            len += (size_t)snprintf(text + len, FE_IP_TEXT_MAX - len, "::");
            i += n_zeros;
            continue;
        }
        len += (size_t)snprintf(text + len, FE_IP_TEXT_MAX - len, "%s%x",
                                i == 0 || i == zeros_at + n_zeros ? "" : ":", group_at(ip, i));
        i++;
    }
    FE_ASSERT(len < FE_IP_TEXT_MAX, "the text of an address fits");
    return text;
}
