/* Example: `static void serve_from(` */
#include "example.c"
#include "mesh.h"

static void *serve(void *queue)
{
    serve_from(queue);
    return NULL;
}

int main(void)
{
    struct flatend_node *provider = provider_start(NULL, NULL);
    struct flatend_queue *queue;
    struct flatend_node *requester;
    pthread_t thread;

    EXPECT(flatend_queue_new(&queue) == 0);
    thread = thread_start(serve, queue);
    EXPECT(offer_from(provider, queue) == 0);
    requester = requester_start(&provider, 1);
    for (int i = 0; i < 100; i++) {
        expect_response(requester, "hello_world", NULL, 200, "Hello world!\n");
    }
    flatend_queue_wake(queue); /* which ends the example's loop */
    thread_join(thread);
    EXPECT(flatend_node_free(requester) == 0);
    EXPECT(flatend_node_free(provider) == 0);
    flatend_queue_free(queue);
    return 0;
}
