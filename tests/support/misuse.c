#include "support/misuse.h"

#include <limits.h>
#include <stddef.h>
#include <sys/types.h>

enum {
    ANY = 1 << 20, /* not called there: it would end the node, or wait */
    OK = 0,
    STATE = FLATEND_ESTATE,
    INVAL = FLATEND_EINVAL,
    ENDED = FLATEND_ECANCELED,
    NONE = FLATEND_ENOENT,
    NO_PROVIDER = FLATEND_ENOPROVIDER,
};

static void handler(struct flatend_context *ctx, void *arg)
{
    (void)ctx;
    (void)arg;
}

/* ---- nodes ---- */

static int start(struct flatend_node *node)
{
    return flatend_node_start(node, NULL, 0, NULL);
}

static int add(struct flatend_node *node)
{
    const struct flatend_service service = {.name = "added", .handler = handler};

    return flatend_node_add_service(node, &service);
}

static int add_twice(struct flatend_node *node)
{
    int code = add(node);

    return code == FLATEND_EEXIST ? OK : code != 0 ? code : INT_MAX;
}

static int add_nothing(struct flatend_node *node)
{
    return flatend_node_add_service(node, NULL);
}

static int remove_added(struct flatend_node *node)
{
    return flatend_node_remove_service(node, "added");
}

static int remove_nothing(struct flatend_node *node)
{
    return flatend_node_remove_service(node, NULL);
}

static const char *const nobody[] = {"nobody"};
static const char *const nameless[] = {NULL};

static int providers(struct flatend_node *node)
{
    return (int)flatend_node_providers(node, nobody, 1, NULL, 0);
}

static int providers_nowhere(struct flatend_node *node)
{
    return (int)flatend_node_providers(node, nobody, 1, NULL, 1);
}

static int providers_of_nothing(struct flatend_node *node)
{
    return (int)flatend_node_providers(node, NULL, 1, NULL, 0);
}

static int providers_of_null(struct flatend_node *node)
{
    return (int)flatend_node_providers(node, nameless, 1, NULL, 0);
}

static int providers_of_too_many(struct flatend_node *node)
{
    struct flatend_provider provider;

    return (int)flatend_node_providers(node, nobody, 1, &provider, SIZE_MAX);
}

static int push(struct flatend_node *node)
{
    const struct flatend_request request = {.services = nobody, .n_services = 1, .body = ""};
    struct flatend_stream *stream;

    return flatend_push(node, &request, &stream, NULL);
}

static int push_nothing(struct flatend_node *node)
{
    struct flatend_stream *stream;

    return flatend_push(node, NULL, &stream, NULL);
}

static int push_nowhere(struct flatend_node *node)
{
    const struct flatend_request request = {.services = nobody, .n_services = 1, .body = ""};

    return flatend_push(node, &request, NULL, NULL);
}

static int push_without_waiting(struct flatend_node *node)
{
    struct flatend_request request = {.services = nobody, .n_services = 1, .body = ""};
    struct flatend_stream *stream;
    int code = flatend_queue_new(&request.queue);

    if (code == 0) {
        code = flatend_push(node, &request, &stream, NULL);
        flatend_stream_close(stream);
        flatend_queue_free(request.queue);
    }
    return code;
}

static int call(struct flatend_node *node)
{
    const struct flatend_request request = {.services = nobody, .n_services = 1};
    struct flatend_response *response;

    return flatend_call(node, &request, 1, &response, NULL);
}

static int call_nothing(struct flatend_node *node)
{
    struct flatend_response *response;

    return flatend_call(node, NULL, 1, &response, NULL);
}

static int call_nowhere(struct flatend_node *node)
{
    const struct flatend_request request = {.services = nobody, .n_services = 1};

    return flatend_call(node, &request, 1, NULL, NULL);
}

static int listen_addr(struct flatend_node *node)
{
    char addr[120];

    return flatend_node_listen_addr(node, 0, addr, sizeof(addr));
}

static int listen_addr_nowhere(struct flatend_node *node)
{
    return flatend_node_listen_addr(node, 0, NULL, 1);
}

