/* Heads between HTTP and the mesh. A transcript is written as "name=value" lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "gateway/relay/query.h"
#include "gateway/relay/transcribe.h"
#include "support/trace.h"

#define PSEUDO(path)                                                                               \
    " :method=GET :path=" path " :scheme=http :authority=example.org :remote=192.0.2.1:5000"

struct world {
    struct trace trace;
    struct fe_arena arena;
    struct fe_request request;
    struct fe_match match;
};

static int setup(void **state)
{
    static struct world world;

    memset(&world, 0, sizeof(world));
    fe_arena_init(&world.arena, 0);
    world.request = (struct fe_request){
        .method = FE_METHOD_GET,
        .method_text = FE_VIEW_LIT("GET"),
        .scheme = FE_VIEW_LIT("http"),
        .authority = FE_VIEW_LIT("example.org"),
        .path = FE_VIEW_LIT("/"),
        .version = 11,
    };
    *state = &world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;

    fe_arena_deinit(&world->arena);
    return 0;
}

static void add_field(struct world *world, const char *name, const char *value)
{
    assert_int_equal(
        fe_fields_add(&world->request.fields, &world->arena, fe_view_str(name), fe_view_str(value)),
        0);
}

static void add_param(struct world *world, const char *name, const char *value)
{
    world->match.params[world->match.n_params++] =
        (struct fe_param){fe_view_str(name), fe_view_str(value)};
}

static int transcribe(struct world *world)
{
    struct fe_transcript transcript;
    int code = fe_transcribe_request(&world->request, &world->match, FE_VIEW_LIT("192.0.2.1:5000"),
                                     &world->arena, &transcript);

    for (size_t i = 0; code == 0 && i < transcript.n; i++) {
        const struct fe_header *header = &transcript.headers[i];

        trace_add(&world->trace, "%.*s=%.*s", (int)header->name.len, (const char *)header->name.ptr,
                  (int)header->value.len, (const char *)header->value.ptr);
    }
    return code;
}

/* ---- requests ------------------------------------------------------------------------------- */

static void test_fields_and_pseudo_headers(void **state)
{
    struct world *world = *state;

    add_field(world, "host", "example.org");
    add_field(world, "x-thing", "a thing");
    add_field(world, "x-empty", "");
    assert_int_equal(transcribe(world), 0);
    trace_expect(&world->trace, "host=example.org x-thing=a thing x-empty=" PSEUDO("/"));
}

static void test_hop_by_hop_fields_stay(void **state)
{
    static const char *const names[] = {
        "connection", "expect",  "keep-alive",        "proxy-connection", "proxy-authorization",
        "te",         "trailer", "transfer-encoding", "upgrade",
    };
    struct world *world = *state;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        add_field(world, names[i], "value");
    }
    add_field(world, "content-length", "5");
    assert_int_equal(transcribe(world), 0);
    trace_expect(&world->trace, "content-length=5" PSEUDO("/"));
}

static void test_fields_named_by_connection_stay(void **state)
{
    struct world *world = *state;

    add_field(world, "x-hop", "1");
    add_field(world, "connection", "close, X-Hop");
    add_field(world, "connection", "x-other");
    add_field(world, "x-other", "2");
    add_field(world, "x-far", "3");
    assert_int_equal(transcribe(world), 0);
    trace_expect(&world->trace, "x-far=3" PSEUDO("/"));
}

static void test_reserved_names_cannot_be_forged(void **state)
{
    struct world *world = *state;

    add_field(world, "params.id", "forged");
    add_field(world, "query.q", "forged");
    add_field(world, "peer.id", "forged");
    add_field(world, ":method", "forged");
    add_field(world, "params", "fine");
    add_param(world, "Id", "7");
    world->request.query = FE_VIEW_LIT("q=1");
    assert_int_equal(transcribe(world), 0);
    trace_expect(&world->trace, "params=fine query.q=1 params.id=7" PSEUDO("/?q=1"));
}

