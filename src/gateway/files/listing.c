#include "gateway/files/listing.h"

#include <stdlib.h>

#include "gateway/files/file.h"
#include "ground/base/arena.h"
#include "ground/base/array.h"
#include "ground/base/assert.h"
#include "ground/os/dir.h"

struct entry {
    const char *name;
    bool is_dir;
};

struct entries {
    struct entry *items;
    size_t n;
    size_t cap;
    bool is_cut;
    struct fe_arena names;
};

static int by_name(const void *a, const void *b)
{
    const struct entry *const left = a;
    const struct entry *const right = b;
    return strcmp(left->name, right->name);
}

/* FLATEND_ELIMIT: there are more than are listed. */
static int add_entry(void *arg, const char *name, bool is_dir)
{
    struct entries *const entries = arg;

    if (fe_static_is_hidden(fe_view_str(name))) {
        return 0;
    }
    if (entries->n == FE_LISTING_ENTRIES_MAX) {
        entries->is_cut = true;
        return FLATEND_ELIMIT;
    }
    if (FE_ARRAY_RESERVE(entries->items, entries->n, entries->cap) != 0) {
        return FLATEND_ENOMEM;
    }
    name = fe_arena_copy(&entries->names, fe_view_str(name));
    if (name == NULL) {
        return FLATEND_ENOMEM;
    }
    FE_ASSERT(entries->n < entries->cap, "there is room for another entry");
    entries->items[entries->n++] = (struct entry){name, is_dir};
    return 0;
}

/* ---- the page ------------------------------------------------------------------------------- */

/* Text in HTML; bytes that are not UTF-8 are the browser's to show. */
static int append_html(struct fe_buf *page, struct fe_view text)
{
    int code = 0;

    for (size_t i = 0; code == 0 && i < text.len; i++) {
        const uint8_t c = text.ptr[i];
        code = c == '&'   ? fe_buf_append(page, "&amp;", 5)
               : c == '<' ? fe_buf_append(page, "&lt;", 4)
               : c == '>' ? fe_buf_append(page, "&gt;", 4)
               : c == '"' ? fe_buf_append(page, "&quot;", 6)
                          : fe_buf_append(page, &c, 1);
    }
    return code;
}

/* A name as one segment of a path (RFC 3986 §2.3): all but the unreserved is encoded, which leaves
 * nothing that HTML could mistake. */
static int append_segment(struct fe_buf *page, const char *name)
{
    static const char unreserved[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                     "0123456789-._~";
    int code = 0;

    for (; code == 0 && *name != '\0'; name++) {
        code = strchr(unreserved, *name) != NULL ? fe_buf_append(page, name, 1)
                                                 : fe_buf_printf(page, "%%%02X", (uint8_t)*name);
    }
    return code;
}

/* "./" keeps a name with a colon from being taken for a scheme. */
static int append_entry(struct fe_buf *page, const struct entry *entry)
{
    const char *const slash = entry->is_dir ? "/" : "";
    int code = fe_buf_printf(page, "<li><a href=\"./");

    if (code == 0) {
        code = append_segment(page, entry->name);
    }
    if (code == 0) {
        code = fe_buf_printf(page, "%s\">", slash);
    }
    if (code == 0) {
        code = append_html(page, fe_view_str(entry->name));
    }
    return code == 0 ? fe_buf_printf(page, "%s</a></li>\n", slash) : code;
}

static int append_head(struct fe_buf *page, struct fe_view path, bool has_parent)
{
    int code =
        fe_buf_printf(page, "<!doctype html>\n<html>\n<head><meta charset=\"utf-8\"><title>");

    if (code == 0) {
        code = append_html(page, path);
    }
    if (code == 0) {
        code = fe_buf_printf(page, "</title></head>\n<body>\n<h1>");
    }
    if (code == 0) {
        code = append_html(page, path);
    }
    if (code == 0) {
        code = fe_buf_printf(page, "</h1>\n<ul>\n%s",
                             has_parent ? "<li><a href=\"../\">../</a></li>\n" : "");
    }
    return code;
}

static int append_page(struct fe_buf *page, struct fe_view path, bool has_parent,
                       const struct entries *entries)
{
    int code = append_head(page, path, has_parent);

    for (size_t i = 0; code == 0 && i < entries->n; i++) {
        code = append_entry(page, &entries->items[i]);
    }
    return code == 0 ? fe_buf_printf(page, "</ul>\n%s</body>\n</html>\n",
                                     entries->is_cut ? "<p>The list is truncated.</p>\n" : "")
                     : code;
}

int fe_listing_write(int fd, struct fe_view path, bool has_parent, struct fe_buf *page)
{
    struct entries entries = {0};
    int code;

    fe_arena_init(&entries.names, 0);
    code = fe_dir_list(fd, add_entry, &entries);
    if (entries.is_cut) {
        code = 0;
    }
    if (code == 0 && entries.n > 0) {
        qsort(entries.items, entries.n, sizeof(*entries.items), by_name);
    }
    if (code == 0) {
        code = append_page(page, path, has_parent, &entries);
    }
    fe_arena_deinit(&entries.names);
    free(entries.items);
    return code;
}
