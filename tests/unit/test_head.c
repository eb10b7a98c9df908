/* Request heads as a service sees them: what only this node may say of a peer, and the deadline.
 * Response heads: how much there may be of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mesh/node/head.h"

enum { ENCODED_MAX = 4096 };

struct fixture {
    struct fe_arena arena;
    uint8_t *bytes; /* as they would be in a packet */
    struct fe_headers headers;
    struct fe_received_head head;
};

static void add_named(struct fixture *f, const char *name, size_t name_len, const char *value)
{
    size_t value_len = strlen(value);
    uint8_t *at = f->bytes + f->headers.bytes.len;

    assert_true(f->headers.bytes.len + 3 + name_len + value_len <= ENCODED_MAX);
    *at++ = (uint8_t)name_len;
    memcpy(at, name, name_len);
    at += name_len;
    *at++ = (uint8_t)(value_len >> 8);
    *at++ = (uint8_t)value_len;
    memcpy(at, value, value_len);
    f->headers.bytes.len += 3 + name_len + value_len;
    f->headers.n++;
}

static void add(struct fixture *f, const char *name, const char *value)
{
    add_named(f, name, strlen(name), value);
}

static void begin(struct fixture *f)
{
    fe_arena_init(&f->arena, 0);
    f->bytes = malloc(ENCODED_MAX);
    assert_non_null(f->bytes);
    f->headers = (struct fe_headers){.bytes = fe_view_of(f->bytes, 0)};
}

static void receive(struct fixture *f)
{
    assert_int_equal(fe_received_head_init(&f->head, &f->arena, f->headers), 0);
}

static void end(struct fixture *f)
{
    fe_arena_deinit(&f->arena);
    free(f->bytes);
}

static const char *find(const struct fixture *f, const char *name)
{
    const struct flatend_header *header = fe_received_head_find(&f->head, name);

    return header != NULL ? header->value : NULL;
}

/* ---- the requester ---- */

static const char *const spellings[] = {"peer.id", "Peer.Id", "PEER.ID", "pEER.iD",
                                        "peer.",   "peer.x",  "PEER.",   "peer.id.id"};
static const char *const others[] = {"peer", "peerx", "peers.id", "xpeer.id", "query.peer.id", ""};

enum {
    N_SPELLINGS = sizeof(spellings) / sizeof(spellings[0]),
    N_OTHERS = sizeof(others) / sizeof(others[0]),
};

static void expect_only_others(const struct fixture *f, size_t n)
{
    assert_int_equal(f->head.n, n);
    for (size_t i = 0; i < N_OTHERS; i++) {
        assert_string_equal(f->head.headers[i].name, others[i]);
        assert_string_equal(f->head.headers[i].value, "kept");
    }
}

/* Forgeries before, between and behind the others. */
static void receive_forgeries(struct fixture *f)
{
    const size_t n = (size_t)N_SPELLINGS + N_OTHERS;

    begin(f);
    for (size_t i = 0; i < n; i++) {
        if (i < N_SPELLINGS) {
            add(f, spellings[i], "forged");
        }
        if (i < N_OTHERS) {
            add(f, others[i], "kept");
        }
    }
    add(f, "peer.id", "forged");
    receive(f);
}

/* As text of C it would be another name. */
static void a_name_with_a_nul(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f);
    add_named(&f, "id\0x", 4, "posed");
    add(&f, "id", "given");
    add_named(&f, "id\0", 3, "posed");
    receive(&f);
    assert_int_equal(f.head.n, 1);
    assert_string_equal(find(&f, "id"), "given");
    end(&f);
}

static void a_proven_key(void **state)
{
    struct fixture f;

    (void)state;
    receive_forgeries(&f);
    fe_received_head_set_peer_id(&f.head, "abcd");
    expect_only_others(&f, N_OTHERS + 1);
    assert_string_equal(find(&f, "peer.id"), "abcd");
    assert_int_equal(fe_received_head_find(&f.head, "peer.id")->value_len, 4);
    assert_null(find(&f, "peer.x"));
    end(&f);
}

static void nothing_is_proven(void **state)
{
    struct fixture f;

    (void)state;
    receive_forgeries(&f);
    fe_received_head_set_peer_id(&f.head, NULL);
    expect_only_others(&f, N_OTHERS);
    assert_null(find(&f, "peer.id"));
    end(&f);
}

/* There is room for it behind any number of headers. */
static void a_key_behind_no_headers(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f);
    receive(&f);
    fe_received_head_set_peer_id(&f.head, "abcd");
    assert_int_equal(f.head.n, 1);
    assert_string_equal(find(&f, "peer.id"), "abcd");
    end(&f);
}

static void a_key_behind_honest_headers(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f);
    for (int i = 0; i < 100; i++) {
        add(&f, "a", "b");
    }
    receive(&f);
    fe_received_head_set_peer_id(&f.head, "abcd");
    assert_int_equal(f.head.n, 101);
    assert_string_equal(find(&f, "peer.id"), "abcd");
    end(&f);
}

/* ---- how long ---- */

