/* Files and directories over HTTP: what is served, and what never is. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/fsuid.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/files/files.h"
#include "gateway/filters/chains.h"
#include "ground/os/clock.h"
#include "support/fake_client.h"
#include "support/temp_dir.h"
#include "web/http/date_parse.h"

enum { NOBODY = 65534 };

#define MODIFIED "Sun, 06 Nov 1994 08:49:37 GMT"
#define ETAG     "@" /* in place of the file's own */

struct site {
    struct temp_dir dir;
    struct fe_config_route route;
    struct fe_router *router; /* of no routes */
    struct fe_files_backend files;
    struct fake_client fake;
    char etag[64]; /* of hello.txt */
};

static void set_time(struct site *site, const char *name)
{
    const struct timespec times[2] = {{784111777, 500000000}, {784111777, 500000000}};
    assert_int_equal(utimensat(AT_FDCWD, temp_dir_path(&site->dir, name), times, 0), 0);
}

/* Lets the backend answer from `route`. */
static void start(struct site *site, const struct fe_config_route *route, struct fe_view rest)
{
    struct fake_client *const fake = &site->fake;
    struct fe_match match = {.router = site->router, .params = {{.value = rest}}, .n_params = 1};
    const struct fe_route_filters filters = {.body_max = UINT64_MAX, .no_cache = route->no_cache};
    struct fe_arena *const arena = &fake->ex.arena;

    match.route = (void *)(uintptr_t)route;
    fake->ex.filters =
        fe_filters_of_route(arena, fe_filters_of_listener(arena, fe_view_of(NULL, 0)), &filters);
    fake->ex.match = &match;
    fe_backend_start(&site->files.backend, &fake->ex);
    fake->ex.match = NULL; /* a transfer looks at it no more */
}

/* Asks for `path`, of which `rest` is below the directory; the answer is in site->fake. */
static void serve(struct site *site, const char *method, const char *path, struct fe_view rest)
{
    fake_client_init(&site->fake, method, path);
    start(site, &site->route, rest);
}

static void read_tag(struct site *site, const char *name, char tag[64])
{
    serve(site, "GET", "/", fe_view_str(name));
    assert_non_null(fake_client_field(&site->fake, "etag"));
    snprintf(tag, 64, "%s", fake_client_field(&site->fake, "etag"));
    fake_client_deinit(&site->fake);
}

static int setup(void **state)
{
    struct site *const site = calloc(1, sizeof(*site));

    assert_non_null(site);
    temp_dir_make(&site->dir);
    temp_dir_write(&site->dir, "secret.txt", "outside", 7);
    temp_dir_subdir(&site->dir, "www");
    temp_dir_write(&site->dir, "www/hello.txt", "Hello world", 11);
    temp_dir_write(&site->dir, "www/empty", "", 0);
    temp_dir_subdir(&site->dir, "www/sub");
    temp_dir_write(&site->dir, "www/sub/index.html", "<p>", 3);
    temp_dir_subdir(&site->dir, "www/bare");
    set_time(site, "www/hello.txt");
    site->route.kind = FE_ROUTE_STATIC;
    site->route.static_path = strdup(temp_dir_path(&site->dir, "www"));
    site->route.static_is_dir = true;
    site->route.pattern = FE_VIEW_LIT("/path");
    site->files = fe_files_backend(NULL, NULL, NULL);
    site->router = fe_router_new(&(struct fe_router_options){false, false});
    assert_non_null(site->router);
    read_tag(site, "hello.txt", site->etag);
    *state = site;
    return 0;
}

static int teardown(void **state)
{
    struct site *const site = *state;

    free((char *)site->route.static_path);
    fe_router_free(site->router);
    temp_dir_remove(&site->dir);
    free(site);
    return 0;
}

static int get_status(struct site *site, struct fe_view rest)
{
    int status;

    serve(site, "GET", "/path/", rest);
    assert_int_equal(site->fake.state, FAKE_ENDED);
    status = site->fake.status;
    fake_client_deinit(&site->fake);
    return status;
}

static void assert_body(const struct fake_client *fake, const char *expected)
{
    assert_int_equal(fake->body.len, strlen(expected));
    if (fake->body.len > 0) {
        assert_memory_equal(fake->body.data, expected, fake->body.len);
    }
}

static void assert_field(struct fake_client *fake, const char *name, const char *expected)
{
    const char *const value = fake_client_field(fake, name);

    if (expected == NULL) {
        assert_null(value);
        return;
    }
    assert_non_null(value);
    assert_string_equal(value, expected);
}

/* ---- what is served ------------------------------------------------------------------------- */

