/* What client and service see of an exchange that goes by crossing: the same as without one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/crossings.h"
#include "web/http/router.h"

#define OK_HEAD                                                                                    \
    (struct fe_headers)                                                                            \
    {                                                                                              \
        FE_VIEW_LIT("\7:status\0\003201\1a\0\1b"), 2, false                                        \
    }

static void respond(struct crossings *crossings, struct fe_headers headers)
{
    crossings_respond(crossings, headers);
    crossings_settle(crossings);
}

static void data(struct crossings *crossings, const char *text)
{
    crossings_data(crossings, fe_view_str(text));
    crossings_settle(crossings);
}

static void end(struct crossings *crossings)
{
    crossings_end(crossings);
    crossings_settle(crossings);
}

static void serve(struct crossings *crossings)
{
    crossings_serve(crossings);
    crossings_settle(crossings);
}

static void serve_post(struct crossings *crossings, uint64_t length)
{
    crossings_serve_post(crossings, length);
    crossings_settle(crossings);
}

static void body(struct crossings *crossings, const char *text)
{
    assert_int_equal(fake_exchange_body(&crossings->fake, text), strlen(text));
    crossings_settle(crossings);
}

static void body_end(struct crossings *crossings)
{
    fake_exchange_body_end(&crossings->fake);
    crossings_settle(crossings);
}

/* ---- the happy path ------------------------------------------------------------------------- */

static void get(struct crossings *crossings)
{
    struct fe_request *const request = &crossings->fake.ex.request;

    request->path = FE_VIEW_LIT("/a/7");
    request->query = FE_VIEW_LIT("x=1&y=2&x=3");
    request->scheme = FE_VIEW_LIT("https");
    crossings_add_field(crossings, "accept", "one");
    crossings_add_field(crossings, "cookie", "a=b");
    crossings_add_field(crossings, "accept", "two");
    serve(crossings);
    respond(crossings, OK_HEAD);
    data(crossings, "hello");
    end(crossings);
}

static void get_with_all_parameters(struct crossings *crossings)
{
    crossings->n_more_params = FE_ROUTE_PARAMS_MAX - 1;
    get(crossings);
}

static void get_without_caches(struct crossings *crossings)
{
    crossings->route.no_cache = true;
    serve(crossings);
    respond(crossings, OK_HEAD);
    end(crossings);
}

static void head(struct crossings *crossings)
{
    crossings->fake.ex.request.method = FE_METHOD_HEAD;
    crossings->fake.ex.request.method_text = FE_VIEW_LIT("HEAD");
    serve(crossings);
    respond(crossings,
            (struct fe_headers){.bytes = FE_VIEW_LIT("\16content-length\0\0015"), .n = 1});
    data(crossings, "hello");
}

static void post(struct crossings *crossings)
{
    serve_post(crossings, 6);
    body(crossings, "abc");
    body(crossings, "def");
    body_end(crossings);
    respond(crossings, OK_HEAD);
    end(crossings);
}

static void post_both_ways_at_once(struct crossings *crossings)
{
    serve_post(crossings, FE_BODY_UNKNOWN);
    body(crossings, "one");
    respond(crossings, OK_HEAD);
    data(crossings, "one");
    body(crossings, "two");
    body_end(crossings);
    data(crossings, "two");
    end(crossings);
}

static void trailers_both_ways(struct crossings *crossings)
{
    struct fe_field field = {FE_VIEW_LIT("up"), FE_VIEW_LIT("1")};
    const struct fe_fields trailers = {&field, 1, 1};

    serve_post(crossings, FE_BODY_UNKNOWN);
    body(crossings, "abc");
    fake_exchange_body_end_with(&crossings->fake, &trailers);
    crossings_settle(crossings);
    respond(crossings, OK_HEAD);
    data(crossings, "def");
    assert_int_equal(
        feed_end_with(&crossings->provider, CROSSINGS_STREAM, FE_VIEW_LIT("\4down\0\0012"), 1), 0);
    crossings_settle(crossings);
}

static void response_before_the_request_is_complete(struct crossings *crossings)
{
    serve_post(crossings, 100);
    body(crossings, "a part");
    respond(crossings, OK_HEAD);
    end(crossings);
}

/* In one turn of the far side: the client is asked for its body all the same, and first, since a
 * response without that is the connection's last (web/http/exchange.h). */
static void response_at_once(struct crossings *crossings)
{
    crossings_serve_post(crossings, 100);
    crossings_run(&crossings->near);
    crossings_run_tasks(&crossings->far);
    respond(crossings, OK_HEAD);
    end(crossings);
}

/* ---- problems ------------------------------------------------------------------------------- */