static int watch(struct flatend_node *node)
{
    return flatend_node_watch(node, NULL, NULL);
}

static void nothing(void *arg)
{
    (void)arg;
}

static int timer(struct flatend_node *node)
{
    struct flatend_timer *started;
    int code = flatend_timer_start(node, 0, 1, nothing, NULL, &started);

    if (code == 0) {
        flatend_timer_stop(started);
    }
    return code;
}

static int timer_of_nothing(struct flatend_node *node)
{
    struct flatend_timer *started;

    return flatend_timer_start(node, 0, 1, NULL, NULL, &started);
}

static void on_event(void *arg, const struct flatend_event *event)
{
    (void)arg;
    (void)event;
}

static int watch_with_callback(struct flatend_node *node)
{
    struct flatend_queue *queue;
    int code = flatend_queue_new_callback(on_event, NULL, &queue);

    if (code == 0) {
        code = flatend_node_watch(node, queue, NULL);
        if (code == 0) {
            code = flatend_node_watch(node, NULL, NULL);
        }
        flatend_queue_free(queue);
    }
    return code;
}

static int timer_nowhere(struct flatend_node *node)
{
    struct flatend_timer *started;

    return flatend_timer_start_queued(node, 0, 1, NULL, NULL, &started);
}

/* clang-format off */
static const struct {
    const char *name;
    int (*call)(struct flatend_node *node);
    int codes[MISUSE_N_PLACES];
} functions[] = {
    /*                       new    running      handler      inline shut   never  child  NULL */
    {"wait", flatend_node_wait,
                            {STATE, ANY,         STATE,       STATE, OK,    STATE, STATE, INVAL}},
    {"shutdown", flatend_node_shutdown,
                            {ANY,   ANY,         STATE,       STATE, OK,    OK,    STATE, INVAL}},
    {"free", flatend_node_free,
                            {ANY,   ANY,         STATE,       STATE, ANY,   ANY,   STATE, OK}},
    {"start", start,        {ANY,   STATE,       STATE,       STATE, STATE, STATE, STATE, INVAL}},
    {"add", add,            {STATE, OK,          OK,          OK,    ENDED, STATE, STATE, INVAL}},
    {"add twice", add_twice,
                            {STATE, OK,          OK,          OK,    ENDED, STATE, STATE, INVAL}},
    {"add nothing", add_nothing,
                            {INVAL, INVAL,       INVAL,       INVAL, INVAL, INVAL, STATE, INVAL}},
    {"remove", remove_added,
                            {STATE, OK,          OK,          OK,    ENDED, STATE, STATE, INVAL}},
    {"remove twice", remove_added,
                            {STATE, NONE,        NONE,        NONE,  ENDED, STATE, STATE, INVAL}},
    {"remove nothing", remove_nothing,
                            {INVAL, INVAL,       INVAL,       INVAL, INVAL, INVAL, STATE, INVAL}},
    {"providers", providers,
                            {STATE, OK,          OK,          OK,    ENDED, STATE, STATE, INVAL}},
    {"providers of too many", providers_of_too_many,
                            {STATE, OK,          OK,          OK,    ENDED, STATE, STATE, INVAL}},
    {"providers, nowhere", providers_nowhere,
                            {INVAL, INVAL,       INVAL,       INVAL, INVAL, INVAL, STATE, INVAL}},
    {"providers of nothing", providers_of_nothing,
                            {INVAL, INVAL,       INVAL,       INVAL, INVAL, INVAL, STATE, INVAL}},
    {"providers of NULL", providers_of_null,
                            {INVAL, INVAL,       INVAL,       INVAL, INVAL, INVAL, STATE, INVAL}},
    {"push", push,          {STATE, NO_PROVIDER, NO_PROVIDER, STATE, ENDED, STATE, STATE, INVAL}},
    {"push nothing", push_nothing,
                            {INVAL, INVAL,       INVAL,       INVAL, INVAL, INVAL, STATE, INVAL}},
    {"push, nowhere", push_nowhere,
                            {INVAL, INVAL,       INVAL,       INVAL, INVAL, INVAL, INVAL, INVAL}},
    /* In the child it would need memory, which a sanitizer may not have there. */
    {"push without waiting", push_without_waiting,
                            {STATE, OK,          OK,          OK,    ENDED, STATE, ANY,   INVAL}},
    {"call", call,          {STATE, NO_PROVIDER, NO_PROVIDER, STATE, ENDED, STATE, STATE, INVAL}},
    {"call nothing", call_nothing,
                            {INVAL, INVAL,       INVAL,       INVAL, INVAL, INVAL, INVAL, INVAL}},
    {"call, nowhere", call_nowhere,
                            {INVAL, INVAL,       INVAL,       INVAL, INVAL, INVAL, INVAL, INVAL}},
    {"watch", watch,        {OK,    OK,          OK,          OK,    OK,    OK,    STATE, INVAL}},
    {"watch with a callback", watch_with_callback,
                            {OK,    OK,          OK,          OK,    OK,    OK,    ANY,   INVAL}},
    {"timer", timer,        {STATE, OK,          OK,          OK,    ENDED, STATE, STATE, INVAL}},
    {"timer of nothing", timer_of_nothing,
                            {INVAL, INVAL,       INVAL,       INVAL, INVAL, INVAL, STATE, INVAL}},
    {"timer, nowhere", timer_nowhere,
                            {INVAL, INVAL,       INVAL,       INVAL, INVAL, INVAL, STATE, INVAL}},
    {"listen_addr", listen_addr,
                            {NONE,  OK,          OK,          OK,    OK,    NONE,  STATE, INVAL}},
    {"listen_addr, nowhere", listen_addr_nowhere,
                            {INVAL, INVAL,       INVAL,       INVAL, INVAL, INVAL, STATE, INVAL}},
};
/* clang-format on */

