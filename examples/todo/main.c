/* A todo list: four services over one SQLite database.
 *
 *     todo [-d FILE] [ADDRESS...]    the database, in memory by default; nodes to join the mesh by,
 *                                    127.0.0.1:9000 by default
 *
 * Answers are JSON. A list, which comes in pages of `limit` behind the id `after`, is [{"id": 1,
 * "content": "milk", "state": "done"}], a change
 * {"lastInsertRowid": 1, "changes": 1}.
 */
#include <errno.h>
#include <flatend.h>
#include <jansson.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store.h"

enum {
    BODY_MAX = 8192,    /* bytes of a request's body */
    CONTENT_MAX = 1024, /* bytes of one todo */
    PAGE_MAX = 1000,    /* todos of one answer */
};

/* Answers with `json`, which may be NULL (out of memory), and gives up its reference. */
static void answer(struct flatend_context *ctx, json_t *json)
{
    char *text = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL;

    if (text == NULL) {
        flatend_context_fail(ctx, 500, "out of memory");
    } else {
        flatend_context_json(ctx, 200, text, strlen(text));
    }
    free(text);
    json_decref(json);
}

static void answer_change(struct flatend_context *ctx, int code, const struct todo_change *change)
{
    if (code != SQLITE_OK) {
        flatend_context_fail(ctx, 500, "database: %s", sqlite3_errstr(code));
        return;
    }
    answer(ctx, json_pack("{s:I, s:i}", "lastInsertRowid", (json_int_t)change->last_id, "changes",
                          change->changes));
}

/* A number of the query, from 0 to `max`; `otherwise` if there is none. False: it is no such
 * number, and the request has been answered. */
static bool read_number(struct flatend_context *ctx, const char *name, int64_t max,
                        int64_t otherwise, int64_t *number)
{
    const char *text = flatend_context_query(ctx, name);
    char *end;

    *number = otherwise;
    if (text == NULL) {
        return true;
    }
    errno = 0;
    *number = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || *number < 0 || *number > max) {
        flatend_context_problem(ctx, 400, "%s: a number from 0 to %lld", name, (long long)max);
        return false;
    }
    return true;
}

/* RFC 8288: where the next page is, if this one was full. Keys stay where they are while others
 * come and go, so pages begin behind an id and not at an offset. */
static void link_next(struct flatend_context *ctx, json_t *list, int64_t limit)
{
    const json_t *last = json_array_get(list, json_array_size(list) - 1);
    char link[128];

    if (limit == 0 || (int64_t)json_array_size(list) < limit) {
        return;
    }
    (void)snprintf(link, sizeof(link), "</todos?after=%lld&limit=%lld>; rel=\"next\"",
                   (long long)json_integer_value(json_object_get(last, "id")), (long long)limit);
    flatend_context_set_header(ctx, "link", link);
}

static int append_row(void *arg, int64_t id, const char *content, const char *state)
{
    json_t *list = arg;

    return json_array_append_new(list, json_pack("{s:I, s:s, s:s}", "id", (json_int_t)id, "content",
                                                 content, "state", state));
}

static void all_todos(struct flatend_context *ctx, void *arg)
{
    struct todo_store *store = arg;
    json_t *list;
    int64_t after;
    int64_t limit;
    int code;

    if (!read_number(ctx, "after", INT64_MAX, 0, &after) ||
        !read_number(ctx, "limit", PAGE_MAX, PAGE_MAX, &limit)) {
        return;
    }
    list = json_array();
    code = list != NULL ? todo_store_list(store, after, limit, append_row, list) : SQLITE_NOMEM;
    if (code != SQLITE_OK) {
        json_decref(list);
        flatend_context_fail(ctx, 500, "database: %s", sqlite3_errstr(code));
        return;
    }
    link_next(ctx, list, limit);
    answer(ctx, list);
}

/* What to add, as a JSON string: from the path (GET /todos/add/:content), else from the body
 * {"content": "..."} (POST /todos). NULL if there is nothing, too much, or no UTF-8. */
static json_t *read_content(struct flatend_context *ctx)
{
    const char *param = flatend_context_header(ctx, "params.content");
    json_t *content = NULL;
    const char *body;
    size_t len;

    if (param != NULL) {
        content = json_string(param);
    } else if (flatend_context_read_all(ctx, BODY_MAX, &body, &len) == 0) {
        json_t *root = json_loadb(body, len, 0, NULL);
        content = json_incref(json_object_get(root, "content"));
        json_decref(root);
    }
    if (!json_is_string(content) || json_string_length(content) == 0 ||
        json_string_length(content) > CONTENT_MAX) {
        json_decref(content);
        return NULL;
    }
    return content;
}

static void add_todo(struct flatend_context *ctx, void *arg)
{
    struct todo_store *store = arg;
    struct todo_change change;
    json_t *content = read_content(ctx);

    if (content == NULL) {
        flatend_context_fail(ctx, 400, "content: 1 to %d bytes of UTF-8", CONTENT_MAX);
        return;
    }
    answer_change(ctx, todo_store_add(store, json_string_value(content), &change), &change);
    json_decref(content);
}

static void remove_todo(struct flatend_context *ctx, void *arg)
{
    const char *id = flatend_context_header(ctx, "params.id");
    struct todo_change change;

    if (id == NULL) {
        flatend_context_fail(ctx, 400, "the route has no :id");
        return;
    }
    answer_change(ctx, todo_store_remove(arg, id, &change), &change);
}

static void done_todo(struct flatend_context *ctx, void *arg)
{
    const char *id = flatend_context_header(ctx, "params.id");
    struct todo_change change;

    if (id == NULL) {
        flatend_context_fail(ctx, 400, "the route has no :id");
        return;
    }
    answer_change(ctx, todo_store_set_done(arg, id, &change), &change);
}

static int run(struct todo_store *store, const char *const *addrs, size_t n_addrs)
{
    const struct flatend_service services[] = {
        {.name = "all_todos", .handler = all_todos, .arg = store},
        {.name = "add_todo", .handler = add_todo, .arg = store},
        {.name = "remove_todo", .handler = remove_todo, .arg = store},
        {.name = "done_todo", .handler = done_todo, .arg = store},
    };
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct flatend_error error;
    struct flatend_node *node;
    int code;

    options.services = services;
    options.n_services = sizeof(services) / sizeof(services[0]);
    options.log = flatend_log_stderr;
    code = flatend_node_new(&options, &node, &error);
    if (code == 0) {
        code = flatend_node_start(node, addrs, n_addrs, &error);
    }
    if (code == 0) {
        flatend_node_wait(node);
    } else {
        fprintf(stderr, "%s\n", error.text);
    }
    flatend_node_free(node);
    return code == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    static const char *const gateway[] = {"127.0.0.1:9000"};
    const char *path = ":memory:";
    struct todo_store *store;
    int option;
    int status;

    while ((option = getopt(argc, argv, "d:")) != -1) {
        if (option != 'd') {
            fprintf(stderr, "usage: todo [-d FILE] [ADDRESS...]\n");
            return 2;
        }
        path = optarg;
    }
    if (todo_store_open(path, &store) != SQLITE_OK) {
        return 1;
    }
    if (optind < argc) {
        status = run(store, (const char *const *)(argv + optind), (size_t)(argc - optind));
    } else {
        status = run(store, gateway, 1);
    }
    todo_store_close(store);
    return status;
}
