/* flatend.h - the public interface of libflatend.
 *
 * A node joins a mesh, offers services, and calls the services of others:
 *
 *     #include <flatend.h>
 *
 *     static void hello(struct flatend_context *ctx, void *arg)
 *     {
 *         (void)arg;
 *         flatend_context_printf(ctx, "Hello world!\n");
 *     }
 *
 *     int main(void)
 *     {
 *         return flatend_serve("hello_world", hello) != 0;
 *     }
 *
 * Conventions. A function that can fail returns 0 (or a count) or a negative code of the table
 * below. Strings are UTF-8 and end in NUL unless a length is beside them. Times are milliseconds,
 * sizes bytes. Whatever is passed in is copied unless the text says otherwise. Every function says
 * from which threads it may be called, and FLATEND_ESTATE is for what cannot be now, or here.
 * FLATEND_EINVAL is NULL where something has to be, an array that is not there, and the like; what
 * returns no code returns NULL or does nothing then. A process that was forked cannot use what its
 * parent has made: FLATEND_ESTATE. The library has no mutable global state: any number of nodes
 * may live in one process. Structs start from zero ({0}, memset): fields that are reserved, or that
 * a later version adds, must be. The header is C89 and later, and C++11 and later.
 */
#ifndef FLATEND_H
#define FLATEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* C89 has no bool of its own; compilers know it all the same, and clang says so for each. */
#if defined(__clang__) && !defined(__cplusplus) &&                                                 \
    (!defined(__STDC_VERSION__) || __STDC_VERSION__ < 199901L)
#define FLATEND_C89
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wc99-extensions"
#endif

/* What only some compilers know is left out for the others. */
#if defined(__GNUC__) || defined(__clang__)
#define FLATEND_ATTRIBUTE(attribute) __attribute__((attribute))
#else
#define FLATEND_ATTRIBUTE(attribute)
#endif
#if defined(FLATEND_BUILD)
#define FLATEND_API FLATEND_ATTRIBUTE(visibility("default"))
#else
#define FLATEND_API
#endif
#define FLATEND_MUST_USE          FLATEND_ATTRIBUTE(warn_unused_result)
#define FLATEND_PRINTF(fmt, args) FLATEND_ATTRIBUTE(format(printf, fmt, args))

/* ---- errors --------------------------------------------------------------------------------- */

/* name, code, text. The codes are stable: new ones are added at the end. */
#define FLATEND_ERRORS(X)                                                                          \
    X(ENOMEM, -1, "out of memory")                                                                 \
    X(EINVAL, -2, "invalid argument")                                                              \
    X(ESTATE, -3, "invalid state")                                                                 \
    X(EAGAIN, -4, "would block")                                                                   \
    X(ECANCELED, -5, "canceled")                                                                   \
    X(ECLOSED, -6, "connection closed")                                                            \
    X(ETIMEDOUT, -7, "timed out")                                                                  \
    X(EREFUSED, -8, "connection refused")                                                          \
    X(EUNREACHABLE, -9, "peer unreachable")                                                        \
    X(EADDR, -10, "invalid address")                                                               \
    X(EADDRINUSE, -11, "address already in use")                                                   \
    X(EPROTO, -12, "protocol error")                                                               \
    X(EDECRYPT, -13, "decryption failed")                                                          \
    X(ESIGNATURE, -14, "invalid signature")                                                        \
    X(ETOOBIG, -15, "too large")                                                                   \
    X(ENOPROVIDER, -16, "no provider for the service")                                             \
    X(EUNHANDLED, -17, "request not handled")                                                      \
    X(ERESET, -18, "stream reset by the peer")                                                     \
    X(EIO, -19, "I/O error")                                                                       \
    X(EKEY, -20, "invalid key")                                                                    \
    X(EACCESS, -21, "permission denied")                                                           \
    X(ENOENT, -22, "no such file")                                                                 \
    X(EEXIST, -23, "already exists")                                                               \
    X(ELIMIT, -24, "limit exceeded")                                                               \
    X(ESYNTAX, -25, "syntax error")                                                                \
    X(EOVERFLOW, -26, "buffer too small")                                                          \
    X(EDENIED, -27, "not allowed")

/* FLATEND_OK is the last because C89 and C++98 allow no comma behind the last one. */
enum flatend_code {
#define FLATEND_DEFINE_CODE(name, code, text) FLATEND_##name = (code),
    FLATEND_ERRORS(FLATEND_DEFINE_CODE)
#undef FLATEND_DEFINE_CODE
        FLATEND_OK = 0
};

/* The text of a code ("out of memory"), and its name ("ENOMEM"). Never NULL. Any thread. */
FLATEND_API const char *flatend_strerror(int code);
FLATEND_API const char *flatend_error_name(int code);

/* What went wrong, with its context: "connect 10.0.0.2:9000: connection refused". */
struct flatend_error {
    int code;
    char text[256];
};

/* The version of the library that runs, "1.2.3". Any thread. */
FLATEND_API const char *flatend_version(void);

/* ---- keys and identities -------------------------------------------------------------------- */

enum { FLATEND_PUBLIC_KEY_LEN = 32, FLATEND_SECRET_KEY_LEN = 64 };

/* An Ed25519 secret key: the 32-byte seed, then the 32-byte public key. */
struct flatend_secret_key {
    uint8_t bytes[FLATEND_SECRET_KEY_LEN];
};

/* A new random key. FLATEND_EIO if the system has no randomness to give. Any thread. */
FLATEND_API int flatend_secret_key_generate(struct flatend_secret_key *key) FLATEND_MUST_USE;

/* Reads a key from `path`: 128 hexadecimal digits and an optional newline. A file that others than
 * its owner may read is refused. FLATEND_ENOENT, FLATEND_EACCESS, FLATEND_EKEY, FLATEND_EIO;
 * `error` (may be NULL) says what and where. Any thread. */
FLATEND_API int flatend_secret_key_load(struct flatend_secret_key *key, const char *path,
                                        struct flatend_error *error) FLATEND_MUST_USE;

/* Writes a key to `path` with mode 0600, atomically. FLATEND_EEXIST if the file is there already:
 * an identity is never overwritten. FLATEND_EACCESS, FLATEND_EIO. Any thread. */
FLATEND_API int flatend_secret_key_save(const struct flatend_secret_key *key, const char *path,
                                        struct flatend_error *error) FLATEND_MUST_USE;

/* Loads the key at `path`, or makes one and saves it there if there is none: of several processes
 * that do so at once all get the same. The errors of both. Any thread. */
