/* Routes and paths by table, and a naive matcher as the judge of random ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "ground/base/rng.h"
#include "web/http/router.h"

static struct fe_router *new_router(bool redirects)
{
    const struct fe_router_options options = {redirects, redirects};
    struct fe_router *router = fe_router_new(&options);

    assert_non_null(router);
    return router;
}

static void add(struct fe_router *router, const char *method, const char *pattern)
{
    struct flatend_error err = {0};

    if (fe_router_add(router, fe_view_str(method), fe_view_str(pattern), (void *)pattern, &err)) {
        fail_msg("%s", err.text);
    }
}

/* What a match comes to: "/users/:id id=5", "404", "405 GET, HEAD, OPTIONS", "options ...",
 * "-> /location", "400". */
static void match(const struct fe_router *router, const char *method, const char *path,
                  char text[512])
{
    struct fe_arena arena;
    struct fe_match m;
    struct fe_request request = {.method = fe_method_of(fe_view_str(method)),
                                 .method_text = fe_view_str(method)};
    const char *mark = strchr(path, '?');
    int n = 0;

    request.path = mark == NULL ? fe_view_str(path) : fe_view_of(path, (size_t)(mark - path));
    request.query = mark == NULL ? fe_view_of(NULL, 0) : fe_view_str(mark + 1);
    fe_arena_init(&arena, 0);
    assert_int_equal(fe_router_match(router, &request, &arena, &m), 0);
    switch (m.result) {
    case FE_MATCH_FOUND:
        n = snprintf(text, 512, "%s", (const char *)m.route);
        for (size_t i = 0; i < m.n_params; i++) {
            n += snprintf(text + n, 512 - (size_t)n, " %.*s=%.*s", (int)m.params[i].name.len,
                          (const char *)m.params[i].name.ptr, (int)m.params[i].value.len,
                          (const char *)m.params[i].value.ptr);
        }
        break;
    case FE_MATCH_NOT_FOUND:
        snprintf(text, 512, "404");
        break;
    case FE_MATCH_NOT_ALLOWED:
    case FE_MATCH_OPTIONS:
        snprintf(text, 512, "%s %.*s", m.result == FE_MATCH_OPTIONS ? "options" : "405",
                 (int)m.allow.len, (const char *)m.allow.ptr);
        break;
    case FE_MATCH_REDIRECT:
        snprintf(text, 512, "-> %.*s", (int)m.location.len, (const char *)m.location.ptr);
        break;
    case FE_MATCH_BAD_PATH:
        snprintf(text, 512, "400");
        break;
    }
    fe_arena_deinit(&arena);
}

struct path_case {
    const char *method;
    const char *path;
    const char *expected;
};

static void check(const struct fe_router *router, const struct path_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char text[512];

        match(router, cases[i].method, cases[i].path, text);
        if (strcmp(text, cases[i].expected) != 0) {
            fail_msg("%s %s: expected %s, got %s", cases[i].method, cases[i].path,
                     cases[i].expected, text);
        }
    }
}

#define CHECK(router, cases) check((router), (cases), sizeof(cases) / sizeof((cases)[0]))

static struct fe_router *new_example(bool redirects)
{
    struct fe_router *router = new_router(redirects);

    add(router, "GET", "/");
    add(router, "GET", "/users/:id");
    add(router, "POST", "/users/:name");
    add(router, "GET", "/users/me");
    add(router, "DELETE", "/users/me");
    add(router, "GET", "/users/:user/posts/:post");
    add(router, "GET", "/files/*rest");
    add(router, "GET", "/files/readme");
    add(router, "GET", "/Both/");
    add(router, "GET", "/a b/\xc3\xa4");
    add(router, "HEAD", "/head");
    add(router, "GET", "/head");
    add(router, "OPTIONS", "/own");
    return router;
}

static void test_match(void **state)
{
    static const struct path_case cases[] = {
        {"GET", "/", "/"},
        {"HEAD", "/", "/"},
        {"CONNECT", "/users/5", "/users/:id id=5"}, /* RFC 8441 */
        {"GET", "/users/5", "/users/:id id=5"},
        {"POST", "/users/5", "/users/:name name=5"},
        {"GET", "/users/me", "/users/me"},
        {"POST", "/users/me", "/users/:name name=me"},
        {"GET", "/users/me/posts/7", "/users/:user/posts/:post user=me post=7"},
        {"GET", "/users/", "404"},
        {"GET", "/users/me/posts", "404"},
        {"GET", "/files/", "/files/*rest rest="},
        {"GET", "/files", "404"},
        {"GET", "/files/readme", "/files/readme"},
        {"GET", "/files/readme/x", "/files/*rest rest=readme/x"},
        {"GET", "/files/a//b/", "/files/*rest rest=a//b/"},
        {"GET", "/Both/", "/Both/"},
        {"GET", "/both/", "404"},
        {"GET", "", "400"},
        {"GET", "x", "400"},
    };
    struct fe_router *router = new_example(false);

    (void)state;
    CHECK(router, cases);
    fe_router_free(router);
}

