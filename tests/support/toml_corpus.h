/* The cases of tests/vectors/toml: texts, each with the tree that it is or its first mistake. */
#ifndef TESTS_SUPPORT_TOML_CORPUS_H
#define TESTS_SUPPORT_TOML_CORPUS_H

#include "ground/base/buf.h"

struct toml_case {
    const char *file;
    unsigned line;          /* of its head in the file, for messages */
    struct fe_view about;   /* what it is about */
    struct fe_view text;    /* TOML, or not */
    struct fe_view outcome; /* "{...}" or "LINE:COLUMN: ..." */
};

typedef void (*toml_case_fn)(const struct toml_case *c, void *arg);

/* Calls `fn` with every case of every file. A file that is missing or has none fails the test. */
void toml_corpus_each(toml_case_fn fn, void *arg);

static inline bool toml_case_is_valid(const struct toml_case *c)
{
    return c->outcome.ptr[0] == '{';
}

/* What comes of `text`, in the form of an outcome, appended to `outcome`. Returns the code. The
 * text is parsed in a buffer of just its length, so that what is read behind it is found. */
int toml_outcome(struct fe_view text, struct fe_buf *outcome);

#endif
