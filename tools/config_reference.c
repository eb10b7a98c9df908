/* config_reference --check|--write FILE...
 *
 * The reference of config.toml out of its table of keys (src/gateway/config/keys.h), between marks
 * in a Markdown file or a manual page:
 *
 *     <!-- keys: http.min http.max -->     .\" keys: http.min http.max
 *     ...                                  ...
 *     <!-- /keys -->                       .\" /keys
 *
 * A mark names tables ("top": the file's) or, with a dot, groups of one. --check says whether the
 * files are as they would be written; in either case each key must stand in a file exactly once. */
#include <stdio.h>
#include <stdlib.h>

#include "gateway/config/table.h"
#include "gateway/config/units.h"
#include "ground/base/buf.h"

enum { TEXT_MAX = 1 << 20, KEYS_MAX = 1024 };

/* What one file is made of. */
struct page {
    struct fe_buf out;
    bool is_manual;
    const struct fe_config_key *seen[KEYS_MAX];
    size_t n_seen;
};

static void must(int code)
{
    if (code != 0) {
        fprintf(stderr, "config_reference: %s\n", flatend_strerror(code));
        exit(2);
    }
}

#define PRINT(page, ...) must(fe_buf_printf(&(page)->out, __VA_ARGS__))

static void append(struct page *page, const char *text, size_t len)
{
    must(fe_buf_append(&page->out, text, len));
}

/* ---- the words ------------------------------------------------------------------------------ */

/* Markdown as the manual has it: code is bold, a link its text. */
static void put_roff(struct page *page, const char *text)
{
    bool is_bold = false;

    for (; *text != '\0'; text++) {
        const char *const end = text[0] == ']' && text[1] == '(' ? strchr(text, ')') : NULL;

        if (end != NULL) {
            text = end;
        } else if (*text == '`') {
            is_bold = !is_bold;
            PRINT(page, "%s", is_bold ? "\\fB" : "\\fR");
        } else if (*text == '-' || *text == '\\') {
            PRINT(page, "%s", *text == '-' ? "\\-" : "\\e");
        } else if (*text != '[' || strchr(text, '(') == NULL || strstr(text, "](") == NULL ||
                   is_bold) {
            append(page, text, 1);
        }
    }
}

static void put(struct page *page, const char *markdown)
{
    if (page->is_manual) {
        put_roff(page, markdown);
    } else {
        PRINT(page, "%s", markdown);
    }
}

/* One, and several. */
static const char *const TYPES[][2] = {
    [FE_KEY_FLAG] = {"boolean", NULL},
    [FE_KEY_INTEGER] = {"integer", NULL},
    [FE_KEY_FACTOR] = {"number", NULL},
    [FE_KEY_DURATION] = {"duration", NULL},
    [FE_KEY_SIZE] = {"size", NULL},
    [FE_KEY_STRING] = {"string", NULL},
    [FE_KEY_PATH] = {"path", NULL},
    [FE_KEY_URL] = {"URL", NULL},
    [FE_KEY_ADDR] = {"address", NULL},
    [FE_KEY_VIEWS] = {"string", "strings"},
    [FE_KEY_STRINGS] = {"string", "strings"},
    [FE_KEY_ADDRS] = {"address", "addresses"},
    [FE_KEY_PUBLIC_KEYS] = {"key", "keys"},
    [FE_KEY_HTTPS] = {"boolean or `\"local\"`", NULL},
    [FE_KEY_REDIRECT] = {"address or `false`", NULL},
    [FE_KEY_ACME_KEY_TYPE] = {"`\"p256\"`, `\"p384\"`, `\"rsa2048\"`", NULL},
    [FE_KEY_ACME_CHALLENGES] = {"strings", NULL},
    [FE_KEY_TABLE] = {"table", NULL},
    [FE_KEY_TABLES] = {"tables", NULL},
};

static void put_type(struct page *page, const struct fe_config_key *key)
{
    const char *const one = TYPES[key->type][0];
    const char *const several = TYPES[key->type][1];

    put(page, several == NULL || key->singular != NULL ? one : several);
    if (several != NULL && key->singular != NULL) {
        PRINT(page, ", %s", several);
    }
}

enum { NUMBER_MAX = 64 };

static const char *format(const struct fe_config_key *key, uint64_t n, char text[NUMBER_MAX])
{
    if (key->type == FE_KEY_DURATION) {
        return fe_duration_format(n, text);
    }
    if (key->type == FE_KEY_SIZE) {
        return fe_size_format(n, text);
    }
    if (key->type == FE_KEY_FACTOR) {
        snprintf(text, NUMBER_MAX, "%g", (double)n / 100);
        return text;
    }
    snprintf(text, NUMBER_MAX, "%llu", (unsigned long long)n);
    return text;
}

