#include "ground/base/json.h"

size_t fe_json_escape(char *out, struct fe_view text)
{
    static const char digits[] = "0123456789abcdef";
    size_t n = 0;

    for (size_t i = 0; i < text.len; i++) {
        const uint8_t c = text.ptr[i];

        if (c < 0x20 || c == 0x7f) {
            memcpy(out + n, "\\u00", 4);
            out[n + 4] = digits[c >> 4];
            out[n + 5] = digits[c & 15];
            n += FE_JSON_ESCAPED_MAX;
            continue;
        }
        if (c == '"' || c == '\\') {
            out[n++] = '\\';
        }
        out[n++] = (char)c;
    }
    return n;
}

int fe_json_put_string(struct fe_buf *buf, const char *text)
{
    char escaped[FE_JSON_ESCAPED_MAX];
    int code = fe_buf_append(buf, "\"", 1);

    for (; code == 0 && *text != '\0'; text++) {
        code = fe_buf_append(buf, escaped, fe_json_escape(escaped, fe_view_of(text, 1)));
    }
    return code != 0 ? code : fe_buf_append(buf, "\"", 1);
}

int fe_json_put_strings(struct fe_buf *buf, const char *before, const char *const *texts, size_t n,
                        const char *after)
{
    int code = fe_buf_printf(buf, "%s[", before);

    for (size_t i = 0; code == 0 && i < n; i++) {
        code = i > 0 ? fe_buf_append(buf, ",", 1) : 0;
        if (code == 0) {
            code = fe_json_put_string(buf, texts[i]);
        }
    }
    return code != 0 ? code : fe_buf_printf(buf, "]%s", after);
}
