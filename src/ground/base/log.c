#include "ground/base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ground/base/utf8.h"

/* The length of the character that `text` begins with; 0: none that may stand in a line. Controls
 * are not only those of ASCII: to a terminal U+009B is ESC [. */
static size_t character_len(const uint8_t *text, size_t len)
{
    const bool is_control =
        text[0] < 0x20 || text[0] == 0x7f || (len > 1 && text[0] == 0xc2 && text[1] < 0xa0);

    return is_control ? 0 : fe_utf8_len(text, len);
}

/* A log line is one line of text: what a peer sent must neither end it nor speak to the terminal.
 */
static void escape(char line[FE_LOG_LINE_MAX], const char *text)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *at = (const uint8_t *)text;
    const uint8_t *const end = at + strlen(text);
    size_t n = 0;

    while (at < end) {
        size_t len = character_len(at, (size_t)(end - at));

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