static void test_repeated_fields_are_joined(void **state)
{
    struct world *world = *state;

    add_field(world, "accept", "text/html");
    add_field(world, "cookie", "a=1");
    add_field(world, "accept", "");
    add_field(world, "cookie", "b=2");
    add_field(world, "accept", "*/*");
    assert_int_equal(transcribe(world), 0);
    trace_expect(&world->trace, "accept=text/html, , */* cookie=a=1; b=2" PSEUDO("/"));
}

static void test_first_of_repeated_empty_fields(void **state)
{
    struct world *world = *state;

    add_field(world, "x", "");
    add_field(world, "x", "");
    assert_int_equal(transcribe(world), 0);
    trace_expect(&world->trace, "x=, " PSEUDO("/"));
}

static void test_query(void **state)
{
    static const struct {
        const char *query;
        const char *expected;
    } cases[] = {
        {"a=1&B=2", "query.a=1 query.b=2"},
        {"a=1&a=2&A=3", "query.a=1"},
        {"%41b=%C3%A9&c+d=e+f%2b", "query.ab=\xc3\xa9 query.c d=e f+"},
        {"a", "query.a="},
        {"a=&b==c=", "query.a= query.b==c="},
        {"&&a=1&&", "query.a=1"},
        {"=1&b=2", "query.b=2"},
        {"a=%&b=%4&c=%zz&d=%4", "query.a=% query.b=%4 query.c=%zz query.d=%4"},
        {"a=%25%32%35", "query.a=%25"},
    };
    struct world *world = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char expected[256];

        world->request.query = fe_view_str(cases[i].query);
        assert_int_equal(transcribe(world), 0);
        snprintf(expected, sizeof(expected),
                 "%s :method=GET :path=/?%s :scheme=http :authority=example.org"
                 " :remote=192.0.2.1:5000",
                 cases[i].expected, cases[i].query);
        trace_expect(&world->trace, expected);
    }
}

/* RFC 9110 §7.6.2: of TRACE and OPTIONS, one less. */
static void test_max_forwards(void **state)
{
    static const struct {
        enum fe_method method;
        const char *value;
        const char *expected;
    } cases[] = {
        {FE_METHOD_OPTIONS, "10", "9"},
        {FE_METHOD_TRACE, "1", "0"},
        {FE_METHOD_OPTIONS, "many", "many"},
        {FE_METHOD_GET, "10", "10"},
    };
    struct world *world = *state;

    add_field(world, "max-forwards", "");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char expected[128];

        world->request.method = cases[i].method;
        world->request.fields.items[0].value = fe_view_str(cases[i].value);
        assert_int_equal(transcribe(world), 0);
        snprintf(expected, sizeof(expected), "max-forwards=%s ", cases[i].expected);
        assert_memory_equal(world->trace.text, expected, strlen(expected));
        world->trace.len = 0;
    }
}

/* What C would take for another text, or no header can be. */
static void test_query_with_control_characters(void **state)
{
    static const char *const refused[] = {"id%00=evil&id=1", "%00", "a%0ab=1", "a%7f=1", "id=1%00"};
    static const char *const told[] = {"a=1%0d%0a2", "a%0=1", "a%C3%A4=1"};
    struct world *world = *state;

    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        world->request.query = fe_view_str(refused[i]);
        assert_int_equal(transcribe(world), FLATEND_ESYNTAX);
    }
    for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
        world->request.query = fe_view_str(told[i]);
        assert_int_equal(transcribe(world), 0);
    }
    world->trace.len = 0;
}

static void test_limits(void **state)
{
    struct world *world = *state;
    char many[2 * (FE_QUERY_PARAMS_MAX + 1) + 1] = "";
    char options[2 * (FE_CONNECTION_OPTIONS_MAX + 1) + 1] = "";

    for (size_t i = 0; i <= FE_QUERY_PARAMS_MAX; i++) {
        memcpy(many + 2 * i, "a&", 3);
    }
    world->request.query = fe_view_of(many, strlen(many) - 2);
    assert_int_equal(transcribe(world), 0);
    world->request.query = fe_view_str(many);
    assert_int_equal(transcribe(world), FLATEND_ELIMIT);

    world->request.query = fe_view_of(NULL, 0);
    for (size_t i = 0; i <= FE_CONNECTION_OPTIONS_MAX; i++) {
        memcpy(options + 2 * i, "a,", 3);
    }
    add_field(world, "connection", options);
    assert_int_equal(transcribe(world), FLATEND_ELIMIT);
    world->request.fields.items[0].value.len -= 2;
    assert_int_equal(transcribe(world), 0);
    world->trace.len = 0;
}