static void test_file(void **state)
{
    struct site *const site = *state;
    struct fake_client *const fake = &site->fake;

    serve(site, "GET", "/hello.txt", FE_VIEW_LIT("hello.txt"));
    assert_int_equal(fake->state, FAKE_ENDED);
    assert_int_equal(fake->status, 200);
    assert_int_equal(fake->content_length, 11);
    assert_body(fake, "Hello world");
    assert_field(fake, "content-type", "text/plain; charset=utf-8");
    assert_field(fake, "accept-ranges", "bytes");
    assert_field(fake, "etag", site->etag);
    assert_field(fake, "last-modified", MODIFIED);
    assert_field(fake, "cache-control", NULL);
    assert_false(fake->was_resumed);
    fake_client_deinit(fake);
}

static void test_head(void **state)
{
    struct site *const site = *state;
    struct fake_client *const fake = &site->fake;

    serve(site, "HEAD", "/hello.txt", FE_VIEW_LIT("hello.txt"));
    assert_int_equal(fake->state, FAKE_ENDED);
    assert_int_equal(fake->status, 200);
    assert_int_equal(fake->content_length, 11);
    assert_body(fake, "");
    assert_int_equal(fake->n_writes, 0); /* nor is the file read for nothing */
    assert_field(fake, "etag", site->etag);
    fake_client_deinit(fake);
}

static void test_empty_file(void **state)
{
    struct site *const site = *state;

    serve(site, "GET", "/empty", FE_VIEW_LIT("empty"));
    assert_int_equal(site->fake.state, FAKE_ENDED);
    assert_int_equal(site->fake.content_length, 0);
    assert_field(&site->fake, "content-type", "application/octet-stream");
    fake_client_deinit(&site->fake);
}

static void test_single_file(void **state)
{
    struct site *const site = *state;
    struct fe_config_route route = site->route;

    temp_dir_write(&site->dir, "www/.page.html", "<h1>", 4);
    route.static_path = temp_dir_path(&site->dir, "www/.page.html"); /* hidden, but named */
    route.static_is_dir = false;
    fake_client_init(&site->fake, "GET", "/");
    start(site, &route, fe_view_of(NULL, 0));
    assert_int_equal(site->fake.status, 200);
    assert_body(&site->fake, "<h1>");
    assert_field(&site->fake, "content-type", "text/html; charset=utf-8");
    fake_client_deinit(&site->fake);

    unlink(route.static_path);
    fake_client_init(&site->fake, "GET", "/");
    start(site, &route, fe_view_of(NULL, 0));
    assert_int_equal(site->fake.status, 404);
    fake_client_deinit(&site->fake);
}

static void test_no_cache(void **state)
{
    struct site *const site = *state;
    struct fake_client *const fake = &site->fake;

    site->route.no_cache = true;
    fake_client_init(fake, "GET", "/hello.txt");
    fake_client_add(fake, "if-none-match", site->etag);
    fake_client_add(fake, "if-modified-since", MODIFIED);
    start(site, &site->route, FE_VIEW_LIT("hello.txt"));
    assert_int_equal(fake->status, 200);
    assert_field(fake, "cache-control",
                 "no-cache, no-store, no-transform, must-revalidate, private, max-age=0");
    assert_field(fake, "expires", "Thu, 01 Jan 1970 00:00:00 GMT");
    assert_field(fake, "pragma", "no-cache");
    assert_field(fake, "etag", NULL);
    assert_field(fake, "last-modified", NULL);
    fake_client_deinit(fake);
    /* No tag is that of the file, but there is one. */
    fake_client_init(fake, "GET", "/hello.txt");
    fake_client_add(fake, "if-match", site->etag);
    fake_client_add(fake, "if-unmodified-since", MODIFIED);
    start(site, &site->route, FE_VIEW_LIT("hello.txt"));
    assert_int_equal(fake->status, 412);
    fake_client_deinit(fake);
    fake_client_init(fake, "GET", "/hello.txt");
    fake_client_add(fake, "if-match", "*");
    fake_client_add(fake, "range", "bytes=0-4");
    start(site, &site->route, FE_VIEW_LIT("hello.txt"));
    assert_int_equal(fake->status, 206);
    fake_client_deinit(fake);
}

/* ---- directories ---------------------------------------------------------------------------- */

