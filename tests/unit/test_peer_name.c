/* What a peer is called. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "mesh/wire/peer_name.h"

static const uint8_t key[FE_KEY_LEN] = {0x1f, 0x3a, 0x9c, 0x2e, 0xff};

static void test_name(void **state)
{
    char name[FE_PEER_NAME_MAX];
    struct fe_addr addr;

    (void)state;
    assert_int_equal(fe_addr_parse(&addr, "10.0.0.2:9000", NULL), 0);
    assert_string_equal(fe_peer_name(&addr, key, name), "10.0.0.2:9000 (key 1f3a9c2e)");
    assert_string_equal(fe_peer_name(&addr, NULL, name), "10.0.0.2:9000");
}

/* The longest address leaves room for the key. */
static void test_longest_name(void **state)
{
    static const char text[] = "[1111:2222:3333:4444:5555:6666:7777:8888]:65535";
    char name[FE_PEER_NAME_MAX];
    struct fe_addr addr;

    (void)state;
    assert_int_equal(fe_addr_parse(&addr, text, NULL), 0);
    (void)fe_peer_name(&addr, key, name);
    assert_memory_equal(name, text, strlen(text));
    assert_string_equal(name + strlen(text), " (key 1f3a9c2e)");
}

static void test_key_alone(void **state)
{
    char text[FE_KEY_DIGITS + 1];

    (void)state;
    assert_string_equal(fe_peer_name_key(key, text), "1f3a9c2e");
    assert_string_equal(fe_peer_name_key(NULL, text), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_name),
        cmocka_unit_test(test_longest_name),
        cmocka_unit_test(test_key_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
