/* Services that come and go on a node that runs, and which key may be where: pinned addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "mesh/node/node.h"
#include "support/latch.h"
#include "support/nodes.h"

/* What `say` says. */
static char first[] = "first";
static char second[] = "second";

static void say(struct flatend_context *ctx, void *arg)
{
    (void)flatend_context_printf(ctx, "%s %s", flatend_context_service(ctx), (const char *)arg);
}

/* A call that is to be answered with this. */
static void expect(struct flatend_node *client, const char *service, const char *expected)
{
    struct nodes_answer answer;
    int code = nodes_call(client, service, NULL, 0, &answer);

    assert_int_equal(code, 0);
    assert_string_equal(answer.text, expected);
    flatend_stream_close(answer.stream);
}

/* A node that keeps a journal. */
static struct flatend_node *join(struct journal *journal, const char *addr)
{
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct flatend_node *node;

    journal_init(journal);
    options.log = journal_log;
    options.log_arg = journal;
    assert_int_equal(flatend_node_new(&options, &node, NULL), 0);
    assert_int_equal(flatend_node_start(node, &addr, 1, NULL), 0);
    return node;
}

static size_t count(struct flatend_node *node, const char *service)
{
    struct flatend_provider providers[4];
    ssize_t n = flatend_node_providers(node, &service, 1, providers, 4);

    assert_true(n >= 0);
    return (size_t)n;
}

static void test_services_come_and_go(void **state)
{
    struct flatend_service a = {.name = "a", .handler = say, .arg = first};
    struct flatend_service b = {.name = "b", .handler = say, .arg = second};
    struct flatend_node *server;
    struct flatend_node *client;
    struct journal journal;
    size_t at;
    char addr[64];

    (void)state;
    server = nodes_listen(&a, 1, addr);
    client = join(&journal, addr);
    assert_int_equal(flatend_node_add_service(server, &a), FLATEND_EEXIST);
    assert_int_equal(flatend_node_remove_service(server, "b"), FLATEND_ENOENT);
    assert_int_equal(flatend_node_add_service(server, &b), 0);
    at = journal_wait(&journal, 0, "has updated its services. Services: [");
    assert_int_equal(count(client, "b"), 1);
    expect(client, "b", "b second");
    expect(client, "a", "a first");

    assert_int_equal(flatend_node_remove_service(server, "a"), 0);
    at = journal_wait(&journal, at, "has updated its services. Services: [b]");
    assert_int_equal(count(client, "a"), 0);
    a.arg = second; /* the name is free for another handler */
    a.flags = FLATEND_SERVICE_INLINE;
    assert_int_equal(flatend_node_add_service(server, &a), 0);
    at = journal_wait(&journal, at, "has updated its services.");
    expect(client, "a", "a second");

    assert_int_equal(flatend_node_remove_service(server, "a"), 0);
    assert_int_equal(flatend_node_remove_service(server, "b"), 0);
    (void)journal_wait(&journal, at, "has updated its services. Services: []");
    assert_int_equal(count(client, "b"), 0);
    flatend_node_free(client);
    flatend_node_free(server);
    journal_deinit(&journal);
}

static void test_what_cannot_be_added(void **state)
{
    static char names[255][2 + 252];
    const struct flatend_service good = {.name = "a", .handler = say, .arg = first};
    struct flatend_service bad = good;
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct flatend_node *node;
    size_t n = 0;
    int code = 0;

    (void)state;
    assert_int_equal(flatend_node_new(&options, &node, NULL), 0);
    assert_int_equal(flatend_node_add_service(node, &good), FLATEND_ESTATE);
    assert_int_equal(flatend_node_remove_service(node, "a"), FLATEND_ESTATE);
    assert_int_equal(flatend_node_start(node, NULL, 0, NULL), 0);
    bad.name = "";
    assert_int_equal(flatend_node_add_service(node, &bad), FLATEND_EINVAL);
    bad.name = NULL;
    assert_int_equal(flatend_node_add_service(node, &bad), FLATEND_EINVAL);
    bad = good;
    bad.handler = NULL;
    assert_int_equal(flatend_node_add_service(node, &bad), FLATEND_EINVAL);
    /* All names together have to fit a Handshake. */
    for (n = 0; n < 255 && code == 0; n++) {
        memset(names[n], 'x', 250);
        (void)snprintf(names[n] + 250, 4, "%03zu", n);
        bad = (struct flatend_service){.name = names[n], .handler = say, .arg = first};
        code = flatend_node_add_service(node, &bad);
    }
    assert_int_equal(code, FLATEND_ELIMIT);
    assert_in_range(n, 10, 20);
    assert_int_equal(flatend_node_remove_service(node, names[0]), 0); /* then there is room */
    assert_int_equal(flatend_node_add_service(node, &bad), 0);
    flatend_node_shutdown(node);
    assert_int_equal(flatend_node_add_service(node, &good), FLATEND_ECANCELED);
    assert_int_equal(flatend_node_remove_service(node, names[1]), FLATEND_ECANCELED);
    flatend_node_free(node);
}

