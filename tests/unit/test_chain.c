#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ground/base/chain.h"
#include "ground/base/rng.h"
#include "support/bytes.h"

enum { LARGE = 3 * FE_BLOCK_SIZE + 100, RANDOM_STEPS = 3000 };

static void bytes_come_out_as_they_went_in(void **state)
{
    struct fe_pool pool;
    struct fe_chain chain;
    struct fe_view views[8];
    uint8_t *bytes = bytes_make(LARGE);
    uint8_t *read = malloc(LARGE);

    (void)state;
    assert_non_null(read);
    fe_pool_init(&pool);
    fe_chain_init(&chain, &pool);
    assert_int_equal(fe_chain_append(&chain, bytes, LARGE), 0);
    assert_int_equal(chain.len, LARGE);
    assert_int_equal(fe_chain_peek(&chain, views, 8), 4);
    assert_int_equal(fe_chain_peek(&chain, views, 2), 2);
    assert_int_equal(fe_chain_read(&chain, read, LARGE), LARGE);
    assert_memory_equal(read, bytes, LARGE);
    assert_int_equal(chain.len, 0);
    assert_int_equal(fe_chain_front(&chain).len, 0);
    assert_int_equal(pool.n_free, 4);
    fe_chain_deinit(&chain);
    fe_pool_deinit(&pool);
    free(bytes);
    free(read);
}

static void blocks_are_used_again(void **state)
{
    struct fe_pool pool;
    struct fe_chain chain;
    struct fe_block *block;

    (void)state;
    fe_pool_init(&pool);
    fe_chain_init(&chain, &pool);
    assert_int_equal(fe_chain_append(&chain, "x", 1), 0);
    block = chain.head;
    fe_chain_consume(&chain, 1);
    assert_int_equal(pool.n_free, 1);
    assert_int_equal(fe_chain_append(&chain, "y", 1), 0);
    assert_ptr_equal(chain.head, block);
    assert_int_equal(pool.n_free, 0);
    fe_chain_deinit(&chain);
    fe_pool_deinit(&pool);
}

static void a_pool_keeps_a_bounded_number(void **state)
{
    struct fe_pool pool;
    struct fe_chain chain;

    (void)state;
    fe_pool_init(&pool);
    fe_chain_init(&chain, &pool);
    for (unsigned i = 0; i < FE_POOL_KEEP + 10; i++) {
        assert_non_null(fe_chain_reserve(&chain, FE_BLOCK_SIZE));
        fe_chain_commit(&chain, FE_BLOCK_SIZE);
    }
    fe_chain_consume(&chain, SIZE_MAX);
    assert_int_equal(chain.len, 0);
    assert_int_equal(pool.n_free, FE_POOL_KEEP);
    fe_chain_deinit(&chain);
    fe_pool_deinit(&pool);
}

/* A few bytes get a block of their own size; when they have become many, those of the pool. */
static void few_bytes_take_no_block_of_the_pool(void **state)
{
    static uint8_t data[2 * FE_BLOCK_FEW_MAX];
    static uint8_t read[sizeof(data)];
    struct fe_pool pool;
    struct fe_chain chain;
    struct fe_view views[16];
    size_t n = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(data); i++) {
        data[i] = (uint8_t)(i * 7);
    }
    fe_pool_init(&pool);
    fe_chain_init(&chain, &pool);
    assert_int_equal(fe_chain_append_few(&chain, data, 0), 0);
    assert_null(chain.head);
    assert_int_equal(fe_chain_append_few(&chain, data, FE_BLOCK_FEW_MAX), 0);
    fe_chain_consume(&chain, SIZE_MAX);
    assert_int_equal(pool.n_free, 0);
    /* A byte at a time, they double. */
    for (size_t i = 0; i < sizeof(data); i++) {
        assert_int_equal(fe_chain_append_few(&chain, &data[i], 1), 0);
    }
    n = fe_chain_peek(&chain, views, 16);
    assert_in_range(n, 5, 8);
    assert_int_equal(views[0].len, 64);
    assert_int_equal(fe_chain_read(&chain, read, sizeof(read)), sizeof(read));
    assert_memory_equal(read, data, sizeof(data));
    assert_int_equal(pool.n_free, 1);
    fe_chain_deinit(&chain);
    fe_pool_deinit(&pool);
}