static void test_index(void **state)
{
    struct site *const site = *state;
    static const struct fe_view rests[] = {{(const uint8_t *)"sub", 3},
                                           {(const uint8_t *)"sub/", 4}};

    for (size_t i = 0; i < 2; i++) {
        serve(site, "GET", "/sub/", rests[i]);
        assert_int_equal(site->fake.status, 200);
        assert_body(&site->fake, "<p>");
        assert_field(&site->fake, "content-type", "text/html; charset=utf-8");
        fake_client_deinit(&site->fake);
    }
    temp_dir_subdir(&site->dir, "www/bare/index.html");
    assert_int_equal(get_status(site, FE_VIEW_LIT("bare/")), 404);
}

static void test_index_of_the_root(void **state)
{
    struct site *const site = *state;

    temp_dir_write(&site->dir, "www/index.html", "root", 4);
    serve(site, "GET", "/", fe_view_of(NULL, 0));
    assert_int_equal(site->fake.status, 200);
    assert_body(&site->fake, "root");
    fake_client_deinit(&site->fake);
}

/* A directory for all paths has those that are meant for other routes, too. */
static void test_directory_for_all_paths(void **state)
{
    struct site *const site = *state;
    struct flatend_error err;

    fe_router_free(site->router);
    site->router = fe_router_new(&(struct fe_router_options){true, true});
    assert_int_equal(
        fe_router_add(site->router, FE_VIEW_LIT("GET"), FE_VIEW_LIT("/users/"), &site->fake, &err),
        0);
    assert_int_equal(
        fe_router_add(site->router, FE_VIEW_LIT("GET"), FE_VIEW_LIT("/*rest"), &site->route, &err),
        0);
    site->route.pattern = FE_VIEW_LIT("/");
    serve(site, "GET", "/users?q", FE_VIEW_LIT("users"));
    assert_int_equal(site->fake.status, 301);
    assert_field(&site->fake, "location", "/users/?q");
    fake_client_deinit(&site->fake);
    serve(site, "GET", "/Hello.txt", FE_VIEW_LIT("Hello.txt"));
    assert_int_equal(site->fake.status, 404);
    assert_body(&site->fake, "no route and no file for this path\n");
    fake_client_deinit(&site->fake);
    site->route.pattern = FE_VIEW_LIT("/*rest");
    serve(site, "GET", "/hello.txt", FE_VIEW_LIT("hello.txt"));
    assert_int_equal(site->fake.status, 200);
    fake_client_deinit(&site->fake);
    site->route.pattern = FE_VIEW_LIT("/files");
    serve(site, "GET", "/files/none", FE_VIEW_LIT("none"));
    assert_body(&site->fake, "no such file\n");
    fake_client_deinit(&site->fake);
}

static void check_redirect(struct site *site, const char *path, const char *location)
{
    serve(site, "GET", path, FE_VIEW_LIT("sub"));
    assert_int_equal(site->fake.state, FAKE_ENDED);
    assert_int_equal(site->fake.status, 301);
    assert_field(&site->fake, "location", location);
    fake_client_deinit(&site->fake);
}

static void test_redirect(void **state)
{
    struct site *const site = *state;

    check_redirect(site, "/sub", "/sub/");
    check_redirect(site, "/s%75b?a=b&c", "/s%75b/?a=b&c");
    check_redirect(site, "//example.org/sub", "/example.org/sub/"); /* no other host */
    check_redirect(site, "/\\example.org/sub", "/%5Cexample.org/sub/");
    check_redirect(site, "/sub?a\\b", "/sub/?a%5Cb");
}

static void test_listing(void **state)
{
    struct site *const site = *state;

    assert_int_equal(get_status(site, FE_VIEW_LIT("bare/")), 404);
    site->route.browse = true;
    temp_dir_write(&site->dir, "www/bare/b & c.txt", "", 0);
    temp_dir_write(&site->dir, "www/bare/a:<script>", "", 0);
    temp_dir_write(&site->dir, "www/bare/.hidden", "", 0);
    temp_dir_subdir(&site->dir, "www/bare/dir");
    serve(site, "GET", "/bare/", FE_VIEW_LIT("bare/"));
    assert_int_equal(site->fake.status, 200);
    assert_field(&site->fake, "content-type", "text/html; charset=utf-8");
    assert_body(
        &site->fake,
        "<!doctype html>\n<html>\n<head><meta charset=\"utf-8\"><title>/bare/</title></head>\n"
        "<body>\n<h1>/bare/</h1>\n<ul>\n"
        "<li><a href=\"../\">../</a></li>\n"
        "<li><a href=\"./a%3A%3Cscript%3E\">a:&lt;script&gt;</a></li>\n"
        "<li><a href=\"./b%20%26%20c.txt\">b &amp; c.txt</a></li>\n"
        "<li><a href=\"./dir/\">dir/</a></li>\n"
        "</ul>\n</body>\n</html>\n");
    fake_client_deinit(&site->fake);

    serve(site, "HEAD", "/bare/", FE_VIEW_LIT("bare/"));
    assert_int_equal(site->fake.status, 200);
    assert_true(site->fake.content_length > 0);
    fake_client_deinit(&site->fake);
}

