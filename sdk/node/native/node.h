/* A node, as JavaScript has it.
 *
 *     CREATED ── start ──▶ OPEN ── shutdown, or the environment is torn down ──▶ CLOSING ──▶ CLOSED
 *        └──────────────── shutdown ──────────────────────────────────────────────────────────┘
 *
 * Three threads: JavaScript's, which has all of this but `pending`; the mesh's own, which only
 * appends to `pending`; and one that starts, and one that closes, since both wait. The latter two
 * share `mesh` and `is_closing`.
 *
 * The memory is held by the External that JavaScript has, by the function that wakes it, and by the
 * node itself while it is open. */
#ifndef ADDON_NODE_H
#define ADDON_NODE_H

#include <flatend.h>
#include <node_api.h>
#include <pthread.h>
#include <stdatomic.h>

#include "exchanges.h"
#include "inbox.h"
#include "options.h"
#include "pending.h"
#include "text.h"

enum addon_phase { ADDON_CREATED, ADDON_OPEN, ADDON_CLOSING, ADDON_CLOSED };

struct addon_node {
    unsigned n_refs;
    napi_env env;
    enum addon_phase phase;
    bool is_ref; /* it keeps the process alive, as JavaScript wants it */
    bool is_delivering;
    bool is_deferred; /* the rest is delivered by a setImmediate, which holds the node */
    bool is_shut;     /* the mesh's node may be freed: it is not called any more */
    struct addon_exchanges exchanges;
    struct addon_batch batch; /* taken from `pending` */
    struct addon_text text;
    napi_ref inbox;
    napi_ref on_batch;
    napi_ref closed_promise;
    napi_deferred started; /* NULL: nobody waits for it, or no more */
    napi_deferred closed;
    napi_threadsafe_function wake;

    /* the thread that starts; `error` once it has told ADDON_ENTRY_STARTED */
    struct addon_options *options;
    struct flatend_queue *queue;
    const char *const *addrs;
    size_t n_addrs;
    struct flatend_error error;
    pthread_t starter;
    bool has_starter;

    /* the thread that closes */
    pthread_t closer;

    /* any thread */
    struct addon_pending pending;
    _Atomic(struct flatend_node *) mesh; /* NULL: not yet */
    atomic_bool is_closing;
};

/* The mesh's node, for calls on JavaScript's thread; NULL: there is none. */
struct flatend_node *addon_node_mesh(const struct addon_node *node);

/* The open request or call of an id; NULL: it is gone. */
struct addon_exchange *addon_node_find(const struct addon_node *node, uint32_t id);

/* What it has of JavaScript's is not used any more. */
void addon_node_forget_javascript(struct addon_node *node);

void addon_node_unref(struct addon_node *node);

/* ---- deliver.c ---- */

/* Tells JavaScript what is pending. */
void addon_node_deliver(struct addon_node *node);

/* ---- start.c, close.c ---- */

void addon_node_on_started(struct addon_node *node, int code);

/* Everything that is open is ended, and the node may be freed. */
void addon_node_on_shut(struct addon_node *node);
void addon_node_on_freed(struct addon_node *node);

/* The environment is torn down: closes the node, without JavaScript. */
void addon_node_on_cleanup(void *node);

/* A thread on which no signal arrives. FLATEND_ELIMIT. */
int addon_thread_start(pthread_t *thread, void *(*run)(void *arg), void *arg);

/* ---- functions for JavaScript ----
 *
 * Called by lib/ only, which checks what applications hand in: a wrong type here is a TypeError.
 * Results are 0 or what is asked for, or a code of flatend.h; FLATEND_ESTATE if the node is not
 * started or is shut down, or if the id is gone or is of the other kind. Ids are of one request, or
 * of one call, and greater than 0. All of them return at once. */

/* create(options, inbox, onBatch): a node, which is to be started or shut down. `inbox` is a
 * Uint8Array of at least 64 KiB (1 MiB is good: heads that do not fit are refused); onBatch(n) is
 * called with how many bytes of records are in it (inbox.h), which are valid until it returns. What
 * it throws is an uncaught exception. */
napi_value addon_create(napi_env env, napi_callback_info info);

/* start(node, addrs): a promise; rejected with an Error that has a `code` and the text of
 * flatend_node_start. Once a node. Records may come before it is fulfilled. */
