/* Keys that are flags or numbers: their bounds and their units. */
#include <limits.h>

#include "gateway/config/reading.h"
#include "gateway/config/units.h"
#include "ground/base/assert.h"

#define DURATION_EXPECTED "a duration such as \"10s\", \"500ms\" or \"1m30s\""
#define SIZE_EXPECTED     "a size in bytes such as 1048576 or \"1MiB\""

enum { QUOTED_SIZE_MAX = 24 }; /* digits, and a letter */

int fe_config_read_fail(const struct fe_config_reading *g, const char *expected)
{
    return fe_config_fail(g->r, FLATEND_EINVAL, g->value->pos, "expected %s", expected);
}

int fe_config_read_expect(const struct fe_config_reading *g, enum fe_toml_type type,
                          const char *expected)
{
    if (g->value->type == type) {
        return 0;
    }
    return fe_config_fail(g->r, FLATEND_EINVAL, g->value->pos, "expected %s, found %s", expected,
                          fe_toml_type_name(g->value->type));
}

int fe_config_read_flag(const struct fe_config_reading *g, bool *flag)
{
    const int code = fe_config_read_expect(g, FE_TOML_BOOLEAN, "true or false");

    *flag = g->value->boolean;
    return code;
}

/* Is it out of the key's own bounds? */
static bool is_outside(const struct fe_config_key *key, uint64_t n)
{
    return n < key->min || (key->max != 0 && n > key->max);
}

int fe_config_read_integer(const struct fe_config_reading *g, unsigned *number)
{
    const struct fe_config_key *const key = g->key;
    const int code = fe_config_read_expect(g, FE_TOML_INTEGER, key->noun);

    if (code != 0) {
        return code;
    }
    if (g->value->integer < 0 || is_outside(key, (uint64_t)g->value->integer)) {
        return fe_config_fail(g->r, FLATEND_EINVAL, g->value->pos, "expected %s from %u to %u",
                              key->noun, (unsigned)key->min, (unsigned)key->max);
    }
    FE_ASSERT(key->max > 0 && key->max <= UINT_MAX, "an integer's bounds fit its member");
    *number = (unsigned)g->value->integer;
    return 0;
}

int fe_config_read_factor(const struct fe_config_reading *g, double *factor)
{
    const bool is_integer = g->value->type == FE_TOML_INTEGER;
    const double min = (double)g->key->min / 100;
    const double max = (double)g->key->max / 100;
    const int code =
        is_integer ? 0 : fe_config_read_expect(g, FE_TOML_FLOAT, "a factor such as 1.25");

    if (code != 0) {
        return code;
    }
    *factor = is_integer ? (double)g->value->integer : g->value->number;
    if (!(*factor >= min && *factor <= max)) { /* a NaN is none either */
        return fe_config_fail(g->r, FLATEND_EINVAL, g->value->pos,
                              "expected a factor from %g to %g", min, max);
    }
    return 0;
}

static int fail_duration(const struct fe_config_reading *g, const char *bound, uint64_t ms)
{
    char text[FE_DURATION_TEXT_MAX];

    if (g->key->refusal != NULL) {
        return fe_config_fail(g->r, FLATEND_EINVAL, g->value->pos, "%s", g->key->refusal);
    }
    return fe_config_fail(g->r, FLATEND_EINVAL, g->value->pos, "expected a duration of at %s %s",
                          bound, fe_duration_format(ms, text));
}

int fe_config_read_duration(const struct fe_config_reading *g, uint64_t *ms)
{
    const uint64_t max = g->key->max != 0 ? g->key->max : FE_CONFIG_DURATION_MAX_MS;
    const struct fe_view text = g->value->string;
    int code = fe_config_read_expect(g, FE_TOML_STRING, DURATION_EXPECTED);

    if (code != 0) {
        return code;
    }
    code = fe_duration_parse(text, max, ms);
    if (code == FLATEND_ETOOBIG) {
        return fail_duration(g, "most", max);
    }
    if (code != 0) {
        return fe_config_fail(g->r, FLATEND_EINVAL, g->value->pos,
                              "expected " DURATION_EXPECTED " (units: h, m, s, ms), found \"%.*s\"",
                              fe_toml_quoted(text), (const char *)text.ptr);
    }
    return *ms < g->key->min ? fail_duration(g, "least", g->key->min) : 0;
}

/* "10M": of 1000 or of 1024? False: it is not that. */
static bool is_size_without_b(struct fe_view text)
{
    size_t n = 0;

    while (n < text.len && text.ptr[n] >= '0' && text.ptr[n] <= '9') {
        n++;
    }
    return n > 0 && n + 1 == text.len && strchr("kKmMgG", text.ptr[n]) != NULL;
}

static int fail_size(const struct fe_config_reading *g, struct fe_view text)
{
    const int number_len = (int)text.len - 1;
    char letter;

    if (g->value->type != FE_TOML_STRING) {
        return fe_config_read_fail(g, SIZE_EXPECTED);
    }
    if (text.len > QUOTED_SIZE_MAX || !is_size_without_b(text)) {
        return fe_config_fail(g->r, FLATEND_EINVAL, g->value->pos,
                              "expected " SIZE_EXPECTED " (units: B, kB, MB, GB, KiB, MiB, GiB), "
                              "found \"%.*s\"",
                              fe_toml_quoted(text), (const char *)text.ptr);
    }
    letter = (char)(text.ptr[number_len] & ~0x20);
    return fe_config_fail(g->r, FLATEND_EINVAL, g->value->pos,
                          "expected " SIZE_EXPECTED
                          ", found \"%.*s\": write \"%.*s%cB\" (of 1000) or "
                          "\"%.*s%ciB\" (of 1024)",
                          (int)text.len, (const char *)text.ptr, number_len, (const char *)text.ptr,
                          letter == 'K' ? 'k' : letter, number_len, (const char *)text.ptr, letter);
}

static int parse_size(const struct fe_toml_value *value, uint64_t *bytes)
{
    if (value->type == FE_TOML_STRING) {
        return fe_size_parse(value->string, FE_CONFIG_SIZE_MAX, bytes);
    }
    *bytes = (uint64_t)value->integer;
    return value->integer < 0 ? FLATEND_ESYNTAX : *bytes > FE_CONFIG_SIZE_MAX ? FLATEND_ETOOBIG : 0;
}

int fe_config_read_size(const struct fe_config_reading *g, uint64_t *bytes)
{
    const struct fe_toml_value *const value = g->value;
    int code = value->type == FE_TOML_STRING
                   ? 0
                   : fe_config_read_expect(g, FE_TOML_INTEGER, SIZE_EXPECTED);

    if (code != 0) {
        return code;
    }
    code = parse_size(value, bytes);
    if (code != 0) {
        return code == FLATEND_ETOOBIG ? fe_config_read_fail(g, "a size of at most 2^60 bytes")
                                       : fail_size(g, value->string);
    }
    if (is_outside(g->key, *bytes)) {
        return fe_config_fail(g->r, FLATEND_EINVAL, value->pos,
                              "expected %s from %llu to %llu bytes", g->key->noun,
                              (unsigned long long)g->key->min, (unsigned long long)g->key->max);
    }
    return 0;
}
