/* Requests, good and bad, with what the decoder is to make of them, however they are cut.
 *
 *     [GET /path?query @authority 1.1 keep 5] hello .
 *
 * is a head (method, target, authority, version, persistence, length or "chunked"), its body, and
 * the end of the request; "expect" says that the client waits for 100 (Continue). A fault is
 * "!400", with nothing behind it. */
#ifndef TESTS_SUPPORT_H1_CORPUS_H
#define TESTS_SUPPORT_H1_CORPUS_H

#include "ground/base/view.h"
#include "support/cuts.h"

struct h1_case {
    const char *name;
    const char *bytes;
    size_t len;
    const char *expected;
};

enum { H1_CORPUS_HEADER_MAX = 512 }; /* of the decoder that reads the corpus */

extern const struct h1_case h1_corpus[];
extern const size_t h1_corpus_n;

/* Decodes `bytes` in pieces as `cut` says (NULL: whole), each in memory of exactly its size, and
 * writes down what happens. `text` holds it until the next call. */
struct h1_reading {
    char text[4096];
    size_t len;
    int status;         /* of the fault, 0 if there was none */
    const char *reason; /* of the fault */
};
void h1_read(struct h1_reading *reading, struct fe_view bytes, cut_fn cut, void *arg);

#endif
