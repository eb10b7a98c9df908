#include "web/acme/json.h"

static int put_char(struct fe_buf *buf, char c)
{
    if ((unsigned char)c < 0x20 || c == 0x7f) {
        return fe_buf_printf(buf, "\\u%04x", (unsigned)(unsigned char)c);
    }
    if (c == '"' || c == '\\') {
        return fe_buf_printf(buf, "\\%c", c);
    }
    return fe_buf_append(buf, &c, 1);
}

int fe_acme_json_put_string(struct fe_buf *buf, const char *text)
{
    int code = fe_buf_append(buf, "\"", 1);

    for (; code == 0 && *text != '\0'; text++) {
        code = put_char(buf, *text);
    }
    return code != 0 ? code : fe_buf_append(buf, "\"", 1);
}

int fe_acme_json_put_strings(struct fe_buf *buf, const char *before, const char *const *texts,
                             size_t n, const char *after)
{
    int code = fe_buf_printf(buf, "%s[", before);

    for (size_t i = 0; code == 0 && i < n; i++) {
        code = i > 0 ? fe_buf_append(buf, ",", 1) : 0;
        if (code == 0) {
            code = fe_acme_json_put_string(buf, texts[i]);
        }
    }
    return code != 0 ? code : fe_buf_printf(buf, "]%s", after);
}
