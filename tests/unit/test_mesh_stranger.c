/* Connections that have proven nothing, by address. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mesh/net/stranger.h"

static struct fe_addr parse(const char *text)
{
    struct fe_addr addr;

    assert_int_equal(fe_addr_parse(&addr, text, NULL), 0);
    return addr;
}

static void test_which_addresses_are_one(void **state)
{
    static const uint8_t seed[16] = {1};
    const struct {
        const char *counted;
        const char *asked;
        bool is_one;
    } cases[] = {
        {"192.0.2.1:1", "192.0.2.1:2", true},
        {"192.0.2.1:1", "[::ffff:192.0.2.1]:2", true},
        {"192.0.2.1:1", "192.0.2.2:1", false},
        {"[2001:db8:0:1::1]:1", "[2001:db8:0:1:ffff::2]:1", true},
        {"[2001:db8:0:1::1]:1", "[2001:db8:0:2::1]:1", false},
        {"[c000:201::]:1", "192.0.2.1:1", false},
        {"unix:/a", "unix:/a", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct fe_addr counted = parse(cases[i].counted);
        const struct fe_addr asked = parse(cases[i].asked);
        struct fe_strangers strangers;
        struct fe_stranger stranger = {0};

        fe_strangers_init(&strangers, seed, 1);
        assert_null(fe_strangers_at_limit(&strangers, &counted));
        assert_int_equal(fe_stranger_enter(&strangers, &stranger, &counted), 0);
        fe_strangers_check(&strangers);
        assert_int_equal(fe_strangers_at_limit(&strangers, &asked) != NULL, cases[i].is_one);
        fe_stranger_leave(&stranger);
        fe_stranger_leave(&stranger);
        assert_null(fe_strangers_at_limit(&strangers, &asked));
        fe_strangers_deinit(&strangers);
    }
}

/* Of an address nothing is left when its last connection has left. */
static void test_many_addresses(void **state)
{
    enum { N = 4096 };
    static const uint8_t seed[16] = {2};
    static struct fe_stranger members[N];
    struct fe_strangers strangers;
    struct fe_addr addr = parse("10.0.0.0:1");

    (void)state;
    fe_strangers_init(&strangers, seed, 2);
    for (size_t i = 0; i < N; i++) {
        addr.ip[2] = (uint8_t)(i >> 8);
        addr.ip[3] = (uint8_t)(i / 2);
        assert_int_equal(fe_stranger_enter(&strangers, &members[i], &addr), 0);
    }
    assert_int_equal(strangers.addrs.n, N / 2);
    fe_strangers_check(&strangers);
    for (size_t i = 0; i < N; i++) {
        fe_stranger_leave(&members[i]);
    }
    assert_int_equal(strangers.addrs.n, 0);
    fe_strangers_deinit(&strangers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_which_addresses_are_one),
        cmocka_unit_test(test_many_addresses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
