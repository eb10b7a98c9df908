#include "web/http/problem.h"

void fe_problem_page_text(struct fe_problem_page *page, const struct fe_problem *problem)
{
    const size_t len = strnlen(problem->reason, FE_PROBLEM_REASON_MAX);

    memcpy(page->body, problem->reason, len);
    page->body[len] = '\n';
    page->len = len + 1;
    page->type = FE_VIEW_LIT("text/plain; charset=utf-8");
}

/* One write is enough for what the protocol always has room for; less is a reset by fe_exchange's
 * rule about short bodies. */
static void send(struct fe_exchange *ex, const struct fe_response *response, struct fe_view body)
{
    if (fe_exchange_respond(ex, response) != 0 ||
        fe_exchange_write(ex, body) != (ssize_t)body.len) {
        fe_exchange_reset(ex, FLATEND_ENOMEM);
        return;
    }
    fe_exchange_finish(ex, NULL);
}

static void show(struct fe_exchange *ex, const struct fe_problem *problem)
{
    struct fe_problem_page page;
    struct fe_field fields[2];
    struct fe_response response = {.status = problem->status, .fields = {fields, 1, 2}};

    ex->is_problem = true;
    fe_filters_problem(fe_exchange_stage(ex, FE_FILTER_problem), ex, problem, &page);
    fields[0] = (struct fe_field){FE_VIEW_LIT("content-type"), page.type};
    if (problem->extra != NULL) {
        fields[response.fields.n++] = *problem->extra;
    }
    response.content_length = page.len;
    send(ex, &response, fe_view_of(page.body, page.len));
}

void fe_problem_answer(struct fe_exchange *ex, const struct fe_problem *problem)
{
    if (ex->ops->problem == NULL) {
        show(ex, problem);
        return;
    }
    FE_ASSERT(ex->phase == FE_EXCHANGE_OPEN, "a response has one head");
    ex->phase = FE_EXCHANGE_OVER;
    fe_exchange_leave(ex, 0);
    ex->ops->problem(ex, problem);
}

void fe_problem_respond(struct fe_exchange *ex, int status, const char *reason)
{
    fe_problem_answer(ex, &(struct fe_problem){status, reason, NULL});
}

void fe_problem_respond_with(struct fe_exchange *ex, int status, const char *reason,
                             struct fe_field field)
{
    fe_problem_answer(ex, &(struct fe_problem){status, reason, &field});
}

static int code_of(int status)
{
    switch (status) {
    case 408:
        return FLATEND_ETIMEDOUT;
    case 413:
        return FLATEND_ETOOBIG;
    case 503:
        return FLATEND_ENOMEM;
    default:
        return FLATEND_EPROTO;
    }
}

/* A head that a filter holds back was given: another one cannot be. */
void fe_problem_fail(struct fe_exchange *ex, int status, const char *reason)
{
    const bool is_open = ex->phase == FE_EXCHANGE_OPEN;

    ex->is_failed = true;
    if (!is_open) {
        fe_filter_reset(ex, code_of(status));
        return;
    }
    if (ex->backend != NULL) {
        ex->phase = FE_EXCHANGE_OVER;
        ex->backend->ops->on_reset(ex, code_of(status));
        ex->phase = FE_EXCHANGE_OPEN;
    }
    fe_problem_respond(ex, status, reason);
}
