/* Lines of patterns, an empty line, then lines of paths: what matches matches whole, and a redirect
 * leads to a match. */
#include <stdlib.h>

#include "web/http/router.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds) {
        abort();
    }
}

static bool next_line(struct fe_view *text, struct fe_view *line)
{
    const uint8_t *end;

    if (text->len == 0) {
        return false;
    }
    end = memchr(text->ptr, '\n', text->len);
    *line = fe_view_of(text->ptr, end != NULL ? (size_t)(end - text->ptr) : text->len);
    *text = fe_view_skip(*text, end != NULL ? line->len + 1 : line->len);
    return true;
}

/* What the decoder lets through as a path. */
static bool is_path(struct fe_view line)
{
    for (size_t i = 0; i < line.len; i++) {
        if (line.ptr[i] <= ' ' || line.ptr[i] >= 0x7f || line.ptr[i] == '?') {
            return false;
        }
    }
    return true;
}

static void match(const struct fe_router *router, struct fe_view path, bool is_redirected)
{
    struct fe_request request = {
        .method = FE_METHOD_GET, .method_text = FE_VIEW_LIT("GET"), .path = path};
    struct fe_arena arena;
    struct fe_match m;

    fe_arena_init(&arena, 0);
    check(fe_router_match(router, &request, &arena, &m) == 0);
    check((m.result == FE_MATCH_FOUND) == (m.route != NULL));
    check(!is_redirected || m.result == FE_MATCH_FOUND);
    for (size_t i = 0; i < m.n_params; i++) {
        check(m.params[i].name.len > 0 && m.params[i].value.len <= path.len);
    }
    if (m.result == FE_MATCH_REDIRECT) {
        check(m.location.len > 0 && m.location.ptr[0] == '/');
        check(m.location.len < 2 || m.location.ptr[1] != '/');
        match(router, m.location, true);
    }
    fe_arena_deinit(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct fe_router_options options = {true, true};
    struct fe_router *router = fe_router_new(&options);
    struct fe_view text = fe_view_of(data, size);
    struct fe_view line;
    int route;

    check(router != NULL);
    while (next_line(&text, &line) && line.len > 0) {
        struct flatend_error err = {0};
        int code = fe_router_add(router, FE_VIEW_LIT("GET"), line, &route, &err);

        check(code == 0 || err.text[0] != '\0');
    }
    while (next_line(&text, &line)) {
        if (is_path(line)) {
            match(router, line, false);
        }
    }
    fe_router_free(router);
    return 0;
}
