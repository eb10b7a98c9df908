#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "web/http/hop_by_hop.h"
#include "web/http/trailers.h"

static const char *const CONNECTION[] = {
    "te",         "TE",         "trailer",          "upgrade",           "Connection",
    "connection", "keep-alive", "proxy-connection", "transfer-encoding",
};

static void it_knows_the_fields_of_a_connection(void **state)
{
    static const char *const others[] = {
        "",
        "t",
        "tf",
        "trailed",
        "host",
        "connectio",
        "connections",
        "keep-alivf",
        "proxy-connectiom",
        "transfer-encodinh",
        "date",
        "expect",
        "content-length",
        "proxy-authenticate",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(CONNECTION) / sizeof(CONNECTION[0]); i++) {
        assert_true(fe_is_about_connection(fe_view_str(CONNECTION[i])));
        assert_true(fe_is_hop_by_hop(fe_view_str(CONNECTION[i])));
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_false(fe_is_about_connection(fe_view_str(others[i])));
    }
}

static void it_keeps_what_is_the_protocols_out_of_responses(void **state)
{
    (void)state;
    assert_true(fe_is_hop_by_hop(FE_VIEW_LIT("Content-Length")));
    assert_true(fe_is_hop_by_hop(FE_VIEW_LIT("proxy-authenticate")));
    assert_false(fe_is_hop_by_hop(FE_VIEW_LIT("content-type")));
    assert_false(fe_is_hop_by_hop(FE_VIEW_LIT("proxy-authorization")));
}

static void it_keeps_them_out_of_trailers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(CONNECTION) / sizeof(CONNECTION[0]); i++) {
        assert_false(fe_trailer_is_allowed(fe_view_str(CONNECTION[i])));
    }
    assert_false(fe_trailer_is_allowed(FE_VIEW_LIT("Content-Length")));
    assert_false(fe_trailer_is_allowed(FE_VIEW_LIT("host")));
    assert_true(fe_trailer_is_allowed(FE_VIEW_LIT("x-checksum")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_knows_the_fields_of_a_connection),
        cmocka_unit_test(it_keeps_what_is_the_protocols_out_of_responses),
        cmocka_unit_test(it_keeps_them_out_of_trailers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
