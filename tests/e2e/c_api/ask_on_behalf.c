/* Example: `static int ask_on_behalf(` */
#include "example.c"
#include "mesh.h"

static void front(struct flatend_context *ctx, void *arg)
{
    struct flatend_stream *stream;

    (void)arg;
    EXPECT(ask_on_behalf(ctx, flatend_context_node(ctx), &stream) == 0);
    EXPECT(flatend_stream_response(stream, NULL, NULL, NULL) == FLATEND_ECANCELED);
    flatend_stream_close(stream);
}

int main(void)
{
    const char *const services[] = {"front"};
    const struct flatend_request request = {.services = services, .n_services = 1, .body = ""};
    struct mesh mesh = mesh_start("front", front, NULL);
    struct flatend_service stock = {.name = "stock"};
    struct flatend_stream *stream;
    struct flatend_event event;

    EXPECT(flatend_queue_new(&stock.queue) == 0);
    EXPECT(flatend_node_add_service(mesh.provider, &stock) == 0);
    EXPECT(flatend_push(mesh.requester, &request, &stream, NULL) == 0);
    EXPECT(flatend_queue_take(stock.queue, &event, 1, -1) == 1);
    EXPECT(event.type == FLATEND_EVENT_REQUEST);

    flatend_stream_close(stream); /* the one who asked "front" goes: "stock" is told */
    EXPECT(flatend_queue_take(stock.queue, &event, 1, -1) == 1);
    EXPECT(event.type == FLATEND_EVENT_CANCELED);
    EXPECT(flatend_context_finish(event.context) != 0);
    mesh_stop(&mesh);
    flatend_queue_free(stock.queue);
    return 0;
}
