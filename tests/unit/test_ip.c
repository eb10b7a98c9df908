/* The text of IP addresses, beside the system's idea of it. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ground/base/ip.h"
#include "ground/base/rng.h"

enum { N_RANDOM = 200000, TEXT_MAX = 64 };

static void expect_as_system(const char *text)
{
    uint8_t ours[FE_IPV6_LEN];
    uint8_t theirs[FE_IPV6_LEN];
    int is_good = inet_pton(AF_INET, text, theirs) == 1;

    assert_int_equal(fe_ipv4_parse(fe_view_str(text), ours), is_good);
    if (is_good) {
        assert_memory_equal(ours, theirs, FE_IPV4_LEN);
    }
    is_good = inet_pton(AF_INET6, text, theirs) == 1;
    if (fe_ipv6_parse(fe_view_str(text), ours) != is_good) {
        fail_msg("'%s' %s an IPv6 address", text, is_good ? "is" : "is not");
    }
    if (is_good) {
        assert_memory_equal(ours, theirs, FE_IPV6_LEN);
    }
}

static void what_is_written_by_hand(void **state)
{
    static const char *const texts[] = {
        "",
        ".",
        ":",
        "::",
        ":::",
        "::1",
        "1::",
        "1:",
        ":1",
        "1:2:3:4:5:6:7:8",
        "1:2:3:4:5:6:7::",
        "::2:3:4:5:6:7:8",
        "1::3:4:5:6:7:8",
        "1:2:3:4:5:6:7:8::",
        "::1:2:3:4:5:6:7:8",
        "1:2:3:4::5:6:7:8",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "1::2::3",
        "12345::",
        "FFFF:abcd::",
        "g::",
        "::ffff:192.0.2.7",
        "::192.0.2.7",
        "1:2:3:4:5:6:192.0.2.7",
        "1:2:3:4:5:6:7:192.0.2.7",
        "1:2:3:4:5:192.0.2.7",
        "::192.0.2",
        "::192.0.2.7:1",
        "192.0.2.7::",
        "::256.0.0.1",
        "fe80::1%eth0",
        "192.0.2.7",
        "192.0.2.07",
        "192.0.2.0",
        "192.0.2.256",
        "192.0.2.1000",
        "192.0.2",
        "192.0.2.",
        ".192.0.2",
        "192.0.2.7 ",
        "192..2.7",
        "0.0.0.0",
        "00.0.0.0",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        expect_as_system(texts[i]);
    }
}

static void what_is_written_at_random(void **state)
{
    static const char alphabet[] = ":::::....0012589afF";
    struct fe_rng_seeded seeded;
    const struct fe_rng rng = fe_rng_from_seed(&seeded, 7);
    char text[TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < N_RANDOM; i++) {
        const size_t len = fe_rng_below(&rng, 24);

        for (size_t k = 0; k < len; k++) {
            text[k] = alphabet[fe_rng_below(&rng, sizeof(alphabet) - 1)];
        }
        text[len] = '\0';
        expect_as_system(text);
    }
}

/* Zeros are likely, so that there are runs of them. */
static void what_is_formatted(void **state)
{
    struct fe_rng_seeded seeded;
    const struct fe_rng rng = fe_rng_from_seed(&seeded, 8);
    char ours[FE_IP_TEXT_MAX];
    char theirs[INET6_ADDRSTRLEN];
    uint8_t ip[FE_IPV6_LEN];
    uint8_t again[FE_IPV6_LEN];

    (void)state;
    for (size_t i = 0; i < N_RANDOM; i++) {
        for (size_t k = 0; k < sizeof(ip); k++) {
            ip[k] = (uint8_t)(fe_rng_below(&rng, 3) == 0 ? fe_rng_below(&rng, 256) : 0);
        }
        ip[2] |= 1; /* what the system writes as IPv4 within IPv6 is written in groups by us */
        assert_string_equal(fe_ipv6_format(ip, ours), inet_ntop(AF_INET6, ip, theirs, 46));
        assert_true(fe_ipv6_parse(fe_view_str(ours), again));
        assert_memory_equal(again, ip, sizeof(ip));
        assert_string_equal(fe_ipv4_format(ip, ours), inet_ntop(AF_INET, ip, theirs, 46));
    }
    memset(ip, 0, sizeof(ip));
    assert_string_equal(fe_ipv6_format(ip, ours), "::");
    ip[15] = 1;
    assert_string_equal(fe_ipv6_format(ip, ours), "::1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_by_hand),
        cmocka_unit_test(what_is_written_at_random),
        cmocka_unit_test(what_is_formatted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
