#include "mesh/net/stranger.h"

#include <stdlib.h>
#include <string.h>

#include "ground/base/assert.h"

enum { IPV4_LEN = 4, IPV6_PREFIX_LEN = 8 };

/* False: the address has no limit. */
static bool put_key(const struct fe_addr *addr, uint8_t key[9])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

    memset(key, 0, 9);
    if (addr->family == FE_UNIX) {
        return false;
    }
    if (addr->family == FE_IPV6 && memcmp(addr->ip, mapped, sizeof(mapped)) != 0) {
        key[0] = FE_IPV6;
        memcpy(key + 1, addr->ip, IPV6_PREFIX_LEN);
        return true;
    }
    key[0] = FE_IPV4;
    memcpy(key + 1, addr->family == FE_IPV6 ? addr->ip + sizeof(mapped) : addr->ip, IPV4_LEN);
    return true;
}

static struct fe_stranger_addr *find(const struct fe_strangers *strangers, const uint8_t key[9])
{
    struct fe_map_node *const node = fe_map_find(&strangers->addrs, fe_view_of(key, 9));

    return node != NULL ? FE_CONTAINER_OF(node, struct fe_stranger_addr, node) : NULL;
}

void fe_strangers_init(struct fe_strangers *strangers, const uint8_t seed[16], size_t max)
{
    *strangers = (struct fe_strangers){.max = max};
    fe_map_init(&strangers->addrs, seed);
}

void fe_strangers_deinit(struct fe_strangers *strangers)
{
    FE_ASSERT(strangers->addrs.n == 0, "an address is forgotten with its last connection");
    fe_map_deinit(&strangers->addrs);
}

struct fe_list *fe_strangers_at_limit(const struct fe_strangers *strangers,
                                      const struct fe_addr *addr)
{
    uint8_t key[9];
    struct fe_stranger_addr *const found = put_key(addr, key) ? find(strangers, key) : NULL;

    return found != NULL && found->n >= strangers->max ? &found->members : NULL;
}

static struct fe_stranger_addr *add(struct fe_strangers *strangers, const uint8_t key[9])
{
    struct fe_stranger_addr *const added = calloc(1, sizeof(*added));

    if (added == NULL) {
        return NULL;
    }
    added->set = strangers;
    memcpy(added->key, key, sizeof(added->key));
    added->node.key = fe_view_of(added->key, sizeof(added->key));
    fe_list_init(&added->members);
    if (fe_map_insert(&strangers->addrs, &added->node) != 0) {
        free(added);
        return NULL;
    }
    return added;
}

int fe_stranger_enter(struct fe_strangers *strangers, struct fe_stranger *stranger,
                      const struct fe_addr *addr)
{
    struct fe_stranger_addr *entered;
    uint8_t key[9];

    FE_ASSERT(stranger->addr == NULL, "a connection counts once");
    fe_list_init(&stranger->member);
    if (!put_key(addr, key)) {
        return 0;
    }
    entered = find(strangers, key);
    if (entered == NULL) {
        entered = add(strangers, key);
    }
    if (entered == NULL) {
        return FLATEND_ENOMEM;
    }
    fe_list_push_back(&entered->members, &stranger->member);
    entered->n++;
    stranger->addr = entered;
    return 0;
}

void fe_stranger_leave(struct fe_stranger *stranger)
{
    struct fe_stranger_addr *const left = stranger->addr;

    if (left == NULL) {
        return;
    }
    FE_ASSERT(left->n > 0, "connections of an address are counted");
    stranger->addr = NULL;
    fe_list_remove(&stranger->member);
    if (--left->n == 0) {
        fe_map_remove(&left->set->addrs, &left->node);
        free(left);
    }
}

void fe_strangers_check(const struct fe_strangers *strangers)
{
    for (struct fe_map_node *node = fe_map_next(&strangers->addrs, NULL); node != NULL;
         node = fe_map_next(&strangers->addrs, node)) {
        const struct fe_stranger_addr *const addr =
            FE_CONTAINER_OF(node, struct fe_stranger_addr, node);
        size_t n = 0;

        FE_LIST_FOREACH (member, next, &addr->members) {
            FE_ASSERT(FE_CONTAINER_OF(member, struct fe_stranger, member)->addr == addr,
                      "a connection counts for its address");
            n++;
        }
        FE_ASSERT(n == addr->n && n > 0 && n <= strangers->max,
                  "connections of an address are counted, and bounded");
    }
}
