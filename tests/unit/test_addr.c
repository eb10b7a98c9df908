#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ground/base/addr.h"

static void expect_parsed(const char *text, enum fe_family family, const char *formatted)
{
    struct fe_addr addr;
    char buf[FE_ADDR_TEXT_MAX];

    assert_int_equal(fe_addr_parse(&addr, text, NULL), 0);
    assert_int_equal(addr.family, family);
    assert_string_equal(fe_addr_format(&addr, buf), formatted);
}

static void addresses_parse_and_format(void **state)
{
    (void)state;
    expect_parsed("127.0.0.1:9000", FE_IPV4, "127.0.0.1:9000");
    expect_parsed("[::1]:9000", FE_IPV6, "[::1]:9000");
    expect_parsed(":3000", FE_IPV6, "[::]:3000");
    expect_parsed("localhost:0", FE_IPV4, "127.0.0.1:0");
    expect_parsed("LocalHost:65535", FE_IPV4, "127.0.0.1:65535");
    expect_parsed("[::ffff:10.0.0.2]:1", FE_IPV6, "10.0.0.2:1");
    expect_parsed("[1111:2222:3333:4444:5555:6666:7777:8888]:65535", FE_IPV6,
                  "[1111:2222:3333:4444:5555:6666:7777:8888]:65535");
}

static void what_is_no_address(void **state)
{
    static const char *const texts[] = {"",
                                        "127.0.0.1",
                                        "127.0.0.1:",
                                        "127.0.0.1:65536",
                                        "127.0.0.1:-1",
                                        "127.0.0.1: 1",
                                        "1.2.3.4:x",
                                        "::1:9000",
                                        "[::1]9000",
                                        "[::1:9000",
                                        "[]:9000",
                                        "[1.2.3.4]:1",
                                        "[x]:1",
                                        "[::1]",
                                        "1.2.3.4:000001"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct flatend_error err = {0};
        struct fe_addr addr;

        assert_int_equal(fe_addr_parse(&addr, texts[i], &err), FLATEND_EADDR);
        assert_int_equal(err.code, FLATEND_EADDR);
        assert_int_not_equal(err.text[0], '\0');
    }
}

static void names_are_for_a_resolver(void **state)
{
    struct flatend_error err;
    struct fe_addr addr;
    struct fe_view host;
    uint16_t port;

    (void)state;
    assert_int_equal(fe_addr_parse(&addr, "example.org:9000", &err), FLATEND_ENOENT);
    assert_string_equal(err.text, "'example.org:9000': a name, not an IP address");
    assert_int_equal(fe_addr_split("example.org:9000", &host, &port, &err), 0);
    assert_true(fe_view_equal(host, FE_VIEW_LIT("example.org")));
    assert_int_equal(port, 9000);
    assert_int_equal(fe_addr_split("[fe80::1]:1", &host, &port, &err), 0);
    assert_true(fe_view_equal(host, FE_VIEW_LIT("fe80::1")));
    assert_int_equal(fe_addr_split(":80", &host, &port, &err), 0);
    assert_int_equal(host.len, 0);
}

static void a_host_longer_than_any_name(void **state)
{
    char text[400];
    struct fe_addr addr;

    (void)state;
    memset(text, 'a', sizeof(text));
    memcpy(text + 254, ":1", 3);
    assert_int_equal(fe_addr_parse(&addr, text, NULL), FLATEND_EADDR);
    memcpy(text + 253, ":1", 3);
    assert_int_equal(fe_addr_parse(&addr, text, NULL), FLATEND_ENOENT);
}

static struct fe_addr parsed(const char *text)
{
    struct fe_addr addr;

    assert_int_equal(fe_addr_parse(&addr, text, NULL), 0);
    return addr;
}

static void mapped_addresses_are_ipv4(void **state)
{
    struct fe_addr a = parsed("10.0.0.2:1");
    struct fe_addr mapped = parsed("[::ffff:10.0.0.2]:1");
    struct fe_addr other = parsed("10.0.0.2:2");
    struct fe_addr ipv6 = parsed("[a00:2::]:1");
    struct fe_ip_addr ip;
    char buf[FE_ADDR_TEXT_MAX];

    (void)state;
    assert_true(fe_addr_equal(&a, &mapped));
    assert_false(fe_addr_equal(&a, &other));
    assert_false(fe_addr_equal(&a, &ipv6));
    assert_true(fe_addr_to_ip(&mapped, &ip));
    assert_string_equal(fe_ip_addr_format_host(&ip, buf), "10.0.0.2");
    a = fe_addr_of_ip(&ip);
    assert_string_equal(fe_addr_format(&a, buf), "10.0.0.2:1");
    assert_true(fe_addr_to_ip(&ipv6, &ip));
    assert_string_equal(fe_ip_addr_format_host(&ip, buf), "a00:2::");
}

