#include "ground/base/chain.h"

#include <stdlib.h>

#include "ground/base/assert.h"

enum { FEW_MIN = 64 }; /* bytes: less would be no less memory */

/* A block's own bytes lie behind it. */
struct fe_block {
    struct fe_block *next;
    uint8_t *bytes;
    size_t size;  /* FE_BLOCK_SIZE, or less: then it is of no pool */
    size_t start; /* the first byte not consumed */
    size_t end;   /* behind the last byte */
    /* Of bytes that were lent, which are only read. NULL: they are the block's own. */
    void (*release)(void *arg);
    void *owner; /* what `release` is given; or the pool of a block that was taken out */
};

/* ---- pools ---------------------------------------------------------------------------------- */

void fe_pool_init(struct fe_pool *pool)
{
    pool->free = NULL;
    pool->n_free = 0;
    pool->is_shared = false;
    atomic_init(&pool->n_refs, 0);
    atomic_init(&pool->shared_free, NULL);
    atomic_init(&pool->n_shared_free, 0);
}

int fe_pool_new_shared(struct fe_pool **out)
{
    struct fe_pool *pool = malloc(sizeof(*pool));

    *out = pool;
    if (pool == NULL) {
        return FLATEND_ENOMEM;
    }
    fe_pool_init(pool);
    pool->is_shared = true;
    atomic_init(&pool->n_refs, 1);
    return 0;
}

static void free_all(struct fe_block *block)
{
    while (block != NULL) {
        struct fe_block *next = block->next;

        free(block);
        block = next;
    }
}

void fe_pool_deinit(struct fe_pool *pool)
{
    free_all(pool->free);
    fe_pool_init(pool);
}

void fe_pool_unref(struct fe_pool *pool)
{
    FE_ASSERT(pool->is_shared, "only a pool that is shared is counted");
    if (atomic_fetch_sub_explicit(&pool->n_refs, 1, memory_order_acq_rel) == 1) {
        free_all(atomic_load_explicit(&pool->shared_free, memory_order_acquire));
        free(pool);
    }
}

/* Puts a block that leads to others in front of what is free now. */
static void push_shared(struct fe_pool *pool, struct fe_block *first, struct fe_block *last)
{
    struct fe_block *head = atomic_load_explicit(&pool->shared_free, memory_order_relaxed);

    do {
        last->next = head;
    } while (!atomic_compare_exchange_weak_explicit(&pool->shared_free, &head, first,
                                                    memory_order_release, memory_order_relaxed));
}

/* Takes the whole list, keeps its first block and puts the rest back: to take the first one alone,
 * its successor would have to be read while another thread may have it. */
static struct fe_block *pop_shared(struct fe_pool *pool)
{
    struct fe_block *const block =
        atomic_exchange_explicit(&pool->shared_free, NULL, memory_order_acquire);
    struct fe_block *rest;
    struct fe_block *none = NULL;

    if (block == NULL) {
        return NULL;
    }
    atomic_fetch_sub_explicit(&pool->n_shared_free, 1, memory_order_relaxed);
    rest = block->next;
    if (rest != NULL &&
        !atomic_compare_exchange_strong_explicit(&pool->shared_free, &none, rest,
                                                 memory_order_release, memory_order_relaxed)) {
        struct fe_block *last = rest; /* another thread has given one back meanwhile */

        while (last->next != NULL) {
            last = last->next;
        }
        push_shared(pool, rest, last);
    }
    return block;
}

static struct fe_block *pop(struct fe_pool *pool)
{
    struct fe_block *const block = pool->free;

    if (block != NULL) {
        FE_ASSERT(pool->n_free > 0, "a pool counts its free blocks");
        pool->free = block->next;
        pool->n_free--;
    }
    return block;
}

static struct fe_block *block_init(struct fe_block *block, size_t size)
{
    *block = (struct fe_block){.bytes = (uint8_t *)(block + 1), .size = size};
    return block;
}

static struct fe_block *block_alloc(size_t size)
{
    struct fe_block *block = malloc(sizeof(*block) + size);

    return block != NULL ? block_init(block, size) : NULL;
}

static struct fe_block *block_new(struct fe_pool *pool)
{
    struct fe_block *block = NULL;

    if (pool != NULL) {
        block = pool->is_shared ? pop_shared(pool) : pop(pool);
    }
    return block != NULL ? block_init(block, FE_BLOCK_SIZE) : block_alloc(FE_BLOCK_SIZE);
}

static bool keeps_enough(struct fe_pool *pool)
{
    const unsigned n = pool->is_shared
                           ? atomic_load_explicit(&pool->n_shared_free, memory_order_relaxed)
                           : pool->n_free;

    return n >= FE_POOL_KEEP;
}

