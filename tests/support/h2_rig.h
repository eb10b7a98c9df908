/* A server's HTTP/2 connection without a socket, on virtual time. Its client is one of nghttp2's,
 * or bytes that no client would send; the handler is chosen by the path:
 *
 *     /hello   answers "hello" at once, with its length     /chunks  the same, length unknown
 *     /echo    sends body and trailers back                 /early   answers before the body
 *     /hold    answers nothing; the test does               /abort   begins a body and gives up
 *     /none    204                                          /big/N   N bytes, as they are taken
 *     /tunnel  echoes, as a tunnel
 *
 * The trace says what the handlers see and what is asked of the owner: exchange(/hold) body(abc)
 * end trailer(a=b) writable abort; close reset abuse(too many ...) slow(reader). What the server
 * sends is in `frames`: SETTINGS WINDOW_UPDATE(0) HEADERS(1) DATA(1,5,end) RST_STREAM(1,CANCEL). */
#ifndef TESTS_SUPPORT_H2_RIG_H
#define TESTS_SUPPORT_H2_RIG_H

#include <nghttp2/nghttp2.h>

#include "gateway/filters/body_limits.h"
#include "support/trace.h"
#include "web/http/h2/server.h"

enum { H2_RIG_HELD_MAX = 1024, H2_RIG_REPLIES_MAX = 2048, H2_RIG_TEXT_MAX = 512 };

/* What the client has got on one stream. */
struct h2_reply {
    char head[H2_RIG_TEXT_MAX]; /* "200 name=value ...", "100 200 ..." */
    char body[H2_RIG_TEXT_MAX]; /* its beginning, NUL-terminated */
    char trailers[H2_RIG_TEXT_MAX];
    size_t n_body;
    bool is_closed;
    uint32_t code; /* of RST_STREAM */
};

struct h2_rig {
    struct trace trace;
    struct trace frames;
    struct fe_http_limits limits;
    struct fe_arena filter_arena;
    struct fe_body_limits_filter body_limits; /* of all exchanges */
    const struct fe_filter_chain *filters;    /* that limit, and error pages */
    struct fe_h2_counters counters;
    struct fe_timers timers;
    struct fe_pool pool;
    struct fe_chain out;
    struct fe_http_server *server;
    struct fe_exchange *held[H2_RIG_HELD_MAX]; /* of /hold, by their order; NULL: over */
    size_t n_held;
    struct fe_refcount *snapshot;      /* that exchanges hold; NULL: none */
    const struct fe_http_times *times; /* of the route of each exchange; NULL: none of its own */
    size_t n_running;                  /* handlers that have not heard of their end */
    uint64_t now_ms;
    uint64_t written;
    uint64_t unacked;   /* of it: still on its way, as far as the server knows */
    uint64_t waited_ms; /* what was in `out` */
    size_t appetite;    /* body bytes that /hold takes in one call */
    bool wants_run;     /* the owner was asked to flush */
    bool is_closed;
    bool is_unread; /* the client takes nothing */
    bool is_stingy; /* the client gives no window by itself */
    size_t cut;     /* pieces in which the server gets what the client sends; 0: whole */

    nghttp2_session *client;                          /* NULL: the test sends bytes */
    struct h2_reply *replies;                         /* by (id - 1) / 2 */
    const struct fe_view *bodies[H2_RIG_REPLIES_MAX]; /* that the client is sending */
    size_t sent[H2_RIG_REPLIES_MAX];
    uint8_t header[9]; /* of the frame that is being traced */
    size_t n_header;
    uint8_t payload[8];
    size_t n_payload; /* bytes of it that have been seen */
};

/* False: out of memory. */
bool h2_rig_init(struct h2_rig *rig, bool has_client);
bool h2_rig_init_with_tunnels(struct h2_rig *rig); /* has a client, and tells it of them */
void h2_rig_deinit(struct h2_rig *rig);

/* Bytes from the client, and whatever follows from them. */
void h2_rig_feed(struct h2_rig *rig, const void *data, size_t len);
/* Both sides send until neither has anything more. */
void h2_rig_pump(struct h2_rig *rig);
void h2_rig_pass(struct h2_rig *rig, uint64_t ms);

/* The preface and a first SETTINGS frame, for a test that sends bytes. */
void h2_rig_greet(struct h2_rig *rig);
/* A frame by hand. */
void h2_rig_frame(struct h2_rig *rig, uint8_t type, uint8_t flags, uint32_t id, const void *payload,
                  size_t len);

/* The client's request: "name: value" pairs after the four pseudo-fields; `body` NULL: none. It is
 * sent by h2_rig_pump. Returns the stream's id. */
int32_t h2_rig_request(struct h2_rig *rig, const char *method, const char *path,
                       const struct fe_view *body);
int32_t h2_rig_request_with(struct h2_rig *rig, const nghttp2_nv *nv, size_t n,
                            const struct fe_view *body);
#define H2_NV(name, value)                                                                         \
    {                                                                                              \
        (uint8_t *)(uintptr_t)(name), (uint8_t *)(uintptr_t)(value), sizeof(name) - 1,             \
            sizeof(value) - 1, NGHTTP2_NV_FLAG_NONE                                                \
    }

/* A GET, sent and answered. */
const struct h2_reply *h2_rig_get(struct h2_rig *rig, const char *path);
const struct h2_reply *h2_rig_reply(const struct h2_rig *rig, int32_t id);

/* The handlers: h2_handlers.c. */
void h2_rig_on_exchange(void *owner, struct fe_exchange *ex);

/* A response of the test's own to a held exchange. */
int h2_rig_respond(struct h2_rig *rig, size_t index, int status, uint64_t length);

#endif
