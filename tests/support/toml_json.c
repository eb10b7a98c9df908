#include "support/toml_json.h"

#include <stdio.h>
#include <stdlib.h>

#include "ground/base/json.h"

static void put(struct fe_buf *out, struct fe_view text)
{
    if (fe_buf_append(out, text.ptr, text.len) != 0) {
        abort();
    }
}

static void put_string(struct fe_buf *out, struct fe_view text)
{
    char *const escaped = malloc(text.len * FE_JSON_ESCAPED_MAX + 1);

    if (escaped == NULL) {
        abort();
    }
    put(out, FE_VIEW_LIT("\""));
    put(out, fe_view_of(escaped, fe_json_escape(escaped, text)));
    put(out, FE_VIEW_LIT("\""));
    free(escaped);
}

static void put_scalar(struct fe_buf *out, const char *type, struct fe_view value)
{
    put(out, FE_VIEW_LIT("{\"type\":\""));
    put(out, fe_view_str(type));
    put(out, FE_VIEW_LIT("\",\"value\":"));
    put_string(out, value);
    put(out, FE_VIEW_LIT("}"));
}

static void put_integer(struct fe_buf *out, int64_t integer)
{
    char text[32];

    snprintf(text, sizeof(text), "%lld", (long long)integer);
    put_scalar(out, "integer", fe_view_str(text));
}

static void put_table(struct fe_buf *out, const struct fe_toml_value *table)
{
    put(out, FE_VIEW_LIT("{"));
    for (size_t i = 0; i < table->n; i++) {
        put(out, i > 0 ? FE_VIEW_LIT(",") : FE_VIEW_LIT(""));
        put_string(out, table->entries[i]->key);
        put(out, FE_VIEW_LIT(":"));
        toml_json(out, &table->entries[i]->value);
    }
    put(out, FE_VIEW_LIT("}"));
}

static void put_array(struct fe_buf *out, const struct fe_toml_value *array)
{
    put(out, FE_VIEW_LIT("["));
    for (size_t i = 0; i < array->n; i++) {
        put(out, i > 0 ? FE_VIEW_LIT(",") : FE_VIEW_LIT(""));
        toml_json(out, array->items[i]);
    }
    put(out, FE_VIEW_LIT("]"));
}

void toml_json(struct fe_buf *out, const struct fe_toml_value *value)
{
    switch (value->type) {
    case FE_TOML_TABLE:
        put_table(out, value);
        break;
    case FE_TOML_ARRAY:
        put_array(out, value);
        break;
    case FE_TOML_STRING:
        put_scalar(out, "string", value->string);
        break;
    case FE_TOML_INTEGER:
        put_integer(out, value->integer);
        break;
    case FE_TOML_BOOLEAN:
        put_scalar(out, "bool", fe_view_str(value->boolean ? "true" : "false"));
        break;
    case FE_TOML_FLOAT:
        put_scalar(out, "float", value->string);
        break;
    case FE_TOML_DATE:
        put_scalar(out, "date-local", value->string);
        break;
    case FE_TOML_TIME:
        put_scalar(out, "time-local", value->string);
        break;
    case FE_TOML_DATE_TIME:
        put_scalar(out, "datetime-local", value->string);
        break;
    case FE_TOML_OFFSET_DATE_TIME:
        put_scalar(out, "datetime", value->string);
        break;
    }
}
