/* Nodes that meet over a unix socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/nodes.h"
#include "support/temp_dir.h"

enum { ADDR_MAX = 64 };

struct place {
    struct temp_dir dir;
    char addr[ADDR_MAX];
};

static int setup(void **state)
{
    struct place *place = calloc(1, sizeof(*place));

    assert_non_null(place);
    temp_dir_make(&place->dir);
    snprintf(place->addr, sizeof(place->addr), "unix:%s", temp_dir_path(&place->dir, "node"));
    *state = place;
    return 0;
}

static int teardown(void **state)
{
    struct place *place = *state;

    temp_dir_remove(&place->dir);
    free(place);
    return 0;
}

/* A node with an identity, on both. */
static struct flatend_node *serve(const struct place *place, struct flatend_public_key *key)
{
    const char *const addrs[] = {place->addr, "127.0.0.1:0"};
    const struct flatend_service hello = {.name = "hello", .handler = nodes_hello};
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct flatend_secret_key secret;
    struct flatend_node *node;

    assert_int_equal(flatend_secret_key_generate(&secret), 0);
    flatend_secret_key_public(&secret, key);
    options.secret_key = &secret;
    options.bind_addrs = addrs;
    options.n_bind_addrs = 2;
    options.services = &hello;
    options.n_services = 1;
    assert_int_equal(flatend_node_new(&options, &node, NULL), 0);
    assert_int_equal(flatend_node_start(node, NULL, 0, NULL), 0);
    return node;
}

static void expect_hello(struct flatend_node *client)
{
    struct nodes_answer answer;

    assert_int_equal(nodes_call(client, "hello", NULL, 0, &answer), 0);
    assert_string_equal(answer.text, "Hello world!");
    flatend_stream_close(answer.stream);
}

static void services_are_called(void **state)
{
    const struct place *place = *state;
    struct flatend_public_key key;
    struct flatend_node *server = serve(place, &key);
    struct flatend_node *client = nodes_join(NULL, 0, place->addr);
    char addr[ADDR_MAX];

    expect_hello(client);
    assert_int_equal(flatend_node_listen_addr(server, 0, addr, sizeof(addr)), 0);
    assert_string_equal(addr, place->addr);
    assert_int_equal(flatend_node_listen_addr(server, 1, addr, sizeof(addr)), 0);
    assert_non_null(strstr(addr, "127.0.0.1:"));
    flatend_node_free(client);
    flatend_node_free(server);
}

static void a_key_may_stand_in_front(void **state)
{
    const struct place *place = *state;
    struct flatend_public_key key;
    struct flatend_node *server = serve(place, &key);
    struct flatend_node *client;
    char digits[FLATEND_PUBLIC_KEY_TEXT];
    char pinned[FLATEND_PUBLIC_KEY_TEXT + ADDR_MAX];

    flatend_public_key_format(&key, digits);
    snprintf(pinned, sizeof(pinned), "%s@%s", digits, place->addr);
    client = nodes_join(NULL, 0, pinned);
    expect_hello(client);
    flatend_node_free(client);
    flatend_node_free(server);
}

/* A node that listens on all interfaces, and joins here, is found at this machine by others. */
static void providers_are_found_behind_it(void **state)
{
    const struct place *place = *state;
    const struct flatend_service echo = {.name = "echo", .handler = nodes_echo};
    struct flatend_public_key key;
    struct flatend_node *server = serve(place, &key);
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    const char *const addr = place->addr;
    const char *const name = "echo";
    struct flatend_secret_key secret;
    struct flatend_provider provider;
    struct flatend_node *node;

    assert_int_equal(flatend_secret_key_generate(&secret), 0);
    options.secret_key = &secret;
    options.services = &echo;
    options.n_services = 1;
    assert_int_equal(flatend_node_new(&options, &node, NULL), 0);
    assert_int_equal(flatend_node_start(node, &addr, 1, NULL), 0);
    assert_int_equal(flatend_node_providers(server, &name, 1, &provider, 1), 1);
    assert_string_equal(provider.id.host, "127.0.0.1");
    flatend_node_free(node);
    flatend_node_free(server);
}

static void nothing_listens_there(void **state)
{
    const struct place *place = *state;
    const char *const addr = place->addr;
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct flatend_error error = {0};
    struct flatend_node *node;

    options.reconnect_attempts = 0;
    assert_int_equal(flatend_node_new(&options, &node, NULL), 0);
    assert_int_equal(flatend_node_start(node, &addr, 1, &error), FLATEND_ENOENT);
    assert_non_null(strstr(error.text, place->addr));
    flatend_node_free(node);
}

static void options_are_checked(void **state)
{
    const struct place *place = *state;
    const char *const addr = place->addr;
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct flatend_error error = {0};
    struct flatend_secret_key secret;
    struct flatend_node *node;

    assert_int_equal(flatend_secret_key_generate(&secret), 0);
    options.secret_key = &secret;
    options.public_addr = addr;
    assert_int_equal(flatend_node_new(&options, &node, &error), FLATEND_EADDR);
    assert_non_null(strstr(error.text, "public_addr: "));
    options.public_addr = NULL;
    options.bind_addrs = &addr;
    options.n_bind_addrs = 1;
    assert_int_equal(flatend_node_new(&options, &node, &error), FLATEND_EADDR);
    assert_non_null(strstr(error.text, "public_addr"));
    options.public_addr = "127.0.0.1:9000";
    assert_int_equal(flatend_node_new(&options, &node, &error), 0);
    flatend_node_free(node);
}

#define IN_PLACE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_PLACE(services_are_called),           IN_PLACE(a_key_may_stand_in_front),
        IN_PLACE(providers_are_found_behind_it), IN_PLACE(nothing_listens_there),
        IN_PLACE(options_are_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
