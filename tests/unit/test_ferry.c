/* What client and service see of an exchange that goes by ferry: the same as without one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "support/ferries.h"

#define OK_HEAD                                                                                    \
    (struct fe_headers)                                                                            \
    {                                                                                              \
        FE_VIEW_LIT("\7:status\0\003201\1a\0\1b"), 2                                               \
    }

static void respond(struct ferries *ferries, struct fe_headers headers)
{
    ferries_respond(ferries, headers);
    ferries_settle(ferries);
}

static void data(struct ferries *ferries, const char *text)
{
    ferries_data(ferries, fe_view_str(text));
    ferries_settle(ferries);
}

static void end(struct ferries *ferries)
{
    ferries_end(ferries);
    ferries_settle(ferries);
}

static void serve(struct ferries *ferries)
{
    ferries_serve(ferries);
    ferries_settle(ferries);
}

static void serve_post(struct ferries *ferries, uint64_t length)
{
    ferries_serve_post(ferries, length);
    ferries_settle(ferries);
}

static void body(struct ferries *ferries, const char *text)
{
    assert_int_equal(fake_exchange_body(&ferries->fake, text), strlen(text));
    ferries_settle(ferries);
}

static void body_end(struct ferries *ferries)
{
    fake_exchange_body_end(&ferries->fake);
    ferries_settle(ferries);
}

/* ---- the happy path ----------------------------------------------------------------------- */

static void get(struct ferries *ferries)
{
    struct fe_request *const request = &ferries->fake.ex.request;

    request->path = FE_VIEW_LIT("/a/7");
    request->query = FE_VIEW_LIT("x=1&y=2&x=3");
    request->scheme = FE_VIEW_LIT("https");
    ferries_add_field(ferries, "accept", "one");
    ferries_add_field(ferries, "cookie", "a=b");
    ferries_add_field(ferries, "accept", "two");
    serve(ferries);
    respond(ferries, OK_HEAD);
    data(ferries, "hello");
    end(ferries);
}

static void get_without_caches(struct ferries *ferries)
{
    ferries->route.no_cache = true;
    serve(ferries);
    respond(ferries, OK_HEAD);
    end(ferries);
}

static void head(struct ferries *ferries)
{
    ferries->fake.ex.request.method = FE_METHOD_HEAD;
    ferries->fake.ex.request.method_text = FE_VIEW_LIT("HEAD");
    serve(ferries);
    respond(ferries, (struct fe_headers){FE_VIEW_LIT("\16content-length\0\0015"), 1});
    data(ferries, "hello");
}

static void post(struct ferries *ferries)
{
    serve_post(ferries, 6);
    body(ferries, "abc");
    body(ferries, "def");
    body_end(ferries);
    respond(ferries, OK_HEAD);
    end(ferries);
}

static void post_both_ways_at_once(struct ferries *ferries)
{
    serve_post(ferries, FE_BODY_UNKNOWN);
    body(ferries, "one");
    respond(ferries, OK_HEAD);
    data(ferries, "one");
    body(ferries, "two");
    body_end(ferries);
    data(ferries, "two");
    end(ferries);
}

static void trailers_both_ways(struct ferries *ferries)
{
    struct fe_field field = {FE_VIEW_LIT("up"), FE_VIEW_LIT("1")};
    const struct fe_fields trailers = {&field, 1, 1};

    serve_post(ferries, FE_BODY_UNKNOWN);
    body(ferries, "abc");
    fake_exchange_body_end_with(&ferries->fake, &trailers);
    ferries_settle(ferries);
    respond(ferries, OK_HEAD);
    data(ferries, "def");
    assert_int_equal(
        feed_end_with(&ferries->provider, FERRIES_STREAM, FE_VIEW_LIT("\4down\0\0012"), 1), 0);
    ferries_settle(ferries);
}

static void response_before_the_request_is_complete(struct ferries *ferries)
{
    serve_post(ferries, 100);
    body(ferries, "a part");
    respond(ferries, OK_HEAD);
    end(ferries);
}

/* In one turn of the far side: the client is asked for its body all the same, and first, since a
 * response without that is the connection's last (web/http/exchange.h). */