/* ---- what is not ---------------------------------------------------------------------------- */

static void test_nothing_leads_out(void **state)
{
    struct site *const site = *state;
    char here[512];
    char absolute[640];
    static const char nul[] = "hello.txt\0.html";
    static const char *const rests[] = {
        "../secret.txt",
        "../www/hello.txt", /* out and in again is out, too */
        "..",
        "../",
        "sub/../../secret.txt",
        "sub/../../../../../../../../etc/passwd",
        "/etc/passwd",
        "//etc/passwd",
        "escape.txt",
        "escape/secret.txt",
        "absolute/passwd",
        "sub/far",
        "%2e%2e/secret.txt", /* decoding is done once, before */
        "..\\secret.txt",
        "self",
        "bare/../hello.txt", /* a path has no dots any more when it comes here */
        "./hello.txt",
    };

    temp_dir_link(&site->dir, "www/escape.txt", "../secret.txt");
    temp_dir_link(&site->dir, "www/escape", "..");
    temp_dir_link(&site->dir, "www/absolute", "/etc");
    temp_dir_link(&site->dir, "www/sub/far", "../../secret.txt");
    temp_dir_link(&site->dir, "www/self", "self");
    site->route.browse = true;
    for (size_t i = 0; i < sizeof(rests) / sizeof(rests[0]); i++) {
        const int status = get_status(site, fe_view_str(rests[i]));
        if (status != 404) {
            fail_msg("%s: %d", rests[i], status);
        }
    }
    assert_int_equal(get_status(site, fe_view_of(nul, sizeof(nul) - 1)), 404);
    assert_int_equal(get_status(site, fe_view_of("\0", 1)), 404);

    /* By its full name, too. */
    assert_non_null(getcwd(here, sizeof(here)));
    snprintf(absolute, sizeof(absolute), "%s/%s", here, temp_dir_path(&site->dir, "www/hello.txt"));
    assert_int_equal(get_status(site, fe_view_str(absolute)), 404);
}

static void test_links_inside(void **state)
{
    struct site *const site = *state;

    temp_dir_link(&site->dir, "www/link.txt", "hello.txt");
    temp_dir_link(&site->dir, "www/sub/up.txt", "../hello.txt");
    temp_dir_link(&site->dir, "www/bare/index.html", "../sub/index.html");
    assert_int_equal(get_status(site, FE_VIEW_LIT("link.txt")), 200);
    assert_int_equal(get_status(site, FE_VIEW_LIT("sub/up.txt")), 200);
    assert_int_equal(get_status(site, FE_VIEW_LIT("bare/")), 200);
}

static void test_hidden(void **state)
{
    struct site *const site = *state;

    temp_dir_write(&site->dir, "www/.env", "x", 1);
    temp_dir_subdir(&site->dir, "www/.git");
    temp_dir_write(&site->dir, "www/.git/config", "x", 1);
    temp_dir_subdir(&site->dir, "www/.well-known");
    temp_dir_write(&site->dir, "www/.well-known/security.txt", "x", 1);
    assert_int_equal(get_status(site, FE_VIEW_LIT(".env")), 404);
    assert_int_equal(get_status(site, FE_VIEW_LIT(".git/config")), 404);
    assert_int_equal(get_status(site, FE_VIEW_LIT("sub/../.env")), 404);
    assert_int_equal(get_status(site, FE_VIEW_LIT(".well-known/security.txt")), 200);
}

static void test_special_files(void **state)
{
    struct site *const site = *state;
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    assert_int_equal(mkfifo(temp_dir_path(&site->dir, "www/fifo"), 0600), 0);
    assert_int_equal(get_status(site, FE_VIEW_LIT("fifo")), 404); /* and does not block */
    snprintf(name.sun_path, sizeof(name.sun_path), "%s", temp_dir_path(&site->dir, "www/socket"));
    assert_int_equal(bind(fd, (const struct sockaddr *)(const void *)&name, sizeof(name)), 0);
    assert_int_equal(get_status(site, FE_VIEW_LIT("socket")), 404);
    close(fd);
}

