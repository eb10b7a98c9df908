/* The ACME machine against a server that is a function: tests/support/acme_ca.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/acme_rig.h"

#define MINUTE_MS (UINT64_C(60) * 1000)
#define HOUR_MS   (60 * MINUTE_MS)
#define DAY_MS    (24 * HOUR_MS)

enum { STEPS = 200 };

static int setup(void **state)
{
    static struct acme_rig rig;

    acme_rig_init(&rig);
    *state = &rig;
    return acme_rig_start(&rig) ? 0 : -1;
}

static int teardown(void **state)
{
    acme_rig_deinit(*state);
    return 0;
}

/* ---- the happy path ------------------------------------------------------------------------- */

static void test_first_certificate(void **state)
{
    struct acme_rig *rig = *state;

    assert_true(acme_rig_run(rig, 1, STEPS));
    trace_expect(&rig->trace,
                 "GET /dir HEAD /nonce POST /account save-account POST /new-order save-order "
                 "POST /authz/1/0 publish(http-01,a.test) POST /challenge/0/0 POST /authz/1/0 "
                 "POST /authz/1/1 publish(http-01,b.test) POST /challenge/1/0 POST /authz/1/1 "
                 "POST /order/1 save-key POST /finalize POST /order/1 POST /certificate install "
                 "save-order");
    assert_string_equal(
        rig->last_log,
        "New certificate for a.test and 1 more, valid until 2027-04-15 08:00:00 UTC.");
    assert_int_equal(rig->n_locks, 0);
    assert_false(rig->is_published);
}

static void test_nothing_is_asked_while_it_is_valid(void **state)
{
    struct acme_rig *rig = *state;
    const uint64_t start_ms = rig->now_ms;

    assert_true(acme_rig_run(rig, 1, STEPS));
    rig->trace.len = 0;
    assert_true(acme_rig_rest(rig, STEPS)); /* a server may learn what it cannot today */
    trace_expect(&rig->trace, "GET /dir");
    assert_true(rig->now_ms >= start_ms + 6 * HOUR_MS);
    assert_true(rig->wake_ms >= rig->now_ms + 23 * HOUR_MS);
}

static void test_renewal_after_two_thirds(void **state)
{
    struct acme_rig *rig = *state;
    const uint64_t start_ms = rig->now_ms;

    assert_true(acme_rig_run(rig, 2, 2000));
    assert_in_range(rig->now_ms - start_ms, 55 * DAY_MS, 60 * DAY_MS + HOUR_MS);
    assert_int_equal(rig->ca.n_accounts, 1);
    assert_int_equal(rig->ca.n_orders, 2);
    assert_false(rig->ca.order_replaces); /* the server knows no renewal information */
}

static void test_short_lived(void **state)
{
    struct acme_rig *rig = *state;
    const uint64_t start_ms = rig->now_ms;

    rig->ca.lifetime_s = 1; /* even then, not faster than retry_min */
    assert_true(acme_rig_run(rig, 5, 1000));
    assert_true(rig->now_ms - start_ms >= 4 * MINUTE_MS);
}

/* ---- renewal information -------------------------------------------------------------------- */

static void test_window_decides(void **state)
{
    struct acme_rig *rig = *state;
    const uint64_t start_ms = rig->now_ms;

    rig->ca.has_renewal_info = true;
    rig->ca.window = "{\"suggestedWindow\":{\"start\":\"2027-01-25T08:00:00Z\","
                     "\"end\":\"2027-01-26T08:00:00Z\"}}";
    assert_true(acme_rig_run(rig, 2, 2000));
    assert_in_range(rig->now_ms - start_ms, 10 * DAY_MS, 11 * DAY_MS + HOUR_MS);
    assert_true(rig->ca.order_replaces);
}

static void test_window_that_has_passed_means_now(void **state)
{
    struct acme_rig *rig = *state;
    const uint64_t start_ms = rig->now_ms;

    rig->ca.has_renewal_info = true;
    rig->ca.window = "{\"suggestedWindow\":{\"start\":\"2020-01-25T08:00:00Z\","
                     "\"end\":\"2020-01-26T08:00:00Z\"}}";
    assert_true(acme_rig_run(rig, 2, 2000));
    assert_in_range(rig->now_ms - start_ms, 6 * HOUR_MS, 7 * HOUR_MS);
}