FLATEND_API int flatend_secret_key_load_or_create(struct flatend_secret_key *key, const char *path,
                                                  struct flatend_error *error) FLATEND_MUST_USE;

/* Reads the secret of a mesh (flatend_options.mesh_secret) from `path` into `buf`, without the end
 * of its line: `*len` bytes, 16 to 4096. It is read, and refused, as by the gateway: a file that
 * others than its owner may read is. FLATEND_ENOENT, FLATEND_EACCESS, FLATEND_EKEY (not a regular
 * file), FLATEND_EIO; FLATEND_EINVAL: too short or too long; FLATEND_EOVERFLOW: longer than `cap`.
 * `error` (may be NULL) says what and where. Any thread. */
FLATEND_API int flatend_mesh_secret_load(const char *path, void *buf, size_t cap, size_t *len,
                                         struct flatend_error *error) FLATEND_MUST_USE;

/* The public half of a secret key: what the owner of the key is known by. */
struct flatend_public_key {
    uint8_t bytes[FLATEND_PUBLIC_KEY_LEN];
};

enum { FLATEND_PUBLIC_KEY_TEXT = 65 }; /* 64 hexadecimal digits and a NUL */

/* The public half. Any thread. */
FLATEND_API void flatend_secret_key_public(const struct flatend_secret_key *key,
                                           struct flatend_public_key *public_key);

/* A public key as 64 hexadecimal digits, and back. FLATEND_EKEY: `text` is anything else. Any
 * thread. */
FLATEND_API void flatend_public_key_format(const struct flatend_public_key *key,
                                           char text[FLATEND_PUBLIC_KEY_TEXT]);
FLATEND_API int flatend_public_key_parse(struct flatend_public_key *key,
                                         const char *text) FLATEND_MUST_USE;

/* Identity of a peer. A node without a secret key is anonymous: `public_key` is zero, `host` is "".
 */
struct flatend_id {
    uint8_t public_key[FLATEND_PUBLIC_KEY_LEN];
    char host[46]; /* the address at which it can be reached: "10.0.0.2", "::1" */
    uint16_t port;
    bool is_anonymous;
    /* The peer has proven for this very connection that the key is its own. False for peers of the
     * old protocol, whose proof can be replayed: do not base a decision on such a key. */
    bool is_proven;
    void *reserved[5]; /* 0 */
};

/* ---- events --------------------------------------------------------------------------------- */

/* Where events wait until the application takes them: of requests that are kept, of calls, of
 * nodes. One queue may be for any number of them, also of several nodes, and any number of threads
 * may take from it. An event comes to one taker. Or the queue is for one node, and has a callback.
 *
 * A request that is kept, as the application sees it, in each direction of its own:
 *
 *     body in    read ──▶ bytes, 0 at the end, or why it is gone
 *                     └─▶ FLATEND_EAGAIN ──▶ FLATEND_EVENT_READABLE, once ──▶ read again
 *     body out   write ─▶ 0: all of it was taken
 *                     └─▶ FLATEND_EAGAIN ──▶ FLATEND_EVENT_WRITABLE, once ──▶ write again
 *     both       FLATEND_EVENT_CANCELED or FLATEND_EVENT_DEADLINE, at most one of them, once: the
 *                requester does not want the response any more. Finish or fail is still due.
 *     finish, fail: nothing of the request comes to the queue after it, and nothing waits there.
 *
 * A call:
 *
 *     RESPONSE ──▶ READABLE and WRITABLE as above ──▶ TRAILERS, if there are any ──▶ END
 *         └──────────────────┴──────▶ FAILED: at any time before END, and nothing but READABLE
 *                                     behind it, where that is owed
 *     flatend_stream_close: nothing of the call comes after it, and nothing waits there. */
struct flatend_queue;
struct flatend_node;
struct flatend_context;
struct flatend_stream;

enum flatend_event_type {
    FLATEND_EVENT_REQUEST = 1,    /* for a service with a queue: `context` is to be answered */
    FLATEND_EVENT_RESPONSE = 2,   /* call: status and headers are there */
    FLATEND_EVENT_READABLE = 3,   /* a read that said FLATEND_EAGAIN would not say so now */
    FLATEND_EVENT_WRITABLE = 4,   /* the same of a write */
    FLATEND_EVENT_TRAILERS = 5,   /* call: headers came behind the body */
    FLATEND_EVENT_END = 6,        /* call: the response is complete; what is not read can be read */
    FLATEND_EVENT_CANCELED = 7,   /* request: given up by the requester, or lost; `code` says why */
    FLATEND_EVENT_DEADLINE = 8,   /* request: its time was up before the first write */
    FLATEND_EVENT_FAILED = 9,     /* call: there is no response, or no more of it: `code` */
    FLATEND_EVENT_STARTED = 10,   /* node: start has succeeded, or failed with `code` */
    FLATEND_EVENT_PEER_UP = 11,   /* node: `peer` is connected */
    FLATEND_EVENT_PEER_DOWN = 12, /* node: it was, and is not any more */
    FLATEND_EVENT_PEER_GIVEN_UP = 13, /* node: it was dialed, and is not dialed again */
    FLATEND_EVENT_PEERS_LOST = 14,    /* node: some events of peers could not be kept */
    FLATEND_EVENT_DRAINED = 15,       /* node: it shuts down; what ran has ended, or was canceled */
    FLATEND_EVENT_CLOSED = 16,        /* node: everything of it is closed. Its last event */
    FLATEND_EVENT_TIMER = 17          /* timer: it has fired, once or more */
};

/* A connected node. The handle is valid as long as the connection, and tells two anonymous nodes
 * apart. */
struct flatend_provider {
    uint64_t handle;
    struct flatend_id id;
    void *reserved[4]; /* 0 */
};

struct flatend_event {
    int type;                        /* enum flatend_event_type */
    int code;                        /* why, for CANCELED, DEADLINE, FAILED and STARTED; else 0 */
    void *arg;                       /* that was given with the queue */
    struct flatend_node *node;       /* whose event it is */
    struct flatend_context *context; /* of a request, else NULL */
    struct flatend_stream *stream;   /* of a call, else NULL */
    void *reserved[4];               /* 0 */
    struct flatend_provider peer; /* of PEER_UP, PEER_DOWN, PEER_GIVEN_UP (handle 0); else zero */
};

