/* What the node's threads have to tell, until JavaScript takes it: the only state that is shared.
 *
 * The mesh's thread appends; JavaScript, which is signaled once for all that is there, takes all of
 * it. While the environment is torn down JavaScript does not run any more: its thread waits here
 * instead (addon_pending_wait). */
#ifndef ADDON_PENDING_H
#define ADDON_PENDING_H

#include <flatend.h>
#include <node_api.h>
#include <pthread.h>

enum addon_entry_type { /* besides those of flatend_event_type */
                        ADDON_ENTRY_LOG = 32,
                        ADDON_ENTRY_STARTED = 33, /* start has returned; `code` */
                        ADDON_ENTRY_SHUT =
                            34, /* shutdown has returned: nothing more of the mesh follows */
                        ADDON_ENTRY_FREED = 35, /* the last one */
};

struct addon_entry {
    int type;
    int code;
    union {
        struct flatend_context *context; /* of a request */
        uintptr_t call;                  /* of a call: its id */
        struct flatend_provider *peer;   /* of a peer: owned */
        char *line;                      /* of the log: owned */
    } of;
    uint32_t service; /* of a new request */
    bool is_call;
};

struct addon_batch {
    struct addon_entry *entries;
    size_t n;
    size_t cap;
    size_t n_peers;
    size_t n_lines;
    size_t n_lost_lines; /* of the log, for which there was no space */
    bool has_lost_peers;
};

struct addon_pending {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct addon_batch batch;
    bool is_signaled;              /* JavaScript will come for it */
    bool may_free;                 /* nothing refers to the node any more */
    napi_threadsafe_function wake; /* NULL: there is no JavaScript */
};

int addon_pending_init(struct addon_pending *pending);
void addon_pending_deinit(struct addon_pending *pending);

/* Whom to signal from now on. */
void addon_pending_attach(struct addon_pending *pending, napi_threadsafe_function wake);

/* Any thread. */
void addon_pending_add(struct addon_pending *pending, struct addon_entry entry);
void addon_pending_on_event(void *pending, const struct flatend_event *event);
void addon_pending_on_log(void *pending, enum flatend_log_level level, const char *line);

/* Exchanges what is there with `batch`, which is empty. False: there is nothing, and JavaScript is
 * signaled when there is. */
bool addon_pending_take(struct addon_pending *pending, struct addon_batch *batch);

/* The same, waiting for it. */
void addon_pending_wait(struct addon_pending *pending, struct addon_batch *batch);

/* JavaScript returns to its loop, and comes back for the rest. */
void addon_pending_signal_again(struct addon_pending *pending);

/* The node may be freed; and waits until it may. */
void addon_pending_allow_free(struct addon_pending *pending);
void addon_pending_wait_for_free(struct addon_pending *pending);

/* Forgets an entry, and what it owns. */
void addon_entry_deinit(struct addon_entry *entry);

/* Forgets all of them. */
void addon_batch_clear(struct addon_batch *batch);

#endif
