/* What happens to the node itself, for the queue that the application has given:
 * flatend_node_watch. The source is under the node's lock, since any thread may give another queue.
 */
#include "ground/base/assert.h"
#include "mesh/node/internal.h"

void fe_node_watch_init(struct flatend_node *node)
{
    fe_list_init(&node->watch_records.list);
    fe_event_source_init(&node->watch);
    node->watch.node = node;
    node->watch.records = &node->watch_records;
}

void fe_node_watch_deinit(struct flatend_node *node)
{
    fe_event_source_detach(&node->watch);
}

int flatend_node_watch(struct flatend_node *node, struct flatend_queue *queue, void *arg)
{
    int code = fe_node_check_call(node);

    if (code == 0) {
        code = fe_queue_bind(queue, node->guard);
    }
    if (code != 0) {
        return code;
    }
    fe_mutex_lock(&node->lock);
    fe_event_source_detach(&node->watch);
    fe_event_source_attach(&node->watch, queue, arg);
    fe_mutex_unlock(&node->lock);
    return 0;
}

/* The last event is told at once: no turn may follow. */
void fe_node_watch_post(struct flatend_node *node, enum flatend_event_type type, int code)
{
    bool wakes = false;

    fe_mutex_lock(&node->lock);
    if (type == FLATEND_EVENT_CLOSED) {
        wakes = fe_event_post_now(&node->watch, node->worker, type, code);
    } else {
        fe_event_post(&node->watch, node->worker, type, code);
    }
    fe_mutex_unlock(&node->lock);
    FE_ASSERT(!wakes, "a node is told of on its own thread");
}

static enum flatend_event_type type_of(enum fe_mesh_news news)
{
    switch (news) {
    case FE_MESH_PEER_UP:
        return FLATEND_EVENT_PEER_UP;
    case FE_MESH_PEER_DOWN:
        return FLATEND_EVENT_PEER_DOWN;
    case FE_MESH_PEER_GIVEN_UP:
        break;
    }
    return FLATEND_EVENT_PEER_GIVEN_UP;
}

void fe_node_on_news(void *arg, enum fe_mesh_news news, const struct fe_mesh_peer *peer)
{
    struct flatend_node *node = arg;
    struct flatend_provider told = {.handle = peer->handle};

    told.id.is_anonymous = peer->is_anonymous;
    told.id.is_proven = peer->is_proven;
    memcpy(told.id.public_key, peer->id.public_key, sizeof(told.id.public_key));
    if (peer->has_addr) {
        fe_public_addr(&peer->id.addr, &told.id);
    }
    fe_mutex_lock(&node->lock);
    fe_event_post_peer(&node->watch, node->worker, type_of(news), &told);
    fe_mutex_unlock(&node->lock);
}
