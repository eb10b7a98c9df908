/* TLS against itself, in memory: the handshake, both directions, every cut, and each way to end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "support/tls_ends.h"

static struct tls_world *world_of(void **state)
{
    return *state;
}

static int set_up(void **state)
{
    struct tls_world *world = malloc(sizeof(*world));

    assert_non_null(world);
    tls_world_init(world);
    *state = world;
    return 0;
}

static int tear_down(void **state)
{
    tls_world_deinit(*state);
    free(*state);
    return 0;
}

static void expect_got(const struct tls_end *end, const char *text)
{
    assert_int_equal(end->got.len, strlen(text));
    assert_memory_equal(end->got.data, text, end->got.len);
}

static void exchange(struct tls_world *world, size_t cut)
{
    struct tls_ends ends;

    assert_int_equal(tls_ends_init(&ends, world, "localhost"), 0);
    assert_int_equal(tls_end_say(&ends.client, "ping", 4), 0); /* waits for the handshake */
    assert_int_equal(tls_end_say(&ends.server, "pong", 4), 0);
    tls_ends_run(&ends, cut);
    assert_int_equal(ends.client.code, 0);
    assert_int_equal(ends.server.code, 0);
    assert_true(fe_tls_is_open(ends.client.tls) && fe_tls_is_open(ends.server.tls));
    expect_got(&ends.server, "ping");
    expect_got(&ends.client, "pong");
    fe_tls_close(ends.client.tls);
    tls_ends_run(&ends, cut);
    assert_int_equal(ends.server.n_eof, 1);
    /* The other direction is still open. */
    assert_int_equal(tls_end_say(&ends.server, "!", 1), 0);
    tls_ends_run(&ends, cut);
    expect_got(&ends.client, "pong!");
    fe_tls_close(ends.server.tls);
    tls_ends_run(&ends, cut);
    assert_int_equal(ends.client.n_eof, 1);
    assert_int_equal(ends.client.code, 0);
    tls_ends_deinit(&ends);
}

static void test_both_ways(void **state)
{
    exchange(world_of(state), SIZE_MAX);
}

static void test_every_cut(void **state)
{
    for (size_t cut = 1; cut <= 7; cut++) {
        exchange(world_of(state), cut);
    }
    for (size_t cut = 8; cut < 3000; cut += 97) {
        exchange(world_of(state), cut);
    }
}

/* Megabytes arrive whole, and never more than the bound waits encrypted. */
static void test_much(void **state)
{
    enum { LEN = 3 << 20 };
    uint8_t *data = malloc(LEN);
    struct tls_ends ends;

    assert_non_null(data);
    for (size_t i = 0; i < LEN; i++) {
        data[i] = (uint8_t)(i * 7 + i / 251);
    }
    assert_int_equal(tls_ends_init(&ends, world_of(state), "localhost"), 0);
    tls_ends_run(&ends, SIZE_MAX);
    assert_int_equal(tls_end_say(&ends.server, data, LEN), 0);
    assert_int_equal(fe_tls_pump(ends.server.tls, &ends.server.plain), 0);
    assert_in_range(ends.server.out.len, FE_TLS_OUT_MAX, FE_TLS_OUT_MAX + 17 * 1024);
    assert_in_range(ends.server.plain.len, LEN - FE_TLS_OUT_MAX - FE_BLOCK_SIZE,
                    LEN - FE_TLS_OUT_MAX);
    tls_ends_run(&ends, 50000);
    assert_int_equal(ends.client.got.len, LEN);
    assert_memory_equal(ends.client.got.data, data, LEN);
    tls_ends_deinit(&ends);
    free(data);
}