static void test_missing(void **state)
{
    struct site *const site = *state;
    static char name[8192];

    memset(name, 'x', sizeof(name));
    assert_int_equal(get_status(site, FE_VIEW_LIT("missing")), 404);
    assert_int_equal(get_status(site, FE_VIEW_LIT("hello.txt/")), 404);
    assert_int_equal(get_status(site, FE_VIEW_LIT("hello.txt/x")), 404);
    assert_int_equal(get_status(site, fe_view_of(name, 300)), 404);
    assert_int_equal(get_status(site, fe_view_of(name, sizeof(name))), 404);
}

static void test_forbidden(void **state)
{
    struct site *const site = *state;
    const bool is_root = geteuid() == 0; /* nothing is forbidden to root: as the user "nobody" */
    int forbidden;
    int other;

    assert_int_equal(chmod(site->dir.path, 0755), 0);
    assert_int_equal(chmod(temp_dir_path(&site->dir, "www/hello.txt"), 0), 0);
    if (is_root) {
        (void)setfsuid(NOBODY);
    }
    forbidden = get_status(site, FE_VIEW_LIT("hello.txt"));
    other = get_status(site, FE_VIEW_LIT("empty"));
    if (is_root) {
        (void)setfsuid(0);
    }
    assert_int_equal(forbidden, 403);
    assert_int_equal(other, 200);
}

/* ---- conditions and ranges ------------------------------------------------------------------ */

struct condition {
    const char *name;
    const char *value;
    const char *name2;
    const char *value2;
    int status;
};

#define BEFORE "Sun, 06 Nov 1994 08:49:36 GMT"
#define AFTER  "Sun, 06 Nov 1994 08:49:38 GMT"

static const struct condition CONDITIONS[] = {
    {"if-none-match", ETAG, NULL, NULL, 304},
    {"if-none-match", "W/" ETAG, NULL, NULL, 304},
    {"if-none-match", "\"x,\", " ETAG, NULL, NULL, 304},
    {"if-none-match", "*", NULL, NULL, 304},
    {"if-none-match", "\"x\"", NULL, NULL, 200},
    {"if-none-match", "nonsense", NULL, NULL, 200},
    {"if-none-match", "\"x\"", "if-none-match", ETAG, 304},
    {"if-none-match", "\"x\"", "if-modified-since", AFTER, 200}, /* the tag decides alone */
    {"if-modified-since", MODIFIED, NULL, NULL, 304},
    {"if-modified-since", AFTER, NULL, NULL, 304},
    {"if-modified-since", BEFORE, NULL, NULL, 200},
    {"if-modified-since", "Sunday, 06-Nov-94 08:49:37 GMT", NULL, NULL, 304},
    {"if-modified-since", "Sun Nov  6 08:49:37 1994", NULL, NULL, 304},
    {"if-modified-since", "yesterday", NULL, NULL, 200},
    {"if-modified-since", AFTER, "if-modified-since", AFTER, 200}, /* not one date */
    {"if-unmodified-since", BEFORE, "if-unmodified-since", BEFORE, 200},
    {"range", "bytes=0-4", "range", "bytes=6-7", 200},
    {"if-match", ETAG, NULL, NULL, 200},
    {"if-match", "*", NULL, NULL, 200},
    {"if-match", "W/" ETAG, NULL, NULL, 412},
    {"if-match", "\"x\"", NULL, NULL, 412},
    {"if-match", "\"x\", " ETAG, NULL, NULL, 200},
    {"if-match", "\"x\"", "if-none-match", ETAG, 412},
    {"if-match", ETAG, "if-none-match", ETAG, 304},
    {"if-match", ETAG, "if-unmodified-since", BEFORE, 200}, /* the tag decides alone */
    {"if-unmodified-since", BEFORE, NULL, NULL, 412},
    {"if-unmodified-since", MODIFIED, NULL, NULL, 200},
    {"if-unmodified-since", "yesterday", NULL, NULL, 200},
    {"if-unmodified-since", MODIFIED, "if-modified-since", MODIFIED, 304},
    {"range", "bytes=0-4", "if-none-match", ETAG, 304},
    {"range", "bytes=0-4", "if-range", ETAG, 206},
    {"range", "bytes=0-4", "if-range", "W/" ETAG, 200},
    {"range", "bytes=0-4", "if-range", "\"x\"", 200},
    {"range", "bytes=0-4", "if-range", "*", 200},
    {"range", "bytes=0-4", "if-range", MODIFIED, 206},
    {"range", "bytes=0-4", "if-range", AFTER, 200},
    {"range", "bytes=99-", "if-range", "\"x\"", 200},
    {"if-range", ETAG, NULL, NULL, 200},
};