/* ---- under load ---- */

struct load {
    struct flatend_node *client;
    atomic_bool is_over;
    atomic_uint n_good;
    atomic_uint n_none; /* the service was not there just then */
    atomic_uint n_bad;
};

static void *call_on(void *arg)
{
    struct load *load = arg;

    while (!atomic_load(&load->is_over)) {
        struct nodes_answer answer;
        int code = nodes_call(load->client, "b", NULL, 0, &answer);

        if (code == 0 && strcmp(answer.text, "b second") == 0) {
            atomic_fetch_add(&load->n_good, 1);
        } else if (code == FLATEND_ENOPROVIDER || code == FLATEND_EUNHANDLED) {
            atomic_fetch_add(&load->n_none, 1);
        } else {
            print_error("%s\n", code != 0 ? flatend_strerror(code) : answer.text);
            atomic_fetch_add(&load->n_bad, 1);
        }
        flatend_stream_close(answer.stream);
    }
    return NULL;
}

static void test_services_change_under_load(void **state)
{
    enum { N_THREADS = 4, N_ROUNDS = 100 };
    const struct flatend_service a = {.name = "a", .handler = say, .arg = first};
    struct flatend_service b = {.name = "b", .handler = say, .arg = second};
    struct load load = {.client = NULL};
    pthread_t threads[N_THREADS];
    struct flatend_node *server;
    char addr[64];

    (void)state;
    server = nodes_listen(&a, 1, addr);
    load.client = nodes_join(NULL, 0, addr);
    for (size_t i = 0; i < N_THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, call_on, &load), 0);
    }
    for (unsigned i = 0; i < N_ROUNDS; i++) {
        b.flags = i % 2 == 0 ? FLATEND_SERVICE_INLINE : 0;
        assert_int_equal(flatend_node_add_service(server, &b), 0);
        expect(load.client, "a", "a first"); /* nothing else fails */
        while (atomic_load(&load.n_good) <= i) {
            expect(load.client, "a", "a first");
        }
        assert_int_equal(flatend_node_remove_service(server, "b"), 0);
    }
    atomic_store(&load.is_over, true);
    for (size_t i = 0; i < N_THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(atomic_load(&load.n_bad), 0);
    assert_true(atomic_load(&load.n_good) >= N_ROUNDS);
    assert_true(atomic_load(&load.n_none) > 0);
    flatend_node_free(load.client);
    flatend_node_free(server);
}

/* ---- handlers that outlive their service ---- */

struct waiting {
    struct latch entered;
    struct latch let;
};

static void wait_then_say(struct flatend_context *ctx, void *arg)
{
    struct waiting *waiting = arg;

    latch_count(&waiting->entered);
    latch_wait(&waiting->let, 1);
    (void)flatend_context_printf(ctx, "%s", flatend_context_service(ctx));
}

static void test_handler_outlives_its_service(void **state)
{
    struct waiting waiting;
    const char *name = "b";
    const struct flatend_service b = {.name = "b", .handler = wait_then_say, .arg = &waiting};
    const struct flatend_service other = {.name = "b", .handler = say, .arg = second};
    const struct flatend_request request = {.services = &name, .n_services = 1, .body = ""};
    struct flatend_stream *streams[2];
    struct flatend_node *server;
    struct flatend_node *client;
    struct journal journal;
    size_t at;
    char addr[64];

    (void)state;
    latch_init(&waiting.entered);
    latch_init(&waiting.let);
    server = nodes_listen(NULL, 0, addr);
    client = join(&journal, addr);
    assert_int_equal(flatend_node_add_service(server, &b), 0);
    at = journal_wait(&journal, 0, "Services: [b]");
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(flatend_push(client, &request, &streams[i], NULL), 0);
    }
    latch_wait(&waiting.entered, 2);
    assert_int_equal(flatend_node_remove_service(server, "b"), 0);
    at = journal_wait(&journal, at, "Services: []");
    assert_int_equal(flatend_node_add_service(server, &other), 0);
    (void)journal_wait(&journal, at, "Services: [b]");
    expect(client, "b", "b second");
    latch_count(&waiting.let);
    for (size_t i = 0; i < 2; i++) {
        const char *answer;
        size_t len;

        assert_int_equal(flatend_stream_read_all(streams[i], 100, &answer, &len), 0);
        assert_string_equal(answer, "b");
        flatend_stream_close(streams[i]);
    }
    assert_int_equal(waiting.entered.n, 2);
    flatend_node_free(client);
    flatend_node_free(server);
    latch_deinit(&waiting.entered);
    latch_deinit(&waiting.let);
    journal_deinit(&journal);
}

