/* Example: `@10.0.0.2:9000` */
#include "mesh.h"

/* The key of the page is the one of RFC 8032, 7.1, test 1. */
static const char *const seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
static const char *const public_half =
    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

static struct flatend_node *start_with_that_key(void)
{
    const char *const bind_addr = EXAMPLE_ADDR;
    struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct flatend_secret_key key;
    struct flatend_node *node;
    char text[129];

    (void)snprintf(text, sizeof(text), "%s%s", seed, public_half);
    write_private("key", text);
    EXPECT(flatend_secret_key_load(&key, "key", NULL) == 0);
    options.secret_key = &key;
    options.bind_addrs = &bind_addr;
    options.n_bind_addrs = 1;
    EXPECT(flatend_node_new(&options, &node, NULL) == 0);
    EXPECT(flatend_node_start(node, NULL, 0, NULL) == 0);
    return node;
}

static int dial_as_on_page(void)
{
    const struct flatend_options options = FLATEND_OPTIONS_INIT;
    struct flatend_error error;
    struct flatend_node *node;
    int code = flatend_node_new(&options, &node, &error);

    EXPECT(code == 0);
#include "example.c"
    EXPECT(flatend_node_free(node) == 0);
    return code;
}

int main(void)
{
    struct flatend_node *there = start_with_that_key();

    EXPECT(dial_as_on_page() == 0);
    EXPECT(flatend_node_free(there) == 0);

    there = provider_start(EXAMPLE_ADDR, NULL); /* with another key */
    EXPECT(dial_as_on_page() != 0);
    EXPECT(flatend_node_free(there) == 0);
    return 0;
}
