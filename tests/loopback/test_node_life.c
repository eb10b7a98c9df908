/* Nodes that start, provide, lose and find each other. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/nodes.h"

static void hello(struct flatend_context *ctx, void *arg)
{
    (void)arg;
    assert_int_equal(flatend_context_write(ctx, "hello", 5), 0);
}

static const struct flatend_service hello_service = {.name = "hello", .handler = hello};

static void assert_handshake(struct flatend_node *node)
{
    struct nodes_answer answer;

    assert_int_equal(nodes_call(node, "hello", NULL, 0, &answer), 0);
    assert_string_equal(answer.text, "hello");
    flatend_stream_close(answer.stream);
}

/* ---- options ---- */

static void assert_refused(const struct flatend_options *options, int code, const char *part)
{
    struct flatend_error error = {0};
    struct flatend_node *node;

    assert_int_equal(flatend_node_new(options, &node, &error), code);
    assert_null(node);
    assert_int_equal(error.code, code);
    if (strstr(error.text, part) == NULL) {
        fail_msg("no '%s' in '%s'", part, error.text);
    }
}

static void test_options(void **state)
{
    const struct flatend_options defaults = FLATEND_OPTIONS_INIT;
    const struct flatend_service twice[] = {hello_service, hello_service};
    const struct flatend_service latin1 = {.name = "caf\xe9", .handler = hello};
    const struct flatend_service unnamed = {.name = "", .handler = hello};
    const struct flatend_service idle = {.name = "idle"};
    const char *const no_port[] = {"127.0.0.1"};
    struct flatend_secret_key key;
    struct flatend_options options = {0};

    (void)state;
    assert_refused(&options, FLATEND_EINVAL, "FLATEND_OPTIONS_INIT");
    options = defaults;
    options.handler_threads = 0;
    assert_refused(&options, FLATEND_EINVAL, "handler_threads: must be from 1 to 4096");
    options = defaults;
    options.reconnect_backoff_factor = 0.5;
    assert_refused(&options, FLATEND_EINVAL, "reconnect_backoff_factor");
    options = defaults;
    options.reconnect_backoff_min_ms = 1001;
    assert_refused(&options, FLATEND_EINVAL, "reconnect_backoff_min_ms");
    options = defaults;
    options.services = twice;
    options.n_services = 2;
    assert_refused(&options, FLATEND_EINVAL, "'hello'");
    options.services = &unnamed;
    options.n_services = 1;
    assert_refused(&options, FLATEND_EINVAL, "1 to 255 bytes");
    options.services = &latin1;
    assert_refused(&options, FLATEND_EINVAL, "services[0]: the name must be UTF-8");
    options.services = &idle;
    assert_refused(&options, FLATEND_EINVAL, "'idle' has no handler");
    options = defaults;
    options.public_addr = "127.0.0.1:0";
    assert_refused(&options, FLATEND_EADDR, "public_addr");
    assert_int_equal(flatend_secret_key_generate(&key), 0);
    options = defaults;
    options.secret_key = &key;
    options.bind_addrs = no_port;
    options.n_bind_addrs = 1;
    assert_refused(&options, FLATEND_EADDR, "bind_addrs[0]");
    key.bytes[40] ^= 1;
    assert_refused(&options, FLATEND_EKEY, "secret_key");
}

/* ---- starting ---- */

static void test_no_answer(void **state)
{
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct flatend_node *node;
    struct flatend_error error;
    char addr[64];
    const char *addrs[] = {addr};
    char expected[128];

    (void)state;
    node = nodes_listen(NULL, 0, addr);
    flatend_node_free(node); /* there is no listener now */
    options.reconnect_attempts = -1;
    assert_int_equal(flatend_node_new(&options, &node, &error), 0);
    assert_int_equal(flatend_node_start(node, addrs, 1, &error), FLATEND_EREFUSED);
    (void)snprintf(expected, sizeof(expected), "connect %s: connection refused", addr);
    assert_string_equal(error.text, expected);
    assert_int_equal(flatend_node_start(node, addrs, 1, &error), FLATEND_ESTATE);
    flatend_node_free(node);
}

/* ---- starting without a peer ---- */

/* An address at which nothing listens. */
static void find_free_addr(char addr[64])
{
    flatend_node_free(nodes_listen(NULL, 0, addr));
}

