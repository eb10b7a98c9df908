/* The invariants of base bite: each thing that they guard is broken here, and found.
 * fe_assert_fail is wrapped (tests/CMakeLists.txt), so that the test goes on behind it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ground/base/arena.h"
#include "ground/base/buf.h"
#include "ground/base/chain.h"
#include "ground/base/list.h"
#include "ground/base/map.h"
#include "ground/base/refcount.h"
#include "ground/base/timer.h"

enum { N = 20 };

static jmp_buf broken;
static const char *found;

_Noreturn void __wrap_fe_assert_fail(const char *line);

_Noreturn void __wrap_fe_assert_fail(const char *line)
{
    found = line;
    longjmp(broken, 1);
}

/* `call` must find that what `guards` says does not hold. */
#define EXPECT_BROKEN(call, guards)                                                                \
    do {                                                                                           \
        found = "nothing";                                                                         \
        if (setjmp(broken) == 0) {                                                                 \
            call;                                                                                  \
        }                                                                                          \
        assert_non_null(strstr(found, guards));                                                    \
    } while (0)

/* ---- lists ---------------------------------------------------------------------------------- */

static void lists(void **state)
{
    static struct fe_list list;
    static struct fe_list other;
    static struct fe_list nodes[4];
    struct fe_list *kept;

    (void)state;
    fe_list_init(&list);
    fe_list_init(&other);
    for (size_t i = 0; i < 4; i++) {
        fe_list_push_back(i < 2 ? &list : &other, &nodes[i]);
    }
    fe_list_check(&list);
    fe_list_move(&list, &other);
    assert_true(fe_list_is_empty(&other));
    fe_list_move(&list, &other); /* nothing */
    for (size_t i = 0; i < 4; i++) {
        assert_ptr_equal(fe_list_pop_front(&list), &nodes[i]);
        fe_list_push_back(&list, &nodes[i]);
    }
    fe_list_move(&other, &list); /* to an empty one */
    assert_true(fe_list_is_empty(&list));
    assert_ptr_equal(other.next, &nodes[0]);
    assert_ptr_equal(other.prev, &nodes[3]);

    kept = nodes[2].prev;
    nodes[2].prev = &nodes[0];
    EXPECT_BROKEN(fe_list_check(&other), "the next node knows the one before it");
    EXPECT_BROKEN(fe_list_remove(&nodes[2]), "the previous node knows the one behind it");
    EXPECT_BROKEN(fe_list_insert_before(&nodes[2], &list),
                  "the previous node knows the one behind it");
    nodes[2].prev = kept;
    fe_list_check(&other);
}

/* ---- timers --------------------------------------------------------------------------------- */

static void on_timer(struct fe_timer *timer)
{
    (void)timer;
}

static void timers(void **state)
{
    static struct fe_timers heap;
    static struct fe_timers none;
    static struct fe_timer items[N];

    (void)state;
    fe_timers_init(&heap);
    fe_timers_init(&none);
    for (size_t i = 0; i < N; i++) {
        fe_timer_init(&items[i], on_timer);
        assert_int_equal(fe_timer_start(&heap, &items[i], 1000 - 10 * i), 0);
    }
    fe_timers_check(&heap);

    heap.heap[7]->queued_ms = 1;
    EXPECT_BROKEN(fe_timers_check(&heap), "no timer is due before its parent in the heap");
    heap.heap[7]->queued_ms = 2000;
    EXPECT_BROKEN(fe_timers_check(&heap), "a timer is looked at by its deadline");
    heap.heap[7]->queued_ms = heap.heap[7]->deadline_ms;
    heap.heap[7]->index = 8;
    EXPECT_BROKEN(fe_timers_check(&heap), "a timer knows its place in the heap");
    heap.heap[7]->index = 7;
    heap.n = heap.cap + 1;
    EXPECT_BROKEN(fe_timers_check(&heap), "the heap has space for its timers");
    heap.n = N;
    EXPECT_BROKEN(fe_timer_stop(&none, &items[0]), "a timer is stopped in its own heap");
    EXPECT_BROKEN(assert_int_equal(fe_timer_start(&heap, &items[0], FE_TIME_NEVER), 0),
                  "a timer is started with a deadline");
    fe_timers_check(&heap);
    fe_timers_deinit(&heap);
}

/* ---- bytes ---------------------------------------------------------------------------------- */