/* An inline handler removes its own service: on the node's thread, there is nothing to wait for. */
struct suicide {
    struct flatend_node *node;
    int code;
};

static void remove_myself(struct flatend_context *ctx, void *arg)
{
    struct suicide *suicide = arg;

    suicide->code = flatend_node_remove_service(suicide->node, flatend_context_service(ctx));
    (void)flatend_context_printf(ctx, "%s is gone", flatend_context_service(ctx));
}

static void test_inline_handler_removes_its_service(void **state)
{
    struct suicide suicide = {.code = 1};
    const struct flatend_service service = {
        .name = "gone", .handler = remove_myself, .arg = &suicide, .flags = FLATEND_SERVICE_INLINE};
    struct flatend_node *client;
    struct journal journal;
    char addr[64];

    (void)state;
    suicide.node = nodes_listen(NULL, 0, addr);
    client = join(&journal, addr);
    assert_int_equal(flatend_node_add_service(suicide.node, &service), 0);
    (void)journal_wait(&journal, 0, "Services: [gone]");
    expect(client, "gone", "gone is gone");
    assert_int_equal(suicide.code, 0);
    (void)journal_wait(&journal, 0, "Services: []");
    flatend_node_free(client);
    flatend_node_free(suicide.node);
    journal_deinit(&journal);
}

/* ---- pinned addresses ---- */

static int start_at(const char *addr, struct flatend_error *error)
{
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct flatend_node *node;
    int code;

    options.reconnect_attempts = -1;
    assert_int_equal(flatend_node_new(&options, &node, NULL), 0);
    memset(error, 0, sizeof(*error));
    code = flatend_node_start(node, &addr, 1, error);
    flatend_node_free(node);
    return code;
}

static void test_pinned_addresses(void **state)
{
    static const char *const hosts[] = {"127.0.0.1", "localhost", ""};
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    const char *bind_addr = ":0"; /* a host name may be an address of either family */
    struct flatend_secret_key secret;
    struct flatend_public_key key;
    struct flatend_error error;
    struct flatend_node *server;
    char text[FLATEND_PUBLIC_KEY_TEXT];
    char addr[64];
    char pinned[256];

    (void)state;
    assert_int_equal(flatend_secret_key_generate(&secret), 0);
    flatend_secret_key_public(&secret, &key);
    flatend_public_key_format(&key, text);
    options.secret_key = &secret;
    options.bind_addrs = &bind_addr;
    options.n_bind_addrs = 1;
    assert_int_equal(flatend_node_new(&options, &server, NULL), 0);
    assert_int_equal(flatend_node_start(server, NULL, 0, NULL), 0);
    assert_int_equal(flatend_node_listen_addr(server, 0, addr, sizeof(addr)), 0);
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        const char *port = strrchr(addr, ':') + 1;

        (void)snprintf(pinned, sizeof(pinned), "%s@%s:%s", text, hosts[i], port);
        if (start_at(pinned, &error) != 0) {
            fail_msg("%s: %s", pinned, error.text);
        }
        pinned[0] = pinned[0] == '0' ? '1' : '0';
        assert_int_equal(start_at(pinned, &error), FLATEND_EDENIED);
        assert_non_null(strstr(error.text, "rejected "));
    }
    flatend_node_free(server);
}

static void test_pins_that_are_none(void **state)
{
    static const char key[] = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
    static const struct {
        int len; /* of the key that is taken */
        const char *behind;
    } cases[] = {
        {0, "@127.0.0.1:1"}, {63, "@127.0.0.1:1"}, {63, "g@127.0.0.1:1"}, {64, "0@127.0.0.1:1"},
        {64, "@"},           {64, "@127.0.0.1"}};
    struct flatend_error error;
    char text[256];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        (void)snprintf(text, sizeof(text), "%.*s%s", cases[i].len, key, cases[i].behind);
        assert_int_equal(start_at(text, &error), FLATEND_EADDR);
        assert_true(strlen(error.text) > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_services_come_and_go),
        cmocka_unit_test(test_what_cannot_be_added),
        cmocka_unit_test(test_services_change_under_load),
        cmocka_unit_test(test_handler_outlives_its_service),
        cmocka_unit_test(test_inline_handler_removes_its_service),
        cmocka_unit_test(test_pinned_addresses),
        cmocka_unit_test(test_pins_that_are_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