static void test_window_after_the_end_is_not_waited_for(void **state)
{
    struct acme_rig *rig = *state;
    const uint64_t start_ms = rig->now_ms;

    rig->trace.is_off = true;
    rig->ca.has_renewal_info = true;
    rig->ca.window = "{\"suggestedWindow\":{\"start\":\"2040-01-25T08:00:00Z\","
                     "\"end\":\"2040-01-26T08:00:00Z\"}}";
    assert_true(acme_rig_run(rig, 2, 4000));
    assert_in_range(rig->now_ms - start_ms, 80 * DAY_MS, 82 * DAY_MS);
}

static void test_broken_renewal_information(void **state)
{
    struct acme_rig *rig = *state;
    const uint64_t start_ms = rig->now_ms;

    rig->trace.is_off = true;
    rig->ca.has_renewal_info = true;
    rig->ca.window = "{\"suggestedWindow\":{\"start\":\"soon\"}}";
    assert_true(acme_rig_run(rig, 2, 4000));
    assert_in_range(rig->now_ms - start_ms, 55 * DAY_MS, 60 * DAY_MS + HOUR_MS);
}

static void test_checks_as_often_as_the_server_says(void **state)
{
    struct acme_rig *rig = *state;

    rig->ca.has_renewal_info = true;
    rig->ca.window = "{\"suggestedWindow\":{\"start\":\"2027-03-25T08:00:00Z\","
                     "\"end\":\"2027-03-26T08:00:00Z\"}}";
    rig->ca.window_after_ms = 2 * HOUR_MS;
    assert_true(acme_rig_run(rig, 1, STEPS));
    assert_true(acme_rig_rest(rig, STEPS));
    assert_int_equal(rig->wake_ms - rig->now_ms, 2 * HOUR_MS);
    rig->ca.window_after_ms = 1; /* within limits */
    assert_true(acme_rig_rest(rig, STEPS));
    assert_int_equal(rig->wake_ms - rig->now_ms, MINUTE_MS);
}

static void test_replaces_refused(void **state)
{
    struct acme_rig *rig = *state;

    rig->trace.is_off = true;
    rig->ca.has_renewal_info = true;
    rig->ca.refuses_replaces = true;
    assert_true(acme_rig_run(rig, 2, 4000));
    assert_false(rig->ca.order_replaces);
}

/* ---- challenges ----------------------------------------------------------------------------- */

static void test_second_challenge(void **state)
{
    struct acme_rig *rig = *state;
    const uint64_t start_ms = rig->now_ms;

    rig->ca.accepts = 1U << FE_ACME_TLS_ALPN_01;
    assert_true(acme_rig_run(rig, 1, STEPS));
    assert_true(rig->now_ms - start_ms < MINUTE_MS); /* without waiting */
    assert_int_equal(rig->ca.n_orders, 3);           /* each name fails once */
    assert_non_null(strstr(rig->trace.text, "publish(tls-alpn-01,a.test)"));

    rig->trace.len = 0; /* what has worked comes first from now on */
    assert_true(acme_rig_run(rig, 2, 1000));
    rig->trace.text[rig->trace.len] = '\0';
    assert_null(strstr(rig->trace.text, "http-01"));
}

static void test_challenge_that_is_decided_later(void **state)
{
    struct acme_rig *rig = *state;

    rig->ca.n_undecided = 2;
    assert_true(acme_rig_run(rig, 1, STEPS));
    rig->trace.text[rig->trace.len] = '\0';
    assert_non_null(strstr(rig->trace.text,
                           "POST /challenge/0/0 POST /authz/1/0 POST /authz/1/0 POST /authz/1/0 "
                           "POST /authz/1/1 publish"));
    assert_true(rig->now_ms - ACME_RIG_START_MS < MINUTE_MS);
}

static void test_order_of_the_configuration(void **state)
{
    struct acme_rig *rig = *state;

    acme_rig_kill(rig);
    rig->config.challenges[0] = FE_ACME_TLS_ALPN_01;
    rig->config.challenges[1] = FE_ACME_HTTP_01;
    assert_true(acme_rig_start(rig));
    assert_true(acme_rig_run(rig, 1, STEPS));
    rig->trace.text[rig->trace.len] = '\0';
    assert_null(strstr(rig->trace.text, "http-01"));
}

