/* The vocabulary between a session and what stands on it, the same for every dialect.
 *
 * A session turns records into events; rpc, kad and mesh react to events and ask for things to be
 * sent through `struct fe_sender_ops`. Neither side knows which dialect is spoken. The views in an
 * event borrow the session's input and are valid until the session is asked for the next one. */
#ifndef FE_WIRE_EVENT_H
#define FE_WIRE_EVENT_H

#include "wire/id.h"

struct fe_header {
    struct fe_view name;
    struct fe_view value;
};

/* Encoded headers whose every length was checked; walked with fe_headers_next. */
struct fe_headers {
    struct fe_view bytes;
    uint16_t n;
};

/* Encoded service names, checked likewise; walked with fe_names_next. */
struct fe_names {
    struct fe_view bytes;
    uint8_t n;
};

/* Take the first element off; false when there is none left. */
bool fe_headers_next(struct fe_headers *headers, struct fe_header *header);
bool fe_names_next(struct fe_names *names, struct fe_view *name);

/* The value of the last header of that name; false if there is none. */
bool fe_headers_find(struct fe_headers headers, struct fe_view name, struct fe_view *value);

enum fe_event_type {
    FE_EVENT_HELLO,     /* who the peer is and what it offers; may repeat, services then add up */
    FE_EVENT_REQUEST,   /* the peer opens a stream */
    FE_EVENT_RESPONSE,  /* the head of the answer to a stream of ours */
    FE_EVENT_DATA,      /* bytes of a stream */
    FE_EVENT_END,       /* the peer's direction of a stream is complete */
    FE_EVENT_FIND_NODE, /* answer with sender->ops->nodes and the same token */
    FE_EVENT_NODES,     /* the answer to our find_node of that token */
};

enum { FE_NODES_MAX = 16 }; /* IDs in a FindNodeResponse: one bucket, what old peers send */

struct fe_event {
    enum fe_event_type type;
    uint32_t stream; /* REQUEST, RESPONSE, DATA, END */
    uint32_t token;  /* FIND_NODE, NODES */
    union {
        struct {
            const struct fe_id *id; /* proven by its signature; NULL: anonymous */
            struct fe_names services;
        } hello;
        struct {
            struct fe_names services;
            struct fe_headers headers;
        } request;
        struct {
            bool handled; /* false: nothing follows on this stream */
            struct fe_headers headers;
        } response;
        struct fe_view data;
        uint8_t target[FE_KEY_LEN]; /* FIND_NODE */
        struct {
            const struct fe_id *ids;
            size_t n;
        } nodes;
    } u;
};

/* What can be sent. Everything is encoded and encrypted at once into the connection's output, in
 * order. Errors: FLATEND_ETOOBIG (the dialect's limit; nothing was sent), FLATEND_ELIMIT
 * (find_node: too many wait for an answer), FLATEND_ESTATE (the keys are not agreed yet),
 * FLATEND_ENOMEM (nothing was sent, but `data` may have sent a part: the stream is lost then). */
struct fe_sender;

struct fe_sender_ops {
    /* The id for the next stream of ours. */
    uint32_t (*next_stream)(struct fe_sender *sender);
    int (*request)(struct fe_sender *sender, uint32_t stream, const struct fe_view *services,
                   size_t n_services, const struct fe_header *headers, size_t n_headers);
    int (*response)(struct fe_sender *sender, uint32_t stream, bool handled,
                    const struct fe_header *headers, size_t n_headers);
    /* Bytes of any length: split into packets as the dialect wants. Never empty. */
    int (*data)(struct fe_sender *sender, uint32_t stream, struct fe_view bytes);
    int (*end)(struct fe_sender *sender, uint32_t stream);
    int (*find_node)(struct fe_sender *sender, const uint8_t target[FE_KEY_LEN], uint32_t *token);
    int (*nodes)(struct fe_sender *sender, uint32_t token, const struct fe_id *ids, size_t n);
    /* How many body bytes may be sent now before the output counts as full. */
    size_t (*space)(const struct fe_sender *sender);
};

struct fe_sender {
    const struct fe_sender_ops *ops;
};

#endif