static void the_deadline(void **state)
{
    static const struct {
        const char *text;
        uint64_t ms;
    } cases[] = {
        {"0", 0},
        {"1", 1},
        {"007", 7},
        {"30000", 30000},
        {"9999999999", 9999999999},
        {"10000000000", UINT64_MAX}, /* a digit too many */
        {"", UINT64_MAX},
        {" 1", UINT64_MAX},
        {"1 ", UINT64_MAX},
        {"-1", UINT64_MAX},
        {"+1", UINT64_MAX},
        {"1.5", UINT64_MAX},
        {"0x10", UINT64_MAX},
        {"1:", UINT64_MAX}, /* behind '9' */
        {"1/", UINT64_MAX}, /* before '0' */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fixture f;

        begin(&f);
        add(&f, "timeout-ms", cases[i].text);
        receive(&f);
        assert_int_equal(fe_received_head_timeout(&f.head), cases[i].ms);
        end(&f);
    }
}

static void no_deadline(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f);
    add(&f, "Timeout-Ms", "1"); /* names are in lower case */
    receive(&f);
    assert_int_equal(fe_received_head_timeout(&f.head), UINT64_MAX);
    end(&f);
}

/* As of every header. */
static void the_last_deadline_counts(void **state)
{
    struct fixture f;

    (void)state;
    begin(&f);
    add(&f, "timeout-ms", "1");
    add(&f, "timeout-ms", "2");
    receive(&f);
    assert_int_equal(fe_received_head_timeout(&f.head), 2);
    end(&f);
}

/* ---- responses ---- */

/* Fills a head towards a peer that takes so much, to the last byte. */
static void fill(uint32_t peer_max, size_t name_max, size_t size_max)
{
    char *value = malloc(FE_HEAD_MAX + 1);
    char *name = malloc(name_max + 2);
    struct fe_response_head head;
    struct fe_arena arena;
    const size_t n = size_max - (name_max < 1000 ? name_max : 1000);

    assert_non_null(value);
    assert_non_null(name);
    memset(value, 'v', FE_HEAD_MAX);
    value[n] = '\0';
    memset(name, 'n', name_max + 1);
    name[name_max + 1] = '\0';
    fe_arena_init(&arena, 0);
    fe_response_head_init(&head, &arena, peer_max);
    assert_int_equal(fe_response_head_add(&head, name, ""), FLATEND_EINVAL);
    name[name_max < 1000 ? name_max : 1000] = '\0';
    assert_int_equal(fe_response_head_set(&head, name, value), 0);
    assert_int_equal(fe_response_head_add(&head, "a", ""), FLATEND_ETOOBIG);
    value[n] = 'v';
    value[n + 1] = '\0';
    assert_int_equal(fe_response_head_set(&head, name, value), FLATEND_ETOOBIG);
    fe_response_head_clear(&head);
    assert_int_equal(fe_response_head_add(&head, name, value), FLATEND_ETOOBIG);
    fe_arena_deinit(&arena);
    free(name);
    free(value);
}

static void heads_are_as_large_as_the_peer_takes(void **state)
{
    (void)state;
    fill(FE_HEAD_PACKET_MAX, 255, 4075 - 7 - 13 - 3);
    fill(FE_HEAD_MAX - 1, 255, 4075 - 7 - 13 - 3);
    fill(FE_HEAD_MAX, 65535, FE_HEAD_MAX - 7 - 16 - 6);
}

/* One less than a large head may have: the last is for `:status`. */
static void headers_are_as_many_as_peers_take(void **state)
{
    struct fe_response_head head;
    struct fe_arena arena;

    (void)state;
    fe_arena_init(&arena, 0);
    fe_response_head_init(&head, &arena, FE_HEAD_MAX);
    for (int i = 0; i < 4095; i++) {
        assert_int_equal(fe_response_head_add(&head, "a", ""), 0);
    }
    assert_int_equal(fe_response_head_add(&head, "a", ""), FLATEND_ETOOBIG);
    head.status = 404;
    assert_int_equal(fe_response_head_finish(&head), 0);
    assert_int_equal(head.n, 4096);
    fe_arena_deinit(&arena);
}

/* The long form, with a NUL behind each name and value. */
static void a_large_head_is_received(void **state)
{
    static const uint8_t bytes[] = "\0\1a\0\0\0\1b\0\0\0\0\0\2cc\0\2de\0\0\0\0";
    const struct fe_headers headers = {
        .bytes = fe_view_of(bytes, sizeof(bytes) - 1), .n = 3, .is_long = true};
    struct fe_received_head head;
    struct fe_arena arena;

    (void)state;
    fe_arena_init(&arena, 0);
    assert_int_equal(fe_received_head_init(&head, &arena, headers), 0);
    assert_int_equal(head.n, 3);
    assert_string_equal(head.headers[0].name, "a");
    assert_string_equal(head.headers[0].value, "b");
    assert_string_equal(head.headers[1].name, "");
    assert_string_equal(head.headers[1].value, "cc");
    assert_string_equal(head.headers[2].name, "de");
    assert_string_equal(head.headers[2].value, "");
    fe_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_with_a_nul),
        cmocka_unit_test(a_proven_key),
        cmocka_unit_test(nothing_is_proven),
        cmocka_unit_test(a_key_behind_no_headers),
        cmocka_unit_test(a_key_behind_honest_headers),
        cmocka_unit_test(the_deadline),
        cmocka_unit_test(no_deadline),
        cmocka_unit_test(the_last_deadline_counts),
        cmocka_unit_test(heads_are_as_large_as_the_peer_takes),
        cmocka_unit_test(headers_are_as_many_as_peers_take),
        cmocka_unit_test(a_large_head_is_received),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
