/* Limits of one HTTP/2 connection, and counters of the connections that exceeded them. */
#ifndef FE_WEB_HTTP_H2_LIMITS_H
#define FE_WEB_HTTP_H2_LIMITS_H

#include "ground/base/stats.h"

enum {
    /* Requests at once (SETTINGS_MAX_CONCURRENT_STREAMS). A browser needs a hundred, a proxy for
       many users more. Each costs its exchange's arena, some 6 KiB. */
    FE_H2_STREAMS_MAX = 1000,
    /* What a client may send of a body before the backend has taken any of it: enough for 20 Mbit/s
     * at 100 ms. */
    FE_H2_STREAM_WINDOW = 256 * 1024,
    /* The same of all bodies together. Returned as they arrive, so that a backend that consumes
       nothing blocks no other body, ... */
    FE_H2_CONNECTION_WINDOW = 1024 * 1024,
    /* ... unless backends together have left more than this. */
    FE_H2_HELD_MAX = 4 * 1024 * 1024,
    /* What is left of a request that is answered is discarded up to here; beyond, the client is
     * told to stop. */
    FE_H2_DISCARD_MAX = 32 * 1024,
    /* Buffered bytes of a response: enough for four frames, so that the next piece is
     * there before the last has gone. */
    FE_H2_STREAM_OUT_MAX = 64 * 1024,
    /* Beyond this in all responses together each may have FE_H2_STREAM_OUT_MIN. */
    FE_H2_OUT_MAX = 1024 * 1024,
    FE_H2_STREAM_OUT_MIN = 16 * 1024,
    /* Heads of the requests that run, together; at least one of the largest. HPACK makes 4 KiB of
     * one byte. */
    FE_H2_HEADS_MAX = 4 * 1024 * 1024,
    /* Fields of a request that are decoded before the connection is closed. 431 is answered from
     * FE_FIELDS_MAX on, but the rest of the block has to be decoded: one byte may be a field. */
    FE_H2_FIELDS_SEEN_MAX = 2048,
    /* Frames that continue a header block, beyond those that a head of the largest size needs. */
    FE_H2_CONTINUATIONS_EXTRA = 8,
    /* A name or a value of a response: what nghttp2 decodes of one, and so curl and Node.js. A
     * longer one would cost such a client the connection with all its requests. */
    FE_H2_FIELD_MAX = 64 * 1024,
    /* Acknowledgements (of PING and SETTINGS) that wait for a client which does not read. */
    FE_H2_ACKS_MAX = 100,
    /* Streams that a connection keeps to use again, while it is not idle. */
    FE_H2_FREE_STREAMS_MAX = 16,
};

/* What costs the server more than the client, and is therefore counted. Each kind has a burst and a
 * rate, FE_H2_RATES. */
enum fe_h2_flood {
    FE_H2_NO_FLOOD = -1,
    FE_H2_RAPID_RESETS,    /* requests that the client resets: CVE-2023-44487 */
    FE_H2_PROVOKED_RESETS, /* streams that the server resets for the client's faults: CVE-2025-8671
                            */
    FE_H2_CONTINUATIONS,   /* CVE-2024-27316; per header block, not by time */
    FE_H2_FIELDS,          /* the same with fields of one byte each */
    FE_H2_SETTINGS,        /* CVE-2019-9515 */
    FE_H2_PINGS,           /* CVE-2019-9512 */
    FE_H2_EMPTY,           /* DATA and header frames with nothing in them: CVE-2019-9518 */
    FE_H2_IGNORED,         /* PRIORITY (CVE-2019-9513), GOAWAY, unknown types */
    FE_H2_WINDOW_UPDATES,  /* more of them than of DATA: CVE-2019-9511 */
    FE_H2_ACKS,            /* requested and not read */
    FE_H2_N_FLOODS,
};

struct fe_h2_rate {
    uint32_t burst;      /* free at once; 0: not by time */
    uint32_t per_s;      /* becomes free again in a second */
    const char *problem; /* for the log */
};

/* A browser that leaves a page resets a hundred streams at once, a proxy some of what it sends;
 * neither resets most of what it asks for, for long. Settings are sent once, and changed for a
 * reason. Libraries that measure the connection ping with each round trip. Old browsers send a few
 * priorities a request. A client that reads updates two windows a frame of data at most. */
