#include "gateway/files/precondition.h"

#include "web/http/date_parse.h"
#include "web/http/syntax.h"

/* Takes the next entity tag off a list (RFC 9110 §8.8.3): `tag` with its quotes, `*is_weak` if "W/"
 * stood before it. A tag may hold commas, so that the quotes decide. False: no more, or no list. */
static bool next_tag(struct fe_view *list, struct fe_view *tag, bool *is_weak)
{
    const uint8_t *end;

    while (list->len > 0 && (fe_is_ows(list->ptr[0]) || list->ptr[0] == ',')) {
        *list = fe_view_skip(*list, 1);
    }
    *is_weak = fe_view_has_prefix(*list, FE_VIEW_LIT("W/"));
    if (*is_weak) {
        *list = fe_view_skip(*list, 2);
    }
    if (list->len < 2 || list->ptr[0] != '"') {
        return false;
    }
    end = memchr(list->ptr + 1, '"', list->len - 1);
    if (end == NULL) {
        return false;
    }
    *tag = fe_view_of(list->ptr, (size_t)(end - list->ptr) + 1);
    *list = fe_view_skip(*list, tag->len);
    return true;
}

/* Whether one of the tags in the fields of that name is ours. Our tag is strong, so that the strong
 * comparison (§8.8.3.2) only has to look at theirs. */
static bool has_tag(const struct fe_fields *fields, struct fe_view name, struct fe_view etag,
                    bool takes_weak)
{
    for (size_t i = 0; i < fields->n; i++) {
        struct fe_view list = fields->items[i].value;
        struct fe_view tag;
        bool is_weak;

        if (!fe_view_equal(fields->items[i].name, name)) {
            continue;
        }
        if (fe_view_equal(fe_trim_ows(list), FE_VIEW_LIT("*"))) {
            return true; /* any: there is a file */
        }
        while (next_tag(&list, &tag, &is_weak)) {
            if (fe_view_equal(tag, etag) && (takes_weak || !is_weak)) {
                return true;
            }
        }
    }
    return false;
}

/* The date in the field of that name. False: there is none, or what is there is not one date and is
 * ignored (RFC 9110 §13.1.3, §13.1.4). */
static bool find_date(const struct fe_fields *fields, struct fe_view name, int64_t *date)
{
    const struct fe_field *const field = fe_fields_find_only(fields, name);
    return field != NULL && fe_http_date_parse(field->value, date);
}

static bool has_field(const struct fe_fields *fields, struct fe_view name)
{
    return fe_fields_find(fields, name) != NULL;
}

enum fe_precondition fe_precondition_evaluate(const struct fe_fields *fields,
                                              const struct fe_validators *validators)
{
    const struct fe_view if_match = FE_VIEW_LIT("if-match");
    const struct fe_view if_none_match = FE_VIEW_LIT("if-none-match");
    int64_t date;

    if (has_field(fields, if_match)) {
        if (!has_tag(fields, if_match, validators->etag, false)) {
            return FE_PRECONDITION_FAILED;
        }
    } else if (validators->modified_s != FE_NOT_DATED &&
               find_date(fields, FE_VIEW_LIT("if-unmodified-since"), &date) &&
               validators->modified_s > date) {
        return FE_PRECONDITION_FAILED;
    }
    if (has_field(fields, if_none_match)) {
        return has_tag(fields, if_none_match, validators->etag, true) ? FE_PRECONDITION_NOT_MODIFIED
                                                                      : FE_PRECONDITION_HOLDS;
    }
    if (find_date(fields, FE_VIEW_LIT("if-modified-since"), &date) &&
        validators->modified_s <= date) {
        return FE_PRECONDITION_NOT_MODIFIED;
    }
    return FE_PRECONDITION_HOLDS;
}

bool fe_precondition_allows_range(const struct fe_fields *fields,
                                  const struct fe_validators *validators)
{
    const struct fe_view if_range = FE_VIEW_LIT("if-range");
    const struct fe_field *const field = fe_fields_find_only(fields, if_range);
    int64_t date;

    if (field == NULL) {
        return !has_field(fields, if_range);
    }
    if (fe_http_date_parse(field->value, &date)) {
        return date == validators->modified_s;
    }
    return has_tag(fields, if_range, validators->etag, false) &&
           !fe_view_equal(fe_trim_ows(field->value), FE_VIEW_LIT("*"));
}