/* What is behind in the chain of others is read as all else, and no room is taken for what is not
 * there. */
static void few_bytes_are_moved_as_others(void **state)
{
    struct fe_chain a, b;
    char read[200];
    char data[100];

    (void)state;
    memset(data, 'x', sizeof(data));
    fe_chain_init(&a, NULL);
    fe_chain_init(&b, NULL);
    assert_int_equal(fe_chain_append_few(&a, "a", 1), 0);
    assert_int_equal(fe_chain_append(&b, data, sizeof(data)), 0);
    fe_chain_move(&a, &b);
    assert_int_equal(a.len, 101);
    assert_int_equal(fe_chain_read(&a, read, sizeof(read)), 101);
    assert_int_equal(read[0], 'a');
    assert_memory_equal(read + 1, data, sizeof(data));
    fe_chain_deinit(&a);
    fe_chain_deinit(&b);
}

static void reserved_space_is_in_one_piece(void **state)
{
    struct fe_chain chain;
    uint8_t *space;

    (void)state;
    fe_chain_init(&chain, NULL);
    assert_int_equal(fe_chain_append(&chain, "head", 4), 0);
    space = fe_chain_reserve(&chain, FE_BLOCK_SIZE - 4);
    assert_non_null(space);
    memcpy(space, "tail", 4);
    fe_chain_commit(&chain, 4);
    assert_true(fe_view_equal(fe_chain_front(&chain), FE_VIEW_LIT("headtail")));
    assert_non_null(fe_chain_reserve(&chain, FE_BLOCK_SIZE));
    assert_int_equal(chain.len, 8);
    fe_chain_deinit(&chain);
}

/* A reservation that is not committed leaves nothing behind, though its block may stay. */
static void a_forgotten_reservation_is_invisible(void **state)
{
    struct fe_chain chain, other;
    struct fe_view views[4];
    char read[4];

    (void)state;
    fe_chain_init(&chain, NULL);
    fe_chain_init(&other, NULL);
    assert_non_null(fe_chain_reserve(&chain, 10));
    assert_int_equal(fe_chain_peek(&chain, views, 4), 0);
    assert_int_equal(fe_chain_append(&other, "x", 1), 0);
    fe_chain_move(&chain, &other);
    assert_int_equal(chain.len, 1);
    assert_int_equal(fe_chain_peek(&chain, views, 4), 1);
    assert_int_equal(fe_chain_read(&chain, read, sizeof(read)), 1);
    assert_null(chain.head);
    fe_chain_deinit(&chain);
}

static void moving_takes_everything(void **state)
{
    struct fe_chain a, b;
    char read[8];

    (void)state;
    fe_chain_init(&a, NULL);
    fe_chain_init(&b, NULL);
    fe_chain_move(&a, &b);
    assert_int_equal(a.len, 0);
    assert_int_equal(fe_chain_append(&a, "abc", 3), 0);
    assert_int_equal(fe_chain_append(&b, "def", 3), 0);
    fe_chain_move(&a, &b);
    assert_int_equal(a.len, 6);
    assert_int_equal(b.len, 0);
    assert_null(b.head);
    assert_int_equal(fe_chain_append(&a, "g", 1), 0);
    assert_int_equal(fe_chain_append(&b, "new", 3), 0);
    assert_int_equal(fe_chain_read(&a, read, sizeof(read)), 7);
    assert_memory_equal(read, "abcdefg", 7);
    fe_chain_deinit(&a);
    fe_chain_deinit(&b);
}

static void small_moves_share_blocks(void **state)
{
    struct fe_chain a, b;
    struct fe_view views[8];

    (void)state;
    fe_chain_init(&a, NULL);
    fe_chain_init(&b, NULL);
    for (size_t i = 0; i < FE_BLOCK_SIZE + 1; i++) {
        const uint8_t byte = (uint8_t)(i % 251);

        assert_int_equal(fe_chain_append(&b, &byte, 1), 0);
        fe_chain_move(&a, &b);
        assert_int_equal(b.len, 0);
        assert_null(b.head);
    }
    assert_int_equal(a.len, FE_BLOCK_SIZE + 1);
    assert_int_equal(fe_chain_peek(&a, views, 8), 2);
    for (size_t i = 0; i < FE_BLOCK_SIZE + 1; i++) {
        uint8_t byte;

        assert_int_equal(fe_chain_read(&a, &byte, 1), 1);
        assert_int_equal(byte, i % 251);
    }
    fe_chain_deinit(&a);
}