static void put_bounds(struct page *page, const struct fe_config_key *key)
{
    char min[NUMBER_MAX];
    char max[NUMBER_MAX];

    if (key->min != 0 && key->max != 0) {
        PRINT(page, ", %s to %s", format(key, key->min, min), format(key, key->max, max));
    } else if (key->min == 1) {
        PRINT(page, ", more than 0");
    } else if (key->min != 0) {
        PRINT(page, ", at least %s", format(key, key->min, min));
    } else if (key->max != 0) {
        PRINT(page, ", at most %s", format(key, key->max, max));
    }
    if (key->unit != NULL) {
        PRINT(page, " %s", key->unit);
    }
}

/* The default as its words say it, else as it would be written in the file; "" if there is none. */
static void default_of(const struct fe_config_key *key, char *text, size_t cap)
{
    const bool is_number =
        key->type == FE_KEY_INTEGER || key->type == FE_KEY_FACTOR || key->type == FE_KEY_SIZE;
    char number[NUMBER_MAX];

    text[0] = '\0';
    if (key->initial_text != NULL) {
        snprintf(text, cap, "%s", key->initial_text);
    } else if (key->type == FE_KEY_FLAG) {
        snprintf(text, cap, "`%s`", key->initial != 0 ? "true" : "false");
    } else if (key->type == FE_KEY_DURATION || (key->type == FE_KEY_SIZE && key->initial != 0)) {
        snprintf(text, cap, "`\"%s\"`", format(key, key->initial, number));
    } else if (is_number) {
        snprintf(text, cap, "`%s`", format(key, key->initial, number));
    } else if (key->initial_string != NULL) {
        snprintf(text, cap, "`\"%s\"`", key->initial_string);
    }
}

static void name_of(const struct fe_config_key *key, char *text, size_t cap)
{
    if (key->type == FE_KEY_TABLE) {
        snprintf(text, cap, "`[%s%s]`", key->prefix, key->name);
    } else if (key->type == FE_KEY_TABLES) {
        snprintf(text, cap, "`[[%s%s]]`", key->prefix, key->name);
    } else if (key->singular != NULL) {
        snprintf(text, cap, "`%s`, `%s`", key->singular, key->name);
    } else {
        snprintf(text, cap, "`%s`", key->name);
    }
}

/* ---- a key ---------------------------------------------------------------------------------- */

static void put_row(struct page *page, const struct fe_config_key *key)
{
    char name[128];
    char initial[128];

    name_of(key, name, sizeof(name));
    default_of(key, initial, sizeof(initial));
    PRINT(page, "| %s | ", name);
    put_type(page, key);
    put_bounds(page, key);
    PRINT(page, " | %s%s| %s%s |\n", initial, initial[0] != '\0' ? " " : "", key->line,
          key->needs_https ? "; needs `https`" : "");
}

static void put_paragraph(struct page *page, const struct fe_config_key *key)
{
    char name[128];
    char initial[128];

    name_of(key, name, sizeof(name));
    default_of(key, initial, sizeof(initial));
    PRINT(page, ".TP\n");
    put(page, name);
    PRINT(page, " (");
    put_type(page, key);
    put_bounds(page, key);
    if (initial[0] != '\0') {
        PRINT(page, "; default: ");
        put(page, initial);
    }
    PRINT(page, ")\n\\&");
    put(page, key->line);
    put(page, key->needs_https ? "; needs `https`.\n" : ".\n");
}

static void put_key(struct page *page, const struct fe_config_key *key)
{
    if (page->is_manual) {
        put_paragraph(page, key);
    } else {
        put_row(page, key);
    }
    page->seen[page->n_seen++] = key;
}

/* ---- a section ------------------------------------------------------------------------------ */

static bool is_word(struct fe_view view, const char *prefix, struct fe_view rest)
{
    const struct fe_view head = fe_view_str(prefix);

    return fe_view_has_prefix(view, head) && fe_view_equal(fe_view_skip(view, head.len), rest);
}

/* Is the key in what the word names: "http", or "http.min"? */
static bool is_in(const struct fe_config_table *table, const struct fe_config_key *key,
                  struct fe_view word)
{
    const struct fe_view group = fe_config_key_group(key);

    if (group.len > 0) {
        return is_word(word, key->prefix, group);
    }
    return fe_view_equal(word, fe_view_str(table->name[0] != '\0' ? table->name : "top"));
}

static void put_word(struct page *page, struct fe_view word)
{
    const size_t n_before = page->n_seen;

    for (size_t i = 0; i < FE_N_CONFIG_TABLES; i++) {
        for (size_t k = 0; k < FE_CONFIG_TABLES[i].n_keys; k++) {
            if (is_in(&FE_CONFIG_TABLES[i], &FE_CONFIG_TABLES[i].keys[k], word)) {
                put_key(page, &FE_CONFIG_TABLES[i].keys[k]);
            }
        }
    }
    if (page->n_seen == n_before) {
        fprintf(stderr, "config_reference: there are no keys of '%.*s'\n", (int)word.len,
                (const char *)word.ptr);
        exit(2);
    }
}

