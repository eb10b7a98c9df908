/* An intrusive, circular, doubly linked list. State is list membership: a node that is on no list
 * is linked to itself. */
#ifndef FE_GROUND_BASE_LIST_H
#define FE_GROUND_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "ground/base/assert.h"

struct fe_list {
    struct fe_list *next;
    struct fe_list *prev;
};

#define FE_CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

static inline void fe_list_init(struct fe_list *list)
{
    list->next = list;
    list->prev = list;
}

static inline bool fe_list_is_empty(const struct fe_list *list)
{
    return list->next == list;
}

/* True while the node is on some list. */
static inline bool fe_list_is_linked(const struct fe_list *node)
{
    return node->next != node;
}

/* A node and its neighbours; of a list as a whole, fe_list_check. */
static inline void fe_list_check_node(const struct fe_list *node)
{
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): a node is freed after it has been removed */
    FE_ASSERT(node->next->prev == node, "the next node knows the one before it");
    FE_ASSERT(node->prev->next == node, "the previous node knows the one behind it");
    FE_ASSERT((node->next == node) == (node->prev == node), "alone in both directions, or in none");
}

static inline void fe_list_check(const struct fe_list *list)
{
    const struct fe_list *node = list;

    do { /* ends: a node that two others lead to would not know one of them */
        fe_list_check_node(node);
        node = node->next;
    } while (node != list);
}

static inline void fe_list_insert_before(struct fe_list *at, struct fe_list *node)
{
    FE_CHECK(fe_list_check_node(at));
    node->prev = at->prev;
    node->next = at;
    at->prev->next = node;
    at->prev = node;
    FE_CHECK(fe_list_check_node(node));
}

static inline void fe_list_push_back(struct fe_list *list, struct fe_list *node)
{
    fe_list_insert_before(list, node);
}

static inline void fe_list_push_front(struct fe_list *list, struct fe_list *node)
{
    fe_list_insert_before(list->next, node);
}

/* Takes the node off its list; harmless when it is on none. */
static inline void fe_list_remove(struct fe_list *node)
{
    FE_CHECK(fe_list_check_node(node));
    node->prev->next = node->next;
    node->next->prev = node->prev;
    fe_list_init(node);
}

/* The first node, taken off, or NULL. */
static inline struct fe_list *fe_list_pop_front(struct fe_list *list)
{
    struct fe_list *node = list->next;
    if (node == list) {
        return NULL;
    }
    /* The analyzer does not see that the removal of one member changes its neighbours. */
    fe_list_remove(node); /* NOLINT(clang-analyzer-unix.Malloc) */
    return node;
}

/* Moves all nodes of `from`, which is empty then, to the back of `to`. */
static inline void fe_list_move(struct fe_list *to, struct fe_list *from)
{
    if (fe_list_is_empty(from)) {
        return;
    }
    FE_CHECK(fe_list_check_node(to));
    to->prev->next = from->next;
    from->next->prev = to->prev;
    from->prev->next = to;
    to->prev = from->prev;
    fe_list_init(from);
    FE_CHECK(fe_list_check(to));
}

/* Visits each node; the current one may be removed meanwhile. */
#define FE_LIST_FOREACH(node, tmp, list)                                                           \
    for (struct fe_list *node = (list)->next, *tmp = node->next; node != (list); /**/              \
         node = tmp, tmp = node->next)

#endif