static void test_encoding(void **state)
{
    static const struct path_case cases[] = {
        {"GET", "/users/a%2Fb", "/users/:id id=a/b"},
        {"GET", "/users/a+b%20c", "/users/:id id=a+b c"},
        {"GET", "/us%65rs/%6d%65", "/users/me"},
        {"GET", "/a%20b/%C3%a4", "/a b/\xc3\xa4"},
        {"GET", "/files/%41/%25%2f", "/files/*rest rest=A/%/"},
        {"GET", "/users/%", "400"},
        {"GET", "/users/%4", "400"},
        {"GET", "/users/%4/", "400"},
        {"GET", "/users/%zz", "400"},
        {"GET", "/users/%00", "400"},
        {"GET", "/nothing/%0g", "400"},
    };
    struct fe_router *router = new_example(false);

    (void)state;
    CHECK(router, cases);
    fe_router_free(router);
}

static void test_methods(void **state)
{
    static const struct path_case cases[] = {
        {"PUT", "/users/5", "405 GET, HEAD, POST, OPTIONS"},
        {"PUT", "/users/me", "405 GET, HEAD, POST, DELETE, OPTIONS"},
        {"OPTIONS", "/users/me", "options GET, HEAD, POST, DELETE, OPTIONS"},
        {"OPTIONS", "/own", "/own"},
        {"OPTIONS", "/nothing", "404"},
        {"GET", "/own", "405 OPTIONS"},
        {"POST", "/head", "405 GET, HEAD, OPTIONS"},
        {"get", "/", "405 GET, HEAD, OPTIONS"},
        {"OPTIONS", "*", "options GET, HEAD, POST, DELETE, OPTIONS"},
        {"GET", "*", "400"},
    };
    struct fe_router *router = new_example(true);

    (void)state;
    CHECK(router, cases);
    fe_router_free(router);
}

static void test_redirects(void **state)
{
    static const struct path_case cases[] = {
        {"GET", "/files?a=b", "-> /files/?a=b"},
        {"GET", "/users/%41/", "-> /users/%41"},
        {"GET", "/Both", "-> /Both/"},
        {"GET", "/bOTH", "-> /Both/"},
        {"GET", "/BOTH/?x", "-> /Both/?x"},
        {"GET", "/USERS/Ab%2f", "-> /users/Ab%2F"},
        {"GET", "//users//5", "-> /users/5"},
        {"GET", "/users/./5", "-> /users/5"},
        {"GET", "/files/../users/me", "-> /users/me"},
        {"GET", "/files/%2e%2E/users/me", "-> /users/me"},
        {"GET", "/../../..", "-> /"},
        {"GET", "/users/5/..", "404"},
        {"GET", "/files/x/..", "-> /files/"},
        {"GET", "/FILES/x//y", "-> /files/x/y"},
        {"GET", "//", "-> /"},
        {"GET", "//evil.example/", "404"},
        {"GET", "/A%20B/%c3%a4/", "-> /a%20b/%C3%A4"},
        {"POST", "/users/me/", "-> /users/me"},
        {"PUT", "/users/me/", "404"},
        {"GET", "/nothing/", "404"},
    };
    struct fe_router *router = new_example(true);

    (void)state;
    CHECK(router, cases);
    fe_router_free(router);
}

/* Without the options there are none, and dots still match nothing: also not far behind. */
/* RFC 3986 §4.2: what begins with two slashes names a host, and browsers take a backslash for one.
 */
static void test_redirects_stay_here(void **state)
{
    static const struct path_case cases[] = {
        {"GET", "/\\evil.example", "-> /%5Cevil.example/"},
        {"GET", "/\\evil.example?a\\b", "-> /%5Cevil.example/?a%5Cb"},
        {"GET", "/x/\\/", "-> /x/%5C"},
        {"GET", "//\\evil.example", "-> /%5Cevil.example/"},
        {"GET", "//evil.example/", "-> /evil.example/"},
        {"GET", "/a|b\"", "-> /a%7Cb%22/"},
    };
    struct fe_router *router = new_router(true);

    (void)state;
    add(router, "GET", "/:a/");
    add(router, "GET", "/x/:b");
    CHECK(router, cases);
    fe_router_free(router);
}