static void put_words(struct page *page, const char *words, const char *end)
{
    if (!page->is_manual) {
        PRINT(page, "| key | type | default | meaning |\n|---|---|---|---|\n");
    }
    while (words < end) {
        const char *space = memchr(words, ' ', (size_t)(end - words));

        space = space != NULL ? space : end;
        put_word(page, fe_view_of(words, (size_t)(space - words)));
        words = space + 1;
    }
}

/* ---- a file --------------------------------------------------------------------------------- */

static int complain(const char *path, const char *what)
{
    fprintf(stderr, "config_reference: %s: %s\n", path, what);
    return 1;
}

static int check_complete(const struct page *page, const char *path)
{
    int status = 0;

    for (size_t i = 0; i < FE_N_CONFIG_TABLES; i++) {
        for (size_t k = 0; k < FE_CONFIG_TABLES[i].n_keys; k++) {
            const struct fe_config_key *const key = &FE_CONFIG_TABLES[i].keys[k];
            size_t n = 0;

            for (size_t s = 0; s < page->n_seen; s++) {
                n += page->seen[s] == key ? 1 : 0;
            }
            if (n != 1) {
                fprintf(stderr, "config_reference: %s: '%s%s' stands there %zu times\n", path,
                        key->prefix, key->name, n);
                status = 1;
            }
        }
    }
    return status;
}

/* The file with what is between its marks made anew. */
static int make(struct page *page, const char *path, const char *text)
{
    const char *const open = page->is_manual ? ".\\\" keys: " : "<!-- keys: ";
    const char *const open_end = page->is_manual ? "\n" : " -->\n";
    const char *const close = page->is_manual ? ".\\\" /keys\n" : "<!-- /keys -->\n";
    const char *mark;

    while ((mark = strstr(text, open)) != NULL) {
        const char *const words = mark + strlen(open);
        const char *const end = strstr(words, open_end);
        const char *const next = end != NULL ? strstr(end, close) : NULL;

        if (next == NULL) {
            return complain(path, "a mark is not closed");
        }
        append(page, text, (size_t)(end - text) + strlen(open_end));
        put_words(page, words, end);
        text = next;
        append(page, text, strlen(close));
        text += strlen(close);
    }
    append(page, text, strlen(text));
    return check_complete(page, path);
}

static int read_text(const char *path, struct fe_buf *text)
{
    FILE *const file = fopen(path, "rb");
    size_t n = 1;

    if (file == NULL) {
        return complain(path, "cannot be read");
    }
    while (n > 0) {
        must(fe_buf_reserve(text, 4096));
        n = fread(text->data + text->len, 1, 4096, file);
        text->len += n;
    }
    fclose(file);
    must(fe_buf_append(text, "", 1));
    return 0;
}

static int write_text(const char *path, const struct fe_buf *text)
{
    FILE *const file = fopen(path, "wb");
    bool is_written;

    if (file == NULL) {
        return complain(path, "cannot be written");
    }
    is_written = fwrite(text->data, 1, text->len, file) == text->len;
    return fclose(file) == 0 && is_written ? 0 : complain(path, "cannot be written");
}

static int handle(const char *path, bool is_check)
{
    struct page *const page = calloc(1, sizeof(*page));
    const size_t len = strlen(path);
    struct fe_buf old;
    int status;

    if (page == NULL) {
        return 2;
    }
    fe_buf_init(&old, TEXT_MAX);
    fe_buf_init(&page->out, TEXT_MAX);
    page->is_manual = len < 3 || strcmp(path + len - 3, ".md") != 0;
    status = read_text(path, &old);
    if (status == 0) {
        status = make(page, path, (const char *)old.data);
    }
    if (status == 0 &&
        (page->out.len + 1 != old.len || memcmp(page->out.data, old.data, page->out.len) != 0)) {
        status = is_check ? complain(path, "is not what the keys say: run make reference")
                          : write_text(path, &page->out);
    }
    fe_buf_deinit(&page->out);
    fe_buf_deinit(&old);
    free(page);
    return status;
}

int main(int argc, char **argv)
{
    const bool is_check = argc > 1 && strcmp(argv[1], "--check") == 0;
    int status = 0;

    if (argc < 3 || (!is_check && strcmp(argv[1], "--write") != 0)) {
        fputs("Usage: config_reference --check|--write FILE...\n", stderr);
        return 2;
    }
    for (int i = 2; i < argc; i++) {
        status |= handle(argv[i], is_check);
    }
    return status;
}