/* A block of plain bytes is one record: 22 bytes more (RFC 8446 §5.2). */
static void test_full_records(void **state)
{
    static uint8_t data[4 * FE_BLOCK_SIZE];
    struct tls_ends ends;

    assert_int_equal(tls_ends_init(&ends, world_of(state), "localhost"), 0);
    tls_ends_run(&ends, SIZE_MAX);
    assert_int_equal(tls_end_say(&ends.server, data, sizeof(data)), 0);
    assert_int_equal(fe_tls_pump(ends.server.tls, &ends.server.plain), 0);
    assert_int_equal(ends.server.out.len, sizeof(data) + 4 * 22);
    tls_ends_deinit(&ends);
}

static void test_wrong_name(void **state)
{
    struct tls_ends ends;

    assert_int_equal(tls_ends_init(&ends, world_of(state), "other.test"), 0);
    tls_ends_run(&ends, SIZE_MAX);
    assert_int_equal(ends.client.code, FLATEND_ESIGNATURE);
    assert_string_equal(ends.client.err.text, "TLS: the server's certificate: hostname mismatch");
    assert_int_equal(ends.server.code, FLATEND_EPROTO); /* it was told */
    assert_non_null(strstr(ends.server.err.text, "TLS: "));
    assert_int_equal(ends.client.n_open, 0);
    tls_ends_deinit(&ends);
}

static void test_no_trusted_ca(void **state)
{
    struct tls_world *world = world_of(state);
    struct fe_tls_trust *mine = world->trust;
    struct tls_ends ends;

    assert_int_equal(fe_tls_trust_new(NULL, &world->trust, NULL), 0);
    assert_int_equal(tls_ends_init(&ends, world, "localhost"), 0);
    tls_ends_run(&ends, SIZE_MAX);
    assert_int_equal(ends.client.code, FLATEND_ESIGNATURE);
    tls_ends_deinit(&ends);
    fe_tls_trust_free(world->trust);
    world->trust = mine;
}

static void test_trust_in_vain(void **state)
{
    struct flatend_error err = {0};
    struct tls_world *world = world_of(state);
    struct fe_tls_trust *trust;

    assert_int_equal(fe_tls_trust_new("does-not-exist.pem", &trust, &err), FLATEND_ENOENT);
    assert_string_equal(err.text, "'does-not-exist.pem': no such file");
    temp_dir_write(&world->dir, "empty.pem", "", 0);
    assert_int_equal(fe_tls_trust_new(temp_dir_path(&world->dir, "empty.pem"), &trust, &err),
                     FLATEND_ESYNTAX);
    assert_null(trust);
}

/* Garbage, and what was tampered with on the way. */
static void test_garbage(void **state)
{
    struct flatend_error err = {0};
    struct tls_ends ends;

    assert_int_equal(tls_ends_init(&ends, world_of(state), "localhost"), 0);
    assert_int_equal(
        fe_tls_feed(ends.server.tls, FE_VIEW_LIT("\x16\x03\x01\xff\xff garbage"), &err),
        FLATEND_EPROTO);
    assert_int_equal(fe_tls_feed(ends.server.tls, FE_VIEW_LIT("more"), &err), FLATEND_ESTATE);
    assert_int_equal(tls_end_say(&ends.server, "x", 1), 0);
    assert_int_equal(fe_tls_pump(ends.server.tls, &ends.server.plain), 0);
    assert_int_equal(ends.server.plain.len, 1); /* nothing leaves any more */
    tls_ends_deinit(&ends);
}

static void test_tampered(void **state)
{
    struct flatend_error err = {0};
    struct tls_ends ends;
    uint8_t record[64];
    size_t len;

    assert_int_equal(tls_ends_init(&ends, world_of(state), "localhost"), 0);
    tls_ends_run(&ends, SIZE_MAX);
    assert_int_equal(tls_end_say(&ends.client, "ping", 4), 0);
    assert_int_equal(fe_tls_pump(ends.client.tls, &ends.client.plain), 0);
    len = fe_chain_read(&ends.client.out, record, sizeof(record));
    record[len - 1] ^= 1;
    assert_int_equal(fe_tls_feed(ends.server.tls, fe_view_of(record, len), &err), FLATEND_EPROTO);
    assert_int_equal(ends.server.got.len, 0);
    assert_false(fe_tls_is_open(ends.server.tls));
    tls_ends_deinit(&ends);
}

