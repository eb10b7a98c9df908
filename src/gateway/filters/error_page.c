#include "gateway/filters/error_page.h"

#include <stdio.h>

#include "ground/base/ascii.h"
#include "ground/base/assert.h"
#include "ground/base/json.h"
#include "ground/base/status.h"
#include "web/http/exchange.h"
#include "web/http/problem.h"
#include "web/http/syntax.h"

enum { Q_MAX = 1000 };

/* The weight of a media range, 0 to 1000 (RFC 9110 §12.4.2); 1000 if it has none or it is broken.
 */
static int weight_of(struct fe_view params)
{
    while (params.len > 0) {
        const uint8_t *semicolon = memchr(params.ptr, ';', params.len);
        size_t len = semicolon != NULL ? (size_t)(semicolon - params.ptr) : params.len;
        struct fe_view param = fe_trim_ows(fe_view_of(params.ptr, len));
        int q = 0;
        int scale = Q_MAX;

        params = fe_view_skip(params, semicolon != NULL ? len + 1 : len);
        if (param.len < 3 || fe_ascii_lower(param.ptr[0]) != 'q' || param.ptr[1] != '=') {
            continue;
        }
        for (size_t i = 2; i < param.len && scale > 0; i++) {
            if (param.ptr[i] >= '0' && param.ptr[i] <= '9') {
                q += (param.ptr[i] - '0') * scale;
                scale /= 10;
            }
        }
        return q < Q_MAX ? q : Q_MAX;
    }
    return Q_MAX;
}

static bool is_json_type(struct fe_view type)
{
    return fe_view_equal_nocase(type, FE_VIEW_LIT("application/json")) ||
           fe_view_equal_nocase(type, FE_VIEW_LIT("application/problem+json")) ||
           fe_view_equal_nocase(type, FE_VIEW_LIT("application/*"));
}

/* The range that weighs most decides, of equal ones the first: a client that names JSON before
 * anything else means it, one that takes everything gets what a person can read. */
static bool prefers_json(const struct fe_fields *fields)
{
    int best = 0;
    bool is_json = false;

    for (size_t i = 0; i < fields->n; i++) {
        struct fe_view list = fields->items[i].value;
        struct fe_view range;

        if (!fe_view_equal(fields->items[i].name, FE_VIEW_LIT("accept"))) {
            continue;
        }
        while (fe_list_next(&list, &range)) {
            const uint8_t *semicolon = memchr(range.ptr, ';', range.len);
            size_t len = semicolon != NULL ? (size_t)(semicolon - range.ptr) : range.len;
            int weight = weight_of(fe_view_skip(range, len));

            if (weight > best) {
                best = weight;
                is_json = is_json_type(fe_trim_ows(fe_view_of(range.ptr, len)));
            }
        }
    }
    return is_json;
}

/* RFC 9457. */
static void write_json(struct fe_problem_page *page, const struct fe_problem *problem)
{
    size_t n = (size_t)snprintf(page->body, sizeof(page->body),
                                "{\"title\":\"%s\",\"status\":%d,\"detail\":\"",
                                fe_status_text(problem->status), problem->status);

    n +=
        fe_json_escape(page->body + n, fe_view_of(problem->reason,
                                                  strnlen(problem->reason, FE_PROBLEM_REASON_MAX)));
    FE_ASSERT(n + 3 <= sizeof(page->body), "a problem fits its page");
    memcpy(page->body + n, "\"}\n", 3);
    page->len = n + 3;
    page->type = FE_VIEW_LIT("application/problem+json");
}

static void problem(const struct fe_filter_stage *at, struct fe_exchange *ex,
                    const struct fe_problem *problem, struct fe_problem_page *page)
{
    if (prefers_json(&ex->request.fields)) {
        write_json(page, problem);
    } else {
        fe_filter_next_problem(at, ex, problem, page);
    }
}

static const struct fe_filter_ops ops = {.problem = problem};

const struct fe_filter fe_error_page_filter = {&ops};