static bool ends_with_refusal(struct acme_rig *rig, const char *entry)
{
    const size_t len = strlen(entry);

    rig->trace.text[rig->trace.len] = '\0';
    return rig->trace.len >= len && strcmp(rig->trace.text + rig->trace.len - len, entry) == 0;
}

static void test_no_challenge_works(void **state)
{
    struct acme_rig *rig = *state;
    unsigned n_orders;

    rig->ca.accepts = 0;
    assert_true(acme_rig_rest(rig, STEPS));
    assert_string_equal(rig->last_log,
                        "No certificate for a.test and 1 more: poll the authorization: a.test, "
                        "tls-alpn-01: tls: t. Retrying in 4 min.");
    assert_int_equal(rig->ca.n_orders, 2);
    assert_true(ends_with_refusal(rig, "refused(a.test)"));
    assert_true(acme_rig_rest(rig, STEPS));
    assert_in_range(rig->wake_ms - rig->now_ms, 32 * MINUTE_MS, 40 * MINUTE_MS);
    n_orders = rig->ca.n_orders;
    assert_int_equal(n_orders, 4);

    rig->ca.accepts = 3; /* it heals by itself */
    assert_true(acme_rig_run(rig, 1, STEPS));
}

static void test_only_one_challenge_is_configured(void **state)
{
    struct acme_rig *rig = *state;

    acme_rig_kill(rig);
    rig->config.n_challenges = 1;
    assert_true(acme_rig_start(rig));
    rig->ca.accepts = 1U << FE_ACME_TLS_ALPN_01;
    assert_true(acme_rig_rest(rig, STEPS));
    assert_int_equal(rig->ca.n_orders, 1);
    assert_null(strstr(rig->trace.text, "tls-alpn-01"));
}

/* ---- what goes wrong ------------------------------------------------------------------------ */

static void test_bad_nonces(void **state)
{
    struct acme_rig *rig = *state;
    const uint64_t start_ms = rig->now_ms;

    rig->ca.n_bad_nonces = 5;
    assert_true(acme_rig_run(rig, 1, STEPS));
    assert_true(rig->now_ms - start_ms < MINUTE_MS);
}

static void test_only_bad_nonces(void **state)
{
    struct acme_rig *rig = *state;

    rig->ca.n_bad_nonces = 1000;
    assert_true(acme_rig_rest(rig, STEPS));
    assert_int_equal(rig->ca.n_signed, 13);
    assert_non_null(strstr(rig->last_log, "badNonce: stale"));
}

static void fail_with(struct acme_rig *rig, const char *at, unsigned n, int status,
                      const char *body, uint64_t after_ms)
{
    rig->ca.fail_at = at;
    rig->ca.n_fail = n;
    rig->ca.fail_status = status;
    rig->ca.fail_body = body;
    rig->ca.fail_after_ms = after_ms;
}

static void test_unreachable(void **state)
{
    struct acme_rig *rig = *state;
    uint64_t last_ms = 0;

    fail_with(rig, "/dir", 12, 0, NULL, 0);
    for (unsigned i = 0; i < 12; i++) {
        assert_true(acme_rig_rest(rig, STEPS));
        assert_true(rig->wake_ms - rig->now_ms >= (i < 10 ? MINUTE_MS << i : 12 * HOUR_MS));
        assert_true(rig->wake_ms - rig->now_ms <= 15 * HOUR_MS);
        assert_true(i < 2 || rig->wake_ms - rig->now_ms > last_ms || i > 9);
        last_ms = rig->wake_ms - rig->now_ms;
    }
    assert_string_equal(rig->last_log, "No certificate for a.test and 1 more: read the directory: "
                                       "ca.test: connection closed. Retrying in 14 h.");
    assert_true(acme_rig_run(rig, 1, STEPS));
}

static void test_no_nonce(void **state)
{
    struct acme_rig *rig = *state;

    fail_with(rig, "/nonce", 1, 503, NULL, HOUR_MS);
    assert_true(acme_rig_rest(rig, STEPS));
    trace_expect(&rig->trace, "GET /dir HEAD /nonce save-order");
    assert_non_null(strstr(rig->last_log, "HTTP status 503"));
    assert_int_equal(rig->wake_ms - rig->now_ms, HOUR_MS);
    assert_true(acme_rig_run(rig, 1, STEPS));
}