static void no_provider(struct crossings *crossings)
{
    crossings_lose(crossings);
    serve(crossings);
}

static void no_provider_json(struct crossings *crossings)
{
    crossings_add_field(crossings, "accept", "application/json");
    no_provider(crossings);
}

static void not_handled(struct crossings *crossings)
{
    serve(crossings);
    assert_int_equal(feed_response(&crossings->provider, CROSSINGS_STREAM, false), 0);
    crossings_settle(crossings);
}

static void lost_before_the_head(struct crossings *crossings)
{
    serve(crossings);
    crossings_lose(crossings);
    crossings_settle(crossings);
}

static void lost_after_the_head(struct crossings *crossings)
{
    serve(crossings);
    respond(crossings, OK_HEAD);
    data(crossings, "half");
    crossings_lose(crossings);
    crossings_settle(crossings);
}

static void head_that_does_not_fit(struct crossings *crossings)
{
    crossings->provider.sender.error = FLATEND_ETOOBIG;
    serve(crossings);
}

static void too_many_parameters(struct crossings *crossings)
{
    static char query[1000];

    for (size_t i = 0; i < sizeof(query); i++) {
        query[i] = i % 2 == 0 ? 'a' : '&';
    }
    crossings->fake.ex.request.query = fe_view_of(query, sizeof(query));
    serve(crossings);
}

static void announced_too_small(struct crossings *crossings)
{
    crossings->route.body_min = 10;
    serve_post(crossings, 9);
}

static void announced_too_large(struct crossings *crossings)
{
    crossings->route.body_max = 10;
    serve_post(crossings, 11);
}

static void unannounced_too_small(struct crossings *crossings)
{
    crossings->route.body_min = 4;
    serve_post(crossings, FE_BODY_UNKNOWN);
    body(crossings, "abc");
    body_end(crossings);
}

static void unannounced_too_large(struct crossings *crossings)
{
    crossings->route.body_max = 4;
    serve_post(crossings, FE_BODY_UNKNOWN);
    body(crossings, "abc");
    (void)fake_exchange_body(&crossings->fake, "de");
    crossings_settle(crossings);
}

static void too_large_for_the_service(struct crossings *crossings)
{
    serve_post(crossings, FE_BODY_UNKNOWN);
    body(crossings, "abc");
    assert_int_equal(feed_reset(&crossings->provider, CROSSINGS_STREAM, FE_REASON_TOO_LARGE), 0);
    crossings_settle(crossings);
}

static void invalid_status(struct crossings *crossings)
{
    serve(crossings);
    respond(crossings, (struct fe_headers){.bytes = FE_VIEW_LIT("\7:status\0\003999"), .n = 1});
}

static void name_that_http_forbids(struct crossings *crossings)
{
    serve(crossings);
    respond(crossings, (struct fe_headers){.bytes = FE_VIEW_LIT("\3a b\0\1c\1a\0\1b"), .n = 2});
    end(crossings);
}

static void invalid_value(struct crossings *crossings)
{
    serve(crossings);
    respond(crossings, (struct fe_headers){.bytes = FE_VIEW_LIT("\1a\0\3b\nc"), .n = 1});
}

/* Seventeen of the longest values. */
static void head_too_large(struct crossings *crossings)
{
    enum { N = 17, VALUE = 65535, EACH = 2 + 2 + VALUE };
    char *const bytes = malloc((size_t)N * EACH);

    assert_non_null(bytes);
    memset(bytes, 'x', (size_t)N * EACH);
    for (size_t i = 0; i < N; i++) {
        memcpy(bytes + i * EACH, "\1a\xff\xff", 4);
    }
    serve(crossings);
    respond(crossings, (struct fe_headers){.bytes = fe_view_of(bytes, (size_t)N * EACH), .n = N});
    free(bytes);
}

/* Only the client's protocol finds that out. */
static void head_that_cannot_be_sent(struct crossings *crossings)
{
    serve(crossings);
    crossings->fake.error = FLATEND_EINVAL;
    respond(crossings, OK_HEAD);
}

static void no_answer_in_time(struct crossings *crossings)
{
    serve_post(crossings, 3);
    crossings_pass(crossings, 10 * (uint64_t)CROSSINGS_TIMEOUT_MS);
    body(crossings, "abc");
    body_end(crossings);
    crossings_pass(crossings, CROSSINGS_TIMEOUT_MS);
    crossings_settle(crossings);
}

static void no_room_for_the_head(struct crossings *crossings)
{
    serve(crossings);
    crossings->fake.error = FLATEND_ENOMEM;
    respond(crossings, OK_HEAD);
}

