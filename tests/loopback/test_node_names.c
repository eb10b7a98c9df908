/* Names of headers from node to node: any text without control characters, in lower case, in both
 * directions; and what comes out of the library has nothing in its reserved fields. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/nodes.h"

struct world {
    struct flatend_node *server;
    struct flatend_node *client;
};

static bool is_zero(const void *bytes, size_t len)
{
    const uint8_t *at = bytes;

    while (len > 0 && at[len - 1] == 0) {
        len--;
    }
    return len == 0;
}

/* Answers with the value of `header key`, under the same name in another spelling. */
static void serve(struct flatend_context *ctx, void *arg)
{
    static const char *const refused[] = {"", "a\nb", "a\tb", "\x7f", ":status", ":x"};
    const char *value = flatend_context_header(ctx, "header key");
    const struct flatend_id *id = flatend_context_id(ctx);
    size_t n_bad = value == NULL || !is_zero(id->reserved, sizeof(id->reserved)) ? 1 : 0;
    const struct flatend_header *headers;
    size_t n;

    (void)arg;
    headers = flatend_context_headers(ctx, &n);
    for (size_t i = 0; i < n; i++) {
        n_bad += headers[i].flags != 0 || headers[i].reserved != 0 ? 1 : 0;
    }
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        n_bad += flatend_context_set_header(ctx, refused[i], "") == FLATEND_EINVAL ? 0 : 1;
        n_bad += flatend_context_add_trailer(ctx, refused[i], "") == FLATEND_EINVAL ? 0 : 1;
    }
    n_bad += flatend_context_set_header(ctx, "Header Key", "lost") == 0 ? 0 : 1;
    n_bad += flatend_context_set_header(ctx, "hEADER kEY", value) == 0 ? 0 : 1;
    n_bad += flatend_context_add_trailer(ctx, "Tr\xc3\xa4iler", "\t") == 0 ? 0 : 1;
    flatend_context_printf(ctx, "%zu", n_bad);
}

static int setup(void **state)
{
    static const struct flatend_service services[] = {{.name = "names", .handler = serve}};
    static struct world world;
    char addr[64];

    world.server = nodes_listen(services, 1, addr);
    world.client = nodes_join(NULL, 0, addr);
    *state = &world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;

    flatend_node_free(world->client);
    flatend_node_free(world->server);
    return 0;
}

static void test_any_text(void **state)
{
    const struct world *world = *state;
    const char *const names[] = {"names"};
    const struct flatend_header sent = {
        .name = "HEADER Key", .value = "header\tval", .value_len = 10};
    const struct flatend_request request = {
        .services = names, .n_services = 1, .headers = &sent, .n_headers = 1, .body = ""};
    const struct flatend_header *headers;
    struct flatend_stream *stream;
    const char *answer;
    size_t len;
    size_t n;

    assert_int_equal(flatend_push(world->client, &request, &stream, NULL), 0);
    assert_int_equal(flatend_stream_response(stream, NULL, &headers, &n), 0);
    assert_int_equal(n, 1);
    assert_string_equal(headers[0].name, "header key");
    assert_string_equal(headers[0].value, "header\tval");
    assert_int_equal(headers[0].flags | headers[0].reserved, 0);
    assert_int_equal(flatend_stream_read_all(stream, 100, &answer, &len), 0);
    assert_string_equal(answer, "0");
    headers = flatend_stream_trailers(stream, &n);
    assert_int_equal(n, 1);
    assert_string_equal(headers[0].name, "tr\xc3\xa4iler");
    flatend_stream_close(stream);
}

static void test_reserved_fields_of_providers(void **state)
{
    const struct world *world = *state;
    const char *const names[] = {"names"};
    struct flatend_provider provider;

    memset(&provider, 0xff, sizeof(provider));
    assert_int_equal(flatend_node_providers(world->client, names, 1, &provider, 1), 1);
    assert_true(is_zero(provider.reserved, sizeof(provider.reserved)));
    assert_true(is_zero(provider.id.reserved, sizeof(provider.id.reserved)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_any_text, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reserved_fields_of_providers, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