static void test_wrong_directory(void **state)
{
    struct acme_rig *rig = *state;

    fail_with(rig, "/dir", 1, 404, "<html>", 0);
    assert_true(acme_rig_rest(rig, STEPS));
    assert_non_null(strstr(rig->last_log, "HTTP status 404 without a problem document"));
    fail_with(rig, "/dir", 1, 200, "{}", 0);
    assert_true(acme_rig_rest(rig, STEPS));
    assert_non_null(strstr(rig->last_log, "a directory without a valid 'newNonce'"));
    assert_true(acme_rig_run(rig, 1, STEPS));
}

static void test_rate_limit(void **state)
{
    struct acme_rig *rig = *state;

    fail_with(rig, "/new-order", 1, 429,
              "{\"type\":\"urn:ietf:params:acme:error:rateLimited\",\"detail\":\"too many\"}",
              5 * HOUR_MS);
    assert_true(acme_rig_rest(rig, STEPS));
    assert_int_equal(rig->wake_ms - rig->now_ms, 5 * HOUR_MS);
    assert_non_null(strstr(rig->last_log, "order: rateLimited: too many. Retrying in 5 h."));

    acme_rig_kill(rig); /* a restart changes nothing */
    assert_true(acme_rig_start(rig));
    rig->trace.len = 0;
    acme_rig_step(rig);
    trace_expect(&rig->trace, "");
    assert_int_equal(rig->wake_ms - rig->now_ms, 5 * HOUR_MS);
    assert_non_null(strstr(rig->last_log, "after earlier failures"));
    assert_true(acme_rig_run(rig, 1, STEPS));
    assert_int_equal(rig->ca.n_accounts, 1);
}

static void test_limits_of_retry_after(void **state)
{
    struct acme_rig *rig = *state;

    fail_with(rig, "/dir", 1, 503, NULL, 400 * DAY_MS);
    assert_true(acme_rig_rest(rig, STEPS));
    assert_int_equal(rig->wake_ms - rig->now_ms, 8 * DAY_MS);

    acme_rig_kill(rig); /* the longest wait outlives the process, too */
    assert_true(acme_rig_start(rig));
    rig->trace.len = 0;
    acme_rig_step(rig);
    trace_expect(&rig->trace, "");
    assert_int_equal(rig->wake_ms - rig->now_ms, 8 * DAY_MS);
}

static void test_clock_that_was_wrong(void **state)
{
    struct acme_rig *rig = *state;

    fail_with(rig, "/dir", 1, 503, NULL, HOUR_MS);
    assert_true(acme_rig_rest(rig, STEPS));
    acme_rig_kill(rig);
    rig->now_ms -= 1000 * DAY_MS; /* it had been ahead by years */
    assert_true(acme_rig_start(rig));
    rig->trace.len = 0;
    acme_rig_step(rig);
    trace_expect(&rig->trace, "GET /dir");
}

/* A clock that shows local time until the network is there. */
static void test_clock_that_was_hours_ahead(void **state)
{
    struct acme_rig *rig = *state;

    fail_with(rig, "/dir", 1, 0, NULL, 0);
    assert_true(acme_rig_rest(rig, STEPS));
    acme_rig_kill(rig);
    rig->now_ms -= 8 * HOUR_MS;
    assert_true(acme_rig_start(rig));
    rig->trace.len = 0;
    acme_rig_step(rig);
    trace_expect(&rig->trace, "GET /dir");
}

/* Who starts again is not told later than whoever went on which name to leave out. */
static void test_refusal_is_remembered(void **state)
{
    struct acme_rig *rig = *state;

    rig->ca.accepts = 0;
    assert_true(acme_rig_rest(rig, STEPS));
    acme_rig_kill(rig);
    assert_true(acme_rig_start(rig));
    rig->trace.len = 0;
    assert_true(acme_rig_rest(rig, STEPS));
    trace_expect(&rig->trace, "refused(a.test)");
}

static void test_rejected_name(void **state)
{
    struct acme_rig *rig = *state;

    fail_with(rig, "/new-order", 1, 400,
              "{\"type\":\"urn:ietf:params:acme:error:rejectedIdentifier\",\"detail\":\"policy\","
              "\"subproblems\":[{\"identifier\":{\"type\":\"dns\",\"value\":\"b.test\"},"
              "\"detail\":\"forbidden\\n\"}]}",
              0);
    assert_true(acme_rig_rest(rig, STEPS));
    assert_string_equal(
        rig->last_log,
        "No certificate for a.test and 1 more: order: rejectedIdentifier: policy (b.test: "
        "forbidden\\x0a). Retrying in 4 min.");
    assert_true(ends_with_refusal(rig, "refused(b.test)"));
}