static void response_at_once(struct ferries *ferries)
{
    ferries_serve_post(ferries, 100);
    ferries_run(&ferries->near);
    ferries_run_mails(&ferries->far);
    respond(ferries, OK_HEAD);
    end(ferries);
}

/* ---- problems ----------------------------------------------------------------------------- */

static void nobody_provides(struct ferries *ferries)
{
    ferries_lose(ferries);
    serve(ferries);
}

static void nobody_provides_json(struct ferries *ferries)
{
    ferries_add_field(ferries, "accept", "application/json");
    nobody_provides(ferries);
}

static void nobody_handles(struct ferries *ferries)
{
    serve(ferries);
    assert_int_equal(feed_response(&ferries->provider, FERRIES_STREAM, false), 0);
    ferries_settle(ferries);
}

static void lost_before_the_head(struct ferries *ferries)
{
    serve(ferries);
    ferries_lose(ferries);
    ferries_settle(ferries);
}

static void lost_after_the_head(struct ferries *ferries)
{
    serve(ferries);
    respond(ferries, OK_HEAD);
    data(ferries, "half");
    ferries_lose(ferries);
    ferries_settle(ferries);
}

static void head_that_does_not_fit(struct ferries *ferries)
{
    ferries->provider.sender.error = FLATEND_ETOOBIG;
    serve(ferries);
}

static void too_many_parameters(struct ferries *ferries)
{
    static char query[1000];

    for (size_t i = 0; i < sizeof(query); i++) {
        query[i] = i % 2 == 0 ? 'a' : '&';
    }
    ferries->fake.ex.request.query = fe_view_of(query, sizeof(query));
    serve(ferries);
}

static void announced_too_small(struct ferries *ferries)
{
    ferries->route.body_min = 10;
    serve_post(ferries, 9);
}

static void announced_too_large(struct ferries *ferries)
{
    ferries->route.body_max = 10;
    serve_post(ferries, 11);
}

static void unannounced_too_small(struct ferries *ferries)
{
    ferries->route.body_min = 4;
    serve_post(ferries, FE_BODY_UNKNOWN);
    body(ferries, "abc");
    body_end(ferries);
}

static void too_large_for_the_service(struct ferries *ferries)
{
    serve_post(ferries, FE_BODY_UNKNOWN);
    body(ferries, "abc");
    assert_int_equal(feed_reset(&ferries->provider, FERRIES_STREAM, FE_REASON_TOO_LARGE), 0);
    ferries_settle(ferries);
}

static void invalid_status(struct ferries *ferries)
{
    serve(ferries);
    respond(ferries, (struct fe_headers){FE_VIEW_LIT("\7:status\0\003999"), 1});
}

static void invalid_name(struct ferries *ferries)
{
    serve(ferries);
    respond(ferries, (struct fe_headers){FE_VIEW_LIT("\3a b\0\1c"), 1});
}

static void invalid_value(struct ferries *ferries)
{
    serve(ferries);
    respond(ferries, (struct fe_headers){FE_VIEW_LIT("\1a\0\3b\nc"), 1});
}

static void no_answer_in_time(struct ferries *ferries)
{
    serve_post(ferries, 3);
    ferries_pass(ferries, 10 * (uint64_t)FERRIES_TIMEOUT_MS);
    body(ferries, "abc");
    body_end(ferries);
    ferries_pass(ferries, FERRIES_TIMEOUT_MS);
    ferries_settle(ferries);
}

static void no_room_for_the_head(struct ferries *ferries)
{
    serve(ferries);
    ferries->fake.error = FLATEND_ENOMEM;
    respond(ferries, OK_HEAD);
}

static void more_than_announced(struct ferries *ferries)
{
    serve(ferries);
    respond(ferries, OK_HEAD);
    ferries->fake.error = FLATEND_ETOOBIG;
    data(ferries, "too much");
}

static void client_that_goes(struct ferries *ferries)
{
    serve_post(ferries, 6);
    body(ferries, "abc");
    ferries_leave(ferries);
    ferries_settle(ferries);
    respond(ferries, OK_HEAD);
    data(ferries, "late");
    end(ferries);
}

/* ---- the comparison ----------------------------------------------------------------------- */

struct scene {
    const char *name;
    void (*play)(struct ferries *ferries);
    bool is_full;      /* a provider with windows */
    const char *shows; /* something that the client sees */
};

