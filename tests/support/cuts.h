/* Ways to cut a stream of bytes, for what must not depend on where it is cut. */
#ifndef TESTS_SUPPORT_CUTS_H
#define TESTS_SUPPORT_CUTS_H

#include <stddef.h>

/* How many bytes come next, at most `left`. */
typedef size_t (*cut_fn)(void *arg, size_t left);

size_t cut_one(void *arg, size_t left);

/* The first piece has `*arg` (size_t) bytes, the second the rest. */
size_t cut_once(void *arg, size_t left);

/* 1 to 30 bytes; `arg` is a struct fe_rng. */
size_t cut_at_random(void *arg, size_t left);

#endif