static void chains(void **state)
{
    static struct fe_chain chain;
    static struct fe_chain other;
    static struct fe_pool pool;
    static uint8_t bytes[2 * FE_BLOCK_SIZE];
    struct fe_block *tail;

    (void)state;
    fe_pool_init(&pool);
    fe_chain_init(&chain, &pool);
    fe_chain_init(&other, NULL);
    EXPECT_BROKEN(fe_chain_commit(&chain, 1), "what is committed was reserved");
    assert_int_equal(fe_chain_append(&chain, bytes, sizeof(bytes)), 0);
    fe_chain_check(&chain);
    chain.len++;
    EXPECT_BROKEN(fe_chain_check(&chain), "a chain's length is that of its blocks together");
    chain.len--;
    chain.n_lent++;
    EXPECT_BROKEN(fe_chain_check(&chain), "bytes that were lent are counted");
    chain.n_lent--;
    tail = chain.tail;
    chain.tail = chain.head;
    EXPECT_BROKEN(fe_chain_check(&chain), "the tail is the last block");
    chain.tail = tail;
    EXPECT_BROKEN(fe_chain_move(&chain, &other), "blocks stay with their pool");
    EXPECT_BROKEN(fe_chain_move(&chain, &chain), "a chain is not moved to itself");
    EXPECT_BROKEN(assert_null(fe_chain_reserve(&chain, FE_BLOCK_SIZE + 1)),
                  "a reservation fits a block");
    fe_chain_deinit(&chain);
    fe_pool_deinit(&pool);
}

static void buffers(void **state)
{
    static struct fe_buf buf;

    (void)state;
    fe_buf_init(&buf, 1000);
    fe_buf_check(&buf);
    assert_int_equal(fe_buf_append(&buf, "text", 4), 0);
    buf.max = buf.cap - 1;
    EXPECT_BROKEN(fe_buf_check(&buf), "a buffer does not grow beyond its limit");
    buf.max = 1000;
    buf.len = buf.cap + 1;
    EXPECT_BROKEN(fe_buf_check(&buf), "a buffer has space for what it holds");
    buf.len = 4;
    fe_buf_deinit(&buf);
}

static void arenas(void **state)
{
    static struct fe_arena arena;

    (void)state;
    fe_arena_init(&arena, 100000);
    fe_arena_check(&arena);
    for (size_t size = 1; size < 10000; size *= 2) {
        assert_non_null(fe_arena_alloc(&arena, size));
    }
    fe_arena_check(&arena);
    arena.left += 16;
    EXPECT_BROKEN(fe_arena_check(&arena), "what is left is the rest of a chunk");
    arena.left -= 16;
    arena.used += 100000;
    EXPECT_BROKEN(fe_arena_check(&arena), "no more is used than is allowed");
    arena.used -= 100000;
    fe_arena_reset(&arena);
    fe_arena_check(&arena);
    fe_arena_deinit(&arena);
}

/* ---- maps ----------------------------------------------------------------------------------- */

static void maps(void **state)
{
    static const uint8_t seed[16] = {1};
    static struct fe_map map;
    static struct fe_map_node nodes[N];
    static uint8_t keys[N];
    static struct fe_map_node stranger;

    (void)state;
    fe_map_init(&map, seed);
    fe_map_check(&map);
    EXPECT_BROKEN(fe_map_remove(&map, &stranger), "what is removed is in the map");
    for (size_t i = 0; i < N; i++) {
        keys[i] = (uint8_t)i;
        nodes[i].key = fe_view_of(&keys[i], 1);
        assert_int_equal(fe_map_insert(&map, &nodes[i]), 0);
    }
    fe_map_check(&map);
    EXPECT_BROKEN(assert_int_equal(fe_map_insert(&map, &nodes[0]), 0), "a key is in the map once");
    EXPECT_BROKEN(fe_map_remove(&map, &stranger), "what is removed is in the map");
    keys[3] = 99;
    EXPECT_BROKEN(fe_map_check(&map), "a key stays as it was inserted");
    keys[3] = 3;
    map.n++;
    EXPECT_BROKEN(fe_map_check(&map), "a map counts its nodes");
    map.n--;
    map.n_buckets--;
    EXPECT_BROKEN(fe_map_check(&map), "a mask finds the bucket");
    map.n_buckets++;
    fe_map_deinit(&map);
}

static void references_are_given_up_once(void **state)
{
    atomic_uint n_refs = 1;

    (void)state;
    fe_atomic_ref(&n_refs);
    assert_false(fe_atomic_unref(&n_refs));
    assert_true(fe_atomic_unref(&n_refs));
    EXPECT_BROKEN(fe_atomic_ref(&n_refs), "a reference is made from another one");
    atomic_store(&n_refs, 0);
    EXPECT_BROKEN((void)!fe_atomic_unref(&n_refs), "a reference is given up once");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists),
        cmocka_unit_test(timers),
        cmocka_unit_test(chains),
        cmocka_unit_test(buffers),
        cmocka_unit_test(arenas),
        cmocka_unit_test(maps),
        cmocka_unit_test(references_are_given_up_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