static void more_than_announced(struct crossings *crossings)
{
    serve(crossings);
    respond(crossings, OK_HEAD);
    crossings->fake.error = FLATEND_ETOOBIG;
    data(crossings, "too much");
}

static void client_that_goes(struct crossings *crossings)
{
    serve_post(crossings, 6);
    body(crossings, "abc");
    crossings_leave(crossings);
    crossings_settle(crossings);
    respond(crossings, OK_HEAD);
    data(crossings, "late");
    end(crossings);
}

/* ---- the comparison ------------------------------------------------------------------------- */

struct scene {
    const char *name;
    void (*play)(struct crossings *crossings);
    bool is_secure;    /* a provider with windows */
    const char *shows; /* something that the client sees */
};

#define SCENE(name, shows)                                                                         \
    {                                                                                              \
#name, name, false, shows                                                                  \
    }
#define SCENE_SECURE(name, shows)                                                                  \
    {                                                                                              \
#name, name, true, shows                                                                   \
    }

static const struct scene scenes[] = {
    SCENE(get, "respond(201,a=b) write(hello) end"),
    SCENE(get_with_all_parameters, "respond(201,a=b) write(hello) end"),
    SCENE(get_without_caches, "cache-control"),
    SCENE(head, "respond(200,#5) end"),
    SCENE(post, "resume respond(201,a=b) end"),
    SCENE(post_both_ways_at_once, "resume respond(201,a=b) write(one) write(two) end"),
    SCENE_SECURE(trailers_both_ways, "write(def) end trailer(down=2)"),
    SCENE(response_before_the_request_is_complete, "resume respond(201,a=b) end"),
    SCENE(response_at_once, "resume respond(201,a=b) end"),
    SCENE(no_provider, "503"),
    SCENE(no_provider_json, "problem+json"),
    SCENE(not_handled, "503"),
    SCENE(lost_before_the_head, "502"),
    SCENE(lost_after_the_head, "write(half) abort"),
    SCENE(head_that_does_not_fit, "431"),
    SCENE(too_many_parameters, "431"),
    SCENE(announced_too_small, "400"),
    SCENE(announced_too_large, "413"),
    SCENE(unannounced_too_small, "400"),
    SCENE(unannounced_too_large, "413"),
    SCENE_SECURE(too_large_for_the_service, "413"),
    SCENE(invalid_status, "invalid :status"),
    SCENE(name_that_http_forbids, "respond(200,a=b) end"),
    SCENE(invalid_value, "invalid status, header name or header value"),
    SCENE(head_too_large, "respond(502"),
    SCENE(head_that_cannot_be_sent, "respond(502"),
    SCENE(no_answer_in_time, "504"),
    SCENE(no_room_for_the_head, "503"),
    SCENE(more_than_announced, "respond(201,a=b) abort"),
    SCENE(client_that_goes, "resume"),
};

static void play(struct crossings *crossings, const struct scene *scene, bool is_direct)
{
    crossings_init(crossings, scene->is_secure);
    crossings->is_direct = is_direct;
    crossings->provider.sender.shows_headers = true;
    scene->play(crossings);
    assert_int_equal(crossings->n_empty, crossings->has_crossed ? 1 : 0);
    crossings->client.text[crossings->client.len] = '\0';
    crossings->service.text[crossings->service.len] = '\0';
    crossings_deinit(crossings);
}

static void both_sides_see_the_same(void **state)
{
    static struct crossings direct;
    static struct crossings ferried;

    (void)state;
    for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++) {
        play(&direct, &scenes[i], true);
        play(&ferried, &scenes[i], false);
        if (strcmp(direct.client.text, ferried.client.text) != 0 ||
            strcmp(direct.service.text, ferried.service.text) != 0 ||
            strstr(direct.client.text, scenes[i].shows) == NULL) {
            fail_msg("%s\n  directly: %s | %s\n  by crossing: %s | %s", scenes[i].name,
                     direct.client.text, direct.service.text, ferried.client.text,
                     ferried.service.text);
        }
    }
}

/* What the comparison would not see if both were wrong. */
static void the_service_sees_the_request(void **state)
{
    static struct crossings crossings;

    (void)state;
    play(&crossings, &scenes[0], false);
    trace_expect(&crossings.service,
                 "request(100,echo,accept=one, two,cookie=a=b,query.x=1,query.y=2,params.id=7,"
                 ":method=GET,:path=/a/7?x=1&y=2&x=3,:scheme=https,:authority=example.org,"
                 ":remote=192.0.2.1:5000,timeout-ms=1000) end(100)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_sides_see_the_same),
        cmocka_unit_test(the_service_sees_the_request),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
