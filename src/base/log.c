#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

static bool is_control(unsigned char c)
{
    return c < 0x20 || c == 0x7f;
}

/* A log line is one line: what a peer sent must neither end it nor speak to the terminal. */
static void escape(char line[FE_LOG_LINE_MAX], const char *text)
{
    static const char digits[] = "0123456789abcdef";
    size_t n = 0;

    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        size_t need = is_control(c) ? 4 : 1;

        if (need > FE_LOG_LINE_MAX - 1 - n) {
            break;
        }
        if (need == 1) {
            line[n++] = (char)c;
            continue;
        }
        line[n++] = '\\';
        line[n++] = 'x';
        line[n++] = digits[c >> 4];
        line[n++] = digits[c & 15];
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

void flatend_log_stderr(void *arg, enum flatend_log_level level, const char *line)
{
    time_t now = time(NULL);
    struct tm tm;
    char stamp[32];

    (void)arg;
    (void)level;
    localtime_r(&now, &tm);
    strftime(stamp, sizeof(stamp), "%Y/%m/%d %H:%M:%S", &tm);
    fprintf(stderr, "%s %s\n", stamp, line);
}