/* Makes an empty queue. FLATEND_ENOMEM. Any thread. */
FLATEND_API int flatend_queue_new(struct flatend_queue **queue) FLATEND_MUST_USE;

/* Runs on the node's own thread, as an inline handler does: must not block. `event` is valid during
 * the call. */
typedef void (*flatend_event_fn)(void *arg, const struct flatend_event *event);

/* Makes a queue whose events are not taken: they come to `fn`, with `arg` (the event has its own),
 * on the thread of their node, one at a time, in the order that flatend_queue_take has, at the end
 * of the turn of the node's loop in which they happen; FLATEND_EVENT_CLOSED before
 * flatend_node_shutdown returns, or on the application's loop before that ends. `fn` may call what
 * an inline handler may, flatend_queue_free of its own queue too. An event that `fn` is called with
 * while another thread finishes its request, closes its call, or gives its node another queue is
 * `fn`'s to forget. Such a queue is for one node, the first that it is used with, also when that is
 * freed: with another one it is FLATEND_EINVAL (to a flatend_node_new that has failed it does not
 * belong). FLATEND_EINVAL: no `fn`; FLATEND_ENOMEM. Any thread. */
FLATEND_API int flatend_queue_new_callback(flatend_event_fn fn, void *arg,
                                           struct flatend_queue **queue) FLATEND_MUST_USE;

/* Takes up to `cap` events, in the order in which their requests, calls and nodes had the first of
 * them; waits for one for up to `timeout_ms` (negative: without end, 0: not at all). Returns how
 * many; 0: time is up, or flatend_queue_wake was called. FLATEND_EINVAL: `cap` 0; FLATEND_ESTATE:
 * the queue has a callback. Any thread. */
FLATEND_API ssize_t flatend_queue_take(struct flatend_queue *queue, struct flatend_event *events,
                                       size_t cap, int timeout_ms) FLATEND_MUST_USE;

/* A descriptor that is readable while there is something to take: for a loop of the application's
 * (epoll, libuv, asyncio, Go) to watch. When it is, take with a timeout of 0 until that returns
 * fewer events than `cap`. The queue's own: neither read nor close it. A negative code:
 * FLATEND_ELIMIT; FLATEND_ESTATE: the queue has a callback. Any thread. */
FLATEND_API int flatend_queue_fd(struct flatend_queue *queue) FLATEND_MUST_USE;

/* One flatend_queue_take returns 0 at once: one that waits, or else the next. Of a queue with a
 * callback it does nothing. Any thread. */
FLATEND_API void flatend_queue_wake(struct flatend_queue *queue);

/* Frees the queue; what still refers to it goes on without telling anybody. No other thread may be
 * in a call with it. If it has a callback, that neither runs nor will once this has returned:
 * unless it is the callback that calls this, it is waited for, so that no lock may be held for
 * which it waits. NULL is allowed. */
FLATEND_API void flatend_queue_free(struct flatend_queue *queue);

/* ---- the node ------------------------------------------------------------------------------- */

struct uv_loop_s;

enum flatend_log_level { FLATEND_LOG_ERROR, FLATEND_LOG_WARN, FLATEND_LOG_INFO, FLATEND_LOG_DEBUG };

/* Receives the node's log, one line without newline a call. Called on the node's thread and on any
 * thread that is in a call of this library, so possibly on several at once; must not call back into
 * the node. */
typedef void (*flatend_log_fn)(void *arg, enum flatend_log_level level, const char *line);

/* A log function that writes "2006/01/02 15:04:05 line" to standard error, and never waits for its
 * reader. As `log` of a node's options it stands for a thread of the node's own, which writes the
 * node's lines: 1 MiB of them wait, further ones are lost, and one line says how many.
 * flatend_node_shutdown and flatend_node_free wait for at most a second until they are written; a
 * process that ends without these may lose the last ones. Called directly, it leaves out a line
 * that cannot be written at once. Lines are cut at 511 bytes. */
FLATEND_API void flatend_log_stderr(void *arg, enum flatend_log_level level, const char *line);

/* Serves one request. By default it runs on a thread of the node's pool and may block. The context
 * is the handler's until it returns; returning ends the response. When all threads are busy up to
 * 1024 requests wait for one; further ones are refused, so that their senders try another node. */
typedef void (*flatend_handler)(struct flatend_context *ctx, void *arg);

enum flatend_service_flags {
    /* Run on the node's own thread, once the whole request body is there (at most
     * FLATEND_INLINE_BODY_MAX bytes, more is answered with status 413). The handler must not
     * block; reads and writes never do. What it writes is sent when it returns, and at most
     * FLATEND_INLINE_RESPONSE_MAX bytes: a write beyond is FLATEND_ETOOBIG. For short functions
     * this is the fastest way. */
    FLATEND_SERVICE_INLINE = 1 << 0,
    /* Start as soon as the request's headers are there: for conversations, and for bodies that take
     * their time. Without it a request starts when its body is complete, or the first 64 KiB of it
     * are there, or 50 ms have passed: so a slow upload holds no thread at its beginning. An inline
     * handler that streams has to keep the request: its reads say FLATEND_EAGAIN. */
    FLATEND_SERVICE_STREAMING = 1 << 1
};

enum {
    FLATEND_INLINE_BODY_MAX = 65536,      /* request bytes that an inline service is given */
    FLATEND_INLINE_RESPONSE_MAX = 1048576 /* response bytes that it may write */
};

struct flatend_service {
    const char *name;        /* 1 to 255 bytes of UTF-8 */
    flatend_handler handler; /* NULL: requests come as events to `queue` */
    void *arg;               /* handed to the handler, or to the events */
    unsigned flags;          /* enum flatend_service_flags */
    /* Without a handler: each request is a FLATEND_EVENT_REQUEST there, and is kept as if
     * flatend_context_keep had been called with this queue. Freed before the service ends, it
     * refuses requests from then on. */
    struct flatend_queue *queue;
    void *reserved[4]; /* must be 0 */
};

/* Only nodes with one of these keys may provide the service. */
struct flatend_service_rule {
    const char *service;
    const struct flatend_public_key *keys;
    size_t n_keys;
    void *reserved[2]; /* must be 0 */
};

enum { FLATEND_MESH_SECRET_MIN = 16 }; /* bytes */

/* For flatend_options.reconnect_attempts: nothing was said. */
enum { FLATEND_RECONNECT_UNSET = -2147483647 - 1 };

enum flatend_start_flags {
    /* To be without a peer when time is up is a failure. */
    FLATEND_START_NEEDS_PEER = 1 << 0
};

