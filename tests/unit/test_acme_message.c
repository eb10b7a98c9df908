/* What an ACME server says: good, strange and hostile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "web/acme/message.h"
#include "web/acme/record.h"

static void test_directory(void **state)
{
    struct fe_acme_directory directory;
    struct flatend_error err;

    (void)state;
    assert_int_equal(
        fe_acme_directory_parse(
            &directory,
            FE_VIEW_LIT("{\"newNonce\":\"https://ca/n\",\"newAccount\":\"https://ca/a\","
                        "\"newOrder\":\"https://ca/o\",\"renewalInfo\":\"https://ca/r\","
                        "\"meta\":{\"termsOfService\":\"https://ca/t\","
                        "\"externalAccountRequired\":true},\"x\":\"random key\"}"),
            &err),
        0);
    assert_string_equal(directory.new_nonce, "https://ca/n");
    assert_string_equal(directory.new_account, "https://ca/a");
    assert_string_equal(directory.new_order, "https://ca/o");
    assert_string_equal(directory.renewal_info, "https://ca/r");
    assert_string_equal(directory.terms_of_service, "https://ca/t");
    assert_true(directory.wants_eab);
    fe_acme_directory_deinit(&directory);
}

static void check_directory(const char *body, const char *text)
{
    struct fe_acme_directory directory;
    struct flatend_error err = {0};

    assert_int_equal(fe_acme_directory_parse(&directory, fe_view_str(body), &err), FLATEND_ESYNTAX);
    if (strncmp(err.text, text, strlen(text)) != 0) {
        fail_msg("%s: %s", body, err.text);
    }
    assert_null(directory.root);
}

static void test_bad_directories(void **state)
{
    (void)state;
    check_directory("", "the directory is not JSON");
    check_directory("<html>", "the directory is not JSON");
    check_directory("[]", "the directory is not a JSON object");
    check_directory("{\"newNonce\":\"https://a\",\"newNonce\":\"https://b\"}",
                    "the directory is not JSON: duplicate object key");
    check_directory("{}", "a directory without a valid 'newNonce'");
    check_directory("{\"newNonce\":\"http://plain/\"}", "a directory without a valid 'newNonce'");
    check_directory("{\"newNonce\":7}", "a directory without a valid 'newNonce'");
    check_directory("{\"newNonce\":\"https://n\"}", "a directory without a valid 'newAccount'");
    check_directory("{\"newNonce\":\"https://n\",\"newAccount\":\"https://a\"}",
                    "a directory without a valid 'newOrder'");
}

static void test_order(void **state)
{
    struct fe_acme_order order;
    struct flatend_error err;

    (void)state;
    assert_int_equal(
        fe_acme_order_parse(&order,
                            FE_VIEW_LIT("{\"status\":\"valid\",\"finalize\":\"https://ca/f\","
                                        "\"authorizations\":[\"https://ca/1\",\"https://ca/2\"],"
                                        "\"certificate\":\"https://ca/c\"}"),
                            &err),
        0);
    assert_int_equal(order.status, FE_ACME_VALID);
    assert_int_equal(order.n_authorizations, 2);
    assert_string_equal(order.authorizations[1], "https://ca/2");
    assert_string_equal(order.certificate, "https://ca/c");
    fe_acme_order_deinit(&order);
}

static void check_order(const char *body, const char *text)
{
    struct fe_acme_order order;
    struct flatend_error err = {0};

    assert_int_equal(fe_acme_order_parse(&order, fe_view_str(body), &err), FLATEND_ESYNTAX);
    assert_string_equal(err.text, text);
    assert_null(order.root);
}

static void test_bad_orders(void **state)
{
    char body[8192] = "{\"status\":\"pending\",\"finalize\":\"https://f\",\"authorizations\":[";
    size_t len;

    (void)state;
    check_order("{\"status\":\"strange\"}", "an order without a valid 'status'");
    check_order("{\"status\":\"ready\"}", "an order without a valid 'finalize'");
    check_order("{\"status\":\"ready\",\"finalize\":\"https://f\"}",
                "an order without a valid 'authorizations'");
    check_order("{\"status\":\"ready\",\"finalize\":\"https://f\",\"authorizations\":[1]}",
                "an order without a valid 'authorizations'");
    check_order("{\"status\":\"valid\",\"finalize\":\"https://f\",\"authorizations\":"
                "[\"https://a\"]}",
                "an order without a valid 'certificate'");
    len = strlen(body);
    for (unsigned i = 0; i <= FE_ACME_NAMES_MAX; i++) {
        len += (size_t)snprintf(body + len, sizeof(body) - len, "\"https://a\",");
    }
    snprintf(body + len, sizeof(body) - len, "\"https://a\"]}");
    check_order(body, "an order without a valid 'authorizations'");
}

static void test_authorization(void **state)
{
    struct fe_acme_authorization authorization;
    struct fe_acme_problem problem;
    struct flatend_error err;

    (void)state;
    assert_int_equal(
        fe_acme_authorization_parse(
            &authorization,
            FE_VIEW_LIT(
                "{\"status\":\"invalid\",\"identifier\":{\"type\":\"dns\",\"value\":\"a.test\"},"
                "\"challenges\":[{\"type\":\"dns-01\"},"
                "{\"type\":\"tls-alpn-01\",\"url\":\"https://c\",\"token\":\"a b\","
                "\"status\":\"pending\"},"
                "{\"type\":\"http-01\",\"url\":\"https://c/1\",\"token\":\"ab-_\",\"status\":"
                "\"invalid\",\"error\":{\"type\":\"urn:ietf:params:acme:error:dns\","
                "\"detail\":\"NXDOMAIN\"}}]}"),
            &err),
        0);
    assert_int_equal(authorization.status, FE_ACME_INVALID);
    assert_string_equal(authorization.name, "a.test");
    assert_true(authorization.has[FE_ACME_HTTP_01]);
    assert_false(authorization.has[FE_ACME_TLS_ALPN_01]); /* that is no token */
    assert_string_equal(authorization.challenges[FE_ACME_HTTP_01].token, "ab-_");
    fe_acme_authorization_problem(&authorization, &problem);
    assert_string_equal(problem.text, "dns: NXDOMAIN");
    fe_acme_authorization_deinit(&authorization);
}

