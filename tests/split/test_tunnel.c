/* A tunnel's bytes wherever they are cut, the request's head with them: what comes back is the
 * same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ground/base/rng.h"
#include "support/cuts.h"
#include "support/h1_rig.h"

enum { N_BYTES = 3000, N_RANDOM = 30, SHORT = 200 };

#define HEAD "GET /tunnel HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"
#define SWITCHING                                                                                  \
    "HTTP/1.1 101 Switching Protocols\r\n" H1_DATE "connection: upgrade\r\nupgrade: echo\r\n\r\n"

static char sent[sizeof(HEAD) + N_BYTES];
static char expected[sizeof(SWITCHING) + N_BYTES];

/* Bytes that look like HTTP, so that nothing that reads it is missed. */
static int setup(void **state)
{
    static const char bytes[] = "\r\n\r\nGET / HTTP/1.1\r\n0\r\n";
    size_t len = sizeof(HEAD) - 1;

    (void)state;
    memcpy(sent, HEAD, len);
    for (size_t i = 0; i < N_BYTES; i++) {
        sent[len++] = bytes[i % (sizeof(bytes) - 1)];
    }
    (void)snprintf(expected, sizeof(expected), "%s%s", SWITCHING, sent + sizeof(HEAD) - 1);
    return 0;
}

static void check(cut_fn cut, void *arg, size_t len)
{
    static struct h1_rig rig;
    char piece[sizeof(sent)];
    const size_t n_expected = len - (sizeof(HEAD) - 1) + sizeof(SWITCHING) - 1;
    size_t at = 0;

    assert_true(h1_rig_init(&rig));
    while (at < len) {
        const size_t n = cut != NULL ? cut(arg, len - at) : len - at;

        memcpy(piece, sent + at, n);
        piece[n] = '\0';
        h1_rig_feed(&rig, piece);
        h1_rig_pass(&rig, 0);
        at += n;
    }
    fe_http_server_on_eof(rig.server);
    while (h1_rig_take(&rig, SIZE_MAX) > 0) {
    }
    assert_int_equal(rig.n_output, n_expected);
    assert_memory_equal(rig.output, expected, n_expected);
    trace_expect(&rig.trace, "exchange(/tunnel) close");
    h1_rig_deinit(&rig);
}

static void test_whole(void **state)
{
    (void)state;
    check(NULL, NULL, sizeof(sent) - 1);
}

static void test_byte_by_byte(void **state)
{
    (void)state;
    check(cut_one, NULL, sizeof(sent) - 1);
}

static void test_each_single_cut(void **state)
{
    (void)state;
    for (size_t at = 1; at < SHORT; at++) {
        size_t first = at;

        check(cut_once, &first, SHORT);
    }
}

static void test_random_cuts(void **state)
{
    struct fe_rng_seeded seeded;
    struct fe_rng rng = fe_rng_from_seed(&seeded, 8441);

    (void)state;
    for (size_t n = 0; n < N_RANDOM; n++) {
        check(cut_at_random, &rng, sizeof(sent) - 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_byte_by_byte),
        cmocka_unit_test(test_each_single_cut),
        cmocka_unit_test(test_random_cuts),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
