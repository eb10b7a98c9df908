#include "store.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

enum statement { LIST, ADD, REMOVE, SET_DONE, N_STATEMENTS };

static const char *const statement_sql[N_STATEMENTS] = {
    [LIST] = "SELECT id, content, state FROM todo WHERE id > ? ORDER BY id LIMIT ?",
    [ADD] = "INSERT INTO todo (content, state) VALUES (?, '')",
    [REMOVE] = "DELETE FROM todo WHERE id = ?",
    [SET_DONE] = "UPDATE todo SET state = 'done' WHERE id = ?",
};

struct todo_store {
    sqlite3 *db;
    pthread_mutex_t lock; /* a statement is bound, stepped and reset by one thread at a time */
    sqlite3_stmt *statements[N_STATEMENTS];
};

int todo_store_open(const char *path, struct todo_store **store)
{
    static const char create[] =
        "CREATE TABLE IF NOT EXISTS todo (id INTEGER PRIMARY KEY AUTOINCREMENT,"
        " content TEXT NOT NULL, state TEXT NOT NULL)";
    struct todo_store *opened = calloc(1, sizeof(*opened));
    int code;

    *store = NULL;
    if (opened == NULL) {
        return SQLITE_NOMEM;
    }
    pthread_mutex_init(&opened->lock, NULL);
    code = sqlite3_open(path, &opened->db);
    if (code == SQLITE_OK) {
        code = sqlite3_exec(opened->db, create, NULL, NULL, NULL);
    }
    for (int i = 0; code == SQLITE_OK && i < N_STATEMENTS; i++) {
        code = sqlite3_prepare_v3(opened->db, statement_sql[i], -1, SQLITE_PREPARE_PERSISTENT,
                                  &opened->statements[i], NULL);
    }
    if (code != SQLITE_OK) {
        fprintf(stderr, "%s: %s\n", path, sqlite3_errmsg(opened->db));
        todo_store_close(opened);
        return code;
    }
    *store = opened;
    return SQLITE_OK;
}

void todo_store_close(struct todo_store *store)
{
    if (store == NULL) {
        return;
    }
    for (int i = 0; i < N_STATEMENTS; i++) {
        sqlite3_finalize(store->statements[i]);
    }
    sqlite3_close(store->db);
    pthread_mutex_destroy(&store->lock);
    free(store);
}

int todo_store_list(struct todo_store *store, int64_t after, int64_t limit,
                    int (*each)(void *arg, int64_t id, const char *content, const char *state),
                    void *arg)
{
    sqlite3_stmt *statement = store->statements[LIST];
    int code;

    pthread_mutex_lock(&store->lock);
    sqlite3_bind_int64(statement, 1, after);
    sqlite3_bind_int64(statement, 2, limit);
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        if (each(arg, sqlite3_column_int64(statement, 0),
                 (const char *)sqlite3_column_text(statement, 1),
                 (const char *)sqlite3_column_text(statement, 2)) != 0) {
            code = SQLITE_ABORT;
            break;
        }
    }
    sqlite3_reset(statement);
    pthread_mutex_unlock(&store->lock);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

/* Runs a statement that changes rows, with `text` as its parameter. */
static int change_rows(struct todo_store *store, enum statement which, const char *text,
                       struct todo_change *change)
{
    sqlite3_stmt *statement = store->statements[which];
    int code;

    pthread_mutex_lock(&store->lock);
    code = sqlite3_bind_text(statement, 1, text, -1, SQLITE_STATIC);
    if (code == SQLITE_OK) {
        code = sqlite3_step(statement);
    }
    if (code == SQLITE_DONE) {
        code = SQLITE_OK;
        change->last_id = sqlite3_last_insert_rowid(store->db);
        change->changes = sqlite3_changes(store->db);
    }
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    pthread_mutex_unlock(&store->lock);
    return code;
}

int todo_store_add(struct todo_store *store, const char *content, struct todo_change *change)
{
    return change_rows(store, ADD, content, change);
}

int todo_store_remove(struct todo_store *store, const char *id, struct todo_change *change)
{
    return change_rows(store, REMOVE, id, change);
}

int todo_store_set_done(struct todo_store *store, const char *id, struct todo_change *change)
{
    return change_rows(store, SET_DONE, id, change);
}
