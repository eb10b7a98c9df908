/* What crosses flatend.h: defaults, options that are shorter or longer than this library's, fields
 * that must be zero, arrays that are not there, names and values of headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mesh/node/request_check.h"

enum { BEYOND = 64 }; /* what a later version's options have more */

static void handler(struct flatend_context *ctx, void *arg)
{
    (void)ctx;
    (void)arg;
}

static void expect_node(const struct flatend_options *options)
{
    struct flatend_error error = {0};
    struct flatend_node *node;

    if (flatend_node_new(options, &node, &error) != 0) {
        fail_msg("%s", error.text);
    }
    flatend_node_free(node);
}

static void expect_refused(const struct flatend_options *options, const char *text)
{
    struct flatend_error error = {0};
    struct flatend_node *node;

    assert_int_equal(flatend_node_new(options, &node, &error), FLATEND_EINVAL);
    assert_null(node);
    assert_string_equal(error.text, text);
    assert_int_equal(flatend_node_new(options, &node, NULL), FLATEND_EINVAL);
}

/* ---- options ---- */

/* Not on the stack: a static one has no padding that nobody has set. */
static const struct flatend_options initializer = FLATEND_OPTIONS_INIT;

static void test_function_and_macro_agree(void **state)
{
    static struct flatend_options options;

    (void)state;
    memset(&options, 0xff, sizeof(options));
    flatend_options_init(&options, sizeof(options));
    assert_memory_equal(&options, &initializer, sizeof(options));
    flatend_options_init(NULL, sizeof(options));
}

static void test_longer_options(void **state)
{
    const size_t size = sizeof(struct flatend_options) + BEYOND;
    struct flatend_options *options = malloc(size);
    uint8_t *bytes = (uint8_t *)options;

    (void)state;
    assert_non_null(options);
    memset(options, 0xff, size);
    flatend_options_init(options, size);
    assert_int_equal(options->size, size);
    assert_int_equal(options->handler_threads, initializer.handler_threads);
    expect_node(options);
    for (size_t i = sizeof(*options); i < size; i++) {
        bytes[i] = 1;
        expect_refused(options, "size: options of a later version are set, which this library does "
                                "not know");
        bytes[i] = 0;
    }
    expect_node(options);
    free(options);
}

/* Options of the first version end with `loop`; shorter ones were not initialized. */
static const size_t first_size = offsetof(struct flatend_options, loop) + sizeof(void *);

static void test_shorter_options(void **state)
{
    static const char unset[] =
        "size: not set; initialize options with flatend_options_init or FLATEND_OPTIONS_INIT";
    const size_t size = sizeof(struct flatend_options);
    struct flatend_options options;

    (void)state;
    for (size_t shorter = 0; shorter < size; shorter++) {
        memset(&options, 0xff, sizeof(options));
        flatend_options_init(&options, shorter);
        for (size_t i = shorter; i < size; i++) {
            assert_int_equal(((uint8_t *)&options)[i], 0xff);
        }
        if (shorter >= sizeof(options.size)) {
            assert_int_equal(options.size, shorter);
        }
        if (shorter >= sizeof(options.size) && shorter < first_size) {
            expect_refused(&options, unset);
        }
    }
    options = initializer;
    options.size = SIZE_MAX; /* or anything that was on the stack: nothing behind it is read */
    expect_refused(&options, unset);
}

/* Compiled with the first version's header: in memory of its own, so that a read beyond it is seen.
 */
static void test_options_of_the_first_version(void **state)
{
    const volatile size_t size = first_size; /* that compilers do not know: they would warn */
    struct flatend_options *options = malloc(size);

    (void)state;
    assert_non_null(options);
    flatend_options_init(options, first_size);
    assert_int_equal(options->size, first_size);
    expect_node(options);
    free(options);
}

static void test_arrays_that_are_not_there(void **state)
{
    static const char *const no_addr[] = {NULL};
    const struct flatend_service_rule rule = {.service = "a", .n_keys = 1};
    struct flatend_secret_key key;
    struct flatend_options options = initializer;

    (void)state;
    assert_int_equal(flatend_secret_key_generate(&key), 0);
    options.services = NULL;
    options.n_services = 1;
    expect_refused(&options, "services: NULL, but not none");
    for (int is_anonymous = 0; is_anonymous < 2; is_anonymous++) {
        options = initializer;
        options.secret_key = is_anonymous ? NULL : &key;
        options.n_bind_addrs = 1;
        expect_refused(&options, "bind_addrs: NULL, but not none");
        options.bind_addrs = no_addr;
        expect_refused(&options, "bind_addrs[0]: NULL");
    }
    options = initializer;
    options.n_allowed_keys = 1;
    expect_refused(&options, "allowed_keys: NULL, but not none");
    options = initializer;
    options.mesh_secret_len = FLATEND_MESH_SECRET_MIN;
    expect_refused(&options, "mesh_secret: NULL, but not empty");
    options = initializer;
    options.n_service_rules = 1;
    expect_refused(&options, "service_rules: NULL, but not none");
    options.service_rules = &rule;
    expect_refused(&options, "service_rules[0]: 'a': keys: NULL, but not none");
}

/* ---- reserved fields ---- */

