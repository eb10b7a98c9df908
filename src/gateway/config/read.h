/* Typed values out of a TOML tree, with messages that say where and what was expected. */
#ifndef FE_GATEWAY_CONFIG_READ_H
#define FE_GATEWAY_CONFIG_READ_H

#include "gateway/config/toml.h"

struct fe_config_reader {
    const char *path;       /* of the file, for messages */
    struct fe_arena *arena; /* the configuration's: what is read is copied there */
    struct flatend_error *err;
};

/* Values remember where they were given; a `pos.line` of 0: not given. */
struct fe_config_text {
    struct fe_view text; /* with a NUL behind it and none inside */
    struct fe_toml_pos pos;
};

struct fe_config_number {
    uint64_t n;
    struct fe_toml_pos pos;
};

struct fe_config_flag {
    bool on;
    struct fe_toml_pos pos;
};

struct fe_config_texts {
    struct fe_config_text *items;
    size_t n;
};

/* One key that a table may have, and how it is read into an object. */
struct fe_config_key {
    const char *name;
    int (*read)(const struct fe_config_reader *r, const struct fe_toml_value *value, void *into);
    size_t offset; /* of `into` in the object */
};

/* Reads each entry of `table` (in messages: `where`, such as "[[http]]") by its key. What the
 * object held stays where a key is not given. All functions below fail with FLATEND_EINVAL, or
 * FLATEND_ENOMEM, and the reader's `err` then says why. */
int fe_config_read_table(const struct fe_config_reader *r, const struct fe_toml_value *table,
                         const char *where, const struct fe_config_key *keys, size_t n_keys,
                         void *object) FE_MUST_USE;

/* Readers for `struct fe_config_key`; `into` is what the name says. */
int fe_config_read_text(const struct fe_config_reader *r, const struct fe_toml_value *value,
                        void *text) FE_MUST_USE;
/* These two add to a `struct fe_config_texts`: one string, and an array of them. */
int fe_config_add_text(const struct fe_config_reader *r, const struct fe_toml_value *value,
                       void *texts) FE_MUST_USE;
int fe_config_add_texts(const struct fe_config_reader *r, const struct fe_toml_value *value,
                        void *texts) FE_MUST_USE;
int fe_config_read_flag(const struct fe_config_reader *r, const struct fe_toml_value *value,
                        void *flag) FE_MUST_USE;
/* Milliseconds out of "1m30s", and bytes out of 1024 or "1KiB", into a `struct fe_config_number`.
 */
int fe_config_read_duration(const struct fe_config_reader *r, const struct fe_toml_value *value,
                            void *number) FE_MUST_USE;
int fe_config_read_size(const struct fe_config_reader *r, const struct fe_toml_value *value,
                        void *number) FE_MUST_USE;

/* Complains if `value` is not of that type: "expected <expected>, found an integer". */
int fe_config_expect(const struct fe_config_reader *r, const struct fe_toml_value *value,
                     enum fe_toml_type type, const char *expected) FE_MUST_USE;

/* Sets the error "path:line:column: ..." and returns `code`. */
int fe_config_fail(const struct fe_config_reader *r, int code, struct fe_toml_pos pos,
                   const char *format, ...) FLATEND_PRINTF(4, 5);
int fe_config_no_memory(const struct fe_config_reader *r);

#endif