static void check_time(const char *text, int64_t expected)
{
    int64_t seconds;
    const int code = fe_acme_time_parse(text, &seconds);

    if (code != (expected < 0 ? FLATEND_ESYNTAX : 0) || (expected >= 0 && seconds != expected)) {
        fail_msg("%s: %d, %lld", text, code, (long long)seconds);
    }
}

static void test_times(void **state)
{
    (void)state;
    check_time("1970-01-01T00:00:00Z", 0);
    check_time("2026-11-25T22:15:42Z", 1795644942);
    check_time("2026-11-25T23:15:42.123456789+01:00", 1795644942);
    check_time("2026-11-25t17:45:42-04:30", 1795644942);
    check_time("2000-02-29T00:00:00Z", 951782400);
    check_time("2100-03-01T00:00:00Z", 4107542400);
    check_time("9999-12-31T23:59:60Z", 253402300800);
    check_time("", -1);
    check_time("2026-11-25", -1);
    check_time("2026-11-25T22:15:42", -1);
    check_time("2026-11-25T22:15:42.Z", -1);
    check_time("2026-11-25T22:15:42Zx", -1);
    check_time("2026-13-25T22:15:42Z", -1);
    check_time("2026-11-25T24:15:42Z", -1);
    check_time("2026-11-25T22:15:42+1:00", -1);
    check_time("1969-11-25T22:15:42Z", -1);
}

static void test_windows(void **state)
{
    struct fe_acme_window window;

    (void)state;
    assert_int_equal(
        fe_acme_window_parse(&window,
                             FE_VIEW_LIT("{\"suggestedWindow\":{\"start\":\"2025-01-02T04:00:00Z\","
                                         "\"end\":\"2025-01-03T04:00:00Z\"}}"),
                             NULL),
        0);
    assert_int_equal(window.end_s - window.start_s, 86400);
    /* RFC 9773 §4.2: the end is after the start. */
    assert_int_equal(
        fe_acme_window_parse(&window,
                             FE_VIEW_LIT("{\"suggestedWindow\":{\"start\":\"2025-01-03T04:00:00Z\","
                                         "\"end\":\"2025-01-03T04:00:00Z\"}}"),
                             NULL),
        FLATEND_ESYNTAX);
    assert_int_equal(window.end_s, 0);
}