/* A single name is only in the text. */
static void test_rejected_name_in_the_text(void **state)
{
    struct acme_rig *rig = *state;

    fail_with(rig, "/new-order", 1, 400,
              "{\"type\":\"urn:ietf:params:acme:error:rejectedIdentifier\","
              "\"detail\":\"Cannot issue for \\\"A.test\\\": forbidden\"}",
              0);
    assert_true(acme_rig_rest(rig, STEPS));
    assert_true(ends_with_refusal(rig, "refused(a.test)"));
}

/* Neither a limit nor another's name is a reason to leave one of ours out. */
static void test_what_refuses_no_name(void **state)
{
    struct acme_rig *rig = *state;

    fail_with(rig, "/new-order", 1, 429,
              "{\"type\":\"urn:ietf:params:acme:error:rateLimited\",\"detail\":\"\\\"a.test\\\"\"}",
              0);
    assert_true(acme_rig_rest(rig, STEPS));
    assert_false(ends_with_refusal(rig, "refused(a.test)"));
    fail_with(rig, "/new-order", 1, 400,
              "{\"type\":\"urn:ietf:params:acme:error:rejectedIdentifier\","
              "\"detail\":\"Cannot issue for \\\"c.test\\\": forbidden\"}",
              0);
    assert_true(acme_rig_rest(rig, STEPS));
    assert_false(ends_with_refusal(rig, "refused(c.test)"));
    assert_true(acme_rig_run(rig, 1, STEPS));
}

/* ---- a disk that is full -------------------------------------------------------------------- */

/* Each order that cannot be kept is one more at the server, which allows few. */
static void test_pause_grows_when_nothing_is_kept(void **state)
{
    struct acme_rig *rig = *state;

    rig->has_no_space = true;
    for (unsigned i = 0; i < 8; i++) {
        assert_true(acme_rig_rest(rig, STEPS));
        assert_int_equal(rig->ca.n_orders, i + 1);
        assert_true(rig->wake_ms - rig->now_ms >= MINUTE_MS << i);
    }
    rig->has_no_space = false;
    assert_true(acme_rig_run(rig, 1, STEPS));
    rig->has_no_space = true;
    rig->ca.accepts = 0;
    assert_true(acme_rig_rest(rig, STEPS)); /* of failures that were kept none is left over */
    assert_true(rig->wake_ms >= rig->now_ms + 5 * HOUR_MS);
}

/* Another process, on the same disk, has a certificate meanwhile. */
static void test_failures_that_were_not_kept_end_with_a_certificate(void **state)
{
    struct acme_rig *rig = *state;
    struct acme_rig other;

    rig->has_no_space = true;
    assert_true(acme_rig_rest(rig, STEPS));
    assert_true(acme_rig_rest(rig, STEPS));
    acme_rig_init(&other);
    other.now_ms = rig->now_ms;
    assert_true(acme_rig_start(&other));
    assert_true(acme_rig_run(&other, 1, STEPS));
    free(rig->certificate);
    rig->certificate = strdup(other.certificate);
    rig->has_no_space = false;
    assert_true(acme_rig_rest(rig, STEPS));
    assert_int_equal(rig->n_installed, 0);
    assert_true(rig->wake_ms >= rig->now_ms + 5 * HOUR_MS); /* it looks for renewal information */
    acme_rig_deinit(&other);
}

static void test_account_that_was_forgotten(void **state)
{
    struct acme_rig *rig = *state;

    assert_true(acme_rig_run(rig, 1, STEPS));
    rig->ca.n_accounts = 0;
    assert_true(acme_rig_run(rig, 2, 1000));
    assert_int_equal(rig->ca.n_accounts, 1);
}

/* Before there is one, and even before it is known where to make one. */
static void test_account_that_was_not_asked_for(void **state)
{
    struct acme_rig *rig = *state;

    fail_with(rig, "/dir", 1, 400,
              "{\"type\":\"urn:ietf:params:acme:error:accountDoesNotExist\",\"detail\":\"?\"}", 0);
    assert_true(acme_rig_rest(rig, STEPS));
    assert_non_null(strstr(rig->last_log, "accountDoesNotExist: ?. Retrying"));
    assert_true(acme_rig_run(rig, 1, STEPS));
}