/* ---- responses ------------------------------------------------------------------------------ */

/* Encoded headers: name, value, name, value ..., NULL. */
struct encoded {
    uint8_t bytes[1024];
    size_t len;
    uint16_t n;
};

static void encode(struct encoded *to, const char *name, const char *value)
{
    size_t name_len = strlen(name);
    size_t value_len = strlen(value);

    assert_true(to->len + 3 + name_len + value_len <= sizeof(to->bytes));
    to->bytes[to->len++] = (uint8_t)name_len;
    memcpy(to->bytes + to->len, name, name_len);
    to->len += name_len;
    to->bytes[to->len++] = (uint8_t)(value_len >> 8);
    to->bytes[to->len++] = (uint8_t)value_len;
    memcpy(to->bytes + to->len, value, value_len);
    to->len += value_len;
    to->n++;
}

static int respond(struct world *world, const struct encoded *encoded)
{
    struct fe_headers headers = {.bytes = fe_view_of(encoded->bytes, encoded->len),
                                 .n = encoded->n};
    struct fe_response response;
    struct fe_dropped_headers dropped;
    const char *why = NULL;
    int code = fe_transcribe_response(headers, &world->arena, &response, &dropped, &why);

    if (code != 0) {
        trace_add(&world->trace, "%s", why);
        return code;
    }
    trace_add(&world->trace, "%d", response.status);
    if (response.content_length != FE_BODY_UNKNOWN) {
        trace_add(&world->trace, "#%d", (int)response.content_length);
    }
    for (size_t i = 0; i < response.fields.n; i++) {
        const struct fe_field *field = &response.fields.items[i];

        trace_add(&world->trace, "%.*s=%.*s", (int)field->name.len, (const char *)field->name.ptr,
                  (int)field->value.len, (const char *)field->value.ptr);
    }
    if (dropped.n > 0) {
        trace_add(&world->trace, "dropped(%d,%.*s)", (int)dropped.n, (int)dropped.first.len,
                  (const char *)dropped.first.ptr);
    }
    return 0;
}

static void test_response(void **state)
{
    struct world *world = *state;
    struct encoded encoded = {.n = 0};

    assert_int_equal(respond(world, &encoded), 0);
    trace_expect(&world->trace, "200");

    encode(&encoded, "Content-Type", "text/plain");
    encode(&encoded, ":status", "201");
    encode(&encoded, "set-cookie", "a=1");
    encode(&encoded, "Set-Cookie", "b=2");
    encode(&encoded, ":unknown", "1");
    encode(&encoded, "Content-Length", "12");
    assert_int_equal(respond(world, &encoded), 0);
    trace_expect(&world->trace, "201 #12 content-type=text/plain set-cookie=a=1 set-cookie=b=2");
}

/* In the mesh a name may be any text, in HTTP it is a token. */
static void test_names_that_http_forbids(void **state)
{
    struct world *world = *state;
    struct encoded encoded = {.n = 0};

    encode(&encoded, "Header Key", "1");
    encode(&encoded, "X-OK", "2");
    encode(&encoded, "", "3");
    encode(&encoded, "caf\xc3\xa9", "4");
    encode(&encoded, "x-ok:", "5");
    encode(&encoded, "Content-Length ", "6");
    assert_int_equal(respond(world, &encoded), 0);
    trace_expect(&world->trace, "200 x-ok=2 dropped(5,Header Key)");
}

