/* Example: `flatend_secret_key_load_or_create(&key` */
#include "mesh.h"

/* A node that is as the example makes it, and dials `addr`. */
static struct flatend_node *start_as_on_page(const char *addr)
{
    const char *const bind_addr = "127.0.0.1:0";
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct flatend_node *node;

    options.bind_addrs = &bind_addr;
    options.n_bind_addrs = 1;
#include "example.c"
    EXPECT(code == 0);
    EXPECT(options.mesh_secret_len == 32);
    EXPECT(flatend_node_new(&options, &node, NULL) == 0);
    EXPECT(flatend_node_start(node, &addr, addr != NULL, NULL) == 0);
    return node;
}

int main(void)
{
    const struct flatend_service service = {.name = "own"};
    const char *const name = service.name;
    struct flatend_options strange = FLATEND_OPTIONS_INIT;
    struct flatend_secret_key key;
    struct flatend_public_key public_key;
    struct flatend_queue *queue;
    struct flatend_service queued = service;
    struct flatend_provider self;
    struct flatend_node *stranger;
    struct flatend_node *node;
    char addr[120];
    const char *const addrs[] = {addr};

    write_private("mesh.secret", "0123456789abcdef0123456789abcdef\n");
    node = start_as_on_page(NULL);
    listen_addr(node, addr);

    /* It is known by the key of the file. */
    EXPECT(flatend_secret_key_load(&key, "node.key", NULL) == 0);
    flatend_secret_key_public(&key, &public_key);
    EXPECT(flatend_queue_new(&queue) == 0);
    queued.queue = queue;
    EXPECT(flatend_node_add_service(node, &queued) == 0);
    EXPECT(flatend_node_providers(node, &name, 1, &self, 1) == 1);
    EXPECT(memcmp(self.id.public_key, public_key.bytes, sizeof(public_key.bytes)) == 0);

    /* Without the secret of the file it is refused, with it not. */
    EXPECT(flatend_node_new(&strange, &stranger, NULL) == 0);
    EXPECT(flatend_node_start(stranger, addrs, 1, NULL) == FLATEND_EDENIED);
    EXPECT(flatend_node_free(stranger) == 0);
    EXPECT(rename("node.key", "other.key") == 0);
    EXPECT(flatend_node_free(start_as_on_page(addr)) == 0);

    EXPECT(flatend_node_free(node) == 0);
    flatend_queue_free(queue);
    return 0;
}