/* Nothing answers for a while: the node is usable all the same, and there is a peer later. */
static void test_start_before_the_peer(void **state)
{
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct flatend_options later = FLATEND_OPTIONS_INIT;
    struct flatend_node *client;
    struct flatend_node *server;
    struct journal journal;
    char addr[64];
    char same[64];
    const char *addrs[] = {addr};

    (void)state;
    journal_init(&journal);
    find_free_addr(addr);
    options.start_timeout_ms = 1;
    options.log = journal_log;
    options.log_arg = &journal;
    assert_int_equal(flatend_node_new(&options, &client, NULL), 0);
    assert_int_equal(flatend_node_start(client, addrs, 1, NULL), 0);
    journal_wait(&journal, 0, "Started without a peer");
    later.services = &hello_service;
    later.n_services = 1;
    server = nodes_listen_with(&later, addr, same);
    journal_wait(&journal, 0, "You are now connected to ");
    assert_handshake(client);
    flatend_node_free(client);
    flatend_node_free(server);
    journal_deinit(&journal);
}

static void test_start_needs_a_peer(void **state)
{
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct flatend_node *node;
    struct flatend_error error;
    char addr[64];
    const char *addrs[] = {addr};
    char expected[160];

    (void)state;
    find_free_addr(addr);
    options.start_timeout_ms = 20;
    options.start_flags = FLATEND_START_NEEDS_PEER;
    assert_int_equal(flatend_node_new(&options, &node, NULL), 0);
    assert_int_equal(flatend_node_start(node, addrs, 1, &error), FLATEND_ETIMEDOUT);
    (void)snprintf(expected, sizeof(expected),
                   "no peer has answered in 20 ms: connect %s: connection refused", addr);
    assert_string_equal(error.text, expected);
    flatend_node_free(node);
    options.start_flags = 2;
    assert_refused(&options, FLATEND_EINVAL, "start_flags");
    options.start_flags = 0;
    options.start_timeout_ms = 24 * 60 * 60 * 1000 + 1;
    assert_refused(&options, FLATEND_EINVAL, "start_timeout_ms");
}

/* Its name has an address of each family; the peer listens on one. */
static void test_name_with_two_addresses(void **state)
{
    static const char *const binds[] = {"127.0.0.1:0", "[::1]:0"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct flatend_options options = FLATEND_OPTIONS_INIT;
        struct flatend_node *server;
        struct flatend_node *client;
        char addr[64];
        char name[64];

        server = nodes_listen_with(&options, binds[i], addr);
        (void)snprintf(name, sizeof(name), "localhost:%s", strrchr(addr, ':') + 1);
        client = nodes_join(NULL, 0, name);
        flatend_node_free(client);
        flatend_node_free(server);
    }
}

/* A name that is not known is no mistake: it may be later. What can be none is one. */
static void test_name_that_is_not_known(void **state)
{
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    const char *addr = "nowhere.invalid:9000";
    const char *wrong[] = {"no where:9000", "a..b:9000", "-:", "a/b:9000"};
    struct flatend_node *node;
    struct flatend_error error;

    (void)state;
    options.start_timeout_ms = 1;
    assert_int_equal(flatend_node_new(&options, &node, NULL), 0);
    assert_int_equal(flatend_node_start(node, &addr, 1, NULL), 0);
    flatend_node_free(node);
    options.start_flags = FLATEND_START_NEEDS_PEER;
    assert_int_equal(flatend_node_new(&options, &node, NULL), 0);
    assert_int_equal(flatend_node_start(node, &addr, 1, &error), FLATEND_ETIMEDOUT);
    flatend_node_free(node);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(flatend_node_new(&options, &node, NULL), 0);
        assert_int_equal(flatend_node_start(node, &wrong[i], 1, &error), FLATEND_EADDR);
        flatend_node_free(node);
    }
}

/* Nor for the address by which others reach this node, which then listens on all interfaces. */
static void test_public_name(void **state)
{
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct flatend_secret_key key;
    struct flatend_node *node;
    char taken[64];
    char name[64];
    char addr[64];

    (void)state;
    find_free_addr(taken);
    (void)snprintf(name, sizeof(name), "nowhere.invalid:%s", strrchr(taken, ':') + 1);
    assert_int_equal(flatend_secret_key_generate(&key), 0);
    options.secret_key = &key;
    options.public_addr = name;
    assert_int_equal(flatend_node_new(&options, &node, NULL), 0);
    assert_int_equal(flatend_node_start(node, NULL, 0, NULL), 0);
    assert_int_equal(flatend_node_listen_addr(node, 0, addr, sizeof(addr)), 0);
    assert_int_equal(strncmp(addr, "[::]:", 5), 0);
    assert_string_equal(strrchr(addr, ':'), strrchr(name, ':'));
    flatend_node_free(node);
    options.public_addr = "no where:9000";
    assert_refused(&options, FLATEND_EADDR, "public_addr: ");
    options.public_addr = "nowhere.invalid:0";
    assert_refused(&options, FLATEND_EADDR, "public_addr: ");
}

