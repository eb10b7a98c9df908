/* Responses, good and bad, with what the client's decoder is to make of them, however they are cut.
 *
 *     [200 a=b,c=d] hello .
 *
 * is a head (status, fields), its body, and the end, after which bytes do not matter. The stream
 * ends with the bytes of a case. A fault is "!" with nothing behind it. */
#ifndef TESTS_SUPPORT_H1_CLIENT_CORPUS_H
#define TESTS_SUPPORT_H1_CLIENT_CORPUS_H

#include "ground/base/view.h"
#include "support/cuts.h"

struct h1_client_case {
    const char *name;
    const char *bytes;
    const char *expected;
    bool is_head; /* the request was HEAD */
};

extern const struct h1_client_case h1_client_corpus[];
extern const size_t h1_client_corpus_n;

/* Decodes the case in pieces as `cut` says (NULL: whole), each in memory of exactly its size, and
 * writes down what happens; the last piece is followed by the end of the stream. False: out of
 * memory. */
struct h1_client_reading {
    char text[4096];
    size_t len;
};
bool h1_client_read(struct h1_client_reading *reading, const struct h1_client_case *c, cut_fn cut,
                    void *arg);

#endif