napi_value addon_start(napi_env env, napi_callback_info info);

/* shutdown(node): a promise, the same each time, which is rejected only if no thread can be had.
 * What runs may end meanwhile; then all that is open fails, and the ids are gone. */
napi_value addon_shutdown(napi_env env, napi_callback_info info);

/* ref(node, is): whether the node keeps the process alive. One that is created only, has failed to
 * start, or has shut down never does; one that shuts down always does. */
napi_value addon_ref(napi_env env, napi_callback_info info);

/* services.c: addService(node, name, serviceId, flags); removeService(node, name);
 * providers(node, services): an array of {handle, publicKey, host, port, isAnonymous, isProven}, or
 * a code; listenAddr(node, index): a string, or undefined. */
napi_value addon_add_service(napi_env env, napi_callback_info info);
napi_value addon_remove_service(napi_env env, napi_callback_info info);
napi_value addon_providers(napi_env env, napi_callback_info info);
napi_value addon_listen_addr(napi_env env, napi_callback_info info);

/* request.c. Headers are [name, value, name, value ...], null or undefined.
 *
 * respond(node, id, status, headers, body): the whole response; the body is a string, a Uint8Array,
 * null or undefined. The id is gone after it, unless it says FLATEND_EAGAIN, FLATEND_ETOOBIG,
 * FLATEND_EINVAL or FLATEND_ESTATE: then nothing was sent, and fail still can be. What it has set
 * of the head is set, and is not set by another try.
 * head(node, id, status, headers): once; leaves with the first write, or finish. After a code that
 * is not 0 fail is due.
 * finish(node, id); fail(node, id, status, message); problem(node, id, status, message): the id is
 * gone after them, unless a status that is none is FLATEND_EINVAL.
 * remaining(node, id): milliseconds; 2^32 - 1: without end. */
napi_value addon_respond(napi_env env, napi_callback_info info);
napi_value addon_head(napi_env env, napi_callback_info info);
napi_value addon_finish(napi_env env, napi_callback_info info);
napi_value addon_fail(napi_env env, napi_callback_info info);
napi_value addon_problem(napi_env env, napi_callback_info info);
napi_value addon_remaining(napi_env env, napi_callback_info info);

/* body.c, for both kinds of id.
 *
 * write(node, id, bytes, from, to): 0, or FLATEND_EAGAIN: nothing of it was taken, and WRITABLE
 * follows. No bytes send the head.
 * read(node, id, bytes): how many, 0 at the end; FLATEND_EAGAIN: READABLE follows.
 * trailers(node, id): as headers are, once a read has said 0; addTrailer(node, id, name, value). */
napi_value addon_write(napi_env env, napi_callback_info info);
napi_value addon_read(napi_env env, napi_callback_info info);
napi_value addon_trailers(napi_env env, napi_callback_info info);
napi_value addon_add_trailer(napi_env env, napi_callback_info info);

/* call.c.
 *
 * push(node, services, headers, body, timeoutMs, provider, parentId): an id, or a code. The body as
 * of respond, but null: it is written later, and ended by endBody. `provider` is a handle or null,
 * `parentId` an id of a request, or 0; FLATEND_ECANCELED: that is gone.
 * endBody(node, id); close(node, id): the id is gone after it. */
napi_value addon_push(napi_env env, napi_callback_info info);
napi_value addon_end_body(napi_env env, napi_callback_info info);
napi_value addon_close(napi_env env, napi_callback_info info);

/* keys.c. What fails is thrown: an Error with a `code`.
 *
 * generateSecretKey(), loadSecretKey(path), loadOrCreateSecretKey(path): Buffers of 64 bytes;
 * saveSecretKey(key, path); publicKey(secretKey): 32 bytes; loadMeshSecret(path): a Buffer. */
napi_value addon_generate_secret_key(napi_env env, napi_callback_info info);
napi_value addon_load_secret_key(napi_env env, napi_callback_info info);
napi_value addon_load_or_create_secret_key(napi_env env, napi_callback_info info);
napi_value addon_save_secret_key(napi_env env, napi_callback_info info);
napi_value addon_public_key(napi_env env, napi_callback_info info);
napi_value addon_load_mesh_secret(napi_env env, napi_callback_info info);

#endif
