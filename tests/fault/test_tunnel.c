/* Tunnels while each allocation fails in turn: what is sent comes back, or the tunnel is reset, and
 * nothing is left over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/crossings.h"
#include "support/fault.h"
#include "support/h1_rig.h"
#include "support/h2_rig.h"
#include "support/tunnels.h"

static void test_h1(void **state)
{
    static struct h1_rig rig;

    (void)state;
    for (size_t nth = 1; fe_fault_arm(nth); nth++) {
        bool has_failed;

        if (h1_rig_init(&rig)) {
            h1_rig_feed(&rig, "GET /tunnel HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\n"
                              "Upgrade: echo\r\n\r\nabc");
            h1_rig_pass(&rig, 0);
            h1_rig_feed(&rig, "def");
            fe_http_server_on_eof(rig.server);
            while (h1_rig_take(&rig, SIZE_MAX) > 0) {
            }
            has_failed = fe_fault_disarm();
            assert_true(has_failed || strstr(rig.output, "\r\n\r\nabcdef") != NULL);
        }
        (void)fe_fault_disarm();
        h1_rig_deinit(&rig);
    }
}

static void test_h2(void **state)
{
    static const nghttp2_nv nv[] = {H2_NV(":method", "CONNECT"), H2_NV(":protocol", "echo"),
                                    H2_NV(":scheme", "http"), H2_NV(":path", "/tunnel"),
                                    H2_NV(":authority", "h")};
    static struct h2_rig rig;
    const struct fe_view bytes = FE_VIEW_LIT("abcdef");

    (void)state;
    for (size_t nth = 1; fe_fault_arm(nth); nth++) {
        if (h2_rig_init_with_tunnels(&rig)) {
            int32_t id;
            bool has_failed;

            rig.trace.is_off = true;
            rig.frames.is_off = true;
            h2_rig_pump(&rig);
            id = h2_rig_request_with(&rig, nv, 5, &bytes);
            h2_rig_pump(&rig);
            has_failed = fe_fault_disarm();
            assert_true(has_failed || strcmp(h2_rig_reply(&rig, id)->body, "abcdef") == 0);
        }
        (void)fe_fault_disarm();
        h2_rig_deinit(&rig);
    }
}

static void test_crossing(void **state)
{
    static struct crossings crossings;

    (void)state;
    for (size_t nth = 1; fe_fault_arm(nth); nth++) {
        struct fake_exchange *const fake = &crossings.fake;
        bool has_failed;

        (void)fe_fault_disarm(); /* the world has all it needs */
        crossings_init(&crossings, false);
        crossings.client.is_off = true;
        crossings.channel.backend = &tunnel_echo_backend;
        fake->ex.request.upgrade = FE_VIEW_LIT("echo");
        (void)fe_fault_arm(nth);
        crossings_serve(&crossings);
        crossings_settle(&crossings);
        if (!fake->is_over) {
            (void)fake_exchange_body(fake, "abc");
            crossings_settle(&crossings);
        }
        if (!fake->is_over) {
            fake_exchange_body_end(fake);
            crossings_settle(&crossings);
        }
        has_failed = fe_fault_disarm();
        assert_true(fake->is_over);
        assert_true(has_failed || fake->has_ended);
        crossings_deinit(&crossings);
        if (!has_failed) {
            break;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_h1),
        cmocka_unit_test(test_h2),
        cmocka_unit_test(test_crossing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
