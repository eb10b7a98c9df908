/* Heads that do not fit one record, between nodes that know them and nodes that do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mesh/wire/secure.h"
#include "support/nodes.h"
#include "support/provider.h"

enum { HEADERS = 20, VALUE = 10000, N_THREADS = 6, N_CALLS = 20 };

/* What the handlers below have found out. */
struct found {
    atomic_size_t largest; /* value of a response header that was accepted */
    atomic_int long_name;  /* the code for one with a name of 256 bytes */
};

/* ---- services ---- */

/* Sends every header that begins with "x" back, as header and as trailer. */
static void mirror(struct flatend_context *ctx, void *arg)
{
    const struct flatend_header *headers;
    size_t n;

    (void)arg;
    headers = flatend_context_headers(ctx, &n);
    for (size_t i = 0; i < n; i++) {
        if (headers[i].name[0] == 'x') {
            assert_int_equal(flatend_context_add_header(ctx, headers[i].name, headers[i].value), 0);
            assert_int_equal(flatend_context_add_trailer(ctx, headers[i].name, headers[i].value),
                             0);
        }
    }
    /* Some requesters leave as soon as their request was taken. */
    assert_true(flatend_context_write(ctx, "done", 4) == 0 || flatend_context_is_canceled(ctx));
}

/* Values of a header "x" that just fit; with the name, the lengths, and what `:status` may need. */
enum {
    LARGEST = FE_HEAD_MAX - 7 - 16 - 6 - 1,
    LARGEST_ORDINARY = 4075 - 7 - 13 - 3 - 1,
};

static size_t longest_value(struct flatend_context *ctx, char *value)
{
    static const size_t lens[] = {LARGEST + 1, LARGEST, LARGEST_ORDINARY + 1, LARGEST_ORDINARY};

    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        int code;

        value[lens[i]] = '\0';
        code = flatend_context_set_header(ctx, "x", value);
        value[lens[i]] = 'v';
        if (code == 0) {
            return lens[i];
        }
        assert_int_equal(code, FLATEND_ETOOBIG);
    }
    return 0;
}

/* Tries what fits. */
static void measure(struct flatend_context *ctx, void *arg)
{
    struct found *found = arg;
    char *value = malloc(FE_HEAD_MAX + 1);
    char name[257];

    assert_non_null(value);
    memset(value, 'v', FE_HEAD_MAX);
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    atomic_store(&found->largest, longest_value(ctx, value));
    assert_int_equal(flatend_context_set_header(ctx, "x", ""), 0);
    atomic_store(&found->long_name, flatend_context_set_header(ctx, name, ""));
    free(value);
}

static struct found found;

static const struct flatend_service services[] = {
    {.name = "mirror", .handler = mirror},
    {.name = "mirror_inline", .handler = mirror, .flags = FLATEND_SERVICE_INLINE},
    {.name = "measure", .handler = measure, .arg = &found},
};

struct world {
    struct flatend_node *server;
    struct flatend_node *client;
    char addr[64];
};

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));

    assert_non_null(world);
    world->client = nodes_listen(NULL, 0, world->addr);
    world->server = nodes_join(services, sizeof(services) / sizeof(services[0]), world->addr);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;

    flatend_node_free(world->client);
    flatend_node_free(world->server);
    free(world);
    return 0;
}

/* ---- both ways ---- */

static void expect_headers(const struct flatend_header *headers, size_t n,
                           const struct flatend_request *request)
{
    assert_int_equal(n, request->n_headers);
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(headers[i].name, request->headers[i].name);
        assert_int_equal(headers[i].value_len, request->headers[i].value_len);
        assert_memory_equal(headers[i].value, request->headers[i].value, headers[i].value_len);
    }
}

/* Calls `mirror` or its like: all headers come back, in front of the body and behind it. */
static void expect_mirrored(struct flatend_node *node, const char *service,
                            const struct flatend_header *headers, size_t n_headers)
{
    const struct flatend_request request = {.services = &service,
                                            .n_services = 1,
                                            .headers = headers,
                                            .n_headers = n_headers,
                                            .body = ""};
    const struct flatend_header *received;
    struct flatend_stream *stream;
    const char *body;
    size_t n;

    assert_int_equal(flatend_push(node, &request, &stream, NULL), 0);
    assert_int_equal(flatend_stream_response(stream, NULL, &received, &n), 0);
    expect_headers(received, n, &request);
    assert_int_equal(flatend_stream_read_all(stream, 100, &body, &n), 0);
    assert_string_equal(body, "done");
    received = flatend_stream_trailers(stream, &n);
    expect_headers(received, n, &request);
    flatend_stream_close(stream);
}