static void addresses_with_a_meaning(void **state)
{
    static const struct {
        const char *text;
        bool is_unspecified;
        bool is_loopback;
    } cases[] = {
        {":1", true, false},
        {"0.0.0.0:1", true, false},
        {"[::ffff:0.0.0.0]:1", true, false},
        {"127.0.0.1:1", false, true},
        {"127.9.9.9:1", false, true},
        {"[::ffff:127.0.0.1]:1", false, true},
        {"[::1]:1", false, true},
        {"10.0.0.1:1", false, false},
        {"[::2]:1", false, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fe_addr addr = parsed(cases[i].text);

        assert_int_equal(fe_addr_is_unspecified(&addr), cases[i].is_unspecified);
        assert_int_equal(fe_addr_is_loopback(&addr), cases[i].is_loopback);
    }
}

static void unix_sockets_parse_and_format(void **state)
{
    char longest[5 + FE_UNIX_PATH_MAX + 2] = "unix:";
    struct flatend_error err = {0};
    struct fe_addr addr;
    char buf[FE_ADDR_TEXT_MAX];

    (void)state;
    expect_parsed("unix:/run/x.sock", FE_UNIX, "unix:/run/x.sock");
    expect_parsed("unix:x", FE_UNIX, "unix:x");
    expect_parsed("unix::80", FE_UNIX, "unix::80"); /* all of it is the path */
    memset(longest + 5, 'p', FE_UNIX_PATH_MAX);
    expect_parsed(longest, FE_UNIX, longest);
    longest[5 + FE_UNIX_PATH_MAX] = 'p';
    assert_int_equal(fe_addr_parse(&addr, longest, &err), FLATEND_EADDR);
    assert_non_null(strstr(err.text, "107"));
    assert_int_equal(fe_addr_parse(&addr, "unix:", &err), FLATEND_EADDR);
    assert_non_null(strstr(err.text, "no path"));
    addr = (struct fe_addr){.family = FE_UNIX};
    assert_string_equal(fe_addr_format(&addr, buf), "unix:");
}

static void unix_sockets_compare(void **state)
{
    const struct fe_addr a = parsed("unix:/a");
    const struct fe_addr again = parsed("unix:/a");
    const struct fe_addr b = parsed("unix:/b");
    const struct fe_addr nothing = parsed(":0");
    struct fe_ip_addr ip;

    (void)state;
    assert_true(fe_addr_equal(&a, &again));
    assert_false(fe_addr_equal(&a, &b));
    assert_false(fe_addr_equal(&a, &nothing));
    assert_false(fe_addr_equal(&nothing, &a));
    assert_false(fe_addr_to_ip(&a, &ip));
    assert_false(fe_addr_is_unspecified(&a));
    assert_true(fe_addr_is_loopback(&a));
    assert_false(fe_addr_has_any_port(&a));
    assert_true(fe_addr_has_any_port(&nothing));
}

static void test_host_names(void **state)
{
    static const char *const good[] = {"a",     "gateway", "node-1.example", "a.b.", "_svc._tcp",
                                       "1.2.3", "A-9"};
    static const char *const bad[] = {"",    ".",   "a..b",     ".a", "a b",
                                      "a/b", "a:b", "\xc3\xa4", "a@b"};
    char longest[255];
    struct flatend_error err;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(fe_addr_check_host(fe_view_str(good[i]), &err), 0);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(fe_addr_check_host(fe_view_str(bad[i]), &err), FLATEND_EADDR);
    }
    memset(longest, 'a', sizeof(longest));
    assert_int_equal(fe_addr_check_host(fe_view_of(longest, 63), &err), 0);
    assert_int_equal(fe_addr_check_host(fe_view_of(longest, 64), &err), FLATEND_EADDR);
    for (size_t i = 63; i < sizeof(longest); i += 64) {
        longest[i] = '.';
    }
    assert_int_equal(fe_addr_check_host(fe_view_of(longest, 253), &err), 0);
    assert_int_equal(fe_addr_check_host(fe_view_of(longest, 254), &err), FLATEND_EADDR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_host_names),
        cmocka_unit_test(addresses_parse_and_format),
        cmocka_unit_test(what_is_no_address),
        cmocka_unit_test(names_are_for_a_resolver),
        cmocka_unit_test(a_host_longer_than_any_name),
        cmocka_unit_test(mapped_addresses_are_ipv4),
        cmocka_unit_test(addresses_with_a_meaning),
        cmocka_unit_test(unix_sockets_parse_and_format),
        cmocka_unit_test(unix_sockets_compare),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
