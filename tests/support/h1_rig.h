/* A server's connection without a socket, on virtual time: a client that is a string, an owner that
 * writes down what it is asked for, and a handler that the path chooses:
 *
 *     /hello   answers "hello" at once, with its length     /chunks  the same, length unknown
 *     /echo    sends the body back                          /early   answers before the body
 *     /hold    answers nothing; the test does               /abort   begins a body and gives up
 *     /none    204                                          /tunnel  echoes, as a tunnel
 *
 * The trace: exchange(/hold) body(abc) end writable abort; close reset pause read
 * slow(reader). */
#ifndef TESTS_SUPPORT_H1_RIG_H
#define TESTS_SUPPORT_H1_RIG_H

#include "gateway/filters/body_limits.h"
#include "support/trace.h"
#include "web/http/server.h"

#define H1_DATE  "date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
#define H1_HELLO "HTTP/1.1 200 OK\r\n" H1_DATE "content-length: 5\r\n\r\nhello"
#define H1_HELLO_CLOSE                                                                             \
    "HTTP/1.1 200 OK\r\n" H1_DATE "content-length: 5\r\nconnection: close\r\n\r\nhello"

enum { H1_RIG_OUTPUT_MAX = 4 * 1024 * 1024 };

struct h1_rig {
    struct trace trace;
    struct fe_http_limits limits;
    struct fe_arena filter_arena;
    struct fe_body_limits_filter body_limits; /* of all exchanges */
    const struct fe_filter_chain *filters;    /* that limit, and error pages */
    struct fe_timers timers;
    struct fe_pool pool;
    struct fe_chain out;
    struct fe_http_server *server;
    struct fe_exchange *ex; /* that runs, else NULL */
    uint64_t now_ms;
    uint64_t written;   /* by the client, from `out` */
    uint64_t waited_ms; /* what was in `out` */
    bool is_on_the_way; /* some of what has left `out` */
    size_t appetite;    /* body bytes that the handler takes in one call */
    bool is_eager;      /* it asks for more from within that call */
    unsigned n_exchanges;
    bool wants_run;                    /* the owner was asked to flush */
    struct fe_refcount *snapshot;      /* that exchanges hold; NULL: none */
    const struct fe_http_times *times; /* of the route of each exchange; NULL: none of its own */
    char *output;                      /* what the client has read, NUL-terminated */
    size_t n_output;
};

/* False: out of memory. */
bool h1_rig_init(struct h1_rig *rig);
void h1_rig_deinit(struct h1_rig *rig);

void h1_rig_feed(struct h1_rig *rig, const char *text);

/* Lets time pass; timers run as they come due. */
void h1_rig_pass(struct h1_rig *rig, uint64_t ms);

/* The client takes up to `max` bytes of the output. Returns how many. */
size_t h1_rig_take(struct h1_rig *rig, size_t max);

/* The client takes all; fails the test unless it is exactly this. */
#define h1_rig_expect(rig, expected) h1_rig_check((rig), (expected), __FILE__, __LINE__)
void h1_rig_check(struct h1_rig *rig, const char *expected, const char *file, int line);

/* A response of the test's own to the exchange that runs. */
int h1_rig_respond(struct h1_rig *rig, int status, uint64_t length, const char *name,
                   const char *value);

#endif
