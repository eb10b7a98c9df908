/* The only C++ of the house: toml++ in, plain structs out. Exceptions end in fe_toml_parse.
 *
 * Errors come as results: toml++'s exception copies its text where nothing may be thrown, so that
 * it would end the process when memory is short. */

/* toml++ 3.3 asserts about the text before it checks it ("[[(a]]"), and lets the compiler assume
 * the same where assertions are off. Without both its own checks decide. */
#undef NDEBUG
#define TOML_ASSERT(expr) static_assert(true)

#define TOML_HEADER_ONLY       1
#define TOML_EXCEPTIONS        0
#define TOML_ENABLE_FORMATTERS 0
#define TOML_MAX_NESTED_VALUES 16
#define TOML_UNDEF_MACROS      1

#include "gateway/config/toml.h"

#include <algorithm>
#include <new>
#include <string_view>
#include <toml++/toml.h>

#include "gateway/config/toml_scan.h"

static_assert(FE_TOML_NESTING_MAX == TOML_MAX_NESTED_VALUES, "toml.h promises it");

namespace
{

fe_toml_pos pos_of(const toml::source_position &position)
{
    return {position.line, position.column};
}

template <typename T> T *allocate(fe_arena *arena, size_t n)
{
    void *memory = fe_arena_alloc(arena, n * sizeof(T));
    if (memory == nullptr) {
        throw std::bad_alloc();
    }
    return new (memory) T[n]();
}

fe_view copy(fe_arena *arena, std::string_view text)
{
    const char *bytes = fe_arena_copy(arena, fe_view_of(text.data(), text.size()));
    if (bytes == nullptr) {
        throw std::bad_alloc();
    }
    return fe_view_of(bytes, text.size());
}

bool is_before(const fe_toml_entry &a, const fe_toml_entry &b)
{
    return a.pos.line != b.pos.line ? a.pos.line < b.pos.line : a.pos.column < b.pos.column;
}

void convert(const toml::node &node, fe_arena *arena, fe_toml_value *value);

void convert_table(const toml::table &table, fe_arena *arena, fe_toml_value *value)
{
    value->type = FE_TOML_TABLE;
    value->entries = allocate<fe_toml_entry>(arena, table.size());
    for (auto &&[key, child] : table) {
        fe_toml_entry *entry = &value->entries[value->n++];
        entry->key = copy(arena, key.str());
        entry->pos = pos_of(key.source().begin);
        convert(child, arena, &entry->value);
    }
    /* toml++ orders by name; the first mistake to report is the first in the text. */
    std::sort(value->entries, value->entries + value->n, is_before);
}

void convert_array(const toml::array &array, fe_arena *arena, fe_toml_value *value)
{
    value->type = FE_TOML_ARRAY;
    value->items = allocate<fe_toml_value>(arena, array.size());
    for (auto &&item : array) {
        convert(item, arena, &value->items[value->n++]);
    }
}

void convert(const toml::node &node, fe_arena *arena, fe_toml_value *value)
{
    value->pos = pos_of(node.source().begin);
    switch (node.type()) {
    case toml::node_type::table:
        convert_table(*node.as_table(), arena, value);
        break;
    case toml::node_type::array:
        convert_array(*node.as_array(), arena, value);
        break;
    case toml::node_type::string:
        value->type = FE_TOML_STRING;
        value->string = copy(arena, node.as_string()->get());
        break;
    case toml::node_type::integer:
        value->type = FE_TOML_INTEGER;
        value->integer = node.as_integer()->get();
        break;
    case toml::node_type::boolean:
        value->type = FE_TOML_BOOLEAN;
        value->boolean = node.as_boolean()->get();
        break;
    case toml::node_type::floating_point:
        value->type = FE_TOML_FLOAT;
        value->number = node.as_floating_point()->get();
        break;
    case toml::node_type::date:
        value->type = FE_TOML_DATE;
        break;
    case toml::node_type::time:
        value->type = FE_TOML_TIME;
        break;
    default:
        value->type = FE_TOML_DATE_TIME;
        break;
    }
}

} // namespace

extern "C" int fe_toml_parse(struct fe_view text, struct fe_arena *arena,
                             struct fe_toml_value *root, struct fe_toml_pos *pos,
                             struct flatend_error *err)
{
    const std::string_view source(reinterpret_cast<const char *>(text.ptr), text.len);
    const int code = fe_toml_scan(text, pos, err);

    if (code != 0) {
        return code;
    }
    try {
        const toml::parse_result result = toml::parse(source);
        if (!result) {
            const std::string_view reason = result.error().description();
            *pos = pos_of(result.error().source().begin);
            return fe_err_set(err, FLATEND_ESYNTAX, "%.*s", static_cast<int>(reason.size()),
                              reason.data());
        }
        *root = fe_toml_value();
        convert(result.table(), arena, root);
        return 0;
    } catch (const std::bad_alloc &) {
        return fe_err_code(err, FLATEND_ENOMEM);
    } catch (const std::exception &error) {
        return fe_err_set(err, FLATEND_EINVAL, "%s", error.what());
    }
}

extern "C" const char *fe_toml_type_name(enum fe_toml_type type)
{
    switch (type) {
    case FE_TOML_TABLE:
        return "a table";
    case FE_TOML_ARRAY:
        return "an array";
    case FE_TOML_STRING:
        return "a string";
    case FE_TOML_INTEGER:
        return "an integer";
    case FE_TOML_BOOLEAN:
        return "a boolean";
    case FE_TOML_FLOAT:
        return "a float";
    case FE_TOML_DATE:
        return "a date";
    case FE_TOML_TIME:
        return "a time";
    case FE_TOML_DATE_TIME:
        return "a date and time";
    }
    return "";
}