/* A chain is a queue: whatever the sizes, the counting pattern comes out in order. */
static void random_appends_and_reads(void **state)
{
    static uint8_t buf[2 * FE_BLOCK_SIZE];
    struct fe_rng_seeded seeded;
    struct fe_rng rng = fe_rng_from_seed(&seeded, 42);
    struct fe_pool pool;
    struct fe_chain chain;
    uint8_t in = 0, out = 0;

    (void)state;
    fe_pool_init(&pool);
    fe_chain_init(&chain, &pool);
    for (unsigned step = 0; step < RANDOM_STEPS; step++) {
        size_t n = fe_rng_below(&rng, 1U << fe_rng_below(&rng, 15));
        size_t before = chain.len;

        if (fe_rng_below(&rng, 2) == 0) {
            for (size_t i = 0; i < n; i++) {
                buf[i] = in++;
            }
            assert_int_equal(fe_chain_append(&chain, buf, n), 0);
            assert_int_equal(chain.len, before + n);
            continue;
        }
        n = fe_chain_read(&chain, buf, n);
        assert_int_equal(chain.len, before - n);
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(buf[i], out++);
        }
    }
    fe_chain_deinit(&chain);
    fe_pool_deinit(&pool);
}

/* ---- a shared pool --------------------------------------------------------------------------- */

enum { N_THREADS = 8, N_ROUNDS = 2000 };

/* Writes chains out of the pool, and hands each to the next thread's rounds by way of the pool. */
static void *use_pool(void *arg)
{
    struct fe_pool *pool = arg;
    uint8_t bytes[100];
    uint8_t read[sizeof(bytes)];

    memset(bytes, (int)((uintptr_t)&bytes >> 12 & 0xff), sizeof(bytes));
    for (int i = 0; i < N_ROUNDS; i++) {
        struct fe_chain chains[3];

        for (int k = 0; k < 3; k++) {
            fe_chain_init(&chains[k], pool);
            assert_int_equal(fe_chain_append(&chains[k], bytes, sizeof(bytes)), 0);
        }
        for (int k = 0; k < 3; k++) {
            assert_int_equal(fe_chain_read(&chains[k], read, sizeof(read)), sizeof(bytes));
            assert_memory_equal(read, bytes, sizeof(bytes));
        }
    }
    return NULL;
}

static void threads_share_a_pool(void **state)
{
    struct fe_pool *pool;
    pthread_t threads[N_THREADS];

    (void)state;
    assert_int_equal(fe_pool_new_shared(&pool), 0);
    for (int i = 0; i < N_THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, use_pool, pool), 0);
    }
    for (int i = 0; i < N_THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_true(atomic_load(&pool->n_shared_free) > 0);
    assert_true(atomic_load(&pool->n_shared_free) <= FE_POOL_KEEP + N_THREADS);
    fe_pool_unref(pool);
}

/* What left its pool is freed, and not given back to it. */
static void a_chain_may_outlive_its_pool(void **state)
{
    struct fe_pool *pool;
    struct fe_chain chain;
    uint8_t read[4];

    (void)state;
    assert_int_equal(fe_pool_new_shared(&pool), 0);
    fe_chain_init(&chain, pool);
    assert_int_equal(fe_chain_append(&chain, "text", 4), 0);
    fe_chain_leave_pool(&chain);
    fe_pool_unref(pool);
    assert_int_equal(fe_chain_append(&chain, "more", 4), 0);
    assert_int_equal(fe_chain_read(&chain, read, 4), 4);
    assert_memory_equal(read, "text", 4);
    fe_chain_deinit(&chain);
}

/* ---- without copying ------------------------------------------------------------------------- */

static void count_release(void *arg)
{
    (*(unsigned *)arg)++;
}

/* Between bytes of its own, in one piece, and given back once: when the last of them is consumed,
 * or with the chain. */