/* 200 kB: 20 headers of 10,000 bytes. */
static void make_headers(struct flatend_header headers[HEADERS])
{
    static const char names[HEADERS][4] = {"xa", "xb", "xc", "xd", "xe", "xf", "xg",
                                           "xh", "xi", "xj", "xk", "xl", "xm", "xn",
                                           "xo", "xp", "xq", "xr", "xs", "xt"};
    static char value[VALUE + 1];

    if (value[0] == '\0') {
        memset(value, 'v', VALUE);
    }
    for (size_t i = 0; i < HEADERS; i++) {
        headers[i] = (struct flatend_header){.name = names[i], .value = value, .value_len = VALUE};
    }
}

static void large_heads_both_ways(void **state)
{
    struct world *world = *state;
    struct flatend_header headers[HEADERS];

    make_headers(headers);
    expect_mirrored(world->client, "mirror", headers, HEADERS);
    expect_mirrored(world->client, "mirror_inline", headers, HEADERS);
    expect_mirrored(world->client, "mirror", headers, 1);
}

static void long_names_both_ways(void **state)
{
    struct world *world = *state;
    char name[1001];
    const struct flatend_header headers[] = {{.name = name, .value = "value", .value_len = 5},
                                             {.name = "x", .value = ""}};

    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    expect_mirrored(world->client, "mirror", headers, 2);
    expect_mirrored(world->client, "mirror_inline", headers, 2);
}

static void *call_often(void *arg)
{
    struct world *world = arg;
    struct flatend_header headers[HEADERS];

    make_headers(headers);
    for (int i = 0; i < N_CALLS; i++) {
        expect_mirrored(world->client, i % 2 == 0 ? "mirror" : "mirror_inline", headers,
                        i % 3 == 0 ? 1 : HEADERS);
    }
    return NULL;
}

static void many_at_once(void **state)
{
    pthread_t threads[N_THREADS];
    struct flatend_header headers[HEADERS];

    make_headers(headers);
    for (int i = 0; i < N_THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, call_often, *state), 0);
    }
    for (int i = 0; i < N_THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
}

/* ---- what is too large ---- */

static int push_code(struct flatend_node *node, const struct flatend_header *headers, size_t n)
{
    const char *const service = "mirror";
    const struct flatend_request request = {
        .services = &service, .n_services = 1, .headers = headers, .n_headers = n, .body = ""};
    struct flatend_stream *stream;
    int code = flatend_push(node, &request, &stream, NULL);

    flatend_stream_close(stream);
    return code;
}

static void requests_that_no_node_takes(void **state)
{
    enum { MANY = 4097 };
    struct world *world = *state;
    struct flatend_header *many = calloc(MANY, sizeof(*many));
    char *name = malloc(65537);
    struct flatend_header header = {.name = name, .value = ""};
    struct flatend_header headers[HEADERS];

    assert_non_null(many);
    assert_non_null(name);
    make_headers(headers);
    memset(name, 'n', 65536);
    name[65536] = '\0';
    assert_int_equal(push_code(world->client, &header, 1), FLATEND_EINVAL);
    name[65535] = '\0';
    assert_int_equal(push_code(world->client, &header, 1), 0);
    header = (struct flatend_header){.name = "a", .value = "", .value_len = SIZE_MAX};
    assert_int_equal(push_code(world->client, &header, 1), FLATEND_ETOOBIG);
    for (size_t i = 0; i < MANY; i++) {
        many[i] = (struct flatend_header){.name = "aaaaa", .value = "b", .value_len = 1};
    }
    assert_int_equal(push_code(world->client, many, MANY), FLATEND_ETOOBIG);
    assert_int_equal(push_code(world->client, many, MANY - 1), 0);
    expect_mirrored(world->client, "mirror", headers, 1);
    free(many);
    free(name);
}

/* ---- nodes that do not know them ---- */

static const struct fe_self old = {.is_old_only = true, .is_go_like = true};
static const struct fe_self without = {.masked_features = FE_SECURE_FEATURE_HEADS};

