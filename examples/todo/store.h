/* The todo list in SQLite. Every function may be called from any thread, and returns 0 or a code of
 * SQLite's. */
#ifndef TODO_STORE_H
#define TODO_STORE_H

#include <stdint.h>

struct todo_store;

/* What a statement did, as SQLite counts it. */
struct todo_change {
    int64_t last_id; /* of the row inserted last */
    int changes;     /* rows */
};

/* Opens the database at `path`, ":memory:" for one that is forgotten; makes the table if there is
 * none. On failure `*store` is NULL and standard error says why. */
int todo_store_open(const char *path, struct todo_store **store);

/* NULL is allowed. */
void todo_store_close(struct todo_store *store);

/* Hands up to `limit` rows behind the one with the id `after` to `each`, in the order of ids. The
 * text lives as long as the call of `each`, which must not use the store; unless it returns 0, the
 * listing ends with SQLITE_ABORT. */
int todo_store_list(struct todo_store *store, int64_t after, int64_t limit,
                    int (*each)(void *arg, int64_t id, const char *content, const char *state),
                    void *arg);

int todo_store_add(struct todo_store *store, const char *content, struct todo_change *change);
int todo_store_remove(struct todo_store *store, const char *id, struct todo_change *change);
int todo_store_set_done(struct todo_store *store, const char *id, struct todo_change *change);

#endif