/* What a catch-all does not have may be meant for another route. */
static void elsewhere(const struct fe_router *router, const char *path, char text[512])
{
    struct fe_arena arena;
    struct fe_match m;
    struct fe_view location;
    const struct fe_request request = {.method = FE_METHOD_GET,
                                       .method_text = FE_VIEW_LIT("GET"),
                                       .path = fe_view_str(path),
                                       .query = FE_VIEW_LIT("q")};

    fe_arena_init(&arena, 0);
    assert_int_equal(fe_router_match(router, &request, &arena, &m), 0);
    assert_int_equal(m.result, FE_MATCH_FOUND);
    assert_int_equal(fe_router_elsewhere(&m, &request, &arena, &location), 0);
    snprintf(text, 512, "%s -> %.*s", (const char *)m.route, (int)location.len,
             location.len > 0 ? (const char *)location.ptr : "");
    fe_arena_deinit(&arena);
}

static void test_elsewhere(void **state)
{
    static const struct path_case cases[] = {
        {"GET", "/users", "/*all -> /users/?q"},
        {"GET", "/USERS/", "/*all -> /users/?q"},
        {"GET", "/USERS", "/*all -> /users/?q"},
        {"GET", "/items/7/", "/*all -> /items/7?q"},
        {"GET", "/Items/7", "/*all -> /items/7?q"},
        {"GET", "/none", "/*all -> "},
        {"GET", "/none/", "/*all -> "},
        {"GET", "/DOCS/x", "/*all -> /docs/x?q"},
        {"GET", "/docs/x", "/docs/*some -> "}, /* not to the other one, and back */
        {"GET", "/docs/x/", "/docs/*some -> "},
    };
    struct fe_router *router = new_router(true);

    (void)state;
    add(router, "GET", "/*all");
    add(router, "GET", "/users/");
    add(router, "GET", "/items/:id");
    add(router, "GET", "/docs/*some");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[512];

        elsewhere(router, cases[i].path, text);
        assert_string_equal(text, cases[i].expected);
    }
    fe_router_free(router);
}

static void test_no_redirects(void **state)
{
    static const struct path_case cases[] = {
        {"GET", "/files", "404"},
        {"GET", "/Both", "404"},
        {"GET", "/users/..", "404"},
        {"GET", "/files/../x", "404"},
        {"GET", "/files/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/../x",
         "404"},
        {"GET", "/files/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/x",
         "/files/*rest rest=a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/x"},
    };
    struct fe_router *router = new_example(false);

    (void)state;
    CHECK(router, cases);
    fe_router_free(router);
}

static void test_patterns(void **state)
{
    static const struct {
        const char *pattern;
        int code;
        const char *text;
    } cases[] = {
        {"", FLATEND_ESYNTAX, "route : byte 1: a pattern starts with a slash"},
        {"a", FLATEND_ESYNTAX, "route a: byte 1: a pattern starts with a slash"},
        {"/a//b", FLATEND_ESYNTAX, "route /a//b: byte 4: an empty segment"},
        {"/:", FLATEND_ESYNTAX, "route /:: byte 2: parameter names consist of letters and digits"},
        {"/:a/:a", FLATEND_ESYNTAX, "route /:a/:a: byte 5: duplicate parameter name"},
        {"/a:b", FLATEND_ESYNTAX, "route /a:b: byte 3: a parameter takes a whole segment"},
        {"/*a/b", FLATEND_ESYNTAX, "route /*a/b: byte 2: only the last segment can be a catch-all"},
        {"/a/..", FLATEND_ESYNTAX, "route /a/..: byte 4: \".\" and \"..\" never match"},
        {"/%41", FLATEND_ESYNTAX,
         "route /%41: byte 2: patterns are plain text, not percent-encoded"},
        {"/a?b", FLATEND_ESYNTAX, "route /a?b: byte 3: a pattern is a path only"},
        {"/users/:other", FLATEND_EEXIST, "route GET /users/:other conflicts with /users/:id"},
        {"/files/*other", FLATEND_EEXIST, "route GET /files/*other conflicts with /files/*rest"},
        {"/", FLATEND_EEXIST, "route GET / conflicts with /"},
        {"/:1/:2/:3/:4/:5/:6/:7/:8/:9/:10/:11/:12/:13/:14/:15/:16/:17", FLATEND_ELIMIT,
         "route /:1/:2/:3/:4/:5/:6/:7/:8/:9/:10/:11/:12/:13/:14/:15/:16/:17: more than 16 "
         "parameters"},
        {"/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18/19/20/21/22/23/24/25/26/27/28/29/30/31/32/"
         "33",
         FLATEND_ELIMIT, NULL},
    };
    struct fe_router *router = new_example(false);
    char text[512];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct flatend_error err = {0};

        assert_int_equal(
            fe_router_add(router, FE_VIEW_LIT("GET"), fe_view_str(cases[i].pattern), NULL, &err),
            cases[i].code);
        if (cases[i].text != NULL) {
            assert_string_equal(err.text, cases[i].text);
        }
    }
    match(router, "GET", "/users/5", text);
    assert_string_equal(text, "/users/:id id=5");
    fe_router_free(router);
}

