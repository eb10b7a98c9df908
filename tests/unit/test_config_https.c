/* What an [[http]] may say about HTTPS, and what it becomes: certificates, names, redirects. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

#include "gateway/config/config.h"
#include "support/pem.h"

/* The texts below say DIR where the files are. */
static struct temp_dir dir;

enum { TEXT_MAX = 4096 };

static const char *in_dir(const char *text, char out[TEXT_MAX])
{
    size_t n = 0;

    while (*text != '\0') {
        assert_true(n + sizeof(dir.path) < TEXT_MAX);
        if (strncmp(text, "DIR", 3) == 0) {
            n += (size_t)snprintf(out + n, TEXT_MAX - n, "%s", dir.path);
            text += 3;
        } else {
            out[n++] = *text++;
        }
    }
    out[n] = '\0';
    return out;
}

static int set_up(void **state)
{
    struct pem pem;

    (void)state;
    temp_dir_make(&dir);
    pem_make(&pem, "a.test", 60);
    pem_write(&pem, &dir, "a");
    pem_make(&pem, "b.test", 60);
    pem_write(&pem, &dir, "b");
    pem_make(&pem, "old.test", -1);
    pem_write(&pem, &dir, "old");
    pem_make(&pem, "soon.test", 5);
    pem_write(&pem, &dir, "soon");
    assert_int_equal(chmod(temp_dir_path(&dir, "old.key"), 0604), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    temp_dir_remove(&dir);
    return 0;
}

static struct fe_config *parse(const char *text)
{
    struct flatend_error err = {0};
    struct fe_config *config;
    char whole[TEXT_MAX];

    if (fe_config_parse("config.toml", fe_view_str(in_dir(text, whole)), &config, &err) != 0) {
        fail_msg("%s", err.text);
    }
    return config;
}

static void refuse(int code, const char *text, const char *message)
{
    struct flatend_error err = {0};
    struct fe_config *config;
    char whole[TEXT_MAX];
    char expected[TEXT_MAX];

    assert_int_equal(
        fe_config_parse("config.toml", fe_view_str(in_dir(text, whole)), &config, &err), code);
    assert_null(config);
    assert_string_equal(err.text, in_dir(message, expected));
}

static void assert_addr(const struct fe_addr *addr, const char *text)
{
    char found[FE_ADDR_TEXT_MAX];

    assert_string_equal(fe_addr_format(addr, found), text);
}

static void assert_view(struct fe_view view, const char *text)
{
    assert_int_equal(view.len, strlen(text));
    assert_memory_equal(view.ptr, text, view.len);
}

/* ---- what is accepted ----------------------------------------------------------------------- */

static void test_own(void **state)
{
    struct fe_config *config = parse("[[http]]\nhttps = true\ncert = \"DIR/a.pem\"\n"
                                     "key = \"DIR/a.key\"\nhsts = \"8760h\"\n"
                                     "[[http.certificates]]\ncert = \"DIR/b.pem\"\n"
                                     "key = \"DIR/b.key\"\n");
    const struct fe_config_http *const http = config->http;

    (void)state;
    assert_int_equal(http->https, FE_HTTPS_ON);
    assert_int_equal(http->n_addrs, 1);
    assert_addr(&http->addrs[0], "[::]:443");
    assert_int_equal(http->n_certs, 2);
    assert_true(fe_cert_covers(http->certs[0].cert, FE_VIEW_LIT("a.test")));
    assert_true(fe_cert_covers(http->certs[1].cert, FE_VIEW_LIT("b.test")));
    assert_int_equal(http->certs[1].pos.line, 7);
    assert_int_equal(http->n_domains, 0);
    assert_view(http->hsts, "max-age=31536000");
    assert_int_equal(config->n_http, 2);
    assert_int_equal(config->n_redirects, 1);
    assert_addr(&config->http[1].addrs[0], "[::]:80");
    assert_int_equal(config->http[1].n_targets, 1);
    assert_ptr_equal(config->http[1].targets[0], http);
    assert_int_equal(config->http[1].https, FE_HTTPS_OFF);
    fe_config_unref(config);
}

static void test_local(void **state)
{
    struct fe_config *config = parse("[[http]]\naddr = \":3000\"\nhttps = \"local\"\n");

    (void)state;
    assert_int_equal(config->http->https, FE_HTTPS_LOCAL);
    assert_int_equal(config->http->n_domains, 3);
    assert_view(config->http->domains[0], "localhost");
    assert_view(config->http->domains[2], "::1");
    assert_int_equal(config->n_redirects, 0); /* not on the standard port: no browser comes by 80 */
    assert_int_equal(config->http->hsts.len, 0);
    fe_config_unref(config);
    config = parse("[[http]]\nhttps = \"local\"\ndomain = \"my.test\"\n");
    assert_int_equal(config->http->n_domains, 1);
    assert_view(config->http->domains[0], "my.test");
    fe_config_unref(config);
}

static void test_names_to_obtain(void **state)
{
    struct fe_config *config =
        parse("[[http]]\nhttps = true\ndomains = [\"example.com\", \"www.example.com\"]\n");

    (void)state;
    assert_int_equal(config->http->n_domains, 2);
    assert_int_equal(config->http->n_certs, 0);
    fe_config_unref(config);
}

/* Without HTTPS names are not looked at, as they never were. */
static void test_off(void **state)
{
    struct fe_config *config = parse("[[http]]\nhttps = false\ndomain = \"no name\"\n");

    (void)state;
    assert_int_equal(config->http->https, FE_HTTPS_OFF);
    assert_addr(&config->http->addrs[0], "[::]:80");
    assert_int_equal(config->n_redirects, 0);
    fe_config_unref(config);
}

#define OWN "https = true\ncert = \"DIR/a.pem\"\nkey = \"DIR/a.key\"\n"

static void test_redirects(void **state)
{
    /* Two lead from one address; one has an address of its own; one wants none; one yields. */
    struct fe_config *config =
        parse("[[http]]\naddr = \"127.0.0.1:443\"\n" OWN
              "[[http]]\naddr = \":8443\"\nredirect_http = \":8080\"\n" OWN
              "[[http]]\naddr = \":9443\"\nredirect_http = \":8080\"\n" OWN
              "[[http]]\naddr = \"127.0.0.2:443\"\n"
              "redirect_http = false\n" OWN "[[http]]\naddr = \"127.0.0.3:443\"\n" OWN
              "[[http]]\naddr = \"127.0.0.3:80\"\n");

    (void)state;
    assert_int_equal(config->n_http, 8);
    assert_int_equal(config->n_redirects, 2);
    assert_addr(&config->http[6].addrs[0], "127.0.0.1:80");
    assert_ptr_equal(config->http[6].targets[0], &config->http[0]);
    assert_addr(&config->http[7].addrs[0], "[::]:8080");
    assert_int_equal(config->http[7].n_targets, 2);
    assert_ptr_equal(config->http[7].targets[1], &config->http[2]);
    fe_config_unref(config);
}

/* By a unix socket, too, more than one listener can be led to. */
static void test_redirects_by_unix_socket(void **state)
{
    struct fe_config *config =
        parse("[[http]]\naddr = \":8443\"\nredirect_http = \"unix:/run/r\"\n" OWN
              "[[http]]\naddr = \":9443\"\nredirect_http = \"unix:/run/r\"\n" OWN);

    (void)state;
    assert_int_equal(config->n_redirects, 1);
    assert_addr(&config->http[2].addrs[0], "unix:/run/r");
    assert_int_equal(config->http[2].n_targets, 2);
    fe_config_unref(config);
    refuse(FLATEND_EEXIST,
           "[[http]]\naddr = \"unix:/run/r\"\n[[http]]\nhttps = true\n"
           "redirect_http = \"unix:/run/r\"\ndomain = \"a.b\"\n",
           "config.toml:5:17: unix:/run/r is already used by the [[http]] at 2:8");
}

static void test_state_dir(void **state)
{
    struct fe_config *config = parse("state_dir = \"/some/where\"\n");

    (void)state;
    assert_string_equal(config->state_dir, "/some/where");
    fe_config_unref(config);
    assert_int_equal(setenv("XDG_STATE_HOME", "/xdg", 1), 0);
    config = parse("");
    assert_string_equal(config->state_dir, "/xdg/flatend");
    fe_config_unref(config);
    assert_int_equal(setenv("XDG_STATE_HOME", "relative", 1), 0);
    config = parse("");
    assert_int_equal(config->state_dir[0], '/');
    assert_non_null(strstr(config->state_dir, "/flatend"));
    assert_int_equal(unsetenv("XDG_STATE_HOME"), 0);
    fe_config_unref(config);
}

/* ---- what is refused ------------------------------------------------------------------------ */

static void test_mistakes(void **state)
{
    (void)state;
    refuse(FLATEND_EINVAL, "[[http]]\naddr = \":3000\"\nhttps = true\n",
           "config.toml:3:9: https needs a 'domain' to get a certificate for, or 'cert' and "
           "'key'; on your own machine use https = \"local\"");
    refuse(FLATEND_EINVAL, "[[http]]\nhttps = true\ndomain = \"192.0.2.1\"\n",
           "config.toml:3:10: no CA issues a certificate for the address '192.0.2.1': set a domain "
           "name, or 'cert' and 'key'");
    refuse(FLATEND_EINVAL, "[[http]]\nhttps = true\ndomains = [\"a.b\", \"::1\"]\n",
           "config.toml:3:19: no CA issues a certificate for the address '::1': set a domain name, "
           "or 'cert' and 'key'");
    refuse(FLATEND_EINVAL, "[[http]]\nhttps = true\ndomain = \"https://a.b\"\n",
           "config.toml:3:10: expected a domain name such as \"example.com\", found "
           "\"https://a.b\"");
    refuse(FLATEND_EINVAL, "[[http]]\nhttps = true\ndomain = \"*.a.b\"\n",
           "config.toml:3:10: no certificate by ACME for the wildcard '*.a.b': set 'cert' and "
           "'key'");
    refuse(FLATEND_EINVAL, "[[http]]\nhttps = true\ndomain = \"*.*.b\"\n",
           "config.toml:3:10: expected a domain name such as \"example.com\", found \"*.*.b\"");
    refuse(FLATEND_EINVAL, "[[http]]\nhttps = 1\n",
           "config.toml:2:9: expected true, false or \"local\", found an integer");
    refuse(
        FLATEND_EINVAL, "[[http]]\nhttps = \"local\"\ndomain = \"example.com\"\n",
        "config.toml:3:10: 'example.com' is not a local name: the local CA signs only localhost, "
        ".localhost, .test, .example, .internal, .local, .lan, .home.arpa and private addresses");
    refuse(FLATEND_EINVAL,
           "[[http]]\nhttps = \"local\"\ncert = \"DIR/a.pem\"\nkey = "
           "\"DIR/a.key\"\n",
           "config.toml:3:8: https = \"local\" makes its own certificates: set https = true to use "
           "'cert' and 'key'");
    refuse(FLATEND_EINVAL, "[[http]]\nhttps = true\nredirect_http = true\ndomain = \"a.b\"\n",
           "config.toml:3:17: expected an address such as \":80\", or false");
    refuse(FLATEND_EINVAL, "[[http]]\ncert = \"DIR/a.pem\"\nkey = \"DIR/a.key\"\n",
           "config.toml:2:8: 'cert' needs https: set https = true");
    refuse(FLATEND_EINVAL, "[[http]]\nhttps = false\nhsts = \"1h\"\n",
           "config.toml:3:8: 'hsts' needs https: set https = true");
    refuse(FLATEND_EEXIST,
           "[[http]]\naddr = \":80\"\n[[http]]\nhttps = true\nredirect_http = \":80\"\n"
           "domain = \"a.b\"\n",
           "config.toml:5:17: [::]:80 is already used by the [[http]] at 2:8");
    refuse(
        FLATEND_EEXIST,
        "[[http]]\naddr = \":8080\"\n[[http]]\nhttps = true\nredirect_http = \"127.0.0.1:8080\"\n"
        "domain = \"a.b\"\n",
        "config.toml:5:17: 127.0.0.1:8080 overlaps [::]:8080 of the [[http]] at 2:8");
    refuse(FLATEND_EEXIST,
           "[[http]]\naddr = \":1\"\nhttps = true\nredirect_http = \"127.0.0.1:8080\"\n"
           "domain = \"a.b\"\n[[http]]\naddr = \":2\"\nhttps = true\nredirect_http = \":8080\"\n"
           "domain = \"a.b\"\n",
           "config.toml:9:17: [::]:8080 overlaps 127.0.0.1:8080 of the [[http]] at 4:17");
}

static void test_bad_files(void **state)
{
    (void)state;
    refuse(FLATEND_EINVAL, "[[http]]\nhttps = true\nkey = \"DIR/a.key\"\n",
           "config.toml:3:7: a certificate needs both 'cert' and 'key'");
    refuse(FLATEND_EINVAL, "[[http]]\nhttps = true\n[[http.certificates]]\n",
           "config.toml:3:1: a certificate needs both 'cert' and 'key'");
    refuse(FLATEND_EINVAL, "[[http]]\nhttps = true\ncert = \"DIR/a.pem\"\nkey = \"DIR/no.key\"\n",
           "config.toml:4:7: 'DIR/no.key': No such file or directory");
    refuse(FLATEND_EINVAL, "[[http]]\nhttps = true\ncert = \"DIR/a.pem\"\nkey = \"DIR/b.key\"\n",
           "config.toml:4:7: 'DIR/b.key': key does not match the certificate");
    refuse(FLATEND_EINVAL, "[[http]]\nhttps = true\nkey = \"DIR/a.key\"\ncert = \"DIR/a.key\"\n",
           "config.toml:4:8: 'DIR/a.key': no certificate in PEM form: no start line");
    refuse(FLATEND_EINVAL,
           "[[http]]\n" OWN "[[http.certificates]]\ncert = \"DIR/b.pem\"\nkey = \"DIR/a.key\"\n",
           "config.toml:7:7: 'DIR/a.key': key does not match the certificate");
}

/* ---- what is warned of ---------------------------------------------------------------------- */

struct lines {
    char text[2048];
};

static void note(void *arg, enum flatend_log_level level, const char *line)
{
    struct lines *lines = arg;
    const size_t len = strlen(lines->text);

    assert_int_equal(level, FLATEND_LOG_WARN);
    (void)snprintf(lines->text + len, sizeof(lines->text) - len, "%s\n", line);
}

static void test_warnings(void **state)
{
    struct lines lines = {{0}};
    const struct fe_log log = {note, &lines, FLATEND_LOG_INFO};
    struct fe_config *config =
        parse("[[http]]\nhttps = true\ncert = \"DIR/old.pem\"\nkey = \"DIR/old.key\"\n"
              "domains = [\"old.test\", \"new.test\"]\n"
              "[[http.certificates]]\ncert = \"DIR/soon.pem\"\nkey = \"DIR/soon.key\"\n");

    (void)state;
    fe_config_warn(config, "config.toml", (int64_t)time(NULL), &log);
    assert_non_null(strstr(lines.text, "config.toml:3:8: the certificate '"));
    assert_non_null(strstr(lines.text, "old.pem' expired on 2"));
    assert_non_null(strstr(lines.text, "soon.pem' expires on 2"));
    assert_non_null(strstr(lines.text, "old.key': run chmod 600 on it."));
    assert_non_null(strstr(lines.text, "no certificate is valid for 'new.test'."));
    assert_null(strstr(lines.text, "for 'old.test'"));
    lines.text[0] = '\0';
    fe_config_warn(config, "config.toml", 1000000000, &log);
    assert_non_null(strstr(lines.text, "soon.pem' is not valid before 2"));
    fe_config_unref(config);
    lines.text[0] = '\0';
    config = parse("[[http]]\n" OWN "domain = \"a.test\"\n");
    fe_config_warn(config, "config.toml", (int64_t)time(NULL), &log);
    assert_string_equal(lines.text, "");
    fe_config_unref(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own),
        cmocka_unit_test(test_local),
        cmocka_unit_test(test_names_to_obtain),
        cmocka_unit_test(test_off),
        cmocka_unit_test(test_redirects),
        cmocka_unit_test(test_redirects_by_unix_socket),
        cmocka_unit_test(test_state_dir),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_warnings),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
