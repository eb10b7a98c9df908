/* Example: `static int watch(`
 * Prints: `is there`, `another second`, `another second` */
#include "example.c"
#include "mesh.h"

static void *shut_down(void *node)
{
    wait_for_reader();
    EXPECT(flatend_node_shutdown(node) == 0);
    return NULL;
}

int main(void)
{
    struct flatend_node *peer = provider_start(NULL, NULL);
    struct flatend_node *node = provider_new(NULL, NULL);
    struct flatend_queue *queue;
    char addr[120];
    pthread_t thread;

    setvbuf(stdout, NULL, _IONBF, 0);
    EXPECT(flatend_queue_new(&queue) == 0);
    thread = thread_start(shut_down, node);
    EXPECT(watch(node, listen_addr(peer, addr), queue) == 0);
    thread_join(thread);
    EXPECT(flatend_node_free(node) == 0);
    EXPECT(flatend_node_free(peer) == 0);
    flatend_queue_free(queue);
    return 0;
}