#define SCENE(name, shows)                                                                         \
    {                                                                                              \
#name, name, false, shows                                                                  \
    }
#define SCENE_FULL(name, shows)                                                                    \
    {                                                                                              \
#name, name, true, shows                                                                   \
    }

static const struct scene scenes[] = {
    SCENE(get, "respond(201,a=b) write(hello) end"),
    SCENE(get_without_caches, "cache-control"),
    SCENE(head, "respond(200,#5) end"),
    SCENE(post, "resume respond(201,a=b) end"),
    SCENE(post_both_ways_at_once, "resume respond(201,a=b) write(one) write(two) end"),
    SCENE_FULL(trailers_both_ways, "write(def) end trailer(down=2)"),
    SCENE(response_before_the_request_is_complete, "resume respond(201,a=b) end"),
    SCENE(response_at_once, "resume respond(201,a=b) end"),
    SCENE(nobody_provides, "503"),
    SCENE(nobody_provides_json, "problem+json"),
    SCENE(nobody_handles, "503"),
    SCENE(lost_before_the_head, "502"),
    SCENE(lost_after_the_head, "write(half) abort"),
    SCENE(head_that_does_not_fit, "431"),
    SCENE(too_many_parameters, "431"),
    SCENE(announced_too_small, "400"),
    SCENE(announced_too_large, "413"),
    SCENE(unannounced_too_small, "400"),
    SCENE_FULL(too_large_for_the_service, "413"),
    SCENE(invalid_status, "invalid :status"),
    SCENE(invalid_name, "invalid status, header name or header value"),
    SCENE(invalid_value, "invalid status, header name or header value"),
    SCENE(no_answer_in_time, "504"),
    SCENE(no_room_for_the_head, "503"),
    SCENE(more_than_announced, "respond(201,a=b) abort"),
    SCENE(client_that_goes, "resume"),
};

static void play(struct ferries *ferries, const struct scene *scene, bool is_direct)
{
    ferries_init(ferries, scene->is_full);
    ferries->is_direct = is_direct;
    ferries->provider.sender.shows_headers = true;
    scene->play(ferries);
    assert_int_equal(ferries->n_empty, is_direct ? 0 : 1);
    ferries->client.text[ferries->client.len] = '\0';
    ferries->service.text[ferries->service.len] = '\0';
    ferries_deinit(ferries);
}

static void both_sides_see_the_same(void **state)
{
    static struct ferries direct;
    static struct ferries ferried;

    (void)state;
    for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++) {
        play(&direct, &scenes[i], true);
        play(&ferried, &scenes[i], false);
        if (strcmp(direct.client.text, ferried.client.text) != 0 ||
            strcmp(direct.service.text, ferried.service.text) != 0 ||
            strstr(direct.client.text, scenes[i].shows) == NULL) {
            fail_msg("%s\n  directly: %s | %s\n  by ferry: %s | %s", scenes[i].name,
                     direct.client.text, direct.service.text, ferried.client.text,
                     ferried.service.text);
        }
    }
}

/* What the comparison would not see if both were wrong. */
static void the_service_sees_the_request(void **state)
{
    static struct ferries ferries;

    (void)state;
    play(&ferries, &scenes[0], false);
    trace_expect(&ferries.service,
                 "request(100,echo,accept=one, two,cookie=a=b,query.x=1,query.y=2,params.id=7,"
                 ":method=GET,:path=/a/7?x=1&y=2&x=3,:scheme=https,:authority=example.org,"
                 ":remote=192.0.2.1:5000,timeout-ms=1000) end(100)");
}

/* The protocol checks the length of what comes against it. */
static void the_limit_is_the_routes(void **state)
{
    static struct ferries ferries;

    (void)state;
    ferries_init(&ferries, false);
    ferries.route.body_max = 20;
    ferries_serve_post(&ferries, 20);
    assert_int_equal(ferries.fake.ex.body_max, 20);
    ferries_leave(&ferries);
    ferries_settle(&ferries);
    ferries_deinit(&ferries);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_sides_see_the_same),
        cmocka_unit_test(the_service_sees_the_request),
        cmocka_unit_test(the_limit_is_the_routes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