const char *misuse_node(struct flatend_node *node, enum misuse_place place)
{
    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
        if (functions[i].codes[place] != ANY &&
            functions[i].call(node) != functions[i].codes[place]) {
            return functions[i].name;
        }
    }
    return NULL;
}

/* ---- the others ---- */

/* Each returns the text of the first condition that does not hold. */
#define SAYS(call, code)                                                                           \
    if ((call) != (code)) {                                                                        \
        return #call;                                                                              \
    }

static const char *misuse_context(struct flatend_context *ctx, int code)
{
    struct flatend_buffer *buffer;
    const void *bytes;
    const char *data;
    char byte = 0;
    size_t n;

    SAYS(flatend_context_read_buffer(ctx, &bytes, &buffer), code)
    SAYS(flatend_context_write_buffer(ctx, "a", 1, NULL, NULL), code)
    SAYS(flatend_context_keep(ctx, NULL, NULL), code)
    SAYS(flatend_context_read(ctx, &byte, 1), code)
    SAYS(flatend_context_read_all(ctx, 1, &data, &n), code)
    SAYS(flatend_context_write(ctx, "a", 1), code)
    SAYS(flatend_context_printf(ctx, "%s", "a"), code)
    SAYS(flatend_context_fail(ctx, 500, "%s", "a"), code)
    SAYS(flatend_context_problem(ctx, 500, "%s", "a"), code)
    SAYS(flatend_context_json(ctx, 200, "{}", 2), code)
    SAYS(flatend_context_finish(ctx), code)
    SAYS(flatend_context_is_canceled(ctx), true)
    SAYS(flatend_context_trailers(ctx, &n), NULL)
    return NULL;
}

const char *misuse_context_in_child(struct flatend_context *ctx)
{
    return misuse_context(ctx, FLATEND_ESTATE);
}

