/* Example: `static int call_without_waiting(` */
#include "example.c"
#include "mesh.h"

static void stock(struct flatend_context *ctx, void *arg)
{
    (void)arg;
    flatend_context_printf(ctx, "seven");
}

static struct flatend_event take(struct flatend_queue *queue)
{
    struct flatend_event event;

    EXPECT(flatend_queue_take(queue, &event, 1, -1) == 1);
    return event;
}

int main(void)
{
    struct mesh mesh = mesh_start("stock", stock, NULL);
    struct flatend_queue *queue;
    struct flatend_stream *stream;
    struct flatend_event event;
    char body[16];
    int mark;

    EXPECT(flatend_queue_new(&queue) == 0);
    EXPECT(call_without_waiting(mesh.requester, queue, &mark, &stream) == 0);
    event = take(queue);
    EXPECT(event.type == FLATEND_EVENT_RESPONSE && event.stream == stream && event.arg == &mark);
    while (event.type != FLATEND_EVENT_END) {
        event = take(queue);
    }
    EXPECT(flatend_stream_read(stream, body, sizeof(body)) == 5 && memcmp(body, "seven", 5) == 0);
    EXPECT(flatend_stream_read(stream, body, sizeof(body)) == 0);
    flatend_stream_close(stream);

    /* "Why there was no provider is a FLATEND_EVENT_FAILED then." */
    EXPECT(flatend_node_remove_service(mesh.provider, "stock") == 0);
    EXPECT(call_without_waiting(mesh.provider, queue, &mark, &stream) == 0);
    event = take(queue);
    EXPECT(event.type == FLATEND_EVENT_FAILED && event.code == FLATEND_ENOPROVIDER);
    flatend_stream_close(stream);
    mesh_stop(&mesh);
    flatend_queue_free(queue);
    return 0;
}