static void block_free(struct fe_pool *pool, struct fe_block *block)
{
    if (block->release != NULL) {
        block->release(block->owner);
        free(block);
    } else if (pool == NULL || block->size < FE_BLOCK_SIZE || keeps_enough(pool)) {
        free(block);
    } else if (pool->is_shared) {
        atomic_fetch_add_explicit(&pool->n_shared_free, 1, memory_order_relaxed);
        push_shared(pool, block, block);
    } else {
        block->next = pool->free;
        pool->free = block;
        pool->n_free++;
    }
}

static void blocks_free(struct fe_pool *pool, struct fe_block *block)
{
    while (block != NULL) {
        struct fe_block *next = block->next;

        block_free(pool, block);
        block = next;
    }
}

static size_t room_in(const struct fe_block *block)
{
    return block->size - block->end;
}

/* ---- chains --------------------------------------------------------------------------------- */

void fe_chain_init(struct fe_chain *chain, struct fe_pool *pool)
{
    *chain = (struct fe_chain){.pool = pool};
}

void fe_chain_deinit(struct fe_chain *chain)
{
    blocks_free(chain->pool, chain->head);
    fe_chain_init(chain, chain->pool);
}

void fe_chain_leave_pool(struct fe_chain *chain)
{
    chain->pool = NULL;
}

void fe_chain_check(const struct fe_chain *chain)
{
    const struct fe_block *last = NULL;
    size_t len = 0;
    size_t n_lent = 0;

    for (const struct fe_block *block = chain->head; block != NULL; block = block->next) {
        FE_ASSERT(block->start <= block->end, "no more is consumed of a block than it held");
        FE_ASSERT(block->end <= block->size, "a block holds no more than it has space for");
        len += block->end - block->start;
        n_lent += block->release != NULL ? block->end - block->start : 0;
        last = block;
    }
    FE_ASSERT(chain->tail == last, "the tail is the last block");
    FE_ASSERT(chain->len == len, "a chain's length is that of its blocks together");
    FE_ASSERT(chain->n_lent == n_lent, "bytes that were lent are counted");
}

static void link_blocks(struct fe_chain *chain, struct fe_block *first, struct fe_block *last)
{
    if (chain->tail != NULL) {
        chain->tail->next = first;
    } else {
        chain->head = first;
    }
    chain->tail = last;
}

/* Makes sure that `len` bytes fit behind the tail, in new blocks where they must. The first block
 * to write to is the tail as it was, or the first new one. */
static int add_room(struct fe_chain *chain, size_t len)
{
    struct fe_block *first = NULL;
    struct fe_block *last = NULL;
    size_t room = chain->tail != NULL ? room_in(chain->tail) : 0;

    while (room < len) {
        struct fe_block *block = block_new(chain->pool);

        if (block == NULL) {
            blocks_free(chain->pool, first);
            return FLATEND_ENOMEM;
        }
        if (last != NULL) {
            last->next = block;
        } else {
            first = block;
        }
        last = block;
        room += FE_BLOCK_SIZE;
    }
    if (first != NULL) {
        link_blocks(chain, first, last);
    }
    return 0;
}

int fe_chain_append(struct fe_chain *chain, const void *data, size_t len)
{
    const uint8_t *from = data;
    struct fe_block *block = chain->tail;
    int code = add_room(chain, len);

    if (code != 0) {
        return code;
    }
    if (block == NULL) {
        block = chain->head;
    }
    chain->len += len;
    while (len > 0) {
        size_t n;

        FE_ASSERT(block != NULL, "as many blocks were added as are filled");
        n = room_in(block) < len ? room_in(block) : len;
        memcpy(block->bytes + block->end, from, n);
        block->end += n;
        from += n;
        len -= n;
        block = block->next;
    }
    FE_CHECK(fe_chain_check(chain));
    return 0;
}

int fe_chain_append_few(struct fe_chain *chain, const void *data, size_t len)
{
    const size_t room = chain->tail != NULL ? room_in(chain->tail) : 0;
    const size_t size = len > chain->len ? len : chain->len; /* so that the chain doubles */

    if (len > room && size <= FE_BLOCK_FEW_MAX) {
        struct fe_block *block = block_alloc(size < FEW_MIN ? FEW_MIN : size);

        if (block == NULL) {
            return FLATEND_ENOMEM;
        }
        link_blocks(chain, block, block);
    }
    return fe_chain_append(chain, data, len);
}

int fe_chain_lend(struct fe_chain *chain, const void *data, size_t len, void (*release)(void *arg),
                  void *arg)
{
    struct fe_block *block = malloc(sizeof(*block));

    FE_ASSERT(len > 0 && release != NULL, "bytes are lent until they are given back");
    if (block == NULL) {
        return FLATEND_ENOMEM;
    }
    *block = (struct fe_block){.bytes = (uint8_t *)(uintptr_t)data, /* only read */
                               .size = len,
                               .end = len,
                               .release = release,
                               .owner = arg};
    link_blocks(chain, block, block);
    chain->len += len;
    chain->n_lent += len;
    FE_CHECK(fe_chain_check(chain));
    return 0;
}

