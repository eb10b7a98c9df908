#include "support/trace_http.h"

void trace_body(struct trace *trace, struct fe_view data)
{
    if (data.len > 32) {
        trace_add(trace, "body(#%zu)", data.len);
    } else {
        trace_add(trace, "body(%.*s)", (int)data.len, (const char *)data.ptr);
    }
}

void trace_body_end(struct trace *trace, const struct fe_fields *trailers)
{
    trace_add(trace, "end");
    for (size_t i = 0; i < trailers->n; i++) {
        const struct fe_field *field = &trailers->items[i];

        trace_add(trace, "trailer(%.*s=%.*s)", (int)field->name.len, (const char *)field->name.ptr,
                  (int)field->value.len, (const char *)field->value.ptr);
    }
}