/* The next connection to the same store opens with a ticket of the last one. That the server
 * honours it is seen by a real client in tests/e2e/https.test.js. */
static void test_protocol(void **state)
{
    struct tls_ends ends;

    assert_int_equal(tls_ends_init(&ends, world_of(state), "localhost"), 0);
    assert_int_equal(fe_tls_protocol(ends.server.tls), FE_TLS_NO_PROTOCOL);
    tls_ends_run(&ends, SIZE_MAX);
    assert_int_equal(fe_tls_protocol(ends.server.tls), FE_TLS_HTTP_1_1);
    assert_int_equal(fe_tls_protocol(ends.client.tls), FE_TLS_HTTP_1_1);
    tls_ends_deinit(&ends);
}

static void test_guess(void **state)
{
    (void)state;
    assert_int_equal(fe_tls_detect(0x16), FE_TLS_DETECT_TLS);
    assert_int_equal(fe_tls_detect('G'), FE_TLS_DETECT_HTTP);
    assert_int_equal(fe_tls_detect(0), FE_TLS_DETECT_NEITHER);
    assert_int_equal(fe_tls_detect('g'), FE_TLS_DETECT_NEITHER);
}

/* A certificate that is replaced: the connection that has the old one goes on, the next one gets
 * the new one. */
static void test_swap(void **state)
{
    struct tls_world *world = world_of(state);
    struct fe_cert *other = tls_world_issue(world, "other.test");
    struct fe_cert *mine = fe_tls_store_find(world->store, FE_VIEW_LIT("localhost"));
    struct tls_ends before;
    struct tls_ends after;

    assert_int_equal(tls_ends_init(&before, world, "localhost"), 0);
    tls_ends_run(&before, SIZE_MAX);
    assert_int_equal(fe_tls_store_set(world->store, &other, 1), 0);
    assert_int_equal(tls_end_say(&before.client, "ping", 4), 0);
    tls_ends_run(&before, SIZE_MAX);
    expect_got(&before.server, "ping");
    assert_int_equal(tls_ends_init(&after, world, "other.test"), 0);
    tls_ends_run(&after, SIZE_MAX);
    assert_true(fe_tls_is_open(after.client.tls));
    tls_ends_deinit(&before);
    tls_ends_deinit(&after);
    assert_int_equal(fe_tls_store_set(world->store, &mine, 1), 0);
    fe_cert_unref(mine);
    fe_cert_unref(other);
}

/* A server without any certificate refuses, and lives. */
static void test_no_certificate(void **state)
{
    struct tls_world *world = world_of(state);
    struct fe_cert *mine = fe_tls_store_find(world->store, FE_VIEW_LIT(""));
    struct tls_ends ends;

    assert_int_equal(fe_tls_store_set(world->store, NULL, 0), 0);
    assert_int_equal(tls_ends_init(&ends, world, "localhost"), 0);
    tls_ends_run(&ends, SIZE_MAX);
    assert_int_equal(ends.server.code, FLATEND_EPROTO);
    assert_int_equal(ends.client.code, FLATEND_EPROTO);
    tls_ends_deinit(&ends);
    assert_int_equal(fe_tls_store_set(world->store, &mine, 1), 0);
    fe_cert_unref(mine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_ways),      cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_much),           cmocka_unit_test(test_full_records),
        cmocka_unit_test(test_wrong_name),     cmocka_unit_test(test_no_trusted_ca),
        cmocka_unit_test(test_trust_in_vain),  cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_tampered),       cmocka_unit_test(test_protocol),
        cmocka_unit_test(test_guess),          cmocka_unit_test(test_swap),
        cmocka_unit_test(test_no_certificate),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
