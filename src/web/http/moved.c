#include "web/http/moved.h"

#include "ground/base/ascii.h"
#include "ground/base/assert.h"
#include "web/http/problem.h"

/* unreserved and reserved (RFC 3986 §2.2, §2.3), and the '%' of an escape; '#' cannot be there, nor
 * may brackets outside of a host. */
static bool is_uri_char(uint8_t c)
{
    return fe_ascii_is_alphanumeric(c) || (c != '\0' && strchr("-._~!$&'()*+,;=:@/?%", c) != NULL);
}

uint8_t *fe_moved_put(uint8_t *to, struct fe_view text)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < text.len; i++) {
        const uint8_t c = text.ptr[i];

        if (is_uri_char(c)) {
            *to++ = c;
        } else {
            *to++ = '%';
            *to++ = (uint8_t)digits[c >> 4];
            *to++ = (uint8_t)digits[c & 15];
        }
    }
    return to;
}

const char *fe_moved_reference(struct fe_arena *arena, struct fe_view path, bool adds_slash,
                               struct fe_view query, size_t *len)
{
    const size_t room = FE_MOVED_ROOM(path.len + query.len) + sizeof("//?");
    uint8_t *const text = fe_arena_alloc(arena, room);
    uint8_t *to = text;

    if (text == NULL) {
        return NULL;
    }
    while (path.len > 0 && path.ptr[0] == '/') {
        path = fe_view_skip(path, 1);
    }
    *to++ = '/';
    to = fe_moved_put(to, path);
    if (adds_slash) {
        *to++ = '/';
    }
    if (query.len > 0) {
        *to++ = '?';
        to = fe_moved_put(to, query);
    }
    *len = (size_t)(to - text);
    FE_ASSERT(*len < room, "a location is as long as was computed");
    return (const char *)text;
}

void fe_moved_respond(struct fe_exchange *ex, struct fe_view location, const char *reason)
{
    const enum fe_method method = ex->request.method;
    const bool is_get = method == FE_METHOD_GET || method == FE_METHOD_HEAD;

    fe_problem_respond_with(ex, is_get ? 301 : 308, reason,
                            (struct fe_field){FE_VIEW_LIT("location"), location});
}
