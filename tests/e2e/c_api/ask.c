/* Example: `static int ask(struct flatend_node` */
#include "example.c"
#include "mesh.h"

static void stock(struct flatend_context *ctx, void *arg)
{
    (void)arg;
    flatend_context_json(ctx, 201, "[]", 2);
}

int main(void)
{
    struct mesh mesh = mesh_start("stock", stock, NULL);

    EXPECT(ask(mesh.requester) == 201);
    EXPECT(flatend_node_remove_service(mesh.provider, "stock") == 0);
    EXPECT(ask(mesh.provider) == FLATEND_ENOPROVIDER);
    mesh_stop(&mesh);
    return 0;
}
