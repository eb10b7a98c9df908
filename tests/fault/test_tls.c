/* Each allocation of TLS fails in turn, those of OpenSSL too: a code and a reason, an object that
 * can still be freed, and no leak. */
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "support/fault.h"
#include "support/pem.h"
#include "support/tls_ends.h"

/* OpenSSL allocates more than a thousand times where we do a few: one in so many fails, in an order
 * that meets all kinds of them. */
enum { STRIDE = 17 };

/* Faults happen in calls from this program only: OpenSSL's allocations are made to be such. */
static void *ssl_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return malloc(size);
}

static void *ssl_realloc(void *ptr, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return realloc(ptr, size);
}

static void ssl_free(void *ptr, const char *file, int line)
{
    (void)file;
    (void)line;
    free(ptr);
}

/* What OpenSSL makes once and keeps for ever is made here, where nothing fails. */
static int warm_up(void **state)
{
    struct tls_world *world = malloc(sizeof(*world));
    struct tls_ends ends;

    assert_non_null(world);
    tls_world_init(world);
    assert_int_equal(tls_ends_init(&ends, world, "localhost"), 0);
    tls_ends_run(&ends, SIZE_MAX);
    assert_true(fe_tls_is_open(ends.server.tls));
    tls_ends_deinit(&ends);
    *state = world;
    return 0;
}

static int cool_down(void **state)
{
    tls_world_deinit(*state);
    free(*state);
    return 0;
}

static void test_connection(void **state)
{
    struct tls_world *world = *state;
    size_t n_faults = 0;

    for (size_t nth = 1; fe_fault_arm(nth); nth += STRIDE) {
        struct tls_ends ends;
        int code = tls_ends_init(&ends, world, "localhost");
        bool has_failed;

        if (code == 0) {
            code = tls_end_say(&ends.client, "ping", 4);
        }
        if (code == 0) {
            tls_ends_run(&ends, SIZE_MAX);
            fe_tls_close(ends.client.tls);
            tls_ends_run(&ends, SIZE_MAX);
        }
        has_failed = fe_fault_disarm();
        n_faults += has_failed ? 1 : 0;
        /* OpenSSL may go on without, or wait for what never comes: there are timeouts for that. */
        assert_true(has_failed || ends.server.got.len == 4);
        tls_ends_deinit(&ends);
        ERR_clear_error();
    }
    assert_true(n_faults > 100);
}

static void test_store(void **state)
{
    struct tls_world *world = *state;
    struct fe_cert *cert = fe_tls_store_find(world->store, FE_VIEW_LIT("localhost"));

    for (size_t nth = 1; fe_fault_arm(nth); nth += STRIDE) {
        struct fe_tls_store *store;
        int code = fe_tls_store_new(world->tickets, FE_VIEW_LIT("x"), true, &store);
        bool has_failed;

        if (code == 0) {
            code = fe_tls_store_set(store, &cert, 1);
            if (code == 0) {
                code = fe_tls_store_set_challenge(store, FE_VIEW_LIT("a"), cert);
            }
            fe_tls_store_free(store);
        }
        has_failed = fe_fault_disarm();
        /* OpenSSL does without some. */
        assert_true(code == 0 || (has_failed && code == FLATEND_ENOMEM));
    }
    fe_cert_unref(cert);
}

static void test_tickets(void **state)
{
    (void)state;
    for (size_t nth = 1; fe_fault_arm(nth); nth++) {
        struct fe_tls_tickets *tickets;
        const int code = fe_tls_tickets_new(&tickets);
        const bool has_failed = fe_fault_disarm();

        assert_true(code == 0 || (has_failed && tickets == NULL));
        fe_tls_tickets_free(tickets);
    }
}

static void test_cert(void **state)
{
    struct pem pem;

    (void)state;
    pem_make(&pem, "a.test", 10);
    for (size_t nth = 1; fe_fault_arm(nth); nth += STRIDE) {
        struct flatend_error err = {0};
        struct fe_cert *cert;
        const int code =
            fe_cert_parse(fe_view_str(pem.cert), fe_view_str(pem.key), &cert, NULL, &err);
        const bool has_failed = fe_fault_disarm();

        /* OpenSSL does not always say that it was memory. */
        assert_true(code == 0 || (has_failed && err.text[0] != '\0'));
        assert_int_equal(cert == NULL, code != 0);
        fe_cert_unref(cert);
    }
}

static void test_make(void **state)
{
    const struct fe_view names[] = {FE_VIEW_LIT("a.test"), FE_VIEW_LIT("127.0.0.1")};
    struct tls_world *world = *state;

    for (size_t nth = 1; fe_fault_arm(nth); nth += STRIDE) {
        struct fe_cert *cert;
        const int code = fe_local_ca_issue(world->ca, names, 2, TLS_NOW_S, &cert);
        const bool has_failed = fe_fault_disarm();

        assert_true(code == 0 || (has_failed && cert == NULL));
        fe_cert_unref(cert);
    }
}

/* After any failure the next attempt finds a CA or makes one. */
static void test_local_ca(void **state)
{
    (void)state;
    for (size_t nth = 1;; nth += STRIDE) {
        struct flatend_error err = {0};
        struct fe_local_ca *ca;
        struct temp_dir dir;
        bool has_failed;
        int code;

        temp_dir_make(&dir);
        if (!fe_fault_arm(nth)) {
            temp_dir_remove(&dir);
            break;
        }
        code = fe_local_ca_open(dir.path, TLS_NOW_S, &ca, &err);
        has_failed = fe_fault_disarm();
        assert_true(code == 0 || (has_failed && ca == NULL && err.text[0] != '\0'));
        fe_local_ca_close(ca);
        assert_int_equal(fe_local_ca_open(dir.path, TLS_NOW_S, &ca, &err), 0);
        fe_local_ca_close(ca);
        temp_dir_remove(&dir);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connection), cmocka_unit_test(test_store),
        cmocka_unit_test(test_tickets),    cmocka_unit_test(test_cert),
        cmocka_unit_test(test_make),       cmocka_unit_test(test_local_ca),
    };

    /* Before anything is allocated: else OpenSSL refuses. */
    if (CRYPTO_set_mem_functions(ssl_malloc, ssl_realloc, ssl_free) != 1) {
        return 1;
    }
    return cmocka_run_group_tests(tests, warm_up, cool_down);
}
