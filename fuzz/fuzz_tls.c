/* What a client may send to TLS, in two pieces cut where the first byte says: it is read or
 * refused, and what is answered has a bound. */
#include <stdlib.h>

#include "web/tls/tls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void on_open(void *owner)
{
    check(!*(bool *)owner);
    *(bool *)owner = true;
}

static void on_read(void *owner, uint8_t *data, size_t len)
{
    check(*(bool *)owner && len > 0);
    memset(data, 0, len);
}

static void on_eof(void *owner)
{
    (void)owner;
}

/* Made once: keys are slow. */
static struct fe_tls_store *store(void)
{
    static struct fe_tls_tickets *tickets;
    static struct fe_tls_store *made;
    const struct fe_view names[] = {FE_VIEW_LIT("localhost")};
    struct fe_cert *cert;

    if (made == NULL) {
        check(fe_tls_tickets_new(&tickets) == 0);
        check(fe_tls_store_new(tickets, FE_VIEW_LIT("fuzz"), true, &made) == 0);
        check(fe_cert_self_signed(names, 1, 1700000000, &cert) == 0);
        check(fe_tls_store_set(made, &cert, 1) == 0);
        check(fe_tls_store_set_challenge(made, names[0], cert) == 0);
        fe_cert_unref(cert);
    }
    return made;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct fe_tls_ops ops = {.on_open = on_open, .on_read = on_read, .on_eof = on_eof};
    const struct fe_view all = fe_view_of(data, size);
    const size_t cut = size > 1 ? data[0] % size : 0;
    struct flatend_error err = {0};
    struct fe_chain out;
    struct fe_tls *tls;
    bool is_open = false;
    int code;

    if (size < 2) {
        return 0;
    }
    fe_chain_init(&out, NULL);
    tls = fe_tls_server_new(store(), &out, &ops, &is_open);
    check(tls != NULL);
    code = fe_tls_feed(tls, fe_view_of(all.ptr + 1, cut), &err);
    if (code == 0) {
        code = fe_tls_feed(tls, fe_view_skip(all, 1 + cut), &err);
    }
    check(code == 0 || err.text[0] != '\0');
    check(fe_tls_is_open(tls) == (is_open && code == 0));
    check(out.len < FE_TLS_OUT_FLOOD + 65536);
    fe_tls_free(tls);
    fe_chain_deinit(&out);
    return 0;
}
