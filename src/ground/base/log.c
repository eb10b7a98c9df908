#include "ground/base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* The length of the character that `text` begins with, in UTF-8 (RFC 3629 §4); 0: none that may
 * stand in a line. Controls are not only those of ASCII: to a terminal U+009B is ESC [. */
static size_t character_len(const unsigned char *text)
{
    unsigned c = text[0];
    size_t len = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

    if (c < 0x20 || (c > 0x7e && c < 0xc2) || c > 0xf4) {
        return 0;
    }
    for (size_t i = 1; i < len; i++) { /* the NUL at the end is none of these */
        if ((text[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    if ((c == 0xc2 && text[1] < 0xa0) || (c == 0xe0 && text[1] < 0xa0) ||
        (c == 0xed && text[1] > 0x9f) || (c == 0xf0 && text[1] < 0x90) ||
        (c == 0xf4 && text[1] > 0x8f)) {
        return 0;
    }
    return len;
}

/* A log line is one line of text: what a peer sent must neither end it nor speak to the terminal.
 */
static void escape(char line[FE_LOG_LINE_MAX], const char *text)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *at = (const unsigned char *)text;
    size_t n = 0;

    while (*at != '\0') {
        size_t len = character_len(at);

        if ((len > 0 ? len : 4) > FE_LOG_LINE_MAX - 1 - n) {
            break;
        }
        if (len > 0) {
            memcpy(line + n, at, len);
            n += len;
            at += len;
            continue;
        }
        line[n++] = '\\';
        line[n++] = 'x';
        line[n++] = digits[*at >> 4];
        line[n++] = digits[*at & 15];
        at++;
    }
    line[n] = '\0';
}

void fe_log(const struct fe_log *log, enum flatend_log_level level, const char *format, ...)
{
    char text[FE_LOG_LINE_MAX];
    char line[FE_LOG_LINE_MAX];
    va_list args;

    if (!fe_log_wants(log, level)) {
        return;
    }
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    escape(line, text);
    log->fn(log->arg, level, line);
}

/* An application may call a log function with a longer one. */
static size_t copy_line(char *text, const char *line)
{
    const size_t len = strnlen(line, FE_LOG_LINE_MAX - 1);

    memcpy(text, line, len);
    return len;
}

size_t fe_log_format(char text[FE_LOG_TEXT_MAX], const char *line)
{
    time_t now = time(NULL);
    struct tm tm;
    size_t len;

    localtime_r(&now, &tm);
    len = strftime(text, FE_LOG_TEXT_MAX, "%Y/%m/%d %H:%M:%S ", &tm);
    len += copy_line(text + len, line);
    text[len] = '\n';
    text[len + 1] = '\0';
    return len + 1;
}