static void check_problem(int status, const char *body, const char *type, const char *text)
{
    struct fe_acme_problem problem;

    fe_acme_problem_parse(&problem, status, fe_view_str(body));
    assert_string_equal(problem.type, type);
    assert_string_equal(problem.text, text);
}

static void test_problems(void **state)
{
    char body[8192];
    char detail[2048];
    struct fe_acme_problem problem;

    (void)state;
    check_problem(429, "{\"type\":\"urn:ietf:params:acme:error:rateLimited\",\"detail\":\"slow\"}",
                  "rateLimited", "rateLimited: slow");
    check_problem(400, "{\"type\":\"about:blank\"}", "about:blank", "about:blank: no detail given");
    check_problem(502, "<html>", "", "HTTP status 502 without a problem document");
    check_problem(502, "", "", "HTTP status 502 without a problem document");
    check_problem(400, "{\"detail\":\"x\"}", "", "HTTP status 400 without a problem document");
    memset(detail, 'x', sizeof(detail) - 1);
    detail[sizeof(detail) - 1] = '\0';
    snprintf(body, sizeof(body), "{\"type\":\"%s\",\"detail\":\"%s\"}", detail, detail);
    fe_acme_problem_parse(&problem, 400, fe_view_str(body));
    assert_int_equal(strlen(problem.text), sizeof(problem.text) - 1);
}

/* ---- what is kept --------------------------------------------------------------------------- */

static void test_record(void **state)
{
    static const char *const names[] = {"a.test", "b.test"};
    static const char *const others[] = {"b.test", "c.test"};
    struct fe_acme_saved saved = {.order_url = "https://ca/o",
                                  .n_failures = 7,
                                  .wait_until_ms = INT64_C(1800000000123),
                                  .preferred = {1, 2},
                                  .tried = {0, 3}};
    struct fe_acme_saved back = {0};
    struct fe_buf text;

    (void)state;
    fe_buf_init(&text, 4096);
    assert_int_equal(fe_acme_record_write_order(&saved, names, 2, &text), 0);
    fe_acme_record_read_order(fe_buf_view(&text), names, 2, &back);
    assert_string_equal(back.order_url, "https://ca/o");
    assert_int_equal(back.n_failures, 7);
    assert_int_equal(back.wait_until_ms, 1800000000123);
    assert_memory_equal(back.preferred, saved.preferred, sizeof(saved.preferred));
    assert_memory_equal(back.tried, saved.tried, sizeof(saved.tried));
    fe_acme_record_read_order(fe_buf_view(&text), others, 2, &back); /* by name, not by place */
    assert_int_equal(back.preferred[0], 2);
    assert_int_equal(back.preferred[1], 0);
    fe_buf_reset(&text);
    strcpy(saved.account_url, "https://ca/a");
    assert_int_equal(fe_acme_record_write_account(&saved, "https://ca/dir", &text), 0);
    fe_acme_record_read_account(fe_buf_view(&text), &back);
    assert_string_equal(back.account_url, "https://ca/a");
    fe_buf_deinit(&text);
}

static void test_broken_records(void **state)
{
    static const char *const names[] = {"a.test"};
    static const char *const texts[] = {
        "",
        "{",
        "[]",
        "{\"order\":\"ftp://x\",\"account\":\"x\",\"failures\":-1,\"wait_until_ms\":-7}",
        "{\"order\":7,\"account\":[],\"failures\":\"1\",\"wait_until_ms\":1e99,\"names\":[]}",
        "{\"failures\":99999999999999,\"names\":{\"a.test\":{\"works\":9,\"failed\":4}}}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct fe_acme_saved saved = {0};
        const struct fe_acme_saved nothing = {0};

        fe_acme_record_read_account(fe_view_str(texts[i]), &saved);
        fe_acme_record_read_order(fe_view_str(texts[i]), names, 1, &saved);
        assert_memory_equal(&saved, &nothing, sizeof(saved));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_directory),     cmocka_unit_test(test_bad_directories),
        cmocka_unit_test(test_order),         cmocka_unit_test(test_bad_orders),
        cmocka_unit_test(test_authorization), cmocka_unit_test(test_times),
        cmocka_unit_test(test_windows),       cmocka_unit_test(test_problems),
        cmocka_unit_test(test_record),        cmocka_unit_test(test_broken_records),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