struct flatend_options {
    size_t size; /* set by flatend_options_init and FLATEND_OPTIONS_INIT */

    /* The address at which peers can reach this node, "host:port". NULL: the first bind address
     * that is no unix socket. A host name is looked up when it is needed, and again before a
     * handshake if that was more than five seconds ago; peers are told what it is then. */
    const char *public_addr;

    /* The node's identity. NULL: the node is anonymous, listens nowhere and cannot be dialed. */
    const struct flatend_secret_key *secret_key;

    /* Addresses to accept peers on: "host:port", ":port" (all interfaces; port 0: any free one), or
     * "unix:/path", of at most 107 bytes, for peers on this machine. Peers tell each other
     * host:port only: one of those, or `public_addr`, has to be there. The file of a unix socket
     * has mode 0660 less the umask, replaces one on which nothing listens, and is removed when the
     * node closes. None given: `public_addr` (of a host name its port, on all interfaces), else a
     * free port on all interfaces. Without a key the node listens nowhere; the log says so. Host
     * names here are looked up by flatend_node_new, which may block for that. */
    const char *const *bind_addrs;
    size_t n_bind_addrs;

    const struct flatend_service *services;
    size_t n_services;

    /* Dialing again, when an address does not answer or a peer that was dialed is lost: how often
     * (0 and negative: never), for every address. Default FLATEND_RECONNECT_UNSET: for ever where
     * the address was given to flatend_node_start, 8 times where the mesh has told it. The first
     * attempt after a loss comes at once; before each of the others is a random delay of at most an
     * interval, which grows from `min` by `factor` up to `max`; with a factor of 1 and two equal
     * ones it is the delay itself, each time. After 8 attempts the log has one line in 30 seconds.
     * A peer that rejects this node is asked again once in a minute. */
    int reconnect_attempts;
    double reconnect_backoff_factor;   /* default 1.25; at least 1 */
    unsigned reconnect_backoff_min_ms; /* default 500 */
    unsigned reconnect_backoff_max_ms; /* default 1000 */

    /* Which peers this node trusts (docs/security.md). Everything here concerns proven keys, so all
     * of it but the rules keeps nodes of the old protocol out. */

    /* A secret that all nodes of the mesh share, at least FLATEND_MESH_SECRET_MIN bytes, best 32
     * random ones: a node without it can neither connect nor learn anything. Default NULL: none. */
    const void *mesh_secret;
    size_t mesh_secret_len;
    /* Accept no nodes of the old protocol. Default false. */
    bool require_secure;
    /* Public keys of the allowed peers, for incoming and outgoing connections. Default none: all
     * are allowed. */
    const struct flatend_public_key *allowed_keys;
    size_t n_allowed_keys;
    /* Which nodes may provide which service. Any node may provide a service without a rule. */
    const struct flatend_service_rule *service_rules;
    size_t n_service_rules;

    /* A peer from which nothing has come for this long, although it was asked, is gone. Not noticed
     * for peers of the old protocol, which cannot be asked. Default 15000; 0: never ask. */
    unsigned dead_after_ms;

    /* Threads for handlers: at most so many, started when needed and ended when idle. Default 256,
     * at most 4096. */
    unsigned handler_threads;

    /* How long flatend_node_shutdown waits for running requests. Default 10000. */
    unsigned shutdown_timeout_ms;

    /* Where the log goes. Default NULL: nowhere. Lines above `log_level` are not formatted. */
    flatend_log_fn log;
    void *log_arg;
    enum flatend_log_level log_level; /* default FLATEND_LOG_INFO */

    /* A libuv loop of the application's to live on. NULL: a thread and a loop of the node's own.
     * With a loop given, new, start, shutdown and free are called on the loop's thread, return at
     * once and complete on the loop; a failure to connect is logged. The node keeps the loop alive
     * until it is shut down. As with any TCP on libuv, that thread must ignore or block SIGPIPE. */
    struct uv_loop_s *loop;

    /* How long flatend_node_start waits for an answer from one of its addresses at most, and
     * whether it is a failure that there was none: enum flatend_start_flags. Default 5000 and 0: it
     * is none, and the node goes on dialing. At most a day; 0: do not wait. */
    unsigned start_timeout_ms;
    unsigned start_flags;
};

/* Fills in the defaults, for a struct of `size` bytes: pass sizeof(struct flatend_options), as the
 * compiler of the application sees it. An older library zeroes what it does not know, and
 * flatend_node_new takes that; a newer one fills in no more than `size` bytes. Any thread. */
FLATEND_API void flatend_options_init(struct flatend_options *options, size_t size);

/* The same as an initializer, for C99 and later. */
#define FLATEND_OPTIONS_INIT                                                                       \
    {                                                                                              \
        .size = sizeof(struct flatend_options), .reconnect_attempts = FLATEND_RECONNECT_UNSET,     \
        .reconnect_backoff_factor = 1.25, .reconnect_backoff_min_ms = 500,                         \
        .reconnect_backoff_max_ms = 1000, .dead_after_ms = 15000, .handler_threads = 256,          \
        .shutdown_timeout_ms = 10000, .log_level = FLATEND_LOG_INFO, .start_timeout_ms = 5000,     \
    }

/* Makes a node from `options`, all of which is checked and copied. Options that are longer than
 * those which this library knows are taken if what it does not know is zero. On failure `*node` is
 * NULL and `error` (may be NULL) says which option. FLATEND_EINVAL, FLATEND_EADDR, FLATEND_EKEY,
 * FLATEND_ENOMEM. Any thread; the node's owner frees it with flatend_node_free. */
FLATEND_API int flatend_node_new(const struct flatend_options *options, struct flatend_node **node,
                                 struct flatend_error *error) FLATEND_MUST_USE;

/* Listens, connects to `addrs` and discovers the mesh from there. An address is "host:port" or
 * "unix:/path"; with "KEY@" in front, KEY is the public key (64 hexadecimal digits) that the node
 * there has to prove. A host name is looked up before each attempt, at most every five seconds, and
 * all its addresses are tried. Returns 0 when the first of them has answered and the nodes that it
 * knows have been asked for, or after `start_timeout_ms`: an address that does not answer, or a
 * name that does not resolve, is tried again as a lost peer is. A failure at once is what time does
 * not change: FLATEND_EADDRINUSE, FLATEND_EADDR, ...; FLATEND_EDENIED: each address has rejected
 * this node, or has not proven its key; the code of the last attempt: all of them are used up.
 * FLATEND_ETIMEDOUT: none has answered in time, and `start_flags` says that this is a failure.
 * `error` (may be NULL) has the reason: "refused by 10.0.0.2:9000: a mesh secret is required".
 * After a failure the node can only be freed. Any thread but the node's own; once a node. */