static void test_reserved_of_a_service(void **state)
{
    struct flatend_service service = {.name = "a", .handler = handler};
    struct flatend_options options = initializer;

    (void)state;
    options.services = &service;
    options.n_services = 1;
    for (size_t i = 0; i < sizeof(service.reserved) / sizeof(service.reserved[0]); i++) {
        service.reserved[i] = &service;
        expect_refused(&options, "services[0]: 'a': reserved fields must be 0");
        service.reserved[i] = NULL;
    }
    expect_node(&options);
}

static void test_reserved_of_a_rule(void **state)
{
    static const struct flatend_public_key key;
    struct flatend_service_rule rule = {.service = "a", .keys = &key, .n_keys = 1};
    struct flatend_options options = initializer;

    (void)state;
    options.service_rules = &rule;
    options.n_service_rules = 1;
    for (size_t i = 0; i < sizeof(rule.reserved) / sizeof(rule.reserved[0]); i++) {
        rule.reserved[i] = &rule;
        expect_refused(&options, "service_rules[0]: 'a': reserved fields must be 0");
        rule.reserved[i] = NULL;
    }
    expect_node(&options);
}

/* ---- requests ---- */

static const char *const services[] = {"a"};

static void expect_request_refused(const struct flatend_request *request, const char *text)
{
    struct flatend_error error = {0};

    assert_int_equal(fe_request_check(request, &error), FLATEND_EINVAL);
    assert_int_equal(error.code, FLATEND_EINVAL);
    assert_string_equal(error.text, text);
    assert_int_equal(fe_request_check(request, NULL), FLATEND_EINVAL);
}

static void test_requests(void **state)
{
    static const char *const nameless[] = {"a", NULL};
    struct flatend_request request = {.services = services, .n_services = 1};
    const struct flatend_request valid = request;

    (void)state;
    assert_int_equal(fe_request_check(&request, NULL), 0);
    expect_request_refused(NULL, "request: NULL");
    request.n_services = 0;
    expect_request_refused(&request, "services: none");
    request = (struct flatend_request){.n_services = 1};
    expect_request_refused(&request, "services: none");
    request = (struct flatend_request){.services = nameless, .n_services = 2};
    expect_request_refused(&request, "services[1]: a name has 1 to 255 bytes");
    request = valid;
    request.n_headers = 1;
    expect_request_refused(&request, "service 'a': headers: NULL, but not none");
    request = valid;
    request.body_len = 1;
    expect_request_refused(&request, "service 'a': body: NULL, but not empty");
    request = valid;
    request.flags = 1;
    expect_request_refused(&request, "service 'a': unknown flags");
    for (size_t i = 0; i < sizeof(request.reserved) / sizeof(request.reserved[0]); i++) {
        request = valid;
        request.reserved[i] = &request;
        expect_request_refused(&request, "service 'a': reserved fields must be 0");
    }
}

static int check_header(struct flatend_header header, const char *text)
{
    const struct flatend_request request = {
        .services = services, .n_services = 1, .headers = &header, .n_headers = 1};
    struct flatend_error error = {0};
    int code = fe_request_check(&request, &error);

    if (code != 0) {
        assert_string_equal(error.text, text);
    }
    return code;
}

static void test_headers(void **state)
{
    static const char bad_name[] = "service 'a': headers[0]: a name has 1 to 65535 bytes, none of "
                                   "them a control character";
    static const char bad_value[] = "service 'a': headers[0]: the value has control characters";
    static const char flags[] = "service 'a': headers[0]: flags and reserved fields must be 0";
    static const char *const names[] = {"header key", ":method", "a", "\xc3\xa9", "a:b", "\""};
    static const char *const bad_names[] = {NULL, "", "a\tb", "a\nb", "\x01", "a\x7f", "\r"};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_int_equal(check_header((struct flatend_header){.name = names[i]}, NULL), 0);
    }
    for (size_t i = 0; i < sizeof(bad_names) / sizeof(bad_names[0]); i++) {
        assert_int_equal(check_header((struct flatend_header){.name = bad_names[i]}, bad_name),
                         FLATEND_EINVAL);
    }
    for (int c = 0; c < 256; c++) {
        const char value[] = {'a', (char)c};
        const bool is_control = (c < ' ' && c != '\t') || c == 0x7f;
        const struct flatend_header header = {.name = "a", .value = value, .value_len = 2};

        assert_int_equal(check_header(header, bad_value), is_control ? FLATEND_EINVAL : 0);
    }
    assert_int_equal(check_header((struct flatend_header){.name = "a", .value_len = 1},
                                  "service 'a': headers[0]: value: NULL, but not empty"),
                     FLATEND_EINVAL);
    assert_int_equal(check_header((struct flatend_header){.name = "a", .flags = 1}, flags),
                     FLATEND_EINVAL);
    assert_int_equal(check_header((struct flatend_header){.name = "a", .reserved = 1}, flags),
                     FLATEND_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_function_and_macro_agree),
        cmocka_unit_test(test_longer_options),
        cmocka_unit_test(test_shorter_options),
        cmocka_unit_test(test_options_of_the_first_version),
        cmocka_unit_test(test_arrays_that_are_not_there),
        cmocka_unit_test(test_reserved_of_a_service),
        cmocka_unit_test(test_reserved_of_a_rule),
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_headers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
