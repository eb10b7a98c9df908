#include "support/vectors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static int digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void parse_hex(struct vector *vector, const char *hex)
{
    vector->len = 0;
    while (digit(hex[0]) >= 0 && digit(hex[1]) >= 0) {
        assert_true(vector->len < VECTOR_MAX);
        vector->bytes[vector->len++] =
            (uint8_t)((unsigned)digit(hex[0]) << 4 | (unsigned)digit(hex[1]));
        hex += 2;
    }
    assert_true(*hex == '\n' || *hex == '\0');
}

void vector_load(struct vector *vector, const char *file, const char *name)
{
    static const size_t line_max = 2 * VECTOR_MAX + 128;
    char path[512];
    char *line = malloc(line_max);
    size_t name_len = strlen(name);
    bool is_found = false;
    FILE *in;

    assert_non_null(line);
    snprintf(path, sizeof(path), "%s/%s", TEST_VECTORS, file);
    in = fopen(path, "r");
    if (in == NULL) {
        fail_msg("%s: cannot be opened", path);
    }
    while (!is_found && fgets(line, (int)line_max, in) != NULL) {
        if (strncmp(line, name, name_len) == 0 && line[name_len] == ' ') {
            parse_hex(vector, line + name_len + 1);
            is_found = true;
        }
    }
    fclose(in);
    free(line);
    if (!is_found) {
        fail_msg("%s: no vector %s", path, name);
    }
}