static void test_order_that_was_forgotten(void **state)
{
    struct acme_rig *rig = *state;

    while (rig->order_key == NULL) {
        acme_rig_step(rig);
    }
    acme_rig_kill(rig);
    rig->ca.n_orders = 77;
    assert_true(acme_rig_start(rig));
    assert_true(acme_rig_run(rig, 1, STEPS));
    assert_int_equal(rig->ca.n_orders, 78);
}

static void test_external_account(void **state)
{
    struct acme_rig *rig = *state;

    rig->ca.wants_eab = true;
    assert_true(acme_rig_rest(rig, STEPS));
    assert_non_null(strstr(rig->last_log, "set eab_key_id and eab_hmac_key"));
    assert_int_equal(rig->ca.n_accounts, 0);
    acme_rig_kill(rig);
    rig->config.eab_key_id = "kid-1";
    rig->config.eab_hmac_key = FE_VIEW_LIT("secret");
    rig->config.contacts = (const char *const[]){"mailto:\"a\"@a.test"};
    rig->config.n_contacts = 1;
    assert_true(acme_rig_start(rig));
    while (rig->ca.n_accounts == 0) {
        acme_rig_step(rig);
    }
    assert_non_null(strstr(rig->ca.last_payload, "\"externalAccountBinding\":{\"protected\":"));
    assert_non_null(strstr(rig->ca.last_payload, "mailto:\\\"a\\\"@a.test"));
}

static void test_another_process_has_the_names(void **state)
{
    struct acme_rig *rig = *state;

    rig->is_taken = true;
    for (unsigned i = 0; i < 10; i++) {
        acme_rig_step(rig);
        assert_in_range(rig->wake_ms - rig->now_ms, 1, MINUTE_MS);
    }
    trace_expect(&rig->trace, "");
    rig->is_taken = false;
    assert_true(acme_rig_run(rig, 1, STEPS));
}

static void test_wrong_certificate(void **state)
{
    struct acme_rig *rig = *state;

    fail_with(rig, "/certificate", 1, 200, "-----BEGIN CERTIFICATE-----\nAAAA\n", 0);
    assert_true(acme_rig_rest(rig, STEPS));
    assert_non_null(strstr(rig->last_log, "not a certificate chain"));
    assert_int_equal(rig->n_installed, 0);
    assert_true(acme_rig_run(rig, 1, STEPS));
}

static void test_server_that_never_decides(void **state)
{
    struct acme_rig *rig = *state;

    rig->ca.n_pending = 100000;
    assert_true(acme_rig_rest(rig, 1000));
    assert_non_null(strstr(rig->last_log, "the server did not finish in time"));
    rig->ca.polls_left = 0;
    assert_true(acme_rig_run(rig, 1, STEPS));
    assert_int_equal(rig->ca.n_orders, 1); /* the same one */
}

static void test_order_that_stays_ready(void **state)
{
    struct acme_rig *rig = *state;

    rig->trace.is_off = true;
    fail_with(rig, "/finalize", 1000, 200,
              "{\"status\":\"ready\",\"finalize\":\"https://ca.test/finalize\","
              "\"authorizations\":[\"https://ca.test/authz/1/0\"]}",
              0);
    assert_true(acme_rig_rest(rig, 2000));
    assert_non_null(strstr(rig->last_log, "the server did not finish in time"));
    rig->ca.n_fail = 0;
    assert_true(acme_rig_run(rig, 1, STEPS));
}

/* ---- ending at any moment ------------------------------------------------------------------- */