FLATEND_API int flatend_node_start(struct flatend_node *node, const char *const *addrs,
                                   size_t n_addrs, struct flatend_error *error) FLATEND_MUST_USE;

/* Blocks until the process receives SIGINT or SIGTERM, or another thread shuts the node down; then
 * shuts it down. A second signal cancels what still runs instead of waiting for it; a third one has
 * its default effect again. FLATEND_ESTATE, at once: the node was not started, or this is its own
 * thread or a handler's, for which it would wait. FLATEND_ENOMEM, FLATEND_ELIMIT: it cannot wait,
 * and has shut the node down. */
FLATEND_API int flatend_node_wait(struct flatend_node *node);

/* Takes no new requests, waits up to `shutdown_timeout_ms` for running ones and for calls that are
 * not complete, then closes every connection. Calls that block elsewhere return FLATEND_ECANCELED.
 * Handlers must return then: until the last one has, this function waits. Idempotent; a node that
 * was not started cannot be any more. FLATEND_ESTATE, and nothing has happened: this is the node's
 * own thread (unless the loop is the application's) or a handler's. */
FLATEND_API int flatend_node_shutdown(struct flatend_node *node);

/* Shuts the node down if that was not done, and frees it. NULL is allowed. No other thread may be
 * in a call with it; its streams may still be closed afterwards. FLATEND_ESTATE, and nothing has
 * happened: as for shutdown; or the loop is the application's, and this is not its thread. */
FLATEND_API int flatend_node_free(struct flatend_node *node);

/* The address that the node's `index`-th listener is bound to, "127.0.0.1:9000" or
 * "unix:/path", in `buf` (120 bytes are enough): how to
 * learn a port that was asked for as 0. FLATEND_ENOENT: no such listener. FLATEND_EOVERFLOW.
 * Any thread, after start. */
FLATEND_API int flatend_node_listen_addr(struct flatend_node *node, size_t index, char *buf,
                                         size_t cap) FLATEND_MUST_USE;

/* Offers one more service, or stops offering one, on a node that runs; what is being served goes
 * on. Peers are told, but for those of the old protocol, which learn what a node offers only when
 * they connect. FLATEND_EEXIST, FLATEND_ENOENT; FLATEND_EINVAL as for flatend_node_new;
 * FLATEND_ELIMIT: too many or too long names; FLATEND_ESTATE: not started; FLATEND_ECANCELED: shut
 * down; FLATEND_ENOMEM. Any thread; on the application's loop they must be called there. */
FLATEND_API int flatend_node_add_service(struct flatend_node *node,
                                         const struct flatend_service *service) FLATEND_MUST_USE;
FLATEND_API int flatend_node_remove_service(struct flatend_node *node,
                                            const char *name) FLATEND_MUST_USE;

/* All of the above for one service: a node without a key that connects to the addresses of the
 * environment variable FLATEND_ADDRS (between commas or spaces; 127.0.0.1:9000 if it is not set),
 * logs to standard error, and serves `handler` (its `arg` is NULL) on the threads of its pool until
 * SIGINT or SIGTERM. Returns 0 then, or the code of flatend_node_new, flatend_node_start or
 * flatend_node_wait, whose text it has logged. For main. */
FLATEND_API int flatend_serve(const char *name, flatend_handler handler);

/* ---- what happens to a node, and timers on it ------------------------------------------------ */

/* From now on the node's events come to `queue`, with `arg`; instead of to another queue that was
 * given before, whose events that nobody has taken are forgotten. NULL: nobody is told any more.
 * Before start, to see all of it; then each of these comes:
 *
 *     STARTED ──▶ PEER_UP ──▶ PEER_DOWN ─┬▶ PEER_UP ...             ──▶ DRAINED ──▶ CLOSED
 *                                        └▶ PEER_GIVEN_UP
 *
 * STARTED when flatend_node_start would have returned, unless the node is shut down before; peers
 * may be up before it, and come after it. PEER_GIVEN_UP: an address that was given to start, or a
 * peer that was lost, has not answered in all its attempts (`reconnect_attempts`; without end for
 * what was given to start, unless set); `peer.id` has its host and port, and its key if that was
 * known. The events of one peer come in order. Up to 1024 events of peers wait; when one more
 * comes, or there is no memory for it, FLATEND_EVENT_PEERS_LOST follows them, and what happens
 * before that was taken is not told: look again with flatend_node_providers. Events end with the
 * node: take CLOSED before flatend_node_free. FLATEND_EINVAL: `queue` is for another node. Any
 * thread. */
FLATEND_API int flatend_node_watch(struct flatend_node *node, struct flatend_queue *queue,
                                   void *arg);

struct flatend_timer;

/* Runs on the node's own thread, as an inline handler does: must not block. */
typedef void (*flatend_timer_fn)(void *arg);

/* Calls `fn` after `delay_ms`, and then every `period_ms`, 0: once. A time that has passed while
 * the node was busy is left out, so that the calls stay in step. Timers run on while the node
 * drains, and fire no more when what still runs is canceled. FLATEND_EINVAL: no `fn` or `timer`;
 * FLATEND_ESTATE: not started; FLATEND_ECANCELED: shut down; FLATEND_ENOMEM; FLATEND_ELIMIT: the
 * node has 131072 timers. Any thread; on the application's loop it must be called there. */
FLATEND_API int flatend_timer_start(struct flatend_node *node, unsigned delay_ms,
                                    unsigned period_ms, flatend_timer_fn fn, void *arg,
                                    struct flatend_timer **timer) FLATEND_MUST_USE;

/* The same with a FLATEND_EVENT_TIMER at `queue`, with `arg`, for each call; those that were not
 * taken when the next one comes are one event. */
FLATEND_API int flatend_timer_start_queued(struct flatend_node *node, unsigned delay_ms,
                                           unsigned period_ms, struct flatend_queue *queue,
                                           void *arg,
                                           struct flatend_timer **timer) FLATEND_MUST_USE;

/* Stops and frees a timer, also one that has fired, and one whose node has shut down: once it has
 * returned `fn` neither runs nor will, and no event of it waits. `fn` may stop its own timer. Any
 * thread, as for start; another thread than the node's waits for the node's, so that it must not
 * hold a lock for which `fn` waits. Timers that are not stopped are freed with their node. NULL is
 * allowed. */