/* What time does not change is no matter of time. */
static void test_start_that_is_rejected(void **state)
{
    static const char secret[] = "a secret of 16 bytes or more";
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct flatend_options client = FLATEND_OPTIONS_INIT;
    struct flatend_node *server;
    struct flatend_node *node;
    struct flatend_error error;
    char addr[64];
    const char *addrs[] = {addr};
    char expected[160];

    (void)state;
    options.mesh_secret = secret;
    options.mesh_secret_len = sizeof(secret) - 1;
    server = nodes_listen_with(&options, "127.0.0.1:0", addr);
    client.start_timeout_ms = 24 * 60 * 60 * 1000;
    assert_int_equal(flatend_node_new(&client, &node, NULL), 0);
    assert_int_equal(flatend_node_start(node, addrs, 1, &error), FLATEND_EDENIED);
    (void)snprintf(expected, sizeof(expected), "refused by %s: a mesh secret is required", addr);
    assert_string_equal(error.text, expected);
    flatend_node_free(node);
    flatend_node_free(server);
}

static void test_address_in_use(void **state)
{
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct flatend_secret_key key;
    struct flatend_node *first;
    struct flatend_node *second;
    struct flatend_error error;
    char addr[64];
    const char *addrs[] = {addr};

    (void)state;
    first = nodes_listen(NULL, 0, addr);
    assert_int_equal(flatend_secret_key_generate(&key), 0);
    options.secret_key = &key;
    options.bind_addrs = addrs;
    options.n_bind_addrs = 1;
    assert_int_equal(flatend_node_new(&options, &second, &error), 0);
    assert_int_equal(flatend_node_start(second, NULL, 0, &error), FLATEND_EADDRINUSE);
    assert_non_null(strstr(error.text, addr));
    flatend_node_free(second);
    flatend_node_free(first);
}

static void test_never_started(void **state)
{
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    const char *const names[] = {"hello"};
    struct flatend_request request = {.services = names, .n_services = 1, .body = ""};
    struct flatend_provider provider;
    struct flatend_stream *stream;
    struct flatend_node *node;

    (void)state;
    assert_int_equal(flatend_node_new(&options, &node, NULL), 0);
    assert_int_equal(flatend_push(node, &request, &stream, NULL), FLATEND_ESTATE);
    assert_int_equal(flatend_node_providers(node, names, 1, &provider, 1), FLATEND_ESTATE);
    flatend_node_shutdown(node);
    flatend_node_free(node);
    flatend_node_free(NULL);
}

/* The id of a thread that has ended is soon another one's: the node's own must not be seen in it.
 */
struct ending {
    struct flatend_node *node;
    int shutdown_code;
    int free_code;
};

static void *shut_down_and_free(void *arg)
{
    struct ending *ending = arg;

    ending->shutdown_code = flatend_node_shutdown(ending->node);
    ending->free_code = flatend_node_free(ending->node);
    return NULL;
}