#define FE_H2_RATES                                                                                \
    {                                                                                              \
        [FE_H2_RAPID_RESETS] = {500, 50, "too many streams reset by the client (rapid reset)"},    \
        [FE_H2_PROVOKED_RESETS] = {100, 10, "too many streams reset for protocol errors"},         \
        [FE_H2_CONTINUATIONS] = {0, 0, "too many CONTINUATION frames"},                            \
        [FE_H2_FIELDS] = {0, 0, "too many header fields"},                                         \
        [FE_H2_SETTINGS] = {50, 5, "too many SETTINGS frames"},                                    \
        [FE_H2_PINGS] = {500, 100, "too many PING frames"},                                        \
        [FE_H2_EMPTY] = {200, 20, "too many empty frames"},                                        \
        [FE_H2_IGNORED] = {1000, 200, "too many PRIORITY, GOAWAY or unknown frames"},              \
        [FE_H2_WINDOW_UPDATES] = {1000, 100, "too many WINDOW_UPDATE frames"},                     \
        [FE_H2_ACKS] = {0, 0, "too many unread acknowledgements"},                                 \
    }

/* Counted for a listener on one worker; written by its thread. */
struct fe_h2_counters {
    uint64_t connections;
    uint64_t streams;
    uint64_t seen[FE_H2_N_FLOODS];   /* of what is counted above */
    uint64_t closed[FE_H2_N_FLOODS]; /* connections that were closed for it */
    uint64_t heads_too_large;        /* answered with 431 or 414 */
    uint64_t heads_refused;          /* FE_H2_HEADS_MAX */
    uint64_t stalled;                /* streams whose client gave no window for the write timeout */
};

#define FE_H2_FLOOD_STATS(X, field, name, unit, help)                                              \
    X(COUNTER, field[FE_H2_RAPID_RESETS], name, "kind=\"rapid_resets\"", unit, help)               \
    X(COUNTER, field[FE_H2_PROVOKED_RESETS], name, "kind=\"provoked_resets\"", unit, help)         \
    X(COUNTER, field[FE_H2_CONTINUATIONS], name, "kind=\"continuations\"", unit, help)             \
    X(COUNTER, field[FE_H2_FIELDS], name, "kind=\"fields\"", unit, help)                           \
    X(COUNTER, field[FE_H2_SETTINGS], name, "kind=\"settings\"", unit, help)                       \
    X(COUNTER, field[FE_H2_PINGS], name, "kind=\"pings\"", unit, help)                             \
    X(COUNTER, field[FE_H2_EMPTY], name, "kind=\"empty_frames\"", unit, help)                      \
    X(COUNTER, field[FE_H2_IGNORED], name, "kind=\"ignored_frames\"", unit, help)                  \
    X(COUNTER, field[FE_H2_WINDOW_UPDATES], name, "kind=\"window_updates\"", unit, help)           \
    X(COUNTER, field[FE_H2_ACKS], name, "kind=\"acknowledgements\"", unit, help)

#define FE_H2_STATS(X)                                                                             \
    X(COUNTER, connections, "flatend_http2_connections_total", NULL, "connections",                \
      "HTTP/2 connections")                                                                        \
    X(COUNTER, streams, "flatend_http2_streams_total", NULL, "streams", "HTTP/2 streams opened")   \
    FE_H2_FLOOD_STATS(X, seen, "flatend_http2_suspicious_total", "events",                         \
                      "What costs the server more than the client, by kind")                       \
    FE_H2_FLOOD_STATS(X, closed, "flatend_http2_abusive_connections_total", "connections",         \
                      "HTTP/2 connections that were closed for too much of it, by kind")           \
    X(COUNTER, heads_too_large, "flatend_http2_heads_too_large_total", NULL, "requests",           \
      "Requests over HTTP/2 that were answered with 431 or 414")                                   \
    X(COUNTER, heads_refused, "flatend_http2_heads_refused_total", NULL, "requests",               \
      "Requests that were refused because the heads of those that run take too much memory")       \
    X(COUNTER, stalled, "flatend_http2_stalled_streams_total", NULL, "streams",                    \
      "Streams whose client gave no window for the write timeout")

extern const struct fe_stats_type fe_h2_stats_type; /* of struct fe_h2_counters */

#endif
