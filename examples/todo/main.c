/* A todo list: four services over one SQLite database.
 *
 *     todo [-d FILE] [ADDRESS...]    the database, in memory by default; nodes to join the mesh by,
 *                                    127.0.0.1:9000 by default
 *
 * Answers are JSON. A list is [{"id": 1, "content": "milk", "state": "done"}], a change
 * {"lastInsertRowid": 1, "changes": 1}.
 */
#include <flatend.h>
#include <jansson.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store.h"

enum {
    BODY_MAX = 8192,    /* bytes of a request's body */
    CONTENT_MAX = 1024, /* bytes of one todo */
};

/* Answers with `json`, which may be NULL (out of memory), and gives up its reference. */
static void answer(struct flatend_context *ctx, json_t *json)
{
    char *text = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL;

    if (text == NULL) {
        flatend_context_fail(ctx, 500, "out of memory");
    } else {
        flatend_context_set_header(ctx, "content-type", "application/json");
        flatend_context_write(ctx, text, strlen(text));
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

static int append_row(void *arg, int64_t id, const char *content, const char *state)
{
    json_t *list = arg;

    return json_array_append_new(list, json_pack("{s:I, s:s, s:s}", "id", (json_int_t)id, "content",
                                                 content, "state", state));
}

static void all_todos(struct flatend_context *ctx, void *arg)
{
    struct todo_store *store = arg;
    json_t *list = json_array();
    int code = list != NULL ? todo_store_list(store, append_row, list) : SQLITE_NOMEM;

    if (code != SQLITE_OK) {
        json_decref(list);
        flatend_context_fail(ctx, 500, "database: %s", sqlite3_errstr(code));
        return;
    }
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
