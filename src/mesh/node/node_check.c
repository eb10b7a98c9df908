/* What holds of a node whenever its thread looks: the diagram in internal.h, and what is counted.
 */
#include "ground/base/assert.h"
#include "mesh/node/context.h"
#include "mesh/node/outgoing.h"

static size_t length_of(const struct fe_list *list)
{
    size_t n = 0;

    for (const struct fe_list *link = list->next; link != list; link = link->next) {
        n++;
    }
    return n;
}

static size_t count_running(const struct flatend_node *node)
{
    size_t n = 0;

    FE_LIST_FOREACH (link, next, &node->calls) {
        const struct flatend_stream *stream = FE_CONTAINER_OF(link, struct flatend_stream, link);

        FE_ASSERT(stream->node == node && stream->state != FE_OUTGOING_NEW,
                  "a call is its node's once it has started");
        n += stream->state == FE_OUTGOING_RUNNING;
    }
    return n;
}

static void check_closed(const struct flatend_node *node)
{
    FE_ASSERT(node->n_contexts == 0 && node->n_calls == 0, "a closed node has nothing running");
    FE_ASSERT(node->mesh == NULL && node->n_listeners == 0, "a closed node has no connections");
    FE_ASSERT(!node->accepts_tasks, "a closed node takes no tasks");
}

void fe_node_check(struct flatend_node *node)
{
    enum fe_node_state state = fe_node_get_state(node);

    FE_ASSERT(node->n_contexts == length_of(&node->contexts), "requests are counted");
    FE_ASSERT(node->n_free_contexts == length_of(&node->free_contexts),
              "free contexts are counted");
    FE_LIST_FOREACH (link, next, &node->gathering) {
        FE_ASSERT(FE_CONTAINER_OF(link, struct flatend_context, gathering)->serving ==
                      FE_SERVING_GATHERING,
                  "only a request that has not started waits for its body");
    }
    FE_ASSERT(node->n_calls == count_running(node), "calls that run are counted");
    FE_ASSERT(state != FE_NODE_NEW || (node->mesh == NULL && node->n_contexts == 0),
              "a node that was not started does nothing");
    if (state == FE_NODE_CLOSED) {
        check_closed(node);
    }
}
