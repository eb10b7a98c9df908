/* A queue of bytes in pooled blocks: appended at the back, written out from the front.
 *
 * Every byte stream that waits somewhere (a connection's output, a body whose reader is slow) waits
 * in a chain. The pool belongs to one thread, unless it is shared; blocks go back to it as they are
 * consumed.
 *
 * Nothing need be copied at its ends: bytes of others can be lent to a chain, which gives them back
 * when they are consumed; and a block can be taken out of it with its bytes, and given back by any
 * thread. */
#ifndef FE_GROUND_BASE_CHAIN_H
#define FE_GROUND_BASE_CHAIN_H

#include <stdatomic.h>

#include "ground/base/err.h"
#include "ground/base/view.h"

enum {
    FE_BLOCK_SIZE = 16384 - 64,   /* payload of a block: 16 KiB with header and malloc's */
    FE_BLOCK_FEW_MAX = 4096 - 64, /* of one that is no larger than needed: a page */
    FE_CHAIN_LEND_MIN = 4096,     /* fewer bytes are cheaper to copy than to keep track of */
    FE_POOL_KEEP = 128,           /* free blocks that a pool keeps: 2 MiB */
};

struct fe_block;

struct fe_pool {
    struct fe_block *free;
    unsigned n_free;
    /* Of a shared pool, in their place. */
    bool is_shared;
    atomic_uint n_refs; /* the owner's, and each block's that was taken out of a chain */
    _Atomic(struct fe_block *) shared_free;
    atomic_uint n_shared_free; /* about */
};

void fe_pool_init(struct fe_pool *pool);

/* Frees what is free. */
void fe_pool_deinit(struct fe_pool *pool);

/* A pool that any thread may take from and give back to, without a lock. What its blocks are in is
 * the threads' own affair. With one reference. FLATEND_ENOMEM. */
int fe_pool_new_shared(struct fe_pool **pool) FE_MUST_USE;

/* Frees the pool with its last reference. No chain may use it any more; blocks that were taken out
 * of one may still be out. */
void fe_pool_unref(struct fe_pool *pool);

struct fe_chain {
    struct fe_pool *pool;
    struct fe_block *head;
    struct fe_block *tail;
    size_t len;
    size_t n_lent; /* of them, bytes of others */
};

/* `pool` may be NULL: blocks then come from malloc and go back to free. */
void fe_chain_init(struct fe_chain *chain, struct fe_pool *pool);
void fe_chain_deinit(struct fe_chain *chain);

/* The pool will be gone: blocks are freed from now on. */
void fe_chain_leave_pool(struct fe_chain *chain);

/* All or nothing: on FLATEND_ENOMEM the chain is unchanged. */
int fe_chain_append(struct fe_chain *chain, const void *data, size_t len) FE_MUST_USE;

/* The same for bytes that may wait for long in many chains, where a block for each would be most of
 * the memory: as long as they are few they get blocks of their own size, which are of no pool. */
int fe_chain_append_few(struct fe_chain *chain, const void *data, size_t len) FE_MUST_USE;

/* Bytes of others: they stay where they are, until `release(arg)` gives them back, once: when they
 * are consumed, or dropped with the chain. Not empty. FLATEND_ENOMEM: they were not taken. */
int fe_chain_lend(struct fe_chain *chain, const void *data, size_t len, void (*release)(void *arg),
                  void *arg) FE_MUST_USE;

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

/* Takes the first block, none that was lent, out of a chain that is not empty: its bytes, in
 * `view`, live until it is given back. The chain's pool is shared, or none. */
struct fe_block *fe_chain_take(struct fe_chain *chain, struct fe_view *view) FE_MUST_USE;

/* Any thread; the chain, and who else has the pool, may be gone. */
void fe_block_release(struct fe_block *block);

/* Copies out and drops up to `cap` bytes; returns how many. */
size_t fe_chain_read(struct fe_chain *chain, void *buf, size_t cap);

/* Invariants. */
void fe_chain_check(const struct fe_chain *chain);

/* Moves everything in `from` to the back of `to`. Both use the same pool. What fits into the last
 * block is copied there, unless it is lent, so that many small moves do not hold a block each. */
void fe_chain_move(struct fe_chain *to, struct fe_chain *from);

#endif
