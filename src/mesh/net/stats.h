/* What a node counts; written by its thread. */
#ifndef FE_MESH_NET_STATS_H
#define FE_MESH_NET_STATS_H

#include "ground/base/stats.h"

#define FE_NODE_STATS(X)                                                                           \
    X(GAUGE, peers, "flatend_mesh_peers", NULL, "peers", "Peers connected now")                    \
    X(GAUGE, proven_peers, "flatend_mesh_proven_peers", NULL, "peers",                             \
      "Peers connected now that have proven their key")                                            \
    X(GAUGE, ejected_peers, "flatend_mesh_ejected_peers", NULL, "peers",                           \
      "Providers that are left out for a while because requests to them failed")                   \
    X(GAUGE, streams, "flatend_mesh_streams", NULL, "streams",                                     \
      "Requests open now, in both directions")                                                     \
    X(GAUGE, requests, "flatend_mesh_requests", NULL, "requests",                                  \
      "Requests of peers that are served now")                                                     \
    X(GAUGE, calls, "flatend_mesh_calls", NULL, "calls", "Requests to peers that run now")         \
    X(COUNTER, dialed, "flatend_mesh_dials_total", NULL, "connections",                            \
      "Connections that were dialed, again and again included")                                    \
    X(COUNTER, accepted, "flatend_mesh_accepts_total", NULL, "connections",                        \
      "Connections of peers that were accepted")                                                   \
    X(COUNTER, rejected, "flatend_mesh_rejected_connections_total", NULL, "connections",           \
      "Connections of peers that were closed at once: too many, or no memory")                     \
    X(COUNTER, displaced, "flatend_mesh_displaced_connections_total", NULL, "connections",         \
      "Connections without a Handshake that were closed to make room for others")                  \
    X(COUNTER, handshakes, "flatend_mesh_handshakes_total", NULL, "connections",                   \
      "Connections whose peer has sent its Handshake")                                             \
    X(COUNTER, failures, "flatend_mesh_failures_total", NULL, "connections",                       \
      "Connections that were closed for a fault")                                                  \
    X(COUNTER, streams_opened, "flatend_mesh_streams_total", NULL, "streams",                      \
      "Requests ever opened, in both directions")                                                  \
    X(COUNTER, requests_received, "flatend_mesh_requests_total", NULL, "requests",                 \
      "Requests of peers for services of this node")                                               \
    X(COUNTER, requests_refused, "flatend_mesh_refused_requests_total", NULL, "requests",          \
      "Of these, those without a service, a thread or memory for them")                            \
    X(COUNTER, calls_started, "flatend_mesh_calls_total", NULL, "calls",                           \
      "Requests to peers that were started")                                                       \
    X(COUNTER, bytes_received, "flatend_mesh_received_bytes_total", NULL, "bytes",                 \
      "Bytes received from peers, as they are on the wire")                                        \
    X(COUNTER, bytes_sent, "flatend_mesh_sent_bytes_total", NULL, "bytes",                         \
      "Bytes sent to peers, as they are on the wire")

struct fe_node_stats {
    FE_NODE_STATS(FE_STAT_FIELD)
};

extern const struct fe_stats_type fe_node_stats_type;

#endif