static void lent_bytes_stay_where_they_are(void **state)
{
    static const char lent[] = "lent";
    struct fe_chain chain;
    struct fe_chain other;
    struct fe_view views[4];
    unsigned n_released = 0;

    (void)state;
    fe_chain_init(&chain, NULL);
    fe_chain_init(&other, NULL);
    assert_int_equal(fe_chain_append(&chain, "own", 3), 0);
    assert_int_equal(fe_chain_lend(&other, lent, 4, count_release, &n_released), 0);
    fe_chain_move(&chain, &other); /* small as it is, it is not copied */
    assert_int_equal(fe_chain_append(&chain, "more", 4), 0);
    fe_chain_check(&chain);
    assert_int_equal(chain.len, 11);
    assert_int_equal(chain.n_lent, 4);
    assert_int_equal(fe_chain_peek(&chain, views, 4), 3);
    assert_ptr_equal(views[1].ptr, lent);
    fe_chain_consume(&chain, 6);
    assert_int_equal(n_released, 0);
    assert_int_equal(chain.n_lent, 1);
    fe_chain_consume(&chain, 1);
    assert_int_equal(n_released, 1);
    assert_int_equal(chain.n_lent, 0);
    assert_true(fe_view_equal(fe_chain_front(&chain), FE_VIEW_LIT("more")));
    assert_int_equal(fe_chain_lend(&chain, lent, 4, count_release, &n_released), 0);
    fe_chain_deinit(&chain);
    assert_int_equal(n_released, 2);
    assert_int_equal(chain.n_lent, 0);
}

static void a_block_that_was_taken_outlives_chain_and_pool(void **state)
{
    struct fe_pool *pool;
    struct fe_chain chain;
    struct fe_block *blocks[2];
    struct fe_view views[2];

    (void)state;
    assert_int_equal(fe_pool_new_shared(&pool), 0);
    fe_chain_init(&chain, pool);
    assert_int_equal(fe_chain_append(&chain, "xyfirst", 7), 0);
    fe_chain_consume(&chain, 2);
    blocks[0] = fe_chain_take(&chain, &views[0]);
    assert_int_equal(chain.len, 0);
    fe_chain_check(&chain);
    assert_non_null(fe_chain_reserve(&chain, 1));
    assert_non_null(fe_chain_reserve(&chain, FE_BLOCK_SIZE)); /* the block, still empty */
    assert_int_equal(fe_chain_append(&chain, "second", 6), 0);
    blocks[1] = fe_chain_take(&chain, &views[1]);
    fe_chain_deinit(&chain);
    fe_block_release(blocks[0]);
    assert_int_equal(atomic_load(&pool->n_shared_free), 1); /* to be used again */
    fe_pool_unref(pool);
    assert_true(fe_view_equal(views[1], FE_VIEW_LIT("second")));
    fe_block_release(blocks[1]);
}

/* From a pool that has gone: it is freed. */
static void a_block_of_a_chain_without_a_pool_is_taken_too(void **state)
{
    struct fe_chain chain;
    struct fe_block *block;
    struct fe_view view;

    (void)state;
    fe_chain_init(&chain, NULL);
    assert_int_equal(fe_chain_append(&chain, "text", 4), 0);
    block = fe_chain_take(&chain, &view);
    fe_chain_deinit(&chain);
    assert_true(fe_view_equal(view, FE_VIEW_LIT("text")));
    fe_block_release(block);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_come_out_as_they_went_in),
        cmocka_unit_test(blocks_are_used_again),
        cmocka_unit_test(a_pool_keeps_a_bounded_number),
        cmocka_unit_test(few_bytes_take_no_block_of_the_pool),
        cmocka_unit_test(few_bytes_are_moved_as_others),
        cmocka_unit_test(reserved_space_is_in_one_piece),
        cmocka_unit_test(a_forgotten_reservation_is_invisible),
        cmocka_unit_test(moving_takes_everything),
        cmocka_unit_test(small_moves_share_blocks),
        cmocka_unit_test(random_appends_and_reads),
        cmocka_unit_test(threads_share_a_pool),
        cmocka_unit_test(a_chain_may_outlive_its_pool),
        cmocka_unit_test(lent_bytes_stay_where_they_are),
        cmocka_unit_test(a_block_that_was_taken_outlives_chain_and_pool),
        cmocka_unit_test(a_block_of_a_chain_without_a_pool_is_taken_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