uint8_t *fe_chain_reserve(struct fe_chain *chain, size_t n)
{
    struct fe_block *block = chain->tail;

    FE_ASSERT(n > 0 && n <= FE_BLOCK_SIZE, "a reservation fits a block");
    if (block == NULL || room_in(block) < n) {
        block = block_new(chain->pool);
        if (block == NULL) {
            return NULL;
        }
        link_blocks(chain, block, block);
    }
    return block->bytes + block->end;
}

void fe_chain_commit(struct fe_chain *chain, size_t n)
{
    FE_ASSERT(chain->tail != NULL, "what is committed was reserved");
    FE_ASSERT(n <= room_in(chain->tail), "no more is committed than was reserved");
    chain->tail->end += n;
    chain->len += n;
    FE_CHECK(fe_chain_check(chain));
}

size_t fe_chain_peek(const struct fe_chain *chain, struct fe_view *views, size_t cap)
{
    size_t n = 0;

    for (const struct fe_block *block = chain->head; block != NULL && n < cap;
         block = block->next) {
        if (block->end > block->start) {
            views[n++] = fe_view_of(block->bytes + block->start, block->end - block->start);
        }
    }
    return n;
}

struct fe_view fe_chain_front(const struct fe_chain *chain)
{
    struct fe_view view = {0};

    (void)fe_chain_peek(chain, &view, 1);
    return view;
}

static void unlink_head(struct fe_chain *chain)
{
    chain->head = chain->head->next;
    if (chain->head == NULL) {
        chain->tail = NULL;
    }
}

void fe_chain_consume(struct fe_chain *chain, size_t n)
{
    if (n > chain->len) {
        n = chain->len;
    }
    chain->len -= n;
    while (chain->head != NULL) {
        struct fe_block *block = chain->head;
        size_t held = block->end - block->start;
        size_t dropped = n < held ? n : held;

        chain->n_lent -= block->release != NULL ? dropped : 0;
        if (n < held) {
            block->start += n;
            break;
        }
        n -= held;
        unlink_head(chain);
        block_free(chain->pool, block);
        if (n == 0) {
            break;
        }
    }
    FE_CHECK(fe_chain_check(chain));
}

struct fe_block *fe_chain_take(struct fe_chain *chain, struct fe_view *view)
{
    struct fe_pool *const pool = chain->pool;
    struct fe_block *block;

    FE_ASSERT(pool == NULL || pool->is_shared, "what any thread gives back is of a shared pool");
    while (chain->len > 0 && chain->head->start == chain->head->end) {
        block = chain->head;
        unlink_head(chain);
        block_free(pool, block);
    }
    block = chain->head;
    FE_ASSERT(chain->len > 0 && block->release == NULL, "bytes of its own are taken of a chain");
    unlink_head(chain);
    *view = fe_view_of(block->bytes + block->start, block->end - block->start);
    chain->len -= view->len;
    block->owner = pool;
    if (pool != NULL) {
        atomic_fetch_add_explicit(&pool->n_refs, 1, memory_order_relaxed);
    }
    FE_CHECK(fe_chain_check(chain));
    return block;
}

void fe_block_release(struct fe_block *block)
{
    struct fe_pool *const pool = block->owner;

    block_free(pool, block);
    if (pool != NULL) {
        fe_pool_unref(pool);
    }
}

size_t fe_chain_read(struct fe_chain *chain, void *buf, size_t cap)
{
    uint8_t *to = buf;
    size_t n = 0;

    while (n < cap && chain->len > 0) {
        struct fe_view front = fe_chain_front(chain);
        size_t take = front.len < cap - n ? front.len : cap - n;

        FE_ASSERT(front.ptr != NULL, "a chain with a length has bytes");
        memcpy(to + n, front.ptr, take);
        fe_chain_consume(chain, take);
        n += take;
    }
    return n;
}

void fe_chain_move(struct fe_chain *to, struct fe_chain *from)
{
    FE_ASSERT(to != from, "a chain is not moved to itself");
    FE_ASSERT(to->pool == from->pool, "blocks stay with their pool");
    if (from->head == NULL) {
        return;
    }
    if (to->tail != NULL && from->n_lent == 0 && from->len <= room_in(to->tail)) {
        to->len += from->len;
        to->tail->end += fe_chain_read(from, to->tail->bytes + to->tail->end, from->len);
        fe_chain_deinit(from);
        return;
    }
    link_blocks(to, from->head, from->tail);
    to->len += from->len;
    to->n_lent += from->n_lent;
    fe_chain_init(from, from->pool);
    FE_CHECK(fe_chain_check(to));
}
