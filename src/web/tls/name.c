/* Which names a certificate is valid for. */
#include "ground/base/ascii.h"
#include "ground/base/assert.h"
#include "ground/base/ip.h"
#include "web/tls/openssl.h"

size_t fe_name_to_address(struct fe_view name, uint8_t bytes[FE_ADDRESS_LEN_MAX])
{
    if (fe_ipv4_parse(name, bytes)) {
        return FE_IPV4_LEN;
    }
    return fe_ipv6_parse(name, bytes) ? FE_IPV6_LEN : 0;
}

bool fe_name_is_address(struct fe_view name)
{
    uint8_t bytes[FE_ADDRESS_LEN_MAX];

    return fe_name_to_address(name, bytes) > 0;
}

bool fe_name_is_valid(struct fe_view name, bool wildcard)
{
    enum { LABEL_MAX = 63 };
    size_t len = 0;

    if (wildcard && fe_view_has_prefix(name, FE_VIEW_LIT("*."))) {
        name = fe_view_skip(name, 2);
    }
    if (name.len == 0 || name.len > FE_NAME_MAX || name.ptr[name.len - 1] == '.') {
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        const uint8_t c = name.ptr[i];
        const bool is_last = i + 1 == name.len || name.ptr[i + 1] == '.';

        if (c == '.' && len > 0) {
            len = 0;
        } else if (fe_ascii_is_alphanumeric(c) || (c == '-' && len > 0 && !is_last)) {
            len++;
        } else {
            return false;
        }
        if (len > LABEL_MAX) {
            return false;
        }
    }
    return true;
}

static struct fe_view view_of(const ASN1_STRING *string)
{
    FE_ASSERT(ASN1_STRING_length(string) >= 0, "OpenSSL's lengths are not negative");
    return fe_view_of(ASN1_STRING_get0_data(string), (size_t)ASN1_STRING_length(string));
}

/* RFC 6125 §6.4.3: the asterisk is the whole of the first label, and stands for one. */
static bool is_match(struct fe_view pattern, struct fe_view name, bool exact)
{
    const uint8_t *dot;

    if (fe_view_equal_nocase(pattern, name)) {
        return true;
    }
    if (exact || !fe_view_has_prefix(pattern, FE_VIEW_LIT("*.")) || name.len == 0) {
        return false;
    }
    dot = memchr(name.ptr, '.', name.len);
    return dot != NULL && dot > name.ptr &&
           fe_view_equal_nocase(fe_view_skip(pattern, 1),
                                fe_view_skip(name, (size_t)(dot - name.ptr)));
}

bool fe_cert_has_name(const struct fe_cert *cert, struct fe_view name, bool exact)
{
    for (int i = 0; i < sk_GENERAL_NAME_num(cert->names); i++) {
        const GENERAL_NAME *const item = sk_GENERAL_NAME_value(cert->names, i);

        if (item->type == GEN_DNS && is_match(view_of(item->d.dNSName), name, exact)) {
            return true;
        }
    }
    return false;
}

bool fe_cert_covers(const struct fe_cert *cert, struct fe_view name)
{
    uint8_t bytes[FE_ADDRESS_LEN_MAX];
    const size_t len = fe_name_to_address(name, bytes);

    if (len == 0) {
        return fe_cert_has_name(cert, name, false);
    }
    for (int i = 0; i < sk_GENERAL_NAME_num(cert->names); i++) {
        const GENERAL_NAME *const item = sk_GENERAL_NAME_value(cert->names, i);

        if (item->type == GEN_IPADD &&
            fe_view_equal(view_of(item->d.iPAddress), fe_view_of(bytes, len))) {
            return true;
        }
    }
    return false;
}
