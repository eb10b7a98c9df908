/* Example: `static int offer_in_callbacks(` */
#include "example.c"
#include "mesh.h"

int main(void)
{
    struct flatend_node *provider = provider_start(NULL, NULL);
    struct flatend_node *other = provider_start(NULL, NULL);
    struct flatend_queue *queue;
    struct flatend_node *requester;

    EXPECT(offer_in_callbacks(provider, &queue) == 0);
    EXPECT(flatend_node_watch(other, queue, NULL) == FLATEND_EINVAL);
    requester = requester_start(&provider, 1);
    for (int i = 0; i < 100; i++) {
        expect_response(requester, "hello_world", NULL, 200, "Hello world!\n");
    }
    EXPECT(flatend_node_free(requester) == 0);
    EXPECT(flatend_node_free(other) == 0);
    EXPECT(flatend_node_free(provider) == 0);
    flatend_queue_free(queue);
    return 0;
}
