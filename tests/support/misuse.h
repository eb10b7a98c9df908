/* Every function of a node, with what it says in which state and on which thread. */
#ifndef TESTS_SUPPORT_MISUSE_H
#define TESTS_SUPPORT_MISUSE_H

#include <flatend.h>

enum misuse_place {
    MISUSE_NEW,       /* before start */
    MISUSE_RUNNING,   /* on the application's thread */
    MISUSE_HANDLER,   /* it runs, on a handler's thread */
    MISUSE_INLINE,    /* it runs, on its own thread */
    MISUSE_SHUT,      /* after shutdown */
    MISUSE_NEVER,     /* after shutdown, without a start */
    MISUSE_CHILD,     /* in a child of the process */
    MISUSE_NO_OBJECT, /* NULL */
    MISUSE_N_PLACES,
};

/* Calls every function of a node that is in `place`, and returns the first one that said something
 * else than it should; NULL: none did. What it changes about the node it changes back. */
const char *misuse_node(struct flatend_node *node, enum misuse_place place);

/* In a child of the process: each function of these says that they are the parent's. */
const char *misuse_context_in_child(struct flatend_context *ctx);
const char *misuse_stream_in_child(struct flatend_stream *stream);
const char *misuse_queue_in_child(struct flatend_queue *queue);

/* Each function of a context, stream and queue with NULL in place of it. */
const char *misuse_without_objects(void);

#endif