/* Runs `n` steps, ends, and begins anew; then it must come to a certificate by itself. */
static bool end_after(unsigned n, bool is_lost, unsigned accepts)
{
    struct acme_rig rig;
    bool was_done;

    acme_rig_init(&rig);
    rig.ca.accepts = accepts;
    rig.ca.n_undecided = 2;
    rig.ca.n_pending = 2;
    assert_true(acme_rig_start(&rig));
    for (unsigned i = 0; i < n && rig.n_installed == 0; i++) {
        acme_rig_step(&rig);
    }
    was_done = rig.n_installed > 0;
    if (is_lost && rig.has_request) { /* the server has seen the last request */
        struct fe_acme_response response;

        (void)acme_ca_answer(&rig.ca, rig.method, rig.url, fe_view_of(rig.body, rig.body_len),
                             &response);
    }
    acme_rig_kill(&rig);
    assert_true(acme_rig_start(&rig));
    if (!acme_rig_run(&rig, 1, STEPS)) {
        fail_msg("no certificate after an end at step %u", n);
    }
    assert_int_equal(rig.ca.n_accounts, 1);
    assert_true(rig.now_ms - ACME_RIG_START_MS < 20 * MINUTE_MS);
    acme_rig_deinit(&rig);
    return was_done;
}

static void test_ended_at_each_step(void **state)
{
    unsigned n = 0;

    (void)state;
    while (!end_after(n, false, 3)) {
        n++;
    }
    assert_true(n > 20);
    n = 0;
    while (!end_after(n, true, 3)) {
        n++;
    }
    n = 0;
    while (!end_after(n, true, 1U << FE_ACME_TLS_ALPN_01)) {
        n++;
    }
}

/* Each response in turn does not arrive. */
static void test_lost_responses(void **state)
{
    static const char *const urls[] = {"/dir",       "/nonce",     "/account",     "/new-order",
                                       "/authz/1/0", "/authz/1/1", "/challenge/0", "/challenge/1",
                                       "/order/1",   "/finalize",  "/certificate"};

    (void)state;
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        struct acme_rig rig;

        acme_rig_init(&rig);
        assert_true(acme_rig_start(&rig));
        fail_with(&rig, urls[i], 1, 0, NULL, 0);
        rig.ca.fail_is_lost = true;
        assert_true(acme_rig_run(&rig, 1, STEPS));
        assert_int_equal(rig.ca.n_fail, 0);
        assert_int_equal(rig.ca.n_accounts, 1);
        acme_rig_deinit(&rig);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_first_certificate, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_is_asked_while_it_is_valid, setup, teardown),
        cmocka_unit_test_setup_teardown(test_renewal_after_two_thirds, setup, teardown),
        cmocka_unit_test_setup_teardown(test_short_lived, setup, teardown),
        cmocka_unit_test_setup_teardown(test_window_decides, setup, teardown),
        cmocka_unit_test_setup_teardown(test_window_that_has_passed_means_now, setup, teardown),
        cmocka_unit_test_setup_teardown(test_window_after_the_end_is_not_waited_for, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_broken_renewal_information, setup, teardown),
        cmocka_unit_test_setup_teardown(test_checks_as_often_as_the_server_says, setup, teardown),
        cmocka_unit_test_setup_teardown(test_replaces_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_second_challenge, setup, teardown),
        cmocka_unit_test_setup_teardown(test_challenge_that_is_decided_later, setup, teardown),
        cmocka_unit_test_setup_teardown(test_order_of_the_configuration, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_challenge_works, setup, teardown),
        cmocka_unit_test_setup_teardown(test_only_one_challenge_is_configured, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_nonces, setup, teardown),
        cmocka_unit_test_setup_teardown(test_only_bad_nonces, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unreachable, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_nonce, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wrong_directory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rate_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limits_of_retry_after, setup, teardown),
        cmocka_unit_test_setup_teardown(test_clock_that_was_wrong, setup, teardown),
        cmocka_unit_test_setup_teardown(test_clock_that_was_hours_ahead, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refusal_is_remembered, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rejected_name, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rejected_name_in_the_text, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_refuses_no_name, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pause_grows_when_nothing_is_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failures_that_were_not_kept_end_with_a_certificate,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_account_that_was_forgotten, setup, teardown),
        cmocka_unit_test_setup_teardown(test_account_that_was_not_asked_for, setup, teardown),
        cmocka_unit_test_setup_teardown(test_order_that_was_forgotten, setup, teardown),
        cmocka_unit_test_setup_teardown(test_external_account, setup, teardown),
        cmocka_unit_test_setup_teardown(test_another_process_has_the_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wrong_certificate, setup, teardown),
        cmocka_unit_test_setup_teardown(test_server_that_never_decides, setup, teardown),
        cmocka_unit_test_setup_teardown(test_order_that_stays_ready, setup, teardown),
        cmocka_unit_test(test_ended_at_each_step),
        cmocka_unit_test(test_lost_responses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