/* The field, with the tag in place of the sign for it. */
static void add_condition(struct site *site, const char *name, const char *value, char text[128])
{
    const char *const at = strchr(value, '@');

    snprintf(text, 128, "%.*s%s%s", at != NULL ? (int)(at - value) : 0, value,
             at != NULL ? site->etag : value, at != NULL ? at + 1 : "");
    fake_client_add(&site->fake, name, text);
}

/* Asks under one of the conditions, and sees that the answer is `status`. */
static void check_condition(struct site *site, const struct condition *row, const char *method,
                            int status)
{
    char texts[2][128];

    fake_client_init(&site->fake, method, "/hello.txt");
    add_condition(site, row->name, row->value, texts[0]);
    if (row->name2 != NULL) {
        add_condition(site, row->name2, row->value2, texts[1]);
    }
    start(site, &site->route, FE_VIEW_LIT("hello.txt"));
    assert_int_equal(site->fake.state, FAKE_ENDED);
    if (site->fake.status != status) {
        fail_msg("%s: %s: %s: %d", method, row->name, row->value, site->fake.status);
    }
    if (status == 304) {
        assert_field(&site->fake, "etag", site->etag);
        assert_field(&site->fake, "last-modified", MODIFIED);
        assert_field(&site->fake, "content-type", NULL);
        assert_body(&site->fake, "");
    }
    fake_client_deinit(&site->fake);
}

static void test_conditions(void **state)
{
    struct site *const site = *state;

    for (size_t i = 0; i < sizeof(CONDITIONS) / sizeof(CONDITIONS[0]); i++) {
        const int status = CONDITIONS[i].status;
        check_condition(site, &CONDITIONS[i], "GET", status);
        /* A range is for GET. */
        check_condition(site, &CONDITIONS[i], "HEAD", status == 206 ? 200 : status);
    }
}

/* Whatever the file's own time says, as that can be set: another content has another tag. */
static void test_another_content_has_another_tag(void **state)
{
    struct site *const site = *state;
    const struct timespec epoch[2] = {{1, 0}, {1, 0}};
    char name[128];
    char tags[3][64];

    snprintf(name, sizeof(name), "%s", temp_dir_path(&site->dir, "www/same"));
    for (size_t i = 0; i < 3; i++) {
        if (i == 1) { /* another file, moved to its place */
            temp_dir_write(&site->dir, "www/other", "b", 1);
            assert_int_equal(rename(temp_dir_path(&site->dir, "www/other"), name), 0);
        } else { /* written anew, once the clock of files has gone on */
            struct stat before = {.st_size = -1};
            struct stat after;

            (void)stat(name, &before);
            do {
                temp_dir_write(&site->dir, "www/same", i == 0 ? "a" : "c", 1);
                assert_int_equal(stat(name, &after), 0);
            } while (i > 0 && after.st_ctim.tv_sec == before.st_ctim.tv_sec &&
                     after.st_ctim.tv_nsec == before.st_ctim.tv_nsec);
        }
        assert_int_equal(utimensat(AT_FDCWD, name, epoch, 0), 0);
        read_tag(site, "same", tags[i]);
        for (size_t k = 0; k < i; k++) {
            assert_string_not_equal(tags[k], tags[i]);
        }
    }
}

/* RFC 9110 §8.8.2: 0 and 1 are what reproducible builds write. Then there is no date, and what is
 * asked about it does not apply. */
static void test_no_time(void **state)
{
    struct site *const site = *state;

    for (time_t at = 0; at <= 1; at++) {
        const struct timespec times[2] = {{at, 0}, {at, 0}};

        assert_int_equal(utimensat(AT_FDCWD, temp_dir_path(&site->dir, "www/hello.txt"), times, 0),
                         0);
        fake_client_init(&site->fake, "GET", "/hello.txt");
        fake_client_add(&site->fake, "if-modified-since", MODIFIED);
        fake_client_add(&site->fake, "if-unmodified-since", "Thu, 01 Jan 1970 00:00:00 GMT");
        start(site, &site->route, FE_VIEW_LIT("hello.txt"));
        assert_int_equal(site->fake.status, 200);
        assert_field(&site->fake, "last-modified", NULL);
        assert_non_null(fake_client_field(&site->fake, "etag"));
        fake_client_deinit(&site->fake);
    }
}

static int64_t date_in(struct fake_client *fake, const char *name)
{
    const char *const value = fake_client_field(fake, name);
    int64_t date;

    assert_non_null(value);
    assert_true(fe_http_date_parse(fe_view_str(value), &date));
    return date;
}