static const char *misuse_stream(struct flatend_stream *stream, int code)
{
    struct flatend_buffer *buffer;
    const void *bytes;
    const char *data;
    char byte = 0;
    size_t n;

    SAYS(flatend_stream_read_buffer(stream, &bytes, &buffer), code)
    SAYS(flatend_stream_write_buffer(stream, "a", 1, NULL, NULL), code)
    SAYS(flatend_stream_write(stream, "a", 1), code)
    SAYS(flatend_stream_add_trailer(stream, "a", "b"), code)
    SAYS(flatend_stream_finish(stream), code)
    SAYS(flatend_stream_response(stream, NULL, NULL, NULL), code)
    SAYS(flatend_stream_read(stream, &byte, 1), code)
    SAYS(flatend_stream_read_all(stream, 1, &data, &n), code)
    SAYS(flatend_stream_trailers(stream, &n), NULL)
    flatend_stream_close(stream);
    return NULL;
}

const char *misuse_stream_in_child(struct flatend_stream *stream)
{
    return misuse_stream(stream, FLATEND_ESTATE);
}

static const char *misuse_queue(struct flatend_queue *queue, int code)
{
    struct flatend_event event;

    SAYS(flatend_queue_take(queue, &event, 1, -1), code)
    SAYS(flatend_queue_fd(queue), code)
    flatend_queue_wake(queue);
    flatend_queue_free(queue);
    return NULL;
}

const char *misuse_queue_in_child(struct flatend_queue *queue)
{
    return misuse_queue(queue, FLATEND_ESTATE);
}

static const char *misuse_no_context(void)
{
    SAYS(flatend_context_set_header(NULL, "a", "b"), FLATEND_EINVAL)
    SAYS(flatend_context_add_header(NULL, "a", "b"), FLATEND_EINVAL)
    SAYS(flatend_context_add_trailer(NULL, "a", "b"), FLATEND_EINVAL)
    SAYS(flatend_context_set_status(NULL, 200), FLATEND_EINVAL)
    SAYS(flatend_context_id(NULL), NULL)
    SAYS(flatend_context_service(NULL), NULL)
    SAYS(flatend_context_header(NULL, "a"), NULL)
    SAYS(flatend_context_headers(NULL, NULL), NULL)
    SAYS(flatend_context_remaining_ms(NULL), UINT_MAX)
    SAYS(flatend_context_node(NULL), NULL)
    SAYS(flatend_context_method(NULL), NULL)
    SAYS(flatend_context_path(NULL), NULL)
    SAYS(flatend_context_param(NULL, "a"), NULL)
    SAYS(flatend_context_query(NULL, "a"), NULL)
    SAYS(flatend_context_cookie(NULL, "a"), NULL)
    return misuse_context(NULL, FLATEND_EINVAL);
}

static const char *misuse_no_key(void)
{
    static const char digits[] = "00";
    struct flatend_secret_key secret;
    struct flatend_public_key key;
    struct flatend_error error;

    SAYS(flatend_secret_key_generate(NULL), FLATEND_EINVAL)
    SAYS(flatend_secret_key_load(NULL, "a", &error), FLATEND_EINVAL)
    SAYS(flatend_secret_key_load(&secret, NULL, NULL), FLATEND_EINVAL)
    SAYS(flatend_secret_key_save(NULL, "a", &error), FLATEND_EINVAL)
    SAYS(flatend_secret_key_save(&secret, NULL, NULL), FLATEND_EINVAL)
    SAYS(flatend_public_key_parse(NULL, digits), FLATEND_EINVAL)
    SAYS(flatend_public_key_parse(&key, NULL), FLATEND_EINVAL)
    flatend_secret_key_public(NULL, &key);
    flatend_public_key_format(NULL, NULL);
    flatend_response_free(NULL);
    return NULL;
}

const char *misuse_without_objects(void)
{
    const char *found = misuse_no_context();

    if (found == NULL) {
        found = misuse_no_key();
    }

    if (found == NULL) {
        found = misuse_stream(NULL, FLATEND_EINVAL);
    }
    if (found == NULL) {
        found = misuse_queue(NULL, FLATEND_EINVAL);
    }
    SAYS(flatend_queue_new(NULL), FLATEND_EINVAL)
    SAYS(flatend_queue_new_callback(on_event, NULL, NULL), FLATEND_EINVAL)
    SAYS(flatend_node_new(NULL, NULL, NULL), FLATEND_EINVAL)
    return found != NULL ? found : misuse_node(NULL, MISUSE_NO_OBJECT);
}
