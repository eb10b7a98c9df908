#include "ground/base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *flatend_strerror(int code)
{
    switch (code) {
    case 0:
        return "success";
#define TEXT_OF(name, number, text)                                                                \
    case FLATEND_##name:                                                                           \
        return text;
        FLATEND_ERRORS(TEXT_OF)
#undef TEXT_OF
    default:
        return "unknown error";
    }
}

const char *flatend_error_name(int code)
{
    switch (code) {
    case 0:
        return "OK";
#define NAME_OF(name, number, text)                                                                \
    case FLATEND_##name:                                                                           \
        return #name;
        FLATEND_ERRORS(NAME_OF)
#undef NAME_OF
    default:
        return "UNKNOWN";
    }
}

const char *flatend_version(void)
{
    return FLATEND_VERSION;
}

int fe_err_set(struct flatend_error *err, int code, const char *format, ...)
{
    va_list args;

    if (err != NULL) {
        err->code = code;
        va_start(args, format);
        vsnprintf(err->text, sizeof(err->text), format, args);
        va_end(args);
    }
    return code;
}

int fe_err_code(struct flatend_error *err, int code)
{
    return fe_err_set(err, code, "%s", flatend_strerror(code));
}

int fe_err_wrap(struct flatend_error *err, const char *format, ...)
{
    struct flatend_error inner;
    size_t len;
    va_list args;

    if (err == NULL) {
        return 0;
    }
    inner = *err;
    va_start(args, format);
    vsnprintf(err->text, sizeof(err->text), format, args);
    va_end(args);
    len = strlen(err->text);
    /* A text that does not fit is cut at its end: the outer context is what locates it. */
    snprintf(err->text + len, sizeof(err->text) - len, ": %s", inner.text);
    return err->code;
}