static void a_provider_that_takes_none(void **state)
{
    const struct fe_self *const selves[] = {&old, &without};
    struct flatend_header headers[HEADERS];
    char name[257];
    struct flatend_header header = {.name = name, .value = ""};

    (void)state;
    make_headers(headers);
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    for (int i = 0; i < 2; i++) {
        struct provider provider;
        struct flatend_node *node;
        char addr[64];

        node = nodes_listen(NULL, 0, addr);
        provider_join_as(&provider, addr, "mirror", selves[i]);
        assert_int_equal(push_code(node, headers, HEADERS), FLATEND_ETOOBIG);
        assert_int_equal(push_code(node, &header, 1), FLATEND_ETOOBIG);
        assert_int_equal(push_code(node, NULL, 0), 0); /* it is still there */
        provider_wait_request(&provider);
        provider_leave(&provider);
        flatend_node_free(node);
    }
}

/* Six of them beside one that does: large requests all go to that one. */
static void others_are_asked(void **state)
{
    struct world *world = *state;
    struct provider providers[6];
    struct flatend_header headers[HEADERS];

    make_headers(headers);
    for (int i = 0; i < 6; i++) {
        provider_join_as(&providers[i], world->addr, "mirror", i % 2 == 0 ? &old : &without);
    }
    for (int i = 0; i < 20; i++) {
        expect_mirrored(world->client, "mirror", headers, HEADERS);
    }
    for (int i = 0; i < 6; i++) {
        provider_leave(&providers[i]);
    }
}

/* A handler learns what the requester takes when it sets a header: an old one, and one without the
 * feature, what it always was. */
static void requesters_that_take_none(void **state)
{
    const struct fe_self *const selves[] = {&old, &without, &(struct fe_self){.n_services = 0}};
    struct flatend_node *node;
    char addr[64];

    (void)state;
    node = nodes_listen(services, sizeof(services) / sizeof(services[0]), addr);
    for (int i = 0; i < 3; i++) {
        struct provider requester;

        provider_join_as(&requester, addr, "none", selves[i]);
        provider_ask(&requester, "measure");
        if (i < 2) {
            assert_int_equal(atomic_load(&found.largest), LARGEST_ORDINARY);
            assert_int_equal(atomic_load(&found.long_name), FLATEND_EINVAL);
        } else {
            assert_int_equal(atomic_load(&found.largest), LARGEST);
            assert_int_equal(atomic_load(&found.long_name), 0);
        }
        provider_leave(&requester);
    }
    flatend_node_free(node);
}

/* ---- peers that begin a head ---- */

/* A HEAD of stream 1: a REQUEST of 256 KiB, of which one byte is there. */
#define BEGIN "\0\0\6\13\0\0\0\0\1\1\0\4\0\0\1"
#define PING  "\0\0\10\6\0\0\0\0\00012345678"

/* What may not come between the pieces ends their connection, and no other. */
static void a_head_that_is_interrupted(void **state)
{
    struct world *world = *state;
    struct provider provider;

    provider_join_as(&provider, world->addr, "none", &(struct fe_self){.n_services = 0});
    provider_send_packets(&provider, FE_VIEW_LIT(BEGIN));
    provider_send_packets(&provider, FE_VIEW_LIT(PING));
    provider_wait_closed(&provider);
    provider_leave(&provider);
    assert_int_equal(push_code(world->client, NULL, 0), 0);
}

/* Many that begin one each, and leave: nothing is kept of them (LSan). */
static void heads_that_are_never_complete(void **state)
{
    enum { N = 20 };
    struct world *world = *state;
    struct provider providers[N];

    for (int i = 0; i < N; i++) {
        provider_join_as(&providers[i], world->addr, "none", &(struct fe_self){.n_services = 0});
        provider_send_packets(&providers[i], FE_VIEW_LIT(BEGIN));
    }
    assert_int_equal(push_code(world->client, NULL, 0), 0);
    for (int i = 0; i < N; i++) {
        provider_leave(&providers[i]);
    }
    assert_int_equal(push_code(world->client, NULL, 0), 0);
}

#define WORLD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD(large_heads_both_ways),
        WORLD(long_names_both_ways),
        WORLD(many_at_once),
        WORLD(requests_that_no_node_takes),
        cmocka_unit_test(a_provider_that_takes_none),
        WORLD(others_are_asked),
        cmocka_unit_test(requesters_that_take_none),
        WORLD(a_head_that_is_interrupted),
        WORLD(heads_that_are_never_complete),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