/* RFC 9110 §8.8.2.1: not later than the Date of the response. */
static void test_time_to_come(void **state)
{
    struct site *const site = *state;
    const struct timespec times[2] = {{4102444800, 0}, {4102444800, 0}}; /* in 2100 */

    assert_int_equal(utimensat(AT_FDCWD, temp_dir_path(&site->dir, "www/hello.txt"), times, 0), 0);
    fake_client_init(&site->fake, "GET", "/hello.txt");
    fake_client_add(&site->fake, "if-modified-since", AFTER);
    start(site, &site->route, FE_VIEW_LIT("hello.txt"));
    assert_int_equal(site->fake.status, 200);
    assert_true(date_in(&site->fake, "last-modified") <= date_in(&site->fake, "date"));
    assert_true(date_in(&site->fake, "date") <= fe_wall_clock_s());
    fake_client_deinit(&site->fake);
}

/* That of all responses may be a second older than a file that was just written. */
static void test_time_of_now(void **state)
{
    struct site *const site = *state;
    const int64_t now_s = fe_wall_clock_s();
    const struct timespec times[2] = {{now_s, 0}, {now_s, 0}};

    assert_int_equal(utimensat(AT_FDCWD, temp_dir_path(&site->dir, "www/hello.txt"), times, 0), 0);
    serve(site, "GET", "/hello.txt", FE_VIEW_LIT("hello.txt"));
    assert_true(date_in(&site->fake, "last-modified") == now_s);
    assert_true(fake_client_field(&site->fake, "date") != NULL || fe_wall_clock_s() > now_s);
    fake_client_deinit(&site->fake);
}

