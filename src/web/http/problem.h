/* Answers that say in one line what went wrong. */
#ifndef FE_WEB_HTTP_PROBLEM_H
#define FE_WEB_HTTP_PROBLEM_H

#include "ground/base/json.h"
#include "web/http/exchange.h"

enum {
    FE_PROBLEM_REASON_MAX = 512, /* longer reasons are cut: one line is enough */
    FE_PROBLEM_PAGE_MAX = FE_JSON_ESCAPED_MAX * FE_PROBLEM_REASON_MAX + 128,
};

struct fe_problem {
    int status;
    const char *reason;           /* one line, no newline */
    const struct fe_field *extra; /* NULL: none */
};

/* What it looks like. */
struct fe_problem_page {
    struct fe_view type; /* Content-Type */
    size_t len;
    char body[FE_PROBLEM_PAGE_MAX];
};

/* The reason and a newline, as text/plain: what is shown unless a filter shows something else. */
void fe_problem_page_text(struct fe_problem_page *page, const struct fe_problem *problem);

/* Answers with `status` and `reason` (one line, no newline) and ends the exchange, or aborts it
 * when memory is out: either way it is over. */
void fe_problem_respond(struct fe_exchange *ex, int status, const char *reason);
void fe_problem_answer(struct fe_exchange *ex, const struct fe_problem *problem);

/* The same with one more field, such as Allow or Retry-After. */
void fe_problem_respond_with(struct fe_exchange *ex, int status, const char *reason,
                             struct fe_field field);

/* The exchange is taken from its backend, which hears on_reset, because the request cannot be read
 * to its end or is not to be: answered with a problem if no head has gone out, else reset. HTTP/1.1
 * closes behind the answer unless the request is complete. */
void fe_problem_fail(struct fe_exchange *ex, int status, const char *reason);

#endif
