/* Certificates that a listener makes for itself, on a clock that the tests set: renewed in time,
 * under a clock that was set back, and tried again when that fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/certs/https.h"
#include "support/temp_dir.h"

#define DAY_S INT64_C(86400)

struct site {
    struct temp_dir dir;
    struct fe_config *config;
    struct fe_tls_tickets *tickets;
    struct fe_https https;
    struct fe_log log;
    unsigned n_warnings;
    char warning[512]; /* the last one */
};

static void note(void *arg, enum flatend_log_level level, const char *line)
{
    struct site *site = arg;

    if (level == FLATEND_LOG_WARN) {
        site->n_warnings++;
        snprintf(site->warning, sizeof(site->warning), "%s", line);
    }
}

static void open_site(struct site *site, const char *https, int64_t now_s)
{
    struct flatend_error err = {0};
    struct fe_https_setup setup;
    char text[256];
    int n;

    *site = (struct site){.log = {note, NULL, FLATEND_LOG_INFO}};
    site->log.arg = site;
    temp_dir_make(&site->dir);
    n = snprintf(text, sizeof(text),
                 "[[http]]\naddr = \"127.0.0.1:1\"\nhttps = %s\ndomains = [\"a.test\"]\n"
                 "redirect_http = false\n",
                 https);
    assert_int_equal(
        fe_config_parse("config.toml", fe_view_of(text, (size_t)n), &site->config, &err), 0);
    assert_int_equal(fe_tls_tickets_new(&site->tickets), 0);
    setup = (struct fe_https_setup){&site->config->http[0], site->dir.path, site->tickets,
                                    &site->log, now_s};
    assert_int_equal(fe_https_open(&site->https, &setup, &err), 0);
}

static void close_site(struct site *site)
{
    fe_https_close(&site->https);
    fe_tls_tickets_free(site->tickets);
    fe_config_unref(site->config);
    temp_dir_remove(&site->dir);
}

/* When the certificate that is served ends. */
static int64_t end_of(struct site *site)
{
    struct fe_cert *cert = fe_tls_store_find(site->https.store, FE_VIEW_LIT("a.test"));
    int64_t end_s;

    assert_non_null(cert);
    end_s = fe_cert_not_after(cert);
    fe_cert_unref(cert);
    return end_s;
}

/* OpenSSL takes a certificate for what it is at any time; only we look at the clock. */
static void renewed_in_time(const char *https)
{
    const int64_t start_s = (int64_t)time(NULL);
    const int64_t due_s = start_s + (FE_LOCAL_CERT_DAYS - FE_LOCAL_CERT_RENEW_DAYS) * DAY_S;
    struct site site;

    open_site(&site, https, start_s);
    assert_true(end_of(&site) == start_s + FE_LOCAL_CERT_DAYS * DAY_S);
    fe_https_poll(&site.https, due_s - 1, false);
    assert_true(end_of(&site) == start_s + FE_LOCAL_CERT_DAYS * DAY_S);
    fe_https_poll(&site.https, due_s, false);
    assert_true(end_of(&site) == due_s + FE_LOCAL_CERT_DAYS * DAY_S);
    assert_int_equal(site.n_warnings, 0);
    close_site(&site);
}

static void test_local_certificate_is_renewed(void **state)
{
    (void)state;
    renewed_in_time("\"local\"");
}

static void test_stand_in_is_renewed(void **state)
{
    (void)state;
    renewed_in_time("true");
}

/* What was made is not valid yet: it is made again, and so is the CA, which is said. */
static void test_clock_is_set_back(void **state)
{
    const int64_t wrong_s = (int64_t)time(NULL) + 400 * DAY_S;
    const int64_t right_s = wrong_s - 399 * DAY_S;
    struct site site;

    (void)state;
    open_site(&site, "\"local\"", wrong_s);
    fe_https_poll(&site.https, right_s, false);
    assert_true(end_of(&site) == right_s + FE_LOCAL_CERT_DAYS * DAY_S);
    assert_int_equal(site.n_warnings, 1);
    assert_non_null(strstr(site.warning, "Replaced the local CA"));
    assert_non_null(strstr(site.warning, "is not valid before "));
    fe_https_poll(&site.https, right_s + 1, false);
    assert_int_equal(site.n_warnings, 1); /* once */
    close_site(&site);
}

/* The CA comes to its end while the gateway runs. */
static void test_ca_is_replaced_while_it_runs(void **state)
{
    const int64_t start_s = (int64_t)time(NULL);
    const int64_t late_s = start_s + (FE_LOCAL_CA_DAYS - FE_LOCAL_CERT_DAYS) * DAY_S;
    struct site site;

    (void)state;
    open_site(&site, "\"local\"", start_s);
    fe_https_poll(&site.https, late_s, false);
    assert_true(end_of(&site) == late_s + FE_LOCAL_CERT_DAYS * DAY_S);
    assert_non_null(strstr(site.warning, "is valid only until "));
    close_site(&site);
}

static void move(struct site *site, const char *from, const char *to)
{
    char path[128];

    snprintf(path, sizeof(path), "%s", temp_dir_path(&site->dir, from));
    assert_int_equal(rename(path, temp_dir_path(&site->dir, to)), 0);
}

/* The state cannot be written: what there is goes on, one line a minute says why, and it is renewed
 * once it can be. */
static void test_renewal_that_fails_is_tried_again(void **state)
{
    const int64_t start_s = (int64_t)time(NULL);
    const int64_t late_s = start_s + (FE_LOCAL_CA_DAYS - FE_LOCAL_CERT_DAYS) * DAY_S;
    const int64_t end_s = start_s + FE_LOCAL_CERT_DAYS * DAY_S;
    struct site site;

    (void)state;
    open_site(&site, "\"local\"", start_s);
    move(&site, "local", "away");
    temp_dir_write(&site.dir, "local", "", 0);
    for (int64_t s = 0; s < 3 * FE_HTTPS_RETRY_S; s += FE_HTTPS_POLL_MS / 1000) {
        fe_https_poll(&site.https, late_s + s, false);
    }
    assert_int_equal(site.n_warnings, 3);
    assert_non_null(strstr(site.warning, "Cannot renew the certificate: "));
    assert_true(end_of(&site) == end_s);

    assert_int_equal(unlink(temp_dir_path(&site.dir, "local")), 0);
    move(&site, "away", "local");
    fe_https_poll(&site.https, late_s + 3 * FE_HTTPS_RETRY_S, false);
    assert_true(end_of(&site) == late_s + 3 * FE_HTTPS_RETRY_S + FE_LOCAL_CERT_DAYS * DAY_S);
    close_site(&site);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_local_certificate_is_renewed),
        cmocka_unit_test(test_stand_in_is_renewed),
        cmocka_unit_test(test_clock_is_set_back),
        cmocka_unit_test(test_ca_is_replaced_while_it_runs),
        cmocka_unit_test(test_renewal_that_fails_is_tried_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
