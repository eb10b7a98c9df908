/* Fields, methods, dates and the answers that say what went wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "gateway/filters/error_page.h"
#include "ground/base/status.h"
#include "web/http/date.h"
#include "web/http/problem.h"
#include "web/http/syntax.h"

static void test_fields(void **state)
{
    enum { N = 100 };
    struct fe_arena arena;
    struct fe_fields fields = {0};
    char names[N][8];

    (void)state;
    fe_arena_init(&arena, 0);
    assert_null(fe_fields_find(&fields, FE_VIEW_LIT("n0")));
    for (int i = 0; i < N; i++) {
        snprintf(names[i], sizeof(names[i]), "n%d", i % 50);
        assert_int_equal(
            fe_fields_add(&fields, &arena, fe_view_str(names[i]), fe_view_of(names[i], 1)), 0);
    }
    assert_int_equal(fields.n, N);
    assert_ptr_equal(fe_fields_find(&fields, FE_VIEW_LIT("n49")), &fields.items[49]);
    assert_null(fe_fields_find(&fields, FE_VIEW_LIT("N49")));
    fe_arena_deinit(&arena);
}

static void test_methods(void **state)
{
    (void)state;
    assert_int_equal(fe_method_of(FE_VIEW_LIT("GET")), FE_METHOD_GET);
    assert_int_equal(fe_method_of(FE_VIEW_LIT("PATCH")), FE_METHOD_PATCH);
    assert_int_equal(fe_method_of(FE_VIEW_LIT("get")), FE_METHOD_OTHER);
    assert_int_equal(fe_method_of(FE_VIEW_LIT("GETS")), FE_METHOD_OTHER);
    assert_true(fe_method_is_idempotent(FE_METHOD_PUT));
    assert_false(fe_method_is_idempotent(FE_METHOD_POST));
    assert_false(fe_method_is_idempotent(FE_METHOD_OTHER));
}

static void test_status_text(void **state)
{
    (void)state;
    assert_string_equal(fe_status_text(404), "Not Found");
    assert_string_equal(fe_status_text(299), "");
}

static void test_date(void **state)
{
    static const struct {
        int64_t seconds;
        const char *text;
    } cases[] = {
        {784111777, "Sun, 06 Nov 1994 08:49:37 GMT"},
        {0, "Thu, 01 Jan 1970 00:00:00 GMT"},
        {951782400, "Tue, 29 Feb 2000 00:00:00 GMT"},
        {-62167219200, "Sat, 01 Jan 0000 00:00:00 GMT"},
        {INT64_MIN, "Sat, 01 Jan 0000 00:00:00 GMT"},
        {INT64_MAX, "Fri, 31 Dec 9999 23:59:59 GMT"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[FE_HTTP_DATE_LEN + 1];

        fe_http_date_format(text, cases[i].seconds);
        assert_string_equal(text, cases[i].text);
    }
}

static void test_list(void **state)
{
    struct fe_view list = FE_VIEW_LIT(" ,a , ,\tb c\t,");
    struct fe_view element;

    (void)state;
    assert_true(fe_list_next(&list, &element));
    assert_true(fe_view_equal(element, FE_VIEW_LIT("a")));
    assert_true(fe_list_next(&list, &element));
    assert_true(fe_view_equal(element, FE_VIEW_LIT("b c")));
    assert_false(fe_list_next(&list, &element));
}

/* ---- problems: an exchange that keeps what it is told --------------------------------------- */

struct recorder {
    struct fe_exchange ex;
    int status;
    char type[64];
    char allow[64];
    char body[4096];
    size_t len;
    uint64_t announced;
    int fail_respond;
    size_t accept; /* at most so much of a write */
    bool has_ended;
    bool is_aborted;
};

static void copy_field(const struct fe_response *response, const char *name, char text[64])
{
    const struct fe_field *field = fe_fields_find(&response->fields, fe_view_str(name));

    if (field != NULL) {
        snprintf(text, 64, "%.*s", (int)field->value.len, (const char *)field->value.ptr);
    }
}

static int record_respond(struct fe_exchange *ex, const struct fe_response *response)
{
    struct recorder *r = ex->state;

    r->status = response->status;
    r->announced = response->content_length;
    copy_field(response, "content-type", r->type);
    copy_field(response, "allow", r->allow);
    return r->fail_respond;
}

static ssize_t record_write(struct fe_exchange *ex, struct fe_view data)
{
    struct recorder *r = ex->state;
    size_t n = data.len < r->accept ? data.len : r->accept;

    assert_true(r->len + n < sizeof(r->body));
    memcpy(r->body + r->len, data.ptr, n);
    r->len += n;
    return (ssize_t)n;
}