static void test_statuses(void **state)
{
    static const char *const invalid[] = {"",    "20",  "2000", "199", "600",
                                          "100", "-20", "2 0",  "+20", "20a"};
    struct world *world = *state;

    for (size_t i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++) {
        struct encoded encoded = {.n = 0};

        encode(&encoded, ":status", invalid[i]);
        assert_int_equal(respond(world, &encoded), FLATEND_EPROTO);
        trace_expect(&world->trace, "invalid :status");
    }
}

static void test_lengths(void **state)
{
    static const char *const invalid[] = {"", "-1", "+1", "1 ", "0x1", "9223372036854775808"};
    struct world *world = *state;
    struct encoded equal = {.n = 0};
    struct encoded different = {.n = 0};

    for (size_t i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++) {
        struct encoded encoded = {.n = 0};

        encode(&encoded, "content-length", invalid[i]);
        assert_int_equal(respond(world, &encoded), FLATEND_EPROTO);
        trace_expect(&world->trace, "invalid content-length");
    }
    encode(&equal, "content-length", "5");
    encode(&equal, "Content-Length", "05");
    assert_int_equal(respond(world, &equal), 0);
    trace_expect(&world->trace, "200 #5");
    encode(&different, "content-length", "5");
    encode(&different, "content-length", "6");
    assert_int_equal(respond(world, &different), FLATEND_EPROTO);
    trace_expect(&world->trace, "invalid content-length");
}

static void test_too_many_response_fields(void **state)
{
    struct world *world = *state;
    struct encoded encoded = {.n = 0};

    for (size_t i = 0; i < FE_RESPONSE_FIELDS_MAX; i++) {
        encode(&encoded, "", "");
    }
    assert_int_equal(respond(world, &encoded), 0);
    world->trace.len = 0;
    encode(&encoded, "", "");
    assert_int_equal(respond(world, &encoded), FLATEND_EPROTO);
    trace_expect(&world->trace, "too many header fields");
}

static void test_trailers(void **state)
{
    struct world *world = *state;
    struct encoded encoded = {.n = 0};
    struct fe_field connection = {FE_VIEW_LIT("connection"), FE_VIEW_LIT("close, X-Hop")};
    struct fe_transcript transcript;
    struct fe_fields fields = {0};
    struct fe_headers headers;

    add_field(world, "x-sum", "42");
    add_field(world, "peer.id", "forged");
    add_field(world, "timeout-ms", "1");
    add_field(world, ":status", "200");
    add_field(world, "x-hop", "1");
    assert_int_equal(fe_transcribe_trailers(&(struct fe_request){.fields = {&connection, 1, 1}},
                                            &world->request.fields, &world->arena, &transcript),
                     0);
    assert_int_equal(transcript.n, 1);
    assert_true(fe_view_equal(transcript.headers[0].name, FE_VIEW_LIT("x-sum")));

    encode(&encoded, "x-sum", "42");
    encode(&encoded, ":status", "500");
    headers = (struct fe_headers){.bytes = fe_view_of(encoded.bytes, encoded.len), .n = encoded.n};
    assert_int_equal(fe_transcribe_response_trailers(headers, &world->arena, &fields), 0);
    assert_int_equal(fields.n, 1);
    assert_true(fe_view_equal(fields.items[0].value, FE_VIEW_LIT("42")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_fields_and_pseudo_headers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hop_by_hop_fields_stay, setup, teardown),
        cmocka_unit_test_setup_teardown(test_fields_named_by_connection_stay, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reserved_names_cannot_be_forged, setup, teardown),
        cmocka_unit_test_setup_teardown(test_repeated_fields_are_joined, setup, teardown),
        cmocka_unit_test_setup_teardown(test_first_of_repeated_empty_fields, setup, teardown),
        cmocka_unit_test_setup_teardown(test_query, setup, teardown),
        cmocka_unit_test_setup_teardown(test_max_forwards, setup, teardown),
        cmocka_unit_test_setup_teardown(test_query_with_control_characters, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_response, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names_that_http_forbids, setup, teardown),
        cmocka_unit_test_setup_teardown(test_statuses, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lengths, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_many_response_fields, setup, teardown),
        cmocka_unit_test_setup_teardown(test_trailers, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
