/* Example: `const char *const services[] = {"echo"};`
 * Prints: `you said: ping` */
#include "mesh.h"

static void echo(struct flatend_context *ctx, void *arg)
{
    const char *data;
    size_t len;

    (void)arg;
    EXPECT(flatend_context_read_all(ctx, 100, &data, &len) == 0);
    flatend_context_printf(ctx, "you said: %s", data);
}

int main(void)
{
    struct mesh mesh = mesh_start("echo", echo, NULL);
    struct flatend_node *node = mesh.requester;
#include "example.c"
    EXPECT(code == 0);
    wait_for_reader();
    mesh_stop(&mesh);
    return 0;
}