static void record_finish(struct fe_exchange *ex, const struct fe_fields *trailers)
{
    assert_null(trailers); /* problems have none */
    ((struct recorder *)ex->state)->has_ended = true;
}

static void record_reset(struct fe_exchange *ex, int code)
{
    (void)code;
    ((struct recorder *)ex->state)->is_aborted = true;
}

static const struct fe_exchange_ops recorder_ops = {.respond = record_respond,
                                                    .write = record_write,
                                                    .finish = record_finish,
                                                    .reset = record_reset};

static const struct fe_filter_stage stage = {.filter = &fe_error_page_filter};
static const struct fe_filter_chain chain = {
    .stages = &stage, .n = 1, .first = {[FE_FILTER_problem] = &stage}};

static void recorder_init(struct recorder *r, struct fe_field *accept)
{
    *r = (struct recorder){.ex = {.ops = &recorder_ops, .filters = &chain}, .accept = SIZE_MAX};
    r->ex.state = r;
    r->ex.request.fields = (struct fe_fields){accept, accept != NULL, 1};
}

static void test_problem_text(void **state)
{
    struct recorder r;

    (void)state;
    recorder_init(&r, NULL);
    fe_problem_respond_with(&r.ex, 405, "try GET",
                            (struct fe_field){FE_VIEW_LIT("allow"), FE_VIEW_LIT("GET, HEAD")});
    assert_int_equal(r.status, 405);
    assert_string_equal(r.type, "text/plain; charset=utf-8");
    assert_string_equal(r.allow, "GET, HEAD");
    assert_string_equal(r.body, "try GET\n");
    assert_int_equal(r.announced, r.len);
    assert_true(r.has_ended && !r.is_aborted);
}

static void test_problem_json(void **state)
{
    struct fe_field accept = {FE_VIEW_LIT("accept"), FE_VIEW_LIT("application/json")};
    struct recorder r;

    (void)state;
    recorder_init(&r, &accept);
    fe_problem_respond(&r.ex, 502, "a \"b\" \\ \x01");
    assert_string_equal(r.type, "application/problem+json");
    assert_string_equal(r.body, "{\"title\":\"Bad Gateway\",\"status\":502,"
                                "\"detail\":\"a \\\"b\\\" \\\\ \\u0001\"}\n");
    assert_int_equal(r.announced, r.len);
}

static void test_problem_longest(void **state)
{
    struct fe_field accept = {FE_VIEW_LIT("accept"), FE_VIEW_LIT("application/json")};
    char reason[2000];
    struct recorder r;

    (void)state;
    memset(reason, 1, sizeof(reason) - 1);
    reason[sizeof(reason) - 1] = '\0';
    recorder_init(&r, &accept);
    fe_problem_respond(&r.ex, 511, reason);
    assert_true(r.has_ended);
    assert_int_equal(r.len, sizeof("{\"title\":\"Network Authentication Required\",\"status\":511,"
                                   "\"detail\":\"\"}\n") -
                                1 + 6 * 512);
}

static void test_problem_accept(void **state)
{
    static const struct {
        const char *accept;
        bool is_json;
    } cases[] = {
        {"*/*", false},
        {"text/html,application/xhtml+xml,*/*;q=0.8", false},
        {"application/json, text/plain, */*", true},
        {"text/plain, application/json", false},
        {"text/plain;q=0.5, application/json", true},
        {"text/plain; Q=0.9, application/problem+json; charset=x; q=0.95", true},
        {"application/json;q=0, text/plain;q=0.001", false},
        {"application/json;q=0", false},
        {"APPLICATION/*", true},
        {"", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fe_field accept = {FE_VIEW_LIT("accept"), fe_view_str(cases[i].accept)};
        struct recorder r;

        recorder_init(&r, &accept);
        fe_problem_respond(&r.ex, 404, "x");
        if ((r.body[0] == '{') != cases[i].is_json) {
            fail_msg("Accept: %s was answered with %s", cases[i].accept, r.type);
        }
    }
}

static void test_problem_fails(void **state)
{
    struct recorder r;

    (void)state;
    recorder_init(&r, NULL);
    r.fail_respond = FLATEND_ENOMEM;
    fe_problem_respond(&r.ex, 404, "x");
    assert_true(r.is_aborted && !r.has_ended);
    recorder_init(&r, NULL);
    r.accept = 1;
    fe_problem_respond(&r.ex, 404, "x");
    assert_true(r.is_aborted && !r.has_ended);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),         cmocka_unit_test(test_methods),
        cmocka_unit_test(test_status_text),    cmocka_unit_test(test_date),
        cmocka_unit_test(test_list),           cmocka_unit_test(test_problem_text),
        cmocka_unit_test(test_problem_json),   cmocka_unit_test(test_problem_longest),
        cmocka_unit_test(test_problem_accept), cmocka_unit_test(test_problem_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