static void test_ranges(void **state)
{
    struct site *const site = *state;
    static const struct {
        const char *value;
        int status;
        const char *content_range;
        const char *body;
    } rows[] = {
        {"bytes=0-4", 206, "bytes 0-4/11", "Hello"},
        {"bytes=6-", 206, "bytes 6-10/11", "world"},
        {"bytes=-3", 206, "bytes 8-10/11", "rld"},
        {"bytes=-99", 206, "bytes 0-10/11", "Hello world"},
        {"bytes=10-99", 206, "bytes 10-10/11", "d"},
        {"bytes=11-", 416, "bytes */11", NULL},
        {"bytes=-0", 416, "bytes */11", NULL},
        {"bytes=0-1,3-4", 200, NULL, "Hello world"},
        {"lines=0-1", 200, NULL, "Hello world"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        fake_client_init(&site->fake, "GET", "/hello.txt");
        fake_client_add(&site->fake, "range", rows[i].value);
        start(site, &site->route, FE_VIEW_LIT("hello.txt"));
        assert_int_equal(site->fake.state, FAKE_ENDED);
        assert_int_equal(site->fake.status, rows[i].status);
        assert_field(&site->fake, "content-range", rows[i].content_range);
        if (rows[i].body != NULL) {
            assert_body(&site->fake, rows[i].body);
            assert_field(&site->fake, "etag", site->etag);
        }
        fake_client_deinit(&site->fake);
    }
}

/* ---- bodies that take their time ------------------------------------------------------------ */

enum { LARGE = 100000 };

static void start_large(struct site *site)
{
    uint8_t *const data = malloc(LARGE);

    assert_non_null(data);
    for (size_t i = 0; i < LARGE; i++) {
        data[i] = (uint8_t)(i * 7 + i / 251);
    }
    temp_dir_write(&site->dir, "www/large", data, LARGE);
    free(data);
    fake_client_init(&site->fake, "GET", "/large");
    site->fake.window = 0;
    start(site, &site->route, FE_VIEW_LIT("large"));
    assert_int_equal(site->fake.state, FAKE_RUNNING);
    assert_int_equal(site->fake.body.len, 0);
}

static void test_slow_client(void **state)
{
    struct site *const site = *state;
    struct fake_client *const fake = &site->fake;

    start_large(site);
    for (size_t step = 1; fake->state == FAKE_RUNNING; step++) {
        fake_client_take(fake, step * 31);
    }
    assert_int_equal(fake->state, FAKE_ENDED);
    assert_int_equal(fake->body.len, LARGE);
    for (size_t i = 0; i < LARGE; i++) {
        if (fake->body.data[i] != (uint8_t)(i * 7 + i / 251)) {
            fail_msg("byte %zu differs", i);
        }
    }
    fake_client_deinit(fake);
}

/* How many descriptors are open: what a handler opens it closes. */
static size_t count_fds(void)
{
    size_t n = 0;

    for (int fd = 0; fd < 64; fd++) {
        n += fcntl(fd, F_GETFD) != -1 ? 1 : 0;
    }
    return n;
}

static void test_client_leaves(void **state)
{
    struct site *const site = *state;
    const size_t n_fds = count_fds();

    start_large(site);
    fake_client_take(&site->fake, 50000);
    assert_int_equal(count_fds(), n_fds + 1);
    fake_client_leave(&site->fake);
    assert_int_equal(count_fds(), n_fds);
    fake_client_deinit(&site->fake);
}

static void test_file_shrinks(void **state)
{
    struct site *const site = *state;
    const size_t n_fds = count_fds();

    start_large(site);
    fake_client_take(&site->fake, 50000);
    assert_int_equal(truncate(temp_dir_path(&site->dir, "www/large"), 60000), 0);
    fake_client_take(&site->fake, SIZE_MAX);
    assert_int_equal(site->fake.state, FAKE_ABORTED);
    assert_int_equal(count_fds(), n_fds);
    fake_client_deinit(&site->fake);
}

static void test_file_is_replaced(void **state)
{
    struct site *const site = *state;

    start_large(site);
    assert_int_equal(unlink(temp_dir_path(&site->dir, "www/large")), 0);
    temp_dir_write(&site->dir, "www/large", "new", 3);
    fake_client_take(&site->fake, SIZE_MAX);
    assert_int_equal(site->fake.state, FAKE_ENDED); /* with the old one, whole */
    assert_int_equal(site->fake.body.len, LARGE);
    fake_client_deinit(&site->fake);
}

static void test_head_cannot_be_sent(void **state)
{
    struct site *const site = *state;
    const size_t n_fds = count_fds();

    fake_client_init(&site->fake, "GET", "/hello.txt");
    site->fake.respond_code = FLATEND_ENOMEM;
    start(site, &site->route, FE_VIEW_LIT("hello.txt"));
    assert_int_equal(site->fake.state, FAKE_ABORTED);
    assert_int_equal(count_fds(), n_fds);
    fake_client_deinit(&site->fake);
}

struct lines {
    int n;
    char last[FE_LOG_LINE_MAX];
};

static void on_line(void *arg, enum flatend_log_level level, const char *line)
{
    struct lines *const lines = arg;

    assert_int_equal(level, FLATEND_LOG_WARN);
    lines->n++;
    snprintf(lines->last, sizeof(lines->last), "%s", line);
}

static uint64_t clock_ms(void *arg)
{
    return *(const uint64_t *)arg;
}

static void expect_status(struct site *site, struct fe_view rest, int status)
{
    serve(site, "GET", "/", rest);
    assert_int_equal(site->fake.status, status);
    fake_client_deinit(&site->fake);
}

/* The same line as for connections, and the same end of it. */
static void test_no_descriptors(void **state)
{
    struct site *const site = *state;
    struct lines lines = {0};
    const struct fe_log log = {on_line, &lines, FLATEND_LOG_INFO};
    struct fe_shortage descriptors;
    struct rlimit before;
    struct rlimit none;
    uint64_t now_ms = 1000;

    fe_shortage_init(&descriptors, &log, "descriptors", "files wait");
    site->files = fe_files_backend(&descriptors, clock_ms, &now_ms);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    for (int i = 0; i < 3; i++) {
        expect_status(site, FE_VIEW_LIT("hello.txt"), 503);
    }
    expect_status(site, FE_VIEW_LIT("docs/"), 503);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(lines.n, 1);
    assert_string_equal(lines.last, "Out of descriptors: files wait.");
    now_ms += FE_SHORTAGE_CALM_MS;
    expect_status(site, FE_VIEW_LIT("missing"), 404); /* says nothing about descriptors */
    assert_int_equal(lines.n, 1);
    expect_status(site, FE_VIEW_LIT("hello.txt"), 200);
    assert_int_equal(lines.n, 2);
    assert_string_equal(lines.last, "Enough descriptors again: they were short for 0 s.");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_file),
        TEST(test_head),
        TEST(test_empty_file),
        TEST(test_single_file),
        TEST(test_no_cache),
        TEST(test_index),
        TEST(test_index_of_the_root),
        TEST(test_directory_for_all_paths),
        TEST(test_redirect),
        TEST(test_listing),
        TEST(test_nothing_leads_out),
        TEST(test_links_inside),
        TEST(test_hidden),
        TEST(test_special_files),
        TEST(test_missing),
        TEST(test_forbidden),
        TEST(test_conditions),
        TEST(test_another_content_has_another_tag),
        TEST(test_no_time),
        TEST(test_time_to_come),
        TEST(test_time_of_now),
        TEST(test_ranges),
        TEST(test_slow_client),
        TEST(test_client_leaves),
        TEST(test_file_shrinks),
        TEST(test_file_is_replaced),
        TEST(test_head_cannot_be_sent),
        TEST(test_no_descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
