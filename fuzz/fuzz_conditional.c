/* What a client may say about the file that it wants: ranges, dates, entity tags. Each line of the
 * input is the value of one field; an empty one leaves it out. */
#include <stdlib.h>

#include "gateway/files/precondition.h"
#include "gateway/files/range.h"
#include "web/http/date.h"
#include "web/http/date_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SIZE = 1000, LINES = 6 };

static void check(bool holds)
{
    if (!holds) {
        abort();
    }
}

static struct fe_view take_line(struct fe_view *text)
{
    const uint8_t *const end = text->len > 0 ? memchr(text->ptr, '\n', text->len) : NULL;
    const size_t len = end != NULL ? (size_t)(end - text->ptr) : text->len;
    const struct fe_view line = fe_view_of(text->ptr, len);

    *text = fe_view_skip(*text, end != NULL ? len + 1 : len);
    return line;
}

static void try_range(struct fe_view value)
{
    struct fe_range range;

    if (fe_range_parse(value, SIZE, &range) == FE_RANGE_PART) {
        check(range.first <= range.last && range.last < SIZE);
    }
}

/* A date that is understood is written so that it is understood again. */
static void try_date(struct fe_view value)
{
    int64_t seconds;

    if (fe_http_date_parse(value, &seconds)) {
        char text[FE_HTTP_DATE_LEN + 1];
        int64_t again;
        fe_http_date_format(text, seconds);
        check(fe_http_date_parse(fe_view_str(text), &again) && again == seconds);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[LINES] = {"if-match",          "if-none-match",
                                             "if-modified-since", "if-unmodified-since",
                                             "if-range",          "range"};
    const struct fe_validators validators = {FE_VIEW_LIT("\"a,b\""), 784111777};
    struct fe_field items[LINES];
    struct fe_fields fields = {items, 0, LINES};
    struct fe_view text = fe_view_of(data, size);

    for (size_t i = 0; i < LINES; i++) {
        const struct fe_view line = take_line(&text);
        try_range(line);
        try_date(line);
        if (line.len > 0) {
            items[fields.n++] = (struct fe_field){fe_view_str(names[i]), line};
        }
    }
    const enum fe_precondition result = fe_precondition_evaluate(&fields, &validators);
    check(fields.n > 0 || result == FE_PRECONDITION_HOLDS);
    (void)fe_precondition_allows_range(&fields, &validators);
    return 0;
}