static void test_thread_with_the_id_of_one_that_has_ended(void **state)
{
    static const char *const addrs[] = {"no address"};
    struct flatend_options options = FLATEND_OPTIONS_INIT;

    (void)state;
    for (int i = 0; i < 8; i++) {
        struct ending ending;
        pthread_t thread;

        assert_int_equal(flatend_node_new(&options, &ending.node, NULL), 0);
        assert_int_equal(flatend_node_start(ending.node, addrs, 1, NULL), FLATEND_EADDR);
        assert_int_equal(pthread_create(&thread, NULL, shut_down_and_free, &ending), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_int_equal(ending.shutdown_code, 0);
        assert_int_equal(ending.free_code, 0);
    }
}

/* ---- providers ---- */

static void name_self(struct flatend_context *ctx, void *arg)
{
    assert_int_equal(flatend_context_printf(ctx, "%s", (const char *)arg), 0);
}

static void test_push_to_a_given_provider(void **state)
{
    static char names_of[2][2] = {"a", "b"};
    const char *const wanted[] = {"who", "nobody"};
    struct flatend_service services[2];
    struct flatend_node *servers[2];
    struct flatend_provider found[3];
    struct flatend_node *client;
    struct flatend_error error;
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    char addrs[2][64];
    const char *const to[] = {addrs[0], addrs[1]};
    unsigned seen = 0;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        services[i] =
            (struct flatend_service){.name = "who", .handler = name_self, .arg = names_of[i]};
        servers[i] = nodes_listen(&services[i], 1, addrs[i]);
    }
    assert_int_equal(flatend_node_new(&options, &client, &error), 0);
    assert_int_equal(flatend_node_start(client, to, 2, &error), 0);
    assert_int_equal(flatend_node_providers(client, wanted + 1, 1, found, 3), 0);
    assert_int_equal(flatend_node_providers(client, wanted, 2, found, 1), 2);
    assert_int_equal(flatend_node_providers(client, wanted, 2, found, 3), 2);
    for (size_t i = 0; i < 2; i++) {
        struct flatend_request request = {
            .services = wanted, .n_services = 1, .body = "", .provider = found[i].handle};
        struct flatend_stream *stream;
        char expected[64];
        const char *answer;
        size_t len;

        assert_false(found[i].id.is_anonymous);
        assert_int_equal(flatend_push(client, &request, &stream, NULL), 0);
        assert_int_equal(flatend_stream_read_all(stream, 10, &answer, &len), 0);
        assert_int_equal(len, 1);
        seen |= 1u << (answer[0] - 'a');
        (void)snprintf(expected, sizeof(expected), "%s:%u", found[i].id.host, found[i].id.port);
        assert_string_equal(expected, addrs[answer[0] - 'a']);
        flatend_stream_close(stream);
    }
    assert_int_equal(seen, 3);
    flatend_node_free(client);
    flatend_node_free(servers[0]);
    flatend_node_free(servers[1]);
}

/* ---- restarting ---- */

static void test_server_restarts(void **state)
{
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct flatend_options again = FLATEND_OPTIONS_INIT;
    struct flatend_node *server;
    struct flatend_node *client;
    struct journal journal;
    char addr[64];
    char same[64];
    const char *addrs[] = {addr};
    size_t at;

    (void)state;
    journal_init(&journal);
    server = nodes_listen(&hello_service, 1, addr);
    options.reconnect_backoff_min_ms = 1;
    options.reconnect_backoff_max_ms = 20;
    options.reconnect_attempts = 1000;
    options.log = journal_log;
    options.log_arg = &journal;
    assert_int_equal(flatend_node_new(&options, &client, NULL), 0);
    assert_int_equal(flatend_node_start(client, addrs, 1, NULL), 0);
    assert_handshake(client);
    at = journal_wait(&journal, 0, "You are now connected to ");
    flatend_node_free(server);
    at = journal_wait(&journal, at, "has disconnected from you.");
    at = journal_wait(&journal, at, "Trying to reconnect to "); /* the first, at once, has failed */
    again.services = &hello_service;
    again.n_services = 1;
    server = nodes_listen_with(&again, addr, same);
    assert_string_equal(addr, same);
    journal_wait(&journal, at, "You are now connected to ");
    assert_handshake(client);
    flatend_node_free(client);
    flatend_node_free(server);
    journal_deinit(&journal);
}

/* The service is anonymous, and the one that listens calls it. */
static void test_client_restarts(void **state)
{
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct flatend_node *server;
    struct journal journal;
    size_t at = 0;
    char addr[64];
    char line[128];

    (void)state;
    journal_init(&journal);
    options.log = journal_log;
    options.log_arg = &journal;
    server = nodes_listen_with(&options, "127.0.0.1:0", addr);
    (void)snprintf(line, sizeof(line), "Listening for Flatend nodes on '%s'.\n", addr);
    assert_non_null(strstr(journal.text, line));
    for (int i = 0; i < 3; i++) {
        struct flatend_node *client = nodes_join(&hello_service, 1, addr);

        at = journal_wait(&journal, at, "has connected to you.");
        assert_handshake(server);
        flatend_node_free(client);
        at = journal_wait(&journal, at, "has disconnected from you.");
    }
    flatend_node_free(server);
    journal_deinit(&journal);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_no_answer),
        cmocka_unit_test(test_start_before_the_peer),
        cmocka_unit_test(test_start_needs_a_peer),
        cmocka_unit_test(test_start_that_is_rejected),
        cmocka_unit_test(test_name_with_two_addresses),
        cmocka_unit_test(test_name_that_is_not_known),
        cmocka_unit_test(test_public_name),
        cmocka_unit_test(test_address_in_use),
        cmocka_unit_test(test_never_started),
        cmocka_unit_test(test_thread_with_the_id_of_one_that_has_ended),
        cmocka_unit_test(test_push_to_a_given_provider),
        cmocka_unit_test(test_server_restarts),
        cmocka_unit_test(test_client_restarts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
