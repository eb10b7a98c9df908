/* Where a redirect to HTTPS leads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "gateway/edge/redirect.h"
#include "support/fake_exchange.h"

enum { PORT = 8443, TEXT_MAX = 256 };

static const struct fe_addr tcp = {.family = FE_IPV4, .port = PORT};
static const struct fe_addr https = {.family = FE_IPV4, .port = 443};
static const struct fe_addr unix_socket = {.family = FE_UNIX, .path = "/run/s"};

/* The answer to a request for http://a.b:80/, with a listener on these addresses. */
static void expect_location(const struct fe_addr *first, const struct fe_addr *second,
                            const char *location)
{
    struct fe_addr addrs[] = {*first, *second};
    const struct fe_config_http target = {.addrs = addrs, .n_addrs = 2};
    const struct fe_config_http *targets[] = {&target};
    const struct fe_config_http http = {.targets = targets, .n_targets = 1};
    const struct fe_redirect_backend backend = fe_redirect_backend(&http);
    struct trace trace = {0};
    struct fake_exchange fake;
    char expected[TEXT_MAX];

    fake_exchange_init(&fake, &trace);
    fake.ex.request.authority = FE_VIEW_LIT("a.b:80");
    fe_backend_start(&backend.backend, &fake.ex);
    (void)snprintf(expected, sizeof(expected),
                   "respond(301,#10,content-type=text/plain; charset=utf-8,location=%s) "
                   "write(use HTTPS\n) end",
                   location);
    trace_expect(&trace, expected);
    fake_exchange_deinit(&fake);
}

static void test_port(void **state)
{
    (void)state;
    expect_location(&https, &tcp, "https://a.b/");
    expect_location(&tcp, &https, "https://a.b:8443/");
}

/* A unix socket has no port that a browser could use. */
static void test_unix_socket(void **state)
{
    (void)state;
    expect_location(&unix_socket, &tcp, "https://a.b:8443/");
    expect_location(&unix_socket, &unix_socket, "https://a.b/");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_port),
        cmocka_unit_test(test_unix_socket),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
