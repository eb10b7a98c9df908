/* Example: `static void ask_all(`
 * Prints: `has 7`, `has 8`, `has 9` */
#include "example.c"
#include "mesh.h"

static void stock(struct flatend_context *ctx, void *arg)
{
    flatend_context_printf(ctx, "%d", *(const int *)arg);
}

int main(void)
{
    enum { PROVIDERS = 3 };
    int stocks[PROVIDERS] = {7, 8, 9};
    struct flatend_node *providers[PROVIDERS];
    struct flatend_node *requester;

    for (int i = 0; i < PROVIDERS; i++) {
        const struct flatend_service service = {
            .name = "stock", .handler = stock, .arg = &stocks[i]};

        providers[i] = provider_start(NULL, &service);
    }
    requester = requester_start(providers, PROVIDERS);
    ask_all(requester);
    wait_for_reader();
    EXPECT(flatend_node_free(requester) == 0);
    for (int i = 0; i < PROVIDERS; i++) {
        EXPECT(flatend_node_free(providers[i]) == 0);
    }
    return 0;
}