FLATEND_API void flatend_timer_stop(struct flatend_timer *timer);

/* ---- in a handler --------------------------------------------------------------------------- */

/* Name and value of one header. In what the library hands out, a NUL stands behind the value's
 * `value_len` bytes. */
struct flatend_header {
    const char *name;
    const char *value;
    size_t value_len;
    unsigned flags;    /* 0: none are defined yet */
    unsigned reserved; /* must be 0 */
};

/* The requester. */
FLATEND_API const struct flatend_id *flatend_context_id(const struct flatend_context *ctx);

/* Which of the requested services this handler was chosen for. */
FLATEND_API const char *flatend_context_service(const struct flatend_context *ctx);

/* The value of a request header by its lower-case name, or NULL. From the gateway come the HTTP
 * headers, "params.NAME" for route parameters, "query.NAME" for query parameters, ":method" and
 * ":path". "peer.id" is set by this node: the requester's public key in hexadecimal digits if it
 * has proven it (flatend_id.is_proven), else it is absent. With several of one name, the last.
 * Valid until the handler returns. */
FLATEND_API const char *flatend_context_header(const struct flatend_context *ctx, const char *name);

/* The same by meaning, NULL if the request does not say it; valid until the handler returns, or
 * the request that it has kept is finished. Any thread that may use the request.
 *
 * `:method` and `:path` (with its query, as the client sent it); a parameter of the route
 * ("/todos/:id") and one of the query ("?page=2"), percent-decoded, by a name in which upper and
 * lower case are the same. */
FLATEND_API const char *flatend_context_method(const struct flatend_context *ctx);
FLATEND_API const char *flatend_context_path(const struct flatend_context *ctx);
FLATEND_API const char *flatend_context_param(const struct flatend_context *ctx, const char *name);
FLATEND_API const char *flatend_context_query(const struct flatend_context *ctx, const char *name);

/* The value of a cookie (RFC 6265), without its quotes; of several of one name the first. What is
 * no cookie by that RFC is passed over. NULL: there is none, or no memory: each call makes a copy,
 * which lives as long as the request. Threads as for flatend_context_set_header. */
FLATEND_API const char *flatend_context_cookie(struct flatend_context *ctx, const char *name);

/* The node that serves the request: to call others from a handler. */
FLATEND_API struct flatend_node *flatend_context_node(const struct flatend_context *ctx);

/* All request headers in the order received. */
FLATEND_API const struct flatend_header *flatend_context_headers(const struct flatend_context *ctx,
                                                                 size_t *n);

/* Reads up to `cap` bytes of the request body. Blocks until there are some, or says FLATEND_EAGAIN
 * if the request is kept. Returns how many, 0 at the end, or FLATEND_ECLOSED, FLATEND_ECANCELED,
 * FLATEND_ERESET, FLATEND_ETIMEDOUT: the requester is gone. FLATEND_ENOMEM: a piece was lost; no
 * response is taken for whole then. FLATEND_EINVAL: `cap` 0. */
FLATEND_API ssize_t flatend_context_read(struct flatend_context *ctx, void *buf,
                                         size_t cap) FLATEND_MUST_USE;

/* Reads the whole body, at most `limit` bytes, else FLATEND_ETOOBIG. The memory is the context's,
 * with a NUL behind it. FLATEND_EAGAIN: what there was is kept; call again after the event. */
FLATEND_API int flatend_context_read_all(struct flatend_context *ctx, size_t limit,
                                         const char **data, size_t *len) FLATEND_MUST_USE;

/* The headers that came behind the request's body, once a read has returned 0; none before. */
FLATEND_API const struct flatend_header *flatend_context_trailers(struct flatend_context *ctx,
                                                                  size_t *n);

/* Milliseconds until the requester stops waiting for the response's headers (its `timeout_ms`, or
 * the route's timeout), 0 if that time has come; UINT_MAX if it did not say. When it comes before
 * the first write, the request is canceled. */
FLATEND_API unsigned flatend_context_remaining_ms(struct flatend_context *ctx);

/* Sets a response header, replacing one of the same name, or adds another one (Set-Cookie).
 * FLATEND_ESTATE after the first write, FLATEND_EINVAL for a name or a value with control
 * characters (a value may have tabs), or a name that is empty or begins with ':', FLATEND_ETOOBIG
 * when the headers outgrow what the requester takes: 256 KiB and 4,095 headers; 4,075 bytes, and
 * names of at most 255 (FLATEND_EINVAL), if it is a node of the old protocol or of an earlier
 * build. */
FLATEND_API int flatend_context_set_header(struct flatend_context *ctx, const char *name,
                                           const char *value);
FLATEND_API int flatend_context_add_header(struct flatend_context *ctx, const char *name,
                                           const char *value);

/* The HTTP status, 200 to 599; 200 unless set. FLATEND_ESTATE after the first write. */
FLATEND_API int flatend_context_set_status(struct flatend_context *ctx, int status);

/* Writes response body. The first write, also of no bytes, sends the headers. Blocks while the
 * requester does not keep up; if the request is kept, it says FLATEND_EAGAIN and nothing of it was
 * written. 0: all of it was. FLATEND_ECLOSED, FLATEND_ECANCELED, FLATEND_ERESET,
 * FLATEND_ETIMEDOUT: the requester is gone. FLATEND_ENOMEM: a part may have been written, unless
 * the request is kept. FLATEND_ETOOBIG: an inline handler, beyond FLATEND_INLINE_RESPONSE_MAX.
 * FLATEND_ESTATE after flatend_context_fail. */
FLATEND_API int flatend_context_write(struct flatend_context *ctx, const void *data, size_t len);
FLATEND_API int flatend_context_printf(struct flatend_context *ctx, const char *format, ...)
    FLATEND_PRINTF(2, 3);

/* Adds a header behind the response's body; peers of the old protocol do not get it. Before the
 * handler returns. FLATEND_EINVAL, FLATEND_ETOOBIG, FLATEND_ENOMEM. */
FLATEND_API int flatend_context_add_trailer(struct flatend_context *ctx, const char *name,
                                            const char *value);

/* Ends the request with an error. Before the first write: `status` and the JSON body
 * {"error": "message"}, in place of the headers set so far; the message is cut at 511 bytes. After
 * it: the stream is aborted, so that the requester sees a failure and not a short body (old peers,
 * which know no abort, see the short body). A request that is kept is gone then, as after
 * flatend_context_finish. FLATEND_ESTATE when called again. */
