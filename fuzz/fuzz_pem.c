/* A certificate's file, a zero byte, and its key's: what parses covers its names, what does not
 * says why. */
#include <stdlib.h>

#include "web/tls/cert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *zero = size > 0 ? memchr(data, 0, size) : NULL;
    const size_t len = zero != NULL ? (size_t)(zero - data) : size;
    const struct fe_view key = fe_view_of(data + len, size - len);
    struct flatend_error err = {0};
    enum fe_cert_part part;
    struct fe_cert *cert;
    const int code = fe_cert_parse(fe_view_of(data, len), key.len > 0 ? fe_view_skip(key, 1) : key,
                                   &cert, &part, &err);

    check((code == 0) == (cert != NULL));
    check(code == 0 || err.text[0] != '\0');
    if (cert != NULL) {
        (void)fe_cert_covers(cert, FE_VIEW_LIT("a.test"));
        (void)fe_cert_covers(cert, FE_VIEW_LIT("127.0.0.1"));
        (void)fe_cert_has_name(cert, FE_VIEW_LIT("a.test"), true);
        fe_cert_unref(cert);
    }
    return 0;
}
