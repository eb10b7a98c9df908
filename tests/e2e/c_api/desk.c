/* Example: `struct desk {` */
#include "example.c"
#include "mesh.h"

static sem_t has_asked;

static void at_desk(struct flatend_context *ctx, void *arg)
{
    ask(ctx, arg);
    sem_post(&has_asked);
}

int main(void)
{
    const char *const services[] = {"desk"};
    const struct flatend_request request = {.services = services, .n_services = 1, .body = ""};
    struct desk desk = {0};
    struct mesh mesh = mesh_start("desk", at_desk, &desk);
    struct flatend_stream *stream;
    const char *data;
    size_t len;

    EXPECT(sem_init(&has_asked, 0, 0) == 0);
    EXPECT(flatend_queue_new(&desk.queue) == 0);
    EXPECT(flatend_push(mesh.requester, &request, &stream, NULL) == 0);
    EXPECT(sem_wait(&has_asked) == 0);
    answer(&desk, "third floor"); /* the handler has returned, or will */
    EXPECT(flatend_stream_read_all(stream, 100, &data, &len) == 0);
    EXPECT(len == 11 && memcmp(data, "third floor", len) == 0);
    flatend_stream_close(stream);
    mesh_stop(&mesh);
    flatend_queue_free(desk.queue);
    return 0;
}