FLATEND_API int flatend_context_fail(struct flatend_context *ctx, int status, const char *format,
                                     ...) FLATEND_PRINTF(3, 4);

/* The whole response: `status`, the content-type application/json, the content-length `len`, and
 * these bytes, which are not looked at. Headers that were set before stay. Nothing may be written
 * after it; a request that is kept is gone then, as after flatend_context_finish, unless it says
 * FLATEND_ESTATE, FLATEND_EINVAL (no status from 200 to 599, or 204, 205 or 304, which have no
 * content) or FLATEND_ETOOBIG (an inline handler, beyond FLATEND_INLINE_RESPONSE_MAX; or the
 * headers): then nothing was sent. After another code, one of flatend_context_write's, the request
 * is reset: the requester never sees a part of the response. */
FLATEND_API int flatend_context_json(struct flatend_context *ctx, int status, const char *text,
                                     size_t len);

/* flatend_context_fail in the form of RFC 9457, as the gateway's own problems: the content-type
 * application/problem+json and {"title":"Not Found","status":404,"detail":"message"}. All else is
 * as there. */
FLATEND_API int flatend_context_problem(struct flatend_context *ctx, int status, const char *format,
                                        ...) FLATEND_PRINTF(3, 4);

/* Keeps the request beyond its handler, which calls this: it is answered later, by any thread (by
 * one at a time, but one may write while another reads), until flatend_context_finish or
 * flatend_context_fail, whichever comes first. No thread waits for it: reads and writes that would
 * block say FLATEND_EAGAIN, and an event with `arg` follows at `queue` (NULL: nobody is told; look
 * again later). FLATEND_ESTATE: it is kept already, or failed; FLATEND_EINVAL: `queue` is for
 * another node. From the handler only. */
FLATEND_API int flatend_context_keep(struct flatend_context *ctx, struct flatend_queue *queue,
                                     void *arg);

/* Ends the response of a request that was kept, or came from a queue; then the context is gone. 0,
 * or why the requester does not get it: FLATEND_ECLOSED, FLATEND_ECANCELED, FLATEND_ERESET,
 * FLATEND_ETIMEDOUT, FLATEND_ENOMEM. FLATEND_ESTATE, and nothing has happened: it is not kept, so
 * that its handler ends it by returning. Requests that are never finished end with their node:
 * flatend_node_shutdown cancels them when its time is up, and flatend_node_free frees them. */
FLATEND_API int flatend_context_finish(struct flatend_context *ctx);

/* True once the requester is gone, or does not want the response any more, or its time is up: a
 * long computation may stop. Blocked reads and writes return by themselves then, and so do those of
 * calls made on behalf of this request (flatend_request.parent). */
FLATEND_API bool flatend_context_is_canceled(const struct flatend_context *ctx);

/* ---- calling services ----------------------------------------------------------------------- */

/* Names of headers are any text without control characters, and are sent in lower case; values may
 * have tabs besides. */
struct flatend_request {
    const char *const *services; /* tried in the provider in this order; at least one */
    size_t n_services;
    const struct flatend_header *headers;
    size_t n_headers;
    const void *body; /* the whole body, or NULL: write it with flatend_stream_write */
    size_t body_len;
    uint64_t provider;   /* a `flatend_provider.handle`, or 0: any provider */
    unsigned timeout_ms; /* until the response headers; 0: no limit. The provider is told */
    unsigned flags;      /* 0: none are defined yet */
    /* The request of the same node on whose behalf this one is made, or NULL: when it is canceled
     * so is this one, and what is left of its time is the most that this one gets. */
    struct flatend_context *parent;
    /* Where the call's events go, with `arg`: then nothing waits, flatend_push neither, and what
     * would block says FLATEND_EAGAIN. NULL: every function waits. */
    struct flatend_queue *queue;
    void *arg;
    void *reserved[8]; /* must be 0 */
};

/* Sends a request and returns its stream, which the caller closes. With `body` given, the request
 * is complete; else write the body and finish it. Blocks only for back-pressure: while more than
 * 256 KiB of the body wait, so that a provider which sends a long body back before it has read all
 * would wait for this caller to read: then rather flatend_call, or a queue. FLATEND_ENOPROVIDER,
 * FLATEND_ETOOBIG (headers beyond 256 KiB, or beyond what any provider takes: 4,075 bytes if it is
 * a node of the old protocol), FLATEND_ECANCELED (shut down), FLATEND_ESTATE (not started). Any
 * thread but the node's own, where it is FLATEND_ESTATE.
 *
 * With a queue it returns at once, on any thread, the body is copied whole, and why there was no
 * provider comes as FLATEND_EVENT_FAILED. */
FLATEND_API int flatend_push(struct flatend_node *node, const struct flatend_request *request,
                             struct flatend_stream **stream,
                             struct flatend_error *error) FLATEND_MUST_USE;

/* Writes request body; blocks while the provider does not keep up, or says FLATEND_EAGAIN if the
 * call has a queue: then nothing of it was written. Once the response is complete,
 * what is written is dropped. FLATEND_ESTATE when the body is complete, else why the stream is
 * gone. */
FLATEND_API int flatend_stream_write(struct flatend_stream *stream, const void *data, size_t len);

/* Adds a header behind the request's body; providers of the old protocol do not get it. Before the
 * body is complete, else FLATEND_ESTATE. FLATEND_EINVAL, FLATEND_ETOOBIG, FLATEND_ENOMEM. */
FLATEND_API int flatend_stream_add_trailer(struct flatend_stream *stream, const char *name,
                                           const char *value);

/* Ends the request body. */
FLATEND_API int flatend_stream_finish(struct flatend_stream *stream);

/* Waits for the response's headers; with a queue, says FLATEND_EAGAIN before
 * FLATEND_EVENT_RESPONSE. 0, or why there is no response: FLATEND_EUNHANDLED, FLATEND_ECLOSED,
 * FLATEND_ETIMEDOUT, ... `status` and `headers` may be NULL; the headers live as
 * long as the stream. */
FLATEND_API int flatend_stream_response(struct flatend_stream *stream, int *status,
                                        const struct flatend_header **headers, size_t *n_headers);

/* Reads response body: how many bytes, 0 at the end, or a negative code; with a queue also
 * FLATEND_EAGAIN. */
FLATEND_API ssize_t flatend_stream_read(struct flatend_stream *stream, void *buf,
                                        size_t cap) FLATEND_MUST_USE;