/* ---- against a naive matcher ---------------------------------------------------------------- */

enum { N_ROUTERS = 300, N_PATTERNS = 12, N_PATHS = 60, DEPTH = 4 };

/* A random path or pattern of few and short segments, so that they meet. */
static void random_path(const struct fe_rng *rng, bool is_pattern, char text[64])
{
    static const char *const literals[] = {"a", "b", "aa"};
    size_t n = 1 + fe_rng_below(rng, DEPTH);
    size_t len = 0;

    for (size_t i = 0; i < n; i++) {
        bool is_last = i + 1 == n;
        uint32_t kind = fe_rng_below(rng, 8);

        if (is_pattern && kind == 0) {
            len += (size_t)snprintf(text + len, 64 - len, "/:p%zu", i);
        } else if (is_pattern && kind == 1 && is_last) {
            len += (size_t)snprintf(text + len, 64 - len, "/*rest");
        } else if (kind == 2 && is_last) {
            len += (size_t)snprintf(text + len, 64 - len, "/");
        } else {
            len += (size_t)snprintf(text + len, 64 - len, "/%s", literals[fe_rng_below(rng, 3)]);
        }
    }
}

/* Does the pattern match, segment for segment? `rank` grows with how good the match is: at the
 * first segment in which two matches differ, static beats a parameter, that beats the rest. */
static bool naive_match(const char *pattern, const char *path, unsigned *rank)
{
    unsigned weight = 1;

    *rank = 0;
    for (size_t i = 0; i <= DEPTH; i++) {
        weight *= 3;
    }
    while (*pattern == '/' && *path == '/') {
        size_t n = strcspn(++pattern, "/");
        size_t m = strcspn(++path, "/");

        weight /= 3;
        if (*pattern == '*') {
            return true;
        }
        if (*pattern == ':') {
            if (m == 0) {
                return false;
            }
            *rank += weight;
        } else {
            if (n != m || memcmp(pattern, path, n) != 0) {
                return false;
            }
            *rank += 2 * weight;
        }
        pattern += n;
        path += m;
    }
    return *pattern == '\0' && *path == '\0';
}

static const char *naive_find(char patterns[][64], size_t n, const char *path)
{
    const char *best = NULL;
    unsigned best_rank = 0;

    for (size_t i = 0; i < n; i++) {
        unsigned rank;

        if (naive_match(patterns[i], path, &rank) && (best == NULL || rank > best_rank)) {
            best = patterns[i];
            best_rank = rank;
        }
    }
    return best;
}

static void test_random(void **state)
{
    struct fe_rng_seeded seeded;
    struct fe_rng rng = fe_rng_from_seed(&seeded, 3986);
    size_t n_found = 0;

    (void)state;
    for (size_t i = 0; i < N_ROUTERS; i++) {
        struct fe_router *router = new_router(false);
        char patterns[N_PATTERNS][64];
        size_t n = 0;

        for (size_t k = 0; k < N_PATTERNS; k++) {
            random_path(&rng, true, patterns[n]);
            n += fe_router_add(router, FE_VIEW_LIT("GET"), fe_view_str(patterns[n]), patterns[n],
                               NULL) == 0;
        }
        for (size_t k = 0; k < N_PATHS; k++) {
            struct fe_arena arena;
            struct fe_match m;
            char path[64];
            struct fe_request request = {.method = FE_METHOD_GET,
                                         .method_text = FE_VIEW_LIT("GET")};

            random_path(&rng, false, path);
            request.path = fe_view_str(path);
            fe_arena_init(&arena, 0);
            assert_int_equal(fe_router_match(router, &request, &arena, &m), 0);
            assert_ptr_equal(m.route, naive_find(patterns, n, path));
            n_found += m.result == FE_MATCH_FOUND;
            fe_arena_deinit(&arena);
        }
        fe_router_free(router);
    }
    assert_true(n_found > (size_t)N_ROUTERS * N_PATHS / 10); /* else the paths meet nothing */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_match),
        cmocka_unit_test(test_encoding),
        cmocka_unit_test(test_methods),
        cmocka_unit_test(test_redirects),
        cmocka_unit_test(test_redirects_stay_here),
        cmocka_unit_test(test_elsewhere),
        cmocka_unit_test(test_no_redirects),
        cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
