/* A queue of bytes in pooled blocks: appended at the back, written out from the front.
 *
 * Every byte stream that waits somewhere (a connection's output, a body whose reader is slow) waits
 * in a chain. The pool belongs to one thread, unless it is shared; blocks go back to it as they are
 * consumed. */
#ifndef FE_GROUND_BASE_CHAIN_H
#define FE_GROUND_BASE_CHAIN_H

#include <stdatomic.h>

#include "ground/base/err.h"
#include "ground/base/view.h"

enum {
    FE_BLOCK_SIZE = 16384 - 64, /* payload of a block: 16 KiB with header and malloc's */
    FE_POOL_KEEP = 128,         /* free blocks that a pool keeps: 2 MiB */
};

struct fe_block;

struct fe_pool {
    struct fe_block *free;
    unsigned n_free;
    /* Of a shared pool, in their place. */
    bool is_shared;
    _Atomic(struct fe_block *) shared_free;
    atomic_uint n_shared_free; /* about */
};

void fe_pool_init(struct fe_pool *pool);

/* A pool that any thread may take from and give back to, without a lock. What its blocks are in is
 * the threads' own affair. */
void fe_pool_init_shared(struct fe_pool *pool);

/* Frees what is free. No other thread may use it. */
void fe_pool_deinit(struct fe_pool *pool);

struct fe_chain {
    struct fe_pool *pool;
    struct fe_block *head;
    struct fe_block *tail;
    size_t len;
};

/* `pool` may be NULL: blocks then come from malloc and go back to free. */
void fe_chain_init(struct fe_chain *chain, struct fe_pool *pool);
void fe_chain_deinit(struct fe_chain *chain);

/* The pool will be gone: blocks are freed from now on. */
void fe_chain_leave_pool(struct fe_chain *chain);

/* All or nothing: on FLATEND_ENOMEM the chain is unchanged. */
int fe_chain_append(struct fe_chain *chain, const void *data, size_t len) FE_MUST_USE;

/* Contiguous space for exactly `n` (1 to FE_BLOCK_SIZE) bytes at the back, to be filled and then
 * committed with fe_chain_commit; an uncommitted reservation is forgotten by the next call.
 * NULL: out of memory. */
uint8_t *fe_chain_reserve(struct fe_chain *chain, size_t n) FE_MUST_USE;
void fe_chain_commit(struct fe_chain *chain, size_t n);

/* Views of the first bytes, for a gathering write: fills up to `cap` views, returns how many. */
size_t fe_chain_peek(const struct fe_chain *chain, struct fe_view *views, size_t cap);

/* The first contiguous bytes; empty when the chain is. */
struct fe_view fe_chain_front(const struct fe_chain *chain);

/* Drops the first `n` bytes (at most `len`). */
void fe_chain_consume(struct fe_chain *chain, size_t n);

/* Copies out and drops up to `cap` bytes; returns how many. */
size_t fe_chain_read(struct fe_chain *chain, void *buf, size_t cap);

/* Invariants. */
void fe_chain_check(const struct fe_chain *chain);

/* Moves everything in `from` to the back of `to`. Both use the same pool. What fits into the last
 * block is copied there, so that many small moves do not hold a block each. */
void fe_chain_move(struct fe_chain *to, struct fe_chain *from);

#endif