/* The headers that came behind the response's body, once a read has returned 0; none before. They
 * live as long as the stream. */
FLATEND_API const struct flatend_header *flatend_stream_trailers(struct flatend_stream *stream,
                                                                 size_t *n);

/* Reads the rest of the response, at most `limit` bytes, else FLATEND_ETOOBIG; the memory is the
 * stream's. With a queue, FLATEND_EAGAIN: what there was is kept. */
FLATEND_API int flatend_stream_read_all(struct flatend_stream *stream, size_t limit,
                                        const char **data, size_t *len) FLATEND_MUST_USE;

/* Ends and frees the stream; one that is not complete is canceled. NULL is allowed. A stream is
 * used by one thread at a time, but one may write it while another reads it. */
FLATEND_API void flatend_stream_close(struct flatend_stream *stream);

/* A whole response. Made by the library only: it may get further members behind these. */
struct flatend_response {
    int status;
    const struct flatend_header *headers;
    size_t n_headers;
    const char *body; /* with a NUL behind it */
    size_t body_len;
    const struct flatend_header *trailers; /* what came behind the body */
    size_t n_trailers;
};

/* Sends a request and waits for all of its response, of which the body may have `limit` bytes. A
 * request without a body has an empty one; one that is given is copied whole. A status of 400 or
 * more is a response like others. The errors of flatend_push, flatend_stream_response and
 * flatend_stream_read (FLATEND_ETIMEDOUT, FLATEND_EUNHANDLED, FLATEND_ECLOSED, ...);
 * FLATEND_ETOOBIG: the body is longer; FLATEND_EINVAL: a request with a queue, for which nothing
 * waits. On failure `*response` is NULL, and `error` (may be NULL) says why. Blocks; any thread but
 * the node's own. */
FLATEND_API int flatend_call(struct flatend_node *node, const struct flatend_request *request,
                             size_t limit, struct flatend_response **response,
                             struct flatend_error *error) FLATEND_MUST_USE;

/* Frees a response and all that it points to. NULL is allowed. Any thread, also after its node was
 * freed. */
FLATEND_API void flatend_response_free(struct flatend_response *response);

/* The connected providers of any of `services`, each node once, and this node itself if it is one.
 * Writes at most `cap` of them and returns how many there are, or a negative code: FLATEND_ESTATE:
 * not started; FLATEND_ECANCELED: shut down. Any thread. */
FLATEND_API ssize_t flatend_node_providers(struct flatend_node *node, const char *const *services,
                                           size_t n_services, struct flatend_provider *providers,
                                           size_t cap) FLATEND_MUST_USE;

/* ---- bodies that are not copied ------------------------------------------------------------ */

/* Received bytes, where they have arrived. */
struct flatend_buffer;

/* Read as flatend_context_read and flatend_stream_read do, but without copying: `*data` are some
 * bytes, how many is returned, until `*buffer` is released. 0 at the end, or their codes:
 * `*buffer` is NULL. A buffer has memory for up to 16 KiB, and counts against no limit of the
 * request's any more: small pieces are better read, and large ones released soon. FLATEND_EINVAL:
 * no `data` or `buffer`. */
FLATEND_API ssize_t flatend_context_read_buffer(struct flatend_context *ctx, const void **data,
                                                struct flatend_buffer **buffer) FLATEND_MUST_USE;
FLATEND_API ssize_t flatend_stream_read_buffer(struct flatend_stream *stream, const void **data,
                                               struct flatend_buffer **buffer) FLATEND_MUST_USE;

/* Gives the memory back, once. Any thread, also after the request, the call and the node are gone.
 * NULL is allowed. */
FLATEND_API void flatend_buffer_release(struct flatend_buffer *buffer);

/* The bytes that were written are not needed any more. Must not block; may call what an inline
 * handler may. */
typedef void (*flatend_release_fn)(void *arg);

/* Write as flatend_context_write and flatend_stream_write do, but without copying: once 0 was
 * returned `data` has to stay as it is until `release(arg)` is called, once, on any thread,
 * possibly before this returns: when the bytes were sent, or will not be. After any other code the
 * bytes are the caller's, and `release` is not called. All of them are taken at once, however many
 * there are. NULL for `release`: they stay anyway. Fewer than 4 KiB are copied. */
FLATEND_API int flatend_context_write_buffer(struct flatend_context *ctx, const void *data,
                                             size_t len, flatend_release_fn release, void *arg);
FLATEND_API int flatend_stream_write_buffer(struct flatend_stream *stream, const void *data,
                                            size_t len, flatend_release_fn release, void *arg);

/* ---- settled, and not built -------------------------------------------------------------------
 */

/* The functions of what docs/PROTOCOL.md §2.8 settles and this version does not speak: they answer
 * FLATEND_ESTATE and touch nothing, so that an application may be written for them and ask. Any
 * thread. */

/* A body as messages: each write is one, and arrives as one. `limit` bounds what is read; the
 * memory is the context's or stream's, until the next read. */
FLATEND_API int flatend_context_read_message(struct flatend_context *ctx, size_t limit,
                                             const void **data, size_t *len) FLATEND_MUST_USE;
FLATEND_API int flatend_context_write_message(struct flatend_context *ctx, const void *data,
                                              size_t len);
FLATEND_API int flatend_stream_read_message(struct flatend_stream *stream, size_t limit,
                                            const void **data, size_t *len) FLATEND_MUST_USE;
FLATEND_API int flatend_stream_write_message(struct flatend_stream *stream, const void *data,
                                             size_t len);

/* What a node has counted, as text in the exposition format of Prometheus: writes at most `cap`
 * bytes, a NUL among them, to `text`, and the whole length to `*len`. */
FLATEND_API int flatend_node_metrics(struct flatend_node *node, char *text, size_t cap,
                                     size_t *len) FLATEND_MUST_USE;

/* The trace that a request is part of (W3C Trace Context). */
struct flatend_trace {
    uint8_t trace_id[16];
    uint8_t parent_id[8]; /* of the span that made the request */
    unsigned flags;       /* 1: sampled */
    unsigned reserved;    /* 0 */
};

FLATEND_API int flatend_context_trace(const struct flatend_context *ctx,
                                      struct flatend_trace *trace) FLATEND_MUST_USE;

#ifdef FLATEND_C89
#pragma clang diagnostic pop
#undef FLATEND_C89
#endif

#ifdef __cplusplus
}
#endif

#endif
